//! The portal: its desk, as stations reach it, on a database and a vault of its own.

use std::{
    collections::BTreeSet,
    path::Path,
    process::{Command, ExitStatus},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use anyhow::{Context as _, Result, ensure};
use gm::SigningKey;
use model::{OrderNumber, Secret, StationId};
use portal::{
    AppState,
    clock::Clock,
    config::Config,
    db,
    enrol::{EnrolRequest, Enrolment, add_station},
    init,
    orders::{Actor, RowOutcome, accept_all, approve},
    programmes::Programmes,
    seal::Sealer,
    stations::Desk,
};
use profile::Profile;
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::time::WorldClock;
use crate::{office, places::tree};

const HSM: &str = "UKEY_SIM_HSM";
/// The stations of every seed.
const STATIONS: [&str; 2] = ["bench-1", "bench-2"];

/// Runs this very program once more with an empty SoftHSM, unless it has one already: SoftHSM reads its configuration from the environment
/// when it is loaded, and a process cannot safely change its own.
///
/// # Errors
/// It cannot be started.
pub fn with_hsm() -> Result<Option<ExitStatus>> {
    if std::env::var_os(HSM).is_some() {
        return Ok(None);
    }
    let dir = tempfile::tempdir()?;
    let (conf, tokens) = (dir.path().join("softhsm2.conf"), dir.path().join("tokens"));
    std::fs::create_dir(&tokens)?;
    let text = format!("directories.tokendir = {}\nobjectstore.backend = file\n", tokens.display());
    std::fs::write(&conf, text)?;
    let mut again = Command::new(std::env::current_exe()?);
    again.args(std::env::args_os().skip(1)).env("SOFTHSM2_CONF", conf).env(HSM, tokens);
    Ok(Some(again.status()?))
}

/// What every seed begins with: a portal with its CA and two enrolled stations. Made once, copied for each seed.
pub struct Template {
    /// Where its files lie.
    _dir: TempDir,
    config: Config,
    /// Names and sealing keys of the stations.
    pub(super) stations: Vec<(StationId, SigningKey)>,
    /// The shipped profiles.
    pub(super) profiles: Vec<Profile>,
    programmes: Programmes,
}

impl Template {
    /// Makes it, with the HSM of [`with_hsm`].
    ///
    /// # Errors
    /// What could not be made.
    pub fn make() -> Result<Self> {
        ensure!(std::env::var_os(HSM).is_some(), "the vault has no HSM of its own: see with_hsm");
        let dir = folder()?;
        office::write_secrets(dir.path())?;
        let file = dir.path().join("portal.toml");
        std::fs::write(&file, office::portal_config(dir.path(), 1, 1, 1))?;
        let config = Config::load(&file)?;
        let programmes = Programmes::load(&config.programmes_dir)?;
        let profiles = profile::load_dir(&tree().join("firmware-profiles"))?;
        let mut template = Self { _dir: dir, config, stations: Vec::new(), profiles, programmes };
        runtime()?.block_on(template.fill())?;
        Ok(template)
    }

    async fn fill(&mut self) -> Result<()> {
        init::run(&self.config).await?;
        for label in office::factory_labels(&self.profiles) {
            let key = Secret::new(ukey_sim::FACTORY_DEVICE_KEY.to_vec());
            init::set_factory_key(&self.config, &label, key).await?;
        }
        let db = db::open(&self.config).await?;
        let state = AppState::new(
            db.clone(),
            self.programmes.clone(),
            self.config.clone(),
            Clock::system(),
            sealer()?,
        );
        let enrolment = Enrolment::open(&Desk::open(state).await?).await?;
        for name in STATIONS {
            let (station, sealing) = (name.parse::<StationId>()?, SigningKey::generate()?);
            let code = add_station(&self.config, &station).await?;
            enrolment.enrol(&request(&code, &sealing)?, "127.0.0.1").await?;
            self.stations.push((station, sealing));
        }
        // All of it into the one file that is copied.
        sqlx::query("pragma wal_checkpoint(truncate)").execute(&db).await?;
        db.close().await;
        Ok(())
    }
}

fn request(code: &str, sealing: &SigningKey) -> Result<EnrolRequest> {
    let tls = rcgen::KeyPair::generate()?;
    let request = rcgen::CertificateParams::default().serialize_request(&tls)?;
    Ok(EnrolRequest {
        code: code.to_owned(),
        tls_request_pem: request.pem()?,
        sm2_public_key_hex: hex::encode(sealing.public_key().xy()),
    })
}

/// A folder in memory where there is one: what is played here does not depend on a disk.
pub(super) fn folder() -> Result<TempDir> {
    let memory = Path::new("/dev/shm");
    Ok(if memory.is_dir() { tempfile::tempdir_in(memory)? } else { tempfile::tempdir()? })
}

fn runtime() -> Result<Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// A portal's process.
pub struct PlayedPortal {
    runtime: Runtime,
    config: Config,
    programmes: Programmes,
    clock: WorldClock,
    /// How far its wall clock is off.
    pub jump_ms: Arc<AtomicI64>,
    state: AppState,
    desk: Desk,
    /// The double of SF.
    pub sf: sandbox::sf::Handle,
}

impl PlayedPortal {
    /// A portal in `dir`, as the template has it.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(template: &Template, dir: &Path, clock: &WorldClock) -> Result<Self> {
        let sf = sandbox::sf::spawn(sandbox::sf::Options {
            partner_id: office::PARTNER.to_owned(),
            checkword: Secret::from(office::CHECKWORD),
            ..sandbox::sf::Options::default()
        })?;
        let mut config = template.config.clone();
        config.data_dir = dir.join("portal");
        config.sf.endpoint = sf.endpoint();
        copy_folder(&template.config.data_dir, &config.data_dir)?;
        let (runtime, programmes) = (runtime()?, template.programmes.clone());
        let jump_ms = Arc::new(AtomicI64::new(0));
        let (state, desk) = runtime.block_on(open(&config, &programmes, clock, &jump_ms))?;
        Ok(Self { runtime, config, programmes, clock: clock.clone(), jump_ms, state, desk, sf })
    }

    /// Its process ends and begins anew: what is not in the database is gone.
    ///
    /// # Errors
    /// It does not start.
    pub fn restart(&mut self) -> Result<()> {
        let opened = open(&self.config, &self.programmes, &self.clock, &self.jump_ms);
        (self.state, self.desk) = self.runtime.block_on(opened)?;
        Ok(())
    }

    /// One message of a station, and the replies.
    pub fn handle(&self, station: &StationId, payload: &[u8]) -> Vec<Vec<u8>> {
        self.runtime.block_on(self.desk.handle(station, payload))
    }

    /// Takes and approves orders.
    ///
    /// # Errors
    /// One is refused.
    pub fn approved(&self, orders: &[Value]) -> Result<Vec<OrderNumber>> {
        let mut numbers = Vec::new();
        self.runtime.block_on(async {
            let intake = accept_all(&self.state, &Value::Array(orders.to_vec()), &Actor::Import).await?;
            ensure!(
                intake.count(RowOutcome::Accepted) == orders.len(),
                "not all orders were taken: {intake:?}"
            );
            for row in intake.results {
                let number = row.number.context("an order without a number")?;
                approve(&self.state, &number, &Actor::Operator("reviewer".to_owned()), None).await?;
                numbers.push(number);
            }
            Ok(numbers)
        })
    }

    /// What an operator does who looks at the stuck jobs: each is made anew by whoever can.
    ///
    /// # Errors
    /// The portal refuses.
    pub fn release_stuck(&self) -> Result<()> {
        use portal::stations::{KeyFate, Release, release};
        for job in self.texts("select job from jobs where state = 'stuck'")? {
            let word = Release {
                key: KeyFate::Spoiled,
                reason: "五把钥匙均已作废，重新制证".to_owned(),
                seen_key: None,
            };
            let (job, actor) = (job.parse()?, Actor::Operator("reviewer".to_owned()));
            let released = release(&self.state.db, &self.state.clock, &job, &word, &actor);
            self.runtime.block_on(released)?;
        }
        Ok(())
    }

    /// Writes the audit and the anchors into `dir`.
    ///
    /// # Errors
    /// The database's or the file system's.
    pub fn export_audit(&self, dir: &Path) -> Result<()> {
        self.runtime.block_on(portal::audit::export(&self.state.db, dir)).map(drop)
    }

    /// The first column of a query, as text.
    ///
    /// # Errors
    /// The database's.
    pub fn texts(&self, sql: &'static str) -> Result<Vec<String>> {
        let rows = sqlx::query_scalar::<portal::db::Sql, String>(sql).fetch_all(&self.state.db);
        Ok(self.runtime.block_on(rows)?)
    }

    /// Text and count of each row of a query.
    ///
    /// # Errors
    /// The database's.
    pub fn rows(&self, sql: &'static str) -> Result<Vec<(String, String)>> {
        let rows = sqlx::query_as::<portal::db::Sql, (String, String)>(sql).fetch_all(&self.state.db);
        Ok(self.runtime.block_on(rows)?)
    }

    /// Values of a column that more than one row has.
    ///
    /// # Errors
    /// The database's.
    pub fn doubles(&self, sql: &'static str) -> Result<BTreeSet<String>> {
        let mut seen = BTreeSet::new();
        Ok(self.texts(sql)?.into_iter().filter(|text| !seen.insert(text.clone())).collect())
    }
}

async fn open(
    config: &Config,
    programmes: &Programmes,
    clock: &WorldClock,
    jump_ms: &Arc<AtomicI64>,
) -> Result<(AppState, Desk)> {
    let (world, jump_ms) = (clock.clone(), jump_ms.clone());
    let clock = Clock::from_fn(move || world.wall(jump_ms.load(Ordering::SeqCst)));
    let db = db::open(config).await?;
    let state = AppState::new(db, programmes.clone(), config.clone(), clock, sealer()?);
    let desk = Desk::open(state.clone()).await?;
    Ok((state, desk))
}

/// The world has no secrets to keep: one fixed key, so that the vault is not asked for it at every start.
fn sealer() -> Result<Sealer> {
    Ok(Sealer::with_key(&Secret::new(vec![7; 64]))?)
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for item in std::fs::read_dir(from)? {
        let item = item?;
        let target = to.join(item.file_name());
        if item.file_type()?.is_dir() {
            copy_folder(&item.path(), &target)?;
        } else {
            std::fs::copy(item.path(), target)?;
        }
    }
    Ok(())
}
