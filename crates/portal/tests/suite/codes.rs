//! Codes by SMS: who gets one, who does not, and what a code opens.

use std::{collections::BTreeSet, sync::atomic::Ordering};

use crate::bench::{Bench, services};
use portal::{
    codes::{self, CodeError, Purpose, Sent},
    outside::Outside,
};
use sandbox::sms as double;

const MOBILE: &str = "13800000000";
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

struct Phone {
    bench: Bench,
    sms: double::Handle,
}

impl Phone {
    fn new(day_budget: u32) -> Self {
        let (sms, service) = services::sms(day_budget);
        Self { bench: Bench::with_outside(|_| Outside { sms: Some(service), ..Outside::default() }), sms }
    }

    fn send_as(&self, purpose: Purpose, mobile: &str, to: &str, who: [&str; 2]) -> Result<Sent, CodeError> {
        self.bench.runtime.block_on(codes::send(&self.bench.state, purpose, mobile, to, who[0], who[1]))
    }

    fn send(&self) -> Result<Sent, CodeError> {
        self.send_as(Purpose::Submit, MOBILE, "draft-1", ["192.0.2.1", "session-1"])
    }

    fn check(&self, purpose: Purpose, mobile: &str, to: &str, code: &str) -> bool {
        match self.bench.runtime.block_on(codes::check(&self.bench.state, purpose, mobile, to, code)) {
            Ok(()) => true,
            Err(CodeError::Wrong) => false,
            Err(error) => panic!("{error}"),
        }
    }

    fn later(&self, ms: i64) {
        self.bench.now_ms.fetch_add(ms, Ordering::SeqCst);
    }

    /// The code that came last.
    fn last(&self) -> String {
        self.sms.sent().last().unwrap().parameters["code"].as_str().unwrap().to_owned()
    }

    /// Every text of the tables.
    fn stored(&self, table: &str) -> String {
        let sql = format!("select * from {table}");
        let query = sqlx::query::<sqlx::Any>(sqlx::AssertSqlSafe(sql));
        let rows = self.bench.runtime.block_on(query.fetch_all(&self.bench.state.db)).unwrap();
        use sqlx::Row as _;
        let texts = rows.iter().flat_map(|row| {
            (0..row.columns().len()).map(move |i| row.try_get::<String, _>(i).unwrap_or_default())
        });
        texts.collect::<Vec<_>>().join(" ")
    }
}

/// Seconds that a refusal says to wait.
fn wait(answer: Result<Sent, CodeError>) -> u64 {
    match answer {
        Err(error @ CodeError::Wait { seconds }) => {
            assert!(error.to_string().contains(&seconds.to_string()));
            seconds
        }
        other => panic!("{other:?}"),
    }
}

fn another(code: &str) -> String {
    format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000)
}

#[test]
fn s1_9_the_handler_s_mobile_gets_six_digits_that_hold_sixty_seconds() {
    let phone = Phone::new(100);
    assert_eq!(phone.send().unwrap(), Sent { valid_seconds: 60, again_seconds: 60 });
    let sent = phone.sms.sent();
    assert_eq!((sent.len(), sent[0].mobile.as_str()), (1, MOBILE));
    let code = phone.last();
    assert!(code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()));
    phone.later(59_999);
    assert!(phone.check(Purpose::Submit, MOBILE, "draft-1", &format!(" {code} ")));
    assert!(!phone.check(Purpose::Submit, MOBILE, "draft-1", &code), "it was used");
    phone.later(1);
    phone.send().unwrap();
    phone.later(60_000);
    assert!(!phone.check(Purpose::Submit, MOBILE, "draft-1", &phone.last()), "it has expired");
}

#[test]
fn s1_9_neither_code_nor_mobile_can_be_read_in_the_database() {
    let phone = Phone::new(100);
    phone.send().unwrap();
    let stored = phone.stored("codes") + &phone.stored("code_sends") + &phone.stored("audit");
    assert!(stored.contains("submit") && stored.contains("code.sent"));
    for secret in [phone.last().as_str(), MOBILE, "192.0.2.1", "session-1", "draft-1"] {
        assert!(!stored.contains(secret), "{secret}");
    }
}

