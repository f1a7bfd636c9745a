//! A station's process: begins, has its turns, ends anywhere, begins anew on what is on its disk.

use std::{
    collections::BTreeMap,
    fs, io,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
        mpsc,
    },
    time::Duration,
};

use anyhow::{Context as _, Result};
use gm::SigningKey;
use hub::{Hub, Slots};
use journal::Journal;
use label::{LabelData, LabelError, PrintError};
use model::{OrderNumber, SlotName, StationId};
use profile::Profile;
use ukey_station::{
    bench::Bench,
    board::Board,
    clock::Time as _,
    config::Config,
    leases::Leases,
    link::Link,
    outbox::Outbox,
    parcels::{Labels, Parcels},
    pool::Pool,
    slot::SlotWorker,
};

use super::{
    budget::Fault,
    net::{Chance, Ear, Line, Net},
    socket::{PlayedSocket, Port},
    time::{Crash, StationTime},
};

/// Links after which the journal is archived; the real station waits longer.
const LINKS: u64 = 150;

/// What a label that came out of the printer says: waybill, order, keys.
pub type Printout = (String, String, Vec<String>);

/// One thing that a process does in its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// A slot, by its place.
    Slot(usize),
    /// Sends reports.
    Outbox,
    /// Asks for work.
    Leases,
    /// Prints labels.
    Parcels,
    /// Ends jobs whose key did not come back.
    Expire,
    /// Archives the journal.
    Archive,
}

const DISK_WELL: u8 = 0;
/// The next sync fails; what it should have kept is there.
const DISK_FULL: u8 = 1;
/// The state after the next sync is kept aside; the one after that fails and leaves nothing.
const DISK_TEARS: u8 = 2;
const DISK_TORN: u8 = 3;

/// A station: its machine and, most of the time, its process.
pub struct Station {
    /// Its name.
    pub name: StationId,
    /// Its disk.
    pub dir: PathBuf,
    /// Its slots.
    pub ports: BTreeMap<SlotName, Port>,
    /// Its time.
    pub time: Arc<StationTime>,
    /// When its process may begin again.
    pub away_until: Duration,
    /// How often its process began anew.
    pub restarts: u32,
    /// Its process.
    pub running: Option<Running>,
    sealing: Arc<SigningKey>,
    profiles: Vec<Profile>,
    net: Arc<Net>,
    chance: Arc<Chance>,
    printed: Arc<Mutex<Vec<Printout>>>,
    disk: Arc<AtomicU8>,
}

/// A running process.
pub struct Running {
    /// What it hears with, and its shared parts.
    pub ear: Arc<Ear>,
    workers: Vec<SlotWorker<PlayedSocket>>,
    leases: Leases,
    parcels: Parcels<PlayedPrinter>,
    ready: mpsc::Receiver<OrderNumber>,
}

/// What a station is made of.
pub struct Parts {
    /// Name and sealing key.
    pub identity: (StationId, SigningKey),
    /// The shipped profiles.
    pub profiles: Vec<Profile>,
    /// Its slots.
    pub slots: Vec<SlotName>,
    /// The broker.
    pub net: Arc<Net>,
    /// The dice.
    pub chance: Arc<Chance>,
    /// Its time.
    pub time: StationTime,
    /// What lies under its printer.
    pub printed: Arc<Mutex<Vec<Printout>>>,
}

impl Station {
    /// A machine whose process has not begun.
    ///
    /// # Errors
    /// Its folder cannot be written.
    pub fn new(dir: &Path, parts: Parts) -> Result<Self> {
        fs::create_dir_all(dir)?;
        let mut text = format!(
            include_str!("../station.toml.in"),
            dir = dir.display(),
            tree = crate::places::tree().display(),
            kiosk = 1,
            jobs_ready = parts.slots.len(),
            interrupted = 60,
            answer = 20,
        );
        for slot in &parts.slots {
            text.push_str(&format!("\n[[slot]]\nname = \"{slot}\"\nreader = \"reader of {slot}\"\n"));
        }
        fs::write(dir.join("station.toml"), text)?;
        Ok(Self {
            name: parts.identity.0,
            sealing: Arc::new(parts.identity.1),
            dir: dir.to_owned(),
            ports: parts.slots.into_iter().map(|slot| (slot, Port::default())).collect(),
            time: Arc::new(parts.time),
            away_until: Duration::ZERO,
            restarts: 0,
            running: None,
            profiles: parts.profiles,
            net: parts.net,
            chance: parts.chance,
            printed: parts.printed,
            disk: Arc::default(),
        })
    }

