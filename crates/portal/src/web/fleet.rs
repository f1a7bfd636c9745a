//! The live board: each station's part is drawn once, however many watch, and sent when it changed.
//!
//! A watcher has no queue: whoever is slow is given the newest, and misses what was in between.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use askama::Template as _;
use axum::body::Bytes;
use model::StationId;
use tokio::sync::watch;
use wire::Status;

use super::{
    lang::Lang,
    pages::{StationPart, is_brief},
};
use crate::app::StationBoard;

/// A wave of 32 slots changes many times a second; a person does not read faster.
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);
/// Of a board of many stations.
const BRIEF_PAUSE: Duration = Duration::from_secs(1);

/// Which board: its language, and one station alone or all.
type View = (Lang, Option<StationId>);

/// The boards that are watched; each is drawn while somebody watches it.
#[derive(Default)]
pub(super) struct Fleet(Mutex<BTreeMap<View, watch::Sender<Parts>>>);

impl Fleet {
    /// A board.
    pub(super) fn watch(self: &Arc<Self>, view: View, board: &StationBoard) -> watch::Receiver<Parts> {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = running.get(&view) {
            return running.subscribe();
        }
        let (sender, watcher) = watch::channel(Parts::default());
        tokio::spawn(draw(Arc::clone(self), sender.clone(), view.clone(), Arc::clone(board)));
        running.insert(view, sender);
        watcher
    }

    /// Ends the drawing, unless somebody has come to watch again.
    fn end(&self, view: &View) -> bool {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ends = running.get(view).is_none_or(|running| running.receiver_count() == 0);
        if ends {
            running.remove(view);
        }
        ends
    }
}

/// Draws what changed, a few times a second at most, until nobody watches.
async fn draw(fleet: Arc<Fleet>, sender: watch::Sender<Parts>, view: View, board: StationBoard) {
    let mut changes = board.subscribe();
    loop {
        let (changed, brief) = {
            let board = changes.borrow_and_update();
            let brief = view.1.is_none() && is_brief(board.len());
            (sender.borrow().changed(&board, view.1.as_ref(), brief), brief)
        };
        if !changed.is_empty() {
            let version = sender.borrow().version + 1;
            // Drawn before the watchers are locked out.
            let draw = |(name, now)| Part::draw(view.0, version, name, now, brief);
            let drawn: Vec<Part> = changed.into_iter().map(draw).collect();
            sender.send_modify(|parts| parts.take(version, drawn));
        }
        tokio::time::sleep(if brief { BRIEF_PAUSE } else { SHORTEST_PAUSE }).await;
        tokio::select! {
            () = sender.closed() => if fleet.end(&view) { return },
            changed = changes.changed() => if changed.is_err() { return },
        }
    }
}

/// What stands on a board.
#[derive(Default)]
pub(super) struct Parts {
    /// Counts drawings.
    pub(super) version: u64,
    parts: BTreeMap<StationId, Part>,
    /// The events of the last drawing, one after the other: most watchers want just these.
    newest: Bytes,
}

struct Part {
    station: StationId,
    /// Of which drawing it is.
    version: u64,
    /// What it was drawn of; `None` = the station is gone.
    status: Option<Status>,
    brief: bool,
    /// The event as it goes to the browser.
    event: String,
}

impl Parts {
    /// The events after the drawing `seen`, in order of the stations. Whoever has seen nothing need not hear what is gone.
    pub(super) fn after(&self, seen: u64) -> Bytes {
        if seen > 0 && seen + 1 == self.version {
            return self.newest.clone();
        }
        let new = self.parts.values().filter(|part| part.version > seen);
        let new = new.filter(|part| seen > 0 || part.status.is_some());
        Bytes::from(new.map(|part| part.event.as_str()).collect::<String>())
    }

    /// What stands on the stations' board and not, or otherwise, on this one.
    fn changed(
        &self,
        board: &BTreeMap<StationId, Status>,
        only: Option<&StationId>,
        brief: bool,
    ) -> Vec<(StationId, Option<Status>)> {
        let drawn = |name: &StationId, status: &Status| {
            self.parts
                .get(name)
                .is_some_and(|part| part.brief == brief && part.status.as_ref() == Some(status))
        };
        let shown = board.iter().filter(|(name, _)| only.is_none_or(|only| only == *name));
        let new = shown.filter(|(name, status)| !drawn(name, status));
        let new = new.map(|(name, status)| (name.clone(), Some(status.clone())));
        let gone =
            self.parts.iter().filter(|(name, part)| part.status.is_some() && !board.contains_key(*name));
        new.chain(gone.map(|(name, _)| (name.clone(), None))).collect()
    }

