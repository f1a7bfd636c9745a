//! What can go wrong, and where: the points of one profile.

use std::{fmt, path::Path};

use anyhow::{Result, ensure};
use model::Outcome;
use profile::{Profile, StepKind};
use ukey_sim::Effect;

use super::scene::Scene;

/// Status words that stand for whole families: memory, condition, locked, one try left, wrong data, unknown; and a success that
/// is none, because nothing was carried out.
const STATUS: [u16; 7] = [0x6581, 0x6985, 0x6983, 0x63C1, 0x6A80, 0x6F00, 0x9000];
/// Status words in place of an answer to what was carried out.
const STATUS_AFTER: [u16; 2] = [0x6F00, 0x63C2];
/// A key may be pulled this many times at one place: more often than a device key or a PIN has tries.
const STUBBORN: u8 = 20;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Nothing.
    None,
    /// With the n-th command of the first run, from 1.
    Command(u64, Effect),
    /// With the first command of this instruction, in each of the first runs.
    Every(u8, Effect, u8),
    /// The station dies before the n-th record is kept: what the record tells of was done.
    RecordLost(usize),
    /// The station dies after the n-th record was kept: what comes after it was not done.
    RecordKept(usize),
    /// The station dies before the receipt of a step is kept, in each of the first runs: the step is in doubt again and again.
    ReceiptLost(StepKind, u8),
    /// The portal does not answer its n-th question, which it did not hear.
    PortalSilent(usize),
    /// The portal's n-th answer is lost.
    AnswerLost(usize),
}

/// One point.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point<'p> {
    pub(super) profile: &'p Profile,
    pub(super) trouble: Trouble,
}

impl Point<'_> {
    pub(super) fn is_cut(&self) -> bool {
        matches!(self.trouble, Trouble::RecordLost(_) | Trouble::RecordKept(_) | Trouble::ReceiptLost(..))
    }
}

impl fmt::Display for Point<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {:?}", self.profile.name, self.trouble)
    }
}

/// Every point of `profile`, counted out by one job in which nothing goes wrong.
pub(super) fn all<'p>(profile: &'p Profile, profiles: &[Profile], scratch: &Path) -> Result<Vec<Point<'p>>> {
    let mut scene = Scene::new(profile, profiles, scratch)?;
    let ended = scene.run_to_the_end(Trouble::None)?;
    ensure!(ended.outcome == Outcome::Pass, "{}: {}", profile.name, ended.detail);
    scene.judge(&ended, Trouble::None)?;
    let (commands, records, questions) = (scene.commands(), scene.records(), scene.portal.questions());
    let mut troubles = Vec::new();
    for at in 1..=commands {
        let effects = [Effect::YankBefore, Effect::YankAfter, Effect::Garbage, Effect::Short, Effect::Empty];
        troubles.extend(effects.map(|effect| Trouble::Command(at, effect)));
        troubles.extend(STATUS.map(|word| Trouble::Command(at, Effect::Status(word))));
        troubles.extend(STATUS_AFTER.map(|word| Trouble::Command(at, Effect::StatusAfter(word))));
    }
    for ins in scene.instructions() {
        troubles.extend(
            [Effect::YankBefore, Effect::YankAfter].map(|effect| Trouble::Every(ins, effect, STUBBORN)),
        );
    }
    // The first record is there before the driver runs, the last is written with the report, by the caller.
    for at in 1..records - 1 {
        troubles.extend([Trouble::RecordLost(at), Trouble::RecordKept(at)]);
    }
    for step in &profile.steps {
        troubles.extend([1, 2, STUBBORN].map(|times| Trouble::ReceiptLost(step.kind, times)));
    }
    for at in 1..=questions {
        troubles.extend([Trouble::PortalSilent(at), Trouble::AnswerLost(at)]);
    }
    Ok(troubles.into_iter().map(|trouble| Point { profile, trouble }).collect())
}
