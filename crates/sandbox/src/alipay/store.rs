//! The double's trades.

use std::io;

use serde::{Deserialize, Serialize};

use crate::kept::Kept;

/// Where a trade stands, in Alipay's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TradeState {
    /// A code was made and nobody scanned it: to queries there is no trade.
    #[serde(rename = "NOT_SCANNED")]
    NotScanned,
    /// The buyer sees it.
    #[serde(rename = "WAIT_BUYER_PAY")]
    Waiting,
    /// Paid.
    #[serde(rename = "TRADE_SUCCESS")]
    Paid,
    /// Closed unpaid, or refunded whole.
    #[serde(rename = "TRADE_CLOSED")]
    Closed,
}

impl TradeState {
    /// The word on the wire.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::NotScanned => "NOT_SCANNED",
            Self::Waiting => "WAIT_BUYER_PAY",
            Self::Paid => "TRADE_SUCCESS",
            Self::Closed => "TRADE_CLOSED",
        }
    }
}

/// One refund.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refund {
    /// The merchant's number of it.
    pub out_request_no: String,
    /// How much.
    pub fen: u64,
    /// When.
    pub at_ms: i64,
}

/// One trade as the double has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trade {
    /// The merchant's number.
    pub out_trade_no: String,
    /// Alipay's number.
    pub trade_no: String,
    /// What is bought.
    pub subject: String,
    /// How much.
    pub fen: u64,
    /// Where it stands.
    pub state: TradeState,
    /// Where notices go.
    pub notify_url: String,
    /// Where the browser goes after a page pay; empty for a code.
    pub return_url: String,
    /// When it was paid.
    pub paid_ms: Option<i64>,
    /// Notices sent.
    pub notices: u32,
    /// Whether the merchant answered `success`.
    pub acknowledged: bool,
    /// Refunds, oldest first.
    pub refunds: Vec<Refund>,
}

impl Trade {
    /// How much went back.
    #[must_use]
    pub fn refunded(&self) -> u64 {
        self.refunds.iter().map(|refund| refund.fen).sum()
    }
}

impl Kept<Trade> {
    /// The trade under the merchant's number or, where that is empty, Alipay's.
    pub(crate) fn find(&self, out_trade_no: &str, trade_no: &str) -> Option<&Trade> {
        self.all().iter().find(|trade| {
            if out_trade_no.is_empty() {
                trade.trade_no == trade_no
            } else {
                trade.out_trade_no == out_trade_no
            }
        })
    }

    /// Keeps a new trade, on disk before it is answered.
    pub(crate) fn add(&mut self, mut trade: Trade) -> io::Result<Trade> {
        self.change(|trades| {
            trade.trade_no = format!("2026000022001400{:012}", trades.len() + 1);
            trades.push(trade.clone());
            trade
        })
    }

    /// Changes a trade; on disk before it is answered. `None` if there is none.
    pub(crate) fn change_one(
        &mut self,
        trade_no: &str,
        change: impl FnOnce(&mut Trade),
    ) -> io::Result<Option<Trade>> {
        self.change(|trades| {
            let trade = trades.iter_mut().find(|trade| trade.trade_no == trade_no)?;
            change(trade);
            Some(trade.clone())
        })
    }
}
