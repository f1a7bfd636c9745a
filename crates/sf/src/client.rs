//! The calls themselves.

use std::{
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use call::{CallError, Caller};
use tracing::{debug, warn};

use crate::{
    CreateOrder, Created, Settings, SfError,
    error::{Verdict, verdict},
    reply::{self, Reply, Unfit},
    sign::form_encode,
};

/// The longest answer that is read; SF's are a few kilobytes.
const ANSWER_BYTES_MAX: u64 = 256 * 1024;

/// SF's gateway, for one account. Calls block; share it between threads.
#[derive(Debug)]
pub struct Client {
    settings: Settings,
    caller: Caller,
}

/// One call's end, before it is known what it means for the order.
enum Answer {
    Read(Reply),
    /// The request did not leave this machine.
    NotSent(String),
    /// It may have been carried out.
    Lost(String),
}

/// A look-up's end.
enum Found {
    Order(Box<Created>),
    Absent,
    Unknown(String),
}

impl Client {
    /// A client with these settings. Nothing is sent yet.
    ///
    /// # Errors
    /// [`SfError::Settings`] names the setting that cannot work.
    pub fn new(settings: Settings) -> Result<Self, SfError> {
        let caller = Caller::new(&settings.check()?, settings.timeout);
        Ok(Self { settings, caller })
    }

    /// Orders one parcel, freight collect, and gives back its waybill and the data of its label.
    ///
    /// The order id is the idempotency key: however often this is called with one id there is at most one waybill. Write
    /// the order down before calling. Blocks for at most `timeout` × (1 + `search_attempts`) and the pauses between.
    ///
    /// # Errors
    /// By who must act: see [`SfError`].
    pub fn create_order(&self, order: &CreateOrder) -> Result<Created, SfError> {
        order.check()?;
        let id = order.order_id.as_str();
        let later = |cause: String| SfError::Later { order_id: id.to_owned(), cause };
        let data = order.msg_data(self.settings.express_type_id).map_err(|e| later(e.to_string()))?;
        let doubt = match self.call("EXP_RECE_CREATE_ORDER", &data) {
            Answer::NotSent(cause) => return Err(later(cause)),
            Answer::Lost(cause) => cause,
            Answer::Read(Reply::Done(data)) => match reply::order(data, id, false) {
                Ok(created) => return Ok(created),
                Err(Unfit::Answered(error)) => return Err(error),
                Err(Unfit::Malformed(cause)) => cause,
            },
            Answer::Read(Reply::Refused { code, text }) => match verdict(id, &code, &text) {
                Verdict::Refused(error) => return Err(error),
                Verdict::Exists => return self.existing(id),
                Verdict::Absent => return Err(later(format!("SF answered {code} to a new order"))),
                Verdict::InDoubt(cause) => cause,
            },
        };
        warn!(order = id, %doubt, "SF's answer to a new order is missing; looking the order up");
        match self.search(id)? {
            Found::Order(created) => Ok(*created),
            Found::Absent => Err(later(format!("{doubt}; SF has no such order"))),
            Found::Unknown(cause) => {
                Err(SfError::OutcomeUnknown { order_id: id.to_owned(), cause: format!("{doubt}; {cause}") })
            }
        }
    }

    /// The waybill of an order that SF says it has.
    fn existing(&self, id: &str) -> Result<Created, SfError> {
        debug!(order = id, "SF has this order id already; looking it up");
        let cause = match self.search(id)? {
            Found::Order(created) => return Ok(*created),
            Found::Absent => {
                "SF refuses the id as used (8016) and finds no order under it; it may have been cancelled"
                    .into()
            }
            Found::Unknown(cause) => cause,
        };
        Err(SfError::OutcomeUnknown { order_id: id.to_owned(), cause })
    }

    /// Looks an order up, a bounded number of times: an order may appear a moment after its answer was lost.
    fn search(&self, id: &str) -> Result<Found, SfError> {
        let data = serde_json::json!({"orderId": id, "searchType": "1", "language": "zh-CN"}).to_string();
        let mut pause = self.settings.search_pause;
        let mut found = Found::Absent;
        for attempt in 0..self.settings.search_attempts {
            if attempt > 0 {
                thread::sleep(pause);
                pause *= 2;
            }
            found = match self.call("EXP_RECE_SEARCH_ORDER_RESP", &data) {
                Answer::NotSent(cause) | Answer::Lost(cause) => Found::Unknown(cause),
                Answer::Read(Reply::Done(data)) => match reply::order(data, id, true) {
                    Ok(created) => return Ok(Found::Order(Box::new(created))),
                    Err(Unfit::Answered(error)) => return Err(error),
                    Err(Unfit::Malformed(cause)) => Found::Unknown(cause),
                },
                Answer::Read(Reply::Refused { code, text }) => match verdict(id, &code, &text) {
                    Verdict::Absent => Found::Absent,
                    _ => Found::Unknown(format!("the look-up was answered {code}")),
                },
            };
        }
        Ok(found)
    }

    /// One signed call.
    fn call(&self, service: &'static str, msg_data: &str) -> Answer {
        let settings = &self.settings;
        let Ok(now) = SystemTime::now().duration_since(UNIX_EPOCH) else {
            return Answer::NotSent("this machine's clock stands before 1970".to_owned());
        };
        let timestamp = now.as_millis().to_string();
        let digest = settings.sign_mode.digest(msg_data, &timestamp, &settings.checkword);
        let request_id = uuid::Uuid::new_v4().to_string();
        let body = form(&[
            ("partnerID", &settings.partner_id),
            ("requestID", &request_id),
            ("serviceCode", service),
            ("timestamp", &timestamp),
            ("msgDigest", &digest),
            ("msgData", msg_data),
        ]);
        debug!(service, request_id, "calling SF");
        let form = [("content-type", "application/x-www-form-urlencoded; charset=UTF-8")];
        let sent = self.caller.post(&settings.endpoint, &form, &body, ANSWER_BYTES_MAX);
        match sent.and_then(call::Answer::ok) {
            Ok(bytes) => reply::read(&bytes).map_or_else(Answer::Lost, Answer::Read),
            Err(CallError::NotSent(cause)) => Answer::NotSent(cause),
            Err(CallError::Lost(cause)) => Answer::Lost(cause),
        }
    }
}

fn form(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        if !body.is_empty() {
            body.push(b'&');
        }
        body.extend_from_slice(name.as_bytes());
        body.push(b'=');
        form_encode(value.as_bytes(), |piece| body.extend_from_slice(piece));
    }
    body
}