#[test]
fn s1_9_a_code_opens_what_it_was_sent_for_alone() {
    let phone = Phone::new(100);
    phone.send().unwrap();
    let code = phone.last();
    assert!(!phone.check(Purpose::LogIn, MOBILE, "draft-1", &code), "another purpose");
    assert!(!phone.check(Purpose::Submit, "13900000000", "draft-1", &code), "another number");
    assert!(!phone.check(Purpose::Submit, MOBILE, "draft-2", &code), "another draft");
    assert!(phone.check(Purpose::Submit, MOBILE, "draft-1", &code));
    phone.later(MINUTE_MS);
    phone.send().unwrap();
    let old = phone.last();
    phone.later(MINUTE_MS);
    phone.send().unwrap();
    assert!(
        old == phone.last() || !phone.check(Purpose::Submit, MOBILE, "draft-1", &old),
        "a later one was sent"
    );
    assert!(phone.check(Purpose::Submit, MOBILE, "draft-1", &phone.last()));
}

#[test]
fn s1_9_five_wrong_tries_and_the_right_code_is_dead_too() {
    let phone = Phone::new(100);
    phone.send().unwrap();
    let code = phone.last();
    for _ in 0..4 {
        assert!(!phone.check(Purpose::Submit, MOBILE, "draft-1", &another(&code)));
    }
    assert!(phone.check(Purpose::Submit, MOBILE, "draft-1", &code), "four wrong tries are a person's");
    phone.later(MINUTE_MS);
    phone.send().unwrap();
    let code = phone.last();
    for _ in 0..5 {
        assert!(!phone.check(Purpose::Submit, MOBILE, "draft-1", &another(&code)));
    }
    assert!(!phone.check(Purpose::Submit, MOBILE, "draft-1", &code));
    assert!(phone.stored("audit").contains("code.dead"));
}

#[test]
fn s1_9_many_guesses_at_once_have_five_tries_all_the_same() {
    let phone = Phone::new(100);
    phone.send().unwrap();
    let (state, code) = (&phone.bench.state, phone.last());
    let guesses: BTreeSet<String> =
        (1..=40).map(|n| format!("{:06}", (code.parse::<u32>().unwrap() + n) % 1_000_000)).collect();
    phone.bench.runtime.block_on(async {
        let tries =
            guesses.iter().map(|guess| codes::check(state, Purpose::Submit, MOBILE, "draft-1", guess));
        let answers = futures_util::future::join_all(tries).await;
        assert!(answers.iter().all(|answer| matches!(answer, Err(CodeError::Wrong))), "{answers:?}");
    });
    assert!(!phone.check(Purpose::Submit, MOBILE, "draft-1", &code));
}

#[test]
fn s1_9_a_stranger_s_guesses_are_none_of_the_owner_s_tries() {
    let phone = Phone::new(100);
    phone.send_as(Purpose::LogIn, MOBILE, "browser-1", ["192.0.2.1", "browser-1"]).unwrap();
    let code = phone.last();
    for n in 0..20 {
        assert!(!phone.check(Purpose::LogIn, MOBILE, &format!("stranger-{n}"), &code), "bound to another");
        assert!(!phone.check(Purpose::LogIn, MOBILE, &format!("stranger-{n}"), &another(&code)));
    }
    for _ in 0..4 {
        assert!(!phone.check(Purpose::LogIn, MOBILE, "browser-1", &another(&code)));
    }
    assert!(phone.check(Purpose::LogIn, MOBILE, "browser-1", &code));

    // From a browser of one's own each guess counts, and another code is another minute's.
    phone.later(MINUTE_MS);
    phone.send_as(Purpose::LogIn, MOBILE, "stranger-1", ["192.0.2.2", "stranger-1"]).unwrap();
    let code = phone.last();
    for _ in 0..5 {
        assert!(!phone.check(Purpose::LogIn, MOBILE, "stranger-1", &another(&code)));
    }
    assert!(!phone.check(Purpose::LogIn, MOBILE, "stranger-1", &code));
    assert_eq!(wait(phone.send_as(Purpose::LogIn, MOBILE, "stranger-2", ["192.0.2.3", "stranger-2"])), 60);
}

#[test]
fn who_asks_in_vain_waits_for_no_writer_and_holds_none_up() {
    let phone = Phone::new(100);
    phone.send().unwrap();
    let state = &phone.bench.state;
    phone.bench.runtime.block_on(async {
        let held = portal::db::begin_write(&state.db).await.unwrap();
        let asked = async {
            let guess = codes::check(state, Purpose::Submit, MOBILE, "draft-2", "000000").await;
            let again =
                codes::send(state, Purpose::Submit, MOBILE, "draft-2", "192.0.2.9", "session-9").await;
            (guess, again)
        };
        // The lock is held until they have their answers: who waits for it waits for ever.
        let (guess, again) = tokio::time::timeout(std::time::Duration::from_secs(60), asked).await.unwrap();
        assert!(matches!(guess, Err(CodeError::Wrong)), "{guess:?}");
        assert!(matches!(again, Err(CodeError::Wait { seconds: 60 })), "{again:?}");
        held.rollback().await.unwrap();
    });
}

