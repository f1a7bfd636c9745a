//! One-time links by which a phone sends one picture for a form that is open on a computer.

use model::Secret;
use sqlx::Row as _;

use super::{
    Picture, PictureError, PictureKind, kind_from_code,
    store::{self, By},
};
use crate::{
    app::AppState,
    db::{Connection, Sql, begin_write, damaged},
    qr,
    seal::SealError,
    token::{self, random_hex},
};

/// How long a link is good.
pub const LINK_MS: i64 = 15 * 60 * 1000;

/// Uploads that may be begun by one link: a picture that was refused may be taken again.
const TRIES_MAX: i64 = 20;

/// A link that was made; it is shown once.
pub struct Link {
    token: Secret,
    /// When it ends.
    pub expires_ms: i64,
    /// Where the phone goes.
    url: String,
}

impl Link {
    /// What stands for the link in addresses: `/u/<token>` and `/u/<token>/state`.
    #[must_use]
    pub fn token(&self) -> &str {
        std::str::from_utf8(self.token.expose()).unwrap_or_default()
    }

    /// Where the phone goes.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address as a QR code: an SVG as a `data:` address, for an image on the page.
    ///
    /// # Errors
    /// [`PictureError::Link`] for an address that no code holds.
    pub fn qr(&self) -> Result<String, PictureError> {
        qr::data_url(&self.url).ok_or(PictureError::Link)
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Link")
    }
}

/// How a link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// It waits for its picture.
    Waiting,
    /// Its picture is here.
    Done,
    /// It has ended, or there is no such link.
    Ended,
}

/// Makes the link for a picture of this kind; one that stood for it before ends.
///
/// # Errors
/// The database's; no random bytes.
pub async fn create(state: &AppState, owner: &str, kind: PictureKind) -> Result<Link, PictureError> {
    let token = random_hex::<16>().map_err(|_| SealError::Cipher("the machine gives no random bytes"))?;
    let now_ms = state.clock.now_ms();
    let expires_ms = now_ms + LINK_MS;
    let mut tx = begin_write(&state.db).await?;
    sqlx::query::<Sql>("delete from upload_links where expires_ms <= $1 or (owner = $2 and kind = $3)")
        .bind(now_ms)
        .bind(owner)
        .bind(kind.code())
        .execute(&mut *tx)
        .await?;
    sqlx::query::<Sql>(
        "insert into upload_links (token_hash, owner, kind, tries, expires_ms) values ($1, $2, $3, 0, $4)",
    )
    .bind(token::digest(&token))
    .bind(owner)
    .bind(kind.code())
    .bind(expires_ms)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    let url = format!("{}/u/{token}", state.config.http.public_url);
    Ok(Link { token: Secret::new(token.into_bytes()), expires_ms, url })
}

/// How a link stands, and for which picture it is.
///
/// # Errors
/// The database's.
pub async fn look(state: &AppState, token: &str) -> Result<(LinkState, Option<PictureKind>), PictureError> {
    let row = sqlx::query::<Sql>("select kind, used_ms, expires_ms from upload_links where token_hash = $1")
        .bind(token::digest(token))
        .fetch_optional(&state.db)
        .await?;
    let Some(row) = row else { return Ok((LinkState::Ended, None)) };
    let kind: String = row.try_get("kind")?;
    let used: Option<i64> = row.try_get("used_ms")?;
    let expires: i64 = row.try_get("expires_ms")?;
    let stands = match used {
        Some(_) => LinkState::Done,
        None if expires > state.clock.now_ms() => LinkState::Waiting,
        None => LinkState::Ended,
    };
    Ok((stands, kind_from_code(&kind)))
}

/// Takes the picture that a phone sends; the link names whose it is and what it shows, and is used up by it.
///
/// # Errors
/// [`PictureError::Link`] for a link that is used, over or unknown; else as [`put`](super::put).
pub async fn take(state: &AppState, token: &str, bytes: Vec<u8>) -> Result<Picture, PictureError> {
    let hash = token::digest(token);
    let (owner, kind) = begin(state, &hash).await?;
    store::put_by(state, &owner, kind, bytes, &"phone", By::Link(&hash)).await
}

/// Counts the try: decoding costs more than guessing.
async fn begin(state: &AppState, hash: &str) -> Result<(String, PictureKind), PictureError> {
    let mut tx = begin_write(&state.db).await?;
    let counted = sqlx::query::<Sql>(
        "update upload_links set tries = tries + 1 \
         where token_hash = $1 and used_ms is null and expires_ms > $2 and tries < $3 and not exists \
         (select 1 from orders where number = owner and state <> 'rejected')",
    )
    .bind(hash)
    .bind(state.clock.now_ms())
    .bind(TRIES_MAX)
    .execute(&mut *tx)
    .await?;
    if counted.rows_affected() != 1 {
        return Err(PictureError::Link);
    }
    let row = sqlx::query::<Sql>("select owner, kind from upload_links where token_hash = $1")
        .bind(hash)
        .fetch_one(&mut *tx)
        .await?;
    tx.commit().await?;
    let kind: String = row.try_get("kind")?;
    let kind = kind_from_code(&kind).ok_or_else(|| damaged(format!("the kind of a link {kind:?}")))?;
    Ok((row.try_get("owner")?, kind))
}

/// Marks a link used; of two pictures that came by it at once, one is refused. The papers of an order that was sent in are what its
/// reviewers saw: a link that was made before changes them no more, unless the order was rejected.
pub(super) async fn use_up(tx: &mut Connection, hash: &str, now_ms: i64) -> Result<(), PictureError> {
    let used = sqlx::query::<Sql>(
        "update upload_links set used_ms = $2 where token_hash = $1 and used_ms is null and expires_ms > $2 \
         and not exists (select 1 from orders where number = owner and state <> 'rejected')",
    )
    .bind(hash)
    .bind(now_ms)
    .execute(tx)
    .await?;
    if used.rows_affected() == 1 { Ok(()) } else { Err(PictureError::Link) }
}

/// Ends every link of an owner.
pub(super) async fn end(tx: &mut Connection, owner: &str) -> Result<(), PictureError> {
    sqlx::query::<Sql>("delete from upload_links where owner = $1").bind(owner).execute(tx).await?;
    Ok(())
}
