//! Operators as administrators see and change them. Whatever is changed ends the operator's sessions.

use model::Secret;
use sqlx::Row as _;

use super::{OperatorError, Role, check_password, hash, roles::codes, second_factor, verify};
use crate::{
    app::AppState,
    audit::{self, What},
    db::{Connection, Db, DbError, Sql, Transaction, begin_write, damaged},
    orders::Actor,
};

/// 32 that are not mistaken for one another.
const PASSWORD_LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// An operator on the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The log-in name.
    pub name: String,
    /// What he or she may do.
    pub roles: Vec<Role>,
    /// Whether he or she may log in.
    pub active: bool,
    /// Whether the log-in needs a code.
    pub second_factor: bool,
    /// When the operator was added.
    pub created_ms: i64,
    /// When he or she last logged in.
    pub last_login_ms: Option<i64>,
}

/// All operators, by name.
///
/// # Errors
/// The database's.
pub async fn list(db: &Db) -> Result<Vec<User>, OperatorError> {
    let rows = sqlx::query(
        "select name, active, created_ms, last_login_ms, (select count(*) from second_factors f \
         where f.operator = name and f.confirmed_ms is not null) as factors from operators order by name",
    )
    .fetch_all(db)
    .await?;
    let held = sqlx::query_as::<Sql, (String, String)>("select operator, role from operator_roles");
    let held = held.fetch_all(db).await?;
    let mut users = Vec::with_capacity(rows.len());
    for row in &rows {
        let name: String = row.try_get("name")?;
        let of = held.iter().filter(|(operator, _)| *operator == name);
        users.push(User {
            roles: read_roles(of.map(|(_, role)| role.as_str()))?,
            active: row.try_get::<i64, _>("active")? != 0,
            second_factor: row.try_get::<i64, _>("factors")? > 0,
            created_ms: row.try_get("created_ms")?,
            last_login_ms: row.try_get("last_login_ms")?,
            name,
        });
    }
    Ok(users)
}

/// Roles by their codes, in their own order.
pub(super) fn read_roles<'a>(codes: impl Iterator<Item = &'a str>) -> Result<Vec<Role>, DbError> {
    let read = |code: &str| Role::from_code(code).ok_or_else(|| damaged(format!("the role {code:?}")));
    let mut roles: Vec<Role> = codes.map(read).collect::<Result<_, _>>()?;
    roles.sort();
    Ok(roles)
}

