//! How a job ended (row P3).

use serde::{Deserialize, Serialize};

/// The outcome of one job on one key. `Fail` costs a key, `Error` costs the station: they are never merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The key was made, read back and verified.
    Pass,
    /// The key is at fault: it refused a right command or failed read-back. It is set aside.
    Fail,
    /// The station or the portal is at fault, or the key was pulled and did not come back.
    Error,
    /// A step went over its time budget.
    Timeout,
    /// Staff stopped the job.
    Aborted,
}

impl Outcome {
    /// The word on the screen, in Chinese.
    #[must_use]
    pub fn zh(self) -> &'static str {
        match self {
            Self::Pass => "合格",
            Self::Fail => "钥匙不合格",
            Self::Error => "异常",
            Self::Timeout => "超时",
            Self::Aborted => "已中止",
        }
    }
}
