//! Orders being filled in (填写中). A draft has its order's number from the start and may hold any mistakes; only what is submitted is checked.
//!
//! It belongs to the browser that opened it, by a random token in a cookie, and to the customer who was logged in when it was saved. For
//! anybody else it does not exist. What a customer's session ends by itself leaves it to the browser, so that nothing typed is lost; who logs
//! out, or logs in after another, leaves none of the one's drafts to the other.

mod fields;
mod submit;

use model::{OrderNumber, Secret};
use sqlx::Row as _;

use crate::{
    app::AppState,
    audit::{self, What},
    codes::network,
    customers::CustomerError,
    db::{Connection, DbError, Row, Sql, begin_write, damaged},
    orders::{self, Actor, Order, OrderError},
    pictures::{self, PictureError},
    programmes::{Product, Programme},
    seal::SealError,
    token::random_hex,
};

pub use fields::{FIELDS, FormFields};
pub use submit::{Submitted, accepted, agreements_of, check, submit};

/// Drafts one browser or customer may have at once.
const OF_ONE_MAX: i64 = 20;

/// Drafts opened from one address in a day: an office behind one address has many people.
const ADDRESS_DAY_MAX: i64 = 100;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Random bytes in the word of an empty form.
const FORM_BYTES: usize = 16;

/// Drafts deleted in one turn of the retention.
const EXPIRED_MAX: i64 = 100;

/// Why a draft was not opened, saved or submitted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DraftError {
    /// No such draft, or another's.
    #[error(
        "没有这个订单，或它已提交；请从“我的订单”查看 (there is no such draft, or it was submitted: look at My orders)"
    )]
    Unknown,
    /// A bound.
    #[error("填写中的订单过多，请先提交或删除已有的 (too many drafts: submit or delete some first)")]
    TooMany,
    /// A bound of the network that is asked from.
    #[error(
        "今天从您所在的网络新建的订单过多，请明天再试，或换一个网络 (too many drafts from your network today: try again tomorrow, or from another)"
    )]
    TooManyNear,
    /// The machine gives no random bytes.
    #[error("暂时无法新建订单，请稍后再试 (no draft could be opened: try again later)")]
    Random,
    /// The order has mistakes or lacks a picture.
    #[error("订单内容有误 (the order has mistakes, see the fields)")]
    Content(Vec<orders::FieldError>),
    /// The order.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// A picture.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The customer's session.
    #[error(transparent)]
    Customer(#[from] CustomerError),
    /// Encryption.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<sqlx::Error> for DraftError {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error.into())
    }
}

/// Who asks: a browser, a customer, or both. Empty texts are nobody.
#[derive(Clone, Default)]
pub struct Owner {
    browser: String,
    mobile_digest: String,
}

impl Owner {
    /// The owner with this browser's token and this customer's mobile digest.
    #[must_use]
    pub fn new(state: &AppState, browser: Option<&str>, mobile_digest: Option<&str>) -> Self {
        let browser = browser.filter(|token| !token.is_empty());
        Self {
            browser: browser.map(|token| state.sealer.digest("draft-browser", token)).unwrap_or_default(),
            mobile_digest: mobile_digest.unwrap_or_default().to_owned(),
        }
    }
}

/// A new token for a browser without one: the cookie's value.
///
/// # Errors
/// [`DraftError::Random`].
pub fn new_token() -> Result<Secret, DraftError> {
    Ok(Secret::new(random_hex::<32>().map_err(|_| DraftError::Random)?.into_bytes()))
}

/// A new word for an empty form.
///
/// # Errors
/// [`DraftError::Random`].
pub fn new_form() -> Result<String, DraftError> {
    random_hex::<FORM_BYTES>().map_err(|_| DraftError::Random)
}

/// Whether a word can have come from [`new_form`].
#[must_use]
pub fn is_form(word: &str) -> bool {
    word.len() == 2 * FORM_BYTES && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// An order being filled in.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Draft {
    /// The number it will have.
    pub number: OrderNumber,
    /// Its programme's id.
    pub programme: String,
    /// Its product's id.
    pub product: String,
    /// What was typed.
    pub fields: FormFields,
    /// When it was last saved.
    pub saved_ms: i64,
}

