//! Secrets and bindings.

use model::{JobId, Outcome};
use wire::{Down, RefusedCode, SecretsRequest, Up};

use crate::stations::desk::{FACTORY_KEY, TestKey, assert_refused, ended, on_desk, secrets_request};

on_desk!(p6_each_key_has_its_own_secrets_and_only_its_station_can_open_them, |portal| {
    portal.order(2);
    let jobs = portal.pull(&portal.bench, 2, &[]);
    let (first, second) = (TestKey::new("V1"), TestKey::new("V2"));
    let a = portal.secrets(&portal.bench, &jobs[0], &first);
    let b = portal.secrets(&portal.bench, &jobs[1], &second);
    assert_eq!(a.key, first.id);
    assert_eq!(a.factory_device_key, hex::encode(FACTORY_KEY));
    assert_eq!(a.user_pin, "12345678");
    assert_eq!((a.device_key.len(), a.admin_pin.len()), (32, 12));
    assert_ne!(a.device_key, b.device_key);
    assert_ne!(a.admin_pin, b.admin_pin);
    assert_ne!(a.device_key, a.factory_device_key);

    // n11: the same request, the same secrets; sealed anew, and closed to everybody else.
    let Down::Secrets(reply) = portal.ask(&portal.bench, &secrets_request(&jobs[0], &first)) else {
        panic!("none")
    };
    let again = gm::open(&portal.bench.sealing, &reply.sealed.0).unwrap();
    let again: wire::KeySecrets = serde_json::from_slice(again.expose()).unwrap();
    assert!(again == a);
    let other = portal.enrol("bench-2");
    assert!(gm::open(&other.sealing, &reply.sealed.0).is_err());
});

on_desk!(a_job_has_one_key_and_a_key_serves_one_job, |portal| {
    portal.order(2);
    let jobs = portal.pull(&portal.bench, 2, &[]);
    let (first, second) = (TestKey::new("V1"), TestKey::new("V2"));
    portal.secrets(&portal.bench, &jobs[0], &first);
    assert_refused(&portal.ask(&portal.bench, &secrets_request(&jobs[1], &first)), RefusedCode::KeyUsed);
    assert_refused(&portal.ask(&portal.bench, &secrets_request(&jobs[0], &second)), RefusedCode::JobHasKey);

    // Not its own job, and no job at all.
    let other = portal.enrol("bench-2");
    assert_refused(&portal.ask(&other, &secrets_request(&jobs[1], &second)), RefusedCode::NotLeased);
    let nowhere = JobId::new(jobs[0].order().clone(), 9);
    assert_refused(&portal.ask(&portal.bench, &secrets_request(&nowhere, &second)), RefusedCode::NotLeased);

    // A made key never serves again.
    let reply = portal.certificates(&portal.bench, &jobs[0], &first);
    portal.acknowledged(&portal.bench, &crate::stations::desk::passed(&jobs[0], &first, &reply));
    assert_refused(&portal.ask(&portal.bench, &secrets_request(&jobs[1], &first)), RefusedCode::KeyUsed);
});

on_desk!(a_request_that_cannot_be_granted_binds_nothing, |portal| {
    portal.order(1);
    let jobs = portal.pull(&portal.bench, 1, &[]);
    let key = TestKey::new("V1");
    let Up::Secrets(mut request) = secrets_request(&jobs[0], &key) else { unreachable!() };
    request.factory_device_key = "nobody-knows".to_owned();
    let refused = portal.ask_refused(&portal.bench, &Up::Secrets(request.clone()));
    assert_eq!(refused.code, RefusedCode::Invalid);
    assert!(refused.detail.contains("nobody-knows"), "{}", refused.detail);

    let sql = "update jobs set profiles = '[\"other/model\"]'";
    portal.runtime.block_on(sqlx::query(sql).execute(&portal.state.db)).unwrap();
    assert_refused(&portal.ask(&portal.bench, &secrets_request(&jobs[0], &key)), RefusedCode::Invalid);
    assert_eq!(portal.number("select count(*) from keys"), 0);
});

on_desk!(two_jobs_that_reach_for_one_key_at_once_get_one_answer_each_way, |portal| {
    portal.order(8);
    let jobs = portal.pull(&portal.bench, 8, &[]);
    let asking: Vec<_> = jobs
        .iter()
        .map(|job| {
            let (desk, station) = (portal.desk.clone(), portal.bench.clone());
            let request = secrets_request(job, &TestKey::new("V1"));
            portal.runtime.spawn(async move { crate::stations::desk::ask(&desk, &station, &request).await })
        })
        .collect();
    let answers: Vec<Down> =
        asking.into_iter().map(|answer| portal.runtime.block_on(answer).unwrap()).collect();
    let granted = answers.iter().filter(|answer| matches!(answer, Down::Secrets(_))).count();
    assert_eq!(granted, 1);
    for answer in answers.iter().filter(|answer| !matches!(answer, Down::Secrets(_))) {
        assert_refused(answer, RefusedCode::KeyUsed);
    }
});

