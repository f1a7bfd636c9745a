//! What stations say of themselves, for pages and the live stream.

use model::StationId;

use super::desk::Desk;

/// More slots than this in one status is nonsense: a station has 32.
const SLOTS_MAX: usize = 512;

impl Desk {
    /// Takes a status (or a last will) to the board. A status that cannot be read is parked. An empty one clears.
    pub async fn status(&self, station: &StationId, payload: &[u8]) {
        if payload.is_empty() {
            self.state.stations.send_modify(|board| {
                board.remove(station);
            });
            return;
        }
        let status = match wire::decode::<wire::Status>(payload) {
            Ok((_, status)) if status.slots.len() <= SLOTS_MAX => status,
            Ok((_, status)) => {
                let reason = format!("a status of {} slots, more than {SLOTS_MAX}", status.slots.len());
                return self.park(station, wire::Direction::Status, payload, &reason).await;
            }
            Err(error) => {
                return self.park(station, wire::Direction::Status, payload, &error.to_string()).await;
            }
        };
        self.state.stations.send_modify(|board| {
            board.insert(station.clone(), status);
        });
    }
}
