//! A whole portal on a temporary folder and a free port, and orders of invented customers.

#![allow(dead_code, unused_imports)] // each test file uses its own part

mod database;
pub mod services;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use model::Secret;
use portal::{
    AppState,
    clock::Clock,
    config::Config,
    db,
    operators::{self, Role},
    orders::Actor,
    outside::Outside,
    programmes::Programmes,
    readiness::VaultWatch,
    toml_file::Source,
    web,
};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

#[allow(unused_imports)] // as above
pub use database::{TestDatabase, stored};

pub const OPERATOR: &str = "li.shen";
pub const PASSWORD: &str = "correct horse battery";
/// 2026-11-22 09:30:00 in China.
pub const START_MS: i64 = 1_795_311_000_000;

pub struct Bench {
    pub runtime: Runtime,
    pub state: AppState,
    pub url: String,
    pub now_ms: Arc<AtomicI64>,
    agent: ureq::Agent,
    /// The first portal's alone.
    _place: Option<(TestDatabase, tempfile::TempDir)>,
}

pub fn shipped(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config").join(path)
}

pub fn programmes() -> Programmes {
    Programmes::load(&shipped("programmes")).unwrap()
}

/// A sealer that no vault is needed for.
pub fn sealer() -> portal::seal::Sealer {
    portal::seal::Sealer::with_key(&Secret::new(vec![7; 64])).unwrap()
}

impl Bench {
    pub fn new() -> Self {
        Self::configured(|_, _| ())
    }

    /// A bench whose config is changed before it starts; its folder is given too.
    pub fn configured(change: impl FnOnce(&mut Config, &Path)) -> Self {
        Self::built(change, |_| Outside::default())
    }

    /// A bench with services outside, which are told the portal's address.
    pub fn with_outside(outside: impl FnOnce(&str) -> Outside) -> Self {
        Self::built(|_, _| (), outside)
    }

    /// A bench whose vault is watched so.
    pub fn watching(vault: VaultWatch) -> Self {
        Self::assembled(|_, _| (), |_| Outside::default(), |state| state.with_vault(vault))
    }

    /// Another config, and services outside.
    pub fn built(change: impl FnOnce(&mut Config, &Path), outside: impl FnOnce(&str) -> Outside) -> Self {
        Self::assembled(change, outside, |state| state)
    }

    fn assembled(
        change: impl FnOnce(&mut Config, &Path),
        outside: impl FnOnce(&str) -> Outside,
        parts: impl FnOnce(AppState) -> AppState,
    ) -> Self {
        let runtime = Runtime::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let now_ms = Arc::new(AtomicI64::new(START_MS));
        let clock = now_ms.clone();
        let clock =
            Clock::from_fn(move || jiff::Timestamp::from_millisecond(clock.load(Ordering::SeqCst)).unwrap());
        let mut config =
            Config::from_source(&Source::open(&shipped("portal.toml")).unwrap(), folder.path()).unwrap();
        let database = TestDatabase::new(folder.path());
        config.database = database.config();
        config.data_dir = folder.path().to_owned();
        change(&mut config, folder.path());
        let state = runtime.block_on(async {
            let db = db::open(&config).await.unwrap();
            let roles =
                [Role::Reviewer, Role::Production, Role::Finance, Role::Stations, Role::Administrator];
            let actor = Actor::CommandLine;
            operators::add(&db, OPERATOR, Secret::from(PASSWORD), &roles, &actor, START_MS).await.unwrap();
            parts(AppState::new(db, programmes(), config, clock, sealer()))
        });
        Self::serve(runtime, state, now_ms, Some((database, folder)), outside)
    }

    /// Another portal process on the same database.
    pub fn beside(&self) -> Self {
        self.beside_with(Outside::default())
    }

    /// Another portal process on the same database, with services outside.
    pub fn beside_with(&self, outside: Outside) -> Self {
        let runtime = Runtime::new().unwrap();
        let config = Config::clone(&self.state.config);
        let db = runtime.block_on(db::open(&config)).unwrap();
        let state = AppState::new(db, programmes(), config, self.state.clock.clone(), sealer());
        Self::serve(runtime, state, self.now_ms.clone(), None, |_| outside)
    }

    fn serve(
        runtime: Runtime,
        state: AppState,
        now_ms: Arc<AtomicI64>,
        place: Option<(TestDatabase, tempfile::TempDir)>,
        outside: impl FnOnce(&str) -> Outside,
    ) -> Self {
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = state.with_outside(outside(&url));
        runtime.spawn(web::serve(listener, web::router(state.clone())));
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            // The portal closes a connection whose request it refused unread; a second request on it would race that.
            .max_idle_connections(0)
            .build()
            .into();
        Self { runtime, state, url, now_ms, agent, _place: place }
    }

    /// A bench and a session's cookie on it.
    pub fn logged_in() -> (Self, String) {
        let bench = Self::new();
        let cookie = bench.log_in();
        (bench, cookie)
    }

    pub fn log_in(&self) -> String {
        self.log_in_as(OPERATOR, "").unwrap()
    }

    /// Logs an operator in who has the bench's password; the cookie, or the status.
    pub fn log_in_as(&self, name: &str, code: &str) -> Result<String, u16> {
        let body = json!({ "name": name, "password": PASSWORD, "code": code });
        let answer = self.agent.post(self.at("/api/login")).send_json(&body).unwrap();
        if answer.status() != 204 {
            return Err(answer.status().as_u16());
        }
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        Ok(cookie.split(';').next().unwrap().to_owned())
    }

