//! The vpcd side, against a double of pcscd's driver that speaks as `libifdvpcd` does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use proptest::prelude::*;
use support::{Ca, blank, issue, open, virtual_profile};
use ukey::{CardTransport, TransportError, apdu::Command, ins};
use ukey_sim::{Effect, Faults, Latency, SharedKey, vpcd};

/// One slot of the driver.
struct Driver(TcpListener);

/// The driver's end of the line to one key.
struct Slot(TcpStream);

impl Driver {
    fn new() -> Self {
        Self(TcpListener::bind(("127.0.0.1", 0)).unwrap())
    }

    fn accept(&self) -> Slot {
        self.0.set_nonblocking(true).unwrap();
        let end = Instant::now() + Duration::from_secs(30);
        let stream = loop {
            match self.0.accept() {
                Ok((stream, _)) => break stream,
                Err(error) => assert!(Instant::now() < end, "no key connects: {error}"),
            }
            thread::sleep(Duration::from_millis(1));
        };
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Slot(stream)
    }
}

impl Slot {
    /// Length and body in two writes, as the driver does.
    fn send(&mut self, body: &[u8]) {
        self.0.write_all(&(body.len() as u16).to_be_bytes()).unwrap();
        self.0.write_all(body).unwrap();
    }

    /// The next frame; `None` when the key is gone.
    fn receive(&mut self) -> Option<Vec<u8>> {
        let mut length = [0; 2];
        self.0.read_exact(&mut length).ok()?;
        let mut body = vec![0; u16::from_be_bytes(length).into()];
        self.0.read_exact(&mut body).ok()?;
        Some(body)
    }

    fn ask(&mut self, body: &[u8]) -> Option<Vec<u8>> {
        self.send(body);
        self.receive()
    }
}

impl CardTransport for Slot {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        self.ask(command).ok_or(TransportError::Removed)
    }
}

fn device_info() -> Vec<u8> {
    Command::new(ins::GET_DEV_INFO, 0, 0).expecting(288).encode().unwrap().to_vec()
}

