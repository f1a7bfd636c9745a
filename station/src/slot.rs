//! One slot: a thread, a reader, a context of its own. Look, match, make, wait for removal.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use model::{KeyId, Outcome, SlotName};
use profile::{Profile, StepKind, Transport};
use ukey_pcsc::{CardEvent, PcscTransport, Reader, Removal};
use wire::{JobOrder, RefusalReason, SlotPhase, SlotStatus};
use workflow::{
    Begun, Driver, Identified, InWork, Interruption, Look, Observer, Proceed, Record, Recorder,
    RecorderError, State, identify,
};

use crate::{
    bench::{Bench, Unfinished},
    clock::{self, SystemClock},
    portal_issuer::PortalIssuer,
};

/// How long one look at the reader may take before other things are looked after.
const GLANCE: Duration = Duration::from_millis(500);

/// How long a reader may take to tell that its key is out.
const MOVED_OVER: Duration = Duration::from_secs(2);

/// How often `Later` is accepted of the portal in one request.
const LATER_MAX: u32 = 20;

/// One slot at work.
pub struct SlotWorker {
    /// Its name.
    pub name: SlotName,
    /// Its reader.
    pub reader: Reader,
    /// What all slots share.
    pub bench: Arc<Bench>,
    /// The key that was dealt with last, and what its slot showed: plugged again, it shows the same again.
    pub settled: Option<(KeyId, SlotStatus)>,
    /// Whether the reader is the key itself (USB): the thread ends when it is pulled.
    pub reader_is_key: bool,
}

impl SlotWorker {
    /// Serves the slot until the station halts, or the reader is gone where the reader is the key.
    pub fn run(mut self) {
        while !self.bench.is_halting() {
            self.expire();
            match self.reader.wait_for_card(GLANCE) {
                CardEvent::Present { .. } => self.serve(),
                CardEvent::Empty => self.show_idle(),
                CardEvent::ReaderGone if self.reader_is_key => {
                    self.show_idle();
                    return;
                }
                CardEvent::ReaderGone => {
                    self.bench.board.show(
                        &self.name,
                        SlotPhase::Offline,
                        "读卡器未连接，请检查集线器 (no reader)",
                    );
                }
                _ => {
                    self.bench.board.show(
                        &self.name,
                        SlotPhase::Offline,
                        "pcscd 未响应，正在重连 (pcscd does not answer)",
                    );
                }
            }
        }
    }

    fn show_idle(&self) {
        self.bench.leave(&self.name);
        if self.bench.unfinished().contains_key(&self.name) {
            self.show_interrupted();
        } else if self.bench.is_draining() {
            self.bench.board.show(&self.name, SlotPhase::Empty, "正在停机，请勿插入 (shutting down)");
        } else {
            self.bench.board.show(&self.name, SlotPhase::Empty, "请插入空白钥匙 (plug a blank)");
        }
    }

    fn show_interrupted(&self) {
        let unfinished = self.bench.unfinished();
        let Some(waiting) = unfinished.get(&self.name) else { return };
        let left = waiting.until.saturating_duration_since(Instant::now()).as_secs();
        let begun = &waiting.work.begun;
        let (serial, job) = (begun.key.serial().to_owned(), begun.order.job.clone());
        drop(unfinished);
        let message = format!("请将钥匙 {serial} 插回此插槽（剩余 {left} 秒） (plug this key back here)");
        self.bench.board.show(&self.name, SlotPhase::Interrupted, message);
        self.bench.board.slot(&self.name, |slot| {
            slot.key_serial = Some(serial);
            slot.job = Some(job);
        });
    }

    /// A pulled key that did not come back in time ends its job.
    fn expire(&self) {
        let mut unfinished = self.bench.unfinished();
        let over = unfinished.get(&self.name).is_some_and(|waiting| waiting.until <= Instant::now());
        let waiting = if over { unfinished.remove(&self.name) } else { None };
        drop(unfinished);
        if let Some(waiting) = waiting {
            let detail =
                "钥匙在制证中被拔出且未及时插回，请隔离 (pulled in work and not put back: set it aside)";
            self.bench.give_up(&waiting, Outcome::Error, detail);
        }
    }

