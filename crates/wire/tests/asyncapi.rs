//! `docs/asyncapi.json` against the types: every kind, field, choice and obligation of the one is in the other.
//!
//! The types are asked, not listed again: a full sample shows its fields; a field taken away shows whether it was needed; a word put in place of a
//! choice makes serde name all choices.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod samples;

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Value, json};
use wire::{Direction, Down, Status, Topic, Up, decode};

/// Tells why a type refuses a value; `None` if it takes it.
type Reader = fn(&Value) -> Option<String>;

fn document() -> Value {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/asyncapi.json");
    serde_json::from_slice(&std::fs::read(file).expect("docs/asyncapi.json")).expect("JSON")
}

fn read<T: serde::de::DeserializeOwned>(value: &Value) -> Option<String> {
    decode::<T>(value.to_string().as_bytes()).err().map(|error| error.to_string())
}

fn written<T: Serialize>(message: &T) -> Value {
    serde_json::from_slice(&wire::encode(samples::ID, message).unwrap()).unwrap()
}

/// A schema, with `$ref` followed.
fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema.get("$ref") {
        Some(reference) => document
            .pointer(&reference.as_str().unwrap()[1..])
            .unwrap_or_else(|| panic!("{reference} leads nowhere")),
        None => schema,
    }
}

fn words(value: &Value) -> BTreeSet<String> {
    value.as_array().into_iter().flatten().map(|word| word.as_str().unwrap().to_owned()).collect()
}

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().unwrap_or_else(|| panic!("{value} is no object")).keys().cloned().collect()
}

/// The words that serde offers in place of a wrong one: all in back quotes after `expected`.
fn offered(error: &str) -> Option<BTreeSet<String>> {
    let (_, list) = error.split_once("unknown variant")?.1.split_once("expected")?;
    Some(list.split('`').skip(1).step_by(2).map(str::to_owned).collect())
}

/// One sample, the type that reads it and the document that describes it.
struct Check<'a> {
    document: &'a Value,
    sample: Value,
    reader: Reader,
}

impl Check<'_> {
    fn refusal(&self, pointer: &str, change: impl FnOnce(&mut Value)) -> Option<String> {
        let mut changed = self.sample.clone();
        change(changed.pointer_mut(pointer).unwrap());
        (self.reader)(&changed)
    }

    fn node(&self, pointer: &str, schema: &Value) {
        let schema = resolve(self.document, schema);
        let value = self.sample.pointer(pointer).unwrap();
        if let Some(choices) = schema.get("oneOf") {
            let fits = |choice: &&Value| {
                resolve(self.document, choice).pointer("/properties/event/const") == value.get("event")
            };
            let choice = choices.as_array().unwrap().iter().find(fits);
            return self.node(pointer, choice.unwrap_or_else(|| panic!("{pointer}: no schema for {value}")));
        }
        self.kind_of_value(pointer, schema, value);
        match value {
            Value::Object(_) => self.object(pointer, schema, value),
            Value::Array(items) => {
                assert!(!items.is_empty(), "{pointer}: the sample must show what is in the list");
                self.node(&format!("{pointer}/0"), &schema["items"]);
            }
            Value::String(_) => self.choice(pointer, schema, value),
            Value::Number(_) => self.number(pointer, schema),
            _ => {}
        }
    }

    /// The schema's type is the value's, and `null` is in it exactly if the type takes one.
    fn kind_of_value(&self, pointer: &str, schema: &Value, value: &Value) {
        let kind = match value {
            Value::Object(_) => "object",
            Value::Array(_) => "array",
            Value::String(_) => "string",
            Value::Number(_) => "integer",
            Value::Bool(_) => "boolean",
            Value::Null => panic!("{pointer}: the sample must show every field"),
        };
        let told = schema.get("type").unwrap_or_else(|| panic!("{pointer} has no type in the document"));
        let told = if told.is_array() { words(told) } else { words(&json!([told])) };
        let mut expected = BTreeSet::from([kind.to_owned()]);
        if self.refusal(pointer, |node| *node = Value::Null).is_none() {
            expected.insert("null".to_owned());
        }
        assert_eq!(told, expected, "{pointer}: the type in the document, and the type");
    }

    fn object(&self, pointer: &str, schema: &Value, value: &Value) {
        let fields = keys(value);
        assert_eq!(keys(&schema["properties"]), fields, "{pointer}: fields in the document, and in the type");
        let needed = fields.iter().filter(|field| {
            self.refusal(pointer, |node| drop(node.as_object_mut().unwrap().remove(*field))).is_some()
        });
        let needed: BTreeSet<String> = needed.cloned().collect();
        // An option may be left out by a reader's leave; whoever writes, writes it as null.
        assert_eq!(
            words(&schema["required"]),
            needed,
            "{pointer}: required fields in the document, and in the type"
        );
        for field in &fields {
            self.node(&format!("{pointer}/{field}"), &schema["properties"][field]);
        }
    }

    fn choice(&self, pointer: &str, schema: &Value, value: &Value) {
        let refusal = self.refusal(pointer, |node| *node = json!("no such word"));
        if let Some(word) = schema.get("const") {
            assert_eq!(word, value, "{pointer}");
            return;
        }
        let offered = refusal.as_deref().and_then(offered).unwrap_or_default();
        let told = schema.get("enum").map(words).unwrap_or_default();
        assert_eq!(told, offered, "{pointer}: choices in the document, and in the type");
    }

    fn number(&self, pointer: &str, schema: &Value) {
        let refused = |number: Value| self.refusal(pointer, |node| *node = number).is_some();
        if schema.get("const").is_some() {
            assert!(refused(json!(wire::VERSION + 1)), "{pointer}");
            return;
        }
        assert!(refused(json!(-1)) && schema["minimum"] == 0, "{pointer}: from 0");
        match schema.get("maximum").map(|most| most.as_u64().unwrap()) {
            Some(most) => {
                assert!(!refused(json!(most)) && refused(json!(most + 1)), "{pointer}: at most {most}")
            }
            None => assert!(!refused(json!(u64::MAX)), "{pointer}: a bound is missing"),
        }
    }
}

