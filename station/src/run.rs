//! Wiring: the only place of the station where parts are chosen and joined.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use hub::{Hub, Slots};
use journal::{Journal, JournalError};
use label::{LabelMaker, Printer};
use model::SlotName;
use ukey_pcsc::{Reader, ReaderWatch, Readers};
use wire::{Direction, Status, Topic};

use crate::{
    bench::Bench,
    board::Board,
    clock::SystemTime,
    config::Config,
    identity, inbox, kiosk,
    leases::Leases,
    link::{Link, Publish},
    outbox::Outbox,
    parcels::{LabelPrinter, Parcels},
    pool::Pool,
    slot::SlotWorker,
    socket::Socket as _,
};

/// How long the slots' threads may take to end.
const JOIN_MAX: Duration = Duration::from_secs(10);

/// Status goes to the portal at most this often.
const STATUS_PACE: Duration = Duration::from_millis(250);

/// Links of the journal that may wait for the archive: opening reads them all, and archiving them holds up all writers for a moment.
const JOURNAL_LINKS: u64 = 10_000;
/// Finished streams that stay out of the archive, so that what was just made can still be looked at.
const JOURNAL_KEEPS: usize = 200;
/// After a failure the archive is tried again this much later.
const ARCHIVE_AGAIN: Duration = Duration::from_secs(60);

/// Runs the station until it is told to stop or its journal fails. `forgetful`: with a journal that keeps nothing, for the bench.
///
/// # Errors
/// What keeps it from starting, with the remedy; or that the journal failed.
pub fn run(config: Config, forgetful: bool) -> anyhow::Result<()> {
    let identity = identity::load(&config.identity_dir())?;
    let profiles = profile::load_dir(&config.station.profiles)?;
    let slots = Slots::from_config(&config.slots)?;
    let names: Vec<SlotName> = slots.iter().map(|slot| slot.name.clone()).collect();
    let labels = LabelPrinter {
        maker: LabelMaker::new(&config.label.font, config.label.font_index)?,
        printer: Printer::new(config.label.printer.clone())?,
    };
    let journal = if forgetful { Journal::memory()? } else { Journal::open(&config.journal_dir())? };
    for note in journal.notes() {
        tracing::error!(note, "the journal was not whole when it was opened");
    }
    let board = Board::new(&names);
    let screen = kiosk::listen(config.kiosk.listen)?;

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let _inside = runtime.enter();
    let station = identity.station.clone();
    let will = Status { online: false, slots: Vec::new(), ..board.now() };
    let settings = mqtt::Settings {
        host: identity.broker.0.clone(),
        port: identity.broker.1,
        client_id: format!("station-{station}"),
        ca_pem: identity.ca_pem.clone(),
        cert_pem: identity.certificate_pem.clone(),
        key_pem: identity.tls_key.clone(),
        keep_alive: Duration::from_secs(20),
        last_will: Some((
            Topic::new(station.clone(), Direction::Status).to_string(),
            wire::encode("status", &will)?,
        )),
    };
    let (publisher, inbox) =
        mqtt::connect(settings, vec![Topic::new(station.clone(), Direction::Down).to_string()])?;
    let time = Arc::new(SystemTime::default());
    let broker = Arc::new(Broker { publisher: publisher.clone(), runtime: runtime.handle().clone() });
    let link = Link::new(station.clone(), broker, config.portal.clone(), time.clone());
    let (ready_orders, ready) = mpsc::channel();
    let kiosk_at = config.kiosk.listen;
    let bench = Arc::new(Bench::new(
        time,
        config,
        profiles,
        Pool::default(),
        board.clone(),
        journal.clone(),
        link,
        Hub::new(slots),
        Arc::new(identity.sealing_key),
        ready_orders,
    ));
    bench.recover().context("the journal of the last run cannot be followed")?;

    let parcels = Parcels::new(&bench, labels)?;
    let outbox = Arc::new(Outbox::default());
    runtime.spawn(receive(inbox, bench.clone(), outbox.clone()));
    runtime.spawn(stop_on_signal(bench.clone()));
    let desk = kiosk::Desk {
        station: station.to_string(),
        board: board.clone(),
        breakers: bench.breakers.clone(),
        shifts: bench.shifts.clone(),
        parking: bench.parking.clone(),
        time: bench.time.clone(),
    };
    runtime.spawn(kiosk::serve(screen, desk));
    let mut threads = vec![
        thread("outbox", {
            let bench = bench.clone();
            move || outbox.run(&bench)
        })?,
        thread("leases", {
            let bench = bench.clone();
            move || Leases::default().run(&bench)
        })?,
        thread("labels", {
            let bench = bench.clone();
            move || parcels.run(&bench, &ready)
        })?,
        thread("archive", {
            let bench = bench.clone();
            move || archive(&bench)
        })?,
        thread("status", {
            let bench = bench.clone();
            move || publish_status(&bench)
        })?,
    ];
    tracing::info!(%station, slots = names.len(), kiosk = %kiosk_at, "the station is running");
    let served = serve_slots(&bench);
    // Whatever ended the slots, the other threads end too and the journal is closed.
    bench.halt();
    for thread in threads.drain(..) {
        if thread.join().is_err() {
            tracing::error!("a thread ended badly; see the lines above");
        }
    }
    let last = Status { online: false, ..bench.board.now() };
    bench.link.status(&last);
    runtime.block_on(publisher.close());
    runtime.shutdown_timeout(Duration::from_secs(2));
    tracing::info!("stopped");
    let sealed = journal.sealed();
    tracing::info!(syncs = journal.syncs(), "journal closed");
    sealed.context("the journal failed; nothing was done to any key after that")?;
    served
}

