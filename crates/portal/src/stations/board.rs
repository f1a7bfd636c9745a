//! What stations say of themselves, for pages and the live stream.

use model::StationId;

use super::desk::Desk;

/// More slots than this in one status is nonsense: a station has 32.
const SLOTS_MAX: usize = 512;

impl Desk {
    /// Takes a status (or a last will) to the board. A status that cannot be read is parked. An empty one clears.
    pub async fn status(&self, station: &StationId, payload: &[u8]) {
        if let Err(reason) = self.show(station, payload) {
            self.park(station, wire::Direction::Status, payload, &reason).await;
        }
    }

    /// Takes a status to the board, at once; or says why it is none.
    pub(super) fn show(&self, station: &StationId, payload: &[u8]) -> Result<(), String> {
        if payload.is_empty() {
            self.state.stations.send_modify(|board| {
                board.remove(station);
            });
            return Ok(());
        }
        let (_, mut status) = wire::decode::<wire::Status>(payload).map_err(|error| error.to_string())?;
        if status.slots.len() > SLOTS_MAX {
            return Err(format!("a status of {} slots, more than {SLOTS_MAX}", status.slots.len()));
        }
        // Holders' names are for the bench.
        for slot in &mut status.slots {
            slot.holder = None;
        }
        // A last will, or what the broker kept of one, is no word of the station's own.
        if status.online {
            self.state.heard.note(station, self.state.clock.now_ms());
        }
        self.state.stations.send_modify(|board| {
            board.insert(station.clone(), status);
        });
        Ok(())
    }
}
