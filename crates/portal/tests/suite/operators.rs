//! Operators: roles, the second factor, and what takes two people, over a real listener.

use std::{
    path::{Path, PathBuf},
    sync::atomic::Ordering,
};

use crate::bench::{Bench, OPERATOR, PASSWORD, free_order, paid_order};
use futures_util::future::join_all;
use model::Secret;
use portal::{
    config::SecondFactor,
    operators::{self, Credentials, OperatorError, Role},
    web::operator_routes,
};
use serde_json::json;
use totp_rs::{Builder, Totp};

/// Adds an operator with these roles and logs in; the cookie.
fn rows_of(bench: &Bench, what: &str) -> Vec<String> {
    let rows = sqlx::query_scalar::<_, String>(
        "select who || ' ' || subject || ' ' || detail from audit where what = $1 order by sequence",
    );
    bench.runtime.block_on(rows.bind(what.to_owned()).fetch_all(&bench.state.db)).unwrap()
}

/// A path that a route matches.
fn concrete(route: &str) -> String {
    let number = "SAAS120261122093000000001";
    route
        .replace("{number}", number)
        .replace("{job}", &format!("{number}-1"))
        .replace("{name}", "nobody")
        .replace("{id}", "1")
        .replace("{kind}", "id_front")
}

fn ask(bench: &Bench, cookie: &str, method: &str, route: &str) -> u16 {
    let url = format!("{}{}", bench.url, concrete(route));
    let agent = bench.agent();
    let answer = match method {
        "GET" => agent.get(&url).header("cookie", cookie).call(),
        "PUT" => agent.put(&url).header("cookie", cookie).send_json(json!({})),
        "POST" if route.starts_with("/api/") => {
            agent.post(&url).header("cookie", cookie).send_json(json!({}))
        }
        "POST" => agent.post(&url).header("cookie", cookie).send_form([("x", "")]),
        other => panic!("{other}"),
    };
    answer.unwrap().status().as_u16()
}

#[test]
fn every_route_opens_to_its_roles_and_to_no_other() {
    let bench = Bench::new();
    let may = |role: Role, roles: &[Role]| roles.contains(&role);
    for role in Role::ALL {
        let cookie = bench.operator(role.code(), &[role]);
        for (method, route, roles) in operator_routes() {
            if route == "/stations/live" && may(role, roles) {
                continue; // a stream without end: `tests/pages.rs` reads it
            }
            let status = ask(&bench, &cookie, method, route);
            let open = status != 401 && status != 403;
            assert_eq!(open, may(role, roles), "{} {method} {route}: {status}", role.code());
            assert!(
                role != Role::Auditor || !changes(method, route) || !open || route.starts_with("/account"),
                "{route}"
            );
        }
    }
    let none = bench.operator("nothing", &[]);
    for (method, route, _) in operator_routes() {
        assert_eq!(ask(&bench, &none, method, route), 403, "{method} {route}");
        let stranger = ask(&bench, "", method, route);
        assert!(stranger == 401 || stranger == 303, "{method} {route}: {stranger}");
    }
    let (_, page) = bench.get(&none, "/orders");
    assert!(page.contains("需要角色：审核员、制证、财务、制证站管理、审计"), "{page}");
    let (_, told) = bench.post(&none, "/api/orders", &json!({}));
    assert!(told.to_string().contains("reviewer"), "{told}");
}

#[test]
fn p15_who_may_not_record_a_payment_brings_in_no_order_that_says_it_is_paid() {
    let bench = Bench::new();
    let reviewer = bench.operator("reviewer", &[Role::Reviewer]);
    let both = bench.operator("both", &[Role::Reviewer, Role::Finance]);
    let (free, paid) = (crate::bench::free_order(), crate::bench::paid_order(1));
    for orders in [paid.clone(), json!([free, paid])] {
        let (status, told) = bench.post(&reviewer, "/api/orders", &orders);
        assert!(status == 403 && told.to_string().contains("finance"), "{told}");
    }
    let (status, page) = bench.post_form(
        &reviewer,
        "/paper",
        &[("programme", "xiamen-jinlong"), ("product", "unit-first"), ("payment.method", "alipay")],
    );
    assert!(status == 403 && page.contains("财务"), "{page}");
    assert_eq!(bench.get_json(&reviewer, "/api/orders")["orders"], json!([]));
    assert_eq!(bench.post(&reviewer, "/api/orders", &free).0, 201);
    assert_eq!(bench.post(&both, "/api/orders", &paid).0, 201);
}

