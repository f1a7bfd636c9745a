//! One full message of every kind: no list is empty, no option is missing. Every value is invented.

use wire::*;

pub const ID: &str = "0123456789abcdef";
pub const ORDER: &str = "SAAS120261122080000000001";
pub const WAYBILL: &str = "SF0000000000001";

fn job(index: u16) -> model::JobId {
    model::JobId::new(ORDER.parse().unwrap(), index)
}

fn key() -> model::KeyId {
    model::KeyId::new("maker", "model", "0000000000000001").unwrap()
}

fn text(text: &str) -> String {
    text.to_owned()
}

/// Requests and reports, by golden file.
pub fn up() -> Vec<(&'static str, Up)> {
    let profile = || text("virtual/complete");
    let reports = older_reports().into_iter().map(|(_, report)| Report { anchor: Some(anchor()), ..report });
    let reports = REPORTS.into_iter().zip(reports.map(Up::Report));
    let secrets = SecretsRequest {
        attempt: text("job/SAAS120261122080000000001-1/A01/1763770000000"),
        ..older_secrets()
    };
    let others = vec![
        (
            "up-pull",
            Up::Pull(Pull { capacity: 16, profiles: vec![profile()], holding: vec![job(1), job(2)] }),
        ),
        ("up-renew", Up::Renew(Renew { jobs: vec![job(1), job(2)] })),
        ("up-secrets-attempt", Up::Secrets(secrets)),
        (
            "up-certificates",
            Up::Certificates(CertificatesRequest {
                job: job(1),
                key: key(),
                request: Bytes(vec![0x30, 0x03, 0x02, 0x01, 0xff]),
            }),
        ),
        ("up-parcel", Up::Parcel(ParcelRequest { order: ORDER.parse().unwrap() })),
    ];
    others.into_iter().chain(reports).collect()
}

/// The files of reports as they are sent now.
const REPORTS: [&str; 5] = [
    "up-report-job-ended-anchor",
    "up-report-key-refused-anchor",
    "up-report-label-printed-anchor",
    "up-report-breaker-changed-anchor",
    "up-report-shift-closed-anchor",
];

/// Reports of a program that anchored nothing, by golden file; the station keeps them in this form.
pub fn older_reports() -> Vec<(&'static str, Report)> {
    let report =
        |id: &str, event| Report { id: text(id), at: text("2026-11-22T08:00:00+08:00"), event, anchor: None };
    let printed = LabelPrinted { order: ORDER.parse().unwrap(), waybill: text(WAYBILL) };
    vec![
        ("up-report-job-ended", report("job-ended", Event::JobEnded(job_ended()))),
        ("up-report-key-refused", report("key-refused", Event::KeyRefused(key_refused()))),
        ("up-report-label-printed", report("label-printed", Event::LabelPrinted(printed))),
        ("up-report-breaker-changed", report("breaker-changed", Event::BreakerChanged(breaker_changed()))),
        ("up-report-shift-closed", report("shift-closed", Event::ShiftClosed(shift_closed()))),
    ]
}

/// An acknowledgement by a program that gave no head.
pub fn older_ack() -> Ack {
    Ack { report: text("job-ended"), portal_head: None }
}

/// No signature: these are the bytes that are held still here, not what they prove.
fn anchor() -> SignedHead {
    SignedHead { sequence: 1234, head: "0a".repeat(32), signature: "0b".repeat(64) }
}

/// A request for secrets by a program that did not name its attempts.
pub fn older_secrets() -> SecretsRequest {
    SecretsRequest {
        job: job(1),
        key: key(),
        profile: text("virtual/complete"),
        factory_device_key: text("virtual-device"),
        attempt: String::new(),
    }
}

fn job_ended() -> JobEnded {
    JobEnded {
        job: job(1),
        key: key(),
        slot: "A01".parse().unwrap(),
        profile: text("virtual/complete"),
        outcome: model::Outcome::Pass,
        milliseconds: 4321,
        sign_cert_serial: Some(text("0A0B0C0D01")),
        enc_cert_serial: Some(text("0A0B0C0D02")),
        key_touched: true,
        detail: text("合格"),
    }
}

fn key_refused() -> KeyRefused {
    KeyRefused {
        slot: "A02".parse().unwrap(),
        key: Some(key()),
        reason: RefusalReason::AlreadyIssued,
        detail: text("已有应用，请取出"),
    }
}

