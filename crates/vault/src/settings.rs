//! Which token, and how to log in.

use std::path::PathBuf;

use cryptoki::types::AuthPin;
use model::Secret;

use crate::error::VaultError;

/// Which token holds the master keys.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The PKCS#11 module; SoftHSM on Debian: `/usr/lib/softhsm/libsofthsm2.so`. SoftHSM finds its store by `SOFTHSM2_CONF`, which
    /// must stand in the environment before the module is first loaded in a process.
    pub module: PathBuf,
    /// The token's label, 1 to 32 visible ASCII characters or spaces. Slots are found by it, since their numbers change.
    pub token_label: String,
    /// The user PIN.
    pub pin: Secret,
}

impl Settings {
    /// Refuses a label that PKCS#11 would cut or pad into another.
    pub(crate) fn check(&self) -> Result<(), VaultError> {
        let label = &self.token_label;
        let legal = (1..=32).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
            && label.trim() == label;
        let rule = "it has 1 to 32 visible ASCII characters, with spaces inside only";
        if legal { Ok(()) } else { Err(VaultError::Argument { what: "the token label", rule }) }
    }
}

/// A PIN as cryptoki wants it: it is zeroised there too.
pub(crate) fn auth_pin(pin: &Secret) -> Result<AuthPin, VaultError> {
    let rule = "it has 4 to 255 bytes of UTF-8";
    let text = std::str::from_utf8(pin.expose()).ok().filter(|text| (4..=255).contains(&text.len()));
    text.map(|text| AuthPin::from(text.to_owned())).ok_or(VaultError::Argument { what: "a token PIN", rule })
}
