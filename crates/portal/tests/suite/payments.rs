//! Payments against Alipay's double, which signs, tells, and misbehaves on command.

use std::{
    future::Future,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use crate::bench::{Bench, OPERATOR, paid_order};
use alipay::{AppKey, Client, Offer, PublicKey, Settings};
use jiff::tz::TimeZone;
use model::{Fen, OrderNumber, Secret};
use portal::{
    orders::Actor,
    outside::{ALIPAY_NOTIFY_PATH, Outside},
    payments::{
        self, Answer, Difference, Outcome, Payment, PaymentError, PaymentState, Reconciliation, RefundState,
    },
};
use sandbox::alipay::{APP_ID, CallFault, Handle, Keys, NoticeFault, Options, Refund, SELLER_ID, TradeState};
use serde_json::{Value, json};
use sqlx::Row as _;

const DUE: Fen = Fen(30_000);

pub(crate) struct Shop {
    pub(crate) bench: Bench,
    pub(crate) cookie: String,
    pub(crate) double: Handle,
    _keys: tempfile::TempDir,
}

impl Shop {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let keys = Keys::make(dir.path()).unwrap();
        let pause = Duration::from_millis(200);
        let double = sandbox::alipay::spawn(Options { notify_pause: pause, ..Options::new(&keys) }).unwrap();
        let client = |url: &str| {
            let settings = Settings {
                endpoint: double.endpoint(),
                app_id: APP_ID.to_owned(),
                seller_id: SELLER_ID.to_owned(),
                app_key: AppKey::read(&Secret::new(std::fs::read(&keys.app_private).unwrap())).unwrap(),
                alipay_key: PublicKey::read(&std::fs::read_to_string(&keys.alipay_public).unwrap()).unwrap(),
                notify_url: format!("{url}{ALIPAY_NOTIFY_PATH}"),
                timeout: Duration::from_secs(10),
            };
            Outside::default().with_alipay(Client::new(settings).unwrap())
        };
        let bench = Bench::with_outside(client);
        let cookie = bench.log_in();
        Self { bench, cookie, double, _keys: dir }
    }

    pub(crate) fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.bench.runtime.block_on(future)
    }

    /// An order that waits for its payment.
    pub(crate) fn order(&self) -> OrderNumber {
        let mut order = paid_order(1);
        order.as_object_mut().unwrap().remove("payment");
        let number = self.bench.place(&self.cookie, &order);
        assert_eq!(self.show(&number)["state"], "awaiting_payment");
        number.parse().unwrap()
    }

    pub(crate) fn show(&self, number: impl std::fmt::Display) -> Value {
        self.bench.get_json(&self.cookie, &format!("/api/orders/{number}"))
    }

    pub(crate) fn state(&self, number: &OrderNumber) -> String {
        self.show(number)["state"].as_str().unwrap().to_owned()
    }

    pub(crate) fn begin(&self, number: &OrderNumber) -> Payment {
        self.run(payments::begin(&self.bench.state, number)).unwrap()
    }

    pub(crate) fn payment(&self, number: &OrderNumber) -> Payment {
        self.run(payments::of_order(&self.bench.state, number)).unwrap().unwrap()
    }

    pub(crate) fn turn(&self) {
        self.run(payments::turn(&self.bench.state)).unwrap();
        self.run(payments::refund_turn(&self.bench.state)).unwrap();
    }

    pub(crate) fn pass(&self, minutes: i64) {
        self.bench.now_ms.fetch_add(minutes * 60_000, Ordering::SeqCst);
    }

    /// The buyer pays; the double tells the portal over HTTP.
    pub(crate) fn pay(&self, out_trade_no: &str, notice: &str) {
        let control = format!("{}/alipay/control", self.double.url());
        let body = json!({ "notice": [notice], "pay": out_trade_no });
        let answer = self.bench.agent().post(control).send_json(&body).unwrap();
        assert_eq!(answer.status(), 204);
    }

    /// The buyer pays and nobody is told; gives the notice that would have come.
    pub(crate) fn pay_untold(&self, out_trade_no: &str) -> String {
        assert!(self.double.pay_untold(out_trade_no));
        self.double.notice(out_trade_no, NoticeFault::None).unwrap()
    }

    /// Sends a notice as a server does.
    pub(crate) fn tell(&self, body: &str) -> String {
        let url = format!("{}{ALIPAY_NOTIFY_PATH}", self.bench.url);
        let request = self.bench.agent().post(url).content_type("application/x-www-form-urlencoded");
        request.send(body).unwrap().body_mut().read_to_string().unwrap()
    }

    pub(crate) fn refund(&self, number: &OrderNumber) -> Result<payments::Refund, PaymentError> {
        let actor = Actor::Operator(OPERATOR.to_owned());
        self.run(payments::refund(&self.bench.state, number, &actor, "客户要求"))
    }

    /// How often the audit has this.
    pub(crate) fn audited(&self, what: &str) -> i64 {
        let query = sqlx::query("select count(*) as n from audit where what = $1").bind(what.to_owned());
        self.run(query.fetch_one(&self.bench.state.db)).unwrap().get("n")
    }

    /// The day (China's) on which the double's trades were paid.
    pub(crate) fn day(&self) -> jiff::civil::Date {
        let paid_ms = self.double.trades().iter().find_map(|trade| trade.paid_ms).unwrap();
        let paid = jiff::Timestamp::from_millisecond(paid_ms).unwrap();
        paid.to_zoned(TimeZone::fixed(jiff::tz::offset(8))).date()
    }

    pub(crate) fn reconcile(&self) -> Reconciliation {
        self.run(payments::reconcile(&self.bench.state, self.day())).unwrap()
    }
}

pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn steps(order: &Value) -> usize {
    order["history"].as_array().unwrap().len()
}

#[test]
fn s1_10_an_order_is_paid_by_its_code_and_goes_to_review() {
    let shop = Shop::new();
    let number = shop.order();
    let payment = shop.begin(&number);
    assert_eq!((payment.out_trade_no.as_str(), payment.amount), (format!("{number}_1").as_str(), DUE));
    let again = shop.begin(&number);
    assert_eq!((&again.out_trade_no, &again.qr_code), (&payment.out_trade_no, &payment.qr_code));
    let code = payment.qr_code.unwrap();
    assert!(portal::qr::png(&code).unwrap().starts_with(b"\x89PNG"));

    shop.pay(&payment.out_trade_no, "ok");
    until("paid", || shop.state(&number) == "awaiting_review");
    until("acknowledged", || shop.double.trades()[0].acknowledged);
    let trade = &shop.double.trades()[0];
    let order = shop.show(&number);
    assert_eq!(order["content"]["payment"]["reference"], trade.trade_no.as_str());
    assert_eq!(order["content"]["payment"]["paid_fen"], DUE.0);
    assert_eq!(shop.payment(&number).state, PaymentState::Paid);
    assert!(matches!(shop.run(payments::begin(&shop.bench.state, &number)), Err(PaymentError::Order(_))));
    assert_eq!((shop.audited("payment.offered"), shop.audited("payment.received")), (1, 1));
}

#[test]
fn s1_10_a_code_whose_answer_was_lost_is_asked_for_again_under_the_same_number() {
    let shop = Shop::new();
    let number = shop.order();
    for fault in [CallFault::Timeout, CallFault::LoseReply, CallFault::Busy, CallFault::Forged] {
        shop.double.next([fault]);
        assert!(matches!(
            shop.run(payments::begin(&shop.bench.state, &number)),
            Err(PaymentError::Alipay(_))
        ));
    }
    assert_eq!(shop.begin(&number).out_trade_no, format!("{number}_1"));
    assert_eq!(shop.double.trades().len(), 1);
}

#[test]
fn a_lost_notice_is_made_good_by_asking() {
    let shop = Shop::new();
    let number = shop.order();
    let payment = shop.begin(&number);
    shop.turn();
    assert_eq!(shop.state(&number), "awaiting_payment");
    shop.pay(&payment.out_trade_no, "lost");
    shop.pass(1);
    shop.double.next([CallFault::Timeout]);
    shop.turn();
    assert_eq!(shop.state(&number), "awaiting_payment", "Alipay did not answer");
    shop.pass(1);
    shop.turn();
    assert_eq!(shop.state(&number), "awaiting_review");
    assert_eq!(shop.double.trades()[0].notices, 0);
}

