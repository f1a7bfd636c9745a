//! The books of the stock: of each lot what became of its keys, keys of no lot, and what stations counted at the end of their shifts.

use std::fmt;

use wire::ShiftClosed;

use crate::{
    clock::china_text,
    db::{Db, DbError, Sql, damaged},
};

/// More of each are not told one by one.
const LOTS_MAX: i64 = 1_000;
const STRAYS_MAX: i64 = 200;
const SHIFTS_MAX: i64 = 100;

/// What became of the keys of one lot.
#[derive(Clone, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct LotBalance {
    /// The lot's name.
    pub lot: String,
    /// Keys registered.
    pub registered: i64,
    /// Keys that are blank.
    pub blank: i64,
    /// Keys bound to a job.
    pub in_work: i64,
    /// Keys made.
    pub issued: i64,
    /// Keys written on and not made.
    pub spoiled: i64,
    /// Keys that cannot be found.
    pub lost: i64,
}

impl LotBalance {
    /// Registered keys of which nothing is known; 0 unless the database was meddled with.
    #[must_use]
    pub fn difference(&self) -> i64 {
        self.registered - (self.blank + self.in_work + self.issued + self.spoiled + self.lost)
    }
}

/// A key that was used and is in no lot.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Stray {
    /// maker/model/serial.
    pub key_id: String,
    /// `bound`, `issued`, `spoiled` or `lost`.
    pub state: String,
    /// Which station had it last.
    pub station: String,
}

/// A shift as its station counted it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedShift {
    /// The station.
    pub station: String,
    /// When it ended, milliseconds since 1970.
    pub closed_ms: i64,
    /// What was counted.
    pub counted: ShiftClosed,
}

/// The whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// By lot.
    pub lots: Vec<LotBalance>,
    /// How many used keys are in no lot.
    pub stray_count: i64,
    /// The first of them.
    pub strays: Vec<Stray>,
    /// The last shifts, the newest first.
    pub shifts: Vec<CountedShift>,
}

impl Balance {
    /// Whether every lot comes to zero.
    #[must_use]
    pub fn comes_to_zero(&self) -> bool {
        self.lots.iter().all(|lot| lot.difference() == 0)
    }
}

/// The books: of one lot, or of everything.
///
/// # Errors
/// The database's.
pub async fn balance(db: &Db, lot: Option<&str>) -> Result<Balance, DbError> {
    let lots = sqlx::query_as::<Sql, LotBalance>(
        "select b.lot, count(*) as registered, \
         sum(case when k.state is null or k.state = 'blank' then 1 else 0 end) as blank, \
         sum(case when k.state = 'bound' then 1 else 0 end) as in_work, \
         sum(case when k.state = 'issued' then 1 else 0 end) as issued, \
         sum(case when k.state = 'spoiled' then 1 else 0 end) as spoiled, \
         sum(case when k.state = 'lost' then 1 else 0 end) as lost \
         from blanks b left join keys k on k.key_id = b.key_id \
         where $1 is null or b.lot = $1 group by b.lot order by b.lot limit $2",
    );
    let lots = lots.bind(lot).bind(LOTS_MAX).fetch_all(db).await?;
    if lot.is_some() {
        return Ok(Balance { lots, ..Balance::default() });
    }
    let stray_count = sqlx::query_scalar::<Sql, i64>(
        "select count(*) from keys k where k.state <> 'blank' \
         and not exists (select 1 from blanks b where b.key_id = k.key_id)",
    );
    let strays = sqlx::query_as::<Sql, Stray>(
        "select k.key_id, k.state, k.station from keys k where k.state <> 'blank' \
         and not exists (select 1 from blanks b where b.key_id = k.key_id) order by k.changed_ms desc, k.key_id limit $1",
    );
    Ok(Balance {
        lots,
        stray_count: stray_count.fetch_one(db).await?,
        strays: strays.bind(STRAYS_MAX).fetch_all(db).await?,
        shifts: shifts(db).await?,
    })
}

async fn shifts(db: &Db) -> Result<Vec<CountedShift>, DbError> {
    let rows = sqlx::query_as::<Sql, (String, i64, String)>(
        "select station, closed_ms, body from shifts order by closed_ms desc, station limit $1",
    );
    let mut shifts = Vec::new();
    for (station, closed_ms, body) in rows.bind(SHIFTS_MAX).fetch_all(db).await? {
        let counted = serde_json::from_str(&body).map_err(|_| damaged(format!("a shift of {station}")))?;
        shifts.push(CountedShift { station, closed_ms, counted });
    }
    Ok(shifts)
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for lot in &self.lots {
            let LotBalance { lot: name, registered, blank, in_work, issued, spoiled, lost } = lot;
            writeln!(
                f,
                "lot {name}: registered {registered} = blank {blank} + in work {in_work} + issued {issued} \
                 + spoiled {spoiled} + lost {lost}, difference {}",
                lot.difference()
            )?;
        }
        if self.stray_count > 0 {
            writeln!(f, "used keys of no lot: {}", self.stray_count)?;
        }
        for stray in &self.strays {
            writeln!(f, "  {}  {}  {}", stray.key_id, stray.state, stray.station)?;
        }
        for shift in &self.shifts {
            let counted = &shift.counted;
            writeln!(
                f,
                "shift of {} closed {}: brought {} + carried in {} - made {} - set aside {} - carried out {} - left {} = difference {} {}",
                shift.station,
                china_text(shift.closed_ms),
                counted.brought,
                counted.carried_in,
                counted.made,
                counted.set_aside,
                counted.carried_out,
                counted.left,
                counted.difference(),
                counted.reason
            )?;
        }
        write!(
            f,
            "{}",
            if self.comes_to_zero() { "every lot comes to zero" } else { "the books do not balance" }
        )
    }
}
