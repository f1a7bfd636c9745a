//! Enrolment of stations: a one-time code from the portal's command line, redeemed once by the station that holds the keys.

use std::sync::Arc;

use anyhow::Context as _;
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, FromRef, State, rejection::JsonRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use model::StationId;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;

use crate::{
    app::AppState,
    audit::{self, What},
    clock::Clock,
    codes::network,
    config::Config,
    db::{self, Db, DbError, Sql, Transaction, begin_write, damaged},
    init::{StationRequest, TransportCa, random_text, write_revoked},
    operators::Brake,
    orders::Actor,
    stations::{self, Desk},
    web::Address,
};

/// How long a code may be used. Long enough to walk to the bench, short enough to be forgotten.
const CODE_HOURS: i64 = 24;
/// 20 × log2(32) = 100 bits.
const CODE_CHARACTERS: usize = 20;
const REQUEST_BYTES_MAX: usize = 16 * 1024;

/// Makes a one-time code for a station and forgets the ones made for it before. A station that is enrolled already gets new keys by it.
///
/// # Errors
/// The name `portal` (the broker knows the portal itself by it), or the database's.
pub async fn add_station(config: &Config, name: &StationId) -> anyhow::Result<String> {
    anyhow::ensure!(
        name.as_str() != "portal",
        "the name portal is the portal's own at the broker: choose another"
    );
    let db = db::open(config).await?;
    new_code(&db, name, Clock::system().now_ms()).await
}

/// Disables a station: it gets nothing but refusals until it is enrolled again, and the broker does not let it in.
///
/// # Errors
/// There is no such station, or the database's.
pub async fn disable_station(config: &Config, name: &StationId) -> anyhow::Result<()> {
    let (db, now) = (db::open(config).await?, Clock::system().now_ms());
    anyhow::ensure!(stations::disable(&db, name, now).await?, "there is no station {name}");
    let vault = stations::open_vault(config).await?;
    let transport = TransportCa::load(&db, &vault).await?;
    write_revoked(config, &db, &transport).await
}

async fn new_code(db: &Db, name: &StationId, now: i64) -> anyhow::Result<String> {
    let secret = random_text(CODE_CHARACTERS)?;
    let text = std::str::from_utf8(secret.expose()).context("a code that is no text")?;
    let code = [&text[..5], &text[5..10], &text[10..15], &text[15..]].join("-");
    let mut tx = begin_write(db).await?;
    sqlx::query::<Sql>(
        "delete from enrolments where expires_ms < $1 or (station = $2 and request_hash is null)",
    )
    .bind(now)
    .bind(name.as_str())
    .execute(&mut *tx)
    .await?;
    sqlx::query::<Sql>(
        "insert into enrolments (code_hash, station, created_ms, expires_ms) values ($1, $2, $3, $4)",
    )
    .bind(code_hash(&code))
    .bind(name.as_str())
    .bind(now)
    .bind(now + CODE_HOURS * 3_600_000)
    .execute(&mut *tx)
    .await?;
    audit::record(&mut tx, now, &Actor::CommandLine, What::StationInvited, name, "").await?;
    tx.commit().await?;
    Ok(code)
}

/// As typed: small letters and other dashes do not matter. The code has 100 bits, so its plain hash gives nothing away.
fn code_hash(code: &str) -> String {
    let plain: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
    hex::encode(gm::sm3(plain.to_ascii_uppercase().as_bytes()))
}

/// What a station sends.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolRequest {
    /// The one-time code.
    pub code: String,
    /// PKCS#10 for its TLS key, PEM. Its name is not used.
    pub tls_request_pem: String,
    /// Its SM2 public key, X||Y, 128 hex digits: secrets will be sealed to it.
    pub sm2_public_key_hex: String,
}

/// What it gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolReply {
    /// Its name.
    pub station: StationId,
    /// Its TLS certificate, PEM; the common name is the station's name.
    pub certificate_pem: String,
    /// The transport CA, PEM.
    pub ca_pem: String,
    /// The broker.
    pub broker_host: String,
    /// Its TLS port.
    pub broker_port: u16,
}

/// Why a station was not enrolled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnrolError {
    /// No such code, or not any more.
    #[error(
        "注册码不正确或已过期 (the code is wrong or has expired: make a new one with `portal station add NAME`)"
    )]
    Code,
    /// The code was redeemed by other keys.
    #[error(
        "注册码已被使用 (the code was used with other keys; if that was not you, disable the station at once)"
    )]
    Used,
    /// Too many wrong codes.
    #[error("尝试次数过多，请 {0} 秒后再试 (too many wrong codes: wait {0} seconds)")]
    Throttled(u64),
    /// A key or the request cannot be used.
    #[error("{0}")]
    Request(String),
    /// The certificate could not be made.
    #[error("the certificate could not be made: {0}")]
    Certificate(String),
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<Brake> for EnrolError {
    fn from(brake: Brake) -> Self {
        match brake {
            Brake::Wait(seconds) => Self::Throttled(seconds),
            Brake::Db(error) => Self::Db(error),
        }
    }
}

impl From<sqlx::Error> for EnrolError {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error.into())
    }
}

/// Enrols stations.
#[derive(Clone)]
pub struct Enrolment {
    state: AppState,
    transport: Arc<TransportCa>,
}

impl FromRef<Enrolment> for AppState {
    fn from_ref(enrolment: &Enrolment) -> Self {
        enrolment.state.clone()
    }
}

