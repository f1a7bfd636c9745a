//! Changes of an order's state on their way to the programme's platform.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, atomic::Ordering},
};

use crate::bench::{Bench, free_order, paid_order};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use portal::{config::Webhook, orders::Actor, webhooks};
use ring::hmac;
use serde_json::{Value, json};

const SECRET: &[u8] = b"a secret of two";

/// A platform: checks each signature, answers what it was told to, else 204.
#[derive(Clone, Default)]
pub(crate) struct Platform {
    taken: Arc<Mutex<Vec<Value>>>,
    answers: Arc<Mutex<VecDeque<u16>>>,
}

impl Platform {
    fn start(bench: &Bench, listener: std::net::TcpListener) -> Self {
        let platform = Self::default();
        let app = Router::new().route("/hook", post(take)).with_state(platform.clone());
        listener.set_nonblocking(true).unwrap();
        bench.runtime.spawn(async move {
            axum::serve(tokio::net::TcpListener::from_std(listener).unwrap(), app).await.unwrap();
        });
        platform
    }

    pub(crate) fn answer(&self, statuses: &[u16]) {
        self.answers.lock().unwrap().extend(statuses);
    }

    pub(crate) fn taken(&self) -> Vec<Value> {
        self.taken.lock().unwrap().clone()
    }
}

async fn take(State(platform): State<Platform>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let signed = [header("x-ukey-timestamp").as_bytes(), b".", &body].concat();
    let signature = hex::decode(header("x-ukey-signature").strip_prefix("v1=").unwrap()).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
    if hmac::verify(&key, &signed, &signature).is_err() {
        return StatusCode::UNAUTHORIZED;
    }
    platform.taken.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
    let answer = platform.answers.lock().unwrap().pop_front().unwrap_or(204);
    StatusCode::from_u16(answer).unwrap()
}

/// A portal that tells the platform of one programme.
pub(crate) fn bench() -> (Bench, Platform, String) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let bench = Bench::configured(|config, folder| {
        let secret_file = folder.join("webhook");
        std::fs::write(&secret_file, [SECRET, b"\n"].concat()).unwrap();
        config.webhooks = vec![Webhook { programme: "xiamen-jinlong".to_owned(), url, secret_file }];
    });
    bench.runtime.block_on(webhooks::set_targets(&bench.state)).unwrap();
    let platform = Platform::start(&bench, listener);
    let cookie = bench.log_in();
    (bench, platform, cookie)
}

pub(crate) fn turn(bench: &Bench) {
    bench.runtime.block_on(webhooks::turn(&bench.state)).unwrap();
}

pub(crate) fn depths(bench: &Bench) -> (i64, i64) {
    let depths = bench.runtime.block_on(webhooks::depths(&bench.state.db)).unwrap();
    (depths.waiting, depths.dead)
}

#[test]
fn each_change_of_state_is_told_once_in_order_and_signed() {
    let (bench, platform, cookie) = bench();
    let number = bench.place(&cookie, &paid_order(1));
    assert_eq!(bench.post(&cookie, &format!("/api/orders/{number}/approve"), &json!({})).0, 200);
    bench.place(&cookie, &free_order());
    assert_eq!(depths(&bench), (2, 0), "the other programme's platform is told nothing");
    turn(&bench);
    assert_eq!(platform.taken().len(), 1, "the second waits for the first");
    turn(&bench);
    turn(&bench);
    let taken = platform.taken();
    assert_eq!(taken.len(), 2, "{taken:?}");
    for (event, (sequence, state)) in taken.iter().zip([(1, "awaiting_review"), (2, "awaiting_production")]) {
        assert_eq!(event["id"], format!("{number}-{sequence}"));
        assert_eq!(
            (&event["order"], &event["state"], &event["sequence"]),
            (&json!(number), &json!(state), &json!(sequence))
        );
        assert_eq!(event["at"], "2026-11-22T01:30:00Z");
        assert_eq!(event.as_object().unwrap().len(), 5, "no person: {event}");
    }
    assert_eq!(depths(&bench), (0, 0));
}

#[test]
fn a_platform_that_refuses_is_asked_again_later_and_given_up_in_the_end() {
    let (bench, platform, cookie) = bench();
    platform.answer(&[500, 301]);
    bench.place(&cookie, &paid_order(1));
    turn(&bench);
    turn(&bench);
    assert_eq!(platform.taken().len(), 1, "not before its time");
    bench.now_ms.fetch_add(10_000, Ordering::SeqCst);
    turn(&bench);
    bench.now_ms.fetch_add(19_999, Ordering::SeqCst);
    turn(&bench);
    assert_eq!(platform.taken().len(), 2, "the pause grows");
    bench.now_ms.fetch_add(1, Ordering::SeqCst);
    turn(&bench);
    let taken = platform.taken();
    assert_eq!(taken.len(), 3);
    assert!(taken.iter().all(|event| event["id"] == taken[0]["id"]), "by its id it is known again");
    assert_eq!(depths(&bench), (0, 0));

    platform.answer(&[503; webhooks::TRIES_MAX as usize]);
    bench.place(&cookie, &paid_order(1));
    for _ in 0..webhooks::TRIES_MAX + 3 {
        turn(&bench);
        bench.now_ms.fetch_add(3_600_000, Ordering::SeqCst);
    }
    assert_eq!(platform.taken().len(), 3 + webhooks::TRIES_MAX as usize);
    assert_eq!(depths(&bench), (0, 1));
    let dead = bench.runtime.block_on(webhooks::dead(&bench.state.db, 9)).unwrap();
    assert_eq!((dead.len(), dead[0].error.as_str()), (1, "HTTP 503"));
    assert_eq!(bench.runtime.block_on(webhooks::revive(&bench.state.db, &Actor::CommandLine, 0)).unwrap(), 1);
    turn(&bench);
    assert_eq!(depths(&bench), (0, 0));
}

#[test]
fn an_event_is_written_with_its_change_or_not_at_all() {
    let (bench, _platform, cookie) = bench();
    let number = bench.place(&cookie, &paid_order(1));
    // The audit cannot be written: the order stays as it was, and nobody is told otherwise.
    let broken = "insert into audit (sequence, at_ms, who, what, subject, detail, head) \
                  select max(sequence) + 1, 0, '', '', '', '', 'no head' from audit";
    bench.runtime.block_on(sqlx::query(broken).execute(&bench.state.db)).unwrap();
    assert_eq!(bench.post(&cookie, &format!("/api/orders/{number}/approve"), &json!({})).0, 500);
    assert_eq!(depths(&bench), (1, 0));
}
