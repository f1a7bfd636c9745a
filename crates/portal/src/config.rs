//! The portal's config file: file form, checks, trusted form. `config/portal.toml` explains every key.

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::{
    mail::Mailer,
    toml_file::{Fault, Faults, Source},
};

/// The config, checked; paths are complete.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Database, CA files, broker files.
    pub data_dir: PathBuf,
    /// Where the tables are.
    pub database: Database,
    /// Folder of programme files.
    pub programmes_dir: PathBuf,
    /// Folder of firmware profiles.
    pub profiles_dir: PathBuf,
    /// The web side.
    pub http: Http,
    /// Operators.
    pub operators: Operators,
    /// The MQTT broker.
    pub broker: Broker,
    /// The HSM.
    pub vault: Vault,
    /// Names of the CA.
    pub ca: Ca,
    /// SF Express.
    pub sf: Sf,
    /// Our side of every parcel.
    pub sender: Sender,
    /// Leases of jobs to stations.
    pub leases: Leases,
    /// The stock of blank keys.
    pub stock: Stock,
    /// Platforms that are told of orders' states.
    pub webhooks: Vec<Webhook>,
    /// Figures for Prometheus; without it there are none.
    pub metrics: Option<Metrics>,
    /// Short messages; without it none are sent.
    pub sms: Option<Sms>,
    /// E-invoices; without it they wait.
    pub invoice: Option<Invoice>,
    /// Mails; without it none are written.
    pub mail: Option<Mailer>,
    /// Alipay, where customers pay by it.
    pub alipay: Option<Alipay>,
    /// Letters and marks on pictures; `None` = neither is made.
    pub papers: Option<Papers>,
}

/// Where the tables are.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Database {
    /// `portal.db` in the data folder.
    Sqlite,
    /// A PostgreSQL server; several portals may share it.
    Postgres {
        /// File with its address, `postgres://user:password@host/name`, one line, mode 600.
        url_file: PathBuf,
    },
}

/// Letters and marks on pictures.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Papers {
    /// A font with Chinese glyphs.
    pub font: PathBuf,
    /// The face in it.
    pub font_index: u32,
}

/// The stock of blank keys.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stock {
    /// Whether only keys of registered deliveries are made.
    pub required: bool,
}

/// The web side.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The address browsers use, `https://host` or, on the machine itself, `http://127.0.0.1:port`.
    pub public_url: String,
    /// Proxies on other machines whose word about their clients is believed, as that of proxies on this one is.
    #[serde(default)]
    pub trusted_proxies: Vec<IpAddr>,
}

impl Http {
    /// Whether browsers reach the portal by TLS (then the cookie is `Secure`).
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.public_url.starts_with("https://")
    }
}

/// Operators.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operators {
    /// How long a log-in holds, in hours.
    pub session_hours: u32,
    /// Whether every operator needs a second factor.
    pub second_factor: SecondFactor,
}

/// Whether operators need a code beside the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecondFactor {
    /// Nobody does anything before it is set up.
    Required,
    /// Who has set it up needs it.
    Optional,
}

/// The MQTT broker.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Broker {
    /// Host, as in the broker's certificate.
    pub host: String,
    /// TLS port.
    pub port: u16,
}

/// The HSM.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vault {
    /// The PKCS#11 module.
    pub module: PathBuf,
    /// The token's label.
    pub token_label: String,
    /// File with the token's user PIN, one line, mode 600.
    pub pin_file: PathBuf,
    /// File with the token's SO PIN; read by `portal init` alone.
    pub so_pin_file: PathBuf,
}

/// Names of the CA. Read by `portal init`; later changes to the names have no effect.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ca {
    /// O of both CA certificates.
    pub organisation: String,
    /// CN of the root.
    pub root_name: String,
    /// CN of the issuing CA.
    pub issuing_name: String,
}

/// How SF signs messages (an option of the app in SF's console).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SfDigest {
    /// Base64(MD5(URL-encoded)).
    Standard,
    /// Base64(MD5(plain)).
    Simple,
    /// SM3.
    Sm3,
}

