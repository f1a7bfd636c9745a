//! The sections of an order. Each reads all its fields before it gives up, so that every mistake is told.

use model::{Fen, IdentityError, check_credit_code, check_id_number, check_mobile, check_organisation_code};
use wire::CertificateKind;

use super::{Parties, fields::Fields};
use crate::{
    orders::{
        content::{Handler, Invoice, OrderContent, Payment, Person, Receiver, Unit},
        regions,
    },
    programmes::{IdType, InvoiceKind, PaymentMethod, Product, Programme, UnitKind, Verification},
};

/// ub-common-name and ub-organization-name of X.520: a longer name does not fit a certificate.
const CERTIFIED_NAME_CHARS_MAX: usize = 64;
const MAIL_BYTES_MAX: usize = 254;

/// The whole order. What it costs is counted, unless it was `agreed` before.
pub(super) fn content(
    fields: &Fields<'_>,
    programme: &Programme,
    product: &Product,
    agreed: Option<Fen>,
) -> Option<OrderContent> {
    let (years, quantity) = (years(fields, product), quantity(fields, product));
    let verification = fields.word_or_first("verification", &programme.verifications, Verification::code);
    let (handler, unit, legal) = read_parties(fields, programme);
    let holder = holder(fields, programme, product);
    let receiver = fields.section("receiver").and_then(|section| receiver(&section));
    let counted = years.zip(quantity).map(|(years, quantity)| product.amount(years, quantity));
    let amount = agreed.or(counted);
    let payment = payment(fields, programme, amount);
    let invoice = invoice(fields, programme, unit.as_ref());
    Some(OrderContent {
        programme: programme.id.clone(),
        product: product.id.clone(),
        holder_kind: product.holder,
        years: years?,
        quantity: quantity?,
        verification: verification?,
        handler: handler?,
        unit: unit?,
        legal_representative: legal?,
        holder: holder?,
        receiver: receiver?,
        invoice: invoice?,
        payment: payment?,
    })
}

pub(super) fn parties(fields: &Fields<'_>, programme: &Programme, product: &Product) -> Option<Parties> {
    let (handler, unit, legal) = read_parties(fields, programme);
    let holder = holder(fields, programme, product);
    Some(Parties { handler: handler?, unit: unit?, legal_representative: legal?, holder: holder? })
}

fn holder(fields: &Fields<'_>, programme: &Programme, product: &Product) -> Option<Option<Person>> {
    wanted_person(
        fields,
        "holder",
        product.holder == CertificateKind::Personal,
        programme,
        "单位证书没有个人持有人，请删除 (a unit certificate has no personal holder: delete it)",
    )
}

fn read_parties(
    fields: &Fields<'_>,
    programme: &Programme,
) -> (Option<Handler>, Option<Unit>, Option<Option<Person>>) {
    let handler = fields.section("handler").and_then(|section| handler(&section, programme));
    let unit = fields.section("unit").and_then(|section| unit(&section, programme));
    let legal = wanted_person(
        fields,
        "legal_representative",
        programme.legal_representative,
        programme,
        "本项目不收集法定代表人信息，请删除 (this programme does not ask for it: delete it)",
    );
    (handler, unit, legal)
}

/// A person that must be there or must not be; the outer `None` = there was a mistake.
fn wanted_person(
    fields: &Fields<'_>,
    name: &'static str,
    wanted: bool,
    programme: &Programme,
    refusal: &str,
) -> Option<Option<Person>> {
    if wanted {
        return fields.section(name).and_then(|section| person(&section, programme)).map(Some);
    }
    fields.refuse(name, refusal);
    Some(None)
}

