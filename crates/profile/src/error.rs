//! Why a profile was not taken, said so that whoever wrote it can mend it.

use std::{fmt, io, path::PathBuf};

/// Why profiles could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// The file or folder could not be read.
    #[error("{}: cannot be read: {source}; check the path and its permissions", file.display())]
    Read {
        /// Which.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// One or more checks refuse the profile.
    #[error("{}", Lines(file, findings))]
    Refused {
        /// Which file.
        file: PathBuf,
        /// What is wrong, in the order of the checks; never empty.
        findings: Vec<Finding>,
    },
    /// The file lies where its maker and model do not say.
    #[error("{}: the profile calls itself {name}; move it to {name}.toml or correct `maker` and `model`", file.display())]
    Misplaced {
        /// Which file.
        file: PathBuf,
        /// `maker/model` of its content.
        name: String,
    },
    /// Two profiles fit the same key.
    #[error("{first} and {second} have the same {what}: a key would fit both; keep one or correct the other")]
    Ambiguous {
        /// One profile.
        first: String,
        /// The other.
        second: String,
        /// What they share.
        what: &'static str,
    },
}

impl ProfileError {
    /// What the checks found; empty unless they refused the file.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        match self {
            Self::Refused { findings, .. } => findings,
            _ => &[],
        }
    }
}

/// One thing that is wrong with a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// Name of the check that refuses it, as under `firmware-profiles/bad/`.
    pub check: &'static str,
    /// Line in the file from 1, where the field stands in it.
    pub line: Option<usize>,
    /// Dotted name of the field.
    pub field: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {} (check {})", self.field, self.what, self.remedy, self.check)
    }
}

/// Findings one a line, each behind its file and line.
struct Lines<'a>(&'a PathBuf, &'a [Finding]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.1.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            match finding.line {
                Some(line) => write!(f, "{end}{}:{line}: {finding}", self.0.display())?,
                None => write!(f, "{end}{}: {finding}", self.0.display())?,
            }
        }
        Ok(())
    }
}
