//! What a correction changed: the names of the fields, never what stood in them.

use model::OrderNumber;
use serde_json::Value;
use sqlx::Executor;

use super::{content::OrderContent, store::OrderError};
use crate::db::{Connection, Sql, damaged};

/// One correction of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correction {
    /// When.
    pub at_ms: i64,
    /// Dotted names of the fields that are others now.
    pub fields: Vec<String>,
}

/// Keeps which fields `new` changes.
pub(super) async fn write(
    tx: &mut Connection,
    number: &OrderNumber,
    old: &OrderContent,
    new: &OrderContent,
    now_ms: i64,
) -> Result<(), OrderError> {
    let value = |content: &OrderContent| -> Result<Value, OrderError> {
        serde_json::to_value(content).map_err(|_| damaged("an order that is no JSON").into())
    };
    let mut fields = Vec::new();
    differing("", &value(old)?, &value(new)?, &mut fields);
    let fields = serde_json::to_string(&fields).map_err(|_| damaged("names that are no JSON"))?;
    sqlx::query::<Sql>(
        "insert into order_corrections (order_number, at_ms, fields) values ($1, $2, $3) \
         on conflict (order_number, at_ms) do update set fields = excluded.fields",
    )
    .bind(number.as_str())
    .bind(now_ms)
    .bind(fields)
    .execute(tx)
    .await?;
    Ok(())
}

fn differing(path: &str, old: &Value, new: &Value, fields: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name)));
            for name in names {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let null = &Value::Null;
                differing(&path, old.get(name).unwrap_or(null), new.get(name).unwrap_or(null), fields);
            }
        }
        _ if old != new => fields.push(path.to_owned()),
        _ => {}
    }
}

/// An order's corrections, oldest first.
///
/// # Errors
/// The database's.
pub async fn corrections(
    db: impl Executor<'_, Database = Sql>,
    number: &OrderNumber,
) -> Result<Vec<Correction>, OrderError> {
    let rows = sqlx::query_as::<Sql, (i64, String)>(
        "select at_ms, fields from order_corrections where order_number = $1 order by at_ms",
    );
    let read = |(at_ms, fields): (i64, String)| {
        let fields = serde_json::from_str(&fields).map_err(|_| damaged("the fields of a correction"))?;
        Ok(Correction { at_ms, fields })
    };
    rows.bind(number.as_str()).fetch_all(db).await?.into_iter().map(read).collect()
}
