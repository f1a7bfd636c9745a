//! The ports of the driver. Blocking on purpose: each slot has its own thread.

use model::{JobId, KeyId};
use profile::StepKind;
use wire::{CertificatesReply, KeySecrets, Refused};

use crate::record::Record;

/// The journal could not keep a record: the work must stop.
#[derive(Debug, thiserror::Error)]
#[error("the journal cannot be written ({0}); the station stops until it can")]
pub struct RecorderError(pub String);

/// Keeps records. `record` returns when the record is on disk.
pub trait Recorder {
    /// Appends one record to the stream of this job on this key.
    ///
    /// # Errors
    /// [`RecorderError`]: nothing more may be done to the key.
    fn record(&mut self, record: &Record) -> Result<(), RecorderError>;
}

/// Why the portal gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// It said no.
    #[error("the portal refused: {}", .0.detail)]
    Refused(Refused),
    /// It did not answer within the bound set in the configuration.
    #[error("the portal did not answer: {0}")]
    Unreachable(String),
    /// The key's lot of blanks is stopped at this station.
    #[error("the key's lot is stopped: {0}")]
    LotStopped(String),
    /// The station shuts down: the job is left where it is, to be resumed.
    #[error("the station is shutting down")]
    Closing,
}

/// The portal, as one job sees it. Calls are idempotent; implementations repeat them within a bound.
pub trait Issuer {
    /// Binds `key` to `job` and gives the key's secrets.
    ///
    /// # Errors
    /// [`IssuerError`].
    fn secrets(
        &mut self,
        job: &JobId,
        key: &KeyId,
        profile: &str,
        factory_key: &str,
    ) -> Result<KeySecrets, IssuerError>;

    /// Gives both certificates for a PKCS#10.
    ///
    /// # Errors
    /// [`IssuerError`].
    fn certificates(
        &mut self,
        job: &JobId,
        key: &KeyId,
        request: &[u8],
    ) -> Result<CertificatesReply, IssuerError>;
}

/// Whether the driver goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proceed {
    /// Begin the step.
    GoOn,
    /// The station shuts down: leave the job where it is, to be resumed.
    Halt,
}

/// What became of a step that was cut off, as far as the key showed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It had been done.
    Done,
    /// It had not been done, or not wholly: it is done now.
    NotDone,
    /// It may be done twice, so it is done again.
    Repeated,
}

/// Sees progress.
pub trait Observer {
    /// A step is about to begin; `percent` of the plan is done.
    fn step(&mut self, step: StepKind, percent: u8) -> Proceed;

    /// A step in doubt is in doubt no more.
    fn settled(&mut self, step: StepKind, how: Settled);
}

/// Wall time for records and a monotonic count for durations.
pub trait Clock {
    /// Now, RFC 3339.
    fn now(&self) -> String;
    /// Milliseconds since some fixed point.
    fn monotonic_ms(&self) -> u64;
}
