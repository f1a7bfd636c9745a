//! Heads of hash chains, signed by whoever keeps the chain and given to the other side: neither can rewrite its history unseen.

use gm::{PublicKey, Signature};
use serde::{Deserialize, Serialize};

/// Whose chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chain {
    /// The journal of a station.
    Journal,
    /// The audit of the portal.
    Portal,
}

impl Chain {
    /// What is signed: `ukey journal head 1` or `ukey portal head 1`, a zero byte, the sequence in 8 bytes big-endian, the head.
    #[must_use]
    pub fn message(self, sequence: u64, head: &[u8; 32]) -> Vec<u8> {
        let what: &[u8] = match self {
            Self::Journal => b"ukey journal head 1\0",
            Self::Portal => b"ukey portal head 1\0",
        };
        [what, &sequence.to_be_bytes(), head].concat()
    }
}

/// Where a chain stood, signed (SM2 with SM3, the usual id).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedHead {
    /// How many links the chain had.
    pub sequence: u64,
    /// The head of the last of them, 64 hex digits.
    pub head: String,
    /// r then s, 128 hex digits.
    pub signature: String,
}

/// Why a signed head proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeadError {
    /// Not 64 hex digits.
    #[error("the head is not 64 hex digits")]
    Head,
    /// Not 128 hex digits, or out of range.
    #[error("the signature is not r and s in 128 hex digits")]
    Form,
    /// Not this key's, or for another chain, sequence or head.
    #[error("the signature does not fit the head, the sequence and the key")]
    Signature,
}

impl SignedHead {
    /// Puts a head and its signature, made over [`Chain::message`], into their form on the wire.
    #[must_use]
    pub fn new(sequence: u64, head: &[u8; 32], signature: &Signature) -> Self {
        Self { sequence, head: hex::encode(head), signature: hex::encode(signature.rs()) }
    }

    /// The head, if `key` signed it for this chain.
    ///
    /// # Errors
    /// [`HeadError`].
    pub fn verified(&self, chain: Chain, key: &PublicKey) -> Result<[u8; 32], HeadError> {
        let head: [u8; 32] = bytes(&self.head).ok_or(HeadError::Head)?;
        let signature: [u8; 64] = bytes(&self.signature).ok_or(HeadError::Form)?;
        let signature = Signature::from_rs(&signature).map_err(|_| HeadError::Form)?;
        key.verify(&chain.message(self.sequence, &head), &signature).map_err(|_| HeadError::Signature)?;
        Ok(head)
    }
}

/// A head of the portal's audit, with the key that signed it: evidence that stands by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortalHead {
    /// Where the audit stood.
    #[serde(flatten)]
    pub signed: SignedHead,
    /// The portal's public key, X then Y, 128 hex digits: that of its issuing certificate.
    pub key: String,
}

impl PortalHead {
    /// The head, if the key named beside it signed it.
    ///
    /// # Errors
    /// [`HeadError`].
    pub fn verified(&self) -> Result<[u8; 32], HeadError> {
        let key: [u8; 64] = bytes(&self.key).ok_or(HeadError::Signature)?;
        let key = PublicKey::from_xy(&key).map_err(|_| HeadError::Signature)?;
        self.signed.verified(Chain::Portal, &key)
    }
}

/// Hex digits for exactly so many bytes, nothing before they are counted.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}
