//! Operators: who there is, what each may do, when each last logged in.

use askama::Template;
use axum::{
    Form, Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};

use super::{Frame, page, trouble};
use crate::{
    app::AppState,
    clock::china_text,
    operators::{self, OperatorError, Role, User},
    web::{answer::operator_status, lang::Lang, session::Operator},
};

pub(in crate::web) fn routes() -> Router<AppState> {
    Router::new().route("/users", get(users).post(add)).route("/users/{name}", post(change))
}

#[derive(Template)]
#[template(path = "users.html")]
struct UsersPage {
    frame: Frame,
    users: Vec<User>,
    message: String,
    /// A password that was just made, and whose: it is shown this once.
    made: Option<(String, String)>,
}

impl UsersPage {
    fn time(&self, ms: &i64) -> String {
        china_text(*ms)
    }

    fn is_self(&self, user: &User) -> bool {
        self.frame.operator.as_ref().is_some_and(|operator| operator.name == user.name)
    }
}

async fn users(State(state): State<AppState>, operator: Operator, lang: Lang) -> Response {
    show(&state, &operator, lang, Ok(None)).await
}

/// The page; above it the password that was made, or why the last request was not done.
async fn show(
    state: &AppState,
    operator: &Operator,
    lang: Lang,
    done: Result<Option<(String, String)>, OperatorError>,
) -> Response {
    let users = match operators::list(&state.db).await {
        Ok(users) => users,
        Err(error) => return trouble(lang, error.into()),
    };
    let frame = Frame::new(lang, operator, "users");
    let (status, message, made) = match done {
        Ok(made) => (StatusCode::OK, String::new(), made),
        Err(error) => (operator_status(&error), error.to_string(), None),
    };
    page(status, &UsersPage { frame, users, message, made })
}

/// Fields of a form in which one name comes several times.
type Pairs = Vec<(String, String)>;

fn field<'a>(pairs: &'a Pairs, name: &str) -> &'a str {
    pairs.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.trim())
}

fn roles(pairs: &Pairs) -> Vec<Role> {
    pairs.iter().filter(|(key, _)| key == "role").filter_map(|(_, code)| Role::from_code(code)).collect()
}

async fn add(
    State(state): State<AppState>,
    operator: Operator,
    lang: Lang,
    Form(pairs): Form<Pairs>,
) -> Response {
    let (name, roles) = (field(&pairs, "name").to_owned(), roles(&pairs));
    let added = async {
        let password = operators::new_password()?;
        let shown = password.expose().to_owned();
        let (actor, now_ms) = (operator.actor(), state.clock.now_ms());
        operators::add(&state.db, &name, password, &roles, &actor, now_ms).await?;
        Ok(Some((name, String::from_utf8_lossy(&shown).into_owned())))
    };
    let added = added.await;
    show(&state, &operator, lang, added).await
}

async fn change(
    State(state): State<AppState>,
    operator: Operator,
    lang: Lang,
    Path(name): Path<String>,
    Form(pairs): Form<Pairs>,
) -> Response {
    let actor = operator.actor();
    let done = match field(&pairs, "do") {
        "roles" => operators::set_roles(&state, &name, &roles(&pairs), &actor).await,
        "disable" => operators::set_active(&state, &name, false, &actor).await,
        "enable" => operators::set_active(&state, &name, true, &actor).await,
        "second-factor" => operators::reset_second_factor(&state, &name, &actor).await,
        "password" => {
            let made = operators::reset_password(&state, &name, &actor).await;
            return show(&state, &operator, lang, made.map(|password| Some((name, password)))).await;
        }
        _ => Err(OperatorError::Unknown(name)),
    };
    match done {
        Ok(()) => Redirect::to("/users").into_response(),
        Err(error) => show(&state, &operator, lang, Err(error)).await,
    }
}
