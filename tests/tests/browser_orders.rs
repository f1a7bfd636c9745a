//! The manuals of the three first programmes, done step by step in a browser: form, pictures, letter, code, payment, review.

use anyhow::{Context as _, Result, ensure};
use e2e::{
    browser::{Browser, Screen},
    customer::Customer,
    office::Office,
    orders, pictures,
    process::wait_for,
    reviewer::Reviewer,
};
use serde_json::json;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const XIAMEN: &str = "xiamen-jinlong";
const YUNCAIDUN: &str = "yuncaidun";
const LUZHOU: &str = "luzhou-laojiao";

/// Waits for a message to the customer that has these words.
fn hears(office: &Office, customer: &Customer<'_>, words: &[&str]) -> Result<()> {
    wait_for("a message", PATIENCE, || {
        let sent = office.messages_to(customer.mobile())?;
        let texts: Vec<String> = sent.iter().map(|message| message.to_string()).collect();
        Ok(texts.iter().any(|text| words.iter().all(|word| text.contains(word))).then_some(()))
    })
}

/// What stands at a field of the form as its mistake.
fn mistake(browser: &Browser, field: &str) -> Result<String> {
    browser.attribute(&format!("[id='{field}.error']"), "textContent")
}

/// The portal stops, and what must hold of orders, money, messages and invoices is looked at.
fn all_adds_up(mut office: Office) -> Result<()> {
    office.close_and_check()?.ensure_whole()
}

/// Row S1.13, which every manual has: refused for the third reason, seen under 我的订单, corrected without typing all again, and up for review
/// once more. `sheets` are the stamped pages of the letter, which is brought anew.
fn is_refused_and_corrected(
    office: &Office,
    customer: &Customer<'_>,
    reviewer: &Reviewer,
    number: &str,
    sheets: &[&str],
) -> Result<()> {
    let desk = &customer.desk;
    reviewer.takes_up(number)?;
    reviewer.refuses("3")?;
    reviewer.desk.waits_for_no(&format!("a[href='/orders/{number}']"))?;

    desk.go(&format!("{}/my/orders", office.portal_url))?;
    desk.sees("审核拒绝")?;
    desk.sees("拒绝原因")?;
    let programme = customer.order["programme"].as_str().context("no programme")?;
    desk.shoot(&format!("refused-{programme}"))?;
    desk.click("立即修改")?;
    desk.sees("修改订单")?;
    let name = customer.order["handler"]["name"].as_str();
    ensure!(Some(&*desk.attribute("[name='handler.name']", "value")?) == name, "all must be typed again");
    customer.enters("receiver.address", "测试大道 9 号示例大厦 2 层")?;
    customer.agrees()?;
    customer.saves()?;
    let letter = customer.downloads_the_letter()?;
    for (page, sheet) in (1..).zip(sheets) {
        customer.brings_stamped(&letter, page, sheet)?;
    }
    customer.submits()?;
    desk.arrives("/confirm")?;
    ensure!(customer.confirms_by_sms()? == number, "a correction made another order");
    customer.sees_state(number, "待审核")?;
    reviewer.takes_up(number)?;
    reviewer.desk.sees("测试大道 9 号")
}

#[test]
fn s1_from_the_empty_form_to_production_as_the_manual_says() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let office = Office::start(folder.path())?;
    let customer = Customer::new(&office, orders::order(0, XIAMEN, "unit-first", 2))?;
    let desk = &customer.desk;

    // S1.1 to S1.7: the form tells its mistakes at their fields, and is then filled in.
    customer.opens_the_form()?;
    desk.shoot("form")?;
    customer.submits()?;
    desk.sees("请更正以下内容")?;
    for field in ["handler.name", "handler.mobile", "unit.name", "pictures.id_front", "agree.service"] {
        ensure!(!mistake(desk, field)?.is_empty(), "{field} may be empty");
    }
    customer.enters("handler.id_number", "000000196001010001")?;
    customer.enters("unit.credit_code", "91000000MA0000000X")?;
    customer.enters("handler.mobile", "123")?;
    customer.saves_with_mistakes()?;
    desk.scroll_to("#handler .inputs")?;
    desk.shoot("form-mistakes")?;
    for field in ["handler.id_number", "unit.credit_code", "handler.mobile"] {
        ensure!(!mistake(desk, field)?.is_empty(), "{field} was taken");
    }
    customer.fills_in()?;
    customer.attaches(&["id_front", "licence"])?;
    customer.agrees()?;
    customer.saves()?;
    customer.takes_by_phone("id_back", "pictures")?;
    let letter = customer.downloads_the_letter()?;
    customer.brings_stamped(&letter, 1, "letter")?;
    customer.submits()?;
    desk.arrives("/confirm")?;

    // S1.8 and S1.9: all data once more, back and forth, then the code.
    for answer in ["青石测试机电设备有限公司01号", "测试甲", "600.00"] {
        desk.sees(answer)?;
    }
    desk.shoot("confirm")?;
    desk.click("取消")?;
    desk.sees("填写订单")?;
    customer.submits()?;
    desk.arrives("/confirm")?;
    let number = customer.confirms_by_sms_after_a_wrong_code()?;

    // S1.10: paid by the code on the page.
    desk.arrives("/pay")?;
    desk.sees("¥ 600.00")?;
    desk.waits_for("img.code")?;
    desk.shoot("pay")?;
    customer.pays()?;
    desk.shoot("paid")?;

    // S1.11: reviewed by keyboard.
    let reviewer = Reviewer::log_in(&office)?;
    reviewer.takes_up(&number)?;
    reviewer.desk.shoot("review")?;
    reviewer.approves()?;

    // S1.12 and S1.14: told by SMS, and seen on the phone after a log-in by mobile and code.
    hears(&office, &customer, &[&number])?;
    let phone = Browser::open(Screen::Phone)?;
    customer.logs_in(&phone)?;
    phone.sees("待制证")?;
    phone.shoot("phone-my-orders")?;
    phone.click("查看")?;
    phone.arrives(&number)?;
    phone.sees("待制证")?;
    phone.shoot("phone-order")?;
    drop(customer);
    all_adds_up(office)
}

