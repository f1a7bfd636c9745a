//! One slot: a thread, a reader, a context of its own. Look, match, make, wait for removal.

mod work;

use std::{sync::Arc, time::Duration};

use model::{KeyId, SlotName};
use profile::Transport;
use ukey_pcsc::{CardEvent, PcscError, Removal};
use wire::{RefusalReason, SlotPhase};
use workflow::{Look, identify};

use crate::{bench::Bench, last_key::LastKey, socket::Socket};

/// How long one look at the reader may take before other things are looked after.
const GLANCE: Duration = Duration::from_millis(500);

/// How long a fresh key may take to be powered up: so many looks, with such a pause after each.
const POWER_UP_LOOKS: u8 = 10;
const POWER_UP: Duration = Duration::from_millis(40);

/// How long a reader may take to tell that its key is out, and between two looks at that.
const MOVED_OVER: (Duration, Duration) = (Duration::from_secs(2), Duration::from_millis(100));

/// One slot at work.
pub struct SlotWorker<S: Socket> {
    name: SlotName,
    socket: S,
    bench: Arc<Bench>,
    stage: Stage<S::Link>,
    /// The key that was dealt with last, and what its slot showed: plugged again, it shows the same again.
    last_key: Option<LastKey>,
    /// How often the job in work was taken up again without the key being plugged anew.
    attempts: u8,
    /// Since when the key in this slot seems to be in another one too, by `Time::elapsed`.
    doubled_since: Option<Duration>,
    /// Whether the reader is the key itself (USB): the thread ends when it is pulled.
    reader_is_key: bool,
}

/// What a slot does at its next turn.
enum Stage<L> {
    /// Look at the reader.
    Look,
    /// Wait until the key is out.
    AwaitRemoval,
    /// Wait with a blank for a job.
    AwaitJob(Found, L),
    /// Wait with a key until the slot is reset.
    AwaitReset,
}

/// What a slot does after it dealt with a key.
enum After<L> {
    /// This, at the next turn.
    Stage(Stage<L>),
    /// The reader is in another slot: this thread ends.
    Leave,
}

impl<L> After<L> {
    const LOOK: Self = Self::Stage(Stage::Look);
    const AWAIT_REMOVAL: Self = Self::Stage(Stage::AwaitRemoval);
    const AWAIT_RESET: Self = Self::Stage(Stage::AwaitReset);
}

/// A recognised key.
struct Found {
    key: KeyId,
    /// Its profile's place among the bench's.
    profile: usize,
    applications: Vec<String>,
}

impl<S: Socket> SlotWorker<S> {
    /// A slot with its reader.
    pub fn new(bench: Arc<Bench>, name: SlotName, socket: S, reader_is_key: bool) -> Self {
        let last_key = bench.last_key(&name);
        Self {
            name,
            socket,
            bench,
            stage: Stage::Look,
            last_key,
            attempts: 0,
            doubled_since: None,
            reader_is_key,
        }
    }

    /// Serves the slot until the station halts, or the reader is gone where the reader is the key.
    pub fn run(mut self) {
        while !self.bench.is_halting() && self.turn() {}
    }

    /// One look at the reader and what follows from it, a whole job at most; false when the slot is to be left.
    pub fn turn(&mut self) -> bool {
        let after = match std::mem::replace(&mut self.stage, Stage::Look) {
            Stage::Look => self.look(),
            Stage::AwaitRemoval if self.is_out() => After::LOOK,
            Stage::AwaitRemoval => After::AWAIT_REMOVAL,
            Stage::AwaitJob(found, link) => self.await_job(found, link),
            Stage::AwaitReset => self.await_reset(),
        };
        match after {
            After::Stage(stage) => {
                self.stage = stage;
                true
            }
            After::Leave => false,
        }
    }

