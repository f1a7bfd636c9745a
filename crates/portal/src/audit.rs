//! The audit: what was done here, each row chained to the one before it and written in the transaction of what it tells.
//!
//! If a row cannot be written its transaction fails, and with it the work: nothing is done here that is not on record.

mod anchors;
mod export;
mod list;

use std::fmt::Display;

use sqlx::Row as _;

pub(crate) use anchors::keep as keep_anchor;
pub use anchors::{Conflict, conflicts};
pub use export::{Exported, export};
pub use list::{Done, PAGE_ROWS, newest};

use crate::db::{Connection, DbError, Sql, damaged};

/// What was done; the words in `audit.what`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// An order was stored.
    OrderReceived,
    /// An order goes into production.
    OrderApproved,
    /// An order was rejected.
    OrderRejected,
    /// An order changed its state otherwise.
    OrderState,
    /// A job was taken from its key and its station.
    JobReleased,
    /// A station was given a key's secrets.
    SecretsGiven,
    /// Both certificates of a key were issued.
    CertificateIssued,
    /// Both certificates of a key were revoked.
    CertificateRevoked,
    /// A parcel has its waybill.
    WaybillCreated,
    /// A parcel's keys were scanned beside its waybill.
    ParcelPacked,
    /// A key was scanned beside a waybill to which it does not belong.
    PackRefused,
    /// A station's report was applied.
    ReportApplied,
    /// A station's report was refused for good.
    ReportRefused,
    /// A station's journal has two histories.
    AnchorConflict,
    /// A one-time code for a station was made.
    StationInvited,
    /// A station was enrolled.
    StationEnrolled,
    /// A station was disabled.
    StationDisabled,
    /// A delivery of blanks was registered.
    StockRegistered,
    /// An operator was added.
    OperatorAdded,
    /// An operator logged in.
    LoggedIn,
    /// Somebody failed to log in.
    LogInFailed,
    /// An operator logged out.
    LoggedOut,
    /// A programme's platform was told of an order's state.
    WebhookSent,
    /// It was not, and is not tried any more.
    WebhookGivenUp,
    /// What was given up is tried anew.
    WebhooksRevived,
    /// A code was sent by SMS.
    CodeSent,
    /// A code was guessed at too often.
    CodeDead,
    /// The SMS service took a message.
    MessageSent,
    /// A message was given up.
    MessageFailed,
    /// An invoice was asked for.
    InvoiceAsked,
    /// An invoice was issued.
    InvoiceIssued,
    /// An invoice could not be made, or not be taken back.
    InvoiceFailed,
    /// An invoice is to be taken back.
    InvoiceTakenBack,
    /// A red invoice took one back.
    InvoiceRed,
    /// A customer was offered to pay.
    PaymentOffered,
    /// Money arrived.
    PaymentReceived,
    /// An offer to pay was closed unpaid.
    PaymentClosed,
    /// Money that had arrived was sent back at the payment service, by nobody here.
    PaymentTakenBack,
    /// Money shall go back.
    RefundWanted,
    /// Money went back.
    RefundDone,
    /// The payment service refuses to send money back.
    RefundStuck,
    /// Somebody says that money Alipay refuses to send back was given back otherwise.
    RefundTold,
    /// It was not, after all.
    RefundUntold,
    /// A picture of a paper came.
    PictureStored,
    /// An operator looked at a picture.
    PictureViewed,
    /// An operator was shown whole numbers.
    NumbersRevealed,
    /// An order's pictures were over their time.
    PicturesDeleted,
    /// What an order said of persons was over its time.
    ContentDeleted,
    /// A customer began an order, or a correction.
    DraftOpened,
    /// A draft was deleted, by its customer or because it was old.
    DraftDeleted,
    /// The agreements that were accepted with an order, and their versions.
    AgreementsAccepted,
    /// An operator has other roles.
    OperatorRoles,
    /// An operator may log in again.
    OperatorEnabled,
    /// An operator may not log in any more.
    OperatorDisabled,
    /// An operator has another password.
    OperatorPassword,
    /// An operator set up a second factor.
    SecondFactorSet,
    /// An operator's second factor was taken away.
    SecondFactorReset,
    /// A refund was asked for.
    RefundAsked,
    /// A refund was approved by a second person.
    RefundApproved,
    /// A refund was declined.
    RefundDeclined,
}

