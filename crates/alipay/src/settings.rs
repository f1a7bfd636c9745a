//! What one app at Alipay needs.

use std::time::Duration;

use model::Endpoint;

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
    pub(crate) fn check(&self) -> Result<Endpoint, AlipayError> {
        let fault = |field, remedy| Err(AlipayError::Settings { field, remedy });
        let Ok(endpoint) = Endpoint::new(&self.endpoint) else {
            return fault("endpoint", "give https://HOST/PATH, or http:// with a loopback address");
        };
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
        Ok(endpoint)
    }
}
