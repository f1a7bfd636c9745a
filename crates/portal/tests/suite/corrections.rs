//! 立即修改 as it goes wrong: a log-in that ends, a price that changed, an operator who was faster, a letter that does not fit.

use crate::{
    bench::{dearer_programmes, free_order, id_number},
    order_pages::mistake,
    pictures::photo_of,
    shop::{Fields, Shop, filled, legal, picture, tinted},
};
use model::{Fen, OrderNumber, OrderState};
use portal::{
    drafts,
    orders::{self, Actor},
    pictures::{self, PictureError, PictureKind},
};
use serde_json::{Value, json};

const BUS: &str = "/p/xiamen-jinlong";
const SIMPLE: &str = "/p/yuncaidun";
const LIQUOR: &str = "/p/luzhou-laojiao";

/// An order that was refused.
fn refused(shop: &Shop, programme: &str, fields: &Fields) -> OrderNumber {
    let number = shop.order(programme, "unit-first", fields);
    if shop.stored(&number).state == OrderState::AwaitingPayment {
        let payment =
            json!({ "method": "alipay", "paid_fen": shop.stored(&number).amount.0, "reference": "T1" });
        shop.block_on(orders::record_payment(shop.state(), &number, &payment, &Actor::System)).unwrap();
    }
    refuse(shop, &number);
    number
}

fn refuse(shop: &Shop, number: &OrderNumber) {
    shop.later(61_000);
    shop.block_on(orders::reject(shop.state(), number, "执照模糊", &Actor::System, None)).unwrap();
}

/// 立即修改; the address of the form.
fn modify(shop: &Shop, number: &OrderNumber) -> String {
    shop.get(&format!("/my/orders/{number}/modify")).location()
}

#[test]
fn s1_9_customers_without_the_form_s_cookie_each_get_their_code() {
    let shop = Shop::new();
    let kinds = [PictureKind::IdFront, PictureKind::IdBack, PictureKind::Licence, PictureKind::Letter];
    for n in 0..11 {
        let mobile = format!("138000001{n:02}");
        let mut order = free_order();
        order["handler"]["mobile"] = json!(mobile);
        let number: OrderNumber = shop.bench().place("", &order).parse().unwrap();
        refuse(&shop, &number);
        let browser = shop.stranger();
        browser.log_in(&mobile);
        let draft = modify(&browser, &number);
        assert!(browser.jar().contains("ukey_drafts="), "the form is this browser's from here on");
        for kind in kinds {
            shop.block_on(pictures::bring(shop.state(), &number, kind, picture())).unwrap();
        }
        let mut fields = filled();
        fields.set("handler.mobile", &mobile);
        assert_eq!(browser.submit(&draft, &fields).location(), format!("{draft}/confirm"));
        browser.forgets("ukey_drafts");
        let agreed = [("agree.service", "2026-01"), ("agree.privacy", "2026-01"), ("action", "send")];
        let page = browser.post(&format!("{draft}/confirm"), &agreed);
        assert_eq!(page.status, 200, "customer {n}: {}", page.body);
    }
}

#[test]
fn s1_13_a_correction_is_handed_in_after_the_log_in_has_ended() {
    let shop = Shop::new();
    let number = refused(&shop, SIMPLE, &filled());
    let draft = modify(&shop, &number);
    shop.forgets("ukey_customer");
    let mut fields = filled();
    fields.set("unit.name", "示例客车零部件股份有限公司");
    let answer = shop.submit(&draft, &fields);
    assert_eq!(answer.location(), format!("{draft}/confirm"));
    assert!(answer.cookies.iter().any(|set| set.contains("ukey_drafts=") && set.contains("Max-Age=2592000")));
    assert_eq!(shop.confirm(&draft), number);
    assert_eq!(shop.stored(&number).content.unit.name, "示例客车零部件股份有限公司");
}

fn log_in_by_code(shop: &Shop, mobile: &str) {
    shop.post("/my/login", &[("action", "send"), ("mobile", mobile)]).ok();
    let form = [("action", "login"), ("mobile", mobile), ("code", &shop.code())];
    shop.post("/my/login", &form).location();
}

