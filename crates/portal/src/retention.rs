//! What is kept only so long: pictures and what orders say, after their orders ended, as their programmes tell. Drafts have a rule of
//! their own beside the drafts.
//!
//! An order that is over its time keeps its number, product, unit, money and history; persons, addresses and numbers go.

use std::sync::atomic::Ordering;

use model::{OrderNumber, OrderState};
use sqlx::Row as _;

use crate::{
    app::AppState,
    audit::{self, What},
    clock::china_text,
    db::{self, Db, Sql, begin_write, damaged},
    orders::{self, Actor, OrderError},
    pictures::{self, PictureError},
    programmes::{Programme, Programmes},
};

/// Orders of a programme that one turn deletes from, of each kind of data.
const ORDERS_A_TURN: i64 = 50;
/// Once nothing is left, the tables are looked through so often.
const LOOK_EVERY_MS: i64 = 600_000;
const DAY_MS: i64 = 86_400_000;

/// Why a turn or a report was not finished.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RetentionError {
    /// Pictures.
    #[error(transparent)]
    Pictures(#[from] PictureError),
    /// Orders.
    #[error(transparent)]
    Orders(#[from] OrderError),
    /// The database.
    #[error(transparent)]
    Db(#[from] db::DbError),
}

impl From<sqlx::Error> for RetentionError {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error.into())
    }
}

/// Orders whose data one turn deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Orders whose pictures went.
    pub pictures: usize,
    /// Orders whose persons went.
    pub contents: usize,
}

/// Deletes what is over its time, some orders a turn; each order's row in the audit says how much went, with a digest of it.
///
/// # Errors
/// [`RetentionError`]: what was deleted so far stays deleted and is on record.
pub async fn turn(state: &AppState) -> Result<Deleted, RetentionError> {
    let mut deleted = Deleted::default();
    let now_ms = state.clock.now_ms();
    if now_ms < state.papers.swept_ms.load(Ordering::Relaxed).saturating_add(LOOK_EVERY_MS) {
        return Ok(deleted);
    }
    for programme in state.programmes.iter() {
        for number in due(&state.db, programme, Kind::Pictures, now_ms).await? {
            delete_pictures(state, &number).await?;
            deleted.pictures += 1;
        }
        for number in due(&state.db, programme, Kind::Contents, now_ms).await? {
            delete_content(state, &number).await?;
            deleted.contents += 1;
        }
    }
    if deleted == Deleted::default() {
        state.papers.swept_ms.store(now_ms, Ordering::Relaxed);
    } else {
        tracing::info!(?deleted, "data over its time was deleted");
        db::forget(&state.db).await?;
    }
    Ok(deleted)
}

#[derive(Clone, Copy)]
enum Kind {
    Pictures,
    Contents,
}

impl Kind {
    /// Which orders still have it.
    fn there(self) -> &'static str {
        match self {
            Self::Pictures => "exists (select 1 from pictures where owner = number)",
            Self::Contents => "content_deleted_ms is null",
        }
    }

    fn days(self, programme: &Programme) -> i64 {
        let days = match self {
            Self::Pictures => programme.retention.pictures_days,
            Self::Contents => programme.retention.contents_days,
        };
        i64::from(days)
    }

    fn what(self) -> What {
        match self {
            Self::Pictures => What::PicturesDeleted,
            Self::Contents => What::ContentDeleted,
        }
    }
}

/// Orders that ended before the programme's time and still have data of this kind, the oldest first.
async fn due(
    db: &Db,
    programme: &Programme,
    kind: Kind,
    now_ms: i64,
) -> Result<Vec<OrderNumber>, RetentionError> {
    let sql = format!(
        "select number from orders where programme = $1 and state in ($2, $3, $4) and changed_ms < $5 and {} \
         order by changed_ms limit $6",
        kind.there()
    );
    let rows = sqlx::query::<Sql>(sqlx::AssertSqlSafe(sql))
        .bind(&programme.id)
        .bind(OrderState::Completed.code())
        .bind(OrderState::Refunded.code())
        .bind(OrderState::Cancelled.code())
        .bind(now_ms - kind.days(programme) * DAY_MS)
        .bind(ORDERS_A_TURN)
        .fetch_all(db)
        .await?;
    let number = |row: &db::Row| {
        let number: String = row.try_get("number")?;
        Ok(number.parse().map_err(|_| damaged(format!("the order number {number:?}")))?)
    };
    rows.iter().map(number).collect()
}

async fn delete_pictures(state: &AppState, number: &OrderNumber) -> Result<(), RetentionError> {
    let mut tx = begin_write(&state.db).await?;
    let digests = pictures::delete(&mut tx, number.as_str()).await?;
    let digest = hex::encode(gm::sm3(digests.join("\n").as_bytes()));
    let detail = format!("pictures={} digest={digest}", digests.len());
    audit::record(&mut tx, state.clock.now_ms(), &Actor::System, What::PicturesDeleted, number, &detail)
        .await?;
    tx.commit().await?;
    Ok(())
}

