//! What all slots share: profiles, pool, board, journal, link, and which jobs are unfinished where.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

use gm::SigningKey;
use hub::Hub;
use journal::Journal;
use model::{KeyId, OrderNumber, Outcome, SlotName};
use profile::Profile;
use wire::{Event, JobEnded, KeyRefused, RefusalReason, Report, SlotPhase};
use workflow::{Begun, Ended, InWork, Record, State, replay};

use crate::{
    board::Board,
    breakers::Breakers,
    clock::Time,
    config::Config,
    last_key::{self, LastKey},
    link::Link,
    parking::Parking,
    pool::Pool,
    shifts::Shifts,
    tries::Tries,
};

/// A job that was begun and waits for its key to come back.
pub struct Unfinished {
    /// Its stream in the journal.
    pub stream: String,
    /// Where it stands.
    pub work: InWork,
    /// When waiting ends, by [`Time::elapsed`].
    pub until: Duration,
}

/// What all slots share.
pub struct Bench {
    /// Time.
    pub time: Arc<dyn Time>,
    /// Configuration.
    pub config: Config,
    /// Profiles.
    pub profiles: Vec<Profile>,
    /// Leased jobs.
    pub pool: Pool,
    /// Screens.
    pub board: Board,
    /// Journal and outbox.
    pub journal: Journal,
    /// The portal.
    pub link: Link,
    /// Which reader is which slot.
    pub hub: Hub,
    /// Opens what is sealed to this station.
    pub sealing_key: Arc<SigningKey>,
    /// Orders of which every key may be made.
    pub ready_orders: mpsc::Sender<OrderNumber>,
    /// Where the journal lies, for messages.
    pub journal_dir: PathBuf,
    /// What is stopped after too many bad keys.
    pub breakers: Arc<Breakers>,
    /// The books of the shift.
    pub shifts: Arc<Shifts>,
    /// Reports that the portal refused.
    pub parking: Arc<Parking>,
    /// Tries left of keys that refused their factory key.
    pub tries: Tries,
    unfinished: Mutex<BTreeMap<SlotName, Unfinished>>,
    present: Mutex<BTreeMap<KeyId, SlotName>>,
    last_keys: Mutex<BTreeMap<SlotName, LastKey>>,
    draining: AtomicBool,
    halting: AtomicBool,
}

impl Bench {
    /// A bench with no job in work.
    #[must_use]
    #[allow(clippy::too_many_arguments, reason = "each is one of the station's parts, named at the one call")]
    pub fn new(
        time: Arc<dyn Time>,
        config: Config,
        profiles: Vec<Profile>,
        pool: Pool,
        board: Board,
        journal: Journal,
        link: Link,
        hub: Hub,
        sealing_key: Arc<SigningKey>,
        ready_orders: mpsc::Sender<OrderNumber>,
    ) -> Self {
        let limit = config.work.breaker_failures;
        Self {
            time,
            breakers: Arc::new(Breakers::new(journal.clone(), board.clone(), hub.slots(), limit)),
            shifts: Arc::new(Shifts::new(journal.clone(), board.clone())),
            parking: Arc::new(Parking::new(journal.clone(), board.clone(), pool.clone())),
            tries: Tries::new(journal.clone()),
            journal_dir: config.journal_dir(),
            config,
            profiles,
            pool,
            board,
            journal,
            link,
            hub,
            sealing_key,
            ready_orders,
            unfinished: Mutex::default(),
            present: Mutex::default(),
            last_keys: Mutex::default(),
            draining: AtomicBool::new(false),
            halting: AtomicBool::new(false),
        }
    }

