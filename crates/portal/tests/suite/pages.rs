//! The operators' pages and the live stream over a real listener.

use std::io::{BufRead as _, BufReader};

use crate::bench::{Bench, OPERATOR, PASSWORD, free_order, legal_order, paid_order};
use serde_json::json;
use wire::{SlotPhase, SlotStatus, Status};

#[test]
fn an_operator_logs_in_reviews_and_logs_out_by_the_pages() {
    let bench = Bench::new();
    let (status, page) = bench.post_form("", "/login", &[("name", OPERATOR), ("password", "wrong")]);
    assert_eq!(status, 401);
    assert!(page.contains("用户名或密码不正确") && page.contains(&format!("value=\"{OPERATOR}\"")), "{page}");
    let (status, _) = bench.post_form("", "/login", &[("name", OPERATOR), ("password", PASSWORD)]);
    assert_eq!(status, 303);

    let cookie = bench.log_in();
    let number = bench.place(&cookie, &paid_order(2));
    let (_, page) = bench.get(&cookie, &format!("/orders/{number}"));
    for text in ["审核通过", "示例客车零部件有限公司", "600.00", "福建省 厦门市 集美区", "待审核"]
    {
        assert!(page.contains(text), "{text} is on {page}");
    }
    let (status, page) = bench.decide(&cookie, &format!("/orders/{number}/reject"), &[("reason", "")]);
    assert!(status == 422 && page.contains("请写明拒绝原因"), "{page}");
    assert_eq!(bench.decide(&cookie, &format!("/orders/{number}/approve"), &[]).0, 303);
    let (_, page) = bench.get(&cookie, &format!("/orders/{number}"));
    assert!(
        page.contains("待制证") && !page.contains("id=\"approve\""),
        "an approved order offers no review"
    );
    let (status, page) = bench.decide(&cookie, &format!("/orders/{number}/reject"), &[("reason", "晚了")]);
    assert!(status == 409 && page.contains("不能变为审核拒绝"), "{page}");
    assert_eq!(bench.post_form(&cookie, "/logout", &[]).0, 303);
    assert_eq!(bench.get(&cookie, "/orders").0, 303);
}

#[test]
fn an_approved_order_shows_its_keys_and_its_waybill() {
    let (bench, cookie) = Bench::logged_in();
    let number = bench.place(&cookie, &paid_order(2));
    bench.post(&cookie, &format!("/api/orders/{number}/approve"), &json!({}));
    let (_, page) = bench.get(&cookie, &format!("/orders/{number}"));
    assert!(page.matches("待开工").count() == 2 && !page.contains("顺丰运单号"), "{page}");
    let parcel = "insert into parcels (order_number, waybill, station, body, created_ms) values ($1, 'SF7000000000001', 'bench-1', '{}', 0)";
    bench.runtime.block_on(sqlx::query(parcel).bind(&number).execute(&bench.state.db)).unwrap();
    assert!(bench.get(&cookie, &format!("/orders/{number}")).1.contains("SF7000000000001"));
}

#[test]
fn s3_12_the_list_has_every_state_as_a_tab_with_its_count_and_searches_by_time() {
    let (bench, cookie) = Bench::logged_in();
    bench.place(&cookie, &free_order());
    bench.place(&cookie, &paid_order(3));
    let (_, page) = bench.get(&cookie, "/orders");
    for state in model::OrderState::ALL {
        let count = if state == model::OrderState::AwaitingReview { 2 } else { 0 };
        assert!(page.contains(&format!("{} <b>{count}</b>", state.zh())), "{} {count}", state.zh());
    }
    let rows = |path: &str| bench.get(&cookie, path).1.matches("<a class=\"number\"").count();
    assert_eq!(rows("/orders?from=2026-11-22&to=2026-11-22"), 2);
    assert_eq!(rows("/orders?from=2026-11-23"), 0);
    assert_eq!(rows("/orders?to=2026-11-21"), 0);
    assert_eq!(rows("/orders?state=rejected"), 0);
    assert!(bench.get(&cookie, "/orders?from=2026-02-30").1.contains("已忽略"));
    assert!(bench.get(&cookie, "/orders?lang=en").1.contains("To review <b>2</b>"));
}

#[test]
fn letters_fold_on_both_sides_of_a_search() {
    let (bench, cookie) = Bench::logged_in();
    let mut order = free_order();
    order["unit"]["name"] = json!("ＡＢＣ示例 Abc 100%_公司");
    bench.place(&cookie, &order);
    let rows = |text: &str| {
        let text: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
        bench.get(&cookie, &format!("/orders?q={text}")).1.matches("<a class=\"number\"").count()
    };
    assert_eq!(["ＡＢＣ示例", "aBC", "100%_公"].map(rows), [1, 1, 1]);
    assert_eq!(["ABC示例", "100_公", "1%公"].map(rows), [0, 0, 0]);
}

