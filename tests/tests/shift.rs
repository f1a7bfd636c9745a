//! A shift at the real stack: what staff bring, make, spoil and set aside balances; and a slot that had too many bad keys stops.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use e2e::{
    http::get_json,
    orders, places,
    process::{run, wait_for},
    stack::{Plan, Stack},
    staff::{Staff, make_blanks},
};
use model::Secret;
use profile::Profile;
use serde_json::{Value, json};
use ukey::Session;
use ukey_sim::{InProcess, Latency, Options, VirtualKey};

const PATIENCE: Duration = Duration::from_secs(120);

/// A stack of two slots with `count` orders of one key approved.
struct Scene {
    stack: Stack,
    profile: Profile,
    keys: PathBuf,
    _scratch: tempfile::TempDir,
}

impl Scene {
    fn new(count: usize) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let plan = Plan { slots: 2, interrupted_seconds: 5, answer_seconds: 60, ..Plan::default() };
        let stack = Stack::start(scratch.path(), &plan).unwrap();
        let operator = stack.operator().unwrap();
        let orders = orders::singles(count);
        stack.import(&orders).unwrap();
        for order in &orders {
            let number = order["number"].as_str().unwrap();
            operator.post(&format!("/api/orders/{number}/approve"), &json!({})).unwrap();
        }
        let profiles = profile::load_dir(&places::tree().join("firmware-profiles")).unwrap();
        let profile = profiles.into_iter().find(|profile| profile.name == "ukey/virtual").unwrap();
        Self { stack, profile, keys: scratch.path().join("keys"), _scratch: scratch }
    }

    fn blanks(&self, count: usize, first: usize) -> Vec<PathBuf> {
        make_blanks(&self.keys, &[&self.profile], count, first).unwrap()
    }

    /// A blank whose device key a careless tool has locked.
    fn locked(&self, first: usize) -> PathBuf {
        let flash = self.blanks(1, first).remove(0);
        let key = VirtualKey::open(&flash, Options::default()).unwrap();
        let mut transport = InProcess::new(key).unwrap();
        for _ in 0..=self.profile.dialect.device_auth.tries {
            let session = Session::open(&mut transport, &self.profile.dialect);
            assert!(session.authenticate(&Secret::new(vec![0xEE; 16])).is_err());
        }
        flash
    }

    /// What a command of the station says; its error if it fails.
    fn says(&self, arguments: &[&str]) -> Result<String, String> {
        run("ukey-station", &mut self.stack.station_command(arguments).unwrap(), None)
            .map_err(|error| format!("{error:#}"))
    }

    fn told_portal(&self, staff: &Staff) {
        wait_for(
            "every report acknowledged",
            PATIENCE,
            || Ok((staff.screen()?["outbox"] == 0).then_some(())),
        )
        .unwrap();
    }

    fn portal_says(&self, arguments: &[&str]) -> String {
        run("portal", &mut self.stack.portal_command(arguments).unwrap(), None).unwrap()
    }
}

fn wait_slot(staff: &Staff, slot: &str, what: &str, mut fits: impl FnMut(&Value) -> bool) -> Value {
    wait_for(&format!("slot {slot} {what}"), PATIENCE, || {
        let screen = staff.screen()?;
        let shown = screen["slots"].as_array().unwrap().iter().find(|shown| shown["slot"] == slot).cloned();
        Ok(shown.filter(|shown| fits(shown)))
    })
    .unwrap()
}

fn wait_phase(staff: &Staff, slot: &str, phase: &str) -> Value {
    wait_slot(staff, slot, phase, |shown| shown["phase"] == phase)
}

fn make(staff: &mut Staff, slot: &str, flash: &Path) {
    wait_phase(staff, slot, "empty");
    staff.plug(slot, flash).unwrap();
    wait_phase(staff, slot, "passed");
    staff.pull(slot).unwrap();
}

