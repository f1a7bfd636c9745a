//! `scripts/demo`: the main job on real parts, from 24 orders to 24 labelled parcels with 40 keys. The first order is typed by a browser, and
//! followed to its invoice.

#![allow(clippy::print_stdout, reason = "this program speaks to the person who started it")]

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use e2e::{
    customer::Customer,
    http::Operator,
    office::PACKER,
    orders,
    packer::Packer,
    places,
    proof::{self, Finished},
    shift::delivered,
    stack::{OPERATOR, Plan, Stack},
    staff::{Staff, make_blanks},
};
use serde_json::{Value, json};
use ukey_sim::Latency;

/// How long the whole wave may take before the demo gives up.
const PATIENCE: Duration = Duration::from_secs(600);

#[derive(Parser)]
#[command(about = "Makes 40 keys for 24 orders on virtual keys behind a real pcscd, and proves them")]
struct Cli {
    /// Leave everything running afterwards and say which addresses to open.
    #[arg(long)]
    keep: bool,
    /// Where the results go.
    #[arg(long, default_value = "demo-out")]
    out: PathBuf,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let out = places::fresh(&cli.out)?;
    let work = places::fresh(&places::tree().join(".work/demo"))?;

    say("starting pcscd with 16 virtual readers, mosquitto, the double of SF, portal and station");
    let stack = Stack::start(&work, &Plan::default())?;
    let operator = stack.operator()?;
    let mut wanted = orders::demo();
    let first = &mut wanted[0];
    first["number"] = order_by_browser(&stack, first, &out)?.into();
    stack.import(&wanted[1..])?;
    approve(&operator, &wanted)?;
    let keys: u64 = wanted.iter().filter_map(|order| order["quantity"].as_u64()).sum();
    say(&format!("{} more orders imported, all approved: {keys} keys to make", wanted.len() - 1));

    let profiles = profile::load_dir(&places::tree().join("firmware-profiles"))?;
    let models: Vec<_> = profiles.iter().filter(|profile| profile.maker == "ukey").collect();
    // The keys are results; whoever looks at the stack finds them there too.
    fs::remove_dir(stack.keys())?;
    symlink(out.join("keys"), stack.keys())?;
    let blanks = make_blanks(&out.join("keys"), &models, usize::try_from(keys)?, 1)?;
    let begin = Instant::now();
    let done = make(&stack, &operator, blanks, wanted.len())?;
    let seconds = begin.elapsed().as_secs_f64();

    let report = report(&operator, &wanted, seconds)?;
    fs::write(out.join("report.json"), serde_json::to_vec_pretty(&report)?)?;
    say("reading every key back, with openssl and zbarimg as judges");
    prove(&stack, &out, &report, &done, &profiles, &work)?;
    table(&report);
    hand_over(&stack, &wanted[0], &report, &out)?;
    copy_logs(&stack.logs, &out.join("logs"))?;
    println!("\nresults: {}", out.display());
    if cli.keep { keep(stack, &work) } else { finish(stack) }
}

fn say(text: &str) {
    println!("• {text}");
}

/// A customer types the order into the programme's page, uploads, confirms by SMS and pays; the order's number.
fn order_by_browser(stack: &Stack, order: &Value, out: &Path) -> Result<String> {
    let customer = Customer::new(stack, order.clone())?;
    let unit = order["unit"]["name"].as_str().unwrap_or_default();
    say(&format!("a customer orders by browser: {unit}"));
    customer.brings_everything(&["id_front", "id_back", "licence"])?;
    let number = customer.confirms_by_sms()?;
    customer.pays()?;
    customer.desk.shoot_to(&out.join("order.png"))?;
    say(&format!("{number} is paid and waits for review: {}", out.join("order.png").display()));
    Ok(number)
}

fn approve(operator: &Operator, orders: &[Value]) -> Result<()> {
    for order in orders {
        let number = order["number"].as_str().context("an order without number")?;
        operator.post(&format!("/api/orders/{number}/approve"), &json!({}))?;
    }
    Ok(())
}

