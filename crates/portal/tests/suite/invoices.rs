//! Invoices: made when an order is completed, whatever the provider does; downloaded, mailed, taken back.

use std::{os::unix::fs::PermissionsExt as _, sync::atomic::Ordering};

use crate::bench::{Bench, free_order, legal_order, paid_order, services};
use model::{OrderNumber, OrderState};
use portal::{
    db::begin_write,
    invoices::{self, InvoiceRow, InvoiceState},
    mail::Mailer,
    orders::{Actor, change_state},
    outside::Outside,
};
use sandbox::invoice::{Control, Handle};
use serde_json::{Value, json};

pub(crate) const MINUTE_MS: i64 = 60_000;

pub(crate) struct Office {
    pub(crate) bench: Bench,
    pub(crate) provider: Handle,
    pub(crate) folder: tempfile::TempDir,
}

impl Office {
    pub(crate) fn new() -> Self {
        let (provider, service) = services::invoice();
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("mailer");
        let text = format!(
            "#!/bin/sh\ntee -a {0}/box | grep -a ^To: >&2\ntest ! -e {0}/broken\n",
            folder.path().display()
        );
        std::fs::write(&program, text).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
        let mailer = Mailer {
            from: "no-reply@example.com".to_owned(),
            command: vec![program.to_str().unwrap().to_owned()],
        };
        let outside = Outside { invoice: Some(service), mail: Some(mailer), ..Outside::default() };
        Self { bench: Bench::with_outside(|_| outside), provider, folder }
    }

    fn order(&self, order: &Value) -> OrderNumber {
        self.bench.place(&self.bench.log_in(), order).parse().unwrap()
    }

    fn to(&self, number: &OrderNumber, states: &[OrderState]) {
        let (state, now) = (&self.bench.state, self.bench.state.clock.now_ms());
        self.bench.runtime.block_on(async {
            let mut tx = begin_write(&state.db).await.unwrap();
            for to in states {
                change_state(&mut tx, number, *to, &Actor::System, "", now).await.unwrap();
            }
            tx.commit().await.unwrap();
        });
    }

    pub(crate) fn completed(&self, order: &Value) -> OrderNumber {
        let number = self.order(order);
        use OrderState::{AwaitingDelivery, AwaitingProduction, Completed};
        self.to(&number, &[AwaitingProduction, AwaitingDelivery, Completed]);
        number
    }

    pub(crate) fn turns(&self, times: usize, pause_ms: i64) {
        for _ in 0..times {
            self.bench.runtime.block_on(invoices::turn(&self.bench.state)).unwrap();
            self.bench.now_ms.fetch_add(pause_ms, Ordering::SeqCst);
        }
    }

    fn row(&self, number: &OrderNumber) -> Option<InvoiceRow> {
        self.bench.runtime.block_on(invoices::of_order(&self.bench.state.db, number)).unwrap()
    }

    pub(crate) fn state(&self, number: &OrderNumber) -> InvoiceState {
        self.row(number).unwrap().state
    }

    fn request(&self, number: &OrderNumber) -> Result<(), String> {
        let actor = Actor::Operator(crate::bench::OPERATOR.to_owned());
        let asked = invoices::request(&self.bench.state, number, &actor);
        self.bench.runtime.block_on(asked).map_err(|error| error.to_string())
    }

    fn download(&self, number: &OrderNumber) -> Result<Vec<u8>, String> {
        let pdf = self.bench.runtime.block_on(invoices::download(&self.bench.state, number));
        pdf.map(|pdf| pdf.bytes).map_err(|error| error.to_string())
    }

    fn needing_tax_login(&self) -> i64 {
        self.bench.runtime.block_on(invoices::needing_tax_login(&self.bench.state.db)).unwrap()
    }

    fn mails(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("box")).unwrap_or_default()
    }

    /// The one link of a mail's body.
    fn link(&self) -> String {
        use base64::Engine as _;
        let mails = self.mails();
        let (_, body) = mails.split_once("\r\n\r\n").unwrap();
        let body = base64::engine::general_purpose::STANDARD.decode(body.replace("\r\n", "")).unwrap();
        let body = String::from_utf8(body).unwrap();
        let at = body.find("/i/").unwrap();
        body[at..].split_whitespace().next().unwrap().to_owned()
    }
}

