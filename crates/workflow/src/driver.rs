//! The driver: walks the plan, writes intent and receipt around each step, decides what is in doubt.

use model::Outcome;
use profile::{Profile, Redo, Step, StepKind};
use ukey::CardTransport;

use crate::{
    end::{Interruption, Stop},
    key_at_work::{JobSecrets, KeyAtWork},
    ports::{Clock, Issuer, IssuerError, Observer, Proceed, Recorder, Settled},
    record::{Ended, Output, Record},
    state::{InWork, State, next, percent},
    steps,
};

/// How often a `change-device-key` is begun. Each time it is in doubt costs the key a try, and a try that was cut was not
/// heard of; a right key gives the tries back.
const LOOKS_MAX: u8 = 3;

/// One run over one key. The ports are borrowed for its length.
pub struct Driver<'a> {
    /// The plan and the dialect.
    pub profile: &'a Profile,
    /// The journal.
    pub recorder: &'a mut dyn Recorder,
    /// The portal.
    pub issuer: &'a mut dyn Issuer,
    /// The screen.
    pub observer: &'a mut dyn Observer,
    /// Time.
    pub clock: &'a dyn Clock,
    /// Tries that the key's device key was last heard to have, if it was ever heard.
    pub device_tries: Option<u8>,
}

impl Driver<'_> {
    /// Carries `work` to its end, from wherever it stands. The caller writes the `Ended` record together with its report.
    ///
    /// # Errors
    /// [`Interruption`]: the job stays open, to be resumed on the same key in the same slot.
    pub fn run<T: CardTransport>(mut self, transport: T, work: InWork) -> Result<Ended, Interruption> {
        let begin = self.clock.monotonic_ms();
        let mut work = work;
        let clean = !work.touched();
        let stop = match self.walk(transport, &mut work) {
            Ok(()) => None,
            Err(Stop::Interrupted(interruption)) => return Err(interruption),
            Err(Stop::End { outcome, refusal, device_tries, detail }) => {
                Some((outcome, refusal, device_tries, detail))
            }
        };
        let (outcome, refusal, device_tries, detail) =
            stop.unwrap_or((Outcome::Pass, None, None, "制证完成，请取出 (made: take it out)".to_owned()));
        let (sign, enc) = work.verified.clone().unzip();
        // Only a blank can be refused: a key that was written to is spoiled, whatever the reason.
        let refusal = refusal.filter(|_| clean && work.done.is_empty());
        Ok(Ended {
            outcome,
            key_touched: refusal.is_none() && work.touched(),
            refusal,
            device_tries,
            milliseconds: self.clock.monotonic_ms().saturating_sub(begin),
            sign_cert_serial: sign,
            enc_cert_serial: enc,
            detail,
            at: self.clock.now(),
        })
    }

    fn walk<T: CardTransport>(&mut self, transport: T, work: &mut InWork) -> Result<(), Stop> {
        if work.begun.profile_digest != self.profile.digest {
            return Err(Stop::error(
                "任务开始后固件配置已更改，请隔离此钥匙 (the profile changed since the job began: set the key aside)",
            ));
        }
        let begun = &work.begun;
        let label = &self.profile.secrets.factory_device_key;
        let secrets = self
            .issuer
            .secrets(&begun.order.job, &begun.key, &self.profile.name, label)
            .map_err(|error| issuer_stop(error, work))?;
        let mut key = KeyAtWork::new(transport, self.profile, JobSecrets::new(&secrets)?, self.device_tries);
        drop(secrets);
        for step in &self.profile.steps {
            if work.done.contains(&step.kind) {
                continue;
            }
            if self.observer.step(step.kind, percent(work, self.profile)) == Proceed::Halt {
                return Err(Stop::Interrupted(Interruption::Halted));
            }
            key.begin_step(step.budget);
            let output = self.step(step, &mut key, work)?;
            self.keep(work, Record::Receipt { step: step.kind, output, at: self.clock.now() })?;
        }
        Ok(())
    }

    fn step<T: CardTransport>(
        &mut self,
        step: &Step,
        key: &mut KeyAtWork<'_, T>,
        work: &mut InWork,
    ) -> Result<Output, Stop> {
        let in_doubt = work.in_doubt == Some(step.kind);
        // Before the look too: a look may cost a try, and the records must know how many were taken.
        self.keep(work, Record::Intent { step: step.kind, at: self.clock.now() })?;
        if in_doubt && let Some(output) = self.settle(step, key, work)? {
            return Ok(output);
        }
        steps::perform(step.kind, key, work, self.issuer)
    }

    /// Decides a step in doubt, and says how.
    fn settle<T: CardTransport>(
        &mut self,
        step: &Step,
        key: &mut KeyAtWork<'_, T>,
        work: &InWork,
    ) -> Result<Option<Output>, Stop> {
        let output = resolve(step, key, work)?;
        let how = match (&output, step.redo) {
            (Some(_), _) => Settled::Done,
            (None, Redo::Repeat) => Settled::Repeated,
            (None, _) => Settled::NotDone,
        };
        self.observer.settled(step.kind, how);
        Ok(output)
    }

    /// On disk first, then in the state: live running and replay go through the same function.
    fn keep(&mut self, work: &mut InWork, record: Record) -> Result<(), Stop> {
        self.recorder.record(&record)?;
        match next(State::InWork(Box::new(work.clone())), &record) {
            Ok(State::InWork(after)) => {
                *work = *after;
                Ok(())
            }
            Ok(_) => Err(Stop::error("a step's record ended the job")),
            Err(illegal) => Err(Stop::error(illegal.to_string())),
        }
    }
}

/// A portal that does not answer ends a job on a blank and leaves a half-made key waiting for it.
pub(crate) fn issuer_stop(error: IssuerError, work: &InWork) -> Stop {
    match error {
        IssuerError::Unreachable(detail) if work.touched() => Stop::Interrupted(Interruption::Portal(detail)),
        error => error.into(),
    }
}

/// Decides a step whose intent has no receipt.
fn resolve<T: CardTransport>(
    step: &Step,
    key: &mut KeyAtWork<'_, T>,
    work: &InWork,
) -> Result<Option<Output>, Stop> {
    match step.redo {
        Redo::Inspect if step.kind == StepKind::ChangeDeviceKey && work.begun_times > LOOKS_MAX => {
            Err(Stop::error(
                "查看设备认证密钥时多次中断，为免锁死不再尝试，请隔离此钥匙 (looking at the device key was cut too often, another try could lock it: set the key aside)",
            ))
        }
        Redo::Repeat => Ok(None),
        Redo::Inspect => steps::inspect(step.kind, key, work),
        Redo::Ask => Err(Stop::error(format!(
            "{}是否完成无法判定，请隔离此钥匙并上报 (whether this step was done cannot be told: set the key aside)",
            step.kind.zh()
        ))),
    }
}