    /// A key is in: look at it, do what is to be done, wait until it is out.
    fn serve(&mut self) {
        let mut transport = match self.reader.connect() {
            Ok(transport) => transport,
            Err(error) => {
                tracing::debug!(slot = %self.name, %error, "not connected");
                self.bench.board.show(&self.name, SlotPhase::Offline, format!("无法连接钥匙：{error}"));
                std::thread::sleep(GLANCE);
                return;
            }
        };
        let bench = self.bench.clone();
        match identify(&mut transport, Transport::Pcsc, &bench.profiles) {
            Look::Known(found) => self.known(&found, transport),
            Look::NotTaken(not) => {
                drop(transport);
                self.bench.refuse(&self.name, None, not.reason, &not.detail);
            }
            Look::Interrupted(error) => {
                tracing::debug!(slot = %self.name, %error, "pulled while looked at");
                return;
            }
        }
        self.await_removal();
    }

    fn await_removal(&mut self) {
        while !self.bench.is_halting() {
            match self.reader.wait_for_removal(GLANCE) {
                Removal::StillThere => self.expire(),
                _ => return self.bench.leave(&self.name),
            }
        }
    }

    fn known(&mut self, found: &Identified<'_>, transport: PcscTransport) {
        if let Some(other) = self.enter(&found.key) {
            let detail = format!(
                "插槽 {other} 中已有同一序列号的钥匙 {}，请取出并隔离 (same serial twice)",
                found.key.serial()
            );
            return self.refuse(found, RefusalReason::DuplicateSerial, &detail);
        }
        let expected = self.bench.unfinished().get(&self.name).map(|waiting| waiting.work.begun.key.clone());
        match expected {
            Some(key) if key == found.key => return self.resume(found.profile, transport),
            Some(_) => return self.show_interrupted(),
            None => {}
        }
        let elsewhere = self
            .bench
            .unfinished()
            .iter()
            .find(|(_, u)| u.work.begun.key == found.key)
            .map(|(s, _)| s.clone());
        if let Some(slot) = elsewhere {
            let message = format!(
                "此钥匙的任务在插槽 {slot} 中断，请插回插槽 {slot} (its job was interrupted in slot {slot}: plug it there)"
            );
            return self.bench.board.show(&self.name, SlotPhase::Refused, message);
        }
        if let Some((key, shown)) = &self.settled
            && *key == found.key
        {
            return self.bench.board.slot(&self.name, |slot| *slot = shown.clone());
        }
        if !found.applications.is_empty() {
            let names = found.applications.join("、");
            let detail = format!("不是空白钥匙，已有应用 {names}，请取出 (not a blank)");
            return self.refuse(found, RefusalReason::AlreadyIssued, &detail);
        }
        if let Some(order) = self.await_job(found) {
            self.begin(found, order, transport);
        }
    }

    /// Notes that the key is here. Gives the other slot if it is there too, and still is after the time in which a
    /// reader tells of a key that was just moved over.
    fn enter(&self, key: &KeyId) -> Option<SlotName> {
        let until = Instant::now() + MOVED_OVER;
        loop {
            match self.bench.enter(key, &self.name) {
                Some(other) if Instant::now() >= until => return Some(other),
                Some(_) => std::thread::sleep(Duration::from_millis(100)),
                None => return None,
            }
        }
    }

    fn refuse(&mut self, found: &Identified<'_>, reason: RefusalReason, detail: &str) {
        self.bench.refuse(&self.name, Some(found.key.clone()), reason, detail);
    }

    /// Waits with the blank for a job; `None` when it was pulled, refused, or the station shuts down.
    fn await_job(&mut self, found: &Identified<'_>) -> Option<JobOrder> {
        self.bench.board.show(&self.name, SlotPhase::Waiting, "等待任务 (waiting for a job)");
        self.bench.board.slot(&self.name, |slot| slot.key_serial = Some(found.key.serial().to_owned()));
        while !self.bench.is_draining() {
            if let Some(order) = self.bench.pool.take(&found.profile.name, GLANCE) {
                return Some(order);
            }
            if self.bench.pool.only_other_models_wait(&found.profile.name) {
                let detail = format!(
                    "当前任务不能使用 {} 型号，请换其他钥匙 (no waiting job takes this model)",
                    found.profile.name
                );
                self.refuse(found, RefusalReason::WrongModel, &detail);
                return None;
            }
            if self.reader.wait_for_removal(Duration::ZERO) != Removal::StillThere {
                return None;
            }
        }
        None
    }

    fn begin(&mut self, found: &Identified<'_>, order: JobOrder, transport: PcscTransport) {
        let stream = format!("job/{}/{}/{}", order.job, self.name, clock::unix_ms());
        let begun = Begun {
            order,
            key: found.key.clone(),
            slot: self.name.clone(),
            profile: found.profile.name.clone(),
            profile_digest: found.profile.digest.clone(),
            at: clock::now(),
        };
        let record = Record::Begun(begun);
        let mut recorder = StreamRecorder { bench: &self.bench, stream: &stream };
        if let Err(error) = recorder.record(&record) {
            return self.bench.stop_for(&error);
        }
        match workflow::next(State::Fresh, &record) {
            Ok(State::InWork(work)) => self.work(found.profile, stream, *work, transport),
            other => self.bench.stop_for(&format!("a job did not begin: {other:?}")),
        }
    }

