//! Applications on paper (row S4.12), over a real listener.

use crate::bench::{Bench, PASSWORD, START_MS, credit_code, id_number, paid_order};
use model::Secret;
use portal::{
    operators::{self, Role},
    orders::Actor,
    pictures::PictureKind,
};

fn application() -> Vec<(&'static str, String)> {
    let text = |text: &str| text.to_owned();
    vec![
        ("programme", text("luzhou-laojiao")),
        ("product", text("personal-first")),
        ("years", text("2")),
        ("quantity", text("1")),
        ("unit.name", text("示例酒业有限公司")),
        ("unit.credit_code", credit_code(5)),
        ("unit.kind", text("enterprise")),
        ("unit.industry", text("制造业")),
        ("handler.name", text("陈测试")),
        ("handler.id_type", text("id_card")),
        ("handler.id_number", id_number(5)),
        ("handler.mobile", text("138 0000 0005")),
        ("handler.mail", text("chen@example.com")),
        ("legal_representative.name", text("王代表")),
        ("legal_representative.id_type", text("id_card")),
        ("legal_representative.id_number", id_number(6)),
        ("holder.name", text("李持有")),
        ("holder.id_type", text("id_card")),
        ("holder.id_number", id_number(7)),
        ("receiver.name", text("陈测试")),
        ("receiver.mobile", text("13800000005")),
        ("receiver.province", text("广东省")),
        ("receiver.city", text("东莞市")),
        ("receiver.county", text("")),
        ("receiver.address", text("示例路 8 号")),
        ("invoice.kind", text("special")),
        ("invoice.title", text("")),
    ]
}

fn send(bench: &Bench, cookie: &str, form: &[(&str, String)]) -> (u16, String) {
    let pairs: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    bench.post_form(cookie, "/paper", &pairs)
}

/// A scan in grey, as scanners make them.
fn picture() -> Vec<u8> {
    page_of(0)
}

