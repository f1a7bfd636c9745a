//! `validate()`: file form to trusted form. Each check is one small function; all mistakes are told at once.

use std::collections::BTreeSet;

use model::Fen;
use wire::CertificateKind;

use super::{
    Product, Programme, Template, customers,
    file::{ProductFile, ProgrammeFile, TemplateFile},
    template::Text,
};
use crate::toml_file::{Fault, Faults, Source};

/// Attributes a DN may have, by their short names (RFC 4514 and X.520).
const ATTRIBUTES: [&str; 7] = ["C", "ST", "L", "O", "OU", "CN", "serialNumber"];

/// GmSSL, the strict judge of certificates, takes at most 3653 days.
const YEARS_MAX: u8 = 10;

const PRICE_FEN_MAX: u64 = 10_000_000;
const QUANTITY_MAX: u16 = 500;

pub(super) struct Checks<'a> {
    source: &'a Source,
    faults: Vec<Fault>,
}

impl Checks<'_> {
    pub(super) fn require(&mut self, ok: bool, field: &str, what: impl Into<String>, fix: impl Into<String>) {
        if !ok {
            self.faults.push(self.source.fault(field, what, fix));
        }
    }
}

pub(super) fn validate(id: &str, file: ProgrammeFile, source: &Source) -> Result<Programme, Faults> {
    let mut checks = Checks { source, faults: Vec::new() };
    check_id(&mut checks, id);
    for (field, text) in [("title", &file.title), ("platform", &file.platform)] {
        check_title(&mut checks, field, text);
    }
    check_products(&mut checks, &file);
    check_choices(&mut checks, &file);
    check_key(&mut checks, &file);
    customers::check(&mut checks, &file);
    let legal = file.applicant.legal_representative;
    let unit = file.certificate.unit.as_ref();
    let unit = unit.map(|t| check_template(&mut checks, t, CertificateKind::Unit, legal));
    let personal = file.certificate.personal.as_ref();
    let personal = personal.map(|t| check_template(&mut checks, t, CertificateKind::Personal, legal));
    if checks.faults.is_empty() { Ok(trusted(id, file, unit, personal)) } else { Err(Faults(checks.faults)) }
}

fn trusted(id: &str, file: ProgrammeFile, unit: Option<Template>, personal: Option<Template>) -> Programme {
    let invoice_delivery = file.invoice.as_ref().map(|invoice| invoice.delivery);
    Programme {
        id: id.to_owned(),
        title: file.title,
        platform: file.platform,
        products: file.products.into_iter().map(product).collect(),
        payment_methods: file.payment.map(|payment| payment.methods).unwrap_or_default(),
        verifications: file.applicant.verification,
        id_types: file.applicant.id_types,
        unit_kinds: file.applicant.unit_kinds,
        legal_representative: file.applicant.legal_representative,
        pictures: file.pictures.required,
        seal_sampling: file.pictures.seal_sampling,
        agreements: file.agreements,
        invoice_kinds: file.invoice.map(|invoice| invoice.kinds).unwrap_or_default(),
        invoice_delivery,
        carrier: file.shipping.carrier,
        payer: file.shipping.payer,
        completed_after_days: file.shipping.completed_after_days,
        working_days: file.shipping.working_days,
        review: file.review,
        initial_user_pin: file.key.initial_user_pin,
        key_profiles: file.key.profiles,
        unit_certificate: unit,
        personal_certificate: personal,
        sms: file.sms,
        home: file.home,
        retention: file.retention,
    }
}

fn product(file: ProductFile) -> Product {
    Product {
        id: file.id,
        title: file.title,
        holder: file.holder,
        years: file.years,
        price_per_year: Fen(file.price_fen_per_year),
        quantity_min: file.quantity.min,
        quantity_max: file.quantity.max,
    }
}

