//! The handle that steps, resume and sender hold.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use crate::{
    MAX_RECORD_BYTES, entry,
    error::JournalError,
    opening::{self, Opened},
    store::{Changes, Store},
    writer::{self, Command, QUEUE, Request, Shared, State},
};

/// An open journal. Cheap to clone; all clones are one. Calls that write block until the bytes are on the disk, so async code calls
/// them by `spawn_blocking`. When the last clone is dropped what was asked for is still written, then the store is closed.
#[derive(Clone)]
pub struct Journal(Arc<Handle>);

struct Handle {
    shared: Arc<Shared>,
    sender: Option<SyncSender<Request>>,
    writer: Option<JoinHandle<()>>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.sender = None;
        if let Some(writer) = self.writer.take() {
            // A panic of the writer is already recorded as the journal's poison.
            let _recorded = writer.join();
        }
    }
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal").field("dir", &self.0.shared.dir).finish_non_exhaustive()
    }
}

impl Journal {
    /// Opens the journal in `dir`, created if absent. Its chain is followed from the last checkpoint and held against what lies there; a
    /// last commit that is torn is cut, see [`Journal::notes`].
    ///
    /// # Errors
    /// [`JournalError::Busy`] if another process has it, [`JournalError::Open`], [`JournalError::Illegible`] if anything older than the
    /// last commit is missing or another: the station must not run on it.
    pub fn open(dir: &Path) -> Result<Self, JournalError> {
        Self::start(Store::open(dir)?)
    }

    /// Like [`Journal::open`], but `sync` stands for the sync of the store's `db` file. For tests of what a power cut or a full disk
    /// leaves, and for their controls.
    ///
    /// # Errors
    /// As [`Journal::open`].
    #[doc(hidden)]
    pub fn open_with_sync(
        dir: &Path,
        sync: impl Fn() -> std::io::Result<()> + Send + Sync + 'static,
    ) -> Result<Self, JournalError> {
        Self::start(Store::open(dir)?.with_sync(Box::new(sync)))
    }

    /// A journal that keeps nothing: no sync is ever made and all is gone with the last clone. For the bench and tests only.
    ///
    /// # Errors
    /// [`JournalError::Illegible`] if `/dev/shm` cannot be written.
    pub fn memory() -> Result<Self, JournalError> {
        Self::start(Store::memory()?)
    }

