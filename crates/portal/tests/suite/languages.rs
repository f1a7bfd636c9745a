//! The link to the other language leads to the same page, from every kind of page.

use crate::{
    bench::{Bench, free_order, paid_order},
    shop::{Shop, filled},
};
use portal::web;

const LIQUOR: &str = "/p/luzhou-laojiao";

/// Where the page's link to the other language leads.
fn switch(page: &str) -> Option<String> {
    let begin = page.split_once("class=\"lang\" href=\"")?.1;
    Some(begin.split_once('"').unwrap().0.replace("&#38;", "&").replace("&amp;", "&"))
}

/// Follows the link of a Chinese page: it leads to `address` in English, and from there back.
fn follow(get: &dyn Fn(&str) -> (u16, String), page: &str, address: &str) {
    let with = |lang: &str| {
        let sign = if address.contains('?') { '&' } else { '?' };
        format!("{address}{sign}lang={lang}")
    };
    let link = switch(page).unwrap_or_else(|| panic!("no link on {page}"));
    assert_eq!(link, with("en"));
    let (status, english) = get(&link);
    assert!(matches!(status, 200 | 422), "{link}: {status}");
    assert!(english.contains("<html lang=\"en\">"), "{link}");
    assert_eq!(switch(&english).unwrap(), with("zh"));
    assert!(get(&with("zh")).1.contains("<html lang=\"zh-CN\">"), "{address}");
}

#[test]
fn every_customer_s_page_is_the_same_one_in_the_other_language() {
    let shop = Shop::new();
    let number = shop.order("/p/yuncaidun", "unit-first", &filled());
    let draft = shop.ready(LIQUOR, "unit-first", &filled());
    let get = |path: &str| {
        let answer = shop.get(path);
        (answer.status, answer.body)
    };
    for path in [
        "/".to_owned(),
        "/my/orders?state=awaiting_review&q=SAAS1&from=&to=2026-12-01".to_owned(),
        format!("/my/orders/{number}"),
        format!("/my/orders/{number}?new=1"),
        format!("/my/orders/{number}/result"),
        "/my/invoices".to_owned(),
        LIQUOR.to_owned(),
        format!("{LIQUOR}/order?product=unit-first"),
        format!("{LIQUOR}/agreements/privacy"),
        draft.clone(),
        format!("{draft}?check=1"),
    ] {
        follow(&get, &get(&path).1, &path);
    }
    let stranger = shop.stranger();
    let get_strange = |path: &str| {
        let answer = stranger.get(path);
        (answer.status, answer.body)
    };
    let log_in = "/my/login?next=/my/orders%3Fstate%3Drejected";
    follow(&get_strange, &get_strange(log_in).1, log_in);
    let wrong = stranger
        .post("/my/login", &[("action", "send"), ("mobile", "1"), ("next", "/my/orders?state=rejected")]);
    follow(&get_strange, &wrong.body, log_in);
    let gone = get(&format!("{LIQUOR}/order?product=none&lang=zh")).1;
    assert_eq!(switch(&gone).unwrap(), format!("{LIQUOR}/order?product=none&lang=en"));
    assert_eq!(switch(&get("//evil.example/x").1).unwrap(), "?lang=en", "and never to another site");
}

