//! What one app at Alipay needs.

use std::{net::IpAddr, time::Duration};

use crate::{AlipayError, AppKey, PublicKey};

/// Settings of the client, checked by [`Client::new`](crate::Client::new).
#[derive(Debug)]
pub struct Settings {
    /// The gateway, such as `https://openapi.alipay.com/gateway.do`. Plain `http` only to this machine.
    pub endpoint: String,
    /// The app's number (APPID).
    pub app_id: String,
    /// The account that is paid (PID, 2088…).
    pub seller_id: String,
    /// The app's private key.
    pub app_key: AppKey,
    /// 支付宝公钥.
    pub alipay_key: PublicKey,
    /// Where Alipay sends notices.
    pub notify_url: String,
    /// The longest one call may take, connection and body included.
    pub timeout: Duration,
}

impl Settings {
    /// Refuses what could never work, and plain `http` to another machine.
    pub(crate) fn check(&self) -> Result<(), AlipayError> {
        let fault = |field, remedy| Err(AlipayError::Settings { field, remedy });
        if !is_https_or_local(&self.endpoint) || self.endpoint.contains(['?', '#']) {
            return fault("endpoint", "give https://HOST/PATH, or http:// with a loopback address");
        }
        let digits = |text: &str| text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(&self.app_id) {
            return fault("app_id", "give the APPID of Alipay's console, 16 digits");
        }
        if !digits(&self.seller_id) || !self.seller_id.starts_with("2088") {
            return fault("seller_id", "give the PID of the account, 16 digits that begin with 2088");
        }
        if !self.notify_url.starts_with("http") || self.notify_url.len() > 256 {
            return fault("notify_url", "give an address that Alipay reaches");
        }
        if self.timeout.is_zero() {
            return fault("timeout", "give at least one second");
        }
        Ok(())
    }

    /// Whether the endpoint is this machine, where a proxy of the environment must not come between.
    pub(crate) fn is_local(&self) -> bool {
        host(&self.endpoint).is_some_and(is_this_machine)
    }
}

/// Whether nobody on the way reads what goes to this address.
pub(crate) fn is_https_or_local(address: &str) -> bool {
    match host(address) {
        Some(_) if address.starts_with("https://") => true,
        Some(host) => is_this_machine(host),
        None => false,
    }
}

fn host(address: &str) -> Option<&str> {
    let rest = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://"))?;
    let authority = rest.split(['/', '?', '#']).next()?;
    if authority.contains('@') {
        return None;
    }
    let host = match authority.strip_prefix('[') {
        Some(six) => six.split(']').next()?,
        None => authority.split(':').next()?,
    };
    (!host.is_empty()).then_some(host)
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_https_or_local;

    #[test]
    fn plain_http_goes_to_this_machine_alone() {
        for right in ["https://openapi.alipay.com/gateway.do", "http://127.0.0.1:7444/a", "http://[::1]/a"] {
            assert!(is_https_or_local(right), "{right}");
        }
        for wrong in
            ["http://openapi.alipay.com/", "http://127.0.0.1@evil.example/", "ftp://localhost/", "https://"]
        {
            assert!(!is_https_or_local(wrong), "{wrong}");
        }
    }
}
