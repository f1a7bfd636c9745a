//! Why the CA did not issue.

use gm::GmError;

/// Errors of issuing, grouped by who must act.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// The request is not one this CA can certify: the station must not repeat it.
    #[error("certificate request refused: {0}")]
    Request(GmError),
    /// The request id came before with another public key.
    #[error(
        "request {request_id} was answered for another public key: a new key pair was made for the job; set the key aside and start a new job"
    )]
    RequestChanged {
        /// The request id.
        request_id: String,
    },
    /// The public key was certified before.
    #[error(
        "the public key of request {request_id} was certified under {earlier}: one key pair serves one job; set the key aside"
    )]
    KeySeen {
        /// The request now.
        request_id: String,
        /// The request that has the key.
        earlier: String,
    },
    /// Name, extensions, years or request id, as the order and its programme give them.
    #[error(
        "what the order asks for cannot be in a certificate: {0}; correct the order or its programme file"
    )]
    Order(GmError),
    /// Years outside 1 to 10.
    #[error("a certificate for {0} years: it must be 1 to 10; correct the order or its programme file")]
    Years(u8),
    /// The clock is before the CA's own certificate, or at a time that certificates cannot carry.
    #[error(
        "the clock is wrong for this CA (before its own certificate, before 1970, or beyond 9999): set it and repeat"
    )]
    Clock,
    /// CA certificates or keys that do not belong together.
    #[error(
        "the CA's stored parts do not belong together ({what}): restore certificate and key of one CA from the backup"
    )]
    Parts {
        /// Which parts.
        what: &'static str,
        /// What the check said.
        #[source]
        source: GmError,
    },
    /// A certificate or list could not be made.
    #[error("the CA could not sign: {0}")]
    Sign(GmError),
    /// The ledger failed: nothing was answered, the same request may come again.
    #[error(
        "the record of issued certificates does not answer: nothing was issued; repair the database and repeat the request"
    )]
    Ledger(#[source] Box<dyn std::error::Error + Send + Sync>),
}
