//! The client against the provider's double, faults included.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use invoice::{Client, InvoiceError, Issued, Line, NewInvoice, NewRed, Red, Session, Settings, Status, Why};
use model::{Fen, Secret};
use sandbox::invoice::{self as double, Control, Handle, Options};

fn client(handle: &Handle, secret: &str, timeout: Duration) -> Client {
    let settings = Settings {
        endpoint: handle.endpoint(),
        app_key: double::APP_KEY.to_owned(),
        app_secret: Secret::from(secret),
        access_token: Secret::from(double::ACCESS_TOKEN),
        tax_number: double::TAX_NUMBER.to_owned(),
        timeout,
    };
    Client::new(settings).unwrap()
}

fn start() -> (Handle, Client) {
    let handle = double::spawn(Options::default()).unwrap();
    let client = client(&handle, double::APP_SECRET, Duration::from_secs(20));
    (handle, client)
}

fn new(order_no: &str, line: Line) -> NewInvoice {
    NewInvoice {
        order_no: order_no.to_owned(),
        line,
        buyer_name: "示例（测试）有限公司 & Co.".to_owned(),
        buyer_tax_number: Some("91000000MA00000001".to_owned()),
        goods_name: "电子钥匙".to_owned(),
        goods_code: "3040203000000000000".to_owned(),
        quantity: 3,
        amount: Fen(90_001),
        tax_rate_percent: 6,
        clerk: "李测试".to_owned(),
        at: "2026-11-22 09:30:00".to_owned(),
    }
}

fn issued(client: &Client, order_no: &str) -> Issued {
    match client.query(order_no).unwrap() {
        Status::Issued(issued) => issued,
        other => panic!("{other:?}"),
    }
}

#[test]
fn s1_6_an_invoice_is_made_asynchronously_and_its_pdf_fetched() {
    let (handle, client) = start();
    handle.control(Control { pending: Some(2), ..Control::default() });
    assert_eq!(client.query("A1").unwrap(), Status::Unknown);
    client.submit(&new("A1", Line::General)).unwrap();
    assert_eq!(client.query("A1").unwrap(), Status::Pending);
    assert_eq!(client.query("A1").unwrap(), Status::Pending);
    let issued = issued(&client, "A1");
    assert!(client.download(&issued.pdf_url).unwrap().starts_with(b"%PDF-1.4"));
    let made = &handle.invoices()[0];
    assert_eq!((made.line.as_str(), made.amount.as_str(), made.tax.as_str()), ("pc", "900.01", "50.94"));
    assert_eq!(made.buyer, "示例（测试）有限公司 & Co.");
}

#[test]
fn s3_6_a_special_invoice_needs_the_buyer_s_tax_number() {
    let (handle, client) = start();
    let refused = client.submit(&NewInvoice { buyer_tax_number: None, ..new("A1", Line::Special) });
    assert!(matches!(refused, Err(InvoiceError::Refused(refusal)) if refusal.why == Why::Invoice));
    client.submit(&new("A1", Line::Special)).unwrap();
    assert_eq!(handle.invoices()[0].line, "bs");
}

#[test]
fn s1_6_the_same_order_number_is_the_same_invoice() {
    let (handle, client) = start();
    handle.control(Control { next: vec!["lose_reply".to_owned()], ..Control::default() });
    assert!(matches!(client.submit(&new("A1", Line::General)), Err(InvoiceError::Later(_))));
    client.submit(&new("A1", Line::General)).unwrap();
    client.submit(&new("A1", Line::General)).unwrap();
    assert_eq!(handle.invoices().len(), 1);
    handle.control(Control { next: vec!["http500".to_owned()], ..Control::default() });
    assert!(matches!(client.submit(&new("A2", Line::General)), Err(InvoiceError::Later(_))));
    assert_eq!(handle.invoices().len(), 1, "a reply that was not 200 was not carried out here");
}

#[test]
fn s1_6_a_failure_is_told_in_the_provider_s_words() {
    let (handle, client) = start();
    handle.control(Control { fail: vec!["购方税号有误".to_owned()], ..Control::default() });
    client.submit(&new("A1", Line::General)).unwrap();
    assert_eq!(client.query("A1").unwrap(), Status::Failed("购方税号有误".to_owned()));
    client.submit(&new("A2", Line::General)).unwrap();
    issued(&client, "A2");
    handle.control(Control { void: Some("A2".to_owned()), ..Control::default() });
    assert!(matches!(client.query("A2").unwrap(), Status::Failed(why) if why.contains("作废")));
}

#[test]
fn s1_6_a_red_invoice_takes_a_blue_one_back_once() {
    let (handle, client) = start();
    client.submit(&new("A1", Line::General)).unwrap();
    let red = NewRed {
        bill_id: "RA1".to_owned(),
        line: Line::General,
        blue_number: issued(&client, "A1").number,
        buyer_name: "示例".to_owned(),
        buyer_tax_number: None,
    };
    assert_eq!(client.red("RA1").unwrap(), Red::Unknown);
    client.redden(&red).unwrap();
    client.redden(&red).unwrap();
    assert!(matches!(client.red("RA1").unwrap(), Red::Issued(number) if number.len() == 20));
    let other = NewRed { bill_id: "RA2".to_owned(), ..red };
    assert!(matches!(client.redden(&other), Err(InvoiceError::Refused(_))), "it was taken back already");
    assert_eq!(handle.invoices()[0].red.as_ref().unwrap().0, "RA1");
}

#[test]
fn s1_6_a_lost_log_in_at_the_tax_bureau_is_told() {
    let (handle, client) = start();
    assert_eq!(client.session().unwrap(), Session::Alive);
    handle.control(Control { needs_login: Some(true), ..Control::default() });
    assert_eq!(client.session().unwrap(), Session::NeedsLogIn);
}

#[test]
fn a_wrong_secret_is_the_account_s_fault() {
    let (handle, _) = start();
    let client = client(&handle, "another", Duration::from_secs(20));
    let Err(InvoiceError::Refused(refusal)) = client.submit(&new("A1", Line::General)) else {
        panic!("accepted")
    };
    assert_eq!((refusal.code.as_str(), refusal.why), ("070301", Why::Account));
    assert!(handle.invoices().is_empty());
}

#[test]
fn what_is_no_pdf_is_not_taken_for_one() {
    let (handle, client) = start();
    for address in
        [handle.endpoint(), format!("{}/pdf/none", handle.endpoint()), "http://192.0.2.1/x.pdf".to_owned()]
    {
        assert!(matches!(client.download(&address), Err(InvoiceError::Later(_))), "{address}");
    }
}
