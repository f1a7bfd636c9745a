//! The database: SQLite in a file by default, PostgreSQL by configuration. One SQL for both: `$1` placeholders; `bigint`, `text` and `blob`
//! alone; no function that only one of them has. A sum is cast to `bigint`, because PostgreSQL makes a `numeric` of it.
//!
//! One writer at a time, on both: the audit is a chain, so writers would wait for one another anyway, and what a writer reads stays true until
//! it commits. SQLite has that lock by itself; on PostgreSQL it is an advisory lock.

use std::{borrow::Cow, path::Path, sync::Once, time::Duration};

use model::Fen;
use sqlx::{
    AssertSqlSafe, SqlSafeStr as _,
    any::{AnyConnectOptions, AnyPoolOptions},
    migrate::{Migration, Migrator},
};

use crate::config::{Config, Database};

/// The dialect: whatever the pool is connected to.
pub type Sql = sqlx::Any;

/// A connection, and what a transaction derefs to.
pub type Connection = sqlx::AnyConnection;

/// A row of an answer.
pub type Row = sqlx::any::AnyRow;

/// A running transaction.
pub type Transaction = sqlx::Transaction<'static, Sql>;

/// The pool; clones share it.
pub type Db = sqlx::AnyPool;

/// How long a writer waits for the one before it.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections at most, of one process. There is one writer; the rest serve reads.
const CONNECTIONS_MAX: u32 = 8;

/// The writers' lock on PostgreSQL; any number that nobody else uses.
const BEGIN_AS_WRITER: &str = "BEGIN; SELECT pg_advisory_xact_lock(7723541)";

/// Brings the tables up to date; portals that start together take turns at it by sqlx's own lock.
static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

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
    /// The file with the server's address.
    #[error("cannot read the database's address from {}: {error}", path.display())]
    UrlFile {
        /// Which file.
        path: std::path::PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A stored value that this program never writes.
    #[error("the database holds {what} that cannot be read: restore the last backup and tell support")]
    Damaged {
        /// Which value.
        what: String,
    },
}

/// Opens the database that the config names, makes it if it is a file, and brings its tables up to date.
///
/// # Errors
/// [`DbError`].
pub async fn open(config: &Config) -> Result<Db, DbError> {
    match &config.database {
        Database::Sqlite => open_file(&config.database_file()).await,
        Database::Postgres { url_file } => {
            let url = tokio::fs::read_to_string(url_file)
                .await
                .map_err(|error| DbError::UrlFile { path: url_file.clone(), error })?;
            open_server(url.trim()).await
        }
    }
}

/// Opens (or makes) a database file and brings its tables up to date.
///
/// `synchronous=FULL`: what was answered "stored" survives a power cut; NORMAL would lose the last commits under WAL.
///
/// # Errors
/// [`DbError`].
pub async fn open_file(file: &Path) -> Result<Db, DbError> {
    install_drivers();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file).create_if_missing(true);
    let url = sqlx::ConnectOptions::to_url_lossy(&options);
    let pragmas = format!(
        "pragma busy_timeout={}; pragma journal_mode=wal; pragma synchronous=full; pragma foreign_keys=on; pragma secure_delete=on;",
        BUSY_TIMEOUT.as_millis()
    );
    connect(url.as_str(), pragmas).await
}

/// Opens a PostgreSQL database, `postgres://user:password@host/name`, and brings its tables up to date.
///
/// # Errors
/// [`DbError`].
pub async fn open_server(url: &str) -> Result<Db, DbError> {
    install_drivers();
    let timeout = format!("set lock_timeout = {}", BUSY_TIMEOUT.as_millis());
    connect(url, timeout).await
}

fn install_drivers() {
    static ONCE: Once = Once::new();
    ONCE.call_once(sqlx::any::install_default_drivers);
}

async fn connect(url: &str, first: String) -> Result<Db, DbError> {
    let options: AnyConnectOptions = url.parse()?;
    let db = AnyPoolOptions::new()
        .max_connections(CONNECTIONS_MAX)
        .after_connect(move |connection, _| {
            let first = AssertSqlSafe(first.clone());
            Box::pin(async move { sqlx::raw_sql(first).execute(connection).await.map(drop) })
        })
        .connect_with(options)
        .await?;
    migrations(&db).run(&db).await?;
    Ok(db)
}

/// The one source of tables, in the words of this database: PostgreSQL calls a `blob` `bytea`.
fn migrations(db: &Db) -> Migrator {
    let migrations = MIGRATIONS.iter().map(|migration| {
        let mut sql = migration.sql.as_str().to_owned();
        if is_postgres(db) {
            sql = sql.replace(" blob ", " bytea ").replace(" blob,", " bytea,");
        }
        Migration { sql: AssertSqlSafe(sql).into_sql_str(), ..migration.clone() }
    });
    Migrator { migrations: Cow::Owned(migrations.collect()), ..Migrator::DEFAULT }
}

fn is_postgres(db: &Db) -> bool {
    db.connect_options().database_url.scheme().starts_with("postgres")
}

/// Begins a transaction that will write; it waits until the writer before it is done.
///
/// SQLite: IMMEDIATE takes the write lock now and waits for it under the busy timeout; a transaction that reads first and
/// writes later would be refused at once with SQLITE_BUSY when another writer came between.
///
/// # Errors
/// [`DbError::Sql`].
pub async fn begin_write(db: &Db) -> Result<Transaction, DbError> {
    // On PostgreSQL both in one message: each is waited for.
    begin(db, if is_postgres(db) { BEGIN_AS_WRITER } else { "BEGIN IMMEDIATE" }).await
}

/// Begins a transaction that only reads, all of it as of one moment.
///
/// # Errors
/// [`DbError::Sql`].
pub async fn begin_read(db: &Db) -> Result<Transaction, DbError> {
    begin(db, if is_postgres(db) { "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" } else { "BEGIN" }).await
}

/// Begins in a task, which goes on when its asker is gone and then rolls back. A future that is dropped while it begins leaves a transaction
/// open on PostgreSQL of which sqlx knows nothing: it may have the writers' lock, and what the connection's next user stores is never
/// committed.
async fn begin(db: &Db, statement: &'static str) -> Result<Transaction, DbError> {
    let db = db.clone();
    let begun = tokio::spawn(async move { db.begin_with(statement).await });
    Ok(begun.await.map_err(|_| sqlx::Error::WorkerCrashed)??)
}

/// Takes out of the file's log what was overwritten or deleted before; in the file itself SQLite overwrites it at once (`secure_delete`).
/// A reader that is at work puts it off to the next time. PostgreSQL's own vacuum and log rotation do it there.
///
/// # Errors
/// [`DbError::Sql`].
pub async fn forget(db: &Db) -> Result<(), DbError> {
    if !is_postgres(db) {
        sqlx::raw_sql("pragma wal_checkpoint(truncate)").execute(db).await?;
    }
    Ok(())
}

/// A value this program never writes.
pub(crate) fn damaged(what: impl Into<String>) -> DbError {
    DbError::Damaged { what: what.into() }
}

/// An amount as a `…_fen` column.
pub(crate) fn fen_column(amount: Fen) -> Result<i64, DbError> {
    i64::try_from(amount.0).map_err(|_| damaged("an amount beyond all prices"))
}
