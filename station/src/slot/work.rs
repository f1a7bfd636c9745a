//! A job in a slot: begun, carried on, left open, ended.

use std::time::Duration;

use model::{Outcome, SlotName};
use profile::{Profile, StepKind};
use ukey_pcsc::Removal;
use wire::{JobOrder, SlotPhase};
use workflow::{
    Begun, Driver, Ended, InWork, Interruption, Observer, Proceed, Record, Recorder, RecorderError, Settled,
    State,
};

use super::{After, Found, SlotWorker};
use crate::{
    bench::{Bench, Unfinished},
    clock::DriverClock,
    last_key,
    portal_issuer::PortalIssuer,
    socket::Socket,
};

/// How often a job is taken up again after a reset or a broken link before staff are asked to plug the key anew.
const ATTEMPTS_MAX: u8 = 3;

/// How often `Later` is accepted of the portal in one request.
const LATER_MAX: u32 = 20;

impl<S: Socket> SlotWorker<S> {
    pub(super) fn begin(&mut self, found: Found, order: JobOrder, link: S::Link) -> After<S::Link> {
        let bench = self.bench.clone();
        let Some(profile) = bench.profiles.get(found.profile) else { return After::LOOK };
        let stream = format!("job/{}/{}/{}", order.job, self.name, self.bench.time.unix_ms());
        let begun = Begun {
            order,
            key: found.key,
            slot: self.name.clone(),
            profile: profile.name.clone(),
            profile_digest: profile.digest.clone(),
            at: self.bench.time.now(),
        };
        let record = Record::Begun(begun);
        let mut recorder = StreamRecorder { bench: &self.bench, stream: &stream };
        if let Err(error) = recorder.record(&record) {
            self.bench.stop_for(&error);
            return After::AWAIT_REMOVAL;
        }
        match workflow::next(State::Fresh, &record) {
            Ok(State::InWork(work)) => self.work(profile, stream, *work, link),
            other => {
                self.bench.stop_for(&format!("a job did not begin: {other:?}"));
                After::AWAIT_REMOVAL
            }
        }
    }

    pub(super) fn resume(&mut self, profile: usize, link: S::Link) -> After<S::Link> {
        let bench = self.bench.clone();
        let Some(profile) = bench.profiles.get(profile) else { return After::LOOK };
        let Some(waiting) = self.bench.unfinished().remove(&self.name) else { return After::LOOK };
        tracing::info!(slot = %self.name, job = %waiting.work.begun.order.job, "the key is back; the job goes on");
        self.work(profile, waiting.stream, waiting.work, link)
    }

    fn work(&mut self, profile: &Profile, stream: String, work: InWork, link: S::Link) -> After<S::Link> {
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
                time: self.bench.time.clone(),
                sealing_key: self.bench.sealing_key.clone(),
                attempt: stream.clone(),
                later_max: LATER_MAX,
                breakers: self.bench.breakers.clone(),
                may_refuse: !work.touched(),
            },
            observer: &mut SlotObserver { bench: &self.bench, slot: &self.name },
            clock: &DriverClock(self.bench.time.as_ref()),
            device_tries: self.bench.tries.left(&begun.key),
        };
        match driver.run(link, work) {
            Ok(ended) => {
                self.attempts = 0;
                self.bench.finish(&stream, &begun, &ended);
                if ended.refusal.is_none() {
                    self.show_end(&begun, &ended);
                }
                After::AWAIT_REMOVAL
            }
            Err(Interruption::Halted) => After::AWAIT_REMOVAL,
            Err(Interruption::Journal(error)) => {
                self.bench.stop_for(&error);
                After::AWAIT_REMOVAL
            }
            Err(Interruption::Key(error)) => self.interrupted(stream, &error),
            Err(Interruption::Portal(error)) => self.portal_silent(stream, &error),
        }
    }

    fn show_end(&mut self, begun: &Begun, ended: &Ended) {
        self.bench.board.slot(&self.name, |slot| *slot = last_key::shown(begun, ended, slot.percent));
        // A key that was not written is still a blank: plugged again, it gets another job.
        let shown = self.bench.board.now().slots.into_iter().find(|slot| slot.slot == self.name);
        self.last_key = shown.filter(|_| ended.key_touched).map(|shown| (begun.key.clone(), shown));
    }

    /// The key was lost in the middle. What the journal says is what counts, so the stream is replayed.
    fn interrupted(&mut self, stream: String, error: &dyn std::fmt::Display) -> After<S::Link> {
        tracing::warn!(slot = %self.name, %error, "the key was lost in work");
        let Some(unfinished) = self.unfinished(stream) else { return After::AWAIT_REMOVAL };
        if !unfinished.work.touched() {
            let detail =
                "钥匙在写入前被拔出，任务已退回 (pulled before anything was written: the job was given back)";
            self.bench.give_up(&unfinished, Outcome::Aborted, detail);
            return After::LOOK;
        }
        self.bench.unfinished().insert(self.name.clone(), unfinished);
        self.show_interrupted();
        // A reset or a broken link leaves the key where it is: it is tried again before staff are asked to plug it anew.
        self.attempts += 1;
        let still_there = self.socket.wait_for_removal(Duration::ZERO) == Removal::StillThere;
        if still_there && self.attempts > ATTEMPTS_MAX {
            self.attempts = 0;
            return After::AWAIT_REMOVAL;
        }
        After::LOOK
    }

    /// The key is half made and in its slot, and the portal does not answer: it is asked again as long as the key is there.
    fn portal_silent(&mut self, stream: String, error: &str) -> After<S::Link> {
        tracing::warn!(slot = %self.name, error, "the portal does not answer; the key waits in its slot");
        if let Some(unfinished) = self.unfinished(stream) {
            self.bench.unfinished().insert(self.name.clone(), unfinished);
        }
        let message =
            "门户无响应，钥匙请勿拔出，恢复后自动继续 (the portal does not answer: leave the key in)";
        self.bench.board.slot(&self.name, |slot| slot.message = message.to_owned());
        After::LOOK
    }

    /// A job that is left open, as the journal has it.
    fn unfinished(&self, stream: String) -> Option<Unfinished> {
        match self.bench.state(&stream) {
            Ok(State::InWork(work)) => {
                let until = self.bench.time.elapsed() + self.bench.patience_with_pulled_keys();
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

    fn settled(&mut self, step: StepKind, how: Settled) {
        let found = match how {
            Settled::Done => "已查明完成，继续 (found done)",
            Settled::NotDone => "已查明未完成，现在重做 (found not done: done now)",
            Settled::Repeated => "重新执行 (done again)",
        };
        let message = format!("上次中断于「{}」：{found}", step.zh());
        tracing::info!(slot = %self.slot, ?step, ?how, "a step that was cut off is settled");
        self.bench.board.slot(self.slot, |slot| slot.message = message);
    }
}
