//! What can go wrong, by who must act.

use std::path::PathBuf;

/// Why the vault did not give what was asked. No text holds a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The PKCS#11 module cannot be loaded or started (operator).
    #[error(
        "cannot load the PKCS#11 module {module}: {detail}; install it (Debian: softhsm2) or correct its path"
    )]
    Module {
        /// The module's path.
        module: PathBuf,
        /// What the loader or C_Initialize said.
        detail: String,
    },
    /// No token has the label (operator).
    #[error(
        "no token is labelled {label:?}: run `portal init`, or check the label and that SOFTHSM2_CONF names the right store"
    )]
    NoToken {
        /// The label looked for.
        label: String,
    },
    /// Several tokens have the label (operator).
    #[error(
        "{count} tokens are labelled {label:?}: which one holds the master keys cannot be known; take the others away"
    )]
    ManyTokens {
        /// The label looked for.
        label: String,
        /// How many have it.
        count: usize,
    },
    /// There is no free slot for a new token (operator).
    #[error(
        "no slot has a blank token to initialise as {label:?}: add one to the HSM, or check SOFTHSM2_CONF"
    )]
    NoBlankToken {
        /// The label wanted.
        label: String,
    },
    /// The token refused the PIN, or the next wrong one would lock it. Nothing tries again (operator).
    #[error(
        "token {label:?} did not take the {who} PIN ({why}): correct it before the next start, each wrong try counts"
    )]
    Pin {
        /// The token's label.
        label: String,
        /// `user` or `security officer`.
        who: &'static str,
        /// What the token said.
        why: String,
    },
    /// An object that should be in the token is not (operator).
    #[error("the token has no {what} labelled {label:?}: {remedy}")]
    Absent {
        /// Which kind of object.
        what: &'static str,
        /// Its label.
        label: String,
        /// The next move.
        remedy: &'static str,
    },
    /// Two objects have one label (operator).
    #[error(
        "the token has {count} objects labelled {label:?}: remove the wrong one by hand; guessing could ruin keys"
    )]
    Ambiguous {
        /// The label.
        label: String,
        /// How many there are.
        count: usize,
        /// The next move.
        remedy: &'static str,
    },
    /// A master key could leave the token, or once could (operator).
    #[error("master key {label:?} is not protected ({why}): it was not made by `portal init`, do not use it")]
    Unprotected {
        /// The key's label.
        label: String,
        /// The attribute that is wrong.
        why: &'static str,
    },
    /// An argument out of bounds (a bug of the caller, or of the configuration).
    #[error("{what} is not valid: {rule}")]
    Argument {
        /// Which argument.
        what: &'static str,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// What should be unwrapped was altered, or wrapped for another context or by another token.
    #[error(
        "the wrapped bytes for {context:?} do not open: altered, wrapped for another context, or by another token's key"
    )]
    Sealed {
        /// The context given.
        context: String,
    },
    /// The token failed, also after one new session (operator).
    #[error("the token {label:?} failed at {function}: {detail}; check the HSM and start the portal again")]
    Token {
        /// The token's label.
        label: String,
        /// The PKCS#11 function.
        function: String,
        /// Its answer.
        detail: String,
    },
}