fn breaker_changed() -> BreakerChanged {
    BreakerChanged {
        scope: BreakerScope::Lot,
        name: text("示例批次-01"),
        open: true,
        detail: text("已停用：连续 3 次失败"),
    }
}

fn shift_closed() -> ShiftClosed {
    ShiftClosed {
        opened: text("2026-11-22T00:00:00.000Z"),
        closed: text("2026-11-22T08:00:00.000Z"),
        brought: 100,
        carried_in: 1,
        made: 90,
        set_aside: 2,
        carried_out: 1,
        left: 7,
        reason: text("少一把，正在查找"),
        keys: vec![key()],
    }
}

/// Answers, by golden file.
pub fn down() -> Vec<(&'static str, Down)> {
    let order = JobOrder {
        job: job(1),
        quantity: 2,
        programme: text("example"),
        programme_title: text("示例项目"),
        holder: text("示例单位"),
        certificate: CertificateKind::Unit,
        profiles: vec![text("virtual/complete")],
    };
    let certificates = CertificatesReply {
        job: job(1),
        key: key(),
        sign_certificate: Bytes(vec![0x30, 0x01, 0x00]),
        enc_certificate: Bytes(vec![0x30, 0x01, 0x01]),
        enveloped_key: Bytes(vec![0x30, 0x01, 0x02]),
    };
    let refused = |code, detail| Down::Refused(Refused { code, detail: text(detail) });
    vec![
        ("down-lease", Down::Lease(Lease { jobs: vec![order], seconds: 600 })),
        ("down-renewed", Down::Renewed(Renewed { kept: vec![job(1)], lost: vec![job(2)], seconds: 600 })),
        ("down-secrets-lot", Down::Secrets(SecretsReply { lot: Some(text("示例批次-01")), ..older_reply() })),
        ("down-certificates", Down::Certificates(certificates)),
        ("down-parcel", Down::Parcel(parcel())),
        (
            "down-ack-head",
            Down::Ack(Ack {
                portal_head: Some(PortalHead { signed: anchor(), key: "0c".repeat(64) }),
                ..older_ack()
            }),
        ),
        ("down-refused", refused(RefusedCode::NotLeased, "任务不在本站，请重新领取")),
        ("down-refused-order-wrong", refused(RefusedCode::OrderWrong, "订单内容有误，请在门户更正")),
        ("down-refused-not-active", refused(RefusedCode::NotActive, "工作站已停用")),
        ("down-refused-not-registered", refused(RefusedCode::NotRegistered, "钥匙未入库")),
    ]
}

/// Secrets of a program that did not name the lot.
pub fn older_reply() -> SecretsReply {
    SecretsReply { job: job(1), key: key(), sealed: Bytes(vec![0x30, 0x00]), lot: None }
}

fn parcel() -> Parcel {
    let party = |name: &str, mobile: &str| Party {
        name: text(name),
        mobile: text(mobile),
        company: text("示例单位"),
        address: text("示例省示例市示例区示例路1号"),
    };
    Parcel {
        order: ORDER.parse().unwrap(),
        waybill: text(WAYBILL),
        dest_route_label: text("000A-B-001"),
        coding_mapping: text("A00"),
        product: text("顺丰标快"),
        two_dimension_code: text("MMM={'k1':'000'}"),
        payment: text("到付"),
        receiver: party("示*", "138****0000"),
        sender: party("制证中心", "010-00000000"),
        goods: text("电子钥匙"),
        quantity: 1,
        key_serials: vec![text("0000000000000001")],
    }
}

/// A station's state.
pub fn status() -> Status {
    let slot = SlotStatus {
        slot: "A01".parse().unwrap(),
        phase: SlotPhase::Working,
        key_serial: Some(text("0000000000000001")),
        job: Some(job(1)),
        holder: Some(text("示例单位")),
        step: Some(text("生成签名密钥对")),
        percent: 40,
        message: text("制证中，请勿拔出"),
    };
    Status { online: true, version: text("0.1.0"), slots: vec![slot], outbox: 1, waiting_jobs: 2 }
}

/// What a secrets reply seals. The values are the ones of no key.
pub fn key_secrets() -> KeySecrets {
    KeySecrets {
        key: key(),
        factory_device_key: text("000102030405060708090a0b0c0d0e0f"),
        device_key: text("101112131415161718191a1b1c1d1e1f"),
        admin_pin: text("admin-pin"),
        user_pin: text("12345678"),
    }
}
