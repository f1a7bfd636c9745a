//! Alibaba Cloud's short message service on this machine.

mod fault;
mod page;
mod service;
mod sign;

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post},
};
use model::Secret;
use serde::Serialize;
use serde_json::Value;

pub use fault::{Fault, UnknownFault};

use crate::listener::{Listener, Running, SandboxError};

/// The AccessKey ID the double knows where none is given.
pub const ACCESS_KEY_ID: &str = "SANDBOX";
/// The secret of [`ACCESS_KEY_ID`]. It is public and guards nothing: the double listens on this machine only.
pub const ACCESS_KEY_SECRET: &str = "sandbox-secret-of-no-account";

/// Messages that are remembered; the oldest give way.
const MESSAGES_MAX: usize = 10_000;

/// How the double is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; a loopback address. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The account's AccessKey ID.
    pub access_key_id: String,
    /// Its secret.
    pub access_key_secret: Secret,
}

impl Default for Options {
    /// A free port of 127.0.0.1, [`ACCESS_KEY_ID`], [`ACCESS_KEY_SECRET`].
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            access_key_id: ACCESS_KEY_ID.to_owned(),
            access_key_secret: Secret::from(ACCESS_KEY_SECRET),
        }
    }
}

/// A message that was sent.
#[derive(Clone, Debug, Serialize)]
pub struct Sent {
    /// To whom.
    pub mobile: String,
    /// The sign name.
    pub sign_name: String,
    /// The template's code.
    pub template: String,
    /// The template's parameters.
    pub parameters: Value,
    /// What a person reads.
    pub text: String,
    /// The caller's id.
    pub out_id: String,
    /// The double's id.
    pub biz_id: String,
    /// When, `yyyy-MM-dd HH:mm:ss` in China.
    pub at: String,
    /// 1 waiting for the carrier, 2 failed, 3 arrived.
    pub status: u8,
}

/// What the handlers share.
struct Double {
    options: Options,
    faults: Mutex<VecDeque<Fault>>,
    nonces: Mutex<VecDeque<String>>,
    sent: Mutex<VecDeque<Sent>>,
}

impl Double {
    fn new(options: Options) -> Arc<Self> {
        Arc::new(Self { options, faults: Mutex::default(), nonces: Mutex::default(), sent: Mutex::default() })
    }

    /// False when too many wait.
    fn push(&self, fault: Fault) -> bool {
        let mut faults = lock(&self.faults);
        let room = faults.len() < MESSAGES_MAX;
        if room {
            faults.push_back(fault);
        }
        room
    }

    /// False for a nonce that was used.
    fn is_fresh(&self, nonce: &str) -> bool {
        let mut nonces = lock(&self.nonces);
        let fresh = !nonces.iter().any(|used| used == nonce);
        keep(&mut nonces, nonce.to_owned());
        fresh
    }

    fn sent(&self) -> Vec<Sent> {
        lock(&self.sent).iter().cloned().collect()
    }
}

/// A panic in a handler leaves nothing half-done, so the lock is taken all the same.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn keep<T>(queue: &mut VecDeque<T>, new: T) {
    if queue.len() >= MESSAGES_MAX {
        queue.pop_front();
    }
    queue.push_back(new);
}

fn routes(double: Arc<Double>) -> Router {
    Router::new()
        .route("/sms", get(page::page).post(service::service))
        .route("/sms/messages", get(page::messages))
        .route("/sms/control", post(page::control))
        .layer(DefaultBodyLimit::max(64 * 1024))
        .with_state(double)
}

/// The double's routes, to be served together with others.
pub fn router(options: Options) -> Router {
    routes(Double::new(options))
}

/// Runs the double on a thread of its own, until the handle is dropped. Requests are answered from when this returns.
///
/// # Errors
/// [`SandboxError`].
pub fn spawn(options: Options) -> Result<Handle, SandboxError> {
    let listener = Listener::bind(options.listen)?;
    let double = Double::new(options);
    let running = listener.spawn("sandbox-sms", routes(Arc::clone(&double)))?;
    Ok(Handle { running, double })
}

/// A running double; dropping it ends it and cuts what is still waiting.
pub struct Handle {
    running: Running,
    double: Arc<Double>,
}

impl Handle {
    /// The address to give a client.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}/sms", self.running.address())
    }

    /// Misbehaves at the next calls, one fault a call, in this order.
    pub fn next(&self, faults: impl IntoIterator<Item = Fault>) {
        for fault in faults {
            // Full only after more faults than any test has calls.
            let _ = self.double.push(fault);
        }
    }

    /// Every message that was sent, oldest first.
    #[must_use]
    pub fn sent(&self) -> Vec<Sent> {
        self.double.sent()
    }
}