#[test]
fn who_comes_after_a_customer_at_the_same_browser_finds_nothing_of_the_first() {
    let shop = Shop::new();
    let number = refused(&shop, SIMPLE, &filled());
    shop.log_in("13800000001");
    let draft = modify(&shop, &number);
    let typed = |shop: &Shop| shop.get(&draft).body.contains("示例客车零部件有限公司");
    assert!(typed(&shop));
    // Another logs in without a log-out before; then that log-in ends too.
    log_in_by_code(&shop, "13900000002");
    assert!(!typed(&shop) && !shop.get(SIMPLE).ok().contains(number.as_str()));
    shop.send(&draft, &[("action", "save")], &[]);
    shop.forgets("ukey_customer");
    assert!(!typed(&shop) && !shop.get(SIMPLE).ok().contains(number.as_str()));
    // The first finds it again, also elsewhere, and logs out.
    shop.log_in("13800000001");
    assert!(typed(&shop));
    modify(&shop, &number);
    shop.forgets("ukey_customer");
    assert!(typed(&shop), "the end of a log-in loses nothing");
    shop.log_in("13800000001");
    shop.post("/my/logout", &[]).location();
    assert!(!typed(&shop) && !shop.get(SIMPLE).ok().contains(number.as_str()));
    let elsewhere = shop.stranger();
    elsewhere.log_in("13800000001");
    assert!(typed(&elsewhere));
}

#[test]
fn s1_13_who_has_neither_log_in_nor_cookie_is_led_to_the_log_in_and_back() {
    let shop = Shop::new();
    let number = refused(&shop, SIMPLE, &filled());
    let draft = modify(&shop, &number);
    let other = shop.stranger();
    let log_in = other.submit(&draft, &filled()).location();
    assert_eq!(log_in, format!("/my/login?next={draft}"));
    other.log_in("13800000001");
    assert_eq!(other.get(&log_in).location(), draft, "who is logged in already goes on");
    assert!(other.get(&draft).ok().contains("修改订单"));
    // Who saves it there may hand it in there.
    other.send(&draft, &[("action", "save")], &[]).location();
    other.forgets("ukey_customer");
    assert!(other.get(&draft).ok().contains("修改订单"));
}

#[test]
fn s1_13_a_correction_costs_what_the_order_cost() {
    let shop = Shop::new();
    let number = refused(&shop, BUS, &filled());
    let shop = shop.after(dearer_programmes());
    assert!(shop.get(&format!("{BUS}/order?product=unit-first")).ok().contains("¥ 360.00"), "dearer now");
    let draft = modify(&shop, &number);
    let page = shop.get(&draft).ok();
    assert!(page.contains("<output id=\"amount\" for=\"years quantity\">¥ 300.00"), "{page}");
    let mut fields = filled();
    fields.set("receiver.address", "示例路 9 号");
    assert_eq!(shop.submit(&draft, &fields).location(), format!("{draft}/confirm"));
    assert_eq!(shop.confirm(&draft), number);
    let order = shop.stored(&number);
    assert_eq!((order.state, order.amount), (OrderState::AwaitingReview, Fen(30_000)));
    assert_eq!(order.content.receiver.address, "示例路 9 号");

    // The same by an operator's program.
    refuse(&shop, &number);
    let (bench, path) = (shop.bench(), format!("/api/orders/{number}"));
    let operator = bench.log_in();
    let (status, answer) = bench.put(&operator, &path, &correction(&shop, &number));
    assert_eq!(status, 200, "{answer}");
    assert_eq!(shop.stored(&number).amount, Fen(30_000));
}

/// An order as it was sent in, with another address.
fn correction(shop: &Shop, number: &OrderNumber) -> Value {
    let mut content = serde_json::to_value(shop.stored(number).content).unwrap();
    let members = content.as_object_mut().unwrap();
    members.remove("holder_kind");
    members.retain(|_, value| !value.is_null());
    content["receiver"]["address"] = json!("示例路 10 号");
    content
}