    /// No new job begins from now on.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.pool.close();
    }

    /// Jobs stop at their next step from now on; threads end.
    pub fn halt(&self) {
        self.drain();
        self.halting.store(true, Ordering::Relaxed);
        self.link.close();
    }

    /// Whether no new job may begin.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Whether threads should end.
    #[must_use]
    pub fn is_halting(&self) -> bool {
        self.halting.load(Ordering::Relaxed)
    }

    /// The journal cannot be written: nothing more may be done to any key.
    pub fn stop_for(&self, error: &dyn std::fmt::Display) {
        tracing::error!(%error, journal = %self.journal_dir.display(), "the station stops: its journal cannot be kept");
        self.halt();
    }

    /// The unfinished jobs, by slot.
    pub fn unfinished(&self) -> MutexGuard<'_, BTreeMap<SlotName, Unfinished>> {
        self.unfinished.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that `key` is in `slot`. Gives the other slot if it is in another one already.
    pub fn enter(&self, key: &KeyId, slot: &SlotName) -> Option<SlotName> {
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        match present.get(key) {
            Some(other) if other != slot => Some(other.clone()),
            _ => {
                present.insert(key.clone(), slot.clone());
                None
            }
        }
    }

    /// The slot's key is out.
    pub fn leave(&self, slot: &SlotName) {
        self.present.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, in_slot| in_slot != slot);
    }

    /// Writes the last record of a job and its report in one commit, and frees the job.
    pub fn finish(&self, stream: &str, begun: &Begun, ended: &Ended) {
        let job = &begun.order.job;
        let report = Report {
            id: ended_report(stream),
            at: ended.at.clone(),
            event: Event::JobEnded(JobEnded {
                job: job.clone(),
                key: begun.key.clone(),
                slot: begun.slot.clone(),
                profile: begun.profile.clone(),
                outcome: ended.outcome,
                milliseconds: ended.milliseconds,
                sign_cert_serial: ended.sign_cert_serial.clone(),
                enc_cert_serial: ended.enc_cert_serial.clone(),
                key_touched: ended.key_touched,
                detail: cut(&ended.detail),
            }),
            anchor: None,
        };
        // Before the report can be seen and acknowledged by anybody.
        self.pool.reported(job);
        let ending = self.shifts.ending();
        let written =
            self.note_end(begun, ended).and_then(|()| self.write_end(stream, begun, ended, &report));
        drop(ending);
        if let Err(error) = written {
            return self.stop_for(&error);
        }
        tracing::info!(%job, key = %begun.key, slot = %begun.slot, outcome = ?ended.outcome, ms = ended.milliseconds, detail = ended.detail, "job ended");
        if let Some(reason) = ended.refusal {
            self.refuse(&begun.slot, Some(begun.key.clone()), reason, &ended.detail);
        }
        if ended.outcome == Outcome::Pass && self.ready_orders.send(job.order().clone()).is_err() {
            tracing::debug!("no label thread; the order is found again at the next start");
        }
    }

    /// What must be on disk before the job's last record is: after a crash in between it is written again, which changes nothing.
    fn note_end(&self, begun: &Begun, ended: &Ended) -> anyhow::Result<()> {
        self.tries.ended(&begun.key, ended)?;
        self.breakers.ended(&begun.slot, &begun.key, ended)?;
        self.shifts.ended(&begun.key, ended)
    }

    fn write_end(&self, stream: &str, begun: &Begun, ended: &Ended, report: &Report) -> anyhow::Result<()> {
        if ended.outcome == Outcome::Pass {
            crate::parcels::note_passed(&self.journal, &begun.order)?;
        }
        let record = serde_json::to_vec(&Record::Ended(ended.clone()))?;
        self.journal.append_with_report(stream, &record, &report.id, &serde_json::to_vec(report)?)?;
        Ok(())
    }

    /// Shows and reports a key that is not taken.
    pub fn refuse(&self, slot: &SlotName, key: Option<KeyId>, reason: RefusalReason, detail: &str) {
        let detail = &cut(detail);
        tracing::warn!(%slot, key = key.as_ref().map(ToString::to_string), ?reason, detail, "key refused");
        let at = self.time.now();
        let report = Report {
            id: format!("refused:{slot}:{at}"),
            at,
            event: Event::KeyRefused(KeyRefused {
                slot: slot.clone(),
                key: key.clone(),
                reason,
                detail: detail.to_owned(),
            }),
            anchor: None,
        };
        if let Err(error) = self.write_refusal(slot, key.as_ref(), reason, &report) {
            self.stop_for(&error);
        }
        self.board.show(slot, SlotPhase::Refused, detail);
        self.board.slot(slot, |shown| shown.key_serial = key.map(|key| key.serial().to_owned()));
    }

    fn write_refusal(
        &self,
        slot: &SlotName,
        key: Option<&KeyId>,
        reason: RefusalReason,
        report: &Report,
    ) -> anyhow::Result<()> {
        self.breakers.refused(slot, key, reason, &report.at)?;
        self.shifts.refused(key, reason, &report.at)?;
        self.journal.report(&report.id, &serde_json::to_vec(report)?)?;
        Ok(())
    }

    /// Ends a job that will not go on: its key did not come back, or its slot is gone.
    pub fn give_up(&self, unfinished: &Unfinished, outcome: Outcome, detail: &str) {
        let ended = Ended {
            outcome,
            key_touched: unfinished.work.touched(),
            refusal: None,
            device_tries: None,
            milliseconds: 0,
            sign_cert_serial: None,
            enc_cert_serial: None,
            detail: detail.to_owned(),
            at: self.time.now(),
        };
        self.finish(&unfinished.stream, &unfinished.work.begun, &ended);
    }

    /// Ends the jobs of pulled keys that did not come back in time, in whatever slot.
    pub fn expire(&self) {
        let now = self.time.elapsed();
        let over: Vec<Unfinished> =
            self.unfinished().extract_if(.., |_, waiting| waiting.until <= now).map(|(_, w)| w).collect();
        for waiting in over {
            let detail =
                "钥匙在制证中被拔出且未及时插回，请隔离 (pulled in work and not put back: set it aside)";
            self.give_up(&waiting, Outcome::Error, detail);
            if let Err(error) = self.shifts.lost(&waiting.work.begun.key, &self.time.now()) {
                self.stop_for(&error);
            }
        }
    }

    /// Nobody can see whether the key of a slot is there: the time it has to come back begins anew.
    pub fn hold_expiry(&self, slot: &SlotName) {
        let until = self.time.elapsed() + self.patience_with_pulled_keys();
        if let Some(waiting) = self.unfinished().get_mut(slot) {
            waiting.until = until;
        }
    }

    /// How long a pulled key is waited for.
    #[must_use]
    pub fn patience_with_pulled_keys(&self) -> Duration {
        Duration::from_secs(self.config.work.interrupted_seconds)
    }

    /// Finds what the last run left in work and puts it back to its slots. Streams that ended and were acknowledged are closed.
    ///
    /// # Errors
    /// Where the journal holds a record that cannot follow: the station must not go on.
    pub fn recover(&self) -> anyhow::Result<()> {
        self.breakers.recover(&self.time.now())?;
        self.shifts.recover()?;
        self.parking.recover()?;
        self.tries.recover()?;
        let waiting: Vec<String> = self.journal.outbox()?.into_iter().map(|(id, _)| id).collect();
        for stream in self.journal.streams()?.into_iter().filter(|name| name.starts_with("job/")) {
            match self.state(&stream)? {
                State::Fresh => {}
                State::Ended(begun, _) if waiting.contains(&ended_report(&stream)) => {
                    self.pool.adopt(begun.order.job.clone());
                    self.pool.reported(&begun.order.job);
                }
                State::Ended(..) => self.journal.finish(&stream)?,
                State::InWork(work) => self.put_back(Unfinished {
                    stream,
                    work: *work,
                    until: self.time.elapsed() + self.patience_with_pulled_keys(),
                }),
            }
        }
        *self.last_keys.lock().unwrap_or_else(PoisonError::into_inner) = last_key::recover(self)?;
        Ok(())
    }

    /// The key that a slot dealt with last before this start.
    #[must_use]
    pub fn last_key(&self, slot: &SlotName) -> Option<LastKey> {
        self.last_keys.lock().unwrap_or_else(PoisonError::into_inner).get(slot).cloned()
    }

    fn put_back(&self, unfinished: Unfinished) {
        let slot = unfinished.work.begun.slot.clone();
        let job = unfinished.work.begun.order.job.clone();
        tracing::warn!(%slot, %job, key = %unfinished.work.begun.key, "found a job in work; it goes on when its key is in its slot");
        self.pool.adopt(job);
        let configured = self.board.now().slots.iter().any(|shown| shown.slot == slot);
        if !unfinished.work.touched() {
            self.give_up(
                &unfinished,
                Outcome::Aborted,
                "任务开始后未写钥匙，已退回 (begun and nothing written: given back)",
            );
        } else if configured && !self.unfinished().contains_key(&slot) {
            self.unfinished().insert(slot, unfinished);
        } else {
            self.give_up(
                &unfinished,
                Outcome::Error,
                "插槽已不存在，请隔离此钥匙 (its slot is gone: set the key aside)",
            );
        }
    }

    /// The state of a job's stream.
    ///
    /// # Errors
    /// Where it cannot be read or a record cannot follow.
    pub fn state(&self, stream: &str) -> anyhow::Result<State> {
        let records = self.journal.stream(stream)?;
        let records: Vec<Record> =
            records.iter().map(|bytes| serde_json::from_slice(bytes)).collect::<Result<_, _>>()?;
        Ok(replay(&records)?)
    }
}

/// Texts that came from a key or the portal, cut so that no record grows over its bound.
fn cut(text: &str) -> String {
    const CHARACTERS_MAX: usize = 400;
    text.chars().take(CHARACTERS_MAX).collect()
}

/// Id of the report that ends a stream: of the event, not of chance.
#[must_use]
pub fn ended_report(stream: &str) -> String {
    format!("ended:{stream}")
}
