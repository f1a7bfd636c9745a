//! A portal of its own: a folder, an HSM, an operator; its database in the folder or on a server.

use std::{path::PathBuf, process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    orders,
    places::{free_port, program, tree},
    process::{Process, run, wait_for},
};
use serde_json::{Value, json};
use sqlx::{AnyConnection, Connection as _};

const OPERATOR: &str = "reviewer";
const PASSWORD: &str = "a long pass phrase for the bench";
/// What customers order here.
const PROGRAMME: &str = "xiamen-jinlong";
const PRODUCT: &str = "unit-first";
/// Between the fields of a form.
const BORDER: &str = "bench-bench-bench";
const PATIENCE: Duration = Duration::from_secs(60);
/// The server's address, as scripts/with-postgres gives it.
const SERVER: &str = "PORTAL_TEST_POSTGRES";

pub struct Rig {
    folder: tempfile::TempDir,
    url: String,
    database: String,
    cookie: String,
    process: Option<Process>,
}

impl Rig {
    pub fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = |name: &str| toml::Value::String(folder.path().join(name).display().to_string());
        let shipped = tree().join("config/portal.toml");
        let mut config: toml::Table = std::fs::read_to_string(shipped)?.parse()?;
        let url = format!("http://127.0.0.1:{}", free_port()?);
        let mut set = |section: &str, key: &str, value: toml::Value| {
            if let Some(table) = config.get_mut(section).and_then(toml::Value::as_table_mut) {
                table.insert(key.to_owned(), value);
            }
        };
        set("http", "listen", url.trim_start_matches("http://").into());
        set("http", "public_url", url.as_str().into());
        set("broker", "port", i64::from(free_port()?).into());
        set("vault", "pin_file", path("secrets/vault-pin"));
        set("vault", "so_pin_file", path("secrets/vault-so-pin"));
        set("sf", "checkword_file", path("sf-checkword"));
        set("alipay", "private_key_file", path("alipay-private.pem"));
        set("alipay", "alipay_public_key_file", path("alipay-public.pem"));
        let database = match std::env::var(SERVER) {
            Err(_) => format!("sqlite://{}", folder.path().join("portal/portal.db").display()),
            Ok(server) => {
                std::fs::write(folder.path().join("database-url"), format!("{server}/bench"))?;
                run(
                    "createdb",
                    Command::new("createdb").args([
                        "--maintenance-db",
                        &format!("{server}/postgres"),
                        "bench",
                    ]),
                    None,
                )?;
                set("database", "kind", "postgres".into());
                set("database", "url_file", path("database-url"));
                format!("{server}/bench")
            }
        };
        config.insert("data_dir".to_owned(), path("portal"));
        for (key, at) in [("programmes_dir", "config/programmes"), ("profiles_dir", "firmware-profiles")] {
            config.insert(key.to_owned(), tree().join(at).display().to_string().into());
        }
        // Nobody is asked for money: any two keys will do.
        let (private, public) =
            (folder.path().join("alipay-private.pem"), folder.path().join("alipay-public.pem"));
        run(
            "openssl",
            Command::new("openssl").args(["genpkey", "-algorithm", "RSA", "-out"]).arg(&private),
            None,
        )?;
        run(
            "openssl",
            Command::new("openssl").args(["pkey", "-pubout", "-in"]).arg(&private).arg("-out").arg(public),
            None,
        )?;
        std::fs::create_dir(folder.path().join("tokens"))?;
        std::fs::write(folder.path().join("sf-checkword"), "bench")?;
        std::fs::write(folder.path().join("portal.toml"), config.to_string())?;
        let tokens = folder.path().join("tokens");
        let hsm = format!("directories.tokendir = {}\nobjectstore.backend = file\n", tokens.display());
        std::fs::write(folder.path().join("softhsm2.conf"), hsm)?;
        let rig = Self { folder, url, database, cookie: String::new(), process: None };
        run("portal init", rig.command("portal")?.arg("init"), None)?;
        let add = ["operator", "add", OPERATOR, "--role", "reviewer", "--role", "stations"];
        run("portal operator", rig.command("portal")?.args(add), Some(PASSWORD.as_bytes()))?;
        Ok(rig)
    }

    /// `sqlite` or `postgres`.
    pub fn database(&self) -> String {
        self.database.split(':').next().unwrap_or_default().to_owned()
    }

    pub fn config(&self) -> PathBuf {
        self.folder.path().join("portal.toml")
    }

    /// One of our programs with this rig's config and HSM.
    pub fn command(&self, name: &str) -> Result<Command> {
        let mut command = Command::new(program(name)?);
        command.env("PORTAL_CONFIG", self.config()).env("PORTAL_LOG", "warn");
        command.env("SOFTHSM2_CONF", self.folder.path().join("softhsm2.conf"));
        Ok(command)
    }

    /// Starts the portal and logs in.
    pub fn start(&mut self) -> Result<()> {
        let mut command = self.command("portal")?;
        command.arg("serve");
        self.start_as(command)
    }

    /// Starts a command that serves as the portal does.
    pub fn start_as(&mut self, mut command: Command) -> Result<()> {
        let mut process = Process::start("portal", &mut command, &self.folder.path().join("log"))?;
        let health = format!("{}/healthz", self.url);
        wait_for("the portal", PATIENCE, || {
            process.check()?;
            Ok(ureq::get(&health).call().ok().map(drop))
        })?;
        self.process = Some(process);
        let credentials = json!({ "name": OPERATOR, "password": PASSWORD });
        let answer = ureq::post(format!("{}/api/login", self.url)).send_json(&credentials)?;
        let cookie = answer.headers().get("set-cookie").context("the log-in gave no cookie")?.to_str()?;
        self.cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        Ok(())
    }

    pub fn stop(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), |mut process| process.stop(PATIENCE))
    }

    pub fn peak_memory_mib(&self) -> Result<u64> {
        Ok(self.process.as_ref().context("the portal does not run")?.peak_memory_kib()? / 1024)
    }

    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    pub fn cookie(&self) -> &str {
        &self.cookie
    }

    pub fn client(&self) -> Result<Client> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        Ok(Client { agent, url: self.url.clone(), cookie: self.cookie.clone() })
    }

    /// Makes orders of one that is there, until there are so many; they are spread over all states and a year.
    pub fn copy_orders(&self, until: u32) -> Result<()> {
        let states = model::OrderState::ALL;
        let number = self.client()?.newest_orders()?.remove(0);
        tokio::runtime::Runtime::new()?.block_on(async {
            sqlx::any::install_default_drivers();
            let mut connection = AnyConnection::connect(&self.database).await?;
            let mut tx = connection.begin().await?;
            let count = sqlx::query_scalar::<sqlx::Any, i64>("select count(*) from orders").fetch_one(&mut *tx);
            let there = u32::try_from(count.await?)?;
            let now = jiff::Timestamp::now().as_millisecond();
            for n in there..until {
                let state = states[n as usize % states.len()];
                sqlx::query::<sqlx::Any>(
                    "insert into orders (number, programme, product, product_title, holder_kind, holder_name, unit_name, \
                     years, quantity, amount_fen, state, content, sealed, created_ms, changed_ms, handler_mobile_digest) select $1, \
                     programme, product, product_title, holder_kind, holder_name, unit_name, years, quantity, amount_fen, $2, content, \
                     sealed, $3, $3, $5 from orders where number = $4",
                )
                .bind(format!("SAAS12020010100{:010}", n))
                .bind(state.code())
                .bind(now - i64::from(n) * 300_000)
                .bind(&number)
                .bind(format!("{n:064x}"))
                .execute(&mut *tx)
                .await?;
                // Two numbers each, as a handler and a unit have.
                for kind in 0..2 {
                    let mark = "insert into order_marks (digest, order_number) values ($1, $2)";
                    sqlx::query::<sqlx::Any>(mark)
                        .bind(format!("{kind}{n:063x}"))
                        .bind(format!("SAAS12020010100{:010}", n))
                        .execute(&mut *tx)
                        .await?;
                }
            }
            tx.commit().await?;
            // As either database does by itself, sooner or later.
            let tidy = if self.database() == "sqlite" { "analyze" } else { "vacuum analyze" };
            sqlx::query(tidy).execute(&mut connection).await?;
            Ok(connection.close().await?)
        })
    }
}

