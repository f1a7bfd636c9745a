//! What the provider is asked, as JSON.

use std::fmt;

use model::Fen;
use serde_json::{Value, json};

use crate::error::{Refusal, Why};

/// The longest order number the provider takes.
const ORDER_NO_MAX: usize = 20;

/// 发票种类.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// 电子发票（普通发票）.
    General,
    /// 电子发票（增值税专用发票）.
    Special,
}

impl Line {
    /// The provider's word.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::General => "pc",
            Self::Special => "bs",
        }
    }
}

/// An invoice to be made: one line of goods.
#[derive(Clone)]
pub struct NewInvoice {
    /// The idempotency key, 1 to 20 letters or digits.
    pub order_no: String,
    /// Kind.
    pub line: Line,
    /// 抬头.
    pub buyer_name: String,
    /// The buyer's tax number; a person has none.
    pub buyer_tax_number: Option<String>,
    /// What was sold.
    pub goods_name: String,
    /// 商品和服务税收分类编码, 19 digits.
    pub goods_code: String,
    /// How many.
    pub quantity: u16,
    /// What was paid, tax included.
    pub amount: Fen,
    /// 税率, in percent.
    pub tax_rate_percent: u8,
    /// 开票人.
    pub clerk: String,
    /// When, `yyyy-MM-dd HH:mm:ss` in China.
    pub at: String,
}

impl fmt::Debug for NewInvoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewInvoice").field("order_no", &self.order_no).field("line", &self.line).finish()
    }
}

impl NewInvoice {
    /// What can never be made.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        let refuse =
            |text: &str| Err(Refusal { code: "-".to_owned(), text: text.to_owned(), why: Why::Invoice });
        let legal = (1..=ORDER_NO_MAX).contains(&self.order_no.len());
        if !legal || !self.order_no.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return refuse("单号须为 1 至 20 位字母或数字 (the order number has 1 to 20 letters or digits)");
        }
        if self.quantity == 0 || self.amount.0 == 0 {
            return refuse("数量与金额不能为零 (quantity and amount are not zero)");
        }
        if self.line == Line::Special && self.buyer_tax_number.is_none() {
            return refuse("专用发票须有购方税号 (a special invoice needs the buyer's tax number)");
        }
        Ok(())
    }

    pub(crate) fn json(&self, seller_tax_number: &str) -> Value {
        let (net, tax) = split(self.amount, self.tax_rate_percent);
        json!({ "order": {
            "orderNo": self.order_no,
            "invoiceDate": self.at,
            "invoiceType": "1",
            "invoiceLine": self.line.code(),
            "salerTaxNum": seller_tax_number,
            "buyerName": self.buyer_name,
            "buyerTaxNum": self.buyer_tax_number.as_deref().unwrap_or_default(),
            "naturalPersonFlag": if self.buyer_tax_number.is_some() { "0" } else { "1" },
            // The portal tells its customers itself.
            "pushMode": "-1",
            "clerk": self.clerk,
            "invoiceDetail": [{
                "goodsName": self.goods_name,
                "goodsCode": self.goods_code,
                "withTaxFlag": "1",
                "num": self.quantity.to_string(),
                "price": price(self.amount, self.quantity),
                "taxRate": format!("{}.{:02}", self.tax_rate_percent / 100, self.tax_rate_percent % 100),
                "taxExcludedAmount": yuan(net),
                "tax": yuan(tax),
                "taxIncludedAmount": yuan(self.amount),
            }],
        } })
    }
}

/// A red invoice to be made: it takes back the whole of a blue one.
#[derive(Clone)]
pub struct NewRed {
    /// The idempotency key, 1 to 32 letters or digits.
    pub bill_id: String,
    /// The blue one's kind.
    pub line: Line,
    /// The blue one's number.
    pub blue_number: String,
    /// 抬头.
    pub buyer_name: String,
    /// The buyer's tax number.
    pub buyer_tax_number: Option<String>,
}

impl fmt::Debug for NewRed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewRed").field("bill_id", &self.bill_id).finish()
    }
}

impl NewRed {
    pub(crate) fn json(&self, seller_tax_number: &str) -> Value {
        json!({
            "billId": self.bill_id,
            "blueInvoiceLine": self.line.code(),
            "applySource": "0",
            "blueElecInvoiceNumber": self.blue_number,
            "sellerTaxNo": seller_tax_number,
            // May be empty where the seller applies.
            "sellerName": "",
            "buyerName": self.buyer_name,
            "buyerTaxNo": self.buyer_tax_number.as_deref().unwrap_or_default(),
            // 1: the goods come back.
            "redReason": "1",
        })
    }
}

/// Net and tax of an amount that includes tax; they add up to it.
fn split(amount: Fen, percent: u8) -> (Fen, Fen) {
    let (total, divisor) = (u128::from(amount.0), 100 + u128::from(percent));
    let net = (total * 100 + divisor / 2) / divisor;
    // Never more than the amount, so it fits.
    let net = u64::try_from(net).unwrap_or(amount.0).min(amount.0);
    (Fen(net), Fen(amount.0 - net))
}

fn yuan(amount: Fen) -> String {
    format!("{}.{:02}", amount.0 / 100, amount.0 % 100)
}

/// The price of one, in yuan with eight decimals at most, as the provider multiplies it.
fn price(amount: Fen, quantity: u16) -> String {
    let micro = u128::from(amount.0) * 1_000_000 / u128::from(quantity.max(1));
    let text = format!("{}.{:08}", micro / 100_000_000, micro % 100_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tax_is_taken_out_of_what_was_paid() {
        assert_eq!(split(Fen(30_000), 6), (Fen(28_302), Fen(1_698)));
        assert_eq!(split(Fen(30_000), 0), (Fen(30_000), Fen(0)));
        assert_eq!((yuan(Fen(28_302)), yuan(Fen(5))), ("283.02".to_owned(), "0.05".to_owned()));
        assert_eq!((price(Fen(60_000), 2), price(Fen(100), 3)), ("300".to_owned(), "0.33333333".to_owned()));
    }

    proptest! {
        #[test]
        fn net_and_tax_add_up(amount: u64, percent in 0u8..=100) {
            let (net, tax) = split(Fen(amount), percent);
            prop_assert_eq!(u128::from(net.0) + u128::from(tax.0), u128::from(amount));
        }
    }
}
