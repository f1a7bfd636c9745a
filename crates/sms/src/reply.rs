//! What the service answers.

use serde_json::Value;

use crate::error::{Refusal, SmsError, why};

/// What became of a message that the service took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The carrier has not said yet.
    Pending,
    /// It arrived.
    Arrived,
    /// The carrier could not deliver it, and its code.
    Failed(String),
}

/// An answer that says `OK`; anything else is an error.
pub(crate) fn read(status: u16, bytes: &[u8]) -> Result<Value, SmsError> {
    let answer: Value = serde_json::from_slice(bytes)
        .map_err(|_| SmsError::Unknown(format!("HTTP {status} with an answer that is no JSON")))?;
    let code = text(&answer, "Code");
    if status == 200 && code == "OK" {
        return Ok(answer);
    }
    let meaning =
        if code.is_empty() || status >= 500 && !code.starts_with("Throttling") { None } else { why(&code) };
    let words = text(&answer, "Message");
    match meaning {
        Some(why) => Err(Refusal { code, text: words, why }.into()),
        None => Err(SmsError::Unknown(format!("HTTP {status} {code} {words}"))),
    }
}

/// The record of the message with this `out_id`, if the service has it.
pub(crate) fn delivery(answer: &Value, out_id: &str) -> Option<Delivery> {
    let records = answer.pointer("/SmsSendDetailDTOs/SmsSendDetailDTO")?.as_array()?;
    let record = records.iter().find(|record| text(record, "OutId") == out_id)?;
    // Numbers come as numbers or as strings.
    let status = &record["SendStatus"];
    let status = status.as_i64().or_else(|| status.as_str()?.parse().ok());
    Some(match status {
        Some(3) => Delivery::Arrived,
        Some(2) => Delivery::Failed(text(record, "ErrCode")),
        _ => Delivery::Pending,
    })
}

/// A field's text, at most 200 characters, nothing that could spoil a log.
pub(crate) fn text(value: &Value, field: &str) -> String {
    let text = value.get(field).and_then(Value::as_str).unwrap_or_default();
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::Why;

    fn refused(status: u16, code: &str) -> SmsError {
        read(status, json!({ "Code": code, "Message": "m" }).to_string().as_bytes()).unwrap_err()
    }

    #[test]
    fn a_refusal_is_told_from_doubt() {
        for (status, code, expected) in [
            (200, "isv.BUSINESS_LIMIT_CONTROL", Why::Limit),
            (200, "isv.MOBILE_NUMBER_ILLEGAL", Why::Message),
            (200, "isv.AMOUNT_NOT_ENOUGH", Why::Account),
            (400, "SignatureDoesNotMatch", Why::Account),
            (503, "Throttling.User", Why::Busy),
        ] {
            let SmsError::Refused(refusal) = refused(status, code) else { panic!("{code}") };
            assert_eq!(refusal.why, expected, "{code}");
        }
        for (status, code) in
            [(200, "isp.SYSTEM_ERROR"), (500, "OK"), (502, "isv.AMOUNT_NOT_ENOUGH"), (200, "")]
        {
            assert!(matches!(refused(status, code), SmsError::Unknown(_)), "{status} {code}");
        }
    }

    #[test]
    fn a_record_is_found_by_its_out_id() {
        let record = |out_id, status: Value| json!({ "OutId": out_id, "SendStatus": status, "ErrCode": "X" });
        let answer = json!({ "SmsSendDetailDTOs": { "SmsSendDetailDTO": [
            record("a", json!(1)), record("b", json!("2")), record("c", json!(3)),
        ] } });
        assert_eq!(delivery(&answer, "a"), Some(Delivery::Pending));
        assert_eq!(delivery(&answer, "b"), Some(Delivery::Failed("X".to_owned())));
        assert_eq!(delivery(&answer, "c"), Some(Delivery::Arrived));
        assert_eq!(delivery(&answer, "d"), None);
        assert_eq!(delivery(&json!({}), "a"), None);
    }

    proptest! {
        #[test]
        fn no_answer_panics(status in 100u16..600, bytes: Vec<u8>) {
            let _ = read(status, &bytes);
        }

        #[test]
        fn nothing_but_ok_is_a_success(status in 100u16..600, code in "[A-Za-z._]{0,20}", words in ".{0,300}") {
            let body = json!({ "Code": code, "Message": words, "SmsSendDetailDTOs": words }).to_string();
            match read(status, body.as_bytes()) {
                Ok(answer) => {
                    prop_assert!(status == 200 && code == "OK");
                    prop_assert_eq!(delivery(&answer, &words), None);
                }
                Err(error) => prop_assert!(!error.to_string().contains('\n')),
            }
        }
    }
}
