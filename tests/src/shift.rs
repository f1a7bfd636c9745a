//! A shift at the bench: a delivery of blanks registered, orders approved, staff who put every key where it belongs.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use ukey_sim::Latency;

use crate::{
    http::Operator,
    invariants::is_blank,
    places,
    process::wait_for,
    stack::{Plan, Stack},
    staff::{Done, Staff, make_blanks},
};

/// A bound on an approval.
const APPROVAL: Duration = Duration::from_secs(30);

/// What the screen says to somebody who holds a key of another slot, before the slot's name.
const BELONGS: &str = "请插回插槽 ";

/// A shift.
pub struct Shift {
    /// Where it is worked.
    pub stack: Stack,
    /// Who works.
    pub staff: Staff,
    /// Who approves.
    pub operator: Operator,
    orders: Vec<Value>,
    approved: usize,
}

impl Shift {
    /// Starts a stack with `orders` imported and blanks for all of them and `spare` more. None is approved yet.
    ///
    /// # Errors
    /// Something does not start, or is refused.
    pub fn begin(dir: &Path, plan: &Plan, orders: Vec<Value>, spare: usize) -> Result<Self> {
        let stack = Stack::start(dir, plan)?;
        let keys: u64 = orders.iter().filter_map(|order| order["quantity"].as_u64()).sum();
        let profiles = profile::load_dir(&places::tree().join("firmware-profiles"))?;
        let models: Vec<_> = profiles.iter().filter(|profile| profile.maker == "ukey").collect();
        let blanks = make_blanks(&stack.keys(), &models, usize::try_from(keys)? + spare, 1)?;
        stack.register("lot-1", &blanks)?;
        stack.import(&orders)?;
        let staff = Staff::new(&stack, blanks, Latency::realistic());
        let operator = stack.operator()?;
        Ok(Self { stack, staff, operator, orders, approved: 0 })
    }

    /// Approves orders until `count` are approved, the first first.
    ///
    /// # Errors
    /// The portal refuses.
    pub fn approve(&mut self, count: usize) -> Result<()> {
        while self.approved < count.min(self.orders.len()) {
            let number = self.orders[self.approved]["number"].as_str().context("an order without number")?;
            let approve = format!("/api/orders/{number}/approve");
            // The portal may just have come back: a connection from before is refused once. Approved twice is approved.
            wait_for(&approve, APPROVAL, || Ok(self.operator.post(&approve, &json!({})).ok()))?;
            self.approved += 1;
        }
        Ok(())
    }

    /// One look of the staff; keys that were not taken go where the screen says, or back to the blanks if they are blank.
    ///
    /// # Errors
    /// A key cannot be plugged or read.
    pub fn turn(&mut self) -> Result<()> {
        let seen = self.staff.done.len();
        self.staff.turn()?;
        for done in self.staff.done.split_off(seen) {
            let own =
                done.message.split_once(BELONGS).map(|(_, rest)| rest.chars().take(3).collect::<String>());
            match own.filter(|own| self.staff.free().contains(own)) {
                Some(own) => self.staff.plug(&own, &done.flash)?,
                None => self.set_aside(done)?,
            }
        }
        Ok(())
    }

    fn set_aside(&mut self, done: Done) -> Result<()> {
        if done.phase != "passed" && is_blank(&done.flash)? {
            self.staff.put_back(done.flash);
        } else {
            self.staff.done.push(done);
        }
        Ok(())
    }

    /// Whether every order is 待配送 and every report acknowledged.
    pub fn is_over(&self) -> bool {
        let idle = self.staff.screen().is_ok_and(|screen| screen["outbox"] == 0);
        idle && delivered(&self.operator).is_ok_and(|count| count == self.orders.len())
    }

    /// Works until [`Self::is_over`].
    ///
    /// # Errors
    /// It is not within `patience`.
    pub fn finish(&mut self, patience: Duration) -> Result<()> {
        let until = std::time::Instant::now() + patience;
        while !self.is_over() {
            ensure!(
                std::time::Instant::now() < until,
                "not over within {patience:?}: {}",
                self.where_it_stands()
            );
            self.turn()?;
        }
        Ok(())
    }

    /// For messages.
    #[must_use]
    pub fn where_it_stands(&self) -> String {
        format!(
            "{} of {} orders delivered, {} blanks left, keys in {:?}, screen {}",
            delivered(&self.operator).unwrap_or_default(),
            self.orders.len(),
            self.staff.blanks_left(),
            self.staff.plugged(),
            self.staff.screen().unwrap_or_default()
        )
    }
}

/// How many orders are 待配送, page by page.
///
/// # Errors
/// The portal does not answer.
pub fn delivered(operator: &Operator) -> Result<usize> {
    let (mut count, mut page) = (0, String::new());
    loop {
        let list = operator.get(&format!("/api/orders?state=awaiting_delivery&page={page}"))?;
        count += list["orders"].as_array().map_or(0, Vec::len);
        match list["next"].as_str() {
            Some(next) => page = next.to_owned(),
            None => return Ok(count),
        }
    }
}