    /// Begins the process, unless it runs or must stay away.
    ///
    /// # Errors
    /// It does not begin on what is on its disk.
    pub fn begin(&mut self) -> Result<()> {
        if self.running.is_some() || self.time.elapsed() < self.away_until {
            return Ok(());
        }
        let armed = self.disk.load(Ordering::SeqCst) != DISK_WELL;
        match catch_unwind(AssertUnwindSafe(|| self.open())) {
            // The disk was full already when it began: somebody makes room and starts it again.
            Ok(Err(_)) if armed => self.end(),
            Ok(running) => {
                self.running = Some(running.with_context(|| format!("{} does not start", self.name))?)
            }
            Err(end) => self.fell(end),
        }
        Ok(())
    }

    fn open(&self) -> Result<Running> {
        let config = Config::load(&self.dir.join("station.toml"))?;
        let slots = Slots::from_config(&config.slots)?;
        let names: Vec<SlotName> = slots.iter().map(|slot| slot.name.clone()).collect();
        let journal_dir = config.journal_dir();
        let (disk, saved, source) = (self.disk.clone(), self.dir.join("saved"), journal_dir.clone());
        let sync = move || sync(&disk, &source, &saved);
        let line = Line { station: self.name.clone(), net: self.net.clone(), fuse: self.time.fuse.clone() };
        let link = Link::new(self.name.clone(), Arc::new(line), config.portal.clone(), self.time.clone());
        let (ready_orders, ready) = mpsc::channel();
        let bench = Arc::new(Bench::new(
            self.time.clone(),
            config,
            self.profiles.clone(),
            Pool::default(),
            Board::new(&names),
            Journal::open_with_sync(&journal_dir, sync)?,
            link,
            Hub::new(slots),
            self.sealing.clone(),
            ready_orders,
        ));
        bench.recover()?;
        let printer = PlayedPrinter {
            chance: self.chance.clone(),
            time: self.time.clone(),
            printed: self.printed.clone(),
            drawn: Mutex::default(),
        };
        let workers = self.ports.iter().map(|(slot, port)| {
            let socket =
                PlayedSocket::new(port.clone(), &format!("reader of {slot}"), self.time.fuse.clone());
            SlotWorker::new(bench.clone(), slot.clone(), socket, false)
        });
        let running = Running {
            workers: workers.collect(),
            leases: Leases::default(),
            parcels: Parcels::new(&bench, printer)?,
            ready,
            ear: Arc::new(Ear { bench, outbox: Outbox::default() }),
        };
        self.net.listen(&self.name, &running.ear);
        Ok(running)
    }

    /// What there is to do.
    #[must_use]
    pub fn tasks(&self) -> Vec<Task> {
        let slots = (0..self.ports.len()).map(Task::Slot);
        slots.chain([Task::Outbox, Task::Leases, Task::Parcels, Task::Expire, Task::Archive]).collect()
    }

    /// Does one thing. The process may end in it.
    pub fn turn(&mut self, task: Task) {
        let Some(running) = &mut self.running else { return };
        if let Err(end) = catch_unwind(AssertUnwindSafe(|| running.turn(task))) {
            return self.fell(end);
        }
        // The journal cannot be written: the program ends, somebody makes room on the disk and starts it again.
        if running.ear.bench.is_halting() {
            self.end();
        }
    }

    fn fell(&mut self, end: Box<dyn std::any::Any + Send>) {
        if !end.is::<Crash>() {
            resume_unwind(end);
        }
        self.end();
    }

