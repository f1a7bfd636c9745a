//! The client against SF's double, faults included.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use model::Secret;
use sandbox::sf::{self as double, CHECKWORD, Fault, Handle, Options, PARTNER_ID, Repeat};
use sf::{Client, Contact, CreateOrder, Settings, SettingsFile, SfError, SignMode};

fn settings(handle: &Handle) -> Settings {
    Settings {
        endpoint: handle.endpoint(),
        partner_id: PARTNER_ID.to_owned(),
        checkword: Secret::from(CHECKWORD),
        sign_mode: SignMode::Standard,
        express_type_id: 1,
        timeout: Duration::from_secs(20),
        search_attempts: 2,
        search_pause: Duration::from_millis(1),
    }
}

fn contact(name: &str, phone: &str) -> Contact {
    Contact {
        name: name.to_owned(),
        company: Some("测试（厦门）有限公司 & Co.*~!".to_owned()),
        phone: phone.to_owned(),
        province: "福建省".to_owned(),
        city: "厦门市".to_owned(),
        county: "集美区".to_owned(),
        address: "测试路 1 号+2 楼".to_owned(),
    }
}

fn order(id: &str) -> CreateOrder {
    CreateOrder {
        order_id: id.to_owned(),
        goods: "电子钥匙".to_owned(),
        quantity: 2,
        sender: contact("甲", "0592-0000000"),
        receiver: contact("乙", "13800000000"),
        remark: None,
    }
}

fn start() -> (Handle, Client) {
    let handle = double::spawn(Options::default()).unwrap();
    let client = Client::new(settings(&handle)).unwrap();
    (handle, client)
}

fn faults(words: &[&str]) -> Vec<Fault> {
    words.iter().map(|word| word.parse().unwrap()).collect()
}

#[test]
fn s1_5_a_parcel_is_ordered_freight_collect_without_a_monthly_card() {
    let (handle, client) = start();
    let created = client.create_order(&order("SAAS120261122093000000001")).unwrap();
    assert!(!created.recovered && !created.manual_check);
    assert_eq!(created.route_label.waybill_no, created.waybill);
    assert_eq!(created.dest_code, "592");
    assert!(created.route_label.two_dimension_code.starts_with("MMM={"));
    let sent = handle.orders()[0].msg_data.clone();
    assert_eq!(sent["payMethod"], 2);
    assert!(sent.get("monthlyCard").is_none());
    assert_eq!(sent["orderId"], "SAAS120261122093000000001");
    assert_eq!(sent["contactInfoList"][1]["mobile"], "13800000000");
    assert_eq!(sent["contactInfoList"][0]["tel"], "0592-0000000");
}

#[test]
fn every_signature_is_accepted_and_a_wrong_one_names_the_setting() {
    let modes = [
        (SignMode::Standard, double::SignMode::Standard),
        (SignMode::Simple, double::SignMode::Simple),
        (SignMode::Sm3, double::SignMode::Sm3),
    ];
    for (ours, theirs) in modes {
        let handle = double::spawn(Options { sign_mode: theirs, ..Options::default() }).unwrap();
        let client = Client::new(Settings { sign_mode: ours, ..settings(&handle) }).unwrap();
        client.create_order(&order("A")).unwrap();
        let wrong = if ours == SignMode::Simple { SignMode::Sm3 } else { SignMode::Simple };
        let client = Client::new(Settings { sign_mode: wrong, ..settings(&handle) }).unwrap();
        let error = client.create_order(&order("B")).unwrap_err();
        assert!(matches!(error, SfError::Contract(_)), "{error}");
        assert_eq!(error.code(), Some("A1006"));
    }
}

#[test]
fn n11_the_same_order_twice_is_one_waybill() {
    for repeat in [Repeat::FirstWaybill, Repeat::Refuse] {
        let handle = double::spawn(Options { repeat, ..Options::default() }).unwrap();
        let client = Client::new(settings(&handle)).unwrap();
        let first = client.create_order(&order("A")).unwrap();
        let again = client.create_order(&order("A")).unwrap();
        assert_eq!((first.waybill, first.route_label), (again.waybill, again.route_label));
        assert_eq!(again.recovered, repeat == Repeat::Refuse);
        assert_eq!(handle.orders().len(), 1);
    }
}

#[test]
fn an_answer_that_is_lost_garbled_or_too_long_is_looked_up() {
    for word in ["lose_reply", "garbage", "oversize", "wrong_order"] {
        let (handle, client) = start();
        handle.next(faults(&[word]));
        let created = client.create_order(&order("A")).unwrap();
        assert!(created.recovered, "{word}");
        assert_eq!(created.waybill, handle.orders()[0].waybill);
        assert_eq!(handle.orders()[0].creates, 1, "{word}: it was not created a second time");
    }
}

#[test]
fn a_call_that_did_nothing_is_to_be_repeated_with_the_same_id() {
    for word in ["http500", "gateway_A1009", "gateway_A1005", "refuse_A1099"] {
        let (handle, client) = start();
        handle.next(faults(&[word]));
        let error = client.create_order(&order("A")).unwrap_err();
        assert!(matches!(&error, SfError::Later { order_id, .. } if order_id == "A"), "{word}: {error}");
        assert!(!client.create_order(&order("A")).unwrap().recovered);
    }
}

