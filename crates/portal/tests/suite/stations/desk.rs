//! A portal made by `portal init`, and stations as they look from it.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI64, AtomicU16, Ordering},
    },
};

use crate::bench::TestDatabase;
use gm::SigningKey;
use jiff::Timestamp;
use model::{JobId, KeyId, OrderNumber, Outcome, Secret, StationId};
use portal::{
    AppState,
    clock::Clock,
    config::Config,
    db,
    enrol::{EnrolRequest, Enrolment},
    init,
    orders::{Actor, approve},
    outside::Outside,
    stations::Desk,
};
use serde_json::Value;
use tokio::runtime::Runtime;
use wire::{
    CertificatesReply, CertificatesRequest, Down, Event, JobEnded, KeySecrets, Pull, Refused, RefusedCode,
    Report, SecretsRequest, Up,
};

pub const HSM: &str = "PORTAL_TEST_HSM";
pub const FACTORY_LABEL: &str = "virtual-factory";
pub const FACTORY_KEY: [u8; 16] = [0x5a; 16];
pub const PROFILE: &str = "ukey/virtual";

/// Runs `body` in a process whose SoftHSM has an empty store.
pub fn on_empty_hsm(test: &str, body: fn()) {
    if std::env::var_os(HSM).is_some() {
        return body();
    }
    let dir = tempfile::tempdir().unwrap();
    let (conf, tokens) = (dir.path().join("softhsm2.conf"), dir.path().join("tokens"));
    std::fs::create_dir(&tokens).unwrap();
    std::fs::write(
        &conf,
        format!("directories.tokendir = {}\nobjectstore.backend = file\n", tokens.display()),
    )
    .unwrap();
    // The test's name without the name of this program.
    let (_, test) = test.split_once("::").unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env("SOFTHSM2_CONF", conf)
        .env(HSM, tokens)
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("1 passed"), "{}\n{out}\n{err}", output.status);
}

