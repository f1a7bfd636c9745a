//! The real stack in trouble: keys pulled, keys that must be refused, pcscd, broker, portal and station gone for a while.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Result;
use e2e::{
    cuts::forget,
    http::Operator,
    orders, places,
    process::wait_for,
    stack::{Plan, Stack},
    staff::{Staff, make_blanks},
};
use model::Secret;
use profile::Profile;
use serde_json::{Value, json};
use tempfile::TempDir;
use ukey::Session;
use ukey_sim::{InProcess, Latency, Options, VirtualKey};

const PATIENCE: Duration = Duration::from_secs(120);

/// A stack of four slots with `orders` approved.
struct Scene {
    stack: Stack,
    operator: Operator,
    profiles: Vec<Profile>,
    numbers: Vec<String>,
    scratch: TempDir,
}

impl Scene {
    fn new(orders: &[Value]) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let plan = Plan { slots: 4, interrupted_seconds: 20, answer_seconds: 60, ..Plan::default() };
        let stack = Stack::start(scratch.path(), &plan).unwrap();
        let operator = stack.operator().unwrap();
        stack.import(orders).unwrap();
        let numbers: Vec<String> =
            orders.iter().map(|order| order["number"].as_str().unwrap().to_owned()).collect();
        for number in &numbers {
            operator.post(&format!("/api/orders/{number}/approve"), &json!({})).unwrap();
        }
        let profiles = profile::load_dir(&places::tree().join("firmware-profiles")).unwrap();
        Self { stack, operator, profiles, numbers, scratch }
    }

    fn profile(&self, name: &str) -> &Profile {
        self.profiles.iter().find(|profile| profile.name == name).unwrap()
    }

    fn blanks(&self, count: usize) -> Vec<PathBuf> {
        make_blanks(&self.scratch.path().join("keys"), &[self.profile("ukey/virtual")], count, 1).unwrap()
    }

    /// Whether every order is 待配送.
    fn delivered(&self) -> Result<bool> {
        for number in &self.numbers {
            let Ok(order) = self.operator.get(&format!("/api/orders/{number}")) else { return Ok(false) };
            if order["state"] != "awaiting_delivery" {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Every order is delivered, and the invariants hold: the stack is stopped and judged by what lies in its folder.
    fn prove(mut self) {
        assert!(self.delivered().unwrap());
        let verdict = self.stack.close_and_check().unwrap();
        verdict.ensure_whole().unwrap();
        assert_eq!(verdict.orders, self.numbers.len());
    }
}

fn shown<'a>(screen: &'a Value, slot: &str) -> &'a Value {
    screen["slots"].as_array().unwrap().iter().find(|shown| shown["slot"] == slot).unwrap()
}

fn wait_phase(staff: &Staff, slot: &str, phase: &str) -> Value {
    wait_for(&format!("slot {slot} {phase}"), PATIENCE, || {
        let screen = staff.screen()?;
        let slot = shown(&screen, slot).clone();
        Ok((slot["phase"] == phase).then_some(slot))
    })
    .unwrap()
}

/// Waits until a slot is in the middle of its work.
fn wait_step(staff: &Staff, slot: &str, percent: u64) {
    wait_for(&format!("slot {slot} at {percent} %"), PATIENCE, || {
        let screen = staff.screen()?;
        let slot = shown(&screen, slot);
        Ok((slot["phase"] == "working" && slot["percent"].as_u64() >= Some(percent)).then_some(()))
    })
    .unwrap();
}

#[test]
fn n6_a_key_pulled_in_the_middle_is_finished_in_its_own_slot_and_no_other() {
    let scene = Scene::new(&orders::singles(2));
    let blanks = scene.blanks(3);
    let mut staff = Staff::new(&scene.stack, vec![], Latency::realistic());
    wait_phase(&staff, "A01", "empty");
    staff.plug("A01", &blanks[0]).unwrap();
    wait_step(&staff, "A01", 30);
    staff.pull("A01").unwrap();
    let interrupted = wait_phase(&staff, "A01", "interrupted");
    assert!(interrupted["message"].as_str().unwrap().contains("V0000001"), "{interrupted}");
    // Another blank in that slot is not taken, and the pulled key is not taken elsewhere.
    staff.plug("A01", &blanks[1]).unwrap();
    staff.plug("A02", &blanks[0]).unwrap();
    let elsewhere = wait_phase(&staff, "A02", "refused");
    assert!(elsewhere["message"].as_str().unwrap().contains("A01"), "{elsewhere}");
    assert_eq!(wait_phase(&staff, "A01", "interrupted")["key_serial"], "V0000001");
    staff.pull("A01").unwrap();
    staff.pull("A02").unwrap();
    wait_phase(&staff, "A02", "empty");
    staff.plug("A01", &blanks[0]).unwrap();
    wait_phase(&staff, "A01", "passed");
    staff.plug("A02", &blanks[1]).unwrap();
    wait_phase(&staff, "A02", "passed");
    wait_for("both orders 待配送", PATIENCE, || Ok(scene.delivered()?.then_some(()))).unwrap();
    drop(staff);
    scene.prove();
}

