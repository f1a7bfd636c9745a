//! The file form of a programme and the words it may use.

use model::Secret;
use serde::{Deserialize, Serialize};
use wire::CertificateKind;

use super::customers::{Agreement, Home, Retention, Review, SmsTemplates};

/// A closed list of words: the code in files and interfaces, and the word on the page.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $code:literal, $zh:literal, $en:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $code)] $variant,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word in files and interfaces.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The word on the page, in Chinese.
            #[must_use]
            pub fn zh(self) -> &'static str {
                match self { $(Self::$variant => $zh,)+ }
            }

            /// The word on the page, in English.
            #[must_use]
            pub fn en(self) -> &'static str {
                match self { $(Self::$variant => $en,)+ }
            }
        }
    };
}

words! {
    /// How a customer pays.
    PaymentMethod {
        /// 支付宝.
        Alipay = "alipay", "支付宝", "Alipay";
        /// 微信支付.
        Wechat = "wechat", "微信支付", "WeChat Pay";
        /// 线下转账.
        Transfer = "transfer", "线下转账", "bank transfer";
    }
}

words! {
    /// 认证类型: how the applicant's data is verified.
    Verification {
        /// 基本信息认证.
        Basic = "basic", "基本信息认证", "basic data";
    }
}

words! {
    /// Identity documents.
    IdType {
        /// 居民身份证.
        IdCard = "id_card", "身份证", "identity card";
        /// 护照.
        Passport = "passport", "护照", "passport";
        /// 港澳居民来往内地通行证.
        HkMacaoPermit = "hk_macao_permit", "港澳居民来往内地通行证", "Hong Kong and Macao permit";
        /// 台湾居民来往大陆通行证.
        TaiwanPermit = "taiwan_permit", "台湾居民来往大陆通行证", "Taiwan permit";
    }
}

words! {
    /// Kinds of unit (row S1.3).
    UnitKind {
        /// 企业.
        Enterprise = "enterprise", "企业", "enterprise";
        /// 个体工商户.
        SelfEmployed = "self_employed", "个体工商户", "self-employed household";
        /// 政府机构/事业单位.
        Institution = "institution", "政府机构/事业单位", "public institution";
    }
}

words! {
    /// Kinds of invoice.
    InvoiceKind {
        /// 增值税电子普通发票.
        General = "general", "增值税普通发票（电子）", "general VAT invoice (electronic)";
        /// 增值税电子专用发票.
        Special = "special", "增值税专用发票（电子）", "special VAT invoice (electronic)";
    }
}

words! {
    /// How an invoice reaches the customer.
    InvoiceDelivery {
        /// 在我的订单下载.
        Download = "download", "在“我的订单”下载", "download under My orders";
        /// 寄到经办人邮箱.
        Mail = "mail", "发送到经办人邮箱", "sent to the handler's mail address";
    }
}

words! {
    /// What a picture shows.
    PictureKind {
        /// 经办人身份证人像面.
        IdFront = "id_front", "经办人身份证人像面", "handler's id card, front";
        /// 经办人身份证国徽面.
        IdBack = "id_back", "经办人身份证国徽面", "handler's id card, back";
        /// 法定代表人身份证人像面.
        LegalIdFront = "legal_id_front", "法定代表人身份证人像面", "legal representative's id card, front";
        /// 法定代表人身份证国徽面.
        LegalIdBack = "legal_id_back", "法定代表人身份证国徽面", "legal representative's id card, back";
        /// 营业执照.
        Licence = "licence", "营业执照", "business licence";
        /// 盖章授权书.
        Letter = "letter", "盖章授权书", "stamped authorization letter";
        /// 电子签章采样表.
        SealSheet = "seal_sheet", "电子签章采样表", "seal sampling sheet";
        /// 纸质申请表, scanned by an operator.
        Paper = "paper", "纸质申请表", "paper application";
    }
}

words! {
    /// Whether a programme's home page offers a service.
    Offer {
        /// Not at all.
        None = "none", "不提供", "not offered";
        /// 即将开放.
        Coming = "coming", "即将开放", "coming soon";
    }
}

words! {
    /// Who carries parcels.
    Carrier {
        /// 顺丰.
        Sf = "sf", "顺丰速运", "SF Express";
    }
}

words! {
    /// Who pays the carrier.
    Payer {
        /// 到付.
        Collect = "collect", "到付", "freight collect";
    }
}

words! {
    /// How an extension's value is written inside its OCTET STRING. Readers in the field differ, so it is data.
    Encoding {
        /// A UTF8String.
        Utf8 = "utf8", "UTF8String", "UTF8String";
        /// A PrintableString.
        Printable = "printable", "PrintableString", "PrintableString";
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProgrammeFile {
    pub title: String,
    pub platform: String,
    pub products: Vec<ProductFile>,
    #[serde(default)]
    pub payment: Option<PaymentFile>,
    pub applicant: ApplicantFile,
    pub pictures: PicturesFile,
    pub agreements: Vec<Agreement>,
    #[serde(default)]
    pub invoice: Option<InvoiceFile>,
    pub review: Review,
    pub shipping: ShippingFile,
    pub key: KeyFile,
    pub certificate: CertificatesFile,
    pub sms: SmsTemplates,
    pub home: Home,
    pub retention: Retention,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProductFile {
    pub id: String,
    pub title: String,
    pub holder: CertificateKind,
    pub years: Vec<u8>,
    #[serde(default)]
    pub price_fen_per_year: u64,
    pub quantity: QuantityFile,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct QuantityFile {
    pub min: u16,
    pub max: u16,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PaymentFile {
    pub methods: Vec<PaymentMethod>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ApplicantFile {
    pub verification: Vec<Verification>,
    pub id_types: Vec<IdType>,
    pub unit_kinds: Vec<UnitKind>,
    pub legal_representative: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InvoiceFile {
    pub kinds: Vec<InvoiceKind>,
    pub delivery: InvoiceDelivery,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PicturesFile {
    pub required: Vec<PictureKind>,
    pub seal_sampling: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ShippingFile {
    pub carrier: Carrier,
    pub payer: Payer,
    pub completed_after_days: u32,
    #[serde(default)]
    pub working_days: Option<u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyFile {
    #[serde(deserialize_with = "secret")]
    pub initial_user_pin: Secret,
    #[serde(default)]
    pub profiles: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CertificatesFile {
    #[serde(default)]
    pub unit: Option<TemplateFile>,
    #[serde(default)]
    pub personal: Option<TemplateFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TemplateFile {
    pub dn: Vec<AttributeFile>,
    #[serde(default)]
    pub extensions: Vec<ExtensionFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AttributeFile {
    pub attribute: String,
    pub value: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExtensionFile {
    pub oid: String,
    pub value: String,
    pub encoding: Encoding,
}

fn secret<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(|text| Secret::new(text.into_bytes()))
}
