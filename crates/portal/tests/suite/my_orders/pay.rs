//! Paying, paying again, cancelling with the money back; and whose payment it is.

use std::{sync::atomic::Ordering, time::Duration};

use alipay::{AppKey, Client, PublicKey, Settings};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use model::{OrderState, Secret};
use portal::{
    orders::Actor,
    outside::{ALIPAY_NOTIFY_PATH, Outside},
    payments,
    pictures::{self, PictureKind},
};
use sandbox::alipay::{APP_ID, Handle, Keys, NoticeFault, Options, SELLER_ID};
use serde_json::json;

use super::{MOBILE, OTHER, customer, execute, state_of, unpaid_order};
use crate::bench::{Bench, free_order};

struct Shop {
    bench: Bench,
    operator: String,
    cookie: String,
    double: Handle,
    _keys: tempfile::TempDir,
}

impl Shop {
    fn new() -> Self {
        let keys_dir = tempfile::tempdir().unwrap();
        let keys = Keys::make(keys_dir.path()).unwrap();
        let double = sandbox::alipay::spawn(Options::new(&keys)).unwrap();
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
        let (operator, cookie) = (bench.log_in(), customer(&bench, MOBILE));
        Self { bench, operator, cookie, double, _keys: keys_dir }
    }

    fn order(&self) -> String {
        self.bench.place(&self.operator, &unpaid_order())
    }

    fn get(&self, number: &str, path: &str) -> (u16, String) {
        self.bench.get(&self.cookie, &format!("/my/orders/{number}{path}"))
    }

    fn post(&self, number: &str, path: &str) -> (u16, String) {
        self.bench.post_form(&self.cookie, &format!("/my/orders/{number}{path}"), &[])
    }

    /// The buyer pays what the page offers, and the portal asks Alipay.
    fn pay(&self, number: &str) {
        let number = number.parse().unwrap();
        let payment = self.bench.runtime.block_on(payments::of_order(&self.bench.state, &number));
        assert!(self.double.pay_untold(&payment.unwrap().unwrap().out_trade_no));
        self.pass(60_000);
        self.bench.runtime.block_on(payments::turn(&self.bench.state)).unwrap();
    }

    fn pass(&self, ms: i64) {
        self.bench.now_ms.fetch_add(ms, Ordering::SeqCst);
    }

    /// An order that was paid by its page.
    fn paid(&self) -> String {
        let number = self.order();
        assert_eq!(self.get(&number, "/pay").0, 200);
        self.pay(&number);
        assert_eq!(state_of(&self.bench, &number), OrderState::AwaitingReview);
        number
    }
}

