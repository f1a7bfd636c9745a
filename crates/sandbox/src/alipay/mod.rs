//! Alipay's open platform on this machine.

mod bill;
mod control;
mod fault;
mod gateway;
mod keys;
mod notify;
mod page;
mod sign;
mod store;
mod trade;

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post},
};
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

pub use fault::{CallFault, NoticeFault, UnknownFault};
pub use keys::Keys;
pub use store::{Refund, Trade, TradeState};

use crate::{
    faults::{Faults, lock},
    kept::Kept,
    listener::{Listener, Running, SandboxError},
};
use sign::{Signer, Verifier};

/// The app the double knows where none is given.
pub const APP_ID: &str = "2021000000000001";
/// The seller of [`APP_ID`].
pub const SELLER_ID: &str = "2088000000000001";

/// How far a call's time may be off.
const WINDOW_MS: i64 = 15 * 60 * 1000;

/// How the double is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// The merchant's app.
    pub app_id: String,
    /// The merchant's account, in notices.
    pub seller_id: String,
    /// The merchant's public key.
    pub app_public_key: PathBuf,
    /// The double's own private key.
    pub private_key: PathBuf,
    /// A file that keeps trades over a restart; without it they are forgotten.
    pub state: Option<PathBuf>,
    /// The pause before a notice is sent again; it doubles from one to the next.
    pub notify_pause: Duration,
}

impl Options {
    /// [`APP_ID`] and [`SELLER_ID`] with these keys, no file, notices again after a second.
    #[must_use]
    pub fn new(keys: &Keys) -> Self {
        Self {
            app_id: APP_ID.to_owned(),
            seller_id: SELLER_ID.to_owned(),
            app_public_key: keys.app_public.clone(),
            private_key: keys.alipay_private.clone(),
            state: None,
            notify_pause: Duration::from_secs(1),
        }
    }
}

/// What the handlers share.
pub(crate) struct Double {
    pub(crate) options: Options,
    pub(crate) signer: Signer,
    pub(crate) verifier: Verifier,
    pub(crate) call_faults: Faults<CallFault>,
    pub(crate) notice_faults: Faults<NoticeFault>,
    trades: Mutex<Kept<Trade>>,
}

impl Double {
    fn open(options: Options) -> Result<Arc<Self>, SandboxError> {
        Ok(Arc::new(Self {
            signer: Signer::open(&options.private_key)?,
            verifier: Verifier::open(&options.app_public_key)?,
            trades: Mutex::new(Kept::open(options.state.as_deref())?),
            options,
            call_faults: Faults::default(),
            notice_faults: Faults::default(),
        }))
    }

    pub(crate) fn trades(&self) -> MutexGuard<'_, Kept<Trade>> {
        lock(&self.trades)
    }

    pub(crate) fn now_ms(&self) -> i64 {
        Timestamp::now().as_millisecond()
    }

    /// A time as Alipay writes it.
    pub(crate) fn china(&self, ms: i64) -> String {
        let time = Timestamp::from_millisecond(ms).unwrap_or_default();
        time.to_zoned(china()).strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// Whether a caller's time is about now.
    pub(crate) fn is_now(&self, text: &str) -> bool {
        let time = text.parse::<DateTime>().ok().and_then(|time| time.to_zoned(china()).ok());
        time.is_some_and(|time| (time.timestamp().as_millisecond() - self.now_ms()).abs() <= WINDOW_MS)
    }
}

fn china() -> TimeZone {
    TimeZone::fixed(jiff::tz::offset(8))
}

fn routes(double: Arc<Double>) -> Router {
    Router::new()
        .route("/alipay/gateway.do", post(gateway::post).get(gateway::get))
        .route("/alipay/bill/{day}", get(bill::download))
        .route("/alipay/trades", get(page::trades))
        .route("/alipay/pay/{trade_no}", get(page::trade).post(page::pay))
        .route("/alipay/control", post(control::set))
        .route("/alipay/control/trades", get(control::trades))
        .layer(DefaultBodyLimit::max(64 * 1024))
        .with_state(double)
}

/// The double's routes, to be served together with others. Paid trades whose notice was not acknowledged are told again.
///
/// # Errors
/// [`SandboxError::State`], [`SandboxError::Key`].
pub fn router(options: Options) -> Result<Router, SandboxError> {
    let double = Double::open(options)?;
    let untold: Vec<Trade> = double
        .trades()
        .all()
        .iter()
        .filter(|trade| trade.paid_ms.is_some() && !trade.acknowledged)
        .cloned()
        .collect();
    for trade in untold {
        notify::send(&double, trade);
    }
    Ok(routes(double))
}

/// Runs the double on a free port and a thread of its own, until the handle is dropped.
///
/// # Errors
/// [`SandboxError`].
pub fn spawn(options: Options) -> Result<Handle, SandboxError> {
    let double = Double::open(options)?;
    let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let running = listener.spawn("sandbox-alipay", routes(Arc::clone(&double)))?;
    Ok(Handle { running, double })
}

/// A running double; dropping it ends it and cuts what is still waiting.
pub struct Handle {
    running: Running,
    double: Arc<Double>,
}

impl Handle {
    /// The address of the doubles.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.running.address())
    }

    /// The address to give a client.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("{}/alipay/gateway.do", self.url())
    }

    /// Misbehaves at the next calls, one fault a call, in this order.
    pub fn next(&self, faults: impl IntoIterator<Item = CallFault>) {
        // Full only after more faults than any test has calls.
        let _ = self.double.call_faults.add(faults, false);
    }

    /// The buyer pays and no notice is sent. False if there is nothing to pay.
    #[must_use]
    pub fn pay_untold(&self, out_trade_no: &str) -> bool {
        trade::pay(&self.double, out_trade_no, "").is_some()
    }

    /// The body of the notice of a trade, as it would be sent.
    #[must_use]
    pub fn notice(&self, out_trade_no: &str, fault: NoticeFault) -> Option<String> {
        let trade = self.double.trades().find(out_trade_no, "").cloned()?;
        Some(notify::body(&self.double, &trade, fault))
    }

    /// A text signed by the double's key, for notices that the double would not write.
    #[must_use]
    pub fn sign(&self, text: &str) -> String {
        self.double.signer.sign(text)
    }

    /// Every trade, oldest first.
    #[must_use]
    pub fn trades(&self) -> Vec<Trade> {
        self.double.trades().all().to_vec()
    }

    /// Changes a trade behind everybody's back. False if there is none.
    #[must_use]
    pub fn change(&self, out_trade_no: &str, change: impl FnOnce(&mut Trade)) -> bool {
        let mut trades = self.double.trades();
        let Some(number) = trades.find(out_trade_no, "").map(|trade| trade.trade_no.clone()) else {
            return false;
        };
        matches!(trades.change_one(&number, change), Ok(Some(_)))
    }
}
