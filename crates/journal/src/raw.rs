//! For auditors: the pairs of a journal's store as they lie there, checked by nobody.
//!
//! The store is copied to a temporary folder and the copy is read, because opening a sled store may write to it. Whoever reads these pairs
//! needs the formats only: keys and values in the source of `entry`, links in `chain`, the checkpoint in `checkpoint`, files in `archive`.

use std::{
    fs::{File, TryLockError},
    io,
    path::Path,
};

use crate::{
    error::JournalError,
    store::{RELEASE_WAIT, open_sled},
};

/// All pairs of a store, in the order of their keys.
pub struct Pairs {
    /// Dropped before the store it comes from.
    pairs: sled::Iter,
    dir: std::path::PathBuf,
    _db: sled::Db,
    /// Dropped last: removes the copy.
    _copy: tempfile::TempDir,
}

impl std::fmt::Debug for Pairs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pairs").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl Iterator for Pairs {
    type Item = Result<(Vec<u8>, Vec<u8>), JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        let illegible = |detail| JournalError::Illegible { dir: self.dir.clone(), detail };
        // sled panics on some damage when a page is first read.
        let next = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.pairs.next()));
        match next {
            Err(_) => Some(Err(illegible("the store's own check failed while it was read".to_owned()))),
            Ok(pair) => pair.map(|pair| match pair {
                Ok((key, value)) => Ok((key.to_vec(), value.to_vec())),
                Err(e) => Err(illegible(e.to_string())),
            }),
        }
    }
}

/// Reads the store in `dir` without writing to it.
///
/// # Errors
/// [`JournalError::Busy`] if a station has it open, [`JournalError::Open`] if it cannot be copied, [`JournalError::Illegible`] if sled
/// cannot read the copy.
pub fn pairs(dir: &Path) -> Result<Pairs, JournalError> {
    let failed = |doing| move |source| JournalError::Open { dir: dir.to_owned(), doing, source };
    let lock = shared_lock(dir)?;
    let copy = tempfile::Builder::new()
        .prefix("ukey-journal-")
        .tempdir()
        .map_err(failed("making a folder for a copy"))?;
    copy_files(dir, copy.path()).map_err(failed("copying its store"))?;
    drop(lock);
    let db = open_sled(copy.path(), dir, RELEASE_WAIT)?;
    Ok(Pairs { pairs: db.iter(), dir: dir.to_owned(), _db: db, _copy: copy })
}

fn shared_lock(dir: &Path) -> Result<File, JournalError> {
    let failed = |source| JournalError::Open { dir: dir.to_owned(), doing: "taking its lock file", source };
    let file = File::open(dir.join("lock")).map_err(failed)?;
    match file.try_lock_shared() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(JournalError::Busy { dir: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// The store's own files and blobs; neither the lock nor the archive.
fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    for item in std::fs::read_dir(from)? {
        let item = item?;
        let name = item.file_name();
        if item.file_type()?.is_file() && name != "lock" {
            std::fs::copy(item.path(), to.join(&name))?;
        } else if name == "blobs" {
            std::fs::create_dir(to.join(&name))?;
            copy_files(&item.path(), &to.join(&name))?;
        }
    }
    Ok(())
}
