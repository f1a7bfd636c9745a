//! The client against the service's double, faults included.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use model::Secret;
use sandbox::sms::{self as double, ACCESS_KEY_ID, ACCESS_KEY_SECRET, Handle, Options};
use serde_json::json;
use sms::{Client, Delivery, Message, Settings, SmsError, Why};

const MOBILE: &str = "13800000000";

fn client(endpoint: String, secret: &str, timeout: Duration) -> Client {
    let settings = Settings {
        endpoint,
        access_key_id: ACCESS_KEY_ID.to_owned(),
        access_key_secret: Secret::from(secret),
        timeout,
    };
    Client::new(settings).unwrap()
}

fn start() -> (Handle, Client) {
    let handle = double::spawn(Options { clock: noon, ..Options::default() }).unwrap();
    let client = client(handle.endpoint(), ACCESS_KEY_SECRET, Duration::from_secs(20));
    (handle, client)
}

fn message(out_id: &str) -> Message {
    Message {
        mobile: MOBILE.to_owned(),
        sign_name: "示例 签名&".to_owned(),
        template: "SMS_1".to_owned(),
        parameters: json!({ "code": "0+1 ~*" }),
        out_id: out_id.to_owned(),
    }
}

/// 2026-11-22 12:00:00 in China.
fn noon() -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(1_795_320_000_000).unwrap()
}

fn delivery(client: &Client, out_id: &str) -> Option<Delivery> {
    client.delivery(MOBILE, "20261122", out_id).unwrap()
}

#[test]
fn a_message_arrives_as_it_was_given_and_is_found_by_its_id() {
    let (handle, client) = start();
    assert!(!client.send(&message("one")).unwrap().is_empty());
    let sent = &handle.sent()[0];
    assert_eq!((sent.mobile.as_str(), sent.sign_name.as_str()), (MOBILE, "示例 签名&"));
    assert_eq!(sent.parameters, json!({ "code": "0+1 ~*" }));
    assert_eq!(delivery(&client, "one"), Some(Delivery::Arrived));
    assert_eq!(delivery(&client, "other"), None);
}

#[test]
fn a_wrong_secret_is_the_account_s_fault_and_sends_nothing() {
    let (handle, _) = start();
    let client = client(handle.endpoint(), "another-secret", Duration::from_secs(20));
    let Err(SmsError::Refused(refusal)) = client.send(&message("one")) else { panic!("accepted") };
    assert_eq!((refusal.code.as_str(), refusal.why), ("SignatureDoesNotMatch", Why::Account));
    assert!(handle.sent().is_empty());
}

#[test]
fn what_may_have_been_sent_is_told_from_what_was_not() {
    let (handle, client) = start();
    for (fault, sent) in [("lose_reply", true), ("garbage", true), ("http500", false)] {
        handle.next([fault.parse().unwrap()]);
        assert!(matches!(client.send(&message(fault)), Err(SmsError::Unknown(_))), "{fault}");
        assert_eq!(delivery(&client, fault).is_some(), sent, "{fault}");
    }
    handle.next(["limit".parse().unwrap()]);
    let Err(SmsError::Refused(refusal)) = client.send(&message("limit")) else { panic!("accepted") };
    assert_eq!(refusal.why, Why::Limit);
    handle.next(["timeout".parse().unwrap()]);
    let hasty = self::client(handle.endpoint(), ACCESS_KEY_SECRET, Duration::from_millis(300));
    assert!(matches!(hasty.send(&message("slow")), Err(SmsError::Unknown(_))));
    drop(handle);
    assert!(matches!(client.send(&message("gone")), Err(SmsError::NotSent(_))));
}

#[test]
fn the_carrier_s_failure_is_told() {
    let (handle, client) = start();
    handle.next(["delivery_failed".parse().unwrap(), "delivery_pending".parse().unwrap()]);
    client.send(&message("failed")).unwrap();
    assert_eq!(delivery(&client, "failed"), Some(Delivery::Failed("MOBILE_NOT_ON_SERVICE".to_owned())));
}

#[test]
fn no_mainland_mobile_is_refused_before_it_is_sent() {
    let (handle, client) = start();
    let refused = client.send(&Message { mobile: "+85251234567".to_owned(), ..message("x") });
    assert!(matches!(refused, Err(SmsError::Refused(refusal)) if refusal.why == Why::Message));
    assert!(handle.sent().is_empty());
    assert!(!format!("{:?}", message("x")).contains(MOBILE));
}