    /// The process ends, with all that is only in its memory.
    pub fn end(&mut self) {
        self.running = None;
        self.time.fuse.put_out();
        if self.disk.swap(DISK_WELL, Ordering::SeqCst) == DISK_TORN
            && put_back(&self.dir.join("saved"), &self.dir.join("station/journal")).is_err()
        {
            // Seen at the next start, which then finds another journal than there was.
            let _said = fs::write(self.dir.join("saved-was-not-put-back"), "");
        }
        self.restarts += 1;
    }

    /// The disk will take no more; `torn`: and what is about to be written is not there afterwards.
    pub fn fill_disk(&self, torn: bool) {
        self.disk.store(if torn { DISK_TEARS } else { DISK_FULL }, Ordering::SeqCst);
    }

    /// The disk is well again.
    pub fn mend_disk(&self) {
        // A disk that has failed already is mended by the end of the process.
        for armed in [DISK_FULL, DISK_TEARS] {
            let _kept = self.disk.compare_exchange(armed, DISK_WELL, Ordering::SeqCst, Ordering::SeqCst);
        }
    }
}

impl Running {
    fn turn(&mut self, task: Task) {
        let bench = &self.ear.bench;
        match task {
            Task::Slot(at) => {
                if let Some(worker) = self.workers.get_mut(at) {
                    worker.turn();
                }
            }
            Task::Outbox => self.ear.outbox.turn(bench),
            Task::Leases => self.leases.turn(bench),
            Task::Parcels => self.parcels.turn(bench, self.ready.try_recv().ok()),
            Task::Expire => bench.expire(),
            Task::Archive => {
                let grown = bench.journal.unarchived().is_ok_and(|links| links > LINKS);
                if grown && let Err(error) = bench.journal.compact(2) {
                    bench.stop_for(&error);
                }
            }
        }
    }
}

/// Stands for the sync of the journal's store.
fn sync(disk: &AtomicU8, store: &Path, saved: &Path) -> io::Result<()> {
    let full = || Err(io::Error::from(io::ErrorKind::StorageFull));
    match disk.load(Ordering::SeqCst) {
        DISK_FULL => full(),
        DISK_TEARS => {
            copy_store(store, saved)?;
            disk.store(DISK_TORN, Ordering::SeqCst);
            Ok(())
        }
        DISK_TORN => full(),
        _ => Ok(()),
    }
}

/// The store's own files; neither lock nor archive.
fn copy_store(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for item in fs::read_dir(from)? {
        let item = item?;
        if item.file_type()?.is_file() && item.file_name() != "lock" {
            fs::copy(item.path(), to.join(item.file_name()))?;
        }
    }
    Ok(())
}

fn put_back(saved: &Path, store: &Path) -> io::Result<()> {
    for item in fs::read_dir(store)? {
        let item = item?;
        // sled's snapshots of a later state must not lie beside an earlier one.
        if item.file_type()?.is_file() && item.file_name() != "lock" {
            fs::remove_file(item.path())?;
        }
    }
    copy_store(saved, store)?;
    fs::remove_dir_all(saved)
}

/// A printer that notes what lies on the table.
struct PlayedPrinter {
    chance: Arc<Chance>,
    time: Arc<StationTime>,
    printed: Arc<Mutex<Vec<Printout>>>,
    drawn: Mutex<Option<Printout>>,
}

impl Labels for PlayedPrinter {
    fn draw(&self, data: &LabelData) -> Result<Vec<u8>, LabelError> {
        let printout = (data.waybill.clone(), data.order_number.clone(), data.key_serials.clone());
        *self.drawn.lock().unwrap_or_else(PoisonError::into_inner) = Some(printout);
        Ok(Vec::new())
    }

    fn print(&self, waybill: &str, _: &[u8]) -> Result<(), PrintError> {
        let refused = || {
            Err(PrintError::Refused { queue: "labels".to_owned(), words: format!("no paper for {waybill}") })
        };
        self.time.fuse.step();
        let fails = self.chance.happens(Fault::Printer);
        if fails && self.chance.throw(|dice| dice.one_in(2)) {
            return refused();
        }
        let drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.printed.lock().unwrap_or_else(PoisonError::into_inner).extend(drawn);
        self.time.fuse.step();
        if fails { refused() } else { Ok(()) }
    }
}