#[test]
fn a_notice_that_comes_again_does_nothing_again() {
    let shop = Shop::new();
    let number = shop.order();
    let notice = shop.pay_untold(&shop.begin(&number).out_trade_no);
    let before = steps(&shop.show(&number));
    for _ in 0..4 {
        assert_eq!(shop.tell(&notice), "success");
    }
    // Another notice of the same payment, too.
    shop.turn();
    assert_eq!(steps(&shop.show(&number)), before + 1);
    assert_eq!(shop.audited("payment.received"), 1);

    let (status, _) = shop.bench.post(&shop.cookie, &format!("/api/orders/{number}/approve"), &json!({}));
    assert_eq!(status, 200);
    assert_eq!(shop.tell(&notice), "success");
    assert_eq!(shop.state(&number), "awaiting_production", "an old notice moves no order");
}

#[test]
fn a_notice_that_alipay_did_not_sign_for_us_is_refused() {
    let shop = Shop::new();
    let number = shop.order();
    let payment = shop.begin(&number);
    let good = shop.pay_untold(&payment.out_trade_no);
    let of = |fault| shop.double.notice(&payment.out_trade_no, fault).unwrap();
    let refused = [
        of(NoticeFault::Unsigned),
        of(NoticeFault::Forged),
        of(NoticeFault::ForeignApp),
        of(NoticeFault::ForeignSeller),
        good.replace("300.00", "300.01"),
        good.replace(&format!("{number}_1"), &format!("{number}_2")),
        format!("{good}&total_amount=1.00"),
        String::new(),
        "trade_status=TRADE_SUCCESS".to_owned(),
    ];
    for notice in &refused {
        assert_eq!(shop.tell(notice), "failure", "{notice}");
    }
    assert_eq!(shop.state(&number), "awaiting_payment");
    assert_eq!((shop.payment(&number).state, shop.audited("payment.received")), (PaymentState::Open, 0));
    let url = format!("{}{ALIPAY_NOTIFY_PATH}", shop.bench.url);
    let huge = shop.bench.agent().post(&url).send(&vec![b'a'; 64 * 1024]).unwrap();
    assert_eq!(huge.status(), 413);
    assert_eq!(shop.tell(&good), "success", "and the right one still counts");
    assert_eq!(shop.state(&number), "awaiting_review");
}

#[test]
fn a_payment_that_is_not_known_here_is_not_acknowledged() {
    let shop = Shop::new();
    let offer = Offer {
        out_trade_no: "OTHER_1".to_owned(),
        subject: "x".to_owned(),
        amount: DUE,
        expires: jiff::Timestamp::now() + Duration::from_secs(900),
    };
    shop.bench.state.outside.alipay.as_ref().unwrap().client().precreate(&offer).unwrap();
    let notice = shop.pay_untold("OTHER_1");
    assert_eq!((shop.tell(&notice), shop.tell(&notice)), ("failure".to_owned(), "failure".to_owned()));
    assert!(shop.reconcile().differences.contains(&Difference::UnknownPayment("OTHER_1".to_owned(), DUE)));
}

#[test]
fn another_amount_than_due_pays_nothing_and_goes_back() {
    let shop = Shop::new();
    let number = shop.order();
    let payment = shop.begin(&number);
    shop.pay(&payment.out_trade_no, "lie_amount");
    until("told", || shop.payment(&number).state == PaymentState::Paid);
    assert_eq!(shop.state(&number), "awaiting_payment");
    assert!(shop.payment(&number).is_trouble);
    let troubles = shop.run(payments::troubles(&shop.bench.state, 9)).unwrap();
    assert_eq!((troubles.len(), &troubles[0].order, troubles[0].amount), (1, &number, Fen(29_999)));
    assert!(matches!(shop.run(payments::begin(&shop.bench.state, &number)), Err(PaymentError::Trouble)));

    assert_eq!(shop.refund(&number).unwrap().state, RefundState::Done);
    assert_eq!(shop.double.trades()[0].refunded(), 29_999);
    assert!(shop.run(payments::troubles(&shop.bench.state, 9)).unwrap().is_empty());
    assert_eq!(shop.state(&number), "awaiting_payment");
    let notice = shop.pay_untold(&shop.begin(&number).out_trade_no);
    assert_eq!(shop.tell(&notice), "success");
    assert_eq!(shop.state(&number), "awaiting_review");
}