pub(super) fn is_id(text: &str) -> bool {
    (1..=48).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn check_id(checks: &mut Checks<'_>, id: &str) {
    let what = format!("the file's name {id:?} is the programme's id and is not one");
    checks.require(is_id(id), "", what, "name the file with 1 to 48 characters out of a-z, 0-9 and -");
}

fn check_title(checks: &mut Checks<'_>, field: &str, text: &str) {
    let ok = !text.trim().is_empty() && text.chars().count() <= 64;
    checks.require(ok, field, "it is empty or longer than 64 characters", "write what customers know it by");
}

fn check_products(checks: &mut Checks<'_>, file: &ProgrammeFile) {
    let count = file.products.len();
    checks.require(
        (1..=50).contains(&count),
        "products",
        format!("there are {count} products"),
        "write 1 to 50 sections [[products]]",
    );
    let mut ids = BTreeSet::new();
    for (index, product) in file.products.iter().enumerate() {
        let at = |field: &str| format!("products[{index}].{field}");
        checks.require(
            is_id(&product.id),
            &at("id"),
            "it is not an id",
            "use 1 to 48 characters out of a-z, 0-9 and -",
        );
        let what = format!("another product has the id {:?} already", product.id);
        checks.require(ids.insert(product.id.clone()), &at("id"), what, "give each product its own id");
        check_title(checks, &at("title"), &product.title);
        check_years(checks, &at("years"), &product.years);
        check_quantity(checks, &at("quantity"), product);
        check_price(checks, &at("price_fen_per_year"), product, file.payment.is_some());
        let has_template = match product.holder {
            CertificateKind::Unit => file.certificate.unit.is_some(),
            CertificateKind::Personal => file.certificate.personal.is_some(),
        };
        let kind = kind_word(product.holder);
        checks.require(
            has_template,
            &at("holder"),
            format!("there is no [certificate.{kind}] for its certificates"),
            format!("write the section [certificate.{kind}] with dn and extensions"),
        );
    }
}

fn kind_word(kind: CertificateKind) -> &'static str {
    match kind {
        CertificateKind::Unit => "unit",
        CertificateKind::Personal => "personal",
    }
}

fn check_years(checks: &mut Checks<'_>, field: &str, years: &[u8]) {
    let distinct: BTreeSet<_> = years.iter().collect();
    let ok = !years.is_empty()
        && distinct.len() == years.len()
        && years.iter().all(|year| (1..=YEARS_MAX).contains(year));
    checks.require(
        ok,
        field,
        "these are not validities",
        "list each validity once, 1 to 10 years, such as [1, 2, 3]",
    );
}

fn check_quantity(checks: &mut Checks<'_>, field: &str, product: &ProductFile) {
    let (min, max) = (product.quantity.min, product.quantity.max);
    let ok = 1 <= min && min <= max && max <= QUANTITY_MAX;
    checks.require(ok, field, format!("{min} to {max} is no range"), "1 <= min <= max <= 500");
}

fn check_price(checks: &mut Checks<'_>, field: &str, product: &ProductFile, payment: bool) {
    let price = product.price_fen_per_year;
    checks.require(
        price <= PRICE_FEN_MAX,
        field,
        format!("{price} fen is more than 100000.00 yuan"),
        "prices are in fen: 300.00 yuan is 30000",
    );
    if payment {
        checks.require(
            price > 0,
            field,
            "the programme has a payment step and this product no price",
            "give the price in fen or delete [payment]",
        );
    } else {
        checks.require(
            price == 0,
            field,
            "the programme has no payment step and this product a price",
            "write [payment] or delete the price",
        );
    }
}

fn check_choices(checks: &mut Checks<'_>, file: &ProgrammeFile) {
    let mut some = |len: Option<usize>, field: &str| {
        checks.require(
            len != Some(0),
            field,
            "the list is empty",
            "name at least one; the first is the default",
        );
    };
    some(file.payment.as_ref().map(|payment| payment.methods.len()), "payment.methods");
    some(file.invoice.as_ref().map(|invoice| invoice.kinds.len()), "invoice.kinds");
    some(Some(file.applicant.verification.len()), "applicant.verification");
    some(Some(file.applicant.id_types.len()), "applicant.id_types");
    some(Some(file.applicant.unit_kinds.len()), "applicant.unit_kinds");
}

