//! The double's trades, in memory and, where wanted, in a file.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

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

pub(crate) struct Store {
    path: Option<PathBuf>,
    trades: Vec<Trade>,
}

impl Store {
    pub(crate) fn open(path: Option<&Path>) -> io::Result<Self> {
        let trades = match path.map(fs::read) {
            None => Vec::new(),
            Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Some(read) => serde_json::from_slice(&read?)?,
        };
        Ok(Self { path: path.map(Path::to_owned), trades })
    }

    pub(crate) fn trades(&self) -> &[Trade] {
        &self.trades
    }

    pub(crate) fn find(&self, out_trade_no: &str, trade_no: &str) -> Option<&Trade> {
        self.trades.iter().find(|trade| {
            if out_trade_no.is_empty() {
                trade.trade_no == trade_no
            } else {
                trade.out_trade_no == out_trade_no
            }
        })
    }

    /// Keeps a new trade, on disk before it is answered.
    pub(crate) fn add(&mut self, mut trade: Trade) -> io::Result<Trade> {
        trade.trade_no = format!("2026000022001400{:012}", self.trades.len() + 1);
        self.trades.push(trade.clone());
        self.save()?;
        Ok(trade)
    }

    /// Changes a trade; on disk before it is answered. `None` if there is none.
    pub(crate) fn change(
        &mut self,
        trade_no: &str,
        change: impl FnOnce(&mut Trade),
    ) -> io::Result<Option<Trade>> {
        let Some(trade) = self.trades.iter_mut().find(|trade| trade.trade_no == trade_no) else {
            return Ok(None);
        };
        change(trade);
        let changed = trade.clone();
        self.save()?;
        Ok(Some(changed))
    }

    fn save(&self) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let partial = path.with_extension("partial");
        let mut file = fs::File::create(&partial)?;
        file.write_all(&serde_json::to_vec_pretty(&self.trades)?)?;
        file.sync_all()?;
        fs::rename(&partial, path)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_restart_keeps_trades() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trades.json");
        let trade = Trade {
            out_trade_no: "A_1".to_owned(),
            trade_no: String::new(),
            subject: "x".to_owned(),
            fen: 1,
            state: TradeState::Waiting,
            notify_url: String::new(),
            return_url: String::new(),
            paid_ms: None,
            notices: 0,
            acknowledged: false,
            refunds: Vec::new(),
        };
        let first = Store::open(Some(&path)).unwrap().add(trade.clone()).unwrap();
        let mut store = Store::open(Some(&path)).unwrap();
        assert_eq!(store.find("A_1", ""), Some(&first));
        assert_ne!(store.add(trade).unwrap().trade_no, first.trade_no);
        fs::write(&path, "[{").unwrap();
        assert!(Store::open(Some(&path)).is_err());
    }
}