#[test]
fn s3_7_a_payment_that_failed_leaves_the_order_to_be_paid_again() {
    let shop = Shop::new();
    let number = shop.order();
    let first = shop.begin(&number);
    shop.pass(16);
    assert_eq!(shop.payment(&number).page_url, None, "it ran out");
    shop.turn();
    assert_eq!(shop.payment(&number).state, PaymentState::Closed);
    assert_eq!(shop.state(&number), "awaiting_payment");
    let second = shop.begin(&number);
    assert_eq!(second.out_trade_no, format!("{number}_2"));
    shop.pay(&second.out_trade_no, "ok");
    until("paid", || shop.state(&number) == "awaiting_review");

    // The first code was photographed, and is paid as well.
    let notice = shop.pay_untold(&first.out_trade_no);
    assert_eq!((shop.tell(&notice), shop.tell(&notice)), ("success".to_owned(), "success".to_owned()));
    for _ in 0..3 {
        shop.turn();
        shop.pass(1);
    }
    let trades = shop.double.trades();
    assert_eq!(
        (trades[0].refunds.len(), trades[0].refunded()),
        (1, DUE.0),
        "money that came twice goes back once"
    );
    assert_eq!(trades[1].refunds.len(), 0);
    assert_eq!(shop.state(&number), "awaiting_review");
    assert_eq!(shop.payment(&number).out_trade_no, second.out_trade_no);
    assert_eq!((shop.audited("refund.wanted"), shop.audited("refund.done")), (1, 1));
}

#[test]
fn money_that_comes_late_pays_the_order_that_still_waits() {
    let shop = Shop::new();
    let number = shop.order();
    let first = shop.begin(&number);
    shop.pass(16);
    let second = shop.begin(&number);
    assert_eq!(second.out_trade_no, format!("{number}_2"));
    let notice = shop.pay_untold(&first.out_trade_no);
    assert_eq!(shop.tell(&notice), "success");
    assert_eq!(shop.state(&number), "awaiting_review");
    assert_eq!(shop.payment(&number).out_trade_no, first.out_trade_no);
    shop.turn();
    let open = sqlx::query("select out_trade_no from payments where state = 'open'");
    assert!(shop.run(open.fetch_all(&shop.bench.state.db)).unwrap().is_empty(), "the other offer is closed");
}

#[test]
fn an_order_paid_otherwise_needs_no_money_of_its_code() {
    let shop = Shop::new();
    let number = shop.order();
    let payment = shop.begin(&number);
    let by_hand = json!({ "method": "alipay", "paid_fen": DUE.0, "reference": "BANK-1" });
    let (status, answer) = shop.bench.post(&shop.cookie, &format!("/api/orders/{number}/payment"), &by_hand);
    assert_eq!(status, 200, "{answer}");
    shop.turn();
    assert_eq!(shop.payment(&number).state, PaymentState::Closed, "nobody wants it any more");
    shop.pay(&payment.out_trade_no, "ok");
    until("acknowledged", || shop.double.trades()[0].acknowledged);
    shop.turn();
    assert_eq!(shop.double.trades()[0].refunded(), DUE.0);
    assert_eq!(shop.state(&number), "awaiting_review");
}

#[test]
fn a_closed_offer_is_closed_at_alipay_unless_it_is_paid() {
    let shop = Shop::new();
    let (given_up, paid) = (shop.order(), shop.order());
    shop.begin(&given_up);
    let number = shop.begin(&paid).out_trade_no;
    assert!(shop.double.change(&format!("{given_up}_1"), |trade| trade.state = TradeState::Waiting));
    assert!(shop.double.pay_untold(&number));
    for order in [&given_up, &paid] {
        assert!(shop.run(payments::close(&shop.bench.state, order)).unwrap());
    }
    assert_eq!(shop.double.trades()[0].state, TradeState::Closed);
    assert_eq!(
        (shop.state(&given_up), shop.state(&paid)),
        ("awaiting_payment".into(), "awaiting_review".into())
    );
}

