//! The demo, twice: it ends well, and it ends well again over what the first run left.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{collections::BTreeSet, fs, process::Command};

use e2e::{places::program, process::run};
use serde_json::Value;

#[test]
fn n8_the_demo_makes_40_keys_for_24_orders_and_does_so_again() {
    let scratch = tempfile::tempdir().unwrap();
    let out = scratch.path().join("demo-out");
    let mut serials = BTreeSet::new();
    for _ in 0..2 {
        let mut demo = Command::new(program("demo").unwrap());
        let said = run("demo", demo.arg("--out").arg(&out), None).unwrap();
        assert!(said.contains("24 orders, 40 keys: 40 pass, 0 fail"), "{said}");
        let report: Value = serde_json::from_slice(&fs::read(out.join("report.json")).unwrap()).unwrap();
        assert_eq!(report["summary"]["pass"], 40);
        let orders = report["orders"].as_array().unwrap();
        assert_eq!(orders.len(), 24);
        for order in orders {
            let waybill = order["waybill"].as_str().unwrap();
            for kind in ["pdf", "png"] {
                assert!(out.join(format!("labels/{waybill}.{kind}")).is_file(), "{waybill}.{kind}");
            }
            for job in order["jobs"].as_array().unwrap() {
                let serial = job["sign_cert_serial"].as_str().unwrap().to_owned();
                assert!(serials.insert(serial), "two runs made the same certificate");
                let key = job["key_serial"].as_str().unwrap();
                assert!(out.join(format!("certs/{key}-sign.pem")).is_file(), "{key}");
                assert!(out.join(format!("certs/{key}-enc.pem")).is_file(), "{key}");
            }
        }
        assert_eq!(fs::read_dir(out.join("certs")).unwrap().count(), 80);
        assert!(out.join("ca/crl.pem").is_file());
        assert!(out.join("order.png").is_file(), "no order was typed by a browser");
        assert!(
            out.join("packing.png").is_file() && out.join("invoice.pdf").is_file(),
            "its parcel went nowhere"
        );
    }
    assert_eq!(serials.len(), 80);
}
