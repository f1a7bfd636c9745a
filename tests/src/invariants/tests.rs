//! A small stack in which all is well, and one thing spoiled at a time: each must be found, and be found as what it is.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod services;

use serde_json::json;

use super::{
    Evidence, Kind,
    doubles::{Doubles, Shipment},
    flash::Flash,
    journals::{Attempt, Book},
    judge,
    ledger::{Certificate, Job, Key, Ledger, Order, Parcel, Report},
};

/// Order `a` is finished with two keys, order `b` has a job in work and a job waiting; key 4 was spoiled, key 5 is a blank. What is paid,
/// told and invoiced is added by [`services::add`].
fn good() -> Evidence {
    let order = |number: &str, state: &str| Order {
        number: number.into(),
        state: state.into(),
        quantity: 2,
        amount_fen: 0,
    };
    let ledger = Ledger {
        orders: vec![order("a", "awaiting_delivery"), order("b", "awaiting_production")],
        jobs: vec![
            job("a-1", "done", Some("1")),
            job("a-2", "done", Some("2")),
            job("b-1", "leased", Some("3")),
            job("b-2", "waiting", None),
        ],
        keys: vec![
            key("1", "issued", Some("a-1")),
            key("2", "issued", Some("a-2")),
            key("3", "bound", Some("b-1")),
            key("4", "spoiled", Some("a-1")),
        ],
        certificates: vec![
            certificate("1", "a-1", None),
            certificate("2", "a-2", None),
            certificate("3", "b-1", None),
            certificate("4", "a-1", Some(1)),
        ],
        reports: vec![
            ended_report("1", "a-1", "pass"),
            ended_report("2", "a-2", "pass"),
            ended_report("4", "a-1", "error"),
            label_report(),
        ],
        parcels: vec![Parcel { order_number: "a".into(), waybill: "SF1".into() }],
        blanks: (1..=5).map(|n| id(&n.to_string())).collect(),
        stations: vec!["bench-1".into()],
        ..Ledger::default()
    };
    let attempts = [
        ("1", "a-1", Some("pass")),
        ("2", "a-2", Some("pass")),
        ("4", "a-1", Some("error")),
        ("3", "b-1", None),
    ];
    let book = Book {
        station: "bench-1".into(),
        findings: Vec::new(),
        discarded: Default::default(),
        attempts: attempts.into_iter().map(|(key, job, end)| (stream(key), attempt(key, job, end))).collect(),
        labels: vec![("a".into(), "SF1".into())],
        reports: ["1", "2", "4"]
            .map(|key| (format!("ended:{}", stream(key)), true))
            .into_iter()
            .chain([("label:a".into(), true)])
            .collect(),
    };
    let proved = |key: &str| (id(key), Ok((format!("s{key}"), format!("e{key}"))));
    let mut evidence = Evidence {
        ledger,
        books: vec![book],
        flashes: ["1", "2", "3", "4", "5"].map(|key| flash(key, key != "5")).into(),
        labels: vec!["SF1".into()],
        doubles: Doubles {
            sf: vec![Shipment { order_id: "a".into(), waybill: "SF1".into() }],
            ..Doubles::default()
        },
        read_back: [proved("1"), proved("2")].into(),
        leaks: Vec::new(),
    };
    services::add(&mut evidence);
    evidence
}

fn id(key: &str) -> String {
    format!("ukey/virtual/{key}")
}

fn stream(key: &str) -> String {
    format!("job/{key}")
}

fn job(job: &str, state: &str, key: Option<&str>) -> Job {
    Job {
        job: job.into(),
        order_number: job[..1].into(),
        state: state.into(),
        station: (state != "waiting").then(|| "bench-1".into()),
        key_id: key.map(id),
        outcome: (state == "done").then(|| "pass".into()),
        stuck_reason: None,
    }
}

fn key(key: &str, state: &str, job: Option<&str>) -> Key {
    Key { key_id: id(key), state: state.into(), job: job.map(Into::into) }
}

fn certificate(key: &str, job: &str, revoked_ms: Option<i64>) -> Certificate {
    Certificate {
        job: job.into(),
        key_id: id(key),
        key_xy: format!("xy{key}"),
        sign_serial: format!("s{key}"),
        enc_serial: format!("e{key}"),
        sign_der: format!("s{key}").into(),
        enc_der: format!("e{key}").into(),
        revoked_ms,
    }
}

fn flash(key: &str, touched: bool) -> Flash {
    let held = |serial: String| (serial.clone(), serial.into_bytes());
    let made = touched.then(|| [held(format!("s{key}")), held(format!("e{key}"))]);
    Flash {
        file: format!("keys/{key}.json").into(),
        id: id(key),
        touched,
        public_keys: if touched { vec![format!("xy{key}"), format!("enc-xy{key}")] } else { Vec::new() },
        certificates: made.into_iter().flatten().collect(),
        secrets: Vec::new(),
    }
}

