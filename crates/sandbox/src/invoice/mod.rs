//! An e-invoice provider (诺税通's form) on this machine.

mod page;
mod pdf;
mod service;

use std::{
    collections::VecDeque,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::StatusCode,
    routing::{get, post},
};
use model::Secret;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    faults::{Faults, lock},
    kept::Kept,
    listener::{Listener, Running, SandboxError},
};

/// The app key the double knows where none is given.
pub const APP_KEY: &str = "SANDBOX";
/// The secret of [`APP_KEY`]. It is public and guards nothing: the double listens on this machine only.
pub const APP_SECRET: &str = "sandbox-secret-of-no-app";
/// The token of [`APP_KEY`].
pub const ACCESS_TOKEN: &str = "sandbox-token";
/// The seller's tax number.
pub const TAX_NUMBER: &str = "91000000MA0000000X";

/// Invoices that are kept; more are refused.
const INVOICES_MAX: usize = 10_000;

/// How the double is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; a loopback address. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The app's key.
    pub app_key: String,
    /// Its secret.
    pub app_secret: Secret,
    /// Its token.
    pub access_token: Secret,
    /// The seller's tax number.
    pub tax_number: String,
    /// A file that keeps invoices over a restart; without it they are forgotten.
    pub state: Option<PathBuf>,
}

impl Default for Options {
    /// A free port of 127.0.0.1, the constants above, no file.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            app_key: APP_KEY.to_owned(),
            app_secret: Secret::from(APP_SECRET),
            access_token: Secret::from(ACCESS_TOKEN),
            tax_number: TAX_NUMBER.to_owned(),
            state: None,
        }
    }
}

/// How the double behaves from now on; `POST /invoice/control` sets what it names and leaves the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Control {
    /// Questions after an invoice that are answered "being made" before it is made.
    pub pending: Option<u32>,
    /// The tax bureau wants the seller to log in: nothing is made until it is false again.
    pub needs_login: Option<bool>,
    /// The next invoices fail, one text each.
    pub fail: Vec<String>,
    /// What the next calls meet, one a call: `ok`, `timeout` (nothing is done), `lose_reply` (it is done), `http500`, `refuse_CODE`.
    pub next: Vec<String>,
    /// This order's invoice is made void at the provider.
    pub void: Option<String>,
}

/// An invoice the double made or makes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Made {
    /// The caller's order number.
    pub order_no: String,
    /// The double's serial.
    pub serial: String,
    /// `pc` or `bs`.
    pub line: String,
    /// 抬头.
    pub buyer: String,
    /// The buyer's tax number.
    pub buyer_tax_number: String,
    /// In yuan, tax included.
    pub amount: String,
    /// In yuan.
    pub tax: String,
    /// 20 being made, 2 made, 22 failed, 3 void.
    pub status: u8,
    /// Its number, once it is made.
    pub number: String,
    /// Why it failed.
    pub fail_cause: String,
    /// The red invoice's id and number, if it was taken back.
    pub red: Option<(String, String)>,
    #[serde(skip)]
    asked: u32,
    /// What was submitted.
    #[serde(skip)]
    pub order: Value,
}

#[derive(Default)]
struct State {
    pending: u32,
    needs_login: bool,
    fail: VecDeque<String>,
}

/// What the handlers share.
struct Double {
    options: Options,
    address: SocketAddr,
    faults: Faults<String>,
    state: Mutex<State>,
    invoices: Mutex<Kept<Made>>,
}

impl Double {
    fn open(options: Options, address: SocketAddr) -> Result<Arc<Self>, SandboxError> {
        let invoices = Mutex::new(Kept::open(options.state.as_deref())?);
        Ok(Arc::new(Self { options, address, faults: Faults::default(), state: Mutex::default(), invoices }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn invoices(&self) -> MutexGuard<'_, Kept<Made>> {
        lock(&self.invoices)
    }

    /// Changes invoices. What cannot be written to the file is lost with a restart alone.
    fn change<R>(&self, change: impl FnOnce(&mut Vec<Made>) -> R) -> Option<R> {
        let changed = self.invoices().change(change);
        changed.inspect_err(|error| tracing::error!(%error, "the state file cannot be written")).ok()
    }

    fn control(&self, control: Control) -> Result<(), (StatusCode, String)> {
        let mut state = self.state();
        state.pending = control.pending.unwrap_or(state.pending);
        state.needs_login = control.needs_login.unwrap_or(state.needs_login);
        state.fail.extend(control.fail);
        state.fail.truncate(INVOICES_MAX);
        if let Some(order) = control.void {
            self.change(|made| {
                made.iter_mut().filter(|made| made.order_no == order).for_each(|made| made.status = 3);
            });
        }
        self.faults.add(control.next, false)
    }
}

fn routes(double: Arc<Double>) -> Router {
    Router::new()
        .route("/invoice", get(page::page).post(service::service))
        .route("/invoice/invoices", get(page::invoices))
        .route("/invoice/control", post(page::control))
        .route("/invoice/pdf/{serial}", get(page::pdf))
        .layer(DefaultBodyLimit::max(64 * 1024))
        .with_state(double)
}

/// The double's routes, to be served at `address` together with others.
///
/// # Errors
/// [`SandboxError::State`].
pub fn router(options: Options, address: SocketAddr) -> Result<Router, SandboxError> {
    Ok(routes(Double::open(options, address)?))
}

/// Runs the double on a thread of its own, until the handle is dropped. Requests are answered from when this returns.
///
/// # Errors
/// [`SandboxError`].
pub fn spawn(options: Options) -> Result<Handle, SandboxError> {
    let listener = Listener::bind(options.listen)?;
    let double = Double::open(options, listener.address())?;
    let running = listener.spawn("sandbox-invoice", routes(Arc::clone(&double)))?;
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
        format!("http://{}/invoice", self.running.address())
    }

    /// Behaves so from now on.
    pub fn control(&self, control: Control) {
        // Refused only after more faults than any test has calls.
        let _ = self.double.control(control);
    }

    /// Every invoice, oldest first.
    #[must_use]
    pub fn invoices(&self) -> Vec<Made> {
        self.double.invoices().all().to_vec()
    }
}
