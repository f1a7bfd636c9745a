//! The double refuses what SF refuses: called by hand here, not by the client, so that neither hides the other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine, engine::general_purpose::STANDARD};
use md5::{Digest, Md5};
use sandbox::sf::{self, CHECKWORD, Options, PARTNER_ID, SignMode};
use serde_json::{Value, json};

const ORDER: &str = r#"{"language":"zh-CN","orderId":"A1","cargoDetails":[{"name":"UKEY"}],"expressTypeId":1,"payMethod":2,"isReturnRoutelabel":1,"contactInfoList":[{"contactType":1,"contact":"a","mobile":"13800000000","province":"p","city":"c","address":"street"},{"contactType":2,"contact":"b","mobile":"13900000000","province":"p","city":"c","address":"street"}]}"#;

fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()
}

/// A call in the simple mode, with one field replaced or (by an empty value) left out.
fn call(double: &sf::Handle, data: &str, change: (&str, &str)) -> Value {
    let time = if change.0 == "timestamp" { change.1.to_owned() } else { now().to_string() };
    let digest = STANDARD.encode(Md5::digest(format!("{data}{time}{CHECKWORD}")));
    let fields = [
        ("partnerID", PARTNER_ID),
        ("requestID", "r"),
        ("serviceCode", "EXP_RECE_CREATE_ORDER"),
        ("timestamp", &time),
        ("msgDigest", &digest),
        ("msgData", data),
    ];
    let changed = fields.map(|(name, value)| if name == change.0 { (name, change.1) } else { (name, value) });
    let extra = (change.0 == "accessToken").then_some(change);
    let sent = changed.into_iter().chain(extra).filter(|(_, value)| !value.is_empty());
    let agent = ureq::Agent::config_builder().proxy(None).build().new_agent();
    agent.post(double.endpoint()).send_form(sent).unwrap().body_mut().read_json().unwrap()
}

fn business(answer: &Value) -> Value {
    serde_json::from_str(answer["apiResultData"].as_str().expect("JSON in a string")).unwrap()
}

fn double() -> sf::Handle {
    sf::spawn(Options { sign_mode: SignMode::Simple, ..Options::default() }).unwrap()
}

#[test]
fn the_gateway_answers_each_fault_of_the_envelope_by_sfs_code() {
    let double = double();
    let old = (now() - 3_600_000).to_string();
    let cases = [
        (("msgDigest", ""), "A1001"),
        (("requestID", ""), "A1001"),
        (("accessToken", "x"), "A1001"),
        (("timestamp", "yesterday"), "A1001"),
        (("timestamp", old.as_str()), "A1002"),
        (("partnerID", "OTHER"), "A1004"),
        (("serviceCode", "EXP_RECE_NOTHING"), "A1004"),
        (("msgDigest", "AAAAAAAAAAAAAAAAAAAAAA=="), "A1006"),
    ];
    for (change, code) in cases {
        assert_eq!(call(&double, ORDER, change)["apiResultCode"], code, "{change:?}");
    }
    assert!(double.orders().is_empty(), "nothing refused at the gateway was made");
}

#[test]
fn the_business_layer_answers_each_missing_field_by_sfs_code() {
    let double = double();
    let cases = [
        ("/orderId", "6118"),
        ("/cargoDetails", "1023"),
        ("/expressTypeId", "8057"),
        ("/contactInfoList/0/address", "1010"),
        ("/contactInfoList/0/contact", "1011"),
        ("/contactInfoList/0/mobile", "1012"),
        ("/contactInfoList/1/address", "1014"),
        ("/contactInfoList/1/contact", "1015"),
        ("/contactInfoList/1/mobile", "1016"),
        ("/contactInfoList/1/province", "20004"),
    ];
    for (field, code) in cases {
        let mut data: Value = serde_json::from_str(ORDER).unwrap();
        *data.pointer_mut(field).unwrap() = Value::Null;
        let answer = business(&call(&double, &data.to_string(), ("", "")));
        assert_eq!((&answer["success"], &answer["errorCode"]), (&json!(false), &json!(code)), "{field}");
    }
    assert!(double.orders().is_empty());
}

#[test]
fn the_route_label_carries_the_waybill() {
    let double = double();
    let answer = business(&call(&double, ORDER, ("", "")));
    let waybill = double.orders()[0].waybill.clone();
    let label = &answer["msgData"]["routeLabelInfo"][0]["routeLabelData"];
    assert!(label["twoDimensionCode"].as_str().unwrap().contains(&format!("'k5':'{waybill}'")));
    assert_eq!(answer["msgData"]["waybillNoInfoList"][0]["waybillNo"], waybill);
}

#[test]
fn it_listens_on_this_machine_only() {
    let everywhere = Options { listen: ([0, 0, 0, 0], 0).into(), ..Options::default() };
    assert!(matches!(sf::spawn(everywhere), Err(sandbox::SandboxError::NotLoopback(_))));
}

#[test]
fn control_says_which_words_it_knows() {
    let double = double();
    let agent = ureq::Agent::config_builder().proxy(None).http_status_as_error(false).build().new_agent();
    let control = format!("http://{}/control", double.address());
    let mut bad = agent.post(&control).send_json(json!({"next": "explode"})).unwrap();
    assert_eq!(bad.status(), 400);
    assert!(bad.body_mut().read_to_string().unwrap().contains("lose_reply"));
    assert_eq!(agent.post(&control).send_json(json!({"next": ["ok", "refuse_8256"]})).unwrap().status(), 204);
    assert_eq!(business(&call(&double, ORDER, ("", "")))["errorCode"], "S0000");
    assert_eq!(business(&call(&double, ORDER, ("", "")))["errorCode"], "8256");
    let mut list = agent.get(format!("{control}/orders")).call().unwrap();
    assert_eq!(list.body_mut().read_json::<Value>().unwrap()[0]["order_id"], "A1");
}
