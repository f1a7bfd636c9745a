//! One slot: a thread, a reader, a context of its own. Look, match, make, wait for removal.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hub::UsbAddress;
use model::{KeyId, Outcome, SlotName};
use profile::{Profile, StepKind, Transport};
use ukey_pcsc::{CardEvent, ChannelId, PcscError, PcscTransport, Reader, Removal};
use wire::{JobOrder, RefusalReason, SlotPhase, SlotStatus};
use workflow::{
    Begun, Driver, Ended, Identified, InWork, Interruption, Look, Observer, Proceed, Record, Recorder,
    RecorderError, State, identify,
};

use crate::{
    bench::{Bench, Unfinished},
    clock::{self, SystemClock},
    portal_issuer::PortalIssuer,
};

/// How long one look at the reader may take before other things are looked after.
const GLANCE: Duration = Duration::from_millis(500);

/// How long a fresh key may take to be powered up: so many looks, with such a pause after each.
const POWER_UP_LOOKS: u8 = 10;
const POWER_UP: Duration = Duration::from_millis(40);

/// How long a reader may take to tell that its key is out.
const MOVED_OVER: Duration = Duration::from_secs(2);

/// How often a job is taken up again after a reset or a broken link before staff are asked to plug the key anew.
const ATTEMPTS_MAX: u8 = 3;

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
    /// How often the job in work was taken up again without the key being plugged anew.
    pub attempts: u8,
    /// Whether the reader is the key itself (USB): the thread ends when it is pulled.
    pub reader_is_key: bool,
}

impl SlotWorker {
    /// Serves the slot until the station halts, or the reader is gone where the reader is the key.
    pub fn run(mut self) {
        while !self.bench.is_halting() {
            match self.reader.wait_for_card(GLANCE) {
                CardEvent::Present { .. } => match self.serve() {
                    After::AwaitRemoval => self.await_removal(),
                    After::LookAgain => {}
                    After::Leave => return,
                },
                CardEvent::Empty => self.show_idle(),
                CardEvent::ReaderGone if self.reader_is_key => {
                    self.show_idle();
                    return;
                }
                CardEvent::ReaderGone => self.show_offline("读卡器未连接，请检查集线器 (no reader)"),
                _ => self.show_offline("pcscd 未响应，正在重连 (pcscd does not answer)"),
            }
        }
    }

    /// While nobody can see the key, its time to come back does not run.
    fn show_offline(&self, message: &str) {
        self.bench.hold_expiry(&self.name);
        self.bench.board.show(&self.name, SlotPhase::Offline, message);
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

    /// pcscd powers a fresh key up by itself, and until it is done one may be refused: that is no reason to show anything.
    fn connect(&mut self) -> Result<PcscTransport, PcscError> {
        for _ in 0..POWER_UP_LOOKS {
            match self.reader.connect() {
                Err(PcscError::Unresponsive { .. } | PcscError::InUse { .. }) => std::thread::sleep(POWER_UP),
                settled => return settled,
            }
        }
        self.reader.connect()
    }

    /// A key is in: look at it and do what is to be done.
    fn serve(&mut self) -> After {
        let mut transport = match self.connect() {
            Ok(transport) => transport,
            Err(error) => {
                tracing::debug!(slot = %self.name, %error, "not connected");
                self.show_offline(&format!("无法连接钥匙：{error} (cannot connect)"));
                std::thread::sleep(GLANCE);
                return After::LookAgain;
            }
        };
        if self.reader_is_key && !self.is_in_this_slot(&transport) {
            return After::Leave;
        }
        let bench = self.bench.clone();
        match identify(&mut transport, Transport::Pcsc, &bench.profiles) {
            Look::Known(found) => self.known(&found, transport),
            Look::NotTaken(not) => {
                drop(transport);
                self.bench.refuse(&self.name, None, not.reason, &not.detail);
                After::AwaitRemoval
            }
            Look::Interrupted(error) => {
                tracing::debug!(slot = %self.name, %error, "pulled while looked at");
                After::LookAgain
            }
        }
    }

    /// pcscd gives a freed reader name to the next key, which may be in another port.
    fn is_in_this_slot(&self, transport: &PcscTransport) -> bool {
        let at = usb_address(transport);
        matches!(self.bench.hub.resolve(self.reader.name(), at), Ok(Some(slot)) if slot == self.name)
    }

    fn await_removal(&mut self) {
        while !self.bench.is_halting() {
            if self.reader.wait_for_removal(GLANCE) != Removal::StillThere {
                return self.bench.leave(&self.name);
            }
        }
    }

    fn known(&mut self, found: &Identified<'_>, transport: PcscTransport) -> After {
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
            Some(_) => {
                self.show_interrupted();
                return After::AwaitRemoval;
            }
            None => {}
        }
        if let Some(slot) = self.unfinished_elsewhere(&found.key) {
            let message = format!(
                "此钥匙的任务在插槽 {slot} 中断，请插回插槽 {slot} (its job was interrupted in slot {slot}: plug it there)"
            );
            self.bench.board.show(&self.name, SlotPhase::Refused, message);
            return After::AwaitRemoval;
        }
        if let Some((key, shown)) = &self.settled
            && *key == found.key
        {
            self.bench.board.slot(&self.name, |slot| *slot = shown.clone());
            return After::AwaitRemoval;
        }
        if !found.applications.is_empty() {
            let names = found.applications.join("、");
            let detail = format!("不是空白钥匙，已有应用 {names}，请取出 (not a blank)");
            return self.refuse(found, RefusalReason::AlreadyIssued, &detail);
        }
        match self.await_job(found) {
            Ok(order) => self.begin(found, order, transport),
            Err(after) => after,
        }
    }

