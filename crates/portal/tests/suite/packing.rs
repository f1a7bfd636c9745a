//! The pack check, and how orders end: received, delivered, or left by their customers.

use std::sync::atomic::Ordering;

use crate::bench::{Bench, OPERATOR, free_order, paid_order};
use model::{OrderNumber, OrderState};
use portal::{
    db::{Sql, begin_write},
    operators::Role,
    orders::{self, Actor, OrderError, change_state},
    packing::{self, PackError},
    refunds,
};
use serde_json::{Value, json};

const DAY_MS: i64 = 86_400_000;

/// A packing table with someone of production at it.
struct Table {
    bench: Bench,
    /// The cookie of whoever reviews.
    reviewer: String,
    /// The cookie of whoever packs.
    packer: String,
}

impl Table {
    fn new() -> Self {
        let (bench, reviewer) = Bench::logged_in();
        let packer = bench.operator("packer", &[Role::Production]);
        Self { bench, reviewer, packer }
    }

    fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.bench.runtime.block_on(work)
    }

    /// Approves an order and labels its parcel.
    fn labelled(&self, number: &str, waybill: &str, keys: &[&str]) -> OrderNumber {
        let (status, answer) =
            self.bench.post(&self.reviewer, &format!("/api/orders/{number}/approve"), &json!({}));
        assert!(status < 300, "{answer}");
        self.label(number, waybill, keys)
    }

    fn label(&self, number: &str, waybill: &str, keys: &[&str]) -> OrderNumber {
        let side =
            json!({ "name": "陈*试", "mobile": "138****0001", "company": "示例公司", "address": "示例路" });
        let parcel = json!({
            "order": number, "waybill": waybill, "dest_route_label": "", "coding_mapping": "", "product": "",
            "two_dimension_code": "", "payment": "到付", "receiver": side, "sender": side, "goods": "电子钥匙",
            "quantity": keys.len(), "key_serials": keys,
        });
        let number: OrderNumber = number.parse().unwrap();
        let actor = Actor::Station("bench-1".parse().unwrap());
        self.run(async {
            let mut tx = begin_write(&self.bench.state.db).await.unwrap();
            sqlx::query::<Sql>(
                "insert into parcels (order_number, waybill, station, body, created_ms, printed_ms) values ($1, $2, 'bench-1', $3, 0, 0)",
            )
            .bind(number.as_str())
            .bind(waybill)
            .bind(parcel.to_string())
            .execute(&mut *tx)
            .await
            .unwrap();
            change_state(&mut tx, &number, OrderState::AwaitingDelivery, &actor, waybill, 0).await.unwrap();
            tx.commit().await.unwrap();
        });
        number
    }

    fn state(&self, number: &OrderNumber) -> OrderState {
        self.run(orders::load(&self.bench.state, number)).unwrap().unwrap().state
    }

    fn audited(&self, what: &str) -> Vec<String> {
        let rows = sqlx::query_scalar::<_, String>(
            "select who || ' ' || subject || ' ' || detail from audit where what = $1 order by sequence",
        );
        self.run(rows.bind(what.to_owned()).fetch_all(&self.bench.state.db)).unwrap()
    }

    fn pack(&self, waybill: &str, keys: &[&str], name: &str) -> Result<packing::Pack, PackError> {
        let actor = Actor::Operator(name.to_owned());
        let mut pack = self.run(packing::open(&self.bench.state, waybill, &actor))?;
        for (at, key) in keys.iter().enumerate() {
            pack = self.run(packing::scan(&self.bench.state, waybill, &keys[..at], key, &actor))?;
        }
        Ok(pack)
    }

    fn pass_days(&self, days: i64) {
        self.bench.now_ms.fetch_add(days * DAY_MS, Ordering::SeqCst);
    }
}

/// What the page's form would send with the next scan.
fn hidden(page: &str, name: &str) -> String {
    let mark = format!("name=\"{name}\" value=\"");
    let at = page.find(&mark).map(|at| at + mark.len());
    at.map(|at| page[at..].split('"').next().unwrap().to_owned()).unwrap_or_default()
}