const COLUMNS: &str = "select number, programme, product, fields, saved_ms from drafts";
const OWNED: &str = "((browser = $1 and browser <> '' and ($2 = '' or mobile_digest = '' or mobile_digest = $2)) \
     or (mobile_digest = $2 and mobile_digest <> ''))";

/// Opens a draft. `form` is the random word of the empty form that was filled in: the same form sent again is the same draft.
///
/// # Errors
/// [`DraftError::TooMany`], [`DraftError::TooManyNear`]; the database's.
pub async fn open(
    state: &AppState,
    owner: &Owner,
    address: &str,
    form: &str,
    programme: &Programme,
    product: &Product,
) -> Result<Draft, DraftError> {
    let address = state.sealer.digest("draft-address", &network(address));
    let now_ms = state.clock.now_ms();
    let mut tx = begin_write(&state.db).await?;
    if let Some(draft) = of_form(state, &mut tx, owner, form, programme, product).await? {
        return Ok(draft);
    }
    let count = format!("select count(*) from drafts where {OWNED}");
    let mine: i64 = sqlx::query_scalar::<Sql, i64>(sqlx::AssertSqlSafe(count))
        .bind(&owner.browser)
        .bind(&owner.mobile_digest)
        .fetch_one(&mut *tx)
        .await?;
    let near: i64 =
        sqlx::query_scalar::<Sql, i64>("select count(*) from drafts where address = $1 and opened_ms > $2")
            .bind(&address)
            .bind(now_ms - DAY_MS)
            .fetch_one(&mut *tx)
            .await?;
    if mine >= OF_ONE_MAX {
        return Err(DraftError::TooMany);
    }
    if near >= ADDRESS_DAY_MAX {
        return Err(DraftError::TooManyNear);
    }
    let draft = Draft {
        number: orders::free_number(state, &mut tx).await?,
        programme: programme.id.clone(),
        product: product.id.clone(),
        fields: FormFields::default(),
        saved_ms: now_ms,
    };
    insert(state, &mut tx, &draft, owner, &address, form).await?;
    tx.commit().await?;
    Ok(draft)
}

/// What this browser has opened with the same empty form.
async fn of_form(
    state: &AppState,
    tx: &mut Connection,
    owner: &Owner,
    form: &str,
    programme: &Programme,
    product: &Product,
) -> Result<Option<Draft>, DraftError> {
    if form.is_empty() || owner.browser.is_empty() {
        return Ok(None);
    }
    let sql = format!("{COLUMNS} where browser = $1 and form = $2 and programme = $3 and product = $4");
    let row = sqlx::query::<Sql>(sqlx::AssertSqlSafe(sql))
        .bind(&owner.browser)
        .bind(form)
        .bind(&programme.id)
        .bind(&product.id)
        .fetch_optional(tx)
        .await?;
    row.map(|row| draft(state, &row)).transpose()
}

/// The draft in which a rejected order is corrected; it is made from the order if there is none yet. It is this browser's too, so that it
/// can be handed in after the log-in has ended.
///
/// # Errors
/// The database's.
pub async fn open_correction(state: &AppState, owner: &Owner, order: &Order) -> Result<Draft, DraftError> {
    let mut tx = begin_write(&state.db).await?;
    if let Some(draft) = load_in(state, &mut tx, &order.number, owner).await? {
        sqlx::query::<Sql>("update drafts set browser = $2 where number = $1")
            .bind(draft.number.as_str())
            .bind(&owner.browser)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        return Ok(draft);
    }
    let content = &order.content;
    let draft = Draft {
        number: order.number.clone(),
        programme: content.programme.clone(),
        product: content.product.clone(),
        fields: FormFields::of(content),
        saved_ms: state.clock.now_ms(),
    };
    // Another customer's draft of this order: the handler's mobile has changed since.
    remove(&mut tx, &draft.number).await?;
    insert(state, &mut tx, &draft, owner, "", "").await?;
    tx.commit().await?;
    Ok(draft)
}

