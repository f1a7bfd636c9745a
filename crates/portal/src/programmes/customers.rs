//! What a programme shows and asks its customers: pictures, agreements, messages, the home page, how long data is kept.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{
    check::{Checks, is_id},
    file::{Offer, PictureKind, ProgrammeFile},
};

/// Longest time data is kept, in days: certificates of ten years, and what the law asks after them.
const DAYS_MAX: u32 = 7_300;
const AGREEMENT_CHARS_MAX: usize = 20_000;
/// Each has a digit of the keyboard.
const REASONS_MAX: usize = 9;
/// A promise of more is none.
const WORKING_DAYS_MAX: u8 = 60;

/// A text that the customer must agree to before an order is taken.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Agreement {
    /// The id, unique in its programme.
    pub id: String,
    /// The title, without 《》.
    pub title: String,
    /// The version; it is kept with each order.
    pub version: String,
    /// The text; an empty line parts two paragraphs.
    pub text: String,
}

impl Agreement {
    /// The text's paragraphs.
    pub fn paragraphs(&self) -> impl Iterator<Item = &str> {
        self.text.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty())
    }
}

/// What reviewers are offered.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Review {
    /// Reasons of a refusal that come often, by the digit that chooses each. The customer reads them.
    pub reasons: Vec<String>,
}

/// The SMS service's templates and the name that stands before each message.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SmsTemplates {
    /// 短信签名.
    pub sign_name: String,
    /// Template of 审核通过.
    pub approved: String,
    /// Template of 审核拒绝.
    pub rejected: String,
    /// Template of 已发货.
    pub shipped: String,
}

/// The programme's home page (row S3.1).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Home {
    /// What a customer should know first, one sentence each.
    pub intro: Vec<String>,
    /// 更新.
    pub renewal: Offer,
    /// 解锁.
    pub unlock: Offer,
}

/// How many days personal data is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Retention {
    /// Pictures, after the order has ended.
    pub pictures_days: u32,
    /// Drafts, after they were last saved.
    pub drafts_days: u32,
    /// What orders say, after they have ended.
    pub contents_days: u32,
    /// Orders that wait for their customers (待支付, 审核拒绝); then they are cancelled.
    pub idle_days: u32,
}

pub(super) fn check(checks: &mut Checks<'_>, file: &ProgrammeFile) {
    check_pictures(checks, file);
    check_agreements(checks, &file.agreements);
    check_reasons(checks, &file.review.reasons);
    if let Some(days) = file.shipping.working_days {
        let what = format!("{days} is no number of days that customers are promised");
        let fix = format!("use 1 to {WORKING_DAYS_MAX}, or delete the line to promise none");
        checks.require((1..=WORKING_DAYS_MAX).contains(&days), "shipping.working_days", what, fix);
    }
    check_sms(checks, &file.sms);
    check_home(checks, &file.home);
    for (field, days) in [
        ("retention.pictures_days", file.retention.pictures_days),
        ("retention.drafts_days", file.retention.drafts_days),
        ("retention.contents_days", file.retention.contents_days),
        ("retention.idle_days", file.retention.idle_days),
        ("shipping.completed_after_days", file.shipping.completed_after_days),
    ] {
        let what = format!("{days} is no number of days to wait");
        checks.require((1..=DAYS_MAX).contains(&days), field, what, format!("use 1 to {DAYS_MAX}"));
    }
}

fn check_pictures(checks: &mut Checks<'_>, file: &ProgrammeFile) {
    let pictures = &file.pictures.required;
    let field = "pictures.required";
    let distinct: BTreeSet<PictureKind> = pictures.iter().copied().collect();
    checks.require(distinct.len() == pictures.len(), field, "a kind stands there twice", "name each once");
    checks.require(
        !pictures.contains(&PictureKind::Paper),
        field,
        "paper applications are scanned by operators",
        "delete \"paper\" from the list",
    );
    let legal = [PictureKind::LegalIdFront, PictureKind::LegalIdBack];
    checks.require(
        file.applicant.legal_representative || !pictures.iter().any(|kind| legal.contains(kind)),
        field,
        "it asks for the document of a legal representative, who is not asked for",
        "write applicant.legal_representative = true, or delete legal_id_front and legal_id_back",
    );
    checks.require(
        file.pictures.seal_sampling == pictures.contains(&PictureKind::SealSheet),
        "pictures.seal_sampling",
        "the sampling sheet is printed and not asked for, or asked for and not printed",
        "seal_sampling = true goes with \"seal_sheet\" in pictures.required",
    );
}

fn check_agreements(checks: &mut Checks<'_>, agreements: &[Agreement]) {
    let count = agreements.len();
    let what = format!("there are {count} agreements");
    checks.require((1..=10).contains(&count), "agreements", what, "write 1 to 10 sections [[agreements]]");
    let mut ids = BTreeSet::new();
    for (index, agreement) in agreements.iter().enumerate() {
        let at = |field: &str| format!("agreements[{index}].{field}");
        let ok = is_id(&agreement.id) && ids.insert(agreement.id.as_str());
        let fix = "use 1 to 48 characters out of a-z, 0-9 and -, another for each agreement";
        checks.require(ok, &at("id"), "it is not an id, or another agreement has it", fix);
        check_line(checks, &at("title"), &agreement.title);
        let version = &agreement.version;
        let ok = (1..=32).contains(&version.len()) && version.bytes().all(|b| b.is_ascii_graphic());
        checks.require(ok, &at("version"), "it is no version", "write up to 32 characters such as 2026-01");
        let chars = agreement.text.trim().chars().count();
        let what = format!("it has {chars} characters");
        let fix = format!("write the text that customers agree to, at most {AGREEMENT_CHARS_MAX} characters");
        checks.require((1..=AGREEMENT_CHARS_MAX).contains(&chars), &at("text"), what, fix);
    }
}

fn check_reasons(checks: &mut Checks<'_>, reasons: &[String]) {
    let count = reasons.len();
    let what = format!("there are {count} reasons");
    let fix = format!("write 1 to {REASONS_MAX}: a reviewer chooses each by a digit");
    checks.require((1..=REASONS_MAX).contains(&count), "review.reasons", what, fix);
    let mut seen = BTreeSet::new();
    for (index, reason) in reasons.iter().enumerate() {
        let field = format!("review.reasons[{index}]");
        check_line(checks, &field, reason);
        checks.require(seen.insert(reason), &field, "it stands there twice", "name each reason once");
    }
}

fn check_sms(checks: &mut Checks<'_>, sms: &SmsTemplates) {
    check_line(checks, "sms.sign_name", &sms.sign_name);
    for (field, code) in
        [("sms.approved", &sms.approved), ("sms.rejected", &sms.rejected), ("sms.shipped", &sms.shipped)]
    {
        let ok =
            (1..=32).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        checks.require(
            ok,
            field,
            "it is no template code",
            "copy the code from the SMS service, such as SMS_123456789",
        );
    }
}

fn check_home(checks: &mut Checks<'_>, home: &Home) {
    checks.require(home.intro.len() <= 20, "home.intro", "it has more than 20 lines", "shorten it");
    for (index, line) in home.intro.iter().enumerate() {
        let ok = !line.trim().is_empty() && line.chars().count() <= 300;
        let field = format!("home.intro[{index}]");
        checks.require(ok, &field, "it is empty or longer than 300 characters", "write one sentence a line");
    }
}

fn check_line(checks: &mut Checks<'_>, field: &str, text: &str) {
    let ok = !text.trim().is_empty() && text.chars().count() <= 64;
    checks.require(ok, field, "it is empty or longer than 64 characters", "write what customers shall read");
}