#[test]
fn n2_every_key_is_scanned_beside_its_waybill_and_a_wrong_pair_is_refused() {
    let table = Table::new();
    let (bench, cookie) = (&table.bench, &table.packer);
    let first = bench.place("", &paid_order(2));
    let order = table.labelled(&first, "SF7000000000001", &["V1", "V2"]);
    bench.now_ms.fetch_add(1000, Ordering::SeqCst);
    table.labelled(&bench.place("", &paid_order(1)), "SF7000000000002", &["V3"]);

    let (status, page) = bench.get(cookie, "/packing");
    assert!(status == 200 && page.contains("扫面单上的运单条码") && page.contains("autofocus"), "{page}");
    let (status, page) = bench.post_form(cookie, "/packing", &[("code", "SF7999999999999")]);
    assert!(status == 404 && page.contains("没有运单"), "{page}");
    // The scanner sends one line after the other; the page keeps what was scanned.
    let scan = |page: &str, code: &str| {
        let (waybill, scanned) = (hidden(page, "waybill"), hidden(page, "scanned"));
        bench.post_form(cookie, "/packing", &[("waybill", &waybill), ("scanned", &scanned), ("code", code)])
    };
    let (status, page) = scan(&page, " SF7000000000001\r");
    assert!(status == 200 && page.contains("扫下一把钥匙") && page.contains("○ V1"), "{page}");
    let (status, page) = scan(&page, "V2");
    assert!(status == 200 && page.contains("✓ V2") && page.contains("<b>1</b> / 2"), "{page}");
    let (status, page) = scan(&page, "V3");
    assert!(status == 409 && page.contains("verdict bad") && page.contains("钥匙 V3 不属于此包裹"), "{page}");
    assert!(page.contains("✓ V2") && page.contains("○ V1"), "what was scanned stays scanned: {page}");
    let (status, page) = scan(&page, "SF7000000000002");
    assert!(status == 409 && page.contains("还有 1 把钥匙未扫"), "{page}");
    let (status, page) = scan(&page, "V1");
    assert!(status == 200 && page.contains("复核通过，请封箱"), "{page}");
    assert_eq!(hidden(&page, "waybill"), "", "the next scan is a waybill");

    let packed = table.audited("parcel.packed");
    assert_eq!(packed, [format!("operator:packer {order} waybill=SF7000000000001 keys=V1,V2")]);
    let refused = table.audited("pack.refused");
    assert_eq!(refused, [format!("operator:packer {order} waybill=SF7000000000001 scanned=V3")]);
    let (_, page) = scan(&page, "SF7000000000001");
    assert!(page.contains("此包裹已复核") && page.contains("operator:packer"), "{page}");
    assert_eq!(table.audited("parcel.packed").len(), 1, "twice is once");
    let (_, page) = bench.get(cookie, &format!("/orders/{order}"));
    assert!(page.contains("已复核：运单 SF7000000000001，2 把钥匙") && page.contains("登记完成"), "{page}");
}

#[test]
fn n2_keys_that_were_not_scanned_are_not_taken_from_the_form() {
    let table = Table::new();
    let order = table.labelled(&table.bench.place("", &paid_order(2)), "SF7000000000001", &["V1", "V2"]);
    let actor = Actor::Operator("packer".to_owned());
    let scan = |scanned: &[&str], code: &str| {
        table.run(packing::scan(&table.bench.state, "SF7000000000001", scanned, code, &actor))
    };
    assert_eq!(scan(&["V1 V2", "V9", ""], "V1").unwrap().left(), 1);
    assert!(matches!(scan(&["V1", "V2"], "张三 13800000001").unwrap_err(), PackError::WrongKey(_)));
    assert_eq!(
        table.audited("pack.refused"),
        [format!("operator:packer {order} waybill=SF7000000000001 scanned=?")],
        "what is typed by hand is not on record"
    );
    assert!(table.audited("parcel.packed").is_empty());
}

#[test]
fn p15_who_entered_or_approved_an_order_does_not_pack_it_and_another_does() {
    let table = Table::new();
    let bench = &table.bench;
    // li.shen approved it, and has every role.
    let approved = table.labelled(&bench.place("", &paid_order(1)), "SF7000000000001", &["V1"]);
    let refused = table.pack("SF7000000000001", &["V1"], OPERATOR).unwrap_err();
    assert!(matches!(refused, PackError::SamePerson), "{refused}");
    let (status, page) = bench.post_form(&table.reviewer, "/packing", &[("code", "SF7000000000001")]);
    assert!(status == 403 && page.contains("不能复核"), "{page}");
    let answer = bench.post_form(
        &table.reviewer,
        "/packing",
        &[("waybill", "SF7000000000001"), ("scanned", ""), ("code", "V1")],
    );
    assert_eq!(answer.0, 403, "nor past the first page");

    // wang entered this one, li.shen approved it.
    let wang = bench.operator("wang", &[Role::Reviewer, Role::Production]);
    bench.now_ms.fetch_add(1000, Ordering::SeqCst);
    let (status, answer) = bench.post(&wang, "/api/orders", &free_order());
    assert_eq!(status, 201, "{answer}");
    let number = answer["results"][0]["number"].as_str().unwrap().to_owned();
    let entered = table.labelled(&number, "SF7000000000002", &["V2"]);
    assert!(matches!(table.pack("SF7000000000002", &["V2"], "wang"), Err(PackError::SamePerson)));
    assert!(table.audited("parcel.packed").is_empty());

    for waybill in ["SF7000000000001", "SF7000000000002"] {
        let key = if waybill.ends_with('1') { "V1" } else { "V2" };
        assert!(table.pack(waybill, &[key], "packer").unwrap().packed.is_some());
    }
    // Nor does wang say that it arrived.
    let complete = |number: &OrderNumber, name: &str| {
        table.run(orders::complete(&bench.state, number, &Actor::Operator(name.to_owned())))
    };
    assert!(matches!(complete(&entered, "wang"), Err(OrderError::SamePerson(_))));
    complete(&entered, "packer").unwrap();
    assert_eq!(
        (table.state(&entered), table.state(&approved)),
        (OrderState::Completed, OrderState::AwaitingDelivery)
    );
}

