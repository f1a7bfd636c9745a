//! What can go wrong around a virtual key; what goes wrong inside it is a status word.

use std::path::PathBuf;

/// Why a virtual key cannot be made, opened or attached.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimError {
    /// The flash file or its folder cannot be read or written.
    #[error("flash {path}: {doing} failed; check the folder and its rights")]
    Io {
        /// The file.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// The cause.
        source: std::io::Error,
    },
    /// The file is no flash of this version.
    #[error("flash {path} cannot be read as a key: {why}; make the key anew with `ukey-sim make`")]
    Format {
        /// The file.
        path: PathBuf,
        /// Where and what.
        why: String,
    },
    /// A file stands where a new key should be made.
    #[error("flash {0} exists already; a key is never overwritten: choose another serial or folder")]
    Exists(PathBuf),
    /// Someone else holds the key.
    #[error("flash {0} is open elsewhere: a key is in one reader at a time; pull it there first")]
    InUse(PathBuf),
    /// A value that no key can have.
    #[error("{what}: {rule}")]
    Value {
        /// Which value.
        what: &'static str,
        /// The rule it breaks.
        rule: &'static str,
    },
}

impl SimError {
    pub(crate) fn io(path: &std::path::Path, doing: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, doing, source }
    }
}
