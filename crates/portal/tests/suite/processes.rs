//! Several portal processes on one database.

use std::{sync::atomic::Ordering, time::Duration};

use crate::bench::{Bench, OPERATOR, PASSWORD, paid_order, programmes, services};
use portal::{
    codes::{self, CodeError, Purpose},
    db::Sql,
    leader::{self, Holder},
    orders::{self, Actor, RowOutcome},
    outside::Outside,
};
use serde_json::json;
use sqlx::Row as _;

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_session_of_one_portal_works_at_the_other_and_ends_at_both() {
    let (one, cookie) = Bench::logged_in();
    let other = one.beside();
    let number = one.place(&cookie, &paid_order(1));
    assert_eq!(other.get_json(&cookie, &format!("/api/orders/{number}"))["number"], number.as_str());
    assert_eq!(other.post(&cookie, "/api/logout", &json!({})).0, 204);
    assert_eq!(one.get(&cookie, "/api/orders").0, 401);
}

#[test]
fn log_ins_are_braked_over_all_portals_and_no_name_is_kept() {
    let one = Bench::new();
    let other = one.beside();
    let log_in = |bench: &Bench, name: &str, password: &str| {
        bench.post("", "/api/login", &json!({ "name": name, "password": password })).0
    };
    for portal in [&one, &other, &one, &other, &one] {
        assert_eq!(log_in(portal, OPERATOR, "wrong"), 401);
    }
    assert_eq!(log_in(&one, OPERATOR, PASSWORD), 429);
    assert_eq!(log_in(&other, OPERATOR, PASSWORD), 429);
    // From one address, over many names: 20 in all.
    for n in 5..20 {
        assert_eq!(log_in(if n % 2 == 0 { &one } else { &other }, &format!("name{n}"), "wrong"), 401);
    }
    assert_eq!(log_in(&other, "fresh", "wrong"), 429);
    let rows = sqlx::query("select who from log_in_tries");
    for row in one.runtime.block_on(rows.fetch_all(&one.state.db)).unwrap() {
        let who: String = row.try_get("who").unwrap();
        assert!(who.len() == 64 && !who.contains(OPERATOR), "{who}");
    }
    one.now_ms.fetch_add(5 * 60_000, Ordering::SeqCst);
    assert_eq!(log_in(&other, OPERATOR, PASSWORD), 204);
    one.runtime.block_on(portal::operators::forget_old_tries(&one.state)).unwrap();
    let left = sqlx::query_scalar::<Sql, i64>("select count(*) from log_in_tries");
    assert_eq!(one.runtime.block_on(left.fetch_one(&one.state.db)).unwrap(), 0);
}

#[test]
fn s1_9_forty_who_ask_at_two_portals_at_once_get_one_code() {
    let (sms, service) = services::sms(100);
    let beside = services::sms_of(&sms, 100);
    let one = Bench::with_outside(|_| Outside { sms: Some(service), ..Outside::default() });
    let other = one.beside_with(programmes(), Outside { sms: Some(beside), ..Outside::default() });
    let sends = (0..40).map(|n| {
        let state = if n % 2 == 0 { one.state.clone() } else { other.state.clone() };
        let who = format!("browser-{n}");
        async move {
            let address = format!("198.51.100.{n}");
            codes::send(&state, Purpose::LogIn, "13800000000", &who, &address, &who).await
        }
    });
    let answers = one.runtime.block_on(futures_util::future::join_all(sends));
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
    // The others were counted against it, or found every place at the service taken.
    let limited = answers.iter().filter(|answer| matches!(answer, Err(CodeError::Wait { .. }))).count();
    let crowded = answers.iter().filter(|answer| matches!(answer, Err(CodeError::NotSent))).count();
    assert!(limited + crowded == 39 && limited > 8, "{answers:?}");
    assert_eq!(sms.sent().len(), 1);
}

#[test]
fn the_lease_is_one_portals_until_it_ends_or_is_given_back() {
    let one = Bench::new();
    let other = one.beside();
    let (first, second) = (Holder::named("first"), Holder::named("second"));
    let now = || one.now_ms.load(Ordering::SeqCst);
    let take = |bench: &Bench, holder: &Holder| {
        bench.runtime.block_on(leader::take(&bench.state.db, holder, now())).unwrap()
    };
    assert!(take(&one, &first));
    assert!(take(&one, &first), "a portal that is started again goes on at once");
    assert!(!take(&other, &second));
    let lease = i64::try_from(leader::LEASE.as_millis()).unwrap();
    one.now_ms.fetch_add(lease - 1, Ordering::SeqCst);
    assert!(!take(&other, &second));
    one.now_ms.fetch_add(1, Ordering::SeqCst);
    assert!(take(&other, &second));
    assert!(!take(&one, &first));
    one.runtime.block_on(leader::give_back(&one.state.db, &first)).unwrap();
    assert!(!take(&one, &first), "what another has cannot be given back");
    other.runtime.block_on(leader::give_back(&other.state.db, &second)).unwrap();
    assert!(take(&one, &first));
}

