//! What must hold of a stack whatever happened to it, checked on what lies in its folder: the portal's database with the CA's ledger, the
//! stations' journals, the keys' flash, the labels, what SF, Alipay, the SMS service and the invoice provider have, and the logs. None of
//! them is trusted, and no code of portal or station reads them here. The database may lie on a server.
//!
//! The stack must stand still: portal and station stopped. Nothing is changed: what would be written to by looking is copied first.

mod doubles;
mod flash;
mod journals;
mod ledger;
mod read_back;
mod rules;
mod secrets;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

use self::{doubles::Doubles, flash::Flash, journals::Book, ledger::Ledger};

/// What kind of promise is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Something that was promised to be there is not.
    Lost,
    /// Something is there twice that may be there once.
    Doubled,
    /// Something is there and nobody says why.
    Unaccounted,
    /// A secret is where it can be read.
    Leaked,
}

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// Of which kind.
    pub kind: Kind,
    /// What is wrong.
    pub what: String,
    /// Where it is seen.
    pub place: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}; seen in {}", self.kind, self.what, self.place)
    }
}

/// How much was checked, and all that is wrong.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Orders in the portal.
    pub orders: usize,
    /// Payments by Alipay, begun ones too.
    pub payments: usize,
    /// Messages about orders.
    pub messages: usize,
    /// Invoices.
    pub invoices: usize,
    /// Keys: flash files.
    pub keys: usize,
    /// Certificates in the CA's ledger, counted singly.
    pub certificates: usize,
    /// All that is wrong, sorted; empty if nothing is.
    pub violations: Vec<Violation>,
}

impl Verdict {
    /// How many of a kind.
    #[must_use]
    pub fn count(&self, kind: Kind) -> usize {
        self.violations.iter().filter(|violation| violation.kind == kind).count()
    }

    /// Fails with all violations, a line each.
    ///
    /// # Errors
    /// If there is one.
    pub fn ensure_whole(&self) -> Result<()> {
        let lines: Vec<String> = self.violations.iter().map(ToString::to_string).collect();
        ensure!(lines.is_empty(), "{self}\n{}", lines.join("\n"));
        Ok(())
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "invariants: checked orders={} payments={} messages={} invoices={} keys={} certificates={} lost={} doubled={} unaccounted={} leaked={}",
            self.orders,
            self.payments,
            self.messages,
            self.invoices,
            self.keys,
            self.certificates,
            self.count(Kind::Lost),
            self.count(Kind::Doubled),
            self.count(Kind::Unaccounted),
            self.count(Kind::Leaked)
        )
    }
}

/// All that is known, read once.
#[derive(Clone, Debug, Default)]
struct Evidence {
    ledger: Ledger,
    books: Vec<Book>,
    flashes: Vec<Flash>,
    /// Waybills of label files.
    labels: Vec<String>,
    doubles: Doubles,
    /// Certificate serials (signing, encryption) that each issued key proved to hold, or why not.
    read_back: BTreeMap<String, read_back::Proof>,
    /// File and what of whom is in it.
    leaks: Vec<(PathBuf, String)>,
}

/// Checks everything in a stack's folder.
///
/// # Errors
/// Evidence cannot be read at all: it is absent, or a program of the stack still runs.
pub fn check(stack: &Path) -> Result<Verdict> {
    Ok(judge(&gather(stack)?))
}

/// Whether nothing was written on a key since it left the maker.
///
/// # Errors
/// Its flash cannot be read.
pub fn is_blank(key: &Path) -> Result<bool> {
    Ok(!flash::one(key).with_context(|| format!("the flash {}", key.display()))?.touched)
}

fn gather(stack: &Path) -> Result<Evidence> {
    let scratch = tempfile::tempdir()?;
    let ledger = ledger::read(stack, scratch.path())?;
    let books = journals::read(stack, &ledger.stations)?;
    let flashes = flash::read(&stack.join("keys"))?;
    let read_back = read_back::prove(&ledger, &flashes, scratch.path())?;
    let leaks = secrets::find(stack, &flashes)?;
    Ok(Evidence {
        ledger,
        books,
        flashes,
        labels: labels(&stack.join("labels"))?,
        doubles: doubles::read(&stack.join("doubles"))?,
        read_back,
        leaks,
    })
}

fn judge(evidence: &Evidence) -> Verdict {
    let mut violations = rules::all(evidence);
    violations.sort();
    violations.dedup();
    Verdict {
        orders: evidence.ledger.orders.len(),
        payments: evidence.ledger.payments.len(),
        messages: evidence.ledger.messages.len(),
        invoices: evidence.ledger.invoices.len(),
        keys: evidence.flashes.len(),
        certificates: evidence.ledger.certificates.len() * 2,
        violations,
    }
}

fn labels(dir: &Path) -> Result<Vec<String>> {
    let mut waybills = Vec::new();
    for entry in std::fs::read_dir(dir).with_context(|| format!("labels in {}", dir.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "pdf") {
            waybills.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    waybills.sort();
    Ok(waybills)
}
