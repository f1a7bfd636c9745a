//! Parcels and labels.

use model::OrderState;
use portal::{orders::Actor, packing};
use sandbox::sf::Fault;
use wire::{Down, Event, LabelPrinted, Parcel, ParcelRequest, RefusedCode, Report, Up};

use crate::stations::desk::{Portal, assert_refused, on_desk};

fn ask(order: &model::OrderNumber) -> Up {
    Up::Parcel(ParcelRequest { order: order.clone() })
}

fn parcel(portal: &Portal, order: &model::OrderNumber) -> Parcel {
    match portal.ask(&portal.bench, &ask(order)) {
        Down::Parcel(parcel) => parcel,
        other => panic!("no parcel but {other:?}"),
    }
}

fn printed(order: &model::OrderNumber, waybill: &str, id: &str) -> Report {
    Report {
        id: id.to_owned(),
        at: "2026-11-22T09:40:00+08:00".to_owned(),
        event: Event::LabelPrinted(LabelPrinted { order: order.clone(), waybill: waybill.to_owned() }),
        anchor: None,
    }
}

fn state(portal: &Portal, order: &model::OrderNumber) -> OrderState {
    portal.runtime.block_on(portal::orders::load(&portal.state, order)).unwrap().unwrap().state
}

on_desk!(n11_one_order_one_waybill_and_the_label_brings_it_to_delivery, |portal| {
    let order = portal.order(2);
    let jobs = portal.pull(&portal.bench, 2, &[]);
    portal.make(&portal.bench, &jobs[0], "V1");
    // Not before every key is made and reported.
    assert_refused(&portal.ask(&portal.bench, &ask(&order)), RefusedCode::Later);
    portal.make(&portal.bench, &jobs[1], "V2");
    let other = portal.enrol("bench-2");
    assert_refused(&portal.ask(&other, &ask(&order)), RefusedCode::NotLeased);

    let first = parcel(&portal, &order);
    assert_eq!(parcel(&portal, &order), first);
    assert_eq!(portal.sf.orders().len(), 1);
    assert_eq!(portal.sf.orders()[0].order_id, order.to_string());
    assert_eq!(portal.sf.orders()[0].creates, 1, "the second answer came from the portal's own record");
    assert_eq!((first.quantity, &first.key_serials), (2, &vec!["V1".to_owned(), "V2".to_owned()]));
    assert_eq!(first.payment, "到付");
    // The label shows no whole name and no whole number.
    assert_eq!((first.receiver.name.as_str(), first.receiver.mobile.as_str()), ("陈*试", "138****0001"));
    assert_eq!(first.receiver.address, "福建省厦门市集美区示例路 8 号");
    assert!(!serde_json::to_string(&first).unwrap().contains("13800000001"));
    // The row keeps nothing of the receiver; that of an older program is made so at start.
    let run = |sql: &'static str, text: &str| {
        let run = sqlx::query(sql).bind(text.to_owned()).execute(&portal.state.db);
        portal.runtime.block_on(run).unwrap();
    };
    let body = || -> String {
        let body = sqlx::query_scalar("select body from parcels").fetch_one(&portal.state.db);
        portal.runtime.block_on(body).unwrap()
    };
    let kept = body();
    let nobody = r#""receiver":{"name":"","mobile":"","company":"示例客车零部件有限公司","address":""}"#;
    assert!(kept.contains(nobody), "{kept}");
    run("update parcels set body = $1", &serde_json::to_string(&first).unwrap());
    portal.runtime.block_on(portal::stations::forget_receivers(&portal.state)).unwrap();
    assert_eq!((body(), parcel(&portal, &order)), (kept, first.clone()));
    // SF itself gets both whole.
    let sent = portal.sf.orders()[0].msg_data.to_string();
    assert!(sent.contains("13800000001") && sent.contains("陈测试"), "{sent}");

    // The wrong waybill is refused; the right one changes the state once.
    assert_refused(
        &portal.report(&portal.bench, &printed(&order, "SF0000000000000", "p0")),
        RefusedCode::Invalid,
    );
    assert_eq!(state(&portal, &order), OrderState::AwaitingProduction);
    portal.acknowledged(&portal.bench, &printed(&order, &first.waybill, "p1"));
    assert_eq!(state(&portal, &order), OrderState::AwaitingDelivery);
    portal.acknowledged(&portal.bench, &printed(&order, &first.waybill, "p1"));
    portal.acknowledged(&portal.bench, &printed(&order, &first.waybill, "printed again"));
    let history = portal.runtime.block_on(portal::orders::history(&portal.state.db, &order)).unwrap();
    let last = history.last().unwrap();
    assert_eq!((last.who.as_str(), last.reason.as_str()), ("station:bench-1", first.waybill.as_str()));
    assert_eq!(history.iter().filter(|entry| entry.to == OrderState::AwaitingDelivery).count(), 1);
    let waybill = portal.runtime.block_on(portal::stations::waybill(&portal.state.db, &order)).unwrap();
    assert_eq!(waybill.as_ref(), Some(&first.waybill));
    // A reprint after that still gets its parcel.
    assert_eq!(parcel(&portal, &order), first);
});