/// An operator's program.
pub struct Client {
    agent: ureq::Agent,
    url: String,
    cookie: String,
}

impl Client {
    pub fn get(&self, path: &str) -> Result<()> {
        self.read(path).map(drop)
    }

    fn read(&self, path: &str) -> Result<String> {
        let mut answer =
            self.agent.get(format!("{}{path}", self.url)).header("cookie", &self.cookie).call()?;
        ensure!(answer.status() == 200, "{path}: {}", answer.status());
        Ok(answer.body_mut().read_to_string()?)
    }

    /// The newest orders that wait for review, of which there is one at least.
    pub fn newest_orders(&self) -> Result<Vec<String>> {
        let list: Value = serde_json::from_str(&self.read("/api/orders?state=awaiting_review")?)?;
        let orders = list["orders"].as_array().context("there is no list")?;
        let number = |order: &Value| order["number"].as_str().map(str::to_owned);
        let numbers: Vec<String> = orders.iter().filter_map(number).collect();
        ensure!(!numbers.is_empty(), "there is no order");
        Ok(numbers)
    }

    /// A customer's form, filled in and saved: each is somebody else's, from somewhere else.
    pub fn save_form(&self, n: u32) -> Result<()> {
        let order = orders::order(n as usize, PROGRAMME, PRODUCT, 1);
        let mut form = String::new();
        let mut field = |name: &str, value: &str| {
            form.push_str(&format!(
                "--{BORDER}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            ));
        };
        for section in ["handler", "unit", "receiver"] {
            for (name, value) in order[section].as_object().context("a section is an object")? {
                field(&format!("{section}.{name}"), value.as_str().unwrap_or_default());
            }
        }
        field("years", "1");
        field("quantity", "1");
        field("action", "save");
        form.push_str(&format!("--{BORDER}--\r\n"));
        let [_, a, b, c] = n.to_be_bytes();
        let answer = self
            .agent
            .post(format!("{}/p/{PROGRAMME}/order?product={PRODUCT}", self.url))
            .header("x-forwarded-for", format!("10.{a}.{b}.{c}"))
            .header("content-type", format!("multipart/form-data; boundary={BORDER}"));
        let mut answer = answer.send(form)?;
        let text = answer.body_mut().read_to_string()?;
        ensure!(answer.status() == 303, "the form: {}: {text}", answer.status());
        Ok(())
    }

    pub fn post_order(&self, n: u32) -> Result<()> {
        let mut order = orders::single(n as usize);
        order.as_object_mut().context("an order is an object")?.remove("number");
        let answer = self.agent.post(format!("{}/api/orders", self.url)).header("cookie", &self.cookie);
        let mut answer = answer.send_json(order)?;
        let text = answer.body_mut().read_to_string()?;
        ensure!(answer.status() == 201, "{}: {text}", answer.status());
        Ok(())
    }
}