/// A number that is looked for comes in a form, so that it stands in no address.
fn changes(method: &str, route: &str) -> bool {
    method != "GET" && route != "/orders/find"
}

/// What changes something, once more in other words than the table's: a slip there would open it to the wrong people.
const CHANGES: [(&str, &str); 6] = [
    (
        "reviewer",
        "/api/orders /api/orders/{number} /api/orders/{number}/approve /api/orders/{number}/reject /orders/{number}/approve \
         /orders/{number}/cancel /orders/{number}/paper /orders/{number}/reject /orders/{number}/reveal /paper \
         /review/{number}/approve /review/{number}/reject",
    ),
    (
        "production",
        "/api/jobs/{job}/release /jobs/{job}/release /orders/{number}/delivered /orders/{number}/reveal /packing /stock",
    ),
    (
        "finance",
        "/api/orders/{number}/payment /attention/payments/{number} /attention/refunds/{number} /attention/transfers/{number} /orders/{number}/cancel /orders/{number}/invoice \
         /orders/{number}/payment /orders/{number}/refund /orders/{number}/refund/decision /orders/{number}/reveal",
    ),
    ("stations", "/api/jobs/{job}/release /jobs/{job}/release /stock"),
    (
        "administrator",
        "/attention/payments/{number} /attention/refunds/{number} /attention/transfers/{number} /attention/webhooks /orders/{number}/refund/decision /users /users/{name}",
    ),
    ("auditor", ""),
];

#[test]
fn p15_what_changes_something_is_opened_by_those_whom_it_is_for() {
    let of = |role: &str| {
        let opened = operator_routes().filter(|(method, route, roles)| {
            changes(method, route)
                && !route.starts_with("/account")
                && roles.iter().any(|it| it.code() == role)
        });
        let mut routes: Vec<&str> = opened.map(|(_, route, _)| route).collect();
        routes.sort_unstable();
        routes.join(" ")
    };
    assert_eq!(CHANGES.len(), Role::ALL.len());
    for (role, routes) in CHANGES {
        assert_eq!(of(role), routes, "{role}");
    }
}

/// Routes that are not an operator's: what a customer, a machine or somebody who logs in asks.
const OPEN: [&str; 10] = [
    "/",
    "/login",
    "/logout",
    "/healthz",
    "/readyz",
    "/metrics",
    "/api/login",
    "/api/logout",
    "/api/openapi.json",
    "/assets/",
];
const CUSTOMERS: [&str; 6] = ["/p/", "/my", "/u/", "/i/", "/notify/", "/regions"];

#[test]
fn every_route_in_the_source_is_in_the_table_or_known_to_be_open() {
    let mut files = vec![PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/web.rs"))];
    rust_files(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/web")), &mut files);
    let mut seen = 0;
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let code = code.join("\n");
        let routes = code.split(".route(").skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"'));
        let routes = routes.map(|rest| rest.split('"').next().unwrap());
        for route in routes.filter(|route| route.starts_with('/')) {
            seen += 1;
            let open = OPEN.iter().any(|open| {
                route == *open || open.len() > 1 && open.ends_with('/') && route.starts_with(open)
            });
            let customers = CUSTOMERS.iter().any(|prefix| route.starts_with(prefix));
            let operators = operator_routes().any(|(_, known, _)| known == route);
            assert!(open || customers || operators, "{route} of {} has no roles", file.display());
        }
    }
    assert!(seen > 20, "{seen} routes were found");
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            rust_files(&entry, files);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            files.push(entry);
        }
    }
}

/// The app in the operator's telephone, told what the page shows.
struct App(Totp);

