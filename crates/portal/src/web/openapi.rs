//! The description of the JSON API, in the words of OpenAPI 3.1. A test holds it against the routes and their answers.

mod schemas;

use axum::Json;
use serde_json::{Map, Value, json};

use schemas::{components, reference};

/// One operation.
struct Operation {
    method: &'static str,
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    /// The schema of the request's body.
    body: Option<&'static str>,
    /// Query parameters, each a text.
    query: &'static [(&'static str, &'static str)],
    /// Answers without mistakes, each with its schema; empty = no body.
    answers: &'static [(u16, &'static str)],
    /// Answers with `{"errors": […]}`.
    refusals: &'static [u16],
    /// Refusals are a line of text instead.
    plain: bool,
}

const GET: Operation = Operation {
    method: "get",
    path: "",
    id: "",
    summary: "",
    body: None,
    query: &[],
    answers: &[],
    refusals: &[400, 401, 403],
    plain: false,
};
const POST: Operation =
    Operation { method: "post", refusals: &[400, 401, 403, 404, 409, 413, 415, 422, 503], ..GET };

const OPERATIONS: &[Operation] = &[
    Operation {
        path: "/api/orders",
        id: "listOrders",
        summary: "One page of orders, the newest first",
        query: &[
            ("state", "Only orders in this state"),
            ("q", "Part of the number, the unit's name or the product's title"),
            ("page", "The `next` of the page before"),
        ],
        answers: &[(200, "OrderPage")],
        ..GET
    },
    Operation {
        path: "/api/orders",
        id: "takeOrders",
        summary: "Takes one order or an array of at most 1000; the same order again changes nothing",
        body: Some("Orders"),
        answers: &[(200, "Intake"), (201, "Intake"), (207, "Intake")],
        refusals: &[400, 401, 403, 413, 415],
        ..POST
    },
    Operation {
        path: "/api/orders/{number}",
        id: "showOrder",
        summary: "An order with its history, its jobs and what was made; numbers of documents and mobiles are masked",
        answers: &[(200, "Order")],
        refusals: &[400, 401, 403, 404],
        ..GET
    },
    Operation {
        method: "put",
        path: "/api/orders/{number}",
        id: "correctOrder",
        summary: "A rejected order takes corrected content and goes back to review",
        body: Some("OrderForm"),
        answers: &[(200, "Order")],
        ..POST
    },
    Operation {
        path: "/api/orders/{number}/approve",
        id: "approveOrder",
        summary: "The order goes into production; again changes nothing",
        answers: &[(200, "Order")],
        refusals: &[400, 401, 403, 404, 409, 422],
        ..POST
    },
    Operation {
        path: "/api/orders/{number}/reject",
        id: "rejectOrder",
        summary: "The order is refused, with the reason that the customer reads",
        body: Some("Rejection"),
        answers: &[(200, "Order")],
        ..POST
    },
    Operation {
        path: "/api/orders/{number}/payment",
        id: "recordPayment",
        summary: "A payment that arrived elsewhere; the order goes to review",
        body: Some("Payment"),
        answers: &[(200, "Order")],
        ..POST
    },
    Operation {
        path: "/api/jobs/{job}/release",
        id: "releaseJob",
        summary: "The job is taken from its key and its station, and waits for any station",
        body: Some("Release"),
        answers: &[(200, "Order")],
        ..POST
    },
    Operation {
        path: "/api/stations",
        id: "listStations",
        summary: "What every station said of itself last",
        answers: &[(200, "Stations")],
        refusals: &[401, 403],
        ..GET
    },
    Operation {
        path: "/api/login",
        id: "logIn",
        summary: "Opens a session; its token comes as the cookie ukey_session",
        body: Some("Credentials"),
        answers: &[(204, "")],
        refusals: &[400, 401, 403, 413, 415, 422, 429],
        ..POST
    },
    Operation {
        path: "/api/logout",
        id: "logOut",
        summary: "Ends the session; without one nothing happens",
        answers: &[(204, "")],
        refusals: &[403],
        ..POST
    },
    Operation {
        path: "/api/enrol",
        id: "enrolStation",
        summary: "A station's one-time code and its two public keys, for its certificate; again gives the same",
        body: Some("Enrolment"),
        answers: &[(200, "Enrolled")],
        refusals: &[400, 403, 409, 413, 415, 422, 429],
        plain: true,
        ..POST
    },
    Operation {
        path: "/api/openapi.json",
        id: "describe",
        summary: "This description",
        answers: &[(200, "Description")],
        refusals: &[],
        ..GET
    },
];

/// Operations that need no session.
const OPEN: [&str; 4] = ["logIn", "logOut", "enrolStation", "describe"];

pub(super) async fn show() -> Json<Value> {
    Json(document())
}

