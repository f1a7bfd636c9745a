//! The real portal killed between a payment's notice and its answer, again and again; its database a file, and on a server.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    http::{Operator, get_json},
    invariants::{self, Kind},
    office::Office,
    orders,
    postgres::Postgres,
    process::{run, wait_for},
};
use serde_json::{Value, json};

/// Orders. The first is paid in peace; at each other one the portal is killed, ever closer to the moment in which it takes the notice.
const ORDERS: usize = 12;
const PATIENCE: Duration = Duration::from_secs(60);

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
    let (mut before, mut after, mut unheard) = (Duration::ZERO, Duration::MAX, 0);
    for number in &numbers {
        let mut offer: Command = office.portal_command(&["pay", "offer", number])?;
        let said = run("portal pay offer", &mut offer, None)?;
        let trade = said.split_whitespace().next().context("nothing was offered")?.to_owned();
        let control = format!("{}/alipay/control", office.sandbox_url);
        ureq::post(&control).send_json(json!({ "pay": trade }))?;
        let paid = Instant::now();
        if after == Duration::MAX {
            ensure!(is_acknowledged(&office, &trade)?, "the portal did not take a notice");
            after = paid.elapsed();
        } else {
            let middle = (before + after) / 2;
            std::thread::sleep(middle.saturating_sub(paid.elapsed()));
            office.portal()?.kill9()?;
            if is_acknowledged(&office, &trade)? {
                after = middle;
            } else {
                (before, unheard) = (middle, unheard + 1);
            }
            office.start_portal()?;
        }
    }
    ensure!(unheard > 0, "every kill came too late, the last {after:?} after a notice");
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
    office.end_doubles()?;
    // The same evidence without Alipay's: silence means something.
    std::fs::remove_file(office.dir.join("doubles/alipay.json"))?;
    let missed = invariants::check(&office.dir)?.count(Kind::Unaccounted);
    ensure!(missed == ORDERS, "of {ORDERS} payments that Alipay does not know {missed} are found");
    Ok(())
}

/// How the first notice of a trade ended.
fn is_acknowledged(office: &Office, trade: &str) -> Result<bool> {
    let url = format!("{}/alipay/control/trades", office.sandbox_url);
    wait_for("the end of a notice", PATIENCE, || {
        let trades = get_json(&url)?;
        let told = trades.as_array().and_then(|all| all.iter().find(|one| one["out_trade_no"] == trade));
        let told = told.filter(|one| one["notices"].as_u64().is_some_and(|times| times > 0));
        Ok(told.map(|one| one["acknowledged"] == true))
    })
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