impl App {
    fn scan(page: &str) -> Self {
        let letters = page.split("<b class=\"number\">").nth(1).unwrap().split('<').next().unwrap();
        let bits: String = letters
            .bytes()
            .map(|letter| {
                b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|&known| known == letter).unwrap()
            })
            .map(|value| format!("{value:05b}"))
            .collect();
        let bytes: Vec<u8> =
            (0..20).map(|at| u8::from_str_radix(&bits[at * 8..at * 8 + 8], 2).unwrap()).collect();
        let secret = totp_rs::Secret::new_stack(bytes.try_into().unwrap());
        Self(Builder::new().with_secret(secret).build().unwrap())
    }

    fn code(&self, bench: &Bench) -> String {
        let now = bench.now_ms.load(Ordering::SeqCst) / 1000;
        self.0.generate(u64::try_from(now).unwrap()).to_string()
    }
}

fn pass(bench: &Bench, seconds: i64) {
    bench.now_ms.fetch_add(seconds * 1000, Ordering::SeqCst);
}

/// Sets the second factor up by the page.
fn enrol(bench: &Bench, cookie: &str) -> App {
    let (status, page) = bench.get(cookie, "/account");
    assert!(status == 200 && page.contains("<svg class=\"qr\""), "{page}");
    let app = App::scan(&page);
    assert_eq!(bench.post_form(cookie, "/account/second-factor", &[("code", &app.code(bench))]).0, 303);
    app
}

#[test]
fn a_code_is_asked_for_once_it_is_set_up_and_none_counts_twice() {
    let (bench, cookie) = Bench::logged_in();
    let (status, page) = bench.post_form(&cookie, "/account/second-factor", &[("code", "000000")]);
    assert!(status == 422 && page.contains("动态验证码不正确"), "{page}");
    let app = enrol(&bench, &cookie);
    assert!(bench.get(&cookie, "/account").1.contains("已启用，登录需要动态验证码"));
    let stored: Vec<u8> = bench
        .runtime
        .block_on(sqlx::query_scalar("select secret from second_factors").fetch_one(&bench.state.db))
        .unwrap();
    assert!(stored.len() > 20 + 16, "sealed, not plain");

    assert_eq!(bench.log_in_as(OPERATOR, ""), Err(401));
    assert_eq!(bench.log_in_as(OPERATOR, &app.code(&bench)), Err(401), "the code that turned it on is used");
    pass(&bench, 60);
    let code = app.code(&bench);
    assert!(bench.log_in_as(OPERATOR, &code).is_ok());
    assert_eq!(bench.log_in_as(OPERATOR, &code), Err(401), "a code was replayed");
    pass(&bench, 30);
    let (status, page) = bench.post_form(
        "",
        "/login",
        &[("name", OPERATOR), ("password", PASSWORD), ("code", &app.code(&bench))],
    );
    assert_eq!(status, 303, "{page}");
    let (status, _) =
        bench.post_form("", "/login", &[("name", OPERATOR), ("password", "wrong"), ("code", "1")]);
    assert_eq!(status, 401);
}

#[test]
fn guessing_codes_is_braked_and_the_right_code_does_not_help_then() {
    let (bench, cookie) = Bench::logged_in();
    let app = enrol(&bench, &cookie);
    pass(&bench, 60);
    for _ in 0..5 {
        assert_eq!(bench.log_in_as(OPERATOR, "12345"), Err(401));
    }
    assert_eq!(bench.log_in_as(OPERATOR, &app.code(&bench)), Err(429));
    pass(&bench, 5 * 60);
    assert!(bench.log_in_as(OPERATOR, &app.code(&bench)).is_ok());
    assert_eq!(rows_of(&bench, "login.failed").len(), 5);
}

#[test]
fn where_it_is_required_nothing_is_done_before_it_is_set_up() {
    let bench = Bench::configured(|config, _| config.operators.second_factor = SecondFactor::Required);
    let cookie = bench.log_in();
    assert_eq!(bench.get(&cookie, "/orders").0, 303);
    let (status, told) = bench.get(&cookie, "/api/orders");
    assert!(status == 403 && told.contains("/account"), "{told}");
    assert_eq!(bench.post(&cookie, "/api/orders", &free_order()).0, 403);
    enrol(&bench, &cookie);
    assert_eq!(bench.get(&cookie, "/orders").0, 200);
}

