//! The sled store and the rule that makes it durable: apply, flush, `sync_data`, and only then answer.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::{entry, error::JournalError};

/// What one commit writes (`Some`) and removes (`None`), by key.
pub(crate) type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// sled puts an item larger than a quarter of a segment into a blob file that is never synced, and an item is a whole node of up to
/// 17 entries. With 16 KiB a value that is 280 KiB: the default segment of 512 KiB would be too small, this one leaves half free.
const SEGMENT_BYTES: usize = 2 * 1024 * 1024;
const CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// How long a store this very process has just closed may take to let go of its file.
pub(crate) const RELEASE_WAIT: Duration = Duration::from_secs(5);

/// Makes the pages of the `db` file durable.
pub(crate) type Sync = Box<dyn Fn() -> io::Result<()> + Send + std::marker::Sync>;

/// An open store.
pub(crate) struct Store {
    db: sled::Db,
    /// `None` in a store that keeps nothing.
    sync: Option<Sync>,
    dir: PathBuf,
    /// The exclusive lock; `None` in a store that keeps nothing. Dropped after `db`, as the fields' order says.
    lock: Option<File>,
}

impl Store {
    /// Opens or creates the store in `dir`.
    pub(crate) fn open(dir: &Path) -> Result<Self, JournalError> {
        let failed = |doing| move |source| JournalError::Open { dir: dir.to_owned(), doing, source };
        std::fs::create_dir_all(dir).map_err(failed("creating the directory"))?;
        let lock = lock(dir)?;
        let db = open_sled(dir, dir, RELEASE_WAIT)?;
        sync_tree(dir).map_err(failed("syncing the new files"))?;
        let file =
            OpenOptions::new().write(true).open(dir.join("db")).map_err(failed("opening its db file"))?;
        Ok(Self { db, sync: Some(Box::new(move || file.sync_data())), dir: dir.to_owned(), lock: Some(lock) })
    }

    /// A store in memory-backed files that vanish with it.
    pub(crate) fn memory() -> Result<Self, JournalError> {
        let dir = PathBuf::from("(memory)");
        let config = sled::Config::new().temporary(true).flush_every_ms(None).segment_size(SEGMENT_BYTES);
        let db =
            config.open().map_err(|e| JournalError::Illegible { dir: dir.clone(), detail: e.to_string() })?;
        Ok(Self { db, sync: None, dir, lock: None })
    }

    /// The same store with another way to sync: for tests of what happens when it fails or is left out.
    pub(crate) fn with_sync(mut self, sync: Sync) -> Self {
        self.sync = Some(sync);
        self
    }

    /// Writes past all rules: for tests of entries that no journal wrote.
    #[cfg(test)]
    pub(crate) fn raw(&self, key: &[u8], value: Option<&[u8]>) {
        let done = match value {
            Some(value) => self.db.insert(key, value),
            None => self.db.remove(key),
        };
        assert!(done.is_ok());
    }

    /// Where its archive lies; `None` for a store that keeps nothing.
    pub(crate) fn archive_dir(&self) -> Option<PathBuf> {
        self.lock.as_ref().map(|_| self.dir.join("archive"))
    }

    /// Where the store lies.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Makes `changes` durable, all or none; how many times it synced. An error leaves what is on the disk unknown.
    pub(crate) fn commit(&self, changes: Changes) -> Result<u64, String> {
        let mut batch = sled::Batch::default();
        for (key, value) in changes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        self.db.apply_batch(batch).map_err(|e| format!("a batch could not be written: {e}"))?;
        let Some(sync) = &self.sync else { return Ok(0) };
        self.db.flush().map_err(|e| format!("a flush failed: {e}"))?;
        // sled's flush is sync_file_range on Linux: without this line a power cut loses what was acknowledged.
        sync().map_err(|e| format!("the sync of its db file failed: {e}"))?;
        Ok(1)
    }

