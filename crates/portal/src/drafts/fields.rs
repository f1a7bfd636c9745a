//! What was typed into the form: flat, by the names that the order's JSON has, and that JSON made of it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use wire::CertificateKind;

use crate::{
    orders::OrderContent,
    programmes::{Product, Programme},
};

/// The inputs of the form; each is a field of an order's JSON, dotted.
pub const FIELDS: [&str; 27] = [
    "years",
    "quantity",
    "verification",
    "handler.name",
    "handler.id_type",
    "handler.id_number",
    "handler.mobile",
    "handler.mail",
    "legal_representative.name",
    "legal_representative.id_type",
    "legal_representative.id_number",
    "holder.name",
    "holder.id_type",
    "holder.id_number",
    "unit.name",
    "unit.credit_code",
    "unit.kind",
    "unit.industry",
    "receiver.name",
    "receiver.mobile",
    "receiver.province",
    "receiver.city",
    "receiver.county",
    "receiver.address",
    "invoice.kind",
    "invoice.title",
    "invoice.tax_number",
];

/// An input's text is cut here; the order's own limits are shorter, and told at the field.
const CHARS_MAX: usize = 400;

/// Before the id of an agreement: the tick box, whose value is the version that was shown.
const AGREE: &str = "agree.";

/// Agreements of one programme, at most.
const AGREEMENTS_MAX: usize = 10;

/// The form's texts by name. No `Debug`: they are somebody's.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct FormFields(BTreeMap<String, String>);

impl FormFields {
    /// The text of an input; empty if it has none.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// Keeps the text of an input; what is no input of the form is dropped.
    pub fn set(&mut self, name: &str, text: &str) {
        let ticks = self.0.keys().filter(|name| name.starts_with(AGREE)).count();
        let tick = name.starts_with(AGREE) && name.len() <= 64 && ticks < AGREEMENTS_MAX;
        if tick || FIELDS.contains(&name) {
            self.0.insert(name.to_owned(), text.trim().chars().take(CHARS_MAX).collect());
        }
    }

    /// Takes all ticks away: a box that is not ticked is not sent.
    pub fn untick(&mut self) {
        self.0.retain(|name, _| !name.starts_with(AGREE));
    }

    /// The version of an agreement that was ticked; empty if none was.
    #[must_use]
    pub fn agreed(&self, agreement: &str) -> &str {
        self.get(&format!("{AGREE}{agreement}"))
    }

    /// The order as it comes in by the interface, with the sections that the programme asks for.
    #[must_use]
    pub fn order(&self, programme: &Programme, product: &Product) -> Value {
        let mut order = Map::new();
        order.insert("programme".to_owned(), programme.id.clone().into());
        order.insert("product".to_owned(), product.id.clone().into());
        for name in FIELDS {
            let section = name.split_once('.').map(|(section, _)| section);
            if section.is_some_and(|section| !is_wanted(section, programme, product)) {
                continue;
            }
            let text = self.get(name);
            let value = match name {
                _ if text.is_empty() => Value::Null,
                "years" | "quantity" => text.parse::<u64>().map_or_else(|_| text.into(), Value::from),
                _ => text.into(),
            };
            match name.split_once('.') {
                None => order.insert(name.to_owned(), value),
                Some((section, name)) => {
                    let inner = order.entry(section).or_insert_with(|| Map::new().into());
                    inner.as_object_mut().and_then(|inner| inner.insert(name.to_owned(), value))
                }
            };
        }
        order.into()
    }

    /// The form as an order fills it in.
    #[must_use]
    pub fn of(content: &OrderContent) -> Self {
        let mut fields = Self::default();
        let order = serde_json::to_value(content).unwrap_or_default();
        for name in FIELDS {
            let value = order.pointer(&format!("/{}", name.replace('.', "/")));
            match value {
                Some(Value::String(text)) => fields.set(name, text),
                Some(Value::Number(number)) => fields.set(name, &number.to_string()),
                _ => {}
            }
        }
        fields
    }

    pub(super) fn to_text(&self) -> String {
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    pub(super) fn from_text(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok().map(Self)
    }
}

fn is_wanted(section: &str, programme: &Programme, product: &Product) -> bool {
    match section {
        "legal_representative" => programme.legal_representative,
        "holder" => product.holder == CertificateKind::Personal,
        "invoice" => !programme.invoice_kinds.is_empty(),
        _ => true,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::FormFields;

    #[test]
    fn only_inputs_of_the_form_are_kept_and_no_text_is_longer_than_its_bound() {
        let mut fields = FormFields::default();
        fields.set("handler.name", &" 陈 ".repeat(400));
        fields.set("state", "completed");
        for n in 0..100 {
            fields.set(&format!("agree.{n}"), "1");
        }
        assert_eq!(fields.get("handler.name").chars().count(), 400);
        assert_eq!(fields.get("state"), "");
        assert_eq!(fields.0.len(), 11);
        fields.untick();
        assert_eq!(fields.0.len(), 1);
    }

    proptest! {
        #[test]
        fn what_was_kept_comes_back(name in "\\PC{0,20}", text in "\\PC{0,40}") {
            let mut fields = FormFields::default();
            fields.set(&name, &text);
            fields.set("unit.name", &text);
            let again = FormFields::from_text(fields.to_text().as_bytes()).unwrap();
            prop_assert!(again == fields);
            prop_assert_eq!(again.get("unit.name"), text.trim());
        }
    }
}
