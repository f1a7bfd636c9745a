//! The bill of a day: paid trades and refunds, as Alipay's 业务明细 lays them out (UTF-8 here, GBK in a ZIP there).

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::header,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{
    Double,
    store::Trade,
    trade::{No, text, yuan},
};

/// The columns, by Alipay's names.
const HEADER: &str = "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,\
                      订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,\
                      商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注";

pub(crate) fn address(biz: &Value, base: &str) -> Result<Value, No> {
    let day = text(biz, "bill_date");
    let shaped = day.len() == 10 && day.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if text(biz, "bill_type") != "trade" || !shaped {
        return Err(No("isp.bill_not_exist".to_owned(), "账单不存在"));
    }
    Ok(json!({"bill_download_url": format!("{base}/alipay/bill/{day}")}))
}

pub(crate) async fn download(State(double): State<Arc<Double>>, Path(day): Path<String>) -> Response {
    let mut bill = format!("#支付宝业务明细查询\n#起始日期：[{day}]\n{HEADER}\n");
    let of_day = |ms: i64| double.china(ms).starts_with(&day);
    for trade in double.trades().all() {
        if let Some(paid) = trade.paid_ms.filter(|ms| of_day(*ms)) {
            bill.push_str(&line(&double, trade, "交易", paid, &yuan(trade.fen), ""));
        }
        for refund in trade.refunds.iter().filter(|refund| of_day(refund.at_ms)) {
            let back = format!("-{}", yuan(refund.fen));
            bill.push_str(&line(&double, trade, "退款", refund.at_ms, &back, &refund.out_request_no));
        }
    }
    bill.push_str("#业务明细列表结束\n");
    ([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], bill).into_response()
}

fn line(double: &Double, trade: &Trade, kind: &str, at_ms: i64, amount: &str, request: &str) -> String {
    let at = double.china(at_ms);
    let (trade_no, number, subject) =
        (&trade.trade_no, &trade.out_trade_no, trade.subject.replace(',', "，"));
    format!(
        "{trade_no}\t,{number}\t,{kind},{subject},{at},{at},,,,,138****0000,{amount},{amount},0.00,0.00,0.00,0.00,0.00,,\
         0.00,0.00,{request}\t,0.00,0.00,\n"
    )
}
