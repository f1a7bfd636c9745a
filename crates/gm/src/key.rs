//! SM2 keys, SM3, and the values Z and e of GM/T 0003.2 (the sm2 crate keeps its own to itself).

use model::Secret;
use signature::hazmat::{PrehashSigner, PrehashVerifier};
use sm2::elliptic_curve::sec1::ToSec1Point;
use sm3::{Digest, Sm3};
use zeroize::Zeroizing;

use crate::{GmError, Signature};

/// The distinguishing identifier that every party uses unless told otherwise (GM/T 0009 clause 10).
pub const DEFAULT_ID: &[u8; 16] = b"1234567812345678";

/// The same as text, for the sm2 crate.
pub(crate) const DEFAULT_ID_TEXT: &str = "1234567812345678";

/// a, b, Gx, Gy of the SM2 curve (GM/T 0003.5), in the order in which Z hashes them.
const CURVE: [[u8; 32]; 4] = [
    *b"\xff\xff\xff\xfe\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xfc",
    *b"\x28\xe9\xfa\x9e\x9d\x9f\x5e\x34\x4d\x5a\x9e\x4b\xcf\x65\x09\xa7\xf3\x97\x89\xf5\x15\xab\x8f\x92\xdd\xbc\xbd\x41\x4d\x94\x0e\x93",
    *b"\x32\xc4\xae\x2c\x1f\x19\x81\x19\x5f\x99\x04\x46\x6a\x39\xc9\x94\x8f\xe3\x0b\xbf\xf2\x66\x0b\xe1\x71\x5a\x45\x89\x33\x4c\x74\xc7",
    *b"\xbc\x37\x36\xa2\xf4\xf6\x77\x9c\x59\xbd\xce\xe3\x6b\x69\x21\x53\xd0\xa9\x87\x7c\xc6\x2a\x47\x40\x02\xdf\x32\xe5\x21\x39\xf0\xa0",
];

/// The SM3 digest of `data` (GM/T 0004).
#[must_use]
pub fn sm3(data: &[u8]) -> [u8; 32] {
    Sm3::digest(data).into()
}

/// An SM2 public key: always a point of the curve, never the point at infinity.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(pub(crate) sm2::PublicKey);

impl PublicKey {
    /// The key with these coordinates, X then Y, each 32 bytes big-endian.
    ///
    /// # Errors
    /// [`GmError::NotAPoint`].
    pub fn from_xy(xy: &[u8; 64]) -> Result<Self, GmError> {
        let mut sec1 = [4u8; 65];
        sec1[1..].copy_from_slice(xy);
        sm2::PublicKey::from_sec1_bytes(&sec1).map(Self).map_err(|_| GmError::NotAPoint)
    }

    /// X then Y, each 32 bytes big-endian.
    #[must_use]
    pub fn xy(&self) -> [u8; 64] {
        let mut xy = [0; 64];
        // An uncompressed point is 04, X, Y; the type excludes infinity, the only shorter form.
        xy.copy_from_slice(&self.0.to_sec1_point(false).as_bytes()[1..]);
        xy
    }

    /// SM3 of [`PublicKey::xy`]: names the key in request ids and records.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        sm3(&self.xy())
    }

    /// Z of GM/T 0003.2 clause 5.5, with [`DEFAULT_ID`].
    #[must_use]
    pub fn z(&self) -> [u8; 32] {
        let mut hash = Sm3::new();
        hash.update([0x00, 0x80]); // the identifier's length in bits
        hash.update(DEFAULT_ID);
        CURVE.iter().for_each(|value| hash.update(value));
        hash.update(self.xy());
        hash.finalize().into()
    }

    /// e = SM3(Z ‖ message): what a key is asked to sign.
    #[must_use]
    pub fn e(&self, message: &[u8]) -> [u8; 32] {
        Sm3::new().chain_update(self.z()).chain_update(message).finalize().into()
    }

    /// Checks a signature over e.
    ///
    /// # Errors
    /// [`GmError::SignatureWrong`].
    pub fn verify_digest(&self, e: &[u8; 32], signature: &Signature) -> Result<(), GmError> {
        sm2::dsa::VerifyingKey::new(DEFAULT_ID_TEXT, self.0)
            .and_then(|key| key.verify_prehash(e, &signature.0))
            .map_err(|_| GmError::SignatureWrong)
    }

    /// Checks a signature over a message (Z with [`DEFAULT_ID`]).
    ///
    /// # Errors
    /// [`GmError::SignatureWrong`].
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), GmError> {
        self.verify_digest(&self.e(message), signature)
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PublicKey(")?;
        self.xy().iter().try_for_each(|byte| write!(f, "{byte:02X}"))?;
        f.write_str(")")
    }
}

/// An SM2 private key, for signing and for opening what was sealed to its public key.
///
/// Redacted in `Debug`, overwritten when dropped (the copies on the stack while the sm2 crate computes are not).
#[derive(Clone)]
pub struct SigningKey {
    pub(crate) secret: sm2::SecretKey,
    public: PublicKey,
}

impl SigningKey {
    /// A new key from the operating system's randomness.
    ///
    /// # Errors
    /// [`GmError::Random`].
    pub fn generate() -> Result<Self, GmError> {
        let mut bytes = Zeroizing::new([0u8; 32]);
        loop {
            getrandom::fill(bytes.as_mut()).map_err(|_| GmError::Random)?;
            // Outside 1..n-2 with probability 2^-32: draw again.
            if let Ok(key) = Self::from_bytes(bytes.as_ref()) {
                return Ok(key);
            }
        }
    }

    /// The key with this 32-byte big-endian value.
    ///
    /// # Errors
    /// [`GmError::NotAPrivateKey`] outside 1 to n-2 (GM/T 0003.1 clause 6.1) or at another length.
    pub fn from_secret(secret: &Secret) -> Result<Self, GmError> {
        Self::from_bytes(secret.expose())
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, GmError> {
        if bytes.len() != 32 {
            return Err(GmError::NotAPrivateKey);
        }
        let secret = sm2::SecretKey::from_slice(bytes).map_err(|_| GmError::NotAPrivateKey)?;
        // n-1 is the one value with which no signature exists: 1 + d has no inverse.
        if bool::from((*secret.to_nonzero_scalar() + sm2::Scalar::ONE).is_zero()) {
            return Err(GmError::NotAPrivateKey);
        }
        let public = PublicKey(secret.public_key());
        Ok(Self { secret, public })
    }

    /// The 32-byte big-endian value, to be wrapped and stored.
    #[must_use]
    pub fn to_secret(&self) -> Secret {
        Secret::new(Zeroizing::new(self.secret.to_bytes()).to_vec())
    }

    /// The public key.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.public
    }

    /// Signs a message (Z with [`DEFAULT_ID`]).
    ///
    /// # Errors
    /// [`GmError::Signing`], practically never.
    pub fn sign(&self, message: &[u8]) -> Result<Signature, GmError> {
        self.sign_digest(&self.public.e(message))
    }

    /// Signs e, with a nonce derived from key and e (RFC 6979): the same e gives the same signature.
    ///
    /// # Errors
    /// [`GmError::Signing`], practically never.
    pub fn sign_digest(&self, e: &[u8; 32]) -> Result<Signature, GmError> {
        sm2::dsa::SigningKey::new(DEFAULT_ID_TEXT, &self.secret)
            .and_then(|key| key.sign_prehash(e))
            .map(Signature)
            .map_err(|_| GmError::Signing)
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("public", &self.public).finish_non_exhaustive()
    }
}
