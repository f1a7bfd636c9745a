//! Links that open one invoice once, and the mail that carries one.

use model::OrderNumber;
use sqlx::Row as _;

use super::{InvoiceError, Pdf, download};
use crate::{
    app::AppState,
    db::{DbError, Sql, Transaction, begin_write, damaged},
    mail,
    orders::Order,
    programmes::InvoiceDelivery,
    seal::SealError,
    token::random_hex,
};

/// How long a link opens.
const VALID_MS: i64 = 30 * 24 * 60 * 60_000;
const TOKEN_BYTES: usize = 32;

/// Writes a mail with a link to the order's invoice, for the handler, where the programme has it mailed. Without a mailer there is no link.
pub(super) async fn mail(tx: &mut Transaction, state: &AppState, order: &Order) -> Result<(), InvoiceError> {
    let programme = state.programmes.get(&order.content.programme);
    let by_mail = programme.is_some_and(|it| it.invoice_delivery == Some(InvoiceDelivery::Mail));
    if state.outside.mail.is_none() || !by_mail {
        return Ok(());
    }
    let token = random_hex::<TOKEN_BYTES>();
    let token = token.map_err(|_| SealError::Cipher("the machine gives no random bytes"))?;
    let now = state.clock.now_ms();
    sqlx::query::<Sql>("insert into invoice_links (token, order_number, expires_ms) values ($1, $2, $3)")
        .bind(digest(state, &token))
        .bind(order.number.as_str())
        .bind(now + VALID_MS)
        .execute(&mut **tx)
        .await?;
    let url = &state.config.http.public_url;
    let (number, name) = (&order.number, &order.content.handler.name);
    let body = format!(
        "{name}，您好：\n\n订单 {number} 的电子发票已开具。请在 30 天内打开以下链接下载，链接仅能使用一次：\n\n{url}/i/{token}\n\n\
         链接失效后，可登录“我的订单”再次下载。\n\n\
         The invoice of order {number} is ready. The link above opens it once, within 30 days; afterwards log in and download it under My orders.\n"
    );
    let letter = mail::Letter {
        id: &format!("{number}-invoice-{now}"),
        to: &order.content.handler.mail,
        subject: &format!("订单 {number} 的电子发票 (your invoice)"),
        body: &body,
    };
    Ok(mail::enqueue(tx, state, &letter).await?)
}

/// Whether a link opens something. Looking does not use it: mail programs look before people do.
///
/// # Errors
/// [`DbError`].
pub async fn open(state: &AppState, token: &str) -> Result<bool, DbError> {
    let row = sqlx::query::<Sql>("select 1 from invoice_links where token = $1 and expires_ms > $2")
        .bind(digest(state, token))
        .bind(state.clock.now_ms())
        .fetch_optional(&state.db)
        .await?;
    Ok(row.is_some())
}

/// The PDF behind a link, which is used up by it.
///
/// # Errors
/// [`InvoiceError::None`] for a link that is unknown, used or expired; else as [`download`].
pub async fn redeem(state: &AppState, token: &str) -> Result<Pdf, InvoiceError> {
    let key = digest(state, token);
    let row =
        sqlx::query::<Sql>("select order_number from invoice_links where token = $1 and expires_ms > $2")
            .bind(&key)
            .bind(state.clock.now_ms())
            .fetch_optional(&state.db)
            .await?;
    let row = row.ok_or(InvoiceError::None)?;
    let number: OrderNumber =
        row.try_get::<&str, _>("order_number")?.parse().map_err(|_| damaged("the order number of a link"))?;
    // Read first: a link whose invoice does not open is not used up.
    let pdf = download(state, &number).await?;
    let mut tx = begin_write(&state.db).await?;
    let used =
        sqlx::query::<Sql>("delete from invoice_links where token = $1").bind(&key).execute(&mut *tx).await?;
    if used.rows_affected() != 1 {
        return Err(InvoiceError::None);
    }
    tx.commit().await?;
    Ok(pdf)
}

/// Forgets links that have expired.
pub(super) async fn forget(state: &AppState) -> Result<(), DbError> {
    let now = state.clock.now_ms();
    let old = sqlx::query::<Sql>("select 1 from invoice_links where expires_ms <= $1 limit 1").bind(now);
    if old.fetch_optional(&state.db).await?.is_none() {
        return Ok(());
    }
    let mut tx = begin_write(&state.db).await?;
    sqlx::query::<Sql>("delete from invoice_links where expires_ms <= $1")
        .bind(now)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(())
}

fn digest(state: &AppState, token: &str) -> String {
    state.sealer.digest("invoice-link", token)
}