    fn unfinished_elsewhere(&self, key: &KeyId) -> Option<SlotName> {
        let unfinished = self.bench.unfinished();
        unfinished.iter().find(|(_, waiting)| waiting.work.begun.key == *key).map(|(slot, _)| slot.clone())
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

    fn refuse(&mut self, found: &Identified<'_>, reason: RefusalReason, detail: &str) -> After {
        self.bench.refuse(&self.name, Some(found.key.clone()), reason, detail);
        After::AwaitRemoval
    }

    /// Waits with the blank for a job.
    fn await_job(&mut self, found: &Identified<'_>) -> Result<JobOrder, After> {
        self.bench.board.show(&self.name, SlotPhase::Waiting, "等待任务 (waiting for a job)");
        self.bench.board.slot(&self.name, |slot| slot.key_serial = Some(found.key.serial().to_owned()));
        let model = &found.profile.name;
        while !self.bench.is_draining() {
            let taken = self.bench.pool.take(model, GLANCE);
            // Swapped or pulled meanwhile: what is in now must be looked at afresh.
            if self.reader.wait_for_removal(Duration::ZERO) != Removal::StillThere {
                if let Some(order) = taken {
                    self.bench.pool.give_back(order);
                }
                self.bench.pool.no_longer_wanted(model);
                self.bench.leave(&self.name);
                return Err(After::LookAgain);
            }
            if let Some(order) = taken {
                return Ok(order);
            }
            if self.bench.pool.only_other_models_wait(model) {
                self.bench.pool.no_longer_wanted(model);
                let detail =
                    format!("当前任务不能使用 {model} 型号，请换其他钥匙 (no waiting job takes this model)");
                return Err(self.refuse(found, RefusalReason::WrongModel, &detail));
            }
        }
        Err(After::AwaitRemoval)
    }

    fn begin(&mut self, found: &Identified<'_>, order: JobOrder, transport: PcscTransport) -> After {
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
            self.bench.stop_for(&error);
            return After::AwaitRemoval;
        }
        match workflow::next(State::Fresh, &record) {
            Ok(State::InWork(work)) => self.work(found.profile, stream, *work, transport),
            other => {
                self.bench.stop_for(&format!("a job did not begin: {other:?}"));
                After::AwaitRemoval
            }
        }
    }

    fn resume(&mut self, profile: &Profile, transport: PcscTransport) -> After {
        let Some(waiting) = self.bench.unfinished().remove(&self.name) else { return After::LookAgain };
        tracing::info!(slot = %self.name, job = %waiting.work.begun.order.job, "the key is back; the job goes on");
        self.work(profile, waiting.stream, waiting.work, transport)
    }

