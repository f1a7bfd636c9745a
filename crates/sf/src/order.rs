//! What is asked of SF.

use serde::Serialize;

use crate::{Refusal, SfError};

/// A sender or a receiver. Lengths are in characters, as SF counts them.
#[derive(Clone, PartialEq, Eq)]
pub struct Contact {
    /// Up to 100 characters.
    pub name: String,
    /// Up to 100 characters.
    pub company: Option<String>,
    /// A mobile number or a landline, whole: SF needs it to ring. Up to 20 characters.
    pub phone: String,
    /// Such as 福建省; up to 30 characters.
    pub province: String,
    /// Such as 厦门市; up to 100 characters.
    pub city: String,
    /// Such as 集美区; up to 30 characters; empty where a city has none (东莞, 中山).
    pub county: String,
    /// The street part; up to 200 characters.
    pub address: String,
}

/// A person's name, phone and address do not belong in a log.
impl std::fmt::Debug for Contact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Contact({} {}, redacted)", self.province, self.city)
    }
}

/// One parcel, freight collect (到付).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateOrder {
    /// The idempotency key: our order number; up to 64 characters.
    pub order_id: String,
    /// What is in the parcel (托寄物); up to 128 characters.
    pub goods: String,
    /// How many of them; at least 1.
    pub quantity: u32,
    /// Who sends.
    pub sender: Contact,
    /// Who receives, and pays.
    pub receiver: Contact,
    /// For the courier; up to 100 characters.
    pub remark: Option<String>,
}

impl CreateOrder {
    /// Refuses what SF would refuse, under SF's own codes, before anything leaves the machine.
    pub(crate) fn check(&self) -> Result<(), SfError> {
        let fault = |code: &str, what: &str| Err(SfError::Input(Refusal::ours(code, what)));
        if self.order_id.is_empty() || length(&self.order_id) > 64 {
            return fault("6118", "orderId");
        }
        if self.goods.trim().is_empty() || length(&self.goods) > 128 || self.quantity == 0 {
            return fault("1023", "goods");
        }
        if self.remark.as_deref().is_some_and(|remark| length(remark) > 100) {
            return fault("remark", "remark");
        }
        check_contact(&self.sender, ["1010", "1011", "1012"], "sender")?;
        check_contact(&self.receiver, ["1014", "1015", "1016"], "receiver")
    }

    /// `msgData`, serialised once: the text that is signed is the text that is sent.
    pub(crate) fn msg_data(&self, express_type_id: u32) -> Result<String, serde_json::Error> {
        serde_json::to_string(&OrderData {
            language: "zh-CN",
            order_id: &self.order_id,
            cargo_details: [Cargo { name: &self.goods, count: self.quantity }],
            contact_info_list: [ContactData::new(1, &self.sender), ContactData::new(2, &self.receiver)],
            express_type_id,
            pay_method: 2,
            parcel_qty: 1,
            is_docall: 0,
            is_return_routelabel: 1,
            is_unified_waybill_no: 1,
            remark: self.remark.as_deref(),
        })
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

fn check_contact(contact: &Contact, [address, name, phone]: [&str; 3], who: &str) -> Result<(), SfError> {
    let fault = |code: &str, field: &str| Err(SfError::Input(Refusal::ours(code, &format!("{who}.{field}"))));
    let within = |text: &str, max: usize| !text.trim().is_empty() && length(text) <= max;
    if !within(&contact.name, 100) {
        return fault(name, "name");
    }
    if contact.company.as_deref().is_some_and(|company| length(company) > 100) {
        return fault(name, "company");
    }
    if !within(&contact.phone, 20) {
        return fault(phone, "phone");
    }
    let placed = within(&contact.province, 30) && within(&contact.city, 100) && length(&contact.county) <= 30;
    if !placed {
        return fault(address, "province, city or county");
    }
    if !within(&contact.address, 200) {
        return fault(address, "address");
    }
    Ok(())
}

/// `monthlyCard` is absent on purpose: it is for monthly settlement, and with payMethod 2 SF must not find one.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OrderData<'a> {
    language: &'static str,
    order_id: &'a str,
    cargo_details: [Cargo<'a>; 1],
    contact_info_list: [ContactData<'a>; 2],
    express_type_id: u32,
    pay_method: u8,
    parcel_qty: u8,
    is_docall: u8,
    // The documented spelling has a small l.
    is_return_routelabel: u8,
    is_unified_waybill_no: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    remark: Option<&'a str>,
}

#[derive(Serialize)]
struct Cargo<'a> {
    name: &'a str,
    count: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ContactData<'a> {
    contact_type: u8,
    contact: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    company: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mobile: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tel: Option<&'a str>,
    country: &'static str,
    province: &'a str,
    city: &'a str,
    county: &'a str,
    address: &'a str,
}

impl<'a> ContactData<'a> {
    fn new(contact_type: u8, contact: &'a Contact) -> Self {
        let is_mobile = model::check_mobile(&contact.phone).is_ok();
        Self {
            contact_type,
            contact: &contact.name,
            company: contact.company.as_deref().filter(|company| !company.is_empty()),
            mobile: is_mobile.then_some(contact.phone.as_str()),
            tel: (!is_mobile).then_some(contact.phone.as_str()),
            country: "CN",
            province: &contact.province,
            city: &contact.city,
            county: &contact.county,
            address: &contact.address,
        }
    }
}
