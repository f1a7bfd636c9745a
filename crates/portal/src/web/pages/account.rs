//! One's own account: the password, and the second factor.

use askama::Template;
use axum::{
    Form, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use model::Secret;
use serde::Deserialize;

use super::{Frame, login::secret, page, trouble};
use crate::{
    app::AppState,
    config::SecondFactor,
    operators::{self, OperatorError},
    web::{address::Address, answer::operator_status, lang::Lang, session::Operator},
};

pub(in crate::web) fn routes() -> Router<AppState> {
    Router::new()
        .route("/account", get(account))
        .route("/account/password", post(password))
        .route("/account/second-factor", post(second_factor))
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    frame: Frame,
    roles: Vec<&'static str>,
    /// The QR code and the letters to type, while the second factor is being set up.
    enrolment: Option<(String, String)>,
    required: bool,
    /// Whether another made the password: it is changed before a second factor is shown.
    given: bool,
    message: String,
}

async fn account(State(state): State<AppState>, operator: Operator, lang: Lang) -> Response {
    show(&state, &operator, lang, None).await
}

async fn show(state: &AppState, operator: &Operator, lang: Lang, refused: Option<OperatorError>) -> Response {
    let account = async {
        let given = operators::has_given_password(state, &operator.name).await?;
        let enrolment = if given { None } else { operators::enrolment(state, &operator.name).await? };
        Ok::<_, OperatorError>((given, enrolment))
    };
    let (given, enrolment) = match account.await {
        Ok(account) => account,
        Err(error) => return trouble(lang, error.into()),
    };
    let title = lang.t("二维码", "QR code");
    let enrolment = enrolment.map(|it| (crate::qr::svg(&it.url, title).unwrap_or_default(), it.secret));
    let status = refused.as_ref().map_or(StatusCode::OK, operator_status);
    let account = AccountPage {
        frame: Frame::new(lang, operator, "account"),
        roles: operator.roles.iter().map(|role| lang.role(role)).collect(),
        enrolment,
        given,
        required: state.config.operators.second_factor == SecondFactor::Required,
        message: refused.map(|error| error.to_string()).unwrap_or_default(),
    };
    page(status, &account)
}

#[derive(Deserialize)]
struct CodeForm {
    code: String,
}

async fn second_factor(
    State(state): State<AppState>,
    operator: Operator,
    lang: Lang,
    Address(address): Address,
    Form(form): Form<CodeForm>,
) -> Response {
    match operators::confirm_second_factor(&state, &operator.name, &operator.session, &form.code, &address)
        .await
    {
        Ok(()) => Redirect::to("/account").into_response(),
        Err(error) => show(&state, &operator, lang, Some(error)).await,
    }
}

/// No `Debug`: it holds passwords.
#[derive(Deserialize)]
struct PasswordForm {
    #[serde(deserialize_with = "secret")]
    old: Secret,
    #[serde(deserialize_with = "secret")]
    new: Secret,
}

async fn password(
    State(state): State<AppState>,
    operator: Operator,
    lang: Lang,
    Address(address): Address,
    Form(form): Form<PasswordForm>,
) -> Response {
    match operators::change_password(&state, &operator.name, form.old, form.new, &address).await {
        Ok(()) => Redirect::to("/login").into_response(),
        Err(error) => show(&state, &operator, lang, Some(error)).await,
    }
}
