//! Whether a key is of a profile's model.

use crate::trusted::Profile;

impl Profile {
    /// Whether the answer to reset is this model's; false where the profile has none.
    #[must_use]
    pub fn matches_atr(&self, atr: &[u8]) -> bool {
        self.matching.atr.as_deref() == Some(atr)
    }

    /// Whether the USB ids are this model's; false where the profile has none.
    #[must_use]
    pub fn matches_usb(&self, vendor: u16, product: u16) -> bool {
        self.matching.usb == Some((vendor, product))
    }

    /// Whether every part of the device info that the profile names fits; true where it names none.
    #[must_use]
    pub fn matches_device_info(&self, manufacturer: &str, label: &str, serial: &str) -> bool {
        let Self { matching, .. } = self;
        matching.manufacturer.as_deref().is_none_or(|wanted| wanted == manufacturer.trim())
            && matching.label_prefix.as_deref().is_none_or(|prefix| label.starts_with(prefix))
            && matching.serial_prefix.as_deref().is_none_or(|prefix| serial.starts_with(prefix))
    }
}
