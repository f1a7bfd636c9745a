//! RSA2: SHA-256 with RSA, PKCS#1 v1.5.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use der::Decode as _;
use model::Secret;
use ring::{
    rand::SystemRandom,
    rsa::KeyPair,
    signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey},
};
use spki::SubjectPublicKeyInfoRef;

/// Why a key file is none.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct KeyError(&'static str);

const RSA_ENCRYPTION: spki::ObjectIdentifier = spki::ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// The app's private key: signs requests.
pub struct AppKey(KeyPair);

impl AppKey {
    /// A PKCS#8 key, in PEM or as the bare base64 of Alipay's key tool.
    ///
    /// # Errors
    /// It is none, or shorter than 2048 bits.
    pub fn read(text: &Secret) -> Result<Self, KeyError> {
        let der = Secret::new(base64_body(text.expose())?);
        let pair = KeyPair::from_pkcs8(der.expose())
            .map_err(|_| KeyError("it is no RSA key in PKCS#8 of 2048 bits or more: `openssl pkcs8 -topk8 -nocrypt` makes that form"))?;
        if pair.public().modulus_len() < 256 {
            return Err(KeyError("an RSA key of Alipay has 2048 bits: make a new one"));
        }
        Ok(Self(pair))
    }

    /// The signature in base64.
    pub(crate) fn sign(&self, text: &str) -> Option<String> {
        let mut bytes = vec![0; self.0.public().modulus_len()];
        self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut bytes).ok()?;
        Some(STANDARD.encode(bytes))
    }
}

impl fmt::Debug for AppKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppKey")
    }
}

/// Alipay's public key: checks answers and notices.
#[derive(Clone, Debug)]
pub struct PublicKey(Vec<u8>);

impl PublicKey {
    /// A SubjectPublicKeyInfo, in PEM or as the bare base64 that Alipay's console shows.
    ///
    /// # Errors
    /// It is none.
    pub fn read(text: &str) -> Result<Self, KeyError> {
        let wrong =
            KeyError("it is no RSA public key: copy 支付宝公钥 from Alipay's console, not the app's own");
        let der = base64_body(text.as_bytes())?;
        let Ok(info) = SubjectPublicKeyInfoRef::from_der(&der) else { return Err(wrong) };
        match info.subject_public_key.as_bytes() {
            // Shorter than 256 bytes is no modulus of 2048 bits; ring refuses such a key at every check.
            Some(key) if info.algorithm.oid == RSA_ENCRYPTION && key.len() > 256 => Ok(Self(key.to_vec())),
            _ => Err(wrong),
        }
    }

    /// Whether `sign`, base64, is Alipay's signature of exactly these bytes.
    #[must_use]
    pub(crate) fn signed(&self, text: &[u8], sign: &str) -> bool {
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.0);
        STANDARD.decode(sign).is_ok_and(|sign| key.verify(text, &sign).is_ok())
    }
}

/// What stands between the lines of dashes, or the whole.
fn base64_body(text: &[u8]) -> Result<Vec<u8>, KeyError> {
    let lines = text.split(|&byte| byte == b'\n').filter(|line| !line.starts_with(b"-----"));
    let body = Secret::new(lines.flatten().copied().filter(|byte| !byte.is_ascii_whitespace()).collect());
    STANDARD.decode(body.expose()).map_err(|_| KeyError("it is neither PEM nor base64"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for text in [text, STANDARD.encode(bytes)] {
                prop_assert!(PublicKey::read(&text).is_err());
                prop_assert!(AppKey::read(&Secret::from(text.as_str())).is_err());
            }
        }
    }
}
