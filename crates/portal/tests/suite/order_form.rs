//! What an order must say, programme by programme. No server: the form alone.

use crate::bench::{credit_code, free_order, legal_order, paid_order, programmes};
use model::{Fen, OrderState};
use portal::{
    orders::{OrderContent, OrderForm},
    programmes::{Carrier, InvoiceKind, Payer, Verification},
};
use proptest::prelude::*;
use serde_json::{Value, json};
use wire::CertificateKind;

fn read(order: &Value) -> OrderForm {
    OrderForm::read(order, &programmes()).unwrap_or_else(|errors| panic!("{errors:?}"))
}

/// The fields complained of after `pointer` was set to `value` (`null` = taken away).
fn wrong(order: &Value, pointer: &str, value: Value) -> Vec<String> {
    let mut order = order.clone();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    order.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(name.to_owned(), value);
    match OrderForm::read(&order, &programmes()) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.into_iter().map(|error| error.field).collect(),
    }
}

#[test]
fn s1_1_product_validity_quantity_price_and_verification() {
    let form = read(&paid_order(7));
    assert_eq!((form.content.years, form.content.quantity), (1, 7));
    assert_eq!(form.amount, Fen(210_000));
    assert_eq!(form.content.verification, Verification::Basic);
    assert_eq!(form.first_state, OrderState::AwaitingReview);
    assert_eq!(wrong(&paid_order(7), "/years", json!(2)), ["years"]);
    assert_eq!(wrong(&paid_order(7), "/quantity", json!(0)), ["quantity"]);
    assert_eq!(wrong(&paid_order(7), "/quantity", json!(65_537)), ["quantity"]);
    assert_eq!(wrong(&paid_order(7), "/product", json!("other")), ["product"]);
    assert_eq!(wrong(&paid_order(7), "/programme", json!("other")), ["programme"]);
    assert_eq!(wrong(&paid_order(7), "/verification", json!("face")), ["verification"]);
}

#[test]
fn s1_2_handler_name_document_mobile_and_mail() {
    let order = paid_order(1);
    for (field, value) in [
        ("name", json!("")),
        ("id_type", json!("library_card")),
        ("id_number", json!("000000199001010019")),
        ("mobile", json!("12800000000")),
        ("mail", json!("not a mail address")),
        ("mail", json!("a@b")),
    ] {
        assert_eq!(
            wrong(&order, &format!("/handler/{field}"), value.clone()),
            [format!("handler.{field}")],
            "{value}"
        );
    }
    let mut foreign = order.clone();
    foreign["handler"]["id_type"] = json!("passport");
    foreign["handler"]["id_number"] = json!("e12345678");
    assert_eq!(read(&foreign).content.handler.id_number, "E12345678");
    let mut typed = order;
    typed["handler"]["mobile"] = json!("+86 138 0000 0001");
    assert_eq!(read(&typed).content.handler.mobile, "13800000001");
}

#[test]
fn s1_3_unit_name_code_kind_and_industry() {
    let order = paid_order(1);
    for (field, value) in [
        ("name", json!("长".repeat(65))),
        ("credit_code", json!("91000000MA0000000")),
        ("credit_code", json!("00000000-1")),
        ("kind", json!("club")),
        ("industry", Value::Null),
    ] {
        assert_eq!(
            wrong(&order, &format!("/unit/{field}"), value.clone()),
            [format!("unit.{field}")],
            "{value}"
        );
    }
    let mut old = order;
    old["unit"]["credit_code"] = json!("00000000-0");
    assert_eq!(
        read(&old).content.unit.credit_code,
        "000000000",
        "an organisation code is taken in the same field"
    );
}

