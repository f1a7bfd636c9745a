//! What operators see of personal data: masked, unless they ask with a reason, and then it is on record.

use model::OrderNumber;

use crate::{
    app::AppState,
    audit::{self, What},
    db::begin_write,
    orders::{self, Actor, Order, OrderError},
};

/// Why an operator looks; the words in the audit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The order is reviewed.
    #[default]
    Review,
    /// A customer complains or asks.
    Complaint,
    /// Somebody checks the reviewers.
    Audit,
}

impl Reason {
    /// Every reason, for a choice on a page.
    pub const ALL: [Self; 3] = [Self::Review, Self::Complaint, Self::Audit];

    /// The word in the audit and in addresses.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Review => "review",
            Self::Complaint => "complaint",
            Self::Audit => "audit",
        }
    }

    /// What operators read.
    #[must_use]
    pub fn zh(self) -> &'static str {
        match self {
            Self::Review => "审核订单",
            Self::Complaint => "处理投诉或咨询",
            Self::Audit => "内部检查",
        }
    }

    /// The same in English.
    #[must_use]
    pub fn en(self) -> &'static str {
        match self {
            Self::Review => "review",
            Self::Complaint => "complaint or question",
            Self::Audit => "internal check",
        }
    }
}

/// What an operator looks at; the words in the audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The order's page with whole numbers.
    Numbers,
    /// The authorization letter, filled in.
    Letter,
    /// The invoice's file.
    Invoice,
}

impl Shown {
    fn detail(self, reason: Reason) -> String {
        let paper = match self {
            Self::Numbers => "",
            Self::Letter => " paper=letter",
            Self::Invoice => " paper=invoice",
        };
        format!("reason={}{paper}", reason.code())
    }
}

/// The order with all that it says, for an operator who asks: the audit's row is written first.
///
/// # Errors
/// [`OrderError::Unknown`]; the database's.
pub async fn reveal(
    state: &AppState,
    number: &OrderNumber,
    operator: &str,
    reason: Reason,
    shown: Shown,
) -> Result<Order, OrderError> {
    let order = orders::known(state, number).await?;
    let mut tx = begin_write(&state.db).await?;
    let actor = Actor::Operator(operator.to_owned());
    let detail = shown.detail(reason);
    audit::record(&mut tx, state.clock.now_ms(), &actor, What::NumbersRevealed, number, &detail).await?;
    tx.commit().await?;
    Ok(order)
}

/// A document's number as pages show it: the first three and the last four, `110***********1234`; of a short one the last two alone.
#[must_use]
pub fn mask_id_number(text: &str) -> String {
    let count = text.chars().count();
    let (first, last) = if count >= 15 { (3, 4) } else { (0, 2) };
    masked(text, count, first, last)
}

/// A mobile as pages show it: `138****0000`.
#[must_use]
pub fn mask_mobile(text: &str) -> String {
    let count = text.chars().count();
    let (first, last) = if count >= 11 { (3, 4) } else { (0, 2) };
    masked(text, count, first, last)
}

fn masked(text: &str, count: usize, first: usize, last: usize) -> String {
    let shown = |at: usize| at < first || at + last >= count;
    text.chars().enumerate().map(|(at, c)| if shown(at) && count > last { c } else { '*' }).collect()
}

#[cfg(test)]
mod tests {
    use super::{mask_id_number, mask_mobile};

    #[test]
    fn numbers_are_masked_in_the_middle() {
        assert_eq!(mask_id_number("000000199001010019"), "000***********0019");
        assert_eq!(mask_id_number("E12345678"), "*******78");
        assert_eq!(mask_id_number("12"), "**");
        assert_eq!(mask_id_number(""), "");
        assert_eq!(mask_mobile("13800000000"), "138****0000");
    }
}
