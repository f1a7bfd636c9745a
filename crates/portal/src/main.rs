//! `portal`: command line of the portal.

use std::{
    convert::Infallible,
    io::Read as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use model::{JobId, OrderNumber, Secret, StationId};
use portal::{
    AppState, audit,
    clock::{Clock, china_text},
    config::Config,
    db::{self, Db},
    enrol, init,
    leader::{self, Holder},
    operators::{self, Role},
    orders::{self, Actor, RowOutcome},
    outside::Outside,
    payments,
    programmes::Programmes,
    readiness::VaultWatch,
    retention,
    seal::Sealer,
    stations::{self, KeyFate, Release},
    stock::{self, Delivery},
    turns, web, webhooks,
};

/// Orders, review, certificates and stations of ukey-station.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Arguments {
    /// The config file; config/portal.toml explains every key.
    #[arg(long, short, global = true, env = "PORTAL_CONFIG", default_value = "config/portal.toml")]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prepare the data folder, the vault, the CA and the broker's files. Twice does nothing.
    Init,
    /// Serve orders, pages and stations until stopped.
    Serve,
    /// Bring in orders from a JSON file (one order or an array).
    Import {
        /// The file.
        file: PathBuf,
    },
    /// Operators.
    Operator {
        #[command(subcommand)]
        command: OperatorCommand,
    },
    /// Stations.
    Station {
        #[command(subcommand)]
        command: StationCommand,
    },
    /// Jobs.
    Job {
        #[command(subcommand)]
        command: JobCommand,
    },
    /// Payments.
    Pay {
        #[command(subcommand)]
        command: PayCommand,
    },
    /// The stock of blank keys.
    Stock {
        #[command(subcommand)]
        command: StockCommand,
    },
    /// List the messages of stations that could not be read or applied, the newest first.
    Parked,
    /// List the changes of orders' states that a programme's platform did not take.
    Webhooks {
        /// Send them anew.
        #[arg(long)]
        again: bool,
    },
    /// What was done here.
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// What is kept only so long.
    Retention {
        #[command(subcommand)]
        command: RetentionCommand,
    },
    /// The CA's public side.
    Ca {
        #[command(subcommand)]
        command: CaCommand,
    },
    /// Store a maker's factory device key (32 hex digits on standard input) under its label.
    FactoryKey {
        /// The label, as in the firmware profile.
        label: String,
    },
    /// Check config and programmes, and say what is wrong.
    CheckConfig,
}

#[derive(Subcommand)]
enum OperatorCommand {
    /// Add an operator; the password comes on standard input.
    Add {
        /// The log-in name.
        name: String,
        /// What he or she may do; again for each role: reviewer, production, finance, stations, auditor, administrator.
        #[arg(long, default_value = "reviewer")]
        role: Vec<Role>,
    },
    /// Give an operator these roles and no other.
    Roles {
        /// The log-in name.
        name: String,
        /// As in `add`.
        #[arg(long, required = true)]
        role: Vec<Role>,
    },
    /// Take an operator's second factor away, because the telephone is lost; the next log-in may set up a new one.
    Reset {
        /// The log-in name.
        name: String,
    },
}

#[derive(Subcommand)]
enum StationCommand {
    /// Make a one-time code with which a station enrols.
    Add {
        /// The station's name.
        name: StationId,
    },
    /// Give a station nothing any more, until it enrols again.
    Disable {
        /// The station's name.
        name: StationId,
    },
}

#[derive(Subcommand)]
enum JobCommand {
    /// Take a job from its key and its station: the key's certificates are revoked, and any station may make the job anew.
    Release {
        /// The job, as the order's page shows it.
        job: JobId,
        /// What became of its key.
        #[arg(long)]
        key: Fate,
        /// Why; kept in the order's history.
        #[arg(long)]
        reason: String,
    },
}

#[derive(Subcommand)]
enum StockCommand {
    /// Register a delivery: a CSV file with the header maker,model,serial. Again does nothing.
    Add {
        /// The delivery's name, such as the maker's delivery note.
        #[arg(long)]
        lot: String,
        /// The file.
        file: PathBuf,
    },
    /// Show of each lot what became of its keys, used keys of no lot, and the shifts that stations counted.
    Balance {
        /// One lot alone.
        #[arg(long)]
        lot: Option<String>,
    },
}

