//! Where issued certificates are kept: the port, and a fake in memory.

use std::convert::Infallible;
use std::future::Future;
use std::sync::{Mutex, PoisonError};

use model::Secret;

/// What was issued for one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// The request, by [`crate::request_id`].
    pub request_id: String,
    /// The signing public key, X then Y.
    pub key_xy: [u8; 64],
    /// Signing certificate, DER.
    pub sign_der: Vec<u8>,
    /// Encryption certificate, DER.
    pub enc_der: Vec<u8>,
    /// The encryption key pair sealed to the signing key, DER SM2EnvelopedKey.
    pub enveloped_der: Vec<u8>,
    /// The encryption private key, 32 bytes. A ledger wraps it by the vault before it stores it (for recovery, state 待恢复).
    pub enc_private: Secret,
}

/// What [`Ledger::record`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It was new and is now durable.
    New,
    /// The request id or the public key was there already; nothing was written.
    AlreadyThere,
}

/// Durable memory of what was issued. Request id and public key are each unique in it.
pub trait Ledger: Sync {
    /// What the store says when it fails.
    type Error: std::error::Error + Send + Sync + 'static;

    /// What was issued under this request id.
    fn find(&self, request_id: &str) -> impl Future<Output = Result<Option<Issued>, Self::Error>> + Send;

    /// The request id under which this public key (X then Y) was certified.
    fn key_seen(&self, key_xy: &[u8; 64])
    -> impl Future<Output = Result<Option<String>, Self::Error>> + Send;

    /// Writes `issued` and returns once it would survive a power cut. If its request id or its key is there already (two
    /// requests at once), it writes nothing and says so: the two are one unique insert, not a look-up and an insert.
    fn record(&self, issued: &Issued) -> impl Future<Output = Result<Recorded, Self::Error>> + Send;
}

/// A ledger that forgets at exit: the fake for tests.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    issued: Mutex<Vec<Issued>>,
}

impl MemoryLedger {
    /// How many requests were answered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.with(|issued| issued.len())
    }

    /// Whether nothing was issued.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn with<T>(&self, action: impl FnOnce(&mut Vec<Issued>) -> T) -> T {
        // A panic elsewhere leaves the list whole: every change is one push.
        action(&mut self.issued.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Ledger for MemoryLedger {
    type Error = Infallible;

    async fn find(&self, request_id: &str) -> Result<Option<Issued>, Infallible> {
        Ok(self.with(|issued| issued.iter().find(|i| i.request_id == request_id).cloned()))
    }

    async fn key_seen(&self, key_xy: &[u8; 64]) -> Result<Option<String>, Infallible> {
        Ok(self.with(|issued| issued.iter().find(|i| i.key_xy == *key_xy).map(|i| i.request_id.clone())))
    }

    async fn record(&self, new: &Issued) -> Result<Recorded, Infallible> {
        Ok(self.with(|issued| {
            if issued.iter().any(|i| i.request_id == new.request_id || i.key_xy == new.key_xy) {
                return Recorded::AlreadyThere;
            }
            issued.push(new.clone());
            Recorded::New
        }))
    }
}
