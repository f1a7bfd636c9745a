//! What the customer gave, as sections of lines, for the pages of operators.

use model::mask_mobile;
use wire::CertificateKind;

use crate::{
    app::AppState,
    orders::{Order, Person},
    views::mask_id_number,
    web::lang::Lang,
};

/// A heading and its lines.
pub(in crate::web) struct Section {
    pub(in crate::web) title: &'static str,
    pub(in crate::web) lines: Vec<(&'static str, String)>,
}

/// What the customer gave. Unless `shown`, documents and mobiles are masked.
pub(super) fn for_operator(state: &AppState, lang: Lang, order: &Order, shown: bool) -> Vec<Section> {
    let programme = state.programmes.title(&order.content.programme);
    if shown { sections(lang, order, programme) } else { sections(lang, &mask(order), programme) }
}

/// What the customer gave, as both sides read it.
pub(in crate::web) fn sections(lang: Lang, order: &Order, programme: String) -> Vec<Section> {
    let content = &order.content;
    let mut sections = vec![product_section(lang, order, programme)];
    let unit = &content.unit;
    sections.push(Section {
        title: lang.t("单位信息", "Unit"),
        lines: vec![
            (lang.t("单位名称", "Name"), unit.name.clone()),
            (lang.t("统一社会信用代码", "Credit code"), unit.credit_code.clone()),
            (lang.t("单位类型", "Kind"), lang.t(unit.kind.zh(), unit.kind.en()).to_owned()),
            (lang.t("所属行业", "Industry"), unit.industry.clone()),
        ],
    });
    if let Some(person) = &content.legal_representative {
        sections.push(person_section(lang, lang.t("法定代表人", "Legal representative"), person));
    }
    if let Some(person) = &content.holder {
        sections.push(person_section(lang, lang.t("证书持有人", "Holder"), person));
    }
    let handler = &content.handler;
    sections.push(Section {
        title: lang.t("经办人", "Handler"),
        lines: vec![
            (lang.t("姓名", "Name"), handler.name.clone()),
            (lang.t("证件类型", "Document"), lang.t(handler.id_type.zh(), handler.id_type.en()).to_owned()),
            (lang.t("证件号码", "Number"), handler.id_number.clone()),
            (lang.t("手机号", "Mobile"), handler.mobile.clone()),
            (lang.t("邮箱", "Mail"), handler.mail.clone()),
        ],
    });
    sections.push(receiver_section(lang, order));
    sections.push(money_section(lang, order));
    sections
}

/// The order with the numbers of documents masked: a screen may be looked at by others.
pub(in crate::web) fn mask_documents(order: &Order) -> Order {
    let mut order = order.clone();
    let content = &mut order.content;
    content.handler.id_number = mask_id_number(&content.handler.id_number);
    for person in content.legal_representative.iter_mut().chain(&mut content.holder) {
        person.id_number = mask_id_number(&person.id_number);
    }
    order
}

/// An order as it is shown to those who need not know who is in it.
pub(in crate::web) fn mask(order: &Order) -> Order {
    let mut order = mask_documents(order);
    let content = &mut order.content;
    content.handler.mobile = mask_mobile(&content.handler.mobile);
    content.receiver.mobile = mask_mobile(&content.receiver.mobile);
    order
}

fn product_section(lang: Lang, order: &Order, programme: String) -> Section {
    let content = &order.content;
    let kind = match content.holder_kind {
        CertificateKind::Unit => lang.t("单位证书", "Unit certificate"),
        CertificateKind::Personal => lang.t("个人证书", "Personal certificate"),
    };
    Section {
        title: lang.t("产品规格", "Product"),
        lines: vec![
            (lang.t("项目", "Programme"), programme),
            (lang.t("产品", "Product"), order.product_title.clone()),
            (lang.t("证书类型", "Certificate"), kind.to_owned()),
            (lang.t("有效期", "Validity"), format!("{} {}", content.years, lang.t("年", "years"))),
            (lang.t("数量", "Quantity"), content.quantity.to_string()),
            (
                lang.t("认证类型", "Verification"),
                lang.t(content.verification.zh(), content.verification.en()).to_owned(),
            ),
        ],
    }
}

fn person_section(lang: Lang, title: &'static str, person: &Person) -> Section {
    Section {
        title,
        lines: vec![
            (lang.t("姓名", "Name"), person.name.clone()),
            (lang.t("证件类型", "Document"), lang.t(person.id_type.zh(), person.id_type.en()).to_owned()),
            (lang.t("证件号码", "Number"), person.id_number.clone()),
        ],
    }
}

fn receiver_section(lang: Lang, order: &Order) -> Section {
    let receiver = &order.content.receiver;
    let region = format!("{} {} {}", receiver.province, receiver.city, receiver.county);
    Section {
        title: lang.t("收件信息（顺丰到付）", "Receiver (SF, freight collect)"),
        lines: vec![
            (lang.t("姓名", "Name"), receiver.name.clone()),
            (lang.t("手机号", "Mobile"), receiver.mobile.clone()),
            (lang.t("地区", "Region"), region.trim_end().to_owned()),
            (lang.t("详细地址", "Address"), receiver.address.clone()),
        ],
    }
}

fn money_section(lang: Lang, order: &Order) -> Section {
    let mut lines = vec![(lang.t("金额", "Amount"), format!("¥ {}", order.amount))];
    if let Some(payment) = &order.content.payment {
        let method = lang.t(payment.method.zh(), payment.method.en());
        lines.push((lang.t("已付", "Paid"), format!("¥ {} · {method}", payment.paid_fen)));
        lines.push((lang.t("支付流水号", "Reference"), payment.reference.clone()));
    }
    if let Some(invoice) = &order.content.invoice {
        lines.push((lang.t("发票类型", "Invoice"), lang.t(invoice.kind.zh(), invoice.kind.en()).to_owned()));
        lines.push((lang.t("发票抬头", "Made out to"), invoice.title.clone()));
        let number =
            invoice.tax_number.iter().map(|number| (lang.t("抬头税号", "Its tax number"), number.clone()));
        lines.extend(number);
    }
    Section { title: lang.t("费用与发票", "Money and invoice"), lines }
}

/// The fields of an order that a correction may change, by the first part of their names.
const FIELDS: [(&str, &str, &str); 12] = [
    ("years", "有效期", "validity"),
    ("quantity", "数量", "quantity"),
    ("verification", "认证类型", "verification"),
    ("handler", "经办人", "handler"),
    ("unit", "单位", "unit"),
    ("legal_representative", "法定代表人", "legal representative"),
    ("holder", "证书持有人", "holder"),
    ("receiver", "收件信息", "receiver"),
    ("invoice", "发票", "invoice"),
    ("name", "姓名/名称", "name"),
    ("id_number", "证件号码", "document's number"),
    ("credit_code", "统一社会信用代码", "credit code"),
];

/// Dotted names as people read them.
pub(super) fn field_titles(lang: Lang, names: &[String]) -> String {
    let part = |part: &str| {
        let known = FIELDS.iter().find(|(name, ..)| *name == part);
        known.map_or_else(|| part.to_owned(), |(_, zh, en)| lang.t(zh, en).to_owned())
    };
    let title = |name: &String| name.split('.').map(part).collect::<Vec<_>>().join(" · ");
    names.iter().map(title).collect::<Vec<_>>().join(lang.t("、", ", "))
}
