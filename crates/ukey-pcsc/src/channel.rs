//! Where a reader hangs, as its driver tells it (PC/SC part 3, attribute `SCARD_ATTR_CHANNEL_ID`, 0x020110).

/// Channel types, upper half of the attribute. libccid gives 0x0020 with bus and address in the lower half.
const TYPE_USB: u32 = 0x0020;

/// How a reader is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChannelId {
    /// By USB: the numbers that libusb and the kernel use too. They change with every plug; the port path does not.
    Usb {
        /// The bus.
        bus: u8,
        /// The device's address on the bus.
        address: u8,
    },
    /// Any other way: the raw value `0xDDDDCCCC`.
    Other(u32),
}

impl ChannelId {
    /// Reads the attribute's value: a native-endian 32-bit number (drivers built with a 64-bit `DWORD` give 8 bytes).
    /// `None` for any other length.
    pub(crate) fn parse(value: &[u8]) -> Option<Self> {
        let raw = match value.len() {
            4 => u32::from_ne_bytes(value.try_into().ok()?),
            8 => u32::try_from(u64::from_ne_bytes(value.try_into().ok()?)).ok()?,
            _ => return None,
        };
        let [.., bus, address] = raw.to_be_bytes();
        Some(if raw >> 16 == TYPE_USB { Self::Usb { bus, address } } else { Self::Other(raw) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::ChannelId;

    #[test]
    fn usb_channels_give_bus_and_address() {
        let raw: u32 = 0x0020_0311;
        let usb = Some(ChannelId::Usb { bus: 3, address: 17 });
        assert_eq!(ChannelId::parse(&raw.to_ne_bytes()), usb);
        assert_eq!(ChannelId::parse(&u64::from(raw).to_ne_bytes()), usb);
        assert_eq!(ChannelId::parse(&0x0001_0000_u32.to_ne_bytes()), Some(ChannelId::Other(0x0001_0000)));
        assert_eq!(ChannelId::parse(&[1, 2, 3]), None);
    }

    proptest! {
        #[test]
        fn no_attribute_panics(value in proptest::collection::vec(any::<u8>(), 0..20)) {
            let parsed = ChannelId::parse(&value);
            prop_assert!(parsed.is_none() || value.len() == 4 || value.len() == 8);
        }
    }
}
