//! What stands before every handler: requests from other sites, and headers that keep pages to themselves.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::app::AppState;

/// Refuses a request that changes something and that a browser sent for another site.
///
/// Browsers say so themselves: `Sec-Fetch-Site` on secure origins, `Origin` everywhere. A client that sends neither is no
/// browser and carries no cookie it was not given on purpose. The cookie is `SameSite=Strict` besides.
pub(super) async fn refuse_other_sites(
    State(state): State<AppState>,
    request: Request,
    next: Next,
) -> Response {
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if safe || is_same_site(request.headers(), &state.config.http.public_url) {
        return next.run(request).await;
    }
    let text = "请求来自其他网站，已拒绝 (this request came from another site and was refused)\n";
    (StatusCode::FORBIDDEN, text).into_response()
}

/// A proxy may ask under another `Host` than browsers do, so an origin that is the portal's public one is good as well.
fn is_same_site(headers: &HeaderMap, public_url: &str) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let Ok(origin) = origin.to_str() else { return false };
    if origin.eq_ignore_ascii_case(public_url) {
        return true;
    }
    matches!((origin.split_once("://"), host), (Some((_, origin)), Some(host)) if origin.eq_ignore_ascii_case(host))
}

/// No foreign script or frame, no cache: pages show personal data.
pub(super) async fn add_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; \
                  form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use axum::http::HeaderMap;

    use super::is_same_site;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_browser_that_speaks_for_another_site_is_refused() {
        for (pairs, same) in [
            (&[][..], true),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("host", "portal:8080"), ("origin", "http://portal:8080")], true),
            (&[("host", "portal:8080"), ("origin", "http://evil.example")], false),
            (&[("host", "portal:8080"), ("origin", "null")], false),
            (&[("host", "127.0.0.1:8080"), ("origin", "https://keys.example")], true),
            (&[("host", "127.0.0.1:8080"), ("origin", "https://keys.example.evil.example")], false),
        ] {
            assert_eq!(is_same_site(&headers(pairs), "https://keys.example"), same, "{pairs:?}");
        }
    }
}
