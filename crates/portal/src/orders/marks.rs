//! Orders that share a mobile, a document or a unit, found by the keyed digests that are kept of each.

use model::OrderNumber;

use super::{
    content::Order,
    sealed::{mobile_digest, number_digest},
    store::OrderError,
};
use crate::{
    db::{Connection, Sql, damaged},
    seal::Sealer,
};

/// Others of the same mark that are told at most.
const OTHERS_MAX: i64 = 20;

/// What two orders may share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The handler's mobile.
    Mobile,
    /// An identity document of somebody in the order.
    Id,
    /// The unit's code.
    Unit,
}

const BY_MOBILE: &str = "select number, created_ms from orders \
    where handler_mobile_digest = $1 and number <> $2 and created_ms >= $3 order by created_ms desc, number desc limit $4";
const BY_NUMBER: &str = "select o.number, o.created_ms from order_marks m join orders o on o.number = m.order_number \
    where m.digest = $1 and o.number <> $2 and o.created_ms >= $3 order by o.created_ms desc, o.number desc limit $4";

/// Other orders with a mark of this one that came in at `since_ms` or later, the newest first; at most twenty.
///
/// # Errors
/// The database's.
pub async fn sharing(
    connection: &mut Connection,
    sealer: &Sealer,
    order: &Order,
    mark: Mark,
    since_ms: i64,
) -> Result<Vec<OrderNumber>, OrderError> {
    let content = &order.content;
    let digest = |text: &str| number_digest(sealer, text);
    let (sql, digests) = match mark {
        Mark::Mobile => (BY_MOBILE, vec![mobile_digest(sealer, content)]),
        Mark::Unit => (BY_NUMBER, vec![digest(&content.unit.credit_code)]),
        Mark::Id => {
            let persons = content.legal_representative.iter().chain(&content.holder);
            let numbers = persons.map(|person| &person.id_number).chain([&content.handler.id_number]);
            (BY_NUMBER, numbers.map(|number| digest(number)).collect())
        }
    };
    let mut found: Vec<(i64, OrderNumber)> = Vec::new();
    for digest in digests {
        let rows = sqlx::query_as::<Sql, (String, i64)>(sql);
        let rows = rows.bind(digest).bind(order.number.as_str()).bind(since_ms).bind(OTHERS_MAX);
        for (number, created_ms) in rows.fetch_all(&mut *connection).await? {
            let number: OrderNumber = number.parse().map_err(|_| damaged("an order number"))?;
            if !found.iter().any(|(_, known)| *known == number) {
                found.push((created_ms, number));
            }
        }
    }
    found.sort_by_key(|(created_ms, _)| std::cmp::Reverse(*created_ms));
    Ok(found.into_iter().map(|(_, number)| number).take(20).collect())
}
