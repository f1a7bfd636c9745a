//! 我的订单: customers log in by mobile, see their own orders alone, follow, correct, pay and cancel them.

mod log_in;
mod pay;

use std::sync::atomic::Ordering;

use crate::bench::{Bench, free_order, legal_order, paid_order};
use model::OrderState;
use serde_json::{Value, json};
use sqlx::Row as _;

/// The handler's mobile of the bench's orders, and somebody else's.
const MOBILE: &str = "13800000001";
const OTHER: &str = "13900000002";

/// A session's cookie for a mobile, opened as a right code would.
fn customer(bench: &Bench, mobile: &str) -> String {
    let token = bench.runtime.block_on(async {
        let mut tx = portal::db::begin_write(&bench.state.db).await.unwrap();
        let token = portal::customers::open_session(&bench.state, &mut tx, mobile).await.unwrap();
        tx.commit().await.unwrap();
        token
    });
    format!("ukey_customer={}", token.expose())
}

/// A portal, its operator's and a customer's cookie.
fn shop() -> (Bench, String, String) {
    let (bench, operator) = Bench::logged_in();
    let cookie = customer(&bench, MOBILE);
    (bench, operator, cookie)
}

/// Orders on a list, by their links.
fn rows(bench: &Bench, cookie: &str, query: &str) -> usize {
    let (status, page) = bench.get(cookie, &format!("/my/orders{query}"));
    assert_eq!(status, 200, "{page}");
    page.matches("<a class=\"number\"").count()
}

fn execute(bench: &Bench, sql: &'static str, number: &str) {
    bench.runtime.block_on(sqlx::query(sql).bind(number).execute(&bench.state.db)).unwrap();
}

fn state_of(bench: &Bench, number: &str) -> OrderState {
    let number = number.parse().unwrap();
    bench.runtime.block_on(portal::orders::load(&bench.state, &number)).unwrap().unwrap().state
}

/// An order in review whose payment has not come: 待支付.
fn unpaid_order() -> Value {
    let mut order = paid_order(1);
    order.as_object_mut().unwrap().remove("payment");
    order
}

#[test]
fn s1_12_a_customer_sees_the_own_orders_by_state_and_views_one() {
    let (bench, operator, cookie) = shop();
    let number = bench.place(&operator, &paid_order(2));
    let mut foreign = paid_order(1);
    foreign["handler"]["mobile"] = json!(OTHER);
    let foreign = bench.place(&operator, &foreign);
    let (_, page) = bench.get(&cookie, "/my/orders");
    assert!(page.contains(&number) && !page.contains(&foreign), "{page}");
    assert!(page.contains("138****0001") && !page.contains(MOBILE), "who is logged in is shown masked");
    assert!(page.contains("待审核 <b>1</b>") && page.contains("全部 <b>1</b>"), "{page}");

    let (status, page) = bench.get(&cookie, &format!("/my/orders/{number}"));
    assert_eq!(status, 200);
    for text in ["示例客车零部件有限公司", "600.00", "福建省 厦门市 集美区", "待审核", "提交订单", "短信通知"]
    {
        assert!(page.contains(text), "{text} is on {page}");
    }
    assert!(page.contains("000***********") && !page.contains(&crate::bench::id_number(1)), "{page}");

    let other = customer(&bench, OTHER);
    assert!(bench.get(&other, "/my/orders").1.contains(&foreign));
}

