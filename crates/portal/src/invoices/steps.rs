//! The way of an invoice: asked, submitted, issued; and back: reddening, red.

use invoice::{InvoiceError as ProviderError, Issued, Line, NewInvoice, NewRed, Red, Session, Status, Why};

use super::{
    ATTEMPTS_MAX, InvoiceError, InvoiceState, links,
    row::{self, Invoice, due, update},
};
use crate::{
    app::AppState,
    audit::{self, What},
    clock::china_text,
    db::{begin_write, damaged},
    mail,
    orders::{self, Actor, Order},
    outside::InvoiceService,
    programmes::InvoiceKind,
};

/// Invoices that one turn looks at.
const TURN_MAX: i64 = 8;
/// The first pause; it doubles from one call to the next.
const PAUSE_MS: i64 = 5_000;
const PAUSE_MAX_MS: i64 = 60 * 60_000;
/// The seller logs in by hand.
const LOGIN_PAUSE_MS: i64 = 5 * 60_000;
/// Calls about one invoice in one state until an operator must look: some eight days.
const ASKS_MAX: i64 = 200;

/// What a step came to; the row itself says where it stands now.
#[derive(Default)]
struct Done {
    what: Option<What>,
    pdf: Option<Vec<u8>>,
}

impl Done {
    fn of(what: What) -> Self {
        Self { what: Some(what), pdf: None }
    }
}

/// Submits what is asked for, asks after what is submitted, takes back what is to be taken back; a bounded number of invoices. Sends the
/// mails about them. Call it again and again, from one process.
///
/// # Errors
/// [`InvoiceError`]; what the provider says is kept with the invoice.
pub async fn turn(state: &AppState) -> Result<(), InvoiceError> {
    if let Some(service) = &state.outside.invoice {
        for mut row in due(state, TURN_MAX).await? {
            let mut stands = row.state;
            let done = step(state, service, &mut row, &mut stands).await?;
            settle(state, stands, row, done).await?;
        }
    }
    links::forget(state).await?;
    mail::turn(state).await?;
    Ok(())
}

/// One step, outside of any transaction. Every call may be repeated, so nothing is lost if this process ends in between. `stands` is the
/// state that the database has.
async fn step(
    state: &AppState,
    service: &InvoiceService,
    row: &mut Invoice,
    stands: &mut InvoiceState,
) -> Result<Done, InvoiceError> {
    row.asks += 1;
    let now = state.clock.now_ms();
    let answer = match row.state {
        InvoiceState::Asked => submit(state, service, row, stands).await?,
        InvoiceState::Submitted => look(state, service, row).await?,
        InvoiceState::Reddening => take_back(state, service, row).await?,
        // Nothing is due in any other state.
        _ => Ok(Done::default()),
    };
    let refused_by = |why| matches!(&answer, Err(ProviderError::Refused(refusal)) if refusal.why == why);
    let refused = refused_by(Why::Invoice);
    row.needs_account = refused_by(Why::Account);
    let (next_ms, trouble) = match answer {
        Ok(done) if row.next_ms.is_none() || row.asks < ASKS_MAX => return Ok(done),
        Ok(_) => (None, "the provider does not finish it".to_owned()),
        Err(error) if refused => (None, error.to_string()),
        Err(error @ ProviderError::Refused(_)) => (Some(now + PAUSE_MAX_MS), error.to_string()),
        Err(error) => (Some(now + pause(row.asks)), error.to_string()),
    };
    tracing::warn!(order = %row.order, trouble, "an invoice is not done");
    (row.next_ms, row.trouble) = (next_ms.filter(|_| row.asks < ASKS_MAX), trouble);
    if row.next_ms.is_some() {
        return Ok(Done::default());
    }
    // What was given up without a no may be made all the same: it stays what it is, and an operator goes on with it.
    if refused {
        let back = row.state == InvoiceState::Reddening;
        row.state = if back { InvoiceState::RedFailed } else { InvoiceState::Failed };
    }
    Ok(Done::of(What::InvoiceFailed))
}

type Answer = Result<Done, ProviderError>;

/// The seller's log-in is looked at first: what is submitted without one fails for good.
async fn submit(
    state: &AppState,
    service: &InvoiceService,
    row: &mut Invoice,
    stands: &mut InvoiceState,
) -> Result<Answer, InvoiceError> {
    let now = state.clock.now_ms();
    let order = order_of(state, row).await?;
    row.kind = order.content.invoice.as_ref().map(|invoice| invoice.kind);
    if row.kind.is_none() {
        // The customer wants none.
        (row.state, row.next_ms) = (InvoiceState::Withdrawn, None);
        return Ok(Ok(Done::default()));
    }
    match login(service, row, now).await {
        Ok(false) => {}
        Ok(true) => return Ok(Ok(Done::default())),
        Err(error) => return Ok(Err(error)),
    }
    // From here on it may be made: it cannot be left any more, only taken back.
    let mut tx = begin_write(&state.db).await?;
    (row.state, row.asks, row.next_ms) = (InvoiceState::Submitted, 0, Some(now + PAUSE_MS));
    if !update(&mut tx, *stands, row).await? {
        // Withdrawn in between; `settle` will see the same.
        return Ok(Ok(Done::default()));
    }
    tx.commit().await?;
    *stands = InvoiceState::Submitted;
    hand_over(state, service, row).await
}