#[test]
fn s1_13_years_and_quantity_stay_even_where_the_sum_is_the_same() {
    let shop = Shop::new();
    let mut fields = legal();
    fields.set("quantity", "2");
    fields.set("years", "1");
    let number = refused(&shop, LIQUOR, &fields);
    let draft = modify(&shop, &number);
    fields.set("quantity", "1");
    fields.set("years", "2");
    let page = shop.submit(&draft, &fields).refused();
    for field in ["years", "quantity"] {
        assert!(mistake(&page, field).is_some_and(|told| told.contains("修改时不能改变")), "{field}: {page}");
    }
    let agreed = [("agree.service", "2026-01"), ("agree.privacy", "2026-01"), ("action", "send")];
    let codes = shop.codes();
    assert!(shop.post(&format!("{draft}/confirm"), &agreed).location().contains("check=1"));
    assert_eq!(shop.codes(), codes, "no code is spent on it");
}

#[test]
fn s1_13_papers_that_were_handed_in_are_not_replaced_by_a_form_left_open() {
    let shop = Shop::new();
    let number = refused(&shop, SIMPLE, &filled());
    let draft = modify(&shop, &number);
    let shown = |shop: &Shop| shop.block_on(pictures::list(&shop.state().db, number.as_str())).unwrap();
    let before = shown(&shop);
    // An operator corrects it for the customer, whose form stands open.
    let (bench, path) = (shop.bench(), format!("/api/orders/{number}"));
    let operator = bench.log_in();
    assert_eq!(bench.put(&operator, &path, &correction(&shop, &number)).0, 200);
    let answer = shop.send(&draft, &[("action", "save")], &[("pictures.id_front", tinted(30))]);
    assert_eq!(answer.location(), format!("/my/orders/{number}"));
    // A picture that was on its way already.
    let late = shop.block_on(pictures::bring(shop.state(), &number, PictureKind::IdFront, tinted(30)));
    assert!(matches!(late, Err(PictureError::HandedIn)), "{late:?}");
    assert_eq!(shown(&shop), before, "what the reviewers see is what they saw");

    // Refused once more, the form begins with what the order says now.
    refuse(&shop, &number);
    let page = shop.get(&modify(&shop, &number)).ok();
    assert!(page.contains("示例路 10 号"), "{page}");
    assert!(page.contains("拒绝原因：执照模糊"), "why it was refused stands above the form: {page}");
    shop.block_on(pictures::bring(shop.state(), &number, PictureKind::IdFront, tinted(30))).unwrap();
}

#[test]
fn s1_13_a_cancelled_order_has_no_form_any_more() {
    let shop = Shop::new();
    let number = refused(&shop, SIMPLE, &filled());
    modify(&shop, &number);
    assert!(shop.get("/my/orders?state=draft").ok().contains("填写中 <b>1</b>"));
    assert_eq!(shop.post(&format!("/my/orders/{number}/cancel"), &[]).status, 303);
    assert_eq!(shop.stored(&number).state, OrderState::Cancelled);
    assert!(shop.get("/my/orders?state=draft").ok().contains("填写中 <b>0</b>"));
}

#[test]
fn s1_4_a_letter_that_does_not_fit_the_form_is_told_before_it_is_handed_in() {
    let shop = Shop::new();
    let draft = shop.ready(LIQUOR, "unit-first", &legal());
    let (status, _, letter) = shop.bytes(&format!("{draft}/letter.pdf"));
    assert_eq!(status, 200);
    let swapped = [("pictures.letter", photo_of(&letter, 2)), ("pictures.seal_sheet", photo_of(&letter, 1))];
    let mut pairs = legal();
    pairs.set("action", "submit");
    let page = shop.send(&draft, &pairs.pairs(), &swapped).refused();
    for sheet in ["pictures.letter", "pictures.seal_sheet"] {
        assert!(
            mistake(&page, sheet).is_some_and(|told| told.contains("请重新下载、盖章")),
            "{sheet}: {page}"
        );
    }
    let right = [("pictures.letter", photo_of(&letter, 1)), ("pictures.seal_sheet", photo_of(&letter, 2))];
    assert_eq!(shop.send(&draft, &pairs.pairs(), &right).location(), format!("{draft}/confirm"));
    // What it states is changed after it was printed.
    pairs.set("handler.mail", "other@example.com");
    let page = shop.send(&draft, &pairs.pairs(), &[]).refused();
    assert!(mistake(&page, "pictures.letter").unwrap().contains("有改动"), "{page}");
    let page = shop.get(&format!("{draft}?check=1&lang=en")).refused();
    assert!(mistake(&page, "pictures.letter").unwrap().contains("download it again"), "{page}");
}