fn eventually(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn p13_a_key_is_issued_through_the_vpcd_protocol() {
    let folder = tempfile::tempdir().unwrap();
    let profile = virtual_profile();
    let key = SharedKey::from(open(&blank(folder.path(), &profile, "V0000001"), Faults::none()));
    let driver = Driver::new();
    let attached = vpcd::attach(driver.0.local_addr().unwrap(), &key).unwrap();
    let mut slot = driver.accept();
    slot.send(&[1]);
    assert_eq!(slot.ask(&[4]), key.with(|key| Some(key.atr().to_vec())));
    issue(&mut slot, &profile, &Ca::new()).unwrap();
    assert!(attached.is_connected() && attached.is_plugged());
    assert!(attached.greetings() == 1 && attached.commands() == 24);
    assert!(!key.summary().factory_stage);
    attached.detach();
    assert_eq!(slot.receive(), None);
}

#[test]
fn power_and_reset_take_the_session_and_leave_the_flash() {
    let folder = tempfile::tempdir().unwrap();
    let profile = virtual_profile();
    let key = SharedKey::from(open(&blank(folder.path(), &profile, "V0000001"), Faults::none()));
    let driver = Driver::new();
    let attached = vpcd::attach(driver.0.local_addr().unwrap(), &key).unwrap();
    let mut slot = driver.accept();
    issue(&mut slot, &profile, &Ca::new()).unwrap();
    let open = |name: &str| {
        let command = Command::new(ins::OPEN_APPLICATION, 0, 0).with_data(name.as_bytes().to_vec());
        command.expecting(10).encode().unwrap().to_vec()
    };
    let close = Command::new(ins::CLOSE_APPLICATION, 0, 0).with_data(vec![0x10, 0]).encode().unwrap();
    for control in [&[0][..], &[1], &[2]] {
        assert_eq!(slot.ask(&open(&profile.names.application)).unwrap().len(), 12);
        slot.send(control);
        assert_eq!(slot.ask(&close).unwrap(), [0x69, 0x8A], "{control:?}");
    }
    drop(attached);
    assert_eq!(slot.receive(), None, "dropping is pulling");
}

#[test]
fn the_key_comes_back_when_pcscd_does() {
    let folder = tempfile::tempdir().unwrap();
    let key = SharedKey::from(open(&blank(folder.path(), &virtual_profile(), "V0000001"), Faults::none()));
    // First there is no pcscd at all.
    let driver = Driver::new();
    let addr = driver.0.local_addr().unwrap();
    drop(driver);
    let attached = vpcd::attach(addr, &key).unwrap();
    for _ in 0..3 {
        let driver = Driver(TcpListener::bind(addr).unwrap());
        let mut slot = driver.accept();
        assert!(slot.ask(&[4]).is_some());
        assert_eq!(slot.ask(&device_info()).unwrap().len(), 290);
    }
    assert!(attached.is_plugged());
    attached.detach();
}

#[test]
fn a_yank_closes_the_line_and_a_stuck_key_can_be_pulled() {
    let folder = tempfile::tempdir().unwrap();
    let path = blank(folder.path(), &virtual_profile(), "V0000001");
    let key = SharedKey::from(open(&path, Faults::one(2, Effect::YankAfter)));
    let driver = Driver::new();
    let addr = driver.0.local_addr().unwrap();
    let attached = vpcd::attach(addr, &key).unwrap();
    let mut slot = driver.accept();
    assert!(slot.ask(&device_info()).is_some());
    assert_eq!(slot.ask(&device_info()), None, "no answer, and the line is closed");
    assert!(attached.wait_for_removal(Duration::from_secs(30)));
    drop(attached);
    let again = vpcd::attach(addr, &key).unwrap();
    assert!(driver.accept().ask(&device_info()).is_some(), "it can be plugged again");
    again.detach();

    for effect in [Effect::Stuck, Effect::Slow(Duration::from_secs(3600))] {
        key.with(|key| key.set_faults(Faults::one(1, effect)));
        let attached = vpcd::attach(addr, &key).unwrap();
        let mut slot = driver.accept();
        slot.send(&device_info());
        eventually("the command arrives", || attached.commands() == 1);
        attached.detach();
        assert_eq!(slot.receive(), None);
    }
}

#[test]
fn spoilt_answers_reach_the_driver_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let faults = Faults::one(1, Effect::Empty).and(2, Effect::Short).and(3, Effect::Garbage);
    let key = SharedKey::from(open(&blank(folder.path(), &virtual_profile(), "V0000001"), faults));
    key.with(|key| key.set_latency(Latency::fixed(Duration::from_millis(1))));
    let driver = Driver::new();
    let _attached = vpcd::attach(driver.0.local_addr().unwrap(), &key).unwrap();
    assert_eq!(
        driver.accept().ask(&device_info()),
        None,
        "an empty answer is a line that breaks for a moment"
    );
    let mut slot = driver.accept();
    for length in [1, 37, 290] {
        assert_eq!(slot.ask(&device_info()).unwrap().len(), length);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn no_bytes_of_the_driver_panic_the_key(bytes in prop::collection::vec(prop_oneof![Just(0), Just(1), any::<u8>()], 0..400)) {
        let folder = tempfile::tempdir().unwrap();
        let key = SharedKey::from(open(&blank(folder.path(), &virtual_profile(), "V0000001"), Faults::none()));
        let driver = Driver::new();
        let attached = vpcd::attach(driver.0.local_addr().unwrap(), &key).unwrap();
        driver.accept().0.write_all(&bytes).unwrap();
        // The line was closed behind them: the key comes back and works.
        prop_assert_eq!(driver.accept().ask(&device_info()).unwrap().len(), 290);
        attached.detach();
    }
}
