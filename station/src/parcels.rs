//! Orders of which every key is made: waybill, label, report.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, mpsc},
    time::Duration,
};

use journal::Journal;
use label::{LabelData, LabelError, LabelMaker, Payment, PrintError, Printer};
use model::{JobId, OrderNumber};
use serde::{Deserialize, Serialize};
use wire::{Down, Event, JobOrder, LabelPrinted, Parcel, ParcelRequest, Party, RefusedCode, Report, Up};

use crate::bench::Bench;

/// After so many prints without a receipt staff must look: the label may lie on the table several times. Counted from the start of the
/// program, which is what staff are asked to do again when they have looked.
const PRINTS_MAX: u32 = 3;

/// First and longest pause before an order is asked for again.
const PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// What is kept of an order in the stream `order/<number>`.
#[derive(Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case", deny_unknown_fields)]
enum OrderRecord {
    /// One of its keys is made.
    Passed { job: JobId, quantity: u16 },
    /// Its label is about to be printed. More than one: it was, or may have been, printed before.
    Printing { waybill: String },
    /// Its label is printed.
    Labelled { waybill: String },
}

fn stream(order: &OrderNumber) -> String {
    format!("order/{order}")
}

/// Keeps that a key of an order is made. Written before the job's own last record, so it may be there twice.
///
/// # Errors
/// Where the journal cannot be written.
pub fn note_passed(journal: &Journal, order: &JobOrder) -> anyhow::Result<()> {
    let record = OrderRecord::Passed { job: order.job.clone(), quantity: order.quantity };
    journal.append(&stream(order.job.order()), &serde_json::to_vec(&record)?)?;
    Ok(())
}

/// How often the label of an order was begun to be printed; `None` = not every key is made here, or the label is done.
fn prints(journal: &Journal, order: &OrderNumber) -> anyhow::Result<Option<u32>> {
    let mut passed = BTreeSet::new();
    let mut wanted = usize::MAX;
    let mut prints = 0;
    for bytes in journal.stream(&stream(order))? {
        match serde_json::from_slice(&bytes)? {
            OrderRecord::Passed { job, quantity } => {
                passed.insert(job);
                wanted = usize::from(quantity);
            }
            OrderRecord::Printing { .. } => prints += 1,
            OrderRecord::Labelled { .. } => return Ok(None),
        }
    }
    Ok((passed.len() >= wanted).then_some(prints))
}

/// Where labels come from and go to.
pub trait Labels: Send {
    /// Draws a label: the bytes of a PDF.
    ///
    /// # Errors
    /// Why its data cannot be drawn.
    fn draw(&self, data: &LabelData) -> Result<Vec<u8>, LabelError>;

    /// Hands a label to the printer.
    ///
    /// # Errors
    /// Why it was not taken. It may lie on the table all the same.
    fn print(&self, waybill: &str, label: &[u8]) -> Result<(), PrintError>;
}

/// Drawn by `label`, printed where the configuration says.
pub struct LabelPrinter {
    /// Draws.
    pub maker: LabelMaker,
    /// Prints.
    pub printer: Printer,
}

impl Labels for LabelPrinter {
    fn draw(&self, data: &LabelData) -> Result<Vec<u8>, LabelError> {
        self.maker.render(data)
    }

    fn print(&self, waybill: &str, label: &[u8]) -> Result<(), PrintError> {
        self.printer.print(waybill, label).map(|_| ())
    }
}

/// The orders that wait for their label.
pub struct Parcels<L> {
    labels: L,
    /// When each is looked at, by `Time::elapsed`, and the pause after that.
    due: BTreeMap<OrderNumber, (Duration, Duration)>,
    /// How often each was begun to be printed before this start.
    before: BTreeMap<OrderNumber, u32>,
}

impl<L: Labels> Parcels<L> {
    /// With all orders that the journal knows as not labelled.
    ///
    /// # Errors
    /// Where the journal cannot be read.
    pub fn new(bench: &Bench, labels: L) -> anyhow::Result<Self> {
        let now = bench.time.elapsed();
        let (mut due, mut before) = (BTreeMap::new(), BTreeMap::new());
        for name in bench.journal.streams()? {
            let order = name.strip_prefix("order/").and_then(|order| order.parse::<OrderNumber>().ok());
            let Some(order) = order else { continue };
            if let Some(prints) = prints(&bench.journal, &order)? {
                before.insert(order.clone(), prints);
            }
            due.insert(order, (now, PAUSE.0));
        }
        Ok(Self { labels, due, before })
    }

