//! One key, one job, one journal, and what goes wrong with them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use model::{Outcome, Secret};
use profile::{Profile, StepKind};
use ukey_sim::{Effect, Faults, InProcess, Options, SharedKey, Summary, VirtualKey};
use wire::{CertificateKind, JobOrder};
use workflow::{
    Begun, Clock, Driver, Ended, InWork, Interruption, Look, Observer, Proceed, Record, Recorder,
    RecorderError, Settled, State, identify, replay,
};

use super::{
    point::Trouble,
    portal::{Portal, Silence},
    read_back,
    watch::{Notes, Watched},
};

/// A job is begun anew at most this often; no trouble lasts longer.
const RUNS_MAX: usize = 64;

/// The scene of one point.
pub(super) struct Scene<'p> {
    profile: &'p Profile,
    profiles: &'p [Profile],
    flash: PathBuf,
    blank: Summary,
    pub(super) portal: Portal,
    seen: Notes,
}

impl<'p> Scene<'p> {
    /// A blank of `profile` in `folder`, and a portal.
    pub(super) fn new(profile: &'p Profile, profiles: &'p [Profile], folder: &Path) -> Result<Self> {
        let flash = folder.join("key.json");
        if flash.exists() {
            std::fs::remove_file(&flash)?;
        }
        let factory = Secret::new(ukey_sim::FACTORY_DEVICE_KEY.to_vec());
        VirtualKey::make(&flash, profile, "V0000001", &factory)?;
        let blank = Summary::read(&flash)?;
        Ok(Self { profile, profiles, flash, blank, portal: Portal::new()?, seen: Notes::default() })
    }

    /// Commands of the run.
    pub(super) fn commands(&self) -> u64 {
        self.seen.open().instructions.len() as u64
    }

    /// Records of the job, the first and the last included.
    pub(super) fn records(&self) -> usize {
        self.seen.open().records.len()
    }

