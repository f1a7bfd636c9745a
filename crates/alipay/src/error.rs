//! Errors, by what may have happened to the money.

/// Why a call gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AlipayError {
    /// A setting that cannot work.
    #[error("the setting {field} of Alipay cannot work: {remedy}")]
    Settings {
        /// Which.
        field: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// Nothing was done: the request did not leave, or Alipay was busy. The same call again is right.
    #[error("支付宝暂时不可用，请稍后重试 (Alipay is not available, try again later): {0}")]
    Later(String),
    /// It may have been done: the answer was lost or could not be trusted. The same call again is right: each is idempotent.
    #[error("支付宝未给出可信的答复，请稍后重试 (no answer of Alipay that can be trusted; try again): {0}")]
    InDoubt(String),
    /// Alipay refused; nothing was done.
    #[error("支付宝拒绝了请求 (Alipay refused): {code} {text}")]
    Refused {
        /// The sub code, such as `ACQ.TRADE_HAS_SUCCESS`.
        code: String,
        /// Alipay's words.
        text: String,
    },
}

impl From<call::CallError> for AlipayError {
    fn from(error: call::CallError) -> Self {
        match error {
            call::CallError::NotSent(cause) => Self::Later(cause),
            call::CallError::Lost(cause) => Self::InDoubt(cause),
        }
    }
}

impl AlipayError {
    /// Whether Alipay refused with this sub code.
    #[must_use]
    pub fn is_refusal(&self, sub_code: &str) -> bool {
        matches!(self, Self::Refused { code, .. } if code == sub_code)
    }

    /// Whether the same call may succeed later without anybody doing anything.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Later(_) | Self::InDoubt(_) => true,
            Self::Settings { .. } => false,
            Self::Refused { code, .. } => {
                matches!(
                    code.as_str(),
                    "ACQ.SYSTEM_ERROR" | "ACQ.SELLER_BALANCE_NOT_ENOUGH" | "aop.ACQ.SYSTEM_ERROR"
                )
            }
        }
    }
}