fn check_key(checks: &mut Checks<'_>, file: &ProgrammeFile) {
    let pin = file.key.initial_user_pin.expose();
    let ok = (6..=16).contains(&pin.len()) && pin.iter().all(u8::is_ascii_alphanumeric);
    checks.require(ok, "key.initial_user_pin", "it is no PIN", "use 6 to 16 digits or letters");
    for (index, profile) in file.key.profiles.iter().enumerate() {
        let ok = profile.split_once('/').is_some_and(|(vendor, model)| is_id(vendor) && is_id(model));
        let field = format!("key.profiles[{index}]");
        checks.require(
            ok,
            &field,
            "it is no profile",
            "write vendor/model as in firmware-profiles/, without .toml",
        );
    }
}

fn check_template(
    checks: &mut Checks<'_>,
    file: &TemplateFile,
    kind: CertificateKind,
    legal: bool,
) -> Template {
    let section = format!("certificate.{}", kind_word(kind));
    let commons = file.dn.iter().filter(|attribute| attribute.attribute == "CN").count();
    checks.require(
        commons == 1,
        &format!("{section}.dn"),
        format!("it has {commons} CN"),
        "a subject has exactly one CN",
    );
    let mut template = Template { dn: Vec::new(), extensions: Vec::new() };
    for (index, attribute) in file.dn.iter().enumerate() {
        let field = format!("{section}.dn[{index}]");
        let known = ATTRIBUTES.contains(&attribute.attribute.as_str());
        let what = format!("{:?} is no attribute this CA writes", attribute.attribute);
        checks.require(
            known,
            &format!("{field}.attribute"),
            what,
            format!("use one of {}", ATTRIBUTES.join(", ")),
        );
        if let Some(text) = check_text(checks, &format!("{field}.value"), &attribute.value, kind, legal) {
            template.dn.push((attribute.attribute.clone(), text));
        }
    }
    let mut oids = BTreeSet::new();
    for (index, extension) in file.extensions.iter().enumerate() {
        let field = format!("{section}.extensions[{index}]");
        let ok = is_private_oid(&extension.oid) && oids.insert(extension.oid.as_str());
        let what =
            format!("{:?} is no OID, stands here twice, or is one the CA writes itself", extension.oid);
        checks.require(ok, &format!("{field}.oid"), what, "write dotted numbers such as 1.2.156.10260.4.1.4");
        if let Some(text) = check_text(checks, &format!("{field}.value"), &extension.value, kind, legal) {
            template.extensions.push((extension.oid.clone(), text, extension.encoding));
        }
    }
    template
}

/// Standard extensions (2.5.29) are the CA's own: key usage is never a programme's choice.
fn is_private_oid(oid: &str) -> bool {
    let arcs: Vec<&str> = oid.split('.').collect();
    let number = |arc: &&str| {
        let plain = *arc == "0" || !arc.starts_with('0');
        (1..=10).contains(&arc.len()) && plain && arc.parse::<u32>().is_ok()
    };
    arcs.len() >= 4
        && arcs.len() <= 20
        && arcs.iter().all(number)
        && matches!(arcs[0], "1" | "2")
        && !oid.starts_with("2.5.29.")
}

fn check_text(
    checks: &mut Checks<'_>,
    field: &str,
    value: &str,
    kind: CertificateKind,
    legal: bool,
) -> Option<Text> {
    match Text::parse(value) {
        Ok(text) => {
            let given = text.fields().all(|field| field.is_given(kind, legal));
            checks.require(given, field, "it names a field that these orders do not have", "holder.* belongs to personal certificates; legal_representative.* needs applicant.legal_representative = true");
            Some(text)
        }
        Err(what) => {
            checks.require(false, field, what, format!("plain text and {}", Text::known()));
            None
        }
    }
}
