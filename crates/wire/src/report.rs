//! What happened at a station, and the portal's word that it has it.

use model::{JobId, KeyId, OrderNumber, Outcome, SlotName};
use serde::{Deserialize, Serialize};

use crate::head::{PortalHead, SignedHead};

/// What happened; kept in the station's outbox until acknowledged. Idempotent by `id`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Unique for the event: job, key and event make it, not chance.
    pub id: String,
    /// When it happened at the station, RFC 3339.
    pub at: String,
    /// The event.
    pub event: Event,
    /// Where the station's journal stood when this was sent. It belongs to the sending, not to the report: a repetition carries a newer one,
    /// and neither outbox nor portal keeps it with the report. Absent in messages of a program that did not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<SignedHead>,
}

/// An event worth keeping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A job ended on a key.
    JobEnded(JobEnded),
    /// A key was refused before any job.
    KeyRefused(KeyRefused),
    /// The label of an order was printed.
    LabelPrinted(LabelPrinted),
    /// Too many keys failed in a row and a slot, a hub or a lot was stopped; or staff reset it.
    BreakerChanged(BreakerChanged),
    /// Staff counted at the end of a shift.
    ShiftClosed(ShiftClosed),
}

/// The end of a job on one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobEnded {
    /// The job.
    pub job: JobId,
    /// The key it was done on.
    pub key: KeyId,
    /// The slot.
    pub slot: SlotName,
    /// The profile.
    pub profile: String,
    /// The outcome.
    pub outcome: Outcome,
    /// Duration in milliseconds.
    pub milliseconds: u64,
    /// Serial of the signing certificate read back, hex.
    pub sign_cert_serial: Option<String>,
    /// Serial of the encryption certificate read back, hex.
    pub enc_cert_serial: Option<String>,
    /// Whether anything was written on the key. If not, the key is still a blank.
    pub key_touched: bool,
    /// For people: what went wrong and what to do.
    pub detail: String,
}

/// A key that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRefused {
    /// The slot.
    pub slot: SlotName,
    /// The key, if it could be told.
    pub key: Option<KeyId>,
    /// Why.
    pub reason: RefusalReason,
    /// For people.
    pub detail: String,
}

/// Why a key was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    /// No profile fits.
    UnknownModel,
    /// A profile fits, but none of the jobs may use it.
    WrongModel,
    /// It has an application, or the portal knows it as issued.
    AlreadyIssued,
    /// Its device key is locked.
    DeviceKeyLocked,
    /// The factory device key is not the one the profile names.
    FactoryKeyWrong,
    /// It is in no registered lot of blanks.
    NotRegistered,
    /// The lot of blanks that it belongs to is stopped at this station.
    LotStopped,
    /// Two keys with this serial are plugged at once.
    DuplicateSerial,
    /// It could not be read.
    Unreadable,
}

/// A label left the printer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelPrinted {
    /// The order.
    pub order: OrderNumber,
    /// The waybill on it.
    pub waybill: String,
}

/// A breaker opened or was reset. The portal keeps the last one of each scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerChanged {
    /// What is stopped, or was.
    pub scope: BreakerScope,
    /// Its name: the slot's, the hub's, or the lot's.
    pub name: String,
    /// True when it stopped, false when it was reset.
    pub open: bool,
    /// Why it stopped or, when reset, the reason that staff gave. For people.
    pub detail: String,
}

/// What a breaker stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerScope {
    /// One slot.
    Slot,
    /// All slots of a hub.
    Hub,
    /// All blanks of a lot, in whatever slot.
    Lot,
}

/// The count at the end of a shift.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShiftClosed {
    /// When it was opened, RFC 3339.
    pub opened: String,
    /// When it was closed, RFC 3339.
    pub closed: String,
    /// Blanks brought to the bench.
    pub brought: u32,
    /// Keys that were in work when it was opened.
    pub carried_in: u32,
    /// Keys made.
    pub made: u32,
    /// Keys set aside: spoiled, locked, with a wrong factory key, unreadable or lost.
    pub set_aside: u32,
    /// Keys in work when it was closed.
    pub carried_out: u32,
    /// Blanks that staff counted as left.
    pub left: u32,
    /// Why it does not balance; empty if it does.
    pub reason: String,
    /// Keys set aside or in work, as many as the report holds.
    pub keys: Vec<KeyId>,
}

impl ShiftClosed {
    /// Blanks that are missing (above zero) or too many (below): brought + carried in − (made + set aside + carried out + left).
    /// 0 in a shift that balances.
    #[must_use]
    pub fn difference(&self) -> i64 {
        let came = i64::from(self.brought) + i64::from(self.carried_in);
        let went = [self.made, self.set_aside, self.carried_out, self.left];
        came - went.into_iter().map(i64::from).sum::<i64>()
    }
}

/// The portal has the report on its disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// The report's id.
    pub report: String,
    /// Where the portal's audit stood; a station keeps one now and then. Absent in messages of a program that did not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub portal_head: Option<PortalHead>,
}
