//! What both test files start from: a CA at a fixed time and an order's request.
#![allow(dead_code, reason = "each test file uses a part")]

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ca::{CaNames, EmbeddedCa, Encoding, Extension, IssueRequest, Subject};
use gm::SigningKey;

/// 2026-11-22 00:00:00 UTC.
pub const NOW: u64 = 1_795_305_600;

pub fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW)
}

/// The same day, 1 to 10 years later.
pub fn years(count: u64) -> SystemTime {
    let leap_days = [0, 0, 1, 1, 1, 1, 2, 2, 2, 2][usize::try_from(count).unwrap() - 1];
    now() + Duration::from_secs((count * 365 + leap_days) * 86_400)
}

fn pairs(parts: &[(&str, &str)]) -> Vec<(String, String)> {
    parts.iter().map(|(a, v)| ((*a).to_owned(), (*v).to_owned())).collect()
}

pub fn names() -> CaNames {
    CaNames {
        root: pairs(&[("C", "CN"), ("O", "示例电子认证"), ("CN", "示例 SM2 根")]),
        issuing: pairs(&[("C", "CN"), ("O", "示例电子认证"), ("CN", "示例 SM2 签发")]),
    }
}

pub fn ca() -> EmbeddedCa {
    let made = EmbeddedCa::create(&names(), now()).unwrap();
    EmbeddedCa::load(&made.root_der, &made.issuing_der, &made.issuing_key).unwrap()
}

/// A request signed by `key`, whose own subject claims to be somebody else.
pub fn request(request_id: &str, key: &SigningKey) -> IssueRequest {
    let csr =
        gm::request::build("CN=somebody else,O=mallory", &key.public_key(), |e| key.sign_digest(e)).unwrap();
    let dn =
        pairs(&[("C", "CN"), ("O", "示例公司"), ("CN", "示例公司"), ("serialNumber", "91000000MA0000001X")]);
    let extension =
        |oid: &str, value: &str, encoding| Extension { oid: oid.into(), value: value.into(), encoding };
    let extensions = vec![
        extension("1.2.156.10260.4.1.4", "91000000MA0000001X", Encoding::Printable),
        extension("1.2.156.10260.4.1.5", "示例", Encoding::Utf8),
        extension("1.2.156.10260.4.1.3", "reg-1", Encoding::Octets),
    ];
    let subject = Subject { dn, extensions, years: 1 };
    IssueRequest { request_id: request_id.to_owned(), csr, subject, now: now() }
}

/// The ledgers of these tests never wait, so one poll is enough.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("a ledger of these tests waited"),
    }
}
