//! What one account at SF needs.

use std::time::Duration;

use model::{Endpoint, Secret};
use serde::Deserialize;

use crate::{SfError, SignMode};

/// Settings of the client, checked by [`Client::new`](crate::Client::new).
#[derive(Clone, Debug)]
pub struct Settings {
    /// The whole address, such as `https://bspgw.sf-express.com/std/service`. Plain `http` only to this machine.
    pub endpoint: String,
    /// 顾客编码, 1 to 64 characters.
    pub partner_id: String,
    /// 校验码.
    pub checkword: Secret,
    /// The signature the application is set to in SF's console.
    pub sign_mode: SignMode,
    /// The product number of the contract. What it is called is what SF returns, never derived from the number.
    pub express_type_id: u32,
    /// The longest one call may take, connection and body included.
    pub timeout: Duration,
    /// How often a call in doubt is looked up before it is called unknown; 1 to 10.
    pub search_attempts: u8,
    /// The pause before the second look-up; it doubles from one to the next.
    pub search_pause: Duration,
}

/// The settings as a file gives them; the checkword comes from elsewhere.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingsFile {
    /// See [`Settings::endpoint`].
    pub endpoint: String,
    /// See [`Settings::partner_id`].
    pub partner_id: String,
    /// See [`Settings::sign_mode`]; `standard` where absent.
    #[serde(default = "standard")]
    pub sign_mode: SignMode,
    /// See [`Settings::express_type_id`].
    pub express_type_id: u32,
    /// See [`Settings::timeout`]; 15 where absent.
    #[serde(default = "timeout_seconds")]
    pub timeout_seconds: u16,
}

fn standard() -> SignMode {
    SignMode::Standard
}

fn timeout_seconds() -> u16 {
    15
}

impl SettingsFile {
    /// The settings together with their checkword.
    #[must_use]
    pub fn with_checkword(self, checkword: Secret) -> Settings {
        Settings {
            endpoint: self.endpoint,
            partner_id: self.partner_id,
            checkword,
            sign_mode: self.sign_mode,
            express_type_id: self.express_type_id,
            timeout: Duration::from_secs(self.timeout_seconds.into()),
            search_attempts: 3,
            search_pause: Duration::from_secs(1),
        }
    }
}

impl Settings {
    /// Refuses what could never work, and plain `http` to another machine: the call carries names and addresses.
    pub(crate) fn check(&self) -> Result<Endpoint, SfError> {
        let fault = |field, remedy| Err(SfError::Settings { field, remedy });
        let Ok(endpoint) = Endpoint::new(&self.endpoint) else {
            return fault("endpoint", "give https://HOST/PATH, or http:// with a loopback address");
        };
        if self.partner_id.is_empty() || self.partner_id.len() > 64 {
            return fault("partner_id", "give the 顾客编码 of SF's console, 1 to 64 characters");
        }
        if self.checkword.is_empty() {
            return fault("checkword", "give the 校验码 of SF's console");
        }
        if self.express_type_id == 0 {
            return fault("express_type_id", "give the product number of the contract, such as 1 or 2");
        }
        if self.timeout.is_zero() {
            return fault("timeout", "give at least one second");
        }
        if !(1..=10).contains(&self.search_attempts) {
            return fault("search_attempts", "give 1 to 10");
        }
        Ok(endpoint)
    }
}
