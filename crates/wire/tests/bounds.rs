//! What comes from outside never panics, and its size and depth are bounded.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod samples;

use proptest::prelude::*;
use wire::{DecodeError, Direction, Down, MESSAGE_BYTES_MAX, Status, Topic, Up, decode, encode};

fn decode_all(bytes: &[u8]) {
    let _ = decode::<Up>(bytes);
    let _ = decode::<Down>(bytes);
    let _ = decode::<Status>(bytes);
    let _ = serde_json::from_slice::<wire::KeySecrets>(bytes);
}

fn some_message() -> impl Strategy<Value = Vec<u8>> {
    let mut all: Vec<Vec<u8>> = samples::up().iter().map(|(_, m)| encode(samples::ID, m).unwrap()).collect();
    all.extend(samples::down().iter().map(|(_, m)| encode(samples::ID, m).unwrap()));
    all.push(encode(samples::ID, &samples::status()).unwrap());
    all.push(serde_json::to_vec(&samples::key_secrets()).unwrap());
    proptest::sample::select(all)
}

proptest! {
    #[test]
    fn no_bytes_panic_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        decode_all(&bytes);
    }

    #[test]
    fn no_damaged_message_panics_the_reader(
        mut bytes in some_message(), at in any::<proptest::sample::Index>(), to in any::<u8>(), cut in any::<proptest::sample::Index>(),
    ) {
        let at = at.index(bytes.len());
        bytes[at] = to;
        decode_all(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        decode_all(&bytes);
    }

    #[test]
    fn no_text_panics_a_topic(text in "\\PC{0,60}|ukey/v1/[a-z/+#]{0,40}") {
        if let Ok(topic) = Topic::parse(&text) {
            prop_assert_eq!(topic.to_string(), text);
        }
    }

    #[test]
    fn any_id_and_any_text_come_back(id in "\\PC{0,40}", report in "\\PC{0,40}", station in "[a-z0-9-]{1,32}") {
        let message = Down::Ack(wire::Ack { report, portal_head: None });
        prop_assert_eq!(decode::<Down>(&encode(&id, &message).unwrap()).unwrap(), (id, message));
        let topic = Topic::new(station.parse().unwrap(), Direction::Up);
        prop_assert_eq!(Topic::parse(&topic.to_string()), Ok(topic));
    }
}

#[test]
fn a_message_over_the_limit_is_refused_unread() {
    let ack = wire::Ack { report: "r".repeat(MESSAGE_BYTES_MAX - 100), portal_head: None };
    let fitting = encode("x", &Down::Ack(ack)).unwrap();
    assert!(decode::<Down>(&fitting).is_ok());
    let over = vec![b' '; MESSAGE_BYTES_MAX + 1];
    assert!(matches!(decode::<Down>(&over), Err(DecodeError::TooLarge(size)) if size == over.len()));
}

#[test]
fn nesting_is_bounded() {
    for open in ["[", "{\"v\":", "{\"v\":1,\"id\":\"x\",\"kind\":\"ack\",\"body\":{\"report\":["] {
        let nested = open.repeat(MESSAGE_BYTES_MAX / open.len());
        assert!(matches!(decode::<Down>(nested.as_bytes()), Err(DecodeError::Malformed(_))), "{open}");
    }
}

#[test]
fn another_version_is_told_as_such_whatever_else_it_says() {
    let newer = br#"{"v":2,"anything":"else"}"#;
    let error = decode::<Down>(newer).unwrap_err();
    assert!(matches!(error, DecodeError::Version(2)), "{error}");
    assert!(error.to_string().contains("update the older side"));
}
