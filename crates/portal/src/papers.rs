//! What pictures and letters need beside the database: turns for the heavy work, and the font, read when it is first asked for.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak, atomic::AtomicI64},
    time::Duration,
};

use label::{LabelError, LetterMaker};
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

use crate::{codes::network, config::Config};

/// Pictures decoded at once: each takes up to 300 MB.
const DECODING: usize = 2;
/// Uploads read at once: each takes up to 8 MiB a picture.
const UPLOADS: usize = 16;
/// Of them, from one network: a stranger with slow lines does not stop everybody's pictures.
const UPLOADS_NEAR: usize = 4;
/// How long an upload waits while others bring theirs.
const TURN_WAIT: Duration = Duration::from_secs(20);

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
    uploads: Arc<Semaphore>,
    /// The turns of each network that has some.
    near: Mutex<HashMap<String, Weak<Semaphore>>>,
    /// When data over its time was last looked for and none was left.
    pub(crate) swept_ms: AtomicI64,
    letters: OnceCell<Arc<LetterMaker>>,
}

impl Default for Papers {
    fn default() -> Self {
        Self {
            decoding: Arc::new(Semaphore::new(DECODING)),
            uploads: Arc::new(Semaphore::new(UPLOADS)),
            near: Mutex::default(),
            swept_ms: AtomicI64::new(i64::MIN),
            letters: OnceCell::new(),
        }
    }
}

/// The right to send pictures; it ends with the upload.
pub(crate) struct UploadTurn {
    _near: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Papers {
    /// A turn for an upload from an address; `None` when others took too long.
    pub(crate) async fn upload_turn(&self, address: &str) -> Option<UploadTurn> {
        let near = self.near(network(address));
        let turn = async {
            let near = near.acquire_owned().await.ok()?;
            Some(UploadTurn { _near: near, _all: Arc::clone(&self.uploads).acquire_owned().await.ok()? })
        };
        tokio::time::timeout(TURN_WAIT, turn).await.ok()?
    }

    fn near(&self, network: String) -> Arc<Semaphore> {
        let mut near = self.near.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turns) = near.get(&network).and_then(Weak::upgrade) {
            return turns;
        }
        near.retain(|_, turns| turns.strong_count() > 0);
        let turns = Arc::new(Semaphore::new(UPLOADS_NEAR));
        near.insert(network, Arc::downgrade(&turns));
        turns
    }

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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use futures_util::FutureExt as _;

    use super::{Papers, UPLOADS, UPLOADS_NEAR, UploadTurn};

    fn ask(papers: &Papers, address: &str) -> Option<UploadTurn> {
        papers.upload_turn(address).now_or_never().flatten()
    }

    #[tokio::test]
    async fn one_network_does_not_take_all_turns_of_uploads() {
        let papers = Papers::default();
        let mut turns = Vec::new();
        for n in 0..UPLOADS_NEAR {
            turns.push(ask(&papers, &format!("2001:db8:1:2::{n}")).unwrap());
        }
        assert!(ask(&papers, "2001:db8:1:2::ffff").is_none());
        for n in UPLOADS_NEAR..UPLOADS {
            turns.push(ask(&papers, &format!("192.0.2.{n}")).unwrap());
        }
        assert!(ask(&papers, "192.0.2.99").is_none(), "so many at once are all");
        turns.remove(0);
        assert!(ask(&papers, "2001:db8:1:2::ffff").is_some());
        turns.clear();
        ask(&papers, "192.0.2.99").unwrap();
        assert_eq!(papers.near.lock().unwrap().len(), 1, "who is gone is forgotten");
    }
}