#[test]
fn s1_10_an_order_is_paid_by_the_code_on_its_page() {
    let shop = Shop::new();
    let number = shop.order();
    assert!(shop.get(&number, "").1.contains("去支付"));
    let (status, page) = shop.get(&number, "/pay");
    assert_eq!(status, 200);
    for text in ["支付宝支付", "300.00", "剩余时间", "在电脑上支付", "我已支付，刷新", "/assets/pay.js"]
    {
        assert!(page.contains(text), "{text} is on {page}");
    }
    assert_eq!(shop.get(&number, "/payment.json"), (200, r#"{"payment":"waiting"}"#.to_owned()));
    let code = shop.bench.agent().get(format!("{}/my/orders/{number}/pay.png", shop.bench.url));
    let mut code = code.header("cookie", &shop.cookie).call().unwrap();
    assert_eq!(code.headers()["content-type"], "image/png");
    let picture = image::load_from_memory(&code.body_mut().read_to_vec().unwrap()).unwrap();
    assert_eq!(picture.width(), picture.height());
    assert_eq!(shop.get(&number, "/pay").1.matches("pay.png").count(), 1, "the same payment is shown again");

    // What a browser brings back proves nothing.
    assert_eq!(shop.get(&number, "/pay?trade_status=TRADE_SUCCESS&total_amount=300.00").0, 200);
    assert_eq!(state_of(&shop.bench, &number), OrderState::AwaitingPayment);

    shop.pay(&number);
    assert_eq!(shop.get(&number, "/payment.json").1, r#"{"payment":"over"}"#);
    assert_eq!(shop.get(&number, "/pay").0, 303);
    let (_, page) = shop.get(&number, "/result");
    assert!(page.contains("支付成功") && page.contains(&number) && page.contains("正在审核"), "{page}");
    assert!(shop.get(&number, "").1.contains("支付成功"), "the time line tells it");
}

#[test]
fn s3_7_a_payment_that_failed_leaves_the_order_to_be_paid_again() {
    let shop = Shop::new();
    let number = shop.order();
    let code =
        |page: &str| page.split("pay.png?of=").nth(1).map(|rest| rest.split('"').next().unwrap().to_owned());
    let first = code(&shop.get(&number, "/pay").1).unwrap();
    shop.pass(60 * 60_000);
    let (_, page) = shop.get(&number, "/pay");
    assert!(page.contains("重新支付") && page.contains("订单已保留") && code(&page).is_none(), "{page}");
    assert_eq!(shop.get(&number, "/payment.json").1, r#"{"payment":"over"}"#);
    assert_eq!(shop.post(&number, "/pay").0, 303);
    let second = code(&shop.get(&number, "/pay").1).unwrap();
    assert_ne!(first, second);
    shop.pay(&number);
    assert_eq!(state_of(&shop.bench, &number), OrderState::AwaitingReview);
}

#[test]
fn a_paid_order_is_cancelled_before_production_and_its_money_goes_back() {
    let shop = Shop::new();
    let number = shop.paid();
    let (_, page) = shop.get(&number, "");
    assert!(page.contains("已付款项将原路退回") && page.contains("确认取消订单"), "{page}");
    assert_eq!(shop.post(&number, "/cancel").0, 303);
    assert_eq!(state_of(&shop.bench, &number), OrderState::Refunded);
    let (_, page) = shop.get(&number, "");
    assert!(page.contains("已原路退回支付宝") && page.contains("300.00"), "{page}");
    assert_eq!(shop.post(&number, "/cancel").0, 303, "twice is once");

    // Approved, and no station has begun: still.
    let number = shop.paid();
    shop.bench.post(&shop.operator, &format!("/api/orders/{number}/approve"), &json!({}));
    assert_eq!(shop.post(&number, "/cancel").0, 303);
    assert_eq!(state_of(&shop.bench, &number), OrderState::Refunded);
}

#[test]
fn an_order_whose_keys_are_in_work_is_not_cancelled() {
    let shop = Shop::new();
    let number = shop.paid();
    shop.bench.post(&shop.operator, &format!("/api/orders/{number}/approve"), &json!({}));
    execute(
        &shop.bench,
        "update jobs set state = 'leased', station = 'bench-1' where order_number = $1",
        &number,
    );
    assert!(shop.get(&number, "").1.contains("电子钥匙已开始制作"));
    let (status, page) = shop.post(&number, "/cancel");
    assert!(status == 409 && page.contains("电子钥匙已开始制作"), "{page}");
    let parsed = number.parse().unwrap();
    let refund = payments::refund(&shop.bench.state, &parsed, &Actor::Customer, "取消");
    assert!(shop.bench.runtime.block_on(refund).is_err(), "also when the station began a moment ago");
    assert_eq!(state_of(&shop.bench, &number), OrderState::AwaitingProduction);
}

#[test]
fn money_for_a_cancelled_order_goes_back() {
    let shop = Shop::new();
    let number = shop.order();
    shop.get(&number, "/pay");
    assert_eq!(shop.post(&number, "/cancel").0, 303);
    assert_eq!(state_of(&shop.bench, &number), OrderState::Cancelled);
    assert_eq!(shop.get(&number, "/pay").0, 303, "there is nothing to pay any more");
    assert_eq!(shop.get(&number, "/payment.json").1, r#"{"payment":"over"}"#);

    // The code was photographed before.
    let trade = shop.double.trades()[0].out_trade_no.clone();
    assert!(shop.double.pay_untold(&trade));
    let notice = shop.double.notice(&trade, NoticeFault::None).unwrap();
    for _ in 0..2 {
        let url = format!("{}{ALIPAY_NOTIFY_PATH}", shop.bench.url);
        let request = shop.bench.agent().post(url).content_type("application/x-www-form-urlencoded");
        assert_eq!(request.send(&notice).unwrap().body_mut().read_to_string().unwrap(), "success");
        shop.bench.runtime.block_on(payments::refund_turn(&shop.bench.state)).unwrap();
    }
    let trades = shop.double.trades();
    assert_eq!((trades.len(), trades[0].refunds.len(), trades[0].refunded()), (1, 1, 30_000));
    assert_eq!(state_of(&shop.bench, &number), OrderState::Cancelled);
}

#[test]
fn an_order_paid_by_hand_is_cancelled_by_asking_finance_for_the_money() {
    let shop = Shop::new();
    let number = shop.bench.place(&shop.operator, &crate::bench::paid_order(1));
    let (_, page) = shop.get(&number, "");
    assert!(page.contains("未经在线支付") && !page.contains("已付款项将原路退回"), "{page}");
    for _ in 0..2 {
        assert_eq!(shop.post(&number, "/cancel").0, 303);
        let (_, page) = shop.get(&number, "");
        assert!(page.contains("已提交退款申请") && !page.contains("确认取消订单"), "{page}");
    }
    assert_eq!(state_of(&shop.bench, &number), OrderState::AwaitingReview);
    assert!(shop.bench.get(&shop.operator, "/refunds").1.contains(&number));
    let path = format!("/orders/{number}/refund/decision");
    assert_eq!(shop.bench.post_form(&shop.operator, &path, &[("approve", "true")]).0, 303);
    assert_eq!(state_of(&shop.bench, &number), OrderState::Refunded);
    assert!(!shop.get(&number, "").1.contains("已提交退款申请"));
}

#[test]
fn nobody_sees_or_pays_another_customer_s_payment_or_pictures() {
    let shop = Shop::new();
    let (number, own) = (shop.order(), shop.bench.place(&shop.operator, &free_order()));
    shop.get(&number, "/pay");
    let mut jpeg = std::io::Cursor::new(Vec::new());
    let photo = RgbImage::from_fn(640, 480, |x, y| Rgb([x as u8, y as u8, 90]));
    DynamicImage::from(photo).write_to(&mut jpeg, ImageFormat::Jpeg).unwrap();
    let actor = Actor::Customer;
    let put = pictures::put(&shop.bench.state, &number, PictureKind::Licence, jpeg.into_inner(), &actor);
    let picture = shop.bench.runtime.block_on(put).unwrap().id;
    let (_, page) = shop.get(&number, "");
    assert!(
        page.contains(&format!("/my/orders/{number}/pictures/{picture}")) && page.contains("营业执照"),
        "{page}"
    );
    let url = format!("{}/my/orders/{number}/pictures/{picture}", shop.bench.url);
    let mut shown = shop.bench.agent().get(&url).header("cookie", &shop.cookie).call().unwrap();
    assert_eq!(shown.headers()["content-type"], "image/jpeg");
    assert!(image::load_from_memory(&shown.body_mut().read_to_vec().unwrap()).is_ok());
    assert_eq!(shop.get(&own, &format!("/pictures/{picture}")).0, 404, "a picture is its own order's alone");
    assert_eq!(shop.get(&number, "/pictures/..%2F..%2Fetc").0, 404);

    let stranger = customer(&shop.bench, OTHER);
    let picture = format!("/pictures/{picture}");
    for path in ["/pay", "/pay.png", "/payment.json", "/result", &picture] {
        let path = format!("/my/orders/{number}{path}");
        assert_eq!(shop.bench.get(&stranger, &path).0, 404, "{path}");
        let anonymous = if path.ends_with(".json") { 401 } else { 303 };
        assert_eq!(shop.bench.get("", &path).0, anonymous, "{path}");
    }
    for path in ["/pay", "/cancel"] {
        assert_eq!(
            shop.bench.post_form(&stranger, &format!("/my/orders/{number}{path}"), &[]).0,
            404,
            "{path}"
        );
    }
    assert_eq!(state_of(&shop.bench, &number), OrderState::AwaitingPayment);
}