    fn resume(&mut self, profile: &Profile, transport: PcscTransport) {
        let waiting = self.bench.unfinished().remove(&self.name);
        if let Some(waiting) = waiting {
            tracing::info!(slot = %self.name, job = %waiting.work.begun.order.job, "the key is back; the job goes on");
            self.work(profile, waiting.stream, waiting.work, transport);
        }
    }

    fn work(&mut self, profile: &Profile, stream: String, work: InWork, transport: PcscTransport) {
        let begun = work.begun.clone();
        self.bench.board.show(&self.name, SlotPhase::Working, "制证中，请勿拔出 (do not pull)");
        self.bench.board.slot(&self.name, |slot| {
            slot.key_serial = Some(begun.key.serial().to_owned());
            slot.job = Some(begun.order.job.clone());
            slot.holder = Some(begun.order.holder.clone());
        });
        let driver = Driver {
            profile,
            recorder: &mut StreamRecorder { bench: &self.bench, stream: &stream },
            issuer: &mut PortalIssuer {
                link: self.bench.link.clone(),
                sealing_key: self.bench.sealing_key.clone(),
                attempt: stream.clone(),
                later_max: LATER_MAX,
            },
            observer: &mut SlotObserver { bench: &self.bench, slot: &self.name },
            clock: &SystemClock::default(),
        };
        match driver.run(transport, work) {
            Ok(ended) => {
                self.bench.finish(&stream, &begun, &ended);
                if ended.refusal.is_none() {
                    self.show_end(&begun, ended.outcome, &ended.detail);
                }
            }
            Err(Interruption::Halted) => {}
            Err(Interruption::Journal(error)) => self.bench.stop_for(&error),
            Err(Interruption::Key(error)) => self.interrupted(stream, &error),
        }
    }

    fn show_end(&mut self, begun: &Begun, outcome: Outcome, detail: &str) {
        let phase = if outcome == Outcome::Pass { SlotPhase::Passed } else { SlotPhase::Failed };
        self.bench.board.slot(&self.name, |slot| {
            slot.phase = phase;
            slot.step = None;
            slot.percent = if outcome == Outcome::Pass { 100 } else { slot.percent };
            slot.message = detail.to_owned();
        });
        let shown = self.bench.board.now().slots.into_iter().find(|slot| slot.slot == self.name);
        self.settled = shown.map(|shown| (begun.key.clone(), shown));
    }

    /// The key is out in the middle. What the journal says is what counts, so the stream is replayed.
    fn interrupted(&mut self, stream: String, error: &dyn std::fmt::Display) {
        tracing::warn!(slot = %self.name, %error, "the key was lost in work");
        let work = match self.bench.state(&stream) {
            Ok(State::InWork(work)) => *work,
            Ok(_) => return,
            Err(error) => return self.bench.stop_for(&error),
        };
        let until = Instant::now() + self.bench.patience_with_pulled_keys();
        let unfinished = Unfinished { stream, work, until };
        if unfinished.work.touched() {
            self.bench.unfinished().insert(self.name.clone(), unfinished);
            self.show_interrupted();
        } else {
            let detail =
                "钥匙在写入前被拔出，任务已退回 (pulled before anything was written: the job was given back)";
            self.bench.give_up(&unfinished, Outcome::Aborted, detail);
        }
    }
}

struct StreamRecorder<'a> {
    bench: &'a Bench,
    stream: &'a str,
}

impl Recorder for StreamRecorder<'_> {
    fn record(&mut self, record: &Record) -> Result<(), RecorderError> {
        let bytes = serde_json::to_vec(record).map_err(|error| RecorderError(error.to_string()))?;
        self.bench.journal.append(self.stream, &bytes).map_err(|error| RecorderError(error.to_string()))?;
        Ok(())
    }
}

struct SlotObserver<'a> {
    bench: &'a Bench,
    slot: &'a SlotName,
}

impl Observer for SlotObserver<'_> {
    fn step(&mut self, step: StepKind, percent: u8) -> Proceed {
        self.bench.board.slot(self.slot, |slot| {
            slot.step = Some(step.zh().to_owned());
            slot.percent = percent;
        });
        if self.bench.is_halting() { Proceed::Halt } else { Proceed::GoOn }
    }
}
