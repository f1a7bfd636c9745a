//! What a station does now: retained by the broker, shown on the portal's live page.

use model::{JobId, SlotName};
use serde::{Deserialize, Serialize};

/// Retained state of a station.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// False in the last will.
    pub online: bool,
    /// The program's version.
    pub version: String,
    /// Its slots.
    pub slots: Vec<SlotStatus>,
    /// Reports waiting for acknowledgement.
    pub outbox: u32,
    /// Jobs leased and not begun.
    pub waiting_jobs: u32,
}

/// One slot as seen on a screen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotStatus {
    /// The slot.
    pub slot: SlotName,
    /// What it does.
    pub phase: SlotPhase,
    /// The key in it.
    pub key_serial: Option<String>,
    /// Its job.
    pub job: Option<JobId>,
    /// The holder's name, for the bench.
    pub holder: Option<String>,
    /// The running step, Chinese.
    pub step: Option<String>,
    /// Steps done, 0–100.
    pub percent: u8,
    /// For people: what to do.
    pub message: String,
}

/// What a slot does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotPhase {
    /// No key.
    Empty,
    /// A blank waits for a job.
    Waiting,
    /// A key is being made. Do not pull.
    Working,
    /// Made: take it out.
    Passed,
    /// Not made: take it out and set it aside.
    Failed,
    /// Not taken: take it out.
    Refused,
    /// A key was pulled in work: put it back.
    Interrupted,
    /// The reader is gone.
    Offline,
    /// Too many keys failed here, in its hub or of its lot: nothing begins until staff reset it with a reason.
    Stopped,
}

impl SlotPhase {
    /// The word on the screen, in Chinese.
    #[must_use]
    pub fn zh(self) -> &'static str {
        match self {
            Self::Empty => "空闲",
            Self::Waiting => "等待任务",
            Self::Working => "制证中",
            Self::Passed => "完成",
            Self::Failed => "失败",
            Self::Refused => "拒绝",
            Self::Interrupted => "中断",
            Self::Offline => "离线",
            Self::Stopped => "已停用",
        }
    }
}
