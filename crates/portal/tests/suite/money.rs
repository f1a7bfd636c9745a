//! Money that came twice, otherwise, wrongly or not any more: it goes back once, and its order does not go on without it.

use alipay::AlipayError;
use futures_util::future::join_all;
use model::{Fen, OrderNumber};
use portal::{
    db::Sql,
    operators::Role,
    orders::{self, Actor, OrderError},
    payments::{self, Difference, PaymentError, PaymentState, RefundState},
    refunds,
};
use sandbox::alipay::{CallFault, TradeState};
use serde_json::json;

use crate::{
    bench::{OPERATOR, free_order},
    payments::{Shop, until},
};

impl Shop {
    /// Finance records that an order was paid by a transfer.
    fn paid_by_hand(&self, number: &OrderNumber) {
        let by_hand = json!({ "method": "alipay", "paid_fen": 30_000, "reference": "BANK-1" });
        let path = format!("/api/orders/{number}/payment");
        assert_eq!(self.bench.post(&self.cookie, &path, &by_hand).0, 200);
    }

    /// An order that was paid by its code.
    fn paid(&self) -> OrderNumber {
        let number = self.order();
        let notice = self.pay_untold(&self.begin(&number).out_trade_no);
        assert_eq!(self.tell(&notice), "success");
        number
    }

    fn cancel(&self, number: &OrderNumber, actor: &Actor) -> Result<(), PaymentError> {
        self.run(orders::cancel(&self.bench.state, number, actor))
    }

    fn ask(&self, number: &OrderNumber) {
        let wang = Actor::Operator("wang".to_owned());
        self.run(refunds::ask(&self.bench.state, number, "客户要求", &wang)).unwrap();
    }

    fn decide(&self, number: &OrderNumber, approve: bool) -> Result<(), OrderError> {
        self.run(refunds::decide(&self.bench.state, number, approve, OPERATOR))
    }

    fn request(&self, number: &OrderNumber) -> Option<(String, String)> {
        let found = self.run(refunds::of_order(&self.bench.state.db, number)).unwrap();
        found.map(|request| (request.asked_by, request.state))
    }

    fn waiting(&self) -> usize {
        self.run(refunds::waiting(&self.bench.state.db)).unwrap().len()
    }

    fn execute(&self, sql: &'static str) {
        self.run(sqlx::query::<Sql>(sql).execute(&self.bench.state.db)).unwrap();
    }

    /// What Alipay tells when all of a trade was sent back in its console.
    fn closed_notice(&self, out_trade_no: &str) -> String {
        let told = self.double.notice(out_trade_no, sandbox::alipay::NoticeFault::None).unwrap();
        let mut fields: Vec<(String, String)> = form_urlencoded::parse(told.as_bytes())
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .filter(|(name, _)| name != "sign" && name != "sign_type")
            .collect();
        fields.iter_mut().filter(|(name, _)| name == "trade_status").for_each(|field| {
            field.1 = "TRADE_CLOSED".to_owned();
        });
        fields.sort();
        let content: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        fields.push(("sign".to_owned(), self.double.sign(&content.join("&"))));
        fields.push(("sign_type".to_owned(), "RSA2".to_owned()));
        form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
    }
}

#[test]
fn an_order_paid_by_hand_is_refunded_by_hand_although_its_code_brought_surplus() {
    let shop = Shop::new();
    let (cancelled, approved) = (shop.order(), shop.order());
    for number in [&cancelled, &approved] {
        let offer = shop.begin(number).out_trade_no;
        shop.paid_by_hand(number);
        let notice = shop.pay_untold(&offer);
        assert_eq!(shop.tell(&notice), "success");
    }
    shop.turn();
    let back = |shop: &Shop| shop.double.trades().iter().map(|trade| trade.refunds.len()).collect::<Vec<_>>();
    assert_eq!(back(&shop), [1, 1], "the surplus went back");
    assert!(matches!(shop.refund(&cancelled), Err(PaymentError::NothingToRefund)));

    shop.cancel(&cancelled, &Actor::Customer).unwrap();
    shop.cancel(&cancelled, &Actor::Customer).unwrap();
    assert_eq!(shop.request(&cancelled), Some(("(customer)".to_owned(), "asked".to_owned())));
    shop.ask(&approved);
    for number in [&cancelled, &approved] {
        assert_eq!(shop.state(number), "awaiting_review");
        shop.decide(number, true).unwrap();
        assert_eq!(shop.state(number), "refunded");
    }
    shop.pass(600);
    shop.turn();
    assert_eq!((back(&shop), shop.waiting()), (vec![1, 1], 0));
}