/// Writes an operator's roles anew.
pub(super) async fn write_roles(tx: &mut Connection, name: &str, roles: &[Role]) -> Result<(), DbError> {
    sqlx::query::<Sql>("delete from operator_roles where operator = $1").bind(name).execute(&mut *tx).await?;
    for role in roles {
        sqlx::query::<Sql>(
            "insert into operator_roles (operator, role) values ($1, $2) on conflict (operator, role) do nothing",
        )
        .bind(name)
        .bind(role.code())
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// Gives an operator these roles and no other.
///
/// # Errors
/// [`OperatorError::Oneself`], an unknown name, the database.
pub async fn set_roles(
    state: &AppState,
    name: &str,
    roles: &[Role],
    actor: &Actor,
) -> Result<(), OperatorError> {
    let mut tx = change(state, name, actor).await?;
    write_roles(&mut tx, name, roles).await?;
    let detail = format!("roles={}", codes(roles));
    done(state, tx, name, actor, What::OperatorRoles, &detail).await
}

/// Lets an operator log in, or not any more.
///
/// # Errors
/// As [`set_roles`].
pub async fn set_active(
    state: &AppState,
    name: &str,
    active: bool,
    actor: &Actor,
) -> Result<(), OperatorError> {
    let mut tx = change(state, name, actor).await?;
    sqlx::query::<Sql>("update operators set active = $2 where name = $1")
        .bind(name)
        .bind(i64::from(active))
        .execute(&mut *tx)
        .await?;
    let what = if active { What::OperatorEnabled } else { What::OperatorDisabled };
    done(state, tx, name, actor, what, "").await
}

/// Takes an operator's second factor away, so that a new one can be set up: the telephone is lost, say.
///
/// # Errors
/// As [`set_roles`].
pub async fn reset_second_factor(state: &AppState, name: &str, actor: &Actor) -> Result<(), OperatorError> {
    let mut tx = change(state, name, actor).await?;
    second_factor::forget(&mut tx, name).await?;
    done(state, tx, name, actor, What::SecondFactorReset, "").await
}

/// A password that nobody chose: 20 letters and digits, 100 random bits.
///
/// # Errors
/// The machine gives no random bytes.
pub fn new_password() -> Result<Secret, OperatorError> {
    let mut bytes = [0u8; 20];
    getrandom::fill(&mut bytes).map_err(|error| OperatorError::Hash(error.to_string()))?;
    Ok(Secret::new(bytes.map(|byte| PASSWORD_LETTERS[usize::from(byte & 31)]).to_vec()))
}

/// Whether the operator's password was made by another, and must be changed before anything else is done.
///
/// # Errors
/// The database's.
pub async fn has_given_password(state: &AppState, name: &str) -> Result<bool, OperatorError> {
    let given = sqlx::query_scalar::<Sql, i64>("select password_given from operators where name = $1");
    Ok(given.bind(name).fetch_one(&state.db).await? != 0)
}

/// Gives an operator a new password and gives it back, to be handed over.
///
/// # Errors
/// As [`set_roles`].
pub async fn reset_password(state: &AppState, name: &str, actor: &Actor) -> Result<String, OperatorError> {
    if *actor == Actor::Operator(name.to_owned()) {
        return Err(OperatorError::Oneself);
    }
    let password = new_password()?;
    let shown = String::from_utf8_lossy(password.expose()).into_owned();
    set_password(state, name, password, actor).await?;
    Ok(shown)
}

/// Gives an operator another password, who must know the present one.
///
/// # Errors
/// [`OperatorError::Credentials`], [`OperatorError::Throttled`], [`OperatorError::Password`], the database.
pub async fn change_password(
    state: &AppState,
    name: &str,
    old: Secret,
    new: Secret,
    address: &str,
) -> Result<(), OperatorError> {
    let now_ms = state.clock.now_ms();
    check_password(&new)?;
    state.throttle.may_try(name, address, now_ms).await?;
    let _turn = state.throttle.turn().await;
    // Others may have tried while this one waited.
    state.throttle.may_try(name, address, now_ms).await?;
    let stored = sqlx::query_scalar::<Sql, String>("select password_hash from operators where name = $1");
    let stored = stored.bind(name).fetch_one(&state.db).await?;
    if !verify(old, stored).await? {
        state.throttle.failed(name, address, now_ms).await?;
        return Err(OperatorError::Credentials);
    }
    set_password(state, name, new, &Actor::Operator(name.to_owned())).await
}

async fn set_password(
    state: &AppState,
    name: &str,
    password: Secret,
    actor: &Actor,
) -> Result<(), OperatorError> {
    let hash = hash(password).await?;
    let mut tx = begin_write(&state.db).await?;
    exists(&mut tx, name).await?;
    let own = *actor == Actor::Operator(name.to_owned());
    sqlx::query::<Sql>("update operators set password_hash = $2, password_given = $3 where name = $1")
        .bind(name)
        .bind(hash)
        .bind(i64::from(!own))
        .execute(&mut *tx)
        .await?;
    done(state, tx, name, actor, What::OperatorPassword, "").await
}

/// Begins a change. What one may do, somebody else decides: nobody changes his or her own account here.
async fn change(state: &AppState, name: &str, actor: &Actor) -> Result<Transaction, OperatorError> {
    if *actor == Actor::Operator(name.to_owned()) {
        return Err(OperatorError::Oneself);
    }
    let mut tx = begin_write(&state.db).await?;
    exists(&mut tx, name).await?;
    Ok(tx)
}

async fn exists(tx: &mut Connection, name: &str) -> Result<(), OperatorError> {
    let found = sqlx::query::<Sql>("select 1 from operators where name = $1").bind(name);
    match found.fetch_optional(tx).await? {
        Some(_) => Ok(()),
        None => Err(OperatorError::Unknown(name.chars().take(32).collect())),
    }
}

async fn done(
    state: &AppState,
    mut tx: Transaction,
    name: &str,
    actor: &Actor,
    what: What,
    detail: &str,
) -> Result<(), OperatorError> {
    sqlx::query::<Sql>("delete from sessions where operator = $1").bind(name).execute(&mut *tx).await?;
    audit::record(&mut tx, state.clock.now_ms(), actor, what, &name, detail).await?;
    tx.commit().await?;
    Ok(())
}
