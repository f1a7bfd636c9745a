//! One logged-in session, and what happens when it breaks.

use std::sync::{Mutex, PoisonError};

use cryptoki::{
    context::{Function, Pkcs11},
    error::{Error, RvError},
    session::{Session, SessionState, UserType},
};

use crate::{
    error::VaultError,
    keys::Failure,
    module,
    settings::{Settings, auth_pin},
};

/// A session that is opened when it is needed. PKCS#11 sessions hold one operation at a time, so the callers take turns.
pub(crate) struct Line {
    settings: Settings,
    module: Pkcs11,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    session: Option<Session>,
    /// The token refused the PIN: it is never sent again, for a real HSM locks after a few.
    refused: Option<String>,
}

impl Line {
    pub(crate) fn new(settings: &Settings) -> Result<Self, VaultError> {
        settings.check()?;
        let module = module::load(&settings.module)?;
        Ok(Self { settings: settings.clone(), module, state: Mutex::default() })
    }

    /// Runs `work` in the session; if the session turns out to be broken, once more in a new one. `work` must be safe to repeat.
    pub(crate) fn run<T>(&self, work: impl Fn(&Session) -> Result<T, Failure>) -> Result<T, VaultError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let held = state.session.is_some();
        let first = self.attempt(&mut state, &work);
        match first {
            Err(Failure::Token(error)) if held && broken(&error) => {
                tracing::warn!(token = self.settings.token_label, %error, "the HSM session broke, a new one is opened");
                state.session = None;
                let again = self.attempt(&mut state, &work);
                again.map_err(|failure| self.give_up(&mut state, failure))
            }
            other => other.map_err(|failure| self.give_up(&mut state, failure)),
        }
    }

    /// Runs `work` in a session that is closed afterwards. It waits for no other caller, so it relies on their log-in, which holds for all
    /// sessions of a token; where that is gone, it takes its turn.
    pub(crate) fn aside<T>(&self, work: impl Fn(&Session) -> Result<T, Failure>) -> Result<T, VaultError> {
        let asked = || {
            let label = &self.settings.token_label;
            let slot = module::find_slot(&self.module, label)?;
            let slot = slot.ok_or_else(|| VaultError::NoToken { label: label.clone() })?;
            work(&self.module.open_rw_session(slot)?)
        };
        match asked() {
            Ok(answer) => Ok(answer),
            Err(Failure::Verdict(error)) => Err(error),
            Err(Failure::Token(error)) if broken(&error) => self.run(work),
            Err(Failure::Token(error)) => Err(token_error(&self.settings.token_label, &error)),
        }
    }

    fn attempt<T>(
        &self,
        state: &mut State,
        work: &impl Fn(&Session) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        if state.session.is_none() {
            state.session = Some(self.open(state)?);
        }
        match &state.session {
            Some(session) => work(session),
            None => Err(Failure::Token(Error::Pkcs11(RvError::SessionClosed, Function::OpenSession))),
        }
    }

    /// The error for the caller; a session that failed is not kept, for an operation may still be open in it.
    fn give_up(&self, state: &mut State, failure: Failure) -> VaultError {
        match failure {
            Failure::Verdict(error) => error,
            Failure::Token(error) => {
                state.session = None;
                token_error(&self.settings.token_label, &error)
            }
        }
    }

    fn open(&self, state: &mut State) -> Result<Session, Failure> {
        let label = &self.settings.token_label;
        let pin_error = |why: String| VaultError::Pin { label: label.clone(), who: "user", why };
        if let Some(why) = &state.refused {
            return Err(pin_error(why.clone()).into());
        }
        // Sessions end when somebody else in the process finalises the module: starting a started one does nothing.
        module::start(&self.module)?;
        let slot = module::find_slot(&self.module, label)?
            .ok_or_else(|| VaultError::NoToken { label: label.clone() })?;
        let info = self.module.get_token_info(slot)?;
        if info.user_pin_locked() || info.user_pin_final_try() {
            let why =
                if info.user_pin_locked() { "it is locked" } else { "one try is left, that one is yours" };
            return Err(pin_error(why.to_owned()).into());
        }
        let session = self.module.open_rw_session(slot)?;
        match log_in(&session, UserType::User, &self.settings.pin) {
            Err(Failure::Token(error)) if refuses_pin(&error) => {
                state.refused = Some(error.to_string());
                Err(pin_error(error.to_string()).into())
            }
            other => other.map(|()| session),
        }
    }
}

/// Logs in; that the process is logged in already is fine, since log-in holds for all sessions of a token.
pub(crate) fn log_in(session: &Session, user: UserType, pin: &model::Secret) -> Result<(), Failure> {
    match session.login(user, Some(&auth_pin(pin)?)) {
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// The failure for an object that was not found: a session that is no longer logged in does not see private objects, and says nothing.
pub(crate) fn absent(session: &Session, error: VaultError) -> Failure {
    match session.get_session_info().map(|info| info.session_state()) {
        Ok(SessionState::RwUser) => error.into(),
        Ok(_) => Error::Pkcs11(RvError::UserNotLoggedIn, Function::FindObjects).into(),
        Err(e) => e.into(),
    }
}

/// Whether the token said that the PIN is wrong or locked.
pub(crate) fn refuses_pin(error: &Error) -> bool {
    use RvError::{PinExpired, PinIncorrect, PinInvalid, PinLenRange, PinLocked};
    matches!(error, Error::Pkcs11(PinIncorrect | PinInvalid | PinLenRange | PinLocked | PinExpired, _))
}

/// The token's own answer as our error.
pub(crate) fn token_error(label: &str, error: &Error) -> VaultError {
    let (function, detail) = match error {
        Error::Pkcs11(rv, function) => (format!("{function:?}"), format!("{rv:?}")),
        other => ("the call".to_owned(), other.to_string()),
    };
    VaultError::Token { label: label.to_owned(), function, detail }
}

/// Whether a new session may help. What the data or the PIN caused is not in the list.
fn broken(error: &Error) -> bool {
    use RvError::{
        CryptokiNotInitialized, DeviceError, DeviceRemoved, GeneralError, KeyHandleInvalid,
        ObjectHandleInvalid, OperationActive, SessionClosed, SessionHandleInvalid, TokenNotPresent,
        UserNotLoggedIn,
    };
    matches!(
        error,
        Error::Pkcs11(
            CryptokiNotInitialized
                | DeviceError
                | DeviceRemoved
                | GeneralError
                | KeyHandleInvalid
                | ObjectHandleInvalid
                | OperationActive
                | SessionClosed
                | SessionHandleInvalid
                | TokenNotPresent
                | UserNotLoggedIn,
            _
        )
    )
}
