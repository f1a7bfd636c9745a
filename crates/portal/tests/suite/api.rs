//! The JSON API over a real listener.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    sync::atomic::Ordering,
};

use crate::bench::{Bench, OPERATOR, PASSWORD, free_order, legal_order, paid_order, wrong_fields};
use model::OrderState;
use portal::{
    operators::Role,
    orders::{self, Actor, OrderError},
};
use serde_json::{Value, json};

fn history(order: &Value) -> Vec<(Value, Value)> {
    let entries = order["history"].as_array().unwrap();
    entries.iter().map(|entry| (entry["from"].clone(), entry["to"].clone())).collect()
}

/// Sends a body of `bytes`; gives the answer's first line.
fn send_bytes(bench: &Bench, cookie: &str, bytes: usize) -> String {
    let host = bench.url.trim_start_matches("http://");
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    let request = format!(
        "POST /api/orders HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nContent-Type: application/json\r\n\
         Content-Length: {bytes}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    stream.write_all(&vec![b' '; bytes]).unwrap();
    BufReader::new(stream).lines().next().unwrap().unwrap()
}

#[test]
fn an_order_goes_from_intake_to_production_with_one_job_a_key() {
    let (bench, cookie) = Bench::logged_in();
    let number = bench.place(&cookie, &legal_order("personal-first", 2, 3));
    assert!(number.starts_with("SAAS120261122093000"), "{number}");
    let (status, order) = bench.post(&cookie, &format!("/api/orders/{number}/approve"), &json!({}));
    assert_eq!((status, &order["state"]), (200, &json!("awaiting_production")), "{order}");
    let jobs: Vec<&str> =
        order["jobs"].as_array().unwrap().iter().map(|job| job["job"].as_str().unwrap()).collect();
    assert_eq!(jobs, [1, 2, 3].map(|index| format!("{number}-{index}")));
    assert_eq!(
        history(&order),
        [(Value::Null, json!("awaiting_review")), (json!("awaiting_review"), json!("awaiting_production")),]
    );
    assert_eq!(order["history"][1]["who"], format!("operator:{OPERATOR}"));

    let again = bench.post(&cookie, &format!("/api/orders/{number}/approve"), &json!({}));
    assert_eq!(again, (200, order), "approved twice is approved once");
    let (status, refused) =
        bench.post(&cookie, &format!("/api/orders/{number}/reject"), &json!({ "reason": "x" }));
    assert_eq!(status, 409, "{refused}");
}

#[test]
fn s1_13_a_rejected_order_says_why_is_corrected_and_goes_back_to_review() {
    let (bench, cookie) = Bench::logged_in();
    let order = paid_order(1);
    let number = bench.place(&cookie, &order);
    let path = format!("/api/orders/{number}");
    let reject = format!("{path}/reject");
    assert_eq!(wrong_fields(&bench.post(&cookie, &reject, &json!({ "reason": " " })).1), ["reason"]);
    let reason = json!({ "reason": "营业执照图片不清晰" });
    let (status, rejected) = bench.post(&cookie, &reject, &reason);
    assert_eq!((status, &rejected["reject_reason"]), (200, &reason["reason"]));
    assert_eq!(bench.post(&cookie, &reject, &reason), (200, rejected), "rejected twice is rejected once");
    assert_eq!(bench.post(&cookie, &format!("{path}/approve"), &json!({})).0, 409);

    let mut corrected = order.clone();
    corrected["unit"]["industry"] = json!("批发业");
    let mut cheaper = corrected.clone();
    cheaper["quantity"] = json!(2);
    assert_eq!(wrong_fields(&bench.put(&cookie, &path, &cheaper).1), ["quantity"]);
    cheaper["payment"]["paid_fen"] = json!(60_000);
    assert_eq!(wrong_fields(&bench.put(&cookie, &path, &cheaper).1), ["payment.paid_fen"], "not edited");
    let (status, waiting) = bench.put(&cookie, &path, &corrected);
    assert_eq!((status, &waiting["state"]), (200, &json!("awaiting_review")), "{waiting}");
    assert_eq!(
        (&waiting["content"]["unit"]["industry"], &waiting["reject_reason"]),
        (&json!("批发业"), &Value::Null)
    );
    assert_eq!(bench.put(&cookie, &path, &corrected), (200, waiting), "corrected twice is corrected once");
    assert_eq!(bench.put(&cookie, &path, &order).0, 409, "an order in review is not edited");
    let approve = format!("{path}/approve");
    assert_eq!(bench.post(&cookie, &approve, &json!({})).0, 403, "who corrected it does not approve it");
    let other = bench.operator("wang.shen", &[Role::Reviewer]);
    assert_eq!(bench.post(&other, &approve, &json!({})).0, 200);
}

#[test]
fn s3_7_an_unpaid_order_stays_and_is_paid_later() {
    let (bench, cookie) = Bench::logged_in();
    let mut order = paid_order(2);
    let payment = order.as_object_mut().unwrap().remove("payment").unwrap();
    let number = bench.place(&cookie, &order);
    let path = format!("/api/orders/{number}");
    assert_eq!(bench.get_json(&cookie, &path)["state"], "awaiting_payment");
    assert_eq!(bench.post(&cookie, &format!("{path}/approve"), &json!({})).0, 409);
    let short = json!({ "method": "alipay", "paid_fen": 1, "reference": "T0001" });
    assert_eq!(wrong_fields(&bench.post(&cookie, &format!("{path}/payment"), &short).1), ["paid_fen"]);
    assert_eq!(bench.get_json(&cookie, &path)["state"], "awaiting_payment");
    let (status, paid) = bench.post(&cookie, &format!("{path}/payment"), &payment);
    assert_eq!((status, &paid["state"]), (200, &json!("awaiting_review")), "{paid}");
    assert_eq!(
        bench.post(&cookie, &format!("{path}/payment"), &payment),
        (200, paid),
        "paid twice is paid once"
    );
}

#[test]
fn the_same_order_twice_gives_the_same_answer_and_another_under_its_number_is_refused() {
    let (bench, cookie) = Bench::logged_in();
    let mut order = free_order();
    order["number"] = json!("SAAS120261122093000000001");
    let (status, first) = bench.post(&cookie, "/api/orders", &order);
    assert_eq!((status, &first["results"][0]["outcome"]), (201, &json!("accepted")));
    order["receiver"]["mobile"] = json!("+86 13800000001");
    let (status, second) = bench.post(&cookie, "/api/orders", &order);
    assert_eq!(
        (status, &second["results"][0]["outcome"]),
        (200, &json!("repeated")),
        "the normal form is compared"
    );
    assert_eq!(first["results"][0]["number"], second["results"][0]["number"]);
    order["quantity"] = json!(1);
    order["receiver"]["address"] = json!("示例路 9 号");
    let (status, third) = bench.post(&cookie, "/api/orders", &order);
    assert_eq!((status, wrong_fields(&third)), (422, vec!["number".to_owned()]));
    let list = bench.get_json(&cookie, "/api/orders");
    assert_eq!(list["orders"].as_array().unwrap().len(), 1);
}

#[test]
fn a_file_is_taken_order_by_order_and_every_row_is_reported() {
    let (bench, cookie) = Bench::logged_in();
    let mut wrong = paid_order(1);
    wrong["handler"]["mobile"] = json!("1");
    wrong["unit"]["credit_code"] = json!("1");
    let (status, answer) = bench.post(&cookie, "/api/orders", &json!([paid_order(1), wrong, free_order()]));
    assert_eq!(status, 207);
    let rows: Vec<(u64, &str)> = answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["row"].as_u64().unwrap(), row["outcome"].as_str().unwrap()))
        .collect();
    assert_eq!(rows, [(1, "accepted"), (2, "refused"), (3, "accepted")]);
    let fields: Vec<&str> = answer["results"][1]["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["field"].as_str().unwrap())
        .collect();
    assert_eq!(fields, ["handler.mobile", "unit.credit_code"]);
    assert_eq!(bench.get_json(&cookie, "/api/orders")["orders"].as_array().unwrap().len(), 2);
    assert_eq!(bench.post(&cookie, "/api/orders", &json!(vec![json!(1); 1001])).0, 422);
    assert_eq!(send_bytes(&bench, &cookie, 4 * 1024 * 1024 + 1), "HTTP/1.1 413 Payload Too Large");
}

