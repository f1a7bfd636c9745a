//! PKCS#10 requests signed by a key that never leaves its device.

use der::{Decode, Encode};
use x509_cert::request::CertReqInfo;

use crate::name::Name;
use crate::signed::{Signed, public_key, public_key_info};
use crate::{GmError, PublicKey, Signature};

/// The longest request that is read, in bytes.
pub const REQUEST_LIMIT: usize = 8 * 1024;
const WHAT: &str = "certificate request";

/// A request whose signature was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The key that asks and that signed.
    pub public_key: PublicKey,
    /// What it calls itself (RFC 4514). Never decides what a certificate says.
    pub subject: String,
}

/// Why no request came about.
#[derive(Debug, thiserror::Error)]
pub enum BuildError<E> {
    /// The name, or the signature that came back, is wrong.
    #[error(transparent)]
    Gm(#[from] GmError),
    /// The signer failed.
    #[error("the key did not sign the certificate request")]
    Sign(#[source] E),
}

/// Builds a request (DER, without attributes) for `key`. `sign` is handed e = SM3(Z ‖ request info); what it returns is
/// checked against `key` before it is used.
///
/// # Errors
/// [`BuildError::Sign`] with the signer's own error; [`BuildError::Gm`] for a bad `subject` (RFC 4514) or a wrong signature.
pub fn build<E>(
    subject: &str,
    key: &PublicKey,
    sign: impl FnOnce(&[u8; 32]) -> Result<Signature, E>,
) -> Result<Vec<u8>, BuildError<E>> {
    let info = CertReqInfo {
        version: Default::default(),
        subject: Name::from_rfc4514(subject)?.0,
        public_key: public_key_info(key)?,
        attributes: Default::default(),
    };
    let body = info.to_der().map_err(|why| GmError::malformed(WHAT, why))?;
    let e = key.e(&body);
    let signature = sign(&e).map_err(BuildError::Sign)?;
    key.verify_digest(&e, &signature)?;
    Ok(Signed::assemble(WHAT, &body, &signature)?)
}

/// Reads a request of at most 8 KiB and checks its signature with the key in it.
///
/// # Errors
/// [`GmError::Length`], [`GmError::Malformed`], [`GmError::NotAPoint`], [`GmError::NotASignature`], [`GmError::SignatureWrong`].
pub fn parse(der: &[u8]) -> Result<Request, GmError> {
    if der.len() > REQUEST_LIMIT {
        return Err(GmError::Length { what: WHAT, len: der.len(), allowed: "at most 8192" });
    }
    let signed = Signed::from_der(WHAT, der)?;
    let info = CertReqInfo::from_der(&signed.body()?).map_err(|why| GmError::malformed(WHAT, why))?;
    let public_key = public_key(WHAT, &info.public_key)?;
    signed.verify(&public_key)?;
    Ok(Request { public_key, subject: info.subject.to_string() })
}
