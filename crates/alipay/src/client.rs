//! The calls themselves.

use call::Caller;
use jiff::{Timestamp, civil::Date};
use model::Fen;
use serde_json::{Value, json};
use tracing::debug;

use crate::{
    AlipayError, BillLine, Notice, NoticeError, Offer, Refunded, Settings, Trade, TradeStatus,
    amount::{fen, yuan},
    read_bill, reply,
    trade::{china_text, china_time},
    zip,
};

/// The longest answer that is read; Alipay's are a few kilobytes.
const ANSWER_BYTES_MAX: u64 = 256 * 1024;
/// The longest bill: some 100,000 trades.
const BILL_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// What Alipay says of a number that nobody has begun to pay.
const NO_TRADE: &str = "ACQ.TRADE_NOT_EXIST";
/// What Alipay says of a trade that cannot be closed: its documents have one code, its gateway several.
const NOT_CLOSABLE: [&str; 4] =
    ["TRADE_STATUS_ERROR", "REASON_TRADE_STATUS_INVALID", "REASON_ILLEGAL_STATUS", "TRADE_HAS_CLOSE"];

/// Alipay's gateway, for one app. Calls block; share it between threads.
#[derive(Debug)]
pub struct Client {
    settings: Settings,
    caller: Caller,
}

impl Client {
    /// A client with these settings. Nothing is sent yet.
    ///
    /// # Errors
    /// [`AlipayError::Settings`] names the setting that cannot work.
    pub fn new(settings: Settings) -> Result<Self, AlipayError> {
        let caller = Caller::new(&settings.check()?, settings.timeout);
        Ok(Self { settings, caller })
    }

    /// The text of a QR code by which the offer can be paid. The same offer again gives a code for the same trade.
    ///
    /// # Errors
    /// By what may have happened: see [`AlipayError`].
    pub fn precreate(&self, offer: &Offer) -> Result<String, AlipayError> {
        let answer = self.call("alipay.trade.precreate", &offer_json(offer, "FACE_TO_FACE_PAYMENT"))?;
        if text(&answer, "out_trade_no") != offer.out_trade_no {
            return Err(AlipayError::InDoubt("the answer speaks of another trade".to_owned()));
        }
        let code = text(&answer, "qr_code");
        if code.is_empty() || code.len() > 1024 {
            return Err(AlipayError::InDoubt("the answer has no code".to_owned()));
        }
        Ok(code.to_owned())
    }

    /// The address of Alipay's own page for the offer; nothing is sent, the browser goes there. Afterwards it comes back to `return_url`,
    /// which proves nothing.
    ///
    /// # Errors
    /// [`AlipayError::Later`] if the machine cannot sign.
    pub fn page_url(&self, offer: &Offer, return_url: &str) -> Result<String, AlipayError> {
        let biz = offer_json(offer, "FAST_INSTANT_TRADE_PAY");
        let fields = self.signed("alipay.trade.page.pay", &biz, Some(return_url))?;
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        Ok(format!("{}?{query}", self.settings.endpoint))
    }

    /// The trade under our number; `None` while nobody has begun to pay it.
    ///
    /// # Errors
    /// See [`AlipayError`].
    pub fn query(&self, out_trade_no: &str) -> Result<Option<Trade>, AlipayError> {
        let answer = match self.call("alipay.trade.query", &json!({ "out_trade_no": out_trade_no })) {
            Err(error) if error.is_refusal(NO_TRADE) => return Ok(None),
            answer => answer?,
        };
        let unfit = || AlipayError::InDoubt("the answer speaks of another trade, or of none".to_owned());
        let trade_no = text(&answer, "trade_no");
        if text(&answer, "out_trade_no") != out_trade_no || trade_no.is_empty() || trade_no.len() > 64 {
            return Err(unfit());
        }
        Ok(Some(Trade {
            out_trade_no: out_trade_no.to_owned(),
            trade_no: trade_no.to_owned(),
            status: TradeStatus::from_word(text(&answer, "trade_status")).ok_or_else(unfit)?,
            amount: fen(text(&answer, "total_amount")).ok_or_else(unfit)?,
            paid: china_time(text(&answer, "send_pay_date")),
        }))
    }

