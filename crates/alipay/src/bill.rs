//! The bill of a day (业务明细): lines of comma-separated fields, `#` before what is no line.
//!
//! Only columns that hold ASCII are read, and the kind, so the file is taken in UTF-8 and in the GBK that Alipay writes alike: no byte of a
//! GBK sign is a comma.

use model::Fen;

use crate::amount::fen;

const TRADE_NO: usize = 0;
const OUT_TRADE_NO: usize = 1;
const KIND: usize = 2;
const AMOUNT: usize = 11;
const REQUEST_NO: usize = 21;
const COLUMNS_MIN: usize = 22;

/// 交易 in UTF-8 and GBK.
const PAYMENT: [&[u8]; 2] = ["交易".as_bytes(), &[0xBD, 0xBB, 0xD2, 0xD7]];
/// 退款 in UTF-8 and GBK.
const REFUND: [&[u8]; 2] = ["退款".as_bytes(), &[0xCD, 0xCB, 0xBF, 0xEE]];

/// What a line tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BillKind {
    /// Money came.
    Payment,
    /// Money went back, under our number of the refund.
    Refund(String),
}

/// A line of the bill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillLine {
    /// Alipay's number of the trade.
    pub trade_no: String,
    /// Our number of the trade.
    pub out_trade_no: String,
    /// What it tells.
    pub kind: BillKind,
    /// How much, without a sign.
    pub amount: Fen,
}

/// A line that cannot be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("line {line} of the bill cannot be read: {what}")]
pub struct BillError {
    /// Which, from 1.
    pub line: usize,
    /// Why.
    pub what: &'static str,
}

/// Reads a bill.
///
/// # Errors
/// The first line that has not the form of 业务明细: a bill of which a line is left out would seem to differ.
pub fn read_bill(bytes: &[u8]) -> Result<Vec<BillLine>, BillError> {
    let mut lines = Vec::new();
    for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let fields: Vec<&[u8]> = line.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).collect();
        let [first, ..] = fields.as_slice() else { continue };
        // What is not about a trade: remarks, the names of the columns, an empty line.
        if !first.first().is_some_and(u8::is_ascii_digit) {
            continue;
        }
        let line = read_line(&fields).map_err(|what| BillError { line: index + 1, what })?;
        lines.push(line);
    }
    Ok(lines)
}

fn read_line(fields: &[&[u8]]) -> Result<BillLine, &'static str> {
    if fields.len() < COLUMNS_MIN {
        return Err("it has too few columns");
    }
    let text = |column: usize| {
        let bytes = fields.get(column).copied().unwrap_or_default();
        std::str::from_utf8(bytes).map_err(|_| "a number has signs that no number has")
    };
    let kind = fields.get(KIND).copied().unwrap_or_default();
    let kind = if PAYMENT.contains(&kind) {
        BillKind::Payment
    } else if REFUND.contains(&kind) {
        BillKind::Refund(text(REQUEST_NO)?.to_owned())
    } else {
        return Err("its kind is neither 交易 nor 退款");
    };
    let amount = text(AMOUNT)?;
    let amount = if kind == BillKind::Payment { amount } else { amount.trim_start_matches('-') };
    Ok(BillLine {
        trade_no: text(TRADE_NO)?.to_owned(),
        out_trade_no: text(OUT_TRADE_NO)?.to_owned(),
        kind,
        amount: fen(amount).ok_or("its amount is none")?,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(kind: &[u8], amount: &str, request: &str) -> Vec<u8> {
        let mut line = b"2026000022001400000000000001\t,SAAS1_1\t,".to_vec();
        line.extend(kind);
        line.extend(
            format!(",x,t,t,,,,,138,{amount},{amount},0,0,0,0,0,,0,0,{request},0.00,0.00,\r\n").into_bytes(),
        );
        line
    }

    #[test]
    fn both_encodings_read_alike() {
        for index in 0..2 {
            let mut bill = "#remark\n支付宝交易号,商户订单号\n".as_bytes().to_vec();
            bill.extend(line(PAYMENT[index], "300.00", ""));
            bill.extend(line(REFUND[index], "-300.00", "SAAS1_1R"));
            let lines = read_bill(&bill).unwrap();
            let kinds: Vec<_> = lines.iter().map(|line| (line.kind.clone(), line.amount)).collect();
            let refund = BillKind::Refund("SAAS1_1R".to_owned());
            assert_eq!(kinds, [(BillKind::Payment, Fen(30_000)), (refund, Fen(30_000))]);
            assert_eq!(lines[0].out_trade_no, "SAAS1_1");
        }
    }

    #[test]
    fn a_line_that_is_not_understood_is_not_left_out() {
        for (kind, amount) in [(b"xx".as_slice(), "1.00"), (PAYMENT[0], "-1.00"), (PAYMENT[0], "1.0.0")] {
            assert!(read_bill(&line(kind, amount, "")).is_err(), "{amount}");
        }
        assert!(read_bill(b"2026,SAAS1_1").is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = read_bill(&bytes);
            let _ = read_bill(&[b"1,".as_slice(), &bytes].concat());
        }
    }
}