#[test]
fn s1_4_a_character_that_the_letter_cannot_show_is_told_at_its_field() {
    let shop = Shop::new();
    let mut fields = filled();
    fields.set("unit.name", "示例ก有限公司");
    let draft = shop.open(BUS, "unit-first", &fields.pairs());
    let page = shop.get(&format!("{draft}/letter.pdf")).refused();
    assert!(mistake(&page, "unit.name").is_some_and(|told| told.contains("“ก”")), "{page}");
    assert!(page.contains(&format!("action=\"{draft}\"")), "it is corrected right there: {page}");
}

#[test]
fn s3_2_the_letter_of_a_draft_states_its_holder() {
    let shop = Shop::new();
    let mut fields = legal();
    fields.set("holder.name", "赵持有");
    fields.set("holder.id_number", &id_number(3));
    let draft = shop.ready(LIQUOR, "personal-first", &fields);
    let (_, _, letter) = shop.bytes(&format!("{draft}/letter.pdf"));
    let letters = [("pictures.letter", photo_of(&letter, 1)), ("pictures.seal_sheet", photo_of(&letter, 2))];
    fields.set("action", "submit");
    assert_eq!(shop.send(&draft, &fields.pairs(), &letters).location(), format!("{draft}/confirm"));
    fields.set("holder.id_number", &id_number(4));
    let page = shop.send(&draft, &fields.pairs(), &[]).refused();
    assert!(mistake(&page, "pictures.letter").unwrap().contains("有改动"), "{page}");
}

#[test]
fn s3_12_what_is_being_filled_in_is_searched_as_well() {
    let shop = Shop::new();
    shop.log_in("13800000001");
    let bus = shop.open(BUS, "unit-first", &[("unit.name", "金色龙门有限公司")]);
    let liquor = shop.open(LIQUOR, "personal-first", &[("unit.name", "银色酒庄")]);
    let number = bus.rsplit('/').next().unwrap();
    for (query, found) in [
        ("q=金色", [true, false]),
        (&format!("q={number}"), [true, false]),
        ("q=个人", [false, true]),
        ("q=没有", [false, false]),
        ("from=2026-11-22&to=2026-11-22", [true, true]),
        ("from=2026-11-23", [false, false]),
    ] {
        let query = query.replace("金色", "%E9%87%91%E8%89%B2").replace("个人", "%E4%B8%AA%E4%BA%BA");
        let query = query.replace("没有", "%E6%B2%A1%E6%9C%89");
        let page = shop.get(&format!("/my/orders?state=draft&{query}")).ok();
        assert_eq!([page.contains(&bus), page.contains(&liquor)], found, "{query}: {page}");
        let count = found.iter().filter(|found| **found).count();
        assert!(page.contains(&format!("填写中 <b>{count}</b>")), "{query}: {page}");
    }
    assert!(shop.get("/my/orders?state=draft").ok().contains("证书初购"), "the product is shown");
}

#[test]
fn the_drafts_of_a_subscriber_s_addresses_are_counted_together() {
    let shop = Shop::new();
    let programme = shop.state().programmes.get("yuncaidun").unwrap();
    let open = |n: usize, address: &str| {
        let owner = drafts::Owner::new(shop.state(), Some(&n.to_string()), None);
        let opened = drafts::open(shop.state(), &owner, address, "", programme, &programme.products[0]);
        shop.block_on(opened).map(|_| ())
    };
    for n in 0..100 {
        open(n, &format!("2001:db8:1:2::{n:x}")).unwrap();
    }
    let refused = open(100, "2001:db8:1:2:ffff::1");
    assert!(matches!(refused, Err(drafts::DraftError::TooManyNear)), "{refused:?}");
    open(101, "2001:db8:1:3::1").unwrap();
}