#[test]
fn s1_6_an_invoice_for_another_unit_carries_that_unit_s_tax_number_and_one_for_a_person_none() {
    let office = Office::new();
    let group = crate::bench::credit_code(9);
    for (title, number) in [("示例集团", Some(group.as_str())), ("陈测试", None)] {
        let mut order = paid_order(1);
        order["invoice"] = serde_json::json!({ "title": title });
        if let Some(number) = number {
            order["invoice"]["tax_number"] = number.into();
        }
        office.completed(&order);
        office.turns(6, MINUTE_MS);
        let made = office.provider.invoices();
        let made = made.last().unwrap();
        assert_eq!(
            (made.buyer.as_str(), made.buyer_tax_number.as_str()),
            (title, number.unwrap_or_default())
        );
    }
}

#[test]
fn s1_6_a_completed_order_gets_its_invoice_for_download() {
    let office = Office::new();
    office.provider.control(Control { pending: Some(2), ..Control::default() });
    let number = office.order(&paid_order(2));
    assert!(office.row(&number).is_none());
    assert!(office.request(&number).is_err(), "it is not completed");
    use OrderState::{AwaitingDelivery, AwaitingProduction, Completed};
    office.to(&number, &[AwaitingProduction, AwaitingDelivery, Completed]);
    assert_eq!(office.state(&number), InvoiceState::Asked);
    assert!(office.download(&number).unwrap_err().contains("正在开具"));
    office.turns(2, 5_000);
    assert_eq!(office.state(&number), InvoiceState::Submitted);
    office.turns(4, MINUTE_MS);
    let row = office.row(&number).unwrap();
    assert_eq!((row.state, row.number.unwrap().len()), (InvoiceState::Issued, 20));
    assert!(office.download(&number).unwrap().starts_with(b"%PDF-"));
    let made = &office.provider.invoices()[0];
    assert_eq!((made.line.as_str(), made.amount.as_str(), made.tax.as_str()), ("pc", "600.00", "33.96"));
    assert_eq!(made.buyer, "示例客车零部件有限公司");
    assert_eq!(made.buyer_tax_number, crate::bench::credit_code(1));
    office.turns(4, MINUTE_MS);
    office.request(&number).unwrap();
    office.turns(4, MINUTE_MS);
    assert_eq!(office.provider.invoices().len(), 1, "asked for again it is the same one");
    assert_eq!(office.mails(), "", "this programme's invoices are downloaded, not mailed");
}

#[test]
fn s3_6_a_special_invoice_is_mailed_as_a_link_that_opens_once() {
    let office = Office::new();
    let mut order = legal_order("unit-first", 1, 1);
    order["invoice"] = json!({ "kind": "special", "title": order["unit"]["name"] });
    let number = office.completed(&order);
    office.turns(3, MINUTE_MS);
    assert_eq!(office.state(&number), InvoiceState::Issued);
    assert_eq!(office.provider.invoices()[0].line, "bs");
    let mails = office.mails();
    assert!(mails.contains("To: <chen@example.com>") && !mails.contains("陈测试"));
    let link = office.link();
    let stored = sqlx::query_scalar::<sqlx::Any, String>("select token from invoice_links");
    let stored = office.bench.runtime.block_on(stored.fetch_one(&office.bench.state.db)).unwrap();
    assert!(link.len() > 60 && !link.contains(&stored), "the database does not open it");
    // Looking does not use it.
    for _ in 0..3 {
        let (status, page) = office.bench.get("", &link);
        assert!(status == 200 && page.contains("下载发票"), "{page}");
    }
    let post = || {
        let mut answer =
            office.bench.agent().post(format!("{}{link}", office.bench.url)).send_empty().unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_vec().unwrap())
    };
    let (status, pdf) = post();
    assert!(status == 200 && pdf.starts_with(b"%PDF-"));
    assert_eq!(post().0, 404, "it was used");
    assert_eq!(office.bench.get("", &link).0, 404);
    let wrong = format!("/i/{}", "0".repeat(64));
    assert_eq!(office.bench.get("", &wrong).0, 404);
}

