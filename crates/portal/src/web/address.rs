//! Where a request came from: what log-ins, codes, drafts and uploads are counted by.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    sync::Once,
};

use axum::{
    extract::{ConnectInfo, FromRef, FromRequestParts},
    http::{HeaderMap, request::Parts},
};

use crate::app::AppState;

const FORWARDED: &str = "x-forwarded-for";

/// The client's address. Behind a proxy that is what the proxy says last: one on this machine, or one that the config names.
pub(crate) struct Address(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Address
where
    AppState: FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let http = &AppState::from_ref(state).config.http;
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
        let trusted = &http.trusted_proxies;
        if http.is_https() && peer.is_some_and(|peer| is_proxy(peer, trusted)) {
            complain_of(&parts.headers);
        }
        let address = client_address(peer, &parts.headers, trusted);
        Ok(Self(address.map_or_else(|| "unknown".to_owned(), |address| address.to_string())))
    }
}

/// A proxy that does not say whom it speaks for makes one client of all the world, which then shares one client's limits.
fn complain_of(headers: &HeaderMap) {
    static ONCE: Once = Once::new();
    if !headers.contains_key(FORWARDED) {
        ONCE.call_once(|| {
            tracing::error!(
                "the proxy in front sends no X-Forwarded-For, so all customers count as one and share one's limits: \
                 let it say where requests come from (see [http] of the config)"
            );
        });
    }
}

fn is_proxy(address: IpAddr, trusted: &[IpAddr]) -> bool {
    let address = address.to_canonical();
    address.is_loopback() || trusted.contains(&address)
}

/// Each proxy adds who asked it. Only proxies that are trusted are believed, so the client is the last that none of them is.
fn client_address(peer: Option<IpAddr>, headers: &HeaderMap, trusted: &[IpAddr]) -> Option<IpAddr> {
    let lines = headers.get_all(FORWARDED).into_iter().filter_map(|line| line.to_str().ok());
    let entries: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
    let mut client = peer?;
    for entry in entries.into_iter().rev() {
        if !is_proxy(client, trusted) {
            break;
        }
        match entry.parse() {
            Ok(address) => client = address,
            Err(_) => break,
        }
    }
    Some(client)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::net::IpAddr;

    use axum::http::HeaderMap;

    use super::client_address;

    #[test]
    fn the_client_is_the_last_whom_no_trusted_proxy_is() {
        let balancer: IpAddr = "10.0.0.5".parse().unwrap();
        for (peer, told, client) in [
            ("127.0.0.1", &["10.1.1.1, 203.0.113.7"][..], "203.0.113.7"),
            ("::ffff:127.0.0.1", &["203.0.113.7"], "203.0.113.7"),
            ("127.0.0.1", &[], "127.0.0.1"),
            // What a stranger says of himself is not believed.
            ("198.51.100.4", &["203.0.113.7"], "198.51.100.4"),
            ("10.0.0.5", &["10.1.1.1, 203.0.113.7"], "203.0.113.7"),
            // A balancer before the proxy of this machine; in one line or in two.
            ("127.0.0.1", &["203.0.113.7, 10.0.0.5"], "203.0.113.7"),
            ("127.0.0.1", &["203.0.113.7", "10.0.0.5"], "203.0.113.7"),
            ("127.0.0.1", &["10.0.0.5"], "10.0.0.5"),
            ("127.0.0.1", &["203.0.113.7, nonsense"], "127.0.0.1"),
        ] {
            let headers = told.iter().map(|line| ("x-forwarded-for".parse().unwrap(), line.parse().unwrap()));
            let found = client_address(peer.parse().ok(), &headers.collect::<HeaderMap>(), &[balancer]);
            assert_eq!(found, client.parse().ok(), "{peer} {told:?}");
        }
        assert_eq!(client_address(None, &HeaderMap::new(), &[]), None);
    }
}
