//! A whole job on a virtual key of every shipped profile, with and without trouble.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::time::Duration;

use model::Outcome;
use profile::StepKind;
use support::{ADMIN_PIN, Bench, DEVICE_KEY, profiles};
use ukey_sim::{Effect, Faults, Summary};
use wire::{RefusalReason, Refused, RefusedCode};
use workflow::{Interruption, Settled};

fn names() -> Vec<String> {
    let names: Vec<String> = profiles().into_iter().map(|profile| profile.name).collect();
    assert!(names.len() >= 5, "the virtual models, the GM3000 and the AS568 dialects: {names:?}");
    names
}

#[test]
fn n8_every_shipped_profile_makes_a_key_that_passes_read_back() {
    for name in names() {
        let mut bench = Bench::new(&name);
        let work = bench.begin();
        let ended = bench.run(work, Faults::none()).unwrap();
        assert_eq!(ended.outcome, Outcome::Pass, "{name}: {}", ended.detail);
        assert!(
            ended.sign_cert_serial.is_some() && ended.sign_cert_serial != ended.enc_cert_serial,
            "{name}"
        );
        let plan: Vec<StepKind> = bench.profile().steps.iter().map(|step| step.kind).collect();
        assert_eq!(bench.replayed().done, plan, "{name}");
    }
}

#[test]
fn n3_a_key_pulled_before_or_after_any_command_is_finished_when_it_comes_back() {
    let mut said = Vec::new();
    for name in names() {
        for effect in [Effect::YankBefore, Effect::YankAfter] {
            for command in 1..=Bench::commands_of_a_clean_run(&name) {
                let mut bench = Bench::new(&name);
                let work = bench.begin();
                let cut = bench.run(work, Faults::one(command, effect));
                assert!(matches!(cut, Err(Interruption::Key(_))), "{name} {effect:?} at {command}: {cut:?}");
                let work = bench.replayed();
                let in_doubt = work.in_doubt;
                let ended = bench.run(work, Faults::none()).unwrap();
                assert_eq!(ended.outcome, Outcome::Pass, "{name} {effect:?} at {command}: {}", ended.detail);
                assert_eq!(bench.portal.requests(), 1, "{name} {effect:?} at {command}: certificates twice");
                // The screen says what became of the step that was cut off, and of no other.
                let settled = bench.screen.settled.iter().map(|(step, _)| *step);
                assert!(settled.eq(in_doubt), "{name} {effect:?} at {command}: {:?}", bench.screen.settled);
                said.extend(bench.screen.settled.iter().map(|(_, how)| *how));
            }
        }
    }
    for how in [Settled::Done, Settled::NotDone, Settled::Repeated] {
        assert!(said.contains(&how), "{how:?} was never said");
    }
}

#[test]
fn n3_looks_at_a_device_key_that_are_cut_again_and_again_do_not_lock_it() {
    let mut bench = Bench::new("ukey/virtual");
    bench.make_anew(|profile| profile.dialect.device_auth.tries = 3);
    let work = bench.begin();
    // The second command proves the factory key; its answer is lost, so the step is in doubt and nothing was changed.
    assert!(bench.run(work, Faults::one(2, Effect::YankAfter)).is_err());
    let mut runs = 1;
    let ended = loop {
        let work = bench.replayed();
        match bench.run(work, Faults::one(2, Effect::YankAfter)) {
            Ok(ended) => break ended,
            Err(interruption) => assert!(matches!(interruption, Interruption::Key(_)), "{interruption}"),
        }
        runs += 1;
        assert!(runs < 10, "it is looked at for ever");
    };
    assert_eq!((ended.outcome, ended.key_touched), (Outcome::Error, true), "{}", ended.detail);
    assert_eq!(Summary::read(&bench.flash).unwrap().device_tries, (1, 3), "the last try is left alone");
}

#[test]
fn n3_a_journal_that_cannot_be_written_stops_the_work_and_the_job_goes_on_after_it_can() {
    let whole = {
        let mut bench = Bench::new("ukey/virtual");
        let work = bench.begin();
        bench.run(work, Faults::none()).unwrap();
        bench.journal.records.len()
    };
    for at in 1..whole {
        let mut bench = Bench::new("ukey/virtual");
        let work = bench.begin();
        bench.journal.fails_at = Some(at);
        assert!(matches!(bench.run(work, Faults::none()), Err(Interruption::Journal(_))), "record {at}");
        bench.journal.fails_at = None;
        let work = bench.replayed();
        let ended = bench.run(work, Faults::none()).unwrap();
        assert_eq!(ended.outcome, Outcome::Pass, "record {at}: {}", ended.detail);
    }
}

#[test]
fn p3_a_key_that_refuses_fails_and_is_set_aside() {
    let mut bench = Bench::new("ukey/virtual");
    let work = bench.begin();
    let ended = bench.run(work, Faults::one(6, Effect::Status(0x6581))).unwrap();
    assert_eq!(ended.outcome, Outcome::Fail);
    assert!(ended.key_touched);
    assert!(ended.detail.contains("隔离"), "{}", ended.detail);
}