#[test]
fn a_refund_goes_once_although_asked_twice_and_answers_are_lost() {
    let shop = Shop::new();
    let number = shop.order();
    assert!(matches!(shop.refund(&number), Err(PaymentError::NothingToRefund)));
    let notice = shop.pay_untold(&shop.begin(&number).out_trade_no);
    assert_eq!(shop.tell(&notice), "success");
    // Carried out, and nobody knows.
    shop.double.next([CallFault::LoseReply, CallFault::Timeout, CallFault::NoFundChange, CallFault::Http500]);
    assert_eq!(shop.refund(&number).unwrap().state, RefundState::Wanted);
    assert_eq!(shop.state(&number), "refunded", "no key of it is made any more");
    assert_eq!(shop.refund(&number).unwrap().state, RefundState::Wanted);
    shop.pass(120);
    shop.turn();
    shop.pass(120);
    shop.turn();
    let refund = shop.run(payments::refund_of(&shop.bench.state, &number)).unwrap().unwrap();
    assert_eq!((refund.state, refund.amount), (RefundState::Done, DUE));
    assert_eq!(shop.double.trades()[0].refunds.len(), 1);
    assert_eq!(shop.refund(&number).unwrap().state, RefundState::Done);
    assert_eq!((shop.audited("refund.wanted"), shop.audited("refund.done")), (1, 1));
    assert_eq!(shop.payment(&number).state, PaymentState::Refunded);
    assert_eq!(shop.tell(&notice), "success", "and an old notice pays nothing");
    assert_eq!(shop.state(&number), "refunded");
}

#[test]
fn a_refund_that_alipay_refuses_waits_for_an_operator() {
    let shop = Shop::new();
    let number = shop.order();
    let notice = shop.pay_untold(&shop.begin(&number).out_trade_no);
    shop.tell(&notice);
    shop.double.next([CallFault::Refuse("ACQ.TRADE_NOT_ALLOW_REFUND".to_owned())]);
    let refund = shop.refund(&number).unwrap();
    assert_eq!((refund.state, refund.answer.as_str()), (RefundState::Stuck, "ACQ.TRADE_NOT_ALLOW_REFUND"));
    shop.pass(600);
    shop.turn();
    assert!(shop.double.trades()[0].refunds.is_empty(), "nobody asks again by himself");
    assert_eq!(shop.run(payments::troubles(&shop.bench.state, 9)).unwrap().len(), 1);
    assert_eq!(shop.refund(&number).unwrap().state, RefundState::Done);
    assert!(shop.run(payments::troubles(&shop.bench.state, 9)).unwrap().is_empty());
}

#[test]
fn the_days_bill_finds_each_planted_difference() {
    let shop = Shop::new();
    let paid = |_| {
        let number = shop.order();
        let notice = shop.pay_untold(&shop.begin(&number).out_trade_no);
        assert_eq!(shop.tell(&notice), "success");
        number
    };
    let [right, other, gone, back, sent_back, undone] = [0; 6].map(paid);
    assert_eq!(shop.refund(&sent_back).unwrap().state, RefundState::Done);
    shop.double.next([CallFault::LoseReply]);
    let undone = shop.refund(&undone).unwrap();
    assert_eq!(undone.state, RefundState::Wanted, "it went, and nobody here knows");
    let lost = shop.order();
    assert!(shop.double.pay_untold(&shop.begin(&lost).out_trade_no));
    let at = |number: &OrderNumber| format!("{number}_1");
    assert!(shop.double.change(&at(&other), |trade| trade.fen = 29_000));
    assert!(shop.double.change(&at(&gone), |trade| trade.paid_ms = None));
    let refund = Refund {
        out_request_no: "CONSOLE".to_owned(),
        fen: 1,
        at_ms: shop.double.trades()[0].paid_ms.unwrap(),
    };
    assert!(shop.double.change(&at(&back), |trade| trade.refunds.push(refund)));

    let found = shop.reconcile();
    assert_eq!(found.lines, 9);
    let planted = [
        Difference::PaymentAmount(at(&other), Fen(29_000), DUE),
        Difference::MissingPayment(at(&gone), DUE),
        Difference::UnknownRefund(at(&back), "CONSOLE".to_owned(), Fen(1)),
        Difference::Unrecorded(at(&lost), DUE, Outcome::Paid),
        Difference::UndoneRefund(undone.out_request_no, DUE),
    ];
    for difference in &planted {
        assert!(found.differences.contains(difference), "{difference}: {:?}", found.differences);
    }
    assert_eq!(found.differences.len(), planted.len(), "{:?}", found.differences);
    assert_eq!(shop.state(&lost), "awaiting_review", "what the bill knows is taken");
    assert_eq!(shop.state(&right), "awaiting_review");
    assert_eq!(shop.reconcile().differences.len(), planted.len() - 1);
}

