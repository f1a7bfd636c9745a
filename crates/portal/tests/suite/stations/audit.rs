//! The audit: every action leaves its row in the transaction of its effect, or neither is there; anchors of journals.

use gm::SigningKey;
use model::{OrderNumber, Outcome, Secret};
use portal::{
    audit,
    enrol::Enrolment,
    operators,
    orders::{self, Actor},
    stations::{self, KeyFate, Release},
    stock,
};
use serde_json::Value;
use wire::{Chain, Down, Event, LabelPrinted, ParcelRequest, RefusedCode, Report, SignedHead, Up};

use crate::{
    bench::{OPERATOR, PASSWORD, paid_order},
    stations::desk::{
        Portal, Station, TestKey, assert_refused, certificates_request, ended, enrol_request, on_desk,
        passed, secrets_request, serial,
    },
};

type Row = (i64, i64, String, String, String, String, String);

fn rows(portal: &Portal) -> Vec<Row> {
    let rows = sqlx::query_as::<portal::db::Sql, Row>(
        "select sequence, at_ms, who, what, subject, detail, head from audit order by sequence",
    );
    portal.runtime.block_on(rows.fetch_all(&portal.state.db)).unwrap()
}

fn run(portal: &Portal, sql: &'static str) {
    portal.runtime.block_on(sqlx::raw_sql(sql).execute(&portal.state.db)).unwrap();
}

/// From now on nothing is written to the audit; triggers are the one thing that each database says in its own words.
fn disk_is_full(portal: &Portal) {
    let trigger = if portal.state.is_shared() {
        "create function no_room() returns trigger language plpgsql as $$ begin raise 'the disk is full'; end $$; \
         create trigger no_room before insert on audit execute function no_room();"
    } else {
        "create trigger no_room before insert on audit begin select raise(abort, 'the disk is full'); end"
    };
    run(portal, trigger);
}

fn actor() -> Actor {
    Actor::Operator(OPERATOR.to_owned())
}

fn anchored(report: &Report, key: &SigningKey, sequence: u64, head: [u8; 32]) -> Report {
    let signature = key.sign(&Chain::Journal.message(sequence, &head)).unwrap();
    Report { anchor: Some(SignedHead::new(sequence, &head, &signature)), ..report.clone() }
}

fn label_printed(order: &OrderNumber, waybill: &str) -> Report {
    let event = Event::LabelPrinted(LabelPrinted { order: order.clone(), waybill: waybill.to_owned() });
    Report { id: format!("label:{order}"), at: "2026-11-22T09:40:00Z".to_owned(), event, anchor: None }
}

fn parcel(order: &OrderNumber) -> Up {
    Up::Parcel(ParcelRequest { order: order.clone() })
}

/// The chain as the README has it, written here a second time.
fn follow(rows: &[Row]) {
    let mut head = [0_u8; 32];
    for (index, (sequence, at, who, what, subject, detail, told)) in rows.iter().enumerate() {
        assert_eq!(usize::try_from(*sequence).unwrap(), index + 1);
        let mut bytes = head.to_vec();
        bytes.extend(u64::try_from(*sequence).unwrap().to_be_bytes());
        let at = at.to_be_bytes();
        for field in [at.as_slice(), who.as_bytes(), what.as_bytes(), subject.as_bytes(), detail.as_bytes()] {
            bytes.extend(u32::try_from(field.len()).unwrap().to_be_bytes());
            bytes.extend(field);
        }
        head = gm::sm3(&bytes);
        assert_eq!(*told, hex::encode(head), "row {sequence}");
    }
}

async fn log_in(
    portal: &Portal,
    name: &str,
    password: Secret,
) -> Result<operators::Token, operators::OperatorError> {
    let given = operators::Credentials { name: name.to_owned(), password, code: String::new() };
    operators::log_in(&portal.state, given, "::1").await
}