fn check<T: Serialize>(document: &Value, message: &str, sample: &T, reader: Reader) {
    let payload = document.pointer(&format!("/components/messages/{message}/payload"));
    let payload = payload.unwrap_or_else(|| panic!("the document has no message {message}"));
    Check { document, sample: written(sample), reader }.node("", payload);
}

/// The golden file's name is the message's, with the event, code or younger field behind it for those that have several.
fn message_of(golden: &str) -> &str {
    let several = ["up-report", "up-secrets", "down-refused", "down-secrets", "down-ack"];
    several.into_iter().find(|message| golden.starts_with(message)).unwrap_or(golden)
}

/// The kinds that a direction's type knows.
fn kinds(reader: Reader) -> BTreeSet<String> {
    offered(&reader(&json!({"v": 1, "id": "x", "kind": "no such word", "body": {}})).unwrap()).unwrap()
}

#[test]
fn every_field_stands_in_the_document_and_in_the_type() {
    let document = document();
    samples::up().iter().for_each(|(name, up)| check(&document, message_of(name), up, read::<Up>));
    samples::down().iter().for_each(|(name, down)| check(&document, message_of(name), down, read::<Down>));
    check(&document, "status", &samples::status(), read::<Status>);
}

#[test]
fn sealed_secrets_stand_in_the_document() {
    let document = document();
    let reader: Reader = |value| {
        serde_json::from_value::<wire::KeySecrets>(value.clone()).err().map(|error| error.to_string())
    };
    let sample = serde_json::to_value(samples::key_secrets()).unwrap();
    Check { document: &document, sample, reader }.node("", &document["components"]["schemas"]["KeySecrets"]);
}

#[test]
fn every_kind_has_a_sample_and_a_message_in_its_channel() {
    let document = document();
    let named = |prefix: &str, kinds: BTreeSet<String>| -> BTreeSet<String> {
        kinds.into_iter().map(|kind| format!("{prefix}-{kind}")).collect()
    };
    let channels = [("up", named("up", kinds(read::<Up>))), ("down", named("down", kinds(read::<Down>)))];
    let mut all = BTreeSet::from(["status".to_owned()]);
    for (channel, messages) in channels {
        assert_eq!(keys(&document["channels"][channel]["messages"]), messages, "channel {channel}");
        all.extend(messages);
    }
    assert_eq!(keys(&document["components"]["messages"]), all);
    let sampled: BTreeSet<String> =
        samples::up().iter().map(|(name, _)| message_of(name).to_owned()).collect();
    let sampled =
        sampled.into_iter().chain(samples::down().into_iter().map(|(name, _)| message_of(name).to_owned()));
    assert_eq!(sampled.chain(["status".to_owned()]).collect::<BTreeSet<_>>(), all);
}

#[test]
fn every_event_has_a_sample_and_a_schema() {
    let document = document();
    let report = |event: &str| json!({"v": 1, "id": "x", "kind": "report", "body": {"id": "x", "at": "", "event": {"event": event}}});
    let known = offered(&read::<Up>(&report("no such word")).unwrap()).unwrap();
    let choices =
        document["components"]["schemas"]["Report"]["properties"]["event"]["oneOf"].as_array().unwrap();
    let event_of =
        |schema| resolve(&document, schema)["properties"]["event"]["const"].as_str().unwrap().to_owned();
    assert_eq!(choices.iter().map(event_of).collect::<BTreeSet<_>>(), known);
    let sampled = samples::up().into_iter().filter_map(|(name, _)| {
        Some(name.strip_prefix("up-report-")?.strip_suffix("-anchor")?.replace('-', "_"))
    });
    assert_eq!(sampled.collect::<BTreeSet<_>>(), known);
}

#[test]
fn channels_are_the_topics_and_every_reference_leads_somewhere() {
    let document = document();
    let station = "bench-1";
    for (channel, direction) in
        [("up", Direction::Up), ("down", Direction::Down), ("status", Direction::Status)]
    {
        let address =
            document["channels"][channel]["address"].as_str().unwrap().replace("{station}", station);
        assert_eq!(address, Topic::new(station.parse().unwrap(), direction).to_string());
    }
    assert_eq!(keys(&document["channels"]).len(), 3);
    let used = references(&document);
    for reference in &used {
        assert!(document.pointer(&reference[1..]).is_some(), "{reference} leads nowhere");
    }
    for schema in keys(&document["components"]["schemas"]) {
        // What is sealed is inside a byte string, where no reference can stand.
        assert!(
            schema == "KeySecrets" || used.contains(&format!("#/components/schemas/{schema}")),
            "{schema} is used nowhere"
        );
    }
}

fn references(node: &Value) -> BTreeSet<String> {
    match node {
        Value::Object(fields) => {
            let own = fields.get("$ref").and_then(Value::as_str).map(str::to_owned);
            fields.values().flat_map(references).chain(own).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => BTreeSet::new(),
    }
}

#[test]
fn the_limits_in_the_text_are_the_limits_in_the_code() {
    let document = document();
    let text = document["info"]["description"].as_str().unwrap();
    assert!(text.contains(&wire::MESSAGE_BYTES_MAX.to_string()));
    assert_eq!(document["info"]["version"], wire::VERSION.to_string());
}
