//! The portal as one job sees it: `workflow::Issuer` over the link.

use std::sync::Arc;

use gm::SigningKey;
use model::{JobId, KeyId};
use wire::{
    Bytes, CertificatesReply, CertificatesRequest, Down, KeySecrets, Refused, RefusedCode, SecretsRequest, Up,
};
use workflow::{Issuer, IssuerError};

use crate::{
    breakers::Breakers,
    clock::Time,
    link::{Link, NoAnswer},
};

/// Asks the portal and opens what is sealed to this station.
pub struct PortalIssuer {
    /// The link.
    pub link: Link,
    /// For the pauses between two questions.
    pub time: Arc<dyn Time>,
    /// The key to which secrets are sealed.
    pub sealing_key: Arc<SigningKey>,
    /// The stream of this attempt: the portal ties the binding of a key to it.
    pub attempt: String,
    /// How often `Later` is accepted before the job ends.
    pub later_max: u32,
    /// Knows which lots of blanks are stopped.
    pub breakers: Arc<Breakers>,
    /// Whether a key of a stopped lot is refused: not if it was written to already.
    pub may_refuse: bool,
}

impl PortalIssuer {
    /// Asks until the answer is not `Later`, at most `later_max` times.
    fn ask(&self, body: &Up) -> Result<Down, IssuerError> {
        let mut last = None;
        for turn in 0..=self.later_max {
            if turn > 0 {
                self.time.sleep(std::time::Duration::from_millis(500) * turn.min(10));
            }
            match self.link.request(body) {
                Ok(Down::Refused(refused))
                    if matches!(refused.code, RefusedCode::Later | RefusedCode::NotActive) =>
                {
                    last = Some(refused);
                }
                Ok(Down::Refused(refused)) => return Err(IssuerError::Refused(refused)),
                Ok(answer) => return Ok(answer),
                Err(NoAnswer::Closing) => return Err(IssuerError::Closing),
                Err(error) => return Err(IssuerError::Unreachable(error.to_string())),
            }
        }
        let detail = last.map_or_else(String::new, |refused| refused.detail);
        Err(IssuerError::Unreachable(format!("the portal kept saying later: {detail}")))
    }
}

fn unexpected() -> IssuerError {
    let detail = "the portal's answer does not belong to this key; update the older side".to_owned();
    IssuerError::Refused(Refused { code: RefusedCode::Invalid, detail })
}

impl Issuer for PortalIssuer {
    fn secrets(
        &mut self,
        job: &JobId,
        key: &KeyId,
        profile: &str,
        factory_key: &str,
    ) -> Result<KeySecrets, IssuerError> {
        let request = SecretsRequest {
            job: job.clone(),
            key: key.clone(),
            profile: profile.to_owned(),
            factory_device_key: factory_key.to_owned(),
            attempt: self.attempt.clone(),
        };
        let Down::Secrets(reply) = self.ask(&Up::Secrets(request))? else { return Err(unexpected()) };
        let opened = gm::open(&self.sealing_key, &reply.sealed.0).map_err(|_| unexpected())?;
        let secrets: KeySecrets = serde_json::from_slice(opened.expose()).map_err(|_| unexpected())?;
        if secrets.key != *key || reply.job != *job {
            return Err(unexpected());
        }
        if let Some(lot) = &reply.lot {
            self.breakers.remember_lot(key, lot);
        }
        match self.breakers.lot_of_stopped(key).filter(|_| self.may_refuse) {
            Some(why) => Err(IssuerError::LotStopped(why)),
            None => Ok(secrets),
        }
    }

    fn certificates(
        &mut self,
        job: &JobId,
        key: &KeyId,
        request: &[u8],
    ) -> Result<CertificatesReply, IssuerError> {
        let request =
            CertificatesRequest { job: job.clone(), key: key.clone(), request: Bytes(request.to_vec()) };
        match self.ask(&Up::Certificates(request))? {
            Down::Certificates(reply) if reply.job == *job && reply.key == *key => Ok(reply),
            _ => Err(unexpected()),
        }
    }
}
