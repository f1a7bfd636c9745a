//! Refunds take two people: finance asks, another approves. Then the money goes back.

use model::{OrderNumber, OrderState};

use crate::{
    app::AppState,
    audit::{self, What},
    db::{Connection, Db, Sql, Transaction, begin_write, damaged},
    orders::{Actor, OrderError, REASON_CHARS_MAX, change_state, known_in},
    payments::{self, PaymentError, Refund},
};

/// Requests on the list at most.
const LIST_MAX: i64 = 200;

/// A refund that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundRequest {
    /// The order.
    pub order: OrderNumber,
    /// Why.
    pub reason: String,
    /// Who asked.
    pub asked_by: String,
    /// When.
    pub asked_ms: i64,
    /// `asked`, `approved` or `declined`.
    pub state: String,
    /// Who decided.
    pub decided_by: Option<String>,
}

type Columns = (String, String, String, i64, String, Option<String>);

fn request(row: Columns) -> Result<RefundRequest, OrderError> {
    let (order, reason, asked_by, asked_ms, state, decided_by) = row;
    let order = order.parse().map_err(|_| damaged("an order number"))?;
    Ok(RefundRequest { order, reason, asked_by, asked_ms, state, decided_by })
}

/// The order's request, if a refund was ever asked for.
///
/// # Errors
/// The database's.
pub async fn of_order(db: &Db, number: &OrderNumber) -> Result<Option<RefundRequest>, OrderError> {
    find(&mut *db.acquire().await?, number).await
}

async fn find(
    connection: &mut Connection,
    number: &OrderNumber,
) -> Result<Option<RefundRequest>, OrderError> {
    let row = sqlx::query_as::<Sql, Columns>(
        "select order_number, reason, asked_by, asked_ms, state, decided_by from refund_requests where order_number = $1",
    );
    row.bind(number.as_str()).fetch_optional(connection).await?.map(request).transpose()
}

/// The way back of what an order was paid by a payment service, once it was begun.
///
/// # Errors
/// The database's.
pub async fn under_way(state: &AppState, number: &OrderNumber) -> Result<Option<Refund>, OrderError> {
    payments::refund_of(state, number).await.map_err(|error| match error {
        PaymentError::Order(error) => error,
        other => damaged(format!("the refund of order {number}: {other}")).into(),
    })
}

/// Refunds that wait for the second person, or were approved and not begun since, the oldest first.
///
/// # Errors
/// The database's.
pub async fn waiting(db: &Db) -> Result<Vec<RefundRequest>, OrderError> {
    let rows = sqlx::query_as::<Sql, Columns>(
        "select r.order_number, r.reason, r.asked_by, r.asked_ms, r.state, r.decided_by from refund_requests r \
         join orders o on o.number = r.order_number \
         where r.state = 'asked' or (r.state = 'approved' and o.state <> 'refunded') \
         order by r.asked_ms, r.order_number limit $1",
    );
    rows.bind(LIST_MAX).fetch_all(db).await?.into_iter().map(request).collect()
}

/// Asks for a refund. One that was declined may be asked for again; the same twice is one.
///
/// # Errors
/// [`OrderError::Reason`], [`OrderError::NoRefund`], the database's.
pub async fn ask(
    state: &AppState,
    number: &OrderNumber,
    reason: &str,
    actor: &Actor,
) -> Result<(), OrderError> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX {
        return Err(OrderError::Reason);
    }
    let asker = match actor {
        Actor::Operator(name) => name.clone(),
        // No operator has such a name.
        other => format!("({other})"),
    };
    let now_ms = state.clock.now_ms();
    let mut tx = begin_write(&state.db).await?;
    refundable(state, &mut tx, number).await?;
    let asked = sqlx::query::<Sql>(
        "insert into refund_requests (order_number, reason, asked_by, asked_ms, state) values ($1, $2, $3, $4, 'asked') \
         on conflict (order_number) do update set reason = excluded.reason, asked_by = excluded.asked_by, \
         asked_ms = excluded.asked_ms, state = 'asked', decided_by = null, decided_ms = null \
         where refund_requests.state = 'declined'",
    )
    .bind(number.as_str())
    .bind(reason)
    .bind(asker)
    .bind(now_ms)
    .execute(&mut *tx)
    .await?;
    if asked.rows_affected() == 1 {
        audit::record(&mut tx, now_ms, actor, What::RefundAsked, number, "").await?;
    }
    tx.commit().await?;
    Ok(())
}

