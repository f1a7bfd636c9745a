//! Programmes as their files say, in words. The files are changed on the machine; a restart takes them.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use wire::CertificateKind;

use super::{Frame, not_found, page};
use crate::{
    app::AppState,
    programmes::{Product, Programme},
    web::{lang::Lang, session::Operator},
};

#[derive(Template)]
#[template(path = "programmes.html")]
struct ProgrammesPage<'a> {
    frame: Frame,
    programmes: Vec<&'a Programme>,
}

#[derive(Template)]
#[template(path = "programme.html")]
struct ProgrammePage<'a> {
    frame: Frame,
    programme: &'a Programme,
}

impl ProgrammePage<'_> {
    fn holder(&self, product: &Product) -> &'static str {
        let lang = self.frame.lang;
        match product.holder {
            CertificateKind::Unit => lang.t("单位证书", "unit"),
            CertificateKind::Personal => lang.t("个人证书", "personal"),
        }
    }

    fn years(&self, product: &Product) -> String {
        product.years.iter().map(ToString::to_string).collect::<Vec<_>>().join("、")
    }

    /// What an order is asked for, as words of the programme's lists.
    fn lines(&self) -> Vec<(&'static str, String)> {
        let (lang, programme) = (self.frame.lang, self.programme);
        let words = |words: Vec<&'static str>, none: &'static str| match words.is_empty() {
            true => none.to_owned(),
            false => words.join(lang.t("、", ", ")),
        };
        vec![
            (
                lang.t("支付方式", "Payment"),
                words(
                    programme.payment_methods.iter().map(|it| lang.t(it.zh(), it.en())).collect(),
                    lang.t("没有支付步骤", "no payment step"),
                ),
            ),
            (
                lang.t("认证类型", "Verification"),
                words(programme.verifications.iter().map(|it| lang.t(it.zh(), it.en())).collect(), ""),
            ),
            (
                lang.t("证件类型", "Documents"),
                words(programme.id_types.iter().map(|it| lang.t(it.zh(), it.en())).collect(), ""),
            ),
            (
                lang.t("单位类型", "Kinds of unit"),
                words(programme.unit_kinds.iter().map(|it| lang.t(it.zh(), it.en())).collect(), ""),
            ),
            (
                lang.t("法定代表人信息", "Legal representative"),
                lang.t(
                    if programme.legal_representative { "须填写" } else { "不收集" },
                    if programme.legal_representative { "asked for" } else { "not asked for" },
                )
                .to_owned(),
            ),
            (
                lang.t("须上传", "Pictures"),
                words(
                    programme.pictures.iter().map(|it| lang.t(it.zh(), it.en())).collect(),
                    lang.t("不须上传", "none"),
                ),
            ),
            (
                lang.t("发票", "Invoices"),
                words(
                    programme.invoice_kinds.iter().map(|it| lang.t(it.zh(), it.en())).collect(),
                    lang.t("不开具", "none"),
                ),
            ),
            (
                lang.t("钥匙型号", "Models of keys"),
                match programme.key_profiles.is_empty() {
                    true => lang.t("不限", "any").to_owned(),
                    false => programme.key_profiles.join(", "),
                },
            ),
        ]
    }

    /// What is sent, agreed to and kept.
    fn service(&self) -> Vec<(&'static str, String)> {
        let (lang, programme) = (self.frame.lang, self.programme);
        let (sms, kept) = (&programme.sms, &programme.retention);
        let agreements = programme.agreements.iter().map(|it| format!("《{}》{}", it.title, it.version));
        let days = |days: u32| format!("{days} {}", lang.t("天", "days"));
        vec![
            (lang.t("协议", "Agreements"), agreements.collect::<Vec<_>>().join(lang.t("、", ", "))),
            (
                lang.t("制证时限", "Made and sent within"),
                programme.working_days.map_or_else(
                    || lang.t("不承诺", "nothing is promised").to_owned(),
                    |days| format!("{days} {}", lang.t("个工作日", "working days")),
                ),
            ),
            (lang.t("拒绝原因", "Reasons of refusal"), programme.review.reasons.join(lang.t("；", "; "))),
            (lang.t("短信签名", "SMS sign name"), sms.sign_name.clone()),
            (lang.t("审核通过短信", "SMS of approval"), sms.approved.clone()),
            (lang.t("审核拒绝短信", "SMS of refusal"), sms.rejected.clone()),
            (lang.t("发货短信", "SMS of shipping"), sms.shipped.clone()),
            (lang.t("图片保留", "Pictures kept"), days(kept.pictures_days)),
            (lang.t("草稿保留", "Drafts kept"), days(kept.drafts_days)),
            (lang.t("订单内容保留", "Orders' contents kept"), days(kept.contents_days)),
            (lang.t("无人办理则取消", "Cancelled if nobody comes back"), days(kept.idle_days)),
            (
                lang.t("复核后自动完成", "Completed by itself, after the pack check"),
                days(programme.completed_after_days),
            ),
        ]
    }

    /// The certificates that it makes: a heading, and the lines of the subject.
    fn certificates(&self) -> Vec<(&'static str, Vec<(String, String)>)> {
        let lang = self.frame.lang;
        let kinds = [
            (CertificateKind::Unit, lang.t("单位证书主题", "Subject of unit certificates")),
            (CertificateKind::Personal, lang.t("个人证书主题", "Subject of personal certificates")),
        ];
        let lines = |(kind, title)| {
            let template = self.programme.template(kind)?;
            Some((title, template.lines().map(|(name, text)| (name.to_owned(), text)).collect()))
        };
        kinds.into_iter().filter_map(lines).collect()
    }
}

pub(in crate::web) async fn list(State(state): State<AppState>, operator: Operator, lang: Lang) -> Response {
    let frame = Frame::new(lang, &operator, "programmes");
    page(StatusCode::OK, &ProgrammesPage { frame, programmes: state.programmes.iter().collect() })
}

pub(in crate::web) async fn show(
    State(state): State<AppState>,
    operator: Operator,
    lang: Lang,
    Path(id): Path<String>,
) -> Response {
    match state.programmes.get(&id) {
        Some(programme) => {
            let frame = Frame::new(lang, &operator, "programmes");
            page(StatusCode::OK, &ProgrammePage { frame, programme })
        }
        None => not_found(lang).await,
    }
}