#[test]
fn s1_5_receiver_and_freight_collect() {
    let order = paid_order(1);
    assert_eq!(wrong(&order, "/receiver/address", json!(" ")), ["receiver.address"]);
    assert_eq!(wrong(&order, "/receiver/mobile", json!("1380000")), ["receiver.mobile"]);
    let mut without_county = order;
    without_county["receiver"].as_object_mut().unwrap().remove("county");
    assert_eq!(read(&without_county).content.receiver.county, "");
    for programme in programmes().iter() {
        assert_eq!((programme.carrier, programme.payer), (Carrier::Sf, Payer::Collect), "{}", programme.id);
    }
}

#[test]
fn s1_6_the_invoice_is_general_and_made_out_to_the_unit() {
    let invoice = read(&paid_order(1)).content.invoice.unwrap();
    assert_eq!((invoice.kind, invoice.title.as_str()), (InvoiceKind::General, "示例客车零部件有限公司"));
    let special = json!({ "kind": "special", "title": "示例客车零部件有限公司" });
    assert_eq!(wrong(&paid_order(1), "/invoice", special), ["invoice.kind"]);
}

#[test]
fn s2_1_one_year_and_one_key_only() {
    assert_eq!(wrong(&free_order(), "/years", json!(2)), ["years"]);
    assert_eq!(wrong(&free_order(), "/quantity", json!(2)), ["quantity"]);
}

#[test]
fn s2_2_no_payment_step() {
    let form = read(&free_order());
    assert_eq!((form.first_state, form.amount), (OrderState::AwaitingReview, Fen(0)));
    let payment = json!({ "method": "alipay", "paid_fen": 0, "reference": "T1" });
    assert_eq!(wrong(&free_order(), "/payment", payment), ["payment"]);
}

#[test]
fn s3_2_unit_and_personal_certificates() {
    let programmes = programmes();
    let programme = programmes.get("luzhou-laojiao").unwrap();
    let subject = |content: &OrderContent| programme.template(content.holder_kind).unwrap().fill(content);
    let unit = read(&legal_order("unit-first", 2, 1)).content;
    assert_eq!(unit.holder_kind, CertificateKind::Unit);
    let filled = subject(&unit);
    assert_eq!(filled.years, 2);
    assert_eq!(filled.dn[2], ("CN".to_owned(), "示例客车零部件有限公司".to_owned()));
    assert_eq!(filled.extensions[0].1, credit_code(1));

    let person = read(&legal_order("personal-first", 1, 1)).content;
    assert_eq!(person.holder_kind, CertificateKind::Personal);
    assert_eq!(person.holder_name(), "阿依古丽·测试", "one of the four dots is kept");
    assert_eq!(
        subject(&person).dn[1..],
        [
            ("O".to_owned(), "示例客车零部件有限公司".to_owned()),
            ("CN".to_owned(), "阿依古丽·测试".to_owned()),
        ]
    );
    assert_eq!(subject(&person).extensions.len(), 2);
    assert_eq!(wrong(&legal_order("personal-first", 1, 1), "/holder", Value::Null), ["holder"]);
    let holder = json!({ "name": "测试", "id_number": crate::bench::id_number(4) });
    assert_eq!(wrong(&legal_order("unit-first", 1, 1), "/holder", holder), ["holder"]);
}

#[test]
fn s3_3_one_to_three_years_at_four_hundred_a_year() {
    for years in 1..=3 {
        assert_eq!(read(&legal_order("unit-first", years, 2)).amount, Fen(40_000 * years * 2));
    }
    assert_eq!(wrong(&legal_order("unit-first", 1, 1), "/years", json!(4)), ["years"]);
}

#[test]
fn s3_4_the_legal_representative_where_the_programme_asks() {
    let form = read(&legal_order("unit-first", 1, 1));
    assert_eq!(form.content.legal_representative.unwrap().name, "王代表");
    assert_eq!(
        wrong(&legal_order("unit-first", 1, 1), "/legal_representative", Value::Null),
        ["legal_representative"]
    );
    let person = json!({ "name": "王代表", "id_number": crate::bench::id_number(2) });
    assert_eq!(wrong(&paid_order(1), "/legal_representative", person), ["legal_representative"]);
}

