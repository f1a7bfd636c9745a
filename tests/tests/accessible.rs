//! Every page of the portal, judged by WCAG 2.1 AA as a browser shows it: for customers and operators, by day and by night, in both languages.

use anyhow::{Result, ensure};
use e2e::{
    axe::Axe,
    browser::{Browser, Screen},
    customer::Customer,
    office::{OPERATOR, Office, PASSWORD},
    orders,
};
use fantoccini::key::Key;

const PROGRAMME: &str = "xiamen-jinlong";

/// Pages of operators; `{number}` is an order.
const OPERATORS: [&str; 17] = [
    "/review",
    "/review/{number}",
    "/orders",
    "/orders/{number}",
    "/paper",
    "/paper?programme=xiamen-jinlong&product=unit-first",
    "/packing",
    "/refunds",
    "/attention",
    "/stock",
    "/stations",
    "/programmes",
    "/programmes/xiamen-jinlong",
    "/users",
    "/audit",
    "/account",
    "/no-such-page",
];

#[test]
fn a_page_that_cannot_be_read_is_seen() -> Result<()> {
    let (axe, browser) = (Axe::fetch()?, Browser::open(Screen::Desk)?);
    browser.go(
        "data:text/html,<html lang=zh><title>x</title><p style='color:%23aaa;background:%23fff'>浅<input>",
    )?;
    let faults = axe.faults(&browser)?.join("\n");
    ensure!(faults.contains("color-contrast") && faults.contains("label"), "{faults}");
    Ok(())
}

#[test]
fn every_page_can_be_read_and_used_by_all() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let office = Office::start(folder.path())?;
    let axe = Axe::fetch()?;
    let customer = Customer::new(&office, orders::order(0, PROGRAMME, "unit-first", 2))?;
    let desk = &customer.desk;
    let judge = |path: &str| {
        desk.go(&format!("{}{path}", office.portal_url))?;
        axe.passes(desk)
    };
    for path in
        ["/", "/my/login", "/p/xiamen-jinlong", "/p/luzhou-laojiao", "/p/luzhou-laojiao?lang=en", "/?lang=zh"]
    {
        judge(path)?;
    }
    customer.opens_the_form()?;
    axe.passes(desk)?;
    customer.submits()?;
    desk.sees("请更正以下内容")?;
    axe.passes(desk)?;
    customer.brings_everything(&["id_front", "id_back", "licence"])?;
    axe.passes(desk)?;
    let number = customer.confirms_by_sms()?;
    for path in [
        "/my/orders",
        "/my/orders?state=draft",
        "/my/orders/{number}",
        "/my/orders/{number}/pay",
        "/my/invoices",
    ] {
        judge(&path.replace("{number}", &number))?;
    }
    desk.go(&format!("{}/my/orders/{number}/pay", office.portal_url))?;
    customer.pays()?;
    axe.passes(desk)?;
    judge("/my/orders?lang=en")?;
    for screen in [Screen::Desk, Screen::Night, Screen::Phone] {
        operators_see(&office, &axe, screen, &number)?;
    }
    Ok(())
}

fn operators_see(office: &Office, axe: &Axe, screen: Screen, number: &str) -> Result<()> {
    let browser = Browser::open(screen)?;
    browser.go(&format!("{}/login", office.portal_url))?;
    axe.passes(&browser)?;
    browser.enter("name", OPERATOR)?;
    browser.enter("password", PASSWORD)?;
    browser.press(&Key::Enter)?;
    browser.sees("退出")?;
    for path in OPERATORS {
        browser.go(&format!("{}{}", office.portal_url, path.replace("{number}", number)))?;
        axe.passes(&browser)?;
    }
    Ok(())
}
