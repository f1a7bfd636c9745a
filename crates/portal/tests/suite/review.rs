//! The review queue, refunds and what is shown of a person, over a real listener.

use std::sync::atomic::Ordering;

use crate::bench::{Bench, OPERATOR, credit_code, free_order, id_number, legal_order, paid_order};
use portal::{operators::Role, orders::Actor};
use serde_json::{Value, json};

fn place(bench: &Bench, order: &Value) -> String {
    bench.now_ms.fetch_add(1000, Ordering::SeqCst);
    bench.place("", order)
}

/// Where `/review` sends the operator: the number, or nothing if no order is left.
fn next(bench: &Bench, cookie: &str, path: &str) -> Option<String> {
    let url = format!("{}{path}", bench.url);
    let answer = bench.agent().get(&url).header("cookie", cookie).call().unwrap();
    if answer.status() != 303 {
        return None;
    }
    let to = answer.headers()["location"].to_str().unwrap().to_owned();
    Some(to.strip_prefix("/review/").unwrap().to_owned())
}

fn audit(bench: &Bench, what: &str) -> Vec<String> {
    let rows = sqlx::query_scalar::<_, String>(
        "select who || ' ' || subject || ' ' || detail from audit where what = $1 order by sequence",
    );
    bench.runtime.block_on(rows.bind(what.to_owned()).fetch_all(&bench.state.db)).unwrap()
}

#[test]
fn the_oldest_comes_first_and_two_reviewers_never_have_the_same() {
    let (bench, li) = Bench::logged_in();
    let wang = bench.operator("wang", &[Role::Reviewer]);
    let numbers: Vec<String> = (0..3).map(|_| place(&bench, &free_order())).collect();
    assert_eq!(next(&bench, &li, "/review").as_ref(), Some(&numbers[0]));
    assert_eq!(next(&bench, &wang, "/review").as_ref(), Some(&numbers[1]));
    let (_, page) = bench.get(&wang, &format!("/review/{}", numbers[0]));
    assert!(
        page.contains(&format!("{OPERATOR} 正在审核此订单")) && !page.contains("id=\"approve\""),
        "{page}"
    );
    let (status, _) = bench.decide(&wang, &format!("/review/{}/approve", numbers[0]), &[]);
    assert_eq!(status, 409, "it is at li");

    assert_eq!(
        next(&bench, &li, &format!("/review?after={}", numbers[0])).as_ref(),
        Some(&numbers[2]),
        "wang has the second"
    );
    assert_eq!(
        next(&bench, &wang, &format!("/review?after={}", numbers[1])).as_ref(),
        Some(&numbers[0]),
        "round again"
    );
    bench.now_ms.fetch_add(10 * 60_000, Ordering::SeqCst);
    let zhao = bench.operator("zhao", &[Role::Reviewer]);
    assert_eq!(next(&bench, &zhao, "/review").as_ref(), Some(&numbers[0]), "wang's ten minutes are over");
    let queue = bench.runtime.block_on(portal::review::queue(&bench.state)).unwrap();
    assert_eq!((queue.waiting, queue.claimed), (3, 1));
}

#[test]
fn claims_hold_between_reviewers_who_ask_at_once() {
    let (bench, _) = Bench::logged_in();
    for _ in 0..4 {
        place(&bench, &free_order());
    }
    let asked = (0..4).map(|n| {
        let state = bench.state.clone();
        bench
            .runtime
            .spawn(async move { portal::review::next(&state, &format!("reviewer{n}"), None).await.unwrap() })
    });
    let mut given: Vec<String> = asked
        .collect::<Vec<_>>()
        .into_iter()
        .map(|asked| bench.runtime.block_on(asked).unwrap().unwrap().to_string())
        .collect();
    given.sort();
    given.dedup();
    assert_eq!(given.len(), 4);
}

