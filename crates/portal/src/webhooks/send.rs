//! One event to one platform, signed.

use std::time::Duration;

use jiff::Timestamp;
use model::Secret;
use ring::hmac;
use serde_json::json;

use super::Event;
use crate::{app::AppState, stations::secret_file};

/// The whole of a request and its answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is kept of an answer that is none.
const ERROR_CHARS_MAX: usize = 200;

/// Tells the platform; an error says why it does not know.
pub(super) async fn send(state: &AppState, event: &Event) -> Result<(), String> {
    let target = state.config.webhooks.iter().find(|target| target.programme == event.programme);
    let target = target.ok_or("the programme has no [[webhook]] in the config any more")?;
    let secret = secret_file(&target.secret_file).map_err(|error| error.to_string())?;
    let at = Timestamp::from_millisecond(event.at_ms).map_err(|error| error.to_string())?;
    let body = json!({
        "id": format!("{}-{}", event.order, event.sequence), "order": event.order, "state": event.state.code(),
        "at": at.to_string(), "sequence": event.sequence,
    });
    let (url, body, timestamp) = (target.url.clone(), body.to_string(), state.clock.now_ms().to_string());
    let signature = signature(&secret, &timestamp, &body);
    let posted = tokio::task::spawn_blocking(move || post(&url, &body, &timestamp, &signature)).await;
    posted.map_err(|error| error.to_string())?.map_err(|error| error.chars().take(ERROR_CHARS_MAX).collect())
}

fn post(url: &str, body: &str, timestamp: &str, signature: &str) -> Result<(), String> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(PATIENCE))
        .build()
        .into();
    let request = agent
        .post(url)
        .header("content-type", "application/json")
        .header("x-ukey-timestamp", timestamp)
        .header("x-ukey-signature", signature);
    let answer = request.send(body).map_err(|error| error.to_string())?;
    if answer.status().is_success() { Ok(()) } else { Err(format!("HTTP {}", answer.status().as_u16())) }
}

/// `v1=` and the HMAC-SHA256 (hex) over timestamp, `.` and body.
fn signature(secret: &Secret, timestamp: &str, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose());
    format!("v1={}", hex::encode(hmac::sign(&key, format!("{timestamp}.{body}").as_bytes())))
}

#[cfg(test)]
mod tests {
    use model::Secret;

    use super::signature;

    /// As `printf '1795311000000.{}' | openssl dgst -sha256 -hmac secret` says.
    #[test]
    fn the_signature_is_what_openssl_says() {
        let told = signature(&Secret::from("secret"), "1795311000000", "{}");
        assert_eq!(told, "v1=424dd9c09fd7e1b9d8595a1398a34cb54816a0f87ddb6da327705f4e6f9afb89");
    }
}