on_desk!(a_disabled_or_unknown_station_gets_nothing, |portal| {
    portal.order(1);
    let pull = Up::Pull(wire::Pull { capacity: 1, profiles: vec![], holding: vec![] });
    let mut stranger = portal.bench.clone();
    stranger.name = "stranger".parse().unwrap();
    assert_refused(&portal.ask(&stranger, &pull), RefusedCode::NotActive);
    portal.runtime.block_on(portal::enrol::disable_station(&portal.config, &portal.bench.name)).unwrap();
    assert_refused(&portal.ask(&portal.bench, &pull), RefusedCode::NotActive);
    // Nor is a report parked or lost: it stays in the station's outbox until the station is let in again.
    let job = model::JobId::new("SAAS120261122093000000001".parse().unwrap(), 1);
    let report = crate::stations::desk::ended(&job, &TestKey::new("V1"), model::Outcome::Aborted, false);
    assert_refused(&portal.report(&portal.bench, &report), RefusedCode::NotActive);
    assert_eq!(portal.number("select (select count(*) from parked) + (select count(*) from reports)"), 0);
    // Enrolled again, it works again.
    let again = portal.enrol("bench-1");
    assert_eq!(portal.pull(&again, 1, &[]).len(), 1);
});

on_desk!(a_late_copy_of_a_request_binds_nothing_after_its_attempt_ended, |portal| {
    portal.order(1);
    let job = portal.pull(&portal.bench, 1, &[]).remove(0);
    let key = TestKey::new("V1");
    portal.secrets(&portal.bench, &job, &key);
    assert_eq!(portal.text("select attempt from keys"), crate::stations::desk::attempt(&job, &key));
    portal.acknowledged(&portal.bench, &ended(&job, &key, Outcome::Aborted, false));
    assert_refused(&portal.ask(&portal.bench, &secrets_request(&job, &key)), RefusedCode::Invalid);
    assert_eq!(portal.text("select state from keys"), "blank");
    assert_eq!(portal.number("select count(*) from jobs where key_id is null"), 1);

    // The same key in a new attempt is bound.
    let again = again(&job, &key, "A1/2");
    assert!(matches!(portal.ask(&portal.bench, &again), Down::Secrets(_)));
    assert_eq!(portal.text("select state from keys"), "bound");
});

on_desk!(the_late_end_of_an_earlier_attempt_does_not_free_a_key_in_work, |portal| {
    portal.order(1);
    let job = portal.pull(&portal.bench, 1, &[]).remove(0);
    let key = TestKey::new("V1");
    portal.secrets(&portal.bench, &job, &key);
    assert!(matches!(portal.ask(&portal.bench, &again(&job, &key, "A1/2")), Down::Secrets(_)));
    portal.acknowledged(&portal.bench, &ended(&job, &key, Outcome::Aborted, false));
    assert_eq!(portal.text("select state from keys"), "bound");
    let mut second = ended(&job, &key, Outcome::Aborted, false);
    second.id = format!("ended:job/{job}/A1/2");
    portal.acknowledged(&portal.bench, &second);
    assert_eq!(portal.text("select state from keys"), "blank");
});

on_desk!(a_request_that_names_no_attempt_is_refused, |portal| {
    portal.order(1);
    let job = portal.pull(&portal.bench, 1, &[]).remove(0);
    for attempt in [String::new(), "x".repeat(201)] {
        let Up::Secrets(request) = secrets_request(&job, &TestKey::new("V1")) else { unreachable!() };
        let refused = portal.ask_refused(&portal.bench, &Up::Secrets(SecretsRequest { attempt, ..request }));
        assert_eq!(refused.code, RefusedCode::Invalid);
        assert!(refused.detail.contains("update the station"), "{}", refused.detail);
    }
    assert_eq!(portal.number("select count(*) from keys"), 0);
});

/// The same request in another attempt.
fn again(job: &JobId, key: &TestKey, attempt: &str) -> Up {
    let Up::Secrets(request) = secrets_request(job, key) else { unreachable!() };
    Up::Secrets(SecretsRequest { attempt: format!("job/{job}/{attempt}"), ..request })
}

on_desk!(a_copy_of_a_request_in_work_is_not_worked_on_again, |portal| {
    portal.order(1);
    let job = portal.pull(&portal.bench, 1, &[]).remove(0);
    let bytes = wire::encode("same", &secrets_request(&job, &TestKey::new("V1"))).unwrap();
    let handle = || portal.desk.handle(&portal.bench.name, &bytes);
    // Both in one task: the first goes as far as it can before the second begins.
    let (first, copy) = portal.runtime.block_on(async { tokio::join!(handle(), handle()) });
    assert_eq!((first.len(), copy.len()), (1, 0));
    // A repetition after the answer, which was lost, is answered.
    assert_eq!(portal.runtime.block_on(handle()).len(), 1);
});

on_desk!(p5_a_key_of_no_registered_delivery_is_refused_where_stock_is_required, |portal| {
    portal.order(1);
    let job = portal.pull(&portal.bench, 1, &[]).remove(0);
    let mut config = portal.config.clone();
    config.stock.required = true;
    portal.state.config = std::sync::Arc::new(config);
    portal.desk = portal.runtime.block_on(portal::stations::Desk::open(portal.state.clone())).unwrap();
    let request = secrets_request(&job, &TestKey::new("V1"));
    assert_refused(&portal.ask(&portal.bench, &request), RefusedCode::NotRegistered);
    assert_eq!(portal.number("select count(*) from keys"), 0);
    let delivery = portal::stock::register(
        &portal.state.db,
        "L1",
        portal::stock::Delivery::Csv("maker,model,serial\nukey,virtual,V1\n"),
        &portal::orders::Actor::CommandLine,
        0,
    );
    portal.runtime.block_on(delivery).unwrap();
    portal.make(&portal.bench, &job, "V1");
});
