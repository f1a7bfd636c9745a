//! The audit page by page, the newest first.

use crate::db::{Db, DbError, Sql};

/// Rows on a page.
pub const PAGE_ROWS: usize = 50;

/// A row of the audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// Its place in the chain.
    pub sequence: i64,
    /// When.
    pub at_ms: i64,
    /// Who.
    pub who: String,
    /// What, in the words of [`super::What`].
    pub what: String,
    /// To what.
    pub subject: String,
    /// More of it.
    pub detail: String,
}

/// The newest rows before `before`; with a text only those whose subject, actor or action it is.
///
/// # Errors
/// The database's.
pub async fn newest(db: &Db, text: &str, before: i64) -> Result<Vec<Done>, DbError> {
    let rows = sqlx::query_as::<Sql, (i64, i64, String, String, String, String)>(match text {
        "" => {
            "select sequence, at_ms, who, what, subject, detail from audit where $1 = '' and sequence < $2 \
                 order by sequence desc limit $3"
        }
        // Each part goes along its own index; what is read does not grow with the audit.
        _ => {
            "select sequence, at_ms, who, what, subject, detail from audit where sequence in ( \
                 select * from (select sequence from audit where subject = $1 and sequence < $2 order by sequence desc limit $3) s union \
                 select * from (select sequence from audit where who = $1 and sequence < $2 order by sequence desc limit $3) w union \
                 select * from (select sequence from audit where what = $1 and sequence < $2 order by sequence desc limit $3) t) \
                 order by sequence desc limit $3"
        }
    });
    let done =
        |(sequence, at_ms, who, what, subject, detail)| Done { sequence, at_ms, who, what, subject, detail };
    let rows = rows.bind(text).bind(before).bind(PAGE_ROWS as i64).fetch_all(db).await?;
    Ok(rows.into_iter().map(done).collect())
}
