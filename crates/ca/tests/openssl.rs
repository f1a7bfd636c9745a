//! The whole dual-certificate flow before OpenSSL as the judge (row N8).
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod setting;

use std::path::Path;
use std::process::Command;

use ca::{EmbeddedCa, MemoryLedger, Reason, Revoked};
use gm::SigningKey;
use gm::certificate::Certificate;
use setting::{NOW, block_on, ca, now, request};

/// Runs `openssl` with the words of `line`; what it said, or what it complained about.
fn openssl(dir: &Path, line: &str) -> Result<String, String> {
    let mut command = Command::new("openssl");
    let output =
        command.args(line.split_whitespace()).current_dir(dir).output().expect("openssl is installed");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.success() { Ok(said) } else { Err(said) }
}

/// One level of the chain. OpenSSL 3.0 gives the id to the leaf alone, so a whole chain cannot be asked for.
fn verify(dir: &Path, issuer: &str, certificate: &str) -> Result<String, String> {
    let id = "-vfyopt distid:1234567812345678";
    let at = NOW + 60;
    openssl(
        dir,
        &format!("verify {id} -x509_strict -attime {at} -partial_chain -CAfile {issuer} {certificate}"),
    )
}

fn write_ca(dir: &Path, ca: &EmbeddedCa) {
    std::fs::write(dir.join("root.pem"), ca.root().to_pem().unwrap()).unwrap();
    std::fs::write(dir.join("issuing.pem"), ca.issuing().to_pem().unwrap()).unwrap();
}

/// A CA, and the pair it issued to a new key: `root.pem issuing.pem sign.pem enc.pem`.
fn write_pair(dir: &Path) -> Vec<Certificate> {
    let (ca, key) = (ca(), SigningKey::generate().unwrap());
    write_ca(dir, &ca);
    let issued = block_on(ca.issue(&request("r1", &key), &MemoryLedger::default())).unwrap();
    let write = |(file, der): (&str, &Vec<u8>)| {
        let certificate = Certificate::from_der(der).unwrap();
        std::fs::write(dir.join(file), certificate.to_pem().unwrap()).unwrap();
        certificate
    };
    [("sign.pem", &issued.sign_der), ("enc.pem", &issued.enc_der)].map(write).to_vec()
}

#[test]
fn n8_openssl_accepts_issuing_signing_and_encryption_certificates() {
    let dir = tempfile::tempdir().unwrap();
    write_pair(dir.path());
    for (issuer, certificate) in
        [("root.pem", "issuing.pem"), ("issuing.pem", "sign.pem"), ("issuing.pem", "enc.pem")]
    {
        verify(dir.path(), issuer, certificate).unwrap();
    }
    verify(dir.path(), "root.pem", "sign.pem").expect_err("the root did not issue it");
}

#[test]
fn n8_openssl_refuses_a_certificate_with_one_bit_changed() {
    let dir = tempfile::tempdir().unwrap();
    for (file, certificate) in ["sign.pem", "enc.pem"].into_iter().zip(write_pair(dir.path())) {
        // The last bit of the signature; and, found by its text, one of the name.
        let name = certificate.der().windows(18).rposition(|window| window == b"91000000MA0000001X").unwrap();
        for at in [certificate.der().len() - 1, name] {
            let mut changed = certificate.der().to_vec();
            changed[at] ^= 1;
            let changed = Certificate::from_der(&changed).unwrap();
            std::fs::write(dir.path().join(file), changed.to_pem().unwrap()).unwrap();
            verify(dir.path(), "issuing.pem", file).unwrap_err();
        }
    }
}

#[test]
fn n8_the_forms_are_those_that_strict_verifiers_ask_for() {
    let dir = tempfile::tempdir().unwrap();
    write_pair(dir.path());
    let text = |file: &str| {
        openssl(dir.path(), &format!("x509 -in {file} -noout -text -nameopt utf8,sep_comma_plus")).unwrap()
    };
    let has = |text: &str, wanted: &[&str]| {
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        wanted.iter().for_each(|wanted| assert!(flat.contains(wanted), "{wanted} is not in {text}"));
    };
    let identifiers =
        ["Subject Key Identifier: ", "Authority Key Identifier: ", "Signature Algorithm: SM2-with-SM3"];
    let ca_usage = "Key Usage: critical Certificate Sign, CRL Sign";
    has(&text("root.pem"), &[ca_usage, "Basic Constraints: critical CA:TRUE X509v3"]);
    has(&text("issuing.pem"), &[ca_usage, "Basic Constraints: critical CA:TRUE, pathlen:0"]);
    for file in ["root.pem", "issuing.pem", "sign.pem", "enc.pem"] {
        has(&text(file), &identifiers);
    }
    has(&text("sign.pem"), &["Key Usage: critical Digital Signature, Non Repudiation Signature"]);
    has(
        &text("enc.pem"),
        &["Key Usage: critical Key Encipherment, Data Encipherment, Key Agreement Signature"],
    );
    for file in ["sign.pem", "enc.pem"] {
        let text = text(file);
        let name = "Subject: C=CN,O=示例公司,CN=示例公司,serialNumber=91000000MA0000001X";
        has(
            &text,
            &[name, "1.2.156.10260.4.1.4: ..91000000MA0000001X", "Not Before: Nov 21 23:55:00 2026 GMT"],
        );
        assert!(!text.contains("Basic Constraints"), "{text}");
    }
    let dump = openssl(dir.path(), "asn1parse -in sign.pem").unwrap();
    has(
        &dump,
        &[
            "UTF8STRING :示例公司",
            "PRINTABLESTRING :CN",
            "[HEX DUMP]:131239313030303030304D413030303030303158",
        ],
    );
}

