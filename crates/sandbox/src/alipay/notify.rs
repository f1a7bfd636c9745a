//! Notices to the merchant: signed, sent again until the answer is `success`.

use std::{sync::Arc, time::Duration};

use tracing::{info, warn};

use super::{Double, NoticeFault, sign, store::Trade, trade::yuan};

/// Alipay sends eight times within 25 hours.
const TRIES: u32 = 8;

/// Tells the merchant of a paid trade, in the background.
pub(crate) fn send(double: &Arc<Double>, trade: Trade) {
    let fault = double.notice_faults.take().unwrap_or(NoticeFault::None);
    info!(trade = trade.out_trade_no, ?fault, "a notice is due");
    if fault == NoticeFault::Lost || trade.notify_url.is_empty() {
        return;
    }
    let body = body(double, &trade, fault);
    let double = Arc::clone(double);
    tokio::spawn(async move {
        if fault == NoticeFault::Late {
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
        let mut left = if fault == NoticeFault::Repeat { 3 } else { 1 };
        let mut pause = double.options.notify_pause;
        for _ in 0..TRIES {
            if deliver(&double, &trade, &body).await {
                left -= 1;
                if left == 0 {
                    return;
                }
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        warn!(trade = trade.out_trade_no, "the merchant never answered success");
    });
}

/// Sends it once; true if the merchant answered `success`.
async fn deliver(double: &Arc<Double>, trade: &Trade, body: &str) -> bool {
    let (url, body) = (trade.notify_url.clone(), body.to_owned());
    let call = move || {
        let agent =
            ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(10))).proxy(None).build();
        let sent = agent
            .new_agent()
            .post(&url)
            .content_type("application/x-www-form-urlencoded; charset=utf-8")
            .send(&body);
        sent.ok().and_then(|mut answer| answer.body_mut().read_to_string().ok())
    };
    let answer = tokio::task::spawn_blocking(call).await.ok().flatten();
    let taken = answer.as_deref() == Some("success");
    info!(trade = trade.out_trade_no, answer = answer.as_deref().unwrap_or("none"), "notice sent");
    let kept = double.trades().change_one(&trade.trade_no, |trade| {
        trade.notices += 1;
        trade.acknowledged |= taken;
    });
    if let Err(error) = kept {
        warn!(%error, "the state file cannot be written");
    }
    taken
}

/// The form as it is sent.
pub(crate) fn body(double: &Double, trade: &Trade, fault: NoticeFault) -> String {
    let lie = fault == NoticeFault::LieAmount;
    let amount = yuan(if lie { trade.fen.saturating_sub(1) } else { trade.fen });
    let app = if fault == NoticeFault::ForeignApp { "2021000000000000" } else { &double.options.app_id };
    let seller =
        if fault == NoticeFault::ForeignSeller { "2088000000000000" } else { &double.options.seller_id };
    let paid = double.china(trade.paid_ms.unwrap_or_default());
    let mut fields: Vec<(String, String)> = [
        ("app_id", app),
        ("auth_app_id", app),
        ("buyer_logon_id", "138****0000"),
        ("buyer_pay_amount", &amount),
        ("charset", "utf-8"),
        ("gmt_payment", &paid),
        ("notify_id", &format!("{}{:06}", trade.trade_no, 1)),
        ("notify_time", &paid),
        ("notify_type", "trade_status_sync"),
        ("out_trade_no", &trade.out_trade_no),
        ("receipt_amount", &amount),
        ("seller_id", seller),
        ("subject", &trade.subject),
        ("total_amount", &amount),
        ("trade_no", &trade.trade_no),
        ("trade_status", "TRADE_SUCCESS"),
        ("version", "1.0"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    let sign = double.signer.sign(&sign::content(&fields, &[]));
    if fault == NoticeFault::Forged {
        fields.retain(|(name, _)| name != "version");
    }
    fields.push(("sign_type".to_owned(), "RSA2".to_owned()));
    if fault != NoticeFault::Unsigned {
        fields.push(("sign".to_owned(), sign));
    }
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}