#[test]
fn n12_a_shift_with_made_spoiled_locked_and_left_keys_comes_to_zero() {
    let scene = Scene::new(3);
    let blanks = scene.blanks(3, 1);
    let locked = scene.locked(900);
    let mut staff = Staff::new(&scene.stack, vec![], Latency::realistic());
    assert!(scene.says(&["shift", "show"]).unwrap().contains("no shift is open"));
    scene.says(&["shift", "open", "4"]).unwrap();
    scene.says(&["shift", "add", "1"]).unwrap();

    make(&mut staff, "A01", &blanks[0]);
    make(&mut staff, "A02", &blanks[1]);
    // One is pulled in the middle and stays out.
    wait_phase(&staff, "A01", "empty");
    staff.plug("A01", &blanks[2]).unwrap();
    wait_slot(&staff, "A01", "in the middle", |shown| {
        shown["phase"] == "working" && shown["percent"].as_u64() >= Some(30)
    });
    staff.pull("A01").unwrap();
    wait_phase(&staff, "A01", "interrupted");
    wait_phase(&staff, "A01", "empty");
    // One is locked.
    wait_phase(&staff, "A02", "empty");
    staff.plug("A02", &locked).unwrap();
    wait_phase(&staff, "A02", "refused");
    staff.pull("A02").unwrap();
    wait_phase(&staff, "A02", "empty");

    let shift = get_json(&format!("{}/shift.json", scene.stack.kiosk_url)).unwrap();
    let running = &shift["running"];
    assert_eq!(
        (&running["brought"], &running["made"], &running["set_aside"], &running["expected_left"]),
        (&5.into(), &2.into(), &2.into(), &1.into()),
        "{shift}"
    );
    // A blank is not found: that wants a reason; then it is.
    let missing = scene.says(&["shift", "close", "--left", "0"]).unwrap_err();
    assert!(missing.contains("相差 1"), "{missing}");
    let closed = scene.says(&["shift", "close", "--left", "1", "--set-aside", "1"]).unwrap();
    assert!(closed.contains("= difference 0") && closed.contains("V0000900"), "{closed}");
    scene.told_portal(&staff);
    let books = scene.portal_says(&["stock", "balance"]);
    assert!(books.contains("shift of bench-1") && books.contains("= difference 0"), "{books}");
}

#[test]
fn n3_the_last_try_of_a_device_key_is_not_spent_after_a_restart_either() {
    let mut scene = Scene::new(1);
    fs::create_dir_all(&scene.keys).unwrap();
    let flash = scene.keys.join("V0000900.json");
    VirtualKey::make(&flash, &scene.profile, "V0000900", &Secret::new(vec![0xEE; 16])).unwrap();
    let refused = |scene: &Scene| {
        let mut staff = Staff::new(&scene.stack, vec![], Latency::none());
        wait_phase(&staff, "A01", "empty");
        staff.plug("A01", &flash).unwrap();
        let message = wait_phase(&staff, "A01", "refused")["message"].as_str().unwrap().to_owned();
        staff.pull("A01").unwrap();
        message
    };
    for left in (1..scene.profile.dialect.device_auth.tries).rev() {
        assert!(refused(&scene).contains(&format!("剩余 {left} 次")), "{left} tries left");
        if left == 2 {
            scene.stack.station().unwrap().kill9().unwrap();
            scene.stack.start_station().unwrap();
        }
    }
    for _ in 0..2 {
        scene.stack.station().unwrap().kill9().unwrap();
        scene.stack.start_station().unwrap();
        assert!(refused(&scene).contains("未再尝试"));
    }
    let key = VirtualKey::open(&flash, Options::default()).unwrap();
    let mut transport = InProcess::new(key).unwrap();
    let session = Session::open(&mut transport, &scene.profile.dialect);
    assert!(session.authenticate(&Secret::new(vec![0xEE; 16])).is_ok(), "not locked");
}

