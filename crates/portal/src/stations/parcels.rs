//! Parcels: one waybill an order, from SF, with the order's number as idempotency key.

use model::{OrderNumber, StationId, mask_mobile};
use sqlx::Row as _;
use tokio::sync::{Semaphore, SemaphorePermit};
use wire::{Parcel, Party};

use super::{
    desk::Desk,
    job::{Job, JobState},
    mask,
    refusal::{Refusal, blocking},
};
use crate::{
    app::AppState,
    audit::{self, What},
    db::{Connection, DbError, Sql, begin_write, damaged},
    orders::{self, Actor, Order, OrderError},
    refunds,
};

/// Orders that SF is asked for at once.
const AT_ONCE: usize = 2;
/// Parcels of an older program rewritten in one transaction at start.
const BATCH: i64 = 200;
/// How many more may wait for their turn: each holds one of the places that secrets, certificates and reports need as well.
const WAITING: usize = 6;

/// What parcels may take while SF is slow, so that it stops nothing else.
pub(super) struct Gate {
    turns: Semaphore,
    places: Semaphore,
}

impl Default for Gate {
    fn default() -> Self {
        Self { turns: Semaphore::new(AT_ONCE), places: Semaphore::new(AT_ONCE + WAITING) }
    }
}

impl Gate {
    /// Waits for a turn; `Later` if too many wait already.
    async fn pass(&self) -> Result<(SemaphorePermit<'_>, SemaphorePermit<'_>), Refusal> {
        let busy = |_| Refusal::later("顺丰繁忙，请稍后再试 (many orders wait for SF: ask again later)");
        let place = self.places.try_acquire().map_err(busy)?;
        let closed = |_| Refusal::later("the portal stops");
        Ok((self.turns.acquire().await.map_err(closed)?, place))
    }
}

/// The parcel of an order of which every key is made. It is stored before it is told; a repeated request gets the same one.
pub(super) async fn parcel(
    desk: &Desk,
    station: &StationId,
    number: &OrderNumber,
) -> Result<Parcel, Refusal> {
    let mut connection = desk.state.db.acquire().await?;
    let jobs = Job::of_order(&mut connection, number).await?;
    let key_serials = made_here(&jobs, station, number)?;
    drop(connection);
    let order = orders::load(&desk.state, number).await?;
    let order = order.ok_or_else(|| damaged(format!("order {number}, which has jobs")))?;
    if let Some(parcel) = find(&mut *desk.state.db.acquire().await?, &order).await? {
        return Ok(parcel);
    }
    if order.state != model::OrderState::AwaitingProduction {
        return Err(Refusal::invalid(format!(
            "订单 {number} 状态为{} (the order is not in production: do not ship it)",
            order.state.zh()
        )));
    }
    if refunds::is_waiting(&desk.state.db, number).await? {
        return Err(Refusal::later(OrderError::RefundWaits.to_string()));
    }

    let _turn = desk.parcel_gate.pass().await?;
    // A question for the same order may have been answered while this one waited.
    if let Some(parcel) = find(&mut *desk.state.db.acquire().await?, &order).await? {
        return Ok(parcel);
    }
    let request = sf_order(desk, &order);
    let sf = desk.sf.clone();
    // Blocks for up to a minute. SF knows the order by its number, so a request that comes twice makes one waybill.
    let created = blocking(move || {
        sf.create_order(&request).map_err(|error| {
            tracing::error!(%error, "SF gave no waybill");
            Refusal::later(error.to_string())
        })
    })
    .await?;
    let parcel = label(desk, &order, created, key_serials);
    store(desk, station, &order, parcel).await
}

/// The serials of the order's keys, if all were made at this station.
fn made_here(jobs: &[Job], station: &StationId, number: &OrderNumber) -> Result<Vec<String>, Refusal> {
    if jobs.is_empty() || jobs.iter().any(|job| job.station.as_ref().is_some_and(|other| other != station)) {
        return Err(Refusal::not_leased(format!(
            "订单 {number} 不在本工作站 (order {number} is not made at {station})"
        )));
    }
    let made = |job: &Job| match (&job.state, &job.key) {
        (JobState::Done, Some(key)) => Some(key.serial().to_owned()),
        _ => None,
    };
    let serials: Vec<String> = jobs.iter().filter_map(made).collect();
    if serials.len() == jobs.len() {
        return Ok(serials);
    }
    Err(Refusal::later(format!(
        "订单 {number} 尚有 {0} 把钥匙未完成或未上报 ({0} keys of order {number} are not reported as made yet)",
        jobs.len() - serials.len()
    )))
}

fn sf_order(desk: &Desk, order: &Order) -> sf::CreateOrder {
    let (config, receiver) = (&desk.state.config, &order.content.receiver);
    let sender = &config.sender;
    let company = (receiver.name != order.content.unit.name).then(|| order.content.unit.name.clone());
    sf::CreateOrder {
        order_id: order.number.to_string(),
        goods: config.sf.goods.clone(),
        quantity: u32::from(order.content.quantity),
        sender: sf::Contact {
            name: sender.name.clone(),
            company: Some(sender.company.clone()),
            phone: sender.mobile.clone(),
            province: sender.province.clone(),
            city: sender.city.clone(),
            county: sender.county.clone(),
            address: sender.address.clone(),
        },
        receiver: sf::Contact {
            name: receiver.name.clone(),
            company,
            phone: receiver.mobile.clone(),
            province: receiver.province.clone(),
            city: receiver.city.clone(),
            county: receiver.county.clone(),
            address: receiver.address.clone(),
        },
        remark: None,
    }
}

