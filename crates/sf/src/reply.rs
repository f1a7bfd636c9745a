//! What SF answers, read leniently where its own pages disagree (numbers as strings, an object or a string of JSON) and
//! strictly where a parcel depends on it (the waybill, and that every part speaks of the same one).

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::SfError;

/// An order that has its waybill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// The waybill number: `SF` and 13 digits, or 12 digits. Only capitals and digits, so it is fit for a file name.
    pub waybill: String,
    /// Where from, in SF's city codes; may be empty.
    pub origin_code: String,
    /// Where to, in SF's city codes; may be empty.
    pub dest_code: String,
    /// SF has yet to look at the address by hand.
    pub manual_check: bool,
    /// The waybill was found by a look-up (after 8016 or a lost answer) and not made by this call. It stands for what was
    /// sent under this order id first: an address changed since is not in it.
    pub recovered: bool,
    /// What the label shows, as SF gave it.
    pub route_label: RouteLabel,
}

/// `routeLabelData`: printed as it is, never taken apart or put together.
#[derive(Clone, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RouteLabel {
    /// The number this data belongs to.
    #[serde(deserialize_with = "text")]
    pub waybill_no: String,
    /// The largest line of the label. Not to be split at `-`; a single segment means the address was not resolved.
    #[serde(deserialize_with = "text")]
    pub dest_route_label: String,
    /// Inbound code such as K35; may be empty.
    #[serde(deserialize_with = "text")]
    pub coding_mapping: String,
    /// Outbound code; may be empty.
    #[serde(deserialize_with = "text")]
    pub coding_mapping_out: String,
    /// The product's name; may be empty.
    #[serde(deserialize_with = "text")]
    pub pro_name: String,
    /// The time class: `T4`, or text such as 特快.
    #[serde(deserialize_with = "text")]
    pub pro_code: String,
    /// The whole text of the QR code (`MMM={…}`), with a check code that only SF can compute.
    #[serde(deserialize_with = "text")]
    pub two_dimension_code: String,
    /// AB mark; may be empty.
    #[serde(deserialize_with = "text")]
    pub ab_flag: String,
    /// `1`: print XB.
    #[serde(deserialize_with = "text")]
    pub xb_flag: String,
    /// Eight characters for the icons (heavy, crab, fresh, fragile, …).
    #[serde(deserialize_with = "text")]
    pub print_icon: String,
}

