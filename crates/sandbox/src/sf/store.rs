//! The double's orders and their waybills.

use std::io;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::kept::Kept;

/// One order as the double has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The caller's order id.
    pub order_id: String,
    /// The waybill it got.
    pub waybill: String,
    /// `msgData` of the first call, as it came.
    pub msg_data: Value,
    /// How often it was created under this id; more than 1 shows that a caller repeated itself.
    pub creates: u32,
}

impl Kept<Order> {
    pub(crate) fn find(&self, order_id: &str) -> Option<&Order> {
        self.all().iter().find(|order| order.order_id == order_id)
    }

    /// The order under this id, made now if there is none. Kept on disk before it is answered.
    pub(crate) fn create(&mut self, order_id: &str, msg_data: Value) -> io::Result<Order> {
        self.change(|orders| match orders.iter_mut().find(|order| order.order_id == order_id) {
            Some(order) => {
                order.creates += 1;
                order.clone()
            }
            None => {
                let order = Order {
                    order_id: order_id.to_owned(),
                    waybill: next_waybill(orders),
                    msg_data,
                    creates: 1,
                };
                orders.push(order.clone());
                order
            }
        })
    }
}

/// SF's sandbox numbers begin with SF7444 and are never valid in production.
fn next_waybill(orders: &[Order]) -> String {
    let last =
        orders.iter().filter_map(|order| order.waybill.strip_prefix("SF7444")?.parse::<u64>().ok()).max();
    format!("SF7444{:09}", last.unwrap_or(400_000_000) + 1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_restart_keeps_waybills_and_never_gives_one_twice() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("orders.json");
        let first = Kept::open(Some(&path)).unwrap().create("A", Value::Null).unwrap();
        let mut store = Kept::open(Some(&path)).unwrap();
        assert_eq!(store.create("A", Value::Null).unwrap().waybill, first.waybill);
        let second = store.create("B", Value::Null).unwrap();
        assert_eq!((first.waybill.len(), second.waybill.len()), (15, 15));
        assert_ne!(first.waybill, second.waybill);
    }
}