    pub(crate) fn start(store: Store) -> Result<Self, JournalError> {
        let dir = store.dir().to_owned();
        // sled panics on some damage when a page is first read: that is an error of the store, not of the station.
        let opened = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| opening::open(&store)));
        let Opened { index, notes } = opened.map_err(|_| JournalError::Illegible {
            dir: dir.clone(),
            detail: "the store's own check failed while its entries were read".to_owned(),
        })??;
        let shared = Arc::new(Shared::new(State { store, index }, notes));
        let (sender, requests) = sync_channel(QUEUE);
        let theirs = Arc::clone(&shared);
        let writer = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer::run(&theirs, &requests))
            .map_err(|source| JournalError::Open { dir, doing: "starting its writer thread", source })?;
        Ok(Self(Arc::new(Handle { shared, sender: Some(sender), writer: Some(writer) })))
    }

    /// What was cut, put right or left alone when the journal was opened, a sentence each; empty when all is well. Show it to the operator.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.0.shared.notes
    }

    /// Adds `record` to `stream` and returns its sequence, from 0, once it is durable.
    ///
    /// # Errors
    /// [`JournalError::TooLarge`], [`JournalError::BadName`], [`JournalError::Stream`] if the stream is finished or full,
    /// [`JournalError::Poisoned`] if it may not be on the disk.
    pub fn append(&self, stream: &str, record: &[u8]) -> Result<u64, JournalError> {
        check_record(stream, record)?;
        self.ask(Command::Append { stream: stream.to_owned(), record: record.to_vec(), report: None })
    }

    /// Like [`Journal::append`], with a report put into the outbox in the same commit: both are kept or neither.
    /// A report that waits already with the same bytes is not added again.
    ///
    /// # Errors
    /// As [`Journal::append`] and [`Journal::report`]; then neither was added.
    pub fn append_with_report(
        &self,
        stream: &str,
        record: &[u8],
        report_id: &str,
        report: &[u8],
    ) -> Result<u64, JournalError> {
        check_record(stream, record)?;
        check_report(report_id, report)?;
        let report = Some((report_id.to_owned(), report.to_vec()));
        self.ask(Command::Append { stream: stream.to_owned(), record: record.to_vec(), report })
    }

    /// Puts a report into the outbox and returns its place in the order of all reports, once it is durable.
    /// The same report again, while it waits, gives the same place.
    ///
    /// # Errors
    /// [`JournalError::TooLarge`], [`JournalError::BadName`], [`JournalError::ReportDiffers`], [`JournalError::OutboxFull`],
    /// [`JournalError::Poisoned`].
    pub fn report(&self, report_id: &str, report: &[u8]) -> Result<u64, JournalError> {
        check_report(report_id, report)?;
        self.ask(Command::Report { id: report_id.to_owned(), report: report.to_vec() })
    }

    /// Takes a report out of the outbox after the portal's own acknowledgement; false if it was not there.
    ///
    /// # Errors
    /// [`JournalError::Poisoned`], [`JournalError::Sealed`].
    pub fn acknowledge(&self, report_id: &str) -> Result<bool, JournalError> {
        self.ask(Command::Acknowledge { id: report_id.to_owned() }).map(|found| found == 1)
    }

    /// Moves a stream out of the running ones: it can be read, but nothing can be added. Finishing twice is fine.
    ///
    /// # Errors
    /// [`JournalError::Stream`] if there is no such stream, [`JournalError::Poisoned`].
    pub fn finish(&self, stream: &str) -> Result<(), JournalError> {
        check_name("stream", stream)?;
        self.ask(Command::Finish { stream: stream.to_owned() }).map(|_| ())
    }

    /// The records of a stream, running or finished, in order; empty if there is no such stream.
    ///
    /// # Errors
    /// [`JournalError::Stream`] if it is in the archive: `ukey-audit show` reads that.
    /// [`JournalError::Illegible`] if one of them cannot be read, for half a history must not be taken for the whole.
    pub fn stream(&self, name: &str) -> Result<Vec<Vec<u8>>, JournalError> {
        check_name("stream", name)?;
        self.read(|state| {
            let live = records(&state.store, name, &entry::live_prefix(name))?;
            if !live.is_empty() {
                return Ok(live);
            }
            let done = records(&state.store, name, &entry::done_prefix(name))?;
            if done.is_empty() && state.store.finished(&Changes::new(), name)? {
                return Err(JournalError::Stream { stream: name.to_owned(), why: "is in the archive" });
            }
            Ok(done)
        })
    }

    /// The first and the last record of a running stream, those between unread; `None` if there is no such running stream. For screens that
    /// ask again and again; whoever acts on a stream reads the whole.
    ///
    /// # Errors
    /// [`JournalError::Illegible`] if one of the two cannot be read, [`JournalError::Poisoned`], [`JournalError::Sealed`].
    pub fn ends(&self, name: &str) -> Result<Option<[Vec<u8>; 2]>, JournalError> {
        check_name("stream", name)?;
        self.read(|state| {
            let prefix = entry::live_prefix(name);
            let mut pairs = state.store.scan(&prefix);
            let Some((_, first)) = pairs.next().transpose()? else { return Ok(None) };
            let last = pairs.next_back().transpose()?.map_or_else(|| first.clone(), |(_, last)| last);
            let record = |value: &[u8]| entry::read_record(value).map(<[u8]>::to_vec);
            match (record(&first), record(&last)) {
                (Some(first), Some(last)) => Ok(Some([first, last])),
                _ => Err(JournalError::Illegible {
                    dir: state.store.dir().to_owned(),
                    detail: format!("an end of stream {name:?} has another form"),
                }),
            }
        })
    }

    /// Names of the running streams, in the order of their bytes: after a start these are the jobs to be resumed.
    ///
    /// # Errors
    /// [`JournalError::Poisoned`], [`JournalError::Sealed`].
    pub fn streams(&self) -> Result<Vec<String>, JournalError> {
        self.read(|state| Ok(state.index.streams()))
    }

    /// Names of the finished streams, in the order of their bytes.
    ///
    /// # Errors
    /// [`JournalError::Illegible`], [`JournalError::Poisoned`], [`JournalError::Sealed`].
    pub fn finished(&self) -> Result<Vec<String>, JournalError> {
        self.read(|state| {
            let mut names: Vec<String> = Vec::new();
            for pair in state.store.scan(b"done/") {
                if let Some(entry::Key::Done(name, _)) = entry::read_key(&pair?.0)
                    && names.last() != Some(&name)
                {
                    names.push(name);
                }
            }
            Ok(names)
        })
    }

    /// Ids and bytes of all waiting reports, in the order in which they were made. One that cannot be read is parked: it is in
    /// [`Journal::notes`], not here.
    ///
    /// # Errors
    /// [`JournalError::Illegible`], [`JournalError::Poisoned`], [`JournalError::Sealed`].
    pub fn outbox(&self) -> Result<Vec<(String, Vec<u8>)>, JournalError> {
        self.read(|state| {
            let mut reports = Vec::with_capacity(state.index.reports());
            for pair in state.store.scan(b"out/") {
                if let Some((id, report)) = entry::read_report(&pair?.1) {
                    reports.push((id.to_owned(), report.to_vec()));
                }
            }
            Ok(reports)
        })
    }

    /// How many reports wait.
    ///
    /// # Errors
    /// [`JournalError::Poisoned`], [`JournalError::Sealed`].
    pub fn outbox_len(&self) -> Result<usize, JournalError> {
        self.read(|state| Ok(state.index.reports()))
    }

    /// Blocks until a report was added after the last call returned true, or `timeout` is over (false). Reports that waited when the
    /// journal was opened count as added. For one sender: of two waiting threads only one is told.
    ///
    /// # Errors
    /// [`JournalError::Poisoned`] or [`JournalError::Sealed`], at once when it happens.
    pub fn wait_report(&self, timeout: Duration) -> Result<bool, JournalError> {
        self.0.shared.check()?;
        self.0.shared.wait_report(timeout)
    }

    /// How many times the store was synced (`sync_data`) since it was opened; always 0 for [`Journal::memory`].
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.0.shared.syncs.load(Ordering::Relaxed)
    }

    /// Where the hash chain over all that was ever written stands: how many links it has, and its head. Nothing written: 0 and zero bytes.
    /// Give it to somebody else: who holds a head sees later whether anything before it was cut, changed, moved or left out.
    ///
    /// # Errors
    /// [`JournalError::Poisoned`], [`JournalError::Sealed`].
    pub fn head(&self) -> Result<(u64, [u8; 32]), JournalError> {
        self.read(|state| Ok((state.index.end().sequence, state.index.end().head)))
    }

    /// How many links of the chain are not in the archive: opening reads them all, so [`Journal::compact`] keeps opening short.
    ///
    /// # Errors
    /// [`JournalError::Poisoned`], [`JournalError::Sealed`].
    pub fn unarchived(&self) -> Result<u64, JournalError> {
        self.read(|state| Ok(state.index.unarchived()))
    }

    /// Moves the chain so far into the archive, and drops from the store all finished streams but the newest `keep_finished`; how many
    /// links it moved. Running streams and waiting reports stay. Others wait while it works: some tenths of a second for 10,000 links.
    /// A crash at any point loses nothing. Does nothing for [`Journal::memory`], nor when nothing was written since the last one.
    ///
    /// # Errors
    /// [`JournalError::Open`] if the archive cannot be written, as on a full disk: the journal is as it was and can be used.
    /// [`JournalError::Illegible`] if an entry is not what its link says, [`JournalError::Poisoned`].
    pub fn compact(&self, keep_finished: usize) -> Result<u64, JournalError> {
        self.ask(Command::Compact { keep: keep_finished })
    }

    /// Closes the journal for all clones after what was asked before is durable. Every later call is refused; the directory can be
    /// opened again when this returns.
    ///
    /// # Errors
    /// [`JournalError::Poisoned`], [`JournalError::Sealed`] if it was closed before.
    pub fn sealed(&self) -> Result<(), JournalError> {
        self.ask(Command::Seal).map(|_| ())
    }

    fn ask(&self, command: Command) -> Result<u64, JournalError> {
        let shared = &self.0.shared;
        shared.check()?;
        let (reply, answer) = sync_channel(1);
        let sender = self.0.sender.as_ref().ok_or_else(|| shared.gone())?;
        sender.send(Request { command, reply }).map_err(|_| shared.unanswered())?;
        answer.recv().map_err(|_| shared.unanswered())?
    }

    fn read<T>(&self, look: impl FnOnce(&State) -> Result<T, JournalError>) -> Result<T, JournalError> {
        let shared = &self.0.shared;
        let Ok(guard) = shared.state.read() else {
            return Err(JournalError::Poisoned {
                dir: shared.dir.clone(),
                reason: "its writer panicked".to_owned(),
            });
        };
        shared.check()?;
        look(guard.as_ref().ok_or_else(|| shared.gone())?)
    }
}