/// SF Express.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sf {
    /// Where requests go.
    pub endpoint: String,
    /// 顾客编码.
    pub partner_id: String,
    /// File with the check word, one line, mode 600.
    pub checkword_file: PathBuf,
    /// The digest chosen in SF's console.
    pub digest: SfDigest,
    /// The product number of the contract with SF, such as 1 or 2.
    pub express_type_id: u32,
    /// What the label says is inside (托寄物).
    pub goods: String,
}

/// Our side of every parcel.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sender {
    /// Who sends.
    pub name: String,
    /// Telephone, printed masked.
    pub mobile: String,
    /// Company.
    pub company: String,
    /// Province.
    pub province: String,
    /// City.
    pub city: String,
    /// County; may be empty.
    pub county: String,
    /// Street and number.
    pub address: String,
}

/// Leases of jobs to stations.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leases {
    /// How long a lease holds without renewal.
    pub seconds: u32,
    /// Most jobs one station may hold.
    pub jobs_max: u16,
    /// How many keys may be spoiled on one job before it waits for an operator.
    pub attempts_max: u16,
}

/// A platform that is told of each change of state of its programme's orders.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// The programme's id.
    pub programme: String,
    /// Where events go.
    pub url: String,
    /// File with the secret that signs them, one line, mode 600.
    pub secret_file: PathBuf,
}

/// Figures for Prometheus.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// File with the bearer token that opens them, one line, mode 600.
    pub token_file: PathBuf,
}

/// E-invoices.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invoice {
    /// Where requests go.
    pub endpoint: String,
    /// The app's key.
    pub app_key: String,
    /// File with the app's secret, one line, mode 600.
    pub app_secret_file: PathBuf,
    /// File with the access token, one line, mode 600.
    pub access_token_file: PathBuf,
    /// The seller's tax number.
    pub tax_number: String,
    /// 开票人.
    pub clerk: String,
    /// What is sold, as the invoice says it.
    pub goods_name: String,
    /// 商品和服务税收分类编码, 19 digits.
    pub goods_code: String,
    /// 税率, in percent.
    pub tax_rate_percent: u8,
}

/// Short messages.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sms {
    /// Where requests go.
    pub endpoint: String,
    /// AccessKey ID of a RAM user that may send and query.
    pub access_key_id: String,
    /// File with its secret, one line, mode 600.
    pub access_key_secret_file: PathBuf,
    /// 短信签名 of codes.
    pub sign_name: String,
    /// Template of codes.
    pub code_template: String,
    /// Codes a day, for everybody together.
    pub day_budget: u32,
}

/// Alipay.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alipay {
    /// Where requests go.
    pub endpoint: String,
    /// APPID.
    pub app_id: String,
    /// The account that is paid (PID).
    pub seller_id: String,
    /// File with the app's private key, PKCS#8, mode 600.
    pub private_key_file: PathBuf,
    /// File with 支付宝公钥.
    pub alipay_public_key_file: PathBuf,
    /// How long an offer to pay holds.
    pub expire_minutes: u16,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    data_dir: PathBuf,
    programmes_dir: PathBuf,
    profiles_dir: PathBuf,
    database: Database,
    http: Http,
    operators: Operators,
    broker: Broker,
    vault: Vault,
    ca: Ca,
    sf: Sf,
    sender: Sender,
    leases: Leases,
    stock: Stock,
    #[serde(default)]
    webhook: Vec<Webhook>,
    #[serde(default)]
    metrics: Option<Metrics>,
    #[serde(default)]
    sms: Option<Sms>,
    #[serde(default)]
    invoice: Option<Invoice>,
    #[serde(default)]
    mail: Option<Mailer>,
    #[serde(default)]
    alipay: Option<Alipay>,
    papers: Option<Papers>,
}

impl Config {
    /// Reads and checks a config file. Relative paths count from the file's own folder.
    ///
    /// # Errors
    /// Every mistake at once, each with file, line, field and remedy.
    pub fn load(path: &Path) -> Result<Self, Faults> {
        let source = Source::open(path)?;
        Self::from_source(&source, path.parent().unwrap_or(Path::new(".")))
    }

