//! The stations page: every slot of every station. The board alone is also what the live stream sends.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::Response,
};
use model::{JobId, StationId};
use serde::Deserialize;
use wire::{SlotPhase, SlotStatus, Status};

use super::{Frame, order_trouble, page};
use crate::{
    app::AppState,
    audit::{self, Conflict},
    clock::china_text,
    db::DbError,
    stations::{self, Figures, OpenBreaker, Parked},
    web::{lang::Lang, session::Operator},
};

/// More stations than this are shown as a line each; a click shows one with its slots.
const FULL_MAX: usize = 32;

/// Whether a board of so many stations shows a line each.
pub(in crate::web) fn is_brief(stations: usize) -> bool {
    stations > FULL_MAX
}

/// Which stations are asked for.
#[derive(Deserialize)]
pub(in crate::web) struct BoardQuery {
    /// One alone.
    #[serde(default)]
    station: String,
}

impl BoardQuery {
    /// The one that is asked for; what is no name asks for none.
    pub(in crate::web) fn only(&self) -> Option<StationId> {
        self.station.parse().ok()
    }
}

/// All stations and their slots, as HTML.
#[derive(Template)]
#[template(path = "board.html")]
pub(in crate::web) struct Board {
    lang: Lang,
    stations: Vec<(String, Status)>,
    brief: bool,
}

impl Board {
    /// The board as it stands: of one station, or of all.
    pub(in crate::web) fn new(state: &AppState, lang: Lang, only: Option<&StationId>) -> Self {
        let board = state.stations.borrow();
        let shown = board.iter().filter(|(name, _)| only.is_none_or(|only| only == *name));
        Self {
            lang,
            stations: shown.map(|(name, status)| (name.to_string(), status.clone())).collect(),
            brief: only.is_none() && is_brief(board.len()),
        }
    }

    fn part<'a>(&self, name: &'a str, status: &'a Status) -> StationPart<'a> {
        StationPart { lang: self.lang, name, status, brief: self.brief }
    }
}

/// One station and its slots, as HTML: what the live stream sends.
#[derive(Template)]
#[template(path = "station.html")]
pub(in crate::web) struct StationPart<'a> {
    pub(in crate::web) lang: Lang,
    pub(in crate::web) name: &'a str,
    pub(in crate::web) status: &'a Status,
    /// A line instead of its slots.
    pub(in crate::web) brief: bool,
}

impl StationPart<'_> {
    /// A slot of a station that is gone is shown as offline: what it last said is no longer so.
    fn phase(&self, slot: &SlotStatus) -> SlotPhase {
        if self.status.online { slot.phase } else { SlotPhase::Offline }
    }

    fn word(&self, slot: &SlotStatus) -> &'static str {
        self.lang.phase(self.phase(slot))
    }

    fn style(&self, slot: &SlotStatus) -> &'static str {
        match self.phase(slot) {
            SlotPhase::Empty => "empty",
            SlotPhase::Waiting => "waiting",
            SlotPhase::Working => "working",
            SlotPhase::Passed => "passed",
            SlotPhase::Failed => "failed",
            SlotPhase::Refused => "refused",
            SlotPhase::Interrupted => "interrupted",
            SlotPhase::Offline => "offline",
            SlotPhase::Stopped => "stopped",
        }
    }

    /// A sign beside the colour, for those who do not tell the colours apart.
    fn sign(&self, slot: &SlotStatus) -> &'static str {
        match self.phase(slot) {
            SlotPhase::Empty => "○",
            SlotPhase::Waiting => "…",
            SlotPhase::Working => "▶",
            SlotPhase::Passed => "✓",
            SlotPhase::Failed => "✕",
            SlotPhase::Refused => "⊘",
            SlotPhase::Interrupted => "!",
            SlotPhase::Offline => "–",
            SlotPhase::Stopped => "■",
        }
    }

    fn is_working(&self, slot: &SlotStatus) -> bool {
        self.phase(slot) == SlotPhase::Working
    }

    /// The end of a job's name, which tells a wave's jobs apart; the whole is in the link's title.
    fn short(&self, job: &JobId) -> String {
        let name = job.to_string();
        let tail = name.char_indices().nth(19).map_or(name.as_str(), |(start, _)| &name[start..]);
        format!("…{tail}")
    }

    /// All slots in a line, for a board of many stations.
    fn signs(&self) -> String {
        self.status.slots.iter().map(|slot| self.sign(slot)).collect()
    }

    /// Slots that somebody must look at.
    fn troubled(&self) -> usize {
        let waits = |slot: &&SlotStatus| {
            matches!(
                self.phase(slot),
                SlotPhase::Failed | SlotPhase::Refused | SlotPhase::Interrupted | SlotPhase::Stopped
            )
        };
        self.status.slots.iter().filter(waits).count()
    }

    fn working(&self) -> usize {
        self.status.slots.iter().filter(|slot| self.is_working(slot)).count()
    }
}

