//! Making a token and its master keys: once, and never again over what is there.

use std::sync::{Mutex, PoisonError};

use cryptoki::{
    context::Pkcs11,
    session::{Session, UserType},
    slot::Slot,
};
use model::Secret;

use crate::{
    error::VaultError,
    keys::{self, Failure, MASTER_KEYS},
    module,
    session::{log_in, refuses_pin, token_error},
    settings::{Settings, auth_pin},
};

/// Two threads at once would both see a blank token.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// What [`crate::Vault::initialise`] had to make; all empty the second time.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Initialised {
    /// A blank token was given the label and the security officer's PIN.
    pub token: bool,
    /// The user PIN was set.
    pub user_pin: bool,
    /// Labels of the master keys that were made.
    pub keys: Vec<&'static str>,
}

pub(crate) fn initialise(settings: &Settings, so_pin: &Secret) -> Result<Initialised, VaultError> {
    settings.check()?;
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let module = module::load(&settings.module)?;
    make(&module, settings, so_pin).map_err(|failure| match failure {
        Failure::Verdict(error) => error,
        Failure::Token(error) => token_error(&settings.token_label, &error),
    })
}

fn make(module: &Pkcs11, settings: &Settings, so_pin: &Secret) -> Result<Initialised, Failure> {
    let label = &settings.token_label;
    let mut made = Initialised::default();
    let slot = match module::find_slot(module, label)? {
        Some(slot) => slot,
        None => {
            made.token = true;
            new_token(module, label, so_pin)?
        }
    };
    if !module.get_token_info(slot)?.user_pin_initialized() {
        let session = module.open_rw_session(slot)?;
        as_user(&session, settings, UserType::So, so_pin)?;
        session.init_pin(&auth_pin(&settings.pin)?)?;
        session.logout()?;
        made.user_pin = true;
    }
    let session = module.open_rw_session(slot)?;
    as_user(&session, settings, UserType::User, &settings.pin)?;
    for label in MASTER_KEYS {
        if keys::find(&session, label)?.is_none() {
            keys::generate(&session, label)?;
            made.keys.push(label);
        }
    }
    Ok(made)
}

/// Labels a blank token; never one that has a label. The slot is looked up again: SoftHSM gives the token another one.
fn new_token(module: &Pkcs11, label: &str, so_pin: &Secret) -> Result<Slot, Failure> {
    let so_pin = auth_pin(so_pin)?;
    for slot in module.get_slots_with_token()? {
        if !module.get_token_info(slot)?.token_initialized() {
            module.init_token(slot, &so_pin, label)?;
            return module::find_slot(module, label)?
                .ok_or_else(|| VaultError::NoToken { label: label.to_owned() }.into());
        }
    }
    Err(VaultError::NoBlankToken { label: label.to_owned() }.into())
}

/// Logs in once; a refused PIN names whose it is.
fn as_user(session: &Session, settings: &Settings, user: UserType, pin: &Secret) -> Result<(), Failure> {
    let who = if matches!(user, UserType::So) { "security officer" } else { "user" };
    log_in(session, user, pin).map_err(|failure| match failure {
        Failure::Token(error) if refuses_pin(&error) => {
            VaultError::Pin { label: settings.token_label.clone(), who, why: error.to_string() }.into()
        }
        other => other,
    })
}