#[test]
fn another_portal_leads_when_the_first_is_gone() {
    let one = Bench::new();
    let other = one.beside();
    let lead = |bench: &Bench, name: &str| {
        let (state, holder) = (bench.state.clone(), Holder::named(name));
        let working = || std::future::pending::<Result<std::convert::Infallible, ()>>();
        bench.runtime.spawn(async move { leader::lead(&state, &holder, working).await })
    };
    let leads = |bench: &Bench| {
        let mut leads = bench.state.leads.subscribe();
        bench
            .runtime
            .block_on(async { tokio::time::timeout(PATIENCE, leads.wait_for(|leads| *leads)).await.is_ok() })
    };
    let first = lead(&one, "first");
    assert!(leads(&one));
    lead(&other, "second");
    assert!(
        one.get("", "/readyz").1.contains("leads yes") && other.get("", "/readyz").1.contains("leads no")
    );
    // It dies: nothing is given back.
    first.abort();
    one.now_ms.fetch_add(i64::try_from(leader::LEASE.as_millis()).unwrap(), Ordering::SeqCst);
    assert!(leads(&other));
}

#[test]
fn a_portal_stops_to_lead_when_its_lease_is_anothers() {
    let one = Bench::new();
    let (state, holder) = (one.state.clone(), Holder::named("first"));
    let working = || std::future::pending::<Result<std::convert::Infallible, ()>>();
    one.runtime.spawn(async move { leader::lead(&state, &holder, working).await });
    one.runtime.block_on(async {
        let mut leads = one.state.leads.subscribe();
        leads.wait_for(|leads| *leads).await.unwrap();
        sqlx::query("update leader set holder = 'second'").execute(&one.state.db).await.unwrap();
        tokio::time::timeout(PATIENCE, leads.wait_for(|leads| !leads)).await.expect("it stops").unwrap();
    });
}

#[test]
fn p11_the_board_of_the_leader_is_seen_at_the_other_portal() {
    let one = Bench::new();
    if !one.state.is_shared() {
        // A file has one portal: nothing is written down for others.
        return;
    }
    let other = one.beside();
    let follower = other.state.clone();
    other.runtime.spawn(async move { portal::stations::follow_board(&follower).await });
    let slot = wire::SlotStatus {
        slot: "A1".parse().unwrap(),
        phase: wire::SlotPhase::Working,
        key_serial: Some("V1".to_owned()),
        job: None,
        holder: None,
        step: None,
        percent: 40,
        message: String::new(),
    };
    let status =
        wire::Status { online: true, version: "1".to_owned(), slots: vec![slot], outbox: 0, waiting_jobs: 0 };
    let state = one.state.clone();
    one.runtime.spawn(async move { portal::turns::run(&state).await });
    one.state.stations.send_modify(|board| {
        board.insert("bench-1".parse().unwrap(), status.clone());
    });
    let mut seen = other.state.stations.subscribe();
    let mut wait = |count: usize| {
        let board = seen.wait_for(|board| board.len() == count);
        let board = other.runtime.block_on(async { tokio::time::timeout(PATIENCE, board).await });
        board.expect("the other board changes").unwrap().clone()
    };
    let board = wait(1);
    assert_eq!(board.values().next().unwrap().slots[0].percent, 40);
    one.state.stations.send_modify(std::collections::BTreeMap::clear);
    wait(0);
}

/// Writers at both portals at once: the audit stays one chain, and every order is there.
#[test]
fn p8_many_writers_at_two_portals_keep_one_chain() {
    const WRITERS: usize = 8;
    const ORDERS: usize = 6;
    let one = Bench::new();
    let other = one.beside();
    let mut writers = Vec::new();
    for n in 0..WRITERS {
        let bench = if n % 2 == 0 { &one } else { &other };
        let state = bench.state.clone();
        writers.push(bench.runtime.spawn(async move {
            for _ in 0..ORDERS {
                let row = orders::accept(&state, &paid_order(1), &Actor::Import).await.unwrap();
                assert_eq!(row.outcome, RowOutcome::Accepted);
                orders::approve(&state, &row.number.unwrap(), &Actor::Operator("li.shen".to_owned()), None)
                    .await
                    .unwrap();
            }
        }));
    }
    for writer in writers {
        one.runtime.block_on(writer).unwrap();
    }
    let rows = "select sequence, at_ms, who, what, subject, detail, head from audit order by sequence";
    let rows = one.runtime.block_on(sqlx::query(rows).fetch_all(&one.state.db)).unwrap();
    let mut head = [0; 32];
    for (index, row) in rows.iter().enumerate() {
        let (sequence, at_ms): (i64, i64) = (row.try_get(0).unwrap(), row.try_get(1).unwrap());
        assert_eq!(sequence, i64::try_from(index).unwrap() + 1);
        let mut bytes = head.to_vec();
        bytes.extend(sequence.to_be_bytes());
        bytes.extend(8u32.to_be_bytes());
        bytes.extend(at_ms.to_be_bytes());
        for column in 2..6 {
            let text: String = row.try_get(column).unwrap();
            bytes.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
            bytes.extend(text.as_bytes());
        }
        head = gm::sm3(&bytes);
        assert_eq!(row.try_get::<String, _>(6).unwrap(), hex::encode(head), "row {sequence}");
    }
    let count =
        |sql| one.runtime.block_on(sqlx::query_scalar::<Sql, i64>(sql).fetch_one(&one.state.db)).unwrap();
    let orders = i64::try_from(WRITERS * ORDERS).unwrap();
    assert_eq!(count("select count(*) from orders where state = 'awaiting_production'"), orders);
    assert_eq!(count("select count(*) from audit where what = 'order.approved'"), orders);
}
