//! A portal of memory: one CA, the same answer to the same question, and a count of what it certified.

use std::time::{Duration, SystemTime};

use anyhow::Result;
use gm::{
    PublicKey, SigningKey,
    certificate::{Certificate, Role, Template, new_serial},
    envelope::EnvelopedKey,
    name::Name,
    request,
};
use model::{JobId, KeyId};
use wire::{Bytes, CertificatesReply, KeySecrets, Refused, RefusedCode};
use workflow::{Issuer, IssuerError};

pub(super) const DEVICE_KEY: [u8; 16] = *b"derived per key!";
pub(super) const ADMIN_PIN: &str = "Adm1nPinOfLaws";
pub(super) const USER_PIN: &str = "12345678";

/// How the next question goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// It is not heard.
    Question(usize),
    /// Its answer is not heard.
    Answer(usize),
}

/// The portal.
pub(super) struct Portal {
    ca_key: SigningKey,
    ca: Certificate,
    issued: Vec<(PublicKey, CertificatesReply)>,
    asked: usize,
    pub(super) silence: Option<Silence>,
}

impl Portal {
    pub(super) fn new() -> Result<Self> {
        let ca_key = SigningKey::generate()?;
        let name = Name::new(&[("CN", "CA of the laws")])?;
        let ca = template(Role::RootCa, &name, &ca_key.public_key())?.self_sign(&ca_key)?;
        Ok(Self { ca_key, ca, issued: Vec::new(), asked: 0, silence: None })
    }

    /// How many questions came.
    pub(super) fn questions(&self) -> usize {
        self.asked
    }

    /// Key pairs that were certified.
    pub(super) fn issued(&self) -> &[(PublicKey, CertificatesReply)] {
        &self.issued
    }

    fn hear(&mut self) -> Result<(), IssuerError> {
        self.asked += 1;
        if self.silence == Some(Silence::Question(self.asked)) { Err(silent()) } else { Ok(()) }
    }

    fn say<R>(&self, answer: R) -> Result<R, IssuerError> {
        if self.silence == Some(Silence::Answer(self.asked)) { Err(silent()) } else { Ok(answer) }
    }

    fn issue(&self, job: &JobId, key: &KeyId, public: &PublicKey) -> Result<CertificatesReply> {
        let name = Name::new(&[("CN", "测试单位")])?;
        let enc = SigningKey::generate()?;
        let certificate = |role, key: &PublicKey| {
            anyhow::Ok(Bytes(template(role, &name, key)?.sign(&self.ca, &self.ca_key)?.der().to_vec()))
        };
        Ok(CertificatesReply {
            job: job.clone(),
            key: key.clone(),
            sign_certificate: certificate(Role::Signing, public)?,
            enc_certificate: certificate(Role::Encryption, &enc.public_key())?,
            enveloped_key: Bytes(EnvelopedKey::seal(&enc.to_secret(), public)?.to_der()?),
        })
    }
}

fn silent() -> IssuerError {
    IssuerError::Unreachable("silent".to_owned())
}

fn refused(detail: impl std::fmt::Display) -> IssuerError {
    IssuerError::Refused(Refused { code: RefusedCode::Invalid, detail: detail.to_string() })
}

fn template<'a>(role: Role, subject: &'a Name, public_key: &'a PublicKey) -> Result<Template<'a>> {
    let now = SystemTime::now();
    let days = if role == Role::RootCa { 2 } else { 1 };
    let (not_before, not_after) = (now - Duration::from_secs(300), now + Duration::from_secs(days * 86_400));
    Ok(Template { role, subject, public_key, serial: new_serial()?, not_before, not_after, extensions: &[] })
}

impl Issuer for Portal {
    fn secrets(&mut self, _: &JobId, key: &KeyId, _: &str, _: &str) -> Result<KeySecrets, IssuerError> {
        self.hear()?;
        self.say(KeySecrets {
            key: key.clone(),
            factory_device_key: hex::encode(ukey_sim::FACTORY_DEVICE_KEY),
            device_key: hex::encode(DEVICE_KEY),
            admin_pin: ADMIN_PIN.to_owned(),
            user_pin: USER_PIN.to_owned(),
        })
    }

    fn certificates(
        &mut self,
        job: &JobId,
        key: &KeyId,
        der: &[u8],
    ) -> Result<CertificatesReply, IssuerError> {
        self.hear()?;
        let public = request::parse(der).map_err(refused)?.public_key;
        let known = self.issued.iter().find(|(seen, _)| *seen == public).map(|(_, reply)| reply.clone());
        let reply = match known {
            Some(reply) => reply,
            None => {
                let reply = self.issue(job, key, &public).map_err(refused)?;
                self.issued.push((public, reply.clone()));
                reply
            }
        };
        self.say(reply)
    }
}
