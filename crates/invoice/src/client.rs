//! The calls themselves.

use std::{
    sync::{PoisonError, RwLock},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use call::{CallError, Caller};
use model::{Endpoint, Secret};
use ring::hmac;
use serde_json::{Value, json};
use tracing::debug;

use crate::{
    error::{InvoiceError, Refusal, Why},
    reply::{self, Answer, Red, Session, Status},
    request::{NewInvoice, NewRed},
};

const ANSWER_BYTES_MAX: u64 = 256 * 1024;
const PDF_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What one account at the provider needs, checked by [`Client::new`].
#[derive(Clone, Debug)]
pub struct Settings {
    /// Such as `https://sdk.nuonuo.com/open/v1/services`. Plain `http` only to this machine.
    pub endpoint: String,
    /// The app's key.
    pub app_key: String,
    /// The app's secret.
    pub app_secret: Secret,
    /// The access token to begin with; see [`Client::set_access_token`].
    pub access_token: Secret,
    /// The seller's tax number.
    pub tax_number: String,
    /// The longest one call may take, connection and body included.
    pub timeout: Duration,
}

/// The provider, for one seller. Calls block; share it between threads.
#[derive(Debug)]
pub struct Client {
    settings: Settings,
    /// Providers change it every day or so.
    access_token: RwLock<Secret>,
    endpoint: Endpoint,
    caller: Caller,
}

impl Client {
    /// A client with these settings. Nothing is sent yet.
    ///
    /// # Errors
    /// [`InvoiceError::Settings`] names the setting that cannot work.
    pub fn new(settings: Settings) -> Result<Self, InvoiceError> {
        let fault = |field, remedy: &str| InvoiceError::Settings { field, remedy: remedy.to_owned() };
        let endpoint = Endpoint::new(&settings.endpoint)
            .map_err(|error| InvoiceError::Settings { field: "endpoint", remedy: error.to_string() })?;
        let is_word = |text: &str| {
            !text.is_empty() && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric())
        };
        if !is_word(&settings.app_key) {
            return Err(fault("app_key", "give the app's key of the provider's console"));
        }
        if !is_word(&settings.tax_number) {
            return Err(fault("tax_number", "give the seller's tax number"));
        }
        if settings.app_secret.is_empty() {
            return Err(fault("app_secret", "give the app's secret of the provider's console"));
        }
        if token(&settings.access_token).is_none() {
            return Err(fault("access_token", "give the access token as the provider gave it"));
        }
        if settings.timeout.is_zero() {
            return Err(fault("timeout", "give at least one second"));
        }
        let access_token = RwLock::new(settings.access_token.clone());
        Ok(Self { caller: Caller::new(&endpoint, settings.timeout), settings, access_token, endpoint })
    }

    /// Calls with this access token from now on, if it can be one.
    pub fn set_access_token(&self, new: Secret) {
        if token(&new).is_some() {
            *self.access_token.write().unwrap_or_else(PoisonError::into_inner) = new;
        }
    }

    /// Asks for an invoice. The same `order_no` again is the same invoice, whatever else it says.
    ///
    /// # Errors
    /// By who must act: see [`InvoiceError`].
    pub fn submit(&self, invoice: &NewInvoice) -> Result<(), InvoiceError> {
        invoice.check()?;
        let body = invoice.json(&self.settings.tax_number);
        self.call("nuonuo.OpeMplatform.requestBillingNew", &body).map(drop)
    }

    /// What became of the invoice of this order number.
    ///
    /// # Errors
    /// By who must act: see [`InvoiceError`].
    pub fn query(&self, order_no: &str) -> Result<Status, InvoiceError> {
        let body = json!({ "orderNos": [order_no], "isOfferInvoiceDetail": "0" });
        match self.ask("nuonuo.OpeMplatform.queryInvoiceResult", &body)? {
            Answer::Done(result) => reply::status(&result, order_no),
            Answer::Known | Answer::Absent => Ok(Status::Unknown),
        }
    }

    /// The PDF at an address that [`Client::query`] gave.
    ///
    /// # Errors
    /// [`InvoiceError::Later`] also when what lies there is no PDF: it may not be ready.
    pub fn download(&self, pdf_url: &str) -> Result<Vec<u8>, InvoiceError> {
        let later = |cause: String| InvoiceError::Later(format!("its PDF could not be fetched: {cause}"));
        let fetched = self.caller.fetch(pdf_url, PDF_BYTES_MAX).and_then(call::Answer::ok);
        let bytes = fetched.map_err(|error| later(error.to_string()))?;
        if bytes.starts_with(b"%PDF-") { Ok(bytes) } else { Err(later("it is no PDF".to_owned())) }
    }

    /// Asks for a red invoice that takes a blue one back. The same `bill_id` again is the same request.
    ///
    /// # Errors
    /// By who must act: see [`InvoiceError`].
    pub fn redden(&self, red: &NewRed) -> Result<(), InvoiceError> {
        let body = red.json(&self.settings.tax_number);
        let refused = match self.call("nuonuo.OpeMplatform.saveInvoiceRedConfirm", &body) {
            Err(InvoiceError::Refused(refusal)) if refusal.why == Why::Invoice => refusal,
            other => return other.map(drop),
        };
        // A used id is refused under several codes: if the form is there, it is ours.
        match self.red(&red.bill_id)? {
            Red::Unknown => Err(refused.into()),
            _ => Ok(()),
        }
    }

    /// What became of the red invoice with this id.
    ///
    /// # Errors
    /// By who must act: see [`InvoiceError`].
    pub fn red(&self, bill_id: &str) -> Result<Red, InvoiceError> {
        let body = json!({ "identity": "0", "billId": bill_id });
        match self.ask("nuonuo.OpeMplatform.queryInvoiceRedConfirm", &body)? {
            Answer::Done(result) => Ok(reply::red(&result, bill_id)),
            Answer::Known | Answer::Absent => Ok(Red::Unknown),
        }
    }

    /// Whether the seller's log-in at the tax bureau is alive.
    ///
    /// # Errors
    /// By who must act: see [`InvoiceError`].
    pub fn session(&self) -> Result<Session, InvoiceError> {
        let status = |kind: &str| {
            let answer =
                self.call("nuonuo.OpeMplatform.getCertificationStatus", &json!({ "queryType": kind }))?;
            Ok::<_, InvoiceError>(match answer {
                Answer::Done(result) => result,
                Answer::Known | Answer::Absent => Value::Null,
            })
        };
        Ok(reply::session(&status("2")?, &status("1")?))
    }

    /// A question. Only the account can be wrong about it: any other no says nothing about the invoice, and is asked again.
    fn ask(&self, method: &'static str, body: &Value) -> Result<Answer, InvoiceError> {
        match self.call(method, body) {
            Err(InvoiceError::Refused(refusal)) if refusal.why == Why::Invoice => {
                Err(InvoiceError::Later(refusal.to_string()))
            }
            other => other,
        }
    }

    /// One signed call.
    fn call(&self, method: &'static str, body: &Value) -> Result<Answer, InvoiceError> {
        let settings = &self.settings;
        // The body is sent byte for byte as it is signed.
        let body = body.to_string();
        let id = uuid::Uuid::new_v4();
        let (senid, nonce) = (id.simple().to_string(), format!("{:08}", id.as_u128() % 100_000_000));
        let time = jiff::Timestamp::now().as_second().to_string();
        let signature = sign(&settings.app_secret, &settings.app_key, &senid, &nonce, &time, &body);
        let access_token = self.access_token.read().unwrap_or_else(PoisonError::into_inner).clone();
        let token = token(&access_token).ok_or_else(|| Refusal {
            code: "-".to_owned(),
            text: "the access token is no text".to_owned(),
            why: Why::Account,
        })?;
        debug!(method, senid, "calling the invoice provider");
        let url = format!(
            "{}?senid={senid}&nonce={nonce}&timestamp={time}&appkey={}",
            self.endpoint.as_str(),
            settings.app_key
        );
        let headers = [
            ("content-type", "application/json; charset=UTF-8"),
            ("x-nuonuo-sign", &signature),
            ("accesstoken", token),
            ("usertax", &settings.tax_number),
            ("method", method),
        ];
        let sent = self.caller.post(&url, &headers, body.as_bytes(), ANSWER_BYTES_MAX);
        let answer = sent.map_err(|error: CallError| InvoiceError::Later(error.to_string()))?;
        reply::read(answer.status, &answer.body)
    }
}

/// `X-Nuonuo-Sign`. The path is a constant of the interface, wherever the endpoint lies.
fn sign(secret: &Secret, key: &str, senid: &str, nonce: &str, time: &str, body: &str) -> String {
    let key_and_secret = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.expose());
    let text = format!("a=services&l=v1&p=open&k={key}&i={senid}&n={nonce}&t={time}&f={body}");
    STANDARD.encode(hmac::sign(&key_and_secret, text.as_bytes()))
}

/// The token as a header takes it.
fn token(token: &Secret) -> Option<&str> {
    std::str::from_utf8(token.expose())
        .ok()
        .filter(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_signed_over_its_exact_body() {
        // printf 'a=services&l=v1&p=open&k=KEY&i=S&n=12345678&t=1700000000&f={"a":"中"}' | openssl dgst -sha1 -hmac SECRET -binary | base64
        let expected = "UyZ14usPQ0XCwl2OHPobFDtyiEk=";
        assert_eq!(
            sign(&Secret::from("SECRET"), "KEY", "S", "12345678", "1700000000", r#"{"a":"中"}"#),
            expected
        );
    }
}
