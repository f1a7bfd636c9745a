//! What the provider answers.

use serde_json::Value;

use crate::error::{InvoiceError, Refusal, Why};

const OK: &str = "E0000";
const NOT_FOUND: &str = "E9500";
const DUPLICATE: &str = "E9106";

/// What became of an invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// The provider has none under this order number.
    Unknown,
    /// It is being made.
    Pending,
    /// It is made.
    Issued(Issued),
    /// It was not made, and why.
    Failed(String),
}

/// An invoice that is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// Its number, 20 digits.
    pub number: String,
    /// Where its PDF lies.
    pub pdf_url: String,
}

/// What became of a red invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Red {
    /// The provider knows nothing of it.
    Unknown,
    /// The bureau or the buyer has not confirmed it.
    Pending,
    /// It is made, and its number.
    Issued(String),
    /// It was not made, and why.
    Failed(String),
}

/// Whether the seller's log-in at the tax bureau is alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session {
    /// Invoices can be made.
    Alive,
    /// The seller must log in, or show a face.
    NeedsLogIn,
}

/// What one call's answer says.
pub(crate) enum Answer {
    Done(Value),
    /// The order number was used before.
    Known,
    /// There is nothing of that number.
    Absent,
}

pub(crate) fn read(status: u16, bytes: &[u8]) -> Result<Answer, InvoiceError> {
    let answer: Value = serde_json::from_slice(bytes)
        .map_err(|_| InvoiceError::Later(format!("HTTP {status} with an answer that is no JSON")))?;
    let code = text(&answer, "code");
    match code.as_str() {
        OK if status == 200 => Ok(Answer::Done(answer.get("result").cloned().unwrap_or_default())),
        DUPLICATE => Ok(Answer::Known),
        NOT_FOUND => Ok(Answer::Absent),
        "" | OK => Err(InvoiceError::Later(format!("HTTP {status} {code}"))),
        _ => {
            // The gateway's own codes are digits: key, token, signature, quota. The provider's begin with a letter.
            let gateway = code.bytes().all(|byte| byte.is_ascii_digit());
            let why = if gateway { Why::Account } else { Why::Invoice };
            Err(Refusal { code, text: text(&answer, "describe"), why }.into())
        }
    }
}

/// The status in a result of queryInvoiceResult: a list of one.
pub(crate) fn status(result: &Value, order_no: &str) -> Result<Status, InvoiceError> {
    let list = result.as_array().map(Vec::as_slice).unwrap_or_default();
    let Some(found) = list.iter().find(|invoice| text(invoice, "orderNo") == order_no) else {
        return Ok(if list.is_empty() { Status::Unknown } else { Status::Pending });
    };
    Ok(match text(found, "status").as_str() {
        "2" => {
            let number = [text(found, "allElectronicInvoiceNumber"), text(found, "invoiceNo")];
            let number = number.into_iter().find(|number| is_number(number));
            let number = number
                .ok_or_else(|| InvoiceError::Later("the invoice has no number of 20 digits".to_owned()))?;
            Status::Issued(Issued { number, pdf_url: text_of(found, "pdfUrl", 2_000) })
        }
        "22" | "24" => {
            let causes = [text(found, "failCause"), text(found, "statusMsg")];
            Status::Failed(causes.into_iter().find(|cause| !cause.is_empty()).unwrap_or_default())
        }
        "3" | "31" => Status::Failed("发票已作废 (the invoice was made void at the provider)".to_owned()),
        _ => Status::Pending,
    })
}

/// The red form in a result of queryInvoiceRedConfirm.
pub(crate) fn red(result: &Value, bill_id: &str) -> Red {
    let forms = result.get("list").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let Some(form) = forms.iter().find(|form| text(form, "billId") == bill_id) else { return Red::Unknown };
    let number = text(form, "redInvoiceNumber");
    if is_number(&number) {
        return Red::Issued(number);
    }
    match text(form, "billStatus").as_str() {
        // Denied, timed out, taken back, void; the application itself failed.
        "05" | "06" | "07" | "08" | "09" | "10" | "16" => Red::Failed(text(form, "billMessage")),
        _ => Red::Pending,
    }
}

/// `0`: not logged in. `2`, where identity was asked for: a face is wanted.
pub(crate) fn session(logged_in: &Value, identity: &Value) -> Session {
    let (login, face) = (text(logged_in, "certificationStatus"), text(identity, "certificationStatus"));
    if login == "0" || face == "2" { Session::NeedsLogIn } else { Session::Alive }
}

fn is_number(text: &str) -> bool {
    text.len() == 20 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn text(value: &Value, field: &str) -> String {
    text_of(value, field, 200)
}

/// A field's text or number, at most `most` characters, nothing that could spoil a log.
fn text_of(value: &Value, field: &str, most: usize) -> String {
    let text = match value.get(field) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    text.chars().filter(|c| !c.is_control()).take(most).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const NUMBER: &str = "26000000000000000001";

    #[test]
    fn each_status_is_read() {
        let one = |status: Value| json!([{ "orderNo": "A", "status": status, "allElectronicInvoiceNumber": NUMBER, "pdfUrl": "u", "failCause": "no" }]);
        let read = |status| super::status(&one(status), "A").unwrap();
        assert_eq!(
            read(json!("2")),
            Status::Issued(Issued { number: NUMBER.to_owned(), pdf_url: "u".to_owned() })
        );
        assert_eq!(read(json!(20)), Status::Pending);
        assert_eq!(read(json!("22")), Status::Failed("no".to_owned()));
        assert!(matches!(read(json!("3")), Status::Failed(_)));
        assert_eq!(super::status(&json!([]), "A").unwrap(), Status::Unknown);
        assert_eq!(
            super::status(&one(json!("2")), "B").unwrap(),
            Status::Pending,
            "another order's invoice is not ours"
        );
    }

    #[test]
    fn a_refusal_names_who_must_act() {
        let refused =
            |code: &str| match read(200, json!({ "code": code, "describe": "d" }).to_string().as_bytes()) {
                Err(InvoiceError::Refused(refusal)) => refusal.why,
                _ => panic!("{code}"),
            };
        assert_eq!(refused("070304"), Why::Account);
        assert_eq!(refused("E9103"), Why::Invoice);
    }

    #[test]
    fn a_red_form_is_read() {
        let form = |status: &str, number: &str| json!({ "list": [{ "billId": "R", "billStatus": status, "redInvoiceNumber": number, "billMessage": "no" }] });
        assert_eq!(red(&form("01", NUMBER), "R"), Red::Issued(NUMBER.to_owned()));
        assert_eq!(red(&form("02", ""), "R"), Red::Pending);
        assert_eq!(red(&form("16", ""), "R"), Red::Failed("no".to_owned()));
        assert_eq!(red(&json!({ "list": [] }), "R"), Red::Unknown);
    }

    proptest! {
        #[test]
        fn no_answer_panics(code in 100u16..600, bytes: Vec<u8>) {
            let _ = read(code, &bytes);
        }

        #[test]
        fn an_issued_invoice_has_a_number_of_twenty_digits(state in ".{0,3}", number in ".{0,25}", url in ".{0,3000}") {
            let result = json!([{ "orderNo": "A", "status": state, "allElectronicInvoiceNumber": number, "pdfUrl": url }]);
            if let Ok(Status::Issued(issued)) = status(&result, "A") {
                prop_assert!(is_number(&issued.number) && issued.pdf_url.chars().count() <= 2_000);
            }
            let _ = (red(&result, &number), session(&result, &result));
        }
    }
}
