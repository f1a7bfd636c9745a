//! Many stations that report, many operators who watch.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, ensure};
use portal::{
    AppState, clock::Clock, config::Config, db, programmes::Programmes, seal::Sealer, stations,
    stations::Desk, web,
};
use wire::{SlotPhase, SlotStatus, Status};

use crate::{
    load::{Load, lock, percentile},
    rig::Rig,
};

const SLOTS: usize = 16;
/// Between two reports of a station.
const REPORTS: Duration = Duration::from_secs(1);
/// Stands before the time of a report, in the station's version: every drawing of the station shows it.
const MARK: &str = "bench-";

/// What the watchers saw.
pub struct Watched {
    /// Stations drawn anew, for each watcher.
    pub events_per_second: f64,
    /// From a station's report to the watcher.
    pub lag_p99_ms: f64,
    /// A list of orders meanwhile.
    pub page_p99_ms: f64,
}

/// Serves as the portal does, beside stations that report by the desk, until it is killed.
pub fn serve(config: &Path, stations: usize) -> Result<()> {
    let config = Config::load(config)?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = tokio::net::TcpListener::bind(config.http.listen).await?;
        let programmes = Programmes::load(&config.programmes_dir)?;
        let db = db::open(&config).await?;
        let vault = stations::open_vault(&config).await?;
        let clock = Clock::system();
        let sealer = Sealer::open(&db, &vault, clock.now_ms()).await?;
        let state = AppState::new(db, programmes, config, clock, sealer);
        let desk = Desk::open(state.clone()).await?;
        let app = web::router(state);
        tokio::select! {
            served = web::serve(listener, app) => served.context("the web side stopped"),
            reported = report(&desk, stations) => reported,
        }
    })
}

/// Every station once a period, one after the other.
async fn report(desk: &Desk, stations: usize) -> Result<()> {
    let mut pause = tokio::time::interval(REPORTS / u32::try_from(stations)?);
    for n in 0.. {
        pause.tick().await;
        let name = format!("bench-{:04}", n % stations).parse()?;
        let percent = u8::try_from(n / stations % 100)?;
        desk.status(&name, &wire::encode("status", &status(percent))?).await;
    }
    Ok(())
}

fn status(percent: u8) -> Status {
    let slots = (1..=SLOTS).filter_map(|n| {
        Some(SlotStatus {
            slot: format!("A{n:02}").parse().ok()?,
            phase: SlotPhase::Working,
            key_serial: Some(format!("V{n:08}")),
            job: format!("SAAS120261122093000{n:06}-1").parse().ok(),
            holder: Some("示例客车零部件有限公司".to_owned()),
            step: Some("写入签名证书".to_owned()),
            percent,
            message: String::new(),
        })
    });
    let slots = slots.collect();
    Status { online: true, version: format!("{MARK}{}", now_ms()), slots, outbox: 0, waiting_jobs: 3 }
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or_default()
}

/// Lets stations report and operators watch for a time, while another looks at orders.
pub fn watch(rig: &mut Rig, stations: usize, watchers: usize, time: Duration) -> Result<Watched> {
    let mut command = rig.command("portal_bench")?;
    command.arg("--serve").arg(rig.config()).args(["--stations", &stations.to_string()]);
    rig.start_as(command)?;
    let (ends, events, lags) = (AtomicBool::new(false), AtomicU64::new(0), Mutex::new(Vec::new()));
    // The first of a watcher's drawings are old: the whole board.
    let counts_from = Instant::now() + REPORTS * 3;
    let page = thread::scope(|scope| {
        let rig = &*rig;
        let (ends, events, lags) = (&ends, &events, &lags);
        let watching: Vec<_> = (0..watchers)
            .map(|_| scope.spawn(move || watcher(rig, counts_from, ends, events, lags)))
            .collect();
        let load = Load { rate: 20, time: time + REPORTS * 2 };
        let page = load.run(rig, |client, _| client.get("/orders"));
        ends.store(true, Ordering::Relaxed);
        for watching in watching {
            watching.join().map_err(|_| anyhow::anyhow!("a watcher panicked"))??;
        }
        page
    })?;
    let lags = lock(&lags).clone();
    ensure!(!lags.is_empty(), "nobody saw anything");
    Ok(Watched {
        events_per_second: events.into_inner() as f64 / watchers as f64 / time.as_secs_f64(),
        lag_p99_ms: percentile(&lags, 99),
        page_p99_ms: page.p99_ms,
    })
}

/// One operator's browser.
fn watcher(
    rig: &Rig,
    counts_from: Instant,
    ends: &AtomicBool,
    events: &AtomicU64,
    lags: &Mutex<Vec<Duration>>,
) -> Result<()> {
    let mut stream = TcpStream::connect(rig.address())?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(
        stream,
        "GET /stations/live HTTP/1.1\r\nhost: {}\r\ncookie: {}\r\n\r\n",
        rig.address(),
        rig.cookie()
    )?;
    let mut seen = Vec::new();
    for line in BufReader::with_capacity(64 * 1024, stream).split(b'\n') {
        let line = line?;
        if ends.load(Ordering::Relaxed) {
            break;
        }
        if Instant::now() < counts_from || !line.starts_with(b"data: <section") {
            continue;
        }
        events.fetch_add(1, Ordering::Relaxed);
        let text = String::from_utf8_lossy(&line);
        let told = text
            .split(MARK)
            .find_map(|part| part.split('<').next()?.parse::<u64>().ok().filter(|ms| *ms > 1_000_000));
        if let Some(told) = told {
            seen.push(Duration::from_millis(now_ms().saturating_sub(told)));
        }
    }
    ensure!(!seen.is_empty(), "a watcher saw nothing");
    lock(lags).extend(seen);
    Ok(())
}
