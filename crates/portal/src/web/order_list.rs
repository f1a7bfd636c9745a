//! What lists of orders have in common, the operators' and the customer's: what is asked for, and a tab a state (row S3.12).

use model::OrderState;
use serde::Deserialize;

use super::lang::Lang;
use crate::{
    clock::china,
    orders::{COUNTED, Query, StateCount},
};

/// What is asked for, as it stands in the address.
#[derive(Default, Deserialize)]
pub(super) struct ListQuery {
    #[serde(default)]
    pub(super) state: String,
    #[serde(default)]
    pub(super) q: String,
    #[serde(default)]
    pub(super) from: String,
    #[serde(default)]
    pub(super) to: String,
    #[serde(default)]
    pub(super) page: String,
}

impl ListQuery {
    /// What is looked for, among the orders of `owner` alone if there is one, and what the page has to say about what was asked.
    pub(super) fn read(&self, lang: Lang, owner: Option<String>) -> (Query, &'static str) {
        let (from, to) = (midnight(&self.from, 0), midnight(&self.to, 1));
        let message = if from.is_err() || to.is_err() {
            lang.t("日期应为 yyyy-MM-dd，已忽略", "Dates are yyyy-MM-dd; what was given is ignored")
        } else {
            ""
        };
        let query = Query {
            owner,
            state: OrderState::from_code(&self.state),
            text: self.q.clone(),
            from_ms: from.unwrap_or_default(),
            until_ms: to.unwrap_or_default(),
            after: self.page.parse().ok(),
        };
        (query, message)
    }
}

/// A tab: a state, or all of them.
pub(super) struct Tab {
    pub(super) code: &'static str,
    pub(super) title: &'static str,
    pub(super) count: String,
    pub(super) lit: bool,
}

/// 全部, and every state in the manual's order.
pub(super) fn tabs(lang: Lang, counts: &[StateCount], lit: Option<OrderState>) -> Vec<Tab> {
    let orders: i64 = counts.iter().map(|one| one.orders).sum();
    let more = orders > COUNTED || counts.iter().any(|one| one.more);
    let all = Tab {
        code: "",
        title: lang.t("全部", "All"),
        count: count(orders.min(COUNTED), more),
        lit: lit.is_none(),
    };
    let tabs = counts.iter().map(|of| Tab {
        code: of.state.code(),
        title: lang.state(&of.state),
        count: count(of.orders, of.more),
        lit: lit == Some(of.state),
    });
    std::iter::once(all).chain(tabs).collect()
}

/// What was counted, with a sign where counting stopped.
fn count(orders: i64, more: bool) -> String {
    format!("{orders}{}", if more { "+" } else { "" })
}

/// Midnight in China at the begin of a day, `days` later. Empty = not asked for.
fn midnight(text: &str, days: i64) -> Result<Option<i64>, jiff::Error> {
    if text.is_empty() {
        return Ok(None);
    }
    let date: jiff::civil::Date = text.parse()?;
    let day = date.checked_add(jiff::Span::new().try_days(days)?)?;
    Ok(Some(day.to_zoned(china())?.timestamp().as_millisecond()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::midnight;

    #[test]
    fn a_day_begins_and_ends_in_china() {
        assert_eq!(midnight("1970-01-02", 0).unwrap(), Some(16 * 3_600_000));
        assert_eq!(midnight("1970-01-02", 1).unwrap(), Some(40 * 3_600_000));
        assert_eq!(midnight("", 1).unwrap(), None);
        assert!(midnight("2026-02-30", 0).is_err());
        assert!(midnight("9999-12-31", 1).is_err());
    }
}
