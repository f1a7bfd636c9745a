//! A waybill is on one parcel, and portal, SF, labels and journals agree on which.

use super::{super::Evidence, Broken, shared};

pub(super) fn check(evidence: &Evidence, broken: &mut Broken) {
    let ledger = &evidence.ledger;
    let of_portal = ledger.parcels.iter().map(|p| (p.waybill.as_str(), p.order_number.as_str()));
    let of_sf = evidence.doubles.sf.iter().map(|p| (p.waybill.as_str(), p.order_id.as_str()));
    let printed = evidence.books.iter().flat_map(|book| &book.labels);
    let printed = printed.map(|(order, waybill)| (waybill.as_str(), order.as_str()));
    let everywhere: Vec<(&str, &str)> = of_portal.chain(of_sf).chain(printed).collect();
    let place = "portal: parcels; SF; journals";
    for (waybill, orders) in shared(everywhere.iter().copied()) {
        broken.doubled(format!("waybill {waybill} is on the parcels of orders {}", orders.join(", ")), place);
    }
    for (order, waybills) in shared(everywhere.iter().map(|(waybill, order)| (*order, *waybill))) {
        broken.doubled(format!("order {order} has the waybills {}", waybills.join(", ")), place);
    }
    for parcel in &ledger.parcels {
        if !evidence.doubles.sf.iter().any(|known| known.waybill == parcel.waybill) {
            broken.unaccounted(format!("SF does not know waybill {}", parcel.waybill), "portal: parcels; SF");
        }
        if !ledger.orders.iter().any(|order| order.number == parcel.order_number) {
            broken.unaccounted(format!("waybill {} is of no order", parcel.waybill), "portal: parcels");
        }
    }
    for label in &evidence.labels {
        if !ledger.parcels.iter().any(|parcel| parcel.waybill == *label) {
            broken.unaccounted(format!("label {label} is of no parcel"), "labels");
        }
    }
}
