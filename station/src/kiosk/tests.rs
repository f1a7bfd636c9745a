//! The screen's routes over a journal in memory.
#![allow(clippy::unwrap_used)]

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::Arc,
};

use hub::{SlotConfig, Slots};
use journal::Journal;
use model::{KeyId, SlotName};
use tokio::runtime::Runtime;
use wire::{RefusalReason, SlotPhase};

use super::{Desk, router};
use crate::{
    board::Board, breakers::Breakers, clock::SystemTime, parking::Parking, pool::Pool, shifts::Shifts,
};

const AT: &str = "2026-11-22T08:00:00.000Z";

struct Screen {
    _runtime: Runtime,
    base: String,
    agent: ureq::Agent,
    journal: Journal,
    desk: Desk,
}

impl Screen {
    fn new() -> Self {
        let journal = Journal::memory().unwrap();
        let slot: SlotName = "A01".parse().unwrap();
        let board = Board::new(std::slice::from_ref(&slot));
        let config = SlotConfig { name: slot, reader: Some("a reader".into()), usb: None };
        let slots = Slots::from_config(&[config]).unwrap();
        let desk = Desk {
            station: "bench-1".into(),
            breakers: Arc::new(Breakers::new(journal.clone(), board.clone(), &slots, 3)),
            shifts: Arc::new(Shifts::new(journal.clone(), board.clone())),
            parking: Arc::new(Parking::new(journal.clone(), board.clone(), Pool::default())),
            board,
            time: Arc::new(SystemTime::default()),
        };
        desk.breakers.recover(AT).unwrap();
        desk.shifts.recover().unwrap();
        desk.parking.recover().unwrap();
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let app = router(desk.clone());
        runtime.spawn(async move { axum::serve(listener, app).await });
        let agent = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().into();
        Self { _runtime: runtime, base, agent, journal, desk }
    }

    fn get(&self, path: &str) -> String {
        let mut answer = self.agent.get(format!("{}{path}", self.base)).call().unwrap();
        let page = answer.body_mut().read_to_string().unwrap();
        assert_eq!(answer.status(), 200, "{path}: {page}");
        page
    }

    fn post(&self, path: &str, form: &[(&str, &str)]) -> (u16, String) {
        self.post_with(path, form, &[])
    }