    /// Checks a config text whose relative paths count from `folder`.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn from_source(source: &Source, folder: &Path) -> Result<Self, Faults> {
        let file: ConfigFile = source.parse()?;
        let faults = check(&file, source);
        if !faults.is_empty() {
            return Err(Faults(faults));
        }
        let complete = |path: PathBuf| if path.is_absolute() { path } else { folder.join(path) };
        Ok(Self {
            data_dir: complete(file.data_dir),
            database: match file.database {
                Database::Sqlite => Database::Sqlite,
                Database::Postgres { url_file } => Database::Postgres { url_file: complete(url_file) },
            },
            programmes_dir: complete(file.programmes_dir),
            profiles_dir: complete(file.profiles_dir),
            http: file.http,
            operators: file.operators,
            broker: file.broker,
            vault: Vault {
                module: complete(file.vault.module),
                pin_file: complete(file.vault.pin_file),
                so_pin_file: complete(file.vault.so_pin_file),
                token_label: file.vault.token_label,
            },
            ca: file.ca,
            sf: Sf { checkword_file: complete(file.sf.checkword_file), ..file.sf },
            sender: file.sender,
            leases: file.leases,
            stock: file.stock,
            webhooks: file
                .webhook
                .into_iter()
                .map(|webhook| Webhook { secret_file: complete(webhook.secret_file), ..webhook })
                .collect(),
            metrics: file.metrics.map(|metrics| Metrics { token_file: complete(metrics.token_file) }),
            sms: file
                .sms
                .map(|sms| Sms { access_key_secret_file: complete(sms.access_key_secret_file), ..sms }),
            invoice: file.invoice.map(|invoice| Invoice {
                app_secret_file: complete(invoice.app_secret_file),
                access_token_file: complete(invoice.access_token_file),
                ..invoice
            }),
            mail: file.mail,
            alipay: file.alipay.map(|alipay| Alipay {
                private_key_file: complete(alipay.private_key_file),
                alipay_public_key_file: complete(alipay.alipay_public_key_file),
                ..alipay
            }),
            papers: file.papers.map(|papers| Papers { font: complete(papers.font), ..papers }),
        })
    }

    /// The database file, where it is SQLite.
    #[must_use]
    pub fn database_file(&self) -> PathBuf {
        self.data_dir.join("portal.db")
    }

    /// The folder of the broker's files and of the portal's own certificate, made by `portal init`.
    #[must_use]
    pub fn broker_dir(&self) -> PathBuf {
        self.data_dir.join("broker")
    }
}

