//! What others say, on the real stack: orders that cannot be certified, messages that are none, too large ones, floods. Each is parked or
//! refused with a message, memory stays bounded, and good work goes on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{fs, path::PathBuf, time::Duration};

use anyhow::Result;
use e2e::{
    http::Operator,
    orders,
    places::tree,
    process::{run, wait_for},
    stack::{Plan, Stack},
    staff::{Staff, make_blanks},
    stranger::Stranger,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use ukey_sim::Latency;

const PATIENCE: Duration = Duration::from_secs(180);
/// More than this a program must not grow by, whatever it hears.
const GROWTH_MAX_KIB: u64 = 64 * 1024;
const FLOOD: usize = 10_000;
/// The portal keeps this many parked messages.
const PARKED_MAX: usize = 1_000;

struct Scene {
    stack: Stack,
    operator: Operator,
    blanks: Vec<PathBuf>,
    scratch: TempDir,
}

impl Scene {
    fn new(blanks: usize) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let plan = Plan { slots: 4, interrupted_seconds: 20, answer_seconds: 60, ..Plan::default() };
        let stack = Stack::start(scratch.path(), &plan).unwrap();
        let operator = stack.operator().unwrap();
        let profiles = profile::load_dir(&tree().join("firmware-profiles")).unwrap();
        let model = profiles.iter().find(|profile| profile.name == "ukey/virtual").unwrap();
        let blanks = make_blanks(&scratch.path().join("keys"), &[model], blanks, 1).unwrap();
        Self { stack, operator, blanks, scratch }
    }

    /// Brings orders in and approves them; their numbers.
    fn approve(&self, orders: &[Value]) -> Vec<String> {
        self.stack.import(orders).unwrap();
        let numbers: Vec<String> =
            orders.iter().map(|order| order["number"].as_str().unwrap().to_owned()).collect();
        for number in &numbers {
            self.operator.post(&format!("/api/orders/{number}/approve"), &json!({})).unwrap();
        }
        numbers
    }

    /// Makes the orders' keys: all of them go to 待配送.
    fn deliver(&self, numbers: &[String], blanks: &[PathBuf]) {
        let mut staff = Staff::new(&self.stack, blanks.to_vec(), Latency::none());
        staff
            .work(PATIENCE, |_| Ok(numbers.iter().all(|number| self.state(number) == "awaiting_delivery")))
            .unwrap();
    }

    fn state(&self, number: &str) -> String {
        let order = self.operator.get(&format!("/api/orders/{number}"));
        order.map(|order| order["state"].as_str().unwrap_or_default().to_owned()).unwrap_or_default()
    }

    /// The most memory that portal and station ever had.
    fn memory(&mut self) -> [u64; 2] {
        [
            self.stack.portal().unwrap().peak_memory_kib().unwrap(),
            self.stack.station().unwrap().peak_memory_kib().unwrap(),
        ]
    }

    /// What `portal parked` says.
    fn parked(&self) -> String {
        run("portal parked", &mut self.stack.portal_command(&["parked"]).unwrap(), None).unwrap()
    }

    fn wait_parked(&self, words: &[&str]) {
        wait_for(&format!("a parked message with {words:?}"), PATIENCE, || {
            let parked = self.parked();
            Ok(parked.lines().any(|line| words.iter().all(|word| line.contains(word))).then_some(()))
        })
        .unwrap();
    }

    fn log(&self, name: &str) -> String {
        fs::read_to_string(self.stack.logs.join(name)).unwrap()
    }
}