#[test]
fn money_of_a_wrong_amount_goes_back_with_the_order_that_was_paid_by_hand() {
    let shop = Shop::new();
    let number = shop.order();
    shop.pay(&shop.begin(&number).out_trade_no, "lie_amount");
    until("told", || shop.payment(&number).state == PaymentState::Paid);
    shop.paid_by_hand(&number);
    shop.cancel(&number, &Actor::Customer).unwrap();
    assert_eq!((shop.state(&number).as_str(), shop.waiting()), ("awaiting_review", 1));
    shop.decide(&number, true).unwrap();
    assert_eq!(shop.state(&number), "refunded");
    assert_eq!(shop.double.trades()[0].refunded(), 29_999);
    assert_eq!(shop.run(payments::trouble_count(&shop.bench.state.db)).unwrap(), 0);

    // After it went back, what was paid by hand is still there to be refunded.
    let number = shop.order();
    shop.pay(&shop.begin(&number).out_trade_no, "lie_amount");
    until("told", || shop.payment(&number).state == PaymentState::Paid);
    assert_eq!(shop.refund(&number).unwrap().state, RefundState::Done);
    shop.paid_by_hand(&number);
    assert!(matches!(shop.refund(&number), Err(PaymentError::NothingToRefund)));
    shop.ask(&number);
    shop.decide(&number, true).unwrap();
    assert_eq!(shop.state(&number), "refunded");
}

#[test]
fn a_refund_that_waits_when_its_customer_cancels_waits_no_more() {
    let shop = Shop::new();
    let number = shop.paid();
    shop.ask(&number);
    assert_eq!(shop.waiting(), 1);
    shop.cancel(&number, &Actor::Customer).unwrap();
    assert_eq!((shop.state(&number).as_str(), shop.waiting()), ("refunded", 0));
    let page = shop.bench.get(&shop.cookie, &format!("/orders/{number}")).1;
    assert!(!page.contains("refund/decision") && !page.contains("等待另一位财务"), "{page}");
    assert_eq!(shop.double.trades()[0].refunds.len(), 1);

    // What was approved is not declined any more, and says so.
    let number = shop.paid();
    shop.ask(&number);
    shop.decide(&number, true).unwrap();
    assert!(matches!(shop.decide(&number, false), Err(OrderError::NoRefund(_))));
    assert_eq!(shop.audited("refund.declined"), 0);
}

#[test]
fn no_money_goes_back_while_a_station_has_the_jobs_and_the_request_stays() {
    let shop = Shop::new();
    let (number, by_hand) = (shop.paid(), shop.order());
    shop.paid_by_hand(&by_hand);
    for number in [&number, &by_hand] {
        let path = format!("/api/orders/{number}/approve");
        assert_eq!(shop.bench.post(&shop.cookie, &path, &json!({})).0, 200);
        shop.ask(number);
    }
    shop.execute("update jobs set state = 'leased', station = 'bench-1', leased_until = 0");
    let refused = shop.refund(&number);
    assert!(matches!(refused, Err(PaymentError::Order(OrderError::NoRefund(_)))), "{refused:?}");
    for number in [&number, &by_hand] {
        assert!(matches!(shop.decide(number, true), Err(OrderError::NoRefund(_))));
        assert_eq!(shop.state(number), "awaiting_production");
        assert_eq!(shop.request(number).unwrap().1, "asked", "nothing was approved");
    }
    assert!(shop.run(payments::refund_of(&shop.bench.state, &number)).unwrap().is_none());
    shop.decide(&by_hand, false).unwrap();
    assert_eq!(shop.request(&by_hand).unwrap().1, "declined", "declining waits for no station");
}