    fn take(&mut self, version: u64, drawn: Vec<Part>) {
        self.version = version;
        self.newest = Bytes::from(drawn.iter().map(|part| part.event.as_str()).collect::<String>());
        self.parts.extend(drawn.into_iter().map(|part| (part.station.clone(), part)));
    }
}

impl Part {
    fn draw(lang: Lang, version: u64, station: StationId, status: Option<Status>, brief: bool) -> Self {
        let event = match &status {
            None => format!("event: gone\ndata: {station}\n\n"),
            Some(status) => {
                let part = StationPart { lang, name: station.as_str(), status, brief };
                let html = part.render().unwrap_or_default();
                // One line: a break in a station's own text must not become one of the stream.
                format!("event: station\ndata: {}\n\n", html.replace(['\r', '\n'], " "))
            }
        };
        Self { station, version, status, brief, event }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use tokio::sync::watch;
    use wire::Status;

    use super::{Fleet, Lang};
    use crate::app::StationBoard;

    fn status(message: &str) -> Status {
        let slot = wire::SlotStatus {
            slot: "A1".parse().unwrap(),
            phase: wire::SlotPhase::Failed,
            key_serial: None,
            job: None,
            holder: None,
            step: None,
            percent: 0,
            message: message.to_owned(),
        };
        Status { online: true, version: "1".to_owned(), slots: vec![slot], outbox: 0, waiting_jobs: 0 }
    }

    fn put(board: &StationBoard, name: &str, status: Status) {
        board.send_modify(|board| {
            board.insert(name.parse().unwrap(), status);
        });
    }

    fn text(events: &[u8]) -> String {
        String::from_utf8(events.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn p11_a_station_is_drawn_once_for_all_who_watch_and_again_when_it_changed() {
        let board: StationBoard = Arc::new(watch::Sender::new(BTreeMap::new()));
        put(&board, "bench-1", status("one\n\nevent: gone"));
        put(&board, "bench-2", status("two"));
        let fleet = Arc::new(Fleet::default());
        let view = (Lang::Zh, None);
        let (mut one, other) = (fleet.watch(view.clone(), &board), fleet.watch(view.clone(), &board));
        let first = text(&one.wait_for(|parts| parts.version == 1).await.unwrap().after(0));
        assert!(first.starts_with("event: station\ndata: ") && first.ends_with("\n\n"), "{first}");
        assert_eq!(first.matches('\n').count(), 6, "a station's text ends no event: {first}");

        put(&board, "bench-2", status("three"));
        put(&board, "bench-1", status("one\n\nevent: gone"));
        let second = one.wait_for(|parts| parts.version == 2).await.unwrap().after(1);
        assert!(text(&second).contains("three") && !text(&second).contains("one"), "only what changed");
        assert_eq!(second.as_ptr(), other.borrow().after(1).as_ptr(), "the same bytes for all");
        board.send_modify(|board| board.retain(|name, _| name.as_str() != "bench-2"));
        let third = one.wait_for(|parts| parts.version == 3).await.unwrap().after(2);
        assert_eq!(text(&third), "event: gone\ndata: bench-2\n\n");
        assert!(text(&one.borrow().after(1)).contains("gone"), "whoever missed one is given it");
        assert!(!text(&one.borrow().after(0)).contains("data: bench-2"), "who comes new need not hear of it");

        // Nobody watches: nothing is drawn; who comes then is given the whole.
        drop((one, other));
        while !fleet.0.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        put(&board, "bench-3", status("four"));
        let mut late = fleet.watch(view, &board);
        let all = text(&late.wait_for(|parts| parts.version == 1).await.unwrap().after(0));
        assert!(all.contains("one") && all.contains("four"));
    }

    #[tokio::test]
    async fn p11_many_stations_have_a_line_each_and_one_its_slots() {
        let board: StationBoard = Arc::new(watch::Sender::new(BTreeMap::new()));
        for n in 0..1_000 {
            put(&board, &format!("bench-{n}"), status("put it back"));
        }
        let fleet = Arc::new(Fleet::default());
        let mut all = fleet.watch((Lang::Zh, None), &board);
        let mut one = fleet.watch((Lang::Zh, "bench-7".parse().ok()), &board);
        let all = text(&all.wait_for(|parts| parts.version == 1).await.unwrap().after(0));
        assert!(all.matches("event: station").count() == 1_000 && !all.contains("put it back"));
        assert!(all.contains("/stations?station=bench-7\""));
        let one = text(&one.wait_for(|parts| parts.version == 1).await.unwrap().after(0));
        assert!(one.matches("event: station").count() == 1 && one.contains("put it back"), "{one}");
    }
}
