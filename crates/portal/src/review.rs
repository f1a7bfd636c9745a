//! The review queue: the oldest order first, each at one reviewer at a time; and what the machine finds before a person looks.

mod checks;

use model::{OrderNumber, OrderState};

use checks::checks;
pub use checks::{Check, Found, Verdict};

use crate::{
    app::AppState,
    audit::{self, What},
    db::{Connection, Sql, Transaction, begin_read, begin_write, damaged},
    orders::{self, Actor, Correction, HistoryEntry, Order, OrderError},
    pictures::{self, Picture, PictureError},
};

/// How long an order is one reviewer's.
pub const CLAIM_MS: i64 = 10 * 60 * 1000;

/// Whose an order is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The one who asks has it, until then.
    Own(i64),
    /// Another reviewer has it, until then.
    Other(String, i64),
}

/// Orders that are counted at most: no page takes longer because there are many.
const COUNTED: i64 = 1_000;

/// How many orders wait for review, and how many of them are at a reviewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Orders that wait, as far as they were counted.
    pub waiting: i64,
    /// Those of them that somebody looks at.
    pub claimed: i64,
}

impl Queue {
    /// The number that wait, with a sign where counting stopped.
    #[must_use]
    pub fn length(&self) -> String {
        format!("{}{}", self.waiting, if self.waiting < COUNTED { "" } else { "+" })
    }
}

/// The queue's length.
///
/// # Errors
/// The database's.
pub async fn queue(state: &AppState) -> Result<Queue, OrderError> {
    queue_in(&mut *state.db.acquire().await?, state.clock.now_ms()).await
}

/// Claims are few, orders are not: each claim asks after its order.
async fn queue_in(connection: &mut Connection, now_ms: i64) -> Result<Queue, OrderError> {
    let (waiting, claimed) = sqlx::query_as::<Sql, (i64, i64)>(
        "select (select count(*) from (select 1 from orders where state = 'awaiting_review' limit $2) waiting), \
         (select count(*) from review_claims c where c.until_ms > $1 \
          and (select o.state from orders o where o.number = c.order_number) = 'awaiting_review')",
    )
    .bind(now_ms)
    .bind(COUNTED)
    .fetch_one(connection)
    .await?;
    Ok(Queue { waiting, claimed })
}

/// Gives the reviewer the oldest order that is nobody's and that he or she did not enter; after `skipped`, if that is given, and
/// from the beginning when there is none after it. What the reviewer had before is free again.
///
/// # Errors
/// The database's.
pub async fn next(
    state: &AppState,
    reviewer: &str,
    skipped: Option<&OrderNumber>,
) -> Result<Option<OrderNumber>, OrderError> {
    let now_ms = state.clock.now_ms();
    let mut tx = begin_write(&state.db).await?;
    sqlx::query::<Sql>("delete from review_claims where operator = $1 or until_ms <= $2")
        .bind(reviewer)
        .bind(now_ms)
        .execute(&mut *tx)
        .await?;
    let place = match skipped {
        Some(number) => created(&mut tx, number).await?,
        None => None,
    };
    let mut found = None;
    if let Some((created_ms, number)) = place {
        found = oldest(&mut tx, reviewer, created_ms, &number).await?;
    }
    if found.is_none() {
        found = oldest(&mut tx, reviewer, i64::MIN, "").await?;
    }
    if let Some(number) = &found {
        take(&mut tx, number, reviewer, now_ms).await?;
    }
    tx.commit().await?;
    Ok(found)
}

async fn created(tx: &mut Connection, number: &OrderNumber) -> Result<Option<(i64, String)>, OrderError> {
    let row = sqlx::query_as::<Sql, (i64, String)>("select created_ms, number from orders where number = $1");
    Ok(row.bind(number.as_str()).fetch_optional(tx).await?)
}

/// The oldest order after a place in the queue that no other reviewer has and that the reviewer did not write. One whose money is asked
/// back waits for finance.
async fn oldest(
    tx: &mut Connection,
    reviewer: &str,
    created_ms: i64,
    number: &str,
) -> Result<Option<OrderNumber>, OrderError> {
    let row = sqlx::query_scalar::<Sql, String>(
        "select o.number from orders o where o.state = 'awaiting_review' \
         and (o.created_ms, o.number) > ($1, $2) \
         and not exists (select 1 from review_claims c where c.order_number = o.number) \
         and not exists (select 1 from order_history h where h.order_number = o.number and h.who = $3 \
             and coalesce(h.from_state, 'draft') in ('draft', 'rejected')) \
         and not exists (select 1 from audit a where a.subject = o.number and a.who = $3 and a.what = 'picture.stored' \
             and a.detail like '%kind=paper %') \
         and not exists (select 1 from refund_requests r where r.order_number = o.number and r.state <> 'declined') \
         order by o.created_ms, o.number limit 1",
    );
    let actor = Actor::Operator(reviewer.to_owned()).to_string();
    let found = row.bind(created_ms).bind(number).bind(actor).fetch_optional(tx).await?;
    found.map(|text| text.parse().map_err(|_| damaged("an order number").into())).transpose()
}

