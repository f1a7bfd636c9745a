//! The client against Alipay's double.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use alipay::{
    AlipayError, AppKey, BillKind, Client, NoticeError, Offer, PublicKey, Refunded, Settings, TradeStatus,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use model::{Fen, Secret};
use sandbox::alipay::{APP_ID, CallFault, Handle, Keys, NoticeFault, Options, SELLER_ID};

struct Bench {
    double: Handle,
    client: Client,
    keys: Keys,
    _dir: tempfile::TempDir,
}

fn settings(keys: &Keys, endpoint: String) -> Settings {
    Settings {
        endpoint,
        app_id: APP_ID.to_owned(),
        seller_id: SELLER_ID.to_owned(),
        app_key: AppKey::read(&Secret::new(std::fs::read(&keys.app_private).unwrap())).unwrap(),
        alipay_key: PublicKey::read(&std::fs::read_to_string(&keys.alipay_public).unwrap()).unwrap(),
        notify_url: "http://127.0.0.1:1/pay/alipay/notify".to_owned(),
        timeout: Duration::from_secs(1),
    }
}

fn bench() -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let keys = Keys::make(dir.path()).unwrap();
    let double = sandbox::alipay::spawn(Options::new(&keys)).unwrap();
    let client = Client::new(settings(&keys, double.endpoint())).unwrap();
    Bench { double, client, keys, _dir: dir }
}

fn offer(number: &str) -> Offer {
    let expires = jiff::Timestamp::now() + Duration::from_secs(900);
    let subject = "数字证书 & 电子钥匙/1".to_owned();
    Offer { out_trade_no: number.to_owned(), subject, amount: Fen(30_001), expires }
}

#[test]
fn an_offer_is_paid_refunded_once_and_billed() {
    let Bench { double, client, .. } = bench();
    let code = client.precreate(&offer("A_1")).unwrap();
    assert_eq!(client.precreate(&offer("A_1")).unwrap(), code, "the same offer again is the same trade");
    assert_eq!(client.query("A_1").unwrap(), None, "nobody has scanned it");
    assert!(double.pay_untold("A_1"));
    let trade = client.query("A_1").unwrap().unwrap();
    assert_eq!((trade.status, trade.amount), (TradeStatus::Paid, Fen(30_001)));
    assert!(!client.close("A_1").unwrap(), "a paid trade is not closed");
    assert!(client.precreate(&offer("A_1")).unwrap_err().is_refusal("ACQ.TRADE_HAS_SUCCESS"));

    for _ in 0..2 {
        assert_eq!(client.refund("A_1", "A_1R", Fen(30_001), "x").unwrap(), Refunded::Done);
    }
    assert_eq!(double.trades()[0].refunds.len(), 1);
    assert!(client.refunded("A_1", "A_1R", Fen(30_001)).unwrap());
    assert!(!client.refunded("A_1", "A_1X", Fen(30_001)).unwrap(), "an unknown refund is none");
    assert!(client.refund("A_1", "A_1X", Fen(1), "x").is_err(), "there is nothing left to send back");

    let paid = jiff::Timestamp::from_millisecond(double.trades()[0].paid_ms.unwrap()).unwrap();
    let today = paid.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(8))).date();
    let bill = |day| client.bill(day).unwrap().unwrap();
    let kinds: Vec<_> = bill(today).into_iter().map(|line| (line.kind, line.amount)).collect();
    let refund = BillKind::Refund("A_1R".to_owned());
    assert_eq!(kinds, [(BillKind::Payment, Fen(30_001)), (refund, Fen(30_001))]);
    assert!(bill(today.yesterday().unwrap()).is_empty());
    double.next([CallFault::Refuse("isp.bill_not_exist".to_owned())]);
    assert_eq!(client.bill(today).unwrap(), None);
}

#[test]
fn a_trade_that_cannot_be_closed_is_told_under_each_of_its_codes() {
    let Bench { double, client, .. } = bench();
    for code in ["ACQ.TRADE_STATUS_ERROR", "ACQ.REASON_TRADE_STATUS_INVALID", "ACQ.REASON_ILLEGAL_STATUS"] {
        double.next([CallFault::Refuse(code.to_owned())]);
        assert!(!client.close("E_1").unwrap(), "{code}");
    }
    double.next([CallFault::Refuse("ACQ.ACCESS_FORBIDDEN".to_owned())]);
    assert!(client.close("E_1").is_err());
}

#[test]
fn what_may_have_happened_is_told_apart_from_what_did_not() {
    let Bench { double, client, .. } = bench();
    let doubt = [
        CallFault::Timeout,
        CallFault::LoseReply,
        CallFault::Http500,
        CallFault::Garbage,
        CallFault::Unsigned,
        CallFault::Forged,
    ];
    for fault in doubt {
        double.next([fault.clone()]);
        assert!(matches!(client.precreate(&offer("B_1")), Err(AlipayError::InDoubt(_))), "{fault:?}");
    }
    double.next([CallFault::Busy, CallFault::Refuse("ACQ.ACCESS_FORBIDDEN".to_owned())]);
    assert!(matches!(client.precreate(&offer("B_1")), Err(AlipayError::Later(_))));
    assert!(client.precreate(&offer("B_1")).unwrap_err().is_refusal("ACQ.ACCESS_FORBIDDEN"));
    assert!(client.precreate(&offer("B_1")).is_ok());
    assert_eq!(double.trades().len(), 1, "however often it was asked");
}

