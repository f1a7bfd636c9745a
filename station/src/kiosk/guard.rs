//! Who may speak to the screen: this machine's browser and commands, and no web site that such a browser has open.

use axum::{
    extract::Request,
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

/// Refuses a request for another name than this machine's (a site may let its name point here), and one that changes something and that a
/// browser sent for another site. A client that sends no such header is no browser.
pub(super) async fn this_machine_alone(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let safe = matches!(*request.method(), Method::GET | Method::HEAD);
    if is_loopback(headers) && (safe || is_same_site(headers)) {
        return next.run(request).await;
    }
    let text = "请求来自其他网站，已拒绝 (this request came from another site and was refused)\n";
    (StatusCode::FORBIDDEN, text).into_response()
}

fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::HOST)?.to_str().ok()
}

fn is_loopback(headers: &HeaderMap) -> bool {
    if !headers.contains_key(header::HOST) {
        return true;
    }
    let name = host(headers).map_or("", |host| host.rsplit_once(':').map_or(host, |(name, _)| name));
    matches!(name, "localhost" | "[::1]")
        || name.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
}

fn is_same_site(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    matches!((origin, host(headers)), (Some((_, origin)), Some(host)) if origin.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use axum::http::HeaderMap;

    use super::{is_loopback, is_same_site};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_browser_that_speaks_for_another_site_is_refused() {
        for (pairs, taken) in [
            (&[][..], true),
            (&[("host", "127.0.0.1:8480"), ("sec-fetch-site", "same-origin")], true),
            (&[("host", "localhost:8480"), ("origin", "http://localhost:8480")], true),
            (&[("host", "[::1]:8480")], true),
            (&[("host", "127.0.0.1:8480"), ("sec-fetch-site", "cross-site")], false),
            (&[("host", "127.0.0.1:8480"), ("sec-fetch-site", "same-site")], false),
            (&[("host", "127.0.0.1:8480"), ("origin", "http://evil.example")], false),
            (&[("host", "127.0.0.1:8480"), ("origin", "null")], false),
            // A name that points to this machine is still another site.
            (&[("host", "evil.example:8480"), ("origin", "http://evil.example:8480")], false),
            (&[("host", "evil.example"), ("sec-fetch-site", "same-origin")], false),
        ] {
            let headers = headers(pairs);
            assert_eq!(is_loopback(&headers) && is_same_site(&headers), taken, "{pairs:?}");
        }
    }
}