    /// Labels orders until the station halts. Runs on a thread of its own.
    pub fn run(mut self, bench: &Arc<Bench>, ready: &mpsc::Receiver<OrderNumber>) {
        while !bench.is_halting() {
            let order = ready.recv_timeout(Duration::from_millis(200)).ok();
            self.turn(bench, order);
        }
    }

    /// Looks at `ready` and at one order that is due.
    pub fn turn(&mut self, bench: &Bench, ready: Option<OrderNumber>) {
        let now = bench.time.elapsed();
        self.due.extend(ready.map(|order| (order, (now, PAUSE.0))));
        let next = self.due.iter().find(|(_, (at, _))| *at <= now);
        let Some((order, pause)) = next.map(|(order, (_, pause))| (order.clone(), *pause)) else { return };
        let before = self.before.get(&order).copied().unwrap_or(0);
        match label_order(bench, &self.labels, &order, before) {
            Ok(true) => {
                self.due.remove(&order);
            }
            Ok(false) => {
                self.due.insert(order, (bench.time.elapsed() + pause, (pause * 2).min(PAUSE.1)));
            }
            Err(error) => bench.stop_for(&error),
        }
    }
}

/// `true` when nothing more is to be done for the order now, `false` to try again later. `before`: prints that no longer count.
fn label_order<L: Labels>(
    bench: &Bench,
    labels: &L,
    order: &OrderNumber,
    before: u32,
) -> anyhow::Result<bool> {
    let Some(prints) = prints(&bench.journal, order)? else { return Ok(true) };
    if prints.saturating_sub(before) >= PRINTS_MAX {
        bench
            .board
            .trouble(format!("订单 {order} 的面单已打印 {prints} 次仍未确认，请检查打印机后重启工位程序"));
        tracing::error!(%order, prints, "the label was sent to the printer and never confirmed; look at the printer, then restart");
        return Ok(true);
    }
    let parcel = match bench.link.request(&Up::Parcel(ParcelRequest { order: order.clone() })) {
        Ok(Down::Parcel(parcel)) if parcel.order == *order => parcel,
        Ok(Down::Refused(refused)) => {
            let level = refused.code == RefusedCode::Later;
            tracing::warn!(%order, detail = refused.detail, again = level, "no parcel yet");
            return Ok(false);
        }
        Ok(_) | Err(_) => return Ok(false),
    };
    if parcel.payment != Payment::Collect.zh() {
        tracing::error!(%order, payment = parcel.payment, "only 到付 can be printed; update the station");
        return Ok(false);
    }
    let label = match labels.draw(&label_data(&parcel, prints + 1, bench.time.china())) {
        Ok(label) => label,
        Err(error) => {
            tracing::error!(%order, %error, "the label cannot be made; correct the order at the portal");
            return Ok(false);
        }
    };
    let printing = serde_json::to_vec(&OrderRecord::Printing { waybill: parcel.waybill.clone() })?;
    bench.journal.append(&stream(order), &printing)?;
    if let Err(error) = labels.print(&parcel.waybill, &label) {
        tracing::error!(%order, %error, "the label was not printed; look at the printer, it is tried again");
        return Ok(false);
    }
    let printed = LabelPrinted { order: order.clone(), waybill: parcel.waybill.clone() };
    let report = Report {
        id: format!("label:{order}"),
        at: bench.time.now(),
        event: Event::LabelPrinted(printed),
        anchor: None,
    };
    let record = serde_json::to_vec(&OrderRecord::Labelled { waybill: parcel.waybill.clone() })?;
    bench.journal.append_with_report(&stream(order), &record, &report.id, &serde_json::to_vec(&report)?)?;
    bench.journal.finish(&stream(order))?;
    tracing::info!(%order, waybill = parcel.waybill, keys = parcel.quantity, "label printed");
    Ok(true)
}

/// The label says the how-manieth print it is, so that staff can tell a second one.
fn label_data(parcel: &Parcel, print_count: u32, printed_at: String) -> LabelData {
    LabelData {
        order_number: parcel.order.to_string(),
        waybill: parcel.waybill.clone(),
        dest_route_label: parcel.dest_route_label.clone(),
        coding_mapping: parcel.coding_mapping.clone(),
        product: parcel.product.clone(),
        two_dimension_code: parcel.two_dimension_code.clone(),
        payment: Payment::Collect,
        receiver: party(&parcel.receiver),
        sender: party(&parcel.sender),
        goods: parcel.goods.clone(),
        quantity: parcel.quantity.into(),
        key_serials: parcel.key_serials.clone(),
        printed_at,
        print_count,
    }
}

fn party(party: &Party) -> label::Party {
    label::Party {
        name: party.name.clone(),
        phone: party.mobile.clone(),
        company: Some(party.company.clone()).filter(|company| !company.is_empty()),
        address: party.address.clone(),
    }
}
