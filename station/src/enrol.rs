//! Enrolment, the station's side: keys made here, a certificate from the portal, for a one-time code.

use std::path::Path;

use anyhow::{Context as _, bail};
use model::StationId;
use serde::{Deserialize, Serialize};

use crate::identity::{self, NewIdentity};

#[derive(Serialize)]
struct EnrolRequest<'a> {
    code: &'a str,
    tls_request_pem: String,
    sm2_public_key_hex: String,
}

#[derive(Deserialize)]
struct EnrolReply {
    station: StationId,
    certificate_pem: String,
    ca_pem: String,
    broker_host: String,
    broker_port: u16,
}

/// Enrols this station at `portal` (such as `https://portal.example`). Repeating it with the same code gives the same answer.
///
/// # Errors
/// Says what the portal answered and what to do.
pub fn enrol(identity_dir: &Path, portal: &str, code: &str) -> anyhow::Result<StationId> {
    let keys = identity::keys(identity_dir)?;
    let pem = String::from_utf8(keys.tls_pem.expose().to_vec())
        .context("tls.key is damaged: remove it and enrol again")?;
    let tls = rcgen::KeyPair::from_pem(&pem).context("tls.key is damaged: remove it and enrol again")?;
    // The name in the request does not matter: the portal puts the station's own name into the certificate.
    let request = rcgen::CertificateParams::default().serialize_request(&tls).context("no TLS request")?;
    let body = EnrolRequest {
        code: code.trim(),
        tls_request_pem: request.pem().context("no TLS request")?,
        sm2_public_key_hex: hex::encode(keys.sealing.public_key().xy()),
    };
    let reply = post(&format!("{}/api/enrol", portal.trim_end_matches('/')), &body)?;
    identity::store(
        identity_dir,
        &NewIdentity {
            station: reply.station.clone(),
            broker: (reply.broker_host, reply.broker_port),
            ca_pem: &reply.ca_pem,
            certificate_pem: &reply.certificate_pem,
        },
    )?;
    Ok(reply.station)
}

fn post(url: &str, body: &EnrolRequest<'_>) -> anyhow::Result<EnrolReply> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(std::time::Duration::from_secs(30)))
        .build()
        .into();
    let mut response = agent.post(url).send_json(body).with_context(|| format!("{url} does not answer"))?;
    if !response.status().is_success() {
        let status = response.status();
        let text = response.body_mut().read_to_string().unwrap_or_default();
        bail!(
            "the portal refused the enrolment ({status}): {text}; get a new code with `portal station add`"
        );
    }
    response
        .body_mut()
        .read_json()
        .context("the portal's answer cannot be read: are portal and station of one version?")
}
