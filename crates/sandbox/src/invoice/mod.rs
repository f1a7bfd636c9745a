//! An e-invoice provider (诺税通's form) on this machine.

mod page;
mod pdf;
mod service;

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post},
};
use model::Secret;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::listener::{Listener, Running, SandboxError};

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
}

impl Default for Options {
    /// A free port of 127.0.0.1 and the constants above.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            app_key: APP_KEY.to_owned(),
            app_secret: Secret::from(APP_SECRET),
            access_token: Secret::from(ACCESS_TOKEN),
            tax_number: TAX_NUMBER.to_owned(),
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
#[derive(Clone, Debug, Serialize)]
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
    next: VecDeque<String>,
    invoices: BTreeMap<String, Made>,
    issued: u64,
}

/// What the handlers share.
struct Double {
    options: Options,
    address: SocketAddr,
    state: Mutex<State>,
}

impl Double {
    /// A panic in a handler leaves nothing half-done, so the lock is taken all the same.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn control(&self, control: Control) {
        let mut state = self.state();
        state.pending = control.pending.unwrap_or(state.pending);
        state.needs_login = control.needs_login.unwrap_or(state.needs_login);
        state.fail.extend(control.fail);
        state.next.extend(control.next);
        state.fail.truncate(INVOICES_MAX);
        state.next.truncate(INVOICES_MAX);
        if let Some(invoice) = control.void.and_then(|order| state.invoices.get_mut(&order)) {
            invoice.status = 3;
        }
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

fn double(options: Options, address: SocketAddr) -> Arc<Double> {
    Arc::new(Double { options, address, state: Mutex::default() })
}

/// The double's routes, to be served at `address` together with others.
pub fn router(options: Options, address: SocketAddr) -> Router {
    routes(double(options, address))
}

/// Runs the double on a thread of its own, until the handle is dropped. Requests are answered from when this returns.
///
/// # Errors
/// [`SandboxError`].
pub fn spawn(options: Options) -> Result<Handle, SandboxError> {
    let listener = Listener::bind(options.listen)?;
    let double = double(options, listener.address());
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
        self.double.control(control);
    }

    /// Every invoice, by order number.
    #[must_use]
    pub fn invoices(&self) -> Vec<Made> {
        self.double.state().invoices.values().cloned().collect()
    }
}
