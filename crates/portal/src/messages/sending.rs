//! The way of a message: waiting, sending, sent, arrived.

use sms::{Delivery, SmsError, Why};

use super::{
    MessageState,
    outbox::{Due, Step, due, forget, update},
};
use crate::{
    app::AppState,
    audit::{self, What},
    clock::china,
    db::{DbError, begin_write},
    orders::Actor,
    outside::Port,
};

/// Messages that one turn looks at.
const TURN_MAX: i64 = 16;
/// Times a message is handed over, refusals and a service that cannot be reached included: most of a day.
const SENDS_MAX: i64 = 24;
/// Times the service is asked what became of it.
const ASKS_MAX: i64 = 12;
/// The first pause; it doubles from one to the next.
const PAUSE_MS: i64 = 30_000;
const PAUSE_MAX_MS: i64 = 60 * 60_000;
/// A message whose answer was lost may take this long to be found; only then it is sent again.
const DOUBT_MS: i64 = 5 * 60_000;
/// Messages are kept this long: they hold a mobile.
const KEPT_MS: i64 = 90 * 24 * 60 * 60_000;

/// Sends what waits and asks after what was sent, a bounded number of messages. Call it again and again, from one process.
///
/// # Errors
/// [`DbError`]. What the service says is kept with the message.
pub async fn turn(state: &AppState) -> Result<(), DbError> {
    let Some(service) = &state.outside.sms else { return Ok(()) };
    for due in due(state, TURN_MAX).await? {
        let reached = match due.state {
            MessageState::Waiting => send(state, &service.port, due).await?,
            _ => ask(state, &service.port, due).await?,
        };
        // The others would wait for the same dead line.
        if !reached {
            break;
        }
    }
    forget(&state.db, state.clock.now_ms() - KEPT_MS).await
}

/// Hands a message over. False if the service cannot be reached.
async fn send(state: &AppState, port: &Port<sms::Client>, mut due: Due) -> Result<bool, DbError> {
    let Some(turn) = port.turn() else { return Ok(false) };
    let now = state.clock.now_ms();
    due.sends += 1;
    due.sent_ms = Some(now);
    // From here on it may be on its way, whatever happens to this process.
    let sending = Step { to: MessageState::Sending, next_ms: Some(now + PAUSE_MS), trouble: "" };
    if !settle(state, &due, &sending, None).await? {
        return Ok(true);
    }
    due.state = MessageState::Sending;
    let message = due.message.clone();
    let answer = turn.call(move |client| client.send(&message)).await;
    let answer = answer.unwrap_or_else(|error| Err(SmsError::Unknown(error.to_string())));
    let wait = |pause_ms: i64| (MessageState::Waiting, Some(now + pause_ms));
    let trouble = answer.as_ref().err().map(ToString::to_string).unwrap_or_default();
    let ((mut to, mut next_ms), reached) = match &answer {
        Ok(_) => ((MessageState::Sent, Some(now + PAUSE_MS)), true),
        Err(SmsError::Refused(refusal)) => match refusal.why {
            Why::Message => ((MessageState::Failed, None), true),
            Why::Limit | Why::Account => (wait(PAUSE_MAX_MS), true),
            Why::Busy => (wait(pause(due.sends)), true),
        },
        Err(SmsError::NotSent(_) | SmsError::Settings { .. }) => (wait(pause(due.sends)), false),
        // It stays in doubt; the service is asked.
        Err(_) => ((MessageState::Sending, Some(now + PAUSE_MS)), false),
    };
    if to == MessageState::Waiting && due.sends >= SENDS_MAX {
        (to, next_ms) = (MessageState::Failed, None);
    }
    if !trouble.is_empty() {
        tracing::warn!(message = due.message.out_id, trouble, to = to.code(), "an SMS was not taken");
    }
    let what = match to {
        MessageState::Sent => Some(What::MessageSent),
        MessageState::Failed => Some(What::MessageFailed),
        _ => None,
    };
    settle(state, &due, &Step { to, next_ms, trouble: &trouble }, what).await?;
    Ok(reached)
}

