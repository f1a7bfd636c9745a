//! Pictures in the database: sealed, one an owner and kind.

use std::{fmt::Display, time::Duration};

use image::RgbImage;
use model::{OrderNumber, Secret};
use ring::digest;
use sqlx::Row as _;
use tokio::task::spawn_blocking;

use super::{
    Picture, PictureError, PictureKind, carries_code,
    decode::{self, Decoded},
    kind_from_code, links,
};
use crate::{
    app::AppState,
    audit::{self, What},
    db::{Connection, Db, DbError, Row, Sql, begin_write, damaged},
    orders::Actor,
};

/// How long a picture waits for its turn to be decoded.
const TURN_WAIT: Duration = Duration::from_secs(30);

const COLUMNS: &str = "id, owner, kind, bytes, width, height, sheet, created_ms";

/// How a picture comes.
#[derive(Clone, Copy)]
pub(super) enum By<'a> {
    /// Staff bring it, at any time.
    Staff,
    /// With the form, as long as that is open.
    Form,
    /// By a one-time link, which is used up in the same transaction.
    Link(&'a str),
}

/// Takes a picture that staff bring; it replaces the one of its kind that the owner had. The same picture twice is one.
///
/// # Errors
/// [`PictureError`] says what is wrong with it and what to do.
pub async fn put(
    state: &AppState,
    owner: &str,
    kind: PictureKind,
    bytes: Vec<u8>,
    actor: &(impl Display + Sync),
) -> Result<Picture, PictureError> {
    put_by(state, owner, kind, bytes, actor, By::Staff).await
}

/// As [`put`], by the customer for a draft. What was handed in is what its reviewers saw: it is not replaced, unless they refused it.
///
/// # Errors
/// [`PictureError::HandedIn`]; else as [`put`].
pub async fn bring(
    state: &AppState,
    draft: &OrderNumber,
    kind: PictureKind,
    bytes: Vec<u8>,
) -> Result<Picture, PictureError> {
    put_by(state, draft.as_str(), kind, bytes, &Actor::Customer, By::Form).await
}

pub(super) async fn put_by(
    state: &AppState,
    owner: &str,
    kind: PictureKind,
    bytes: Vec<u8>,
    actor: &(impl Display + Sync),
    by: By<'_>,
) -> Result<Picture, PictureError> {
    let sha = digest::digest(&digest::SHA256, &bytes);
    let source = state.sealer.digest("picture", &hex::encode(sha));
    if !matches!(by, By::Link(_))
        && let Some(same) = same(&state.db, owner, kind, &source).await?
    {
        return Ok(same);
    }
    let decoded = in_turn(state, move || decode::decode(&bytes, kind)).await?;
    let sheet = if carries_code(kind) { Some(code_of(state, decoded.pixels.clone()).await?) } else { None };
    let picture = Picture {
        id: new_id()?,
        owner: owner.to_owned(),
        kind,
        bytes: i64::try_from(decoded.jpeg.len()).map_err(|_| PictureError::TooLarge)?,
        width: decoded.width.into(),
        height: decoded.height.into(),
        sheet,
        created_ms: state.clock.now_ms(),
    };
    keep(state, &picture, &decoded, &source, actor, by).await?;
    Ok(picture)
}

async fn keep(
    state: &AppState,
    picture: &Picture,
    decoded: &Decoded,
    source: &str,
    actor: &impl Display,
    by: By<'_>,
) -> Result<(), PictureError> {
    let sealed = state.sealer.seal(&context(&picture.id), &decoded.jpeg)?;
    let mut tx = begin_write(&state.db).await?;
    match by {
        By::Staff if picture.kind == PictureKind::Paper => open_paper(&mut tx, picture).await?,
        By::Staff => {}
        By::Form => open_form(&mut tx, &picture.owner).await?,
        By::Link(link) => links::use_up(&mut tx, link, picture.created_ms).await?,
    }
    sqlx::query::<Sql>("delete from pictures where owner = $1 and kind = $2")
        .bind(&picture.owner)
        .bind(picture.kind.code())
        .execute(&mut *tx)
        .await?;
    sqlx::query::<Sql>(
        "insert into pictures (id, owner, first_owner, kind, sealed, bytes, width, height, source, sheet, created_ms) \
         values ($1, $2, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(&picture.id)
    .bind(&picture.owner)
    .bind(picture.kind.code())
    .bind(sealed)
    .bind(picture.bytes)
    .bind(picture.width)
    .bind(picture.height)
    .bind(source)
    .bind(&picture.sheet)
    .bind(picture.created_ms)
    .execute(&mut *tx)
    .await?;
    let detail = format!("picture={} kind={} bytes={}", picture.id, picture.kind.code(), picture.bytes);
    audit::record(&mut tx, picture.created_ms, actor, What::PictureStored, &picture.owner, &detail).await?;
    tx.commit().await?;
    Ok(())
}

/// Whether nobody has decided by the paper yet. Who looks at the order now looks once more: it is not what it was.
async fn open_paper(tx: &mut Connection, paper: &Picture) -> Result<(), PictureError> {
    let sql = "update orders set changed_ms = $2 where number = $1 \
               and state in ('awaiting_payment', 'awaiting_review', 'rejected')";
    let open = sqlx::query::<Sql>(sql).bind(&paper.owner).bind(paper.created_ms).execute(tx).await?;
    if open.rows_affected() == 1 { Ok(()) } else { Err(PictureError::Decided) }
}

/// Whether the form is still open: its draft is there, and no order that its reviewers look at.
async fn open_form(tx: &mut Connection, draft: &str) -> Result<(), PictureError> {
    let sql = "select 1 from drafts where number = $1 and not exists \
               (select 1 from orders where number = $1 and state <> 'rejected')";
    let found = sqlx::query::<Sql>(sql).bind(draft).fetch_optional(tx).await?;
    found.map(|_| ()).ok_or(PictureError::HandedIn)
}

async fn same(
    db: &Db,
    owner: &str,
    kind: PictureKind,
    source: &str,
) -> Result<Option<Picture>, PictureError> {
    let sql = format!("select {COLUMNS} from pictures where owner = $1 and kind = $2 and source = $3");
    let row = sqlx::query::<Sql>(sqlx::AssertSqlSafe(sql)).bind(owner).bind(kind.code()).bind(source);
    Ok(row.fetch_optional(db).await?.map(|row| picture(&row)).transpose()?)
}

/// Work on pixels is done off the async threads, a few pictures at a time. A decoder that panics has met a damaged picture.
pub(super) async fn in_turn<T: Send + 'static>(
    state: &AppState,
    work: impl FnOnce() -> Result<T, PictureError> + Send + 'static,
) -> Result<T, PictureError> {
    let turn = tokio::time::timeout(TURN_WAIT, state.papers.decoding.clone().acquire_owned()).await;
    let turn = turn.map_err(|_| PictureError::Busy)?.map_err(|_| PictureError::Busy)?;
    // The turn ends with the work, also when nobody waits for it any more.
    let work = move || {
        let _turn = turn;
        work()
    };
    spawn_blocking(work).await.map_err(|_| PictureError::Unreadable)?
}

