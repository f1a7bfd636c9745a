//! `portal init` and what else is done once: vault, CA, broker files, factory keys, export of the CA.

mod broker;
mod files;
mod revoked;
mod transport;

use std::path::Path;

use anyhow::Context as _;
use gm::crl::Crl;
use model::Secret;
use vault::Vault;

pub(crate) use files::random_text;
pub(crate) use revoked::write as write_revoked;
pub(crate) use transport::{StationCertificate, StationRequest, TransportCa};

use crate::{
    clock::Clock,
    config::Config,
    db,
    stations::{self, Authority},
};

/// Digits and letters of a PIN made here: 20 × log2(32) = 100 bits.
const PIN_CHARACTERS: usize = 20;

/// Prepares everything the portal needs once: PIN files, token and master keys, database, both CAs, the broker's files.
/// What is there already stays as it is; twice does nothing.
///
/// # Errors
/// Says what could not be prepared and what to do.
pub async fn run(config: &Config) -> anyhow::Result<()> {
    files::make_folder(&config.data_dir)?;
    for pin_file in [&config.vault.pin_file, &config.vault.so_pin_file] {
        files::make_folder(pin_file.parent().unwrap_or(Path::new(".")))?;
        files::write_secret_once(pin_file, || files::random_text(PIN_CHARACTERS))?;
    }
    let vault = initialise_vault(config).await?;
    let db = db::open(config).await?;
    let clock = Clock::system();
    if Authority::create(&db, &vault, config, &clock).await? {
        tracing::info!("the SM2 CA was made");
    }
    if TransportCa::create(&db, &vault, config, &clock).await? {
        tracing::info!("the transport CA was made");
    }
    let transport = TransportCa::load(&db, &vault).await?;
    broker::write_files(config, &transport, &clock)?;
    revoked::write_first(config, &db, &transport).await?;
    tracing::info!(folder = %config.data_dir.display(), "the portal is ready");
    Ok(())
}

async fn initialise_vault(config: &Config) -> anyhow::Result<Vault> {
    let settings = stations::vault_settings(config)?;
    let so_pin = stations::secret_file(&config.vault.so_pin_file)?;
    let opened = tokio::task::spawn_blocking(move || {
        let made = Vault::initialise(&settings, &so_pin)?;
        tracing::info!(token = made.token, keys = made.keys.len(), "the vault is ready");
        Vault::open(&settings)
    });
    opened.await?.context("the vault cannot be prepared")
}

/// Stores a maker's factory device key under its label in the vault.
///
/// # Errors
/// The vault's.
pub async fn set_factory_key(config: &Config, label: &str, key: Secret) -> anyhow::Result<()> {
    let vault = stations::open_vault(config).await?;
    let label = label.to_owned();
    Ok(tokio::task::spawn_blocking(move || vault.set_factory_key(&label, &key)).await??)
}

/// Writes root.pem, issuing.pem and crl.pem into `dir`.
///
/// # Errors
/// The file system's or the vault's.
pub async fn export_ca(config: &Config, dir: &Path) -> anyhow::Result<()> {
    let vault = stations::open_vault(config).await?;
    let db = db::open(config).await?;
    let authority = Authority::load(&db, &vault).await?;
    let now = Clock::system().now();
    let crl: Crl = {
        let revoked = stations::revoked(&db).await?;
        // The second is a number that grows with every list without being kept anywhere.
        let number = u64::try_from(now.as_second()).context("the clock stands before 1970: set it")?;
        authority.ca().crl(&revoked, number, now.into())?
    };
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let texts = [
        ("root.pem", authority.ca().root().to_pem()?),
        ("issuing.pem", authority.ca().issuing().to_pem()?),
        ("crl.pem", crl.to_pem()?),
    ];
    for (name, text) in texts {
        let path = dir.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