fn page_of(shade: u32) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let page = image::GrayImage::from_fn(600, 800, |x, y| {
        image::Luma([u8::try_from((x + y + shade) % 200).unwrap()])
    });
    page.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn scan(bench: &Bench, cookie: &str, number: &str, bytes: &[u8]) -> (u16, String) {
    let head = "--xxx\r\nContent-Disposition: form-data; name=\"picture\"; filename=\"scan\"\r\n\r\n";
    let body = [head.as_bytes(), bytes, b"\r\n--xxx--\r\n"].concat();
    let request = bench.agent().post(format!("{}/orders/{number}/paper", bench.url)).header("cookie", cookie);
    let request = request.header("content-type", "multipart/form-data; boundary=xxx");
    let mut answer = request.send(&body[..]).unwrap();
    (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
}

#[test]
fn s4_12_an_operator_enters_an_application_and_another_approves_it() {
    let (bench, li) = Bench::logged_in();
    let (_, page) = bench.get(&li, "/paper");
    assert!(page.contains("/paper?programme=luzhou-laojiao&amp;product=personal-first"), "{page}");
    let (_, page) = bench.get(&li, "/paper?programme=luzhou-laojiao&product=personal-first");
    for (name, _) in application() {
        assert!(page.contains(&format!("name=\"{name}\"")), "{name} is on {page}");
    }
    let (_, unit) = bench.get(&li, "/paper?programme=yuncaidun&product=unit-first");
    assert!(!unit.contains("holder.name") && !unit.contains("legal_representative"), "{unit}");

    let (status, page) = send(&bench, &li, &application());
    assert_eq!(status, 303, "{page}");
    let list = bench.get_json(&li, "/api/orders");
    let number = list["orders"][0]["number"].as_str().unwrap().to_owned();
    let order = bench.get_json(&li, &format!("/api/orders/{number}"));
    assert_eq!(order["state"], "awaiting_payment");
    let parsed = number.parse().unwrap();
    let stored = bench.runtime.block_on(portal::orders::load(&bench.state, &parsed)).unwrap().unwrap();
    assert_eq!(stored.content.handler.mobile, "13800000005");
    assert_eq!(order["content"]["invoice"]["kind"], "special");
    assert_eq!(order["history"][0]["who"], format!("operator:{}", crate::bench::OPERATOR));

    let scanned = scan(&bench, &li, &number, &picture());
    assert_eq!(scanned.0, 303, "{}", scanned.1);
    let (status, page) = scan(&bench, &li, &number, b"%PDF-1.7");
    assert!(status == 422 && page.contains("只接受 JPG"), "{page}");
    let papers = portal::pictures::list(&bench.state.db, &number);
    let papers = bench.runtime.block_on(papers).unwrap();
    assert_eq!(papers.iter().map(|paper| paper.kind).collect::<Vec<_>>(), [PictureKind::Paper]);

    let pay = [("method", "alipay"), ("reference", "转账凭证 1")];
    assert_eq!(bench.post_form(&li, &format!("/orders/{number}/payment"), &pay).0, 303);
    let approve = format!("/orders/{number}/approve");
    let (status, page) = bench.decide(&li, &approve, &[]);
    assert!(status == 403 && page.contains("另一位审核员"), "{page}");
    assert!(bench.get(&li, "/review").1.contains("由您录入"), "the queue gives nobody his own");
    let roles = [Role::Reviewer];
    let db = &bench.state.db;
    let added = operators::add(db, "wang", Secret::from(PASSWORD), &roles, &Actor::CommandLine, START_MS);
    bench.runtime.block_on(added).unwrap();
    let wang = bench.log_in_as("wang", "").unwrap();
    assert_eq!(bench.decide(&wang, &approve, &[]).0, 303);
    assert_eq!(bench.get_json(&li, &format!("/api/orders/{number}"))["state"], "awaiting_production");
}

#[test]
fn p15_who_brings_the_paper_does_not_approve_by_it_and_replaces_none_that_was_decided_by() {
    let (bench, li) = Bench::logged_in();
    let wang = bench.operator("wang", &[Role::Reviewer]);
    let number = bench.place("", &paid_order(1));
    assert_eq!(scan(&bench, &wang, &number, &picture()).0, 303);
    assert!(bench.get(&wang, "/review").1.contains("由您录入"), "the queue gives nobody his own");
    let approve = format!("/orders/{number}/approve");
    let (status, page) = bench.decide(&wang, &approve, &[]);
    assert!(status == 403 && page.contains("另一位审核员"), "{page}");
    assert!(bench.get(&wang, &format!("/orders/{number}")).1.contains("id=\"scan\""));
    assert_eq!(bench.decide(&li, &approve, &[]).0, 303);
    let (status, page) = scan(&bench, &wang, &number, &page_of(100));
    assert!(status == 409 && page.contains("审核通过后不能再换"), "{page}");
    assert!(!bench.get(&wang, &format!("/orders/{number}")).1.contains("id=\"scan\""));
    let papers = portal::pictures::list(&bench.state.db, &number);
    assert_eq!(bench.runtime.block_on(papers).unwrap().len(), 1);
}

#[test]
fn p15_nobody_decides_by_a_paper_that_was_replaced_since_he_looked() {
    let (bench, li) = Bench::logged_in();
    let wang = bench.operator("wang", &[Role::Reviewer]);
    let number = bench.place("", &paid_order(1));
    bench.now_ms.fetch_add(1000, std::sync::atomic::Ordering::SeqCst);
    let changed = || bench.get_json(&li, &format!("/api/orders/{number}"))["changed_at"].clone();
    let before = changed();
    let page = bench.get(&li, &format!("/review/{number}")).1;
    let seen = page.split("name=\"seen\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(scan(&bench, &wang, &number, &picture()).0, 303);
    assert_ne!(changed(), before);
    let (status, page) = bench.post_form(&li, &format!("/review/{number}/approve"), &[("seen", seen)]);
    assert!(status == 409 && page.contains("请核对后再决定"), "{page}");
    assert_eq!(bench.decide(&li, &format!("/orders/{number}/approve"), &[]).0, 303, "having looked again");
}

#[test]
fn s4_12_every_mistake_stands_at_its_field_and_what_was_typed_stays() {
    let (bench, li) = Bench::logged_in();
    let mut form = application();
    for (name, value) in &mut form {
        match *name {
            "handler.mobile" => "12".clone_into(value),
            "unit.credit_code" => "1".clone_into(value),
            "quantity" => "many".clone_into(value),
            _ => {}
        }
    }
    form.push(("receiver.postcode", "100000".to_owned()));
    let (status, page) = send(&bench, &li, &form);
    assert_eq!(status, 422);
    for name in ["handler.mobile", "unit.credit_code", "quantity"] {
        assert!(page.contains(&format!("id=\"{name}-wrong\"")), "{name}: {page}");
    }
    assert_eq!(page.matches("aria-invalid").count(), 3, "{page}");
    assert!(page.contains("receiver.postcode") && page.contains("没有这个字段"), "{page}");
    assert!(page.contains("value=\"示例酒业有限公司\"") && page.contains("value=\"many\""), "{page}");
    assert!(bench.get_json(&li, "/api/orders")["orders"].as_array().unwrap().is_empty());
}