#[test]
fn a_reviewer_decides_by_keys_and_goes_on_to_the_next() {
    let (bench, li) = Bench::logged_in();
    let (first, second) = (place(&bench, &free_order()), place(&bench, &paid_order(1)));
    assert_eq!(next(&bench, &li, "/review").as_ref(), Some(&first));
    let (status, page) = bench.get(&li, &format!("/review/{first}"));
    assert_eq!(status, 200, "{page}");
    for key in ["a", "r", "n", "1", "7"] {
        assert!(page.contains(&format!("data-key=\"{key}\"")), "{key} is a key on {page}");
    }
    assert!(page.contains("id=\"search\""), "and / goes to the search");
    let page_of_first = page.clone();
    assert!(
        page.contains(free_order()["handler"]["id_number"].as_str().unwrap()),
        "a reviewer compares numbers"
    );
    assert_eq!(audit(&bench, "numbers.revealed"), [format!("operator:{OPERATOR} {first} reason=review")]);

    let reject = format!("/review/{first}/reject");
    let (status, page) = bench.decide(&li, &reject, &[("reason", " ")]);
    assert!(status == 422 && page.contains("请写明拒绝原因"), "{page}");
    let (seal, address) = ("授权书未盖章或印章不清晰，请重新盖章后上传", "收件地址不完整，请更正");
    for reason in [seal, address] {
        assert!(page_of_first.contains(&format!("name=\"reason\" value=\"{reason}\"")), "{reason}");
    }
    assert!(!page_of_first.contains("采样表"), "this programme has none");
    let form = [("reason", seal), ("reason", address), ("reason", "请尽快")];
    assert_eq!(bench.decide(&li, &reject, &form).0, 303);
    let order = bench.get_json(&li, &format!("/api/orders/{first}"));
    assert_eq!(order["state"], "rejected");
    assert_eq!(
        order["reject_reason"],
        "授权书未盖章或印章不清晰，请重新盖章后上传；收件地址不完整，请更正；请尽快"
    );
    assert_eq!(next(&bench, &li, "/review").as_ref(), Some(&second));
    assert_eq!(bench.decide(&li, &format!("/review/{second}/approve"), &[]).0, 303);
    assert_eq!(bench.get_json(&li, &format!("/api/orders/{second}"))["state"], "awaiting_production");
    assert_eq!(next(&bench, &li, "/review"), None);
    assert!(bench.get(&li, "/review").1.contains("没有待审核的订单"));
    assert_eq!(
        bench.get(&li, &format!("/review/{second}")).0,
        303,
        "an order that is decided goes to its page"
    );
}

