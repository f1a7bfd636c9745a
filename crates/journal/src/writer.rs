//! The one writer: takes what waits, makes it durable in one commit, then answers everybody.

use std::{
    sync::{
        Condvar, Mutex, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender},
    },
    time::Duration,
};

use crate::{
    compact,
    error::JournalError,
    index::Index,
    store::{Changes, Store},
};

/// How many requests wait before callers block.
pub(crate) const QUEUE: usize = 1024;
/// Most requests of one commit.
pub(crate) const GROUP: usize = 256;
/// A commit takes no more requests once it has this many bytes: half a segment of the store.
const GROUP_BYTES: usize = 1024 * 1024;

/// What a caller wants done.
pub(crate) enum Command {
    Append {
        stream: String,
        record: Vec<u8>,
        report: Option<(String, Vec<u8>)>,
    },
    Report {
        id: String,
        report: Vec<u8>,
    },
    Finish {
        stream: String,
    },
    Acknowledge {
        id: String,
    },
    /// Moves links and finished streams to the archive; a commit of its own, after what waited before it.
    Compact {
        keep: usize,
    },
    /// The last one: closes the store.
    Seal,
}

impl Command {
    fn bytes(&self) -> usize {
        match self {
            Self::Append { record, report, .. } => {
                record.len() + report.as_ref().map_or(0, |(_, bytes)| bytes.len())
            }
            Self::Report { report, .. } => report.len(),
            Self::Finish { .. } | Self::Acknowledge { .. } | Self::Compact { .. } | Self::Seal => 0,
        }
    }

    /// Whether nothing may be committed with it that came after it.
    fn ends_a_group(&self) -> bool {
        matches!(self, Self::Compact { .. } | Self::Seal)
    }
}

/// A command and who waits for it. The number is a sequence, or 1 for yes.
pub(crate) struct Request {
    pub(crate) command: Command,
    pub(crate) reply: SyncSender<Result<u64, JournalError>>,
}

/// The store and what is known of it.
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) index: Index,
}

/// What the writer and the handles share. The writer holds no handle, so the last handle dropped ends it.
pub(crate) struct Shared {
    pub(crate) dir: std::path::PathBuf,
    /// `None` once sealed. Locked for writing from the batch to its sync, so a reader never sees what is not durable.
    pub(crate) state: RwLock<Option<State>>,
    pub(crate) poison: OnceLock<String>,
    pub(crate) syncs: AtomicU64,
    pub(crate) notes: Vec<String>,
    news: Mutex<News>,
    bell: Condvar,
}

/// What the sender waits for.
struct News {
    fresh: bool,
    over: bool,
}

impl Shared {
    pub(crate) fn new(state: State, notes: Vec<String>) -> Self {
        let fresh = state.index.reports() > 0;
        Self {
            dir: state.store.dir().to_owned(),
            state: RwLock::new(Some(state)),
            poison: OnceLock::new(),
            syncs: AtomicU64::new(0),
            notes,
            news: Mutex::new(News { fresh, over: false }),
            bell: Condvar::new(),
        }
    }

    /// Counts a commit's syncs, or poisons the journal.
    fn count(&self, commit: Result<u64, String>) {
        match commit {
            Ok(syncs) => {
                self.syncs.fetch_add(syncs, Ordering::Relaxed);
            }
            Err(reason) => {
                tracing::error!(dir = %self.dir.display(), reason, "the journal is poisoned, the station must stop");
                let _first_reason_stays = self.poison.set(reason);
            }
        }
    }

    /// Refuses once a write has failed.
    pub(crate) fn check(&self) -> Result<(), JournalError> {
        match self.poison.get() {
            Some(reason) => Err(JournalError::Poisoned { dir: self.dir.clone(), reason: reason.clone() }),
            None => Ok(()),
        }
    }

    /// Why the writer gave no answer. It waits for the writer's end, which is under way: a panic drops the callers before it is recorded.
    pub(crate) fn unanswered(&self) -> JournalError {
        let news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.bell.wait_while(news, |news| !news.over));
        self.gone()
    }

    /// Why nothing is taken any more: poisoned, or closed.
    pub(crate) fn gone(&self) -> JournalError {
        self.check().err().unwrap_or(JournalError::Sealed { dir: self.dir.clone() })
    }

    /// Waits for reports that came after the last wait.
    pub(crate) fn wait_report(&self, timeout: Duration) -> Result<bool, JournalError> {
        let news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut news, _) = self
            .bell
            .wait_timeout_while(news, timeout, |news| !news.fresh && !news.over)
            .unwrap_or_else(PoisonError::into_inner);
        if news.over { Err(self.gone()) } else { Ok(std::mem::take(&mut news.fresh)) }
    }

    fn ring(&self, change: impl FnOnce(&mut News)) {
        change(&mut self.news.lock().unwrap_or_else(PoisonError::into_inner));
        self.bell.notify_all();
    }
}