/// The whole description.
pub(super) fn document() -> Value {
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method] = operation.describe();
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "ukey-station portal", "version": env!("CARGO_PKG_VERSION"),
            "description": "Orders for initialised keys. Errors come as {\"errors\": [{\"field\", \"message\"}]}, all at once.",
        },
        "paths": paths,
        "components": {
            "schemas": components(),
            "securitySchemes": { "session": { "type": "apiKey", "in": "cookie", "name": "ukey_session" } },
        },
    })
}

impl Operation {
    fn describe(&self) -> Value {
        let mut answers = Map::new();
        for (status, schema) in self.answers {
            let mut answer = json!({ "description": "Done" });
            if !schema.is_empty() {
                answer["content"]["application/json"]["schema"] = reference(schema);
            }
            answers.insert(status.to_string(), answer);
        }
        for status in self.refusals {
            let mut answer = json!({ "description": refusal(*status) });
            if !self.plain {
                answer["content"]["application/json"]["schema"] = reference("Errors");
            }
            if self.plain || *status == 403 {
                answer["content"]["text/plain"]["schema"] = json!({ "type": "string" });
            }
            answers.insert(status.to_string(), answer);
        }
        if self.id == "takeOrders" {
            // All refused: an entry an order, or the body itself is no order.
            answers.insert("422".to_owned(), json!({
                "description": "Every order is wrong, or the body is not JSON",
                "content": { "application/json": { "schema": { "anyOf": [reference("Intake"), reference("Errors")] } } },
            }));
        }
        let mut described = json!({
            "operationId": self.id, "summary": self.summary, "responses": answers,
            "parameters": self.parameters(),
            "security": if OPEN.contains(&self.id) { json!([]) } else { json!([{ "session": [] }]) },
        });
        if let Some(body) = self.body {
            described["requestBody"] =
                json!({ "required": true, "content": { "application/json": { "schema": reference(body) } } });
        }
        described
    }

    fn parameters(&self) -> Vec<Value> {
        let in_path = ["number", "job"].into_iter().filter(|name| self.path.contains(&format!("{{{name}}}")));
        let in_path = in_path.map(|name| {
            let schema = reference(if name == "number" { "OrderNumber" } else { "JobId" });
            json!({ "name": name, "in": "path", "required": true, "schema": schema })
        });
        let in_query = self.query.iter().map(|(name, what)| {
            json!({ "name": name, "in": "query", "description": what, "schema": { "type": "string" } })
        });
        in_path.chain(in_query).collect()
    }
}

fn refusal(status: u16) -> &'static str {
    match status {
        400 => "A parameter or the body cannot be read",
        401 => "No session, or one that ended; wrong name or password",
        403 => "Not allowed, or sent by another site",
        404 => "There is no such order or job",
        409 => "The order stands where this cannot be done",
        413 => "The body is too large",
        415 => "The body is not declared as JSON",
        422 => "Some fields are wrong",
        429 => "Too many wrong tries",
        _ => "Try again later",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{OPERATIONS, document};

    /// `.route("/api/…", get(x).post(y))` in the sources of the web side, as `method path`.
    fn routes() -> Vec<String> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
        let mut folders = vec![std::path::PathBuf::from(folder)];
        let mut found = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.file_name().is_some_and(|name| name != "openapi.rs") {
                    found.extend(in_source(&std::fs::read_to_string(path).unwrap()));
                }
            }
        }
        found.sort();
        found
    }

    fn in_source(source: &str) -> Vec<String> {
        let mut found = Vec::new();
        for part in source.split(".route(").skip(1) {
            let Some((path, rest)) =
                part.trim_start().strip_prefix('"').and_then(|rest| rest.split_once('"'))
            else {
                continue;
            };
            if !path.starts_with("/api/") {
                continue;
            }
            // The method router: to the end of the call, at the same depth.
            let mut depth = 1;
            let end = rest.find(|c| {
                depth += i32::from(c == '(') - i32::from(c == ')');
                depth == 0
            });
            let mut router = rest[..end.unwrap()].trim_start_matches([',', ' ', '\n']).to_owned();
            if let Some(name) = router
                .strip_suffix(',')
                .or(Some(&router))
                .filter(|name| name.bytes().all(|b| b.is_ascii_lowercase()))
            {
                router = source
                    .split(&format!("let {name} = "))
                    .nth(1)
                    .unwrap()
                    .split(';')
                    .next()
                    .unwrap()
                    .to_owned();
            }
            for method in ["get", "post", "put", "delete", "patch"] {
                if router.contains(&format!("{method}(")) {
                    found.push(format!("{method} {path}"));
                }
            }
        }
        found
    }

    #[test]
    fn every_route_of_the_api_is_described_and_no_other() {
        let mut described: Vec<String> =
            OPERATIONS.iter().map(|operation| format!("{} {}", operation.method, operation.path)).collect();
        described.sort();
        assert_eq!(described, routes());
    }

    #[test]
    fn every_schema_that_is_named_is_there() {
        let text = document().to_string();
        for part in text.split("\"$ref\":\"#").skip(1) {
            let pointer = part.split('"').next().unwrap();
            assert!(document().pointer(pointer).is_some(), "{pointer}");
        }
    }
}
