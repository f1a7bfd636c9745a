//! What the portal wrote down of money, messages and invoices.

use sqlx::FromRow;

/// An attempt to pay by Alipay.
#[derive(Clone, Debug, FromRow)]
pub(in super::super) struct Payment {
    pub out_trade_no: String,
    pub order_number: String,
    pub amount_fen: i64,
    pub state: String,
    pub trade_no: Option<String>,
    pub paid_fen: Option<i64>,
    pub trouble: Option<String>,
}

impl Payment {
    /// Whether the money came, wherever it is now.
    pub fn came(&self) -> bool {
        matches!(self.state.as_str(), "paid" | "refunded")
    }

    /// Whether it is what its order was paid with.
    pub fn counts(&self) -> bool {
        self.came() && self.trouble.is_none()
    }
}

/// Money that goes back.
#[derive(Clone, Debug, FromRow)]
pub(in super::super) struct Refund {
    pub out_request_no: String,
    pub out_trade_no: String,
    pub amount_fen: i64,
    pub state: String,
}

/// A notice of Alipay that was taken.
#[derive(Clone, Debug, FromRow)]
pub(in super::super) struct Notice {
    pub out_trade_no: String,
    pub status: String,
    pub outcome: String,
}

/// An SMS about an order.
#[derive(Clone, Debug, FromRow)]
pub(in super::super) struct Message {
    pub id: String,
    pub order_number: String,
    pub kind: String,
    pub state: String,
    pub sends: i64,
}

/// An order's invoice.
#[derive(Clone, Debug, FromRow)]
pub(in super::super) struct Invoice {
    pub order_number: String,
    pub state: String,
    pub red: i64,
    pub number: Option<String>,
    pub red_number: Option<String>,
}