#[test]
fn s3_6_a_link_expires_and_a_mail_that_was_not_taken_is_sent_again() {
    let office = Office::new();
    std::fs::write(office.folder.path().join("broken"), "").unwrap();
    let number = office.completed(&legal_order("unit-first", 1, 1));
    office.turns(3, MINUTE_MS);
    assert_eq!(office.state(&number), InvoiceState::Issued);
    let trouble = sqlx::query_scalar("select trouble from mails").fetch_one(&office.bench.state.db);
    let trouble: String = office.bench.runtime.block_on(trouble).unwrap();
    assert!(
        trouble.contains("To: <[recipient]>"),
        "what the program says of the recipient is not kept: {trouble}"
    );
    std::fs::remove_file(office.folder.path().join("broken")).unwrap();
    std::fs::remove_file(office.folder.path().join("box")).unwrap();
    office.turns(4, 60 * MINUTE_MS);
    assert_eq!(office.mails().matches("Message-ID").count(), 1);
    let link = office.link();
    office.bench.now_ms.fetch_add(30 * 24 * 60 * MINUTE_MS, Ordering::SeqCst);
    assert_eq!(office.bench.get("", &link).0, 404);
    assert!(office.download(&number).is_ok(), "under My orders it is still there");
}

#[test]
fn s1_6_an_order_without_payment_or_invoice_has_none() {
    let office = Office::new();
    let number = office.completed(&free_order());
    office.turns(3, MINUTE_MS);
    assert!(office.row(&number).is_none() && office.request(&number).is_err());
    assert!(office.provider.invoices().is_empty());
}

#[test]
fn s1_6_a_lost_answer_makes_no_second_invoice() {
    for fault in ["lose_reply", "http500"] {
        let office = Office::new();
        let number = office.completed(&paid_order(1));
        // Two questions about the log-in come first.
        let next = ["ok", "ok", fault].map(str::to_owned).to_vec();
        office.provider.control(Control { next, ..Control::default() });
        office.turns(1, 0);
        assert_eq!(office.state(&number), InvoiceState::Submitted, "{fault}");
        office.turns(6, 10 * MINUTE_MS);
        assert_eq!(office.state(&number), InvoiceState::Issued, "{fault}");
        assert_eq!(office.provider.invoices().len(), 1, "{fault}");
    }
}

#[test]
fn s1_6_a_lost_log_in_at_the_tax_bureau_is_shown_and_the_invoice_waits() {
    let office = Office::new();
    office.provider.control(Control { needs_login: Some(true), ..Control::default() });
    let number = office.completed(&paid_order(1));
    office.turns(5, 10 * MINUTE_MS);
    assert_eq!((office.state(&number), office.needing_tax_login()), (InvoiceState::Asked, 1));
    assert!(office.provider.invoices().is_empty(), "without a log-in it would fail");
    office.provider.control(Control { needs_login: Some(false), ..Control::default() });
    office.turns(3, 10 * MINUTE_MS);
    assert_eq!((office.state(&number), office.needing_tax_login()), (InvoiceState::Issued, 0));
}

#[test]
fn s1_6_a_failed_invoice_says_why_and_is_asked_for_anew() {
    let office = Office::new();
    office.provider.control(Control { fail: vec!["购方税号有误".to_owned()], ..Control::default() });
    let number = office.completed(&paid_order(1));
    office.turns(4, MINUTE_MS);
    let row = office.row(&number).unwrap();
    assert_eq!((row.state, row.trouble.as_str()), (InvoiceState::Failed, "购方税号有误"));
    office.request(&number).unwrap();
    office.turns(4, MINUTE_MS);
    assert_eq!(office.state(&number), InvoiceState::Issued);
    assert_eq!(office.provider.invoices().len(), 2, "the provider wants another number for another try");
}

