//! The double's orders, in memory and, where wanted, in a file.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

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

pub(crate) struct Store {
    path: Option<PathBuf>,
    orders: Vec<Order>,
}

impl Store {
    pub(crate) fn open(path: Option<&Path>) -> io::Result<Self> {
        let orders = match path.map(fs::read) {
            None => Vec::new(),
            Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Some(read) => serde_json::from_slice(&read?)?,
        };
        Ok(Self { path: path.map(Path::to_owned), orders })
    }

    pub(crate) fn orders(&self) -> &[Order] {
        &self.orders
    }

    pub(crate) fn find(&self, order_id: &str) -> Option<&Order> {
        self.orders.iter().find(|order| order.order_id == order_id)
    }

    /// The order under this id, made now if there is none. Kept on disk before it is answered.
    pub(crate) fn create(&mut self, order_id: &str, msg_data: Value) -> io::Result<Order> {
        let order = match self.orders.iter_mut().find(|order| order.order_id == order_id) {
            Some(order) => {
                order.creates += 1;
                order.clone()
            }
            None => {
                let order = Order {
                    order_id: order_id.to_owned(),
                    waybill: next_waybill(&self.orders),
                    msg_data,
                    creates: 1,
                };
                self.orders.push(order.clone());
                order
            }
        };
        self.save()?;
        Ok(order)
    }

    fn save(&self) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let partial = path.with_extension("partial");
        let mut file = fs::File::create(&partial)?;
        file.write_all(&serde_json::to_vec_pretty(&self.orders)?)?;
        file.sync_all()?;
        fs::rename(&partial, path)
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
        let first = Store::open(Some(&path)).unwrap().create("A", Value::Null).unwrap();
        let mut store = Store::open(Some(&path)).unwrap();
        assert_eq!(store.create("A", Value::Null).unwrap().waybill, first.waybill);
        let second = store.create("B", Value::Null).unwrap();
        assert_eq!((first.waybill.len(), second.waybill.len()), (15, 15));
        assert_ne!(first.waybill, second.waybill);
    }

    #[test]
    fn a_broken_state_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("orders.json");
        fs::write(&path, "[{").unwrap();
        assert!(Store::open(Some(&path)).is_err());
    }
}