#[test]
fn p3_a_pulled_key_that_does_not_come_back_ends_as_error_and_the_job_gets_another_key() {
    let scene = Scene::new(&orders::singles(1));
    let blanks = scene.blanks(2);
    let mut staff = Staff::new(&scene.stack, vec![], Latency::realistic());
    wait_phase(&staff, "A01", "empty");
    staff.plug("A01", &blanks[0]).unwrap();
    wait_step(&staff, "A01", 50);
    staff.pull("A01").unwrap();
    wait_phase(&staff, "A01", "interrupted");
    // The patience of this stack is 20 seconds; then the slot is free and another blank takes the job.
    wait_phase(&staff, "A01", "empty");
    staff.plug("A01", &blanks[1]).unwrap();
    wait_phase(&staff, "A01", "passed");
    wait_for("the order 待配送", PATIENCE, || Ok(scene.delivered()?.then_some(()))).unwrap();
    staff.pull("A01").unwrap();
    // The spoiled key is not a blank any more, wherever it is plugged.
    staff.plug("A02", &blanks[0]).unwrap();
    wait_phase(&staff, "A02", "refused");
    wait_for("its report acknowledged", PATIENCE, || Ok((staff.screen()?["outbox"] == 0).then_some(())))
        .unwrap();
    scene.prove();
}

#[test]
fn p5_unknown_issued_locked_and_doubled_keys_are_refused_and_the_slot_goes_on() {
    let scene = Scene::new(&orders::singles(3));
    let blanks = scene.blanks(3);
    let dir = scene.scratch.path().join("strangers");
    fs::create_dir_all(&dir).unwrap();
    let factory = Secret::new(ukey_sim::FACTORY_DEVICE_KEY.to_vec());
    let mut staff = Staff::new(&scene.stack, vec![], Latency::none());
    wait_phase(&staff, "A01", "empty");

    let unknown = dir.join("unknown.json");
    VirtualKey::make(&unknown, scene.profile("longmai/gm3000"), "L0000001", &factory).unwrap();
    refused(&mut staff, "A01", &unknown, "没有固件配置");

    // A key of ours that somebody was careless with: the portal binds it before the station can know.
    let locked = scene.stack.keys().join("V0000900.json");
    VirtualKey::make(&locked, scene.profile("ukey/virtual"), "V0000900", &factory).unwrap();
    lock_device_key(&locked, scene.profile("ukey/virtual"));
    refused(&mut staff, "A01", &locked, "锁");

    // The slot goes on.
    staff.plug("A01", &blanks[0]).unwrap();
    wait_phase(&staff, "A01", "passed");
    staff.pull("A01").unwrap();
    refused(&mut staff, "A02", &blanks[0], "不是空白钥匙");

    // A second key with a serial that is in another slot.
    let double = dir.join("double.json");
    VirtualKey::make(&double, scene.profile("ukey/virtual"), "V0000002", &factory).unwrap();
    staff.plug("A03", &blanks[1]).unwrap();
    wait_phase(&staff, "A03", "passed");
    refused(&mut staff, "A04", &double, "序列号");
    staff.pull("A03").unwrap();
    // Alone it is a blank to look at, but the portal knows the serial; its job goes to the next blank.
    refused(&mut staff, "A04", &double, "已用于其他任务");
    staff.plug("A04", &blanks[2]).unwrap();
    wait_phase(&staff, "A04", "passed");
    staff.pull("A04").unwrap();

    wait_for("every report acknowledged", PATIENCE, || Ok((staff.screen()?["outbox"] == 0).then_some(())))
        .unwrap();
    wait_for("all orders 待配送", PATIENCE, || Ok(scene.delivered()?.then_some(()))).unwrap();
    scene.prove();
}

fn refused(staff: &mut Staff, slot: &str, flash: &Path, words: &str) {
    wait_phase(staff, slot, "empty");
    staff.plug(slot, flash).unwrap();
    let shown = wait_phase(staff, slot, "refused");
    assert!(shown["message"].as_str().unwrap().contains(words), "{words}: {shown}");
    staff.pull(slot).unwrap();
    wait_phase(staff, slot, "empty");
}

/// Wrong device keys until the key locks, as a careless tool would do.
fn lock_device_key(flash: &Path, profile: &Profile) {
    let key = VirtualKey::open(flash, Options::default()).unwrap();
    let mut transport = InProcess::new(key).unwrap();
    for _ in 0..=profile.dialect.device_auth.tries {
        // A new session each time forgets the count that it heard, which is what makes the tool careless.
        let session = Session::open(&mut transport, &profile.dialect);
        assert!(session.authenticate(&Secret::new(vec![0xEE; 16])).is_err());
    }
}

