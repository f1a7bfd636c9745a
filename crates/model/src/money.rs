//! Money in whole fen.

use serde::{Deserialize, Serialize};

/// An amount in fen (1/100 yuan). Never negative; arithmetic is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fen(pub u64);

impl Fen {
    /// `self` × `count`, or `None` on overflow.
    #[must_use]
    pub fn times(self, count: u64) -> Option<Self> {
        self.0.checked_mul(count).map(Self)
    }
}

impl std::fmt::Display for Fen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::Fen;

    #[test]
    fn prints_yuan_with_two_decimals() {
        assert_eq!(Fen(30_000).to_string(), "300.00");
        assert_eq!(Fen(5).to_string(), "0.05");
        assert_eq!(Fen(u64::MAX).times(2), None);
    }
}