fn attempt(key: &str, job: &str, outcome: Option<&str>) -> Attempt {
    let ended = outcome.map(|outcome| {
        json!({"record": "ended", "outcome": outcome, "key_touched": true,
        "sign_cert_serial": format!("s{key}"), "enc_cert_serial": format!("e{key}")})
    });
    Attempt { job: job.into(), key: id(key), slot: "A01".into(), ended }
}

fn ended_report(key: &str, job: &str, outcome: &str) -> Report {
    let event = json!({"event": "job_ended", "job": job, "key": id(key), "slot": "A01", "outcome": outcome,
        "key_touched": true, "sign_cert_serial": format!("s{key}"), "enc_cert_serial": format!("e{key}")});
    Report { station: "bench-1".into(), id: format!("ended:{}", stream(key)), event, refusal: None }
}

fn label_report() -> Report {
    let event = json!({"event": "label_printed", "order": "a", "waybill": "SF1"});
    Report { station: "bench-1".into(), id: "label:a".into(), event, refusal: None }
}

/// Spoils one thing; what is said of it must have these words.
#[track_caller]
fn finds(kind: Kind, words: &str, spoil: impl FnOnce(&mut Evidence)) {
    let mut evidence = good();
    spoil(&mut evidence);
    let verdict = judge(&evidence);
    let said: Vec<String> = verdict.violations.iter().map(ToString::to_string).collect();
    let found = verdict.violations.iter().any(|found| found.kind == kind && found.what.contains(words));
    assert!(found, "no {kind:?} with {words:?} in {said:#?}");
}

#[test]
fn a_good_stack_is_whole() {
    let verdict = judge(&good());
    assert_eq!(verdict.violations, []);
    let line = "invariants: checked orders=6 payments=4 messages=3 invoices=1 keys=5 certificates=8 \
                lost=0 doubled=0 unaccounted=0 leaked=0";
    assert_eq!(verdict.to_string(), line);
    assert!(verdict.ensure_whole().is_ok());
}

#[test]
fn an_order_that_does_not_say_where_its_jobs_are() {
    use Kind::{Lost, Unaccounted};
    finds(Unaccounted, "of 2 keys has 1 jobs", |e| drop(e.ledger.jobs.pop()));
    finds(Unaccounted, "is awaiting_review and has jobs", |e| {
        e.ledger.orders[1].state = "awaiting_review".into()
    });
    finds(Unaccounted, "its job a-2 is stuck", |e| e.ledger.jobs[1].state = "stuck".into());
    finds(Unaccounted, "nobody has it in work", |e| drop(e.books[0].attempts.remove(&stream("3"))));
    finds(Unaccounted, "nobody has it in work", |e| e.ledger.jobs[3].state = "stuck".into());
    finds(Lost, "no key was issued for it", |e| e.ledger.jobs[0].key_id = None);
    finds(Lost, "its history ends with", |e| e.ledger.orders[0].state = "completed".into());
    finds(Lost, "has no waybill", |e| e.ledger.parcels.clear());
    finds(Lost, "has no label", |e| e.labels.clear());
    finds(Lost, "no report says its label", |e| drop(e.ledger.reports.pop()));
    // A job of which the end is not acknowledged yet is accounted for.
    let mut evidence = good();
    evidence.books[0].attempts.insert(stream("3"), attempt("3", "b-1", Some("pass")));
    evidence.books[0].reports.insert(format!("ended:{}", stream("3")), false);
    assert_eq!(judge(&evidence).violations, []);
}

#[test]
fn two_keys_for_a_job_or_two_jobs_for_a_key() {
    use Kind::Doubled;
    finds(Doubled, "job a-1 has the keys", |e| {
        e.ledger.keys[3].state = "issued".into();
        e.ledger.certificates[3].revoked_ms = None;
    });
    finds(Doubled, "job a-1 has the keys", |e| e.ledger.certificates[3].revoked_ms = None);
    finds(Doubled, "serves the jobs a-1, b-2", |e| e.ledger.jobs[3].key_id = Some(id("1")));
    finds(Doubled, "serves the jobs a-1, a-2", |e| e.ledger.certificates[1].key_id = id("1"));
    finds(Doubled, "two written keys", |e| {
        let twin = Flash { file: "keys/twin.json".into(), ..e.flashes[0].clone() };
        e.flashes.push(twin);
    });
}

