//! News of an order by SMS to its handler: approved, rejected with the reason, shipped with the waybill.
//!
//! A message is written in the transaction of the change it tells of, and sent afterwards by [`turn`]. The service takes the same message
//! twice, so before it is handed over that is on record, and while the answer is missing the service is asked before anything is sent again.

mod outbox;
mod sending;

use model::OrderNumber;
use sqlx::Row as _;

pub use sending::turn;

use crate::{
    app::AppState,
    db::{Connection, Db, DbError, Row, Sql, Transaction, damaged},
    depths::{Depths, FAILED_MS},
    orders::{self, OrderError, Standing},
};

/// The longest value a template takes.
const VALUE_CHARS_MAX: usize = 35;

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind<'a> {
    /// 审核通过. The template's parameter is `order`.
    Approved,
    /// 审核拒绝. `order` and `reason`.
    Rejected {
        /// Why.
        reason: &'a str,
    },
    /// 已发货: the parcel passed its pack check. `order` and `waybill`.
    Shipped {
        /// The parcel's.
        waybill: &'a str,
    },
}

impl MessageKind<'_> {
    fn code(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Rejected { .. } => "rejected",
            Self::Shipped { .. } => "shipped",
        }
    }
}

/// How far a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageState {
    /// Not sent yet.
    Waiting,
    /// Handed to the service, whose answer is missing.
    Sending,
    /// The service has it.
    Sent,
    /// It arrived.
    Arrived,
    /// It was given up.
    Failed,
}

impl MessageState {
    const ALL: [Self; 5] = [Self::Waiting, Self::Sending, Self::Sent, Self::Arrived, Self::Failed];

    /// The word in the database.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Arrived => "arrived",
            Self::Failed => "failed",
        }
    }

    /// The words on the page, in Chinese and English.
    #[must_use]
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Waiting => ("待发送", "waiting"),
            Self::Sending => ("发送中", "being sent"),
            Self::Sent => ("已发送", "sent"),
            Self::Arrived => ("已送达", "arrived"),
            Self::Failed => ("未送达", "not delivered"),
        }
    }

    fn from_code(code: &str) -> Result<Self, DbError> {
        let found = Self::ALL.into_iter().find(|state| state.code() == code);
        found.ok_or_else(|| damaged(format!("the message state {code:?}")))
    }
}

/// A message as pages show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRow {
    /// `approved`, `rejected` or `shipped`.
    pub kind: String,
    /// How far it is.
    pub state: MessageState,
    /// The service's last complaint; empty: none.
    pub trouble: String,
    /// When it was written.
    pub created_ms: i64,
    /// When it was handed to the service last.
    pub sent_ms: Option<i64>,
}

impl MessageRow {
    /// What it tells, in Chinese and English.
    #[must_use]
    pub fn kind_words(&self) -> (&'static str, &'static str) {
        match self.kind.as_str() {
            "approved" => ("审核通过", "approved"),
            "rejected" => ("审核拒绝", "rejected"),
            _ => ("已发货", "shipped"),
        }
    }
}

/// Writes the message, to be sent once `tx` is committed. Without an SMS service none is written.
///
/// # Errors
/// The order does not open; the database.
pub async fn enqueue(
    tx: &mut Transaction,
    state: &AppState,
    order: &Standing,
    kind: MessageKind<'_>,
) -> Result<(), OrderError> {
    if state.outside.sms.is_none() {
        return Ok(());
    }
    let programme = state.programmes.get(&order.programme);
    let programme =
        programme.ok_or_else(|| damaged(format!("an order of programme {:?}", order.programme)))?;
    let content = orders::known_in(tx, &state.sealer, &order.number).await?.content;
    let sms = &programme.sms;
    let number = order.number.as_str();
    let (template, parameters) = match kind {
        MessageKind::Approved => (&sms.approved, serde_json::json!({ "order": number })),
        MessageKind::Rejected { reason } => {
            (&sms.rejected, serde_json::json!({ "order": number, "reason": short(reason) }))
        }
        MessageKind::Shipped { waybill } => {
            (&sms.shipped, serde_json::json!({ "order": number, "waybill": waybill }))
        }
    };
    let message = outbox::New {
        order: &order.number,
        kind: kind.code(),
        sign_name: &sms.sign_name,
        template,
        mobile: &content.handler.mobile,
        parameters: &parameters,
    };
    Ok(outbox::insert(tx, state, &message).await?)
}