/// Staff work until every order is 待配送; the flash files of the keys that came out.
fn make(stack: &Stack, operator: &Operator, blanks: Vec<PathBuf>, orders: usize) -> Result<Vec<PathBuf>> {
    let keys = blanks.len();
    let mut staff = Staff::new(stack, blanks, Latency::realistic());
    let begin = Instant::now();
    let mut shown = Instant::now();
    staff.work(PATIENCE, |staff| {
        if shown.elapsed() > Duration::from_secs(2) {
            shown = Instant::now();
            println!(
                "  {:>3.0} s  {:>2} of {keys} keys out, {:>2} in slots, {:>2} of {orders} parcels labelled",
                begin.elapsed().as_secs_f64(),
                staff.done.len(),
                staff.keys_in_slots(),
                fs::read_dir(&stack.labels).map(Iterator::count).unwrap_or(0),
            );
        }
        if staff.done.len() < keys {
            return Ok(false);
        }
        Ok(delivered(operator)? == orders)
    })?;
    for bad in staff.done.iter().filter(|done| done.phase != "passed") {
        println!("  slot {}: {}: {}", bad.slot, bad.flash.display(), bad.message);
    }
    Ok(staff.done.into_iter().map(|done| done.flash).collect())
}

/// What the portal knows of each order.
fn report(operator: &Operator, orders: &[Value], seconds: f64) -> Result<Value> {
    let mut rows = Vec::new();
    let (mut keys, mut pass) = (0u64, 0u64);
    for order in orders {
        let number = order["number"].as_str().unwrap_or_default();
        let seen = operator.get(&format!("/api/orders/{number}"))?;
        let mut jobs = Vec::new();
        for made in seen["made"].as_array().into_iter().flatten() {
            keys += 1;
            pass += u64::from(made["outcome"] == "pass");
            jobs.push(json!({
                "job": made["job"],
                "slot": made["slot"],
                "key_serial": made["key_serial"],
                "profile": made["profile"],
                "outcome": made["outcome"],
                "seconds": made["milliseconds"].as_f64().unwrap_or_default() / 1000.0,
                "sign_cert_serial": made["sign_cert_serial"],
                "enc_cert_serial": made["enc_cert_serial"],
            }));
        }
        let waybill = seen["waybill"].as_str().unwrap_or_default();
        rows.push(json!({
            "number": number,
            "programme": order["programme"],
            "state": seen["state"],
            "waybill": waybill,
            "label": format!("labels/{waybill}.pdf"),
            "jobs": jobs,
        }));
    }
    let per_hour = (keys as f64 / seconds * 3600.0).round();
    let summary = json!({
        "orders": rows.len(), "keys": keys, "pass": pass, "fail": keys - pass,
        "seconds": (seconds * 10.0).round() / 10.0, "keys_per_hour": per_hour,
    });
    Ok(json!({"orders": rows, "summary": summary}))
}

/// Checks everything that the report says, on the keys, the certificates and the labels themselves.
fn prove(
    stack: &Stack,
    out: &Path,
    report: &Value,
    flashes: &[PathBuf],
    profiles: &[profile::Profile],
    scratch: &Path,
) -> Result<()> {
    let (ca, certs, labels) = (out.join("ca"), out.join("certs"), out.join("labels"));
    for dir in [&ca, &certs, &labels] {
        fs::create_dir_all(dir)?;
    }
    stack.export_ca(&ca)?;
    proof::openssl_accepts(&ca.join("root.pem"), &ca.join("issuing.pem")).context("the issuing CA")?;
    let mut finished = Vec::new();
    for flash in flashes {
        let key = proof::finished_key(flash, profiles, scratch)?;
        for (certificate, kind) in [(&key.sign, "sign"), (&key.enc, "enc")] {
            let path = certs.join(format!("{}-{kind}.pem", key.serial));
            fs::write(&path, certificate.to_pem()?)?;
            proof::openssl_accepts(&ca.join("issuing.pem"), &path)?;
        }
        finished.push(key);
    }
    agrees(report, &finished)?;
    for order in report["orders"].as_array().into_iter().flatten() {
        let waybill = order["waybill"].as_str().unwrap_or_default();
        let (pdf, png) = (labels.join(format!("{waybill}.pdf")), labels.join(format!("{waybill}.png")));
        fs::copy(stack.labels.join(format!("{waybill}.pdf")), &pdf)
            .with_context(|| format!("label {waybill}"))?;
        let codes = proof::label_codes(&pdf, &png)?;
        ensure!(codes.iter().any(|code| code == waybill), "{}: decodes to {codes:?}", png.display());
    }
    Ok(())
}