/// A station on the list.
struct Line {
    name: String,
    figures: Figures,
    status: Option<Status>,
    alarms: usize,
}

impl Line {
    /// Slots in which a key is made now, and all.
    fn slots(&self) -> Option<(usize, usize)> {
        let status = self.status.as_ref()?;
        let working = status.slots.iter().filter(|slot| status.online && slot.phase == SlotPhase::Working);
        Some((working.count(), status.slots.len()))
    }

    fn is_online(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.online)
    }

    /// Whether staff or an operator should look.
    fn is_wrong(&self) -> bool {
        self.alarms > 0 || self.figures.stuck > 0
    }
}

#[derive(Template)]
#[template(path = "stations.html")]
struct StationsPage {
    frame: Frame,
    board: Board,
    only: Option<StationId>,
    rows: Vec<Line>,
    waiting_jobs: i64,
    breakers: Vec<OpenBreaker>,
    conflicts: Vec<Conflict>,
    parked_count: i64,
    parked: Vec<Parked>,
}

impl StationsPage {
    fn time(&self, parked: &Parked) -> String {
        china_text(parked.last_ms)
    }

    fn clock(&self, ms: &i64) -> String {
        china_text(*ms)
    }

    /// How long the jobs at hand take at the pace of the last hour, in minutes.
    fn minutes(&self) -> Option<i64> {
        let made: i64 = self.rows.iter().map(|row| row.figures.made_hour).sum();
        let left = self.waiting_jobs + self.rows.iter().map(|row| row.figures.leased).sum::<i64>();
        (made > 0).then(|| (left * 60).div_euclid(made))
    }

    fn since(&self, breaker: &OpenBreaker) -> String {
        china_text(breaker.changed_ms)
    }

    fn scope(&self, breaker: &OpenBreaker) -> String {
        let lang = self.frame.lang;
        let word = match breaker.scope.as_str() {
            "slot" => lang.t("插槽", "slot"),
            "hub" => lang.t("集线器", "hub"),
            _ => lang.t("批次", "lot"),
        };
        format!("{word} {}", breaker.name)
    }
}

/// How many parked messages are shown; the command line lists all.
const PARKED_SHOWN: u16 = 5;

pub(in crate::web) async fn stations(
    State(state): State<AppState>,
    operator: Operator,
    lang: Lang,
    Query(asked): Query<BoardQuery>,
) -> Response {
    let found = async {
        Ok::<_, DbError>((
            audit::conflicts(&state.db).await?,
            stations::parked_count(&state.db).await?,
            stations::newest_parked(&state.db, PARKED_SHOWN).await?,
            stations::open_breakers(&state.db).await?,
            stations::figures(&state.db, state.clock.now_ms()).await?,
            stations::waiting_jobs(&state.db).await?,
        ))
    };
    let (conflicts, parked_count, parked, breakers, figures, waiting_jobs) = match found.await {
        Ok(found) => found,
        Err(error) => return order_trouble(lang, error.into()),
    };
    let frame = Frame::new(lang, &operator, "stations");
    let only = asked.only();
    let board = Board::new(&state, lang, only.as_ref());
    let rows = lines(&state, figures, &breakers, &conflicts);
    page(
        StatusCode::OK,
        &StationsPage { frame, board, only, rows, waiting_jobs, breakers, conflicts, parked_count, parked },
    )
}

/// Every station that is enrolled or was ever heard of.
fn lines(
    state: &AppState,
    mut figures: BTreeMap<String, Figures>,
    breakers: &[OpenBreaker],
    conflicts: &[Conflict],
) -> Vec<Line> {
    let mut heard: BTreeMap<String, Status> = {
        let board = state.stations.borrow();
        board.iter().map(|(name, status)| (name.to_string(), status.clone())).collect()
    };
    for name in heard.keys() {
        figures.entry(name.clone()).or_default();
    }
    let line = |(name, mut figures): (String, Figures)| {
        let here = name.parse().ok().and_then(|name| state.heard.last(&name));
        figures.heard_ms = figures.heard_ms.max(here);
        let stopped = breakers.iter().filter(|breaker| breaker.station == name).count();
        let forked = conflicts.iter().filter(|conflict| conflict.station == name).count();
        Line { status: heard.remove(&name), alarms: stopped + forked, name, figures }
    };
    figures.into_iter().map(line).collect()
}
