//! Errors by what may be done next.

/// A call that gave no good answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SmsError {
    /// Ours, at start: a setting that can never work.
    #[error("sms settings: {field} is not usable: {remedy}")]
    Settings {
        /// Which setting.
        field: &'static str,
        /// What to give.
        remedy: String,
    },
    /// The call did not leave this machine; it may be made again.
    #[error(
        "the SMS service cannot be reached ({0}): 稍后重试 (try again later; look at the network and at [sms] endpoint)"
    )]
    NotSent(String),
    /// The call may have been carried out. Ask [`Client::delivery`](crate::Client::delivery) before it is made again.
    #[error("whether the SMS was sent is not known ({0}): 先查询再重发 (ask for it before it is sent again)")]
    Unknown(String),
    /// The service refused; nothing was sent.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// The service's refusal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the SMS service refused: {code} {text}: {}", why.remedy())]
pub struct Refusal {
    /// The service's code, such as `isv.BUSINESS_LIMIT_CONTROL`.
    pub code: String,
    /// Its words, cut to 200 characters.
    pub text: String,
    /// What it means.
    pub why: Why,
}

/// What a refusal means for its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The number or the account got too many: wait.
    Limit,
    /// This message can never be sent: its number or its parameters.
    Message,
    /// Account, signature, sign name, template or balance: whoever keeps them.
    Account,
    /// The service is overloaded: again later.
    Busy,
}

impl Why {
    fn remedy(self) -> &'static str {
        match self {
            Self::Limit => "发送过多，请稍后再发 (too many messages: wait)",
            Self::Message => "号码或参数有误 (correct the number or the template's parameters)",
            Self::Account => {
                "请检查短信账户、签名、模板与余额 (look at account, key, sign name, template and balance)"
            }
            Self::Busy => "稍后重试 (try again later)",
        }
    }
}

/// What a code of the service means. `None`: it may have been carried out all the same.
pub(crate) fn why(code: &str) -> Option<Why> {
    match code {
        "isv.BUSINESS_LIMIT_CONTROL" | "isv.DAY_LIMIT_CONTROL" | "isv.MONTH_LIMIT_CONTROL" => {
            Some(Why::Limit)
        }
        "isv.MOBILE_NUMBER_ILLEGAL"
        | "isv.MOBILE_COUNT_OVER_LIMIT"
        | "isv.TEMPLATE_MISSING_PARAMETERS"
        | "isv.TEMPLATE_PARAMS_ILLEGAL"
        | "isv.INVALID_JSON_PARAM"
        | "isv.INVALID_PARAMETERS"
        | "isv.PARAM_LENGTH_LIMIT"
        | "isv.PARAM_NOT_SUPPORT_URL"
        | "isv.BLACK_KEY_CONTROL_LIMIT" => Some(Why::Message),
        "isp.SYSTEM_ERROR" | "ServiceUnavailable" | "InternalError" => None,
        _ if code.starts_with("Throttling") => Some(Why::Busy),
        // Account, key, signature, clock, sign name, template, balance: some forty codes, and every new one.
        _ => Some(Why::Account),
    }
}
