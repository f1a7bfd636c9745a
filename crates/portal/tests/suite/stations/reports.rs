//! Reports: applied once, acknowledged after they are stored.

use model::Outcome;
use wire::{Down, Event, KeyRefused, RefusalReason, RefusedCode, Report, Up};

use crate::stations::desk::{TestKey, assert_refused, ended, on_desk, passed, secrets_request};

on_desk!(n11_a_report_is_applied_once_and_acknowledged_every_time, |portal| {
    portal.order(1);
    let job = portal.pull(&portal.bench, 1, &[]).remove(0);
    let key = TestKey::new("V1");
    portal.secrets(&portal.bench, &job, &key);
    let reply = portal.certificates(&portal.bench, &job, &key);
    let report = passed(&job, &key, &reply);
    portal.acknowledged(&portal.bench, &report);
    assert_eq!(portal.text("select state from jobs"), "done");
    assert_eq!(portal.text("select outcome from jobs"), "pass");
    assert_eq!(portal.text("select state from keys"), "issued");
    portal.acknowledged(&portal.bench, &report);
    assert_eq!(portal.number("select count(*) from reports"), 1);
    // Done is done: it is not leased again.
    assert_eq!(portal.pull(&portal.bench, 9, &[]), []);

    // The same id for something else is a mistake of the station.
    let mut other = report.clone();
    other.at = "2026-11-22T10:00:00+08:00".to_owned();
    assert_refused(&portal.report(&portal.bench, &other), RefusedCode::Invalid);
});

on_desk!(a_pass_that_does_not_fit_is_refused_parked_and_stays_refused, |portal| {
    portal.order(1);
    let job = portal.pull(&portal.bench, 1, &[]).remove(0);
    let key = TestKey::new("V1");
    portal.secrets(&portal.bench, &job, &key);
    let reply = portal.certificates(&portal.bench, &job, &key);

    let mut strange = passed(&job, &key, &reply);
    strange.id = "strange".to_owned();
    if let Event::JobEnded(ended) = &mut strange.event {
        ended.enc_cert_serial = Some("0123456789ABCDEF".to_owned());
    }
    // As its outbox does, the station repeats the very message.
    let bytes = wire::encode(&strange.id, &Up::Report(strange.clone())).unwrap();
    for _ in 0..2 {
        let replies = portal.runtime.block_on(portal.desk.handle(&portal.bench.name, &bytes));
        let (_, answer) = wire::decode(&replies[0]).unwrap();
        assert_refused(&answer, RefusedCode::Invalid);
    }
    assert_eq!(portal.text("select state from jobs"), "leased");
    assert_eq!(portal.number("select count(*) from parked"), 1);
    assert_eq!(portal.number("select times from parked"), 2);

    // A pass on a key that was never bound, and one by another station.
    let stranger = TestKey::new("V9");
    assert_refused(&portal.report(&portal.bench, &passed(&job, &stranger, &reply)), RefusedCode::Invalid);
    let other = portal.enrol("bench-2");
    let mut foreign = passed(&job, &key, &reply);
    foreign.id = "foreign".to_owned();
    assert_refused(&portal.report(&other, &foreign), RefusedCode::Invalid);
    assert_eq!(portal.text("select state from jobs"), "leased");

    // None of it keeps the right report out.
    portal.acknowledged(&portal.bench, &passed(&job, &key, &reply));
    assert_eq!(portal.text("select state from jobs"), "done");
});

on_desk!(a_spoiled_key_stays_on_record_and_its_certificates_are_revoked, |portal| {
    portal.order(1);
    let job = portal.pull(&portal.bench, 1, &[]).remove(0);
    let key = TestKey::new("V1");
    portal.secrets(&portal.bench, &job, &key);
    portal.certificates(&portal.bench, &job, &key);
    portal.acknowledged(&portal.bench, &ended(&job, &key, Outcome::Fail, true));
    assert_eq!(portal.text("select state from keys"), "spoiled");
    assert_eq!(portal.text("select revoked_reason from certificates"), "spoiled");

    // Both serials are on the list that OpenSSL reads.
    let dir = portal.folder.path().join("ca");
    portal.runtime.block_on(portal::init::export_ca(&portal.config, &dir)).unwrap();
    let list = std::process::Command::new("openssl")
        .args(["crl", "-noout", "-text", "-in"])
        .arg(dir.join("crl.pem"))
        .output()
        .unwrap();
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    for column in ["select sign_serial from certificates", "select enc_serial from certificates"] {
        let serial = portal.text(column);
        assert!(list.contains(&serial), "{serial} is not in\n{list}");
    }

    // The job goes on with another key, at the same station; the spoiled one never comes back.
    assert_refused(&portal.ask(&portal.bench, &secrets_request(&job, &key)), RefusedCode::KeyUsed);
    assert_eq!(portal.number("select attempts from jobs"), 1);
    assert_eq!(portal.pull(&portal.bench, 0, &[]), std::slice::from_ref(&job));
    portal.make(&portal.bench, &job, "V2");
    assert_eq!(portal.text("select state from jobs"), "done");
    let made = portal.runtime.block_on(portal::stations::made(&portal.state.db, job.order())).unwrap();
    let told: Vec<_> = made.iter().map(|made| (&made.job, made.key_serial.as_str(), made.outcome)).collect();
    assert_eq!(told, [(&job, "V2", Outcome::Pass)]);
});

