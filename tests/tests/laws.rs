//! The laws of one job, on every shipped profile: see `e2e::laws`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use e2e::laws;

#[test]
fn n4_laws_hold_wherever_a_job_on_any_profile_is_disturbed() {
    let mut last = 0;
    let points = laws::run(|progress| last = progress.done).unwrap_or_else(|broken| panic!("{broken:#}"));
    println!("{points}");
    assert_eq!(last, points.points);
    assert!(points.points > 3_000 && points.cuts > 200, "{points}");
}