#[test]
fn n5_three_bad_keys_in_a_row_stop_their_slot_until_staff_reset_it() {
    let mut scene = Scene::new(2);
    let blanks = scene.blanks(2, 1);
    let locked: Vec<PathBuf> = (900..903).map(|serial| scene.locked(serial)).collect();
    {
        let mut staff = Staff::new(&scene.stack, vec![], Latency::none());
        for flash in &locked {
            wait_phase(&staff, "A01", "empty");
            staff.plug("A01", flash).unwrap();
            wait_phase(&staff, "A01", "refused");
            staff.pull("A01").unwrap();
            wait_slot(&staff, "A01", "without a key", |shown| {
                shown["phase"] == "empty" || shown["phase"] == "stopped"
            });
        }
        let stopped = wait_phase(&staff, "A01", "stopped");
        let message = stopped["message"].as_str().unwrap();
        assert!(message.contains("连续 3 次失败") && message.contains("V0000902"), "{message}");
        // The other slot of the hub works.
        make(&mut staff, "A02", &blanks[0]);
    }
    scene.stack.station().unwrap().kill9().unwrap();
    scene.stack.start_station().unwrap();

    let mut staff = Staff::new(&scene.stack, vec![], Latency::none());
    wait_phase(&staff, "A01", "stopped");
    staff.plug("A01", &blanks[1]).unwrap();
    assert!(scene.says(&["breaker", "list"]).unwrap().contains("slot/A01"));
    let unreasoned = scene.says(&["breaker", "reset", "slot/A01", "--reason", " "]).unwrap_err();
    assert!(unreasoned.contains("原因"), "{unreasoned}");
    scene.told_portal(&staff);
    assert_eq!(wait_phase(&staff, "A01", "stopped")["job"], Value::Null);
    // The blank in it is taken as soon as it is reset.
    let reset = scene.says(&["breaker", "reset", "slot/A01", "--reason", "触点已清洁"]).unwrap();
    assert!(reset.contains("nothing is stopped"), "{reset}");
    wait_phase(&staff, "A01", "passed");
    scene.told_portal(&staff);
    assert!(fs::read_dir(&scene.stack.labels).unwrap().count() >= 1);
}

#[test]
fn n5_a_bad_lot_among_good_ones_stops_in_every_slot_and_the_others_go_on() {
    let scene = Scene::new(3);
    let good = scene.blanks(3, 1);
    let bad: Vec<PathBuf> = (900..903).map(|serial| scene.locked(serial)).collect();
    let of_bad_lot = scene.blanks(1, 903).remove(0);
    for (lot, serials) in [("L1", [1, 2, 3, 4]), ("L2", [900, 901, 902, 903])] {
        let rows: String = serials.iter().map(|serial| format!("ukey,virtual,V{serial:07}\n")).collect();
        let file = scene.stack.dir.join(format!("{lot}.csv"));
        fs::write(&file, format!("maker,model,serial\n{rows}")).unwrap();
        scene.portal_says(&["stock", "add", "--lot", lot, file.to_str().unwrap()]);
    }
    let mut staff = Staff::new(&scene.stack, vec![], Latency::none());
    for (number, flash) in bad.iter().enumerate() {
        wait_phase(&staff, "A01", "empty");
        staff.plug("A01", flash).unwrap();
        wait_phase(&staff, "A01", "refused");
        staff.pull("A01").unwrap();
        // A good key of the other lot: the slot and the hub are sound.
        if number < 2 {
            make(&mut staff, "A01", &good[number]);
        }
    }
    assert!(scene.says(&["breaker", "list"]).unwrap().starts_with("lot/L2"));
    wait_phase(&staff, "A02", "empty");
    staff.plug("A02", &of_bad_lot).unwrap();
    let refused = wait_phase(&staff, "A02", "refused");
    assert!(refused["message"].as_str().unwrap().contains("批次 L2"), "{refused}");
    staff.pull("A02").unwrap();
    make(&mut staff, "A01", &good[2]);
    scene.told_portal(&staff);
    let books = scene.portal_says(&["stock", "balance"]);
    assert!(books.contains("lot L1: registered 4 = blank 1 + in work 0 + issued 3"), "{books}");
    assert!(books.contains("lot L2: registered 4 = blank 4"), "{books}");
}
