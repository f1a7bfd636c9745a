//! From draft to order: everything is checked, and everything that follows is one transaction.

use model::{OrderNumber, OrderState};
use serde_json::Value;
use sqlx::Row as _;

use super::{Draft, DraftError, FormFields, Owner, load_in, part, remove};
use crate::{
    app::AppState,
    audit::{self, What},
    customers::{self, Token},
    db::{Connection, Db, DbError, Sql, begin_write},
    letters::{self, LetterFacts, SheetCheck},
    orders::{self, Actor, FieldError, Order, OrderForm, Parties},
    pictures::{self, Picture, PictureKind},
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
/// [`DraftError::Content`] with every wrong field (a picture that is missing, or of another letter, is `pictures.<kind>`); the database's.
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
    let order = draft.fields.order(programme, product);
    let mut errors = Vec::new();
    let rejected = orders::load_in(connection, &state.sealer, &draft.number).await?;
    let form = read(state, &order, rejected).map_err(|wrong| errors.extend(wrong)).ok();
    let brought = pictures::list_in(connection, draft.number.as_str()).await?;
    for kind in &programme.pictures {
        if !brought.iter().any(|picture| picture.kind == *kind) {
            let (zh, en) = (kind.zh(), kind.en());
            errors.push(error(
                place(*kind),
                format!("请上传{zh}图片 (the picture of the {en} is missing: upload it)"),
            ));
        }
    }
    if let Ok(parties) = Parties::read(&order, programme, product) {
        let facts = LetterFacts::of_parties(draft.number.as_str(), &parties, programme, product);
        errors.extend(brought.iter().filter_map(|picture| wrong_sheet(state, &facts, picture)));
    }
    match form {
        Some(form) if errors.is_empty() => Ok(form),
        _ => Err(DraftError::Content(errors)),
    }
}

/// The order in the form; of a rejected one, its correction: what was paid stays with it, the form does not know of it.
fn read(state: &AppState, order: &Value, rejected: Option<Order>) -> Result<OrderForm, Vec<FieldError>> {
    let Some(rejected) = rejected else { return OrderForm::read(order, &state.programmes) };
    let mut form = OrderForm::read_correction(order, &state.programmes, &rejected)?;
    form.content.payment.clone_from(&rejected.content.payment);
    form.may_replace(&rejected)?;
    Ok(form)
}

/// A letter or sampling sheet that is not of this form as it stands. One that cannot be read is left to the reviewer.
fn wrong_sheet(state: &AppState, facts: &LetterFacts<'_>, picture: &Picture) -> Option<FieldError> {
    let message = match letters::check(state, facts, picture)? {
        SheetCheck::Matches | SheetCheck::Unreadable => return None,
        SheetCheck::Outdated => {
            "打印后填写内容有改动，请重新下载、盖章后上传 (what it states was changed after it was printed: download it again, stamp it, upload it)"
        }
        SheetCheck::Other => {
            "这是其他申请或另一页的图片，请重新下载、盖章后上传 (this is another application's or the other page: download it again, stamp it, upload it)"
        }
    };
    Some(error(place(picture.kind), message.to_owned()))
}

/// A picture's input.
fn place(kind: PictureKind) -> String {
    format!("pictures.{}", kind.code())
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
    let form = check_in(state, &mut tx, programme, &draft).await?;
    if form.content.handler.mobile != mobile {
        return Err(DraftError::Content(vec![error(
            "handler.mobile".to_owned(),
            "手机号已改动，请重新获取验证码 (the mobile was changed: ask for a code again)".to_owned(),
        )]));
    }
    let stored = match orders::load_in(&mut tx, &state.sealer, number).await? {
        Some(_) => orders::correct_in(state, &mut tx, number, form, &Actor::Customer).await?,
        None => orders::store_new(state, &mut tx, number, form, &Actor::Customer).await?,
    };
    keep_agreements(&mut tx, programme, number, state.clock.now_ms()).await?;
    remove(&mut tx, number).await?;
    let session = customers::open_session(state, &mut tx, mobile).await?;
    let now_owner =
        Owner { browser: owner.browser.clone(), mobile_digest: customers::mobile_digest(state, mobile) };
    part(&mut tx, &now_owner).await?;
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
