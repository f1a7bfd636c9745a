//! The order as it comes in: JSON to content. Every mistake of an order is told at once, each with its field.

mod fields;
mod sections;

use model::{Fen, OrderNumber, OrderState};
use serde::Serialize;
use serde_json::Value;

use super::content::{Handler, Order, OrderContent, Payment, Person, Unit};
use crate::programmes::{Product, Programme, Programmes};
use fields::{Errors, Fields};

/// One mistake in an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// Dotted field, such as `handler.id_number`.
    pub field: String,
    /// What is wrong and what to do, Chinese with English in parentheses.
    pub message: String,
}

/// An order that passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderForm {
    /// The number, if the caller gave one.
    pub number: Option<OrderNumber>,
    /// The content in its normal form.
    pub content: OrderContent,
    /// The product's title.
    pub product_title: String,
    /// What it costs.
    pub amount: Fen,
    /// Where it begins: 待支付 while the payment is missing, else 待审核.
    pub first_state: OrderState,
}

impl OrderForm {
    /// Reads an order against its programme.
    ///
    /// # Errors
    /// Every wrong field at once.
    pub fn read(value: &Value, programmes: &Programmes) -> Result<Self, Vec<FieldError>> {
        Self::read_at(value, programmes, None)
    }

    /// Reads the correction of an order, which costs what it cost when it was placed.
    ///
    /// # Errors
    /// Every wrong field at once.
    pub(crate) fn read_correction(
        value: &Value,
        programmes: &Programmes,
        old: &Order,
    ) -> Result<Self, Vec<FieldError>> {
        Self::read_at(value, programmes, Some(old.amount))
    }

    fn read_at(value: &Value, programmes: &Programmes, agreed: Option<Fen>) -> Result<Self, Vec<FieldError>> {
        let errors = Errors::default();
        let form = read(value, programmes, agreed, &errors);
        match (form, errors.take()) {
            (Some(form), errors) if errors.is_empty() => Ok(form),
            (_, errors) => Err(errors),
        }
    }

    /// Whether a rejected order may take this content: what was ordered and paid stays as it was, whatever it would cost today.
    pub(crate) fn may_replace(&self, old: &Order) -> Result<(), Vec<FieldError>> {
        let errors = Errors::default();
        if self.number.as_ref().is_some_and(|number| *number != old.number) {
            errors.push("number", "与要修改的订单不符 (it is not the number of the order to be corrected)");
        }
        let (new, old_content) = (&self.content, &old.content);
        if (&new.programme, &new.product) != (&old_content.programme, &old_content.product) {
            errors.push(
                "product",
                "修改时不能更换项目或产品 (a correction keeps programme and product: place a new order)",
            );
        }
        let (before, after) = (&old_content.payment, &new.payment);
        for (field, is_kept) in [
            ("years", new.years == old_content.years),
            ("quantity", new.quantity == old_content.quantity),
            ("payment", before == after),
        ] {
            if !is_kept {
                errors.push(
                    field,
                    "修改时不能改变期限、数量或支付信息 (a correction keeps validity, quantity and payment)",
                );
            }
        }
        let errors = errors.take();
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}

fn read(value: &Value, programmes: &Programmes, agreed: Option<Fen>, errors: &Errors) -> Option<OrderForm> {
    let Some(fields) = Fields::root(value, errors) else {
        errors.push("", "订单应为 JSON 对象 (an order is a JSON object)");
        return None;
    };
    let number = fields.optional("number").and_then(|text| match text.parse::<OrderNumber>() {
        Ok(number) => Some(number),
        Err(_) => {
            fields.error(
                "number",
                "订单号应为 SAAS1 + 14 位时间 + 6 位数字 (it is SAAS1, yyyyMMddHHmmss, 6 digits)",
            );
            None
        }
    });
    let programme = fields.text("programme", 48).and_then(|id| {
        let found = programmes.get(&id);
        if found.is_none() {
            fields.error("programme", format!("没有项目 {id} (there is no programme {id})"));
        }
        found
    })?;
    let product = fields.text("product", 48).and_then(|id| {
        let found = programme.product(&id);
        if found.is_none() {
            let ids: Vec<&str> = programme.products.iter().map(|product| product.id.as_str()).collect();
            let ids = ids.join(", ");
            fields.error(
                "product",
                format!("项目没有产品 {id}，可选 {ids} (no such product; there are {ids})"),
            );
        }
        found
    });
    let content = product.and_then(|product| sections::content(&fields, programme, product, agreed));
    fields.refuse_unknown(product.is_some());
    let (product, content) = (product?, content?);
    let amount = agreed.unwrap_or_else(|| product.amount(content.years, content.quantity));
    Some(OrderForm {
        number,
        first_state: first_state(programme, &content),
        product_title: product.title.clone(),
        amount,
        content,
    })
}

fn first_state(programme: &Programme, content: &OrderContent) -> OrderState {
    if programme.payment_methods.is_empty() || content.payment.is_some() {
        OrderState::AwaitingReview
    } else {
        OrderState::AwaitingPayment
    }
}

/// Whom the authorization letter names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parties {
    /// 经办人.
    pub handler: Handler,
    /// 单位.
    pub unit: Unit,
    /// 法定代表人, where the programme wants it.
    pub legal_representative: Option<Person>,
    /// 证书持有人, of a personal certificate.
    pub holder: Option<Person>,
}

impl Parties {
    /// Reads them alone: the letter is printed before the rest of the form is complete.
    ///
    /// # Errors
    /// Every wrong field of theirs at once.
    pub fn read(value: &Value, programme: &Programme, product: &Product) -> Result<Self, Vec<FieldError>> {
        let errors = Errors::default();
        let fields = Fields::root(value, &errors);
        let parties = fields.and_then(|fields| sections::parties(&fields, programme, product));
        match (parties, errors.take()) {
            (Some(parties), errors) if errors.is_empty() => Ok(parties),
            (_, errors) => Err(errors),
        }
    }
}

/// Reads a payment that arrived for an order without one.
///
/// # Errors
/// Every wrong field at once.
pub(super) fn read_payment(
    value: &Value,
    programme: &Programme,
    amount: Fen,
) -> Result<Payment, Vec<FieldError>> {
    let errors = Errors::default();
    let payment = match Fields::root(value, &errors) {
        Some(fields) => sections::payment_section(&fields, programme, amount),
        None => {
            errors.push("", "应为 JSON 对象 (it is a JSON object)");
            None
        }
    };
    match (payment, errors.take()) {
        (Some(payment), errors) if errors.is_empty() => Ok(payment),
        (_, errors) => Err(errors),
    }
}
