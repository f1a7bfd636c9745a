//! What the journal keeps of a job: an intent log, not a debug log.

use model::{KeyId, Outcome, SlotName};
use profile::StepKind;
use serde::{Deserialize, Serialize};
use wire::{Bytes, JobOrder, RefusalReason};

/// One record in a job's stream. `Begun` is first, `Ended` is last; between them each step has an intent and a receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case", deny_unknown_fields)]
pub enum Record {
    /// Written before the portal is asked to bind the key to the job.
    Begun(Begun),
    /// Written before a step touches the key.
    Intent {
        /// Which step.
        step: StepKind,
        /// When, RFC 3339.
        at: String,
    },
    /// Written after a step is done.
    Receipt {
        /// Which step.
        step: StepKind,
        /// What later steps need of it.
        output: Output,
        /// When, RFC 3339.
        at: String,
    },
    /// Written once, together with the report.
    Ended(Ended),
}

/// The first record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// The job as leased.
    pub order: JobOrder,
    /// The key it is done on, from now on.
    pub key: KeyId,
    /// The slot it is done in.
    pub slot: SlotName,
    /// `vendor/model`.
    pub profile: String,
    /// Digest of the profile's file: a job is not resumed under another plan.
    pub profile_digest: String,
    /// When, RFC 3339.
    pub at: String,
}

/// What a step leaves for later steps. No secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// Nothing.
    None,
    /// The public key made on the key: X‖Y.
    PublicKey(Bytes),
    /// What the CA issued.
    Certificates(Certificates),
    /// What read-back found.
    Verified {
        /// Serial of the signing certificate read from the key, hex.
        sign_cert_serial: String,
        /// Serial of the encryption certificate read from the key, hex.
        enc_cert_serial: String,
    },
}

/// Both certificates and the enveloped encryption key, DER.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificates {
    /// Signing certificate.
    pub sign: Bytes,
    /// Encryption certificate.
    pub enc: Bytes,
    /// SM2EnvelopedKey (GM/T 0009).
    pub enveloped_key: Bytes,
}

/// The last record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// How.
    pub outcome: Outcome,
    /// Whether anything was, or may have been, written on the key.
    pub key_touched: bool,
    /// Set where the key was refused and the job is free for another.
    pub refusal: Option<RefusalReason>,
    /// Tries that the device key was heard to have left, if it refused one.
    #[serde(default)]
    pub device_tries: Option<u8>,
    /// Time the driver worked on the key, in milliseconds.
    pub milliseconds: u64,
    /// Serial of the signing certificate read back, hex.
    pub sign_cert_serial: Option<String>,
    /// Serial of the encryption certificate read back, hex.
    pub enc_cert_serial: Option<String>,
    /// For people: what went wrong and what to do, Chinese.
    pub detail: String,
    /// When, RFC 3339.
    pub at: String,
}
