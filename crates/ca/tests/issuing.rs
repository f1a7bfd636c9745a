//! One request, one pair of certificates, the same answer every time (rows N8 and N11).
#![allow(clippy::unwrap_used)]

mod setting;

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use ca::{CaError, EmbeddedCa, Encoding, Extension, Issued, Ledger, MemoryLedger, Recorded, request_id};
use gm::SigningKey;
use gm::certificate::Certificate;
use gm::envelope::EnvelopedKey;
use setting::{block_on, ca, names, now, request, years};

#[test]
fn n8_the_dual_pair_fits_the_order_the_key_and_the_envelope() {
    let (ca, key) = (ca(), SigningKey::generate().unwrap());
    let issued = block_on(ca.issue(&request("r1", &key), &MemoryLedger::default())).unwrap();
    let sign = Certificate::from_der(&issued.sign_der).unwrap();
    let enc = Certificate::from_der(&issued.enc_der).unwrap();
    for certificate in [&sign, &enc] {
        assert_eq!(certificate.verify_issued_by(&ca.issuing().public_key()), Ok(()));
        // The order's name, not the one in the request.
        assert_eq!(certificate.subject(), "SERIALNUMBER=91000000MA0000001X,CN=示例公司,O=示例公司,C=CN");
        assert_eq!(certificate.issuer(), ca.issuing().subject());
        assert_eq!(certificate.not_after(), years(1));
        assert_eq!(certificate.serial_hex().len(), 32);
    }
    assert!(sign.is_for_signing() && !enc.is_for_signing());
    assert_ne!(sign.serial_hex(), enc.serial_hex());
    assert_eq!(sign.public_key(), key.public_key());
    assert_ne!(enc.public_key(), key.public_key());

    // Only the key on the token opens the envelope, and finds the encryption certificate's private key in it.
    let envelope = EnvelopedKey::from_der(&issued.enveloped_der).unwrap();
    assert_eq!(envelope.fields().public_key, enc.public_key());
    let private = envelope.open(&key).unwrap();
    assert_eq!(private, issued.enc_private);
    assert_eq!(SigningKey::from_secret(&private).unwrap().public_key(), enc.public_key());
    assert!(envelope.open(&SigningKey::generate().unwrap()).is_err());
}

#[test]
fn n11_the_same_request_twice_gives_the_same_bytes() {
    let (ca, key, ledger) = (ca(), SigningKey::generate().unwrap(), MemoryLedger::default());
    let first = block_on(ca.issue(&request("r1", &key), &ledger)).unwrap();
    let mut later = request("r1", &key);
    later.now = years(1);
    later.subject.years = 3;
    let answer: Box<dyn Future<Output = _> + Send + Unpin> = Box::new(Box::pin(ca.issue(&later, &ledger)));
    assert_eq!(block_on(answer).unwrap(), first);
    assert_eq!(ledger.len(), 1);
}

#[test]
fn n8_a_key_serves_one_request_and_a_request_one_key() {
    let (ca, key, ledger) = (ca(), SigningKey::generate().unwrap(), MemoryLedger::default());
    block_on(ca.issue(&request("r1", &key), &ledger)).unwrap();
    let other_key = block_on(ca.issue(&request("r1", &SigningKey::generate().unwrap()), &ledger));
    assert!(matches!(other_key, Err(CaError::RequestChanged { request_id }) if request_id == "r1"));
    let other_request = block_on(ca.issue(&request("r2", &key), &ledger));
    assert!(matches!(other_request, Err(CaError::KeySeen { earlier, .. }) if earlier == "r1"));
    assert_eq!(ledger.len(), 1);
}

/// Lets the first two look-ups pass together, so that both callers see an empty ledger.
struct Racing {
    ledger: MemoryLedger,
    both: Barrier,
    looked: AtomicUsize,
}

impl Ledger for Racing {
    type Error = std::convert::Infallible;
    async fn find(&self, request_id: &str) -> Result<Option<Issued>, Self::Error> {
        let found = self.ledger.find(request_id).await;
        if self.looked.fetch_add(1, Ordering::SeqCst) < 2 {
            self.both.wait();
        }
        found
    }
    async fn key_seen(&self, key_xy: &[u8; 64]) -> Result<Option<String>, Self::Error> {
        self.ledger.key_seen(key_xy).await
    }
    async fn record(&self, issued: &Issued) -> Result<Recorded, Self::Error> {
        self.ledger.record(issued).await
    }
}

#[test]
fn n11_two_equal_requests_at_once_get_one_pair() {
    for _ in 0..20 {
        let (ca, key) = (ca(), SigningKey::generate().unwrap());
        let racing =
            Racing { ledger: MemoryLedger::default(), both: Barrier::new(2), looked: AtomicUsize::new(0) };
        let ask = || block_on(ca.issue(&request("r1", &key), &racing)).unwrap();
        let (first, second) = std::thread::scope(|scope| {
            let other = scope.spawn(ask);
            (ask(), other.join().unwrap())
        });
        assert_eq!(first, second);
        assert_eq!(racing.ledger.len(), 1);
    }
}

