//! The desk: one request of a station in, its replies out. No broker here.

use std::sync::Arc;

use anyhow::Context as _;
use model::{Secret, StationId};
use vault::Vault;
use wire::{Direction, Down, Topic, Up};

use super::{
    authority::Authority,
    certificates,
    in_flight::InFlight,
    keys, lease,
    parcels::{self, Gate},
    parked,
    refusal::Refusal,
    registry, reports,
};
use crate::{app::AppState, config::Config};

/// The parts a station's requests need.
#[derive(Clone)]
pub struct Desk {
    pub(super) state: AppState,
    pub(super) vault: Vault,
    pub(super) authority: Arc<Authority>,
    pub(super) sf: Arc<sf::Client>,
    pub(super) parcel_gate: Arc<Gate>,
    in_flight: InFlight,
}

impl Desk {
    /// Opens the vault, unwraps the CA's keys and prepares the SF client, as the config says.
    ///
    /// # Errors
    /// Says which part is not ready, and what to do.
    pub async fn open(state: AppState) -> anyhow::Result<Self> {
        let vault = open_vault(&state.config).await?;
        let authority = Authority::load(&state.db, &vault).await?;
        let sf = sf::Client::new(sf_settings(&state.config)?)?;
        Ok(Self {
            state,
            vault,
            authority: Arc::new(authority),
            sf: Arc::new(sf),
            parcel_gate: Arc::default(),
            in_flight: InFlight::default(),
        })
    }

    pub(crate) fn state_and_vault(&self) -> (&AppState, &Vault) {
        (&self.state, &self.vault)
    }

    /// Answers one request. Whatever the bytes are, nothing panics and nothing is lost: what cannot be read or applied is parked.
    ///
    /// The answer is given after what it says is on disk. A reply carries its request's id; a message without a readable id gets none,
    /// and neither does a copy that comes while the first is worked on: the first one's reply answers both.
    pub async fn handle(&self, station: &StationId, payload: &[u8]) -> Vec<Vec<u8>> {
        let (id, request) = match wire::decode::<Up>(payload) {
            Ok(request) => request,
            Err(error) => {
                let reason = error.to_string();
                self.park(station, Direction::Up, payload, &reason).await;
                return readable_id(payload)
                    .map_or_else(Vec::new, |id| reply(&id, &refused(Refusal::invalid(reason))));
            }
        };
        let Some(_entry) = self.in_flight.enter(station, &id) else {
            tracing::debug!(%station, id, "a copy of a request in work was left alone");
            return Vec::new();
        };
        let answer = match self.answer(station, &request).await {
            Ok(answer) => answer,
            Err(refusal) => {
                let never = matches!(request, Up::Report(_)) && refusal.code == wire::RefusedCode::Invalid;
                if never {
                    self.park(station, Direction::Up, payload, &refusal.detail).await;
                }
                refused(refusal)
            }
        };
        reply(&id, &answer)
    }

    async fn answer(&self, station: &StationId, request: &Up) -> Result<Down, Refusal> {
        let sealing_key = registry::sealing_key(&self.state.db, station).await?;
        Ok(match request {
            Up::Pull(pull) => Down::Lease(lease::pull(self, station, pull).await?),
            Up::Renew(renew) => Down::Renewed(lease::renew(self, station, renew).await?),
            Up::Secrets(request) => Down::Secrets(keys::secrets(self, station, sealing_key, request).await?),
            Up::Certificates(request) => {
                Down::Certificates(certificates::certify(self, station, request).await?)
            }
            Up::Parcel(request) => Down::Parcel(parcels::parcel(self, station, &request.order).await?),
            Up::Report(report) => Down::Ack(reports::report(self, station, sealing_key, report).await?),
        })
    }

    pub(super) async fn park(&self, station: &StationId, direction: Direction, payload: &[u8], reason: &str) {
        let topic = Topic::new(station.clone(), direction).to_string();
        parked::park_or_log(&self.state.db, &topic, payload, reason, self.state.clock.now_ms()).await;
    }
}

fn refused(refusal: Refusal) -> Down {
    Down::Refused(refusal.into())
}

fn reply(id: &str, answer: &Down) -> Vec<Vec<u8>> {
    match wire::encode(id, answer) {
        Ok(bytes) => vec![bytes],
        Err(error) => {
            tracing::error!(%error, "an answer could not be written");
            Vec::new()
        }
    }
}

/// The id of a message that is otherwise not understood (a newer version, say), so that its sender need not wait in vain.
fn readable_id(payload: &[u8]) -> Option<String> {
    if payload.len() > wire::MESSAGE_BYTES_MAX {
        return None;
    }
    let value: serde_json::Value = serde_json::from_slice(payload).ok()?;
    value.get("id")?.as_str().filter(|id| id.len() <= 128).map(str::to_owned)
}

/// Opens the token the config names.
pub async fn open_vault(config: &Config) -> anyhow::Result<Vault> {
    let settings = vault_settings(config)?;
    let opened = tokio::task::spawn_blocking(move || Vault::open(&settings)).await?;
    opened.context("the vault does not open: was `portal init` run?")
}

/// The vault's settings; the PIN comes from its file.
pub(crate) fn vault_settings(config: &Config) -> anyhow::Result<vault::Settings> {
    Ok(vault::Settings {
        module: config.vault.module.clone(),
        token_label: config.vault.token_label.clone(),
        pin: secret_file(&config.vault.pin_file)?,
    })
}

fn sf_settings(config: &Config) -> anyhow::Result<sf::Settings> {
    Ok(sf::Settings {
        endpoint: config.sf.endpoint.clone(),
        partner_id: config.sf.partner_id.clone(),
        checkword: secret_file(&config.sf.checkword_file)?,
        sign_mode: match config.sf.digest {
            crate::config::SfDigest::Standard => sf::SignMode::Standard,
            crate::config::SfDigest::Simple => sf::SignMode::Simple,
            crate::config::SfDigest::Sm3 => sf::SignMode::Sm3,
        },
        express_type_id: config.sf.express_type_id,
        timeout: std::time::Duration::from_secs(15),
        search_attempts: 3,
        search_pause: std::time::Duration::from_secs(1),
    })
}

/// The one line of a secret's file.
pub(crate) fn secret_file(path: &std::path::Path) -> anyhow::Result<Secret> {
    let whole = whole_secret_file(path)?;
    let line = whole.expose().split(|byte| *byte == b'\n' || *byte == b'\r').next().unwrap_or_default();
    anyhow::ensure!(!line.is_empty(), "{} is empty: write the secret on its first line", path.display());
    Ok(Secret::new(line.to_vec()))
}

/// A secret's whole file.
pub(crate) fn whole_secret_file(path: &std::path::Path) -> anyhow::Result<Secret> {
    let bytes = std::fs::read(path);
    Ok(Secret::new(bytes.with_context(|| format!("cannot read the secret in {}", path.display()))?))
}
