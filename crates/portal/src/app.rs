//! What every handler is given: built once in `main` (or by a test), never global.

use std::{collections::BTreeMap, sync::Arc};

use model::StationId;
use tokio::sync::{Semaphore, watch};

use crate::{
    clock::Clock,
    config::{Config, Database},
    db::Db,
    operators::Throttle,
    outside::Outside,
    papers::Papers,
    programmes::Programmes,
    readiness::VaultWatch,
    seal::Sealer,
    stations::{Heard, SharedBoard, Stage},
};

/// The last status of each station. The station side fills it; pages and the live stream read it.
pub type StationBoard = Arc<watch::Sender<BTreeMap<StationId, wire::Status>>>;

/// Live streams at once; each holds a connection. What they send is drawn once for all.
pub const LIVE_MAX: usize = 512;

/// The portal's parts. Clones share them.
#[derive(Clone)]
pub struct AppState {
    /// The database.
    pub db: Db,
    /// The programmes, checked.
    pub programmes: Arc<Programmes>,
    /// The config, checked.
    pub config: Arc<Config>,
    /// The clock.
    pub clock: Clock,
    /// Encryption of personal data.
    pub sealer: Sealer,
    /// The vault, where this process has one.
    pub vault: Option<VaultWatch>,
    /// Stations as last heard of.
    pub stations: StationBoard,
    /// When they were heard of.
    pub heard: Arc<Heard>,
    /// Log-in attempts.
    pub throttle: Arc<Throttle>,
    /// Places for live streams, [`LIVE_MAX`] of them.
    pub live: Arc<Semaphore>,
    /// Whether this process leads: it serves the stations and works in the background.
    pub leads: Arc<watch::Sender<bool>>,
    /// Whether the broker is heard; `None` where nobody listens.
    pub link: Arc<watch::Sender<Option<bool>>>,
    /// What of the board other portals were told.
    pub shared_board: Arc<SharedBoard>,
    /// Where certificates of orders under review are rehearsed.
    pub stage: Arc<Stage>,
    /// The services outside.
    pub outside: Arc<Outside>,
    /// Pictures and letters.
    pub papers: Arc<Papers>,
}

impl AppState {
    /// Puts the parts together; no station has been heard of yet.
    #[must_use]
    pub fn new(db: Db, programmes: Programmes, config: Config, clock: Clock, sealer: Sealer) -> Self {
        let throttle = Arc::new(Throttle::new(db.clone(), sealer.clone()));
        Self {
            db,
            programmes: Arc::new(programmes),
            config: Arc::new(config),
            clock,
            sealer,
            vault: None,
            stations: Arc::new(watch::Sender::new(BTreeMap::new())),
            heard: Arc::default(),
            throttle,
            live: Arc::new(Semaphore::new(LIVE_MAX)),
            leads: Arc::new(watch::Sender::new(false)),
            link: Arc::new(watch::Sender::new(None)),
            shared_board: Arc::default(),
            stage: Arc::default(),
            outside: Arc::default(),
            papers: Arc::default(),
        }
    }

    /// Whether other portals may work on the same database.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self.config.database, Database::Postgres { .. })
    }

    /// The same with a vault that is watched.
    #[must_use]
    pub fn with_vault(self, vault: VaultWatch) -> Self {
        Self { vault: Some(vault), ..self }
    }

    /// The same with these services outside; without this there are none.
    #[must_use]
    pub fn with_outside(self, outside: Outside) -> Self {
        Self { outside: Arc::new(outside), ..self }
    }
}
