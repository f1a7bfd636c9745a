//! Errors by who must act, and the remedy of each of SF's codes.

/// A call to SF that gave no waybill. The variant says who must act.
#[derive(Debug, thiserror::Error)]
pub enum SfError {
    /// Ours, at start: a setting that can never work.
    #[error("sf settings: {field} is not usable: {remedy}")]
    Settings {
        /// Which setting.
        field: &'static str,
        /// What to give.
        remedy: &'static str,
    },
    /// Nobody: nothing is wrong with the order. Call again later with the same order id, which is safe at any time.
    #[error(
        "SF gave no answer for order {order_id} yet ({cause}): 稍后用同一订单号重试 (try again later with the same order id)"
    )]
    Later {
        /// The order id to use again.
        order_id: String,
        /// What happened.
        cause: String,
    },
    /// An operator: the order's data must be corrected.
    #[error("SF refused the order's data: {0}")]
    Input(Refusal),
    /// Whoever keeps the contract and the settings: account, card, product, permission, signature, clock.
    #[error("SF refused by contract or settings: {0}")]
    Contract(Refusal),
    /// Nobody knows yet whether a waybill exists, and SF cannot be asked. Call again with the same order id and
    /// nothing else: a new id could send a second parcel.
    #[error(
        "whether SF has order {order_id} is not known ({cause}): 请勿换单号重下，稍后用同一订单号再查 (do not order under another id; ask again later with this one)"
    )]
    OutcomeUnknown {
        /// The order id to use again.
        order_id: String,
        /// What happened.
        cause: String,
    },
}

impl SfError {
    /// SF's code, where SF gave one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Input(refusal) | Self::Contract(refusal) => Some(&refusal.code),
            Self::Settings { .. } | Self::Later { .. } | Self::OutcomeUnknown { .. } => None,
        }
    }

    /// Whether the same call with the same order id is worth repeating without anybody's help.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Later { .. } | Self::OutcomeUnknown { .. })
    }
}

/// SF's refusal: its code, its words and the remedy in two languages.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code} {text}: {remedy_zh} ({remedy_en})")]
pub struct Refusal {
    /// SF's code, such as `8256`.
    pub code: String,
    /// SF's words, cut to 200 characters; or the name of the field, where the refusal is ours.
    pub text: String,
    /// What to do, in Chinese.
    pub remedy_zh: &'static str,
    /// What to do, in English.
    pub remedy_en: &'static str,
}

impl Refusal {
    /// A refusal made before the call, under the code SF would use.
    pub(crate) fn ours(code: &str, field: &str) -> Self {
        let (_, remedy_zh, remedy_en) = meaning(code);
        Self {
            code: code.to_owned(),
            text: format!("{field} 未填或过长 (empty or too long)"),
            remedy_zh,
            remedy_en,
        }
    }
}

/// What a refused call means for its caller.
pub(crate) enum Verdict {
    /// SF has this order id already: look it up.
    Exists,
    /// SF has no such order.
    Absent,
    /// The call may or may not have been carried out: look it up.
    InDoubt(String),
    /// It was not carried out.
    Refused(SfError),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Nobody,
    Doubt,
    Exists,
    Absent,
    Operator,
    Contract,
}

/// Sorts a code of the gateway (`A…`) or of the business layer. A code not in the table goes to the operator with SF's
/// words: it is never repeated by itself.
pub(crate) fn verdict(order_id: &str, code: &str, text: &str) -> Verdict {
    let (who, remedy_zh, remedy_en) = meaning(code);
    let text: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
    let code: String = code.chars().filter(|c| !c.is_control()).take(40).collect();
    let cause = format!("{code} {text}");
    let refusal = Refusal { code, text, remedy_zh, remedy_en };
    match who {
        Who::Nobody => Verdict::Refused(SfError::Later { order_id: order_id.to_owned(), cause }),
        Who::Doubt => Verdict::InDoubt(cause),
        Who::Exists => Verdict::Exists,
        Who::Absent => Verdict::Absent,
        Who::Operator => Verdict::Refused(SfError::Input(refusal)),
        Who::Contract => Verdict::Refused(SfError::Contract(refusal)),
    }
}