on_desk!(trouble_at_sf_is_told_and_the_next_request_gets_the_one_waybill, |portal| {
    let order = portal.order(1);
    let job = portal.pull(&portal.bench, 1, &[]).remove(0);
    portal.make(&portal.bench, &job, "V1");
    portal.sf.next([Fault::Refuse("20004".to_owned())]);
    let refused = portal.ask_refused(&portal.bench, &ask(&order));
    assert_eq!(refused.code, RefusedCode::Later);
    assert!(refused.detail.contains("20004"), "{}", refused.detail);
    assert_eq!(portal.number("select count(*) from parcels"), 0);

    // The reply of SF is lost: what SF has is found again.
    portal.sf.next([Fault::LoseReply]);
    let first = parcel(&portal, &order);
    assert_eq!(portal.sf.orders()[0].waybill, first.waybill);
    assert_eq!(portal.sf.orders().len(), 1);
});

on_desk!(copies_of_a_parcel_request_at_once_get_one_waybill, |portal| {
    let order = portal.order(1);
    let job = portal.pull(&portal.bench, 1, &[]).remove(0);
    portal.make(&portal.bench, &job, "V1");
    let asking: Vec<_> = (0..4)
        .map(|_| {
            let (desk, station, request) = (portal.desk.clone(), portal.bench.clone(), ask(&order));
            portal.runtime.spawn(async move { crate::stations::desk::ask(&desk, &station, &request).await })
        })
        .collect();
    let answers: Vec<Down> =
        asking.into_iter().map(|answer| portal.runtime.block_on(answer).unwrap()).collect();
    assert!(matches!(answers[0], Down::Parcel(_)), "{:?}", answers[0]);
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(portal.number("select count(*) from parcels"), 1);
});

on_desk!(a_refunded_order_is_not_shipped, |portal| {
    let order = portal.order(1);
    let job = portal.pull(&portal.bench, 1, &[]).remove(0);
    portal.make(&portal.bench, &job, "V1");
    let sql = "update orders set state = 'refunded'";
    portal.runtime.block_on(sqlx::query(sql).execute(&portal.state.db)).unwrap();
    assert_refused(&portal.ask(&portal.bench, &ask(&order)), RefusedCode::Invalid);
    assert_eq!(portal.sf.orders().len(), 0);
});

on_desk!(s1_14_the_shipped_sms_carries_the_waybill, |portal| {
    let order = portal.order(1);
    let jobs = portal.pull(&portal.bench, 1, &[]);
    portal.make(&portal.bench, &jobs[0], "V1");
    let waybill = parcel(&portal, &order).waybill;
    let turn = |portal: &Portal| portal.runtime.block_on(portal::messages::turn(&portal.state)).unwrap();
    turn(&portal);
    assert_eq!(portal.sms.sent().len(), 1, "the approval alone: nothing is shipped yet");
    for id in ["p1", "p2"] {
        let acknowledged = portal.report(&portal.bench, &printed(&order, &waybill, id));
        assert!(matches!(acknowledged, Down::Ack(_)));
        turn(&portal);
    }
    assert_eq!(portal.sms.sent().len(), 1, "it is labelled, and nobody has checked it");
    for code in ["V2", "V1", "V1"] {
        let packer = Actor::Operator("packer".to_owned());
        let scanned = portal.runtime.block_on(packing::scan(&portal.state, &waybill, &[], code, &packer));
        assert_eq!(scanned.is_ok(), code == "V1", "{scanned:?}");
        turn(&portal);
    }
    let sent = portal.sms.sent();
    assert_eq!((sent.len(), sent[1].mobile.as_str()), (2, "13800000001"));
    assert_eq!(sent[1].parameters, serde_json::json!({ "order": order, "waybill": waybill }));
});
