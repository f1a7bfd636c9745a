//! A job as the station side sees it.

use model::{JobId, KeyId, OrderNumber, StationId};
use sqlx::Row as _;
use wire::{CertificateKind, JobOrder};

use crate::{
    db::{Connection, DbError, Row, Sql, damaged},
    programmes::Programmes,
};

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JobState {
    Waiting,
    Leased,
    Done,
    Stuck,
}

/// A row of `jobs`, with its order's quantity.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub id: JobId,
    pub programme: String,
    pub certificate: CertificateKind,
    pub profiles: Vec<String>,
    pub holder: String,
    pub state: JobState,
    pub station: Option<StationId>,
    pub key: Option<KeyId>,
    pub attempts: i64,
    pub quantity: u16,
}

const COLUMNS: &str = "j.job, j.programme, j.certificate, j.profiles, j.holder, j.state, j.station, j.key_id, j.attempts, o.quantity \
     from jobs j join orders o on o.number = j.order_number";

impl Job {
    /// The job with this id.
    pub async fn load(tx: &mut Connection, id: &JobId) -> Result<Option<Self>, DbError> {
        let sql = sqlx::AssertSqlSafe(format!("select {COLUMNS} where j.job = $1"));
        let row = sqlx::query::<Sql>(sql).bind(id.to_string()).fetch_optional(tx).await?;
        row.map(|row| Self::read(&row)).transpose()
    }

    /// All jobs of an order, the first first.
    pub async fn of_order(tx: &mut Connection, order: &OrderNumber) -> Result<Vec<Self>, DbError> {
        let sql = sqlx::AssertSqlSafe(format!("select {COLUMNS} where j.order_number = $1 order by j.idx"));
        let rows = sqlx::query::<Sql>(sql).bind(order.as_str()).fetch_all(tx).await?;
        rows.iter().map(Self::read).collect()
    }

    /// What is leased to a station, the oldest order first.
    pub async fn leased_to(tx: &mut Connection, station: &StationId) -> Result<Vec<Self>, DbError> {
        let sql = sqlx::AssertSqlSafe(format!(
            "select {COLUMNS} where j.state = 'leased' and j.station = $1 order by o.created_ms, o.number, j.idx"
        ));
        let rows = sqlx::query::<Sql>(sql).bind(station.as_str()).fetch_all(tx).await?;
        rows.iter().map(Self::read).collect()
    }

    fn read(row: &Row) -> Result<Self, DbError> {
        let job: String = row.try_get("job")?;
        let broken = |what: &str| damaged(format!("the {what} of job {job}"));
        let text = |column: &str| row.try_get::<Option<String>, _>(column);
        let state = match row.try_get("state")? {
            "waiting" => JobState::Waiting,
            "leased" => JobState::Leased,
            "done" => JobState::Done,
            "stuck" => JobState::Stuck,
            _ => return Err(broken("state")),
        };
        let certificate = match row.try_get("certificate")? {
            "unit" => CertificateKind::Unit,
            "personal" => CertificateKind::Personal,
            _ => return Err(broken("certificate")),
        };
        Ok(Self {
            id: job.parse().map_err(|_| broken("id"))?,
            programme: row.try_get("programme")?,
            certificate,
            profiles: serde_json::from_str(row.try_get("profiles")?).map_err(|_| broken("profiles"))?,
            holder: row.try_get("holder")?,
            state,
            station: text("station")?.map(|name| name.parse().map_err(|_| broken("station"))).transpose()?,
            key: text("key_id")?.map(|key| key.parse().map_err(|_| broken("key"))).transpose()?,
            attempts: row.try_get("attempts")?,
            quantity: u16::try_from(row.try_get::<i64, _>("quantity")?).map_err(|_| broken("quantity"))?,
        })
    }

    /// Whether the job is leased to this station. A lease that ran out and was given to nobody else still counts.
    pub fn is_leased_to(&self, station: &StationId) -> bool {
        self.state == JobState::Leased && self.station.as_ref() == Some(station)
    }

    /// Whether the job waits for an operator, and no other station has anything to do with it.
    pub fn is_stuck_at(&self, station: &StationId) -> bool {
        self.state == JobState::Stuck && self.station.as_ref() == Some(station)
    }

    /// Whether a key of this profile may be used.
    pub fn takes(&self, profile: &str) -> bool {
        self.profiles.is_empty() || self.profiles.iter().any(|allowed| allowed == profile)
    }

    /// What the station is told.
    pub fn order(self, programmes: &Programmes) -> JobOrder {
        let title = programmes.get(&self.programme).map(|programme| programme.title.clone());
        JobOrder {
            job: self.id,
            quantity: self.quantity,
            programme_title: title.unwrap_or_else(|| self.programme.clone()),
            programme: self.programme,
            holder: self.holder,
            certificate: self.certificate,
            profiles: self.profiles,
        }
    }
}
