//! Firmware profiles: files that somebody may have edited.

use std::path::Path;

/// The text of a profile. What is refused is refused with a line or a reason for each finding.
pub fn profiles(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match profile::parse(text, Path::new("maker/model.toml")) {
        Ok(profile) => {
            assert!(!profile.steps.is_empty(), "a trusted profile has steps");
            let irreversible = |step: &profile::Step| step.kind.is_irreversible();
            let repeated = profile.steps.iter().filter(|step| irreversible(step));
            assert!(repeated.clone().all(|step| step.redo != profile::Redo::Repeat), "repeated blindly");
        }
        Err(error) => {
            assert!(!error.findings().is_empty(), "refused without a reason");
            let _ = error.to_string();
        }
    }
}