/// What the code says. A picture in which the reader loses its way has no code that it could read.
async fn code_of(state: &AppState, pixels: RgbImage) -> Result<String, PictureError> {
    match in_turn(state, move || Ok(decode::read_code(&pixels))).await {
        Err(PictureError::Unreadable) => Ok(String::new()),
        other => other,
    }
}

fn new_id() -> Result<String, PictureError> {
    let random = crate::token::random_hex::<16>();
    Ok(random.map_err(|_| crate::seal::SealError::Cipher("the machine gives no random bytes"))?)
}

fn context(id: &str) -> String {
    format!("picture:{id}")
}

fn picture(row: &Row) -> Result<Picture, DbError> {
    let kind: String = row.try_get("kind")?;
    Ok(Picture {
        id: row.try_get("id")?,
        owner: row.try_get("owner")?,
        kind: kind_from_code(&kind).ok_or_else(|| damaged(format!("the kind of a picture {kind:?}")))?,
        bytes: row.try_get("bytes")?,
        width: row.try_get("width")?,
        height: row.try_get("height")?,
        sheet: row.try_get("sheet")?,
        created_ms: row.try_get("created_ms")?,
    })
}

/// An owner's pictures, without their pixels, in the order of [`PictureKind::ALL`].
///
/// # Errors
/// The database's.
pub async fn list(db: &Db, owner: &str) -> Result<Vec<Picture>, PictureError> {
    list_in(&mut *db.acquire().await?, owner).await
}

/// As [`list`], inside a transaction.
///
/// # Errors
/// The database's.
pub async fn list_in(connection: &mut Connection, owner: &str) -> Result<Vec<Picture>, PictureError> {
    let sql = format!("select {COLUMNS} from pictures where owner = $1");
    let rows = sqlx::query::<Sql>(sqlx::AssertSqlSafe(sql)).bind(owner).fetch_all(connection).await?;
    let mut pictures: Vec<Picture> = rows.iter().map(picture).collect::<Result<_, _>>()?;
    pictures.sort_by_key(|picture| PictureKind::ALL.iter().position(|kind| *kind == picture.kind));
    Ok(pictures)
}

/// A picture and its JPEG, as its own customer sees it. Operators see [`view`](super::view()).
///
/// # Errors
/// The database's; a picture that was moved to another row, or changed, does not open.
pub async fn get(state: &AppState, id: &str) -> Result<Option<(Picture, Secret)>, PictureError> {
    let sql = format!("select {COLUMNS}, sealed from pictures where id = $1");
    let row = sqlx::query::<Sql>(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(&state.db).await?;
    let Some(row) = row else { return Ok(None) };
    let sealed: Vec<u8> = row.try_get("sealed")?;
    Ok(Some((picture(&row)?, state.sealer.open_sealed(&context(id), &sealed)?)))
}

/// Deletes an owner's pictures and links, inside a transaction. Gives the digests of what was deleted.
///
/// # Errors
/// The database's.
pub async fn delete(tx: &mut Connection, owner: &str) -> Result<Vec<String>, PictureError> {
    let rows = sqlx::query::<Sql>("select source from pictures where owner = $1")
        .bind(owner)
        .fetch_all(&mut *tx)
        .await?;
    let digests = rows.iter().map(|row| row.try_get("source")).collect::<Result<_, _>>()?;
    sqlx::query::<Sql>("delete from pictures where owner = $1").bind(owner).execute(&mut *tx).await?;
    links::end(tx, owner).await?;
    Ok(digests)
}