#[test]
fn p9_the_wave_survives_pcscd_the_broker_and_the_portal_going_away() {
    let mut scene = Scene::new(&orders::singles(12));
    let blanks = scene.blanks(12);
    let mut flashes: Vec<PathBuf> = blanks;
    for blow in ["broker", "portal", "pcscd"] {
        let wave: Vec<PathBuf> = flashes.drain(..4).collect();
        let latency = Latency::realistic();
        let mut plugged = Vec::new();
        for (slot, flash) in scene.stack.slots.clone().iter().zip(&wave) {
            let index = scene.stack.slots.iter().position(|name| name == slot).unwrap();
            let key = VirtualKey::open(flash, Options { latency, ..Options::default() }).unwrap();
            let address = ([127, 0, 0, 1], scene.stack.pcscd.port(index).unwrap()).into();
            plugged.push(ukey_sim::vpcd::attach(address, key).unwrap());
        }
        {
            let staff = Staff::new(&scene.stack, vec![], latency);
            wait_step(&staff, "A01", 20);
        }
        match blow {
            "broker" => {
                scene.stack.broker().unwrap().kill9().unwrap();
                std::thread::sleep(Duration::from_secs(2));
                scene.stack.start_broker().unwrap();
            }
            "portal" => {
                scene.stack.portal().unwrap().kill9().unwrap();
                std::thread::sleep(Duration::from_secs(2));
                scene.stack.start_portal().unwrap();
            }
            _ => {
                scene.stack.pcscd.kill9().unwrap();
                scene.stack.pcscd.restart().unwrap();
            }
        }
        let staff = Staff::new(&scene.stack, vec![], latency);
        for slot in &scene.stack.slots {
            wait_phase(&staff, slot, "passed");
        }
        drop(plugged);
        for slot in &scene.stack.slots {
            wait_phase(&staff, slot, "empty");
        }
    }
    wait_for("all orders 待配送", PATIENCE, || Ok(scene.delivered()?.then_some(()))).unwrap();
    scene.prove();
}

#[test]
fn p4_a_station_killed_in_the_middle_finishes_its_keys_after_restart() {
    let mut scene = Scene::new(&orders::singles(4));
    let blanks = scene.blanks(4);
    let mut plugged = Vec::new();
    for (index, flash) in blanks.iter().enumerate() {
        let key =
            VirtualKey::open(flash, Options { latency: Latency::realistic(), ..Options::default() }).unwrap();
        let address = ([127, 0, 0, 1], scene.stack.pcscd.port(index).unwrap()).into();
        plugged.push(ukey_sim::vpcd::attach(address, key).unwrap());
    }
    for percent in [10, 40, 70] {
        {
            let staff = Staff::new(&scene.stack, vec![], Latency::none());
            wait_step(&staff, "A01", percent);
        }
        scene.stack.station().unwrap().kill9().unwrap();
        scene.stack.start_station().unwrap();
    }
    let all_passed = |scene: &Scene| {
        let staff = Staff::new(&scene.stack, vec![], Latency::none());
        scene.stack.slots.iter().for_each(|slot| drop(wait_phase(&staff, slot, "passed")));
    };
    all_passed(&scene);
    wait_for("all orders 待配送", PATIENCE, || Ok(scene.delivered()?.then_some(()))).unwrap();
    // A made key that is still in its slot is no stranger after a restart.
    scene.stack.station().unwrap().kill9().unwrap();
    scene.stack.start_station().unwrap();
    all_passed(&scene);
    drop(plugged);
    scene.prove();
}

/// The broker's word that it has a report is not the portal's: what it took and then lost still arrives.
#[test]
fn p9_a_report_that_the_broker_took_and_lost_still_arrives() {
    let mut scene = Scene::new(&orders::singles(1));
    let blanks = scene.blanks(1);
    let mut staff = Staff::new(&scene.stack, vec![], Latency::realistic());
    wait_phase(&staff, "A01", "empty");
    staff.plug("A01", &blanks[0]).unwrap();
    // It has its certificates: what is left to do needs no portal.
    wait_step(&staff, "A01", 60);
    scene.stack.portal().unwrap().kill9().unwrap();
    wait_phase(&staff, "A01", "passed");
    // The report goes to the broker, which answers for the portal's queue.
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(staff.screen().unwrap()["outbox"], 1, "the portal cannot have said that it has it");
    scene.stack.broker().unwrap().kill9().unwrap();
    forget(&scene.stack.dir.join("portal/broker")).unwrap();
    scene.stack.start_broker().unwrap();
    scene.stack.start_portal().unwrap();
    wait_for("the order 待配送", PATIENCE, || Ok(scene.delivered()?.then_some(()))).unwrap();
    staff.pull("A01").unwrap();
    scene.prove();
}