async fn insert(
    state: &AppState,
    tx: &mut Connection,
    draft: &Draft,
    owner: &Owner,
    address: &str,
    form: &str,
) -> Result<(), DraftError> {
    sqlx::query::<Sql>(
        "insert into drafts (number, programme, product, browser, mobile_digest, address, fields, opened_ms, saved_ms, form) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9)",
    )
    .bind(draft.number.as_str())
    .bind(&draft.programme)
    .bind(&draft.product)
    .bind(&owner.browser)
    .bind(&owner.mobile_digest)
    .bind(address)
    .bind(sealed(state, draft)?)
    .bind(draft.saved_ms)
    .bind(form)
    .execute(&mut *tx)
    .await?;
    let detail = format!("programme={}", draft.programme);
    audit::record(tx, draft.saved_ms, &Actor::Customer, What::DraftOpened, &draft.number, &detail).await?;
    Ok(())
}

/// Saves what was typed, with any mistakes. This browser, and whoever is logged in, own it from now on; not the browser of one who has
/// logged out while the form was on its way.
///
/// # Errors
/// [`DraftError::Unknown`] for a draft that is not there or not the owner's.
pub async fn save(state: &AppState, owner: &Owner, draft: &mut Draft) -> Result<(), DraftError> {
    draft.saved_ms = state.clock.now_ms();
    let sql = format!(
        "update drafts set fields = $4, saved_ms = $5, browser = case when $1 = '' or ($2 <> '' and not exists \
         (select 1 from customer_sessions s where s.mobile_digest = $2 and s.expires_ms > $5)) then browser else $1 end, \
         mobile_digest = case when $2 = '' then mobile_digest else $2 end where number = $3 and {OWNED}"
    );
    let saved = sqlx::query::<Sql>(sqlx::AssertSqlSafe(sql))
        .bind(&owner.browser)
        .bind(&owner.mobile_digest)
        .bind(draft.number.as_str())
        .bind(sealed(state, draft)?)
        .bind(draft.saved_ms)
        .execute(&state.db)
        .await?;
    if saved.rows_affected() == 1 { Ok(()) } else { Err(DraftError::Unknown) }
}

/// Ends what a browser has of other customers' drafts than the owner's; of all customers', if nobody is logged in.
///
/// # Errors
/// The database's.
pub(crate) async fn part(connection: &mut Connection, owner: &Owner) -> Result<(), DbError> {
    sqlx::query::<Sql>(
        "update drafts set browser = '' where browser = $1 and browser <> '' and mobile_digest <> '' and mobile_digest <> $2",
    )
    .bind(&owner.browser)
    .bind(&owner.mobile_digest)
    .execute(connection)
    .await?;
    Ok(())
}

/// The owner's draft with this number.
///
/// # Errors
/// The database's, or that it does not open.
pub async fn load(
    state: &AppState,
    number: &OrderNumber,
    owner: &Owner,
) -> Result<Option<Draft>, DraftError> {
    let mut connection = state.db.acquire().await?;
    load_in(state, &mut connection, number, owner).await
}

async fn load_in(
    state: &AppState,
    connection: &mut Connection,
    number: &OrderNumber,
    owner: &Owner,
) -> Result<Option<Draft>, DraftError> {
    let sql = format!("{COLUMNS} where number = $3 and {OWNED}");
    let row = sqlx::query::<Sql>(sqlx::AssertSqlSafe(sql))
        .bind(&owner.browser)
        .bind(&owner.mobile_digest)
        .bind(number.as_str())
        .fetch_optional(connection)
        .await?;
    row.map(|row| draft(state, &row)).transpose()
}

/// The owner's drafts, the newest first.
///
/// # Errors
/// The database's, or that one does not open.
pub async fn of_owner(state: &AppState, owner: &Owner) -> Result<Vec<Draft>, DraftError> {
    let sql = format!("{COLUMNS} where {OWNED} order by saved_ms desc, number limit {OF_ONE_MAX}");
    let rows = sqlx::query::<Sql>(sqlx::AssertSqlSafe(sql))
        .bind(&owner.browser)
        .bind(&owner.mobile_digest)
        .fetch_all(&state.db)
        .await?;
    rows.iter().map(|row| draft(state, row)).collect()
}

