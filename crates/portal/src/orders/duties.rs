//! Who had which hand in an order: whoever enters, approves and packs it are different people (row P15).

use model::OrderNumber;

use super::{store::OrderError, transition::Actor};
use crate::db::{Connection, Sql};

/// Whether this operator entered the order or corrected it. Nobody else counts as a person.
///
/// # Errors
/// The database's.
pub async fn has_entered(
    connection: &mut Connection,
    number: &OrderNumber,
    actor: &Actor,
) -> Result<bool, OrderError> {
    let entered = "coalesce(from_state, 'draft') in ('draft', 'rejected')";
    stands_in_history(connection, number, actor, entered).await
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
