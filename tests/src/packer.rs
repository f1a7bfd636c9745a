//! Somebody at the packing table: a browser and a scanner, which types and presses Enter.

use anyhow::Result;
use fantoccini::key::Key;

use crate::{
    browser::Browser,
    office::{Office, PACKER},
    reviewer::log_in_as,
};

/// Somebody of production, who neither entered nor approved the orders.
pub struct Packer {
    /// The browser at the table.
    pub desk: Browser,
    portal: String,
}

impl Packer {
    /// Logs in.
    ///
    /// # Errors
    /// The portal refuses.
    pub fn log_in(office: &Office) -> Result<Self> {
        Ok(Self { desk: log_in_as(office, PACKER)?, portal: office.portal_url.clone() })
    }

    /// Goes to the table and scans a waybill.
    ///
    /// # Errors
    /// The portal does not know it, or these hands are the wrong ones.
    pub fn takes(&self, waybill: &str) -> Result<()> {
        self.desk.go(&format!("{}/packing", self.portal))?;
        self.desk.sees("扫面单上的运单条码")?;
        self.scans(waybill)?;
        self.desk.sees("扫下一把钥匙")
    }

    /// Scans one thing.
    ///
    /// # Errors
    /// The browser is gone.
    pub fn scans(&self, code: &str) -> Result<()> {
        self.desk.press(&format!("{code}{}", &*Key::Enter))
    }

    /// Scans the keys of the parcel until it is checked.
    ///
    /// # Errors
    /// One is not of it, or some are missing.
    pub fn packs(&self, keys: &[&str]) -> Result<()> {
        for key in keys {
            self.scans(key)?;
            self.desk.sees(&format!("✓ {key}"))?;
        }
        self.desk.sees("复核通过，请封箱")
    }
}