#[test]
fn a_password_that_another_made_opens_the_account_alone_and_a_factor_ends_what_began_without() {
    let (bench, boss) = Bench::logged_in();
    let (_, page) = bench.post_form(&boss, "/users", &[("name", "zhao"), ("role", "reviewer")]);
    let given =
        page.split("<b class=\"number secret\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let log_in = |password: &str| {
        let body = json!({ "name": "zhao", "password": password });
        let answer = bench.agent().post(format!("{}/api/login", bench.url)).send_json(&body).unwrap();
        answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned()
    };
    let knows = log_in(&given);
    assert_eq!(bench.get(&knows, "/orders").0, 303);
    let (status, told) = bench.get(&knows, "/api/orders");
    assert!(status == 403 && told.contains("修改初始密码"), "{told}");
    let (_, page) = bench.get(&knows, "/account");
    assert!(page.contains("请先修改密码") && !page.contains("<svg class=\"qr\""), "{page}");
    let form = [("old", given.as_str()), ("new", "my very own words")];
    assert_eq!(bench.post_form(&knows, "/account/password", &form).0, 303);
    assert_eq!(bench.get(&knows, "/account").0, 303, "whoever knew it is out");

    let (first, second) = (log_in("my very own words"), log_in("my very own words"));
    assert_eq!(bench.get(&first, "/orders").0, 200);
    let before = App::scan(&bench.get(&first, "/account").1);
    let third = log_in("my very own words");
    let app = App::scan(&bench.get(&third, "/account").1);
    assert_ne!(before.code(&bench), app.code(&bench), "a secret that was shown is not another's");
    let confirm = [("code", app.code(&bench))].map(|(name, code)| (name, code));
    let confirm: Vec<(&str, &str)> = confirm.iter().map(|(name, code)| (*name, code.as_str())).collect();
    assert_eq!(bench.post_form(&third, "/account/second-factor", &confirm).0, 303);
    assert_eq!(
        [&first, &second, &third].map(|session| bench.get(session, "/orders").0),
        [303, 303, 200],
        "sessions without a code end"
    );
    // A reset is a password that another made, too.
    let (_, page) = bench.post_form(&boss, "/users/zhao", &[("do", "password")]);
    assert!(page.contains("number secret"), "{page}");
    let given: i64 = bench
        .runtime
        .block_on(
            sqlx::query_scalar("select password_given from operators where name = 'zhao'")
                .fetch_one(&bench.state.db),
        )
        .unwrap();
    assert_eq!(given, 1);
}

#[test]
fn guesses_at_once_are_braked_like_guesses_one_by_one() {
    let (bench, cookie) = Bench::logged_in();
    let flood = |from: &'static str, change: bool| {
        let state = &bench.state;
        let guess = |n: usize| async move {
            let wrong = Secret::from("not the password");
            let address = from.replace('#', &format!("{n:x}"));
            if change {
                let new = Secret::from("another password");
                return operators::change_password(state, OPERATOR, wrong, new, &address).await.err();
            }
            // Names that nobody has: the address alone is counted.
            let given = Credentials { name: format!("nobody-{n}"), password: wrong, code: String::new() };
            operators::log_in(state, given, &address).await.err()
        };
        let errors = bench.runtime.block_on(join_all((0..40).map(guess)));
        errors.iter().filter(|error| matches!(error, Some(OperatorError::Credentials))).count()
    };
    // Two are hashed at a time, so one more than the brake's number may be under way.
    assert!((5..=6).contains(&flood("192.0.2.1", true)), "by name");
    assert!((20..=21).contains(&flood("2001:db8:1:2::#", false)), "a subscriber's /64 is one address");
    assert_eq!(bench.get(&cookie, "/account").0, 200);
}

