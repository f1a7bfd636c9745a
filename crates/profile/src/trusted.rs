//! The trusted form: what the rest of the station may rely on. Only `validate()` makes one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::dialect::Dialect;

/// Where a value comes from, for diagnostics and honesty.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Source {
    /// The dotted name of the field, such as `dialect.pin-digest`.
    pub field: String,
    /// Who says so; `None` = confirmed by no source, to be measured on a real key.
    pub from: Option<String>,
}

/// How the key is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// A CCID reader known to pcscd.
    Pcsc,
    /// HID reports (`12 len16` wrapper); recognised, not yet driven.
    UsbHid,
    /// SCSI over USB mass storage; recognised, not yet driven.
    UsbMassStorage,
}

/// How the key is recognised: each given part must fit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Match {
    /// The whole ATR.
    pub atr: Option<Vec<u8>>,
    /// USB vendor and product.
    pub usb: Option<(u16, u16)>,
    /// Manufacturer in the device info reply (INS 04), trimmed.
    pub manufacturer: Option<String>,
    /// Label in the device info reply starts with this.
    pub label_prefix: Option<String>,
    /// Serial in the device info reply starts with this.
    pub serial_prefix: Option<String>,
}

/// What the key can hold and take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Largest command data in bytes.
    pub max_command_data: u16,
    /// Largest certificate in bytes.
    pub max_certificate: u16,
    /// How many applications the key takes.
    pub max_applications: u8,
    /// How many containers an application takes.
    pub max_containers: u8,
}

/// Names written on the key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Names {
    /// The application.
    pub application: String,
    /// The container.
    pub container: String,
    /// The device label (INS 02), at most 31 bytes.
    pub label: String,
}

/// PIN lengths and retry counts, set when the application is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PinPolicy {
    /// Shortest PIN in bytes.
    pub min_len: u8,
    /// Longest PIN in bytes (16 at most).
    pub max_len: u8,
    /// Admin PIN tries.
    pub admin_tries: u8,
    /// User PIN tries.
    pub user_tries: u8,
}

/// Labels of secrets in the vault; never their values.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Secrets {
    /// Label of the maker's factory device authentication key.
    pub factory_device_key: String,
}

/// What may be done with a step whose intent has no receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Redo {
    /// Safe to do again.
    Repeat,
    /// Read the key, then decide.
    Inspect,
    /// Staff decide.
    Ask,
}

/// The steps of a job, in the only order in which they may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepKind {
    /// Device authentication key: factory value out, derived value in (INS 10, 12).
    ChangeDeviceKey,
    /// Application with admin PIN, user PIN and retry counts (INS 20).
    CreateApplication,
    /// Container (INS 40).
    CreateContainer,
    /// SM2 signing key pair on the key (INS 70).
    GenerateKeyPair,
    /// PKCS#10 signed on the key, both certificates fetched.
    RequestCertificates,
    /// Signing certificate in (INS 4C).
    ImportSignCertificate,
    /// Encryption key pair in, as an envelope (INS 72).
    ImportEncryptionKeyPair,
    /// Encryption certificate in (INS 4C).
    ImportEncryptionCertificate,
    /// Device label (INS 02).
    SetLabel,
    /// Read-back and proof (row P7).
    Verify,
}

impl StepKind {
    /// All kinds, in order.
    pub const ALL: [Self; 10] = [
        Self::ChangeDeviceKey,
        Self::CreateApplication,
        Self::CreateContainer,
        Self::GenerateKeyPair,
        Self::RequestCertificates,
        Self::ImportSignCertificate,
        Self::ImportEncryptionKeyPair,
        Self::ImportEncryptionCertificate,
        Self::SetLabel,
        Self::Verify,
    ];

    /// Whether the key cannot be brought back to where it was: such a step is never repeated blindly.
    #[must_use]
    pub fn is_irreversible(self) -> bool {
        matches!(self, Self::ChangeDeviceKey | Self::CreateApplication | Self::GenerateKeyPair)
    }

    /// The name in a profile.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ChangeDeviceKey => "change-device-key",
            Self::CreateApplication => "create-application",
            Self::CreateContainer => "create-container",
            Self::GenerateKeyPair => "generate-key-pair",
            Self::RequestCertificates => "request-certificates",
            Self::ImportSignCertificate => "import-sign-certificate",
            Self::ImportEncryptionKeyPair => "import-encryption-key-pair",
            Self::ImportEncryptionCertificate => "import-encryption-certificate",
            Self::SetLabel => "set-label",
            Self::Verify => "verify",
        }
    }

    /// The words on the bench screen.
    #[must_use]
    pub fn zh(self) -> &'static str {
        match self {
            Self::ChangeDeviceKey => "更换设备认证密钥",
            Self::CreateApplication => "创建应用",
            Self::CreateContainer => "创建容器",
            Self::GenerateKeyPair => "生成签名密钥对",
            Self::RequestCertificates => "申请证书",
            Self::ImportSignCertificate => "写入签名证书",
            Self::ImportEncryptionKeyPair => "导入加密密钥对",
            Self::ImportEncryptionCertificate => "写入加密证书",
            Self::SetLabel => "写入标签",
            Self::Verify => "回读校验",
        }
    }
}

/// One step of the profile's plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// What is done.
    pub kind: StepKind,
    /// What may be done when it is in doubt.
    pub redo: Redo,
    /// Time budget of the step.
    pub budget: Duration,
}

/// One key model, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Profile {
    /// `vendor/model`, the path under `firmware-profiles/` without `.toml`.
    pub name: String,
    /// The maker, first part of [`model::KeyId`].
    pub maker: String,
    /// The model, second part of [`model::KeyId`].
    pub model: String,
    /// One line for people, Chinese.
    pub title: String,
    /// SHA-256-sized SM3 digest of the file, hex: goes into every journal record.
    pub digest: String,
    /// Transport.
    pub transport: Transport,
    /// Recognition.
    pub matching: Match,
    /// Dialect.
    pub dialect: Dialect,
    /// Limits.
    pub limits: Limits,
    /// Names.
    pub names: Names,
    /// PINs.
    pub pins: PinPolicy,
    /// Secret labels.
    pub secrets: Secrets,
    /// Budget of a whole job.
    pub job_budget: Duration,
    /// The plan.
    pub steps: Vec<Step>,
    /// Where each dialect value comes from.
    pub sources: Vec<Source>,
}