on_desk!(p8_every_action_leaves_its_record, |portal| {
    let (db, now) = (portal.state.db.clone(), portal.state.clock.now_ms());
    let before = rows(&portal).len();
    portal.runtime.block_on(async {
        operators::add(&db, OPERATOR, Secret::from(PASSWORD), &[], &Actor::CommandLine, now).await.unwrap();
        assert!(log_in(&portal, OPERATOR, Secret::from("wrong")).await.is_err());
        assert!(log_in(&portal, "typed a password", Secret::from("x")).await.is_err());
        let token = log_in(&portal, OPERATOR, Secret::from(PASSWORD)).await.unwrap();
        operators::log_out(&portal.state, token.expose()).await.unwrap();
        operators::log_out(&portal.state, token.expose()).await.unwrap();
        stock::register(
            &db,
            "L1",
            portal::stock::Delivery::Csv("maker,model,serial\nukey,virtual,V1\n"),
            &Actor::CommandLine,
            now,
        )
        .await
        .unwrap();
    });
    let order = portal.order(2);
    let jobs = portal.pull(&portal.bench, 2, &[]);
    let bad = TestKey::new("V1");
    portal.secrets(&portal.bench, &jobs[0], &bad);
    let spoiled = portal.certificates(&portal.bench, &jobs[0], &bad);
    portal.acknowledged(&portal.bench, &ended(&jobs[0], &bad, Outcome::Fail, true));
    portal.make(&portal.bench, &jobs[0], "V2");
    let foreign = passed(&jobs[1], &TestKey::new("V9"), &spoiled);
    assert_refused(&portal.report(&portal.bench, &foreign), RefusedCode::Invalid);
    let key = TestKey::new("V3");
    portal.secrets(&portal.bench, &jobs[1], &key);
    let release = Release { key: KeyFate::Lost, reason: "工位故障".to_owned(), seen_key: None };
    portal
        .runtime
        .block_on(stations::release(&db, &portal.state.clock, &jobs[1], &release, &actor()))
        .unwrap();
    assert_eq!(portal.pull(&portal.bench, 1, &[]).len(), 1);
    portal.make(&portal.bench, &jobs[1], "V4");
    let Down::Parcel(waybill) = portal.ask(&portal.bench, &parcel(&order)) else { panic!("no parcel") };
    portal.acknowledged(&portal.bench, &label_printed(&order, &waybill.waybill));
    let mut rejected: Value = paid_order(1);
    rejected["number"] = "SAAS120261122093000990001".into();
    portal.runtime.block_on(async {
        orders::accept_all(&portal.state, &rejected, &Actor::Import).await.unwrap();
        let number = "SAAS120261122093000990001".parse().unwrap();
        orders::reject(&portal.state, &number, "陈测试 13800000001", &actor(), None).await.unwrap();
        portal::enrol::disable_station(&portal.config, &portal.bench.name).await.unwrap();
    });

    let all = rows(&portal);
    follow(&all);
    let told: Vec<String> =
        all.iter().map(|(_, _, who, what, subject, ..)| format!("{who} {what} {subject}")).collect();
    assert_eq!(
        told[..before],
        ["command-line station.invited bench-1", "station:bench-1 station.enrolled bench-1"]
    );
    let (one, two) = (&jobs[0], &jobs[1]);
    let report = |job, serial| format!("ended:job/{job}/A1/{serial}");
    let expected = [
        "command-line operator.added li.shen".to_owned(),
        "unknown login.failed li.shen".to_owned(),
        "unknown login.failed unknown".to_owned(),
        "operator:li.shen login.done li.shen".to_owned(),
        "operator:li.shen login.ended li.shen".to_owned(),
        "command-line stock.registered L1".to_owned(),
        format!("import order.received {order}"),
        format!("operator:li.shen order.approved {order}"),
        format!("station:bench-1 secrets.given {one}"),
        format!("station:bench-1 certificate.issued {one}"),
        format!("station:bench-1 certificate.revoked {one}"),
        format!("station:bench-1 report.applied {}", report(one, "V1")),
        format!("station:bench-1 secrets.given {one}"),
        format!("station:bench-1 certificate.issued {one}"),
        format!("station:bench-1 report.applied {}", report(one, "V2")),
        format!("station:bench-1 report.refused {}", report(two, "V9")),
        format!("station:bench-1 secrets.given {two}"),
        format!("operator:li.shen job.released {two}"),
        format!("station:bench-1 secrets.given {two}"),
        format!("station:bench-1 certificate.issued {two}"),
        format!("station:bench-1 report.applied {}", report(two, "V4")),
        format!("station:bench-1 waybill.created {order}"),
        format!("station:bench-1 order.state {order}"),
        format!("station:bench-1 report.applied label:{order}"),
        "import order.received SAAS120261122093000990001".to_owned(),
        "operator:li.shen order.rejected SAAS120261122093000990001".to_owned(),
        "command-line station.disabled bench-1".to_owned(),
    ];
    assert_eq!(told[before..], expected);
    let detail = |what: &str| {
        let found = all.iter().find(|(_, _, _, told, ..)| told == what);
        found.map(|(_, _, _, _, _, detail, _)| detail.clone()).unwrap()
    };
    let (sign, enc) = (serial(&spoiled.sign_certificate), serial(&spoiled.enc_certificate));
    assert_eq!(detail("certificate.issued"), format!("key=ukey/virtual/V1 sign={sign} enc={enc}"));
    assert_eq!(
        detail("certificate.revoked"),
        format!("key=ukey/virtual/V1 sign={sign} enc={enc} reason=spoiled")
    );
    assert_eq!(detail("secrets.given"), "key=ukey/virtual/V1");
    assert_eq!(detail("job.released"), "key=ukey/virtual/V3 fate=lost station=bench-1");
    assert_eq!(detail("waybill.created"), format!("waybill={}", waybill.waybill));
    assert_eq!(detail("order.approved"), "from=awaiting_review to=awaiting_production");
    assert_eq!(detail("stock.registered"), "new=1 again=0");
    // No person, no secret, nothing typed freely.
    let text = format!("{all:?}");
    for private in
        ["陈测试", "13800000001", "000000199001", "示例", "91000000MA", "typed a password", "工位", PASSWORD]
    {
        assert!(!text.contains(private), "{private} is in the audit");
    }
});