#[test]
fn what_a_customer_writes_is_text_and_never_markup() {
    let (bench, cookie) = Bench::logged_in();
    let mut order = free_order();
    order["unit"]["name"] = json!("<script>alert(1)</script>");
    let number = bench.place(&cookie, &order);
    for path in ["/orders".to_owned(), format!("/orders/{number}"), "/orders?q=%22%3E%3Cscript%3E".to_owned()]
    {
        let (_, page) = bench.get(&cookie, &path);
        assert!(!page.contains("<script>") && !page.contains("\"><script"), "{path}: {page}");
    }
}

#[test]
fn lists_show_nobody_s_name_number_or_address() {
    let (bench, cookie) = Bench::logged_in();
    let order = legal_order("personal-first", 1, 1);
    bench.place(&cookie, &order);
    let (_, page) = bench.get(&cookie, "/orders");
    let list = bench.get(&cookie, "/api/orders").1;
    for pointer in
        ["/handler/name", "/handler/mobile", "/handler/id_number", "/handler/mail", "/receiver/address"]
    {
        let value = order.pointer(pointer).unwrap().as_str().unwrap();
        assert!(!page.contains(value) && !list.contains(value), "{pointer}");
    }
    assert!(!page.contains("阿依古丽") && !list.contains("阿依古丽"), "the holder of a personal certificate");
}

fn slot(name: &str, phase: SlotPhase, percent: u8) -> SlotStatus {
    SlotStatus {
        slot: name.parse().unwrap(),
        phase,
        key_serial: Some("V0000001".to_owned()),
        job: Some("SAAS120261122093000000001-1".parse().unwrap()),
        holder: Some("示例公司".to_owned()),
        step: Some("写入签名证书".to_owned()),
        percent,
        message: "请勿拔出".to_owned(),
    }
}

fn status(online: bool, slots: Vec<SlotStatus>) -> Status {
    Status { online, version: "0.1.0".to_owned(), slots, outbox: 2, waiting_jobs: 5 }
}

#[test]
fn the_stations_page_shows_every_slot_and_a_lost_station_as_offline() {
    let (bench, cookie) = Bench::logged_in();
    assert!(bench.get(&cookie, "/stations").1.contains("还没有制证站"));
    bench.state.stations.send_modify(|board| {
        let slots = vec![slot("A1", SlotPhase::Working, 40), slot("A2", SlotPhase::Refused, 0)];
        board.insert("bench-1".parse().unwrap(), status(true, slots));
        board.insert("bench-2".parse().unwrap(), status(false, vec![slot("B1", SlotPhase::Working, 40)]));
    });
    let (_, page) = bench.get(&cookie, "/stations");
    for text in ["A1", "制证中", "value=\"40\"", "写入签名证书", "V0000001", "请勿拔出", "A2", "拒绝"]
    {
        assert!(page.contains(text), "{text} is on {page}");
    }
    assert!(page.contains("slot offline") && page.matches("slot working").count() == 1, "{page}");
    let stations = bench.get_json(&cookie, "/api/stations");
    assert_eq!(stations["stations"][0]["status"]["slots"][1]["phase"], "refused");
}

#[test]
fn p11_the_live_stream_sends_each_station_at_once_and_after_each_change() {
    let (bench, cookie) = Bench::logged_in();
    let answer =
        bench.agent().get(format!("{}/stations/live", bench.url)).header("cookie", &cookie).call().unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut lines = BufReader::new(answer.into_body().into_reader()).lines();
    let mut event = || -> String {
        lines
            .by_ref()
            .map(Result::unwrap)
            .skip_while(|line| line != "event: station")
            .take_while(|line| !line.is_empty())
            .collect()
    };
    for percent in [10, 90] {
        bench.state.stations.send_modify(|board| {
            let slots = vec![slot("A1", SlotPhase::Working, percent)];
            board.insert("bench-1".parse().unwrap(), status(true, slots));
        });
        assert!(event().contains(&format!("value=\"{percent}\"")));
    }
}

