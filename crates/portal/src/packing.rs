//! 复核, the pack check: every key of a parcel is scanned beside its waybill, and a wrong pair is refused. Whoever entered or approved the
//! order does not pack it (rows N2, P15).

use model::{OrderNumber, OrderState};
use sqlx::Row as _;
use wire::Parcel;

use crate::{
    app::AppState,
    audit::{self, What},
    db::{Connection, DbError, Sql, Transaction, begin_write, damaged},
    messages::{self, MessageKind},
    orders::{self, Actor, HistoryEntry, OrderError, Standing},
    refunds,
};

/// Longest text taken from a scanner, in bytes.
const SCAN_BYTES_MAX: usize = 64;

/// Why a scan was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// No parcel has this waybill.
    #[error("没有运单 {0}，请扫面单上的运单条码 (no parcel has waybill {0}: scan the waybill's bar code)")]
    UnknownWaybill(String),
    /// Its order is somewhere else.
    #[error("订单状态为{zh}，不能寄出，请把包裹放到一边并找管理员 (the order is in state {code}: do not send it, set the parcel aside)",
        zh = .0.zh(), code = .0.code())]
    State(OrderState),
    /// The key is another parcel's.
    #[error(
        "钥匙 {0} 不属于此包裹，请取出并核对面单 (key {0} is not of this parcel: take it out and compare the label)"
    )]
    WrongKey(String),
    /// Another waybill, before the keys of this one are scanned.
    #[error(
        "运单 {waybill} 还有 {left} 把钥匙未扫，请先扫完或放弃 ({left} keys of {waybill} are not scanned: scan them, or begin anew)"
    )]
    Unfinished {
        /// The parcel in work.
        waybill: String,
        /// Keys that are missing.
        left: usize,
    },
    /// It packed itself.
    #[error(
        "录入、更正或审核过此订单的人不能复核，请另一位制证员办理 (who entered, corrected or approved the order does not pack it: ask another)"
    )]
    SamePerson,
    /// The order, or the database.
    #[error(transparent)]
    Order(#[from] OrderError),
}

impl From<DbError> for PackError {
    fn from(error: DbError) -> Self {
        Self::Order(error.into())
    }
}

impl From<sqlx::Error> for PackError {
    fn from(error: sqlx::Error) -> Self {
        Self::Order(error.into())
    }
}

/// A parcel at the packing table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pack {
    /// The order.
    pub order: OrderNumber,
    /// Its waybill.
    pub waybill: String,
    /// The unit, as the label has it.
    pub unit: String,
    /// The keys that belong into it.
    pub keys: Vec<PackKey>,
    /// Who has checked it, once somebody has.
    pub packed: Option<Packed>,
}

/// A key of a parcel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackKey {
    /// The serial, as printed on it.
    pub serial: String,
    /// Whether it was scanned.
    pub scanned: bool,
}

/// A parcel that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// `operator:<name>`.
    pub by: String,
    /// When.
    pub at_ms: i64,
}

impl Pack {
    /// Keys that are not scanned yet.
    #[must_use]
    pub fn left(&self) -> usize {
        self.keys.iter().filter(|key| !key.scanned).count()
    }

    /// Marks keys as scanned; other words fit nothing and are passed over.
    pub fn mark(&mut self, serials: &[&str]) {
        for key in &mut self.keys {
            key.scanned |= serials.contains(&key.serial.as_str());
        }
    }

    /// The serials that were scanned.
    pub fn scanned(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().filter(|key| key.scanned).map(|key| key.serial.as_str())
    }
}

/// The parcel with this waybill, none of its keys scanned.
///
/// # Errors
/// [`PackError`].
pub async fn open(state: &AppState, waybill: &str, actor: &Actor) -> Result<Pack, PackError> {
    let mut connection = state.db.acquire().await?;
    let pack = find(&mut connection, &clean(waybill)).await?;
    if pack.packed.is_none() {
        may_pack(&mut connection, &pack.order, actor).await?;
    }
    Ok(pack)
}

/// One more scan at a parcel of which some keys were scanned. With the last key the parcel is checked, that is on record, and the customer
/// is told that it goes.
/// A parcel that was checked before stays as it is.
///
/// # Errors
/// [`PackError`]; a wrong key is on record as well.
pub async fn scan(
    state: &AppState,
    waybill: &str,
    scanned: &[&str],
    code: &str,
    actor: &Actor,
) -> Result<Pack, PackError> {
    let code = clean(code);
    let mut tx = begin_write(&state.db).await?;
    let mut pack = find(&mut tx, &clean(waybill)).await?;
    if pack.packed.is_some() {
        return Ok(pack);
    }
    let order = may_pack(&mut tx, &pack.order, actor).await?;
    pack.mark(scanned);
    pack.mark(&[&code]);
    if code != pack.waybill && !pack.keys.iter().any(|key| key.serial == code) {
        return Err(refuse(state, tx, pack, code, actor).await?);
    }
    if pack.left() == 0 {
        pack.packed = Some(record(&mut tx, &pack, actor, state.clock.now_ms()).await?);
        tell(&mut tx, state, &order, &pack.waybill).await?;
    }
    tx.commit().await?;
    Ok(pack)
}