on_desk!(p8_braked_log_ins_are_summed, |portal| {
    portal.runtime.block_on(async {
        let (db, now) = (&portal.state.db, portal.state.clock.now_ms());
        operators::add(db, OPERATOR, Secret::from(PASSWORD), &[], &Actor::CommandLine, now).await.unwrap();
        for _ in 0..12 {
            assert!(log_in(&portal, OPERATOR, Secret::from("no")).await.is_err());
        }
    });
    assert_eq!(portal.number("select count(*) from audit where what = 'login.failed'"), 5);
    portal.pass(3600);
    let again = log_in(&portal, OPERATOR, Secret::from(PASSWORD));
    portal.runtime.block_on(again).unwrap();
    assert_eq!(portal.text("select detail from audit where what = 'login.done'"), "braked=7");
});

on_desk!(p8_when_the_audit_cannot_be_written_the_work_stops, |portal| {
    let (db, clock) = (portal.state.db.clone(), portal.state.clock.clone());
    portal
        .runtime
        .block_on(operators::add(
            &db,
            OPERATOR,
            Secret::from(PASSWORD),
            &[],
            &portal::orders::Actor::CommandLine,
            0,
        ))
        .unwrap();
    let made = portal.order(1);
    let job = portal.pull(&portal.bench, 1, &[]).remove(0);
    portal.make(&portal.bench, &job, "V1");
    portal.order(2);
    let jobs = portal.pull(&portal.bench, 2, &[]);
    let (bound, fresh) = (TestKey::new("V2"), TestKey::new("V3"));
    portal.secrets(&portal.bench, &jobs[0], &bound);
    let number: OrderNumber = "SAAS120261122093000990001".parse().unwrap();
    let mut order = paid_order(1);
    order["number"] = number.as_str().into();
    portal.runtime.block_on(orders::accept_all(&portal.state, &order, &Actor::Import)).unwrap();

    disk_is_full(&portal);
    let rest = || {
        let tables = [
            "select count(*) from orders",
            "select count(*) from order_history",
            "select count(*) from jobs",
            "select count(*) from keys",
            "select count(*) from certificates",
            "select count(*) from reports",
            "select count(*) from parcels",
            "select count(*) from operators",
            "select count(*) from sessions",
            "select count(*) from blanks",
            "select count(*) from enrolments",
            "select count(*) from audit",
            "select count(*) from revoked_stations",
            "select count(*) from jobs where state = 'waiting'",
            "select count(*) from orders where state = 'awaiting_review'",
            "select count(*) from stations where state = 'active'",
        ];
        tables.map(|sql| portal.number(sql))
    };
    let before = rest();
    for request in [
        secrets_request(&jobs[1], &fresh),
        certificates_request(&jobs[0], &bound),
        parcel(&made),
        Up::Report(ended(&jobs[0], &bound, Outcome::Fail, true)),
    ] {
        assert_refused(&portal.ask(&portal.bench, &request), RefusedCode::Later);
        assert_eq!(rest(), before, "{request:?}");
    }
    portal.runtime.block_on(async {
        assert!(orders::approve(&portal.state, &number, &actor(), None).await.is_err());
        assert!(orders::reject(&portal.state, &number, "no", &actor(), None).await.is_err());
        order["number"] = "SAAS120261122093000990002".into();
        assert!(orders::accept(&portal.state, &order, &Actor::Import).await.is_err());
        for password in [PASSWORD, "wrong"] {
            let refused = log_in(&portal, OPERATOR, Secret::from(password)).await;
            assert!(matches!(refused, Err(operators::OperatorError::Db(_))));
        }
        assert!(
            operators::add(&db, "wang", Secret::from(PASSWORD), &[], &portal::orders::Actor::CommandLine, 0)
                .await
                .is_err()
        );
        assert!(
            stock::register(
                &db,
                "L1",
                portal::stock::Delivery::Csv("maker,model,serial\nukey,virtual,V8\n"),
                &portal::orders::Actor::CommandLine,
                0
            )
            .await
            .is_err()
        );
        let release = Release { key: KeyFate::Lost, reason: "lost".to_owned(), seen_key: None };
        assert!(stations::release(&db, &clock, &jobs[0], &release, &actor()).await.is_err());
        assert!(portal::enrol::add_station(&portal.config, &"bench-2".parse().unwrap()).await.is_err());
        assert!(portal::enrol::disable_station(&portal.config, &portal.bench.name).await.is_err());
    });
    assert_eq!(rest(), before);

    // As soon as it can be written, all of it goes on.
    let on_audit =
        if portal.state.is_shared() { "drop trigger no_room on audit" } else { "drop trigger no_room" };
    run(&portal, on_audit);
    portal.runtime.block_on(orders::approve(&portal.state, &number, &actor(), None)).unwrap();
    portal.secrets(&portal.bench, &jobs[1], &fresh);
    portal.certificates(&portal.bench, &jobs[0], &bound);
    assert!(matches!(portal.ask(&portal.bench, &parcel(&made)), Down::Parcel(_)));
    follow(&rows(&portal));
});