#[test]
fn s3_12_every_state_is_a_tab_and_orders_are_found_by_number_unit_product_and_page() {
    let (bench, cookie) = Bench::logged_in();
    let mut numbers = Vec::new();
    for n in 0..25_u32 {
        let mut order = free_order();
        order["unit"]["name"] = json!(format!("示例{n:02}公司"));
        numbers.push(bench.place(&cookie, &order));
        bench.now_ms.fetch_add(1000, Ordering::SeqCst);
    }
    let personal = bench.place(&cookie, &legal_order("personal-first", 1, 1));
    bench.post(&cookie, &format!("/api/orders/{personal}/approve"), &json!({}));

    let ask = |query: &str| -> (Vec<String>, Option<String>) {
        let page = bench.get_json(&cookie, &format!("/api/orders?{query}"));
        let rows = page["orders"].as_array().unwrap().iter();
        let found = rows.map(|row| row["number"].as_str().unwrap().to_owned()).collect();
        (found, page["next"].as_str().map(str::to_owned))
    };
    let (first, next) = ask("state=awaiting_review");
    assert_eq!(first, numbers[5..].iter().rev().cloned().collect::<Vec<_>>(), "newest first, twenty a page");
    let next = next.unwrap();
    bench.place(&cookie, &free_order());
    let (second, end) = ask(&format!("state=awaiting_review&page={next}"));
    assert_eq!(second, numbers[..5].iter().rev().cloned().collect::<Vec<_>>(), "a new order shifts nothing");
    assert_eq!(end, None);
    assert_eq!(ask(&format!("q={}", numbers[3])).0, [numbers[3].clone()]);
    assert_eq!(ask("q=%E7%A4%BA%E4%BE%8B07%E5%85%AC%E5%8F%B8").0, [numbers[7].clone()]);
    assert_eq!(ask("q=%E4%B8%AA%E4%BA%BA%E6%95%B0%E5%AD%97%E8%AF%81%E4%B9%A6").0, [personal]);
    assert_eq!(ask("q=%25").0, Vec::<String>::new(), "a % is a %, not everything");
    assert_eq!(bench.get(&cookie, "/api/orders?state=eaten").0, 400);
    assert_eq!(bench.get(&cookie, "/api/orders?page=eaten").0, 400);

    let counts =
        bench.runtime.block_on(orders::count_states(&bench.state.db, &orders::Query::default())).unwrap();
    assert_eq!(counts.iter().map(|count| count.state).collect::<Vec<_>>(), OrderState::ALL);
    let of = |state: OrderState| counts.iter().find(|count| count.state == state).unwrap().orders;
    assert_eq!((of(OrderState::AwaitingReview), of(OrderState::AwaitingProduction)), (26, 1));
}

