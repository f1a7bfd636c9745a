//! A slot's reader: a port of `ukey-sim`, and a link that lets the process end at any command.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hub::UsbAddress;
use ukey::{CardTransport, TransportError};
use ukey_pcsc::{CardEvent, PcscError, Removal};
use ukey_sim::{InProcess, Reader};
use ukey_station::socket::Socket;

use super::time::Fuse;

/// What hangs at a hub: the port outlives every process that uses it.
#[derive(Clone, Debug, Default)]
pub struct Port {
    /// The port.
    pub reader: Reader,
    /// Whether pcscd does not see it.
    pub gone: Arc<AtomicBool>,
}

/// A station's hand on a port.
pub struct PlayedSocket {
    port: Port,
    name: String,
    fuse: Arc<Fuse>,
    /// The key that was seen last, and whether it was out since: keys in one port one after the other are told apart by their links.
    seen: Option<InProcess>,
}

impl PlayedSocket {
    /// A hand on `port`.
    #[must_use]
    pub fn new(port: Port, name: &str, fuse: Arc<Fuse>) -> Self {
        Self { port, name: name.to_owned(), fuse, seen: None }
    }
}

impl Socket for PlayedSocket {
    type Link = PlayedLink;

    fn name(&self) -> &str {
        &self.name
    }

    fn wait_for_card(&mut self, _: Duration) -> CardEvent {
        if self.port.gone.load(Ordering::SeqCst) {
            return CardEvent::ReaderGone;
        }
        match self.port.reader.connect() {
            Some(link) => {
                let atr = link.atr().unwrap_or_default().to_vec();
                self.seen = Some(link);
                CardEvent::Present { atr, event_count: 0, epoch: 0 }
            }
            None => CardEvent::Empty,
        }
    }

    fn wait_for_removal(&mut self, _: Duration) -> Removal {
        let there = self.seen.as_ref().is_some_and(InProcess::is_in);
        if there && !self.port.gone.load(Ordering::SeqCst) {
            return Removal::StillThere;
        }
        self.seen = None;
        Removal::Removed
    }

    fn connect(&mut self) -> Result<PlayedLink, PcscError> {
        let link = self.port.reader.connect().filter(|_| !self.port.gone.load(Ordering::SeqCst));
        let inner = link.ok_or_else(|| PcscError::NoCard { reader: self.name.clone() })?;
        Ok(PlayedLink { inner, fuse: self.fuse.clone() })
    }

    fn usb_address(_: &PlayedLink) -> Option<UsbAddress> {
        None
    }
}

/// A link to a key.
pub struct PlayedLink {
    inner: InProcess,
    fuse: Arc<Fuse>,
}

impl CardTransport for PlayedLink {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        self.fuse.step();
        let answer = self.inner.transmit(command);
        self.fuse.step();
        answer
    }

    fn atr(&self) -> Option<&[u8]> {
        self.inner.atr()
    }
}