#[test]
fn a_parcel_whose_order_was_refunded_is_not_sent() {
    let table = Table::new();
    let order = table.labelled(&table.bench.place("", &paid_order(1)), "SF7000000000001", &["V1"]);
    table.run(async {
        let mut tx = begin_write(&table.bench.state.db).await.unwrap();
        let actor = Actor::System;
        change_state(&mut tx, &order, OrderState::Refunded, &actor, "", 0).await.unwrap();
        tx.commit().await.unwrap();
    });
    let refused = table.pack("SF7000000000001", &["V1"], "packer").unwrap_err();
    assert!(matches!(refused, PackError::State(OrderState::Refunded)), "{refused}");
}

#[test]
fn a_parcel_whose_money_is_asked_back_waits_for_the_decision() {
    let table = Table::new();
    let state = &table.bench.state;
    let order = table.labelled(&table.bench.place("", &paid_order(1)), "SF7000000000001", &["V1"]);
    let asker = Actor::Operator("wang".to_owned());
    table.run(refunds::ask(state, &order, "客户不要了", &asker)).unwrap();
    let refused = table.pack("SF7000000000001", &["V1"], "packer").unwrap_err();
    assert!(matches!(refused, PackError::Order(OrderError::RefundWaits)), "{refused}");
    table.run(refunds::decide(state, &order, false, OPERATOR)).unwrap();
    assert!(table.pack("SF7000000000001", &["V1"], "packer").unwrap().packed.is_some());
}

#[test]
fn s3_12_an_order_is_completed_when_its_customer_has_the_parcel_or_staff_know_or_time_has_passed() {
    let table = Table::new();
    let bench = &table.bench;
    let waybills = ["SF7000000000001", "SF7000000000002", "SF7000000000003", "SF7000000000004"];
    let numbers = waybills.map(|waybill| {
        bench.now_ms.fetch_add(1000, Ordering::SeqCst);
        table.labelled(&bench.place("", &paid_order(1)), waybill, &[waybill])
    });
    let [received, delivered, overdue, unpacked] = &numbers;

    let customer = table.run(async {
        let mut tx = begin_write(&bench.state.db).await.unwrap();
        let token = portal::customers::open_session(&bench.state, &mut tx, "13800000001").await.unwrap();
        tx.commit().await.unwrap();
        format!("ukey_customer={}", token.expose())
    });
    // A parcel that is still here was not received: completed, it could not be packed any more.
    let page = bench.get(&customer, &format!("/my/orders/{received}")).1;
    assert!(!page.contains("确认收货") && page.contains("正在复核装箱"), "{page}");
    let (status, page) = bench.post_form(&customer, &format!("/my/orders/{received}/received"), &[]);
    assert!(status == 409 && page.contains("包裹尚未复核"), "{page}");
    table.pack(waybills[0], &[waybills[0]], "packer").unwrap();
    let page = bench.get(&customer, &format!("/my/orders/{received}")).1;
    assert!(page.contains("确认收货") && page.contains("包裹在途"), "{page}");
    for _ in 0..2 {
        let (status, page) = bench.post_form(&customer, &format!("/my/orders/{received}/received"), &[]);
        assert_eq!(status, 303, "{page}");
    }
    assert_eq!(table.state(received), OrderState::Completed);
    let page = bench.get(&customer, &format!("/my/orders/{received}")).1;
    assert!(page.contains("订单完成") && !page.contains("确认收货"), "{page}");

    let path = format!("/orders/{delivered}/delivered");
    let (status, page) = bench.post_form(&table.packer, &path, &[]);
    assert!(status == 409 && page.contains("包裹尚未复核"), "{page}");
    table.pack(waybills[1], &[waybills[1]], "packer").unwrap();
    assert_eq!(bench.post_form(&table.packer, &path, &[]).0, 303);
    assert_eq!(table.state(delivered), OrderState::Completed);

    table.pack(waybills[2], &[waybills[2]], "packer").unwrap();
    table.pass_days(15);
    table.run(orders::complete_overdue(&bench.state)).unwrap();
    assert_eq!(table.state(overdue), OrderState::AwaitingDelivery, "not on the day itself");
    bench.now_ms.fetch_add(1, Ordering::SeqCst);
    table.run(orders::complete_overdue(&bench.state)).unwrap();
    assert_eq!(table.state(overdue), OrderState::Completed);
    table.pass_days(400);
    table.run(orders::complete_overdue(&bench.state)).unwrap();
    assert_eq!(
        table.state(unpacked),
        OrderState::AwaitingDelivery,
        "a parcel that nobody checked is not sent"
    );

    let invoices: i64 = table
        .run(
            sqlx::query_scalar("select count(*) from invoices where state = 'asked'")
                .fetch_one(&bench.state.db),
        )
        .unwrap();
    assert_eq!(invoices, 3, "each has its invoice asked for, once");
}

