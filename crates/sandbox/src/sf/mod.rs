//! SF Express on this machine.

mod control;
mod fault;
mod gateway;
mod order;
mod routing;
mod sign;
mod store;

use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post},
};
use clap::ValueEnum;
use model::Secret;
use tokio::{net::TcpListener, sync::oneshot};

pub use fault::{Fault, UnknownFault};
pub use store::Order;

use fault::Faults;
use store::Store;

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

/// Why the double does not run.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// It must not be reached from another machine: its checkword is public.
    #[error(
        "the sandbox listens on this machine only and {0} is not a loopback address: give 127.0.0.1:PORT"
    )]
    NotLoopback(SocketAddr),
    /// The address is taken or not there.
    #[error("cannot listen on {address}: another program may hold the port")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// The state file cannot be read, or is not one.
    #[error("cannot use the state file {}: repair it, or delete it to begin anew", .path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The system gave no thread or runtime.
    #[error("cannot start the sandbox's thread")]
    Thread(#[source] io::Error),
}

/// What the handlers share.
pub(crate) struct Double {
    pub(crate) options: Options,
    faults: Mutex<Faults>,
    store: Mutex<Store>,
}

impl Double {
    /// A panic in a handler leaves nothing half-done in either, so the lock is taken all the same.
    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn double(options: Options) -> Result<Arc<Double>, SandboxError> {
    if !options.listen.ip().is_loopback() {
        return Err(SandboxError::NotLoopback(options.listen));
    }
    let store = Store::open(options.state.as_deref())
        .map_err(|source| SandboxError::State { path: options.state.clone().unwrap_or_default(), source })?;
    Ok(Arc::new(Double { options, faults: Mutex::default(), store: Mutex::new(store) }))
}

fn router(double: Arc<Double>) -> Router {
    Router::new()
        .route("/std/service", post(gateway::service))
        .route("/control", post(control::set))
        .route("/control/orders", get(control::orders))
        .layer(DefaultBodyLimit::max(64 * 1024))
        .with_state(double)
}

/// Runs the double until the process ends.
///
/// # Errors
/// [`SandboxError`], also when the listener breaks.
pub async fn serve(options: Options) -> Result<(), SandboxError> {
    let address = options.listen;
    let double = double(options)?;
    let failed = |source| SandboxError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    tracing::info!(address = %listener.local_addr().map_err(failed)?, "SF's double listens");
    axum::serve(listener, router(double)).await.map_err(failed)
}

/// Runs the double on a thread of its own, until the handle is dropped. Requests are answered from when this returns.
///
/// # Errors
/// [`SandboxError`].
pub fn spawn(options: Options) -> Result<Handle, SandboxError> {
    let address = options.listen;
    let double = double(options)?;
    let failed = |source| SandboxError::Listen { address, source };
    let listener = std::net::TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(SandboxError::Thread)?;
    let (stop, stopped) = oneshot::channel::<()>();
    let app = router(Arc::clone(&double));
    let run = move || {
        runtime.block_on(async move {
            let serving = async {
                match TcpListener::from_std(listener) {
                    Ok(listener) => axum::serve(listener, app).await,
                    Err(error) => Err(error),
                }
            };
            // Not graceful on purpose: a call that is kept waiting by a fault would hold the thread.
            tokio::select! {
                ended = serving => if let Err(error) = ended { tracing::error!(%error, "SF's double ended") },
                _ = stopped => {}
            }
        });
    };
    let thread = std::thread::Builder::new().name("sandbox-sf".to_owned()).spawn(run);
    Ok(Handle { address, double, stop: Some(stop), thread: Some(thread.map_err(SandboxError::Thread)?) })
}

/// A running double; dropping it ends it and cuts what is still waiting.
pub struct Handle {
    address: SocketAddr,
    double: Arc<Double>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Handle {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address to give a client.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}/std/service", self.address)
    }

    /// Misbehaves at the next calls, one fault a call, in this order.
    pub fn next(&self, faults: impl IntoIterator<Item = Fault>) {
        let mut queue = self.double.faults();
        for fault in faults {
            // Full only after more faults than any test has calls.
            let _ = queue.push(fault);
        }
    }

    /// Every order the double has, oldest first.
    #[must_use]
    pub fn orders(&self) -> Vec<Order> {
        self.double.store().orders().to_vec()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
