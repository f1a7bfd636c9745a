//! Bytes in, bytes out: a JSON envelope with version and id around each body.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The version this crate writes. A change that an older reader would misunderstand raises it.
pub const VERSION: u16 = 1;

/// Larger payloads are refused before they are parsed.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;

/// Why a payload was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// More than [`MESSAGE_BYTES_MAX`].
    #[error("the message has {0} bytes, more than the {MESSAGE_BYTES_MAX} allowed")]
    TooLarge(usize),
    /// Written by a newer or older program.
    #[error("the message has version {0}, this program speaks version {VERSION}: update the older side")]
    Version(u16),
    /// Not this protocol's JSON.
    #[error("the message cannot be read: {0}")]
    Malformed(#[from] serde_json::Error),
}

#[derive(Serialize)]
struct EnvelopeRef<'a, T> {
    v: u16,
    id: &'a str,
    #[serde(flatten)]
    body: &'a T,
}

#[derive(Deserialize)]
struct Head {
    v: u16,
}

#[derive(Deserialize)]
struct Envelope<T> {
    id: String,
    #[serde(flatten)]
    body: T,
}

/// Writes a body under an id. A repeated request carries the id of the first try; a reply carries its request's id.
///
/// # Errors
/// Only if the body cannot be JSON, which none of ours can.
pub fn encode<T: Serialize>(id: &str, body: &T) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&EnvelopeRef { v: VERSION, id, body })
}

/// Reads an envelope: the id and the body.
///
/// # Errors
/// [`DecodeError`]; the version is looked at before the body, so a newer message is a version error, not nonsense.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<(String, T), DecodeError> {
    if bytes.len() > MESSAGE_BYTES_MAX {
        return Err(DecodeError::TooLarge(bytes.len()));
    }
    let head: Head = serde_json::from_slice(bytes)?;
    if head.v != VERSION {
        return Err(DecodeError::Version(head.v));
    }
    let envelope: Envelope<T> = serde_json::from_slice(bytes)?;
    Ok((envelope.id, envelope.body))
}
