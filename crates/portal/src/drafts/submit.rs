//! From draft to order: everything is checked, and everything that follows is one transaction.

use model::{OrderNumber, OrderState};
use sqlx::Row as _;

use super::{Draft, DraftError, FormFields, Owner, load_in, remove};
use crate::{
    app::AppState,
    audit::{self, What},
    customers::{self, Token},
    db::{Connection, Db, DbError, Sql, begin_write},
    orders::{self, Actor, FieldError, OrderForm},
    programmes::Programme,
};

/// An order that was submitted.
pub struct Submitted {
    /// Its number.
    pub number: OrderNumber,
    /// Where it stands.
    pub state: OrderState,
    /// The handler's session: the code proved whose mobile it is.
    pub session: Token,
}

/// The order that a draft makes, if it has no mistake and every picture.
///
/// # Errors
/// [`DraftError::Content`] with every wrong field (a missing picture is `pictures.<kind>`); the database's.
pub async fn check(state: &AppState, programme: &Programme, draft: &Draft) -> Result<OrderForm, DraftError> {
    let mut connection = state.db.acquire().await?;
    check_in(state, &mut connection, programme, draft).await
}

async fn check_in(
    state: &AppState,
    connection: &mut Connection,
    programme: &Programme,
    draft: &Draft,
) -> Result<OrderForm, DraftError> {
    let product = programme.product(&draft.product).ok_or(DraftError::Unknown)?;
    let mut errors = Vec::new();
    let form = OrderForm::read(&draft.fields.order(programme, product), &state.programmes);
    let form = form.map_err(|wrong| errors.extend(wrong)).ok();
    let brought: Vec<String> =
        sqlx::query_scalar::<Sql, String>("select kind from pictures where owner = $1")
            .bind(draft.number.as_str())
            .fetch_all(connection)
            .await?;
    for kind in &programme.pictures {
        if !brought.iter().any(|code| code == kind.code()) {
            let (zh, en) = (kind.zh(), kind.en());
            errors.push(error(
                format!("pictures.{}", kind.code()),
                format!("请上传{zh}图片 (the picture of the {en} is missing: upload it)"),
            ));
        }
    }
    match form {
        Some(form) if errors.is_empty() => Ok(form),
        _ => Err(DraftError::Content(errors)),
    }
}

/// What is missing of the agreements: each must be ticked in its version of today.
#[must_use]
pub fn accepted(programme: &Programme, ticks: &FormFields) -> Vec<FieldError> {
    let missing =
        programme.agreements.iter().filter(|agreement| ticks.agreed(&agreement.id) != agreement.version);
    let told = missing.map(|agreement| {
        let message = if ticks.agreed(&agreement.id).is_empty() {
            format!("请阅读并勾选《{}》 (read this agreement and tick it)", agreement.title)
        } else {
            format!(
                "《{}》已更新，请重新阅读并勾选 (this agreement is a new one: read it and tick it again)",
                agreement.title
            )
        };
        error(format!("agree.{}", agreement.id), message)
    });
    told.collect()
}

fn error(field: String, message: String) -> FieldError {
    FieldError { field, message }
}

/// Makes the order of a draft, or corrects the rejected order that it came from. `mobile` is the one whose code was right: an order that names
/// another handler since then is not made.
///
/// # Errors
/// [`DraftError::Content`] with every wrong field; [`DraftError::Unknown`] for a draft submitted already; the order's own.
pub async fn submit(
    state: &AppState,
    owner: &Owner,
    number: &OrderNumber,
    ticks: &FormFields,
    mobile: &str,
) -> Result<Submitted, DraftError> {
    let mut tx = begin_write(&state.db).await?;
    // Read again, under the writers' lock: what is stored is what was there when the order was made.
    let draft = load_in(state, &mut tx, number, owner).await?.ok_or(DraftError::Unknown)?;
    let programme = state.programmes.get(&draft.programme).ok_or(DraftError::Unknown)?;
    let missing = accepted(programme, ticks);
    if !missing.is_empty() {
        return Err(DraftError::Content(missing));
    }
    let mut form = check_in(state, &mut tx, programme, &draft).await?;
    if form.content.handler.mobile != mobile {
        return Err(DraftError::Content(vec![error(
            "handler.mobile".to_owned(),
            "手机号已改动，请重新获取验证码 (the mobile was changed: ask for a code again)".to_owned(),
        )]));
    }
    let stored = match orders::load_in(&mut tx, &state.sealer, number).await? {
        Some(rejected) => {
            // What was paid stays with the order; the form does not know of it.
            form.content.payment = rejected.content.payment;
            orders::correct_in(state, &mut tx, number, form, &Actor::Customer).await?
        }
        None => orders::store_new(state, &mut tx, number, form, &Actor::Customer).await?,
    };
    keep_agreements(&mut tx, programme, number, state.clock.now_ms()).await?;
    remove(&mut tx, number).await?;
    let session = customers::open_session(state, &mut tx, mobile).await?;
    tx.commit().await?;
    Ok(Submitted { number: number.clone(), state: stored, session })
}

async fn keep_agreements(
    tx: &mut Connection,
    programme: &Programme,
    number: &OrderNumber,
    now_ms: i64,
) -> Result<(), DbError> {
    let mut detail = String::new();
    for agreement in &programme.agreements {
        sqlx::query::<Sql>(
            "insert into agreements_accepted (order_number, agreement, title, version, accepted_ms) \
             values ($1, $2, $3, $4, $5) on conflict do nothing",
        )
        .bind(number.as_str())
        .bind(&agreement.id)
        .bind(&agreement.title)
        .bind(&agreement.version)
        .bind(now_ms)
        .execute(&mut *tx)
        .await?;
        detail.push_str(&format!("{}={} ", agreement.id, agreement.version));
    }
    audit::record(tx, now_ms, &Actor::Customer, What::AgreementsAccepted, number, detail.trim_end()).await
}

/// The agreements that were accepted with an order: title, version, when.
///
/// # Errors
/// The database's.
pub async fn agreements_of(db: &Db, number: &OrderNumber) -> Result<Vec<(String, String, i64)>, DbError> {
    let sql = "select title, version, accepted_ms from agreements_accepted where order_number = $1 \
               order by accepted_ms, agreement";
    let rows = sqlx::query::<Sql>(sql).bind(number.as_str()).fetch_all(db).await?;
    let row = |row: &crate::db::Row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
    rows.iter().map(row).collect()
}
