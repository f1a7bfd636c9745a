//! An SM2 signature in its two forms: r ‖ s as keys give it, DER as certificates carry it.

use crate::GmError;

/// An SM2 signature whose r and s lie in 1 to n-1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signature(pub(crate) sm2::dsa::Signature);

impl Signature {
    /// From r then s, each 32 bytes big-endian.
    ///
    /// # Errors
    /// [`GmError::NotASignature`].
    pub fn from_rs(rs: &[u8; 64]) -> Result<Self, GmError> {
        sm2::dsa::Signature::from_slice(rs).map(Self).map_err(|_| GmError::NotASignature)
    }

    /// r then s, each 32 bytes big-endian.
    #[must_use]
    pub fn rs(&self) -> [u8; 64] {
        self.0.to_bytes().into()
    }

    /// SEQUENCE { r INTEGER, s INTEGER } (GM/T 0009 clause 7.3), at most 72 bytes.
    #[must_use]
    pub fn to_der(&self) -> Vec<u8> {
        self.0.to_der().as_bytes().to_vec()
    }

    /// From DER; other encodings of the same numbers are refused.
    ///
    /// # Errors
    /// [`GmError::NotASignature`].
    pub fn from_der(der: &[u8]) -> Result<Self, GmError> {
        if der.len() > 72 {
            return Err(GmError::NotASignature);
        }
        let signature = Self(sm2::dsa::Signature::from_der(der).map_err(|_| GmError::NotASignature)?);
        if signature.to_der() == der { Ok(signature) } else { Err(GmError::NotASignature) }
    }
}