#[test]
fn p15_no_operator_alone_cancels_what_was_paid() {
    let shop = Shop::new();
    let (paid, by_hand) = (shop.paid(), shop.order());
    shop.paid_by_hand(&by_hand);
    let alone = Actor::Operator(OPERATOR.to_owned());
    for number in [&paid, &by_hand] {
        let refused = shop.cancel(number, &alone);
        assert!(matches!(refused, Err(PaymentError::Order(OrderError::NotCancellable(..)))), "{refused:?}");
        assert_eq!((shop.state(number).as_str(), shop.request(number)), ("awaiting_review", None));
    }
    let unpaid = shop.order();
    shop.cancel(&unpaid, &alone).unwrap();
    assert_eq!(shop.state(&unpaid), "cancelled");
}

#[test]
fn what_was_paid_by_no_service_is_transferred_and_that_is_written_down() {
    let shop = Shop::new();
    let bench = &shop.bench;
    let finance = bench.operator("finance", &[Role::Finance]);
    let (by_hand, taken_back) = (shop.order(), shop.paid());
    shop.paid_by_hand(&by_hand);
    let closed = shop.closed_notice(&shop.payment(&taken_back).out_trade_no);
    assert_eq!(shop.tell(&closed), "success");
    for number in [&by_hand, &taken_back] {
        shop.ask(number);
        shop.decide(number, true).unwrap();
        assert_eq!(shop.state(number), "refunded");
    }
    let attention = || bench.get(&finance, "/attention").1;
    let page = attention();
    assert!(
        page.contains("待转账的退款") && page.contains(by_hand.as_str()) && page.contains("¥ 300.00"),
        "{page}"
    );
    assert!(page.contains(taken_back.as_str()) && page.contains("客户另行付款的才需转账"), "{page}");
    assert_eq!(page.matches("无需转账").count(), 1, "{page}");
    assert!(bench.get(&finance, &format!("/orders/{by_hand}")).1.contains("待财务转账退回"));
    let path = format!("/attention/transfers/{by_hand}");
    let write = |path: &str, reference: &str| bench.post_form(&finance, path, &[("reference", reference)]).0;
    assert_eq!((write(&path, "转 1"), write(&path, "-")), (422, 409));
    assert_eq!(write(&path, "CMB-1"), 303);
    assert_eq!(write(&path, "CMB-2"), 409, "once");
    assert_eq!(write(&format!("/attention/transfers/{taken_back}"), "-"), 303);
    assert!(bench.get(&finance, &format!("/orders/{taken_back}")).1.contains("无需转账"));
    assert!(!attention().contains("待转账的退款"));
    let page = bench.get(&finance, &format!("/orders/{by_hand}")).1;
    assert!(page.contains("已转账退回") && page.contains("CMB-1"), "{page}");
    assert_eq!(shop.run(refunds::to_transfer_count(&bench.state.db)).unwrap(), 0);
}

#[test]
fn an_order_whose_money_is_asked_back_is_not_approved_until_that_is_declined() {
    let shop = Shop::new();
    let number = shop.paid();
    shop.ask(&number);
    let (page, approve) = (format!("/review/{number}"), format!("/api/orders/{number}/approve"));
    assert_eq!(shop.bench.post(&shop.cookie, &approve, &json!({})).0, 409);
    assert_eq!(shop.state(&number), "awaiting_review");
    assert!(
        shop.bench.get(&shop.cookie, "/review").1.contains("等待退款决定"),
        "the queue gives it to nobody"
    );
    let seen = shop.bench.get(&shop.cookie, &page).1;
    assert!(seen.contains("退款申请") && seen.contains("请财务先批准或拒绝"), "{seen}");

    shop.decide(&number, false).unwrap();
    assert!(!shop.bench.get(&shop.cookie, &page).1.contains("退款申请"));
    assert_eq!(shop.bench.post(&shop.cookie, &approve, &json!({})).0, 200);
}

