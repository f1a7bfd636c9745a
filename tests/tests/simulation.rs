//! Hundreds of seeds of the simulation; `simulate --seeds 5000` plays thousands.

#![allow(clippy::unwrap_used)]

use std::process::Command;

use e2e::{places::program, process::run};

/// The first seed and how many, for processes side by side: SF's client waits now and then in earnest.
const PARTS: [(u64, u64); 4] = [(1, 60), (1_000, 60), (2_000, 60), (3_000, 60)];

#[test]
fn n11_whatever_goes_wrong_at_two_stations_every_order_is_delivered_and_nothing_is_there_twice() {
    let program = program("simulate").unwrap();
    let played = PARTS.map(|(from, seeds)| {
        let mut command = Command::new(&program);
        command.args(["--from", &from.to_string(), "--seeds", &seeds.to_string()]);
        std::thread::spawn(move || run("simulate", &mut command, None))
    });
    for (part, (_, seeds)) in played.into_iter().zip(PARTS) {
        let said = part.join().unwrap().unwrap();
        let (orders, keys) = (seeds * 4, seeds * 7);
        assert!(said.contains(&format!("seeds={seeds} failed=0 orders={orders} keys={keys} ")), "{said}");
        for count in ["faults=0", "restarts=0", "spoiled=0"] {
            assert!(!said.contains(count), "nothing went wrong: {said}");
        }
    }
}