/// Every order 待配送 with a waybill of its own, every job Pass, nothing twice, and the keys say what the portal says.
fn agrees(report: &Value, finished: &[Finished]) -> Result<()> {
    let orders = report["orders"].as_array().context("no orders")?;
    let mut waybills = BTreeSet::new();
    let mut serials = BTreeSet::new();
    let mut keys = BTreeSet::new();
    for order in orders {
        let number = order["number"].as_str().unwrap_or_default();
        ensure!(order["state"] == "awaiting_delivery", "{number} is {}", order["state"]);
        let waybill = order["waybill"].as_str().unwrap_or_default();
        ensure!(!waybill.is_empty() && waybills.insert(waybill), "{number}: waybill {waybill:?}");
        for job in order["jobs"].as_array().into_iter().flatten() {
            ensure!(job["outcome"] == "pass", "{} is {}", job["job"], job["outcome"]);
            let serial = job["key_serial"].as_str().unwrap_or_default();
            ensure!(keys.insert(serial), "key {serial} twice");
            let key = finished
                .iter()
                .find(|key| key.serial == serial)
                .with_context(|| format!("no key {serial}"))?;
            for (said, read) in [("sign_cert_serial", &key.sign), ("enc_cert_serial", &key.enc)] {
                ensure!(job[said] == read.serial_hex(), "{serial}: {said} {} is not on the key", job[said]);
                ensure!(serials.insert(read.serial_hex()), "certificate {} twice", read.serial_hex());
            }
            ensure!(job["profile"] == key.profile, "{serial}: profile {}", job["profile"]);
        }
    }
    ensure!(keys.len() == finished.len(), "{} keys reported, {} came out", keys.len(), finished.len());
    Ok(())
}

fn table(report: &Value) {
    println!("\n{:<26} {:<15} {:>4}  {:<16} slots", "order", "programme", "keys", "waybill");
    for order in report["orders"].as_array().into_iter().flatten() {
        let jobs = order["jobs"].as_array().cloned().unwrap_or_default();
        let slots: Vec<&str> = jobs.iter().filter_map(|job| job["slot"].as_str()).collect();
        println!(
            "{:<26} {:<15} {:>4}  {:<16} {}",
            order["number"].as_str().unwrap_or_default(),
            order["programme"].as_str().unwrap_or_default(),
            jobs.len(),
            order["waybill"].as_str().unwrap_or_default(),
            slots.join(" ")
        );
    }
    let summary = &report["summary"];
    println!(
        "\n{} orders, {} keys: {} pass, {} fail, {} s, {} keys an hour",
        summary["orders"],
        summary["keys"],
        summary["pass"],
        summary["fail"],
        summary["seconds"],
        summary["keys_per_hour"]
    );
}

/// The first parcel is checked with a scanner, which refuses a key of another; then its customer has it, and gets the invoice.
fn hand_over(stack: &Stack, order: &Value, report: &Value, out: &Path) -> Result<()> {
    let of = |index: usize| {
        let jobs = report["orders"][index]["jobs"].as_array().into_iter().flatten();
        jobs.filter_map(|job| job["key_serial"].as_str()).collect::<Vec<_>>()
    };
    let first = &report["orders"][0];
    let (number, waybill) = (first["number"].as_str(), first["waybill"].as_str());
    let (number, waybill) = number.zip(waybill).context("the first order has no parcel")?;
    let foreign = *of(1).first().context("the second order has no key")?;
    println!();
    say(&format!("somebody else checks parcel {waybill} with a scanner; a key of another order is refused"));
    let packer = Packer::log_in(stack)?;
    packer.takes(waybill)?;
    packer.scans(foreign)?;
    packer.desk.sees("不属于此包裹")?;
    packer.desk.shoot_to(&out.join("packing-refused.png"))?;
    packer.packs(&of(0))?;
    packer.desk.shoot_to(&out.join("packing.png"))?;
    say("the customer confirms receipt and takes the invoice");
    let customer = Customer::new(stack, order.clone())?;
    customer.logs_in(&customer.desk)?;
    let invoice = customer.receives(number)?;
    ensure!(invoice.starts_with(b"%PDF"), "the invoice is no PDF");
    fs::write(out.join("invoice.pdf"), invoice)?;
    customer.desk.shoot_to(&out.join("completed.png"))
}

fn copy_logs(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

fn keep(stack: Stack, work: &Path) -> Result<()> {
    println!("\neverything is left running:");
    println!("  bench screen  {}", stack.kiosk_url);
    println!("  portal        {}   log in as {OPERATOR} / {}", stack.portal_url, e2e::stack::PASSWORD);
    println!(
        "                {}/packing   as {PACKER}, with the same password: who approves does not pack",
        stack.portal_url
    );
    println!("  to order      {}/", stack.portal_url);
    println!("  the doubles   {}/   SMS with their codes, Alipay to pay at, invoices, SF", stack.sandbox_url);
    println!("stop it with:   pkill -f {}", work.display());
    stack.leave();
    Ok(())
}

fn finish(mut stack: Stack) -> Result<()> {
    let verdict = stack.close_and_check()?;
    println!("{verdict}");
    verdict.ensure_whole()
}