#[test]
fn the_portal_does_not_cancel_an_order_whose_customer_came_back() {
    let shop = Shop::new();
    let (paid, by_hand) = (shop.paid(), shop.order());
    shop.paid_by_hand(&by_hand);
    let free: OrderNumber = shop.bench.place(&shop.cookie, &free_order()).parse().unwrap();
    for number in [&paid, &by_hand, &free] {
        let refused = shop.cancel(number, &Actor::System);
        assert!(matches!(refused, Err(PaymentError::Order(OrderError::NotCancellable(..)))), "{refused:?}");
        assert_eq!((shop.state(number).as_str(), shop.request(number)), ("awaiting_review", None));
    }
    let refund = payments::refund(&shop.bench.state, &paid, &Actor::System, "逾期");
    assert!(shop.run(refund).is_err(), "also when it came back a moment ago");
    assert_eq!(shop.double.trades()[0].refunds.len(), 0);
}

#[test]
fn money_sent_back_in_alipays_console_is_put_before_a_person() {
    let shop = Shop::new();
    let (number, bench) = (shop.paid(), &shop.bench);
    let trade = shop.payment(&number).out_trade_no;
    assert!(shop.double.change(&trade, |trade| trade.state = TradeState::Closed));
    let notice = shop.closed_notice(&trade);
    for _ in 0..2 {
        assert_eq!(shop.tell(&notice), "success");
    }
    assert_eq!(shop.audited("payment.taken_back"), 1);
    assert_eq!(shop.run(payments::trouble_count(&bench.state.db)).unwrap(), 1);
    let finance = bench.operator("finance", &[Role::Finance]);
    let page = bench.get(&finance, "/attention").1;
    for part in ["支付宝后台", "300.00", number.as_str()] {
        assert!(page.contains(part), "{part}: {page}");
    }

    // Nothing is left to send: two people end the order.
    shop.cancel(&number, &Actor::Customer).unwrap();
    assert_eq!(shop.state(&number), "awaiting_review");
    shop.decide(&number, true).unwrap();
    assert_eq!(shop.state(&number), "refunded");
    assert!(shop.double.trades()[0].refunds.is_empty());
    // Finance looks whether the customer paid otherwise since.
    assert!(bench.get(&finance, "/attention").1.contains("无需转账"));
    let looked = bench.post_form(&finance, &format!("/attention/transfers/{number}"), &[("reference", "-")]);
    assert_eq!(looked.0, 303);
    assert!(bench.get(&finance, "/attention").1.contains("没有待处理的事项"));

    // Money of a wrong amount that went back so is settled: the order can be paid.
    let number = shop.order();
    let trade = shop.begin(&number).out_trade_no;
    shop.pay(&trade, "lie_amount");
    until("told", || shop.payment(&number).state == PaymentState::Paid);
    assert_eq!(shop.tell(&shop.closed_notice(&trade)), "success");
    assert_eq!(shop.run(payments::trouble_count(&bench.state.db)).unwrap(), 0);
    assert_ne!(shop.begin(&number).out_trade_no, trade);

    // A refund of ours closes its trade as well, and is none of this.
    let number = shop.paid();
    assert_eq!(shop.refund(&number).unwrap().state, RefundState::Done);
    assert_eq!(shop.tell(&shop.closed_notice(&shop.payment(&number).out_trade_no)), "success");
    assert_eq!(shop.audited("payment.taken_back"), 2);
}

#[test]
fn a_closed_code_that_was_paid_untold_is_asked_about_after_its_end() {
    let shop = Shop::new();
    let number = shop.order();
    let trade = shop.begin(&number).out_trade_no;
    // Nobody had scanned it: Alipay knows of no trade to close.
    shop.cancel(&number, &Actor::Customer).unwrap();
    assert_eq!(shop.payment(&number).state, PaymentState::Closed);
    assert!(shop.double.pay_untold(&trade));
    shop.pass(14);
    shop.turn();
    assert_eq!(shop.payment(&number).state, PaymentState::Closed, "its end is not past");
    shop.pass(12);
    shop.double.next([CallFault::Busy]);
    shop.turn();
    assert_eq!(shop.payment(&number).state, PaymentState::Closed, "Alipay did not say");
    shop.pass(1);
    shop.turn();
    assert_eq!(shop.double.trades()[0].refunded(), 30_000);
    assert_eq!(shop.state(&number), "cancelled");

    // Once: what came to nothing is not asked about for ever.
    let number = shop.order();
    shop.begin(&number);
    shop.cancel(&number, &Actor::Customer).unwrap();
    shop.pass(60);
    shop.turn();
    let due = sqlx::query_scalar::<Sql, i64>(
        "select count(*) from payments where state = 'closed' and next_ms < $1",
    );
    let due = due.bind(shop.bench.state.clock.now_ms() + 400 * 86_400_000);
    assert_eq!(shop.run(due.fetch_one(&shop.bench.state.db)).unwrap(), 0);
}