fn meaning(code: &str) -> (Who, &'static str, &'static str) {
    use Who::{Absent, Contract, Doubt, Exists, Nobody, Operator};
    match code {
        "A1001" => (
            Contract,
            "请求参数缺失或格式不符，请联系维护人员",
            "a parameter is missing or malformed: tell the maintainer",
        ),
        "A1002" => (Contract, "请校准本机时钟", "set this machine's clock"),
        "A1003" => {
            (Contract, "请在丰桥登记本机公网 IP", "register this machine's public address in SF's console")
        }
        "A1004" => (
            Contract,
            "请在丰桥为应用开通该接口",
            "enable this interface for the application in SF's console",
        ),
        "A1005" => (Nobody, "流量受控，稍后重试", "throttled: try later"),
        "A1006" => (
            Contract,
            "签名不符，请核对校验码与签名方式",
            "signature refused: compare checkword and sign_mode with SF's console",
        ),
        "A1007" => (Doubt, "重复请求，请等一分钟", "sent twice: wait a minute"),
        "A1008" => (
            Contract,
            "解密失败，请核对丰桥应用的加密设置",
            "decryption failed: compare the application's settings",
        ),
        "A1009" | "A1099" => (Doubt, "顺丰系统异常，稍后重试", "SF's system failed: try later"),
        "A1010" => (Contract, "请核对沙箱与生产环境", "compare sandbox and production in the settings"),
        "A1011" => (Contract, "令牌无效，请核对认证方式", "token refused: compare the way of authentication"),
        "8016" => (Exists, "订单号已存在", "the order id exists"),
        "6150" | "8018" | "8024" => (Absent, "顺丰没有此订单", "SF has no such order"),
        "1010" => (Operator, "请填写寄件地址", "give the sender's address"),
        "1011" => (Operator, "请填写寄件人", "give the sender's name"),
        "1012" => (Operator, "请填写寄件电话", "give the sender's phone"),
        "1014" => (Operator, "请填写收件地址", "give the receiver's address"),
        "1015" => (Operator, "请填写收件人", "give the receiver's name"),
        "1016" => (Operator, "请填写收件电话", "give the receiver's phone"),
        "1023" => (Operator, "请填写托寄物名称与数量", "name the goods and their number"),
        "6118" => (Operator, "请填写订单号，不超过 64 字", "give the order id, at most 64 characters"),
        "8057" => (Contract, "请核对快件产品类别", "compare express_type_id with the contract"),
        "8096" => (Operator, "不在收件时段，请改时间", "outside pick-up hours: choose another time"),
        "8196" => (Operator, "电话异常，请核对", "the phone number is not plausible: compare it"),
        "20004" | "20063" => (
            Operator,
            "地址不够详细，请补充到门牌",
            "the address is not detailed enough: add street and number",
        ),
        "20035" => (Operator, "托寄物名称含违禁词，请修改", "the goods' name is prohibited: change it"),
        "6126" | "8114" | "8119" | "8179" | "20052" => {
            (Contract, "请核对月结卡号与协议", "compare the monthly card and the agreement")
        }
        "8256" => (
            Contract,
            "该产品不支持到付，请更换产品类别",
            "this product cannot be sent freight collect: choose another express_type_id",
        ),
        "20036" => (
            Contract,
            "该产品不适用，请更换产品类别",
            "this product does not apply: choose another express_type_id",
        ),
        "8177" => (Contract, "高峰管控，请联系顺丰", "peak control: speak to SF"),
        "8247" => {
            (Contract, "沙箱运单号不能用于生产", "a sandbox waybill in production: compare the endpoint")
        }
        "remark" => (Operator, "请缩短备注", "shorten the remark"),
        "filterResult 3" => {
            (Operator, "该地址顺丰不派送，请更换收件地址", "SF does not deliver there: change the address")
        }
        _ => (Operator, "请按顺丰的说明处理", "do as SF's words say"),
    }
}
