//! The signature V3, computed from the request as it arrived: written apart from the client's, so that both cannot be wrong alike.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, Method, Uri};
use ring::{digest, hmac};

/// A refusal: HTTP status, code, words.
pub(super) struct No(pub(super) u16, pub(super) &'static str, pub(super) &'static str);

/// The clock's window on both sides; the service's page says fifteen minutes.
const WINDOW_SECONDS: i64 = 15 * 60;

/// Who calls, when, and whether the request is theirs; gives back the nonce.
pub(super) fn check(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
    key_id: &str,
    secret: &[u8],
) -> Result<String, No> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let authorization = header("authorization").ok_or(No(400, "MissingAuthorization", "no Authorization"))?;
    let fields = authorization.strip_prefix("ACS3-HMAC-SHA256 ").ok_or(No(
        400,
        "InvalidAuthorization",
        "not ACS3-HMAC-SHA256",
    ))?;
    let fields: BTreeMap<&str, &str> =
        fields.split(',').filter_map(|field| field.trim().split_once('=')).collect();
    let field = |name| fields.get(name).copied().ok_or(No(400, "InvalidAuthorization", "a field is missing"));
    if field("Credential")? != key_id {
        return Err(No(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found."));
    }
    let signed: Vec<&str> = field("SignedHeaders")?.split(';').collect();
    let must = [
        "host",
        "x-acs-action",
        "x-acs-content-sha256",
        "x-acs-date",
        "x-acs-signature-nonce",
        "x-acs-version",
    ];
    if must.iter().any(|name| !signed.contains(name)) || !signed.is_sorted() {
        return Err(No(400, "IncompleteSignature", "a header is not signed, or they are not sorted"));
    }
    let hash = hex(digest::digest(&digest::SHA256, body).as_ref());
    if header("x-acs-content-sha256") != Some(hash.as_str()) {
        return Err(No(400, "InvalidContentHash", "the body's digest differs"));
    }
    if !in_window(header("x-acs-date").unwrap_or_default()) {
        return Err(No(400, "InvalidTimeStamp.Expired", "Specified time stamp is expired."));
    }
    let mut canonical = format!("{method}\n{}\n{}\n", uri.path(), sorted(uri.query().unwrap_or_default()));
    for name in &signed {
        let value = header(name).ok_or(No(400, "IncompleteSignature", "a signed header did not come"))?;
        canonical.push_str(&format!("{name}:{}\n", value.trim()));
    }
    canonical.push_str(&format!("\n{}\n{hash}", signed.join(";")));
    let text =
        format!("ACS3-HMAC-SHA256\n{}", hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes());
    if hex(tag.as_ref()) != field("Signature")? {
        return Err(No(
            400,
            "SignatureDoesNotMatch",
            "Specified signature is not matched with our calculation.",
        ));
    }
    Ok(header("x-acs-signature-nonce").unwrap_or_default().to_owned())
}

fn in_window(date: &str) -> bool {
    let Ok(at) = date.parse::<jiff::Timestamp>() else { return false };
    (jiff::Timestamp::now().as_second() - at.as_second()).abs() <= WINDOW_SECONDS
}

/// The query's pairs by name; their escapes as they came.
fn sorted(query: &str) -> String {
    let mut pairs: Vec<&str> = query.split('&').collect();
    pairs.sort_by_key(|pair| pair.split_once('=').map_or(*pair, |(name, _)| name));
    pairs.join("&")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
