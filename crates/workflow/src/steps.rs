//! What each step does to the key, and how it is told afterwards whether it was done.

use gm::{PublicKey, Signature, certificate::Certificate, envelope::EnvelopedKey, request::BuildError};
use profile::StepKind;
use ukey::{CardTransport, CertKind, KeyKind, NewApplication};
use wire::Bytes;

use crate::{
    driver::issuer_stop,
    end::{Stop, factory_key_refused},
    key_at_work::KeyAtWork,
    ports::Issuer,
    read_back::read_back,
    record::{Certificates, Output},
    state::InWork,
};

/// Does a step.
pub(crate) fn perform<T: CardTransport>(
    step: StepKind,
    key: &mut KeyAtWork<'_, T>,
    work: &InWork,
    issuer: &mut dyn Issuer,
) -> Result<Output, Stop> {
    match step {
        StepKind::ChangeDeviceKey => change_device_key(key),
        StepKind::CreateApplication => create_application(key),
        StepKind::CreateContainer => {
            let name = key.profile.names.container.clone();
            let id = key.user()?.create_container(&name)?;
            key.set_container(id);
            Ok(Output::None)
        }
        StepKind::GenerateKeyPair => {
            let (session, id) = key.container()?;
            let public = session.generate_key_pair(id)?;
            Ok(Output::PublicKey(Bytes(public.xy().to_vec())))
        }
        StepKind::RequestCertificates => request_certificates(key, work, issuer),
        StepKind::ImportSignCertificate => {
            let issued = certificates(work)?;
            let (session, id) = key.container()?;
            session.import_certificate(id, CertKind::Sign, &issued.sign.0)?;
            Ok(Output::None)
        }
        StepKind::ImportEncryptionKeyPair => {
            let fields = enveloped_key(work)?.fields();
            let (session, id) = key.container()?;
            session.import_key_pair(id, &fields)?;
            Ok(Output::None)
        }
        StepKind::ImportEncryptionCertificate => {
            let issued = certificates(work)?;
            let (session, id) = key.container()?;
            session.import_certificate(id, CertKind::Encryption, &issued.enc.0)?;
            Ok(Output::None)
        }
        StepKind::SetLabel => {
            let label = key.profile.names.label.clone();
            key.user()?.set_label(&label)?;
            Ok(Output::None)
        }
        StepKind::Verify => read_back(key, work),
    }
}

/// Reads the key to see whether a step in doubt was done. `None` = it was not: do it.
pub(crate) fn inspect<T: CardTransport>(
    step: StepKind,
    key: &mut KeyAtWork<'_, T>,
    work: &InWork,
) -> Result<Option<Output>, Stop> {
    let done = match step {
        StepKind::ChangeDeviceKey => return inspect_device_key(key),
        StepKind::CreateApplication => {
            let name = key.profile.names.application.clone();
            key.applications()?.contains(&name)
        }
        StepKind::CreateContainer => {
            let name = key.profile.names.container.clone();
            key.user()?.enumerate_containers()?.contains(&name)
        }
        StepKind::GenerateKeyPair => {
            // No certificate was asked for yet, so whatever pair lies there is the one to go on with.
            let (session, id) = key.container()?;
            let public = session.export_public_key(id, KeyKind::Sign)?;
            return Ok(public.map(|public| Output::PublicKey(Bytes(public.xy().to_vec()))));
        }
        StepKind::ImportSignCertificate => {
            let issued = certificates(work)?;
            let (session, id) = key.container()?;
            session.export_certificate(id, CertKind::Sign)?.as_ref() == Some(&issued.sign.0)
        }
        StepKind::ImportEncryptionKeyPair => {
            let expected = enveloped_key(work)?.fields().public_key;
            let (session, id) = key.container()?;
            session.export_public_key(id, KeyKind::Encryption)? == Some(expected)
        }
        StepKind::ImportEncryptionCertificate => {
            let issued = certificates(work)?;
            let (session, id) = key.container()?;
            session.export_certificate(id, CertKind::Encryption)?.as_ref() == Some(&issued.enc.0)
        }
        // Safe to repeat; nothing on the key tells.
        StepKind::RequestCertificates | StepKind::SetLabel | StepKind::Verify => false,
    };
    Ok(done.then_some(Output::None))
}

fn change_device_key<T: CardTransport>(key: &mut KeyAtWork<'_, T>) -> Result<Output, Stop> {
    let open = key.take_open()?;
    let mut session = open
        .authenticate(&key.secrets.factory_device_key)
        .map_err(|refused| factory_key_refused(refused.error))?;
    session.change_device_key(&key.secrets.factory_device_key, &key.secrets.device_key)?;
    key.put_authenticated(session);
    Ok(Output::None)
}

