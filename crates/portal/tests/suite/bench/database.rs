//! The database of a test: a file in its folder, or, where `PORTAL_TEST_POSTGRES` names a server, a database of its own there.

use std::path::{Path, PathBuf};

use portal::config::{Config, Database};
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _};

/// `postgres://user@host:port`, without a database's name.
const SERVER: &str = "PORTAL_TEST_POSTGRES";

/// Where a test's tables are; on a server they go when this is dropped.
pub struct TestDatabase(Option<OnServer>);

struct OnServer {
    server: String,
    name: String,
    url_file: PathBuf,
}

impl TestDatabase {
    pub fn new(folder: &Path) -> Self {
        let Ok(server) = std::env::var(SERVER) else { return Self(None) };
        // Temporary folders have names of their own, but an upper case letter there is another one here.
        let name = format!("test_{}", hex::encode(folder.file_name().unwrap().as_encoded_bytes()));
        on_server(&server, format!("create database {name}"));
        let url_file = folder.join("database-url");
        std::fs::write(&url_file, format!("{server}/{name}\n")).unwrap();
        Self(Some(OnServer { server, name, url_file }))
    }

    pub fn config(&self) -> Database {
        match &self.0 {
            None => Database::Sqlite,
            Some(OnServer { url_file, .. }) => Database::Postgres { url_file: url_file.clone() },
        }
    }

    /// The section `[database]` of a config file.
    pub fn section(&self) -> toml::Table {
        let mut section = toml::Table::from_iter([("kind".to_owned(), "sqlite".into())]);
        if let Some(OnServer { url_file, .. }) = &self.0 {
            section["kind"] = "postgres".into();
            section.insert("url_file".to_owned(), url_file.display().to_string().into());
        }
        section
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Some(OnServer { server, name, .. }) = &self.0 {
            on_server(server, format!("drop database if exists {name} with (force)"));
        }
    }
}

/// On a thread of its own: a test may be within a runtime.
fn on_server(server: &str, sql: String) {
    let server = format!("{server}/postgres");
    let work = move || {
        sqlx::any::install_default_drivers();
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let mut connection = AnyConnection::connect(&server).await.unwrap();
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        });
    };
    std::thread::spawn(work).join().unwrap();
}

/// Every byte that is stored: the files, or the server's dump, where a `blob` is in hex.
pub fn stored(config: &Config) -> Vec<u8> {
    if let Database::Postgres { url_file } = &config.database {
        let url = std::fs::read_to_string(url_file).unwrap();
        let dump = std::process::Command::new("pg_dump").arg(url.trim()).output().unwrap();
        assert!(dump.status.success() && !dump.stdout.is_empty(), "{dump:?}");
        return dump.stdout;
    }
    let file = config.database_file();
    let log = std::fs::read(file.with_extension("db-wal")).unwrap_or_default();
    [std::fs::read(file).unwrap(), log].concat()
}