/// The gateway's envelope, taken apart: the business data of a success, or the code and words of a refusal.
pub(crate) enum Reply {
    Done(Value),
    Refused { code: String, text: String },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outer {
    #[serde(deserialize_with = "text")]
    api_result_code: String,
    #[serde(default, deserialize_with = "text")]
    api_error_msg: String,
    #[serde(default)]
    api_result_data: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inner {
    #[serde(default, deserialize_with = "text")]
    success: String,
    #[serde(default, deserialize_with = "text")]
    error_code: String,
    #[serde(default, deserialize_with = "text")]
    error_msg: String,
    #[serde(default)]
    msg_data: Value,
}

/// Reads an answer. Success takes all three: A1000 and `success` and S0000.
pub(crate) fn read(bytes: &[u8]) -> Result<Reply, String> {
    let outer: Outer =
        serde_json::from_slice(bytes).map_err(|e| format!("the answer is not SF's JSON: {e}"))?;
    if outer.api_result_code != "A1000" {
        return Ok(Reply::Refused { code: outer.api_result_code, text: outer.api_error_msg });
    }
    let inner: Inner =
        nested(outer.api_result_data).map_err(|e| format!("apiResultData is not SF's JSON: {e}"))?;
    match (inner.success.as_str(), inner.error_code.as_str()) {
        ("true", "S0000") => Ok(Reply::Done(inner.msg_data)),
        (_, "" | "S0000") => Err("SF reports neither success nor an error code".to_owned()),
        (_, code) => Ok(Reply::Refused { code: code.to_owned(), text: inner.error_msg }),
    }
}

/// A value that SF gives as an object in one place and as a string of JSON in another.
fn nested<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, serde_json::Error> {
    match value {
        Value::String(json) => serde_json::from_str(&json),
        value => serde_json::from_value(value),
    }
}

/// A string, a number, a boolean or nothing, as text.
fn text<'de, D: Deserializer<'de>>(input: D) -> Result<String, D::Error> {
    match Value::deserialize(input)? {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Array(_) | Value::Object(_) => Err(serde::de::Error::custom("expected a plain value")),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OrderReply {
    #[serde(default, deserialize_with = "text")]
    order_id: String,
    // The look-up spells both codes in small letters.
    #[serde(default, alias = "origincode", deserialize_with = "text")]
    origin_code: String,
    #[serde(default, alias = "destcode", deserialize_with = "text")]
    dest_code: String,
    #[serde(default, deserialize_with = "text")]
    filter_result: String,
    #[serde(default, deserialize_with = "text")]
    remark: String,
    #[serde(default)]
    waybill_no_info_list: Option<Vec<WaybillInfo>>,
    #[serde(default)]
    route_label_info: Option<Vec<RouteLabelInfo>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WaybillInfo {
    #[serde(default, deserialize_with = "text")]
    waybill_type: String,
    #[serde(default, deserialize_with = "text")]
    waybill_no: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RouteLabelInfo {
    #[serde(default, deserialize_with = "text")]
    code: String,
    #[serde(default)]
    route_label_data: Option<RouteLabel>,
}

/// Why the data of a successful answer is not an order with a waybill.
pub(crate) enum Unfit {
    /// SF says no, or not yet.
    Answered(SfError),
    /// The answer cannot be trusted; the text says why.
    Malformed(String),
}

/// Reads `msgData` of a create or a look-up.
pub(crate) fn order(data: Value, order_id: &str, recovered: bool) -> Result<Created, Unfit> {
    let reply: OrderReply =
        nested(data).map_err(|e| Unfit::Malformed(format!("msgData is not an order: {e}")))?;
    if reply.order_id != order_id {
        return Err(Unfit::Malformed("the answer speaks of another order".to_owned()));
    }
    if reply.filter_result == "3" {
        return Err(match crate::error::verdict(order_id, "filterResult 3", &reply.remark) {
            crate::error::Verdict::Refused(error) => Unfit::Answered(error),
            _ => Unfit::Malformed("filterResult 3".to_owned()),
        });
    }
    let later = |cause: &str| {
        Unfit::Answered(SfError::Later { order_id: order_id.to_owned(), cause: cause.to_owned() })
    };
    let waybill = reply.waybill_no_info_list.unwrap_or_default().into_iter().find(|w| w.waybill_type == "1");
    let Some(WaybillInfo { waybill_no: waybill, .. }) = waybill else {
        return Err(later("SF has the order and no waybill for it yet"));
    };
    let legal = (10..=20).contains(&waybill.len())
        && waybill.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    if !legal {
        return Err(Unfit::Malformed("the waybill number has an unknown form".to_owned()));
    }
    let labels = reply.route_label_info.unwrap_or_default().into_iter();
    let label = labels.filter(|l| l.code == "1000").filter_map(|l| l.route_label_data);
    let Some(route_label) = label.into_iter().find(|l| l.waybill_no == waybill) else {
        return Err(later("SF has the waybill and no route label for it yet"));
    };
    // A parcel sorted by another waybill's code goes astray without anybody noticing here.
    if route_label.dest_route_label.is_empty() || !route_label.two_dimension_code.contains(&waybill) {
        return Err(Unfit::Malformed("the route label does not belong to the waybill".to_owned()));
    }
    Ok(Created {
        manual_check: reply.filter_result == "1",
        origin_code: reply.origin_code,
        dest_code: reply.dest_code,
        waybill,
        recovered,
        route_label,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn label() -> Value {
        json!([{"code": "1000", "routeLabelData": {"waybillNo": "SF7444000000001", "destRouteLabel": "592W-A1-006",
            "codingMapping": "K35", "twoDimensionCode": "MMM={'k5':'SF7444000000001'}", "proCode": "T4", "xbFlag": 0}}])
    }

    #[test]
    fn a_look_up_gives_numbers_as_strings_and_small_codes() {
        let data = json!({"orderId": "A", "origincode": "769", "destcode": "592", "filterResult": "2",
            "waybillNoInfoList": [{"waybillType": 1, "waybillNo": "SF7444000000001"}], "routeLabelInfo": label()});
        let Ok(created) = order(data, "A", true) else { panic!("an order") };
        assert_eq!((created.origin_code.as_str(), created.dest_code.as_str()), ("769", "592"));
        assert_eq!(created.route_label.xb_flag, "0");
        assert!(created.recovered && !created.manual_check);
    }

    #[test]
    fn an_answer_for_another_order_or_another_waybill_is_not_trusted() {
        let data = |id: &str, waybill: &str| {
            json!({"orderId": id, "filterResult": 2, "routeLabelInfo": label(),
                "waybillNoInfoList": [{"waybillType": "1", "waybillNo": waybill}]})
        };
        assert!(matches!(order(data("B", "SF7444000000001"), "A", false), Err(Unfit::Malformed(_))));
        assert!(matches!(order(data("A", "../SF74440000"), "A", false), Err(Unfit::Malformed(_))));
        assert!(matches!(order(data("A", "SF7444000000002"), "A", false), Err(Unfit::Answered(_))));
    }

    #[test]
    fn a1000_alone_is_not_success() {
        let envelope = |inner: Value| json!({"apiResultCode": "A1000", "apiResultData": inner}).to_string();
        let failed = envelope(json!({"success": false, "errorCode": "S0000"}));
        assert!(read(failed.as_bytes()).is_err());
        let refused = envelope(json!(r#"{"success":false,"errorCode":"8256","errorMsg":"x"}"#));
        assert!(matches!(read(refused.as_bytes()), Ok(Reply::Refused { code, .. }) if code == "8256"));
        let done = envelope(json!({"success": "true", "errorCode": "S0000", "msgData": {}}));
        assert!(matches!(read(done.as_bytes()), Ok(Reply::Done(_))));
    }

    proptest! {
        #[test]
        fn no_answer_panics_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..300), json in "\\PC{0,60}") {
            let _ = read(&bytes);
            let inner = json!({"apiResultCode": "A1000", "apiResultData": json}).to_string();
            let _ = read(inner.as_bytes());
            let _ = order(Value::String(json), "A", false);
        }

        #[test]
        fn a_damaged_answer_gives_its_own_waybill_or_none(
            at in any::<prop::sample::Index>(), with in any::<[u8; 2]>(), cut in any::<prop::sample::Index>(), cuts: bool,
        ) {
            let data = json!({"orderId": "A", "filterResult": 2, "routeLabelInfo": label(),
                "waybillNoInfoList": [{"waybillType": "1", "waybillNo": "SF7444000000001"}]});
            let inner = json!({"success": true, "errorCode": "S0000", "msgData": data}).to_string();
            let mut bytes = json!({"apiResultCode": "A1000", "apiResultData": inner}).to_string().into_bytes();
            let at = at.index(bytes.len() - 1);
            bytes[at..at + 2].copy_from_slice(&with);
            if cuts {
                bytes.truncate(cut.index(bytes.len()));
            }
            if let Ok(Reply::Done(data)) = read(&bytes)
                && let Ok(created) = order(data, "A", false)
            {
                // One place was damaged: a waybill that stands in three places is still the right one, or told as unfit.
                prop_assert_eq!(created.waybill, "SF7444000000001");
            }
        }
    }
}
