//! Certificates, requests, signatures, and what is sealed to a key.

use std::sync::LazyLock;

use gm::{
    PublicKey, Signature, SigningKey, certificate::Certificate, envelope::EnvelopedKey, name::Name, request,
};
use model::Secret;

/// The key of the corpus: what is sealed there opens with it.
static KEY: LazyLock<Option<SigningKey>> =
    LazyLock::new(|| SigningKey::from_secret(&Secret::new(vec![7; 32])).ok());

fn key() -> &'static SigningKey {
    KEY.as_ref().unwrap_or_else(|| panic!("the fuzzer's own key"))
}

/// Certificates, requests, signatures, names and points.
pub fn certificates(bytes: &[u8]) {
    if let Ok(certificate) = Certificate::from_der(bytes) {
        assert_eq!(certificate.der(), bytes, "a certificate is kept byte for byte");
        let _ = (certificate.subject(), certificate.issuer(), certificate.serial_hex());
        let _ = (certificate.not_before(), certificate.not_after(), certificate.is_for_signing());
        let _ = certificate.verify_issued_by(&certificate.public_key());
        let pem = certificate.to_pem().unwrap_or_else(|error| panic!("{error}"));
        let same = Certificate::from_pem(&pem).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(same.der(), bytes);
    }
    if let Ok(request) = request::parse(bytes) {
        let _ = (request.subject.len(), request.public_key.digest());
    }
    if let Ok(signature) = Signature::from_der(bytes) {
        assert_eq!(Signature::from_rs(&signature.rs()), Ok(signature));
        let _ = key().public_key().verify_digest(&[1; 32], &signature);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = (Certificate::from_pem(text), Name::from_rfc4514(text));
    }
    if let Some(Ok(point)) = bytes.first_chunk::<64>().map(PublicKey::from_xy) {
        assert_eq!(Some(&point.xy()), bytes.first_chunk::<64>());
    }
}

/// Enveloped keys and SM2 ciphertexts.
pub fn envelope(bytes: &[u8]) {
    if let Ok(envelope) = EnvelopedKey::from_der(bytes) {
        let again = envelope.to_der().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(again, bytes, "an envelope has one encoding");
        assert_eq!(EnvelopedKey::from_fields(envelope.fields()).as_ref(), Ok(&envelope));
        if let Ok(private) = envelope.open(key()) {
            let pair = SigningKey::from_secret(&private).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(
                pair.public_key(),
                envelope.fields().public_key,
                "a private key of another public key"
            );
        }
    }
    if let Ok(opened) = gm::open(key(), bytes) {
        assert!(opened.len() < bytes.len());
    }
}