async fn hand_over(
    state: &AppState,
    service: &InvoiceService,
    row: &Invoice,
) -> Result<Answer, InvoiceError> {
    let order = order_of(state, row).await?;
    let new = NewInvoice {
        order_no: row.order_no(),
        line: line(row.kind),
        buyer_name: title(&order),
        buyer_tax_number: tax_number(&order),
        goods_name: service.goods_name.clone(),
        goods_code: service.goods_code.clone(),
        quantity: order.content.quantity,
        amount: order.amount,
        tax_rate_percent: service.tax_rate_percent,
        clerk: service.clerk.clone(),
        at: china_text(state.clock.now_ms()),
    };
    Ok(service.call(move |client| client.submit(&new)).await.map(|()| Done::default()))
}

async fn look(state: &AppState, service: &InvoiceService, row: &mut Invoice) -> Result<Answer, InvoiceError> {
    let now = state.clock.now_ms();
    let order_no = row.order_no();
    let status = service.call(move |client| client.query(&order_no)).await;
    row.next_ms = Some(now + pause(row.asks));
    match status {
        Err(error) => Ok(Err(error)),
        Ok(Status::Unknown) => hand_over(state, service, row).await,
        Ok(Status::Issued(issued)) => fetch(state, service, row, issued).await,
        Ok(Status::Pending) => Ok(login(service, row, now).await.map(|_| Done::default())),
        Ok(Status::Failed(why)) => {
            let waits = match login(service, row, now).await {
                Ok(waits) => waits,
                Err(error) => return Ok(Err(error)),
            };
            if waits && row.attempt < ATTEMPTS_MAX {
                // It failed because nobody was logged in: once more, when somebody is.
                (row.state, row.attempt) = (InvoiceState::Asked, row.attempt + 1);
                return Ok(Ok(Done::default()));
            }
            (row.state, row.next_ms, row.trouble) = (InvoiceState::Failed, None, why);
            Ok(Ok(Done::of(What::InvoiceFailed)))
        }
    }
}

/// Whether the seller must log in first; then the invoice waits for that.
async fn login(service: &InvoiceService, row: &mut Invoice, now_ms: i64) -> Result<bool, ProviderError> {
    let waits = match service.call(|client| client.session()).await {
        Ok(session) => session == Session::NeedsLogIn,
        // A provider that does not tell must not hold invoices up: submitting will show.
        Err(ProviderError::Refused(_)) => false,
        Err(error) => return Err(error),
    };
    row.needs_login = waits;
    if waits {
        wait_for_login(row, now_ms);
    }
    Ok(waits)
}

/// Waiting for a person is no try.
fn wait_for_login(row: &mut Invoice, now_ms: i64) {
    (row.needs_login, row.asks, row.next_ms) = (true, 0, Some(now_ms + LOGIN_PAUSE_MS));
}

async fn fetch(
    state: &AppState,
    service: &InvoiceService,
    row: &mut Invoice,
    issued: Issued,
) -> Result<Answer, InvoiceError> {
    let url = issued.pdf_url;
    let pdf = match service.call(move |client| client.download(&url)).await {
        Ok(pdf) => pdf,
        Err(error) => return Ok(Err(error)),
    };
    let now = state.clock.now_ms();
    (row.state, row.next_ms) = (InvoiceState::Issued, None);
    (row.invoice_number, row.issued_ms) = (Some(issued.number), Some(now));
    (row.asks, row.needs_login, row.trouble) = (0, false, String::new());
    let sealed = state.sealer.seal(&row::context(&row.order), &pdf)?;
    Ok(Ok(Done { what: Some(What::InvoiceIssued), pdf: Some(sealed) }))
}