fn check(file: &ConfigFile, source: &Source) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut require = |ok: bool, field: &str, what: &str, fix: &str| {
        if !ok {
            faults.push(source.fault(field, what, fix));
        }
    };
    let url = &file.http.public_url;
    require(
        (url.starts_with("https://") || url.starts_with("http://")) && !url.ends_with('/'),
        "http.public_url",
        "it is not an address as browsers show it",
        "write https://host or http://127.0.0.1:port, without / at the end",
    );
    require(
        (1..=24).contains(&file.operators.session_hours),
        "operators.session_hours",
        "a log-in holds 1 to 24 hours",
        "choose a shift, such as 10",
    );
    require(file.broker.port != 0, "broker.port", "0 is no port", "mosquitto's TLS port is 8883");
    require(
        (30..=86_400).contains(&file.leases.seconds),
        "leases.seconds",
        "a lease holds 30 to 86400 seconds",
        "900 gives a station a quarter of an hour to come back",
    );
    require(
        (1..=1_000).contains(&file.leases.jobs_max),
        "leases.jobs_max",
        "a station holds 1 to 1000 jobs",
        "twice its slots is enough",
    );
    require(
        (1..=100).contains(&file.leases.attempts_max),
        "leases.attempts_max",
        "a job may cost 1 to 100 keys",
        "5 is usual",
    );
    require(
        file.sf.express_type_id > 0,
        "sf.express_type_id",
        "0 is no product of SF",
        "write the number in the contract with SF, such as 1 or 2",
    );
    for (index, webhook) in file.webhook.iter().enumerate() {
        require(
            // Some platforms want a query in the address.
            model::Endpoint::new(webhook.url.split('?').next().unwrap_or_default()).is_ok(),
            &format!("webhook[{index}].url"),
            "it is not an address that nobody reads along",
            "write https://… (http:// is taken for this machine alone)",
        );
        require(
            file.webhook[..index].iter().all(|other| other.programme != webhook.programme),
            &format!("webhook[{index}].programme"),
            "the programme has a webhook already",
            "a programme tells one platform",
        );
    }
    if let Some(sms) = &file.sms {
        require(
            (1..=1_000_000).contains(&sms.day_budget),
            "sms.day_budget",
            "a day has 1 to 1000000 codes",
            "ten times the orders of a busy day is enough",
        );
    }
    if let Some(alipay) = &file.alipay {
        require(
            (5..=120).contains(&alipay.expire_minutes),
            "alipay.expire_minutes",
            "an offer to pay holds 5 to 120 minutes",
            "15 is usual",
        );
    }
    if let Some(invoice) = &file.invoice {
        require(
            invoice.tax_rate_percent <= 17,
            "invoice.tax_rate_percent",
            "no rate of VAT is above 17",
            "write 6 for services, 13 for goods",
        );
        require(
            invoice.goods_code.len() == 19 && invoice.goods_code.bytes().all(|byte| byte.is_ascii_digit()),
            "invoice.goods_code",
            "it is no code of 19 digits",
            "copy the 商品和服务税收分类编码 from the tax bureau's table",
        );
    }
    if let Some(mail) = &file.mail {
        require(
            mail.command.first().is_some_and(|program| program.starts_with('/')),
            "mail.command",
            "it does not begin with a program's whole path",
            "write [\"/usr/sbin/sendmail\", \"-t\", \"-i\"]",
        );
    }
    for (field, value) in texts(file) {
        require(
            !value.trim().is_empty() && value.chars().count() <= 128,
            field,
            "it is empty or longer than 128 characters",
            "fill it in; config/portal.toml explains it",
        );
    }
    faults
}

/// The texts that may not be empty (the sender's county may).
fn texts(file: &ConfigFile) -> Vec<(&'static str, &str)> {
    let mut texts: Vec<(&'static str, &str)> = vec![
        ("broker.host", &file.broker.host),
        ("vault.token_label", &file.vault.token_label),
        ("ca.organisation", &file.ca.organisation),
        ("ca.root_name", &file.ca.root_name),
        ("ca.issuing_name", &file.ca.issuing_name),
        ("sf.endpoint", &file.sf.endpoint),
        ("sf.partner_id", &file.sf.partner_id),
        ("sf.goods", &file.sf.goods),
        ("sender.name", &file.sender.name),
        ("sender.mobile", &file.sender.mobile),
        ("sender.company", &file.sender.company),
        ("sender.province", &file.sender.province),
        ("sender.city", &file.sender.city),
        ("sender.address", &file.sender.address),
        ("http.public_url", &file.http.public_url),
    ];
    if let Some(sms) = &file.sms {
        let more: [(&'static str, &str); 4] = [
            ("sms.endpoint", &sms.endpoint),
            ("sms.access_key_id", &sms.access_key_id),
            ("sms.sign_name", &sms.sign_name),
            ("sms.code_template", &sms.code_template),
        ];
        texts.extend(more);
    }
    if let Some(invoice) = &file.invoice {
        let more: [(&'static str, &str); 5] = [
            ("invoice.endpoint", &invoice.endpoint),
            ("invoice.app_key", &invoice.app_key),
            ("invoice.tax_number", &invoice.tax_number),
            ("invoice.clerk", &invoice.clerk),
            ("invoice.goods_name", &invoice.goods_name),
        ];
        texts.extend(more);
    }
    if let Some(mail) = &file.mail {
        texts.push(("mail.from", &mail.from));
    }
    texts
}