/// The way to the broker.
struct Broker {
    publisher: mqtt::Publisher,
    runtime: tokio::runtime::Handle,
}

impl Publish for Broker {
    fn publish(&self, topic: &str, retain: bool, bytes: Vec<u8>) {
        if let Err(error) = self.runtime.block_on(self.publisher.publish(topic, retain, bytes)) {
            tracing::debug!(%error, "not published; it will be sent again");
        }
    }
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> anyhow::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).with_context(|| format!("thread {name}"))
}

/// A thread for each slot with a named reader; for USB slots a thread for each reader that turns up.
fn serve_slots(bench: &Arc<Bench>) -> anyhow::Result<()> {
    let hub = &bench.hub;
    let mut workers: BTreeMap<String, JoinHandle<()>> = BTreeMap::new();
    for slot in hub.slots().iter() {
        if let hub::Place::Reader(reader) = &slot.place {
            workers.insert(reader.clone(), spawn_worker(bench, slot.name.clone(), reader, false)?);
        }
    }
    let mut usb = UsbReaders::default();
    let mut stop_by = None;
    while !bench.is_halting() {
        if hub.slots().any_usb() {
            usb.adopt(bench, &mut workers)?;
        } else {
            std::thread::sleep(Duration::from_millis(200));
        }
        bench.expire();
        // Told to stop: keys in work may finish, then everything halts.
        if bench.is_draining() {
            let by = *stop_by
                .get_or_insert(Instant::now() + Duration::from_secs(bench.config.work.shutdown_seconds));
            let busy = bench.board.now().slots.iter().any(|slot| slot.phase == wire::SlotPhase::Working);
            if !busy || Instant::now() >= by {
                bench.halt();
            }
        }
    }
    join(workers);
    Ok(())
}

/// Waits for the slots' threads, but not for ever: PC/SC cannot break off a command that a stuck key never answers.
fn join(workers: BTreeMap<String, JoinHandle<()>>) {
    let by = Instant::now() + JOIN_MAX;
    for (reader, worker) in workers {
        while !worker.is_finished() && Instant::now() < by {
            std::thread::sleep(Duration::from_millis(20));
        }
        if !worker.is_finished() {
            tracing::error!(reader, "its key does not answer; the job is resumed at the next start");
        } else if worker.join().is_err() {
            tracing::error!(reader, "a slot's thread ended badly; see the lines above");
        }
    }
}

fn spawn_worker(
    bench: &Arc<Bench>,
    name: SlotName,
    reader: &str,
    reader_is_key: bool,
) -> anyhow::Result<JoinHandle<()>> {
    let worker = SlotWorker::new(bench.clone(), name.clone(), Reader::new(reader)?, reader_is_key);
    thread(&format!("slot {name}"), move || worker.run())
}

/// Readers that are keys plugged into USB ports.
#[derive(Default)]
struct UsbReaders {
    watch: ReaderWatch,
    readers: Vec<String>,
    /// In no configured slot: left alone until the list of readers changes.
    strangers: BTreeSet<String>,
}

