//! Mails: an outbox, written in the transaction of what it tells of, and a program of this machine that takes each (sendmail, say).

use std::{process::Stdio, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use model::OrderNumber;
use sqlx::Row as _;
use tokio::io::AsyncWriteExt as _;

use crate::{
    app::AppState,
    db::{Db, DbError, Row, Sql, Transaction, begin_write, damaged},
    depths::{Depths, FAILED_MS},
    seal::SealError,
};

/// Mails that one turn sends.
const TURN_MAX: i64 = 4;
const TRIES_MAX: i64 = 24;
/// The first pause; it doubles from one to the next.
const PAUSE_MS: i64 = 60_000;
const PAUSE_MAX_MS: i64 = 60 * 60_000;
/// Mails are kept this long: they hold an address.
const KEPT_MS: i64 = 90 * 24 * 60 * 60_000;
/// The longest the program may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of the program's complaint that are kept.
const COMPLAINT_CHARS_MAX: usize = 200;

/// How mails leave this machine.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mailer {
    /// Who writes them.
    pub from: String,
    /// A program and its arguments. It reads a whole mail, with its `To`, on standard input and ends with 0 when it has it.
    pub command: Vec<String>,
}

/// A mail to be.
pub(crate) struct Letter<'a> {
    /// Unique; begins with the number of the order it is about.
    pub id: &'a str,
    pub to: &'a str,
    pub subject: &'a str,
    pub body: &'a str,
}

/// Writes a mail, to be sent once `tx` is committed.
pub(crate) async fn enqueue(
    tx: &mut Transaction,
    state: &AppState,
    letter: &Letter<'_>,
) -> Result<(), DbError> {
    let seal = |text: &str| state.sealer.seal(&context(letter.id), text.as_bytes()).map_err(unsealed);
    sqlx::query::<Sql>(
        "insert into mails (id, recipient, subject, body, tries, next_ms, state, trouble, created_ms) \
         values ($1, $2, $3, $4, 0, $5, 'waiting', '', $5)",
    )
    .bind(letter.id)
    .bind(seal(letter.to)?)
    .bind(letter.subject)
    .bind(seal(letter.body)?)
    .bind(state.clock.now_ms())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Sends what waits, a bounded number. A mail may go out twice if this process ends while it is sent, and never not at all.
pub(crate) async fn turn(state: &AppState) -> Result<(), DbError> {
    let Some(mailer) = &state.outside.mail else { return Ok(()) };
    let now = state.clock.now_ms();
    let rows = sqlx::query::<Sql>(
        "select id, recipient, subject, body, tries from mails where next_ms <= $1 order by next_ms, id limit $2",
    )
    .bind(now)
    .bind(TURN_MAX)
    .fetch_all(&state.db)
    .await?;
    for row in &rows {
        let id: String = row.try_get("id")?;
        let open = |column: &str| -> Result<String, DbError> {
            let sealed: Vec<u8> = row.try_get(column)?;
            let opened = state.sealer.open_sealed(&context(&id), &sealed).map_err(unsealed)?;
            String::from_utf8(opened.expose().to_vec()).map_err(|_| damaged(format!("the mail {id}")))
        };
        let (to, body) = (open("recipient")?, open("body")?);
        let letter = Letter { id: &id, to: &to, subject: row.try_get("subject")?, body: &body };
        let sent = send(mailer, &letter, &state.clock.now()).await;
        settle(state, &id, row.try_get::<i64, _>("tries")? + 1, sent).await?;
    }
    forget(state, now - KEPT_MS).await
}

async fn settle(state: &AppState, id: &str, tries: i64, sent: Result<(), String>) -> Result<(), DbError> {
    let next_ms =
        state.clock.now_ms() + (PAUSE_MS << u32::try_from(tries - 1).unwrap_or(0).min(16)).min(PAUSE_MAX_MS);
    let (word, next_ms, trouble) = match sent {
        Ok(()) => ("sent", None, String::new()),
        Err(trouble) if tries >= TRIES_MAX => ("failed", None, trouble),
        Err(trouble) => ("waiting", Some(next_ms), trouble),
    };
    if !trouble.is_empty() {
        tracing::warn!(mail = id, trouble, "a mail was not taken");
    }
    let mut tx = begin_write(&state.db).await?;
    sqlx::query::<Sql>("update mails set state = $2, tries = $3, next_ms = $4, trouble = $5 where id = $1")
        .bind(id)
        .bind(word)
        .bind(tries)
        .bind(next_ms)
        .bind(trouble)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(())
}

/// A mail that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedMail {
    /// The order it is about.
    pub order: OrderNumber,
    /// When it was written.
    pub created_ms: i64,
    /// The program's last complaint.
    pub trouble: String,
}

/// Mails of the last fourteen days that were given up, the newest first, at most `most`.
///
/// # Errors
/// [`DbError`].
pub async fn failed(state: &AppState, most: u16) -> Result<Vec<FailedMail>, DbError> {
    let rows = sqlx::query::<Sql>(
        "select id, trouble, created_ms from mails where created_ms >= $1 and state = 'failed' \
         order by created_ms desc, id limit $2",
    )
    .bind(state.clock.now_ms() - FAILED_MS)
    .bind(i64::from(most))
    .fetch_all(&state.db)
    .await?;
    let failed = |row: &Row| {
        let id: &str = row.try_get("id")?;
        let order = id.split('-').next().and_then(|order| order.parse().ok());
        Ok(FailedMail {
            order: order.ok_or_else(|| damaged(format!("the mail {id}")))?,
            created_ms: row.try_get("created_ms")?,
            trouble: row.try_get("trouble")?,
        })
    };
    rows.iter().map(failed).collect()
}

