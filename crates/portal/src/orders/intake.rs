//! Orders coming in, by API or file. Each is stored whole or not at all; the same order twice gives the same answer.

use model::{OrderNumber, OrderState};
use serde::Serialize;
use serde_json::Value;

use super::{
    content::Order,
    form::{FieldError, OrderForm},
    store::{HistoryEntry, OrderError, add_history, insert, load_in},
    transition::Actor,
};
use crate::{
    app::AppState,
    audit::{self, What},
    clock::china,
    db::{Connection, Sql, Transaction, begin_write},
};

/// Orders taken in one request or file.
const ORDERS_MAX: usize = 1_000;

/// Chances for a number that is free; two in the same second with the same six digits are rare already.
const NUMBER_TRIES: usize = 8;

/// What became of a request or file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Intake {
    /// One answer an order, in the order given.
    pub results: Vec<Row>,
}

impl Intake {
    /// How many orders had this outcome.
    #[must_use]
    pub fn count(&self, outcome: RowOutcome) -> usize {
        self.results.iter().filter(|row| row.outcome == outcome).count()
    }
}

/// What became of one order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Which of the orders, from 1.
    pub row: usize,
    /// The order's number, if it has one.
    pub number: Option<OrderNumber>,
    /// The outcome.
    pub outcome: RowOutcome,
    /// Where the order stands now, unless it was refused.
    pub state: Option<OrderState>,
    /// What is wrong with it; empty unless refused.
    pub errors: Vec<FieldError>,
}

/// What became of one order, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RowOutcome {
    /// Stored now.
    Accepted,
    /// Stored before, with the same content.
    Repeated,
    /// Not stored.
    Refused,
}

/// Takes one order or an array of them.
///
/// # Errors
/// The database's alone: what was answered so far is stored, and the whole may be sent again.
pub async fn accept_all(state: &AppState, orders: &Value, actor: &Actor) -> Result<Intake, OrderError> {
    let one = std::slice::from_ref(orders);
    let orders = orders.as_array().map_or(one, Vec::as_slice);
    if orders.len() > ORDERS_MAX {
        let message = format!("一次最多 {ORDERS_MAX} 个订单 (at most {ORDERS_MAX} orders at once)");
        return Ok(Intake {
            results: vec![refused(1, None, vec![FieldError { field: String::new(), message }])],
        });
    }
    let mut results = Vec::with_capacity(orders.len());
    for (index, order) in orders.iter().enumerate() {
        results.push(Row { row: index + 1, ..accept(state, order, actor).await? });
    }
    Ok(Intake { results })
}

/// Takes one order.
///
/// # Errors
/// The database's alone; a wrong order is a [`Row`] with its mistakes.
pub async fn accept(state: &AppState, order: &Value, actor: &Actor) -> Result<Row, OrderError> {
    let form = match OrderForm::read(order, &state.programmes) {
        Ok(form) => form,
        Err(errors) => {
            let number = order.get("number").and_then(Value::as_str).and_then(|text| text.parse().ok());
            return Ok(refused(1, number, errors));
        }
    };
    let mut tx = begin_write(&state.db).await?;
    let number = match &form.number {
        None => free_number(state, &mut tx).await?,
        Some(number) => {
            if let Some(old) = load_in(&mut tx, &state.sealer, number).await? {
                return Ok(repeated(&form, old));
            }
            number.clone()
        }
    };
    let stored = store_new(state, &mut tx, &number, form, actor).await?;
    tx.commit().await?;
    Ok(Row {
        row: 1,
        number: Some(number),
        outcome: RowOutcome::Accepted,
        state: Some(stored),
        errors: Vec::new(),
    })
}

/// Stores an order that passed, inside a transaction: itself, its history, its row in the audit. Gives the state it begins in.
pub(crate) async fn store_new(
    state: &AppState,
    tx: &mut Transaction,
    number: &OrderNumber,
    form: OrderForm,
    actor: &Actor,
) -> Result<OrderState, OrderError> {
    let now_ms = state.clock.now_ms();
    let order = Order {
        number: number.clone(),
        content: form.content,
        product_title: form.product_title,
        amount: form.amount,
        state: form.first_state,
        reject_reason: None,
        created_ms: now_ms,
        changed_ms: now_ms,
    };
    insert(tx, &state.sealer, &order).await?;
    let who = actor.to_string();
    let entry = HistoryEntry { at_ms: now_ms, who, from: None, to: order.state, reason: String::new() };
    add_history(tx, number, &entry).await?;
    let detail = format!(
        "programme={} quantity={} state={}",
        order.content.programme,
        order.content.quantity,
        order.state.code()
    );
    audit::record(tx, now_ms, actor, What::OrderReceived, number, &detail).await?;
    Ok(order.state)
}

fn repeated(form: &OrderForm, old: Order) -> Row {
    if form.content == old.content {
        let (number, state) = (Some(old.number), Some(old.state));
        return Row { row: 1, number, outcome: RowOutcome::Repeated, state, errors: Vec::new() };
    }
    let message = "订单号已存在且内容不同，请换号或核对 (this number belongs to an order with other content: compare, or use another)";
    let error = FieldError { field: "number".to_owned(), message: message.to_owned() };
    refused(1, Some(old.number), vec![error])
}

fn refused(row: usize, number: Option<OrderNumber>, errors: Vec<FieldError>) -> Row {
    Row { row, number, outcome: RowOutcome::Refused, state: None, errors }
}

/// A number that no order and no draft has.
pub(crate) async fn free_number(state: &AppState, tx: &mut Connection) -> Result<OrderNumber, OrderError> {
    for _ in 0..NUMBER_TRIES {
        let number = new_number(state)?;
        let taken = "select 1 from orders where number = $1 union all select 1 from drafts where number = $1";
        let taken = sqlx::query::<Sql>(taken).bind(number.as_str()).fetch_optional(&mut *tx).await?;
        if taken.is_none() {
            return Ok(number);
        }
    }
    Err(OrderError::NoNumber)
}

/// `SAAS1`, the time in China, six random digits.
fn new_number(state: &AppState) -> Result<OrderNumber, OrderError> {
    let random = getrandom::u32().map_err(|_| OrderError::NoNumber)? % 1_000_000;
    let time = state.clock.now().to_zoned(china()).strftime("%Y%m%d%H%M%S").to_string();
    format!("SAAS1{time}{random:06}").parse().map_err(|_| OrderError::NoNumber)
}
