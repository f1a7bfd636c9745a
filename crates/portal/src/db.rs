//! The database. SQLite today; SQL is written with `$1` placeholders and `bigint`, `text`, `blob` alone, so that PostgreSQL can follow.

use std::{path::Path, time::Duration};

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

/// The pool. Readers run beside the one writer (WAL).
pub type Db = SqlitePool;

/// A running transaction.
pub type Transaction = sqlx::Transaction<'static, sqlx::Sqlite>;

/// How long a writer waits for the one before it.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections at most. SQLite has one writer; the rest serve reads.
const CONNECTIONS_MAX: u32 = 8;

/// What the database answered; the cause is in `source()`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DbError {
    /// A statement failed: disk full, file locked, file damaged.
    #[error("the database does not do what it is asked: check disk space and the rights of the data folder")]
    Sql(#[from] sqlx::Error),
    /// The tables could not be brought to this program's form.
    #[error(
        "the database's tables cannot be brought to this program's version: was it written by a newer one?"
    )]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A stored value that this program never writes.
    #[error("the database holds {what} that cannot be read: restore the last backup and tell support")]
    Damaged {
        /// Which value.
        what: String,
    },
}

/// Opens (or makes) the database file and brings its tables up to date.
///
/// `synchronous=FULL`: what was answered "stored" survives a power cut; NORMAL would lose the last commits under WAL.
///
/// # Errors
/// [`DbError`].
pub async fn open(file: &Path) -> Result<Db, DbError> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT);
    let db = SqlitePoolOptions::new().max_connections(CONNECTIONS_MAX).connect_with(options).await?;
    sqlx::migrate!("./migrations").run(&db).await?;
    Ok(db)
}

/// Begins a transaction that will write.
///
/// IMMEDIATE takes the write lock now and waits for it under the busy timeout; a transaction that reads first and
/// writes later would be refused at once with SQLITE_BUSY when another writer came between.
///
/// # Errors
/// [`DbError::Sql`].
pub async fn begin_write(db: &Db) -> Result<Transaction, DbError> {
    Ok(db.begin_with("BEGIN IMMEDIATE").await?)
}

/// A value this program never writes.
pub(crate) fn damaged(what: impl Into<String>) -> DbError {
    DbError::Damaged { what: what.into() }
}