/// A test on a fresh portal with one station, `bench-1`.
macro_rules! on_desk {
    ($(#[$doc:meta])* $name:ident, |$portal:ident| $body:block) => {
        $(#[$doc])*
        #[test]
        fn $name() {
            fn body() {
                #[allow(unused_mut)]
                let mut $portal = crate::stations::desk::Portal::new();
                $body
            }
            crate::stations::desk::on_empty_hsm(concat!(module_path!(), "::", stringify!($name)), body);
        }
    };
}
pub(crate) use on_desk;

pub struct Portal {
    pub runtime: Runtime,
    _database: TestDatabase,
    pub folder: tempfile::TempDir,
    pub config: Config,
    pub state: AppState,
    pub desk: Desk,
    pub sf: sandbox::sf::Handle,
    pub sms: sandbox::sms::Handle,
    pub now_ms: Arc<AtomicI64>,
    pub bench: Station,
    orders: u32,
}

/// A station as the portal knows it.
#[derive(Clone)]
pub struct Station {
    pub name: StationId,
    pub sealing: SigningKey,
    pub tls_key_pem: String,
    pub certificate_pem: String,
    pub ca_pem: String,
}

/// A key under the hands of a test: what a chip would hold.
pub struct TestKey {
    pub id: KeyId,
    pub signing: SigningKey,
}

impl TestKey {
    pub fn new(serial: &str) -> Self {
        let id = KeyId::new("ukey", "virtual", serial).unwrap();
        Self { id, signing: SigningKey::generate().unwrap() }
    }

    pub fn request(&self) -> Vec<u8> {
        gm::request::build("CN=whatever the key says", &self.signing.public_key(), |e| {
            self.signing.sign_digest(e)
        })
        .unwrap()
    }
}

impl Portal {
    pub fn new() -> Self {
        // Bad luck with a signal handler or a lost log line is not what is tested; errors of the portal are worth seeing.
        static LOG: OnceLock<()> = OnceLock::new();
        LOG.get_or_init(|| tracing_subscriber::fmt().with_test_writer().init());
        let folder = tempfile::tempdir().unwrap();
        let sf = sandbox::sf::spawn(sandbox::sf::Options::default()).unwrap();
        let (sms, service) = crate::bench::services::sms(100);
        let mut config = config(folder.path(), &sf.endpoint(), free_port());
        let database = TestDatabase::new(folder.path());
        config.database = database.config();
        let runtime = Runtime::new().unwrap();
        let now_ms = Arc::new(AtomicI64::new(Timestamp::now().as_millisecond()));
        let clock = now_ms.clone();
        let clock =
            Clock::from_fn(move || Timestamp::from_millisecond(clock.load(Ordering::SeqCst)).unwrap());
        let (state, desk) = runtime.block_on(async {
            init::run(&config).await.unwrap();
            init::set_factory_key(&config, FACTORY_LABEL, Secret::new(FACTORY_KEY.to_vec())).await.unwrap();
            let db = db::open(&config).await.unwrap();
            let sealer = crate::bench::sealer();
            let state = AppState::new(db, crate::bench::programmes(), config.clone(), clock, sealer)
                .with_outside(Outside { sms: Some(service), ..Outside::default() });
            (state.clone(), Desk::open(state).await.unwrap())
        });
        let bench = Station::enrol(&runtime, &config, &desk, "bench-1");
        Self { runtime, _database: database, folder, config, state, desk, sf, sms, now_ms, bench, orders: 0 }
    }

    pub fn enrol(&self, name: &str) -> Station {
        Station::enrol(&self.runtime, &self.config, &self.desk, name)
    }

    pub fn pass(&self, seconds: i64) {
        self.now_ms.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    /// Places and approves an order; gives its number.
    pub fn approved(&mut self, mut order: Value) -> OrderNumber {
        self.orders += 1;
        // A second between orders: which is older must be certain.
        self.pass(1);
        let number = format!("SAAS120261122093000{:06}", self.orders);
        order["number"] = Value::String(number.clone());
        let number: OrderNumber = number.parse().unwrap();
        self.runtime.block_on(async {
            let intake = portal::orders::accept_all(&self.state, &order, &Actor::Import).await.unwrap();
            assert_eq!(intake.count(portal::orders::RowOutcome::Accepted), 1, "{intake:?}");
            approve(&self.state, &number, &Actor::Operator("li.shen".to_owned()), None).await.unwrap();
        });
        number
    }

    /// An approved order of `quantity` unit keys.
    pub fn order(&mut self, quantity: u64) -> OrderNumber {
        self.approved(crate::bench::paid_order(quantity))
    }

    pub fn ask(&self, station: &Station, request: &Up) -> Down {
        self.runtime.block_on(ask(&self.desk, station, request))
    }

    pub fn ask_refused(&self, station: &Station, request: &Up) -> Refused {
        match self.ask(station, request) {
            Down::Refused(refused) => refused,
            other => panic!("not refused but {other:?}"),
        }
    }

    pub fn pull(&self, station: &Station, capacity: u16, holding: &[JobId]) -> Vec<JobId> {
        let pull = Pull { capacity, profiles: vec![PROFILE.to_owned()], holding: holding.to_vec() };
        match self.ask(station, &Up::Pull(pull)) {
            Down::Lease(lease) => lease.jobs.into_iter().map(|order| order.job).collect(),
            other => panic!("no lease but {other:?}"),
        }
    }

    pub fn secrets(&self, station: &Station, job: &JobId, key: &TestKey) -> KeySecrets {
        match self.ask(station, &secrets_request(job, key)) {
            Down::Secrets(reply) => {
                assert_eq!((&reply.job, &reply.key), (job, &key.id));
                let plain = gm::open(&station.sealing, &reply.sealed.0).unwrap();
                serde_json::from_slice(plain.expose()).unwrap()
            }
            other => panic!("no secrets but {other:?}"),
        }
    }

    pub fn certificates(&self, station: &Station, job: &JobId, key: &TestKey) -> CertificatesReply {
        match self.ask(station, &certificates_request(job, key)) {
            Down::Certificates(reply) => reply,
            other => panic!("no certificates but {other:?}"),
        }
    }

    pub fn report(&self, station: &Station, report: &Report) -> Down {
        self.ask(station, &Up::Report(report.clone()))
    }

    pub fn acknowledged(&self, station: &Station, report: &Report) {
        match self.report(station, report) {
            Down::Ack(ack) => assert_eq!(ack.report, report.id),
            other => panic!("not acknowledged but {other:?}"),
        }
    }

    /// Makes a key for a job from binding to the acknowledged report.
    pub fn make(&self, station: &Station, job: &JobId, serial: &str) -> TestKey {
        let key = TestKey::new(serial);
        self.secrets(station, job, &key);
        let reply = self.certificates(station, job, &key);
        self.acknowledged(station, &passed(job, &key, &reply));
        key
    }

    pub fn number(&self, sql: &'static str) -> i64 {
        self.runtime
            .block_on(sqlx::query_scalar::<portal::db::Sql, i64>(sql).fetch_one(&self.state.db))
            .unwrap()
    }

    pub fn text(&self, sql: &'static str) -> String {
        self.runtime
            .block_on(sqlx::query_scalar::<portal::db::Sql, String>(sql).fetch_one(&self.state.db))
            .unwrap()
    }
}

impl Station {
    fn enrol(runtime: &Runtime, config: &Config, desk: &Desk, name: &str) -> Self {
        let sealing = SigningKey::generate().unwrap();
        let tls = rcgen::KeyPair::generate().unwrap();
        let name: StationId = name.parse().unwrap();
        let reply = runtime.block_on(async {
            let code = portal::enrol::add_station(config, &name).await.unwrap();
            let enrolment = Enrolment::open(desk).await.unwrap();
            enrolment.enrol(&enrol_request(&code, &tls, &sealing), "127.0.0.1").await.unwrap()
        });
        Self {
            name,
            sealing,
            tls_key_pem: tls.serialize_pem(),
            certificate_pem: reply.certificate_pem,
            ca_pem: reply.ca_pem,
        }
    }
}

pub fn enrol_request(code: &str, tls: &rcgen::KeyPair, sealing: &SigningKey) -> EnrolRequest {
    let request = rcgen::CertificateParams::default().serialize_request(tls).unwrap();
    EnrolRequest {
        code: code.to_owned(),
        tls_request_pem: request.pem().unwrap(),
        sm2_public_key_hex: hex::encode(sealing.public_key().xy()),
    }
}

pub async fn ask(desk: &Desk, station: &Station, request: &Up) -> Down {
    // Every question is one of its own, not a repetition.
    static ASKED: AtomicI64 = AtomicI64::new(0);
    let asked = format!("request-{}", ASKED.fetch_add(1, Ordering::SeqCst));
    let replies = desk.handle(&station.name, &wire::encode(&asked, request).unwrap()).await;
    assert_eq!(replies.len(), 1);
    let (id, answer) = wire::decode(&replies[0]).unwrap();
    assert_eq!(id, asked);
    answer
}

/// The one attempt that most tests make of a job with a key.
pub fn attempt(job: &JobId, key: &TestKey) -> String {
    format!("job/{job}/A1/{}", key.id.serial())
}

pub fn secrets_request(job: &JobId, key: &TestKey) -> Up {
    Up::Secrets(SecretsRequest {
        job: job.clone(),
        key: key.id.clone(),
        profile: PROFILE.to_owned(),
        factory_device_key: FACTORY_LABEL.to_owned(),
        attempt: attempt(job, key),
    })
}

pub fn certificates_request(job: &JobId, key: &TestKey) -> Up {
    let request = wire::Bytes(key.request());
    Up::Certificates(CertificatesRequest { job: job.clone(), key: key.id.clone(), request })
}

pub fn serial(der: &wire::Bytes) -> String {
    gm::certificate::Certificate::from_der(&der.0).unwrap().serial_hex()
}

pub fn passed(job: &JobId, key: &TestKey, reply: &CertificatesReply) -> Report {
    let mut report = ended(job, key, Outcome::Pass, true);
    if let Event::JobEnded(ended) = &mut report.event {
        ended.sign_cert_serial = Some(serial(&reply.sign_certificate));
        ended.enc_cert_serial = Some(serial(&reply.enc_certificate));
    }
    report
}

pub fn ended(job: &JobId, key: &TestKey, outcome: Outcome, key_touched: bool) -> Report {
    Report {
        id: format!("ended:{}", attempt(job, key)),
        at: "2026-11-22T09:30:00+08:00".to_owned(),
        anchor: None,
        event: Event::JobEnded(JobEnded {
            job: job.clone(),
            key: key.id.clone(),
            slot: "A1".parse().unwrap(),
            profile: PROFILE.to_owned(),
            outcome,
            milliseconds: 4_200,
            sign_cert_serial: None,
            enc_cert_serial: None,
            key_touched,
            detail: "a test".to_owned(),
        }),
    }
}

pub fn assert_refused(answer: &Down, code: RefusedCode) {
    match answer {
        Down::Refused(refused) => assert_eq!(refused.code, code, "{}", refused.detail),
        other => panic!("not refused but {other:?}"),
    }
}

/// A port that nobody listens on, below the range of outgoing connections; processes of tests look in places far from each other.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 200).unwrap() * 40;
    let free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let mut ports = (0..4000).map(|_| 20_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 8000);
    ports.find(free).expect("a free port between 20000 and 28000")
}

/// The shipped config, brought to a temporary folder.
pub fn config(folder: &Path, sf_endpoint: &str, port: u16) -> Config {
    let shipped: PathBuf = crate::bench::shipped("portal.toml");
    let mut table: toml::Table = std::fs::read_to_string(shipped).unwrap().parse().unwrap();
    let path = |name: &str| toml::Value::String(folder.join(name).display().to_string());
    table["data_dir"] = path("portal");
    table["programmes_dir"] = toml::Value::String(crate::bench::shipped("programmes").display().to_string());
    table["stock"]["required"] = false.into();
    table["broker"]["port"] = i64::from(port).into();
    table["vault"]["pin_file"] = path("secrets/vault-pin");
    table["vault"]["so_pin_file"] = path("secrets/vault-so-pin");
    table["sf"]["endpoint"] = sf_endpoint.into();
    table["sf"]["partner_id"] = sandbox::sf::PARTNER_ID.into();
    table["sf"]["checkword_file"] = path("sf-checkword");
    std::fs::write(folder.join("sf-checkword"), sandbox::sf::CHECKWORD).unwrap();
    let file = folder.join("portal.toml");
    std::fs::write(&file, table.to_string()).unwrap();
    Config::load(&file).unwrap()
}