#[test]
fn nobody_completes_an_order_that_is_not_under_way_or_another_customers() {
    let table = Table::new();
    let number: OrderNumber = table.bench.place("", &paid_order(1)).parse().unwrap();
    let refused = table.run(orders::complete(&table.bench.state, &number, &Actor::Customer));
    assert!(matches!(refused, Err(OrderError::Illegal(_))), "{refused:?}");
    let number = table.labelled(number.as_str(), "SF7000000000001", &["V1"]);
    let stranger = table.run(async {
        let mut tx = begin_write(&table.bench.state.db).await.unwrap();
        let token =
            portal::customers::open_session(&table.bench.state, &mut tx, "13900000002").await.unwrap();
        tx.commit().await.unwrap();
        format!("ukey_customer={}", token.expose())
    });
    for cookie in [stranger.as_str(), table.packer.as_str()] {
        let (status, _) = table.bench.post_form(cookie, &format!("/my/orders/{number}/received"), &[]);
        assert!(status == 404 || status == 303, "{status}");
    }
    assert_eq!(table.state(&number), OrderState::AwaitingDelivery);
}

fn rejected(table: &Table, order: &Value) -> OrderNumber {
    table.bench.now_ms.fetch_add(1000, Ordering::SeqCst);
    let number: OrderNumber = table.bench.place("", order).parse().unwrap();
    let actor = Actor::Operator(OPERATOR.to_owned());
    table.run(orders::reject(&table.bench.state, &number, "请重新上传", &actor, None)).unwrap();
    number
}

#[test]
fn orders_whose_customers_never_come_back_end_and_what_was_paid_by_hand_is_put_before_finance() {
    let table = Table::new();
    let (bench, state) = (&table.bench, &table.bench.state);
    let (free, paid) = (rejected(&table, &free_order()), rejected(&table, &paid_order(1)));
    let mut unpaid = paid_order(1);
    unpaid.as_object_mut().unwrap().remove("payment");
    let unpaid: OrderNumber = bench.place("", &unpaid).parse().unwrap();
    let waiting: OrderNumber = bench.place("", &free_order()).parse().unwrap();
    table.pass_days(89);
    table.run(orders::end_idle(state)).unwrap();
    assert_eq!(table.state(&free), OrderState::Rejected);
    table.pass_days(2);
    for _ in 0..2 {
        table.run(orders::end_idle(state)).unwrap();
    }
    assert_eq!(table.state(&free), OrderState::Cancelled);
    assert_eq!(table.state(&unpaid), OrderState::Cancelled);
    assert_eq!(
        table.state(&waiting),
        OrderState::AwaitingReview,
        "the review is not the customer's to wait for"
    );
    assert_eq!(table.state(&paid), OrderState::Rejected, "until somebody has sent the money back");
    let request = table.run(refunds::of_order(&state.db, &paid)).unwrap().unwrap();
    assert_eq!((request.asked_by.as_str(), request.state.as_str()), ("(system)", "asked"));
    // Declined, it is asked for again: an order that nobody ends would keep what it says of persons for ever.
    table.run(refunds::decide(state, &paid, false, OPERATOR)).unwrap();
    table.run(orders::end_idle(state)).unwrap();
    assert_eq!(
        table.run(refunds::of_order(&state.db, &paid)).unwrap().unwrap().state,
        "declined",
        "not at once"
    );
    table.pass_days(91);
    table.run(orders::end_idle(state)).unwrap();
    assert_eq!(table.run(refunds::of_order(&state.db, &paid)).unwrap().unwrap().state, "asked");
    table.run(refunds::decide(state, &paid, true, OPERATOR)).unwrap();
    assert_eq!(table.state(&paid), OrderState::Refunded);
    let history = table.run(orders::history(&state.db, &free)).unwrap();
    let last = history.last().unwrap();
    assert_eq!((last.who.as_str(), last.reason.as_str()), ("system", "逾期未支付或未修改，自动取消"));
}