fn handler(fields: &Fields<'_>, programme: &Programme) -> Option<Handler> {
    let (name, document) = (person_name(fields), document(fields, programme));
    let mobile = checked(fields, "mobile", check_mobile);
    let mail = fields.text("mail", MAIL_BYTES_MAX).filter(|mail| {
        let ok = is_mail(mail);
        if !ok {
            fields.error("mail", "应为邮箱地址，如 name@example.com (it is a mail address)");
        }
        ok
    });
    fields.refuse_unknown(true);
    let (id_type, id_number) = document?;
    Some(Handler { name: name?, id_type, id_number, mobile: mobile?, mail: mail? })
}

fn person(fields: &Fields<'_>, programme: &Programme) -> Option<Person> {
    let (name, document) = (person_name(fields), document(fields, programme));
    fields.refuse_unknown(true);
    let (id_type, id_number) = document?;
    Some(Person { name: name?, id_type, id_number })
}

/// Names of many peoples carry a dot in the middle, typed in four ways; one is kept (U+00B7).
fn person_name(fields: &Fields<'_>) -> Option<String> {
    let name = fields.text("name", CERTIFIED_NAME_CHARS_MAX)?;
    Some(name.replace(['\u{2022}', '\u{2027}', '\u{30fb}', '\u{ff65}'], "\u{00b7}"))
}

fn document(fields: &Fields<'_>, programme: &Programme) -> Option<(IdType, String)> {
    let id_type = fields.word_or_first("id_type", &programme.id_types, IdType::code);
    if id_type == Some(IdType::IdCard) {
        return Some((IdType::IdCard, checked(fields, "id_number", check_id_number)?));
    }
    let number = fields.text("id_number", 20)?.to_ascii_uppercase();
    if number.len() < 5 || !number.bytes().all(|b| b.is_ascii_alphanumeric()) {
        fields.error("id_number", "证件号码应为 5 至 20 位字母或数字 (it has 5 to 20 letters or digits)");
        return None;
    }
    Some((id_type?, number))
}

fn checked(
    fields: &Fields<'_>,
    name: &'static str,
    check: fn(&str) -> Result<String, IdentityError>,
) -> Option<String> {
    let text = fields.text(name, 64)?;
    check(&text).map_err(|error| fields.error(name, error.to_string())).ok()
}

fn is_mail(mail: &str) -> bool {
    let Some((local, domain)) = mail.rsplit_once('@') else { return false };
    let label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
    };
    let local_ok = (1..=64).contains(&local.len())
        && local.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&b));
    mail.len() <= MAIL_BYTES_MAX && local_ok && domain.contains('.') && domain.split('.').all(label)
}

fn unit(fields: &Fields<'_>, programme: &Programme) -> Option<Unit> {
    let name = fields.text("name", CERTIFIED_NAME_CHARS_MAX);
    let credit_code = checked(fields, "credit_code", check_unit_code);
    let kind = fields.word("kind", &programme.unit_kinds, UnitKind::code);
    let industry = fields.text("industry", 64);
    fields.refuse_unknown(true);
    Some(Unit { name: name?, credit_code: credit_code?, kind: kind?, industry: industry? })
}

/// A unit without a unified code gives its organisation code in the same field (seed 000): 9 characters tell the two apart.
fn check_unit_code(text: &str) -> Result<String, IdentityError> {
    let plain = text.chars().filter(|&c| c != '-').count();
    if plain == 9 { check_organisation_code(text) } else { check_credit_code(text) }
}

fn receiver(fields: &Fields<'_>) -> Option<Receiver> {
    let name = fields.text("name", CERTIFIED_NAME_CHARS_MAX);
    let mobile = checked(fields, "mobile", check_mobile);
    let (province, city) = (fields.text("province", 32), fields.text("city", 32));
    let (county, address) = (fields.text_or_empty("county", 32), fields.text("address", 200));
    fields.refuse_unknown(true);
    let (province, city, county) = (province?, city?, county?);
    regions::check(&province, &city, &county)
        .map_err(|(field, message)| fields.error(field, message))
        .ok()?;
    Some(Receiver { name: name?, mobile: mobile?, province, city, county, address: address? })
}

