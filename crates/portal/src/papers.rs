//! What pictures and letters need beside the database: turns for the heavy work, and the font, read when it is first asked for.

use std::sync::{Arc, atomic::AtomicI64};

use label::{LabelError, LetterMaker};
use tokio::sync::{OnceCell, Semaphore};

use crate::config::Config;

/// Pictures decoded at once: each takes up to 300 MB.
const DECODING: usize = 2;
/// Uploads read at once: each takes up to 8 MiB a picture.
const UPLOADS: usize = 16;

/// Why there is no letter, or no mark on a picture.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PapersError {
    /// The config names no font.
    #[error(
        "未配置字体，无法生成授权书或水印；请在配置中添加 [papers] (no font is configured for letters and marks: add [papers] to the config)"
    )]
    NoFont,
    /// The font lacks a character, or a text is too long.
    #[error("授权书无法生成，请检查填写内容 (the letter cannot be made, check what was filled in: {0})")]
    Label(#[from] LabelError),
    /// The work was cut off.
    #[error("授权书生成中断，请重试 (the making of the letter was cut off: try again)")]
    CutOff,
}

/// Shared by all who take pictures in or print letters.
#[derive(Debug)]
pub struct Papers {
    pub(crate) decoding: Arc<Semaphore>,
    pub(crate) uploads: Semaphore,
    /// When data over its time was last looked for and none was left.
    pub(crate) swept_ms: AtomicI64,
    letters: OnceCell<Arc<LetterMaker>>,
}

impl Default for Papers {
    fn default() -> Self {
        Self {
            decoding: Arc::new(Semaphore::new(DECODING)),
            uploads: Semaphore::new(UPLOADS),
            swept_ms: AtomicI64::new(i64::MIN),
            letters: OnceCell::new(),
        }
    }
}

impl Papers {
    /// The maker of letters and marks.
    ///
    /// # Errors
    /// [`PapersError::NoFont`]; [`PapersError::Label`] for a font that cannot be read or lacks the letter's words.
    pub async fn letter_maker(&self, config: &Config) -> Result<Arc<LetterMaker>, PapersError> {
        let font = config.papers.clone().ok_or(PapersError::NoFont)?;
        let read = || async move {
            let read = move || LetterMaker::new(&font.font, font.font_index);
            let maker = tokio::task::spawn_blocking(read).await.map_err(|_| PapersError::CutOff)??;
            Ok(Arc::new(maker))
        };
        self.letters.get_or_try_init(read).await.cloned()
    }
}