#[test]
fn s1_13_a_paid_order_is_refused_corrected_and_approved() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let office = Office::start(folder.path())?;
    let mut order = orders::order(1, XIAMEN, "unit-first", 1);
    order["receiver"]["province"] = json!("福建省");
    order["receiver"]["city"] = json!("厦门市");
    order["receiver"]["county"] = json!("思明区");
    let customer = Customer::new(&office, order)?;
    let desk = &customer.desk;
    customer.brings_everything(&["id_front", "id_back", "licence"])?;
    let number = customer.confirms_by_sms()?;
    customer.pays()?;

    let reviewer = Reviewer::log_in(&office)?;
    is_refused_and_corrected(&office, &customer, &reviewer, &number, &["letter"])?;
    reviewer.approves()?;
    customer.sees_state(&number, "待制证")?;
    desk.shoot("order")?;
    drop(customer);
    all_adds_up(office)
}

#[test]
fn s2_one_key_without_payment_as_the_manual_says() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let office = Office::start(folder.path())?;
    let customer = Customer::new(&office, orders::order(2, YUNCAIDUN, "unit-first", 1))?;
    let desk = &customer.desk;
    customer.opens_the_form()?;
    ensure!(desk.attribute("[name='quantity']", "readOnly")? == "true", "more than one can be ordered");
    ensure!(!desk.has("[name='years'] option:nth-child(2)")?, "more than a year can be chosen");
    customer.brings_everything(&["id_front", "id_back", "licence"])?;
    let number = customer.confirms_by_sms()?;
    desk.sees("待审核")?;
    ensure!(!desk.url()?.ends_with("/pay"), "there is nothing to pay");
    desk.shoot("no-payment")?;

    let reviewer = Reviewer::log_in(&office)?;
    is_refused_and_corrected(&office, &customer, &reviewer, &number, &["letter"])?;
    reviewer.approves()?;
    customer.sees_state(&number, "待制证")?;
    hears(&office, &customer, &[&number])?;
    drop(customer);
    all_adds_up(office)
}

#[test]
fn s3_three_years_seal_sheet_special_invoice_and_a_payment_that_failed_first() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let office = Office::start(folder.path())?;
    let mut order = orders::order(5, LUZHOU, "unit-first", 1);
    order["years"] = json!(3);
    order["invoice"] = json!({"kind": "special", "title": ""});
    let customer = Customer::new(&office, order)?;
    let desk = &customer.desk;

    // S3.1: what the programme's page offers.
    desk.go(&format!("{}/p/{LUZHOU}", office.portal_url))?;
    for offer in ["初次购买", "证书更新", "自助解锁", "订单修改与查询"] {
        desk.sees(offer)?;
    }
    desk.shoot("programme")?;

    // S3.3 to S3.6: years, legal representative, sampling sheet, invoice.
    customer.opens_the_form()?;
    customer.fills_in()?;
    desk.sees("¥ 1200.00")?;
    customer.attaches(&["id_front", "id_back", "licence"])?;
    customer.agrees()?;
    customer.saves()?;
    let letter = customer.downloads_the_letter()?;
    let said = pictures::words(&letter)?;
    ensure!(said.contains("采样") && said.contains("第三次"), "no sampling sheet: {said}");
    customer.brings_stamped(&letter, 1, "letter")?;
    customer.brings_stamped(&letter, 2, "seal_sheet")?;
    customer.submits()?;
    desk.arrives("/confirm")?;
    desk.sees("测试法人")?;

    // S3.7: Alipay fails, the order stays, and is paid for by another try.
    office.alipay_will(&["refuse_ACQ.SYSTEM_ERROR"])?;
    let number = customer.confirms_by_sms()?;
    desk.click("重新支付")?;
    desk.waits_for("img.code")?;
    customer.pays()?;

    let reviewer = Reviewer::log_in(&office)?;
    is_refused_and_corrected(&office, &customer, &reviewer, &number, &["letter", "seal_sheet"])?;
    reviewer.desk.shoot("review-seal-sheet")?;
    reviewer.approves()?;
    customer.sees_state(&number, "待制证")?;

    // S3.2: the personal certificate, for its holder.
    let person = Customer::new(&office, orders::order(7, LUZHOU, "personal-first", 1))?;
    person.opens_the_form()?;
    person.fills_in()?;
    person.attaches(&["id_front", "id_back", "licence"])?;
    person.agrees()?;
    person.saves()?;
    let letter = person.downloads_the_letter()?;
    person.brings_stamped(&letter, 1, "letter")?;
    person.brings_stamped(&letter, 2, "seal_sheet")?;
    person.submits()?;
    person.desk.arrives("/confirm")?;
    let number = person.confirms_by_sms()?;
    person.pays()?;
    reviewer.takes_up(&number)?;
    reviewer.approves()?;
    let order = office.operator()?.get(&format!("/api/orders/{number}"))?;
    ensure!(order["state"] == "awaiting_production", "{order}");
    drop((customer, person));
    all_adds_up(office)
}