/// The records under `prefix`, which belong to the stream `name`.
fn records(store: &Store, name: &str, prefix: &[u8]) -> Result<Vec<Vec<u8>>, JournalError> {
    let illegible = |sequence: usize| JournalError::Illegible {
        dir: store.dir().to_owned(),
        detail: format!("record {sequence} of stream {name:?} is missing or has another form"),
    };
    let mut records = Vec::new();
    for pair in store.scan(prefix) {
        let (key, value) = pair?;
        let sequence = key.get(prefix.len()..).and_then(entry::read_number);
        let follows = sequence.is_some_and(|s| usize::try_from(s) == Ok(records.len()));
        let record =
            entry::read_record(&value).filter(|_| follows).ok_or_else(|| illegible(records.len()))?;
        records.push(record.to_vec());
    }
    Ok(records)
}

fn check_name(what: &'static str, name: &str) -> Result<(), JournalError> {
    if entry::legal_name(name) {
        Ok(())
    } else {
        Err(JournalError::BadName { what, name: name.chars().take(crate::MAX_NAME_BYTES).collect() })
    }
}

fn check_size(what: &'static str, name: &str, bytes: usize) -> Result<(), JournalError> {
    if bytes <= MAX_RECORD_BYTES {
        Ok(())
    } else {
        Err(JournalError::TooLarge { what, name: name.to_owned(), bytes, limit: MAX_RECORD_BYTES })
    }
}

fn check_record(stream: &str, record: &[u8]) -> Result<(), JournalError> {
    check_name("stream", stream)?;
    check_size("record", stream, record.len())
}

fn check_report(id: &str, report: &[u8]) -> Result<(), JournalError> {
    check_name("report id", id)?;
    check_size("report", id, report.len())
}