/// Tells the customer, once. An order without a programme can be packed all the same.
async fn tell(
    tx: &mut Transaction,
    state: &AppState,
    order: &Standing,
    waybill: &str,
) -> Result<(), PackError> {
    if state.programmes.get(&order.programme).is_none() {
        tracing::error!(order = %order.number, programme = order.programme, "a programme's file is missing: its customer is not told by SMS");
        return Ok(());
    }
    if messages::has_shipped(tx, &order.number).await? {
        return Ok(());
    }
    Ok(messages::enqueue(tx, state, order, MessageKind::Shipped { waybill }).await?)
}

/// What a scanner or a person typed, as it is compared.
fn clean(code: &str) -> String {
    let text = code.trim();
    text.chars().filter(|c| !c.is_control()).take(SCAN_BYTES_MAX).collect()
}

async fn find(connection: &mut Connection, waybill: &str) -> Result<Pack, PackError> {
    let row = sqlx::query::<Sql>("select body, packed_ms, packed_by from parcels where waybill = $1")
        .bind(waybill)
        .fetch_optional(&mut *connection)
        .await?;
    let row = row.ok_or_else(|| PackError::UnknownWaybill(waybill.to_owned()))?;
    let parcel: Parcel = serde_json::from_str(row.try_get("body")?)
        .map_err(|_| damaged(format!("the parcel with waybill {waybill}")))?;
    let (by, at_ms) =
        (row.try_get::<Option<String>, _>("packed_by")?, row.try_get::<Option<i64>, _>("packed_ms")?);
    let packed = by.zip(at_ms).map(|(by, at_ms)| Packed { by, at_ms });
    let key = |serial| PackKey { serial, scanned: packed.is_some() };
    Ok(Pack {
        keys: parcel.key_serials.into_iter().map(key).collect(),
        order: parcel.order,
        waybill: parcel.waybill,
        unit: parcel.receiver.company,
        packed,
    })
}

/// The parcel is labelled and not gone, and these are the right hands.
async fn may_pack(
    connection: &mut Connection,
    order: &OrderNumber,
    actor: &Actor,
) -> Result<Standing, PackError> {
    let standing = orders::standing(connection, order).await?;
    let standing = standing.ok_or_else(|| damaged(format!("order {order}, which has a parcel")))?;
    if standing.state != OrderState::AwaitingDelivery {
        return Err(PackError::State(standing.state));
    }
    if refunds::is_waiting(&mut *connection, order).await? {
        return Err(OrderError::RefundWaits.into());
    }
    let entered = orders::has_entered(connection, order, actor).await?;
    if entered || orders::has_approved(connection, order, actor).await? {
        return Err(PackError::SamePerson);
    }
    Ok(standing)
}

/// A scan that fits nothing: another parcel, or a key that is not of this one. The second is on record.
async fn refuse(
    state: &AppState,
    mut tx: Transaction,
    pack: Pack,
    code: String,
    actor: &Actor,
) -> Result<PackError, PackError> {
    match find(&mut tx, &code).await {
        Ok(_) => return Ok(PackError::Unfinished { left: pack.left(), waybill: pack.waybill }),
        Err(PackError::UnknownWaybill(_)) => {}
        Err(error) => return Err(error),
    }
    // Nothing that somebody may have typed by hand goes into the audit as it is.
    let told =
        if code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') { &code } else { "?" };
    let (now_ms, detail) = (state.clock.now_ms(), format!("waybill={} scanned={told}", pack.waybill));
    audit::record(&mut tx, now_ms, actor, What::PackRefused, &pack.order, &detail).await?;
    tx.commit().await?;
    Ok(PackError::WrongKey(code))
}

async fn record(tx: &mut Transaction, pack: &Pack, actor: &Actor, now_ms: i64) -> Result<Packed, PackError> {
    let by = actor.to_string();
    sqlx::query::<Sql>("update parcels set packed_ms = $2, packed_by = $3 where waybill = $1")
        .bind(&pack.waybill)
        .bind(now_ms)
        .bind(&by)
        .execute(&mut **tx)
        .await?;
    let entry = HistoryEntry {
        at_ms: now_ms,
        who: by.clone(),
        from: Some(OrderState::AwaitingDelivery),
        to: OrderState::AwaitingDelivery,
        reason: format!("已复核：运单 {}，{} 把钥匙", pack.waybill, pack.keys.len()),
    };
    orders::add_history(tx, &pack.order, &entry).await?;
    let serials: Vec<&str> = pack.scanned().collect();
    let detail = format!("waybill={} keys={}", pack.waybill, serials.join(","));
    audit::record(tx, now_ms, actor, What::ParcelPacked, &pack.order, &detail).await?;
    Ok(Packed { by, at_ms: now_ms })
}