#[test]
fn s1_6_a_refunded_order_s_invoice_is_taken_back() {
    let office = Office::new();
    let number = office.completed(&paid_order(1));
    office.turns(3, MINUTE_MS);
    office.to(&number, &[OrderState::Refunded]);
    assert_eq!(office.state(&number), InvoiceState::Reddening);
    office.turns(4, MINUTE_MS);
    let row = office.row(&number).unwrap();
    assert_eq!((row.state, row.red_number.unwrap().len()), (InvoiceState::Red, 20));
    assert!(office.provider.invoices()[0].red.is_some());

    // Not submitted yet: it is not made at all.
    let early = office.completed(&paid_order(1));
    office.to(&early, &[OrderState::Refunded]);
    office.turns(4, MINUTE_MS);
    assert_eq!((office.state(&early), office.provider.invoices().len()), (InvoiceState::Withdrawn, 1));

    // Submitted: it is taken back as soon as it is known.
    office.provider.control(Control { pending: Some(3), ..Control::default() });
    let late = office.completed(&paid_order(1));
    office.turns(2, 5_000);
    office.to(&late, &[OrderState::Refunded]);
    office.turns(12, 10 * MINUTE_MS);
    assert_eq!(office.state(&late), InvoiceState::Red);
}

#[test]
fn s1_6_an_invoice_waits_for_the_tax_log_in_to_be_taken_back_too() {
    let office = Office::new();
    let number = office.completed(&paid_order(1));
    office.turns(3, MINUTE_MS);
    office.provider.control(Control { needs_login: Some(true), ..Control::default() });
    office.to(&number, &[OrderState::Refunded]);
    office.turns(5, 10 * MINUTE_MS);
    assert_eq!((office.state(&number), office.needing_tax_login()), (InvoiceState::Reddening, 1));
    // The log-in seems alive and is not: what is refused then is no failure either.
    office
        .provider
        .control(Control { next: vec!["ok".to_owned(), "refuse_E9999".to_owned()], ..Control::default() });
    office.turns(5, 10 * MINUTE_MS);
    assert_eq!((office.state(&number), office.needing_tax_login()), (InvoiceState::Reddening, 1));
    office.provider.control(Control { needs_login: Some(false), ..Control::default() });
    office.turns(3, 10 * MINUTE_MS);
    assert_eq!((office.state(&number), office.needing_tax_login()), (InvoiceState::Red, 0));

    // What the provider refuses while somebody is logged in is an operator's.
    let other = office.completed(&paid_order(1));
    office.turns(3, MINUTE_MS);
    let refusal = ["ok", "ok", "ok", "refuse_E9104"].map(str::to_owned).to_vec();
    office.provider.control(Control { next: refusal, ..Control::default() });
    office.to(&other, &[OrderState::Refunded]);
    office.turns(2, MINUTE_MS);
    assert_eq!(office.state(&other), InvoiceState::RedFailed);
}

#[test]
fn an_access_token_that_ran_out_is_told_at_once_and_read_anew() {
    let (provider, mut service) = services::invoice();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "yesterdays").unwrap();
    service.access_token_file = Some(file.clone());
    let outside = Outside { invoice: Some(service), ..Outside::default() };
    let office = Office { bench: Bench::with_outside(|_| outside), provider, folder };
    let number = office.completed(&paid_order(1));
    office.turns(1, MINUTE_MS);
    let finance = office.bench.operator("finance", &[portal::operators::Role::Finance]);
    let page = office.bench.get(&finance, "/attention").1;
    assert!(page.contains("access_token_file") && page.contains("070304"), "{page}");

    // Half written: the last one is gone on with.
    std::fs::write(&file, "").unwrap();
    office.turns(1, 61 * MINUTE_MS);
    assert_ne!(office.state(&number), InvoiceState::Issued);
    std::fs::write(&file, sandbox::invoice::ACCESS_TOKEN).unwrap();
    office.turns(3, 61 * MINUTE_MS);
    assert_eq!(office.state(&number), InvoiceState::Issued);
    let finance = office.bench.log_in_as("finance", "").unwrap();
    assert!(office.bench.get(&finance, "/attention").1.contains("没有待处理的事项"));
}

