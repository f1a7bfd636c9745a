//! Certificates: issued once for a job, a key and a public key; revoked when the key is spoiled.

use ca::{CaError, IssueRequest, Issued, Ledger, Recorded, Revoked};
use gm::certificate::Certificate;
use jiff::Timestamp;
use model::{JobId, KeyId, StationId};
use sqlx::Row as _;
use vault::VaultError;
use wire::{Bytes, CertificatesReply, CertificatesRequest, RefusedCode};

use super::{
    desk::Desk,
    job::Job,
    keys::{self, KeyState},
    refusal::{Refusal, blocking},
    rehearsal::subject,
};
use crate::{
    audit::{self, What},
    db::{Connection, Db, DbError, Row, Sql, Transaction, begin_write, damaged},
    orders::{self, Actor},
};

/// New key pairs on one key for one job: more than this is a key or a station gone wrong.
const KEY_PAIRS_MAX: i64 = 5;

/// Issues both certificates, or gives again what was issued for this job, key and public key.
pub(super) async fn certify(
    desk: &Desk,
    station: &StationId,
    request: &CertificatesRequest,
) -> Result<CertificatesReply, Refusal> {
    let (job, key) = (&request.job, &request.key);
    let public =
        gm::request::parse(&request.request.0).map_err(|error| Refusal::invalid(error.to_string()))?;
    let request_id = ca::request_id(job, key, &public.public_key);
    let ledger = JobLedger { desk, station, job, key };
    let mut connection = desk.state.db.acquire().await?;
    may_certify(&mut connection, station, job, key).await?;
    drop(connection);

    let order = orders::load(&desk.state, job.order()).await?;
    let content = order.ok_or_else(|| damaged(format!("the order of job {job}")))?.content;
    let subject =
        subject(&desk.state.programmes, &content).map_err(|error| Refusal::later(error.to_string()))?;
    let request = IssueRequest {
        request_id,
        csr: request.request.0.clone(),
        subject,
        now: desk.state.clock.now().into(),
    };
    let issued = desk.authority.ca.issue(&request, &ledger).await.map_err(refusal)?;
    Ok(CertificatesReply {
        job: job.clone(),
        key: key.clone(),
        sign_certificate: Bytes(issued.sign_der),
        enc_certificate: Bytes(issued.enc_der),
        enveloped_key: Bytes(issued.enveloped_der),
    })
}

/// The job is this station's and the key is bound to it, or was made for it (a repeated request gets its answer again).
async fn may_certify(
    connection: &mut Connection,
    station: &StationId,
    job: &JobId,
    key: &KeyId,
) -> Result<(), Refusal> {
    let here = Job::load(connection, job).await?.is_some_and(|job| job.station.as_ref() == Some(station));
    if !here {
        return Err(Refusal::not_leased(format!(
            "任务 {job} 未分配给本工作站 (job {job} is not leased to {station})"
        )));
    }
    match keys::find(connection, key).await? {
        Some((KeyState::Bound | KeyState::Issued, Some(bound))) if bound == *job => Ok(()),
        Some((KeyState::Spoiled | KeyState::Lost, _)) => Err(Refusal::new(
            RefusedCode::KeyUsed,
            format!("钥匙 {key} 已作废 (key {key} is spoiled: set it aside)"),
        )),
        Some((_, Some(bound))) => Err(Refusal::new(
            RefusedCode::KeyUsed,
            format!("钥匙 {key} 已用于任务 {bound} (key {key} serves job {bound})"),
        )),
        None | Some((_, None)) => Err(Refusal::invalid(format!(
            "钥匙 {key} 未绑定任务 {job} (key {key} is not bound to job {job}: ask for its secrets first)"
        ))),
    }
}

fn refusal(error: CaError) -> Refusal {
    let text = error.to_string();
    match error {
        CaError::Request(_) | CaError::RequestChanged { .. } => Refusal::invalid(text),
        CaError::KeySeen { .. } => Refusal::new(RefusedCode::KeyUsed, text),
        CaError::Ledger(cause) => match cause.downcast::<LedgerError>() {
            Ok(cause) => match *cause {
                LedgerError::Refused(refusal) => refusal,
                LedgerError::Db(error) => error.into(),
                LedgerError::Vault(error) => error.into(),
            },
            Err(cause) => {
                tracing::error!(%cause, "the record of certificates failed");
                Refusal::later(text)
            }
        },
        // Order, years, clock, the CA itself: people must act, then the same request works.
        _ => {
            tracing::error!(error = &error as &dyn std::error::Error, "the CA did not issue");
            Refusal::later(text)
        }
    }
}

