//! The whole history of a real stack, checked by `ukey-audit` alone: as it is, and after somebody had a hand in it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{fs, path::Path, process::Command, time::Duration};

use e2e::{
    orders, places,
    process::wait_for,
    stack::{Plan, Stack},
    staff::{Staff, make_blanks},
};
use serde_json::{Value, json};
use ukey_sim::Latency;

/// Two orders, from approval to the parcel; then the station is stopped.
fn worked(dir: &Path) -> Stack {
    let plan = Plan { slots: 4, interrupted_seconds: 20, answer_seconds: 60, ..Plan::default() };
    let mut stack = Stack::start(dir, &plan).unwrap();
    let operator = stack.operator().unwrap();
    let orders = orders::singles(2);
    stack.import(&orders).unwrap();
    let numbers: Vec<&str> = orders.iter().map(|order| order["number"].as_str().unwrap()).collect();
    for number in &numbers {
        operator.post(&format!("/api/orders/{number}/approve"), &json!({})).unwrap();
    }
    let profiles = profile::load_dir(&places::tree().join("firmware-profiles")).unwrap();
    let profile = profiles.iter().find(|profile| profile.name == "ukey/virtual").unwrap();
    let blanks = make_blanks(&stack.dir.join("keys"), &[profile], 2, 1).unwrap();
    let mut staff = Staff::new(&stack, vec![], Latency::none());
    staff.plug("A01", &blanks[0]).unwrap();
    staff.plug("A03", &blanks[1]).unwrap();
    wait_for("both orders 待配送", Duration::from_secs(120), || {
        for number in &numbers {
            if operator.get(&format!("/api/orders/{number}"))?["state"] != "awaiting_delivery" {
                return Ok(None);
            }
        }
        Ok(Some(()))
    })
    .unwrap();
    drop(staff);
    stack.stop_station().unwrap();
    stack
}

#[test]
fn n7_the_whole_history_is_checked_from_outside_and_what_was_done_to_it_is_found() {
    let scratch = tempfile::tempdir().unwrap();
    let stack = worked(scratch.path());
    let out = stack.dir.join("audit");
    stack.export_audit(&out).unwrap();
    stack.export_ca(&out).unwrap();
    let portal = out.join("portal.jsonl");
    let anchors = out.join("anchors-bench-1.jsonl");
    let check = || {
        let mut command = Command::new(places::program("ukey-audit").unwrap());
        command.arg("verify").arg("--journal").arg(stack.dir.join("station/journal"));
        command.arg("--anchors").arg(&anchors).arg("--portal").arg(&portal);
        let output = command.arg("--portal-certificate").arg(out.join("issuing.pem")).output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code(), text)
    };

    let (code, text) = check();
    assert!(code == Some(0), "{code:?} {text}");
    assert_eq!(text.matches("whole: nothing is wrong").count(), 2, "{text}");
    assert!(!text.contains("none:"), "anchors of the journal and heads of the audit were there\n{text}");

    let (rows, heads) = (fs::read_to_string(&portal).unwrap(), fs::read_to_string(&anchors).unwrap());
    let lines: Vec<&str> = rows.lines().collect();
    let what = |line: &str| serde_json::from_str::<Value>(line).unwrap()["what"].as_str().unwrap().to_owned();
    for (wanted, times) in [
        ("order.approved", 2),
        ("secrets.given", 2),
        ("certificate.issued", 2),
        ("report.applied", 4),
        ("waybill.created", 2),
        ("login.done", 1),
        ("station.enrolled", 1),
        ("anchor.conflict", 0),
    ] {
        // Secrets are given again when an answer came late.
        let found = lines.iter().filter(|line| what(line) == wanted).count();
        assert!(
            found == times || (wanted == "secrets.given" && found > times),
            "{found} {wanted} in\n{rows}"
        );
    }
    assert!(heads.lines().count() >= 2, "{heads}");

    // The row of an approval is taken out.
    let approval = lines.iter().position(|line| what(line) == "order.approved").unwrap();
    let rest: Vec<&str> =
        lines.iter().enumerate().filter(|(at, _)| *at != approval).map(|(_, line)| *line).collect();
    fs::write(&portal, rest.join("\n")).unwrap();
    let (code, text) = check();
    let expected = format!("gap at link {}: it is missing", approval + 1);
    assert!(code == Some(1) && text.contains(&expected), "{code:?} {text}");

    // All since the approvals: inside the file nothing shows it, the station knows better.
    fs::write(&portal, format!("{}\n", lines[..=approval].join("\n"))).unwrap();
    let (code, text) = check();
    let expected = format!("cut at link {}: the audit ends at link {}", approval + 2, approval + 1);
    assert!(code == Some(1) && text.contains(&expected), "{code:?} {text}");

    // Another who.
    fs::write(&portal, rows.replacen("operator:reviewer", "operator:nobody", 1)).unwrap();
    let (code, text) = check();
    assert!(code == Some(1) && text.contains("edit at link "), "{code:?} {text}");
    fs::write(&portal, &rows).unwrap();

    // The portal says that it knows another history of the station: nobody but the station can have signed that.
    let first = heads.lines().next().unwrap();
    let mut forged: Value = serde_json::from_str(first).unwrap();
    forged["head"] = json!("00".repeat(32));
    fs::write(&anchors, heads.replace(first, &forged.to_string())).unwrap();
    let (code, text) = check();
    assert!(code == Some(1) && text.contains("its anchor proves nothing"), "{code:?} {text}");
    fs::write(&anchors, &heads).unwrap();
    assert_eq!(check().0, Some(0));
}
