//! Who had which hand in an order: whoever enters, approves and packs it are different people (row P15).

use model::OrderNumber;

use super::{store::OrderError, transition::Actor};
use crate::{
    audit::What,
    db::{Connection, Sql},
};

/// Whether this operator entered the order, corrected it, or brought its paper. Nobody else counts as a person.
///
/// # Errors
/// The database's.
pub async fn has_entered(
    connection: &mut Connection,
    number: &OrderNumber,
    actor: &Actor,
) -> Result<bool, OrderError> {
    let entered = "coalesce(from_state, 'draft') in ('draft', 'rejected')";
    if stands_in_history(connection, number, actor, entered).await? {
        return Ok(true);
    }
    let brought = sqlx::query::<Sql>(
        "select 1 from audit where subject = $1 and who = $2 and what = $3 and detail like '%kind=paper %' limit 1",
    );
    let brought = brought.bind(number.as_str()).bind(actor.to_string()).bind(What::PictureStored.code());
    Ok(matches!(actor, Actor::Operator(_)) && brought.fetch_optional(connection).await?.is_some())
}

/// Whether this operator approved the order.
///
/// # Errors
/// The database's.
pub async fn has_approved(
    connection: &mut Connection,
    number: &OrderNumber,
    actor: &Actor,
) -> Result<bool, OrderError> {
    let approved = "from_state = 'awaiting_review' and to_state = 'awaiting_production'";
    stands_in_history(connection, number, actor, approved).await
}

async fn stands_in_history(
    connection: &mut Connection,
    number: &OrderNumber,
    actor: &Actor,
    step: &'static str,
) -> Result<bool, OrderError> {
    if !matches!(actor, Actor::Operator(_)) {
        return Ok(false);
    }
    let sql = format!("select 1 from order_history where order_number = $1 and who = $2 and {step} limit 1");
    let row = sqlx::query::<Sql>(sqlx::AssertSqlSafe(sql)).bind(number.as_str()).bind(actor.to_string());
    Ok(row.fetch_optional(connection).await?.is_some())
}
