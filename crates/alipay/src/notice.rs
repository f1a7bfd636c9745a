//! Notices of payments: a form, signed by Alipay, that anybody could send.

use jiff::Timestamp;
use model::Fen;

use crate::{
    PublicKey,
    amount::fen,
    trade::{TradeStatus, china_time},
};

/// The longest notice that is read; Alipay's are some two kilobytes.
const BYTES_MAX: usize = 16 * 1024;
/// Fields at most; Alipay's have some thirty.
const FIELDS_MAX: usize = 100;

/// A notice that Alipay signed, for our app and our account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Alipay's number of the notice; the same when it is sent again.
    pub notify_id: String,
    /// Our number of the trade.
    pub out_trade_no: String,
    /// Alipay's number of the trade.
    pub trade_no: String,
    /// Where it stands.
    pub status: TradeStatus,
    /// How much the trade is over.
    pub amount: Fen,
    /// When it was paid, by Alipay's clock; `None` where the notice does not say.
    pub paid: Option<Timestamp>,
}

/// Why a notice is not believed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoticeError {
    /// Too long, or not the form Alipay sends.
    #[error("it has not the form of a notice: {0}")]
    Form(&'static str),
    /// No signature, or not Alipay's.
    #[error("it is not signed by Alipay")]
    Signature,
    /// Signed by Alipay, for another app.
    #[error("it is for another app")]
    App,
    /// Signed by Alipay, for another account.
    #[error("it is for another seller")]
    Seller,
}

impl Notice {
    /// Reads the raw body of a notice: signature first, then whom it is for, then what it says.
    ///
    /// # Errors
    /// Why it is not believed.
    pub(crate) fn read(
        body: &[u8],
        key: &PublicKey,
        app_id: &str,
        seller_id: &str,
    ) -> Result<Self, NoticeError> {
        if body.len() > BYTES_MAX {
            return Err(NoticeError::Form("it is too long"));
        }
        let mut fields: Vec<(String, String)> = form_urlencoded::parse(body)
            .take(FIELDS_MAX + 1)
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        if fields.len() > FIELDS_MAX {
            return Err(NoticeError::Form("it has too many fields"));
        }
        fields.sort();
        if fields.windows(2).any(|pair| matches!(pair, [one, next] if one.0 == next.0)) {
            return Err(NoticeError::Form("it has a field twice"));
        }
        let get =
            |name: &str| fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
        if get("sign_type") != Some("RSA2")
            || !key.signed(content(&fields).as_bytes(), get("sign").unwrap_or_default())
        {
            return Err(NoticeError::Signature);
        }
        if get("app_id") != Some(app_id) {
            return Err(NoticeError::App);
        }
        if get("seller_id") != Some(seller_id) {
            return Err(NoticeError::Seller);
        }
        let text = |name: &str, what| {
            get(name)
                .filter(|text| (1..=128).contains(&text.len()))
                .map(str::to_owned)
                .ok_or(NoticeError::Form(what))
        };
        Ok(Self {
            notify_id: text("notify_id", "it has no notify_id")?,
            out_trade_no: text("out_trade_no", "it has no out_trade_no")?,
            trade_no: text("trade_no", "it has no trade_no")?,
            status: get("trade_status")
                .and_then(TradeStatus::from_word)
                .ok_or(NoticeError::Form("its trade_status is unknown"))?,
            amount: get("total_amount")
                .and_then(fen)
                .ok_or(NoticeError::Form("its total_amount is no amount"))?,
            paid: get("gmt_payment").and_then(china_time),
        })
    }
}

/// What Alipay signs: every field but `sign` and `sign_type`, by name.
fn content(fields: &[(String, String)]) -> String {
    let signed = fields.iter().filter(|(name, _)| name != "sign" && name != "sign_type");
    signed.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> PublicKey {
        PublicKey::read(include_str!("../tests/alipay-public.pem")).unwrap()
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_none_is_believed(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
            fields in prop::collection::vec(("\\PC{0,12}", "\\PC{0,20}"), 0..8),
        ) {
            let form: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
            let signed = format!("{form}&sign_type=RSA2&sign=AAAA");
            for body in [bytes, form.into_bytes(), signed.into_bytes()] {
                prop_assert!(Notice::read(&body, &key(), "a", "s").is_err());
            }
        }
    }

    #[test]
    fn a_field_twice_and_a_long_body_are_refused_before_any_signature() {
        let twice = Notice::read(b"a=1&b=2&a=3", &key(), "a", "s");
        assert_eq!(twice, Err(NoticeError::Form("it has a field twice")));
        assert!(matches!(Notice::read(&[b'a'; 20_000], &key(), "a", "s"), Err(NoticeError::Form(_))));
        let many = "a=1&".repeat(200);
        assert!(matches!(Notice::read(many.as_bytes(), &key(), "a", "s"), Err(NoticeError::Form(_))));
    }
}
