//! The fields of the form, as the programme wants them, and the order that they make.

use serde_json::{Map, Value, json};
use wire::CertificateKind;

use crate::{
    orders::FieldError,
    programmes::{Product, Programme},
    web::lang::Lang,
};

/// What was typed: dotted names and values.
pub(super) type Pairs = Vec<(String, String)>;

/// Deeper names make no order.
const DEPTH_MAX: usize = 3;

/// One field.
pub(super) struct Field {
    /// The dotted name, as orders have it.
    pub(super) name: String,
    pub(super) title: &'static str,
    /// What may be chosen: code and word; empty = it is typed.
    pub(super) options: Vec<(String, String)>,
    pub(super) optional: bool,
    pub(super) value: String,
    pub(super) error: String,
}

/// A heading and its fields.
pub(super) struct Group {
    pub(super) title: &'static str,
    pub(super) fields: Vec<Field>,
}

fn text(name: &str, title: &'static str) -> Field {
    choice(name, title, Vec::new())
}

fn choice(name: &str, title: &'static str, options: Vec<(String, String)>) -> Field {
    let (value, error) = (String::new(), String::new());
    Field { name: name.to_owned(), title, options, optional: false, value, error }
}

/// The form of a product, with what was typed and each mistake at its field; and the mistakes of no field on it.
pub(super) fn groups(
    lang: Lang,
    programme: &Programme,
    product: &Product,
    typed: &Pairs,
    mut errors: Vec<FieldError>,
) -> (Vec<Group>, Vec<FieldError>) {
    let mut groups = vec![goods(lang, product), unit(lang, programme), handler(lang, programme)];
    if programme.legal_representative {
        let title = lang.t("法定代表人", "Legal representative");
        groups.push(person(lang, programme, "legal_representative", title));
    }
    if product.holder == CertificateKind::Personal {
        groups.push(person(lang, programme, "holder", lang.t("证书持有人", "Holder")));
    }
    groups.push(receiver(lang));
    groups.extend(invoice(lang, programme));
    for field in groups.iter_mut().flat_map(|group| &mut group.fields) {
        if let Some((_, value)) = typed.iter().find(|(name, _)| *name == field.name) {
            field.value.clone_from(value);
        }
        let own = errors.iter().filter(|error| error.field == field.name);
        field.error = own.map(|error| error.message.as_str()).collect::<Vec<_>>().join("；");
        errors.retain(|error| error.field != field.name);
    }
    (groups, errors)
}

fn goods(lang: Lang, product: &Product) -> Group {
    let years =
        product.years.iter().map(|years| (years.to_string(), format!("{years} {}", lang.t("年", "years"))));
    let mut quantity = text("quantity", lang.t("数量（把）", "Keys"));
    quantity.value = product.quantity_min.to_string();
    Group {
        title: lang.t("产品规格", "Product"),
        fields: vec![choice("years", lang.t("有效期", "Validity"), years.collect()), quantity],
    }
}

fn unit(lang: Lang, programme: &Programme) -> Group {
    let kinds = programme.unit_kinds.iter();
    let kinds = kinds.map(|kind| (kind.code().to_owned(), lang.t(kind.zh(), kind.en()).to_owned()));
    Group {
        title: lang.t("单位信息", "Unit"),
        fields: vec![
            text("unit.name", lang.t("单位名称", "Name")),
            text("unit.credit_code", lang.t("统一社会信用代码", "Credit code")),
            choice("unit.kind", lang.t("单位类型", "Kind"), kinds.collect()),
            text("unit.industry", lang.t("所属行业", "Industry")),
        ],
    }
}

fn document(lang: Lang, programme: &Programme, owner: &str) -> [Field; 3] {
    let types = programme.id_types.iter();
    let types = types.map(|kind| (kind.code().to_owned(), lang.t(kind.zh(), kind.en()).to_owned()));
    [
        text(&format!("{owner}.name"), lang.t("姓名", "Name")),
        choice(&format!("{owner}.id_type"), lang.t("证件类型", "Document"), types.collect()),
        text(&format!("{owner}.id_number"), lang.t("证件号码", "Number")),
    ]
}