/// Runs a future for so long and then drops it wherever it stands, as a kill does.
async fn cut<T>(after: Duration, future: impl Future<Output = T>) -> Option<T> {
    let (stop, stopped) = tokio::sync::oneshot::channel();
    // A thread and not a timer of tokio's: those know milliseconds alone.
    std::thread::spawn(move || {
        std::thread::sleep(after);
        let _ = stop.send(());
    });
    tokio::select! {
        biased;
        _ = stopped => None,
        output = future => Some(output),
    }
}

#[test]
fn a_notice_cut_off_anywhere_loses_nothing_and_pays_nothing_twice() {
    let shop = Shop::new();
    let state = &shop.bench.state;
    let first = shop.pay_untold(&shop.begin(&shop.order()).out_trade_no);
    let begun = Instant::now();
    shop.run(payments::notify(state, first.as_bytes())).unwrap();
    // What a whole one takes here and now is what there is to cut at; it is corrected by each that was whole or not.
    let mut edge = begun.elapsed();
    let (mut cuts, mut orders) = (0, 1);
    for step in 0..40 {
        orders += 1;
        let number = shop.order();
        let notice = shop.pay_untold(&shop.begin(&number).out_trade_no);
        let after = if step % 2 == 0 { edge } else { edge * (step % 16) / 16 };
        let whole = shop.run(cut(after, payments::notify(state, notice.as_bytes())));
        // At one moment: what was cut off while it was committed may be done a little later.
        let both = sqlx::query(
            "select o.state as state, p.state as payment from orders o join payments p on p.order_number = o.number \
             where o.number = $1",
        );
        let both = shop.run(both.bind(number.as_str()).fetch_one(&state.db)).unwrap();
        let (order, payment): (String, String) = (both.get("state"), both.get("payment"));
        let pair = (order.as_str(), payment.as_str());
        assert!(
            [("awaiting_payment", "open"), ("awaiting_review", "paid")].contains(&pair),
            "{pair:?} after {after:?}"
        );
        if let Some(answer) = &whole {
            assert_eq!((*answer.as_ref().unwrap(), order.as_str()), (Answer::Success, "awaiting_review"));
        }
        assert_eq!(shop.tell(&notice), "success", "after a cut at {after:?}");
        let order = shop.show(&number);
        assert_eq!(
            (order["state"].as_str(), steps(&order)),
            (Some("awaiting_review"), 2),
            "cut after {after:?}"
        );
        cuts += u32::from(whole.is_none());
        edge = if whole.is_some() { edge * 7 / 10 } else { edge * 6 / 5 };
    }
    assert!(cuts > 5, "cut off {cuts} times only: this shows nothing");
    assert_eq!(shop.audited("payment.received"), orders);
}

#[test]
fn a_notice_whose_last_step_fails_leaves_no_trace_of_the_others() {
    let shop = Shop::new();
    let number = shop.order();
    let notice = shop.pay_untold(&shop.begin(&number).out_trade_no);
    // One connection for all: another one may not have heard yet that a name changed.
    let mut connection = shop.run(shop.bench.state.db.acquire()).unwrap();
    let mut rename = |sql: &'static str| shop.run(sqlx::raw_sql(sql).execute(&mut *connection)).unwrap();
    for (away, back) in [
        ("alter table audit rename to audit_", "alter table audit_ rename to audit"),
        ("alter table order_history rename to history_", "alter table history_ rename to order_history"),
        (
            "alter table payment_notices rename column at_ms to at_",
            "alter table payment_notices rename column at_ to at_ms",
        ),
    ] {
        rename(away);
        assert_eq!(shop.tell(&notice), "failure", "{away}");
        rename(back);
        let order = shop.show(&number);
        assert_eq!((order["state"].as_str(), steps(&order)), (Some("awaiting_payment"), 1), "{away}");
        assert_eq!(shop.payment(&number).state, PaymentState::Open, "{away}");
    }
    shop.run(async move { drop(connection) });
    assert_eq!(shop.tell(&notice), "success");
    assert_eq!(shop.state(&number), "awaiting_review");
}