#[test]
fn a_page_that_answers_a_form_is_read_again_at_its_own_address() {
    let shop = Shop::new();
    let get = |path: &str| {
        let answer = shop.get(path);
        (answer.status, answer.body)
    };
    let place = format!("{LIQUOR}/order?product=unit-first");
    // A picture that is none: the answer is drawn where the form was sent.
    let answer = shop.send(&place, &[("action", "save")], &[("pictures.licence", b"<svg/>".to_vec())]);
    let page = answer.refused();
    let draft = page.split_once(&format!("action=\"{LIQUOR}/order/")).unwrap().1.split_once('"').unwrap().0;
    let draft = format!("{LIQUOR}/order/{draft}");
    follow(&get, &page, &format!("{draft}?check=1"));
    let page = shop.submit(&draft, &filled()).refused();
    follow(&get, &page, &format!("{draft}?check=1"));

    let ready = shop.ready("/p/yuncaidun", "unit-first", &filled());
    let confirm = shop.submit(&ready, &filled()).location();
    follow(&get, &shop.post(&confirm, &[("action", "send")]).refused(), &confirm);
    let number = shop.confirm(&ready);
    let approved = portal::orders::approve(shop.state(), &number, &portal::orders::Actor::System, None);
    shop.block_on(approved).unwrap();
    for what in ["cancel", "received"] {
        let answer = shop.post(&format!("/my/orders/{number}/{what}"), &[]);
        assert_eq!(answer.status, 409, "{what}");
        follow(&get, &answer.body, &format!("/my/orders/{number}"));
    }
}

#[test]
fn every_operator_s_page_is_the_same_one_in_the_other_language() {
    let (bench, cookie) = Bench::logged_in();
    let number = bench.place(&cookie, &paid_order(1));
    bench.place(&cookie, &free_order());
    let get = |path: &str| bench.get(&cookie, path);
    let concrete = |route: &str| {
        let route = route.replace("{number}", &number).replace("{job}", &format!("{number}-1"));
        route.replace("{name}", crate::bench::OPERATOR).replace("{id}", "yuncaidun")
    };
    let (mut read, mut sent) = (0, 0);
    for (method, route, _) in web::operator_routes() {
        let path = concrete(route);
        if route.starts_with("/api/")
            || route.ends_with(".pdf")
            || route.contains("/pictures/")
            || route.contains("live")
        {
            continue;
        }
        if method == "GET" {
            let path = format!("{path}?state=awaiting_review&q=a%26b");
            let (status, page) = get(&path);
            // A queue leads on to what waits in it; an auditor's page is not this operator's.
            if status == 200 {
                follow(&get, &page, &path);
                read += 1;
            }
            continue;
        }
        let (_, page) = bench.post_form(&cookie, &path, &[("reason", ""), ("do", "none")]);
        let Some(link) = switch(&page) else { continue };
        let (status, english) = get(&link);
        assert!(status < 400, "{path} leads to {link}: {status}");
        assert!(english.is_empty() || english.contains("<html lang=\"en\">"), "{link}");
        sent += 1;
    }
    assert!(read >= 10 && sent >= 5, "{read} pages and {sent} answers were tried");
    let (status, page) = bench.get("", "/login?expired=1");
    assert_eq!(status, 200);
    follow(&|path| bench.get("", path), &page, "/login?expired=1");
}

#[test]
fn a_message_is_in_the_page_s_language_alone() {
    let shop = Shop::new();
    let number = shop.order("/p/yuncaidun", "unit-first", &filled());
    let approved = portal::orders::approve(shop.state(), &number, &portal::orders::Actor::System, None);
    shop.block_on(approved).unwrap();
    let stranger = shop.stranger();
    let form = [("action", "send"), ("mobile", "1")];
    let code = [("action", "login"), ("mobile", "13800000001"), ("code", "000000")];
    for (lang, other) in [("en", "请"), ("zh", " (")] {
        for page in [
            stranger.post(&format!("/my/login?lang={lang}"), &form).body,
            stranger.post(&format!("/my/login?lang={lang}"), &code).body,
            shop.post(&format!("/my/orders/{number}/cancel?lang={lang}"), &[]).body,
            stranger.get(&format!("/u/none?lang={lang}")).body,
        ] {
            let alerts: Vec<&str> =
                page.split("role=\"alert\"").skip(1).map(|rest| rest.split("</p>").next().unwrap()).collect();
            assert!(!alerts.is_empty(), "{page}");
            assert!(alerts.iter().all(|alert| !alert.contains(other)), "{lang}: {alerts:?}");
        }
    }
}