#[test]
fn a_lost_telephone_is_put_right_by_another_administrator_and_nobody_changes_his_own_account() {
    let (bench, boss) = Bench::logged_in();
    let wang = bench.operator("wang", &[Role::Reviewer]);
    enrol(&bench, &wang);
    pass(&bench, 60);
    assert_eq!(bench.log_in_as("wang", ""), Err(401));
    assert_eq!(bench.post_form(&boss, "/users/wang", &[("do", "second-factor")]).0, 303);
    assert_eq!(bench.get(&wang, "/orders").0, 303, "a change ends the sessions");
    assert!(bench.log_in_as("wang", "").is_ok());
    for act in ["second-factor", "disable", "roles", "password"] {
        let (status, page) = bench.post_form(&boss, &format!("/users/{OPERATOR}"), &[("do", act)]);
        assert!(status == 409 && page.contains("另一位管理员"), "{act}: {page}");
    }
    assert_eq!(rows_of(&bench, "second-factor.set"), ["operator:wang wang "]);
    assert_eq!(rows_of(&bench, "second-factor.reset"), [format!("operator:{OPERATOR} wang ")]);
}

#[test]
fn an_administrator_adds_gives_roles_and_disables_and_each_is_on_record() {
    let (bench, boss) = Bench::logged_in();
    let (status, page) =
        bench.post_form(&boss, "/users", &[("name", "zhao"), ("role", "finance"), ("role", "auditor")]);
    assert_eq!(status, 200, "{page}");
    let password =
        page.split("<b class=\"number secret\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert!(!bench.get(&boss, "/users").1.contains(&password), "it is shown once");
    let log_in =
        |password: &str| bench.post("", "/api/login", &json!({ "name": "zhao", "password": password })).0;
    assert_eq!(log_in(&password), 204);
    assert_eq!(bench.post_form(&boss, "/users", &[("name", "zhao")]).0, 422);
    assert_eq!(bench.post_form(&boss, "/users", &[("name", "Zhao Liu")]).0, 422);
    assert_eq!(bench.post_form(&boss, "/users/nobody", &[("do", "disable")]).0, 404);
    assert_eq!(bench.post_form(&boss, "/users/zhao", &[("do", "roles"), ("role", "stations")]).0, 303);
    assert_eq!(bench.post_form(&boss, "/users/zhao", &[("do", "disable")]).0, 303);
    assert_eq!(log_in(&password), 401);
    assert_eq!(bench.post_form(&boss, "/users/zhao", &[("do", "enable")]).0, 303);
    assert_eq!(log_in(&password), 204);
    let list = bench.runtime.block_on(operators::list(&bench.state.db)).unwrap();
    let zhao = list.iter().find(|user| user.name == "zhao").unwrap();
    assert_eq!((zhao.roles.as_slice(), zhao.active), (&[Role::Stations][..], true));
    assert!(zhao.last_login_ms.is_some());
    let by = format!("operator:{OPERATOR} zhao");
    assert_eq!(rows_of(&bench, "operator.added")[1], format!("{by} roles=finance,auditor"));
    assert_eq!(rows_of(&bench, "operator.roles"), [format!("{by} roles=stations")]);
    assert_eq!(rows_of(&bench, "operator.disabled"), [format!("{by} ")]);
}

#[test]
fn a_password_is_changed_by_who_knows_it() {
    let (bench, cookie) = Bench::logged_in();
    let change =
        |old: &str, new: &str| bench.post_form(&cookie, "/account/password", &[("old", old), ("new", new)]).0;
    assert_eq!(change("wrong", "another long password"), 401);
    assert_eq!(change(PASSWORD, "short"), 422);
    assert_eq!(change(PASSWORD, "another long password"), 303);
    assert_eq!(bench.get(&cookie, "/orders").0, 303, "the sessions are ended");
    assert_eq!(bench.log_in_as(OPERATOR, ""), Err(401));
}

#[test]
fn p15_who_enters_or_corrects_an_order_does_not_approve_it() {
    let (bench, li) = Bench::logged_in();
    let wang = bench.operator("wang", &[Role::Reviewer]);
    let (_, taken) = bench.post(&li, "/api/orders", &paid_order(1));
    let number = taken["results"][0]["number"].as_str().unwrap().to_owned();
    let path = format!("/api/orders/{number}");
    let (status, told) = bench.post(&li, &format!("{path}/approve"), &json!({}));
    assert!(status == 403 && told.to_string().contains("另一位审核员"), "{told}");
    assert_eq!(bench.get_json(&li, &path)["state"], "awaiting_review");
    let (status, _) = bench.post(&li, &format!("{path}/reject"), &json!({ "reason": "地址不全" }));
    assert_eq!(status, 200, "to send back one's own is no approval");
    let mut corrected = paid_order(1);
    corrected["receiver"]["address"] = json!("示例路 9 号");
    assert_eq!(bench.put(&wang, &path, &corrected).0, 200);
    assert_eq!(bench.post(&wang, &format!("{path}/approve"), &json!({})).0, 403, "wang corrected it");
    let zhao = bench.operator("zhao", &[Role::Reviewer]);
    assert_eq!(bench.post(&zhao, &format!("{path}/approve"), &json!({})).0, 200);
    let number = number.parse().unwrap();
    let corrections = portal::orders::corrections(&bench.state.db, &number);
    let corrections = bench.runtime.block_on(corrections).unwrap();
    assert_eq!(corrections[0].fields, ["receiver.address"]);
}

#[test]
fn p11_every_station_stands_in_figures_with_pace_queue_alarms_version_and_when_it_was_seen() {
    let (bench, cookie) = Bench::logged_in();
    let number = bench.place(&cookie, &paid_order(3));
    bench.post(&cookie, &format!("/api/orders/{number}/approve"), &json!({}));
    let now = bench.now_ms.load(Ordering::SeqCst);
    let recent = now - 60_000;
    let statements = [
        "insert into stations (name, state, sealing_key, certificate, enrolled_ms) values ('bench-1', 'active', '', '', 0), \
         ('bench-2', 'disabled', '', '', 0)"
            .to_owned(),
        format!("update jobs set state = 'leased', station = 'bench-1', leased_until = {now} where job = '{number}-1'"),
        format!("update jobs set state = 'stuck', station = 'bench-1' where job = '{number}-2'"),
        format!(
            "insert into keys (key_id, state, station, profile, reason, changed_ms) values \
             ('m/t/1', 'issued', 'bench-1', 'p', '', {recent}), ('m/t/2', 'issued', 'bench-1', 'p', '', {recent}), \
             ('m/t/3', 'issued', 'bench-1', 'p', '', {}), ('m/t/4', 'spoiled', 'bench-1', 'p', '', {recent})",
            now - 2 * 3_600_000
        ),
        format!(
            "insert into reports (id, station, kind, body, received_ms) values ('r1', 'bench-1', 'job_ended', '{{}}', {recent})"
        ),
        format!(
            "insert into breakers (station, scope, name, open, detail, changed_ms) values ('bench-1', 'hub', 'H1', 1, '五把失败', {now})"
        ),
    ];
    for statement in statements {
        let done = sqlx::query(sqlx::AssertSqlSafe(statement.clone())).execute(&bench.state.db);
        bench.runtime.block_on(done).unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
    let figures = bench.runtime.block_on(portal::stations::figures(&bench.state.db, now)).unwrap();
    let one = &figures["bench-1"];
    assert_eq!((one.made_hour, one.made_day, one.spoiled_day), (2, 3, 1));
    assert_eq!((one.leased, one.stuck, one.heard_ms), (1, 1, Some(recent)));
    bench.state.stations.send_modify(|board| {
        let status = wire::Status {
            online: true,
            version: "1.2.3".to_owned(),
            slots: Vec::new(),
            outbox: 7,
            waiting_jobs: 1,
        };
        board.insert("bench-1".parse().unwrap(), status);
    });
    let (_, page) = bench.get(&cookie, "/stations");
    let row = page.split("station=bench-1\"><b>bench-1</b>").nth(1).unwrap().split("</tr>").next().unwrap();
    for text in ["在线", "现在", "3 / 1", ">7<", "1.2.3", "任务待处理 1", "✕ 1"] {
        assert!(row.contains(text), "{text} is in {row}");
    }
    assert!(page.contains("未启用") && page.contains("从未"), "bench-2 is disabled, and was never heard of");
    bench.state.stations.send_modify(std::collections::BTreeMap::clear);
    let (_, page) = bench.get(&cookie, "/stations");
    assert!(page.contains("2026-11-22 09:29"), "its last report: {page}");
    assert!(page.contains("近一小时速度约 <b>60</b>"), "two jobs at two keys an hour: {page}");
}
