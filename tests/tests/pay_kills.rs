//! The real portal killed between a payment's notice and its answer, again and again; its database a file, and on a server.

use std::{process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    http::Operator,
    invariants::{self, Kind},
    office::Office,
    orders,
    postgres::Postgres,
    process::{run, wait_for},
};
use serde_json::{Value, json};

/// Orders, each paid while the portal is killed a little later than for the one before.
const ORDERS: usize = 12;
const STEP: Duration = Duration::from_millis(3);

#[test]
fn s1_10_a_portal_killed_at_a_notice_loses_no_payment_and_takes_none_twice() -> Result<()> {
    let folder = tempfile::tempdir()?;
    killed_at_notices(Office::start(folder.path())?)
}

#[test]
fn s1_10_a_portal_on_a_server_killed_at_a_notice_loses_no_payment_and_takes_none_twice() -> Result<()> {
    let server = Postgres::start()?;
    let folder = tempfile::tempdir()?;
    killed_at_notices(Office::start_on(folder.path(), &server)?)
}

fn killed_at_notices(mut office: Office) -> Result<()> {
    let orders: Vec<Value> = (0..ORDERS).map(unpaid).collect();
    office.import(&orders)?;
    let numbers: Vec<String> =
        orders.iter().filter_map(|order| order["number"].as_str().map(str::to_owned)).collect();
    for (index, number) in numbers.iter().enumerate() {
        let mut offer: Command = office.portal_command(&["pay", "offer", number])?;
        let said = run("portal pay offer", &mut offer, None)?;
        let trade = said.split_whitespace().next().context("nothing was offered")?.to_owned();
        let control = format!("{}/alipay/control", office.sandbox_url);
        ureq::post(&control).send_json(json!({ "pay": trade }))?;
        std::thread::sleep(STEP * u32::try_from(index)?);
        office.portal()?.kill9()?;
        office.start_portal()?;
    }
    let operator = office.operator()?;
    for number in &numbers {
        wait_for("the payment", Duration::from_secs(120), || {
            Ok((state(&operator, number)? == "awaiting_review").then_some(()))
        })?;
    }
    let china = jiff::tz::TimeZone::fixed(jiff::tz::offset(8));
    let today = jiff::Timestamp::now().to_zoned(china).date().to_string();
    let said = run("portal pay reconcile", &mut office.portal_command(&["pay", "reconcile", &today])?, None)?;
    ensure!(said.contains(" 0 differences"), "{said}");
    let verdict = office.close_and_check()?;
    verdict.ensure_whole()?;
    ensure!(verdict.orders == ORDERS && verdict.payments == ORDERS, "{verdict}");
    // The same evidence without Alipay's: silence means something.
    std::fs::remove_file(office.dir.join("doubles/alipay.json"))?;
    let missed = invariants::check(&office.dir)?.count(Kind::Unaccounted);
    ensure!(missed == ORDERS, "of {ORDERS} payments that Alipay does not know {missed} are found");
    Ok(())
}

fn unpaid(index: usize) -> Value {
    let mut order = orders::order(index, "xiamen-jinlong", "unit-first", 1);
    if let Some(fields) = order.as_object_mut() {
        fields.remove("payment");
    }
    order
}

fn state(operator: &Operator, number: &str) -> Result<String> {
    let order = operator.get(&format!("/api/orders/{number}"))?;
    Ok(order["state"].as_str().context("no state")?.to_owned())
}
