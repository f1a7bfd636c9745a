//! `config/station.toml`: file form, checks, and errors that name file, line, field and fix.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {source}; give the right path with --config", path = .path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not TOML, an unknown key, or a value of the wrong kind.
    #[error("{path}:{line}: {what}; see the comments in config/station.toml for what each key takes", path = .path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// A value that cannot work.
    #[error("{path}: {field}: {what}", path = .path.display())]
    Invalid {
        /// Which file.
        path: PathBuf,
        /// Dotted name of the field.
        field: String,
        /// What is wrong and the fix.
        what: String,
    },
}

/// The file form.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Folders.
    pub station: Folders,
    /// The screen at the bench.
    pub kiosk: Kiosk,
    /// Patience with the portal.
    pub portal: Patience,
    /// Work at the slots.
    pub work: Work,
    /// Labels.
    pub label: Label,
    /// Slots.
    #[serde(rename = "slot")]
    pub slots: Vec<hub::SlotConfig>,
}

/// Folders.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Folders {
    /// Journal and identity.
    pub state: PathBuf,
    /// Firmware profiles.
    pub profiles: PathBuf,
}

/// The kiosk screen.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kiosk {
    /// Address of the page.
    pub listen: SocketAddr,
}

/// Patience with the portal.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patience {
    /// How long a key in work waits for an answer, in seconds.
    pub answer_seconds: u64,
    /// After how many seconds without answer a request or report is sent again.
    pub repeat_seconds: u64,
}

/// Work at the slots.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Work {
    /// How many jobs to hold ready beyond those in work.
    pub jobs_ready: u16,
    /// How long a pulled key is waited for, in seconds.
    pub interrupted_seconds: u64,
    /// How long keys in work may finish at shutdown, in seconds.
    pub shutdown_seconds: u64,
}

/// Labels.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// Font file with Chinese glyphs.
    pub font: PathBuf,
    /// Face in a collection.
    pub font_index: u32,
    /// Where labels go.
    pub printer: label::PrinterSettings,
}

impl Config {
    /// Reads and checks `path`. Relative folders are taken from the file's own folder.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        let mut config: Self = toml::from_str(&text).map_err(|error| ConfigError::Malformed {
            path: path.to_owned(),
            line: error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1),
            what: error.message().to_owned(),
        })?;
        let base = path.parent().unwrap_or(Path::new("."));
        config.station.state = base.join(&config.station.state);
        config.station.profiles = base.join(&config.station.profiles);
        config.check(path)?;
        Ok(config)
    }

    fn check(&self, path: &Path) -> Result<(), ConfigError> {
        let invalid = |field: &str, what: String| {
            Err(ConfigError::Invalid { path: path.to_owned(), field: field.to_owned(), what })
        };
        let bounded = |field: &str, value: u64, least: u64, most: u64| {
            if (least..=most).contains(&value) {
                Ok(())
            } else {
                invalid(field, format!("{value} is out of range; give {least} to {most}"))
            }
        };
        bounded("portal.answer_seconds", self.portal.answer_seconds, 1, 3600)?;
        bounded("portal.repeat_seconds", self.portal.repeat_seconds, 1, 300)?;
        bounded("work.jobs_ready", self.work.jobs_ready.into(), 1, 64)?;
        bounded("work.interrupted_seconds", self.work.interrupted_seconds, 1, 86_400)?;
        bounded("work.shutdown_seconds", self.work.shutdown_seconds, 0, 600)?;
        if !self.kiosk.listen.ip().is_loopback() {
            return invalid(
                "kiosk.listen",
                format!(
                    "{} is open to the network and the page has no log-in; use 127.0.0.1",
                    self.kiosk.listen
                ),
            );
        }
        if !self.station.profiles.is_dir() {
            let shown = self.station.profiles.display();
            return invalid(
                "station.profiles",
                format!("{shown} is not a folder; point it at firmware-profiles"),
            );
        }
        hub::Slots::from_config(&self.slots).map(|_| ()).or_else(|error| invalid("slot", error.to_string()))
    }

    /// Folder of the journal.
    #[must_use]
    pub fn journal_dir(&self) -> PathBuf {
        self.station.state.join("journal")
    }

    /// Folder of what enrolment left.
    #[must_use]
    pub fn identity_dir(&self) -> PathBuf {
        self.station.state.join("identity")
    }
}

impl Patience {
    /// How long a key in work waits for an answer.
    #[must_use]
    pub fn answer(&self) -> Duration {
        Duration::from_secs(self.answer_seconds)
    }

    /// After how long a request is sent again.
    #[must_use]
    pub fn repeat(&self) -> Duration {
        Duration::from_secs(self.repeat_seconds)
    }
}
