//! The checks between the file form and the trusted form: small, named, each with one file under
//! `firmware-profiles/bad/` that it alone refuses.

mod device;
mod plan;
mod recognition;
mod sources;
mod words;

use crate::file::ProfileFile;

/// What a check is given.
pub(crate) struct Subject<'a> {
    pub file: &'a ProfileFile,
    /// Dotted names of the values under `[dialect]` and `[match]`.
    pub to_source: &'a [String],
    /// Dotted names of everything else that a source may be named for.
    pub others: &'a [String],
}

/// What a check finds.
#[derive(Debug)]
pub(crate) struct Problem {
    pub field: String,
    pub what: String,
    pub remedy: String,
}

impl Problem {
    fn new(field: impl Into<String>, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { field: field.into(), what: what.into(), remedy: remedy.into() }
    }
}

/// One check: nothing found is a pass.
pub(crate) type Check = fn(&Subject<'_>) -> Vec<Problem>;

/// The check that serde makes before any other: fields, types and nothing unknown.
pub const SCHEMA: &str = "schema";

/// All checks after [`SCHEMA`], by name.
pub(crate) const CHECKS: &[(&str, Check)] = &[
    ("identity", words::identity),
    ("title", words::title),
    ("application-name", words::application_name),
    ("container-name", words::container_name),
    ("label", words::label),
    ("secret-label", words::secret_label),
    ("secret-value", words::secret_value),
    ("recognition", recognition::recognition),
    ("atr", recognition::atr),
    ("usb-id", recognition::usb),
    ("device-info", recognition::device_info),
    ("device-auth-random", device::device_auth_random),
    ("device-auth-tries", device::device_auth_tries),
    ("secure-messaging", device::secure_messaging),
    ("envelope", device::envelope),
    ("algorithm-ids", device::algorithm_ids),
    ("counts", device::counts),
    ("certificate-size", device::certificate_size),
    ("command-data", device::command_data),
    ("pin-lengths", device::pin_lengths),
    ("pin-tries", device::pin_tries),
    ("steps", plan::steps),
    ("redo", plan::redo),
    ("step-budget", plan::step_budget),
    ("job-budget", plan::job_budget),
    ("sources-complete", sources::complete),
    ("sources-known", sources::known),
    ("source-text", sources::text),
];

/// A single problem if `ok` does not hold.
fn unless(ok: bool, problem: impl FnOnce() -> Problem) -> Vec<Problem> {
    if ok { Vec::new() } else { vec![problem()] }
}
