//! The file form: what a profile says, before anybody believes it. Every struct refuses fields it does not know.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{
    dialect::Dialect,
    trusted::{Redo, StepKind, Transport},
};

/// One file under `firmware-profiles/<vendor>/`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ProfileFile {
    pub maker: String,
    pub model: String,
    pub title: String,
    pub transport: Transport,
    pub job_budget_seconds: u32,
    #[serde(rename = "match")]
    pub matching: MatchFile,
    pub dialect: Dialect,
    pub limits: LimitsFile,
    pub names: NamesFile,
    pub pins: PinsFile,
    pub secrets: SecretsFile,
    pub steps: Vec<StepFile>,
    pub sources: BTreeMap<String, String>,
}

/// `[match]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct MatchFile {
    pub atr: Option<String>,
    pub usb: Option<String>,
    pub manufacturer: Option<String>,
    pub label_prefix: Option<String>,
    pub serial_prefix: Option<String>,
}

/// `[limits]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct LimitsFile {
    pub max_command_data: u16,
    pub max_certificate: u16,
    pub max_applications: u8,
    pub max_containers: u8,
}

/// `[names]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct NamesFile {
    pub application: String,
    pub container: String,
    pub label: String,
}

/// `[pins]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct PinsFile {
    pub min_len: u8,
    pub max_len: u8,
    pub admin_tries: u8,
    pub user_tries: u8,
}

/// `[secrets]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct SecretsFile {
    pub factory_device_key: String,
}

/// One `[[steps]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct StepFile {
    pub kind: StepKind,
    pub redo: Redo,
    pub budget_ms: u32,
}

/// Bytes written as hex digits, with or without spaces.
pub(crate) fn hex_bytes(text: &str) -> Option<Vec<u8>> {
    hex::decode(text.split_whitespace().collect::<String>()).ok()
}

/// `vvvv:pppp`, four hex digits each.
pub(crate) fn usb_id(text: &str) -> Option<(u16, u16)> {
    let (vendor, product) = text.split_once(':')?;
    let number = |part: &str| {
        let legal = part.len() == 4 && part.bytes().all(|b| b.is_ascii_hexdigit());
        if legal { u16::from_str_radix(part, 16).ok() } else { None }
    };
    Some((number(vendor)?, number(product)?))
}