on_desk!(a_job_that_spoils_too_many_keys_waits_for_an_operator, |portal| {
    portal.order(1);
    let job = portal.pull(&portal.bench, 1, &[]).remove(0);
    let most = portal.config.leases.attempts_max;
    for attempt in 1..=most {
        let key = TestKey::new(&format!("V{attempt}"));
        portal.secrets(&portal.bench, &job, &key);
        portal.acknowledged(&portal.bench, &ended(&job, &key, Outcome::Error, true));
    }
    assert_eq!(portal.text("select state from jobs"), "stuck");
    assert_eq!(portal.pull(&portal.bench, 9, &[]), []);
    assert_refused(
        &portal.ask(&portal.bench, &secrets_request(&job, &TestKey::new("V99"))),
        RefusedCode::NotLeased,
    );
    assert_eq!(portal.number("select count(*) from keys where state = 'spoiled'"), i64::from(most));
});

on_desk!(an_untouched_key_is_a_blank_again, |portal| {
    portal.order(2);
    let jobs = portal.pull(&portal.bench, 2, &[]);
    let key = TestKey::new("V1");
    portal.secrets(&portal.bench, &jobs[0], &key);
    portal.acknowledged(&portal.bench, &ended(&jobs[0], &key, Outcome::Aborted, false));
    assert_eq!(portal.text("select state from keys"), "blank");
    assert_eq!(portal.number("select cast(sum(attempts) as bigint) from jobs"), 0);
    // It may serve any job, the same or another.
    portal.make(&portal.bench, &jobs[1], "V1");

    // "Untouched" is not believed of a key for which certificates were made.
    let second = TestKey::new("V2");
    portal.secrets(&portal.bench, &jobs[0], &second);
    portal.certificates(&portal.bench, &jobs[0], &second);
    portal.acknowledged(&portal.bench, &ended(&jobs[0], &second, Outcome::Error, false));
    assert_eq!(portal.text("select state from keys where key_id like '%V2'"), "spoiled");
});

on_desk!(a_late_report_of_a_lost_lease_does_not_touch_the_new_holder, |portal| {
    portal.order(1);
    let job = portal.pull(&portal.bench, 1, &[]).remove(0);
    portal.pass(i64::from(portal.config.leases.seconds) + 1);
    let other = portal.enrol("bench-2");
    assert_eq!(portal.pull(&other, 1, &[]), std::slice::from_ref(&job));
    let theirs = TestKey::new("V2");
    portal.secrets(&other, &job, &theirs);

    // The first station wrote on a key without a binding (it had its secrets from before, say): that key is set aside.
    let stray = TestKey::new("V1");
    portal.acknowledged(&portal.bench, &ended(&job, &stray, Outcome::Error, true));
    assert_eq!(portal.text("select state from keys where key_id like '%V1'"), "spoiled");
    assert_eq!(portal.text("select station from jobs"), "bench-2");
    assert_eq!(portal.text("select key_id from jobs"), theirs.id.to_string());
    let reply = portal.certificates(&other, &job, &theirs);
    portal.acknowledged(&other, &passed(&job, &theirs, &reply));
});

on_desk!(a_refused_key_is_recorded, |portal| {
    let refused = KeyRefused {
        slot: "A2".parse().unwrap(),
        key: None,
        reason: RefusalReason::DeviceKeyLocked,
        detail: "locked".to_owned(),
    };
    let mut report = Report {
        id: "refused-1".to_owned(),
        at: "2026-11-22T09:30:00Z".to_owned(),
        event: Event::KeyRefused(refused),
        anchor: None,
    };
    portal.acknowledged(&portal.bench, &report);
    assert_eq!(portal.text("select kind from reports"), "key_refused");
    report.id = "refused-2".to_owned();
    report.at = "yesterday".to_owned();
    let Down::Refused(answer) = portal.report(&portal.bench, &report) else { panic!("taken") };
    assert!(answer.detail.contains("RFC 3339"), "{}", answer.detail);
});

on_desk!(a_report_on_a_bound_job_counts_only_from_its_station, |portal| {
    portal.order(1);
    let job = portal.pull(&portal.bench, 1, &[]).remove(0);
    let key = TestKey::new("V1");
    portal.secrets(&portal.bench, &job, &key);
    let other = portal.enrol("bench-2");
    for touched in [false, true] {
        let mut foreign = ended(&job, &key, Outcome::Fail, touched);
        assert_refused(&portal.report(&other, &foreign), RefusedCode::Invalid);
        foreign.id = format!("{}-{touched}", foreign.id);
        assert_refused(&portal.report(&other, &foreign), RefusedCode::Invalid);
    }
    assert_eq!(portal.text("select state from keys"), "bound");
    assert_eq!(portal.text("select key_id from jobs"), key.id.to_string());
    // An id that another station used first keeps nobody's report out.
    portal.acknowledged(&portal.bench, &ended(&job, &key, Outcome::Fail, true));
    assert_eq!(portal.text("select state from keys"), "spoiled");
});