/// Whether a customer was told that the parcel goes, or will be.
///
/// # Errors
/// The database's.
pub(crate) async fn has_shipped(connection: &mut Connection, number: &OrderNumber) -> Result<bool, DbError> {
    let sql = "select 1 from messages where order_number = $1 and kind = 'shipped' limit 1";
    let row = sqlx::query::<Sql>(sql).bind(number.as_str()).fetch_optional(connection).await?;
    Ok(row.is_some())
}

/// What a template takes of a text: one line, cut with a mark where it was longer.
fn short(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = line.trim();
    if line.chars().count() <= VALUE_CHARS_MAX {
        return line.to_owned();
    }
    line.chars().take(VALUE_CHARS_MAX - 1).chain(['…']).collect()
}

/// An order's messages, oldest first.
///
/// # Errors
/// [`DbError`].
pub async fn of_order(state: &AppState, number: &OrderNumber) -> Result<Vec<MessageRow>, DbError> {
    let rows = sqlx::query::<Sql>(
        "select kind, state, trouble, created_ms, sent_ms from messages where order_number = $1 order by created_ms, id",
    )
    .bind(number.as_str())
    .fetch_all(&state.db)
    .await?;
    rows.iter().map(message).collect()
}

fn message(row: &Row) -> Result<MessageRow, DbError> {
    Ok(MessageRow {
        kind: row.try_get("kind")?,
        state: MessageState::from_code(row.try_get("state")?)?,
        trouble: row.try_get("trouble")?,
        created_ms: row.try_get("created_ms")?,
        sent_ms: row.try_get("sent_ms")?,
    })
}

/// Messages of the last fourteen days that were given up and whose news still holds, the newest first, at most `most`. The customer does
/// not know it by SMS.
///
/// # Errors
/// [`DbError`].
pub async fn failed(state: &AppState, most: u16) -> Result<Vec<(OrderNumber, MessageRow)>, DbError> {
    let rows = sqlx::query::<Sql>(
        "select m.order_number, m.kind, m.state, m.trouble, m.created_ms, m.sent_ms from messages m \
         join orders o on o.number = m.order_number where m.state = 'failed' and m.created_ms >= $1 and o.state = case m.kind \
         when 'approved' then 'awaiting_production' when 'rejected' then 'rejected' else 'awaiting_delivery' end \
         order by m.created_ms desc, m.id limit $2",
    )
    .bind(state.clock.now_ms() - FAILED_MS)
    .bind(i64::from(most))
    .fetch_all(&state.db)
    .await?;
    let with_order = |row: &Row| {
        let order: &str = row.try_get("order_number")?;
        let order = order.parse().map_err(|_| damaged(format!("the order number {order:?}")))?;
        Ok((order, message(row)?))
    };
    rows.iter().map(with_order).collect()
}

/// How many messages wait, and how many of the last fourteen days were given up.
///
/// # Errors
/// [`DbError`].
pub async fn depths(db: &Db, now_ms: i64) -> Result<Depths, DbError> {
    let waiting =
        "select count(*) from messages where next_ms is not null and state in ('waiting', 'sending')";
    let dead = "select count(*) from messages where created_ms >= $1 and state = 'failed'";
    Ok(Depths {
        waiting: sqlx::query_scalar::<Sql, i64>(waiting).fetch_one(db).await?,
        dead: sqlx::query_scalar::<Sql, i64>(dead).bind(now_ms - FAILED_MS).fetch_one(db).await?,
    })
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn a_reason_fits_the_template() {
        assert_eq!(short(" 印章\n不清 "), "印章 不清");
        let long = short(&"长".repeat(36));
        assert_eq!((long.chars().count(), long.ends_with('…')), (35, true));
        assert_eq!(short(&"长".repeat(35)).chars().count(), 35);
    }
}