async fn take(
    tx: &mut Connection,
    number: &OrderNumber,
    reviewer: &str,
    now_ms: i64,
) -> Result<i64, OrderError> {
    let until_ms = now_ms + CLAIM_MS;
    sqlx::query::<Sql>(
        "insert into review_claims (order_number, operator, until_ms) values ($1, $2, $3) \
         on conflict (order_number) do update set operator = excluded.operator, until_ms = excluded.until_ms",
    )
    .bind(number.as_str())
    .bind(reviewer)
    .bind(until_ms)
    .execute(tx)
    .await?;
    Ok(until_ms)
}

/// An order as a reviewer has it before him or her; all of it as of one moment.
#[derive(Debug)]
pub struct Review {
    /// The order.
    pub order: Order,
    /// Whose it is.
    pub claim: Claim,
    /// How many others wait.
    pub queue: Queue,
    /// What the machine found.
    pub checks: Vec<Check>,
    /// Its papers.
    pub papers: Vec<Picture>,
    /// Where it has been.
    pub history: Vec<HistoryEntry>,
    /// What its customer corrected.
    pub corrections: Vec<Correction>,
}

/// Opens an order for review: it is the reviewer's from now on, unless another has it. Its personal data is shown, which is on record.
/// `None` if it does not wait for review.
///
/// # Errors
/// [`OrderError::Unknown`], the database's.
pub async fn open(
    state: &AppState,
    number: &OrderNumber,
    reviewer: &str,
) -> Result<Option<Review>, OrderError> {
    let now_ms = state.clock.now_ms();
    let Some(claim) = claim(state, number, reviewer, now_ms).await? else { return Ok(None) };
    let mut tx = begin_read(&state.db).await?;
    let order = orders::known_in(&mut tx, &state.sealer, number).await?;
    if order.state != OrderState::AwaitingReview {
        return Ok(None);
    }
    let papers = papers(&mut tx, number).await?;
    Ok(Some(Review {
        claim,
        queue: queue_in(&mut tx, now_ms).await?,
        checks: checks(state, &mut tx, &order, &papers).await?,
        papers,
        history: orders::history(&mut *tx, number).await?,
        corrections: orders::corrections(&mut *tx, number).await?,
        order,
    }))
}

/// Whose the order is now; the reviewer's, if it was nobody's. `None` if it does not wait for review.
async fn claim(
    state: &AppState,
    number: &OrderNumber,
    reviewer: &str,
    now_ms: i64,
) -> Result<Option<Claim>, OrderError> {
    let mut tx = begin_write(&state.db).await?;
    let standing = orders::standing(&mut tx, number).await?;
    if standing.ok_or_else(|| OrderError::Unknown(number.clone()))?.state != OrderState::AwaitingReview {
        return Ok(None);
    }
    if let Some((other, until_ms)) = holder(&mut tx, number, reviewer, now_ms).await? {
        return Ok(Some(Claim::Other(other, until_ms)));
    }
    let until_ms = take(&mut tx, number, reviewer, now_ms).await?;
    let who = Actor::Operator(reviewer.to_owned());
    audit::record(&mut tx, now_ms, &who, What::NumbersRevealed, number, "reason=review").await?;
    tx.commit().await?;
    Ok(Some(Claim::Own(until_ms)))
}

/// Who else has the order now.
async fn holder(
    tx: &mut Transaction,
    number: &OrderNumber,
    reviewer: &str,
    now_ms: i64,
) -> Result<Option<(String, i64)>, OrderError> {
    let row = sqlx::query_as::<Sql, (String, i64)>(
        "select operator, until_ms from review_claims where order_number = $1 and operator <> $2 and until_ms > $3",
    );
    Ok(row.bind(number.as_str()).bind(reviewer).bind(now_ms).fetch_optional(&mut **tx).await?)
}

/// The papers of an order.
///
/// # Errors
/// The database's.
pub async fn papers(connection: &mut Connection, number: &OrderNumber) -> Result<Vec<Picture>, OrderError> {
    pictures::list_in(connection, number.as_str()).await.map_err(|error| match error {
        PictureError::Db(error) => error.into(),
        PictureError::Seal(error) => error.into(),
        other => damaged(format!("the pictures of order {number}: {other}")).into(),
    })
}

/// Refuses to decide about an order that another reviewer looks at.
///
/// # Errors
/// [`OrderError::Raced`], the database's.
pub async fn may_decide(state: &AppState, number: &OrderNumber, reviewer: &str) -> Result<(), OrderError> {
    let mut tx = begin_read(&state.db).await?;
    match holder(&mut tx, number, reviewer, state.clock.now_ms()).await? {
        Some(_) => Err(OrderError::Raced),
        None => Ok(()),
    }
}