impl Enrolment {
    /// Loads the transport CA.
    ///
    /// # Errors
    /// Where `portal init` was not run.
    pub async fn open(desk: &Desk) -> anyhow::Result<Self> {
        let (state, vault) = desk.state_and_vault();
        let transport = TransportCa::load(&state.db, vault).await?;
        // What a sudden end between database and file left undone.
        write_revoked(&state.config, &state.db, &transport).await?;
        Ok(Self { state: state.clone(), transport: Arc::new(transport) })
    }

    /// Redeems a code. The same code with the same keys gets the same answer until the code expires.
    ///
    /// # Errors
    /// [`EnrolError`].
    pub async fn enrol(&self, request: &EnrolRequest, address: &str) -> Result<EnrolReply, EnrolError> {
        let now = self.state.clock.now_ms();
        // By address alone: a stranger's wrong codes must not keep the right one out.
        let who = format!("enrol {}", network(address));
        self.state.throttle.may_try(&who, address, now).await?;
        let tls = StationRequest::parse(&request.tls_request_pem).map_err(|error| {
            EnrolError::Request(format!("tls_request_pem 无法使用 (tls_request_pem cannot be used: {error})"))
        })?;
        let sealing_key = stations::public_key(&request.sm2_public_key_hex).ok_or_else(|| {
            EnrolError::Request(
                "sm2_public_key_hex 应为 128 位十六进制 (it is X and Y of an SM2 key, 128 hex digits)".into(),
            )
        })?;
        let request_hash =
            hex::encode(gm::sm3(&[sealing_key.xy().as_slice(), tls.public_key().as_slice()].concat()));

        let mut tx = begin_write(&self.state.db).await?;
        let code = code_hash(&request.code);
        let (station, used) = match find(&mut tx, &code, now).await {
            Err(EnrolError::Code) => {
                tx.rollback().await?;
                self.state.throttle.failed(&who, address, now).await?;
                return Err(EnrolError::Code);
            }
            other => other?,
        };
        match used {
            Some((hash, answer)) if hash == request_hash => return Ok(answer),
            Some(_) => return Err(EnrolError::Used),
            None => {}
        }
        let made = self.transport.station(tls, &station, self.state.clock.now());
        let certificate = made.map_err(|error| EnrolError::Certificate(error.to_string()))?;
        stations::enrol(&mut tx, &station, &sealing_key, &certificate, now).await?;
        let reply = EnrolReply {
            station,
            certificate_pem: certificate.pem,
            ca_pem: self.transport.ca_pem.clone(),
            broker_host: self.state.config.broker.host.clone(),
            broker_port: self.state.config.broker.port,
        };
        redeem(&mut tx, &code, &request_hash, &reply).await?;
        tx.commit().await?;
        tracing::info!(station = %reply.station, address, "a station was enrolled");
        // The station is enrolled whether or not the list can be written; the next start of the portal writes it again.
        let (config, db) = (&self.state.config, &self.state.db);
        if let Err(error) = write_revoked(config, db, &self.transport).await {
            tracing::error!(%error, "the broker's list of revoked certificates was not written");
        }
        Ok(reply)
    }
}

type Used = Option<(String, EnrolReply)>;

async fn find(tx: &mut Transaction, code: &str, now: i64) -> Result<(StationId, Used), EnrolError> {
    let row = sqlx::query::<Sql>(
        "select station, request_hash, answer from enrolments where code_hash = $1 and expires_ms > $2",
    )
    .bind(code)
    .bind(now)
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(EnrolError::Code)?;
    let broken = || damaged("an enrolment");
    let station: String = row.try_get("station")?;
    let hash: Option<String> = row.try_get("request_hash")?;
    let answer: Option<String> = row.try_get("answer")?;
    let used = hash.zip(answer).map(|(hash, answer)| {
        serde_json::from_str(&answer).map(|answer| (hash, answer)).map_err(|_| broken())
    });
    Ok((station.parse().map_err(|_| broken())?, used.transpose()?))
}

async fn redeem(
    tx: &mut Transaction,
    code: &str,
    request_hash: &str,
    reply: &EnrolReply,
) -> Result<(), EnrolError> {
    let answer = serde_json::to_string(reply).map_err(|_| damaged("an enrolment's answer"))?;
    sqlx::query::<Sql>("update enrolments set request_hash = $2, answer = $3 where code_hash = $1")
        .bind(code)
        .bind(request_hash)
        .bind(answer)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// `POST /api/enrol`. It needs no session: the code is what lets a station in.
pub fn router(enrolment: Enrolment) -> Router {
    Router::new()
        .route("/api/enrol", post(answer))
        .layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX))
        .with_state(enrolment)
}

async fn answer(
    State(enrolment): State<Enrolment>,
    Address(address): Address,
    request: Result<Json<EnrolRequest>, JsonRejection>,
) -> Response {
    let Json(request) = match request {
        Ok(request) => request,
        Err(rejection) => return (rejection.status(), rejection.body_text()).into_response(),
    };
    match enrolment.enrol(&request, &address).await {
        Ok(reply) => Json(reply).into_response(),
        Err(error) => refusal(&error),
    }
}

fn refusal(error: &EnrolError) -> Response {
    let status = match error {
        EnrolError::Code => StatusCode::FORBIDDEN,
        EnrolError::Used => StatusCode::CONFLICT,
        EnrolError::Throttled(_) => StatusCode::TOO_MANY_REQUESTS,
        EnrolError::Request(_) => StatusCode::UNPROCESSABLE_ENTITY,
        EnrolError::Certificate(_) | EnrolError::Db(_) => {
            tracing::error!(error = error as &dyn std::error::Error, "a station could not be enrolled");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    (status, error.to_string()).into_response()
}