    /// Closes an unpaid trade. True if it is closed or was never begun, false if it cannot be: it is paid, or closed already; ask.
    ///
    /// # Errors
    /// See [`AlipayError`].
    pub fn close(&self, out_trade_no: &str) -> Result<bool, AlipayError> {
        match self.call("alipay.trade.close", &json!({ "out_trade_no": out_trade_no })) {
            Ok(_) => Ok(true),
            Err(error) if error.is_refusal(NO_TRADE) => Ok(true),
            Err(AlipayError::Refused { code, .. }) if NOT_CLOSABLE.iter().any(|end| code.ends_with(end)) => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Sends money back. `out_request_no` is the idempotency key: however often this is called with it, the money goes once.
    ///
    /// Alipay says that the money moved by `fund_change` Y alone; after anything else the refund is looked up.
    ///
    /// # Errors
    /// See [`AlipayError`].
    pub fn refund(
        &self,
        out_trade_no: &str,
        out_request_no: &str,
        amount: Fen,
        reason: &str,
    ) -> Result<Refunded, AlipayError> {
        let biz = json!({
            "out_trade_no": out_trade_no, "out_request_no": out_request_no, "refund_amount": yuan(amount),
            "refund_reason": reason,
        });
        let answer = self.call("alipay.trade.refund", &biz)?;
        if text(&answer, "out_trade_no") != out_trade_no {
            return Err(AlipayError::InDoubt("the answer speaks of another trade".to_owned()));
        }
        if text(&answer, "fund_change") == "Y" {
            return Ok(Refunded::Done);
        }
        let done = self.refunded(out_trade_no, out_request_no, amount)?;
        Ok(if done { Refunded::Done } else { Refunded::Pending })
    }

    /// Whether the money of this refund went back.
    ///
    /// # Errors
    /// See [`AlipayError`].
    pub fn refunded(
        &self,
        out_trade_no: &str,
        out_request_no: &str,
        amount: Fen,
    ) -> Result<bool, AlipayError> {
        let biz = json!({ "out_trade_no": out_trade_no, "out_request_no": out_request_no });
        let answer = match self.call("alipay.trade.fastpay.refund.query", &biz) {
            Err(error) if error.is_refusal(NO_TRADE) => return Ok(false),
            answer => answer?,
        };
        // An unknown refund is a success that says nothing. An absent status means success where the refund is told.
        let status = text(&answer, "refund_status");
        let told = text(&answer, "out_request_no") == out_request_no
            && fen(text(&answer, "refund_amount")) == Some(amount);
        Ok(told && (status.is_empty() || status == "REFUND_SUCCESS"))
    }

    /// The bill of a day; Alipay has it from the next morning on. `None`: it has none, because it is not ready, or nothing was traded.
    ///
    /// # Errors
    /// See [`AlipayError`]; a bill that cannot be read is [`AlipayError::InDoubt`].
    pub fn bill(&self, day: Date) -> Result<Option<Vec<BillLine>>, AlipayError> {
        let biz = json!({ "bill_type": "trade", "bill_date": day.to_string() });
        let answer = match self.call("alipay.data.dataservice.bill.downloadurl.query", &biz) {
            Err(AlipayError::Refused { code, .. })
                if code.to_ascii_lowercase().ends_with("bill_not_exist") =>
            {
                return Ok(None);
            }
            answer => answer?,
        };
        let url = secure(text(&answer, "bill_download_url"));
        let mut bytes = self.caller.fetch(&url, BILL_BYTES_MAX)?.ok()?;
        if bytes.starts_with(b"PK") {
            bytes =
                zip::detail(&bytes, BILL_BYTES_MAX).map_err(|what| AlipayError::InDoubt(what.to_owned()))?;
        }
        read_bill(&bytes).map(Some).map_err(|error| AlipayError::InDoubt(error.to_string()))
    }

    /// Reads the raw body of a notice.
    ///
    /// # Errors
    /// Why it is not believed.
    pub fn notice(&self, body: &[u8]) -> Result<Notice, NoticeError> {
        let settings = &self.settings;
        Notice::read(body, &settings.alipay_key, &settings.app_id, &settings.seller_id)
    }

    /// One signed call.
    fn call(&self, method: &'static str, biz: &Value) -> Result<Value, AlipayError> {
        let fields = self.signed(method, biz, None)?;
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        debug!(method, "calling Alipay");
        let url = format!("{}?charset=utf-8", self.settings.endpoint);
        let form = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
        let answer = self.caller.post(&url, &form, body.as_bytes(), ANSWER_BYTES_MAX)?.ok()?;
        reply::read(&answer, method, &self.settings.alipay_key)
    }

    /// The parameters of a call with their signature.
    fn signed(
        &self,
        method: &str,
        biz: &Value,
        return_url: Option<&str>,
    ) -> Result<Vec<(&'static str, String)>, AlipayError> {
        let settings = &self.settings;
        // In the order of their names: that is what is signed.
        let mut fields = vec![
            ("app_id", settings.app_id.clone()),
            ("biz_content", biz.to_string()),
            ("charset", "utf-8".to_owned()),
            ("format", "JSON".to_owned()),
            ("method", method.to_owned()),
            ("notify_url", settings.notify_url.clone()),
        ];
        fields.extend(return_url.map(|url| ("return_url", url.to_owned())));
        fields.extend([
            ("sign_type", "RSA2".to_owned()),
            ("timestamp", china_text(Timestamp::now())),
            ("version", "1.0".to_owned()),
        ]);
        let content: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let sign = settings.app_key.sign(&content.join("&"));
        let sign = sign.ok_or_else(|| AlipayError::Later("this machine has no random bytes".to_owned()))?;
        fields.push(("sign", sign));
        Ok(fields)
    }
}

fn offer_json(offer: &Offer, product: &str) -> Value {
    json!({
        "out_trade_no": offer.out_trade_no, "subject": offer.subject, "total_amount": yuan(offer.amount),
        "product_code": product, "time_expire": china_text(offer.expires),
    })
}

/// The address of a bill, as it may be asked: Alipay writes `http` for machines of its own that serve `https` as well.
fn secure(url: &str) -> String {
    match url.strip_prefix("http://") {
        Some(rest) if rest.split(['/', '?']).next().is_some_and(|host| host.ends_with(".alipay.com")) => {
            format!("https://{rest}")
        }
        _ => url.to_owned(),
    }
}

/// The field as text; empty where it is absent or something else.
fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::secure;

    #[test]
    fn a_bill_is_fetched_in_secret_from_alipay_alone() {
        let bill =
            "http://dwbillcenter.alipay.com/downloadBillFile.resource?bizType=trade&fileId=%2Ftrade%2F1";
        let asked = secure(bill);
        assert_eq!(asked, bill.replace("http://", "https://"));
        assert!(model::Endpoint::new(asked.split('?').next().unwrap()).is_ok(), "it is gone to");
        for other in [
            "http://dwbillcenter.alipay.com.example/x",
            "http://example/.alipay.com",
            "http://example?.alipay.com",
            "http://127.0.0.1:9/alipay/bill/2026-11-22",
            "https://dwbillcenter.alipay.com/x",
            "",
        ] {
            assert_eq!(secure(other), other);
        }
        let named = secure("http://somebody@dwbillcenter.alipay.com/x");
        assert!(model::Endpoint::new(&named).is_err(), "{named}");
    }
}