/// Deletes the owner's draft, and its pictures unless they are an order's.
///
/// # Errors
/// [`DraftError::Unknown`] for a draft that is not there or not the owner's.
pub async fn discard(state: &AppState, number: &OrderNumber, owner: &Owner) -> Result<(), DraftError> {
    let mut tx = begin_write(&state.db).await?;
    load_in(state, &mut tx, number, owner).await?.ok_or(DraftError::Unknown)?;
    delete(&mut tx, number, &Actor::Customer, state.clock.now_ms()).await?;
    tx.commit().await?;
    Ok(())
}

/// Deletes drafts that their programmes keep no longer, a bounded number a turn. Gives how many.
///
/// # Errors
/// The database's.
pub async fn expire(state: &AppState) -> Result<usize, DraftError> {
    let now_ms = state.clock.now_ms();
    let mut deleted = 0;
    let shortest =
        state.programmes.iter().map(|programme| programme.retention.drafts_days).min().unwrap_or(0);
    let old = sqlx::query::<Sql>("select 1 from drafts where saved_ms < $1 limit 1");
    let old = old.bind(now_ms - i64::from(shortest) * DAY_MS).fetch_optional(&state.db).await?;
    if old.is_none() {
        return Ok(0);
    }
    for programme in state.programmes.iter() {
        let before_ms = now_ms - i64::from(programme.retention.drafts_days) * DAY_MS;
        let numbers: Vec<String> = sqlx::query_scalar::<Sql, String>(
            "select number from drafts where programme = $1 and saved_ms < $2 order by saved_ms limit $3",
        )
        .bind(&programme.id)
        .bind(before_ms)
        .bind(EXPIRED_MAX)
        .fetch_all(&state.db)
        .await?;
        if numbers.is_empty() {
            continue;
        }
        let mut tx = begin_write(&state.db).await?;
        for number in &numbers {
            let number = number.parse().map_err(|_| damaged(format!("the draft number {number:?}")))?;
            delete(&mut tx, &number, &Actor::System, now_ms).await?;
        }
        tx.commit().await?;
        deleted += numbers.len();
    }
    Ok(deleted)
}

async fn delete(
    tx: &mut Connection,
    number: &OrderNumber,
    actor: &Actor,
    now_ms: i64,
) -> Result<(), DraftError> {
    let ordered = sqlx::query::<Sql>("select 1 from orders where number = $1").bind(number.as_str());
    if ordered.fetch_optional(&mut *tx).await?.is_none() {
        pictures::delete(tx, number.as_str()).await?;
    }
    remove(tx, number).await?;
    audit::record(tx, now_ms, actor, What::DraftDeleted, number, "").await?;
    Ok(())
}

/// Ends a draft: it has become its order, or the order it corrects is refused no longer.
pub(crate) async fn remove(tx: &mut Connection, number: &OrderNumber) -> Result<(), DbError> {
    sqlx::query::<Sql>("delete from drafts where number = $1").bind(number.as_str()).execute(tx).await?;
    Ok(())
}

fn sealed(state: &AppState, draft: &Draft) -> Result<Vec<u8>, DraftError> {
    Ok(state.sealer.seal(&context(draft.number.as_str()), draft.fields.to_text().as_bytes())?)
}

fn context(number: &str) -> String {
    format!("draft:{number}")
}

fn draft(state: &AppState, row: &Row) -> Result<Draft, DraftError> {
    let number: String = row.try_get("number")?;
    let fields: Vec<u8> = row.try_get("fields")?;
    let fields = state.sealer.open_sealed(&context(&number), &fields)?;
    let damage = || damaged(format!("the draft {number}"));
    Ok(Draft {
        fields: FormFields::from_text(fields.expose()).ok_or_else(damage)?,
        programme: row.try_get("programme")?,
        product: row.try_get("product")?,
        saved_ms: row.try_get("saved_ms")?,
        number: number.parse().map_err(|_| damage())?,
    })
}
