//! What can be wrong with cryptographic input, in one enum.

/// Why a value of this crate could not be read, made or verified. No variant carries secret bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GmError {
    /// 64 bytes that are no curve point.
    #[error(
        "these 64 bytes are not a point of the SM2 curve: the public key was read or cut wrongly, read it again at its source"
    )]
    NotAPoint,
    /// Bytes that are no private key.
    #[error(
        "these bytes are not an SM2 private key (32 bytes, value 1 to n-2): the secret was stored or unwrapped wrongly"
    )]
    NotAPrivateKey,
    /// Bytes that are no signature.
    #[error(
        "not an SM2 signature (r and s, each 1 to n-1; DER is SEQUENCE of two INTEGER): refuse what it belongs to"
    )]
    NotASignature,
    /// A signature of something else or of another key.
    #[error(
        "the SM2 signature does not fit the data and the public key: the data were changed or another key signed; refuse them"
    )]
    SignatureWrong,
    /// Too short, too long or not aligned.
    #[error("{what} has {len} bytes, it must have {allowed}")]
    Length {
        /// Which value.
        what: &'static str,
        /// How long it is.
        len: usize,
        /// What is allowed, in words.
        allowed: &'static str,
    },
    /// Bytes that are not the form they should be.
    #[error("{what} cannot be read: {why}")]
    Malformed {
        /// Which form.
        what: &'static str,
        /// Where it went wrong.
        why: String,
    },
    /// Sealed for another key, or damaged.
    #[error(
        "the sealed data do not open with this key: they were sealed to another key or damaged; ask for them anew"
    )]
    NotOpened,
    /// A part of a distinguished name that cannot be in one.
    #[error("name part {attribute}: {why}")]
    Name {
        /// The attribute as given.
        attribute: String,
        /// The rule and the remedy.
        why: &'static str,
    },
    /// A certificate extension that cannot be added.
    #[error("certificate extension {oid}: {why}")]
    Extension {
        /// The OID as given.
        oid: String,
        /// The rule and the remedy.
        why: &'static str,
    },
    /// A validity period that strict verifiers refuse.
    #[error("certificate validity: {0}")]
    Validity(&'static str),
    /// A certificate that cannot issue what was asked.
    #[error("issuer: {0}")]
    Issuer(&'static str),
    /// The system has no randomness.
    #[error("the operating system gave no random bytes: nothing was made; check /dev/urandom and repeat")]
    Random,
    /// Signing hit one of the values the algorithm excludes (probability below 2^-250).
    #[error("signing failed: repeat it")]
    Signing,
}

impl GmError {
    pub(crate) fn malformed(what: &'static str, why: impl std::fmt::Display) -> Self {
        Self::Malformed { what, why: why.to_string() }
    }
}