#[test]
fn s1_6_an_invoice_that_lies_here_is_sealed() {
    let office = Office::new();
    let number = office.completed(&paid_order(1));
    office.turns(3, MINUTE_MS);
    let pdf = sqlx::query_scalar::<sqlx::Any, Vec<u8>>("select pdf from invoices");
    let pdf = office.bench.runtime.block_on(pdf.fetch_one(&office.bench.state.db)).unwrap();
    assert!(!pdf.windows(5).any(|part| part == b"%PDF-"));
    // What lies under one order's name does not open under another's.
    let other = office.completed(&paid_order(1));
    let moved = format!(
        "update invoices set pdf = (select pdf from invoices where order_number = '{number}'), number = '1' where order_number = '{other}'"
    );
    let moved = sqlx::query::<sqlx::Any>(sqlx::AssertSqlSafe(moved));
    office.bench.runtime.block_on(moved.execute(&office.bench.state.db)).unwrap();
    assert!(office.download(&number).is_ok() && office.download(&other).is_err());
}

#[test]
fn s1_6_operators_ask_for_and_download_invoices_and_nobody_else() {
    let office = Office::new();
    office.provider.control(Control { fail: vec!["x".to_owned()], ..Control::default() });
    let number = office.completed(&paid_order(1));
    office.turns(4, MINUTE_MS);
    let (page, pdf) = (format!("/orders/{number}/invoice"), format!("/orders/{number}/invoice.pdf"));
    assert_eq!(office.bench.get("", &pdf).0, 303);
    assert_eq!(office.bench.post_form("", &page, &[]).0, 303);
    office.turns(4, MINUTE_MS);
    assert_eq!(office.state(&number), InvoiceState::Failed, "a stranger asked for nothing");
    let cookie = office.bench.log_in();
    let (status, told) = office.bench.get(&cookie, "/orders/1/invoice.pdf");
    assert!(status == 400 && told.contains("<main"), "what is no number is told on a page: {told}");
    assert_eq!(office.bench.post_form(&cookie, &page, &[]).0, 303);
    office.turns(4, MINUTE_MS);
    assert_eq!(office.state(&number), InvoiceState::Issued);
    let answer =
        office.bench.agent().get(format!("{}{pdf}", office.bench.url)).header("cookie", &cookie).call();
    assert!(answer.unwrap().body_mut().read_to_vec().unwrap().starts_with(b"%PDF-"));
    let row =
        sqlx::query_scalar("select subject || ' ' || detail from audit where what = 'numbers.revealed'");
    let rows: Vec<String> = office.bench.runtime.block_on(row.fetch_all(&office.bench.state.db)).unwrap();
    assert_eq!(rows, [format!("{number} reason=review paper=invoice")], "whoever reads it is on record");
}

#[test]
fn s1_6_the_list_of_invoices_is_the_customers_own() {
    let office = Office::new();
    let own = office.completed(&paid_order(1));
    office.bench.now_ms.fetch_add(1000, Ordering::SeqCst);
    let mut foreign = paid_order(2);
    foreign["handler"]["mobile"] = json!("13900000002");
    let foreign = office.completed(&foreign);
    let customer = |mobile: &'static str| {
        let state = &office.bench.state;
        office.bench.runtime.block_on(async {
            let mut tx = begin_write(&state.db).await.unwrap();
            let token = portal::customers::open_session(state, &mut tx, mobile).await.unwrap();
            tx.commit().await.unwrap();
            format!("ukey_customer={}", token.expose())
        })
    };
    let cookie = customer("13800000001");
    let list = |cookie: &str| office.bench.get(cookie, "/my/invoices").1;
    let page = list(&cookie);
    assert!(page.contains("待开具") && page.contains("300.00") && !page.contains("下载发票"), "{page}");
    office.turns(6, MINUTE_MS);
    let page = list(&cookie);
    assert!(page.contains("已开具") && page.contains(&format!("/my/orders/{own}/invoice.pdf")), "{page}");
    assert!(!page.contains(foreign.as_str()), "{page}");
    let file = |cookie: &str, number: &OrderNumber| {
        let url = format!("{}/my/orders/{number}/invoice.pdf", office.bench.url);
        office.bench.agent().get(url).header("cookie", cookie).call().unwrap().status().as_u16()
    };
    assert_eq!((file(&cookie, &own), file(&cookie, &foreign)), (200, 404));
    assert_eq!((file(&customer("13900000002"), &foreign), file("", &own)), (200, 303));
    assert!(list(&customer("13900000002")).contains(foreign.as_str()));
    assert!(list(&customer("13700000003")).contains("还没有发票"));
    assert_eq!(office.bench.get("", "/my/invoices").0, 303);
}
