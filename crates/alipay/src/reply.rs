//! Answers: the signed part exactly as it came, and what it says.

use serde_json::Value;

use crate::{AlipayError, PublicKey};

/// The answer to `method` out of the bytes that came, its signature checked over the raw text.
pub(crate) fn read(bytes: &[u8], method: &str, key: &PublicKey) -> Result<Value, AlipayError> {
    let doubt = |text: &str| AlipayError::InDoubt(text.to_owned());
    let text = std::str::from_utf8(bytes).map_err(|_| doubt("the answer is no UTF-8"))?;
    let whole: Value = serde_json::from_str(text).map_err(|_| doubt("the answer is no JSON"))?;
    let name = format!("{}_response", method.replace('.', "_"));
    // A call that the gateway could not read is answered under this name.
    let name = if whole.get(&name).is_some() { name } else { "error_response".to_owned() };
    let answer = whole.get(&name).ok_or_else(|| doubt("the answer is to another call"))?;
    let sign = whole["sign"].as_str().ok_or_else(|| doubt("the answer has no signature"))?;
    let raw = member(text, &name).ok_or_else(|| doubt("the answer has another form than Alipay's"))?;
    if !key.signed(raw.as_bytes(), sign) {
        return Err(doubt("the answer's signature is wrong: is 支付宝公钥 of the settings the right one?"));
    }
    // The signature is over `raw`; what was parsed from the whole might be another member of the same name.
    if serde_json::from_str::<Value>(raw).ok().as_ref() != Some(answer) {
        return Err(doubt("the answer says two things at once"));
    }
    verdict(answer)
}

fn verdict(answer: &Value) -> Result<Value, AlipayError> {
    let field = |name: &str| answer[name].as_str().unwrap_or_default();
    let code = if field("sub_code").is_empty() { field("code") } else { field("sub_code") };
    match field("code") {
        "10000" => Ok(answer.clone()),
        "20000" => Err(AlipayError::Later(format!("{code} {}", field("sub_msg")))),
        "40001" | "40002" | "40003" | "40004" | "40006" | "20001" => {
            Err(AlipayError::Refused { code: code.to_owned(), text: field("sub_msg").to_owned() })
        }
        other => Err(AlipayError::InDoubt(format!("the answer has the unknown code {other:?}"))),
    }
}

/// The raw text of a member of the outermost object; `text` is valid JSON already.
fn member<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = text.trim_start().strip_prefix('{')?;
    loop {
        rest = rest.trim_start();
        let key_end = value_end(rest)?;
        let key: String = serde_json::from_str(rest.get(..key_end)?).ok()?;
        rest = rest.get(key_end..)?.trim_start().strip_prefix(':')?.trim_start();
        let end = value_end(rest)?;
        let value = rest.get(..end)?;
        if key == name {
            return Some(value.trim_end());
        }
        rest = rest.get(end..)?.trim_start().strip_prefix(',')?;
    }
}

/// Where the value that `text` begins with ends.
fn value_end(text: &str) -> Option<usize> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    in_string = false;
                    if depth == 0 {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => return Some(at),
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            b',' if depth == 0 => return Some(at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn key() -> PublicKey {
        PublicKey::read(include_str!("../tests/alipay-public.pem")).unwrap()
    }

    fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[\\PC{}\\[\\]\",:\\\\]{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map("[a-z\"{}]{0,6}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_raw_text_of_a_member_is_that_member(before in json_value(), wanted in json_value(), pretty in any::<bool>()) {
            let whole = json!({"a": before, "wanted": wanted, "z": "x"});
            let text = if pretty { serde_json::to_string_pretty(&whole).unwrap() } else { whole.to_string() };
            let raw = member(&text, "wanted").unwrap();
            prop_assert_eq!(serde_json::from_str::<Value>(raw).unwrap(), wanted);
        }

        #[test]
        fn no_bytes_panic_and_none_is_believed(bytes in prop::collection::vec(any::<u8>(), 0..200), body in json_value(), sign in "\\PC{0,20}") {
            let signed = json!({"alipay_trade_query_response": body, "sign": sign}).to_string();
            for bytes in [bytes, signed.into_bytes()] {
                prop_assert!(matches!(read(&bytes, "alipay.trade.query", &key()), Err(AlipayError::InDoubt(_))));
            }
        }
    }
}
