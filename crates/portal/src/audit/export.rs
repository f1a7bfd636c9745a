//! The audit and the anchors as files, for `ukey-audit`, which trusts nothing here.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufWriter, Write as _},
    path::Path,
};

use anyhow::Context as _;
use futures_util::TryStreamExt as _;
use serde::Serialize;

use crate::db::{Connection, Db, DbError, Sql, begin_read};

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Rows of the audit.
    pub rows: u64,
    /// Anchors of each station.
    pub anchors: BTreeMap<String, u64>,
}

/// A line of `portal.jsonl`.
#[derive(Serialize, sqlx::FromRow)]
struct Line {
    sequence: i64,
    at_ms: i64,
    who: String,
    what: String,
    subject: String,
    detail: String,
    head: String,
}

/// A line of `anchors-<station>.jsonl`.
#[derive(Serialize, sqlx::FromRow)]
struct AnchorLine {
    #[serde(skip)]
    station: String,
    sequence: i64,
    head: String,
    #[serde(rename = "signature_hex")]
    signature: String,
    #[serde(rename = "station_public_key_hex")]
    station_key: String,
}

/// Writes `portal.jsonl` (the chain) and `anchors-<station>.jsonl` (heads that each station signed) into `dir`, as of one moment.
///
/// # Errors
/// The file system's or the database's.
pub async fn export(db: &Db, dir: &Path) -> anyhow::Result<Exported> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let mut snapshot = begin_read(db).await?;
    let rows = export_rows(&mut snapshot, &dir.join("portal.jsonl")).await?;
    let anchors = export_anchors(&mut snapshot, dir).await?;
    Ok(Exported { rows, anchors })
}

async fn export_rows(snapshot: &mut Connection, path: &Path) -> anyhow::Result<u64> {
    let mut file = Lines::create(path)?;
    let mut rows = sqlx::query_as::<Sql, Line>(
        "select sequence, at_ms, who, what, subject, detail, head from audit order by sequence",
    )
    .fetch(snapshot);
    while let Some(row) = rows.try_next().await.map_err(DbError::from)? {
        file.add(&row)?;
    }
    file.close()
}

async fn export_anchors(snapshot: &mut Connection, dir: &Path) -> anyhow::Result<BTreeMap<String, u64>> {
    let mut rows = sqlx::query_as::<Sql, AnchorLine>(
        "select station, sequence, head, signature, station_key from anchors order by station, sequence, received_ms",
    )
    .fetch(snapshot);
    let (mut counts, mut open): (_, Option<(String, Lines)>) = (BTreeMap::new(), None);
    while let Some(row) = rows.try_next().await.map_err(DbError::from)? {
        if open.as_ref().is_none_or(|(station, _)| *station != row.station) {
            if let Some((station, file)) = open.take() {
                counts.insert(station, file.close()?);
            }
            let file = Lines::create(&dir.join(format!("anchors-{}.jsonl", row.station)))?;
            open = Some((row.station.clone(), file));
        }
        if let Some((_, file)) = &mut open {
            file.add(&row)?;
        }
    }
    if let Some((station, file)) = open {
        counts.insert(station, file.close()?);
    }
    Ok(counts)
}

/// A file of JSON lines.
struct Lines {
    file: BufWriter<File>,
    name: String,
    count: u64,
}

impl Lines {
    fn create(path: &Path) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        let file = File::create(path).with_context(|| format!("cannot write {name}"))?;
        Ok(Self { file: BufWriter::new(file), name, count: 0 })
    }

    fn add(&mut self, line: &impl Serialize) -> anyhow::Result<()> {
        serde_json::to_writer(&mut self.file, line).with_context(|| format!("cannot write {}", self.name))?;
        self.file.write_all(b"\n").with_context(|| format!("cannot write {}", self.name))?;
        self.count += 1;
        Ok(())
    }

    fn close(mut self) -> anyhow::Result<u64> {
        self.file.flush().with_context(|| format!("cannot write {}", self.name))?;
        Ok(self.count)
    }
}
