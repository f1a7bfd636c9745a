//! News of an order by SMS: what the handler is told, once, whatever the service does.

use std::sync::atomic::Ordering;

use crate::bench::{Bench, START_MS, paid_order, services};
use portal::{
    messages::{self, MessageState},
    orders::{self, Actor},
    outside::Outside,
};
use sandbox::sms::{Handle, Options, Sent};

const MINUTE_MS: i64 = 60_000;
/// 2026-11-22 12:00:00 in China.
const NOON_MS: i64 = START_MS + 150 * MINUTE_MS;

pub(crate) struct Desk {
    pub(crate) bench: Bench,
    sms: Handle,
}

impl Desk {
    pub(crate) fn new() -> Self {
        // The double finds messages by their day; at its noon a test may let hours pass.
        let noon = || jiff::Timestamp::from_millisecond(NOON_MS).unwrap();
        let (sms, service) = services::sms_with(Options { clock: noon, ..Options::default() }, 100);
        let bench = Bench::with_outside(|_| Outside { sms: Some(service), ..Outside::default() });
        bench.now_ms.store(NOON_MS, Ordering::SeqCst);
        Self { bench, sms }
    }

    fn order(&self) -> model::OrderNumber {
        let cookie = self.bench.log_in();
        self.bench.place(&cookie, &paid_order(1)).parse().unwrap()
    }

    pub(crate) fn approved(&self) -> model::OrderNumber {
        let number = self.order();
        let approve = orders::approve(&self.bench.state, &number, &Actor::System, None);
        self.bench.runtime.block_on(approve).unwrap();
        number
    }

    fn turn(&self) {
        self.bench.runtime.block_on(messages::turn(&self.bench.state)).unwrap();
    }

    /// Turns, and time passes, until nothing changes any more.
    pub(crate) fn turns(&self, times: usize, pause_ms: i64) {
        for _ in 0..times {
            self.turn();
            self.bench.now_ms.fetch_add(pause_ms, Ordering::SeqCst);
        }
    }

    pub(crate) fn faults(&self, words: &[&str]) {
        self.sms.next(words.iter().map(|word| word.parse().unwrap()));
    }

    fn sent(&self) -> Vec<Sent> {
        self.sms.sent()
    }

    pub(crate) fn states(&self, number: &model::OrderNumber) -> Vec<MessageState> {
        let rows = self.bench.runtime.block_on(messages::of_order(&self.bench.state, number)).unwrap();
        rows.iter().map(|row| row.state).collect()
    }
}

#[test]
fn s1_14_the_handler_is_told_of_the_approval_once() {
    let desk = Desk::new();
    let number = desk.approved();
    assert!(desk.sent().is_empty(), "the change of state does not wait for the service");
    assert_eq!(desk.states(&number), [MessageState::Waiting]);
    desk.turns(4, 1_000);
    let sent = desk.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0].mobile.as_str(), sent[0].template.as_str()), ("13800000001", "SMS_10000002"));
    assert_eq!(sent[0].parameters, serde_json::json!({ "order": number }));
    assert_eq!(desk.states(&number), [MessageState::Sent]);
    desk.turns(2, MINUTE_MS);
    assert_eq!(desk.states(&number), [MessageState::Arrived]);
    let again = orders::approve(&desk.bench.state, &number, &Actor::System, None);
    desk.bench.runtime.block_on(again).unwrap();
    desk.turns(4, MINUTE_MS);
    assert_eq!(desk.sent().len(), 1, "the same approval again is no news");
}

#[test]
fn s1_14_the_handler_reads_why_the_order_was_rejected_each_time() {
    let desk = Desk::new();
    let number = desk.order();
    let reject = |reason: &str| {
        let rejected = orders::reject(&desk.bench.state, &number, reason, &Actor::System, None);
        desk.bench.runtime.block_on(rejected).unwrap();
        desk.turns(2, 1_000);
    };
    reject("印章不清晰，请重新上传");
    reject("印章不清晰，请重新上传");
    assert_eq!(desk.sent().len(), 1);
    assert_eq!(desk.sent()[0].parameters["reason"], "印章不清晰，请重新上传");
    let content = paid_order(1);
    let correct = orders::correct(&desk.bench.state, &number, &content, &Actor::System);
    desk.bench.runtime.block_on(correct).unwrap();
    reject(&"营业执照已过期".repeat(20));
    let sent = desk.sent();
    assert_eq!((sent.len(), sent[1].template.as_str()), (2, "SMS_10000003"));
    assert_eq!(
        sent[1].parameters["reason"].as_str().unwrap().chars().count(),
        35,
        "a template takes no more"
    );
}

#[test]
fn s1_14_a_change_that_is_not_kept_tells_nobody() {
    let desk = Desk::new();
    let number = desk.order();
    let refused = orders::reject(&desk.bench.state, &number, " ", &Actor::System, None);
    assert!(desk.bench.runtime.block_on(refused).is_err());
    desk.turns(2, 1_000);
    assert!(desk.sent().is_empty() && desk.states(&number).is_empty());
}

