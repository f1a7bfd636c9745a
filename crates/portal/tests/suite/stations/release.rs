//! Orders that cannot be certified, and the operator's way out.

use model::{JobId, Outcome};
use portal::{
    orders::{Actor, OrderError, approve},
    stations::{KeyFate, Release},
};
use wire::{RefusedCode, Up};

use crate::stations::desk::{Portal, TestKey, assert_refused, ended, on_desk, passed, secrets_request};

const UNIT: &str = "示例客车零部件有限公司";

/// Gives every order a unit's name that no certificate can carry; as if an older portal had taken it.
fn make_impossible(portal: &Portal) {
    rename(portal, UNIT, &"长".repeat(65));
}

fn rename(portal: &Portal, from: &str, to: &str) {
    let db = &portal.state.db;
    portal.runtime.block_on(async {
        let numbers: Vec<String> =
            sqlx::query_scalar("select number from orders").fetch_all(db).await.unwrap();
        for number in numbers {
            let order = portal::orders::load(&portal.state, &number.parse().unwrap()).await.unwrap().unwrap();
            let content = serde_json::to_string(&order.content).unwrap().replace(from, to);
            let sql = sqlx::query("update orders set content = $2, sealed = null where number = $1");
            sql.bind(number).bind(content).execute(db).await.unwrap();
        }
    });
}

fn release(portal: &Portal, job: &JobId, key: KeyFate, seen_key: Option<&str>) -> Result<(), OrderError> {
    let release = Release { key, reason: "工位故障".to_owned(), seen_key: seen_key.map(str::to_owned) };
    let actor = Actor::Operator("li.shen".to_owned());
    let (db, clock) = (&portal.state.db, &portal.state.clock);
    portal.runtime.block_on(portal::stations::release(db, clock, job, &release, &actor))
}

on_desk!(an_order_that_cannot_be_certified_costs_no_key, |portal| {
    portal.order(1);
    let job = portal.pull(&portal.bench, 1, &[]).remove(0);
    make_impossible(&portal);
    let request = secrets_request(&job, &TestKey::new("V1"));
    let refused = portal.ask_refused(&portal.bench, &request);
    assert_eq!(refused.code, RefusedCode::OrderWrong);
    assert!(refused.detail.contains("corrected at the portal"), "{}", refused.detail);
    assert_eq!(portal.number("select count(*) from keys"), 0);
    assert_eq!(portal.text("select state from jobs"), "stuck");
    assert!(portal.text("select stuck_reason from jobs").contains("too long"));
    // The answer was lost: the same again.
    assert_refused(&portal.ask(&portal.bench, &request), RefusedCode::OrderWrong);
    assert_eq!(portal.pull(&portal.bench, 9, &[]), []);

    // Corrected and released, it is made anywhere.
    rename(&portal, &"长".repeat(65), UNIT);
    assert_refused(&portal.ask(&portal.bench, &request), RefusedCode::NotLeased);
    release(&portal, &job, KeyFate::Spoiled, None).unwrap();
    assert_eq!(portal.number("select count(*) from jobs where stuck_reason is null"), 1);
    let other = portal.enrol("bench-2");
    assert_eq!(portal.pull(&other, 1, &[]), std::slice::from_ref(&job));
    portal.make(&other, &job, "V1");
});

on_desk!(a_job_whose_key_is_bound_already_is_never_stuck_by_its_order, |portal| {
    portal.order(1);
    let job = portal.pull(&portal.bench, 1, &[]).remove(0);
    let key = TestKey::new("V1");
    portal.secrets(&portal.bench, &job, &key);
    make_impossible(&portal);
    assert_refused(&portal.ask(&portal.bench, &secrets_request(&job, &key)), RefusedCode::OrderWrong);
    assert_eq!(portal.text("select state from jobs"), "leased");
    portal.acknowledged(&portal.bench, &ended(&job, &key, Outcome::Aborted, false));
    assert_eq!(portal.text("select state from keys"), "blank");
});

on_desk!(an_order_that_cannot_be_certified_is_not_approved, |portal| {
    let order = crate::bench::paid_order(1);
    let intake = portal.runtime.block_on(portal::orders::accept_all(&portal.state, &order, &Actor::Import));
    let number = intake.unwrap().results[0].number.clone().unwrap();
    make_impossible(&portal);
    let operator = Actor::Operator("li.shen".to_owned());
    let approved = portal.runtime.block_on(approve(&portal.state, &number, &operator, None));
    assert!(
        matches!(&approved, Err(OrderError::Uncertifiable(why)) if why.contains("too long")),
        "{approved:?}"
    );
    assert_eq!(portal.number("select count(*) from jobs"), 0);
    assert_eq!(portal.text("select state from orders"), "awaiting_review");
});