/// Whatever ends the writer, a panic too, nobody waits for ever afterwards.
struct Farewell<'a>(&'a Shared);

impl Drop for Farewell<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _first_reason_stays = self.0.poison.set("its writer panicked".to_owned());
        }
        self.0.ring(|news| news.over = true);
    }
}

/// The writer's thread.
pub(crate) fn run(shared: &Shared, requests: &Receiver<Request>) {
    let _farewell = Farewell(shared);
    while let Ok(first) = requests.recv() {
        let group = gather(first, requests);
        if !serve(shared, group) {
            return;
        }
    }
}

/// `first` and what waits behind it, within bounds; nothing after a compaction or a seal.
fn gather(first: Request, requests: &Receiver<Request>) -> Vec<Request> {
    let mut bytes = first.command.bytes();
    let mut group = vec![first];
    while group.len() < GROUP
        && bytes < GROUP_BYTES
        && !group.last().is_some_and(|request| request.command.ends_a_group())
    {
        let Ok(next) = requests.try_recv() else { break };
        bytes += next.command.bytes();
        group.push(next);
    }
    group
}

/// One group: plan, commit, answer. False when the journal is now poisoned or sealed.
fn serve(shared: &Shared, group: Vec<Request>) -> bool {
    let sealed = group.last().is_some_and(|request| matches!(request.command, Command::Seal));
    let mut answers = Vec::with_capacity(group.len());
    let mut fresh = false;
    {
        let mut guard = shared.state.write().unwrap_or_else(PoisonError::into_inner);
        let Some(state) = guard.as_mut() else { return false };
        let mut changes = Changes::new();
        let mut compaction = None;
        state.index.begin();
        for Request { command, reply } in group {
            if let Command::Compact { keep } = command {
                compaction = Some((keep, reply));
                break;
            }
            let waiting = state.index.reports();
            let answer = plan(state, &mut changes, command);
            fresh |= state.index.reports() > waiting;
            answers.push((reply, answer));
        }
        if !changes.is_empty() {
            shared.count(state.store.commit(changes));
        }
        if let Some((keep, reply)) = compaction
            && shared.poison.get().is_none()
        {
            answers.push((reply, compact(shared, state, keep)));
        }
        if sealed {
            // Before the answer, so that whoever asked can open the directory again.
            *guard = None;
        }
    }
    let durable = shared.poison.get().is_none();
    for (reply, answer) in answers {
        // A caller that has gone away does not want its answer: what it asked for is done all the same.
        let _gone = reply.send(shared.check().and(answer));
    }
    if fresh && durable {
        shared.ring(|news| news.fresh = true);
    }
    durable && !sealed
}

fn compact(shared: &Shared, state: &mut State, keep: usize) -> Result<u64, JournalError> {
    let done = compact::run(&state.store, &mut state.index, keep);
    match &done {
        Ok(done) => shared.count(Ok(done.syncs)),
        Err(JournalError::Poisoned { reason, .. }) => shared.count(Err(reason.clone())),
        Err(_) => {}
    }
    done.map(|done| done.links)
}

/// Adds what `command` writes to `changes`; a refused one adds nothing.
fn plan(state: &mut State, changes: &mut Changes, command: Command) -> Result<u64, JournalError> {
    let State { store, index } = state;
    match command {
        Command::Append { stream, record, report } => {
            let waits = match &report {
                Some((id, bytes)) => index.check_report(store, changes, id, bytes)?,
                None => None,
            };
            let sequence = index.append(store, changes, &stream, &record)?;
            if let (Some((id, bytes)), None) = (report, waits) {
                index.report(changes, &id, &bytes);
            }
            Ok(sequence)
        }
        Command::Report { id, report } => match index.check_report(store, changes, &id, &report)? {
            Some(sequence) => Ok(sequence),
            None => Ok(index.report(changes, &id, &report)),
        },
        Command::Finish { stream } => index.finish(store, changes, &stream).map(|()| 0),
        Command::Acknowledge { id } => Ok(u64::from(index.acknowledge(changes, &id))),
        // A compaction is not planned: it is done after the commit.
        Command::Compact { .. } | Command::Seal => Ok(0),
    }
}