/// What the record of certificates says when it fails.
#[derive(Debug, thiserror::Error)]
enum LedgerError {
    #[error("the job or the key changed while its certificates were made")]
    Refused(Refusal),
    #[error(transparent)]
    Db(#[from] DbError),
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl From<sqlx::Error> for LedgerError {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error.into())
    }
}

/// The table `certificates`, seen from one job and key.
struct JobLedger<'a> {
    desk: &'a Desk,
    station: &'a StationId,
    job: &'a JobId,
    key: &'a KeyId,
}

impl Ledger for JobLedger<'_> {
    type Error = LedgerError;

    async fn find(&self, request_id: &str) -> Result<Option<Issued>, LedgerError> {
        let row = sqlx::query::<Sql>(
            "select key_xy, sign_der, enc_der, enveloped_der, wrapped_enc_key from certificates where request_id = $1",
        )
        .bind(request_id)
        .fetch_optional(&self.desk.state.db)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let (vault, context) = (self.desk.vault.clone(), context(request_id));
        let wrapped: Vec<u8> = row.try_get("wrapped_enc_key")?;
        let enc_private = in_vault(move || vault.unwrap(&wrapped, &context)).await?;
        issued(&row, request_id, enc_private).map(Some)
    }

    async fn key_seen(&self, key_xy: &[u8; 64]) -> Result<Option<String>, LedgerError> {
        let id = sqlx::query_scalar::<Sql, String>("select request_id from certificates where key_xy = $1");
        Ok(id.bind(hex::encode(key_xy)).fetch_optional(&self.desk.state.db).await?)
    }

    async fn record(&self, issued: &Issued) -> Result<Recorded, LedgerError> {
        let (vault, secret, context) =
            (self.desk.vault.clone(), issued.enc_private.clone(), context(&issued.request_id));
        let wrapped = in_vault(move || vault.wrap(&secret, &context)).await?;
        let now = self.desk.state.clock.now_ms();
        let mut tx = begin_write(&self.desk.state.db).await?;
        // The lease may have ended while the CA worked.
        may_certify(&mut tx, self.station, self.job, self.key).await.map_err(LedgerError::Refused)?;
        let who = Actor::Station(self.station.clone());
        supersede(&mut tx, self.job, self.key, &who, now).await?;
        let serials = serials_of(issued)?;
        if !insert(&mut tx, self.job, self.key, issued, &serials, &wrapped, now).await? {
            return Ok(Recorded::AlreadyThere);
        }
        let detail = format!("key={} sign={} enc={}", self.key, serials.0, serials.1);
        audit::record(&mut tx, now, &who, What::CertificateIssued, self.job, &detail).await?;
        tx.commit().await?;
        Ok(Recorded::New)
    }
}

async fn in_vault<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, VaultError> + Send + 'static,
) -> Result<T, LedgerError> {
    blocking(work).await.map_err(LedgerError::Refused)
}

/// The wrapped key of one row does not open in another.
fn context(request_id: &str) -> String {
    format!("enc-key:{request_id}")
}

fn issued(row: &Row, request_id: &str, enc_private: model::Secret) -> Result<Issued, LedgerError> {
    let xy: String = row.try_get("key_xy")?;
    let xy = hex::decode(xy).ok().and_then(|bytes| bytes.try_into().ok());
    Ok(Issued {
        request_id: request_id.to_owned(),
        key_xy: xy.ok_or_else(|| damaged(format!("the public key of request {request_id}")))?,
        sign_der: row.try_get("sign_der")?,
        enc_der: row.try_get("enc_der")?,
        enveloped_der: row.try_get("enveloped_der")?,
        enc_private,
    })
}

/// Serials of both certificates, hex.
fn serials_of(issued: &Issued) -> Result<(String, String), DbError> {
    let serial = |der: &[u8]| {
        let certificate = Certificate::from_der(der).map_err(|_| damaged("a certificate just made"))?;
        Ok::<_, DbError>(certificate.serial_hex())
    };
    Ok((serial(&issued.sign_der)?, serial(&issued.enc_der)?))
}

