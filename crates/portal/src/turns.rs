//! The work in the background: each part has a turn every second, beside the others, on the leading portal alone.

use std::{convert::Infallible, fmt::Display, future::Future, time::Duration};

use crate::{
    app::AppState, drafts, invoices, messages, operators, orders, payments, retention, stations, webhooks,
};

/// Between the end of a part's turn and its next.
const PAUSE: Duration = Duration::from_secs(1);
/// Between turns of what is reckoned in days.
const LONG_PAUSE: Duration = Duration::from_secs(600);
/// After a turn that failed.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(10);
/// A turn that takes longer is broken off; each part's work may be repeated.
const TURN_MAX: Duration = Duration::from_secs(120);

/// Gives every part its turns, until dropped.
pub async fn run(state: &AppState) -> Infallible {
    tokio::join!(
        part("webhooks", || webhooks::turn(state)),
        part("payments", || payments::turn(state)),
        part("refunds", || payments::refund_turn(state)),
        part("messages", || messages::turn(state)),
        part("invoices", || invoices::turn(state)),
        part("board", || stations::share_board(state)),
        part("stations", || stations::keep_heard(state)),
        part("drafts", || async { drafts::expire(state).await.map(drop) }),
        part("retention", || async { retention::turn(state).await.map(drop) }),
        part("log-ins", || operators::forget_old_tries(state)),
        seldom("completion", || orders::complete_overdue(state)),
        seldom("idle orders", || orders::end_idle(state)),
    );
    std::future::pending().await
}

async fn part<E: Display, F: Future<Output = Result<(), E>>>(name: &str, turn: impl Fn() -> F) {
    turns(name, PAUSE, turn).await;
}

async fn seldom<E: Display, F: Future<Output = Result<(), E>>>(name: &str, turn: impl Fn() -> F) {
    turns(name, LONG_PAUSE, turn).await;
}

async fn turns<E: Display, F: Future<Output = Result<(), E>>>(
    name: &str,
    after_success: Duration,
    turn: impl Fn() -> F,
) {
    loop {
        let pause = match tokio::time::timeout(TURN_MAX, Box::pin(turn())).await {
            Ok(Ok(())) => after_success,
            Ok(Err(error)) => {
                tracing::error!(part = name, %error, "work in the background failed; trying again");
                PAUSE_AFTER_FAILURE
            }
            Err(_) => {
                tracing::error!(part = name, "work in the background took too long and was broken off");
                PAUSE_AFTER_FAILURE
            }
        };
        tokio::time::sleep(pause).await;
    }
}
