//! What hangs on USB, and which slot that is.

use model::SlotName;

use crate::{PortPath, Slots};

/// A device's place in the running system. It changes with every plug, so it is used at once and never kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UsbAddress {
    /// The bus.
    pub bus: u8,
    /// The address on the bus.
    pub address: u8,
}

/// One USB device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsbDevice {
    /// Where it is now.
    pub at: UsbAddress,
    /// The port it is plugged into; `None` for a root hub.
    pub path: Option<PortPath>,
    /// Vendor id.
    pub vendor: u16,
    /// Product id.
    pub product: u16,
    /// Whether it is a hub (device class 9).
    pub is_hub: bool,
}

/// Why the devices could not be listed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// libusb failed.
    #[error("the USB devices cannot be listed: look whether /dev/bus/usb can be read by this user")]
    Listing(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Lists what hangs on USB now, without opening any device. No USB at all is an empty list.
///
/// # Errors
/// [`HubError::Listing`].
pub fn devices() -> Result<Vec<UsbDevice>, HubError> {
    let list = rusb::devices().map_err(|error| HubError::Listing(Box::new(error)))?;
    let devices = list.iter().filter_map(|device| {
        let at = UsbAddress { bus: device.bus_number(), address: device.address() };
        // A device pulled while it is listed has no descriptor any more: it is simply not there.
        let descriptor = device
            .device_descriptor()
            .inspect_err(|error| tracing::debug!(?at, %error, "device skipped"))
            .ok()?;
        let path = device.port_numbers().ok().and_then(|ports| PortPath::new(at.bus, &ports));
        let (vendor, product) = (descriptor.vendor_id(), descriptor.product_id());
        Some(UsbDevice {
            at,
            path,
            vendor,
            product,
            is_hub: descriptor.class_code() == rusb::constants::LIBUSB_CLASS_HUB,
        })
    });
    Ok(devices.collect())
}

type Listing = dyn Fn() -> Result<Vec<UsbDevice>, HubError> + Send + Sync;

/// The station's slots and the list of USB devices behind them.
pub struct Hub {
    slots: Slots,
    listing: Box<Listing>,
}

impl Hub {
    /// The slots on this machine's USB.
    #[must_use]
    pub fn new(slots: Slots) -> Self {
        Self::with_listing(slots, devices)
    }

    /// The slots on any list of devices.
    #[must_use]
    pub fn with_listing(
        slots: Slots,
        listing: impl Fn() -> Result<Vec<UsbDevice>, HubError> + Send + Sync + 'static,
    ) -> Self {
        Self { slots, listing: Box::new(listing) }
    }

    /// The slots.
    #[must_use]
    pub fn slots(&self) -> &Slots {
        &self.slots
    }

    /// The slot of a reader, by where it hangs (if its driver tells) or else by its name. `None`: not one of ours, leave it alone.
    ///
    /// # Errors
    /// [`HubError`], only where a USB slot is configured and the reader hangs on USB.
    pub fn resolve(&self, reader: &str, at: Option<UsbAddress>) -> Result<Option<SlotName>, HubError> {
        let path = match at {
            Some(at) if self.slots.any_usb() => self.path(at)?,
            _ => None,
        };
        Ok(self.slots.find(reader, path.as_ref()).cloned())
    }

    fn path(&self, at: UsbAddress) -> Result<Option<PortPath>, HubError> {
        let devices = (self.listing)()?;
        Ok(devices.into_iter().find(|device| device.at == at).and_then(|device| device.path))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::SlotConfig;

    fn device(bus: u8, address: u8, ports: &[u8]) -> UsbDevice {
        let at = UsbAddress { bus, address };
        UsbDevice { at, path: PortPath::new(bus, ports), vendor: 0x0000, product: 0x0001, is_hub: false }
    }

    fn slots() -> Slots {
        let slot = |name: &str, reader: Option<&str>, usb: Option<&str>| SlotConfig {
            name: name.parse().unwrap(),
            reader: reader.map(str::to_owned),
            usb: usb.map(str::to_owned),
        };
        let config = [
            slot("A01", None, Some("1-1.4.1")),
            slot("A02", None, Some("1-1.4.2")),
            slot("V01", Some("Virtual PCD 00 00"), None),
        ];
        Slots::from_config(&config).unwrap()
    }

    fn name(text: &str) -> Option<SlotName> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn p2_a_slot_is_its_port_whatever_address_the_key_gets() {
        let plugged =
            Arc::new(Mutex::new(vec![device(1, 1, &[]), device(1, 7, &[1, 4, 1]), device(1, 8, &[1, 4, 2])]));
        let seen = Arc::clone(&plugged);
        let hub = Hub::with_listing(slots(), move || Ok(seen.lock().unwrap().clone()));
        let at = |address| Some(UsbAddress { bus: 1, address });
        assert_eq!(hub.resolve("Key 00 00", at(7)).unwrap(), name("A01"));
        assert_eq!(hub.resolve("Key 01 00", at(8)).unwrap(), name("A02"));
        // Pulled and plugged the other way round: new addresses, and the reader names say nothing.
        *plugged.lock().unwrap() = vec![device(1, 9, &[1, 4, 2]), device(1, 10, &[1, 4, 1])];
        assert_eq!(hub.resolve("Key 00 00", at(9)).unwrap(), name("A02"));
        assert_eq!(hub.resolve("Key 00 00", at(10)).unwrap(), name("A01"));
        assert_eq!(hub.resolve("Key 00 00", at(7)).unwrap(), None, "an address that is gone is no slot");
        assert_eq!(hub.resolve("Key 00 00", Some(UsbAddress { bus: 2, address: 9 })).unwrap(), None);
    }

    #[test]
    fn p2_a_reader_without_usb_is_found_by_its_name() {
        let hub = Hub::with_listing(slots(), || Ok(Vec::new()));
        assert_eq!(hub.resolve("Virtual PCD 00 00", None).unwrap(), name("V01"));
        assert_eq!(hub.resolve("Virtual PCD 00 01", None).unwrap(), None);
    }

    #[test]
    fn a_failed_listing_is_an_error_and_not_a_missing_slot() {
        let hub = Hub::with_listing(slots(), || Err(HubError::Listing("no access".into())));
        assert!(hub.resolve("Key 00 00", Some(UsbAddress { bus: 1, address: 7 })).is_err());
        assert_eq!(hub.resolve("Virtual PCD 00 00", None).unwrap(), name("V01"), "not asked, so no failure");
    }

    #[test]
    fn listing_the_real_bus_never_fails_for_want_of_devices() {
        let listed = devices().unwrap();
        assert!(listed.iter().all(|device| device.at.bus > 0));
    }
}
