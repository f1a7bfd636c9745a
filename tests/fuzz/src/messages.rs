//! MQTT payloads and topics.

use wire::{Down, Status, Topic, Up};

/// A payload as each side reads it, and as a topic. What is read is written back and read the same.
pub fn messages(bytes: &[u8]) {
    if let Ok((id, message)) = wire::decode::<Up>(bytes) {
        again(&id, &message);
    }
    if let Ok((id, message)) = wire::decode::<Down>(bytes) {
        again(&id, &message);
    }
    if let Ok((id, message)) = wire::decode::<Status>(bytes) {
        again(&id, &message);
    }
    let _ = serde_json::from_slice::<wire::KeySecrets>(bytes);
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(topic) = Topic::parse(text)
    {
        assert_eq!(topic.to_string(), text, "a topic has one spelling");
    }
}

fn again<T>(id: &str, message: &T)
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let Ok(bytes) = wire::encode(id, message) else { panic!("a message that was read cannot be written") };
    let (same_id, same) = match wire::decode::<T>(&bytes) {
        Ok(read) => read,
        // Written out in full it may be longer than it came.
        Err(wire::DecodeError::TooLarge(_)) => return,
        Err(error) => panic!("what was written cannot be read: {error}"),
    };
    assert_eq!((same_id.as_str(), &same), (id, message));
}
