//! SF Express on this machine.

mod control;
mod fault;
mod gateway;
mod order;
mod routing;
mod sign;
mod store;

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post},
};
use clap::ValueEnum;
pub use fault::{Fault, UnknownFault};
use model::Secret;
pub use store::Order;

use crate::{
    faults::{Faults, lock},
    kept::Kept,
    listener::{Listener, Running, SandboxError},
};

/// The partner the double knows where none is given.
pub const PARTNER_ID: &str = "SANDBOX";
/// The checkword of [`PARTNER_ID`]. It is public and guards nothing: the double listens on this machine only.
pub const CHECKWORD: &str = "sandbox-checkword-of-no-account-";

/// The signature that the console of the pretended account is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SignMode {
    /// MD5 over the form-encoded text.
    Standard,
    /// MD5 over the text as it is.
    Simple,
    /// SM3 over the form-encoded text.
    Sm3,
}

/// What happens to an order id that was used before; SF's own pages describe both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Repeat {
    /// The waybill of the first order again, whatever the repetition says.
    FirstWaybill,
    /// 8016 重复下单.
    Refuse,
}

/// How the double is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; a loopback address. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The account's partner id.
    pub partner_id: String,
    /// The account's checkword.
    pub checkword: Secret,
    /// The account's signature.
    pub sign_mode: SignMode,
    /// What a used order id gets.
    pub repeat: Repeat,
    /// A file that keeps orders and waybills over a restart; without it they are forgotten.
    pub state: Option<PathBuf>,
}

impl Default for Options {
    /// A free port of 127.0.0.1, [`PARTNER_ID`], [`CHECKWORD`], standard signature, first waybill again, no file.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            partner_id: PARTNER_ID.to_owned(),
            checkword: Secret::from(CHECKWORD),
            sign_mode: SignMode::Standard,
            repeat: Repeat::FirstWaybill,
            state: None,
        }
    }
}

/// What the handlers share.
pub(crate) struct Double {
    pub(crate) options: Options,
    pub(crate) faults: Faults<Fault>,
    orders: Mutex<Kept<Order>>,
}

impl Double {
    pub(crate) fn orders(&self) -> MutexGuard<'_, Kept<Order>> {
        lock(&self.orders)
    }
}

fn double(options: Options) -> Result<Arc<Double>, SandboxError> {
    let orders = Mutex::new(Kept::open(options.state.as_deref())?);
    Ok(Arc::new(Double { options, faults: Faults::default(), orders }))
}

fn routes(double: Arc<Double>) -> Router {
    Router::new()
        .route("/std/service", post(gateway::service))
        .route("/control", post(control::set))
        .route("/control/orders", get(control::orders))
        .layer(DefaultBodyLimit::max(64 * 1024))
        .with_state(double)
}

/// The double's routes, to be served together with others.
///
/// # Errors
/// [`SandboxError::State`].
pub fn router(options: Options) -> Result<Router, SandboxError> {
    Ok(routes(double(options)?))
}

/// Runs the double on a thread of its own, until the handle is dropped. Requests are answered from when this returns.
///
/// # Errors
/// [`SandboxError`].
pub fn spawn(options: Options) -> Result<Handle, SandboxError> {
    let listener = Listener::bind(options.listen)?;
    let double = double(options)?;
    let running = listener.spawn("sandbox-sf", routes(Arc::clone(&double)))?;
    Ok(Handle { running, double })
}

/// A running double; dropping it ends it and cuts what is still waiting.
pub struct Handle {
    running: Running,
    double: Arc<Double>,
}

impl Handle {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.running.address()
    }

    /// The address to give a client.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}/std/service", self.address())
    }

    /// Misbehaves at the next calls, one fault a call, in this order.
    pub fn next(&self, faults: impl IntoIterator<Item = Fault>) {
        // Full only after more faults than any test has calls.
        let _ = self.double.faults.add(faults, false);
    }

    /// Every order the double has, oldest first.
    #[must_use]
    pub fn orders(&self) -> Vec<Order> {
        self.double.orders().all().to_vec()
    }
}