on_desk!(p8_a_new_identity_is_on_record_or_not_there, |portal| {
    let name = "bench-2".parse().unwrap();
    let code = portal.runtime.block_on(portal::enrol::add_station(&portal.config, &name)).unwrap();
    disk_is_full(&portal);
    let (tls, key) = (rcgen::KeyPair::generate().unwrap(), SigningKey::generate().unwrap());
    portal.runtime.block_on(async {
        let enrolment = Enrolment::open(&portal.desk).await.unwrap();
        assert!(enrolment.enrol(&enrol_request(&code, &tls, &key), "::1").await.is_err());
    });
    assert_eq!(portal.number("select count(*) from stations"), 1);
});

on_desk!(p8_heads_of_journals_are_kept_with_the_key_that_signed_them, |portal| {
    portal.order(1);
    let job = portal.pull(&portal.bench, 1, &[]).remove(0);
    let key = TestKey::new("V1");
    portal.secrets(&portal.bench, &job, &key);
    let reply = portal.certificates(&portal.bench, &job, &key);
    let report = passed(&job, &key, &reply);
    let Station { sealing, .. } = portal.bench.clone();
    // Signed by another: refused, parked, and no reason to refuse the report for ever.
    let stranger = SigningKey::generate().unwrap();
    let refused = portal.ask_refused(&portal.bench, &Up::Report(anchored(&report, &stranger, 7, [1; 32])));
    assert_eq!(refused.code, RefusedCode::Invalid);
    assert!(refused.detail.contains("not signed by bench-1"), "{}", refused.detail);
    assert!(portal.text("select reason from parked").contains("not signed by bench-1"));
    assert_eq!(portal.number("select count(*) from anchors"), 0);
    assert_eq!(portal.number("select count(*) from reports"), 0);
    assert_eq!(portal.text("select detail from audit where what = 'report.refused'"), "anchor=wrong");
    assert_eq!(portal.text("select state from jobs"), "leased");
    let huge = anchored(&report, &sealing, u64::MAX, [1; 32]);
    assert_refused(&portal.report(&portal.bench, &huge), RefusedCode::Invalid);

    // Signed by the station: kept, once; a repetition brings a newer one, and the report is the same report.
    let first = anchored(&report, &sealing, 7, [1; 32]);
    portal.acknowledged(&portal.bench, &first);
    portal.acknowledged(&portal.bench, &first);
    portal.acknowledged(&portal.bench, &anchored(&report, &sealing, 9, [2; 32]));
    portal.acknowledged(&portal.bench, &report);
    assert_eq!(portal.number("select count(*) from anchors"), 2);
    assert_eq!(portal.number("select count(*) from reports"), 1);
    assert!(!portal.text("select body from reports").contains("anchor"));
    let detail = portal.text("select detail from audit where what = 'report.applied'");
    assert!(detail.ends_with(&format!("journal=7 {}", "01".repeat(32))), "{detail}");
    assert_eq!(portal.runtime.block_on(audit::conflicts(&portal.state.db)).unwrap(), []);

    // A second enrolment with a new key: old anchors stay with the old key, new ones have the new one, and none conflicts.
    let again = portal.enrol("bench-1");
    portal.acknowledged(&again, &anchored(&report, &again.sealing, 7, [3; 32]));
    assert_refused(&portal.report(&again, &anchored(&report, &sealing, 11, [4; 32])), RefusedCode::Invalid);
    assert_eq!(portal.number("select count(distinct station_key) from anchors"), 2);
    assert_eq!(portal.runtime.block_on(audit::conflicts(&portal.state.db)).unwrap(), []);
});

