//! The state of a job, and the one pure function that moves it, live and in replay.

use profile::{Profile, StepKind};
use wire::Bytes;

use crate::record::{Begun, Certificates, Ended, Output, Record};

/// Where a job stands.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum State {
    /// No record yet.
    #[default]
    Fresh,
    /// Begun and not ended.
    InWork(Box<InWork>),
    /// Ended.
    Ended(Box<Begun>, Box<Ended>),
}

/// A job in work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InWork {
    /// How it began.
    pub begun: Begun,
    /// Steps with a receipt, in order.
    pub done: Vec<StepKind>,
    /// The step with an intent and no receipt.
    pub in_doubt: Option<StepKind>,
    /// How often that step was begun: its intents since the last receipt.
    pub begun_times: u8,
    /// The public key made on the key.
    pub public_key: Option<Bytes>,
    /// What the CA issued.
    pub certificates: Option<Certificates>,
    /// Certificate serials read back: signing, encryption.
    pub verified: Option<(String, String)>,
}

impl InWork {
    /// Whether anything was, or may have been, written on the key.
    #[must_use]
    pub fn touched(&self) -> bool {
        !self.done.is_empty() || self.in_doubt.is_some()
    }
}

/// A record that cannot follow what came before: the journal is not to be trusted, the station stops.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "journal record {record} cannot follow: {why}; stop the station and keep its journal directory for inspection"
)]
pub struct Illegal {
    /// Which kind of record.
    pub record: &'static str,
    /// Why not.
    pub why: String,
}

fn illegal(record: &'static str, why: impl Into<String>) -> Illegal {
    Illegal { record, why: why.into() }
}

/// The state after `record`.
///
/// # Errors
/// [`Illegal`] for a record that no correct run can write here.
pub fn next(state: State, record: &Record) -> Result<State, Illegal> {
    match (state, record) {
        (State::Fresh, Record::Begun(begun)) => Ok(State::InWork(Box::new(InWork {
            begun: begun.clone(),
            done: Vec::new(),
            in_doubt: None,
            begun_times: 0,
            public_key: None,
            certificates: None,
            verified: None,
        }))),
        (State::Fresh, _) => Err(illegal(name(record), "the job has not begun")),
        (State::InWork(work), Record::Intent { step, .. }) => intent(work, *step),
        (State::InWork(work), Record::Receipt { step, output, .. }) => receipt(work, *step, output),
        (State::InWork(work), Record::Ended(ended)) => {
            Ok(State::Ended(Box::new(work.begun), Box::new(ended.clone())))
        }
        (State::InWork(_), Record::Begun(_)) => Err(illegal("begun", "the job has begun already")),
        (State::Ended(..), _) => Err(illegal(name(record), "the job has ended")),
    }
}

fn intent(mut work: Box<InWork>, step: StepKind) -> Result<State, Illegal> {
    match work.in_doubt {
        // A second intent for the step in doubt: it is done again after a look at the key.
        Some(doubt) if doubt == step => {}
        Some(doubt) => return Err(illegal("intent", format!("{doubt:?} is still in doubt"))),
        None => {}
    }
    if work.done.last().is_some_and(|last| *last >= step) {
        return Err(illegal("intent", format!("{step:?} or a later step is done already")));
    }
    work.in_doubt = Some(step);
    work.begun_times = work.begun_times.saturating_add(1);
    Ok(State::InWork(work))
}

fn receipt(mut work: Box<InWork>, step: StepKind, output: &Output) -> Result<State, Illegal> {
    if work.in_doubt != Some(step) {
        return Err(illegal("receipt", format!("{step:?} has no intent")));
    }
    match (step, output) {
        (StepKind::GenerateKeyPair, Output::PublicKey(xy)) => work.public_key = Some(xy.clone()),
        (StepKind::RequestCertificates, Output::Certificates(issued)) => {
            work.certificates = Some(issued.clone())
        }
        (StepKind::Verify, Output::Verified { sign_cert_serial, enc_cert_serial }) => {
            work.verified = Some((sign_cert_serial.clone(), enc_cert_serial.clone()));
        }
        (StepKind::GenerateKeyPair | StepKind::RequestCertificates | StepKind::Verify, _)
        | (_, Output::PublicKey(_))
        | (_, Output::Certificates(_))
        | (_, Output::Verified { .. }) => {
            return Err(illegal("receipt", format!("{step:?} does not leave this output")));
        }
        (_, Output::None) => {}
    }
    work.in_doubt = None;
    work.begun_times = 0;
    work.done.push(step);
    Ok(State::InWork(work))
}

fn name(record: &Record) -> &'static str {
    match record {
        Record::Begun(_) => "begun",
        Record::Intent { .. } => "intent",
        Record::Receipt { .. } => "receipt",
        Record::Ended(_) => "ended",
    }
}

/// Replays a whole stream.
///
/// # Errors
/// [`Illegal`] at the first record that cannot follow.
pub fn replay<'a>(records: impl IntoIterator<Item = &'a Record>) -> Result<State, Illegal> {
    records.into_iter().try_fold(State::Fresh, next)
}

/// Steps of `profile` done so far, in percent.
#[must_use]
pub fn percent(work: &InWork, profile: &Profile) -> u8 {
    let all = profile.steps.len().max(1);
    u8::try_from(work.done.len() * 100 / all).unwrap_or(100).min(100)
}