#[test]
fn s1_9_a_number_is_not_bombed() {
    let phone = Phone::new(1_000);
    // Each time from another address and session.
    let ask = |n: i64| {
        let (address, session) = (format!("198.51.100.{n}"), format!("session-{n}"));
        phone.send_as(Purpose::LogIn, MOBILE, "login", [&address, &session])
    };
    ask(0).unwrap();
    assert_eq!(wait(ask(0)), 60);
    phone.later(59_001);
    assert_eq!(wait(ask(1)), 1);
    phone.later(999);
    for n in 1..5 {
        ask(n).unwrap();
        phone.later(MINUTE_MS);
    }
    // Five went out in the first five minutes of this hour.
    assert_eq!(wait(ask(5)), 3_300);
    phone.later(55 * MINUTE_MS);
    for n in 5..10 {
        ask(n).unwrap();
        phone.later(MINUTE_MS);
    }
    phone.later(HOUR_MS);
    assert!(wait(ask(10)) > 21 * 3_600, "ten a day");
    assert_eq!(phone.sms.sent().len(), 10);
    let other = phone.send_as(Purpose::LogIn, "13900000000", "login", ["198.51.100.1", "session-1"]);
    assert!(other.is_ok(), "another number is not held up");
}

#[test]
fn s1_9_an_address_does_not_bomb_many_numbers() {
    let phone = Phone::new(1_000);
    let ask = |n: u32| {
        let (mobile, session) = (format!("139000{n:05}"), format!("session-{n}"));
        // A subscriber may choose the lower half of an address of IPv6.
        phone.send_as(Purpose::LogIn, &mobile, "login", [&format!("2001:db8::{n:x}"), &session])
    };
    for n in 0..30 {
        ask(n).unwrap();
    }
    assert_eq!(wait(ask(30)), 3_600);
    assert_eq!(phone.sms.sent().len(), 30);
    phone.send().unwrap();
}

#[test]
fn s1_9_a_session_does_not_bomb_many_numbers() {
    let phone = Phone::new(1_000);
    let ask = |n: u32| {
        let mobile = format!("138000{n:05}");
        phone.send_as(Purpose::LogIn, &mobile, "login", [&format!("198.51.100.{n}"), "session-1"])
    };
    for n in 0..10 {
        ask(n).unwrap();
    }
    assert_eq!(wait(ask(10)), 3_600);
}

#[test]
fn s1_9_all_together_do_not_spend_more_than_the_day_s_budget() {
    let phone = Phone::new(3);
    let ask = |n: u32| {
        let (mobile, address) = (format!("138000{n:05}"), format!("198.51.100.{n}"));
        phone.send_as(Purpose::LogIn, &mobile, "login", [&address, &address])
    };
    for n in 0..3 {
        ask(n).unwrap();
    }
    assert_eq!(wait(ask(3)), 24 * 3_600);
    phone.later(24 * HOUR_MS);
    ask(3).unwrap();
    assert_eq!(phone.stored("code_sends").split(' ').count(), 4, "what is a day old is forgotten");
}

#[test]
fn s1_9_the_service_s_answer_is_told_as_what_to_do() {
    let phone = Phone::new(1_000);
    for (fault, expected) in [
        ("limit", "3600"),
        ("refuse_isv.MOBILE_NUMBER_ILLEGAL", "11 位"),
        ("refuse_isv.AMOUNT_NOT_ENOUGH", "联系客服"),
    ] {
        phone.sms.next([fault.parse().unwrap()]);
        let error = phone.send().unwrap_err().to_string();
        assert!(error.contains(expected), "{fault}: {error}");
        phone.later(MINUTE_MS);
    }
    // The answer was lost, the message was not.
    phone.sms.next(["lose_reply".parse().unwrap()]);
    phone.send().unwrap();
    assert!(phone.check(Purpose::Submit, MOBILE, "draft-1", &phone.last()));
    assert!(matches!(phone.send_as(Purpose::LogIn, "12345", "login", ["a", "b"]), Err(CodeError::Mobile)));
    let bare = Bench::new();
    let refused = bare.runtime.block_on(codes::send(&bare.state, Purpose::LogIn, MOBILE, "login", "a", "b"));
    assert!(refused.unwrap_err().to_string().contains("未开通短信服务"));
}
