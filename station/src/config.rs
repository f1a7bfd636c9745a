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
    #[error("{path}:{line}: {field}: {what}", path = .path.display())]
    Invalid {
        /// Which file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
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
    /// After so many bad keys in a row a slot, a hub or a lot of blanks is stopped.
    pub breaker_failures: u8,
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
        if let label::PrinterSettings::Folder { dir } = &mut config.label.printer {
            *dir = base.join(&*dir);
        }
        config.check(path, &text)?;
        Ok(config)
    }

    fn check(&self, path: &Path, text: &str) -> Result<(), ConfigError> {
        let at = |line: usize, field: &str, what: String| {
            Err(ConfigError::Invalid { path: path.to_owned(), line, field: field.to_owned(), what })
        };
        let invalid = |field: &str, what: String| at(line_of(text, field), field, what);
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
        bounded("work.breaker_failures", self.work.breaker_failures.into(), 1, 20)?;
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
        hub::Slots::from_config(&self.slots).map(|_| ()).or_else(|error| {
            let line = line_of_slot(text, error.index().unwrap_or(0));
            at(line, "slot", error.to_string())
        })
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

/// The line of `section.key`, from 1; the section's own line if the key is not found.
fn line_of(text: &str, field: &str) -> usize {
    let (section, key) = field.split_once('.').unwrap_or((field, ""));
    let mut inside = false;
    let mut line_of_section = 1;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            inside = line == format!("[{section}]");
            line_of_section = if inside { index + 1 } else { line_of_section };
        } else if inside && line.split('=').next().is_some_and(|name| name.trim() == key) {
            return index + 1;
        }
    }
    line_of_section
}

/// The line of the `index`-th `[[slot]]`, from 1.
fn line_of_slot(text: &str, index: usize) -> usize {
    let mut slots = text.lines().enumerate().filter(|(_, line)| line.trim() == "[[slot]]");
    slots.nth(index).map_or(1, |(line, _)| line + 1)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::{Path, PathBuf};

    use super::Config;

    fn shipped() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/station.toml")
    }

    /// What is said of the shipped file with one change.
    fn said(from: &str, to: &str) -> String {
        let text = std::fs::read_to_string(shipped()).unwrap();
        assert!(text.contains(from), "{from}");
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("firmware-profiles")).unwrap();
        std::fs::create_dir(dir.path().join("config")).unwrap();
        let path = dir.path().join("config/station.toml");
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
        Config::load(&path).map(|_| "well".to_owned()).unwrap_or_else(|error| error.to_string())
    }

    #[test]
    fn the_shipped_file_is_right() {
        let config = Config::load(&shipped()).unwrap();
        assert_eq!(config.slots.len(), 2);
        assert!(config.station.profiles.is_dir());
    }

    #[test]
    fn each_mistake_is_told_with_file_line_field_and_fix() {
        for (from, to, line_holds, words) in [
            ("jobs_ready = 16", "jobs_ready = 999", "jobs_ready", "give 1 to 64"),
            ("jobs_ready = 16", "jobs_raedy = 16", "jobs_raedy", "unknown field"),
            ("breaker_failures = 3", "breaker_failures = 21", "breaker_failures", "give 1 to 20"),
            ("repeat_seconds = 5", "repeat_seconds = \"5\"", "repeat_seconds", "config/station.toml"),
            ("127.0.0.1:8480", "0.0.0.0:8480", "listen", "use 127.0.0.1"),
            ("\"../firmware-profiles\"", "\"../nowhere\"", "profiles", "firmware-profiles"),
            ("name = \"A02\"", "name = \"A01\"", "[[slot]]", "A01"),
            ("[kiosk]", "[kiosk", "[kiosk", "config/station.toml"),
        ] {
            let said = said(from, to);
            assert!(said.contains("station.toml:"), "{said}");
            assert!(said.contains(words), "{to}: {said}");
            let text = std::fs::read_to_string(shipped()).unwrap().replacen(from, to, 1);
            let line: usize =
                said.split("station.toml:").nth(1).unwrap().split(':').next().unwrap().parse().unwrap();
            assert!(text.lines().nth(line - 1).unwrap().contains(line_holds), "{to}: line {line}: {said}");
        }
    }

    #[test]
    fn a_missing_file_is_told_with_its_name() {
        let error = Config::load(Path::new("/nowhere/station.toml")).unwrap_err().to_string();
        assert!(error.contains("/nowhere/station.toml") && error.contains("--config"), "{error}");
    }
}