#[test]
fn s1_11_the_time_line_tells_in_the_customer_s_words_how_far_the_order_is() {
    let (bench, operator, cookie) = shop();
    let number = bench.place(&operator, &paid_order(1));
    let page = || bench.get(&cookie, &format!("/my/orders/{number}")).1;
    bench.post(&operator, &format!("/api/orders/{number}/approve"), &json!({}));
    let approved = page();
    assert!(approved.contains("审核通过，开始制证") && approved.contains("3 个工作日内"), "{approved}");
    // What operators write about keys is not the customer's.
    let release = "insert into order_history (order_number, step, at_ms, who, from_state, to_state, reason) \
         values ($1, 90, 0, 'operator:li.shen', 'awaiting_production', 'awaiting_production', '钥匙摔坏')";
    execute(&bench, release, &number);
    assert!(!page().contains("钥匙摔坏") && !page().contains("li.shen"));

    let parcel = "insert into parcels (order_number, waybill, station, body, created_ms) values ($1, 'SF7000000000001', 'bench-1', '{}', 0)";
    execute(&bench, parcel, &number);
    execute(&bench, "update orders set state = 'awaiting_delivery' where number = $1", &number);
    let shipped = "insert into order_history (order_number, step, at_ms, who, from_state, to_state, reason) \
         values ($1, 91, 0, 'station:bench-1', 'awaiting_production', 'awaiting_delivery', '')";
    execute(&bench, shipped, &number);
    let sent = page();
    assert!(sent.contains("SF7000000000001") && !sent.contains("bench-1"), "{sent}");
    assert!(sent.contains("电子钥匙已制好") && !sent.contains("交顺丰寄出"), "nobody has packed it: {sent}");
    let packed = "insert into order_history (order_number, step, at_ms, who, from_state, to_state, reason) \
         values ($1, 92, 0, 'operator:packer', 'awaiting_delivery', 'awaiting_delivery', '已复核')";
    execute(&bench, packed, &number);
    let sent = page();
    assert!(sent.contains("包裹已复核，交顺丰寄出") && !sent.contains("packer"), "{sent}");
    assert_eq!(sent.matches("SF7000000000001").count(), 1, "{sent}");
}

#[test]
fn s3_12_every_state_is_a_tab_with_its_count_in_the_manual_s_order() {
    let (bench, operator, cookie) = shop();
    let states: Vec<_> = OrderState::ALL.into_iter().filter(|state| *state != OrderState::Draft).collect();
    for state in &states {
        let number = bench.place(&operator, &free_order());
        let sql =
            sqlx::query("update orders set state = $2 where number = $1").bind(&number).bind(state.code());
        bench.runtime.block_on(sql.execute(&bench.state.db)).unwrap();
        assert_eq!(rows(&bench, &cookie, &format!("?state={}", state.code())), 1, "{}", state.zh());
    }
    let (_, page) = bench.get(&cookie, "/my/orders");
    let mut from = 0;
    for state in OrderState::ALL {
        let count = usize::from(state != OrderState::Draft);
        let tab = format!("{} <b>{count}</b>", state.zh());
        from += page[from..].find(&tab).unwrap_or_else(|| panic!("{tab} stands in its place on {page}"));
    }
    assert!(page.contains(&format!("全部 <b>{}</b>", states.len())), "{page}");
}

#[test]
fn s3_12_orders_are_found_by_number_unit_product_and_time() {
    let (bench, operator, cookie) = shop();
    let number = bench.place(&operator, &paid_order(1));
    let mut legal = legal_order("unit-first", 1, 1);
    legal["unit"]["name"] = json!("另一家有限公司");
    bench.now_ms.fetch_add(86_400_000, Ordering::SeqCst);
    // The session ends after twelve hours.
    let cookie_next_day = customer(&bench, MOBILE);
    assert_eq!(bench.get(&cookie, "/my/orders").0, 303);
    bench.place(&bench.log_in(), &legal);
    let rows = |query: &str| rows(&bench, &cookie_next_day, query);
    assert_eq!(rows(""), 2);
    assert_eq!(rows(&format!("?q={number}")), 1);
    assert_eq!(rows("?q=%E5%8F%A6%E4%B8%80%E5%AE%B6"), 1, "part of the unit's name");
    assert_eq!(rows("?q=%E6%B3%B8%E5%B7%9E"), 1, "part of the product's title");
    assert_eq!(rows("?q=100%25"), 0, "a percent sign is a percent sign");
    assert_eq!(rows("?from=2026-11-23"), 1);
    assert_eq!(rows("?to=2026-11-22"), 1);
    assert_eq!(rows("?from=2026-11-22&to=2026-11-23&state=awaiting_review"), 2);
    assert_eq!(rows("?from=2026-11-24"), 0);
    assert!(bench.get(&cookie_next_day, "/my/orders?to=2026-02-30").1.contains("已忽略"));
}