async fn delete_content(state: &AppState, number: &OrderNumber) -> Result<(), RetentionError> {
    let now_ms = state.clock.now_ms();
    let mut tx = begin_write(&state.db).await?;
    let digest = orders::delete_content(&mut tx, &state.sealer, number, now_ms).await?;
    let detail = format!("digest={digest}");
    audit::record(&mut tx, now_ms, &Actor::System, What::ContentDeleted, number, &detail).await?;
    tx.commit().await?;
    Ok(())
}

/// What was deleted, what is kept and what is due, by programme.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// One line a programme and kind of data.
    pub lines: Vec<ReportLine>,
    /// Programmes of orders or drafts that have no file any more.
    pub without_rules: Vec<String>,
}

/// Orders of one programme with one kind of data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportLine {
    /// The programme's id.
    pub programme: String,
    /// `pictures` or `contents`.
    pub data: &'static str,
    /// Days after the order's end.
    pub days: i64,
    /// Orders from which it was deleted, by the audit.
    pub deleted: i64,
    /// When last; `None` if never.
    pub last_ms: Option<i64>,
    /// Orders that have it.
    pub kept: i64,
    /// Of these, orders over their time: not 0 only between two turns.
    pub due: i64,
}

impl Report {
    /// Orders over their time.
    #[must_use]
    pub fn due(&self) -> i64 {
        self.lines.iter().map(|line| line.due).sum()
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for line in &self.lines {
            let last = line.last_ms.map_or_else(|| "never".to_owned(), china_text);
            writeln!(
                f,
                "{}  {} kept {} days: {} orders deleted (last {last}), {} kept, {} due",
                line.programme, line.data, line.days, line.deleted, line.kept, line.due
            )?;
        }
        for programme in &self.without_rules {
            writeln!(
                f,
                "{programme}  has orders or drafts and no file, so nothing of them is ever deleted: put its file back"
            )?;
        }
        write!(f, "{} orders are over their time", self.due())
    }
}

/// Programmes of orders or drafts whose files are gone: no rule deletes what is known of their customers.
///
/// # Errors
/// The database's.
pub async fn without_rules(db: &Db, programmes: &Programmes) -> Result<Vec<String>, RetentionError> {
    let named =
        "select distinct programme from orders union select distinct programme from drafts order by 1";
    let named = sqlx::query_scalar::<Sql, String>(named).fetch_all(db).await?;
    Ok(named.into_iter().filter(|id| programmes.get(id).is_none()).collect())
}

/// Counts what was deleted (from the audit), what is kept and what is due (from the tables themselves).
///
/// # Errors
/// [`RetentionError`].
pub async fn report(db: &Db, programmes: &Programmes, now_ms: i64) -> Result<Report, RetentionError> {
    let mut report = Report::default();
    for programme in programmes.iter() {
        for (kind, data) in [(Kind::Pictures, "pictures"), (Kind::Contents, "contents")] {
            report.lines.push(line(db, programme, kind, data, now_ms).await?);
        }
    }
    report.without_rules = without_rules(db, programmes).await?;
    Ok(report)
}

async fn line(
    db: &Db,
    programme: &Programme,
    kind: Kind,
    data: &'static str,
    now_ms: i64,
) -> Result<ReportLine, RetentionError> {
    let row = sqlx::query::<Sql>(
        "select count(*) as deleted, max(at_ms) as last_ms from audit join orders on number = subject \
         where what = $1 and programme = $2",
    )
    .bind(kind.what().code())
    .bind(&programme.id)
    .fetch_one(db)
    .await?;
    let sql = format!("select count(*) from orders where programme = $1 and {}", kind.there());
    let kept =
        sqlx::query_scalar::<Sql, i64>(sqlx::AssertSqlSafe(sql)).bind(&programme.id).fetch_one(db).await?;
    let sql = format!(
        "select count(*) from orders where programme = $1 and state in ($2, $3, $4) and changed_ms < $5 and {}",
        kind.there()
    );
    let due = sqlx::query_scalar::<Sql, i64>(sqlx::AssertSqlSafe(sql))
        .bind(&programme.id)
        .bind(OrderState::Completed.code())
        .bind(OrderState::Refunded.code())
        .bind(OrderState::Cancelled.code())
        .bind(now_ms - kind.days(programme) * DAY_MS)
        .fetch_one(db)
        .await?;
    Ok(ReportLine {
        programme: programme.id.clone(),
        data,
        days: kind.days(programme),
        deleted: row.try_get("deleted")?,
        last_ms: row.try_get("last_ms")?,
        kept,
        due,
    })
}
