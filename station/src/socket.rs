//! The port of a slot: where a key is plugged, seen, and spoken to.

use std::time::Duration;

use hub::UsbAddress;
use ukey::CardTransport;
use ukey_pcsc::{CardEvent, ChannelId, PcscError, PcscTransport, Reader, Removal};

/// A slot's reader.
pub trait Socket: Send {
    /// What carries commands to the key in it.
    type Link: CardTransport;

    /// The reader's name.
    fn name(&self) -> &str;

    /// Waits for a key at most `timeout`.
    fn wait_for_card(&mut self, timeout: Duration) -> CardEvent;

    /// Waits at most `timeout` until the key last seen is out.
    fn wait_for_removal(&mut self, timeout: Duration) -> Removal;

    /// A link to the key.
    ///
    /// # Errors
    /// The key or its reader does not let itself be connected to.
    fn connect(&mut self) -> Result<Self::Link, PcscError>;

    /// Where the key of this link hangs, if that is a USB port.
    fn usb_address(link: &Self::Link) -> Option<UsbAddress>;
}

impl Socket for Reader {
    type Link = PcscTransport;

    fn name(&self) -> &str {
        self.name()
    }

    fn wait_for_card(&mut self, timeout: Duration) -> CardEvent {
        self.wait_for_card(timeout)
    }

    fn wait_for_removal(&mut self, timeout: Duration) -> Removal {
        self.wait_for_removal(timeout)
    }

    fn connect(&mut self) -> Result<PcscTransport, PcscError> {
        self.connect()
    }

    fn usb_address(link: &PcscTransport) -> Option<UsbAddress> {
        match link.channel_id() {
            Some(ChannelId::Usb { bus, address }) => Some(UsbAddress { bus, address }),
            _ => None,
        }
    }
}