#[test]
fn s3_12_a_long_list_comes_in_pages_and_each_order_once() {
    let (bench, operator, cookie) = shop();
    for _ in 0..23 {
        bench.place(&operator, &free_order());
    }
    let (_, first) = bench.get(&cookie, "/my/orders");
    assert_eq!(first.matches("<a class=\"number\"").count(), 20);
    let next = first.split("rel=\"next\" href=\"").nth(1).unwrap().split('"').next().unwrap();
    let (_, second) = bench.get(&cookie, &next.replace("&amp;", "&"));
    assert_eq!(second.matches("<a class=\"number\"").count(), 3);
    let links = |page: &str| -> Vec<String> {
        page.split("<a class=\"number\" href=\"").skip(1).map(|rest| rest[..40].to_owned()).collect()
    };
    assert!(links(&second).iter().all(|link| !links(&first).contains(link)));
}

#[test]
fn s1_13_a_refused_order_shows_why_and_leads_to_its_correction() {
    let (bench, operator, cookie) = shop();
    let number = bench.place(&operator, &paid_order(1));
    bench.post(&operator, &format!("/api/orders/{number}/reject"), &json!({ "reason": "授权书<未>盖章" }));
    for path in
        ["/my/orders".to_owned(), "/my/orders?state=rejected".to_owned(), format!("/my/orders/{number}")]
    {
        let (_, page) = bench.get(&cookie, &path);
        assert!(page.contains("授权书&#60;未&#62;盖章") && page.contains("立即修改"), "{path}: {page}");
        assert!(page.contains(&format!("href=\"/my/orders/{number}/modify\"")), "{path}: {page}");
    }
    assert!(bench.get(&cookie, &format!("/my/orders/{number}")).1.contains("也无需再次支付"));
}

#[test]
fn another_customer_s_order_is_not_there() {
    let (bench, operator, _) = shop();
    let number = bench.place(&operator, &unpaid_order());
    let stranger = customer(&bench, OTHER);
    let absent = "SAAS120260101000000000001";
    let answer = |cookie: &str, number: &str| bench.get(cookie, &format!("/my/orders/{number}"));
    let (status, page) = answer(&stranger, &number);
    assert_eq!(status, 404);
    let other = answer(&stranger, absent).1.replace(absent, &number);
    assert_eq!(page, other, "what is another's is as what is not there");
    assert_eq!(answer(&stranger, "no-number").0, 404);
    assert_eq!(answer("", &number).0, 303, "nobody sees it without a log-in");
    assert_eq!(answer(&operator, &number).0, 303, "an operator is no customer");
    let cancel = format!("/my/orders/{number}/cancel");
    assert_eq!(bench.post_form(&stranger, &cancel, &[]).0, 404);
    assert_eq!(bench.post_form("", &cancel, &[]).0, 303);
    assert_eq!(state_of(&bench, &number), OrderState::AwaitingPayment);
    assert_eq!(rows(&bench, &stranger, &format!("?q={number}")), 0);
    assert_eq!(bench.get(&stranger, "/orders").0, 303, "a customer is no operator");
    assert_eq!(bench.get(&stranger, "/api/orders").0, 401, "a customer is no operator");
}

#[test]
fn a_log_out_ends_the_session_and_no_other() {
    let (bench, _, phone) = shop();
    let desk = customer(&bench, MOBILE);
    assert_eq!(bench.post_form(&phone, "/my/logout", &[]).0, 303);
    assert_eq!(bench.get(&phone, "/my/orders").0, 303);
    assert_eq!(bench.get(&desk, "/my/orders").0, 200);
    bench.now_ms.fetch_add(portal::customers::SESSION_HOURS * 3_600_000, Ordering::SeqCst);
    assert_eq!(bench.get(&desk, "/my/orders").0, 303, "a session ends by itself");
}

