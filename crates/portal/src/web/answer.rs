//! Errors as the API tells them: a status, and `{"errors":[{"field","message"}]}`.

use axum::{
    Json,
    extract::rejection::JsonRejection,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{
    operators::{OperatorError, Role, role_codes},
    orders::{FieldError, OrderError},
    payments::PaymentError,
};

/// Why a request was not done.
pub(super) enum ApiError {
    /// No session, or one that ended.
    LoggedOut,
    /// None of the operator's roles opens this; these would.
    Forbidden(&'static [Role]),
    /// The account lacks something first.
    AccountFirst,
    /// The body is not JSON, or too large.
    Body(JsonRejection),
    /// A parameter is wrong.
    Parameter(&'static str, String),
    /// About an order.
    Order(OrderError),
    /// About a log-in.
    Operator(OperatorError),
}

impl From<JsonRejection> for ApiError {
    fn from(error: JsonRejection) -> Self {
        Self::Body(error)
    }
}

impl From<OrderError> for ApiError {
    fn from(error: OrderError) -> Self {
        Self::Order(error)
    }
}

impl From<OperatorError> for ApiError {
    fn from(error: OperatorError) -> Self {
        Self::Operator(error)
    }
}

/// What an order's error is in HTTP.
pub(super) fn order_status(error: &OrderError) -> StatusCode {
    match error {
        OrderError::Unknown(_) | OrderError::UnknownJob(_) => StatusCode::NOT_FOUND,
        OrderError::Illegal(_)
        | OrderError::Raced
        | OrderError::NotReleasable(_)
        | OrderError::Changed
        | OrderError::NotPacked
        | OrderError::RefundWaits
        | OrderError::NotCancellable(..)
        | OrderError::NoRefund(_) => StatusCode::CONFLICT,
        OrderError::Content(_) | OrderError::Reason | OrderError::Uncertifiable(_) | OrderError::Transfer => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        OrderError::SamePerson(_) => StatusCode::FORBIDDEN,
        OrderError::NoNumber => StatusCode::SERVICE_UNAVAILABLE,
        OrderError::Db(_) | OrderError::Seal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// What a payment's error is in HTTP.
pub(super) fn payment_status(error: &PaymentError) -> StatusCode {
    match error {
        PaymentError::Order(error) => order_status(error),
        _ => StatusCode::CONFLICT,
    }
}

/// Our own trouble is logged whole, with its causes, and told without them.
pub(super) fn log_trouble(error: &(dyn std::error::Error + 'static)) {
    let mut causes = String::new();
    let mut source = error.source();
    while let Some(cause) = source {
        causes.push_str(": ");
        causes.push_str(&cause.to_string());
        source = cause.source();
    }
    tracing::error!("{error}{causes}");
}

/// Which role is missing.
pub(super) fn forbidden(opening: &[Role]) -> String {
    let zh = opening.iter().map(|role| role.zh()).collect::<Vec<_>>().join("、");
    format!(
        "需要角色：{zh}；请找系统管理员 (it takes one of the roles: {}; ask an administrator)",
        role_codes(opening)
    )
}

fn one(field: &str, message: String) -> Vec<FieldError> {
    vec![FieldError { field: field.to_owned(), message }]
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut retry_after = None;
        let (status, errors) = match self {
            Self::LoggedOut => {
                (StatusCode::UNAUTHORIZED, one("", "请先登录 (log in first: POST /api/login)".to_owned()))
            }
            Self::Forbidden(opening) => (StatusCode::FORBIDDEN, one("", forbidden(opening))),
            Self::AccountFirst => {
                let told = "请先在 /account 修改初始密码并设置动态验证码 (change the first password and set up the second factor first, at /account)";
                (StatusCode::FORBIDDEN, one("", told.to_owned()))
            }
            Self::Body(error) => (error.status(), one("", error.body_text())),
            Self::Parameter(name, message) => (StatusCode::BAD_REQUEST, one(name, message)),
            Self::Order(error) => {
                let status = order_status(&error);
                if status.is_server_error() {
                    log_trouble(&error);
                }
                match error {
                    OrderError::Content(errors) => (status, errors),
                    OrderError::Reason => (status, one("reason", error.to_string())),
                    other => (status, one("", other.to_string())),
                }
            }
            Self::Operator(error) => {
                if let OperatorError::Throttled(seconds) = error {
                    retry_after = Some(seconds);
                }
                (operator_status(&error), one("", error.to_string()))
            }
        };
        let mut response = (status, Json(json!({ "errors": errors }))).into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// What a log-in's error is in HTTP; our own trouble is logged.
pub(super) fn operator_status(error: &OperatorError) -> StatusCode {
    match error {
        OperatorError::Credentials => StatusCode::UNAUTHORIZED,
        OperatorError::Throttled(_) => StatusCode::TOO_MANY_REQUESTS,
        OperatorError::Name | OperatorError::Password | OperatorError::Exists(_) | OperatorError::Code => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        OperatorError::Unknown(_) => StatusCode::NOT_FOUND,
        OperatorError::Oneself => StatusCode::CONFLICT,
        OperatorError::Hash(_) | OperatorError::Seal(_) | OperatorError::Db(_) => {
            log_trouble(error);
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}
