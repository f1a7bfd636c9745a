//! Certificates over the desk.

use gm::{SigningKey, certificate::Certificate, envelope::EnvelopedKey};
use model::JobId;
use wire::{CertificatesRequest, Down, RefusedCode, Up};

use crate::stations::desk::{TestKey, assert_refused, certificates_request, on_desk, serial};

on_desk!(n11_the_same_request_gets_the_same_certificates, |portal| {
    portal.order(1);
    let job = portal.pull(&portal.bench, 1, &[]).remove(0);
    let key = TestKey::new("V1");
    // Before the binding there is nothing to certify.
    assert_refused(&portal.ask(&portal.bench, &certificates_request(&job, &key)), RefusedCode::Invalid);
    portal.secrets(&portal.bench, &job, &key);
    let first = portal.certificates(&portal.bench, &job, &key);
    // Another signature over the same key is the same request; so is one after the key was made.
    assert_eq!(portal.certificates(&portal.bench, &job, &key), first);
    portal.acknowledged(&portal.bench, &crate::stations::desk::passed(&job, &key, &first));
    assert_eq!(portal.certificates(&portal.bench, &job, &key), first);
    assert_eq!(portal.number("select count(*) from certificates"), 1);

    // The order decides the subject, not the request.
    let issuing = portal.runtime.block_on(async {
        portal::init::export_ca(&portal.config, &portal.folder.path().join("ca")).await.unwrap();
        Certificate::from_pem(&std::fs::read_to_string(portal.folder.path().join("ca/issuing.pem")).unwrap())
            .unwrap()
    });
    let sign = Certificate::from_der(&first.sign_certificate.0).unwrap();
    let enc = Certificate::from_der(&first.enc_certificate.0).unwrap();
    for certificate in [&sign, &enc] {
        certificate.verify_issued_by(&issuing.public_key()).unwrap();
        assert!(certificate.subject().contains("示例客车零部件有限公司"), "{}", certificate.subject());
        assert!(!certificate.subject().contains("whatever"), "{}", certificate.subject());
    }
    assert_eq!(sign.public_key(), key.signing.public_key());
    // The encryption key opens with the key's own signing key, and fits its certificate.
    let enveloped = EnvelopedKey::from_der(&first.enveloped_key.0).unwrap();
    let private = SigningKey::from_secret(&enveloped.open(&key.signing).unwrap()).unwrap();
    assert_eq!(private.public_key(), enc.public_key());
    // It is stored for recovery, and not in the clear.
    let secret = private.to_secret();
    let (stored, in_hex) = (crate::bench::stored(&portal.config), hex::encode(secret.expose()));
    for plain in [secret.expose(), in_hex.as_bytes()] {
        assert!(!stored.windows(plain.len()).any(|window| window == plain));
    }
});

on_desk!(copies_of_a_request_at_once_make_one_pair, |portal| {
    portal.order(1);
    let job = portal.pull(&portal.bench, 1, &[]).remove(0);
    let key = TestKey::new("V1");
    portal.secrets(&portal.bench, &job, &key);
    let asking: Vec<_> = (0..8)
        .map(|_| {
            let (desk, station) = (portal.desk.clone(), portal.bench.clone());
            let request = certificates_request(&job, &key);
            portal.runtime.spawn(async move { crate::stations::desk::ask(&desk, &station, &request).await })
        })
        .collect();
    let answers: Vec<Down> =
        asking.into_iter().map(|answer| portal.runtime.block_on(answer).unwrap()).collect();
    assert!(matches!(answers[0], Down::Certificates(_)), "{:?}", answers[0]);
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(portal.number("select count(*) from certificates"), 1);
});

on_desk!(a_new_key_pair_on_the_same_key_supersedes_the_old_certificates, |portal| {
    portal.order(2);
    let jobs = portal.pull(&portal.bench, 2, &[]);
    let mut key = TestKey::new("V1");
    portal.secrets(&portal.bench, &jobs[0], &key);
    let first = portal.certificates(&portal.bench, &jobs[0], &key);
    let old = key.request();
    key.signing = SigningKey::generate().unwrap();
    let second = portal.certificates(&portal.bench, &jobs[0], &key);
    assert_ne!(serial(&first.sign_certificate), serial(&second.sign_certificate));
    let revoked = portal.text("select sign_serial from certificates where revoked_reason = 'superseded'");
    assert_eq!(revoked, serial(&first.sign_certificate));
    assert_eq!(portal.number("select count(*) from certificates where revoked_ms is null"), 1);

    // A public key that was certified for one key is not certified for another.
    let thief = TestKey::new("V2");
    portal.secrets(&portal.bench, &jobs[1], &thief);
    let request =
        CertificatesRequest { job: jobs[1].clone(), key: thief.id.clone(), request: wire::Bytes(old) };
    assert_refused(&portal.ask(&portal.bench, &Up::Certificates(request)), RefusedCode::KeyUsed);

    // It ends somewhere.
    for _ in 0..3 {
        key.signing = SigningKey::generate().unwrap();
        portal.certificates(&portal.bench, &jobs[0], &key);
    }
    key.signing = SigningKey::generate().unwrap();
    assert_refused(&portal.ask(&portal.bench, &certificates_request(&jobs[0], &key)), RefusedCode::Invalid);
});

on_desk!(a_request_of_another_station_or_with_a_broken_signature_is_refused, |portal| {
    portal.order(1);
    let job = portal.pull(&portal.bench, 1, &[]).remove(0);
    let key = TestKey::new("V1");
    portal.secrets(&portal.bench, &job, &key);
    let other = portal.enrol("bench-2");
    assert_refused(&portal.ask(&other, &certificates_request(&job, &key)), RefusedCode::NotLeased);
    let mut broken = key.request();
    *broken.last_mut().unwrap() ^= 1;
    let request = CertificatesRequest { job: job.clone(), key: key.id.clone(), request: wire::Bytes(broken) };
    assert_refused(&portal.ask(&portal.bench, &Up::Certificates(request)), RefusedCode::Invalid);
    let none = JobId::new(job.order().clone(), 7);
    assert_refused(&portal.ask(&portal.bench, &certificates_request(&none, &key)), RefusedCode::NotLeased);
    assert_eq!(portal.number("select count(*) from certificates"), 0);
});