#[test]
fn a_time_out_is_looked_up_and_the_call_ends() {
    let handle = double::spawn(Options::default()).unwrap();
    let client = Client::new(Settings { timeout: Duration::from_secs(1), ..settings(&handle) }).unwrap();
    handle.next(faults(&["timeout"]));
    let error = client.create_order(&order("A")).unwrap_err();
    assert!(matches!(&error, SfError::Later { cause, .. } if cause.contains("no such order")), "{error}");
}

#[test]
fn what_cannot_be_looked_up_either_is_unknown() {
    let (handle, client) = start();
    handle.next(faults(&["lose_reply", "http500", "garbage"]));
    let error = client.create_order(&order("A")).unwrap_err();
    assert!(matches!(error, SfError::OutcomeUnknown { .. }), "{error}");
    let found = client.create_order(&order("A")).unwrap();
    assert_eq!(found.waybill, handle.orders()[0].waybill);
    // 8016 for an order that cannot be found: its id is burnt or its answer is wrong; never a new waybill.
    handle.next(faults(&["duplicate"]));
    assert!(matches!(client.create_order(&order("B")).unwrap_err(), SfError::OutcomeUnknown { .. }));
}

#[test]
fn refusals_are_sorted_by_who_must_act_and_carry_a_remedy() {
    let (handle, client) = start();
    for (word, contract) in
        [("refuse_8256", true), ("refuse_20036", true), ("refuse_20004", false), ("refuse_99999", false)]
    {
        handle.next(faults(&[word]));
        let error = client.create_order(&order("A")).unwrap_err();
        assert_eq!(error.code(), word.strip_prefix("refuse_"));
        assert!(!error.is_retryable());
        match (contract, &error) {
            (true, SfError::Contract(refusal)) | (false, SfError::Input(refusal)) => {
                assert!(!refusal.remedy_zh.is_empty() && !refusal.remedy_en.is_empty());
            }
            _ => panic!("{word}: {error}"),
        }
    }
    handle.next(faults(&["undeliverable"]));
    assert!(matches!(client.create_order(&order("A")).unwrap_err(), SfError::Input(_)));
    assert!(handle.orders().is_empty());
}

#[test]
fn an_order_without_waybill_or_route_label_comes_later() {
    let (handle, client) = start();
    handle.next(faults(&["no_waybill", "no_route_label", "manual_check", "as_object"]));
    assert!(matches!(client.create_order(&order("A")).unwrap_err(), SfError::Later { .. }));
    assert!(matches!(client.create_order(&order("A")).unwrap_err(), SfError::Later { .. }));
    assert!(client.create_order(&order("A")).unwrap().manual_check);
    assert!(!client.create_order(&order("A")).unwrap().manual_check);
}

#[test]
fn what_sf_would_refuse_is_refused_before_it_is_sent() {
    let (handle, client) = start();
    let mut cases = Vec::new();
    let mut bad = |code: &'static str, change: fn(&mut CreateOrder)| {
        let mut order = order("A");
        change(&mut order);
        cases.push((code, order));
    };
    bad("6118", |o| o.order_id = "x".repeat(65));
    bad("1023", |o| o.goods.clear());
    bad("1023", |o| o.quantity = 0);
    bad("1010", |o| o.sender.city.clear());
    bad("1011", |o| o.sender.name = " ".to_owned());
    bad("1012", |o| o.sender.phone.clear());
    bad("1014", |o| o.receiver.address = "路".repeat(201));
    bad("1015", |o| o.receiver.name.clear());
    bad("1016", |o| o.receiver.phone = "1".repeat(21));
    for (code, order) in cases {
        assert_eq!(client.create_order(&order).unwrap_err().code(), Some(code));
    }
    assert!(handle.orders().is_empty());
}

#[test]
fn a_gateway_that_is_not_there_costs_nothing() {
    let (handle, client) = start();
    drop(handle);
    assert!(matches!(client.create_order(&order("A")).unwrap_err(), SfError::Later { .. }));
}

#[test]
fn settings_are_refused_by_name() {
    let (handle, _) = start();
    let field = |change: fn(&mut Settings)| {
        let mut settings = settings(&handle);
        change(&mut settings);
        match Client::new(settings) {
            Err(SfError::Settings { field, .. }) => field,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(field(|s| s.endpoint = "http://sfapi.sf-express.com/std/service".to_owned()), "endpoint");
    assert_eq!(field(|s| s.endpoint = "http://127.0.0.1@example.com/".to_owned()), "endpoint");
    assert_eq!(field(|s| s.partner_id.clear()), "partner_id");
    assert_eq!(field(|s| s.checkword = Secret::from("")), "checkword");
    assert_eq!(field(|s| s.search_attempts = 0), "search_attempts");
    let unknown =
        toml::from_str::<SettingsFile>("endpoint='e'\npartner_id='p'\nexpress_type_id=1\nsignmode='sm3'");
    assert!(unknown.unwrap_err().to_string().contains("signmode"));
    let file: SettingsFile =
        toml::from_str("endpoint='https://e/x'\npartner_id='p'\nexpress_type_id=1\nsign_mode='sm3'").unwrap();
    assert_eq!(file.sign_mode, SignMode::Sm3);
    assert!(Client::new(file.with_checkword(Secret::from("c"))).is_ok());
}

#[test]
fn nothing_personal_and_no_checkword_is_in_a_debug_text() {
    let (handle, client) = start();
    let shown = format!("{:?} {:?} {:?}", order("A"), client, settings(&handle));
    for secret in [CHECKWORD, "13800000000", "测试路", "甲", "乙"] {
        assert!(!shown.contains(secret), "{secret}");
    }
}