impl UsbReaders {
    /// Gives each reader that turned up in a configured port a thread.
    fn adopt(
        &mut self,
        bench: &Arc<Bench>,
        workers: &mut BTreeMap<String, JoinHandle<()>>,
    ) -> anyhow::Result<()> {
        match self.watch.wait(Duration::from_millis(500)) {
            Readers::Changed(names) => {
                self.readers = names;
                self.strangers.clear();
            }
            Readers::Same => {}
            _ => {
                for slot in bench.hub.slots().iter() {
                    bench.hold_expiry(&slot.name);
                }
            }
        }
        workers.retain(|_, worker| !worker.is_finished());
        for name in &self.readers {
            if workers.contains_key(name) || self.strangers.contains(name) {
                continue;
            }
            let Ok(transport) = Reader::new(name).and_then(|mut reader| reader.connect()) else { continue };
            let at = Reader::usb_address(&transport);
            drop(transport);
            match bench.hub.resolve(name, at) {
                Ok(Some(slot)) => {
                    workers.insert(name.clone(), spawn_worker(bench, slot, name, true)?);
                }
                Ok(None) => {
                    tracing::debug!(reader = name, "not in a configured slot; left alone");
                    self.strangers.insert(name.clone());
                }
                Err(error) => tracing::warn!(reader = name, %error, "its slot cannot be told"),
            }
        }
        Ok(())
    }
}

/// Hands over what comes from the broker, one after the other. The journal waits for the disk, so this leaves the runtime's threads.
async fn receive(mut messages: mqtt::Inbox, bench: Arc<Bench>, outbox: Arc<Outbox>) {
    while let Some(incoming) = messages.next().await {
        let mqtt::Incoming::Message(message) = incoming else { continue };
        let (bench, outbox) = (bench.clone(), outbox.clone());
        let done = tokio::task::spawn_blocking(move || inbox::take(&bench, &outbox, &message.payload));
        if done.await.is_err() {
            tracing::error!("a message of the portal could not be taken; what it was about is sent again");
        }
    }
}

/// Archives the journal when it has grown, at the start and later. A full disk is told and tried again: the journal itself is unharmed then.
fn archive(bench: &Bench) {
    let mut not_before = Instant::now();
    while !bench.is_halting() {
        if Instant::now() >= not_before {
            match keep_short(&bench.journal) {
                Ok(()) => {}
                Err(error @ JournalError::Open { .. }) => {
                    not_before = Instant::now() + ARCHIVE_AGAIN;
                    tracing::error!(%error, "the journal cannot be archived; it is tried again");
                }
                Err(error) => return bench.stop_for(&error),
            }
        }
        std::thread::sleep(STATUS_PACE);
    }
}

fn keep_short(journal: &Journal) -> Result<(), JournalError> {
    if journal.unarchived()? > JOURNAL_LINKS {
        let links = journal.compact(JOURNAL_KEEPS)?;
        tracing::info!(links, "the journal was archived");
    }
    Ok(())
}

fn publish_status(bench: &Bench) {
    let mut watcher = bench.board.subscribe();
    let mut beat = Instant::now();
    bench.link.status(&bench.board.now());
    while !bench.is_halting() {
        std::thread::sleep(STATUS_PACE);
        // The broker may have lost a retained message: it is put back now and then.
        if watcher.has_changed().unwrap_or(false) || beat.elapsed() > Duration::from_secs(10) {
            beat = Instant::now();
            let status = watcher.borrow_and_update().clone();
            bench.link.status(&status);
        }
    }
}

async fn stop_on_signal(bench: Arc<Bench>) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return tracing::error!("signals cannot be heard; stop the station with its service manager");
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("told to stop: keys in work may finish, no new job begins");
    bench.drain();
}

/// Checks a configuration as `run` would use it, without touching anything.
///
/// # Errors
/// The first mistake, with file, place and fix.
pub fn check(path: &Path) -> anyhow::Result<String> {
    let config = Config::load(path)?;
    let profiles = profile::load_dir(&config.station.profiles)?;
    LabelMaker::new(&config.label.font, config.label.font_index)?;
    Ok(format!("{}: {} slots, {} profiles, all well", path.display(), config.slots.len(), profiles.len()))
}
