//! Row P13 and the fault controls: a key pulled at any command holds exactly what completed commands wrote.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{path::Path, thread, time::Duration};

use serde_json::Value;
use support::{Ca, blank, issue, open, shape, virtual_profile};
use ukey::{CardError, CardTransport, TransportError, apdu::Command, ins};
use ukey_sim::{Effect, Faults, InProcess, Latency, Reader, SharedKey};

/// Remembers what the flash file holds before the run and after each command.
struct Recorder<'a> {
    link: InProcess,
    path: &'a Path,
    shapes: Vec<Value>,
}

impl CardTransport for Recorder<'_> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        let answer = self.link.transmit(command)?;
        self.shapes.push(shape(self.path));
        Ok(answer)
    }
}

fn device_info() -> Vec<u8> {
    Command::new(ins::GET_DEV_INFO, 0, 0).expecting(288).encode().unwrap().to_vec()
}

/// The flash after 0, 1, 2, … commands of an undisturbed run.
fn undisturbed(ca: &Ca) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let profile = virtual_profile();
    let path = blank(folder.path(), &profile, "V0000001");
    let shapes = vec![shape(&path)];
    let link = InProcess::new(open(&path, Faults::none())).unwrap();
    let mut recorder = Recorder { link, path: &path, shapes };
    issue(&mut recorder, &profile, ca).unwrap();
    recorder.shapes
}

/// Runs into a fault and returns the flash afterwards, as a fresh key finds it.
fn disturbed(ca: &Ca, command: u64, effect: Effect) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let profile = virtual_profile();
    let path = blank(folder.path(), &profile, "V0000001");
    let mut link = InProcess::new(open(&path, Faults::one(command, effect))).unwrap();
    let error = issue(&mut link, &profile, ca).err().unwrap();
    assert!(matches!(error, CardError::Transport(TransportError::Removed)), "{command} {effect:?}: {error}");
    assert!(matches!(link.transmit(&device_info()), Err(TransportError::Removed)), "pulled is pulled");
    assert!(link.reader().key().is_none());
    drop(link);

    let after = shape(&path);
    let mut again = InProcess::new(open(&path, Faults::none())).unwrap();
    let answer = again.transmit(&device_info()).unwrap();
    assert_eq!(answer[answer.len() - 2..], [0x90, 0x00], "the key lives on");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside the flash");
    after
}

#[test]
fn p13_a_yank_at_every_command_leaves_what_completed_commands_wrote() {
    let ca = Ca::new();
    let shapes = undisturbed(&ca);
    let commands = shapes.len() - 1;
    assert!(commands >= 20, "an issuing run has {commands} commands");
    let writes = shapes.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(writes >= 8, "{writes} of them write");
    for n in 1..=commands {
        assert_eq!(disturbed(&ca, n as u64, Effect::YankBefore), shapes[n - 1], "before command {n}");
        assert_eq!(disturbed(&ca, n as u64, Effect::YankAfter), shapes[n], "after command {n}");
    }
}

#[test]
fn p13_a_key_pulled_while_a_command_takes_its_time_has_not_carried_it_out() {
    let folder = tempfile::tempdir().unwrap();
    let profile = virtual_profile();
    let path = blank(folder.path(), &profile, "V0000001");
    let before = shape(&path);
    let key = SharedKey::from(open(&path, Faults::none()));
    key.with(|key| key.set_latency(Latency::fixed(Duration::from_secs(3600))));
    let mut link = InProcess::new(&key).unwrap();
    let reader = link.reader().clone();
    let waiting = thread::spawn(move || link.transmit(&device_info()));
    assert!(reader.pull().is_some());
    assert!(matches!(waiting.join().unwrap(), Err(TransportError::Removed)));
    assert_eq!(shape(&path), before);
    assert_eq!(key.with(|key| key.faults().commands_seen()), 0);
}

#[test]
fn p13_a_stuck_key_answers_only_by_being_pulled() {
    let folder = tempfile::tempdir().unwrap();
    let path = blank(folder.path(), &virtual_profile(), "V0000001");
    for effect in [Effect::Stuck, Effect::StuckAfter] {
        let key = SharedKey::from(open(&path, Faults::one(1, effect)));
        let reader = Reader::empty();
        reader.plug(&key).unwrap();
        let mut link = reader.connect().unwrap();
        let waiting = thread::spawn(move || link.transmit(&device_info()));
        while key.with(|key| key.faults().commands_seen()) == 0 {
            thread::yield_now();
        }
        assert!(reader.pull().is_some());
        assert!(matches!(waiting.join().unwrap(), Err(TransportError::Removed)));
    }
}

#[test]
fn p13_spoilt_answers_come_back_as_the_fault_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = blank(folder.path(), &virtual_profile(), "V0000001");
    let faults = Faults::one(1, Effect::Status(0x6F00))
        .and(2, Effect::StatusAfter(0x6581))
        .and(3, Effect::Garbage)
        .and(4, Effect::Short)
        .and(5, Effect::Empty)
        .and(6, Effect::Slow(Duration::from_millis(1)));
    let mut link = InProcess::new(open(&path, faults)).unwrap();
    assert_eq!(link.transmit(&device_info()).unwrap(), [0x6F, 0x00]);
    assert_eq!(link.transmit(&device_info()).unwrap(), [0x65, 0x81]);
    assert_eq!(link.transmit(&device_info()).unwrap().len(), 37);
    assert!(matches!(link.transmit(&device_info()), Err(TransportError::Removed)), "one byte is no answer");
    assert!(matches!(link.transmit(&device_info()), Err(TransportError::Removed)), "nor is none");
    assert_eq!(link.transmit(&device_info()).unwrap().len(), 290);
}

#[test]
fn p13_a_link_speaks_to_the_key_it_was_made_for_or_to_none() {
    let folder = tempfile::tempdir().unwrap();
    let profile = virtual_profile();
    let (first, second) = (
        SharedKey::from(open(&blank(folder.path(), &profile, "V0000001"), Faults::none())),
        SharedKey::from(open(&blank(folder.path(), &profile, "V0000002"), Faults::none())),
    );
    let reader = Reader::empty();
    assert!(reader.connect().is_none());
    reader.plug(&first).unwrap();
    assert!(reader.plug(&second).is_err(), "the port is occupied");
    assert!(Reader::empty().plug(&first).is_err(), "the key is in a port already");
    let mut link = reader.connect().unwrap();
    assert_eq!(link.atr(), first.with(|key| Some(key.atr().to_vec())).as_deref());
    link.transmit(&device_info()).unwrap();
    reader.reset();
    assert!(matches!(link.transmit(&device_info()), Err(TransportError::Reset)));
    link.transmit(&device_info()).unwrap();
    reader.pull();
    reader.plug(&second).unwrap();
    assert!(matches!(link.transmit(&device_info()), Err(TransportError::Removed)));
    reader.connect().unwrap().transmit(&device_info()).unwrap();
    assert!(reader.wait_for_card(Duration::ZERO));
    reader.pull();
    assert!(reader.wait_for_removal(Duration::ZERO));
    assert!(!reader.wait_for_card(Duration::ZERO));
}
