//! What staff at a station decide and count: breakers, shifts; and a refused report that is sent again.

use model::KeyId;
use wire::{BreakerChanged, BreakerScope, Down, Event, LabelPrinted, RefusedCode, Report, ShiftClosed};

use crate::stations::desk::{TestKey, assert_refused, on_desk, secrets_request};

fn breaker(id: &str, at: &str, open: bool, detail: &str) -> Report {
    let event = Event::BreakerChanged(BreakerChanged {
        scope: BreakerScope::Slot,
        name: "A01".to_owned(),
        open,
        detail: detail.to_owned(),
    });
    Report { id: id.to_owned(), at: at.to_owned(), event, anchor: None }
}

on_desk!(n5_the_last_word_on_a_breaker_stands_in_whatever_order_it_comes, |portal| {
    let opened = breaker("breaker:1", "2026-11-22T08:00:00.000Z", true, "连续 3 次失败");
    let reset = breaker("breaker:2", "2026-11-22T08:05:00.000Z", false, "触点已清洁");
    portal.acknowledged(&portal.bench, &reset);
    portal.acknowledged(&portal.bench, &opened);
    let open = || portal.runtime.block_on(portal::stations::open_breakers(&portal.state.db)).unwrap();
    assert!(open().is_empty());
    let again = breaker("breaker:3", "2026-11-22T16:06:00.000+08:00", true, "连续 3 次失败（A01 V1）");
    portal.acknowledged(&portal.bench, &again);
    let told = open();
    assert_eq!((told.len(), told[0].station.as_str(), told[0].name.as_str()), (1, "bench-1", "A01"));
    assert!(told[0].detail.contains("V1"));
    let mut nameless = again;
    nameless.id = "breaker:4".to_owned();
    if let Event::BreakerChanged(changed) = &mut nameless.event {
        changed.name.clear();
    }
    assert_refused(&portal.report(&portal.bench, &nameless), RefusedCode::Invalid);
});

fn shift(id: &str, left: u32) -> Report {
    let event = Event::ShiftClosed(ShiftClosed {
        opened: "2026-11-22T00:00:00.000Z".to_owned(),
        closed: "2026-11-22T08:00:00.000Z".to_owned(),
        brought: 10,
        carried_in: 0,
        made: 6,
        set_aside: 1,
        carried_out: 0,
        left,
        reason: if left == 3 { String::new() } else { "找不到".to_owned() },
        keys: vec![KeyId::new("ukey", "virtual", "V7").unwrap()],
    });
    Report { id: id.to_owned(), at: "2026-11-22T08:00:00.000Z".to_owned(), event, anchor: None }
}

on_desk!(n12_the_books_have_every_lot_keys_of_no_lot_and_the_shifts_that_were_counted, |portal| {
    let csv = "maker,model,serial\nukey,virtual,V1\nukey,virtual,V2\nukey,virtual,V3\nukey,virtual,V4\n";
    let register = portal::stock::register(
        &portal.state.db,
        "批次一",
        portal::stock::Delivery::Csv(csv),
        &portal::orders::Actor::CommandLine,
        0,
    );
    portal.runtime.block_on(register).unwrap();
    portal.order(4);
    let jobs = portal.pull(&portal.bench, 4, &[]);
    portal.make(&portal.bench, &jobs[0], "V1");
    let spoiled = TestKey::new("V2");
    portal.secrets(&portal.bench, &jobs[1], &spoiled);
    portal.acknowledged(
        &portal.bench,
        &crate::stations::desk::ended(&jobs[1], &spoiled, model::Outcome::Fail, true),
    );
    portal.secrets(&portal.bench, &jobs[2], &TestKey::new("V3"));
    portal.make(&portal.bench, &jobs[3], "V99");
    for (id, left) in [("shift:1", 3), ("shift:2", 1), ("shift:2", 1)] {
        portal.acknowledged(&portal.bench, &shift(id, left));
    }
    let balance = |lot| portal.runtime.block_on(portal::stock::balance(&portal.state.db, lot)).unwrap();
    let all = balance(None);
    let lot = &all.lots[0];
    assert_eq!(
        (lot.registered, lot.blank, lot.in_work, lot.issued, lot.spoiled, lot.lost),
        (4, 1, 1, 1, 1, 0)
    );
    assert!(lot.difference() == 0 && all.comes_to_zero());
    assert_eq!((all.stray_count, all.strays[0].key_id.as_str()), (1, "ukey/virtual/V99"));
    let differences: Vec<i64> = all.shifts.iter().map(|shift| shift.counted.difference()).collect();
    assert_eq!(differences.iter().sum::<i64>(), 2);
    assert_eq!(differences.len(), 2);
    let told = all.to_string();
    assert!(
        told.contains("lot 批次一: registered 4") && told.contains("V99") && told.contains("找不到"),
        "{told}"
    );
    // One lot alone, and what the database never writes is seen.
    assert!(balance(Some("批次二")).lots.is_empty() && balance(Some("批次一")).shifts.is_empty());
    let meddle = sqlx::query("update keys set state = 'gone' where key_id = 'ukey/virtual/V2'");
    portal.runtime.block_on(meddle.execute(&portal.state.db)).unwrap();
    assert!(balance(None).lots[0].difference() == 1 && !balance(None).comes_to_zero());
});

on_desk!(n5_secrets_tell_the_lot_of_a_registered_key, |portal| {
    let csv = "maker,model,serial\nukey,virtual,V1\n";
    portal
        .runtime
        .block_on(portal::stock::register(
            &portal.state.db,
            "批次一",
            portal::stock::Delivery::Csv(csv),
            &portal::orders::Actor::CommandLine,
            0,
        ))
        .unwrap();
    portal.order(2);
    let jobs = portal.pull(&portal.bench, 2, &[]);
    for (job, serial, lot) in [(&jobs[0], "V1", Some("批次一")), (&jobs[1], "V2", None)] {
        match portal.ask(&portal.bench, &secrets_request(job, &TestKey::new(serial))) {
            Down::Secrets(reply) => assert_eq!(reply.lot.as_deref(), lot),
            other => panic!("no secrets but {other:?}"),
        }
    }
});

on_desk!(n11_a_refused_report_that_is_sent_again_is_looked_at_again, |portal| {
    let order = portal.order(1);
    let event =
        Event::LabelPrinted(LabelPrinted { order: order.clone(), waybill: "SF0000000000001".to_owned() });
    let report =
        Report { id: "label:1".to_owned(), at: "2026-11-22T08:00:00.000Z".to_owned(), event, anchor: None };
    assert_refused(&portal.report(&portal.bench, &report), RefusedCode::Invalid);
    assert_refused(&portal.report(&portal.bench, &report), RefusedCode::Invalid);
    let parcel = sqlx::query(
        "insert into parcels (order_number, waybill, station, body, created_ms) values ($1, 'SF0000000000001', 'bench-1', '{}', 0)",
    );
    portal.runtime.block_on(parcel.bind(order.as_str()).execute(&portal.state.db)).unwrap();
    portal.acknowledged(&portal.bench, &report);
    portal.acknowledged(&portal.bench, &report);
    assert_eq!(portal.text("select state from orders"), "awaiting_delivery");
    assert_eq!(portal.number("select count(*) from reports where refusal is null"), 1);
});