    /// Another operator with these roles; the session's cookie.
    pub fn operator(&self, name: &str, roles: &[Role]) -> String {
        let (db, password) = (&self.state.db, Secret::from(PASSWORD));
        let added = operators::add(db, name, password, roles, &Actor::CommandLine, START_MS);
        self.runtime.block_on(added).unwrap();
        self.log_in_as(name, "").unwrap()
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    pub fn get(&self, cookie: &str, path: &str) -> (u16, String) {
        let mut answer = self.agent.get(self.at(path)).header("cookie", cookie).call().unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    }

    pub fn get_json(&self, cookie: &str, path: &str) -> Value {
        let (status, text) = self.get(cookie, path);
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    pub fn post(&self, cookie: &str, path: &str, body: &Value) -> (u16, Value) {
        self.post_with(cookie, path, body, &[])
    }

    pub fn post_with(
        &self,
        cookie: &str,
        path: &str,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> (u16, Value) {
        let mut request = self.agent.post(self.at(path)).header("cookie", cookie);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut answer = request.send_json(body).unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        (answer.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    pub fn put(&self, cookie: &str, path: &str, body: &Value) -> (u16, Value) {
        let mut answer = self.agent.put(self.at(path)).header("cookie", cookie).send_json(body).unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        (answer.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    pub fn post_form(&self, cookie: &str, path: &str, pairs: &[(&str, &str)]) -> (u16, String) {
        let request = self.agent.post(self.at(path)).header("cookie", cookie);
        let mut answer = request.send_form(pairs.iter().copied()).unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    }

    /// Decides about an order by a page's form, as somebody who has just looked: `path` ends in `/{number}/approve` or `/{number}/reject`.
    pub fn decide(&self, cookie: &str, path: &str, pairs: &[(&str, &str)]) -> (u16, String) {
        let number = path.split('/').nth(2).unwrap().parse().unwrap();
        let order = self.runtime.block_on(portal::orders::load(&self.state, &number)).unwrap().unwrap();
        let seen = order.changed_ms.to_string();
        self.post_form(cookie, path, &[pairs, &[("seen", seen.as_str())]].concat())
    }

    pub fn agent(&self) -> &ureq::Agent {
        &self.agent
    }

    /// Takes an order that must pass, from a file: whoever enters an order may not approve it. Gives its number.
    pub fn place(&self, _cookie: &str, order: &Value) -> String {
        let row = self.runtime.block_on(portal::orders::accept(&self.state, order, &Actor::Import)).unwrap();
        assert_eq!(row.outcome, portal::orders::RowOutcome::Accepted, "{row:?}");
        row.number.unwrap().to_string()
    }
}

/// An id number of region 000000 with the check digit that fits.
pub fn id_number(n: u32) -> String {
    let prefix = format!("00000019900101{:03}", n % 1000);
    let mut all = "0123456789X".chars().map(|digit| format!("{prefix}{digit}"));
    all.find(|number| model::check_id_number(number).is_ok()).unwrap()
}

/// A credit code of region 000000 with the check character that fits.
pub fn credit_code(n: u32) -> String {
    let prefix = format!("91000000MA{n:07}");
    let mut all = "0123456789ABCDEFGHJKLMNPQRTUWXY".chars().map(|c| format!("{prefix}{c}"));
    all.find(|code| model::check_credit_code(code).is_ok()).unwrap()
}

/// An order of the programme with payment: 300.00 a key.
pub fn paid_order(quantity: u64) -> Value {
    json!({
        "programme": "xiamen-jinlong", "product": "unit-first", "years": 1, "quantity": quantity,
        "handler": {
            "name": "陈测试", "id_type": "id_card", "id_number": id_number(1), "mobile": "13800000001",
            "mail": "chen@example.com",
        },
        "unit": {
            "name": "示例客车零部件有限公司", "credit_code": credit_code(1), "kind": "enterprise", "industry": "制造业",
        },
        "receiver": {
            "name": "陈测试", "mobile": "13800000001", "province": "福建省", "city": "厦门市", "county": "集美区",
            "address": "示例路 8 号",
        },
        "payment": { "method": "alipay", "paid_fen": 30000 * quantity, "reference": "T0001" },
    })
}

/// An order of the programme without payment.
pub fn free_order() -> Value {
    let mut order = paid_order(1);
    order["programme"] = json!("yuncaidun");
    order.as_object_mut().unwrap().remove("payment");
    order
}

/// An order of the programme with a legal representative.
pub fn legal_order(product: &str, years: u64, quantity: u64) -> Value {
    let mut order = paid_order(quantity);
    order["programme"] = json!("luzhou-laojiao");
    order["product"] = json!(product);
    order["years"] = json!(years);
    order["payment"]["paid_fen"] = json!(40000 * years * quantity);
    order["legal_representative"] = json!({ "name": "王代表", "id_number": id_number(2) });
    if product == "personal-first" {
        order["holder"] = json!({ "name": "阿依古丽•测试", "id_number": id_number(3) });
    }
    order
}

/// The fields that an answer complains of.
pub fn wrong_fields(answer: &Value) -> Vec<String> {
    let errors = answer.pointer("/results/0/errors").or_else(|| answer.get("errors")).unwrap();
    errors.as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect()
}