#[test]
fn floods_and_messages_that_are_none_are_parked_or_refused_and_good_work_goes_on() {
    let all = orders::singles(12);
    let mut scene = Scene::new(12);
    let blanks = scene.blanks.clone();
    let stranger = Stranger::enrol(&scene.stack, "bench-2").unwrap();
    let up = stranger.topic("up");
    let first = scene.approve(&all[..4]);
    scene.deliver(&first, &blanks[..4]);
    let before = scene.memory();

    // A message of a later version, and one that is too large to be read though the broker takes it.
    let (taken, said) = stranger.say(&up, br#"{"v":99,"id":"r-1","kind":"pull","body":{}}"#).unwrap();
    assert!(taken, "{said}");
    assert!(stranger.say(&up, &vec![b'['; 300_000]).unwrap().0);
    scene.wait_parked(&["bench-2", "version 99"]);
    scene.wait_parked(&["bench-2", "300000 bytes"]);
    // A megabyte is no message of this protocol: the broker ends the connection and says why.
    let (taken, said) = stranger.say(&up, &vec![b'x'; 1_000_000]).unwrap();
    assert!(!taken && !said.is_empty(), "{said}");
    assert!(
        scene.log("mosquitto.log").contains("bench-2 disconnected due to oversize packet"),
        "{}",
        scene.log("mosquitto.log")
    );
    // Nobody but the portal speaks to a station.
    stranger.say("ukey/v1/bench-1/down", b"forged").unwrap();

    // The flood, and good work beside it.
    let second = scene.approve(&all[4..]);
    let lines: String = (0..FLOOD).map(|n| format!("flood {n:05} {}\n", "x".repeat(200))).collect();
    std::thread::scope(|scope| {
        let flood = scope.spawn(|| stranger.flood(&up, &lines));
        scene.deliver(&second, &blanks[4..]);
        flood.join().unwrap().unwrap();
    });
    // What is said last is heard, so the flood is over; of the flood no more is kept than the bound says.
    wait_for("the end of the flood is heard", PATIENCE, || {
        stranger.say(&up, b"the end")?;
        Ok(scene.parked().lines().any(|line| line.contains(" 7 bytes")).then_some(()))
    })
    .unwrap();
    let parked = scene.parked().lines().count() - 1;
    assert!((3..=PARKED_MAX).contains(&parked), "{parked} messages are parked");
    assert!(scene.log("portal.log").contains("sends more than is worked on"));
    let after = scene.memory();
    for (name, before, after) in [("portal", before[0], after[0]), ("station", before[1], after[1])] {
        assert!(
            after.saturating_sub(before) < GROWTH_MAX_KIB,
            "the {name} grew from {before} to {after} KiB"
        );
    }
    assert!(!scene.log("station.log").contains("forged"));
}

/// What the portal alone may say to a station: said by somebody who has its certificate.
#[test]
fn a_station_outlives_whatever_is_said_on_its_topic() {
    let all = orders::singles(4);
    let mut scene = Scene::new(4);
    let blanks = scene.blanks.clone();
    let portal = Stranger::with_the_portals_identity(&scene.stack).unwrap();
    let down = "ukey/v1/bench-1/down";
    let first = scene.approve(&all[..1]);
    scene.deliver(&first, &blanks[..1]);
    let before = scene.memory();
    // Two with one certificate would throw each other out.
    scene.stack.portal().unwrap().kill9().unwrap();
    for payload in
        [br#"{"v":99,"id":"r-1","kind":"ack","body":{}}"#.to_vec(), vec![b'['; 300_000], vec![0xFF; 9]]
    {
        assert!(portal.say(down, &payload).unwrap().0);
    }
    assert!(!portal.say(down, &vec![b'x'; 1_000_000]).unwrap().0);
    let lines: String = (0..FLOOD)
        .map(|n| format!("{{\"v\":1,\"id\":\"{n}\",\"kind\":\"ack\",\"body\":{{\"report\":\"{n}\"}}}}\n"))
        .collect();
    portal.flood(down, &lines).unwrap();
    scene.stack.start_portal().unwrap();
    scene.operator = scene.stack.operator().unwrap();
    let second = scene.approve(&all[1..]);
    scene.deliver(&second, &blanks[1..]);
    let log = scene.log("station.log");
    assert!(
        log.contains("version 99") && log.contains("300000 bytes"),
        "the station says what it could not read"
    );
    let after = scene.memory();
    assert!(
        after[1].saturating_sub(before[1]) < GROWTH_MAX_KIB,
        "the station grew from {} to {} KiB",
        before[1],
        after[1]
    );
}

#[test]
fn p5_an_order_that_cannot_be_certified_is_stuck_with_its_reason_and_the_others_are_made() -> Result<()> {
    let mut scene = Scene::new(4);
    let blanks = scene.blanks.clone();
    let poisoned = scene.approve(&[orders::order(0, "xiamen-jinlong", "unit-first", 1)]);
    let good = scene.approve(&orders::singles(4)[1..]);
    // After the approval the programme is changed, so that its subject can be in no certificate.
    spoil_programme(&scene, "xiamen-jinlong");
    scene.stack.portal()?.kill9()?;
    scene.stack.start_portal()?;
    scene.operator = scene.stack.operator()?;
    scene.deliver(&good, &blanks);
    let order = scene.operator.get(&format!("/api/orders/{}", poisoned[0]))?;
    assert_eq!(order["state"], "awaiting_production", "{order}");
    let page = order.to_string();
    assert!(page.contains("stuck") && page.contains("too long"), "{page}");
    Ok(())
}

fn spoil_programme(scene: &Scene, name: &str) {
    let dir = scene.scratch.path().join("programmes");
    fs::create_dir_all(&dir).unwrap();
    for entry in fs::read_dir(tree().join("config/programmes")).unwrap() {
        let path = entry.unwrap().path();
        let mut text = fs::read_to_string(&path).unwrap();
        if path.file_stem().is_some_and(|stem| stem == name) {
            let subject = "attribute = \"CN\", value = \"{unit.name}\"";
            assert!(text.contains(subject), "{text}");
            text = text.replace(subject, &subject.replace("{unit.name}", &"{unit.name}".repeat(9)));
        }
        fs::write(dir.join(path.file_name().unwrap()), text).unwrap();
    }
    let config = scene.stack.dir.join("portal.toml");
    let text = fs::read_to_string(&config).unwrap();
    let shipped = tree().join("config/programmes");
    fs::write(config, text.replace(&shipped.display().to_string(), &dir.display().to_string())).unwrap();
}
