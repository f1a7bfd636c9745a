//! The same request twice: a double click, Back, a page loaded again, a key pressed instead of a button.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use crate::{
    order_pages::mistake,
    shop::{Shop, filled, picture},
};
use portal::pictures::{PictureKind, links};

const BUS: &str = "/p/xiamen-jinlong";

/// Where the form on a page is sent.
fn action(page: &str, form: &str) -> String {
    let begin = page.split_once(form).unwrap().1.split_once("action=\"").unwrap().1;
    begin.split_once('"').unwrap().0.replace("&#38;", "&").replace("&amp;", "&")
}

#[test]
fn s1_9_a_submit_button_pressed_twice_leads_twice_to_the_order() {
    let shop = Shop::new();
    let draft = shop.ready(BUS, "unit-first", &filled());
    shop.submit(&draft, &filled()).location();
    let execute = |sql: &'static str| {
        shop.block_on(sqlx::query::<sqlx::Any>(sql).execute(&shop.state().db)).unwrap();
    };
    execute("create table kept as select * from drafts");
    let number = shop.confirm(&draft);
    let placed = shop.last_location();
    let agreed = [("agree.service", "2026-01"), ("agree.privacy", "2026-01")];
    let code = shop.code();
    let again = [&agreed[..], &[("action", "submit"), ("code", &code)]].concat();
    let confirm = format!("{draft}/confirm");
    // The second press comes after the first is through.
    assert_eq!(shop.post(&confirm, &again).location(), format!("/my/orders/{number}"));
    // Both are on their way at once: the draft was still there, the code is used up.
    execute("insert into drafts select * from kept");
    assert_eq!(shop.post(&confirm, &again).location(), placed);
    execute("delete from drafts");
    for page in [&draft, &confirm, &format!("{draft}?check=1")] {
        assert_eq!(shop.get(page).location(), format!("/my/orders/{number}"), "Back leads to the order");
    }
}

#[test]
fn s1_9_enter_in_the_code_s_field_submits() {
    let shop = Shop::new();
    let draft = shop.ready(BUS, "unit-first", &filled());
    let confirm = shop.submit(&draft, &filled()).location();
    let agreed = [("agree.service", "2026-01"), ("agree.privacy", "2026-01"), ("action", "send")];
    let page = shop.post(&confirm, &agreed).ok();
    let form = page.split_once("id=\"verify\"").unwrap().1;
    let first = form.split_once("<button").unwrap().1.split_once('>').unwrap().0;
    assert!(first.contains("value=\"submit\""), "Enter presses a form's first button: {first}");
    assert!(!shop.get(&confirm).ok().contains("value=\"submit\""), "nothing is submitted before the code");
}

#[test]
fn s1_7_an_empty_form_sent_twice_is_one_draft() {
    let shop = Shop::new();
    let page = shop.get(&format!("{BUS}/order?product=unit-first")).ok();
    let place = action(&page, "class=\"order-form\"");
    let first = shop.send(&place, &[("action", "save"), ("unit.name", "示例")], &[]).location();
    assert_eq!(shop.send(&place, &[("action", "save"), ("unit.name", "示例")], &[]).location(), first);
    // With mistakes in it the page is the draft's own.
    let draft = first.split('#').next().unwrap();
    let told = shop.send(&place, &[("action", "submit"), ("unit.name", "示例")], &[]).location();
    assert_eq!(told, format!("{draft}?check=1#summary"));
    assert!(mistake(&shop.get(&told.replace("#summary", "")).refused(), "handler.name").is_some());
    assert_eq!(shop.scalar::<i64>("select count(*) from drafts"), 1);

    let other = shop.stranger();
    other.get(&format!("{BUS}/order?product=unit-first")).ok();
    assert_ne!(other.send(&place, &[("action", "save")], &[]).location(), first, "the word is no key to it");
    let page = shop.get(&format!("{BUS}/order?product=unit-first")).ok();
    assert_ne!(action(&page, "class=\"order-form\""), place, "another form, another draft");
}

#[test]
fn what_is_typed_is_saved_while_others_take_their_time_with_pictures() {
    let shop = Shop::new();
    let draft = shop.open(BUS, "unit-first", &[]);
    let address = shop.bench().url.strip_prefix("http://").unwrap();
    // Phones that have begun to send and do not go on: each has a turn of those for pictures.
    let link = links::create(shop.state(), "SAAS120261122093000000001", PictureKind::Licence);
    let link = shop.block_on(link).unwrap();
    let slow: Vec<TcpStream> = (0..16).map(|n| begun(address, link.token(), n)).collect();
    assert_eq!(shop.send(&draft, &[("action", "save"), ("unit.name", "只有文字")], &[]).status, 303);
    let page = shop
        .send(&draft, &[("action", "save"), ("unit.name", "也有图片")], &[("pictures.licence", picture())])
        .refused();
    assert!(mistake(&page, "pictures.licence").is_some_and(|told| told.contains("上传人数较多")), "{page}");
    drop(slow);
    assert!(shop.get(&draft).ok().contains("也有图片"), "nothing that was typed is lost");
}

/// A picture that a phone begins to send; it has its turn when this comes back.
fn begun(address: &str, token: &str, n: u8) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST /u/{token} HTTP/1.1\r\nhost: x\r\nx-forwarded-for: 192.0.2.{n}\r\nexpect: 100-continue\r\n\
         content-length: 100000\r\ncontent-type: multipart/form-data; boundary=b\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    // The portal asks for the body once it waits for it.
    let mut told = [0; 12];
    stream.read_exact(&mut told).unwrap();
    assert_eq!(&told, b"HTTP/1.1 100");
    stream
}
