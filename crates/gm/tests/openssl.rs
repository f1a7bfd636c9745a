//! OpenSSL as the other party: what is made here it takes, what it makes is taken here.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::process::Command;

use gm::certificate::Certificate;
use gm::{Signature, SigningKey, request};
use model::Secret;
use sm2::pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding};

const DISTID: &str = "distid:1234567812345678";

/// Runs `openssl` in `dir`; whether it succeeded, and all it said.
fn openssl(dir: &Path, arguments: &[&str]) -> (bool, String) {
    let output =
        Command::new("openssl").args(arguments).current_dir(dir).output().expect("openssl is installed");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

fn accepted(dir: &Path, arguments: &[&str]) {
    let (success, said) = openssl(dir, arguments);
    assert!(success, "openssl {arguments:?}: {said}");
}

/// A key made by OpenSSL, in `key.pem`, with `key.pub`.
fn foreign_key(dir: &Path) -> SigningKey {
    accepted(dir, &["genpkey", "-algorithm", "SM2", "-out", "key.pem"]);
    accepted(dir, &["pkey", "-in", "key.pem", "-pubout", "-out", "key.pub"]);
    let pem = std::fs::read_to_string(dir.join("key.pem")).unwrap();
    let secret = sm2::SecretKey::from_pkcs8_pem(&pem).unwrap();
    SigningKey::from_secret(&Secret::new(secret.to_bytes().to_vec())).unwrap()
}

#[test]
fn n8_openssl_accepts_a_request_that_another_signer_signed() {
    let dir = tempfile::tempdir().unwrap();
    let key = SigningKey::generate().unwrap();
    let der =
        request::build("CN=V0000001,O=示例公司,C=CN", &key.public_key(), |e| key.sign_digest(e)).unwrap();
    let verify = ["req", "-inform", "DER", "-in", "a.csr", "-noout", "-verify", "-vfyopt", DISTID];
    std::fs::write(dir.path().join("a.csr"), &der).unwrap();
    accepted(dir.path(), &verify);
    let (_, said) = openssl(dir.path(), &["req", "-inform", "DER", "-in", "a.csr", "-noout", "-text"]);
    assert!(said.contains("ASN1 OID: SM2") && said.contains("(none)"), "{said}");

    let mut changed = der;
    *changed.last_mut().unwrap() ^= 1;
    std::fs::write(dir.path().join("a.csr"), &changed).unwrap();
    let (_, said) = openssl(dir.path(), &verify);
    assert!(!said.contains("verify OK"), "{said}");
}

#[test]
fn n8_a_request_and_a_certificate_of_openssl_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let key = foreign_key(dir.path());
    let new =
        ["req", "-new", "-key", "key.pem", "-sm3", "-utf8", "-subj", "/C=CN/CN=示例", "-sigopt", DISTID];
    accepted(dir.path(), &[&new[..], &["-outform", "DER", "-out", "a.csr"]].concat());
    let request = request::parse(&std::fs::read(dir.path().join("a.csr")).unwrap()).unwrap();
    assert_eq!(request.public_key, key.public_key());
    assert_eq!(request.subject, "CN=示例,C=CN");

    accepted(dir.path(), &[&new[..], &["-x509", "-days", "30", "-out", "a.pem"]].concat());
    let certificate =
        Certificate::from_pem(&std::fs::read_to_string(dir.path().join("a.pem")).unwrap()).unwrap();
    assert_eq!(certificate.verify_issued_by(&key.public_key()), Ok(()));
    let (_, said) = openssl(dir.path(), &["x509", "-in", "a.pem", "-noout", "-serial"]);
    assert_eq!(said.trim(), format!("serial={}", certificate.serial_hex()));
}

