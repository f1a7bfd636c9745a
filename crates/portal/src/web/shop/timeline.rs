//! How far an order is, in a customer's words.

use model::OrderState::{self, *};

use crate::{
    clock::china_text,
    orders::{HistoryEntry, Order},
    web::lang::Lang,
};

/// Something that happened to an order.
pub(super) struct Step {
    pub(super) time: String,
    pub(super) what: &'static str,
    /// Why the order was refused; empty otherwise. What operators note for each other is theirs.
    pub(super) reason: String,
    /// Whether the waybill stands here: at the last step of the parcel.
    pub(super) has_waybill: bool,
}

/// What happened, oldest first. Work inside production changes no state and is not told; the pack check does not either, and is.
pub(super) fn steps(lang: Lang, history: &[HistoryEntry]) -> Vec<Step> {
    let told = history.iter().filter(|entry| entry.from != Some(entry.to) || entry.to == AwaitingDelivery);
    let told: Vec<&HistoryEntry> = told.collect();
    let parcel = told.iter().rposition(|entry| entry.to == AwaitingDelivery);
    let step = |(at, entry): (usize, &&HistoryEntry)| Step {
        time: china_text(entry.at_ms),
        what: happened(lang, entry.from, entry.to),
        reason: if entry.to == Rejected { entry.reason.clone() } else { String::new() },
        has_waybill: parcel == Some(at),
    };
    told.iter().enumerate().map(step).collect()
}

fn happened(lang: Lang, from: Option<OrderState>, to: OrderState) -> &'static str {
    match (from, to) {
        (Some(AwaitingPayment), AwaitingReview) => lang.t("支付成功", "Paid"),
        (Some(Rejected), AwaitingReview | AwaitingPayment) => {
            lang.t("修改后重新提交", "Corrected and handed in again")
        }
        (_, AwaitingPayment | AwaitingReview) => lang.t("提交订单", "Order placed"),
        (_, Rejected) => lang.t("审核未通过", "Refused by the review"),
        (Some(AwaitingReview), AwaitingProduction) => lang.t("审核通过，开始制证", "Approved, to be made"),
        (Some(AwaitingDelivery), AwaitingDelivery) => {
            lang.t("包裹已复核，交顺丰寄出", "Parcel checked and handed to SF Express")
        }
        (_, AwaitingDelivery) => lang.t("电子钥匙已制好", "Keys made"),
        (_, Completed) => lang.t("订单完成", "Completed"),
        (_, Refunded) => lang.t("已退款", "Refunded"),
        (_, Cancelled) => lang.t("已取消", "Cancelled"),
        (_, other) => lang.state(&other),
    }
}

/// What comes next, in a sentence; empty when nothing does. The programme promises `working_days`, or nothing.
pub(super) fn next(lang: Lang, order: &Order, working_days: Option<u8>, packed: bool) -> String {
    let told = match order.state {
        AwaitingPayment => {
            lang.t("请完成支付，支付后才会进入审核。", "Pay the order: it is reviewed once it is paid.")
        }
        AwaitingReview => lang.t(
            "工作人员正在审核，结果将以短信通知经办人。",
            "The order is being reviewed; the handler is told by message.",
        ),
        Rejected if order.content.payment.is_some() => lang.t(
            "请按拒绝原因修改后重新提交，无需重新填写，也无需再次支付。",
            "Correct what the reason names and hand it in again; nothing is paid twice.",
        ),
        Rejected => lang.t(
            "请按拒绝原因修改后重新提交，无需重新填写。",
            "Correct what the reason names and hand it in again; nothing is typed twice.",
        ),
        AwaitingProduction => return promise(lang, working_days),
        AwaitingDelivery if !packed => lang.t(
            "电子钥匙已制好，正在复核装箱，随即由顺丰到付寄出。",
            "The keys are made; the parcel is being checked and goes to SF Express next (freight collect).",
        ),
        AwaitingDelivery => lang.t(
            "包裹在途，请凭运单号在顺丰查询；运费到付。收到后请确认收货。",
            "The parcel is on its way: SF Express knows the waybill; the receiver pays the freight. Confirm it when it is there.",
        ),
        _ => "",
    };
    told.to_owned()
}

fn promise(lang: Lang, working_days: Option<u8>) -> String {
    match working_days {
        Some(days) => match lang {
            Lang::Zh => format!("审核通过后 {days} 个工作日内制好并由顺丰到付寄出，发货时短信通知。"),
            Lang::En => format!(
                "Made and sent within {days} working days of the approval (SF Express, freight collect); a message tells the waybill."
            ),
        },
        None => lang
            .t(
                "审核已通过，制好后由顺丰到付寄出，发货时短信通知。",
                "Approved: it is made, then sent by SF Express (freight collect); a message tells the waybill.",
            )
            .to_owned(),
    }
}
