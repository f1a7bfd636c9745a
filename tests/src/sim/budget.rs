//! How much may go wrong in one seed, and what.

use super::dice::Dice;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A key is pulled before or after a command.
    Yank,
    /// A key answers a wrong status word (`63Cx` and others), garbage, or too little.
    BadReply,
    /// A key is reset by somebody else.
    Reset,
    /// A reader is gone for a while, with the key in it.
    ReaderGone,
    /// A message between station and portal is lost.
    Lost,
    /// A message comes twice.
    Doubled,
    /// A message comes later than others, or when nobody waits for it any more.
    Late,
    /// The broker is away for a while; what it held is gone.
    BrokerDown,
    /// The portal's process ends and begins anew.
    PortalRestart,
    /// A station's process ends between any two of its effects and begins anew.
    Crash,
    /// A station's process ends and stays away for a while.
    Away,
    /// The disk takes no more: what was about to be written is there.
    DiskFull,
    /// The disk takes no more: what was about to be written is not there.
    TornWrite,
    /// The printer refuses, or takes the label and the station does not hear of it.
    Printer,
    /// SF answers wrongly or not at all.
    Sf,
    /// A wall clock jumps.
    ClockJump,
    /// Staff put a pulled key into another slot first.
    WrongSlot,
    /// A pulled key does not come back.
    KeyLost,
}

/// Each kind, how often at most in one seed, and once in how many chances.
const TABLE: [(Fault, u32, u64); 18] = [
    (Fault::Yank, 4, 4),
    (Fault::BadReply, 3, 6),
    (Fault::Reset, 2, 60),
    (Fault::ReaderGone, 2, 80),
    (Fault::Lost, 12, 8),
    (Fault::Doubled, 12, 8),
    (Fault::Late, 12, 8),
    (Fault::BrokerDown, 2, 60),
    (Fault::PortalRestart, 3, 40),
    (Fault::Crash, 4, 25),
    (Fault::Away, 1, 60),
    (Fault::DiskFull, 1, 50),
    (Fault::TornWrite, 1, 50),
    (Fault::Printer, 2, 4),
    (Fault::Sf, 2, 20),
    (Fault::ClockJump, 2, 40),
    (Fault::WrongSlot, 2, 3),
    (Fault::KeyLost, 1, 6),
];

/// What may still go wrong.
#[derive(Clone, Debug)]
pub struct Budget {
    left: Vec<(Fault, u32, u64)>,
    spent: u32,
    quiet: bool,
}

impl Budget {
    /// The budget of a seed: of each kind all, some or nothing, so that each is also seen without the others.
    #[must_use]
    pub fn of(dice: &mut Dice) -> Self {
        let left = TABLE.iter().map(|(fault, most, chance)| {
            let most = u32::try_from(dice.below(u64::from(*most) + 1)).unwrap_or(0);
            (*fault, most, *chance)
        });
        Self { left: left.collect(), spent: 0, quiet: false }
    }

    /// Whether this fault happens now.
    pub fn spend(&mut self, dice: &mut Dice, fault: Fault) -> bool {
        let quiet = self.quiet;
        let Some((_, left, chance)) = self.left.iter_mut().find(|(kind, ..)| *kind == fault) else {
            return false;
        };
        // The throw is made in any case, so that the numbers after it do not depend on the budget.
        let happens = dice.one_in(*chance) && *left > 0 && !quiet;
        if happens {
            *left -= 1;
            self.spent += 1;
        }
        happens
    }

    /// From now on nothing goes wrong.
    pub fn end(&mut self) {
        self.quiet = true;
    }

    /// Whether nothing goes wrong any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.quiet
    }

    /// How much went wrong.
    #[must_use]
    pub fn spent(&self) -> u32 {
        self.spent
    }
}