/// How many mails wait, and how many of the last fourteen days were given up.
///
/// # Errors
/// [`DbError`].
pub async fn depths(db: &Db, now_ms: i64) -> Result<Depths, DbError> {
    let waiting = "select count(*) from mails where next_ms is not null";
    let dead = "select count(*) from mails where created_ms >= $1 and state = 'failed'";
    Ok(Depths {
        waiting: sqlx::query_scalar::<Sql, i64>(waiting).fetch_one(db).await?,
        dead: sqlx::query_scalar::<Sql, i64>(dead).bind(now_ms - FAILED_MS).fetch_one(db).await?,
    })
}

async fn forget(state: &AppState, before_ms: i64) -> Result<(), DbError> {
    let old = sqlx::query::<Sql>("select 1 from mails where created_ms < $1 limit 1").bind(before_ms);
    if old.fetch_optional(&state.db).await?.is_none() {
        return Ok(());
    }
    let mut tx = begin_write(&state.db).await?;
    sqlx::query::<Sql>("delete from mails where created_ms < $1").bind(before_ms).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(())
}

/// Gives the mail to the program.
async fn send(mailer: &Mailer, letter: &Letter<'_>, now: &jiff::Timestamp) -> Result<(), String> {
    let text = compose(&mailer.from, letter, now)?;
    let (program, arguments) = mailer.command.split_first().ok_or("no program is configured")?;
    let mut child = tokio::process::Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("{program} does not start: {error}"))?;
    let mut input = child.stdin.take().ok_or("the program has no standard input")?;
    let to = letter.to.to_owned();
    let work = async move {
        let written = input.write_all(text.as_bytes()).await;
        drop(input);
        let output = child.wait_with_output().await.map_err(|error| error.to_string())?;
        if output.status.success() {
            return written.map_err(|error| format!("{program} did not read the mail: {error}"));
        }
        // Such programs like to name whom they could not reach.
        let complaint = String::from_utf8_lossy(&output.stderr).replace(&to, "[recipient]");
        let complaint: String =
            complaint.chars().filter(|c| !c.is_control()).take(COMPLAINT_CHARS_MAX).collect();
        Err(format!("{program} ended with {}: {complaint}", output.status))
    };
    tokio::time::timeout(TIMEOUT, work)
        .await
        .map_err(|_| format!("{program} took longer than {TIMEOUT:?}"))?
}

/// The mail as the program reads it: seven bits, lines below 80.
fn compose(from: &str, letter: &Letter<'_>, now: &jiff::Timestamp) -> Result<String, String> {
    for address in [from, letter.to] {
        let plain =
            address.bytes().all(|byte| byte.is_ascii_graphic()) && !address.contains([',', ';', '<', '>']);
        if !plain || address.split('@').filter(|part| !part.is_empty()).count() != 2 {
            return Err("an address is no mail address".to_owned());
        }
    }
    let date =
        jiff::fmt::rfc2822::to_string(&now.to_zoned(crate::clock::china())).map_err(|e| e.to_string())?;
    let domain = from.rsplit('@').next().unwrap_or_default();
    let mut text = format!(
        "From: <{from}>\r\nTo: <{}>\r\nSubject: {}\r\nDate: {date}\r\nMessage-ID: <{}@{domain}>\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\nAuto-Submitted: auto-generated\r\n\r\n",
        letter.to,
        words(letter.subject),
        letter.id,
    );
    for line in STANDARD.encode(letter.body).as_bytes().chunks(76) {
        text.extend(line.iter().copied().map(char::from));
        text.push_str("\r\n");
    }
    Ok(text)
}

/// A header's text as encoded words (RFC 2047) of at most 75 characters.
fn words(text: &str) -> String {
    let mut words: Vec<String> = vec![String::new()];
    for c in text.chars() {
        match words.last_mut() {
            Some(word) if word.len() + c.len_utf8() <= 42 => word.push(c),
            _ => words.push(c.to_string()),
        }
    }
    let words: Vec<String> =
        words.iter().map(|word| format!("=?utf-8?B?{}?=", STANDARD.encode(word))).collect();
    words.join("\r\n ")
}

fn context(id: &str) -> String {
    format!("mail:{id}")
}

fn unsealed(error: SealError) -> DbError {
    match error {
        SealError::Db(error) => error,
        other => damaged(format!("a mail ({other})")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::{Letter, compose};

    fn composed(to: &str, subject: &str, body: &str) -> Result<String, String> {
        let letter = Letter { id: "x-1", to, subject, body };
        compose("no-reply@example.com", &letter, &jiff::Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn an_address_cannot_bring_a_header_of_its_own() {
        assert!(composed("chen@example.com", "s", "b").is_ok());
        for bad in ["chen@example.com\r\nBcc: all@example.com", "a@b,c@d", "<a@b>", "chen", "@", "a b@c"] {
            assert!(composed(bad, "s", "b").is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_carried_in_short_plain_lines(subject in ".{0,200}", body in "(?s).{0,2000}") {
            let text = composed("chen@example.com", &subject, &body).unwrap();
            let (head, rest) = text.split_once("\r\n\r\n").unwrap();
            prop_assert!(text.is_ascii() && text.split("\r\n").all(|line| line.len() < 100 && !line.contains(['\r', '\n'])));
            prop_assert_eq!(head.split("\r\n").filter(|line| !line.starts_with(' ')).count(), 9);
            use base64::Engine as _;
            let plain = base64::engine::general_purpose::STANDARD.decode(rest.replace("\r\n", "")).unwrap();
            prop_assert_eq!(plain, body.into_bytes());
        }
    }
}
