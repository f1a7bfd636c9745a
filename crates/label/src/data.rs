//! What stands on a label, and what must not.

use crate::LabelError;

/// How the freight is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Payment {
    /// 到付: the receiver pays the freight.
    Collect,
}

impl Payment {
    /// The words in the label's cell.
    #[must_use]
    pub fn zh(self) -> &'static str {
        match self {
            Self::Collect => "到付",
        }
    }
}

/// Sender or receiver, as printed. Runs of white space count as one space.
#[derive(Clone, PartialEq, Eq)]
pub struct Party {
    /// The name, masked or not as the caller decides (see [`mask_name`]).
    pub name: String,
    /// The masked phone number.
    pub phone: String,
    /// The company, where there is one.
    pub company: Option<String>,
    /// The whole address, province first.
    pub address: String,
}

impl Party {
    fn texts(&self, names: [&'static str; 4]) -> impl Iterator<Item = (&'static str, &str)> {
        let company = self.company.as_deref().unwrap_or_default();
        names.into_iter().zip([self.name.as_str(), &self.phone, company, &self.address])
    }
}

/// Names and addresses do not belong in a log.
impl std::fmt::Debug for Party {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Party(redacted)")
    }
}

/// One label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelData {
    /// Our order number; printable ASCII, up to 64 characters.
    pub order_number: String,
    /// SF's number: 10 to 20 capitals and digits.
    pub waybill: String,
    /// The largest line, as SF gave it.
    pub dest_route_label: String,
    /// The inbound code, as SF gave it; may be empty.
    pub coding_mapping: String,
    /// The product, as SF gave it; may be empty.
    pub product: String,
    /// The QR code's text, as SF gave it.
    pub two_dimension_code: String,
    /// Who pays the freight.
    pub payment: Payment,
    /// Who receives.
    pub receiver: Party,
    /// Who sends.
    pub sender: Party,
    /// What is in the parcel (托寄物); cut with … where too long.
    pub goods: String,
    /// How many of them.
    pub quantity: u32,
    /// The serials of the keys in the parcel; those that do not fit are counted.
    pub key_serials: Vec<String>,
    /// When this is printed, `YYYY-MM-DD HH:mm:ss`; this crate has no clock.
    pub printed_at: String,
    /// The how-manieth print, from 1.
    pub print_count: u32,
}

impl LabelData {
    /// Refuses empty or malformed fields and any phone number that is not masked.
    pub(crate) fn check(&self) -> Result<(), LabelError> {
        let rule = |field, ok: bool, rule| if ok { Ok(()) } else { Err(LabelError::Field { field, rule }) };
        rule("waybill", is_waybill(&self.waybill), "it has 10 to 20 capitals and digits")?;
        let order = &self.order_number;
        let is_order = (1..=64).contains(&order.len()) && order.bytes().all(|b| b.is_ascii_graphic());
        rule("order_number", is_order, "it has 1 to 64 printable ASCII characters")?;
        let serials = self.key_serials.iter();
        let are_serials = serials
            .clone()
            .all(|s| (1..=64).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_graphic() || b == b' '));
        rule("key_serials", are_serials, "each has 1 to 64 printable ASCII characters")?;
        rule("quantity", self.quantity > 0, "it is at least 1")?;
        rule("print_count", self.print_count > 0, "the first print is 1")?;
        let belongs = self.two_dimension_code.contains(&self.waybill);
        rule("two_dimension_code", belongs, "it carries the number of the same waybill")?;
        let not_empty = [
            ("dest_route_label", &self.dest_route_label),
            ("receiver.name", &self.receiver.name),
            ("receiver.phone", &self.receiver.phone),
            ("receiver.address", &self.receiver.address),
            ("sender.name", &self.sender.name),
            ("sender.phone", &self.sender.phone),
            ("sender.address", &self.sender.address),
            ("goods", &self.goods),
            ("printed_at", &self.printed_at),
        ];
        for (field, text) in not_empty {
            rule(field, !text.trim().is_empty(), "it must not be empty")?;
        }
        for (field, text) in self.personal() {
            let shown = if field.ends_with("phone") { longest_number(text) > 6 } else { shows_mobile(text) };
            if shown {
                return Err(LabelError::Unmasked { field });
            }
        }
        Ok(())
    }

    /// The fields in which a phone number could stand, by mistake or not.
    fn personal(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.receiver
            .texts(["receiver.name", "receiver.phone", "receiver.company", "receiver.address"])
            .chain(self.sender.texts(["sender.name", "sender.phone", "sender.company", "sender.address"]))
            .chain([("goods", self.goods.as_str())])
    }
}

/// Whether this is a waybill number; it is then fit for a file name too.
pub(crate) fn is_waybill(text: &str) -> bool {
    (10..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// Digits as people type them: plain or full-width.
fn digit(c: char) -> Option<u32> {
    c.to_digit(10).or_else(|| u32::from(c).checked_sub(0xFF10).filter(|&value| value < 10))
}

/// The longest number in a phone field; what only separates digits does not end it.
fn longest_number(text: &str) -> usize {
    let (mut longest, mut run) = (0, 0);
    for c in text.chars() {
        if digit(c).is_some() {
            run += 1;
            longest = longest.max(run);
        } else if !(c.is_whitespace() || "-+()（）－—.".contains(c)) {
            run = 0;
        }
    }
    longest
}

/// Whether a text holds the eleven digits of a mobile number, alone or after 86.
fn shows_mobile(text: &str) -> bool {
    let mut number = Vec::new();
    let mut found = false;
    let mut end = |number: &mut Vec<u32>| {
        let digits = number.strip_prefix(&[8, 6]).filter(|rest| rest.len() == 11).unwrap_or(number);
        found |= digits.len() == 11 && digits[0] == 1 && digits[1] >= 3;
        number.clear();
    };
    for c in text.chars() {
        match digit(c) {
            Some(value) => number.push(value),
            None if c == ' ' || c == '-' => {}
            None => end(&mut number),
        }
    }
    end(&mut number);
    found
}

/// A name as SF's own labels mask it: one character stays, of two the last is hidden, of more the middle ones' third place:
/// 王 → 王, 王甲 → 王*, 王甲乙 → 王*乙, 王甲乙丙 → 王甲*.
#[must_use]
pub fn mask_name(name: &str) -> String {
    let characters: Vec<char> = name.trim().chars().collect();
    match characters.as_slice() {
        [] => String::new(),
        [only] => only.to_string(),
        [first, _] => format!("{first}*"),
        [first, _, last] => format!("{first}*{last}"),
        [first, second, ..] => format!("{first}{second}*"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_however_they_are_written() {
        assert_eq!(longest_number("138****0000"), 4);
        assert_eq!(longest_number("1*0000"), 4);
        for whole in
            ["13800000000", "138 0000 0000", "+86 138-0000-0000", "１３８００００００００", "0592-0000000"]
        {
            assert!(longest_number(whole) > 6, "{whole}");
        }
        for shown in ["厦门13800000000收", "电话138 0000 0000", "8613800000000", "１３８００００００００"]
        {
            assert!(shows_mobile(shown), "{shown}");
        }
        for other in ["361000", "邮编361000", "SF7444471039325", "138****0000", "91000000MA00000017"] {
            assert!(!shows_mobile(other), "{other}");
        }
    }

    #[test]
    fn names_are_masked_as_sf_does() {
        let masked = ["王", "王甲", "王甲乙", "王甲乙丙", "阿·甲乙丙丁"].map(mask_name);
        assert_eq!(masked, ["王", "王*", "王*乙", "王甲*", "阿·*"]);
    }
}