#[test]
fn a_refund_without_fund_change_is_looked_up() {
    let Bench { double, client, .. } = bench();
    client.precreate(&offer("C_1")).unwrap();
    assert!(double.pay_untold("C_1"));
    double.next([CallFault::NoFundChange, CallFault::Http500]);
    assert!(client.refund("C_1", "C_1R", Fen(30_001), "x").is_err(), "nobody said that the money moved");
    double.next([CallFault::LoseReply]);
    assert!(client.refund("C_1", "C_1R", Fen(30_001), "x").is_err());
    assert_eq!(client.refund("C_1", "C_1R", Fen(30_001), "x").unwrap(), Refunded::Done);
    assert_eq!(double.trades()[0].refunds.len(), 1);
}

#[test]
fn the_gateway_refuses_another_app_and_another_key() {
    let Bench { double, keys, _dir, .. } = bench();
    let foreign = Settings { app_id: "2021000000009999".to_owned(), ..settings(&keys, double.endpoint()) };
    let refused = Client::new(foreign).unwrap().query("D_1").unwrap_err();
    assert!(refused.is_refusal("isv.invalid-app-id"), "{refused}");
    let other = tempfile::tempdir().unwrap();
    let other = Keys::make(other.path()).map(|made| settings(&made, double.endpoint()).app_key).unwrap();
    let wrong = Settings { app_key: other, ..settings(&keys, double.endpoint()) };
    assert!(Client::new(wrong).unwrap().query("D_1").unwrap_err().is_refusal("isv.invalid-signature"));
    let far = settings(&keys, "http://openapi.alipay.com/gateway.do".to_owned());
    assert!(matches!(Client::new(far), Err(AlipayError::Settings { field: "endpoint", .. })));
}

#[test]
fn a_notice_is_believed_only_whole_and_for_us() {
    let Bench { double, client, .. } = bench();
    client.precreate(&offer("E_1")).unwrap();
    assert!(double.pay_untold("E_1"));
    let body = |fault| double.notice("E_1", fault).unwrap();
    let good = body(NoticeFault::None);
    let notice = client.notice(good.as_bytes()).unwrap();
    assert_eq!((notice.out_trade_no.as_str(), notice.amount), ("E_1", Fen(30_001)));
    assert!(notice.status.is_paid());
    assert_eq!(client.notice(body(NoticeFault::LieAmount).as_bytes()).unwrap().amount, Fen(30_000));
    for (fault, error) in [
        (NoticeFault::Unsigned, NoticeError::Signature),
        (NoticeFault::Forged, NoticeError::Signature),
        (NoticeFault::ForeignApp, NoticeError::App),
        (NoticeFault::ForeignSeller, NoticeError::Seller),
    ] {
        assert_eq!(client.notice(body(fault).as_bytes()), Err(error), "{fault:?}");
    }
    for change in ["&extra=1", "&total_amount=0.01", "&sign=AAAA"] {
        assert!(client.notice(format!("{good}{change}").as_bytes()).is_err(), "{change}");
    }
    assert!(client.notice(good.replace("300.01", "300.02").as_bytes()).is_err());
}

#[test]
fn the_page_of_an_offer_is_paid_there() {
    let Bench { double, client, .. } = bench();
    let url = client.page_url(&offer("F_1"), "http://127.0.0.1:1/back").unwrap();
    let agent = ureq::Agent::config_builder()
        .proxy(None)
        .http_status_as_error(false)
        .max_redirects(0)
        .build()
        .new_agent();
    let forged = agent.get(url.replace("300.01", "000.01")).call().unwrap();
    assert_eq!(forged.status(), 400, "a changed address is refused");
    let answer = agent.get(&url).call().unwrap();
    let page = answer.headers()["location"].to_str().unwrap().to_owned();
    let paid = agent.post(format!("{}{page}", double.url())).send_empty().unwrap();
    assert_eq!(paid.headers()["location"], "http://127.0.0.1:1/back");
    assert!(client.query("F_1").unwrap().unwrap().status.is_paid());
}

/// What openssl signs by itself is right, and what it signs with a field left out is not: client and double cannot be wrong alike.
#[test]
fn openssl_agrees_on_the_signature() {
    let Bench { double, keys, _dir: dir, .. } = bench();
    let time = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(8)));
    let time = time.strftime("%Y-%m-%d %H:%M:%S").to_string();
    let fields = [
        ("app_id", APP_ID),
        ("biz_content", r#"{"out_trade_no":"G_1"}"#),
        ("charset", "utf-8"),
        ("method", "alipay.trade.query"),
        ("sign_type", "RSA2"),
        ("timestamp", time.as_str()),
        ("version", "1.0"),
    ];
    let text: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    for (text, code) in
        [(text.join("&"), "ACQ.TRADE_NOT_EXIST"), (text[1..].join("&"), "isv.invalid-signature")]
    {
        let (plain, signed) = (dir.path().join("text"), dir.path().join("signed"));
        std::fs::write(&plain, text).unwrap();
        let mut openssl = std::process::Command::new("openssl");
        openssl
            .args(["dgst", "-sha256", "-sign"])
            .arg(&keys.app_private)
            .arg("-out")
            .arg(&signed)
            .arg(&plain);
        assert!(openssl.status().unwrap().success());
        let sign = STANDARD.encode(std::fs::read(&signed).unwrap());
        let sent = fields.into_iter().chain([("sign", sign.as_str())]);
        let agent = ureq::Agent::config_builder().proxy(None).build().new_agent();
        let answer =
            agent.post(double.endpoint()).send_form(sent).unwrap().body_mut().read_to_string().unwrap();
        assert!(answer.contains(code), "{answer}");
    }
}