/// Whether it was new.
async fn insert(
    tx: &mut Transaction,
    job: &JobId,
    key: &KeyId,
    issued: &Issued,
    (sign, enc): &(String, String),
    wrapped: &[u8],
    now: i64,
) -> Result<bool, LedgerError> {
    let inserted = sqlx::query::<Sql>(
        "insert into certificates (request_id, job, key_id, key_xy, sign_serial, enc_serial, sign_der, enc_der, \
         enveloped_der, wrapped_enc_key, issued_ms) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
         on conflict do nothing",
    )
    .bind(&issued.request_id)
    .bind(job.to_string())
    .bind(key.to_string())
    .bind(hex::encode(issued.key_xy))
    .bind(sign)
    .bind(enc)
    .bind(&issued.sign_der)
    .bind(&issued.enc_der)
    .bind(&issued.enveloped_der)
    .bind(wrapped)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// A key that made a new key pair for the same job has lost the old one: those certificates fit no key any more.
async fn supersede(
    tx: &mut Transaction,
    job: &JobId,
    key: &KeyId,
    who: &Actor,
    now: i64,
) -> Result<(), LedgerError> {
    let earlier =
        sqlx::query_scalar::<Sql, i64>("select count(*) from certificates where job = $1 and key_id = $2")
            .bind(job.to_string())
            .bind(key.to_string())
            .fetch_one(&mut **tx)
            .await?;
    if earlier >= KEY_PAIRS_MAX {
        return Err(LedgerError::Refused(Refusal::invalid(format!(
            "钥匙 {key} 为任务 {job} 申请证书次数过多 (key {key} asked {earlier} times with new key pairs: set it aside)"
        ))));
    }
    revoke(tx, job, key, Reason::Superseded, who, now).await?;
    Ok(())
}

/// Why certificates of this portal are revoked; the codes in the database.
#[derive(Clone, Copy)]
pub(super) enum Reason {
    /// A new key pair was made on the key.
    Superseded,
    /// The key was written on and not made.
    Spoiled,
    /// The key cannot be found.
    Lost,
}

impl Reason {
    fn code(self) -> &'static str {
        match self {
            Self::Superseded => "superseded",
            Self::Spoiled => "spoiled",
            Self::Lost => "lost",
        }
    }

    /// A spoiled key is in our hands and was never in a customer's: its certificate ceased, it was not compromised. Where a lost one is,
    /// nobody knows.
    fn of(code: &str) -> ca::Reason {
        match code {
            "superseded" => ca::Reason::Superseded,
            "spoiled" => ca::Reason::CessationOfOperation,
            "lost" => ca::Reason::KeyCompromise,
            _ => ca::Reason::Unspecified,
        }
    }
}

/// Revokes what was issued to a job's key.
pub(super) async fn revoke(
    tx: &mut Transaction,
    job: &JobId,
    key: &KeyId,
    reason: Reason,
    who: &Actor,
    now: i64,
) -> Result<(), DbError> {
    for (sign, enc) in serials(tx, job, key).await? {
        let detail = format!("key={key} sign={sign} enc={enc} reason={}", reason.code());
        audit::record(tx, now, who, What::CertificateRevoked, job, &detail).await?;
    }
    sqlx::query::<Sql>(
        "update certificates set revoked_ms = $3, revoked_reason = $4 \
         where job = $1 and key_id = $2 and revoked_ms is null",
    )
    .bind(job.to_string())
    .bind(key.to_string())
    .bind(now)
    .bind(reason.code())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Serials (signing, encryption) of the certificates of a job on a key that are not revoked.
pub(super) async fn serials(
    connection: &mut Connection,
    job: &JobId,
    key: &KeyId,
) -> Result<Vec<(String, String)>, DbError> {
    let rows = sqlx::query_as::<Sql, (String, String)>(
        "select sign_serial, enc_serial from certificates where job = $1 and key_id = $2 and revoked_ms is null",
    );
    Ok(rows.bind(job.to_string()).bind(key.to_string()).fetch_all(connection).await?)
}

/// Everything revoked, for the list.
pub(crate) async fn revoked(db: &Db) -> Result<Vec<Revoked>, DbError> {
    let rows = sqlx::query_as::<Sql, (String, String, i64, String)>(
        "select sign_serial, enc_serial, revoked_ms, revoked_reason from certificates where revoked_ms is not null",
    );
    let mut revoked = Vec::new();
    for (sign, enc, at_ms, reason) in rows.fetch_all(db).await? {
        let at = Timestamp::from_millisecond(at_ms).map_err(|_| damaged("the time of a revocation"))?;
        for serial_hex in [sign, enc] {
            revoked.push(Revoked { serial_hex, at: at.into(), reason: Reason::of(&reason) });
        }
    }
    Ok(revoked)
}