#[test]
fn of_two_operators_who_act_at_once_one_wins_and_nothing_is_done_twice() {
    let (bench, cookie) = Bench::logged_in();
    let number = bench.place(&cookie, &paid_order(2)).parse().unwrap();
    let (li, wang) = (Actor::Operator("li".to_owned()), Actor::Operator("wang".to_owned()));
    let (approved, rejected) = bench.runtime.block_on(async {
        tokio::join!(
            orders::approve(&bench.state, &number, &li, None),
            orders::reject(&bench.state, &number, "材料不全", &wang, None)
        )
    });
    let order = bench.runtime.block_on(orders::load(&bench.state, &number)).unwrap().unwrap();
    let jobs = bench.runtime.block_on(orders::jobs(&bench.state.db, &number)).unwrap();
    let history = bench.runtime.block_on(orders::history(&bench.state.db, &number)).unwrap();
    assert_eq!(history.len(), 2);
    match (approved, rejected) {
        (Ok(()), Err(OrderError::Illegal(_))) => {
            assert_eq!((order.state, jobs.len()), (OrderState::AwaitingProduction, 2));
        }
        (Err(OrderError::Illegal(_)), Ok(())) => {
            assert_eq!((order.state, jobs.len()), (OrderState::Rejected, 0))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_is_shown_or_done_without_a_session() {
    let bench = Bench::new();
    for path in ["/api/orders", "/api/orders/SAAS120261122093000000001", "/api/stations"] {
        assert_eq!(bench.get("", path).0, 401, "{path}");
    }
    for path in ["/orders", "/orders/SAAS120261122093000000001", "/stations", "/stations/live"] {
        assert_eq!(bench.get("ukey_session=0000", path).0, 303, "{path}");
    }
    for path in ["/api/orders", "/api/orders/SAAS120261122093000000001/approve"] {
        assert_eq!(bench.post("", path, &free_order()).0, 401, "{path}");
    }
    assert_eq!(bench.get("", "/healthz"), (200, "ok\n".to_owned()));
}

#[test]
fn a_session_ends_by_time_and_by_log_out_and_its_token_is_not_stored() {
    let (bench, cookie) = Bench::logged_in();
    let token = cookie.split_once('=').unwrap().1;
    let (hash, password): (String, String) = bench
        .runtime
        .block_on(
            sqlx::query_as(
                "select token_hash, password_hash from sessions join operators on operator = name",
            )
            .fetch_one(&bench.state.db),
        )
        .unwrap();
    assert_ne!(hash, token);
    assert!(password.starts_with("$argon2id$") && !password.contains(PASSWORD), "{password}");
    bench.now_ms.fetch_add(10 * 3_600_000 - 1, Ordering::SeqCst);
    assert_eq!(bench.get(&cookie, "/api/orders").0, 200);
    bench.now_ms.fetch_add(1, Ordering::SeqCst);
    assert_eq!(bench.get(&cookie, "/api/orders").0, 401);
    let cookie = bench.log_in();
    assert_eq!(bench.post(&cookie, "/api/logout", &json!({})).0, 204);
    assert_eq!(bench.get(&cookie, "/api/orders").0, 401);
}

#[test]
fn the_cookie_is_for_this_site_alone_and_requests_of_other_sites_are_refused() {
    let (bench, cookie) = Bench::logged_in();
    let body = json!({ "name": OPERATOR, "password": PASSWORD });
    let answer = bench.agent().post(format!("{}/api/login", bench.url)).send_json(&body).unwrap();
    let set = answer.headers()["set-cookie"].to_str().unwrap();
    assert!(set.contains("; HttpOnly; SameSite=Strict; Max-Age=36000"), "{set}");
    for headers in [[("sec-fetch-site", "cross-site")], [("origin", "https://evil.example")]] {
        let (status, _) = bench.post_with(&cookie, "/api/orders", &free_order(), &headers);
        assert_eq!(status, 403, "{headers:?}");
    }
    let origin = bench.url.clone();
    let (status, _) = bench.post_with(&cookie, "/api/orders", &free_order(), &[("origin", &origin)]);
    assert_eq!(status, 201);
}

#[test]
fn guessing_is_braked_and_the_right_password_does_not_help_then() {
    let bench = Bench::new();
    let log_in = |name: &str, password: &str| {
        bench.post("", "/api/login", &json!({ "name": name, "password": password })).0
    };
    for _ in 0..5 {
        assert_eq!(log_in(OPERATOR, "wrong"), 401);
    }
    assert_eq!(log_in(OPERATOR, PASSWORD), 429);
    assert_eq!(log_in("nobody", "wrong"), 401, "an unknown name is told nothing else");
    bench.now_ms.fetch_add(5 * 60_000, Ordering::SeqCst);
    assert_eq!(log_in(OPERATOR, PASSWORD), 204);
}

#[test]
fn what_is_not_an_order_or_a_number_is_answered_and_harms_nothing() {
    let (bench, cookie) = Bench::logged_in();
    for body in [json!(null), json!(7), json!("order"), json!({}), json!([[]]), json!([{}])] {
        let (status, answer) = bench.post(&cookie, "/api/orders", &body);
        assert_eq!(status, 422, "{answer}");
    }
    assert_eq!(bench.post(&cookie, "/api/orders", &json!([])).0, 200);
    let raw = bench.agent().post(format!("{}/api/orders", bench.url)).header("cookie", &cookie);
    assert_eq!(raw.header("content-type", "application/json").send("{").unwrap().status(), 400);
    assert_eq!(bench.get(&cookie, "/api/orders/SAAS1").0, 400);
    assert_eq!(bench.get(&cookie, "/api/orders/SAAS120261122093000000009").0, 404);
    assert_eq!(bench.get_json(&cookie, "/api/orders")["orders"], json!([]));
}

#[test]
fn a_stuck_job_says_why_and_is_released_with_a_reason() {
    let (bench, cookie) = Bench::logged_in();
    let number = bench.place(&cookie, &paid_order(1));
    bench.post(&cookie, &format!("/api/orders/{number}/approve"), &json!({}));
    let stuck =
        "update jobs set state = 'stuck', station = 'bench-1', attempts = 5, stuck_reason = 'five keys'";
    bench.runtime.block_on(sqlx::query(stuck).execute(&bench.state.db)).unwrap();
    let order = bench.get_json(&cookie, &format!("/api/orders/{number}"));
    assert_eq!(order["jobs"][0]["stuck_reason"], "five keys");

    let path = format!("/api/jobs/{number}-1/release");
    let release = json!({ "key": "spoiled", "reason": "换工位" });
    assert_eq!(bench.post("", &path, &release).0, 401);
    assert_eq!(bench.post(&cookie, &path, &json!({ "key": "eaten", "reason": "x" })).0, 422);
    let (status, answer) = bench.post(&cookie, &path, &json!({ "key": "lost", "reason": "" }));
    assert_eq!((status, wrong_fields(&answer)), (422, vec!["reason".to_owned()]));
    assert_eq!(bench.post(&cookie, &format!("/api/jobs/{number}-9/release"), &release).0, 404);
    assert_eq!(bench.post(&cookie, "/api/jobs/nonsense/release", &release).0, 400);
    let (status, order) = bench.post(&cookie, &path, &release);
    assert_eq!(status, 200, "{order}");
    assert_eq!((&order["jobs"][0]["state"], &order["jobs"][0]["attempts"]), (&json!("waiting"), &json!(0)));
    assert_eq!(order["jobs"][0]["station"], Value::Null);
    assert_eq!(order["history"][2]["who"], format!("operator:{OPERATOR}"));
    assert_eq!(bench.post(&cookie, &path, &release), (200, order), "released twice is released once");
}