#[test]
fn a_refund_that_was_done_is_not_stuck_because_a_later_try_is_refused() {
    let shop = Shop::new();
    let number = shop.paid();
    shop.double.next([CallFault::LoseReply]);
    assert_eq!(shop.refund(&number).unwrap().state, RefundState::Wanted);
    shop.double.next([CallFault::Refuse("ACQ.TRADE_HAS_FINISHED".to_owned())]);
    shop.pass(1);
    shop.run(payments::refund_turn(&shop.bench.state)).unwrap();
    let refund = shop.run(payments::refund_of(&shop.bench.state, &number)).unwrap().unwrap();
    assert_eq!((refund.state, shop.audited("refund.stuck")), (RefundState::Done, 0));
}

#[test]
fn an_alipay_that_hangs_holds_eight_calls_and_no_more() {
    let shop = Shop::new();
    let numbers: Vec<OrderNumber> = (0..12).map(|_| shop.order()).collect();
    shop.double.next(vec![CallFault::Timeout; 12]);
    let answers = shop.run(join_all(numbers.iter().map(|number| payments::begin(&shop.bench.state, number))));
    let refused = answers.iter().filter(|answer| match answer {
        Err(PaymentError::Alipay(AlipayError::Later(cause))) => cause.contains("too many"),
        Err(PaymentError::Alipay(AlipayError::InDoubt(_))) => false,
        other => panic!("{other:?}"),
    });
    assert_eq!(refused.count(), 4);
}

#[test]
fn the_days_bill_gives_no_false_alarm_and_says_what_it_could_not_compare() {
    let shop = Shop::new();
    let (edge, lost) = (shop.paid(), shop.paid());
    for number in [&edge, &lost] {
        assert_eq!(shop.refund(number).unwrap().state, RefundState::Done);
    }
    let today = shop.double.trades()[0].paid_ms.unwrap();
    // Done here in the portal's day, which the double's is not.
    let done = sqlx::query::<Sql>("update refunds set done_ms = $1").bind(today);
    shop.run(done.execute(&shop.bench.state.db)).unwrap();
    assert!(shop.reconcile().differences.is_empty());
    let of = |number: &OrderNumber| format!("{number}_1");
    assert!(shop.double.change(&of(&edge), |trade| trade.refunds[0].at_ms -= 86_400_000));
    assert!(shop.reconcile().differences.is_empty(), "it stands in the bill of the day before");
    assert!(shop.double.change(&of(&lost), |trade| trade.refunds.clear()));
    let missing = Difference::MissingRefund(format!("{}R", of(&lost)), Fen(30_000));
    assert_eq!(shop.reconcile().differences, std::slice::from_ref(&missing));

    // One question in vain costs no other difference.
    let unrecorded = shop.order();
    assert!(shop.double.pay_untold(&shop.begin(&unrecorded).out_trade_no));
    shop.double.next([CallFault::None, CallFault::Busy]);
    let found = shop.reconcile().differences;
    assert!(matches!(&found[0], Difference::Unasked(number, ..) if *number == of(&unrecorded)), "{found:?}");
    assert!(found.contains(&missing), "{found:?}");
}

#[test]
fn a_day_without_a_bill_had_no_trades_or_is_not_ready() {
    let shop = Shop::new();
    shop.paid();
    let bill = |day| {
        shop.double.next([CallFault::Refuse("isp.bill_not_exist".to_owned())]);
        shop.run(payments::reconcile(&shop.bench.state, day))
    };
    let day = shop.day();
    assert!(matches!(bill(day), Err(PaymentError::NoBill { known: 1, .. })));
    let empty = bill(day.yesterday().unwrap()).unwrap();
    assert_eq!((empty.lines, empty.differences.len()), (0, 0));
}