fn label(desk: &Desk, order: &Order, created: sf::Created, key_serials: Vec<String>) -> Parcel {
    let config = &desk.state.config;
    let sender = &config.sender;
    Parcel {
        order: order.number.clone(),
        waybill: created.waybill,
        dest_route_label: created.route_label.dest_route_label,
        coding_mapping: created.route_label.coding_mapping,
        product: created.route_label.pro_name,
        two_dimension_code: created.route_label.two_dimension_code,
        payment: "到付".to_owned(),
        receiver: receiver(order),
        sender: Party {
            name: sender.name.clone(),
            mobile: mask_mobile(&sender.mobile),
            company: sender.company.clone(),
            address: [&sender.province, &sender.city, &sender.county, &sender.address]
                .map(String::as_str)
                .concat(),
        },
        goods: config.sf.goods.clone(),
        quantity: order.content.quantity,
        key_serials,
    }
}

/// Whom the label names. The row of a parcel does not: persons stand in what the order says alone, sealed, and go with it.
fn receiver(order: &Order) -> Party {
    let (unit, receiver) = (&order.content.unit, &order.content.receiver);
    Party {
        name: mask::name(&receiver.name),
        mobile: mask_mobile(&receiver.mobile),
        company: unit.name.clone(),
        address: [&receiver.province, &receiver.city, &receiver.county, &receiver.address]
            .map(String::as_str)
            .concat(),
    }
}

/// A parcel as its row keeps it.
fn body(mut parcel: Parcel) -> Result<String, DbError> {
    for said in [&mut parcel.receiver.name, &mut parcel.receiver.mobile, &mut parcel.receiver.address] {
        said.clear();
    }
    serde_json::to_string(&parcel).map_err(|error| damaged(format!("a parcel that is no JSON ({error})")))
}

async fn store(desk: &Desk, station: &StationId, order: &Order, parcel: Parcel) -> Result<Parcel, Refusal> {
    let now = desk.state.clock.now_ms();
    let mut tx = begin_write(&desk.state.db).await?;
    // Two requests at once got the same waybill from SF; the first to be here is the one that is kept.
    if let Some(parcel) = find(&mut tx, order).await? {
        return Ok(parcel);
    }
    let stored = sqlx::query::<Sql>(
        "insert into parcels (order_number, waybill, station, body, created_ms) values ($1, $2, $3, $4, $5) \
         on conflict (waybill) do nothing",
    )
    .bind(parcel.order.as_str())
    .bind(&parcel.waybill)
    .bind(station.as_str())
    .bind(body(parcel.clone())?)
    .bind(now)
    .execute(&mut *tx)
    .await?;
    if stored.rows_affected() != 1 {
        tracing::error!(waybill = parcel.waybill, order = %parcel.order, "SF gave a waybill that another order has");
        return Err(Refusal::later(format!(
            "运单 {0} 已属于另一订单，请联系顺丰 (waybill {0} is on another order: do not use it, call SF)",
            parcel.waybill
        )));
    }
    let (who, detail) = (Actor::Station(station.clone()), format!("waybill={}", parcel.waybill));
    audit::record(&mut tx, now, &who, What::WaybillCreated, &parcel.order, &detail).await?;
    tx.commit().await?;
    Ok(parcel)
}

async fn find(connection: &mut Connection, order: &Order) -> Result<Option<Parcel>, DbError> {
    let row = sqlx::query::<Sql>("select body from parcels where order_number = $1")
        .bind(order.number.as_str())
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let parcel: Parcel = serde_json::from_str(row.try_get("body")?)
        .map_err(|_| damaged(format!("the parcel of order {}", order.number)))?;
    Ok(Some(Parcel { receiver: receiver(order), ..parcel }))
}

/// Takes receivers out of the rows of an older program; done at start, some at a time, until none is left.
///
/// # Errors
/// The database's; a parcel that cannot be read stays as it is and is named.
pub async fn forget_receivers(state: &AppState) -> Result<(), DbError> {
    loop {
        let mut tx = begin_write(&state.db).await?;
        let rows = sqlx::query::<Sql>(
            "select waybill, body from parcels where body like '%\"receiver\":{\"name\":%' \
             and body not like '%\"receiver\":{\"name\":\"\",\"mobile\":\"\",%' limit $1",
        )
        .bind(BATCH)
        .fetch_all(&mut *tx)
        .await?;
        for row in &rows {
            let waybill: String = row.try_get("waybill")?;
            let parcel: Parcel = serde_json::from_str(row.try_get("body")?)
                .map_err(|_| damaged(format!("the parcel with waybill {waybill}")))?;
            let forget = sqlx::query::<Sql>("update parcels set body = $2 where waybill = $1");
            forget.bind(&waybill).bind(body(parcel)?).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        if rows.is_empty() {
            return Ok(());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use futures_util::FutureExt as _;
    use wire::RefusedCode;

    use super::{AT_ONCE, Gate, WAITING};

    #[test]
    fn slow_sf_keeps_few_places_and_the_next_is_told_to_come_again() {
        let gate = Gate::default();
        let mut passed: Vec<_> = (0..AT_ONCE).map(|_| gate.pass().now_or_never().unwrap().unwrap()).collect();
        let mut waiting: Vec<_> = (0..WAITING).map(|_| Box::pin(gate.pass())).collect();
        assert!(waiting.iter_mut().all(|one| one.now_or_never().is_none()));
        assert_eq!(gate.pass().now_or_never().unwrap().unwrap_err().code, RefusedCode::Later);
        passed.pop();
        assert!((&mut waiting[0]).now_or_never().unwrap().is_ok());
    }
}
