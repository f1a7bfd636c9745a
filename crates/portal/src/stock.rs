//! The stock gate: keys are registered when they are delivered, and where the config says so no other key is made.

mod balance;

use std::collections::BTreeSet;

use model::KeyId;

use crate::{
    audit::{self, What},
    db::{Connection, Db, DbError, Sql, begin_write},
    orders::Actor,
};

pub use balance::{Balance, CountedShift, LotBalance, Stray, balance};

/// Most rows of one file; a delivery with more is registered in parts.
pub const ROWS_MAX: usize = 5_000;
const LOT_CHARS_MAX: usize = 64;
const HEADER: &str = "maker,model,serial";
/// More wrong rows than this are not told one by one.
const BAD_ROWS_TOLD: usize = 50;

/// Why a delivery was not registered. Nothing of it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StockError {
    /// The lot's name.
    #[error(
        "批次名为 1 至 {LOT_CHARS_MAX} 个字 (a lot's name has 1 to {LOT_CHARS_MAX} characters and no control characters: choose another)"
    )]
    Lot,
    /// The file as a whole.
    #[error("{0}")]
    File(String),
    /// Rows that are wrong.
    #[error(
        "未登记任何钥匙，有 {count} 行有误，请更正后重新登记全部 (nothing was registered, {count} rows are wrong: correct them and register the whole file again)\n{told}"
    )]
    Rows {
        /// How many.
        count: usize,
        /// The first of them, a line each: the line's number and what is wrong.
        told: String,
    },
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<sqlx::Error> for StockError {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error.into())
    }
}

/// What was delivered, as somebody has it.
#[derive(Clone, Copy, Debug)]
pub enum Delivery<'a> {
    /// The header `maker,model,serial`, then a key a line; values carry no quotes and no commas.
    Csv(&'a str),
    /// Keys of one model, a serial a line, as a scanner types them.
    Serials {
        /// The model, `maker/model`.
        model: &'a str,
        /// The serials.
        text: &'a str,
    },
}

/// What a registration did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Keys that were new.
    pub new: usize,
    /// Keys that this lot had already.
    pub again: usize,
}

/// Registers a delivery: all of its keys or, if a row is wrong, none. The same file again changes nothing.
///
/// # Errors
/// [`StockError`], with the line of each wrong row (malformed, twice in the file, or registered in another lot).
pub async fn register(
    db: &Db,
    lot: &str,
    delivery: Delivery<'_>,
    actor: &Actor,
    now_ms: i64,
) -> Result<Registered, StockError> {
    if lot.trim() != lot
        || !(1..=LOT_CHARS_MAX).contains(&lot.chars().count())
        || lot.contains(char::is_control)
    {
        return Err(StockError::Lot);
    }
    let (keys, mut bad) = parse(delivery)?;
    let mut tx = begin_write(db).await?;
    let mut registered = Registered { new: 0, again: 0 };
    for (line, key) in keys {
        match lot_of(&mut tx, &key).await? {
            None => {
                insert(&mut tx, &key, lot, now_ms).await?;
                registered.new += 1;
            }
            Some(known) if known == lot => registered.again += 1,
            Some(known) => bad.push((line, format!("key {key} is registered in lot {known:?}"))),
        }
    }
    if bad.is_empty() {
        let detail = format!("new={} again={}", registered.new, registered.again);
        audit::record(&mut tx, now_ms, actor, What::StockRegistered, &lot, &detail).await?;
        tx.commit().await?;
        return Ok(registered);
    }
    tx.rollback().await?;
    bad.sort();
    let told: Vec<String> =
        bad.iter().take(BAD_ROWS_TOLD).map(|(line, what)| format!("line {line}: {what}")).collect();
    Err(StockError::Rows { count: bad.len(), told: told.join("\n") })
}

type Lines<T> = Vec<(usize, T)>;

fn parse(delivery: Delivery<'_>) -> Result<(Lines<KeyId>, Lines<String>), StockError> {
    match delivery {
        Delivery::Csv(csv) => {
            // Spreadsheets put a mark before UTF-8.
            let mut lines = csv.trim_start_matches('\u{feff}').lines().enumerate();
            if lines.next().is_none_or(|(_, header)| header.trim() != HEADER) {
                let told = format!("首行应为 {HEADER} (the first line is not the header: write {HEADER})");
                return Err(StockError::File(told));
            }
            keys(lines, key)
        }
        Delivery::Serials { model, text } => {
            let Some((maker, model)) = model.trim().split_once('/') else {
                let told =
                    "型号为“厂商/型号”，如 ukey/virtual (a model is maker/model, such as ukey/virtual)";
                return Err(StockError::File(told.to_owned()));
            };
            keys(text.lines().enumerate(), |serial| {
                KeyId::new(maker, model, serial.trim()).map_err(|error| error.to_string())
            })
        }
    }
}

fn keys<'a>(
    lines: impl Iterator<Item = (usize, &'a str)>,
    read: impl Fn(&str) -> Result<KeyId, String>,
) -> Result<(Lines<KeyId>, Lines<String>), StockError> {
    let (mut keys, mut bad, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (index, row) in lines.filter(|(_, row)| !row.trim().is_empty()) {
        if keys.len() + bad.len() == ROWS_MAX {
            let told =
                format!("超过 {ROWS_MAX} 把，请分批登记 (the file has more than {ROWS_MAX} keys: split it)");
            return Err(StockError::File(told));
        }
        match read(row) {
            Ok(key) if seen.insert(key.to_string()) => keys.push((index + 1, key)),
            Ok(key) => bad.push((index + 1, format!("key {key} stands in the file twice"))),
            Err(what) => bad.push((index + 1, what)),
        }
    }
    Ok((keys, bad))
}

fn key(row: &str) -> Result<KeyId, String> {
    let fields: Vec<&str> = row.split(',').map(str::trim).collect();
    let [maker, model, serial] = fields[..] else {
        return Err(format!("it has {} values, not maker, model and serial", fields.len()));
    };
    KeyId::new(maker, model, serial).map_err(|error| error.to_string())
}

/// The lot that a key was registered in.
pub(crate) async fn lot_of(connection: &mut Connection, key: &KeyId) -> Result<Option<String>, DbError> {
    let lot = sqlx::query_scalar::<Sql, String>("select lot from blanks where key_id = $1");
    Ok(lot.bind(key.to_string()).fetch_optional(connection).await?)
}

async fn insert(connection: &mut Connection, key: &KeyId, lot: &str, now: i64) -> Result<(), DbError> {
    sqlx::query::<Sql>(
        "insert into blanks (key_id, maker, model, serial, lot, registered_ms, state) \
         values ($1, $2, $3, $4, $5, $6, 'in_stock')",
    )
    .bind(key.to_string())
    .bind(key.maker())
    .bind(key.model())
    .bind(key.serial())
    .bind(lot)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether a key came from a maker by a registered delivery.
pub(crate) async fn is_registered(connection: &mut Connection, key: &KeyId) -> Result<bool, DbError> {
    Ok(lot_of(connection, key).await?.is_some())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_text_panics_the_reader(text in "(maker,model,serial\n)?\\PC{0,40}(\n[a-z0-9,\"/ ]{0,20}){0,4}") {
            let _ = super::parse(super::Delivery::Csv(&text));
            let _ = super::parse(super::Delivery::Serials { model: "a/b", text: &text });
            let _ = super::parse(super::Delivery::Serials { model: &text, text: "V1" });
        }
    }
}
