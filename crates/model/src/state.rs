//! The states of an order (row S3.12) and which may follow which.

use serde::{Deserialize, Serialize};

/// An order's state, in the words of the manuals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// 填写中: a draft.
    Draft,
    /// 待支付.
    AwaitingPayment,
    /// 待审核.
    AwaitingReview,
    /// 审核拒绝: the customer may correct it.
    Rejected,
    /// 待制证: approved, keys to be made.
    AwaitingProduction,
    /// 待更新: renewal, waits for the customer's key.
    AwaitingRenewal,
    /// 待恢复: the encryption key is to be recovered.
    AwaitingRecovery,
    /// 待配送: keys made, parcel labelled.
    AwaitingDelivery,
    /// 已完成.
    Completed,
    /// 已退款.
    Refunded,
    /// 待下载: a certificate waits to be fetched.
    AwaitingDownload,
    /// 待解锁: an unlock waits for the customer's key.
    AwaitingUnlock,
    /// 已取消: by the customer, before anything was paid.
    Cancelled,
}

/// A change of state that the life of an order does not know.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("an order in state {} cannot become {}", .from.zh(), .to.zh())]
pub struct IllegalOrderState {
    /// Where the order stands.
    pub from: OrderState,
    /// What was asked for.
    pub to: OrderState,
}

impl OrderState {
    /// All states, in the order of the tabs on the page.
    pub const ALL: [Self; 13] = [
        Self::Draft,
        Self::AwaitingPayment,
        Self::AwaitingReview,
        Self::Rejected,
        Self::AwaitingProduction,
        Self::AwaitingRenewal,
        Self::AwaitingRecovery,
        Self::AwaitingDelivery,
        Self::Completed,
        Self::Refunded,
        Self::AwaitingDownload,
        Self::AwaitingUnlock,
        Self::Cancelled,
    ];

    /// The word on the page, in Chinese.
    #[must_use]
    pub fn zh(self) -> &'static str {
        match self {
            Self::Draft => "填写中",
            Self::AwaitingPayment => "待支付",
            Self::AwaitingReview => "待审核",
            Self::Rejected => "审核拒绝",
            Self::AwaitingProduction => "待制证",
            Self::AwaitingRenewal => "待更新",
            Self::AwaitingRecovery => "待恢复",
            Self::AwaitingDelivery => "待配送",
            Self::Completed => "已完成",
            Self::Refunded => "已退款",
            Self::AwaitingDownload => "待下载",
            Self::AwaitingUnlock => "待解锁",
            Self::Cancelled => "已取消",
        }
    }

    /// The word in files, databases and interfaces.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::AwaitingPayment => "awaiting_payment",
            Self::AwaitingReview => "awaiting_review",
            Self::Rejected => "rejected",
            Self::AwaitingProduction => "awaiting_production",
            Self::AwaitingRenewal => "awaiting_renewal",
            Self::AwaitingRecovery => "awaiting_recovery",
            Self::AwaitingDelivery => "awaiting_delivery",
            Self::Completed => "completed",
            Self::Refunded => "refunded",
            Self::AwaitingDownload => "awaiting_download",
            Self::AwaitingUnlock => "awaiting_unlock",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state with this code, if there is one.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }

    /// `to`, if an order in this state may become that.
    ///
    /// # Errors
    /// [`IllegalOrderState`] names both states.
    pub fn become_state(self, to: Self) -> Result<Self, IllegalOrderState> {
        use OrderState::*;
        let legal = match self {
            Draft => matches!(to, AwaitingPayment | AwaitingReview),
            AwaitingPayment => matches!(to, AwaitingReview | Refunded | Draft | Cancelled),
            AwaitingReview => {
                matches!(
                    to,
                    Rejected
                        | AwaitingProduction
                        | AwaitingRenewal
                        | AwaitingRecovery
                        | AwaitingUnlock
                        | Refunded
                        | Cancelled
                )
            }
            Rejected => matches!(to, AwaitingReview | AwaitingPayment | Refunded | Cancelled),
            AwaitingProduction => matches!(to, AwaitingDelivery | AwaitingDownload | Refunded),
            AwaitingRenewal | AwaitingRecovery | AwaitingUnlock | AwaitingDownload | AwaitingDelivery => {
                matches!(to, Completed | Refunded)
            }
            Completed => matches!(to, Refunded),
            Refunded | Cancelled => false,
        };
        if legal { Ok(to) } else { Err(IllegalOrderState { from: self, to }) }
    }
}

#[cfg(test)]
mod tests {
    use super::OrderState;

    #[test]
    fn s3_12_codes_are_unique_and_read_back() {
        for state in OrderState::ALL {
            assert_eq!(OrderState::from_code(state.code()), Some(state));
            let json = serde_json::to_string(&state).expect("a plain word");
            assert_eq!(json, format!("\"{}\"", state.code()));
        }
    }

    #[test]
    fn s1_13_a_rejected_order_goes_back_to_review_and_never_straight_to_production() {
        use OrderState::{AwaitingProduction, AwaitingReview, Rejected};
        assert_eq!(Rejected.become_state(AwaitingReview), Ok(AwaitingReview));
        assert!(Rejected.become_state(AwaitingProduction).is_err());
    }

    #[test]
    fn an_order_is_cancelled_before_production_or_not_at_all() {
        use OrderState::{AwaitingPayment, AwaitingReview, Cancelled, Rejected};
        for state in OrderState::ALL {
            let may = matches!(state, AwaitingPayment | AwaitingReview | Rejected);
            assert_eq!(state.become_state(Cancelled).is_ok(), may, "{}", state.zh());
            assert!(Cancelled.become_state(state).is_err(), "{}", state.zh());
        }
    }
}
