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