#[test]
fn n8_one_key_under_two_requests_at_once_is_certified_once() {
    let (ca, key) = (ca(), SigningKey::generate().unwrap());
    let racing =
        Racing { ledger: MemoryLedger::default(), both: Barrier::new(2), looked: AtomicUsize::new(0) };
    let ask = |id: &str| block_on(ca.issue(&request(id, &key), &racing));
    let answers = std::thread::scope(|scope| {
        let other = scope.spawn(|| ask("r2"));
        [ask("r1"), other.join().unwrap()]
    });
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Err(CaError::KeySeen { .. }))).count(), 1);
    assert_eq!(racing.ledger.len(), 1);
}

/// A ledger whose disk is full.
struct Full;

impl Ledger for Full {
    type Error = std::io::Error;
    async fn find(&self, _: &str) -> Result<Option<Issued>, Self::Error> {
        Ok(None)
    }
    async fn key_seen(&self, _: &[u8; 64]) -> Result<Option<String>, Self::Error> {
        Ok(None)
    }
    async fn record(&self, _: &Issued) -> Result<Recorded, Self::Error> {
        Err(std::io::ErrorKind::StorageFull.into())
    }
}

#[test]
fn n8_nothing_is_answered_that_was_not_recorded() {
    let answer = block_on(ca().issue(&request("r1", &SigningKey::generate().unwrap()), &Full));
    assert!(matches!(answer, Err(CaError::Ledger(_))));
}

#[test]
fn n8_wrong_requests_and_orders_are_refused_and_leave_no_record() {
    let (ca, key, ledger) = (ca(), SigningKey::generate().unwrap(), MemoryLedger::default());
    let refused = |change: &dyn Fn(&mut ca::IssueRequest)| {
        let mut wrong = request("r1", &key);
        change(&mut wrong);
        block_on(ca.issue(&wrong, &ledger)).unwrap_err()
    };
    assert!(matches!(refused(&|r| *r.csr.last_mut().unwrap() ^= 1), CaError::Request(_)));
    assert!(matches!(refused(&|r| r.csr.clear()), CaError::Request(_)));
    assert!(matches!(refused(&|r| r.request_id.clear()), CaError::Request(_)));
    assert!(matches!(refused(&|r| r.subject.dn.clear()), CaError::Order(_)));
    assert!(matches!(refused(&|r| r.subject.dn[0].1 = "CHN".to_owned()), CaError::Order(_)));
    assert!(matches!(refused(&|r| r.subject.years = 0), CaError::Years(0)));
    assert!(matches!(refused(&|r| r.subject.years = 11), CaError::Years(11)));
    assert!(
        matches!(refused(&|r| (r.now, r.subject.years) = (years(8), 3)), CaError::Order(_)),
        "three years would outlive the CA"
    );
    assert!(matches!(refused(&|r| r.now = std::time::UNIX_EPOCH), CaError::Clock));
    let extension = |oid: &str, value: &str, encoding| Extension {
        oid: oid.to_owned(),
        value: value.to_owned(),
        encoding,
    };
    for wrong in [
        extension("2.5.29.19", "1", Encoding::Utf8),
        extension("not an oid", "1", Encoding::Utf8),
        extension("1.2.156.10260.4.1.1", "", Encoding::Utf8),
        extension("1.2.156.10260.4.1.1", "中", Encoding::Printable),
        extension("1.2.156.10260.4.1.4", "twice", Encoding::Utf8),
    ] {
        assert!(
            matches!(refused(&|r| r.subject.extensions.push(wrong.clone())), CaError::Order(_)),
            "{wrong:?}"
        );
    }
    assert!(ledger.is_empty());
}

#[test]
fn n8_a_ca_of_parts_that_do_not_belong_together_is_not_loaded() {
    let (one, two) =
        (EmbeddedCa::create(&names(), now()).unwrap(), EmbeddedCa::create(&names(), now()).unwrap());
    assert!(EmbeddedCa::load(&one.root_der, &one.issuing_der, &one.issuing_key).is_ok());
    for (root, issuing, key) in [
        (&two.root_der, &one.issuing_der, &one.issuing_key),
        (&one.root_der, &two.issuing_der, &two.issuing_key),
        (&one.root_der, &one.issuing_der, &two.issuing_key),
        (&one.issuing_der, &one.issuing_der, &one.issuing_key),
    ] {
        assert!(matches!(EmbeddedCa::load(root, issuing, key), Err(CaError::Parts { .. })));
    }
    let same = ca::CaNames { root: names().root, issuing: names().root };
    assert!(matches!(EmbeddedCa::create(&same, now()), Err(CaError::Order(_))));
}

#[test]
fn n11_request_ids_tell_job_key_and_public_key_apart() {
    let id = |job: &str, serial: &str, fill: u8| {
        let public = SigningKey::from_secret(&model::Secret::new(vec![fill; 32])).unwrap().public_key();
        request_id(&job.parse().unwrap(), &model::KeyId::new("maker", "model", serial).unwrap(), &public)
    };
    let (job, next) = ("SAAS120261122093000000001-1", "SAAS120261122093000000001-2");
    let ids = [id(job, "V1", 1), id(next, "V1", 1), id(job, "V2", 1), id(job, "V1", 2)];
    assert_eq!(ids[0], id(job, "V1", 1));
    assert!(ids[0].starts_with("SAAS120261122093000000001-1|maker/model/V1|"));
    for (at, one) in ids.iter().enumerate() {
        assert!(ids[at + 1..].iter().all(|other| other != one));
    }
}