#[test]
fn a_mobile_has_so_many_sessions_and_the_oldest_ends_first() {
    let (bench, _, first) = shop();
    let other = customer(&bench, OTHER);
    let mut last = String::new();
    for _ in 0..10 {
        bench.now_ms.fetch_add(1, Ordering::SeqCst);
        last = customer(&bench, MOBILE);
    }
    assert_eq!(bench.get(&first, "/my/orders").0, 303);
    assert_eq!(bench.get(&last, "/my/orders").0, 200);
    assert_eq!(bench.get(&other, "/my/orders").0, 200, "nobody else's session ends");
    let count = sqlx::query_scalar::<_, i64>("select count(*) from customer_sessions");
    let count = bench.runtime.block_on(count.fetch_one(&bench.state.db)).unwrap();
    assert_eq!(count, 11);
}

#[test]
fn no_mobile_and_no_token_stands_readable_in_the_sessions() {
    let (bench, _, cookie) = shop();
    let token = cookie.split_once('=').unwrap().1;
    let kept: Vec<u8> = bench.runtime.block_on(async {
        let row = sqlx::query("select token_hash, mobile_digest, mobile from customer_sessions");
        let row = row.fetch_one(&bench.state.db).await.unwrap();
        let texts = ["token_hash", "mobile_digest"].map(|column| row.get::<String, _>(column).into_bytes());
        let said = sqlx::query_scalar::<_, String>("select who || subject || detail from audit");
        let said = said.fetch_all(&bench.state.db).await.unwrap().concat().into_bytes();
        [texts.concat(), row.get::<Vec<u8>, _>("mobile"), said].concat()
    });
    for secret in [MOBILE, token] {
        assert!(!kept.windows(secret.len()).any(|part| part == secret.as_bytes()));
    }
}

#[test]
fn a_page_that_wants_a_log_in_is_where_the_log_in_leads() {
    let (bench, ..) = shop();
    let location = |path: &str| {
        let answer = bench.agent().get(format!("{}{path}", bench.url)).call().unwrap();
        answer.headers()["location"].to_str().unwrap().to_owned()
    };
    assert_eq!(
        location("/my/orders?state=rejected&q=a"),
        "/my/login?next=/my/orders%3Fstate%3Drejected%26q%3Da"
    );
    let (_, page) = bench.get("", "/my/login?next=/my/orders%3Fstate%3Drejected%26q%3Da");
    assert!(page.contains("value=\"/my/orders?state=rejected&#38;q=a\""), "{page}");
    for next in
        ["https://evil.example/", "//evil.example/my/", "/\\evil.example", "/orders", "javascript:alert(1)"]
    {
        let (_, page) = bench.get("", &format!("/my/login?next={}", next.replace('/', "%2F")));
        assert!(page.contains("name=\"next\" value=\"\"") && !page.contains("evil"), "{next}: {page}");
    }
}

#[test]
fn another_site_cannot_act_for_a_customer() {
    let (bench, operator, cookie) = shop();
    let number = bench.place(&operator, &unpaid_order());
    for path in [format!("/my/orders/{number}/cancel"), "/my/logout".to_owned()] {
        let request = bench.agent().post(format!("{}{path}", bench.url)).header("cookie", &cookie);
        let answer = request.header("origin", "https://evil.example").send_form([("a", "b")]).unwrap();
        assert_eq!(answer.status().as_u16(), 403, "{path}");
    }
    assert_eq!(state_of(&bench, &number), OrderState::AwaitingPayment);
    assert_eq!(bench.get(&cookie, "/my/orders").0, 200);
}

