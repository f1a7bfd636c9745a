//! Where the broker is, who we are, and the TLS configuration made of it.

use std::{sync::Arc, time::Duration};

use model::Secret;
use rumqttc::{LastWill, MqttOptions, QoS, TlsConfiguration, Transport};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

/// Larger payloads are refused by `publish`: the broker that `portal init` sets up takes packets of 384 KiB, and ends the
/// connection of whoever sends a larger one.
pub const PAYLOAD_BYTES_MAX: usize = 320 * 1024;

/// rumqttc allows 10 KiB each way unless told. What is larger than this breaks the connection, and a broker gives it again on
/// the next one: so it lies well above what the broker lets through, here and where an older `portal init` set it up (1 MiB).
const PACKET_IN_BYTES_MAX: usize = 2 * 1024 * 1024;
const PACKET_OUT_BYTES_MAX: usize = PAYLOAD_BYTES_MAX + 16 * 1024;

/// How many publishes may be under way at once, unacknowledged by the broker.
const INFLIGHT_MAX: u16 = 100;

/// Everything the link must know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Name or address of the broker; its certificate must carry it.
    pub host: String,
    /// Port of the TLS listener.
    pub port: u16,
    /// Fixed for this program on this machine: the broker keeps the session under it, and a second
    /// connection with the same id throws out the first.
    pub client_id: String,
    /// The transport CA, PEM.
    pub ca_pem: String,
    /// Our certificate (and its chain), PEM. Its common name is our name in the broker's ACL.
    pub cert_pem: String,
    /// The private key of the certificate, PEM.
    pub key_pem: Secret,
    /// How often to ping; whole seconds, at least 1.
    pub keep_alive: Duration,
    /// What the broker publishes for us, retained, when the connection breaks: topic and payload.
    pub last_will: Option<(String, Vec<u8>)>,
}

/// Settings with which no connection can be tried.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The client id is empty, too long, or begins with a space.
    #[error("the MQTT client id {0:?} must have 1 to 64 characters and no space in front")]
    ClientId(String),
    /// The keep-alive is below one second.
    #[error("the MQTT keep-alive is {0:?}: give at least one second")]
    KeepAlive(Duration),
    /// A PEM text holds nothing usable.
    #[error("{what} is not usable PEM: {why}")]
    Pem {
        /// Which of the three.
        what: &'static str,
        /// What the parser said; never the text itself.
        why: String,
    },
    /// rustls does not take certificate and key together.
    #[error("the client certificate and its key cannot be used: enrol again to get a fitting pair")]
    Identity(#[source] rustls::Error),
}

impl Settings {
    pub(crate) fn options(&self) -> Result<MqttOptions, SettingsError> {
        // rumqttc asserts these two; a wrong config must be an error, not a crash.
        if self.client_id.is_empty() || self.client_id.len() > 64 || self.client_id.starts_with(' ') {
            return Err(SettingsError::ClientId(self.client_id.clone()));
        }
        if self.keep_alive < Duration::from_secs(1) {
            return Err(SettingsError::KeepAlive(self.keep_alive));
        }
        let mut options = MqttOptions::new(&self.client_id, &self.host, self.port);
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::new(self.tls()?))));
        options.set_keep_alive(self.keep_alive);
        options.set_clean_session(false);
        options.set_manual_acks(true);
        options.set_inflight(INFLIGHT_MAX);
        options.set_max_packet_size(PACKET_IN_BYTES_MAX, PACKET_OUT_BYTES_MAX);
        if let Some((topic, payload)) = &self.last_will {
            options.set_last_will(LastWill::new(topic, payload.clone(), QoS::AtLeastOnce, true));
        }
        Ok(options)
    }

    fn tls(&self) -> Result<ClientConfig, SettingsError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates("the transport CA", &self.ca_pem)? {
            roots.add(certificate).map_err(SettingsError::Identity)?;
        }
        let chain = certificates("the client certificate", &self.cert_pem)?;
        let key = PrivateKeyDer::from_pem_slice(self.key_pem.expose())
            .map_err(|why| SettingsError::Pem { what: "the client's private key", why: why.to_string() })?;
        // The provider is named here: two providers may be compiled in, and then rustls does not choose.
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(SettingsError::Identity)?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .map_err(SettingsError::Identity)
    }
}

fn certificates(what: &'static str, pem: &str) -> Result<Vec<CertificateDer<'static>>, SettingsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match found {
        Ok(list) if !list.is_empty() => Ok(list),
        Ok(_) => Err(SettingsError::Pem { what, why: "it holds no certificate".to_owned() }),
        Err(why) => Err(SettingsError::Pem { what, why: why.to_string() }),
    }
}
