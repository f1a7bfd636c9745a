//! A key in a virtual reader of pcscd: the vpcd protocol over TCP, one thread a key.
//!
//! Frames have a 2-byte big-endian length. One byte is a control: 0 power off, 1 power on, 2 reset (all without
//! answer), 4 asks for the ATR. Anything longer is a command APDU.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    os::linux::net::TcpStreamExt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{Reader, SharedKey, SimError, VirtualKey};

const POWER_OFF: u8 = 0;
const POWER_ON: u8 = 1;
const RESET: u8 = 2;
const ATR: u8 = 4;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Waits between attempts to reach pcscd double from the first to the last of these.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// A key that is plugged into a virtual reader until detached, or until a fault yanks it. Dropping it detaches.
#[derive(Debug)]
pub struct Attached {
    key: SharedKey,
    line: Arc<Line>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Line {
    addr: SocketAddr,
    reader: Reader,
    insertion: u64,
    socket: Mutex<Option<TcpStream>>,
    /// How many times the ATR was asked for: pcscd sees the key.
    greetings: AtomicU64,
    commands: AtomicU64,
}

/// Plugs `key` into the virtual reader that listens at `addr`. Returns at once; pcscd may start later or restart.
///
/// # Errors
/// [`SimError::InUse`] when the key is in a reader already; [`SimError::Io`] when no thread can be started.
pub fn attach(addr: SocketAddr, key: impl Into<SharedKey>) -> Result<Attached, SimError> {
    let key = key.into();
    let reader = Reader::empty();
    reader.plug(&key)?;
    let insertion = reader.insertion();
    let (greetings, commands) = (AtomicU64::new(0), AtomicU64::new(0));
    let line = Arc::new(Line { addr, reader, insertion, socket: Mutex::new(None), greetings, commands });
    let (serial, path) = key.with(|k| (k.serial().to_owned(), k.path().to_owned()));
    let served = Arc::clone(&line);
    let thread = thread::Builder::new()
        .name(format!("key {serial}"))
        .spawn(move || served.run())
        .map_err(SimError::io(&path, "starting the key's thread"))?;
    Ok(Attached { key, line, thread: Some(thread) })
}

impl Attached {
    /// The key.
    #[must_use]
    pub fn key(&self) -> &SharedKey {
        &self.key
    }

    /// The address of the virtual reader.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.line.addr
    }

    /// Whether the key is still plugged: `false` after a fault has yanked it.
    #[must_use]
    pub fn is_plugged(&self) -> bool {
        self.line.reader.key().is_some()
    }

    /// Whether a connection to the virtual reader stands.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.line.socket().is_some()
    }

    /// How many times pcscd has asked for the ATR: more than none = it sees the key.
    #[must_use]
    pub fn greetings(&self) -> u64 {
        self.line.greetings.load(Ordering::Relaxed)
    }

    /// How many command APDUs came.
    #[must_use]
    pub fn commands(&self) -> u64 {
        self.line.commands.load(Ordering::Relaxed)
    }

    /// Waits until a fault yanks the key; `false` when it is still plugged.
    #[must_use]
    pub fn wait_for_removal(&self, timeout: Duration) -> bool {
        self.line.reader.wait_for_removal(timeout)
    }

    /// Pulls the key and gives it back.
    pub fn detach(mut self) -> SharedKey {
        self.unplug();
        self.key.clone()
    }

    fn unplug(&mut self) {
        self.line.reader.pull();
        self.line.hang_up();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(addr = %self.line.addr, "the thread of a virtual key panicked");
        }
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.unplug();
    }
}

impl Line {
    /// Connects again and again until the key is pulled.
    fn run(&self) {
        let mut pause = BACKOFF.0;
        while !self.pulled() {
            match self.connect() {
                Ok(stream) => {
                    let started = Instant::now();
                    let ended = self.serve(stream);
                    self.hang_up();
                    // Without pcscd the key has no power.
                    if let Some(key) = self.reader.key() {
                        key.with(VirtualKey::reset);
                    }
                    tracing::debug!(addr = %self.addr, ?ended, "the virtual reader is gone");
                    // A reader that hangs up at once is as good as none: do not hammer it.
                    if started.elapsed() > BACKOFF.1 {
                        pause = BACKOFF.0;
                    }
                }
                Err(error) => tracing::trace!(addr = %self.addr, %error, "no virtual reader yet"),
            }
            if self.reader.wait_for_removal(pause) {
                return;
            }
            pause = (pause * 2).min(BACKOFF.1);
        }
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect_timeout(&self.addr, CONNECT_TIMEOUT)?;
        stream.set_nodelay(true)?;
        *self.socket.lock().unwrap_or_else(PoisonError::into_inner) = Some(stream.try_clone()?);
        Ok(stream)
    }

    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let mut frames = Frames { stream, buffer: Vec::new() };
        // Whoever pulls the key closes the socket that is on record; look once more now that ours is.
        while !self.pulled() {
            let Some(frame) = frames.next()? else { return Ok(()) };
            match *frame {
                [] => {}
                [POWER_OFF | POWER_ON | RESET] => self.reader.reset(),
                [ATR] => {
                    let Some(key) = self.reader.key() else { return Ok(()) };
                    frames.send(&key.with(|key| key.atr().to_vec()))?;
                    self.greetings.fetch_add(1, Ordering::Relaxed);
                }
                _ => {
                    self.commands.fetch_add(1, Ordering::Relaxed);
                    let Some(answer) = self.reader.exchange(self.insertion, &frame) else { return Ok(()) };
                    if answer.is_empty() {
                        // The driver hangs on a frame without a body. A line that breaks is what reaches the host
                        // as an empty answer; the key comes back at once, without its session.
                        return Ok(());
                    }
                    frames.send(&answer)?;
                }
            }
        }
        Ok(())
    }

    fn pulled(&self) -> bool {
        self.reader.key().is_none()
    }

    fn hang_up(&self) {
        if let Some(stream) = self.socket().take() {
            // It may be closed already; either way nobody reads on.
            let _closed = stream.shutdown(Shutdown::Both);
        }
    }

    fn socket(&self) -> std::sync::MutexGuard<'_, Option<TcpStream>> {
        self.socket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Frames on a stream.
struct Frames {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Frames {
    /// The next frame; `None` when the other side has closed.
    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some((head, rest)) = self.buffer.split_first_chunk::<2>() {
                let length = usize::from(u16::from_be_bytes(*head));
                if rest.len() >= length {
                    let frame = rest.get(..length).unwrap_or_default().to_vec();
                    self.buffer.drain(..length + 2);
                    return Ok(Some(frame));
                }
            }
            let mut chunk = [0; 4096];
            // vpcd sends length and body apart with Nagle on: without an immediate acknowledgement each frame
            // costs 40 ms. The kernel forgets the wish, so it is said before every read.
            self.stream.set_quickack(true)?;
            match self.stream.read(&mut chunk) {
                Ok(0) => return Ok(None),
                Ok(count) => self.buffer.extend(chunk.iter().take(count)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn send(&mut self, body: &[u8]) -> io::Result<()> {
        let length = u16::try_from(body.len())
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "an answer has at most 65535 bytes"))?;
        // One write: two small ones would wait for one another.
        self.stream.write_all(&[&length.to_be_bytes(), body].concat())
    }
}