/// There is money to give back, and nobody is making a key of it now.
async fn refundable(state: &AppState, tx: &mut Transaction, number: &OrderNumber) -> Result<(), OrderError> {
    let order = known_in(tx, &state.sealer, number).await?;
    order.state.become_state(OrderState::Refunded)?;
    if order.content.payment.is_none() {
        return Err(OrderError::NoRefund("没有支付记录，无款可退 (nothing was paid)"));
    }
    let busy = sqlx::query::<Sql>("select 1 from jobs where order_number = $1 and state = 'leased' limit 1");
    match busy.bind(number.as_str()).fetch_optional(&mut **tx).await? {
        Some(_) => Err(OrderError::NoRefund(
            "制证站正在制证，请先退回任务 (a station has its jobs: release them first)",
        )),
        None => Ok(()),
    }
}

/// Approves or declines a refund. Who asked does not decide. What was approved and not begun, because the portal stopped between the two,
/// is begun by deciding again.
///
/// # Errors
/// [`OrderError::SamePerson`], [`OrderError::NoRefund`] if none waits, the database's.
pub async fn decide(
    state: &AppState,
    number: &OrderNumber,
    approve: bool,
    operator: &str,
) -> Result<(), OrderError> {
    let mut tx = begin_write(&state.db).await?;
    let asked = find(&mut tx, number).await?.filter(|request| request.state != "declined");
    let asked = asked.ok_or(OrderError::NoRefund("没有待批准的退款 (no refund waits for a decision)"))?;
    if asked.asked_by == operator {
        return Err(OrderError::SamePerson(
            "申请退款的人不能批准，请另一位财务或管理员办理 (who asked for a refund does not decide: ask another)",
        ));
    }
    refundable(state, &mut tx, number).await?;
    let who = Actor::Operator(operator.to_owned());
    if asked.state == "asked" {
        write_decision(state, &mut tx, &asked, approve, &who, operator).await?;
    }
    tx.commit().await?;
    if approve { pay_back(state, &asked, &who).await } else { Ok(()) }
}

async fn write_decision(
    state: &AppState,
    tx: &mut Transaction,
    asked: &RefundRequest,
    approve: bool,
    who: &Actor,
    operator: &str,
) -> Result<(), OrderError> {
    let now_ms = state.clock.now_ms();
    sqlx::query::<Sql>(
        "update refund_requests set state = $2, decided_by = $3, decided_ms = $4 where order_number = $1",
    )
    .bind(asked.order.as_str())
    .bind(if approve { "approved" } else { "declined" })
    .bind(operator)
    .bind(now_ms)
    .execute(&mut **tx)
    .await?;
    let what = if approve { What::RefundApproved } else { What::RefundDeclined };
    let detail = format!("asked={}", asked.asked_by);
    audit::record(tx, now_ms, who, what, &asked.order, &detail).await?;
    Ok(())
}

/// What came by a payment service goes back by it. What came otherwise, finance sends back by hand, and the order says so.
async fn pay_back(state: &AppState, asked: &RefundRequest, who: &Actor) -> Result<(), OrderError> {
    match payments::refund(state, &asked.order, who, &asked.reason).await {
        Ok(_) => Ok(()),
        Err(PaymentError::NothingToRefund) => {
            let mut tx = begin_write(&state.db).await?;
            let now_ms = state.clock.now_ms();
            change_state(&mut tx, &asked.order, OrderState::Refunded, who, &asked.reason, now_ms).await?;
            tx.commit().await?;
            Ok(())
        }
        Err(PaymentError::Order(error)) => Err(error),
        Err(error) => {
            tracing::warn!(order = %asked.order, %error, "a refund that was approved could not be begun");
            Err(OrderError::NoRefund(
                "支付服务暂时不能受理，请稍后再批准一次 (the payment service does not take it now: approve it again later)",
            ))
        }
    }
}
