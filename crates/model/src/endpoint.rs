//! Where an outside service is called.

use std::net::IpAddr;

/// An address that personal data may be sent to: `https` anywhere, plain `http` to this machine alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    url: String,
    authority_at: usize,
    path_at: usize,
    local: bool,
}

/// A text that is no such address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address of a service: give https://HOST/PATH, or http:// with a loopback address")]
pub struct EndpointError(String);

impl Endpoint {
    /// Checks an address; it has no query.
    ///
    /// # Errors
    /// [`EndpointError`].
    pub fn new(url: &str) -> Result<Self, EndpointError> {
        let refuse = || EndpointError(url.chars().take(128).collect());
        let secure = url.starts_with("https://");
        let authority_at = if secure { "https://".len() } else { "http://".len() };
        if !secure && !url.starts_with("http://")
            || url.contains(['?', '#', '@'])
            || !url.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(refuse());
        }
        let rest = &url[authority_at..];
        let path_at = authority_at + rest.find('/').unwrap_or(rest.len());
        let host = host(&url[authority_at..path_at]).ok_or_else(refuse)?;
        let local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        if !secure && !local {
            return Err(refuse());
        }
        Ok(Self { url: url.to_owned(), authority_at, path_at, local })
    }

    /// The whole address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.url
    }

    /// Host and port, as the `Host` header says them.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.url[self.authority_at..self.path_at]
    }

    /// The path, `/` where there is none.
    #[must_use]
    pub fn path(&self) -> &str {
        let path = &self.url[self.path_at..];
        if path.is_empty() { "/" } else { path }
    }

    /// Whether it is this machine, where a proxy of the environment must not come between.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.local
    }
}

fn host(authority: &str) -> Option<&str> {
    let host = match authority.strip_prefix('[') {
        Some(six) => six.split(']').next()?,
        None => authority.split(':').next()?,
    };
    (!host.is_empty()).then_some(host)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::Endpoint;

    #[test]
    fn plain_http_goes_to_this_machine_alone() {
        for good in [
            "https://dysmsapi.aliyuncs.com",
            "http://127.0.0.1:7444/sms",
            "http://[::1]:1/",
            "http://localhost",
        ] {
            assert!(Endpoint::new(good).is_ok(), "{good}");
        }
        for bad in [
            "http://dysmsapi.aliyuncs.com",
            "ftp://127.0.0.1",
            "https://",
            "http://127.0.0.1@evil.example",
            "https://a?b",
        ] {
            assert!(Endpoint::new(bad).is_err(), "{bad}");
        }
        let endpoint = Endpoint::new("http://127.0.0.1:7444/sms").unwrap();
        assert_eq!((endpoint.authority(), endpoint.path()), ("127.0.0.1:7444", "/sms"));
        assert!(endpoint.is_local());
        let endpoint = Endpoint::new("https://dysmsapi.aliyuncs.com").unwrap();
        assert_eq!((endpoint.authority(), endpoint.path()), ("dysmsapi.aliyuncs.com", "/"));
        assert!(!endpoint.is_local());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(https?://)?.{0,40}") {
            if let Ok(endpoint) = Endpoint::new(&text) {
                prop_assert!(endpoint.as_str().contains(endpoint.authority()));
                prop_assert!(endpoint.path().starts_with('/'));
            }
        }
    }
}