#[test]
fn n8_root_and_issuing_ca_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let made = EmbeddedCa::create(&setting::names(), now()).unwrap();
    let key = SigningKey::generate().unwrap();
    let load = || EmbeddedCa::load(&made.root_der, &made.issuing_der, &made.issuing_key).unwrap();
    write_ca(dir.path(), &load());
    let issued = block_on(load().issue(&request("r1", &key), &MemoryLedger::default())).unwrap();
    let pem = Certificate::from_der(&issued.sign_der).unwrap().to_pem().unwrap();
    std::fs::write(dir.path().join("sign.pem"), pem).unwrap();
    verify(dir.path(), "issuing.pem", "sign.pem").unwrap();
}

/// The CRL's signature by hand: `openssl crl` takes no distinguishing id.
fn verify_crl(dir: &Path, ca: &EmbeddedCa, crl: &[u8]) -> Result<String, String> {
    write_ca(dir, ca);
    std::fs::write(dir.join("crl.der"), crl).unwrap();
    let parsed = openssl(dir, "asn1parse -inform DER -in crl.der").unwrap();
    let signature = parsed.lines().rfind(|line| line.contains("BIT STRING")).unwrap();
    let offset = signature.split(':').next().unwrap().trim();
    let body = crl.get(1).map(|length| if length & 0x80 == 0 { 2 } else { 2 + (length & 0x7F) }).unwrap();
    openssl(dir, &format!("asn1parse -inform DER -in crl.der -strparse {body} -noout -out tbs")).unwrap();
    // A BIT STRING's content is parsed as DER: the dump of it is the signature.
    openssl(dir, &format!("asn1parse -inform DER -in crl.der -strparse {offset} -noout -out sig")).unwrap();
    openssl(dir, "x509 -in issuing.pem -noout -pubkey -out issuing.pub").unwrap();
    let id = "-rawin -digest sm3 -pkeyopt distid:1234567812345678";
    openssl(dir, &format!("pkeyutl -verify -pubin -inkey issuing.pub {id} -in tbs -sigfile sig"))
}

#[test]
fn n8_openssl_verifies_revocation_lists() {
    let dir = tempfile::tempdir().unwrap();
    let ca = ca();
    let crl = ca.crl(&[], 7, now()).unwrap();
    verify_crl(dir.path(), &ca, crl.der()).unwrap();
    let text = openssl(dir.path(), "crl -inform DER -in crl.der -noout -text").unwrap();
    assert!(text.contains("No Revoked Certificates"), "{text}");

    let revoked = |serial: &str, reason| Revoked { serial_hex: serial.to_owned(), at: now(), reason };
    let list = [
        revoked("4F00000000000000000000000000A5A5", Reason::KeyCompromise),
        revoked("7F00000000000000000000000000A5A6", Reason::Unspecified),
    ];
    let crl = ca.crl(&list, 8, now()).unwrap();
    verify_crl(dir.path(), &ca, crl.der()).unwrap();
    std::fs::write(dir.path().join("crl.pem"), crl.to_pem().unwrap()).unwrap();
    let text = openssl(dir.path(), "crl -in crl.pem -noout -text").unwrap();
    let wanted = [
        "4F00000000000000000000000000A5A5",
        "7F00000000000000000000000000A5A6",
        "Key Compromise",
        "CRL Number",
        "Next Update: Nov 29",
    ];
    wanted.iter().for_each(|wanted| assert!(text.contains(wanted), "{wanted}: {text}"));
    assert_eq!(text.matches("CRL Reason Code").count(), 1, "{text}");

    let mut changed = crl.der().to_vec();
    *changed.last_mut().unwrap() ^= 1;
    verify_crl(dir.path(), &ca, &changed).unwrap_err();
    for wrong in ["", "4", "xy", "4G", &"4F".repeat(21)] {
        assert!(ca.crl(&[revoked(wrong, Reason::Superseded)], 9, now()).is_err(), "{wrong}");
    }
}
