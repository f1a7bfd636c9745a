//! What the bench rests on: a recorded issuing run, replayed byte for byte on the same blank with the same seed, gets the same answers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::{Ca, blank, issue, open, profiles};
use ukey::CardTransport as _;
use ukey_sim::{Exchange, Faults, InProcess, SharedKey};

/// A blank with this seed.
fn seeded(folder: &std::path::Path, profile: &profile::Profile, seed: u64) -> SharedKey {
    let mut key = open(&blank(folder, profile, "V0000001"), Faults::none());
    key.set_seed(seed);
    key.into()
}

fn answers(key: &SharedKey, tape: &[Exchange]) -> Vec<Vec<u8>> {
    let mut link = InProcess::new(key).unwrap();
    tape.iter().map(|exchange| link.transmit(&exchange.command).unwrap()).collect()
}

#[test]
fn a_recorded_run_replays_on_the_same_blank_with_the_same_seed_alone() {
    let ca = Ca::new();
    for profile in profiles() {
        let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
        let [first, again, other] = [(0, 7), (1, 7), (2, 8)]
            .map(|(at, seed): (usize, u64)| seeded(folders[at].path(), &profile, seed));
        first.with(|key| key.record());
        issue(&mut InProcess::new(&first).unwrap(), &profile, &ca).unwrap();
        let tape = first.with(|key| key.take_recorded());
        assert!(tape.len() > 20, "{} exchanges", tape.len());
        assert!(tape.iter().all(|exchange| exchange.answer.ends_with(&[0x90, 0x00])));
        let recorded: Vec<Vec<u8>> = tape.iter().map(|exchange| exchange.answer.clone()).collect();
        assert_eq!(answers(&again, &tape), recorded, "{}", profile.name);
        assert_eq!(again.summary(), first.summary());
        // Another seed, other challenges: the first proof is refused.
        assert_ne!(answers(&other, &tape), recorded);
    }
}

#[test]
fn nothing_is_kept_before_recording_begins_or_after_it_was_taken() {
    let folder = tempfile::tempdir().unwrap();
    let profile = support::virtual_profile();
    let key = seeded(folder.path(), &profile, 1);
    let mut link = InProcess::new(&key).unwrap();
    let random = [0x80, 0x50, 0, 0, 8];
    link.transmit(&random).unwrap();
    key.with(|key| key.record());
    let answer = link.transmit(&random).unwrap();
    let tape = key.with(|key| key.take_recorded());
    assert_eq!(tape.len(), 1);
    assert_eq!((tape[0].command.as_slice(), &tape[0].answer), (&random[..], &answer));
    assert!(tape[0].came <= tape[0].left);
    // What was said may be a PIN.
    assert_eq!(format!("{:?}", tape[0]), "Exchange { ins: Some(80), .. }");
    link.transmit(&random).unwrap();
    assert!(key.with(|key| key.take_recorded()).is_empty());
}
