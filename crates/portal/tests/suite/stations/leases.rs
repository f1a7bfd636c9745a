//! Pull and renew.

use std::collections::BTreeSet;

use model::JobId;
use wire::{Down, Pull, Renew, Up};

use crate::stations::desk::{TestKey, on_desk};

fn jobs(order: &model::OrderNumber, count: u16) -> Vec<JobId> {
    (1..=count).map(|index| JobId::new(order.clone(), index)).collect()
}

on_desk!(n11_a_lost_lease_is_given_again_and_nothing_twice, |portal| {
    let first = portal.order(1);
    let second = portal.order(3);
    let third = portal.order(1);

    // Whole orders, the oldest first; the second exceeds the room and comes all the same.
    let leased = portal.pull(&portal.bench, 2, &[]);
    assert_eq!(leased, [jobs(&first, 1), jobs(&second, 3)].concat());
    // The reply was lost: the same again, and no more, because the station's room is taken.
    assert_eq!(portal.pull(&portal.bench, 2, &[]), leased);
    // It arrived: nothing is given twice.
    assert_eq!(portal.pull(&portal.bench, 0, &leased), []);
    assert_eq!(portal.pull(&portal.bench, 5, &leased), jobs(&third, 1));
    let other = portal.enrol("bench-2");
    assert_eq!(portal.pull(&other, 5, &[]), []);
});

on_desk!(an_order_is_worked_on_in_one_place_and_for_keys_that_fit, |portal| {
    let order = portal.order(2);
    let pull = Up::Pull(Pull { capacity: 9, profiles: vec!["other/model".to_owned()], holding: vec![] });
    // The programme takes any key, so any profile gets it.
    let Down::Lease(lease) = portal.ask(&portal.bench, &pull) else { panic!("no lease") };
    assert_eq!(lease.seconds, portal.config.leases.seconds);
    assert_eq!(lease.jobs.len(), 2);
    assert_eq!((lease.jobs[0].quantity, lease.jobs[0].holder.as_str()), (2, "示例客车零部件有限公司"));
    assert_eq!(lease.jobs[0].programme_title, "厦门金龙客车企业电子钥匙");

    // One key is made; the lease of the other job runs out. No other station gets it: the parcel is packed in one place.
    portal.make(&portal.bench, &JobId::new(order.clone(), 1), "V1");
    portal.pass(i64::from(portal.config.leases.seconds) + 1);
    let other = portal.enrol("bench-2");
    assert_eq!(portal.pull(&other, 9, &[]), []);
    assert_eq!(portal.pull(&portal.bench, 9, &[]), [JobId::new(order, 2)]);

    // Jobs for certain keys alone.
    let narrow = portal.order(1);
    let sql = "update jobs set profiles = '[\"other/model\"]' where state = 'waiting'";
    portal.runtime.block_on(sqlx::query(sql).execute(&portal.state.db)).unwrap();
    assert_eq!(portal.pull(&other, 9, &[]), []);
    let Down::Lease(lease) = portal.ask(&other, &pull) else { panic!("no lease") };
    assert_eq!(lease.jobs.iter().map(|job| &job.job).collect::<Vec<_>>(), [&JobId::new(narrow, 1)]);
});

on_desk!(no_key_is_begun_for_an_order_whose_money_is_asked_back, |portal| {
    let order = portal.order(1);
    let run =
        |sql: &'static str| portal.runtime.block_on(sqlx::query(sql).execute(&portal.state.db)).unwrap();
    run("insert into refund_requests (order_number, reason, asked_by, asked_ms, state) \
         select number, '不需要了', 'wang', 0, 'asked' from orders");
    assert_eq!(portal.pull(&portal.bench, 9, &[]), []);
    run("update refund_requests set state = 'declined'");
    assert_eq!(portal.pull(&portal.bench, 9, &[]), jobs(&order, 1));
});

on_desk!(a_lease_falls_back_unless_it_is_renewed_or_a_key_is_bound, |portal| {
    let (first, second, third) = (portal.order(1), portal.order(1), portal.order(1));
    let held = portal.pull(&portal.bench, 3, &[]);
    assert_eq!(held.len(), 3);
    portal.secrets(&portal.bench, &JobId::new(first.clone(), 1), &TestKey::new("V1"));
    let seconds = i64::from(portal.config.leases.seconds);

    portal.pass(seconds - 1);
    let renew = Up::Renew(Renew { jobs: vec![JobId::new(second.clone(), 1)] });
    let Down::Renewed(renewed) = portal.ask(&portal.bench, &renew) else { panic!("not renewed") };
    assert_eq!((renewed.kept, renewed.lost), (jobs(&second, 1), vec![]));
    portal.pass(2);

    // The first has a key, the second was renewed: only the third is free.
    let other = portal.enrol("bench-2");
    assert_eq!(portal.pull(&other, 9, &[]), jobs(&third, 1));
    let renew = Up::Renew(Renew { jobs: held });
    let Down::Renewed(renewed) = portal.ask(&portal.bench, &renew) else { panic!("not renewed") };
    assert_eq!((renewed.kept, renewed.lost), ([jobs(&first, 1), jobs(&second, 1)].concat(), jobs(&third, 1)));
});

on_desk!(a_station_holds_no_more_than_the_config_says, |portal| {
    for _ in 0..3 {
        portal.order(40);
    }
    assert_eq!(portal.config.leases.jobs_max, 64);
    let held = portal.pull(&portal.bench, 1_000, &[]);
    assert_eq!(held.len(), 80, "two whole orders: the second begins below the limit");
    assert_eq!(portal.pull(&portal.bench, 1_000, &held), []);
});

on_desk!(many_stations_at_once_never_get_the_same_job, |portal| {
    for _ in 0..12 {
        portal.order(2);
    }
    let stations: Vec<_> = (1..=6).map(|n| portal.enrol(&format!("line-{n}"))).collect();
    let pulls = stations.into_iter().map(|station| {
        let desk = portal.desk.clone();
        let pull =
            Pull { capacity: 4, profiles: vec![crate::stations::desk::PROFILE.to_owned()], holding: vec![] };
        portal
            .runtime
            .spawn(async move { crate::stations::desk::ask(&desk, &station, &Up::Pull(pull)).await })
    });
    let pulls: Vec<_> = pulls.collect();
    let mut seen = BTreeSet::new();
    for pull in pulls {
        let Down::Lease(lease) = portal.runtime.block_on(pull).unwrap() else { panic!("no lease") };
        for order in lease.jobs {
            assert!(seen.insert(order.job.clone()), "{} was leased twice", order.job);
        }
    }
    assert_eq!(seen.len(), 24);
});
