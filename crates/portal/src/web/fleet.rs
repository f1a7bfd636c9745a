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

use super::{lang::Lang, pages::StationPart};
use crate::app::StationBoard;

/// A wave of 32 slots changes many times a second; a person does not read faster.
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);

/// The boards of both languages; each is drawn while somebody watches it.
#[derive(Default)]
pub(super) struct Fleet {
    zh: Mutex<Option<watch::Sender<Parts>>>,
    en: Mutex<Option<watch::Sender<Parts>>>,
}

impl Fleet {
    /// The board in this language.
    pub(super) fn watch(self: &Arc<Self>, lang: Lang, board: &StationBoard) -> watch::Receiver<Parts> {
        let mut running = self.of(lang).lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = running.as_ref() {
            return running.subscribe();
        }
        let (sender, watcher) = watch::channel(Parts::default());
        tokio::spawn(draw(Arc::clone(self), sender.clone(), lang, Arc::clone(board)));
        *running = Some(sender);
        watcher
    }

    fn of(&self, lang: Lang) -> &Mutex<Option<watch::Sender<Parts>>> {
        match lang {
            Lang::Zh => &self.zh,
            Lang::En => &self.en,
        }
    }

    /// Ends the drawing, unless somebody has come to watch again.
    fn end(&self, lang: Lang) -> bool {
        let mut running = self.of(lang).lock().unwrap_or_else(PoisonError::into_inner);
        let ends = running.as_ref().is_none_or(|running| running.receiver_count() == 0);
        if ends {
            *running = None;
        }
        ends
    }
}

/// Draws what changed, a few times a second at most, until nobody watches.
async fn draw(fleet: Arc<Fleet>, sender: watch::Sender<Parts>, lang: Lang, board: StationBoard) {
    let mut changes = board.subscribe();
    loop {
        let changed = sender.borrow().changed(&changes.borrow_and_update());
        if !changed.is_empty() {
            let version = sender.borrow().version + 1;
            // Drawn before the watchers are locked out.
            let drawn: Vec<Part> =
                changed.into_iter().map(|(name, now)| Part::draw(lang, version, name, now)).collect();
            sender.send_modify(|parts| parts.take(version, drawn));
        }
        tokio::time::sleep(SHORTEST_PAUSE).await;
        tokio::select! {
            () = sender.closed() => if fleet.end(lang) { return },
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
}

struct Part {
    station: StationId,
    /// Of which drawing it is.
    version: u64,
    /// What it was drawn of; `None` = the station is gone.
    status: Option<Status>,
    /// The event as it goes to the browser.
    event: Bytes,
}

impl Parts {
    /// The events after the drawing `seen`, in order of the stations. Whoever has seen nothing need not hear what is gone.
    pub(super) fn after(&self, seen: u64) -> Vec<Bytes> {
        let new = self.parts.values().filter(|part| part.version > seen);
        new.filter(|part| seen > 0 || part.status.is_some()).map(|part| part.event.clone()).collect()
    }

    fn changed(&self, board: &BTreeMap<StationId, Status>) -> Vec<(StationId, Option<Status>)> {
        let drawn = |name: &StationId| self.parts.get(name).and_then(|part| part.status.as_ref());
        let new = board.iter().filter(|(name, status)| drawn(name) != Some(*status));
        let new = new.map(|(name, status)| (name.clone(), Some(status.clone())));
        let gone =
            self.parts.iter().filter(|(name, part)| part.status.is_some() && !board.contains_key(*name));
        new.chain(gone.map(|(name, _)| (name.clone(), None))).collect()
    }

    fn take(&mut self, version: u64, drawn: Vec<Part>) {
        self.version = version;
        self.parts.extend(drawn.into_iter().map(|part| (part.station.clone(), part)));
    }
}

impl Part {
    fn draw(lang: Lang, version: u64, station: StationId, status: Option<Status>) -> Self {
        let text = match &status {
            None => format!("event: gone\ndata: {station}\n\n"),
            Some(status) => {
                let html = StationPart { lang, name: station.as_str(), status }.render().unwrap_or_default();
                // One line: a break in a station's own text must not become one of the stream.
                format!("event: station\ndata: {}\n\n", html.replace(['\r', '\n'], " "))
            }
        };
        Self { station, version, status, event: Bytes::from(text) }
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

    #[tokio::test]
    async fn p11_a_station_is_drawn_once_for_all_who_watch_and_again_when_it_changed() {
        let board: StationBoard = Arc::new(watch::Sender::new(BTreeMap::new()));
        put(&board, "bench-1", status("one\n\nevent: gone"));
        put(&board, "bench-2", status("two"));
        let fleet = Arc::new(Fleet::default());
        let (mut one, mut other) = (fleet.watch(Lang::Zh, &board), fleet.watch(Lang::Zh, &board));
        let first = one.wait_for(|parts| parts.version == 1).await.unwrap().after(0);
        let same = other.wait_for(|parts| parts.version == 1).await.unwrap().after(0);
        assert_eq!(first.len(), 2);
        assert!(first.iter().zip(&same).all(|(a, b)| a.as_ptr() == b.as_ptr()), "the same bytes");
        let text = String::from_utf8(first[0].to_vec()).unwrap();
        assert!(text.starts_with("event: station\ndata: ") && text.ends_with("\n\n"), "{text}");
        assert_eq!(text.matches('\n').count(), 3, "a station's text ends no event: {text}");

        put(&board, "bench-2", status("three"));
        put(&board, "bench-1", status("one\n\nevent: gone"));
        let second = one.wait_for(|parts| parts.version == 2).await.unwrap().after(1);
        assert_eq!(second.len(), 1, "only what changed");
        assert!(second[0].windows(5).any(|part| part == b"three"));
        board.send_modify(|board| board.retain(|name, _| name.as_str() != "bench-2"));
        let third = one.wait_for(|parts| parts.version == 3).await.unwrap().after(2);
        assert_eq!(third, ["event: gone\ndata: bench-2\n\n"]);
        assert_eq!(one.borrow().after(0).len(), 1, "who comes new need not hear of it");

        // Nobody watches: nothing is drawn; who comes then is given the whole.
        drop((one, other));
        while fleet.zh.lock().unwrap().is_some() {
            tokio::task::yield_now().await;
        }
        put(&board, "bench-3", status("four"));
        let mut late = fleet.watch(Lang::Zh, &board);
        assert_eq!(late.wait_for(|parts| parts.version == 1).await.unwrap().after(0).len(), 2);
    }
}