#[test]
fn live_streams_are_bounded_and_a_place_is_given_back() {
    let (bench, cookie) = Bench::logged_in();
    let open = || {
        bench.agent().get(format!("{}/stations/live", bench.url)).header("cookie", &cookie).call().unwrap()
    };
    let all = bench.state.live.clone().try_acquire_many_owned(portal::LIVE_MAX as u32).unwrap();
    let refused = open();
    assert_eq!((refused.status().as_u16(), refused.headers().contains_key("retry-after")), (503, true));
    drop(all);
    let stream = open();
    assert_eq!(stream.status(), 200);
    assert_eq!(bench.state.live.available_permits(), portal::LIVE_MAX - 1);
    drop(stream);
    // The portal sees it at its next write.
    while bench.state.live.available_permits() < portal::LIVE_MAX {
        bench.state.stations.send_modify(|board| {
            let waiting_jobs = board.values().next().map_or(0, |status| status.waiting_jobs + 1);
            board.insert("bench-1".parse().unwrap(), wire::Status { waiting_jobs, ..status(true, vec![]) });
        });
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn a_stuck_job_is_shown_with_its_reason_and_released_from_its_orders_page() {
    let (bench, cookie) = Bench::logged_in();
    let number = bench.place(&cookie, &paid_order(1));
    bench.post(&cookie, &format!("/api/orders/{number}/approve"), &json!({}));
    let page = || bench.get(&cookie, &format!("/orders/{number}")).1;
    assert!(!page().contains("退回重做"), "a job that waits has nothing to be released from");
    let stuck = "update jobs set state = 'stuck', outcome = 'error', station = 'bench-1', stuck_reason = '<five> keys'";
    bench.runtime.block_on(sqlx::query(stuck).execute(&bench.state.db)).unwrap();
    let shown = page();
    for text in ["待处理", "bench-1", "&#60;five&#62; keys", "退回重做"] {
        assert!(shown.contains(text), "{text} is on {shown}");
    }
    let release = format!("/jobs/{number}-1/release");
    let form = |seen: &str| {
        bench.post_form(&cookie, &release, &[("key", "spoiled"), ("reason", "换工位"), ("seen_key", seen)])
    };
    assert_eq!(form("ukey/virtual/V1").0, 409, "the key beside it was another");
    assert_eq!(form("").0, 303);
    assert!(page().contains("待开工") && page().contains("换工位"));
}

#[test]
fn parked_messages_are_counted_and_the_newest_shown() {
    let (bench, cookie) = Bench::logged_in();
    assert!(!bench.get(&cookie, "/stations").1.contains("portal parked"));
    for n in 1..=7 {
        let parked = "insert into parked (id, topic, reason, payload, times, first_ms, last_ms) \
             values ($1, 'ukey/v1/bench-1/up', 'reason <' || $1 || '>', $3, 3, 0, $2)";
        let parked = sqlx::query::<portal::db::Sql>(parked).bind(n.to_string()).bind(n).bind(vec![0u8]);
        bench.runtime.block_on(parked.execute(&bench.state.db)).unwrap();
    }
    let (_, page) = bench.get(&cookie, "/stations");
    assert!(page.contains("<b>7</b>") && page.contains("portal parked"), "{page}");
    assert!(page.contains("reason &#60;7&#62;") && !page.contains("reason &#60;2&#62;"), "{page}");
}

#[test]
fn n5_what_a_station_stopped_stands_on_the_stations_page() {
    let (bench, cookie) = Bench::logged_in();
    let stopped = "insert into breakers (station, scope, name, open, detail, changed_ms) \
         values ('bench-1', 'hub', 'A', 1, '连续 3 次失败 <A01 V1>', 0), ('bench-1', 'slot', 'B07', 0, 'reset', 0)";
    bench.runtime.block_on(sqlx::query(stopped).execute(&bench.state.db)).unwrap();
    let (_, page) = bench.get(&cookie, "/stations");
    assert!(page.contains("集线器 A 已停用") && page.contains("&#60;A01 V1&#62;"), "{page}");
    assert!(!page.contains("B07"), "{page}");
}

#[test]
fn n12_the_stock_page_shows_differences_in_red() {
    let (bench, cookie) = Bench::logged_in();
    let (_, page) = bench.get(&cookie, "/stock");
    assert!(page.contains("还没有登记的批次") && page.contains("批次账目相符"), "{page}");
    let csv = "maker,model,serial\nukey,virtual,V1\nukey,virtual,V2\n";
    bench
        .runtime
        .block_on(portal::stock::register(
            &bench.state.db,
            "批次<一>",
            portal::stock::Delivery::Csv(csv),
            &portal::orders::Actor::CommandLine,
            0,
        ))
        .unwrap();
    let body = json!({
        "opened": "2026-11-22T00:00:00.000Z", "closed": "2026-11-22T08:00:00.000Z", "brought": 10, "carried_in": 0,
        "made": 6, "set_aside": 1, "carried_out": 0, "left": 1, "reason": "找不到", "keys": ["ukey/virtual/V0000007"],
    });
    let shift = "insert into shifts (station, report, closed_ms, difference, body) values ('bench-1', 'shift:1', 0, 2, $1)";
    let shift = sqlx::query(shift).bind(body.to_string());
    bench.runtime.block_on(shift.execute(&bench.state.db)).unwrap();
    let (_, page) = bench.get(&cookie, "/stock");
    for text in ["批次&#60;一&#62;", "bench-1", "class=\"wrong\"", "少 2", "找不到", "V0000007"] {
        assert!(page.contains(text), "{text} is on {page}");
    }
    assert!(bench.get(&cookie, "/stock?lang=en").1.contains("missing 2"));
    assert_eq!(bench.get("", "/stock").0, 303, "only for operators");
}

#[test]
fn p8_a_journal_with_two_histories_is_an_alarm_on_the_stations_page() {
    let (bench, cookie) = Bench::logged_in();
    let alarm = "日志有两个版本";
    let insert =
        |sql: &'static str| bench.runtime.block_on(sqlx::query(sql).execute(&bench.state.db)).unwrap();
    insert(
        "insert into stations (name, state, sealing_key, certificate, enrolled_ms, serial) values ('bench-1', 'active', 'aa', '', 0, '')",
    );
    insert("insert into anchors values ('bench-1', 'aa', 7, '01', '', 0)");
    insert("insert into anchors values ('bench-1', 'aa', 9, '02', '', 0)");
    // Another key's journal is another journal.
    insert("insert into anchors values ('bench-1', 'bb', 7, '03', '', 0)");
    assert!(!bench.get(&cookie, "/stations").1.contains(alarm));
    insert("insert into anchors values ('bench-1', 'aa', 7, '04', '', 1)");
    insert(
        "insert into audit (sequence, at_ms, who, what, subject, detail, head) \
         values (1000, 0, 'station:bench-1', 'anchor.conflict', 'bench-1', '', '')",
    );
    let (_, page) = bench.get(&cookie, "/stations");
    assert!(
        page.contains(alarm) && page.contains("role=\"alert\"") && page.contains("<b>bench-1</b>"),
        "{page}"
    );
    // Enrolled anew with another key, the station has another journal.
    insert("update stations set sealing_key = 'bb'");
    assert!(!bench.get(&cookie, "/stations").1.contains(alarm));
}

#[test]
fn p5_a_delivery_is_registered_on_the_page_as_a_scanner_types_it() {
    let (bench, cookie) = Bench::logged_in();
    let post = |lot: &str, serials: &str| {
        let form = [("lot", lot), ("model", "ukey/virtual"), ("serials", serials)];
        bench.post_form(&cookie, "/stock", &form)
    };
    let (status, page) = post("L1", "V1\r\nV2\r\n\r\nV1\r\n</b>\r\n");
    assert!(
        status == 422 && page.contains("有 2 行有误") && page.contains("line 4: key ukey/virtual/V1"),
        "{page}"
    );
    assert!(page.contains("&#60;/b&#62;"), "what was typed is there still: {page}");
    assert!(page.contains("还没有登记的批次"), "nothing was registered");
    let (status, page) = post("L1", "V1\r\nV2\r\n");
    assert!(status == 200 && page.contains("新登记 2"), "{page}");
    let (status, page) = post("L1", "V2\r\nV3");
    assert!(status == 200 && page.contains("新登记 1") && page.contains("已在册 1"), "{page}");
    assert_eq!(post("L2", "V3").0, 422, "a key is of one lot");
    let row =
        "select who || ' ' || subject from audit where what = 'stock.registered' order by sequence limit 1";
    let row: String = bench.runtime.block_on(sqlx::query_scalar(row).fetch_one(&bench.state.db)).unwrap();
    assert_eq!(row, format!("operator:{} L1", crate::bench::OPERATOR));
    let auditor = bench.operator("auditor", &[portal::operators::Role::Auditor]);
    assert_eq!(
        bench.post_form(&auditor, "/stock", &[("lot", "L9"), ("model", "a/b"), ("serials", "V9")]).0,
        403
    );
    assert!(!bench.get(&auditor, "/stock").1.contains("登记到货"));
}

#[test]
fn no_page_runs_a_script_of_anybody_else() {
    let bench = Bench::new();
    for path in ["/login", "/", "/p/luzhou-laojiao", "/no-such-page"] {
        let answer = bench.agent().get(format!("{}{path}", bench.url)).call().unwrap();
        let policy = answer.headers()["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none';") && policy.contains("script-src 'self';"),
            "{policy}"
        );
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    }
}