#[test]
fn nobody_decides_about_what_he_did_not_see() {
    let (bench, li) = Bench::logged_in();
    let number = place(&bench, &free_order());
    let (path, parsed) = (format!("/review/{number}"), number.parse().unwrap());
    let (_, old) = bench.get(&li, &path);
    let seen = old.split("name=\"seen\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    // li goes to lunch; another refuses it, and its customer corrects it.
    bench.now_ms.fetch_add(11 * 60_000, Ordering::SeqCst);
    let mut order = free_order();
    order["receiver"]["address"] = json!("示例路 9 号");
    let corrected = async {
        let wang = Actor::Operator("wang".to_owned());
        portal::orders::reject(&bench.state, &parsed, "地址不全", &wang, None).await?;
        portal::orders::correct(&bench.state, &parsed, &order, &Actor::Import).await
    };
    bench.runtime.block_on(corrected).unwrap();
    for (act, extra) in [("approve", ("", "")), ("reject", ("reason", "请重新上传"))] {
        for page in ["review", "orders"] {
            let path = format!("/{page}/{number}/{act}");
            let (status, told) = bench.post_form(&li, &path, &[("seen", seen), extra]);
            assert!(status == 409 && told.contains("有变动"), "{path}: {status} {told}");
            assert!(matches!(bench.post_form(&li, &path, &[extra]).0, 409 | 422), "{path}");
        }
    }
    assert_eq!(bench.decide(&li, &format!("{path}/approve"), &[]).0, 303, "after another look");
    assert_eq!(bench.post_form(&li, &format!("{path}/approve"), &[("seen", seen)]).0, 303, "twice is once");
}

#[test]
fn what_a_correction_changed_stands_beside_it_and_earlier_refusals_too() {
    let (bench, li) = Bench::logged_in();
    let number = place(&bench, &free_order());
    bench.decide(&li, &format!("/review/{number}/reject"), &[("reason", "经办人信息与身份证不一致，请更正")]);
    let mut order = free_order();
    order["handler"]["id_number"] = json!(id_number(9));
    let parsed = number.parse().unwrap();
    let corrected = portal::orders::correct(&bench.state, &parsed, &order, &Actor::Import);
    bench.runtime.block_on(corrected).unwrap();
    let (_, page) = bench.get(&li, &format!("/review/{number}"));
    assert!(page.contains("更正了：") && page.contains("经办人 · 证件号码"), "{page}");
    assert!(page.contains("经办人信息与身份证不一致"), "{page}");
    let kept: String = bench
        .runtime
        .block_on(sqlx::query_scalar("select fields from order_corrections").fetch_one(&bench.state.db))
        .unwrap();
    assert_eq!(kept, "[\"handler.id_number\"]", "names alone");
}

#[test]
fn the_machine_s_checks_point_to_other_orders_and_to_what_is_wrong() {
    let (bench, li) = Bench::logged_in();
    let mut other = free_order();
    other["handler"]["mobile"] = json!("13900000009");
    other["handler"]["id_number"] = json!(id_number(8));
    other["unit"]["credit_code"] = json!(credit_code(8));
    let other = place(&bench, &other);
    let first = place(&bench, &paid_order(1));
    let (_, page) = bench.get(&li, &format!("/review/{first}"));
    assert!(!page.contains("class=\"look\"") && page.matches("class=\"wrong\"").count() == 1, "{page}");
    assert!(
        page.contains("缺少 经办人身份证人像面"),
        "what is wrong are the pictures that did not come: {page}"
    );
    let again = place(&bench, &legal_order("unit-first", 1, 1));
    let (_, page) = bench.get(&li, &format!("/review/{again}"));
    assert_eq!(page.matches("class=\"look\"").count(), 3, "mobile, document and unit: {page}");
    assert!(page.contains(&format!("href=\"/orders/{first}\"")) && !page.contains(&other), "{page}");
    bench.now_ms.fetch_add(40 * 24 * 3_600_000, Ordering::SeqCst);
    let li = bench.log_in();
    let later = place(&bench, &paid_order(1));
    let (_, page) = bench.get(&li, &format!("/review/{later}"));
    assert_eq!(page.matches("class=\"look\"").count(), 2, "the unit's last order is long ago: {page}");
    let marks: Vec<String> = bench
        .runtime
        .block_on(
            sqlx::query_scalar(
                "select digest from order_marks union all select handler_mobile_digest from orders",
            )
            .fetch_all(&bench.state.db),
        )
        .unwrap();
    assert!(marks.iter().all(|digest| digest.len() == 64 && !digest.contains("1380000")), "digests alone");
}

#[test]
fn whole_numbers_are_shown_for_a_reason_that_is_on_record() {
    let (bench, li) = Bench::logged_in();
    let order = free_order();
    let number = place(&bench, &order);
    let id = order["handler"]["id_number"].as_str().unwrap();
    let (_, page) = bench.get(&li, &format!("/orders/{number}"));
    assert!(!page.contains(id) && !page.contains("13800000001"), "masked: {page}");
    let path = format!("/orders/{number}/reveal");
    assert_eq!(bench.post_form(&li, &path, &[("reason", "because I can")]).0, 422);
    assert_eq!(audit(&bench, "numbers.revealed").len(), 0);
    let (status, page) = bench.post_form(&li, &path, &[("reason", "complaint")]);
    assert!(status == 200 && page.contains(id) && page.contains("13800000001"), "{page}");
    assert_eq!(audit(&bench, "numbers.revealed"), [format!("operator:{OPERATOR} {number} reason=complaint")]);
}

#[test]
fn p15_a_refund_takes_two_people() {
    let (bench, li) = Bench::logged_in();
    let number = place(&bench, &paid_order(1));
    let ask = |cookie: &str, reason: &str| {
        bench.post_form(cookie, &format!("/orders/{number}/refund"), &[("reason", reason)]).0
    };
    let decide = |cookie: &str, approve: &str| {
        bench.post_form(cookie, &format!("/orders/{number}/refund/decision"), &[("approve", approve)]).0
    };
    let wang = bench.operator("wang", &[Role::Finance]);
    assert_eq!(decide(&wang, "true"), 409, "none was asked for");
    assert_eq!(ask(&li, ""), 422);
    assert_eq!(ask(&li, "客户不再需要"), 303);
    assert_eq!(decide(&li, "true"), 403, "li asked");
    assert!(bench.get(&li, "/refunds").1.contains("请另一位批准"));
    assert!(bench.get(&wang, "/refunds").1.contains("客户不再需要"));
    assert_eq!(decide(&wang, "false"), 303);
    assert_eq!(bench.get_json(&li, &format!("/api/orders/{number}"))["state"], "awaiting_review");
    assert_eq!(ask(&wang, "确需退款"), 303, "what was declined may be asked for again");
    assert_eq!(decide(&wang, "true"), 403);
    assert_eq!(decide(&li, "true"), 303);
    assert_eq!(bench.get_json(&li, &format!("/api/orders/{number}"))["state"], "refunded");
    assert_eq!(decide(&li, "true"), 409, "decided once");
    assert_eq!(audit(&bench, "refund.asked").len(), 2);
    assert_eq!(audit(&bench, "refund.approved"), [format!("operator:{OPERATOR} {number} asked=wang")]);
    let free = place(&bench, &free_order());
    assert_eq!(
        bench.post_form(&li, &format!("/orders/{free}/refund"), &[("reason", "x")]).0,
        409,
        "nothing was paid"
    );
}

#[test]
fn nothing_is_sent_back_while_a_station_makes_the_order_s_keys() {
    let (bench, li) = Bench::logged_in();
    let number = place(&bench, &paid_order(1));
    bench.post(&li, &format!("/api/orders/{number}/approve"), &json!({}));
    let set = |sql: &'static str| bench.runtime.block_on(sqlx::query(sql).execute(&bench.state.db)).unwrap();
    let ask = || bench.post_form(&li, &format!("/orders/{number}/refund"), &[("reason", "客户不再需要")]);
    set("update jobs set state = 'leased', station = 'bench-1', leased_until = 0");
    let (status, page) = ask();
    assert!(status == 409 && page.contains("请先退回任务"), "{page}");
    set("update jobs set state = 'waiting', station = null, leased_until = null");
    assert_eq!(ask().0, 303);
}

#[test]
fn finance_records_a_payment_by_the_order_s_page() {
    let (bench, li) = Bench::logged_in();
    let mut order = paid_order(1);
    order.as_object_mut().unwrap().remove("payment");
    let number = place(&bench, &order);
    assert!(bench.get(&li, &format!("/orders/{number}")).1.contains("登记线下付款"));
    let path = format!("/orders/{number}/payment");
    assert_eq!(bench.post_form(&li, &path, &[("method", "cash"), ("reference", "T1")]).0, 422);
    assert_eq!(bench.post_form(&li, &path, &[("method", "alipay"), ("reference", "T1")]).0, 303);
    assert_eq!(bench.get_json(&li, &format!("/api/orders/{number}"))["state"], "awaiting_review");
}