    /// The value of `key` as it will be after `changes`.
    pub(crate) fn get(&self, changes: &Changes, key: &[u8]) -> Result<Option<Vec<u8>>, JournalError> {
        match changes.get(key) {
            Some(planned) => Ok(planned.clone()),
            None => Ok(self.db.get(key).map_err(|e| self.illegible(&e))?.map(|v| v.to_vec())),
        }
    }

    /// Whether `stream` will be finished after `changes`, in the store or in the archive.
    pub(crate) fn finished(&self, changes: &Changes, stream: &str) -> Result<bool, JournalError> {
        Ok(self.any(changes, &entry::done_prefix(stream))?
            || self.get(changes, &entry::gone_key(stream))?.is_some())
    }

    /// Whether any key will start with `prefix` after `changes`; removals are not looked at, for no commit that adds removes any.
    fn any(&self, changes: &Changes, prefix: &[u8]) -> Result<bool, JournalError> {
        let planned = changes.range(prefix.to_vec()..).next().is_some_and(|(key, _)| key.starts_with(prefix));
        Ok(planned || self.scan(prefix).next().transpose()?.is_some())
    }

    /// All pairs whose key starts with `prefix`, in the order of the keys.
    pub(crate) fn scan(
        &self,
        prefix: &[u8],
    ) -> impl DoubleEndedIterator<Item = Result<(sled::IVec, sled::IVec), JournalError>> + '_ {
        self.db.scan_prefix(prefix).map(|pair| pair.map_err(|e| self.illegible(&e)))
    }

    /// All pairs but the names of archived streams, in the order of the keys.
    pub(crate) fn scan_but_gone(
        &self,
    ) -> impl Iterator<Item = Result<(sled::IVec, sled::IVec), JournalError>> + '_ {
        let before = self.db.range::<&[u8], _>(..entry::GONE);
        let after = self.db.range::<&[u8], _>(entry::AFTER_GONE..);
        before.chain(after).map(|pair| pair.map_err(|e| self.illegible(&e)))
    }

    fn illegible(&self, error: &sled::Error) -> JournalError {
        JournalError::Illegible { dir: self.dir.clone(), detail: error.to_string() }
    }
}

/// One journal, one process: a lock of our own, for sled says the same in an error without a kind.
fn lock(dir: &Path) -> Result<File, JournalError> {
    let failed = |source| JournalError::Open { dir: dir.to_owned(), doing: "taking its lock file", source };
    let file =
        OpenOptions::new().create(true).truncate(false).write(true).open(dir.join("lock")).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(JournalError::Busy { dir: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Opens sled, which panics on some damaged files: that becomes an error too.
/// `named` is the directory that errors speak of.
pub(crate) fn open_sled(path: &Path, named: &Path, wait: Duration) -> Result<sled::Db, JournalError> {
    let config = sled::Config::new()
        .path(path)
        .flush_every_ms(None)
        .segment_size(SEGMENT_BYTES)
        .cache_capacity(CACHE_BYTES);
    let illegible = |detail: String| JournalError::Illegible { dir: named.to_owned(), detail };
    let start = Instant::now();
    loop {
        let opened = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| config.open()))
            .map_err(|_| illegible("the store's own check failed while it was opened".to_owned()))?;
        match opened {
            // We hold the lock file, so sled's own lock is held by a store of this process that is just going away.
            Err(sled::Error::Io(e)) if e.to_string().contains("acquire lock") && start.elapsed() < wait => {
                std::thread::yield_now();
            }
            Err(sled::Error::Io(source)) => {
                return Err(JournalError::Open { dir: named.to_owned(), doing: "opening the store", source });
            }
            Err(e) => return Err(illegible(e.to_string())),
            Ok(db) => return Ok(db),
        }
    }
}

/// Syncs every file of the store, its directory and the directory above: sled syncs neither its settings file nor names.
fn sync_tree(dir: &Path) -> io::Result<()> {
    for item in std::fs::read_dir(dir)? {
        let item = item?;
        if item.file_type()?.is_file() {
            File::open(item.path())?.sync_all()?;
        }
    }
    File::open(dir.join("blobs"))?.sync_all()?;
    File::open(dir)?.sync_all()?;
    match dir.canonicalize()?.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}
