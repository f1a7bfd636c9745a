//! RSA2 as Alipay computes it: SHA-256 with RSA, PKCS#1 v1.5, base64. Written apart from the client's on purpose: shared code would agree
//! with itself even where both are wrong.

use std::path::Path;

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::{rand::SystemRandom, rsa::KeyPair, signature};

use crate::SandboxError;

/// Alipay's own key: signs answers and notices.
pub(crate) struct Signer(KeyPair);

impl Signer {
    /// A PKCS#8 key in PEM.
    pub(crate) fn open(path: &Path) -> Result<Self, SandboxError> {
        let wrong = |what: String| SandboxError::Key { path: path.to_owned(), what };
        let pair = KeyPair::from_pkcs8(&pem(path)?)
            .map_err(|error| wrong(format!("{error}: make it with `openssl genpkey -algorithm RSA`")))?;
        Ok(Self(pair))
    }

    /// Empty only if the machine has no random bytes; nobody accepts that signature.
    pub(crate) fn sign(&self, text: &str) -> String {
        let mut bytes = vec![0; self.0.public().modulus_len()];
        let signed =
            self.0.sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut bytes);
        if signed.is_ok() { STANDARD.encode(bytes) } else { String::new() }
    }
}

/// The merchant's public key: checks requests.
pub(crate) struct Verifier(Vec<u8>);

impl Verifier {
    /// A SubjectPublicKeyInfo in PEM, as `openssl pkey -pubout` writes it.
    pub(crate) fn open(path: &Path) -> Result<Self, SandboxError> {
        let der = pem(path)?;
        // The RSAPublicKey is the last BIT STRING: tag, length of two bytes (2048 bits and more), no unused bits.
        let at = der.windows(2).position(|pair| pair == [0x03, 0x82]);
        let key = at.and_then(|at| der.get(at + 5..)).filter(|key| key.first() == Some(&0x30));
        let what = "it is no RSA public key of 2048 bits or more: take what `openssl pkey -pubout` writes";
        key.map(|key| Self(key.to_vec()))
            .ok_or_else(|| SandboxError::Key { path: path.to_owned(), what: what.to_owned() })
    }

    pub(crate) fn holds(&self, text: &str, sign: &str) -> bool {
        let key = signature::UnparsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, &self.0);
        STANDARD.decode(sign).is_ok_and(|sign| key.verify(text.as_bytes(), &sign).is_ok())
    }
}

fn pem(path: &Path) -> Result<Vec<u8>, SandboxError> {
    let wrong = |what: String| SandboxError::Key { path: path.to_owned(), what };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let body: String = text.lines().filter(|line| !line.starts_with("-----")).map(str::trim).collect();
    STANDARD.decode(body).map_err(|_| wrong("it is no PEM file".to_owned()))
}

/// `name=value` of every parameter but those left out, by name, joined by `&`.
pub(crate) fn content(fields: &[(String, String)], left_out: &[&str]) -> String {
    let mut pairs: Vec<&(String, String)> = fields
        .iter()
        .filter(|(name, value)| !left_out.contains(&name.as_str()) && !value.is_empty())
        .collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}