fn inspect_device_key<T: CardTransport>(key: &mut KeyAtWork<'_, T>) -> Result<Option<Output>, Stop> {
    let open = key.take_open()?;
    match open.authenticate(&key.secrets.device_key) {
        Ok(session) => {
            key.put_authenticated(session);
            Ok(Some(Output::None))
        }
        // Not the new key; the session remembers how many tries are left and refuses the last one itself.
        Err(refused)
            if matches!(refused.error.status(), Some(ukey::StatusWord::VerificationFailed { .. })) =>
        {
            key.put_open(refused.session);
            Ok(None)
        }
        Err(refused) => Err(refused.error.into()),
    }
}

fn create_application<T: CardTransport>(key: &mut KeyAtWork<'_, T>) -> Result<Output, Stop> {
    let profile = key.profile;
    let new = NewApplication {
        name: profile.names.application.clone(),
        admin_pin: key.secrets.admin_pin.clone(),
        admin_tries: profile.pins.admin_tries,
        user_pin: key.secrets.user_pin.clone(),
        user_tries: profile.pins.user_tries,
        rights: NewApplication::RIGHT_USER,
        containers: 1,
        certificates: 2,
        files: 0,
    };
    key.authenticated()?.create_application(&new)?;
    Ok(Output::None)
}

fn request_certificates<T: CardTransport>(
    key: &mut KeyAtWork<'_, T>,
    work: &InWork,
    issuer: &mut dyn Issuer,
) -> Result<Output, Stop> {
    let public = public_key(work)?;
    let subject = format!("CN={}", work.begun.order.job);
    let (session, id) = key.container()?;
    // `build` checks the signature before use: a key that signs wrongly must not reach the CA.
    let sign = |e: &[u8; 32]| -> Result<Signature, Stop> { Ok(session.sign_digest(id, e)?) };
    let request = gm::request::build(&subject, &public, sign).map_err(|error| match error {
        BuildError::Sign(stop) => stop,
        BuildError::Gm(error) => {
            Stop::fail(format!("钥匙签名不可用，请取出并隔离 (the key's signature is wrong): {error}"))
        }
    })?;
    let reply = issuer
        .certificates(&work.begun.order.job, &work.begun.key, &request)
        .map_err(|error| issuer_stop(error, work))?;
    let issued = Certificates {
        sign: reply.sign_certificate,
        enc: reply.enc_certificate,
        enveloped_key: reply.enveloped_key,
    };
    check_issued(&issued, &public)?;
    Ok(Output::Certificates(issued))
}

/// What the CA sent must belong to this key and to itself.
fn check_issued(issued: &Certificates, public: &PublicKey) -> Result<(), Stop> {
    let wrong = |why: &str| Stop::error(format!("the certificates of the CA do not fit this key: {why}"));
    let sign = Certificate::from_der(&issued.sign.0).map_err(|error| wrong(&error.to_string()))?;
    let enc = Certificate::from_der(&issued.enc.0).map_err(|error| wrong(&error.to_string()))?;
    let envelope =
        EnvelopedKey::from_der(&issued.enveloped_key.0).map_err(|error| wrong(&error.to_string()))?;
    if sign.public_key() != *public {
        return Err(wrong("the signing certificate has another public key"));
    }
    if enc.public_key() != envelope.fields().public_key {
        return Err(wrong("the encryption certificate and the envelope have different public keys"));
    }
    Ok(())
}

pub(crate) fn public_key(work: &InWork) -> Result<PublicKey, Stop> {
    let missing = || Stop::error("the journal has no public key for this job");
    let xy: [u8; 64] =
        work.public_key.as_ref().and_then(|xy| xy.0.as_slice().try_into().ok()).ok_or_else(missing)?;
    PublicKey::from_xy(&xy).map_err(|_| missing())
}

pub(crate) fn certificates(work: &InWork) -> Result<&Certificates, Stop> {
    work.certificates.as_ref().ok_or_else(|| Stop::error("the journal has no certificates for this job"))
}

pub(crate) fn enveloped_key(work: &InWork) -> Result<EnvelopedKey, Stop> {
    EnvelopedKey::from_der(&certificates(work)?.enveloped_key.0)
        .map_err(|error| Stop::error(format!("the journal's enveloped key cannot be read: {error}")))
}