#[test]
fn a_certificate_or_a_public_key_in_two_keys() {
    use Kind::{Doubled, Unaccounted};
    finds(Doubled, "certificate s1 is in two keys", |e| {
        e.flashes[1].certificates = e.flashes[0].certificates.clone()
    });
    finds(Doubled, "certificate s1 of key", |e| {
        e.flashes[1].certificates = e.flashes[0].certificates.clone()
    });
    finds(Doubled, "public key xy1 is in two keys", |e| {
        e.flashes[1].public_keys = e.flashes[0].public_keys.clone()
    });
    finds(Doubled, "was issued for 2 public keys", |e| e.ledger.certificates[1].sign_serial = "s1".into());
    finds(Unaccounted, "not in the ledger", |e| drop(e.ledger.certificates.remove(3)));
    finds(Unaccounted, "is another than the ledger's", |e| e.flashes[0].certificates[0].1.push(0));
    finds(Unaccounted, "for another public key", |e| e.flashes[0].public_keys.clear());
}

#[test]
fn an_issued_key_that_does_not_prove_itself() {
    use Kind::Lost;
    finds(Lost, "fails read-back", |e| drop(e.read_back.insert(id("1"), Err("the challenge".into()))));
    finds(Lost, "is issued and blank", |e| drop(e.read_back.remove(&id("1"))));
    finds(Lost, "valid for it are", |e| drop(e.read_back.insert(id("1"), Ok(("s1".into(), "e2".into())))));
    finds(Lost, "valid for it are []", |e| e.ledger.certificates[0].revoked_ms = Some(1));
    finds(Lost, "nowhere to be found", |e| drop(e.flashes.remove(0)));
}

#[test]
fn a_key_that_nobody_answers_for() {
    use Kind::Unaccounted;
    finds(Unaccounted, "certificates that are not revoked", |e| e.ledger.certificates[3].revoked_ms = None);
    finds(Unaccounted, "the portal has it as None", |e| e.flashes[4] = flash("5", true));
    finds(Unaccounted, "no journal has it in work", |e| {
        e.books[0].reports.insert(format!("ended:{}", stream("3")), true);
        drop(e.books[0].attempts.insert(stream("3"), attempt("3", "b-1", Some("error"))));
    });
    finds(Unaccounted, "which does not know it", |e| e.ledger.jobs[2].key_id = None);
    finds(Unaccounted, "is blank for job None", |e| {
        e.ledger.keys[3] = key("4", "blank", None);
        e.ledger.certificates[3].revoked_ms = None;
    });
    finds(Unaccounted, "which does not know it", |e| e.ledger.keys[3].state = "eaten".into());
}

#[test]
fn a_waybill_that_is_on_two_parcels() {
    use Kind::{Doubled, Unaccounted};
    let second = |order: &str, waybill: &str| Shipment { order_id: order.into(), waybill: waybill.into() };
    finds(Doubled, "waybill SF1 is on the parcels of orders a, b", |e| e.doubles.sf.push(second("b", "SF1")));
    finds(Doubled, "order a has the waybills SF1, SF2", |e| e.doubles.sf.push(second("a", "SF2")));
    finds(Doubled, "order a has the waybills SF1, SF2", |e| {
        e.books[0].labels.push(("a".into(), "SF2".into()))
    });
    finds(Unaccounted, "label SF2 is of no parcel", |e| e.labels.push("SF2".into()));
    finds(Unaccounted, "SF does not know waybill SF1", |e| e.doubles.sf.clear());
    // SF was asked and the portal died before it could write the answer down: it asks again.
    let mut evidence = good();
    evidence.doubles.sf.push(second("b", "SF2"));
    assert_eq!(judge(&evidence).violations, []);
}

#[test]
fn a_record_that_is_missing_or_another() {
    use Kind::{Lost, Unaccounted};
    finds(Lost, "was acknowledged and the portal has it not", |e| drop(e.ledger.reports.remove(2)));
    finds(Unaccounted, "nobody gave it up", |e| e.ledger.reports[2].refusal = Some("no such job".into()));
    finds(Lost, "the journal knows nothing of it", |e| e.books[0].reports.retain(|id, _| id != "label:a"));
    finds(Lost, "was never reported", |e| {
        e.books[0].reports.retain(|id, _| *id != format!("ended:{}", stream("1")));
    });
    finds(Unaccounted, "the journal says key", |e| e.ledger.reports[0].event["outcome"] = json!("error"));
    finds(Lost, "the journal is broken", |e| e.books[0].findings.push("link 7: it is missing".into()));
    finds(Lost, "the database is damaged", |e| e.ledger.damage.push("page 3".into()));
}

#[test]
fn books_that_do_not_balance_and_secrets_that_lie_about() {
    use Kind::{Leaked, Lost, Unaccounted};
    finds(Unaccounted, "was never registered", |e| drop(e.ledger.blanks.remove(0)));
    finds(Unaccounted, "5 keys are registered, 4 are accounted for", |e| e.flashes[4] = flash("5", true));
    finds(Lost, "was registered, is blank, and nowhere", |e| drop(e.flashes.pop()));
    finds(Leaked, "a secret of ukey/virtual/1", |e| e.leaks.push(("logs/station.log".into(), id("1"))));
}