/// As with [`submit`], the seller's log-in is looked at first.
async fn take_back(
    state: &AppState,
    service: &InvoiceService,
    row: &mut Invoice,
) -> Result<Answer, InvoiceError> {
    let now = state.clock.now_ms();
    let order = order_of(state, row).await?;
    let blue = row.invoice_number.clone();
    let red = NewRed {
        bill_id: format!("R{}", row.order_no()),
        line: line(row.kind),
        blue_number: blue.ok_or_else(|| damaged(format!("the issued invoice of order {}", row.order)))?,
        buyer_name: title(&order),
        buyer_tax_number: tax_number(&order),
    };
    row.next_ms = Some(now + pause(row.asks));
    let asked = red.bill_id.clone();
    let mut found = service.call(move |client| client.red(&asked)).await;
    if matches!(found, Ok(Red::Unknown)) {
        match login(service, row, now).await {
            Ok(false) => {}
            Ok(true) => return Ok(Ok(Done::default())),
            Err(error) => return Ok(Err(error)),
        }
        found = service.call(move |client| client.redden(&red).and_then(|()| client.red(&red.bill_id))).await;
    }
    if let Err(ProviderError::Refused(refusal)) = &found
        && refusal.why == Why::Invoice
    {
        found = Ok(Red::Failed(refusal.to_string()));
    }
    match found {
        Err(error) => Ok(Err(error)),
        Ok(Red::Issued(number)) => {
            (row.state, row.red_number, row.next_ms) = (InvoiceState::Red, Some(number), None);
            (row.needs_login, row.trouble) = (false, String::new());
            Ok(Ok(Done::of(What::InvoiceRed)))
        }
        Ok(Red::Failed(why)) => {
            let waits = match login(service, row, now).await {
                Ok(waits) => waits,
                Err(error) => return Ok(Err(error)),
            };
            if waits && row.attempt < ATTEMPTS_MAX {
                // As with a blue one: once more, under another number, when somebody is logged in.
                row.attempt += 1;
                return Ok(Ok(Done::default()));
            }
            (row.state, row.next_ms, row.trouble) = (InvoiceState::RedFailed, None, why);
            Ok(Ok(Done::of(What::InvoiceFailed)))
        }
        Ok(Red::Pending | Red::Unknown) => Ok(login(service, row, now).await.map(|_| Done::default())),
    }
}

/// Writes what a step came to. With an issued invoice goes the mail, where the programme wants one.
async fn settle(
    state: &AppState,
    stands: InvoiceState,
    row: Invoice,
    done: Done,
) -> Result<(), InvoiceError> {
    let now = state.clock.now_ms();
    let mut tx = begin_write(&state.db).await?;
    let here = row::find(&mut tx, &row.order).await?;
    let Some(here) = here.filter(|here| here.state == stands) else { return Ok(()) };
    // Somebody may have asked for it to be taken back meanwhile.
    let mut next = Invoice { red: here.red || row.red, ..row };
    match next.state {
        InvoiceState::Issued if next.red => (next.state, next.next_ms) = (InvoiceState::Reddening, Some(now)),
        InvoiceState::Asked | InvoiceState::Failed if next.red => {
            (next.state, next.next_ms) = (InvoiceState::Withdrawn, None);
            (next.needs_login, next.needs_account) = (false, false);
        }
        _ => {}
    }
    update(&mut tx, stands, &next).await?;
    if let Some(sealed) = done.pdf {
        row::keep_pdf(&mut tx, &next.order, sealed).await?;
        if next.state == InvoiceState::Issued {
            let order = orders::load_in(&mut tx, &state.sealer, &next.order).await?;
            let order =
                order.ok_or_else(|| damaged(format!("order {}, which has an invoice", next.order)))?;
            links::mail(&mut tx, state, &order).await?;
        }
    }
    if let Some(what) = done.what {
        audit::record(&mut tx, now, &Actor::System, what, &next.order, &detail(&next)).await?;
    }
    tx.commit().await?;
    Ok(())
}

fn detail(row: &Invoice) -> String {
    let number = row.red_number.as_ref().or(row.invoice_number.as_ref());
    format!("attempt={} number={}", row.attempt, number.map_or("-", String::as_str))
}

async fn order_of(state: &AppState, row: &Invoice) -> Result<Order, InvoiceError> {
    let order = orders::load(state, &row.order).await?;
    Ok(order.ok_or_else(|| damaged(format!("order {}, which has an invoice", row.order)))?)
}

fn line(kind: Option<InvoiceKind>) -> Line {
    match kind {
        Some(InvoiceKind::Special) => Line::Special,
        Some(InvoiceKind::General) | None => Line::General,
    }
}

fn title(order: &Order) -> String {
    order
        .content
        .invoice
        .as_ref()
        .map_or_else(|| order.content.unit.name.clone(), |invoice| invoice.title.clone())
}

/// The unit's, if the invoice is made out to the unit, or that of another; a person has none.
fn tax_number(order: &Order) -> Option<String> {
    let unit = &order.content.unit;
    if title(order) == unit.name {
        return Some(unit.credit_code.clone());
    }
    order.content.invoice.as_ref()?.tax_number.clone()
}

fn pause(times: i64) -> i64 {
    let doublings = u32::try_from(times - 1).unwrap_or(0).min(16);
    (PAUSE_MS << doublings).min(PAUSE_MAX_MS)
}
