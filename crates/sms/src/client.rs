//! The calls themselves.

use std::{fmt, time::Duration};

use call::{CallError, Caller};
use model::{Endpoint, Secret, check_mobile};
use serde_json::Value;
use tracing::debug;

use crate::{
    error::{Refusal, SmsError, Why},
    reply::{self, Delivery},
    sign::{Call, query},
};

const VERSION: &str = "2017-05-25";
const ANSWER_BYTES_MAX: u64 = 64 * 1024;
/// Records asked for at once; a number gets no more than 40 messages a day.
const PAGE_SIZE: &str = "50";

/// What one account at the service needs, checked by [`Client::new`].
#[derive(Clone, Debug)]
pub struct Settings {
    /// Such as `https://dysmsapi.aliyuncs.com`. Plain `http` only to this machine.
    pub endpoint: String,
    /// AccessKey ID.
    pub access_key_id: String,
    /// AccessKey secret.
    pub access_key_secret: Secret,
    /// The longest one call may take, connection and body included.
    pub timeout: Duration,
}

/// One message to one mobile.
#[derive(Clone)]
pub struct Message {
    /// Mainland mobile, 11 digits.
    pub mobile: String,
    /// 签名, without brackets.
    pub sign_name: String,
    /// The template's code, such as `SMS_123456789`.
    pub template: String,
    /// The template's parameters, a JSON object of texts.
    pub parameters: Value,
    /// The caller's own id; the record of the message is found by it.
    pub out_id: String,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("template", &self.template).field("out_id", &self.out_id).finish()
    }
}

/// The service, for one account. Calls block; share it between threads.
#[derive(Debug)]
pub struct Client {
    settings: Settings,
    endpoint: Endpoint,
    caller: Caller,
}

impl Client {
    /// A client with these settings. Nothing is sent yet.
    ///
    /// # Errors
    /// [`SmsError::Settings`] names the setting that cannot work.
    pub fn new(settings: Settings) -> Result<Self, SmsError> {
        let fault = |field, remedy: &str| SmsError::Settings { field, remedy: remedy.to_owned() };
        let endpoint = Endpoint::new(&settings.endpoint)
            .map_err(|error| SmsError::Settings { field: "endpoint", remedy: error.to_string() })?;
        let id = &settings.access_key_id;
        if id.is_empty()
            || id.len() > 128
            || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        {
            return Err(fault("access_key_id", "give the AccessKey ID of a RAM user"));
        }
        if settings.access_key_secret.is_empty() {
            return Err(fault("access_key_secret", "give the AccessKey secret of a RAM user"));
        }
        if settings.timeout.is_zero() {
            return Err(fault("timeout", "give at least one second"));
        }
        Ok(Self { caller: Caller::new(&endpoint, settings.timeout), settings, endpoint })
    }

    /// Sends one message and gives back the service's id of it (BizId). Blocks for at most `timeout`.
    ///
    /// The service takes the same `out_id` twice: after [`SmsError::Unknown`] ask [`Client::delivery`] first.
    ///
    /// # Errors
    /// By what may be done next: see [`SmsError`].
    pub fn send(&self, message: &Message) -> Result<String, SmsError> {
        let mobile = mobile(&message.mobile)?;
        let answer = self.call(
            "SendSms",
            &[
                ("PhoneNumbers", &mobile),
                ("SignName", &message.sign_name),
                ("TemplateCode", &message.template),
                ("TemplateParam", &message.parameters.to_string()),
                ("OutId", &message.out_id),
            ],
        )?;
        Ok(reply::text(&answer, "BizId"))
    }

    /// What became of the message `out_id` that was sent to `mobile` on `day` (`yyyyMMdd`, China); `None` if the service has none.
    ///
    /// # Errors
    /// By what may be done next: see [`SmsError`]. Asking changes nothing and may always be repeated.
    pub fn delivery(
        &self,
        mobile_number: &str,
        day: &str,
        out_id: &str,
    ) -> Result<Option<Delivery>, SmsError> {
        let mobile = mobile(mobile_number)?;
        let answer = self.call(
            "QuerySendDetails",
            &[("PhoneNumber", &mobile), ("SendDate", day), ("PageSize", PAGE_SIZE), ("CurrentPage", "1")],
        )?;
        Ok(reply::delivery(&answer, out_id))
    }

    /// One signed call.
    fn call(&self, action: &'static str, parameters: &[(&str, &str)]) -> Result<Value, SmsError> {
        let query = query(parameters);
        let call = Call {
            host: self.endpoint.authority(),
            path: self.endpoint.path(),
            query: &query,
            action,
            version: VERSION,
            date: &jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            nonce: &uuid::Uuid::new_v4().simple().to_string(),
        };
        debug!(action, nonce = call.nonce, "calling the SMS service");
        let authorization =
            call.authorization(&self.settings.access_key_id, &self.settings.access_key_secret);
        let mut headers = vec![("authorization", authorization.as_str())];
        let signed = call.headers();
        headers.extend(signed.iter().map(|(name, value)| (*name, value.as_str())));
        let sent = self.caller.post(&format!("{}?{query}", self.url()), &headers, &[], ANSWER_BYTES_MAX);
        let answer = sent.map_err(|error| match error {
            CallError::NotSent(cause) => SmsError::NotSent(cause),
            CallError::Lost(cause) => SmsError::Unknown(cause),
        })?;
        reply::read(answer.status, &answer.body)
    }

    /// The endpoint with the path that is signed.
    fn url(&self) -> String {
        let url = self.endpoint.as_str();
        if url.ends_with(self.endpoint.path()) { url.to_owned() } else { format!("{url}/") }
    }
}

fn mobile(text: &str) -> Result<String, SmsError> {
    let refusal = |_| Refusal {
        code: "isv.MOBILE_NUMBER_ILLEGAL".to_owned(),
        text: "no mainland mobile".to_owned(),
        why: Why::Message,
    };
    Ok(check_mobile(text).map_err(refusal)?)
}