#[derive(Subcommand)]
enum PayCommand {
    /// Compare Alipay's bill of a day with what is recorded here, and take what was not. Alipay has it from 9 o'clock of the next day.
    Reconcile {
        /// The day in China, yyyy-mm-dd.
        day: jiff::civil::Date,
    },
    /// Offer an order to be paid and print its code's text and its page, as the customer's page would.
    Offer {
        /// The order's number.
        number: OrderNumber,
    },
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Fate {
    /// It is here and set aside.
    Spoiled,
    /// It cannot be found.
    Lost,
}

#[derive(Subcommand)]
enum AuditCommand {
    /// Write portal.jsonl (all that was done, chained) and anchors-STATION.jsonl (heads of journals), for ukey-audit.
    Export {
        /// Where to.
        #[arg(long)]
        dir: PathBuf,
    },
}

#[derive(Subcommand)]
enum RetentionCommand {
    /// Count what was deleted, what is kept and what is over its time; fails if something is.
    Report,
}

#[derive(Subcommand)]
enum CaCommand {
    /// Write root.pem, issuing.pem and crl.pem.
    Export {
        /// Where to.
        #[arg(long)]
        dir: PathBuf,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_env("PORTAL_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    // Addresses that are called carry mobiles and codes.
    let filter = filter.add_directive("ureq=info".parse()?).add_directive("ureq_proto=info".parse()?);
    log_to_stderr(filter);
    let config = Config::load(&arguments.config)?;
    match arguments.command {
        Command::Init => init::run(&config).await,
        Command::Serve => Box::pin(serve(config)).await,
        Command::Import { file } => import(config, file).await,
        Command::Operator { command } => operator(config, command).await,
        Command::Station { command: StationCommand::Add { name } } => add_station(&config, &name).await,
        Command::Station { command: StationCommand::Disable { name } } => {
            enrol::disable_station(&config, &name).await
        }
        Command::Job { command: JobCommand::Release { job, key, reason } } => {
            release_job(&config, &job, key, reason).await
        }
        Command::Pay { command: PayCommand::Reconcile { day } } => reconcile(config, day).await,
        Command::Pay { command: PayCommand::Offer { number } } => offer(config, &number).await,
        Command::Stock { command: StockCommand::Add { lot, file } } => add_stock(&config, &lot, &file).await,
        Command::Stock { command: StockCommand::Balance { lot } } => {
            show_balance(&config, lot.as_deref()).await
        }
        Command::Parked => list_parked(&config).await,
        Command::Webhooks { again } => list_webhooks(&config, again).await,
        Command::Audit { command: AuditCommand::Export { dir } } => export_audit(&config, &dir).await,
        Command::Retention { command: RetentionCommand::Report } => report_retention(&config).await,
        Command::Ca { command: CaCommand::Export { dir } } => init::export_ca(&config, &dir).await,
        Command::FactoryKey { label } => {
            init::set_factory_key(&config, &label, factory_key(&standard_input()?)?).await
        }
        Command::CheckConfig => check(&config),
    }
}

/// Everything a request needs. The vault is asked last: what is wrong in the files is told first.
async fn state(config: Config) -> anyhow::Result<AppState> {
    let programmes = Programmes::load(&config.programmes_dir)?;
    programmes.check_profiles(&config.programmes_dir, &config.profiles_dir)?;
    let db = database(&config).await?;
    let vault = stations::open_vault(&config).await?;
    let clock = Clock::system();
    let sealer = Sealer::open(&db, &vault, clock.now_ms()).await?;
    let state = AppState::new(db, programmes, config, clock, sealer);
    Ok(state.with_vault(VaultWatch::new(move || vault.check())))
}

/// Everything, with the services of others.
async fn state_with_outside(config: Config) -> anyhow::Result<AppState> {
    let state = state(config).await?;
    let outside = Outside::open(&state.config)?;
    Ok(state.with_outside(outside))
}

async fn database(config: &Config) -> anyhow::Result<Db> {
    std::fs::create_dir_all(&config.data_dir)
        .with_context(|| format!("the data folder {} cannot be made", config.data_dir.display()))?;
    Ok(db::open(config).await?)
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let state = state_with_outside(config).await?;
    orders::seal_all(&state).await?;
    stations::forget_receivers(&state).await?;
    if !operators::any(&state.db).await? {
        tracing::warn!("nobody can log in yet: add an operator with `portal operator add NAME`");
    }
    state.outside.check(&state.programmes)?;
    for programme in retention::without_rules(&state.db, &state.programmes).await? {
        tracing::error!(
            programme,
            "has orders or drafts and no file: they do not go on, and nothing of them is ever deleted; put its file back"
        );
    }
    let address = state.config.http.listen;
    let listener = tokio::net::TcpListener::bind(address)
        .await
        .with_context(|| format!("{address} cannot be listened on: is another portal running?"))?;
    tracing::info!(%address, url = %state.config.http.public_url, "the portal serves");
    let desk = stations::Desk::open(state.clone()).await?;
    let enrolment = enrol::router(enrol::Enrolment::open(&desk).await?);
    let app = web::router(state.clone()).merge(enrolment);
    webhooks::set_targets(&state).await?;
    let holder = Holder::listening_on(listener.local_addr()?);
    let lead = leader::lead(&state, &holder, || lead(&state, &desk));
    let ended = tokio::select! {
        served = web::serve(listener, app) => served.context("the web side stopped"),
        led = lead => led.map(|never| match never {}),
        () = stations::follow_board(&state) => Ok(()),
        signal = stop_signal() => signal,
    };
    leader::give_back(&state.db, &holder).await?;
    ended
}

/// What only one of the portals that share a database does.
async fn lead(state: &AppState, desk: &stations::Desk) -> anyhow::Result<Infallible> {
    tokio::select! {
        ended = stations::serve(desk.clone()) => {
            ended.context("the station side stopped")?;
            anyhow::bail!("the link to the broker was closed")
        }
        never = turns::run(state) => match never {},
    }
}

/// `PORTAL_LOG_FORMAT=json` for machines, else lines for people. No person stands in either.
fn log_to_stderr(filter: tracing_subscriber::EnvFilter) {
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::env::var("PORTAL_LOG_FORMAT").is_ok_and(|format| format == "json") {
        log.json().init();
    } else {
        log.init();
    }
}

/// SIGTERM or Ctrl-C. Nothing needs to be finished first: every answer that was given is on disk.
async fn stop_signal() -> anyhow::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        signal = tokio::signal::ctrl_c() => signal?,
        _ = terminate.recv() => {}
    }
    tracing::info!("the portal stops");
    Ok(())
}

async fn add_station(config: &Config, name: &StationId) -> anyhow::Result<()> {
    let code = enrol::add_station(config, name).await?;
    let url = &config.http.public_url;
    print(&format!("code for {name}, once within 24 hours: {code}"));
    print(&format!("at the station: ukey-station enrol --portal {url}"));
    Ok(())
}

async fn release_job(config: &Config, job: &JobId, key: Fate, reason: String) -> anyhow::Result<()> {
    let key = match key {
        Fate::Spoiled => KeyFate::Spoiled,
        Fate::Lost => KeyFate::Lost,
    };
    let db = db::open(config).await?;
    let release = Release { key, reason, seen_key: None };
    stations::release(&db, &Clock::system(), job, &release, &Actor::CommandLine).await?;
    print(&format!("job {job} waits for a station"));
    Ok(())
}

async fn add_stock(config: &Config, lot: &str, file: &Path) -> anyhow::Result<()> {
    let csv = read_file(file)?;
    let db = db::open(config).await?;
    let registered =
        stock::register(&db, lot, Delivery::Csv(&csv), &Actor::CommandLine, Clock::system().now_ms()).await?;
    print(&format!("lot {lot}: {} keys registered, {} were there already", registered.new, registered.again));
    Ok(())
}

async fn offer(config: Config, number: &OrderNumber) -> anyhow::Result<()> {
    let payment = payments::begin(&state_with_outside(config).await?, number).await?;
    print(&format!(
        "{}  {} yuan until {}",
        payment.out_trade_no,
        payment.amount,
        china_text(payment.expires_ms)
    ));
    print(&format!("code: {}", payment.qr_code.unwrap_or_default()));
    print(&format!("page: {}", payment.page_url.unwrap_or_default()));
    Ok(())
}

async fn reconcile(config: Config, day: jiff::civil::Date) -> anyhow::Result<()> {
    let found = payments::reconcile(&state_with_outside(config).await?, day).await?;
    for difference in &found.differences {
        print(&difference.to_string());
    }
    print(&format!("{day}: {} lines in the bill, {} differences", found.lines, found.differences.len()));
    anyhow::ensure!(found.differences.is_empty(), "the bill and the books differ, see above");
    Ok(())
}

async fn show_balance(config: &Config, lot: Option<&str>) -> anyhow::Result<()> {
    let db = db::open(config).await?;
    let balance = stock::balance(&db, lot).await?;
    if let (Some(lot), true) = (lot, balance.lots.is_empty()) {
        anyhow::bail!("no lot {lot:?} is registered: `portal stock balance` lists all");
    }
    print(&balance.to_string());
    anyhow::ensure!(
        balance.comes_to_zero(),
        "the books of a lot do not come to zero: was the database changed by hand?"
    );
    Ok(())
}

/// A text of at most 16 MiB.
fn read_file(file: &Path) -> anyhow::Result<String> {
    const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;
    let name = file.display();
    let size = std::fs::metadata(file).with_context(|| format!("{name} cannot be read"))?.len();
    anyhow::ensure!(size <= FILE_BYTES_MAX, "{name} has {size} bytes, at most 16 MiB are read: split it");
    std::fs::read_to_string(file).with_context(|| format!("{name} cannot be read"))
}

async fn list_parked(config: &Config) -> anyhow::Result<()> {
    let db = db::open(config).await?;
    for parked in stations::newest_parked(&db, u16::MAX).await? {
        let time = china_text(parked.last_ms);
        print(&format!(
            "{time}  {}  ×{}  {} bytes  {}",
            parked.topic, parked.times, parked.bytes, parked.reason
        ));
    }
    print(&format!("{} messages are parked", stations::parked_count(&db).await?));
    Ok(())
}

/// How many dead events are listed.
const WEBHOOKS_SHOWN: u16 = 1_000;

async fn list_webhooks(config: &Config, again: bool) -> anyhow::Result<()> {
    let db = db::open(config).await?;
    for event in webhooks::dead(&db, WEBHOOKS_SHOWN).await? {
        let (time, state) = (china_text(event.at_ms), event.state.code());
        print(&format!("{time}  {}  {state}  ×{}  {}", event.order, event.tries, event.error));
    }
    if again {
        print(&format!(
            "{} are sent anew",
            webhooks::revive(&db, &Actor::CommandLine, Clock::system().now_ms()).await?
        ));
    }
    let depths = webhooks::depths(&db).await?;
    print(&format!("{} events wait, {} were given up", depths.waiting, depths.dead));
    Ok(())
}

async fn export_audit(config: &Config, dir: &Path) -> anyhow::Result<()> {
    let db = db::open(config).await?;
    let exported = audit::export(&db, dir).await?;
    print(&format!("{}: {} rows", dir.join("portal.jsonl").display(), exported.rows));
    for (station, anchors) in &exported.anchors {
        print(&format!("{}: {anchors} anchors", dir.join(format!("anchors-{station}.jsonl")).display()));
    }
    Ok(())
}

async fn report_retention(config: &Config) -> anyhow::Result<()> {
    let programmes = Programmes::load(&config.programmes_dir)?;
    let db = db::open(config).await?;
    let report = retention::report(&db, &programmes, Clock::system().now_ms()).await?;
    print(&report.to_string());
    anyhow::ensure!(report.due() == 0, "data is kept over its time: does the portal run?");
    anyhow::ensure!(report.without_rules.is_empty(), "programmes without a file keep their data for ever");
    Ok(())
}

async fn import(config: Config, file: PathBuf) -> anyhow::Result<()> {
    let name = file.display();
    let text = read_file(&file)?;
    let value = serde_json::from_str(&text).with_context(|| format!("{name} is not JSON"))?;
    let state = state(config).await?;
    let intake = orders::accept_all(&state, &value, &Actor::Import).await?;
    print(&serde_json::to_string_pretty(&intake)?);
    let refused = intake.count(RowOutcome::Refused);
    anyhow::ensure!(
        refused == 0,
        "{refused} of {} orders were refused, see above; the others are stored",
        intake.results.len()
    );
    Ok(())
}

async fn operator(config: Config, command: OperatorCommand) -> anyhow::Result<()> {
    let actor = Actor::CommandLine;
    match command {
        OperatorCommand::Add { name, role } => {
            let password = standard_input()?;
            let db = database(&config).await?;
            operators::add(&db, &name, password, &role, &actor, Clock::system().now_ms()).await?;
            print(&format!("operator {name} added: {}", operators::role_codes(&role)));
        }
        OperatorCommand::Roles { name, role } => {
            operators::set_roles(&state(config).await?, &name, &role, &actor).await?;
            print(&format!("operator {name} is now: {}", operators::role_codes(&role)));
        }
        OperatorCommand::Reset { name } => {
            operators::reset_second_factor(&state(config).await?, &name, &actor).await?;
            print(&format!("operator {name} has no second factor any more"));
        }
    }
    Ok(())
}

fn check(config: &Config) -> anyhow::Result<()> {
    let programmes = Programmes::load(&config.programmes_dir)?;
    programmes.check_profiles(&config.programmes_dir, &config.profiles_dir)?;
    for programme in programmes.iter() {
        print(&format!("{}  {}  ({} products)", programme.id, programme.title, programme.products.len()));
    }
    print("config and programmes are right");
    Ok(())
}

/// One line of standard input: secrets never stand in argv, where every process sees them.
fn standard_input() -> anyhow::Result<Secret> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(1024).read_to_end(&mut bytes).context("standard input cannot be read")?;
    let secret = Secret::new(bytes);
    let line = secret.expose().split(|&byte| byte == b'\n' || byte == b'\r').next().unwrap_or_default();
    Ok(Secret::new(line.to_vec()))
}

fn factory_key(text: &Secret) -> anyhow::Result<Secret> {
    let bytes = hex::decode(text.expose()).ok().filter(|bytes| bytes.len() == 16);
    bytes.map(Secret::new).context("a factory device key is 32 hex digits on standard input")
}

#[allow(clippy::print_stdout)] // the command's answer
fn print(text: &str) {
    println!("{text}");
}