#[test]
fn an_unpaid_order_is_cancelled_and_one_in_production_says_why_not() {
    let (bench, operator, cookie) = shop();
    let cancel = |number: &str| bench.post_form(&cookie, &format!("/my/orders/{number}/cancel"), &[]);
    for order in [unpaid_order(), free_order()] {
        let number = bench.place(&operator, &order);
        assert!(bench.get(&cookie, &format!("/my/orders/{number}")).1.contains("确认取消订单"));
        assert_eq!(cancel(&number).0, 303);
        assert_eq!(state_of(&bench, &number), OrderState::Cancelled);
        assert_eq!(cancel(&number).0, 303, "twice is once");
        let (_, page) = bench.get(&cookie, &format!("/my/orders/{number}"));
        assert!(page.contains("已取消") && !page.contains("确认取消订单"), "{page}");
        let (status, answer) = bench.post(&operator, &format!("/api/orders/{number}/approve"), &json!({}));
        assert_eq!(status, 409, "a cancelled order is never made: {answer}");
    }
    let number = bench.place(&operator, &free_order());
    bench.post(&operator, &format!("/api/orders/{number}/approve"), &json!({}));
    let (_, page) = bench.get(&cookie, &format!("/my/orders/{number}"));
    assert!(page.contains("不能取消") && !page.contains("确认取消订单"), "{page}");
    let (status, page) = cancel(&number);
    assert!(status == 409 && page.contains("不能取消"), "{page}");
    assert_eq!(state_of(&bench, &number), OrderState::AwaitingProduction);
}

#[test]
fn the_start_page_lists_the_programmes_and_leads_to_the_orders() {
    let (bench, ..) = shop();
    let (status, page) = bench.get("", "/");
    assert_eq!(status, 200);
    for programme in bench.state.programmes.iter() {
        assert!(
            page.contains(&programme.title) && page.contains(&format!("href=\"/p/{}\"", programme.id)),
            "{page}"
        );
    }
    assert!(page.contains("href=\"/my/orders\"") && page.contains("href=\"/login\""), "{page}");
}

#[test]
fn every_page_is_there_in_english() {
    let (bench, operator, cookie) = shop();
    let number = bench.place(&operator, &unpaid_order());
    for (path, text) in [
        ("/?lang=en".to_owned(), "Choose the procurement platform"),
        ("/my/login?lang=en".to_owned(), "Send me a code"),
        ("/my/orders?lang=en".to_owned(), "To be paid <b>1</b>"),
        (format!("/my/orders/{number}?lang=en"), "Cancel the order"),
    ] {
        let (status, page) = bench.get(&cookie, &path);
        assert!(status == 200 && page.contains(text) && page.contains("lang=\"en\""), "{path}: {page}");
    }
}

#[test]
fn s1_6_a_completed_order_asks_for_its_invoice_and_nobody_else_s() {
    let (bench, operator, cookie) = shop();
    let mut order = paid_order(1);
    order["invoice"] = json!({ "kind": "general", "title": "示例客车零部件有限公司" });
    let number = bench.place(&operator, &order);
    let path = format!("/my/orders/{number}");
    assert!(!bench.get(&cookie, &path).1.contains("开具发票"), "not before it is completed");
    execute(&bench, "update orders set state = 'completed' where number = $1", &number);
    assert!(bench.get(&cookie, &path).1.contains("开具发票"));
    let stranger = customer(&bench, OTHER);
    assert_eq!(bench.post_form(&stranger, &format!("{path}/invoice"), &[]).0, 404);
    assert_eq!(bench.get(&stranger, &format!("{path}/invoice.pdf")).0, 404);
    assert_eq!(bench.post_form(&cookie, &format!("{path}/invoice"), &[]).0, 303);
    let (_, page) = bench.get(&cookie, &path);
    assert!(page.contains("待开具") && !page.contains("开具发票"), "{page}");
    assert_eq!(bench.get(&cookie, &format!("{path}/invoice.pdf")).0, 409, "it is not made yet");
}