#[test]
fn p3_a_key_over_its_time_budget_is_a_timeout() {
    let mut bench = Bench::new("ukey/virtual");
    for profile in &mut bench.profiles {
        for step in &mut profile.steps {
            step.budget = Duration::from_millis(50);
        }
    }
    let work = bench.begin();
    let ended = bench.run(work, Faults::one(1, Effect::Slow(Duration::from_millis(80)))).unwrap();
    assert_eq!(ended.outcome, Outcome::Timeout);
}

#[test]
fn p5_a_key_with_another_factory_key_is_refused_untouched() {
    let mut bench = Bench::new("ukey/virtual");
    bench.portal.factory_key = [0xEE; 16];
    let work = bench.begin();
    let ended = bench.run(work, Faults::none()).unwrap();
    assert_eq!(ended.refusal, Some(RefusalReason::FactoryKeyWrong));
    assert!(!ended.key_touched);
}

#[test]
fn p5_a_key_with_a_locked_device_key_is_refused() {
    let mut bench = Bench::new("ukey/virtual");
    let work = bench.begin();
    let ended = bench.run(work, Faults::one(2, Effect::Status(0x6983))).unwrap();
    assert_eq!(ended.refusal, Some(RefusalReason::DeviceKeyLocked));
}

#[test]
fn p5_a_key_that_the_portal_knows_as_used_is_refused() {
    let mut bench = Bench::new("ukey/virtual");
    bench.portal.refuse = Some(Refused { code: RefusedCode::KeyUsed, detail: "issued".into() });
    let work = bench.begin();
    let ended = bench.run(work, Faults::none()).unwrap();
    assert_eq!(ended.refusal, Some(RefusalReason::AlreadyIssued));
    assert!(!ended.key_touched);
}

#[test]
fn p5_a_key_of_no_registered_lot_is_refused() {
    let mut bench = Bench::new("ukey/virtual");
    bench.portal.refuse = Some(Refused { code: RefusedCode::NotRegistered, detail: "no lot".into() });
    let work = bench.begin();
    let ended = bench.run(work, Faults::none()).unwrap();
    assert_eq!((ended.refusal, ended.key_touched), (Some(RefusalReason::NotRegistered), false));
}

#[test]
fn certificates_of_another_key_are_an_error_of_ours_not_of_the_key() {
    let mut bench = Bench::new("ukey/virtual");
    bench.portal.wrong_key = true;
    let work = bench.begin();
    let ended = bench.run(work, Faults::none()).unwrap();
    assert_eq!(ended.outcome, Outcome::Error, "{}", ended.detail);
}

#[test]
fn p7_garbage_in_place_of_any_answer_is_never_green() {
    let commands = Bench::commands_of_a_clean_run("ukey/virtual");
    for command in 1..=commands {
        let mut bench = Bench::new("ukey/virtual");
        let work = bench.begin();
        let ended = bench.run(work, Faults::one(command, Effect::Garbage));
        assert!(
            !matches!(&ended, Ok(ended) if ended.outcome == Outcome::Pass),
            "garbage unnoticed at {command}: {ended:?}"
        );
    }
}

#[test]
fn p5_a_written_key_is_never_reported_as_a_blank() {
    let mut bench = Bench::new("ukey/virtual");
    let work = bench.begin();
    // The portal turns the key down only when certificates are asked for.
    bench.portal.refuse_certificates = Some(Refused { code: RefusedCode::KeyUsed, detail: "seen".into() });
    let ended = bench.run(work, Faults::none()).unwrap();
    assert_eq!((ended.outcome, ended.refusal, ended.key_touched), (Outcome::Fail, None, true));
}

#[test]
fn p9_a_half_made_key_waits_for_a_portal_that_does_not_answer() {
    let mut bench = Bench::new("ukey/virtual");
    let work = bench.begin();
    bench.portal.answers = false;
    assert_eq!(bench.run(work, Faults::none()).unwrap().outcome, Outcome::Error, "a blank does not wait");
    let mut bench = Bench::new("ukey/virtual");
    let work = bench.begin();
    assert!(matches!(bench.run(work, Faults::one(12, Effect::YankAfter)), Err(Interruption::Key(_))));
    bench.portal.answers = false;
    let work = bench.replayed();
    assert!(matches!(bench.run(work, Faults::none()), Err(Interruption::Portal(_))));
    bench.portal.answers = true;
    let work = bench.replayed();
    assert_eq!(bench.run(work, Faults::none()).unwrap().outcome, Outcome::Pass);
}

#[test]
fn a_job_is_not_resumed_under_a_changed_profile() {
    let mut bench = Bench::new("ukey/virtual");
    let mut work = bench.begin();
    work.begun.profile_digest = "another".into();
    let ended = bench.run(work, Faults::none()).unwrap();
    assert_eq!(ended.outcome, Outcome::Error);
}

#[test]
fn no_record_holds_a_secret() {
    let mut bench = Bench::new("ukey/virtual");
    let work = bench.begin();
    bench.run(work, Faults::none()).unwrap();
    let text =
        format!("{}{:?}", serde_json::to_string(&bench.journal.records).unwrap(), bench.journal.records);
    for secret in [DEVICE_KEY, ADMIN_PIN, "12345678\"", &hex::encode(ukey_sim::FACTORY_DEVICE_KEY)] {
        assert!(!text.contains(secret), "{secret} is in the records");
    }
}
