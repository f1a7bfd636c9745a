//! Issuing: one request, one pair of certificates, the same answer every time.

use std::time::SystemTime;

use gm::certificate::{Extension, Role};
use gm::envelope::EnvelopedKey;
use gm::{GmError, PublicKey, SigningKey, request};
use model::{JobId, KeyId};

use crate::authority::name;
use crate::{CaError, EmbeddedCa, Issued, Ledger, Recorded, dates};

/// Longer than any [`request_id`].
const REQUEST_ID_LIMIT: usize = 512;

/// What the order and its programme want in both certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Name parts in order, (attribute, value): see [`gm::name::Name::new`].
    pub dn: Vec<(String, String)>,
    /// Further extensions, such as the credit code.
    pub extensions: Vec<Extension>,
    /// Validity in calendar years, 1 to 10.
    pub years: u8,
}

/// A request for the pair of certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueRequest {
    /// From [`request_id`].
    pub request_id: String,
    /// PKCS#10, DER, signed on the key. Only its public key is used.
    pub csr: Vec<u8>,
    /// What the certificates say.
    pub subject: Subject,
    /// The time of issuing.
    pub now: SystemTime,
}

/// The id of a request: job, key and public key digest, `SAAS1…-1|maker/model/serial|digest in hex`. The first and the last part have
/// fixed forms, so two different requests never share an id.
#[must_use]
pub fn request_id(job: &JobId, key: &KeyId, public: &PublicKey) -> String {
    let digest: String = public.digest().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{job}|{key}|{digest}")
}

impl EmbeddedCa {
    /// Issues the pair, or gives again what was issued for the same request id and key, byte for byte. When it returns, the ledger has it.
    ///
    /// # Errors
    /// [`CaError::Request`], [`CaError::RequestChanged`], [`CaError::KeySeen`], [`CaError::Order`], [`CaError::Years`] (repeating does not help);
    /// [`CaError::Clock`], [`CaError::Sign`], [`CaError::Ledger`] (repeat once it is repaired).
    pub async fn issue<L: Ledger>(&self, request: &IssueRequest, ledger: &L) -> Result<Issued, CaError> {
        let (id, length) = (&request.request_id, request.request_id.len());
        if !(1..=REQUEST_ID_LIMIT).contains(&length) {
            let why = GmError::Length { what: "the request id", len: length, allowed: "1 to 512" };
            return Err(CaError::Request(why));
        }
        let public = request::parse(&request.csr).map_err(CaError::Request)?.public_key;
        if let Some(stored) = stored(id, &public, ledger).await? {
            return Ok(stored);
        }
        let made = self.make(request, &public)?;
        match ledger.record(&made).await.map_err(ledger_error)? {
            Recorded::New => Ok(made),
            // Another call was faster: what this one made is dropped and has never left.
            Recorded::AlreadyThere => stored(id, &public, ledger).await?.ok_or_else(|| {
                CaError::Ledger("it says that the request is there and that it is not".into())
            }),
        }
    }

    fn make(&self, request: &IssueRequest, public: &PublicKey) -> Result<Issued, CaError> {
        let order = &request.subject;
        let subject = name(&order.dn)?;
        let period = dates::for_years(request.now, order.years, self.issuing().not_before())?;
        let pair = SigningKey::generate().map_err(CaError::Sign)?;
        let enc_private = pair.to_secret();
        let certify = |role, key: &PublicKey| self.certify(role, &subject, key, period, &order.extensions);
        let sign = certify(Role::Signing, public)?;
        let enc = certify(Role::Encryption, &pair.public_key())?;
        let envelope = EnvelopedKey::seal(&enc_private, public).and_then(|envelope| envelope.to_der());
        Ok(Issued {
            request_id: request.request_id.clone(),
            key_xy: public.xy(),
            sign_der: sign.der().to_vec(),
            enc_der: enc.der().to_vec(),
            enveloped_der: envelope.map_err(CaError::Sign)?,
            enc_private,
        })
    }
}

/// What the ledger has for this request, if it has nothing against it.
async fn stored<L: Ledger>(id: &str, public: &PublicKey, ledger: &L) -> Result<Option<Issued>, CaError> {
    match ledger.find(id).await.map_err(ledger_error)? {
        Some(issued) if issued.key_xy == public.xy() => return Ok(Some(issued)),
        Some(_) => return Err(CaError::RequestChanged { request_id: id.to_owned() }),
        None => {}
    }
    match ledger.key_seen(&public.xy()).await.map_err(ledger_error)? {
        Some(earlier) if earlier != id => Err(CaError::KeySeen { request_id: id.to_owned(), earlier }),
        // The same request was recorded between the two questions.
        Some(_) => ledger.find(id).await.map_err(ledger_error),
        None => Ok(None),
    }
}

fn ledger_error(error: impl std::error::Error + Send + Sync + 'static) -> CaError {
    CaError::Ledger(Box::new(error))
}