on_desk!(p8_a_head_that_contradicts_another_raises_the_alarm_and_holds_nothing_up, |portal| {
    portal.order(1);
    let job = portal.pull(&portal.bench, 1, &[]).remove(0);
    let key = TestKey::new("V1");
    portal.secrets(&portal.bench, &job, &key);
    let refused = ended(&job, &TestKey::new("V0"), Outcome::Aborted, false);
    let Station { sealing, .. } = portal.bench.clone();
    portal.acknowledged(&portal.bench, &anchored(&refused, &sealing, 7, [1; 32]));
    let reply = portal.certificates(&portal.bench, &job, &key);
    let report = anchored(&passed(&job, &key, &reply), &sealing, 7, [2; 32]);
    portal.acknowledged(&portal.bench, &report);
    portal.acknowledged(&portal.bench, &report);
    assert_eq!(portal.text("select state from jobs"), "done");
    let conflicts = portal.runtime.block_on(audit::conflicts(&portal.state.db)).unwrap();
    let told: Vec<_> = conflicts.iter().map(|one| (one.station.as_str(), one.sequence, one.places)).collect();
    assert_eq!(told, [("bench-1", 7, 1)]);
    let expected = format!("sequence=7 known={} told={}", "01".repeat(32), "02".repeat(32));
    assert_eq!(portal.text("select detail from audit where what = 'anchor.conflict'"), expected);
    assert_eq!(portal.number("select count(*) from audit where what = 'anchor.conflict'"), 1);
    follow(&rows(&portal));
});