#[test]
fn signatures_pass_both_ways() {
    let dir = tempfile::tempdir().unwrap();
    let key = foreign_key(dir.path());
    std::fs::write(dir.path().join("message"), "示例 message").unwrap();
    std::fs::write(dir.path().join("ours.sig"), key.sign("示例 message".as_bytes()).unwrap().to_der())
        .unwrap();
    let common = ["-rawin", "-in", "message", "-digest", "sm3", "-pkeyopt", DISTID];
    let verify = ["pkeyutl", "-verify", "-pubin", "-inkey", "key.pub", "-sigfile", "ours.sig"];
    accepted(dir.path(), &[&verify[..], &common[..]].concat());

    let sign = ["pkeyutl", "-sign", "-inkey", "key.pem", "-out", "theirs.sig"];
    accepted(dir.path(), &[&sign[..], &common[..]].concat());
    let theirs = Signature::from_der(&std::fs::read(dir.path().join("theirs.sig")).unwrap()).unwrap();
    assert_eq!(key.public_key().verify("示例 message".as_bytes(), &theirs), Ok(()));
}

#[test]
fn sealed_bytes_open_both_ways() {
    let dir = tempfile::tempdir().unwrap();
    let key = foreign_key(dir.path());
    let plain = Secret::from("0123456789abcdef, and a second block");
    std::fs::write(dir.path().join("ours"), gm::seal(&key.public_key(), &plain).unwrap()).unwrap();
    accepted(dir.path(), &["pkeyutl", "-decrypt", "-inkey", "key.pem", "-in", "ours", "-out", "opened"]);
    assert_eq!(std::fs::read(dir.path().join("opened")).unwrap(), plain.expose());

    let encrypt = ["pkeyutl", "-encrypt", "-pubin", "-inkey", "key.pub", "-pkeyopt", "digest:sm3"];
    accepted(dir.path(), &[&encrypt[..], &["-in", "opened", "-out", "theirs"]].concat());
    assert_eq!(gm::open(&key, &std::fs::read(dir.path().join("theirs")).unwrap()).unwrap(), plain);
}

#[test]
fn n8_the_enveloped_key_pair_is_der_that_openssl_reads() {
    let dir = tempfile::tempdir().unwrap();
    let key = foreign_key(dir.path());
    let pair = SigningKey::generate().unwrap();
    let envelope = gm::envelope::EnvelopedKey::seal(&pair.to_secret(), &key.public_key()).unwrap();
    std::fs::write(dir.path().join("envelope"), envelope.to_der().unwrap()).unwrap();
    let parse = ["asn1parse", "-inform", "DER", "-in", "envelope"];
    let (success, said) = openssl(dir.path(), &parse);
    assert!(success && said.contains("sm4-ecb"), "{said}");

    // OpenSSL takes the SM4 key out of it, and with that the private key.
    let cipher = said
        .lines()
        .find(|line| line.contains("d=1") && line.contains("cons: SEQUENCE") && !line.contains("l=  10"));
    let offset = cipher.and_then(|line| line.split(':').next()).unwrap().trim();
    accepted(dir.path(), &[&parse[..], &["-strparse", offset, "-noout", "-out", "cipher"]].concat());
    accepted(dir.path(), &["pkeyutl", "-decrypt", "-inkey", "key.pem", "-in", "cipher", "-out", "sm4key"]);
    std::fs::write(dir.path().join("private"), envelope.fields().encrypted_private).unwrap();
    let sm4key = hex::encode(std::fs::read(dir.path().join("sm4key")).unwrap());
    let decrypt = ["enc", "-d", "-sm4-ecb", "-nopad", "-K", &sm4key, "-in", "private", "-out", "d"];
    accepted(dir.path(), &decrypt);
    assert_eq!(std::fs::read(dir.path().join("d")).unwrap(), pair.to_secret().expose());
}

#[test]
fn a_key_made_here_is_one_for_openssl() {
    let dir = tempfile::tempdir().unwrap();
    let secret = SigningKey::generate().unwrap().to_secret();
    let pem = sm2::SecretKey::from_slice(secret.expose()).unwrap().to_pkcs8_pem(LineEnding::LF).unwrap();
    std::fs::write(dir.path().join("key.pem"), pem.as_bytes()).unwrap();
    accepted(dir.path(), &["pkey", "-in", "key.pem", "-noout", "-check"]);
}
