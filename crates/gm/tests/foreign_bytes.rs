//! Whatever comes from outside: no bytes panic a reader, and no changed bit passes.
#![allow(clippy::unwrap_used)]

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use gm::certificate::{Certificate, Role, Template, new_serial};
use gm::envelope::EnvelopedKey;
use gm::name::Name;
use gm::{GmError, Signature, SigningKey, request};
use model::Secret;
use proptest::prelude::*;

static KEY: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::from_secret(&Secret::new(vec![7; 32])).unwrap());
static REQUEST: LazyLock<Vec<u8>> =
    LazyLock::new(|| request::build("CN=V1,O=示例", &KEY.public_key(), |e| KEY.sign_digest(e)).unwrap());
static ENVELOPE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    EnvelopedKey::seal(&Secret::new(vec![9; 32]), &KEY.public_key()).unwrap().to_der().unwrap()
});
static CERTIFICATE: LazyLock<Certificate> = LazyLock::new(|| certificate().self_sign(&KEY).unwrap());

fn certificate() -> Template<'static> {
    static SUBJECT: LazyLock<Name> = LazyLock::new(|| Name::new(&[("C", "CN"), ("CN", "测试根")]).unwrap());
    static PUBLIC: LazyLock<gm::PublicKey> = LazyLock::new(|| KEY.public_key());
    let not_before = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    Template {
        role: Role::RootCa,
        subject: &SUBJECT,
        public_key: &PUBLIC,
        serial: new_serial().unwrap(),
        not_before,
        not_after: not_before + Duration::from_secs(86_400),
        extensions: &[],
    }
}

fn flip(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    changed[bit / 8] ^= 1 << (bit % 8);
    changed
}

fn read_everything(bytes: &[u8]) {
    let _ = request::parse(bytes);
    let _ = Signature::from_der(bytes);
    let _ = gm::open(&KEY, bytes);
    if let Ok(certificate) = Certificate::from_der(bytes) {
        let _ = (
            certificate.subject(),
            certificate.issuer(),
            certificate.serial_hex(),
            certificate.is_for_signing(),
        );
        let _ = (
            certificate.not_before(),
            certificate.not_after(),
            certificate.verify_issued_by(&KEY.public_key()),
        );
    }
    if let Ok(envelope) = EnvelopedKey::from_der(bytes) {
        let _ = envelope.open(&KEY);
        assert_eq!(envelope.to_der().unwrap().len(), bytes.len());
    }
}

#[test]
fn n8_a_certificate_with_any_bit_changed_fails() {
    let good = &*CERTIFICATE;
    assert_eq!(good.verify_issued_by(&KEY.public_key()), Ok(()));
    for bit in 0..good.der().len() * 8 {
        let changed = Certificate::from_der(&flip(good.der(), bit));
        let verified = changed.and_then(|changed| changed.verify_issued_by(&KEY.public_key()));
        assert!(verified.is_err(), "bit {bit}");
    }
}

#[test]
fn n8_a_request_with_any_bit_changed_fails() {
    assert_eq!(request::parse(&REQUEST).unwrap().subject, "CN=V1,O=示例");
    for bit in 0..REQUEST.len() * 8 {
        assert!(request::parse(&flip(&REQUEST, bit)).is_err(), "bit {bit}");
    }
}

#[test]
fn n8_an_envelope_with_any_bit_changed_never_gives_another_key() {
    assert_eq!(EnvelopedKey::from_der(&ENVELOPE).unwrap().open(&KEY).unwrap(), Secret::new(vec![9; 32]));
    for bit in 0..ENVELOPE.len() * 8 {
        let opened = EnvelopedKey::from_der(&flip(&ENVELOPE, bit)).and_then(|envelope| envelope.open(&KEY));
        assert!(opened.is_err(), "bit {bit}");
    }
}

#[test]
fn what_is_too_long_is_not_even_read() {
    let long = vec![0x30; 20_000];
    assert!(matches!(request::parse(&long), Err(GmError::Length { .. })));
    assert!(matches!(Certificate::from_der(&long), Err(GmError::Length { .. })));
    assert!(matches!(EnvelopedKey::from_der(&long), Err(GmError::Length { .. })));
    assert!(matches!(Certificate::from_pem(&"-".repeat(40_000)), Err(GmError::Length { .. })));
}

#[test]
fn a_wrong_signature_never_becomes_a_request() {
    let built = request::build("CN=V1", &KEY.public_key(), |_| KEY.sign(b"something else"));
    assert!(matches!(built, Err(request::BuildError::Gm(GmError::SignatureWrong))));
    let built = request::build("CN=V1", &KEY.public_key(), |_| Err::<Signature, _>(std::fmt::Error));
    assert!(matches!(built, Err(request::BuildError::Sign(std::fmt::Error))));
}

#[test]
fn fields_and_der_of_an_envelope_say_the_same() {
    let envelope = EnvelopedKey::from_der(&ENVELOPE).unwrap();
    let again = EnvelopedKey::from_fields(envelope.fields()).unwrap();
    assert_eq!(again.to_der().unwrap(), *ENVELOPE);
    assert_eq!(again.open(&KEY).unwrap(), Secret::new(vec![9; 32]));
    let mut off_curve = envelope.fields();
    off_curve.c1[63] ^= 1;
    assert_eq!(EnvelopedKey::from_fields(off_curve), Err(GmError::NotAPoint));
}

#[test]
fn coordinates_with_leading_zeros_keep_their_place() {
    // INTEGER drops leading zeros, which one C1 in 128 has in x or y.
    let mut seen = 0;
    while seen < 2 {
        let envelope = EnvelopedKey::seal(&Secret::new(vec![9; 32]), &KEY.public_key()).unwrap();
        let c1 = envelope.fields().c1;
        if c1[0] == 0 || c1[32] == 0 {
            seen += 1;
            assert_eq!(EnvelopedKey::from_der(&envelope.to_der().unwrap()), Ok(envelope));
        }
    }
}

#[test]
fn a_certificate_survives_pem() {
    let pem = CERTIFICATE.to_pem().unwrap();
    assert!(pem.ends_with("-----END CERTIFICATE-----\n"));
    assert_eq!(Certificate::from_pem(&pem).unwrap(), *CERTIFICATE);
    assert!(Certificate::from_pem(&pem.replace("CERTIFICATE", "X509 CRL")).is_err());
}

proptest! {
    #[test]
    fn no_bytes_panic_a_reader(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        read_everything(&bytes);
    }

    #[test]
    fn no_damage_panics_a_reader(which in 0..3usize, cut in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), with in any::<[u8; 3]>()) {
        let mut bytes = [&*REQUEST, &*ENVELOPE, CERTIFICATE.der()][which].to_vec();
        let at = at.index(bytes.len() - with.len());
        bytes[at..at + with.len()].copy_from_slice(&with);
        read_everything(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        read_everything(&bytes);
    }

    #[test]
    fn a_signature_reads_back_in_both_forms(rs in any::<[u8; 64]>()) {
        if let Ok(signature) = Signature::from_rs(&rs) {
            prop_assert_eq!(signature.rs(), rs);
            prop_assert_eq!(Signature::from_der(&signature.to_der()), Ok(signature));
        }
    }
}