#[test]
fn s3_6_general_or_special_invoice() {
    let mut order = legal_order("unit-first", 1, 1);
    order["invoice"] = json!({ "kind": "general", "title": "示例集团" });
    let invoice = read(&order).content.invoice.unwrap();
    assert_eq!((invoice.kind, invoice.title.as_str()), (InvoiceKind::General, "示例集团"));
    assert_eq!(invoice.tax_number, None, "a person's, for want of a number");
    order["invoice"]["tax_number"] = json!(crate::bench::credit_code(9));
    assert_eq!(read(&order).content.invoice.unwrap().tax_number, Some(crate::bench::credit_code(9)));
    let mistyped = json!({ "kind": "general", "title": "示例集团", "tax_number": "91000000MA0000000" });
    assert_eq!(wrong(&order, "/invoice", mistyped), ["invoice.tax_number"]);
    order["invoice"] = json!({ "kind": "general", "tax_number": crate::bench::credit_code(9) });
    assert_eq!(read(&order).content.invoice.unwrap().tax_number, None, "the unit's own is known");
    order["invoice"] = json!({ "kind": "special" });
    let invoice = read(&order).content.invoice.unwrap();
    assert_eq!((invoice.kind, invoice.title.as_str()), (InvoiceKind::Special, "示例客车零部件有限公司"));
    // Made out to another it has no tax number, and could never be made.
    let foreign = json!({ "kind": "special", "title": "示例集团" });
    assert_eq!(wrong(&order, "/invoice", foreign), ["invoice.title"]);
}

#[test]
fn s3_8_the_initial_pin_is_the_programme_s_data() {
    for programme in programmes().iter() {
        assert_eq!(programme.initial_user_pin.expose(), b"12345678", "{}", programme.id);
    }
}

#[test]
fn an_unpaid_order_waits_for_payment_and_a_wrong_sum_is_refused() {
    let mut order = paid_order(2);
    assert_eq!(wrong(&order, "/payment/paid_fen", json!(30_000)), ["payment.paid_fen"]);
    assert_eq!(wrong(&order, "/payment/method", json!("cash")), ["payment.method"]);
    order.as_object_mut().unwrap().remove("payment");
    assert_eq!(read(&order).first_state, OrderState::AwaitingPayment);
}

#[test]
fn all_mistakes_of_an_order_are_told_at_once_each_with_its_field() {
    let mut order = paid_order(1);
    order["number"] = json!("SAAS1-1");
    order["years"] = json!("1");
    order["colour"] = json!("red");
    order["handler"]["id_number"] = json!("1");
    order["handler"]["nickname"] = json!("x");
    order["unit"] = json!([]);
    order["receiver"]["city"] = json!("厦\u{202e}门");
    order["payment"]["paid_fen"] = json!(-1);
    let errors = OrderForm::read(&order, &programmes()).unwrap_err();
    let mut fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
    fields.sort_unstable();
    let expected =
        ["colour", "handler.id_number", "handler.nickname", "number", "receiver.city", "unit", "years"];
    assert_eq!(fields, expected, "the sum cannot be judged while the validity is unknown");
    for error in &errors {
        assert!(
            error.message.contains('(') && !error.message.is_ascii(),
            "both languages: {}",
            error.message
        );
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-z_]{1,10}", inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_panics_the_form(value in any_json()) {
        let _ = OrderForm::read(&value, &programmes());
    }

    #[test]
    fn no_value_in_a_field_panics_the_form(value in any_json(), which in 0..40_usize) {
        const POINTERS: [&str; 10] = [
            "/number", "/years", "/quantity", "/handler", "/unit", "/receiver", "/invoice", "/payment", "/holder",
            "/legal_representative",
        ];
        let order = legal_order("personal-first", 1, 1);
        let pointer = POINTERS[which % POINTERS.len()];
        let _ = wrong(&order, pointer, value);
    }
}
