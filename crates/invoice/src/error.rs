//! Errors by who must act.

/// A call that gave no good answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvoiceError {
    /// Ours, at start: a setting that can never work.
    #[error("invoice settings: {field} is not usable: {remedy}")]
    Settings {
        /// Which setting.
        field: &'static str,
        /// What to give.
        remedy: String,
    },
    /// Nobody: the same call may be made again at any time.
    #[error("the invoice provider gave no answer yet ({0}): 稍后重试 (try again later)")]
    Later(String),
    /// The provider refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// The provider's refusal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the invoice provider refused: {code} {text}: {}", why.remedy())]
pub struct Refusal {
    /// The provider's code, such as `E9103`.
    pub code: String,
    /// Its words, cut to 200 characters.
    pub text: String,
    /// Who must act.
    pub why: Why,
}

/// Who must act on a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Whoever keeps app key, secret, token and tax number.
    Account,
    /// An operator: this invoice cannot be made as it is.
    Invoice,
}

impl Why {
    fn remedy(self) -> &'static str {
        match self {
            Self::Account => {
                "请检查开票应用、密钥、令牌与税号 (look at [invoice] in the config: app key, secret, token, tax number)"
            }
            Self::Invoice => {
                "请核对抬头、税号与金额后重新申请 (compare title, tax number and amount, then ask for it again)"
            }
        }
    }
}
