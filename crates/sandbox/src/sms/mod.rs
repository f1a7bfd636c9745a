//! Alibaba Cloud's short message service on this machine.

mod fault;
mod page;
mod service;
mod sign;

use std::{
    collections::VecDeque,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post},
};
use jiff::Timestamp;
use model::Secret;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use fault::{Fault, UnknownFault};

use crate::{
    faults::{Faults, lock},
    kept::Kept,
    listener::{Listener, Running, SandboxError},
};

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
    /// A file that keeps messages over a restart; without it they are forgotten.
    pub state: Option<PathBuf>,
    /// What time messages are sent at, which they are found by.
    pub clock: fn() -> Timestamp,
}

impl Default for Options {
    /// A free port of 127.0.0.1, [`ACCESS_KEY_ID`], [`ACCESS_KEY_SECRET`], no file, the machine's time.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            access_key_id: ACCESS_KEY_ID.to_owned(),
            access_key_secret: Secret::from(ACCESS_KEY_SECRET),
            state: None,
            clock: Timestamp::now,
        }
    }
}

/// A message that was sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
    faults: Faults<Fault>,
    nonces: Mutex<VecDeque<String>>,
    sent: Mutex<Kept<Sent>>,
}

impl Double {
    fn open(options: Options) -> Result<Arc<Self>, SandboxError> {
        let sent = Mutex::new(Kept::open(options.state.as_deref())?);
        Ok(Arc::new(Self { options, faults: Faults::default(), nonces: Mutex::default(), sent }))
    }

    /// False for a nonce that was used.
    fn is_fresh(&self, nonce: &str) -> bool {
        let mut nonces = lock(&self.nonces);
        let fresh = !nonces.iter().any(|used| used == nonce);
        if nonces.len() >= MESSAGES_MAX {
            nonces.pop_front();
        }
        nonces.push_back(nonce.to_owned());
        fresh
    }

    fn sent(&self) -> Vec<Sent> {
        lock(&self.sent).all().to_vec()
    }
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
///
/// # Errors
/// [`SandboxError::State`].
pub fn router(options: Options) -> Result<Router, SandboxError> {
    Ok(routes(Double::open(options)?))
}

/// Runs the double on a thread of its own, until the handle is dropped. Requests are answered from when this returns.
///
/// # Errors
/// [`SandboxError`].
pub fn spawn(options: Options) -> Result<Handle, SandboxError> {
    let listener = Listener::bind(options.listen)?;
    let double = Double::open(options)?;
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
        // Full only after more faults than any test has calls.
        let _ = self.double.faults.add(faults, false);
    }

    /// Every message that was sent, oldest first.
    #[must_use]
    pub fn sent(&self) -> Vec<Sent> {
        self.double.sent()
    }
}
