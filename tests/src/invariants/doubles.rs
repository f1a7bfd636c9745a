//! What SF, Alipay, the SMS service and the invoice service have, from the files of their doubles.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, de::DeserializeOwned};

/// All of them. A double makes its file when there is something to keep.
#[derive(Clone, Debug, Default)]
pub(super) struct Doubles {
    pub sf: Vec<Shipment>,
    pub alipay: Vec<Trade>,
    pub sms: Vec<Sent>,
    pub invoices: Vec<Made>,
}

/// A waybill that SF gave.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Shipment {
    pub order_id: String,
    pub waybill: String,
}

/// A trade at Alipay.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Trade {
    pub out_trade_no: String,
    pub trade_no: String,
    pub fen: i64,
    pub paid_ms: Option<i64>,
    /// Whether a notice of it was answered with `success`.
    pub acknowledged: bool,
    pub refunds: Vec<GoneBack>,
}

/// A refund at Alipay.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct GoneBack {
    pub out_request_no: String,
    pub fen: i64,
}

/// An SMS that was sent. Codes have no id.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Sent {
    pub out_id: String,
}

/// An invoice at its provider.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Made {
    pub order_no: String,
    /// In yuan.
    pub amount: String,
    /// 20 being made, 2 made, 22 failed, 3 void.
    pub status: u8,
    pub number: String,
    /// Id and number of the red one.
    pub red: Option<(String, String)>,
}

impl Made {
    /// Whether it is there or will be.
    pub fn counts(&self) -> bool {
        matches!(self.status, 20 | 2)
    }
}

/// Reads the doubles' folder.
pub(super) fn read(folder: &Path) -> Result<Doubles> {
    Ok(Doubles {
        sf: list(&folder.join("sf.json"))?,
        alipay: list(&folder.join("alipay.json"))?,
        sms: list(&folder.join("sms.json"))?,
        invoices: list(&folder.join("invoices.json"))?,
    })
}

fn list<T: DeserializeOwned>(file: &Path) -> Result<Vec<T>> {
    match std::fs::read(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        read => serde_json::from_slice(&read?).with_context(|| format!("{}", file.display())),
    }
}
