//! What happened at a station, and the portal's word that it has it.

use model::{JobId, KeyId, OrderNumber, Outcome, SlotName};
use serde::{Deserialize, Serialize};

/// What happened; kept in the station's outbox until acknowledged. Idempotent by `id`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Unique for the event: job, key and event make it, not chance.
    pub id: String,
    /// When it happened at the station, RFC 3339.
    pub at: String,
    /// The event.
    pub event: Event,
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

/// The portal has the report on its disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// The report's id.
    pub report: String,
}
