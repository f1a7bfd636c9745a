//! Messages that are none.

use proptest::{prelude::*, test_runner::TestRunner};
use wire::{Down, RefusedCode};

use crate::stations::desk::on_desk;

on_desk!(a_poisoned_message_is_parked_and_the_next_one_served, |portal| {
    let handle = |bytes: &[u8]| portal.runtime.block_on(portal.desk.handle(&portal.bench.name, bytes));
    assert!(handle(b"\xff\xfe not json").is_empty());
    assert!(handle(&vec![b'['; wire::MESSAGE_BYTES_MAX + 1]).is_empty());
    // A newer station's message has an id: it is told, and does not wait in vain.
    let replies = handle(br#"{"v":99,"id":"r-1","kind":"pull","body":{}}"#);
    let (id, answer) = wire::decode::<Down>(&replies[0]).unwrap();
    assert_eq!(id, "r-1");
    crate::stations::desk::assert_refused(&answer, RefusedCode::Invalid);
    assert_eq!(portal.number("select count(*) from parked"), 3);
    assert_eq!(portal.pull(&portal.bench, 1, &[]), []);

    portal.runtime.block_on(portal.desk.status(&portal.bench.name, b"{}"));
    assert_eq!(portal.number("select count(*) from parked where topic like '%/status'"), 1);
    assert!(portal.state.stations.borrow().is_empty());
});

on_desk!(what_is_parked_is_bounded, |portal| {
    let parked = |n: u32| portal.runtime.block_on(portal.desk.handle(&portal.bench.name, &n.to_be_bytes()));
    for n in 0..1_010 {
        portal.pass(1);
        parked(n);
    }
    assert_eq!(portal.number("select count(*) from parked"), 1_000);
    let count = "select count(*) from parked where payload = $1";
    let count = |payload: u32| {
        let query = sqlx::query_scalar::<portal::db::Sql, i64>(count).bind(payload.to_be_bytes().to_vec());
        portal.runtime.block_on(query.fetch_one(&portal.state.db)).unwrap()
    };
    assert_eq!((count(0), count(0x3f1)), (0, 1));
});

on_desk!(no_bytes_panic_the_desk, |portal| {
    let message = wire::encode("r", &wire::Up::Renew(wire::Renew { jobs: vec![] })).unwrap();
    let near = (prop::collection::vec(any::<u8>(), 0..6), 0..message.len()).prop_map(move |(bytes, at)| {
        let mut message = message.clone();
        message.splice(at..(at + bytes.len()).min(message.len()), bytes);
        message
    });
    let bytes = prop_oneof![prop::collection::vec(any::<u8>(), 0..200), near];
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() });
    runner
        .run(&bytes, |bytes| {
            portal.runtime.block_on(async {
                portal.desk.handle(&portal.bench.name, &bytes).await;
                portal.desk.status(&portal.bench.name, &bytes).await;
            });
            Ok(())
        })
        .unwrap();
});

on_desk!(p11_a_station_was_seen_when_it_spoke_itself_and_names_stay_at_the_bench, |portal| {
    let status = |online: bool| {
        let slot = wire::SlotStatus {
            slot: "A1".parse().unwrap(),
            phase: wire::SlotPhase::Working,
            key_serial: None,
            job: None,
            holder: Some("陈测试".to_owned()),
            step: None,
            percent: 40,
            message: String::new(),
        };
        let status =
            wire::Status { online, version: "1".to_owned(), slots: vec![slot], outbox: 0, waiting_jobs: 0 };
        let bytes = wire::encode("s", &status).unwrap();
        portal.runtime.block_on(async {
            portal.desk.status(&portal.bench.name, &bytes).await;
            portal::stations::keep_heard(&portal.state).await.unwrap();
        });
    };
    let seen = || portal.number("select coalesce(heard_ms, 0) from stations where name = 'bench-1'");
    status(false);
    assert_eq!(seen(), 0, "what the broker kept of a lost station is no word of its own");
    status(true);
    let first = portal.state.clock.now_ms();
    assert_eq!(seen(), first);
    assert_eq!(portal.state.stations.borrow()[&portal.bench.name].slots[0].holder, None);
    portal.pass(30);
    status(true);
    assert_eq!(seen(), first, "written once a minute");
    assert_eq!(portal.state.heard.last(&portal.bench.name), Some(first + 30_000));
    portal.pass(31);
    status(false);
    assert_eq!(seen(), first + 30_000, "the last word is written, and a will is none");
});