fn handler(lang: Lang, programme: &Programme) -> Group {
    let mut fields = Vec::from(document(lang, programme, "handler"));
    fields.push(text("handler.mobile", lang.t("手机号", "Mobile")));
    fields.push(text("handler.mail", lang.t("邮箱", "Mail")));
    Group { title: lang.t("经办人", "Handler"), fields }
}

fn person(lang: Lang, programme: &Programme, owner: &str, title: &'static str) -> Group {
    Group { title, fields: Vec::from(document(lang, programme, owner)) }
}

fn receiver(lang: Lang) -> Group {
    let county = Field {
        optional: true,
        ..text("receiver.county", lang.t("区县（没有则不填）", "County (if any)"))
    };
    Group {
        title: lang.t("收件信息", "Receiver"),
        fields: vec![
            text("receiver.name", lang.t("姓名", "Name")),
            text("receiver.mobile", lang.t("手机号", "Mobile")),
            text("receiver.province", lang.t("省", "Province")),
            text("receiver.city", lang.t("市", "City")),
            county,
            text("receiver.address", lang.t("详细地址", "Address")),
        ],
    }
}

fn invoice(lang: Lang, programme: &Programme) -> Option<Group> {
    let kinds = programme.invoice_kinds.iter();
    let kinds: Vec<_> =
        kinds.map(|kind| (kind.code().to_owned(), lang.t(kind.zh(), kind.en()).to_owned())).collect();
    let title = Field {
        optional: true,
        ..text("invoice.title", lang.t("抬头（不填为单位名称）", "Made out to (the unit, if empty)"))
    };
    let tax_number = Field {
        optional: true,
        ..text("invoice.tax_number", lang.t("抬头为其他单位时其税号", "Tax number, if that is another unit"))
    };
    (!kinds.is_empty()).then(|| Group {
        title: lang.t("发票", "Invoice"),
        fields: vec![choice("invoice.kind", lang.t("类型", "Kind"), kinds), title, tax_number],
    })
}

/// The order as JSON: dots make sections, numbers are numbers, what is empty is absent.
pub(super) fn order(typed: &Pairs) -> Value {
    let mut order = Map::new();
    for (name, value) in typed.iter().filter(|(_, value)| !value.trim().is_empty()) {
        let value = match name.as_str() {
            "years" | "quantity" => {
                value.trim().parse::<u64>().map_or_else(|_| json!(value), |number| json!(number))
            }
            _ => json!(value),
        };
        put(&mut order, name, value, DEPTH_MAX);
    }
    Value::Object(order)
}

fn put(map: &mut Map<String, Value>, name: &str, value: Value, depth: usize) {
    match name.split_once('.') {
        Some((section, rest)) if depth > 0 => {
            let inner = map.entry(section).or_insert_with(|| json!({}));
            if let Some(inner) = inner.as_object_mut() {
                put(inner, rest, value, depth - 1);
            }
        }
        _ => {
            map.insert(name.to_owned(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::order;

    #[test]
    fn dots_make_sections_and_empty_is_absent() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let typed =
            vec![pair("quantity", " 2"), pair("unit.name", "甲"), pair("unit.kind", ""), pair("years", "x")];
        assert_eq!(order(&typed), json!({ "quantity": 2, "unit": { "name": "甲" }, "years": "x" }));
    }

    proptest! {
        #[test]
        fn no_names_and_values_panic(typed: Vec<(String, String)>) {
            prop_assert!(order(&typed).is_object());
        }

        #[test]
        fn dots_alone_are_no_trouble(name in "[a.]{0,40}", value in "[0-9]{1,3}") {
            prop_assert!(order(&vec![(name, value)]).is_object());
        }
    }
}
