//! A card for virtual readers that does what a test says, where a whole virtual key would be in the way.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpStream},
    os::linux::net::TcpStreamExt as _,
    thread::{self, JoinHandle},
};

use anyhow::{Context as _, Result};

/// A T=1 card with two historical bytes; the last byte is the check byte.
pub const ATR: [u8; 6] = [0x3B, 0x82, 0x01, 0x55, 0x4B, 0x9D];

/// vpcd asks for the ATR with this one-byte message; 0, 1 and 2 (off, on, reset) want no answer.
const ASKS_ATR: u8 = 4;

/// A card in a virtual reader. Dropping it pulls it.
pub struct PlainCard {
    stream: TcpStream,
    thread: Option<JoinHandle<()>>,
}

impl PlainCard {
    /// Plugs a card into the virtual reader at `port`. `answer` makes the answer to each command; `None` is a yank in its middle.
    ///
    /// # Errors
    /// Nobody listens at the port.
    pub fn plug(
        port: u16,
        mut answer: impl FnMut(&[u8]) -> Option<Vec<u8>> + Send + 'static,
    ) -> Result<Self> {
        let stream =
            TcpStream::connect(("127.0.0.1", port)).with_context(|| format!("no reader at port {port}"))?;
        stream.set_nodelay(true)?;
        let mut served = stream.try_clone()?;
        // The thread ends with its connection; that is how a card is pulled, so the error has nothing to tell.
        let thread = thread::spawn(move || drop(serve(&mut served, &mut answer)));
        Ok(Self { stream, thread: Some(thread) })
    }

    /// Pulls the card.
    pub fn pull(self) {}
}

impl Drop for PlainCard {
    fn drop(&mut self) {
        // Fails only if the other side has hung up already.
        let _ = self.stream.shutdown(Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(stream: &mut TcpStream, answer: &mut impl FnMut(&[u8]) -> Option<Vec<u8>>) -> Result<()> {
    loop {
        let message = receive(stream)?;
        match message.as_slice() {
            [ASKS_ATR] => send(stream, &ATR)?,
            [_] | [] => {}
            command => match answer(command) {
                Some(answer) => send(stream, &answer)?,
                None => return Ok(stream.shutdown(Shutdown::Both)?),
            },
        }
    }
}

fn receive(stream: &mut TcpStream) -> Result<Vec<u8>> {
    let mut length = [0; 2];
    exact(stream, &mut length)?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    exact(stream, &mut message)?;
    Ok(message)
}

/// vpcd sends length and body apart and waits for the acknowledgement between them; Linux would hold that back for 40 ms.
fn exact(stream: &mut TcpStream, mut buffer: &mut [u8]) -> Result<()> {
    while !buffer.is_empty() {
        stream.set_quickack(true)?;
        let read = stream.read(buffer)?;
        anyhow::ensure!(read > 0, "the reader hung up");
        buffer = buffer.split_at_mut(read).1;
    }
    Ok(())
}

fn send(stream: &mut TcpStream, message: &[u8]) -> Result<()> {
    let length = u16::try_from(message.len()).context("a message has at most 65535 bytes")?;
    stream.write_all(&[&length.to_be_bytes(), message].concat())?;
    Ok(())
}
