//! What needs a person: one page, by role, with the next move.

use std::sync::atomic::Ordering;

use crate::{
    bench::{Bench, legal_order, paid_order},
    invoices::{MINUTE_MS, Office},
    messages::Desk,
    payments::{Shop, until},
    webhooks as platform,
};
use model::{Fen, OrderState};
use portal::{
    db::begin_write,
    invoices::InvoiceState,
    messages::MessageState,
    operators::Role,
    orders::{Actor, change_state},
    payments::{self, Difference, PaymentState, RefundState},
    webhooks,
};
use sandbox::{
    alipay::{CallFault, Refund},
    invoice::Control,
};

const NOTHING: &str = "没有待处理的事项";

fn page(bench: &Bench, cookie: &str) -> String {
    let (status, page) = bench.get(cookie, "/attention");
    assert_eq!(status, 200, "{page}");
    page
}

#[test]
fn money_of_a_wrong_amount_is_shown_and_sent_back_by_one_click_and_no_other_money() {
    let shop = Shop::new();
    let bench = &shop.bench;
    let finance = bench.operator("finance", &[Role::Finance]);
    assert!(page(bench, &finance).contains(NOTHING));
    let number = shop.order();
    let first = shop.begin(&number);
    shop.pay(&first.out_trade_no, "lie_amount");
    until("told", || shop.payment(&number).state == PaymentState::Paid);

    let told = page(bench, &finance);
    for part in [&format!("href=\"/orders/{number}\""), "实付 299.99 元", "<button>退回款项"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let auditor = page(bench, &bench.operator("auditor", &[Role::Auditor]));
    assert!(
        auditor.contains("299.99") && !auditor.contains("<button>退回款项"),
        "an auditor reads: {auditor}"
    );
    let reviewer = bench.operator("reviewer", &[Role::Reviewer]);
    assert!(page(bench, &reviewer).contains(NOTHING), "money is not a reviewer's");

    let path = format!("/attention/payments/{number}");
    assert_eq!(bench.post_form(&reviewer, &path, &[]).0, 403);
    assert_eq!(bench.post_form(&finance, &path, &[]).0, 303);
    assert_eq!(shop.double.trades()[0].refunded(), 29_999);
    assert!(page(bench, &finance).contains(NOTHING));
    assert_eq!(shop.run(payments::trouble_count(&bench.state.db)).unwrap(), 0);

    // What the order was rightly paid with is not sent back by the same click.
    let notice = shop.pay_untold(&shop.begin(&number).out_trade_no);
    assert_eq!(shop.tell(&notice), "success");
    let (status, told) = bench.post_form(&finance, &path, &[]);
    assert!(status == 409 && told.contains("没有可退的支付宝款项"), "{told}");
    assert_eq!(shop.double.trades()[1].refunded(), 0);
    assert_eq!(shop.payment(&number).amount, Fen(30_000));
}

#[test]
fn a_refund_that_alipay_refuses_is_shown_and_asked_for_again() {
    let shop = Shop::new();
    let bench = &shop.bench;
    let finance = bench.operator("finance", &[Role::Finance]);
    let number = shop.order();
    let notice = shop.pay_untold(&shop.begin(&number).out_trade_no);
    shop.tell(&notice);
    let refusal = || CallFault::Refuse("ACQ.TRADE_NOT_ALLOW_REFUND".to_owned());
    // After a refusal Alipay is asked whether it was done all the same.
    shop.double.next([refusal(), CallFault::None, refusal()]);
    shop.refund(&number).unwrap();
    assert!(page(bench, &finance).contains("ACQ.TRADE_NOT_ALLOW_REFUND"));
    assert_eq!(shop.run(payments::trouble_count(&bench.state.db)).unwrap(), 1);
    let path = format!("/attention/payments/{number}");
    assert_eq!(bench.post_form(&finance, &path, &[]).0, 303);
    assert!(page(bench, &finance).contains("ACQ.TRADE_NOT_ALLOW_REFUND"), "refused once more");
    assert_eq!(bench.post_form(&finance, &path, &[]).0, 303);
    assert!(page(bench, &finance).contains(NOTHING));
    assert_eq!((shop.audited("refund.wanted"), shop.audited("refund.done")), (3, 1));
}

#[test]
fn p15_what_alipay_never_sends_back_is_given_back_otherwise_by_two_people() {
    let shop = Shop::new();
    let bench = &shop.bench;
    let finance = bench.operator("finance", &[Role::Finance]);
    let head = bench.operator("head", &[Role::Administrator]);
    let number = shop.order();
    let notice = shop.pay_untold(&shop.begin(&number).out_trade_no);
    shop.tell(&notice);
    shop.double.next([CallFault::Refuse("ACQ.TRADE_HAS_FINISHED".to_owned())]);
    assert_eq!(shop.refund(&number).unwrap().state, RefundState::Stuck);
    let request = format!("{number}_1R");
    let path = format!("/attention/refunds/{number}");
    let say = |cookie: &str, what: &str, reference: &str| {
        let form = [("request", request.as_str()), ("what", what), ("reference", reference)];
        bench.post_form(cookie, &path, &form).0
    };
    assert_eq!(say(&head, "confirm", ""), 409, "nobody says that it was given back");
    for reference in ["", " ", "-", "凭证 17", &"1".repeat(65)] {
        assert_eq!(say(&finance, "tell", reference), 422, "{reference:?}");
    }
    assert_eq!(say(&finance, "tell", "CMB-2026112600017"), 303);
    assert_eq!(say(&head, "tell", "CMB-2026112600018"), 409, "somebody said so before");
    let (own, others) = (page(bench, &finance), page(bench, &head));
    assert!(own.contains("等待另一位财务或管理员确认") && !own.contains("确认已退回"), "{own}");
    assert!(others.contains("CMB-2026112600017") && others.contains("确认已退回"), "{others}");

    // Nothing goes back twice: while it is said Alipay is not asked, and what is withdrawn may be asked for again.
    assert_eq!(bench.post_form(&head, &format!("/attention/payments/{number}"), &[]).0, 409);
    assert_eq!(shop.refund(&number).unwrap().state, RefundState::Stuck);
    assert_eq!((say(&finance, "confirm", "CMB-2026112600017"), say(&head, "withdraw", "")), (403, 303));
    assert!(page(bench, &head).contains("退回款项"));
    assert_eq!(say(&finance, "tell", "CMB-2026112600019"), 303);
    assert_eq!(say(&head, "confirm", "CMB-2026112600017"), 409, "that is not what stands there now");
    assert_eq!(say(&head, "confirm", "CMB-2026112600019"), 303);
    assert_eq!(
        (say(&head, "confirm", "CMB-2026112600019"), say(&head, "withdraw", "")),
        (409, 409),
        "it is done"
    );
    assert!(page(bench, &head).contains(NOTHING));
    assert_eq!(shop.payment(&number).state, PaymentState::Refunded);
    assert!(shop.double.trades()[0].refunds.is_empty());
    assert!(bench.get(&finance, &format!("/orders/{number}")).1.contains("已转账退回"));
    let told = ["refund.told", "refund.untold", "refund.done"].map(|what| shop.audited(what));
    assert_eq!(told, [2, 1, 1]);

    // The day's bill knows nothing of it, and must not.
    assert_eq!(shop.reconcile().differences, []);
    let twice = Refund {
        out_request_no: request.clone(),
        fen: 30_000,
        at_ms: shop.double.trades()[0].paid_ms.unwrap(),
    };
    assert!(shop.double.change(&format!("{number}_1"), |trade| trade.refunds.push(twice)));
    assert_eq!(shop.reconcile().differences, [Difference::TwiceBack(request, Fen(30_000))]);
}

#[test]
fn what_alipay_sent_back_without_a_word_is_not_given_back_otherwise() {
    let shop = Shop::new();
    let bench = &shop.bench;
    let finance = bench.operator("finance", &[Role::Finance]);
    let head = bench.operator("head", &[Role::Administrator]);
    let stuck = |faults: Vec<CallFault>| {
        let number = shop.order();
        let notice = shop.pay_untold(&shop.begin(&number).out_trade_no);
        shop.tell(&notice);
        shop.double.next(faults);
        shop.refund(&number).unwrap();
        let sql = sqlx::query("update refunds set state = 'stuck' where state <> 'done'");
        bench.runtime.block_on(sql.execute(&bench.state.db)).unwrap();
        number
    };
    let say = |cookie: &str, number: &model::OrderNumber, what: &str| {
        let request = format!("{number}_1R");
        let form = [("request", request.as_str()), ("what", what), ("reference", "CMB-1")];
        bench.post_form(cookie, &format!("/attention/refunds/{number}"), &form).0
    };
    let number = stuck(vec![CallFault::LoseReply]);
    assert!(page(bench, &finance).contains("一直没有答复"));
    shop.double.next([CallFault::Busy]);
    assert_eq!(say(&finance, &number, "tell"), 409, "Alipay does not say");
    assert_eq!(say(&finance, &number, "tell"), 409, "Alipay has sent it");
    assert_eq!(shop.payment(&number).state, PaymentState::Refunded);
    assert_eq!((shop.audited("refund.told"), shop.audited("refund.done")), (0, 1));

    // Also between the first person and the second.
    let number = stuck(vec![CallFault::Refuse("ACQ.TRADE_HAS_FINISHED".to_owned())]);
    assert_eq!(say(&finance, &number, "tell"), 303);
    let (trade, request) = (format!("{number}_1"), format!("{number}_1R"));
    let back =
        Refund { out_request_no: request, fen: 30_000, at_ms: shop.double.trades()[1].paid_ms.unwrap() };
    assert!(shop.double.change(&trade, |trade| trade.refunds.push(back)));
    assert_eq!(say(&head, &number, "confirm"), 409);
    assert_eq!(shop.payment(&number).state, PaymentState::Refunded);
    assert_eq!(shop.reconcile().differences, []);
}

#[test]
fn invoices_that_wait_for_the_tax_log_in_or_failed_and_mails_that_were_not_taken_are_shown() {
    let office = Office::new();
    let bench = &office.bench;
    let finance = bench.operator("finance", &[Role::Finance]);
    office.provider.control(Control { needs_login: Some(true), ..Control::default() });
    let number = office.completed(&paid_order(1));
    office.turns(5, 10 * MINUTE_MS);
    let told = page(bench, &finance);
    assert!(told.contains("登录电子税务局") && told.contains(&number.to_string()), "{told}");
    office.provider.control(Control { needs_login: Some(false), ..Control::default() });
    office.turns(3, 10 * MINUTE_MS);
    assert!(page(bench, &finance).contains(NOTHING));

    office.provider.control(Control { fail: vec!["购方税号有误".to_owned()], ..Control::default() });
    let failed = office.completed(&paid_order(1));
    office.turns(4, MINUTE_MS);
    assert_eq!(office.state(&failed), InvoiceState::Failed);
    let told = page(bench, &finance);
    assert!(told.contains("开具失败：购方税号有误") && told.contains("重新开具"), "{told}");

    std::fs::write(office.folder.path().join("broken"), "").unwrap();
    let mailed = office.completed(&legal_order("unit-first", 1, 1));
    office.turns(40, 61 * MINUTE_MS);
    let finance = bench.log_in_as("finance", "").unwrap();
    let told = page(bench, &finance);
    assert!(told.contains("14 天内未发出的邮件") && told.contains(&mailed.to_string()), "{told}");
    bench.now_ms.fetch_add(14 * 24 * 60 * MINUTE_MS, Ordering::SeqCst);
    let finance = bench.log_in_as("finance", "").unwrap();
    assert!(!page(bench, &finance).contains(&mailed.to_string()), "what is old is no work");
    let reviewer = bench.operator("reviewer", &[Role::Reviewer]);
    assert!(page(bench, &reviewer).contains(NOTHING));
}

#[test]
fn an_sms_that_was_given_up_is_shown_while_its_news_holds() {
    let desk = Desk::new();
    let bench = &desk.bench;
    let reviewer = bench.operator("reviewer", &[Role::Reviewer]);
    desk.faults(&["refuse_isv.MOBILE_NUMBER_ILLEGAL"]);
    let number = desk.approved();
    desk.turns(3, 1_000);
    assert_eq!(desk.states(&number), [MessageState::Failed]);
    let told = page(bench, &reviewer);
    assert!(told.contains(&number.to_string()) && told.contains("电话告知客户"), "{told}");
    assert!(!told.contains("13800000001"), "the mobile is on the order's page, for a reason: {told}");
    let finance = bench.operator("finance", &[Role::Finance]);
    assert!(page(bench, &finance).contains(NOTHING));

    let becomes = |to: OrderState| {
        bench.runtime.block_on(async {
            let mut tx = begin_write(&bench.state.db).await.unwrap();
            let now = bench.state.clock.now_ms();
            change_state(&mut tx, &number, to, &Actor::System, "", now).await.unwrap();
            tx.commit().await.unwrap();
        });
    };
    becomes(OrderState::AwaitingDelivery);
    assert!(page(bench, &reviewer).contains(NOTHING), "the keys are made: that news is old");
    let shipped = sqlx::query("update messages set kind = 'shipped'");
    bench.runtime.block_on(shipped.execute(&bench.state.db)).unwrap();
    assert!(page(bench, &reviewer).contains("已发货"), "that the parcel is on its way is not known");
    becomes(OrderState::Completed);
    assert!(page(bench, &reviewer).contains(NOTHING), "whoever has the parcel knows");
}

#[test]
fn what_a_platform_was_not_told_is_shown_cut_off_and_sent_again_by_an_administrator() {
    let (bench, other, _) = platform::bench();
    let administrator = bench.operator("admin", &[Role::Administrator]);
    let number = bench.place("", &paid_order(1));
    for _ in 0..101 {
        bench.place("", &paid_order(1));
    }
    let dead = "update webhook_events set delivery = 'dead', error = 'HTTP 503', tries = 24";
    bench.runtime.block_on(sqlx::query(dead).execute(&bench.state.db)).unwrap();
    let told = page(&bench, &administrator);
    assert_eq!(told.matches("HTTP 503").count(), 100);
    for part in ["<b>100+</b>", "仅显示前 100 条", "<button>全部重发"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!told.contains("href=\"/orders/"), "an administrator does not read orders: {told}");
    let auditor = bench.operator("auditor", &[Role::Auditor]);
    let told = page(&bench, &auditor);
    assert!(told.contains("href=\"/orders/") && !told.contains("<button>全部重发"), "{told}");
    assert_eq!(bench.post_form(&auditor, "/attention/webhooks", &[]).0, 403);

    assert_eq!(bench.post_form(&administrator, "/attention/webhooks", &[]).0, 303);
    assert!(page(&bench, &administrator).contains(NOTHING));
    assert_eq!(platform::depths(&bench), (102, 0));
    platform::turn(&bench);
    assert!(other.taken().iter().any(|event| event["order"] == number) || other.taken().len() == 16);
    let who = "select who from audit where what = 'webhook.revived'";
    let who: String = bench.runtime.block_on(sqlx::query_scalar(who).fetch_one(&bench.state.db)).unwrap();
    assert_eq!(who, "operator:admin");
    assert!(bench.runtime.block_on(webhooks::dead(&bench.state.db, 9)).unwrap().is_empty());
}
