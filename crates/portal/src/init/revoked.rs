//! The list by which the broker knows certificates of stations that count no more.

use std::path::Path;

use super::{files::replace, transport::TransportCa};
use crate::{
    config::Config,
    db::{Db, DbError, Sql},
};

const FILE: &str = "crl.pem";

/// Writes the list unless there is one.
pub(super) async fn write_first(config: &Config, db: &Db, transport: &TransportCa) -> anyhow::Result<()> {
    if config.broker_dir().join(FILE).exists() { Ok(()) } else { write(config, db, transport).await }
}

/// Writes the list as the database has it, and tells the broker if its process is known.
///
/// A connection that stands is not cut by it: whoever uses it gets nothing but the answers of a station that is not active, or secrets
/// sealed to a key it does not have. Restart the broker to end it.
pub(crate) async fn write(config: &Config, db: &Db, transport: &TransportCa) -> anyhow::Result<()> {
    let rows = sqlx::query_as::<Sql, (String, i64)>(
        "select serial, revoked_ms from revoked_stations order by serial",
    );
    let revoked = rows.fetch_all(db).await.map_err(DbError::from)?;
    let list = transport.crl(&revoked)?;
    replace(&config.broker_dir().join(FILE), 0o644, list.as_bytes())?;
    reload(&config.broker_dir().join("mosquitto.pid"));
    Ok(())
}

/// Has mosquitto read its files again.
fn reload(pid_file: &Path) {
    // A stale file names a stranger, whom the signal would end.
    let process = std::fs::read_to_string(pid_file).ok().and_then(|text| text.trim().parse::<u32>().ok());
    let process = process.filter(|process| {
        std::fs::read_to_string(format!("/proc/{process}/comm")).is_ok_and(|name| name.trim() == "mosquitto")
    });
    let told = process.is_some_and(|process| {
        let signal = std::process::Command::new("kill").args(["-HUP", &process.to_string()]).status();
        signal.is_ok_and(|status| status.success())
    });
    if !told {
        tracing::info!("the broker was not told of its new crl.pem: if it runs, send it SIGHUP");
    }
}
