//! The shapes of bodies.

use model::OrderState;
use serde_json::{Value, json};

/// A schema of [`components`], by name.
pub(super) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn or_null(schema: Value) -> Value {
    json!({ "anyOf": [schema, { "type": "null" }] })
}

fn list(of: Value) -> Value {
    json!({ "type": "array", "items": of })
}

/// An object whose fields all stand.
fn object(fields: Value) -> Value {
    let names: Vec<&String> = fields.as_object().map(|fields| fields.keys().collect()).unwrap_or_default();
    json!({ "type": "object", "required": names, "properties": fields })
}

/// An object that takes these fields and no other; `required` must stand.
fn form(required: &[&str], fields: Value) -> Value {
    json!({ "type": "object", "required": required, "properties": fields, "additionalProperties": false })
}

/// All of them.
pub(super) fn components() -> Value {
    let mut all = answers();
    if let (Some(all), Value::Object(bodies)) = (all.as_object_mut(), bodies()) {
        all.extend(bodies);
    }
    all
}

fn answers() -> Value {
    let states = OrderState::ALL.map(OrderState::code);
    let number = json!({ "type": "string", "pattern": "^SAAS1[0-9]{20}$" });
    let count = json!({ "type": "integer", "minimum": 0 });
    let time = json!({ "type": ["string", "null"], "format": "date-time" });
    json!({
        "OrderNumber": number,
        "JobId": { "type": "string", "pattern": "^SAAS1[0-9]{20}-[1-9][0-9]{0,4}$" },
        "OrderState": { "type": "string", "enum": states },
        "FieldError": object(json!({ "field": text(), "message": text() })),
        "Errors": object(json!({ "errors": list(reference("FieldError")) })),
        "Intake": object(json!({ "results": list(object(json!({
            "row": { "type": "integer", "minimum": 1 }, "number": or_null(reference("OrderNumber")),
            "outcome": { "type": "string", "enum": ["accepted", "repeated", "refused"] },
            "state": or_null(reference("OrderState")), "errors": list(reference("FieldError")),
        }))) })),
        "OrderPage": object(json!({ "next": or_null(text()), "orders": list(object(json!({
            "number": reference("OrderNumber"), "programme": text(), "product": text(), "unit": text(),
            "quantity": count, "amount_fen": count, "state": reference("OrderState"),
            "reject_reason": or_null(text()), "created_at": time,
        }))) })),
        "Order": object(json!({
            "number": reference("OrderNumber"), "state": reference("OrderState"), "reject_reason": or_null(text()),
            "product_title": text(), "amount_fen": count, "created_at": time, "changed_at": time,
            "content": {
                "type": "object",
                "description": "As it was taken in, but numbers of documents and mobiles are masked: it cannot be sent back as it is",
            },
            "history": list(object(json!({
                "at": time, "who": text(), "from": or_null(reference("OrderState")), "to": reference("OrderState"),
                "reason": text(),
            }))),
            "jobs": list(object(json!({
                "job": reference("JobId"), "station": or_null(text()), "key": or_null(text()),
                "state": { "type": "string", "enum": ["waiting", "leased", "done", "stuck"] },
                "outcome": or_null(text()), "attempts": count, "stuck_reason": or_null(text()),
            }))),
            "made": list(object(json!({
                "job": reference("JobId"), "station": text(), "slot": text(), "key": text(), "key_serial": text(),
                "profile": text(), "outcome": text(), "milliseconds": count, "sign_cert_serial": or_null(text()),
                "enc_cert_serial": or_null(text()), "detail": text(),
            }))),
            "waybill": or_null(text()),
        })),
        "Stations": object(json!({ "stations": list(object(json!({
            "station": text(), "status": { "type": "object" },
        }))) })),
        "Description": { "type": "object" },
        "Enrolled": object(json!({
            "station": text(), "certificate_pem": text(), "ca_pem": text(), "broker_host": text(), "broker_port": count,
        })),
    })
}

fn bodies() -> Value {
    let person = form(
        &["name", "id_number"],
        json!({ "name": text(), "id_type": reference("IdType"), "id_number": text() }),
    );
    json!({
        "IdType": { "type": "string" },
        "Person": person,
        "Payment": form(
            &["method", "paid_fen", "reference"],
            json!({
                "method": { "type": "string" }, "paid_fen": { "type": "integer", "minimum": 0 }, "reference": text(),
            }),
        ),
        "OrderForm": form(
            &["programme", "product", "years", "quantity", "handler", "unit", "receiver"],
            json!({
                "number": reference("OrderNumber"), "programme": text(), "product": text(),
                "years": { "type": "integer", "minimum": 1 }, "quantity": { "type": "integer", "minimum": 1 },
                "verification": text(),
                "handler": form(
                    &["name", "id_type", "id_number", "mobile", "mail"],
                    json!({
                        "name": text(), "id_type": reference("IdType"), "id_number": text(), "mobile": text(),
                        "mail": text(),
                    }),
                ),
                "unit": form(
                    &["name", "credit_code", "kind", "industry"],
                    json!({ "name": text(), "credit_code": text(), "kind": text(), "industry": text() }),
                ),
                "legal_representative": reference("Person"), "holder": reference("Person"),
                "receiver": form(
                    &["name", "mobile", "province", "city", "address"],
                    json!({
                        "name": text(), "mobile": text(), "province": text(), "city": text(), "county": text(),
                        "address": text(),
                    }),
                ),
                "invoice": form(&["kind"], json!({ "kind": text(), "title": text(), "tax_number": text() })),
                "payment": reference("Payment"),
            }),
        ),
        "Orders": { "anyOf": [reference("OrderForm"), list(reference("OrderForm"))] },
        "Rejection": form(&["reason"], json!({ "reason": text() })),
        "Release": form(
            &["key", "reason"],
            json!({
                "key": { "type": "string", "enum": ["spoiled", "lost"] }, "reason": text(),
                "seen_key": or_null(text()),
            }),
        ),
        "Enrolment": form(
            &["code", "tls_request_pem", "sm2_public_key_hex"],
            json!({ "code": text(), "tls_request_pem": text(), "sm2_public_key_hex": text() }),
        ),
        "Credentials": form(&["name", "password"], json!({ "name": text(), "password": text(), "code": text() })),
    })
}