    fn look(&mut self) -> After<S::Link> {
        match self.socket.wait_for_card(GLANCE) {
            CardEvent::Present { .. } => return self.serve(),
            CardEvent::Empty => self.show_idle(),
            CardEvent::ReaderGone if self.reader_is_key => {
                self.show_idle();
                return After::Leave;
            }
            CardEvent::ReaderGone => self.show_offline("读卡器未连接，请检查集线器 (no reader)"),
            _ => self.show_offline("pcscd 未响应，正在重连 (pcscd does not answer)"),
        }
        After::LOOK
    }

    fn is_out(&mut self) -> bool {
        let out = self.socket.wait_for_removal(GLANCE) != Removal::StillThere;
        if out {
            self.bench.leave(&self.name);
        }
        out
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
        } else if let Some(why) = self.bench.breakers.stopped(&self.name) {
            self.bench.board.show(&self.name, SlotPhase::Stopped, why);
        } else {
            self.bench.board.show(&self.name, SlotPhase::Empty, "请插入空白钥匙 (plug a blank)");
        }
    }

    fn show_interrupted(&self) {
        let unfinished = self.bench.unfinished();
        let Some(waiting) = unfinished.get(&self.name) else { return };
        let left = waiting.until.saturating_sub(self.bench.time.elapsed()).as_secs();
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
    fn connect(&mut self) -> Result<S::Link, PcscError> {
        for _ in 0..POWER_UP_LOOKS {
            match self.socket.connect() {
                Err(PcscError::Unresponsive { .. } | PcscError::InUse { .. }) => {
                    self.bench.time.sleep(POWER_UP);
                }
                settled => return settled,
            }
        }
        self.socket.connect()
    }

    /// A key is in: look at it and do what is to be done.
    fn serve(&mut self) -> After<S::Link> {
        let mut link = match self.connect() {
            Ok(link) => link,
            Err(error) => {
                tracing::debug!(slot = %self.name, %error, "not connected");
                self.show_offline(&format!("无法连接钥匙：{error} (cannot connect)"));
                self.bench.time.sleep(GLANCE);
                return After::LOOK;
            }
        };
        if self.reader_is_key && !self.is_in_this_slot(&link) {
            return After::Leave;
        }
        let bench = self.bench.clone();
        match identify(&mut link, Transport::Pcsc, &bench.profiles) {
            Look::Known(found) => {
                let profile = bench.profiles.iter().position(|profile| profile.name == found.profile.name);
                let Some(profile) = profile else { return After::LOOK };
                self.known(Found { key: found.key, profile, applications: found.applications }, link)
            }
            Look::NotTaken(not) => {
                drop(link);
                self.bench.refuse(&self.name, None, not.reason, &not.detail);
                After::AWAIT_REMOVAL
            }
            Look::Interrupted(error) => {
                tracing::debug!(slot = %self.name, %error, "pulled while looked at");
                After::LOOK
            }
        }
    }

    /// pcscd gives a freed reader name to the next key, which may be in another port.
    fn is_in_this_slot(&self, link: &S::Link) -> bool {
        let at = S::usb_address(link);
        matches!(self.bench.hub.resolve(self.socket.name(), at), Ok(Some(slot)) if slot == self.name)
    }

    fn known(&mut self, found: Found, link: S::Link) -> After<S::Link> {
        if let Some(other) = self.bench.enter(&found.key, &self.name) {
            return self.doubled(&found, &other);
        }
        self.doubled_since = None;
        let expected = self.bench.unfinished().get(&self.name).map(|waiting| waiting.work.begun.key.clone());
        match expected {
            Some(key) if key == found.key => return self.resume(found.profile, link),
            Some(_) => {
                self.show_interrupted();
                return After::AWAIT_REMOVAL;
            }
            None => {}
        }
        if let Some(slot) = self.unfinished_elsewhere(&found.key) {
            let message = format!(
                "此钥匙的任务在插槽 {slot} 中断，请插回插槽 {slot} (its job was interrupted in slot {slot}: plug it there)"
            );
            self.bench.board.show(&self.name, SlotPhase::Refused, message);
            return After::AWAIT_REMOVAL;
        }
        if let Some((key, shown)) = &self.last_key
            && *key == found.key
        {
            self.bench.board.slot(&self.name, |slot| *slot = shown.clone());
            return After::AWAIT_REMOVAL;
        }
        if !found.applications.is_empty() {
            let names = found.applications.join("、");
            let detail = format!("不是空白钥匙，已有应用 {names}，请取出 (not a blank)");
            return self.refuse(&found, RefusalReason::AlreadyIssued, &detail);
        }
        if self.bench.breakers.stopped(&self.name).is_some() {
            return After::AWAIT_RESET;
        }
        if let Some(why) = self.bench.breakers.lot_of_stopped(&found.key) {
            return self.refuse(&found, RefusalReason::LotStopped, &why);
        }
        self.bench.board.show(&self.name, SlotPhase::Waiting, "等待任务 (waiting for a job)");
        self.bench.board.slot(&self.name, |slot| slot.key_serial = Some(found.key.serial().to_owned()));
        After::Stage(Stage::AwaitJob(found, link))
    }

    /// The key seems to be in another slot too. It is a double if that does not end within the time in which a reader tells of a key
    /// that was just moved over.
    fn doubled(&mut self, found: &Found, other: &SlotName) -> After<S::Link> {
        let now = self.bench.time.elapsed();
        if now < *self.doubled_since.get_or_insert(now) + MOVED_OVER.0 {
            self.bench.time.sleep(MOVED_OVER.1);
            return After::LOOK;
        }
        self.doubled_since = None;
        let serial = found.key.serial();
        let detail =
            format!("插槽 {other} 中已有同一序列号的钥匙 {serial}，请取出并隔离 (same serial twice)");
        self.refuse(found, RefusalReason::DuplicateSerial, &detail)
    }

    fn unfinished_elsewhere(&self, key: &KeyId) -> Option<SlotName> {
        let unfinished = self.bench.unfinished();
        unfinished.iter().find(|(_, waiting)| waiting.work.begun.key == *key).map(|(slot, _)| slot.clone())
    }

    fn refuse(&mut self, found: &Found, reason: RefusalReason, detail: &str) -> After<S::Link> {
        self.bench.refuse(&self.name, Some(found.key.clone()), reason, detail);
        After::AWAIT_REMOVAL
    }

    /// Nothing begins in a stopped slot. Once it is reset, the key is looked at afresh.
    fn await_reset(&mut self) -> After<S::Link> {
        let Some(why) = self.bench.breakers.stopped(&self.name) else { return After::LOOK };
        self.bench.board.show(&self.name, SlotPhase::Stopped, why);
        if self.is_out() { After::LOOK } else { After::AWAIT_RESET }
    }

    /// Looks once whether there is a job for the blank.
    fn await_job(&mut self, found: Found, link: S::Link) -> After<S::Link> {
        let bench = self.bench.clone();
        if bench.is_draining() {
            return After::AWAIT_REMOVAL;
        }
        let Some(model) = bench.profiles.get(found.profile).map(|profile| &profile.name) else {
            return After::LOOK;
        };
        if bench.breakers.stopped(&self.name).is_some() {
            bench.pool.no_longer_wanted(model);
            return After::AWAIT_RESET;
        }
        let taken = bench.pool.take(model, bench.time.block(GLANCE));
        // Swapped or pulled meanwhile: what is in now must be looked at afresh.
        if self.socket.wait_for_removal(Duration::ZERO) != Removal::StillThere {
            if let Some(order) = taken {
                bench.pool.give_back(order);
            }
            bench.pool.no_longer_wanted(model);
            bench.leave(&self.name);
            return After::LOOK;
        }
        if let Some(order) = taken {
            return self.begin(found, order, link);
        }
        if bench.pool.only_other_models_wait(model) {
            bench.pool.no_longer_wanted(model);
            let detail =
                format!("当前任务不能使用 {model} 型号，请换其他钥匙 (no waiting job takes this model)");
            return self.refuse(&found, RefusalReason::WrongModel, &detail);
        }
        After::Stage(Stage::AwaitJob(found, link))
    }
}