#[test]
fn s1_14_a_lost_answer_does_not_send_it_twice() {
    for fault in ["lose_reply", "garbage"] {
        let desk = Desk::new();
        let number = desk.approved();
        desk.faults(&[fault, "http500"]);
        desk.turn();
        assert_eq!((desk.sent().len(), desk.states(&number)), (1, vec![MessageState::Sending]), "{fault}");
        // The first question is not answered either.
        desk.turns(30, MINUTE_MS);
        assert_eq!((desk.sent().len(), desk.states(&number)), (1, vec![MessageState::Arrived]), "{fault}");
    }
}

#[test]
fn s1_14_what_the_service_never_took_is_sent_again_after_it_was_asked() {
    let desk = Desk::new();
    let number = desk.approved();
    desk.faults(&["http500"]);
    desk.turns(4, MINUTE_MS);
    assert!(desk.sent().is_empty(), "it might still appear");
    desk.turns(6, MINUTE_MS);
    assert_eq!((desk.sent().len(), desk.states(&number)), (1, vec![MessageState::Arrived]));
}

#[test]
fn s1_14_a_process_that_ended_while_it_sent_does_not_send_again() {
    let desk = Desk::new();
    let number = desk.approved();
    desk.faults(&["late"]);
    // The turn is dropped once the service has it and while the call runs on: as if the process had ended.
    desk.bench.runtime.block_on(async {
        let taken = async {
            while desk.sent().is_empty() {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            turn = messages::turn(&desk.bench.state) => panic!("the answer is late, and came: {turn:?}"),
            () = taken => {}
        }
    });
    assert_eq!(desk.states(&number), [MessageState::Sending]);
    desk.turns(6, MINUTE_MS);
    assert_eq!((desk.sent().len(), desk.states(&number)), (1, vec![MessageState::Arrived]));
}

#[test]
fn s1_14_refusals_wait_or_end_by_what_they_mean() {
    let desk = Desk::new();
    let number = desk.approved();
    desk.faults(&["limit"]);
    desk.turns(5, MINUTE_MS);
    assert_eq!((desk.sent().len(), desk.states(&number)), (0, vec![MessageState::Waiting]), "an hour's rest");
    desk.turns(2, 60 * MINUTE_MS);
    assert_eq!(desk.sent().len(), 1);

    let desk = Desk::new();
    let number = desk.approved();
    desk.faults(&["refuse_isv.MOBILE_NUMBER_ILLEGAL"]);
    desk.turns(3, 60 * MINUTE_MS);
    assert_eq!((desk.sent().len(), desk.states(&number)), (0, vec![MessageState::Failed]));
    let rows = desk.bench.runtime.block_on(messages::of_order(&desk.bench.state, &number)).unwrap();
    assert!(rows[0].trouble.contains("isv.MOBILE_NUMBER_ILLEGAL"), "{}", rows[0].trouble);
}

#[test]
fn s1_14_a_service_that_refuses_for_ever_is_left_alone_after_a_day() {
    let desk = Desk::new();
    let number = desk.approved();
    desk.faults(&["refuse_isv.AMOUNT_NOT_ENOUGH"; 100]);
    desk.turns(40, 61 * MINUTE_MS);
    assert_eq!(desk.states(&number), [MessageState::Failed]);
    desk.faults(&["ok"]);
    let tries = format!("select sends from messages where order_number = '{number}'");
    let sends = sqlx::query_scalar::<sqlx::Any, i64>(sqlx::AssertSqlSafe(tries));
    assert_eq!(desk.bench.runtime.block_on(sends.fetch_one(&desk.bench.state.db)).unwrap(), 24);
}

#[test]
fn s1_14_what_the_carrier_could_not_deliver_is_shown() {
    let desk = Desk::new();
    let number = desk.approved();
    desk.faults(&["delivery_failed"]);
    desk.turns(3, MINUTE_MS);
    assert_eq!((desk.sent().len(), desk.states(&number)), (1, vec![MessageState::Failed]));
}

#[test]
fn s1_14_a_mobile_in_the_outbox_is_sealed_and_forgotten() {
    let desk = Desk::new();
    let number = desk.approved();
    desk.turns(3, MINUTE_MS);
    let rows = sqlx::query::<sqlx::Any>("select mobile, parameters from messages");
    let rows = desk.bench.runtime.block_on(rows.fetch_all(&desk.bench.state.db)).unwrap();
    use sqlx::Row as _;
    for column in ["mobile", "parameters"] {
        let sealed: Vec<u8> = rows[0].try_get(column).unwrap();
        assert!(!String::from_utf8_lossy(&sealed).contains("1380000"), "{column}");
    }
    desk.turns(2, 91 * 24 * 60 * MINUTE_MS);
    assert!(desk.states(&number).is_empty());
}
