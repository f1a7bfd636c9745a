//! The enveloped key pair of GM/T 0009 clause 7.4 (SM2EnvelopedKey): how an encryption private key travels to the key that will hold it.

use der::asn1::{Any, BitString};
use der::{Decode, Encode, Sequence};
use model::Secret;
use sm2::elliptic_curve::sec1::ToSec1Point;
use spki::{AlgorithmIdentifierOwned, ObjectIdentifier};
use zeroize::Zeroizing;

use crate::cipher::Parts;
use crate::{GmError, PublicKey, SigningKey, open, seal, sm4};

const WHAT: &str = "SM2EnvelopedKey";
/// No enveloped key of 256 bits is longer.
const LIMIT: usize = 512;
/// SM4-ECB (GM/T 0006); GM/T 0009 prescribes ECB for block ciphers.
const SM4_ECB: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.104.1");

/// The parts of an enveloped key as ImportECCKeyPair (GM/T 0017 INS 72) and ENVELOPEDKEYBLOB (GM/T 0016) want them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvelopeFields {
    /// The new encryption public key.
    pub public_key: PublicKey,
    /// Its private key, 32 bytes under SM4-ECB.
    pub encrypted_private: [u8; 32],
    /// C1 of the SM4 key's SM2 ciphertext: x then y.
    pub c1: [u8; 64],
    /// C3: the SM3 check value.
    pub c3: [u8; 32],
    /// C2: the SM4 key under SM2.
    pub c2: [u8; 16],
}

/// A key pair sealed to another key pair. C1 is a point of the curve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvelopedKey {
    fields: EnvelopeFields,
}

#[derive(Sequence)]
struct Form {
    algorithm: AlgorithmIdentifierOwned,
    symmetric_key: Any,
    public_key: BitString,
    encrypted_private: BitString,
}

impl EnvelopedKey {
    /// Puts a private key (32 bytes) in an envelope that `recipient`'s private key opens, under a fresh SM4 key.
    ///
    /// # Errors
    /// [`GmError::NotAPrivateKey`], [`GmError::Random`].
    pub fn seal(private: &Secret, recipient: &PublicKey) -> Result<Self, GmError> {
        let key = SigningKey::from_secret(private)?;
        let mut symmetric = Zeroizing::new([0u8; 16]);
        getrandom::fill(symmetric.as_mut()).map_err(|_| GmError::Random)?;
        let encrypted = sm4::ecb_encrypt(&symmetric, private.expose())?;
        let cipher = seal(recipient, &Secret::new(symmetric.to_vec()))?;
        let (c1, c3, c2) = split(&cipher)?;
        let encrypted_private = array(&encrypted)?;
        Ok(Self { fields: EnvelopeFields { public_key: key.public_key(), encrypted_private, c1, c3, c2 } })
    }

    /// From parts that came another way, for example from a command to a key.
    ///
    /// # Errors
    /// [`GmError::NotAPoint`] if C1 is not one.
    pub fn from_fields(fields: EnvelopeFields) -> Result<Self, GmError> {
        PublicKey::from_xy(&fields.c1)?;
        Ok(Self { fields })
    }

    /// The parts.
    #[must_use]
    pub fn fields(&self) -> EnvelopeFields {
        self.fields.clone()
    }

    /// Reads DER of at most 512 bytes; only SM4-ECB with a 32-byte private key is taken.
    ///
    /// # Errors
    /// [`GmError::Malformed`] or [`GmError::Length`].
    pub fn from_der(der: &[u8]) -> Result<Self, GmError> {
        if der.len() > LIMIT {
            return Err(GmError::Length { what: WHAT, len: der.len(), allowed: "at most 512" });
        }
        let form = Form::from_der(der).map_err(|why| GmError::malformed(WHAT, why))?;
        if form.algorithm.oid != SM4_ECB {
            return Err(GmError::malformed(WHAT, "its cipher is not SM4-ECB (1.2.156.10197.1.104.1)"));
        }
        let cipher = form.symmetric_key.to_der().map_err(|why| GmError::malformed(WHAT, why))?;
        let (c1, c3, c2) = split(&cipher)?;
        let public_key = match form.public_key.as_bytes() {
            Some([4, xy @ ..]) => PublicKey::from_xy(&array(xy)?)?,
            _ => return Err(GmError::malformed(WHAT, "its public key is not an uncompressed point")),
        };
        let encrypted_private = array(form.encrypted_private.as_bytes().unwrap_or_default())?;
        Ok(Self { fields: EnvelopeFields { public_key, encrypted_private, c1, c3, c2 } })
    }

    /// DER, about 240 bytes.
    ///
    /// # Errors
    /// [`GmError::Malformed`], practically never.
    pub fn to_der(&self) -> Result<Vec<u8>, GmError> {
        let encode = || -> der::Result<Vec<u8>> {
            let mut point = vec![4];
            point.extend_from_slice(&self.fields.public_key.xy());
            Form {
                algorithm: AlgorithmIdentifierOwned { oid: SM4_ECB, parameters: None },
                symmetric_key: Any::from_der(&self.cipher_der()?)?,
                public_key: BitString::from_bytes(&point)?,
                encrypted_private: BitString::from_bytes(&self.fields.encrypted_private)?,
            }
            .to_der()
        };
        encode().map_err(|why| GmError::malformed(WHAT, why))
    }

    /// Opens the envelope and checks that the private key belongs to the public key in it.
    ///
    /// # Errors
    /// [`GmError::NotOpened`] for another key, damage, or a pair that does not fit.
    pub fn open(&self, key: &SigningKey) -> Result<Secret, GmError> {
        let cipher = self.cipher_der().map_err(|why| GmError::malformed(WHAT, why))?;
        let symmetric = open(key, &cipher)?;
        let symmetric = Zeroizing::new(array::<16>(symmetric.expose())?);
        let private = Secret::new(sm4::ecb_decrypt(&symmetric, &self.fields.encrypted_private)?);
        match SigningKey::from_secret(&private) {
            Ok(pair) if pair.public_key() == self.fields.public_key => Ok(private),
            _ => Err(GmError::NotOpened),
        }
    }

    fn cipher_der(&self) -> der::Result<Vec<u8>> {
        #[derive(Sequence)]
        struct CipherForm<'a> {
            x: der::asn1::UintRef<'a>,
            y: der::asn1::UintRef<'a>,
            c3: &'a der::asn1::OctetStringRef,
            c2: &'a der::asn1::OctetStringRef,
        }
        let (x, y) = self.fields.c1.split_at(32);
        CipherForm {
            x: der::asn1::UintRef::new(x)?,
            y: der::asn1::UintRef::new(y)?,
            c3: der::asn1::OctetStringRef::new(&self.fields.c3)?,
            c2: der::asn1::OctetStringRef::new(&self.fields.c2)?,
        }
        .to_der()
    }
}

/// C1, C3 and C2 of the SM4 key.
type CipherParts = ([u8; 64], [u8; 32], [u8; 16]);

fn split(cipher: &[u8]) -> Result<CipherParts, GmError> {
    let parts = Parts::from_der(cipher)?;
    let c1 = array(&parts.0.c1().to_sec1_point(false).as_bytes()[1..])?;
    Ok((c1, array(parts.0.c3())?, array(parts.0.c2())?))
}

fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], GmError> {
    bytes.try_into().map_err(|_| GmError::Length {
        what: "a field of SM2EnvelopedKey",
        len: bytes.len(),
        allowed: "16 (SM4 key), 32 (private key), 64 (point without its 04)",
    })
}