/// Asks what became of a message. False if the service cannot be reached.
async fn ask(state: &AppState, port: &Port<sms::Client>, mut due: Due) -> Result<bool, DbError> {
    let now = state.clock.now_ms();
    let sent_ms = due.sent_ms.unwrap_or(now);
    // Around midnight the service's day may be the next one.
    let mut days = vec![day(sent_ms), day(sent_ms + DOUBT_MS)];
    days.dedup();
    let mut found = Ok(None);
    for day in days {
        let Some(turn) = port.turn() else { return Ok(false) };
        let (mobile, id) = (due.message.mobile.clone(), due.message.out_id.clone());
        let answer = turn.call(move |client| client.delivery(&mobile, &day, &id)).await;
        found = answer.unwrap_or_else(|error| Err(SmsError::Unknown(error.to_string())));
        if !matches!(found, Ok(None)) {
            break;
        }
    }
    due.asks += 1;
    let again = Some(now + pause(due.asks));
    let given_up = due.asks >= ASKS_MAX;
    let in_doubt = due.state == MessageState::Sending;
    let mut trouble = String::new();
    let (to, next_ms) = match &found {
        Ok(Some(Delivery::Arrived)) => (MessageState::Arrived, None),
        Ok(Some(Delivery::Failed(code))) => {
            trouble = format!("the carrier did not deliver it: {code}");
            (MessageState::Failed, None)
        }
        Ok(Some(Delivery::Pending)) => (MessageState::Sent, again.filter(|_| !given_up)),
        // The service does not know it: it was never taken.
        Ok(None) if in_doubt && now - sent_ms >= DOUBT_MS && due.sends < SENDS_MAX => {
            due.asks = 0;
            (MessageState::Waiting, Some(now))
        }
        Ok(None) if in_doubt => (MessageState::Sending, Some(now + PAUSE_MS)),
        Ok(None) => (due.state, again.filter(|_| !given_up)),
        Err(error) => {
            trouble = error.to_string();
            (due.state, again)
        }
    };
    let (to, next_ms) = match (given_up, in_doubt, to) {
        // Whether it was sent cannot be found out, and it is not sent a second time.
        (true, true, MessageState::Sending) => (MessageState::Failed, None),
        (true, false, MessageState::Sent) => (MessageState::Sent, None),
        _ => (to, next_ms),
    };
    let what = match to {
        MessageState::Sent | MessageState::Arrived if in_doubt => Some(What::MessageSent),
        MessageState::Failed => Some(What::MessageFailed),
        _ => None,
    };
    settle(state, &due, &Step { to, next_ms, trouble: &trouble }, what).await?;
    Ok(found.is_ok())
}

/// Writes a step and its row of the audit; false if somebody else was quicker.
async fn settle(state: &AppState, due: &Due, step: &Step<'_>, what: Option<What>) -> Result<bool, DbError> {
    let mut tx = begin_write(&state.db).await?;
    if !update(&mut tx, due, step).await? {
        return Ok(false);
    }
    if let Some(what) = what {
        audit::record(&mut tx, state.clock.now_ms(), &Actor::System, what, &due.message.out_id, "").await?;
    }
    tx.commit().await?;
    Ok(true)
}

fn pause(times: i64) -> i64 {
    let doublings = (times - 1).clamp(0, 16);
    (PAUSE_MS << doublings).min(PAUSE_MAX_MS)
}

/// The day in China, `yyyyMMdd`.
fn day(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms)
        .map(|time| time.to_zoned(china()).strftime("%Y%m%d").to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{PAUSE_MAX_MS, PAUSE_MS, SENDS_MAX, day, pause};

    #[test]
    fn pauses_double_up_to_an_hour() {
        assert_eq!((pause(1), pause(2), pause(3)), (PAUSE_MS, 2 * PAUSE_MS, 4 * PAUSE_MS));
        assert_eq!((pause(SENDS_MAX), pause(i64::MAX)), (PAUSE_MAX_MS, PAUSE_MAX_MS));
    }

    #[test]
    fn the_day_is_china_s() {
        assert_eq!(day(1_795_311_000_000), "20261122");
        assert_eq!(day(0), "19700101");
    }
}