on_desk!(a_job_of_a_station_that_died_is_released_and_made_elsewhere, |portal| {
    let order = portal.order(2);
    let jobs = portal.pull(&portal.bench, 2, &[]);
    let (made, lost) = (portal.make(&portal.bench, &jobs[0], "V1"), TestKey::new("V2"));
    portal.secrets(&portal.bench, &jobs[1], &lost);
    let reply = portal.certificates(&portal.bench, &jobs[1], &lost);
    let other = portal.enrol("bench-2");
    assert_eq!(portal.pull(&other, 9, &[]), []);

    let raced = release(&portal, &jobs[1], KeyFate::Lost, Some("ukey/virtual/V9"));
    assert!(matches!(raced, Err(OrderError::Raced)), "{raced:?}");
    release(&portal, &jobs[1], KeyFate::Lost, Some(&lost.id.to_string())).unwrap();
    assert_eq!(portal.text("select state from keys where key_id like '%V2'"), "lost");
    assert_eq!(portal.text("select revoked_reason from certificates where key_id like '%V2'"), "lost");
    // Twice is once.
    release(&portal, &jobs[1], KeyFate::Lost, None).unwrap();
    let history = portal.runtime.block_on(portal::orders::history(&portal.state.db, &order)).unwrap();
    let told: Vec<_> = history.iter().filter(|entry| entry.reason.contains("工位故障")).collect();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].who, "operator:li.shen");
    assert!(told[0].reason.contains("V2") && told[0].reason.contains("bench-1"), "{}", told[0].reason);

    // The parcel is packed in one place: the key made at the dead station must be released as well.
    assert_eq!(portal.pull(&other, 9, &[]), []);
    release(&portal, &jobs[0], KeyFate::Spoiled, Some(&made.id.to_string())).unwrap();
    assert_eq!(portal.number("select count(*) from certificates where revoked_ms is null"), 0);
    assert_eq!(portal.pull(&other, 9, &[]), jobs);

    // The station comes back: what it still has counts for nothing, and its keys serve nothing any more.
    assert_refused(&portal.report(&portal.bench, &passed(&jobs[1], &lost, &reply)), RefusedCode::Invalid);
    assert_refused(&portal.ask(&portal.bench, &secrets_request(&jobs[1], &lost)), RefusedCode::NotLeased);
    assert_refused(&portal.ask(&other, &secrets_request(&jobs[1], &lost)), RefusedCode::KeyUsed);
    portal.make(&other, &jobs[0], "V3");
    portal.make(&other, &jobs[1], "V4");

    // With a waybill there is no way back.
    let parcel = Up::Parcel(wire::ParcelRequest { order });
    assert!(matches!(portal.ask(&other, &parcel), wire::Down::Parcel(_)));
    let late = release(&portal, &jobs[0], KeyFate::Spoiled, None);
    assert!(matches!(late, Err(OrderError::NotReleasable(_))), "{late:?}");
    assert_eq!(portal.text("select state from keys where key_id like '%V3'"), "issued");
});

on_desk!(a_stuck_job_is_released_with_its_attempts_forgotten, |portal| {
    portal.order(1);
    let job = portal.pull(&portal.bench, 1, &[]).remove(0);
    for attempt in 1..=portal.config.leases.attempts_max {
        let key = TestKey::new(&format!("V{attempt}"));
        portal.secrets(&portal.bench, &job, &key);
        portal.acknowledged(&portal.bench, &ended(&job, &key, Outcome::Error, true));
    }
    let reason = portal.text("select stuck_reason from jobs");
    assert!(reason.contains("5 keys were spoiled") && reason.contains("a test"), "{reason}");
    release(&portal, &job, KeyFate::Spoiled, Some("")).unwrap();
    assert_eq!(portal.number("select attempts from jobs"), 0);
    assert_eq!(portal.pull(&portal.bench, 9, &[]), std::slice::from_ref(&job));
    portal.make(&portal.bench, &job, "V9");

    let none = JobId::new(job.order().clone(), 7);
    assert!(matches!(release(&portal, &none, KeyFate::Lost, None), Err(OrderError::UnknownJob(_))));
    let silent = Release { key: KeyFate::Lost, reason: " ".to_owned(), seen_key: None };
    let done =
        portal::stations::release(&portal.state.db, &portal.state.clock, &job, &silent, &Actor::CommandLine);
    assert!(matches!(portal.runtime.block_on(done), Err(OrderError::Reason)));
});
