//! `sandbox`: the doubles of outside services, on this machine.

use std::{io::IsTerminal, net::SocketAddr, path::PathBuf};

use anyhow::Context;
use clap::Parser;
use model::Secret;
use sandbox::{
    Listener, alipay, index, invoice,
    sf::{self, Repeat, SignMode},
    sms,
};

/// Local doubles of SF Express, of SMS and invoice services and, where asked for, of Alipay; for the demo and for tests. `POST /control {"next": "timeout"}` makes SF
/// misbehave and `POST /alipay/control` Alipay; `/` lists their pages.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Where to listen; this machine only.
    #[arg(long, default_value = "127.0.0.1:7444")]
    listen: SocketAddr,
    /// The partner id (顾客编码) callers must give.
    #[arg(long, default_value = sf::PARTNER_ID)]
    partner_id: String,
    /// A file with the checkword (校验码); without it the public one of the sandbox.
    #[arg(long)]
    checkword_file: Option<PathBuf>,
    /// The signature that the pretended account is set to.
    #[arg(long, value_enum, default_value = "standard")]
    sign_mode: SignMode,
    /// What an order id gets that was used before.
    #[arg(long, value_enum, default_value = "first-waybill")]
    repeat: Repeat,
    /// A folder for what the doubles keep over a restart: sf.json, alipay.json, sms.json, invoices.json.
    #[arg(long)]
    state: Option<PathBuf>,
    /// Serve Alipay as well, with the keys in this folder; they are made (by openssl) where they are absent.
    #[arg(long)]
    alipay_keys: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).init();
    let arguments = Arguments::parse();
    let checkword = match &arguments.checkword_file {
        None => sf::CHECKWORD.to_owned(),
        Some(path) => {
            let text = std::fs::read_to_string(path);
            text.with_context(|| format!("cannot read the checkword from {}", path.display()))?
        }
    };
    if let Some(dir) = &arguments.state {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    let state = |name: &str| arguments.state.as_ref().map(|dir| dir.join(name));
    let options = sf::Options {
        listen: arguments.listen,
        partner_id: arguments.partner_id,
        checkword: Secret::from(checkword.trim()),
        sign_mode: arguments.sign_mode,
        repeat: arguments.repeat,
        state: state("sf.json"),
    };
    let listener = Listener::bind(arguments.listen)?;
    let mut app = sf::router(options)?;
    let mut pages = vec![("/control/orders", "顺丰订单 (SF)")];
    if let Some(dir) = &arguments.alipay_keys {
        let keys = alipay::Keys::open_or_make(dir)
            .with_context(|| format!("cannot make keys in {}", dir.display()))?;
        let options = alipay::Options { state: state("alipay.json"), ..alipay::Options::new(&keys) };
        app = app.merge(alipay::router(options)?);
        pages.push(("/alipay/trades", "支付宝交易 (Alipay)"));
    }
    app = app.merge(sms::router(sms::Options { state: state("sms.json"), ..Default::default() })?).merge(
        invoice::router(
            invoice::Options { state: state("invoices.json"), ..Default::default() },
            listener.address(),
        )?,
    );
    pages.extend([("/sms", "短信 (SMS)"), ("/invoice", "发票 (invoices)")]);
    let app = app.merge(index(&pages));
    tokio::select! {
        ended = listener.serve(app) => ended?,
        signal = ended_by_signal() => signal.context("cannot listen for signals")?,
    }
    Ok(())
}

/// SIGINT or SIGTERM: every answered order is on disk already, so ending is just ending.
async fn ended_by_signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut term = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupt = tokio::signal::ctrl_c() => interrupt,
        _ = term.recv() => Ok(()),
    }
}
