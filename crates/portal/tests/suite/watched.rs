//! What watches the portal: health, figures, the log, the description of the API.

use std::{
    io::Write,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::bench::{Bench, OPERATOR, PASSWORD, START_MS, free_order, id_number, paid_order};
use portal::{config::Metrics, readiness::VaultWatch};
use serde_json::{Value, json};

#[test]
fn health_needs_nothing_and_readiness_the_database() {
    let bench = Bench::new();
    assert_eq!(bench.get("", "/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(
        bench.get("", "/readyz"),
        (200, "database yes\nvault unknown\nleads no\nbroker unknown\n".to_owned())
    );
    bench.state.link.send_replace(Some(false));
    assert_eq!(bench.get("", "/readyz").0, 200, "orders are taken without the broker");
    bench.runtime.block_on(bench.state.db.close());
    assert_eq!(bench.get("", "/readyz").0, 503);
    assert_eq!(bench.get("", "/healthz").0, 200);
}

/// A portal whose vault answers by a word that comes later, or not at all.
#[test]
fn a_vault_that_hangs_makes_not_ready_and_holds_nothing_else_up() {
    let (answer, told) = std::sync::mpsc::channel::<Result<(), String>>();
    let (told, asked) = (Mutex::new(told), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&asked);
    let watch = VaultWatch::new(move || {
        count.fetch_add(1, Ordering::SeqCst);
        // With a bound, so that a test that fails ends.
        let word = told.lock().unwrap().recv_timeout(std::time::Duration::from_secs(30));
        word.unwrap_or_else(|_| Err("nothing came".to_owned()))
    });
    let bench = Bench::watching(watch);
    answer.send(Ok(())).unwrap();
    let told = bench.get("", "/readyz");
    assert_eq!(told, (200, "database yes\nvault yes\nleads no\nbroker unknown\n".to_owned()));
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    for _ in 0..2 {
        let (status, told) = bench.get("", "/readyz");
        assert!(status == 503 && told.contains("vault no"), "{told}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 2, "one question hangs, however often it is asked");
    assert_eq!(bench.get("", "/healthz").0, 200);
    answer.send(Ok(())).unwrap();
    answer.send(Ok(())).unwrap();
    assert_eq!(bench.get("", "/readyz").0, 200, "it came back");
}

#[test]
fn p14_figures_are_for_whoever_has_the_token_and_name_routes_not_paths() {
    let closed = Bench::new();
    assert_eq!(closed.get("", "/metrics").0, 404);

    let bench = Bench::configured(|config, folder| {
        let token_file = folder.join("metrics-token");
        std::fs::write(&token_file, "the token of this test\n").unwrap();
        config.metrics = Some(Metrics { token_file });
    });
    let cookie = bench.log_in();
    let number = bench.place(&cookie, &paid_order(1));
    bench.place(&cookie, &free_order());
    bench.get(&cookie, &format!("/orders/{number}"));
    bench.get("", "/nothing/here");
    for invented in ["AAAA1", "AAAA2"] {
        let request = ureq::http::Request::builder().method(invented).uri(format!("{}/orders", bench.url));
        let lenient =
            ureq::Agent::config_builder().allow_non_standard_methods(true).http_status_as_error(false);
        let answer = lenient.build().new_agent().run(request.body(()).unwrap()).unwrap();
        assert_eq!(answer.status(), 405);
    }
    bench.state.leads.send_replace(true);
    for (id, state, next) in [("a", "waiting", "1"), ("b", "failed", "null"), ("c", "arrived", "null")] {
        let message = format!(
            "insert into messages (id, order_number, kind, sign_name, template, mobile, parameters, state, sends, asks, next_ms, \
             trouble, created_ms) values ('{id}', '{number}', 'approved', '', '', '', '', '{state}', 1, 0, {next}, '', {START_MS})"
        );
        let message = sqlx::query::<sqlx::Any>(sqlx::AssertSqlSafe(message));
        bench.runtime.block_on(message.execute(&bench.state.db)).unwrap();
    }
    let ask = |token: &str| {
        let request = bench.agent().get(format!("{}/metrics", bench.url)).header("authorization", token);
        let mut answer = request.call().unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    };
    assert_eq!(bench.get(&cookie, "/metrics").0, 401);
    assert_eq!(ask("Bearer another").0, 401);
    assert_eq!(ask("Bearer ").0, 401);
    let (status, text) = ask("Bearer the token of this test");
    assert_eq!(status, 200);
    for line in [
        "portal_requests_total{method=\"GET\",route=\"/orders/{number}\",status=\"200\"} 1",
        "portal_requests_total{method=\"GET\",route=\"none\",status=\"404\"} 1",
        "portal_requests_total{method=\"other\",route=\"/orders\",status=\"405\"} 2",
        "portal_orders{state=\"awaiting_review\"} 2",
        "portal_leads 1",
        "portal_stations_online 0",
        "portal_webhook_events{delivery=\"dead\"} 0",
        "portal_messages{delivery=\"waiting\"} 1",
        "portal_messages{delivery=\"dead\"} 1",
        "portal_mails{delivery=\"waiting\"} 0",
        "portal_mails{delivery=\"dead\"} 0",
        "portal_payment_troubles 0",
        "portal_invoices_awaiting_login 0",
        "# EOF",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    assert!(text.contains("portal_request_seconds_bucket{le=\"0.05\",route=\"/orders/{number}\"}"), "{text}");
    assert!(!text.contains(&number), "{text}");
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Everything the portal can log, as a machine reads it, while people with planted names use it.
#[test]
fn the_log_has_no_person_in_it() {
    let lines = Lines::default();
    let writer = lines.clone();
    let log = tracing_subscriber::fmt().json().with_env_filter("debug").with_writer(move || writer.clone());
    log.init();
    let (bench, cookie) = Bench::logged_in();
    let typed = "Typed-Into-The-Wrong-Field";
    bench.post("", "/api/login", &json!({ "name": typed, "password": "Planted-Password" }));
    bench.post_form("", "/login", &[("name", OPERATOR), ("password", "Planted-Password")]);

    let mut order = paid_order(1);
    order["handler"]["name"] = json!("钱明德");
    order["handler"]["mobile"] = json!("13899990000");
    order["handler"]["mail"] = json!("planted@example.com");
    order["receiver"]["address"] = json!("种植路 77 号");
    let number = bench.place(&cookie, &order);
    let mut wrong = order.clone();
    wrong["handler"]["id_number"] = json!("000000199001019999");
    assert_eq!(bench.post(&cookie, "/api/orders", &wrong).0, 422);
    for path in [
        format!("/orders/{number}"),
        format!("/api/orders/{number}"),
        "/orders?q=%E9%92%B1%E6%98%8E%E5%BE%B7".to_owned(),
        "/api/orders?q=13899990000".to_owned(),
        "/orders/13899990000".to_owned(),
        "/stations".to_owned(),
    ] {
        bench.get(&cookie, &path);
    }
    bench.decide(&cookie, &format!("/orders/{number}/reject"), &[("reason", "钱明德的照片不清晰")]);
    assert_eq!(bench.put(&cookie, &format!("/api/orders/{number}"), &order).0, 200);
    bench.post(&cookie, &format!("/api/orders/{number}/approve"), &json!({}));

    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let all: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(all.iter().any(|line| line["fields"]["route"] == "/orders/{number}"), "{text}");
    let token = cookie.split_once('=').unwrap().1;
    for planted in [
        "钱明德",
        "13899990000",
        "planted@example.com",
        "种植路",
        "000000199001019999",
        &id_number(1),
        typed,
        "Planted-Password",
        PASSWORD,
        token,
    ] {
        let line = text.lines().find(|line| line.contains(planted));
        assert!(line.is_none(), "{planted} is in {line:?}");
    }
}

#[test]
fn the_description_is_served_and_answers_are_as_described() {
    let (bench, cookie) = Bench::logged_in();
    let described = bench.get_json("", "/api/openapi.json");
    assert_eq!(described["openapi"], "3.1.0");
    let number = bench.place(&cookie, &paid_order(1));
    let job = format!("{number}-1");
    // Every operation, rightly and wrongly: the status stands in the description, errors have their form.
    let unknown = "SAAS120261122093000000009";
    for (method, path, with, body) in [
        ("get", "/api/orders", "", json!(null)),
        ("get", "/api/orders", "?state=nonsense", json!(null)),
        ("get", "/api/orders", "?what=ever", json!(null)),
        ("post", "/api/orders", "", free_order()),
        ("post", "/api/orders", "", json!([])),
        ("post", "/api/orders", "", json!([free_order(), {}])),
        ("post", "/api/orders", "", json!({})),
        ("get", "/api/orders/{number}", &number, json!(null)),
        ("get", "/api/orders/{number}", unknown, json!(null)),
        ("get", "/api/orders/{number}", "nonsense", json!(null)),
        ("put", "/api/orders/{number}", &number, paid_order(2)),
        ("put", "/api/orders/{number}", unknown, paid_order(2)),
        ("post", "/api/orders/{number}/payment", &number, json!({})),
        ("post", "/api/orders/{number}/reject", &number, json!({ "reason": "" })),
        ("post", "/api/orders/{number}/reject", &number, json!({ "no": "reason" })),
        ("post", "/api/orders/{number}/approve", &number, json!({})),
        ("post", "/api/orders/{number}/approve", unknown, json!({})),
        ("post", "/api/jobs/{job}/release", &job, json!({ "key": "lost", "reason": "x" })),
        ("post", "/api/jobs/{job}/release", "nonsense", json!({ "key": "lost", "reason": "x" })),
        ("get", "/api/stations", "", json!(null)),
        ("post", "/api/login", "", json!({ "name": OPERATOR, "password": "wrong" })),
        ("post", "/api/login", "", json!(7)),
        ("post", "/api/logout", "", json!(null)),
    ] {
        let at = match path.split_once('{') {
            Some(_) => path.replace("{number}", with).replace("{job}", with),
            None => format!("{path}{with}"),
        };
        let cookie = if path == "/api/logout" { "" } else { cookie.as_str() };
        let (status, answer) = match method {
            "get" => {
                let (status, text) = bench.get(cookie, &at);
                (status, serde_json::from_str(&text).unwrap_or(Value::Null))
            }
            "put" => bench.put(cookie, &at, &body),
            _ => bench.post(cookie, &at, &body),
        };
        let responses = &described["paths"][path][method]["responses"];
        let response = &responses[status.to_string()];
        assert!(response.is_object(), "{method} {at}: {status} is not in {responses}");
        if status >= 400 {
            assert!(
                answer["errors"].is_array() || answer["results"].is_array(),
                "{method} {at}: {status} {answer}"
            );
        }
    }
}