    fn work(&mut self, profile: &Profile, stream: String, work: InWork, transport: PcscTransport) -> After {
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
            device_tries: self.bench.device_tries(&begun.key),
        };
        match driver.run(transport, work) {
            Ok(ended) => {
                self.attempts = 0;
                self.bench.remember_device_tries(&begun.key, ended.device_tries);
                self.bench.finish(&stream, &begun, &ended);
                if ended.refusal.is_none() {
                    self.show_end(&begun, &ended);
                }
                After::AwaitRemoval
            }
            Err(Interruption::Halted) => After::AwaitRemoval,
            Err(Interruption::Journal(error)) => {
                self.bench.stop_for(&error);
                After::AwaitRemoval
            }
            Err(Interruption::Key(error)) => self.interrupted(stream, &error),
            Err(Interruption::Portal(error)) => self.portal_silent(stream, &error),
        }
    }

    fn show_end(&mut self, begun: &Begun, ended: &Ended) {
        let passed = ended.outcome == Outcome::Pass;
        self.bench.board.slot(&self.name, |slot| {
            slot.phase = if passed { SlotPhase::Passed } else { SlotPhase::Failed };
            slot.step = None;
            slot.percent = if passed { 100 } else { slot.percent };
            slot.message = ended.detail.clone();
        });
        // A key that was not written is still a blank: plugged again, it gets another job.
        let shown = self.bench.board.now().slots.into_iter().find(|slot| slot.slot == self.name);
        self.settled = shown.filter(|_| ended.key_touched).map(|shown| (begun.key.clone(), shown));
    }

    /// The key was lost in the middle. What the journal says is what counts, so the stream is replayed.
    fn interrupted(&mut self, stream: String, error: &dyn std::fmt::Display) -> After {
        tracing::warn!(slot = %self.name, %error, "the key was lost in work");
        let Some(unfinished) = self.unfinished(stream) else { return After::AwaitRemoval };
        if !unfinished.work.touched() {
            let detail =
                "钥匙在写入前被拔出，任务已退回 (pulled before anything was written: the job was given back)";
            self.bench.give_up(&unfinished, Outcome::Aborted, detail);
            return After::LookAgain;
        }
        self.bench.unfinished().insert(self.name.clone(), unfinished);
        self.show_interrupted();
        // A reset or a broken link leaves the key where it is: it is tried again before staff are asked to plug it anew.
        self.attempts += 1;
        let still_there = self.reader.wait_for_removal(Duration::ZERO) == Removal::StillThere;
        if still_there && self.attempts > ATTEMPTS_MAX {
            self.attempts = 0;
            return After::AwaitRemoval;
        }
        After::LookAgain
    }

    /// The key is half made and in its slot, and the portal does not answer: it is asked again as long as the key is there.
    fn portal_silent(&mut self, stream: String, error: &str) -> After {
        tracing::warn!(slot = %self.name, error, "the portal does not answer; the key waits in its slot");
        if let Some(unfinished) = self.unfinished(stream) {
            self.bench.unfinished().insert(self.name.clone(), unfinished);
        }
        let message =
            "门户无响应，钥匙请勿拔出，恢复后自动继续 (the portal does not answer: leave the key in)";
        self.bench.board.slot(&self.name, |slot| slot.message = message.to_owned());
        After::LookAgain
    }

    /// A job that is left open, as the journal has it.
    fn unfinished(&self, stream: String) -> Option<Unfinished> {
        match self.bench.state(&stream) {
            Ok(State::InWork(work)) => {
                let until = Instant::now() + self.bench.patience_with_pulled_keys();
                Some(Unfinished { stream, work: *work, until })
            }
            Ok(_) => None,
            Err(error) => {
                self.bench.stop_for(&error);
                None
            }
        }
    }
}

/// Where the reader of a transport hangs, if it is on USB.
pub fn usb_address(transport: &PcscTransport) -> Option<UsbAddress> {
    match transport.channel_id() {
        Some(ChannelId::Usb { bus, address }) => Some(UsbAddress { bus, address }),
        _ => None,
    }
}

/// What the slot does after it dealt with a key.
enum After {
    /// Wait until the key is out.
    AwaitRemoval,
    /// Look at the reader afresh.
    LookAgain,
    /// The reader is in another slot: this thread ends.
    Leave,
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