on_desk!(p8_an_acknowledgement_carries_the_portals_signed_head, |portal| {
    portal.order(1);
    let job = portal.pull(&portal.bench, 1, &[]).remove(0);
    let report = ended(&job, &TestKey::new("V0"), Outcome::Aborted, false);
    for _ in 0..2 {
        let Down::Ack(ack) = portal.report(&portal.bench, &report) else { panic!("not acknowledged") };
        let head = ack.portal_head.unwrap();
        let all = rows(&portal);
        assert_eq!(head.signed.sequence, all.len() as u64);
        assert_eq!(hex::encode(head.verified().unwrap()), all.last().unwrap().6);
        // By the key that anybody can know from the CA's certificates.
        let dir = portal.folder.path().join("ca");
        portal.runtime.block_on(portal::init::export_ca(&portal.config, &dir)).unwrap();
        let issuing = std::fs::read_to_string(dir.join("issuing.pem")).unwrap();
        let issuing = gm::certificate::Certificate::from_pem(&issuing).unwrap();
        assert_eq!(head.key, hex::encode(issuing.public_key().xy()));
    }
});

on_desk!(p8_the_export_has_every_row_and_every_anchor, |portal| {
    portal.order(1);
    let job = portal.pull(&portal.bench, 1, &[]).remove(0);
    let report = ended(&job, &TestKey::new("V0"), Outcome::Aborted, false);
    let Station { sealing, .. } = portal.bench.clone();
    portal.acknowledged(&portal.bench, &anchored(&report, &sealing, 7, [1; 32]));
    let dir = portal.folder.path().join("export");
    for _ in 0..2 {
        let exported = portal.runtime.block_on(audit::export(&portal.state.db, &dir)).unwrap();
        let all = rows(&portal);
        assert_eq!(exported.rows, all.len() as u64);
        assert_eq!(exported.anchors, [("bench-1".to_owned(), 1)].into());
        let lines = std::fs::read_to_string(dir.join("portal.jsonl")).unwrap();
        for (line, row) in lines.lines().zip(&all) {
            let line: Value = serde_json::from_str(line).unwrap();
            let (sequence, at_ms, who, what, subject, detail, head) = row;
            let expected = serde_json::json!({
                "sequence": sequence, "at_ms": at_ms, "who": who, "what": what, "subject": subject, "detail": detail, "head": head,
            });
            assert_eq!(line, expected);
        }
        let anchors = std::fs::read_to_string(dir.join("anchors-bench-1.jsonl")).unwrap();
        let anchor: Value = serde_json::from_str(anchors.trim()).unwrap();
        assert_eq!(anchor["station_public_key_hex"], hex::encode(sealing.public_key().xy()));
        assert_eq!(
            (anchor["sequence"].as_u64(), anchor["head"].as_str()),
            (Some(7), Some("01".repeat(32).as_str()))
        );
        assert_eq!(anchor["signature_hex"].as_str().unwrap().len(), 128);
        assert_eq!(anchor.as_object().unwrap().len(), 4);
    }
});

#[test]
fn p8_no_row_of_the_audit_is_ever_changed_or_deleted() {
    fn look(dir: &std::path::Path, read: &mut usize) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                look(&path, read);
                continue;
            }
            *read += 1;
            let text = std::fs::read_to_string(&path).unwrap().to_lowercase();
            for table in ["audit", "anchors"] {
                for verb in ["update", "delete from", "drop table", "alter table", "replace into"] {
                    let wanted = format!("{verb} {table} ");
                    assert!(!text.contains(&wanted), "{} says {wanted}", path.display());
                }
            }
        }
    }
    let mut read = 0;
    for folder in ["src", "migrations"] {
        look(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut read);
    }
    assert!(read > 50, "only {read} files were read");
}