/// The invoice, where the programme makes one: the first kind, made out to the unit, unless the order says otherwise.
fn invoice(fields: &Fields<'_>, programme: &Programme, unit: Option<&Unit>) -> Option<Option<Invoice>> {
    let Some(&first) = programme.invoice_kinds.first() else {
        fields.refuse("invoice", "本项目不开具发票，请删除 (this programme makes no invoices: delete it)");
        return Some(None);
    };
    let Some(section) = fields.optional_section("invoice") else {
        return Some(Some(Invoice { kind: first, title: unit?.name.clone(), tax_number: None }));
    };
    let kind = section.word_or_first("kind", &programme.invoice_kinds, InvoiceKind::code);
    let title = section.text_or_empty("title", 100);
    let tax_number = tax_number(&section);
    section.refuse_unknown(true);
    let title = title?;
    let title = if title.is_empty() { unit?.name.clone() } else { title };
    // A special invoice is the unit's own: what it is deducted from is the unit's tax.
    if kind == Some(InvoiceKind::Special) && unit.is_some_and(|unit| unit.name != title) {
        section.error(
            "title",
            "专用发票抬头须为单位名称 (a special invoice is made out to the unit: give its name or nothing)",
        );
        return None;
    }
    let is_other = unit.is_some_and(|unit| unit.name != title);
    Some(Some(Invoice { kind: kind?, title, tax_number: tax_number?.filter(|_| is_other) }))
}

/// The number of another unit than the order's; the outer `None` = it was a mistake.
fn tax_number(invoice: &Fields<'_>) -> Option<Option<String>> {
    let Some(text) = invoice.optional("tax_number") else { return Some(None) };
    check_credit_code(&text).map_err(|error| invoice.error("tax_number", error.to_string())).ok().map(Some)
}

/// The payment, if there was one; the outer `None` = there was a mistake.
fn payment(fields: &Fields<'_>, programme: &Programme, amount: Option<Fen>) -> Option<Option<Payment>> {
    if programme.payment_methods.is_empty() {
        fields
            .refuse("payment", "本项目没有支付步骤，请删除 (this programme has no payment step: delete it)");
        return Some(None);
    }
    match fields.optional_section("payment") {
        Some(section) => payment_section(&section, programme, amount?).map(Some),
        None => Some(None),
    }
}

/// A payment that was made: the whole amount by a method of the programme, or it is none.
pub(super) fn payment_section(fields: &Fields<'_>, programme: &Programme, amount: Fen) -> Option<Payment> {
    let method = fields.word("method", &programme.payment_methods, PaymentMethod::code);
    let paid = fields.number("paid_fen").map(Fen);
    if let Some(paid) = paid.filter(|paid| *paid != amount) {
        fields
            .error("paid_fen", format!("已付 {paid} 元，应付 {amount} 元 (paid {paid}, due {amount} yuan)"));
    }
    let reference = fields.text("reference", 64);
    fields.refuse_unknown(true);
    Some(Payment { method: method?, paid_fen: paid?, reference: reference? })
}

fn years(fields: &Fields<'_>, product: &Product) -> Option<u8> {
    let given = fields.number("years")?;
    let years = product.years.iter().copied().find(|&years| u64::from(years) == given);
    if years.is_none() {
        let list = product.years.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        fields.error("years", format!("证书年限可选 {list} 年 (the validity is {list} years)"));
    }
    years
}

fn quantity(fields: &Fields<'_>, product: &Product) -> Option<u16> {
    let given = fields.number("quantity")?;
    let (min, max) = (product.quantity_min, product.quantity_max);
    let quantity = u16::try_from(given).ok().filter(|quantity| (min..=max).contains(quantity));
    if quantity.is_none() {
        fields.error("quantity", format!("数量应为 {min} 至 {max} (the quantity is {min} to {max})"));
    }
    quantity
}