    fn post_with(&self, path: &str, form: &[(&str, &str)], headers: &[(&str, &str)]) -> (u16, String) {
        let mut request = self.agent.post(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut answer = request.send_form(form.iter().copied()).unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    }

    fn three_bad_keys(&self) {
        for number in 0..3 {
            let key = KeyId::new("ukey", "virtual", &format!("V{number}")).unwrap();
            let slot = "A01".parse().unwrap();
            self.desk.breakers.refused(&slot, Some(&key), RefusalReason::DeviceKeyLocked, AT).unwrap();
        }
    }
}

#[test]
fn n5_a_stop_is_shown_with_what_to_do_and_reset_with_a_reason() {
    let screen = Screen::new();
    assert!(screen.get("/attention").contains("没有需要处理"));
    screen.three_bad_keys();
    let slot = "A01".parse().unwrap();
    screen.desk.board.show(&slot, SlotPhase::Stopped, screen.desk.breakers.stopped(&slot).unwrap());
    let page = screen.get("/");
    assert!(page.contains("slot stopped") && page.contains("已停用") && page.contains("复位"), "{page}");
    assert!(screen.get("/attention?lang=en").contains("value=\"slot/A01\""));

    let (status, page) = screen.post("/breakers/reset", &[("scope", "slot/A01"), ("reason", "")]);
    assert!(status == 422 && page.contains("请填写原因"), "{page}");
    let (status, page) = screen.post("/breakers/reset", &[("scope", "hub/Z"), ("reason", "x")]);
    assert!(status == 409 && page.contains("hub/Z"), "{page}");
    // Another site's page in the same browser resets nothing.
    for headers in [&[("sec-fetch-site", "cross-site")], &[("origin", "http://evil.example")]] {
        let (status, _) =
            screen.post_with("/breakers/reset", &[("scope", "slot/A01"), ("reason", "x")], headers);
        assert_eq!(status, 403, "{headers:?}");
    }
    assert!(screen.desk.breakers.stopped(&slot).is_some());
    assert_eq!(screen.post("/breakers/reset", &[("scope", "slot/A01"), ("reason", "cleaned")]).0, 303);
    assert!(screen.desk.breakers.stopped(&slot).is_none());
}

#[test]
fn n12_a_shift_is_opened_counted_and_closed_on_its_page() {
    let screen = Screen::new();
    assert!(screen.get("/shift").contains("/shift/open"));
    assert_eq!(screen.post("/shift/open", &[("count", "abc")]).0, 422);
    assert_eq!(screen.post("/shift/open", &[("count", "10"), ("lang", "en")]).0, 303);
    assert_eq!(screen.post("/shift/open", &[("count", "10")]).0, 409);
    assert_eq!(screen.post("/shift/add", &[("count", "2")]).0, 303);
    let key = KeyId::new("ukey", "virtual", "V0000001").unwrap();
    screen.desk.shifts.refused(Some(&key), RefusalReason::DeviceKeyLocked, AT).unwrap();
    let page = screen.get("/shift");
    assert!(page.contains("V0000001") && page.contains("已锁死 1") && page.contains("<dd>11</dd>"), "{page}");
    assert!(screen.get("/").contains("应剩 <b>11</b>"));

    let (status, page) = screen.post("/shift/close", &[("left", "9"), ("boxed", ""), ("reason", "")]);
    assert!(status == 422 && page.contains("相差 2"), "{page}");
    assert!(page.contains("value=\"9\""), "what was typed stays");
    let json = [("accept", "application/json")];
    let (status, told) =
        screen.post_with("/shift/close", &[("left", "9"), ("boxed", "1"), ("reason", "")], &json);
    assert!(status == 422 && told.contains("相差 2"), "{told}");
    assert_eq!(screen.post("/shift/close", &[("left", "9"), ("boxed", "1"), ("reason", "找不到")]).0, 303);
    let page = screen.get("/shift");
    assert!(page.contains("card bad") && page.contains("少 2") && page.contains("找不到"), "{page}");
    let told: serde_json::Value = serde_json::from_str(&screen.get("/shift.json")).unwrap();
    assert_eq!((&told["difference"], &told["running"]), (&2.into(), &serde_json::Value::Null));
}

#[test]
fn n11_a_parked_report_is_shown_with_both_ways_out() {
    let screen = Screen::new();
    for report in ["label:one", "label:two<b>"] {
        screen.journal.report(report, b"{}").unwrap();
        screen.desk.parking.park(report, "没有运单", AT).unwrap();
    }
    assert!(screen.get("/").contains("拒收 2 份报告"));
    let page = screen.get("/attention");
    assert!(page.contains("没有运单") && page.contains("label:two&#60;b&#62;"), "{page}");
    assert_eq!(screen.post("/parked/discard", &[("report", "label:one"), ("reason", "")]).0, 422);
    assert_eq!(screen.post("/parked/discard", &[("report", "label:one"), ("reason", "done")]).0, 303);
    assert_eq!(screen.post("/parked/discard", &[("report", "label:one"), ("reason", "done")]).0, 409);
    assert_eq!(screen.post("/parked/retry", &[("report", "label:two<b>")]).0, 303);
    assert_eq!(screen.journal.outbox_len().unwrap(), 1);
    let told: serde_json::Value = serde_json::from_str(&screen.get("/attention.json")).unwrap();
    assert_eq!(told["parked"], serde_json::json!([]));
}

/// Opens a live screen: the connection, and the first line of the answer.
fn live(screen: &Screen) -> (TcpStream, String) {
    let address = screen.base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET /events HTTP/1.1\r\nhost: {address}\r\n\r\n").unwrap();
    let mut bytes = [0; 12];
    stream.read_exact(&mut bytes).unwrap();
    (stream, String::from_utf8_lossy(&bytes).into_owned())
}

#[test]
fn live_screens_are_bounded_and_a_place_is_given_back() {
    let screen = Screen::new();
    let mut open = Vec::new();
    for _ in 0..super::LIVE_MAX {
        let (stream, answer) = live(&screen);
        assert_eq!(answer, "HTTP/1.1 200");
        open.push(stream);
    }
    assert_eq!(live(&screen).1, "HTTP/1.1 503");
    open.pop();
    let mut outbox = 0;
    while live(&screen).1 != "HTTP/1.1 200" {
        // The station sees that a screen is gone when it writes to it.
        outbox += 1;
        screen.desk.board.outbox(outbox);
    }
}
