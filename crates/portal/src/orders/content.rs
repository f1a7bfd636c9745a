//! What an order says: the customer's side, checked and in its normal form.

use model::{Fen, OrderNumber, OrderState};
use serde::{Deserialize, Serialize};
use wire::CertificateKind;

use crate::programmes::{IdType, InvoiceKind, PaymentMethod, UnitKind, Verification};

/// An order as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its number.
    pub number: OrderNumber,
    /// What the customer gave.
    pub content: OrderContent,
    /// The product's title when the order came in.
    pub product_title: String,
    /// What it costs.
    pub amount: Fen,
    /// Where it stands.
    pub state: OrderState,
    /// Why it stands rejected.
    pub reject_reason: Option<String>,
    /// When it came in.
    pub created_ms: i64,
    /// When it last changed.
    pub changed_ms: i64,
}

/// What the customer gave. Two orders with the same content have the same JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderContent {
    /// The programme's id.
    pub programme: String,
    /// The product's id.
    pub product: String,
    /// Whose certificate it is; the product says so.
    pub holder_kind: CertificateKind,
    /// Validity in years.
    pub years: u8,
    /// How many keys.
    pub quantity: u16,
    /// 认证类型.
    pub verification: Verification,
    /// 经办人.
    pub handler: Handler,
    /// 单位.
    pub unit: Unit,
    /// 法定代表人, where the programme wants it.
    pub legal_representative: Option<Person>,
    /// Whose personal certificate it is; `None` for a unit's.
    pub holder: Option<Person>,
    /// 收件人.
    pub receiver: Receiver,
    /// 发票, where the programme makes one.
    pub invoice: Option<Invoice>,
    /// 支付, where the programme has that step and it is done.
    pub payment: Option<Payment>,
}

impl OrderContent {
    /// The name the certificate is made out to.
    #[must_use]
    pub fn holder_name(&self) -> &str {
        self.holder.as_ref().map_or(&self.unit.name, |person| &person.name)
    }

    /// What stays of it when its time is over: what was ordered, by which unit, for how much.
    #[must_use]
    pub(super) fn without_persons(self) -> Self {
        let handler = Handler {
            name: String::new(),
            id_number: String::new(),
            mobile: String::new(),
            mail: String::new(),
            ..self.handler
        };
        let nobody = |person: Person| Person { name: String::new(), id_number: String::new(), ..person };
        let receiver = Receiver {
            name: String::new(),
            mobile: String::new(),
            county: String::new(),
            address: String::new(),
            ..self.receiver
        };
        let legal_representative = self.legal_representative.map(nobody);
        Self { handler, legal_representative, holder: self.holder.map(nobody), receiver, ..self }
    }
}

/// 经办人.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handler {
    /// Name.
    pub name: String,
    /// Document.
    pub id_type: IdType,
    /// The document's number.
    pub id_number: String,
    /// Mobile, 11 digits.
    pub mobile: String,
    /// Mail address.
    pub mail: String,
}

/// Somebody with a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// Name.
    pub name: String,
    /// Document.
    pub id_type: IdType,
    /// The document's number.
    pub id_number: String,
}

/// 单位.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unit {
    /// Name, as on the licence.
    pub name: String,
    /// Unified social credit code (18) or organisation code (9).
    pub credit_code: String,
    /// Kind.
    pub kind: UnitKind,
    /// 所属行业.
    pub industry: String,
}

/// 收件人.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receiver {
    /// Name.
    pub name: String,
    /// Mobile, 11 digits.
    pub mobile: String,
    /// Province.
    pub province: String,
    /// City.
    pub city: String,
    /// County; empty where a city has none (东莞, 中山, 省直辖县级).
    pub county: String,
    /// Street and number.
    pub address: String,
}

/// 发票.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invoice {
    /// Kind.
    pub kind: InvoiceKind,
    /// 抬头.
    pub title: String,
    /// 税号 of another unit that it is made out to; without it, a title that is not the unit's is a person's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_number: Option<String>,
}

/// 支付.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payment {
    /// How.
    pub method: PaymentMethod,
    /// How much arrived.
    pub paid_fen: Fen,
    /// The payment service's own number.
    pub reference: String,
}