    /// Each instruction that was sent, once.
    pub(super) fn instructions(&self) -> Vec<u8> {
        let mut all = self.seen.open().instructions.clone();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Begins the job and runs it until it ends, starting again after each interruption as a station does.
    pub(super) fn run_to_the_end(&mut self, trouble: Trouble) -> Result<Ended> {
        self.begin()?;
        self.portal.silence = match trouble {
            Trouble::PortalSilent(at) => Some(Silence::Question(at)),
            Trouble::AnswerLost(at) => Some(Silence::Answer(at)),
            _ => None,
        };
        for run in 0..RUNS_MAX {
            let work = self.replayed()?;
            let before = (self.public_key()?, self.portal.issued().len());
            match self.run(work, trouble, run) {
                Ok(ended) => {
                    self.seen.open().records.push(Record::Ended(ended.clone()));
                    let State::Ended(..) = self.replay()? else {
                        bail!("the journal does not say that it ended")
                    };
                    return Ok(ended);
                }
                Err(Interruption::Halted) => bail!("nobody halted it"),
                Err(_) => {}
            }
            if before.1 > 0 {
                ensure!(self.public_key()? == before.0, "a certified key pair was replaced");
            }
        }
        bail!("still open after {RUNS_MAX} runs")
    }

    /// The laws that hold after the end.
    pub(super) fn judge(&self, ended: &Ended, trouble: Trouble) -> Result<()> {
        let seen = self.seen.open();
        ensure!(seen.broken.is_empty(), "{}", seen.broken.join("; "));
        let issued = self.portal.issued();
        ensure!(issued.len() <= 1, "{} key pairs were certified", issued.len());
        let now = Summary::read(&self.flash)?;
        let written = Summary { device_tries: self.blank.device_tries, ..now.clone() } != self.blank
            || self.device_key_changed()?;
        ensure!(!written || ended.key_touched, "a written key is called untouched: {ended:?}");
        ensure!(ended.refusal.is_none() || !ended.key_touched, "a written key is refused: {ended:?}");
        ensure!(ended.outcome != Outcome::Aborted, "nobody gave it back: {ended:?}");
        if let Some((public, reply)) = issued.first() {
            ensure!(
                self.public_key()?.is_none_or(|there| there == public.xy()),
                "the key has another key pair than the one that was certified"
            );
            if ended.outcome == Outcome::Pass {
                // The last command of read-back gives the device key its tries back. Nothing can tell whether a key that
                // answers it with success lies.
                let whole = !matches!(trouble, Trouble::Command(_, Effect::Status(0x9000)));
                return read_back::proves_itself(&self.flash, self.profile, public, reply, whole);
            }
        }
        ensure!(ended.outcome != Outcome::Pass, "made without a certificate");
        Ok(())
    }

    fn begin(&self) -> Result<()> {
        let mut link = self.plug(Faults::none())?.0;
        let Look::Known(found) = identify(&mut link, self.profile.transport, self.profiles) else {
            bail!("the blank is not recognised");
        };
        ensure!(found.applications.is_empty(), "the blank is none");
        self.seen.open().records.push(Record::Begun(Begun {
            order: JobOrder {
                job: "SAAS120261122093000000001-1".parse()?,
                quantity: 1,
                programme: "test".into(),
                programme_title: "测试".into(),
                holder: "测试单位".into(),
                certificate: CertificateKind::Unit,
                profiles: vec![],
            },
            key: found.key,
            slot: "A01".parse()?,
            profile: self.profile.name.clone(),
            profile_digest: self.profile.digest.clone(),
            at: AT.into(),
        }));
        Ok(())
    }

    fn run(&mut self, work: InWork, trouble: Trouble, run: usize) -> Result<Ended, Interruption> {
        let again = |times: u8| run < usize::from(times);
        let faults = match trouble {
            Trouble::Command(at, effect) if run == 0 => Faults::one(at, effect),
            _ => Faults::none(),
        };
        let first = match trouble {
            Trouble::Every(ins, effect, times) if again(times) => Some((ins, effect)),
            _ => None,
        };
        let cut = match trouble {
            Trouble::RecordLost(at) if run == 0 => Cut::Before(at),
            Trouble::RecordKept(at) if run == 0 => Cut::After(at),
            Trouble::ReceiptLost(step, times) if again(times) => Cut::Receipt(step),
            _ => Cut::None,
        };
        // What cannot be plugged cannot be run: the scene itself is broken, and the records say no more.
        let broken = |error: anyhow::Error| Interruption::Journal(RecorderError(format!("{error:#}")));
        let (link, key) = self.plug(faults).map_err(broken)?;
        let link = Watched::new(link, key, &self.flash, self.seen.clone(), first);
        let mut journal = Journal { seen: self.seen.clone(), cut };
        Driver {
            profile: self.profile,
            recorder: &mut journal,
            issuer: &mut self.portal,
            observer: &mut Screen,
            clock: &Still,
            device_tries: None,
        }
        .run(link, work)
    }

    fn plug(&self, faults: Faults) -> Result<(InProcess, SharedKey)> {
        let key = VirtualKey::open(&self.flash, Options { faults, ..Options::default() })?;
        let key = SharedKey::from(key);
        Ok((InProcess::new(&key)?, key))
    }

    fn replay(&self) -> Result<State> {
        Ok(replay(&self.seen.open().records)?)
    }

    fn replayed(&self) -> Result<InWork> {
        match self.replay()? {
            State::InWork(work) => Ok(*work),
            other => bail!("the journal says {other:?}"),
        }
    }

    /// The signing key pair on the key.
    fn public_key(&self) -> Result<Option<[u8; 64]>> {
        let summary = Summary::read(&self.flash)?;
        let container = summary.applications.first().and_then(|application| application.containers.first());
        let half = container.and_then(|container| container.sign.as_ref());
        half.map(|half| half.public_key.as_slice().try_into().context("a public key has 64 bytes"))
            .transpose()
    }

    /// Whether the factory's device key stands in the flash no more.
    fn device_key_changed(&self) -> Result<bool> {
        let text = std::fs::read_to_string(&self.flash)?;
        Ok(!text.contains(&hex::encode(ukey_sim::FACTORY_DEVICE_KEY)))
    }
}

/// Where the station dies.
#[derive(Clone, Copy)]
enum Cut {
    None,
    Before(usize),
    After(usize),
    Receipt(StepKind),
}

/// A journal of memory that may be the last thing the station does.
struct Journal {
    seen: Notes,
    cut: Cut,
}

impl Recorder for Journal {
    fn record(&mut self, record: &Record) -> Result<(), RecorderError> {
        let dies = || Err(RecorderError("the station died here".to_owned()));
        let mut seen = self.seen.open();
        let at = seen.records.len();
        match (self.cut, record) {
            (Cut::Before(cut), _) if cut == at => return dies(),
            (Cut::Receipt(cut), Record::Receipt { step, .. }) if *step == cut => return dies(),
            _ => {}
        }
        seen.records.push(record.clone());
        if matches!(self.cut, Cut::After(cut) if cut == at) { dies() } else { Ok(()) }
    }
}

const AT: &str = "2026-11-22T09:30:00Z";

struct Screen;

impl Observer for Screen {
    fn step(&mut self, _: StepKind, _: u8) -> Proceed {
        Proceed::GoOn
    }

    fn settled(&mut self, _: StepKind, _: Settled) {}
}

struct Still;

impl Clock for Still {
    fn now(&self) -> String {
        AT.to_owned()
    }
    fn monotonic_ms(&self) -> u64 {
        0
    }
}
