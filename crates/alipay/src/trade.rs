//! What is asked for and what comes back.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use model::Fen;

/// A payment that is offered to the buyer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Our number of it, the idempotency key: letters, digits and `_`, at most 64.
    pub out_trade_no: String,
    /// What is bought, as the buyer reads it. No personal data.
    pub subject: String,
    /// How much.
    pub amount: Fen,
    /// Until when it may be paid.
    pub expires: Timestamp,
}

/// Where a trade stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TradeStatus {
    /// WAIT_BUYER_PAY.
    Waiting,
    /// TRADE_SUCCESS: paid, may be refunded.
    Paid,
    /// TRADE_FINISHED: paid, not to be refunded any more.
    Finished,
    /// TRADE_CLOSED: never paid, or refunded whole.
    Closed,
}

impl TradeStatus {
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "WAIT_BUYER_PAY" => Self::Waiting,
            "TRADE_SUCCESS" => Self::Paid,
            "TRADE_FINISHED" => Self::Finished,
            "TRADE_CLOSED" => Self::Closed,
            _ => return None,
        })
    }

    /// Whether the money arrived.
    #[must_use]
    pub fn is_paid(self) -> bool {
        matches!(self, Self::Paid | Self::Finished)
    }
}

/// A trade as Alipay has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trade {
    /// Our number.
    pub out_trade_no: String,
    /// Alipay's number.
    pub trade_no: String,
    /// Where it stands.
    pub status: TradeStatus,
    /// How much.
    pub amount: Fen,
    /// When it was paid, by Alipay's clock; `None` while it is not, or where Alipay does not say.
    pub paid: Option<Timestamp>,
}

/// What became of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refunded {
    /// The money went back.
    Done,
    /// Alipay knows of it and does not say yet that the money went back.
    Pending,
}

/// China's time zone: +08:00 the whole year.
fn china() -> TimeZone {
    TimeZone::fixed(jiff::tz::offset(8))
}

/// `yyyy-MM-dd HH:mm:ss` in China, as Alipay writes times.
pub(crate) fn china_text(time: Timestamp) -> String {
    time.to_zoned(china()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A time that Alipay wrote; `None` for anything else.
pub(crate) fn china_time(text: &str) -> Option<Timestamp> {
    let plain = text.len() == 19 && text.bytes().all(|byte| byte.is_ascii_digit() || b"- :".contains(&byte));
    let time = if plain { text.parse::<DateTime>().ok()? } else { return None };
    time.to_zoned(china()).ok().map(|time| time.timestamp())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_time_reads_back_as_written(seconds in 0..4_000_000_000_i64) {
            let time = Timestamp::from_second(seconds).unwrap_or_default();
            prop_assert_eq!(china_time(&china_text(time)), Some(time));
        }

        #[test]
        fn no_text_panics(text in "[0-9 :-]{0,22}|\\PC{0,22}") {
            let _ = china_time(&text);
        }
    }
}
