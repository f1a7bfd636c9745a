//! Topics: `ukey/v1/<station>/up/<kind>`, `ukey/v1/<station>/down/<kind>`, `ukey/v1/<station>/status`.

use model::StationId;

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From a station to the portal.
    Up,
    /// From the portal to a station.
    Down,
    /// Retained state of a station, and its last will.
    Status,
}

/// A parsed topic. The broker's ACL makes the station name in it trustworthy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Topic {
    /// Whose topic it is.
    pub station: StationId,
    /// Which way.
    pub direction: Direction,
}

/// A topic this protocol does not know.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("topic {0:?} is not ukey/v1/<station>/up, /down or /status")]
pub struct TopicError(pub String);

impl Topic {
    /// The topic of a station in a direction.
    #[must_use]
    pub fn new(station: StationId, direction: Direction) -> Self {
        Self { station, direction }
    }

    /// The filter by which the portal hears all stations in a direction.
    #[must_use]
    pub fn all(direction: Direction) -> String {
        format!("ukey/v1/+/{}", word(direction))
    }

    /// Parses a topic as the broker gives it.
    ///
    /// # Errors
    /// [`TopicError`] with the topic.
    pub fn parse(text: &str) -> Result<Self, TopicError> {
        let parts: Vec<&str> = text.split('/').collect();
        let direction = match parts.as_slice() {
            ["ukey", "v1", _, "up"] => Direction::Up,
            ["ukey", "v1", _, "down"] => Direction::Down,
            ["ukey", "v1", _, "status"] => Direction::Status,
            _ => return Err(TopicError(text.chars().take(80).collect())),
        };
        let station = parts[2].parse().map_err(|_| TopicError(text.chars().take(80).collect()))?;
        Ok(Self { station, direction })
    }
}

fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "up",
        Direction::Down => "down",
        Direction::Status => "status",
    }
}

impl std::fmt::Display for Topic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ukey/v1/{}/{}", self.station, word(self.direction))
    }
}

#[cfg(test)]
mod tests {
    use super::{Direction, Topic};

    #[test]
    fn topics_read_back_and_strangers_are_refused() {
        for direction in [Direction::Up, Direction::Down, Direction::Status] {
            let topic = Topic::new("bench-1".parse().expect("a name"), direction);
            assert_eq!(Topic::parse(&topic.to_string()), Ok(topic));
        }
        for text in ["", "ukey/v2/bench-1/up", "ukey/v1/BENCH/up", "ukey/v1/bench-1/up/more", "ukey/v1/+/up"]
        {
            assert!(Topic::parse(text).is_err(), "{text}");
        }
    }
}