impl What {
    /// The word in the database.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::OrderReceived => "order.received",
            Self::OrderApproved => "order.approved",
            Self::OrderRejected => "order.rejected",
            Self::OrderState => "order.state",
            Self::JobReleased => "job.released",
            Self::SecretsGiven => "secrets.given",
            Self::CertificateIssued => "certificate.issued",
            Self::CertificateRevoked => "certificate.revoked",
            Self::WaybillCreated => "waybill.created",
            Self::ReportApplied => "report.applied",
            Self::ReportRefused => "report.refused",
            Self::AnchorConflict => "anchor.conflict",
            Self::StationInvited => "station.invited",
            Self::StationEnrolled => "station.enrolled",
            Self::StationDisabled => "station.disabled",
            Self::StockRegistered => "stock.registered",
            Self::OperatorAdded => "operator.added",
            Self::LoggedIn => "login.done",
            Self::LogInFailed => "login.failed",
            Self::LoggedOut => "login.ended",
            Self::WebhookSent => "webhook.sent",
            Self::WebhookGivenUp => "webhook.given-up",
            Self::WebhooksRevived => "webhook.revived",
            Self::CodeSent => "code.sent",
            Self::CodeDead => "code.dead",
            Self::MessageSent => "message.sent",
            Self::MessageFailed => "message.failed",
            Self::InvoiceAsked => "invoice.asked",
            Self::InvoiceIssued => "invoice.issued",
            Self::InvoiceFailed => "invoice.failed",
            Self::InvoiceTakenBack => "invoice.taken-back",
            Self::InvoiceRed => "invoice.red",
            Self::PaymentOffered => "payment.offered",
            Self::PaymentReceived => "payment.received",
            Self::PaymentClosed => "payment.closed",
            Self::PaymentTakenBack => "payment.taken_back",
            Self::RefundWanted => "refund.wanted",
            Self::RefundDone => "refund.done",
            Self::RefundStuck => "refund.stuck",
            Self::RefundTold => "refund.told",
            Self::RefundUntold => "refund.untold",
            Self::PictureStored => "picture.stored",
            Self::PictureViewed => "picture.viewed",
            Self::NumbersRevealed => "numbers.revealed",
            Self::PicturesDeleted => "pictures.deleted",
            Self::ContentDeleted => "content.deleted",
            Self::DraftOpened => "draft.opened",
            Self::DraftDeleted => "draft.deleted",
            Self::AgreementsAccepted => "agreements.accepted",
            Self::OperatorRoles => "operator.roles",
            Self::OperatorEnabled => "operator.enabled",
            Self::OperatorDisabled => "operator.disabled",
            Self::OperatorPassword => "operator.password",
            Self::SecondFactorSet => "second-factor.set",
            Self::SecondFactorReset => "second-factor.reset",
            Self::RefundAsked => "refund.asked",
            Self::RefundApproved => "refund.approved",
            Self::RefundDeclined => "refund.declined",
            Self::ParcelPacked => "parcel.packed",
            Self::PackRefused => "pack.refused",
        }
    }
}

/// Where the chain stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Rows there are.
    pub(crate) sequence: u64,
    /// The head of the last; zero bytes before the first.
    pub(crate) head: [u8; 32],
}

/// Adds a row to the chain, inside the transaction of what it tells: both are kept or neither.
///
/// `detail` is made of serials, states and numbers. No secret, no personal data and nothing that a person typed freely goes in.
pub(crate) async fn record(
    tx: &mut Connection,
    now_ms: i64,
    who: &impl Display,
    what: What,
    subject: &impl Display,
    detail: &str,
) -> Result<(), DbError> {
    let before = head(tx).await?;
    let (who, subject) = (who.to_string(), subject.to_string());
    let sequence = before.sequence + 1;
    let head = next(&before.head, sequence, now_ms, [&who, what.code(), &subject, detail]);
    sqlx::query::<Sql>(
        "insert into audit (sequence, at_ms, who, what, subject, detail, head) values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(i64::try_from(sequence).map_err(|_| damaged("an audit of too many rows"))?)
    .bind(now_ms)
    .bind(&who)
    .bind(what.code())
    .bind(&subject)
    .bind(detail)
    .bind(hex::encode(head))
    .execute(tx)
    .await?;
    Ok(())
}

/// Where the chain stands, as this connection sees it.
pub(crate) async fn head(connection: &mut Connection) -> Result<Head, DbError> {
    let row = sqlx::query::<Sql>("select sequence, head from audit order by sequence desc limit 1")
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(Head { sequence: 0, head: [0; 32] }) };
    let broken = || damaged("the last row of the audit");
    let sequence = u64::try_from(row.try_get::<i64, _>("sequence")?).map_err(|_| broken())?;
    let mut head = [0; 32];
    hex::decode_to_slice(row.try_get::<&str, _>("head")?, &mut head).map_err(|_| broken())?;
    Ok(Head { sequence, head })
}

/// SM3 over the head before, the sequence (8 bytes, big-endian), the time (length 8, 8 bytes) and each text, its length (4 bytes) before it.
fn next(before: &[u8; 32], sequence: u64, at_ms: i64, texts: [&str; 4]) -> [u8; 32] {
    let mut bytes = before.to_vec();
    bytes.extend(sequence.to_be_bytes());
    let at = at_ms.to_be_bytes();
    for field in [at.as_slice()].into_iter().chain(texts.map(str::as_bytes)) {
        // A text over 4 GiB is in no database.
        bytes.extend(u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend(field);
    }
    gm::sm3(&bytes)
}

#[cfg(test)]
mod tests {
    use super::next;

    /// `ukey-audit` has the same value in a test of its own: the two share no code.
    #[test]
    fn p8_the_head_of_a_row_stays_what_it_is() {
        let head = next(&[7; 32], 258, 1_795_311_000_123, ["operator:li.shen", "order.approved", "订单", ""]);
        assert_eq!(hex::encode(head), "a5f635281de8ed2c070e97c7127a37d984d9230a8f72445aca0c46e4cbfe050b");
    }
}
