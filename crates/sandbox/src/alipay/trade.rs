//! What the gateway does: the methods of trades, on the fields of `biz_content`.

use serde_json::{Value, json};

use super::{
    CallFault, Double,
    store::{Refund, Trade, TradeState},
};

/// A refusal: sub code and words.
pub(crate) struct No(pub(crate) String, pub(crate) &'static str);

impl No {
    fn new(code: &str, text: &'static str) -> Self {
        Self(code.to_owned(), text)
    }

    fn disk(error: std::io::Error) -> Self {
        tracing::error!(%error, "the state file cannot be written");
        Self::new("ACQ.SYSTEM_ERROR", "系统繁忙")
    }
}

/// The field as text; empty where it is absent or something else.
pub(crate) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

/// `12.30` in fen; also `12` and `12.3`.
fn fen(text: &str) -> Option<u64> {
    let (yuan, cents) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str, max: usize| {
        (1..=max).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !digits(yuan, 9) || !digits(cents, 2) {
        return None;
    }
    let cents = format!("{cents:0<2}");
    Some(yuan.parse::<u64>().ok()? * 100 + cents.parse::<u64>().ok()?)
}

/// Fen as Alipay writes them.
pub(crate) fn yuan(fen: u64) -> String {
    format!("{}.{:02}", fen / 100, fen % 100)
}

fn missing() -> No {
    No::new("ACQ.TRADE_NOT_EXIST", "交易不存在")
}

/// A trade under this number: the one there is, if it asks for the same, or a new one.
pub(crate) fn open(
    double: &Double,
    biz: &Value,
    state: TradeState,
    notify_url: &str,
    return_url: &str,
) -> Result<Trade, No> {
    let invalid = || No::new("ACQ.INVALID_PARAMETER", "参数无效");
    let number = text(biz, "out_trade_no");
    let legal = number.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if number.is_empty() || number.len() > 64 || !legal {
        return Err(invalid());
    }
    let fen = fen(text(biz, "total_amount")).filter(|fen| *fen > 0).ok_or_else(invalid)?;
    let subject = text(biz, "subject");
    if subject.is_empty() || subject.chars().count() > 256 {
        return Err(invalid());
    }
    let mut trades = double.trades();
    if let Some(trade) = trades.find(number, "") {
        return match trade.state {
            TradeState::Paid => Err(No::new("ACQ.TRADE_HAS_SUCCESS", "交易已被支付")),
            TradeState::Closed => Err(No::new("ACQ.TRADE_HAS_CLOSE", "交易已经关闭")),
            _ if trade.fen != fen => Err(No::new("ACQ.CONTEXT_INCONSISTENT", "交易信息被篡改")),
            _ => Ok(trade.clone()),
        };
    }
    let trade = Trade {
        out_trade_no: number.to_owned(),
        trade_no: String::new(),
        subject: subject.to_owned(),
        fen,
        state,
        notify_url: notify_url.to_owned(),
        return_url: return_url.to_owned(),
        paid_ms: None,
        notices: 0,
        acknowledged: false,
        refunds: Vec::new(),
    };
    trades.add(trade).map_err(No::disk)
}

fn existing(double: &Double, biz: &Value) -> Result<Trade, No> {
    let trades = double.trades();
    let trade = trades.find(text(biz, "out_trade_no"), text(biz, "trade_no")).ok_or_else(missing)?;
    if trade.state == TradeState::NotScanned {
        return Err(missing());
    }
    Ok(trade.clone())
}

pub(crate) fn query(double: &Double, biz: &Value) -> Result<Value, No> {
    let trade = existing(double, biz)?;
    let mut answer = json!({
        "out_trade_no": trade.out_trade_no, "trade_no": trade.trade_no, "trade_status": trade.state.word(),
        "total_amount": yuan(trade.fen), "buyer_logon_id": "138****0000",
    });
    if let Some(paid) = trade.paid_ms {
        answer["send_pay_date"] = json!(double.china(paid));
    }
    Ok(answer)
}

pub(crate) fn close(double: &Double, biz: &Value) -> Result<Value, No> {
    let trade = existing(double, biz)?;
    if trade.state == TradeState::Paid {
        return Err(No::new("ACQ.TRADE_STATUS_ERROR", "交易状态不合法"));
    }
    let closed = double.trades().change_one(&trade.trade_no, |trade| trade.state = TradeState::Closed);
    closed.map_err(No::disk)?;
    Ok(json!({"out_trade_no": trade.out_trade_no, "trade_no": trade.trade_no}))
}

pub(crate) fn refund(double: &Double, biz: &Value, fault: &CallFault) -> Result<Value, No> {
    let trade = existing(double, biz)?;
    let request = text(biz, "out_request_no");
    let fen = fen(text(biz, "refund_amount")).filter(|fen| *fen > 0);
    let fen = fen.ok_or_else(|| No::new("ACQ.INVALID_PARAMETER", "参数无效"))?;
    let answer = |trade: &Trade, changed: bool| {
        json!({
            "out_trade_no": trade.out_trade_no, "trade_no": trade.trade_no, "refund_fee": yuan(trade.refunded()),
            "fund_change": if changed { "Y" } else { "N" }, "buyer_logon_id": "138****0000",
        })
    };
    if let Some(before) = trade.refunds.iter().find(|refund| refund.out_request_no == request) {
        if before.fen != fen {
            return Err(No::new("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL", "退款金额与第一次不符"));
        }
        return Ok(answer(&trade, false));
    }
    if trade.state != TradeState::Paid {
        return Err(No::new("ACQ.TRADE_STATUS_ERROR", "交易状态不合法"));
    }
    if trade.refunded() + fen > trade.fen {
        return Err(No::new("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL", "退款金额超限"));
    }
    let made = Refund { out_request_no: request.to_owned(), fen, at_ms: double.now_ms() };
    let changed = double.trades().change_one(&trade.trade_no, |trade| {
        trade.refunds.push(made);
        if trade.refunded() == trade.fen {
            trade.state = TradeState::Closed;
        }
    });
    let trade = changed.map_err(No::disk)?.ok_or_else(missing)?;
    Ok(answer(&trade, *fault != CallFault::NoFundChange))
}

pub(crate) fn refund_query(double: &Double, biz: &Value) -> Result<Value, No> {
    let trade = existing(double, biz)?;
    let request = text(biz, "out_request_no");
    // As the real one: an unknown refund is a success that says nothing of a refund.
    Ok(match trade.refunds.iter().find(|refund| refund.out_request_no == request) {
        None => json!({}),
        Some(refund) => json!({
            "out_trade_no": trade.out_trade_no, "trade_no": trade.trade_no, "out_request_no": request,
            "total_amount": yuan(trade.fen), "refund_amount": yuan(refund.fen), "refund_status": "REFUND_SUCCESS",
        }),
    })
}

/// The buyer pays. False if there is nothing to pay.
pub(crate) fn pay(double: &Double, out_trade_no: &str, trade_no: &str) -> Option<Trade> {
    let mut trades = double.trades();
    let trade = trades.find(out_trade_no, trade_no)?;
    if !matches!(trade.state, TradeState::NotScanned | TradeState::Waiting) {
        return None;
    }
    let number = trade.trade_no.clone();
    let now_ms = double.now_ms();
    let changed = trades.change_one(&number, |trade| {
        trade.state = TradeState::Paid;
        trade.paid_ms = Some(now_ms);
    });
    changed.map_err(No::disk).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::{fen, yuan};

    #[test]
    fn amounts_read_back_as_written() {
        for amount in [0, 1, 10, 99, 100, 30_000] {
            assert_eq!(fen(&yuan(amount)), Some(amount));
        }
        assert_eq!(fen("0.1"), Some(10));
        for wrong in ["", ".", "1.", "1.234", "-1", "1e3", " 1"] {
            assert_eq!(fen(wrong), None, "{wrong}");
        }
    }
}
