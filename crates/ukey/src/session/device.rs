//! The device authentication key: DevAuth (10) and ChangeDevAuthKey (12).

use model::Secret;

use super::{Authenticated, Open, Session, argument, link::Link};
use crate::{
    CardError, CardTransport, Refused, StatusWord,
    apdu::Command,
    crypto::{self, Block16},
    ins,
};

/// What [`CardError::TriesLeft`] calls the device key.
const WHAT: &str = "device authentication key";

impl<T: CardTransport> Session<T, Open> {
    /// Proves the device key, 16 bytes (INS 50, 10).
    ///
    /// One try: a wrong key costs the blank one of few tries, and with the last its right to be issued. Nothing is
    /// sent when the count last heard is 1 or 0.
    ///
    /// # Errors
    /// The session as it was, with the [`CardError`].
    pub fn authenticate(mut self, key: &Secret) -> Result<Session<T, Authenticated>, Refused<Self>> {
        let outcome = self.link.authenticate(key).map(Authenticated);
        self.step(outcome)
    }
}

impl<T: CardTransport> Session<T, Authenticated> {
    /// Replaces the device key (INS 50, 12). Put the new key into escrow before calling this.
    ///
    /// # Errors
    /// [`CardError`]; after a transport error either key may be the right one.
    pub fn change_device_key(&mut self, old: &Secret, new: &Secret) -> Result<(), CardError> {
        self.link.refuse_last_device_try()?;
        let old = device_key(ins::CHANGE_DEV_AUTH_KEY, old)?;
        let new = device_key(ins::CHANGE_DEV_AUTH_KEY, new)?;
        let sealed = crypto::encrypt_block(&old, &new);
        let command = Command::new(ins::CHANGE_DEV_AUTH_KEY, 0, self.link.dialect.device_auth.p2);
        let outcome = self.link.run_secured(command.with_data(sealed.to_vec()), &old);
        self.link.hear_device_tries(outcome)
    }
}

impl<T: CardTransport> Link<T> {
    fn authenticate(&mut self, key: &Secret) -> Result<(), CardError> {
        self.refuse_last_device_try()?;
        let key = device_key(ins::DEV_AUTH, key)?;
        let random = self.random(u16::from(self.dialect.device_auth.random_len))?;
        let cryptogram = crypto::device_auth_cryptogram(&key, &random);
        let command =
            Command::new(ins::DEV_AUTH, 0, self.dialect.device_auth.p2).with_data(cryptogram.to_vec());
        let outcome = self.run_silent(&command);
        self.hear_device_tries(outcome)
    }

    fn refuse_last_device_try(&self) -> Result<(), CardError> {
        match self.device_tries {
            Some(left) if left <= 1 => Err(CardError::TriesLeft { what: WHAT, left }),
            _ => Ok(()),
        }
    }

    fn hear_device_tries(&mut self, outcome: Result<(), CardError>) -> Result<(), CardError> {
        match &outcome {
            // A right key sets the counter back to its maximum, which only the profile knows.
            Ok(()) => self.device_tries = None,
            Err(CardError::Status { status: StatusWord::VerificationFailed { left }, .. }) => {
                self.device_tries = Some(*left);
            }
            Err(CardError::Status { status: StatusWord::Locked, .. }) => self.device_tries = Some(0),
            Err(_) => {}
        }
        outcome
    }
}

fn device_key(ins: u8, key: &Secret) -> Result<Block16, CardError> {
    crypto::key16(key).ok_or(argument(ins, "a device authentication key has 16 bytes"))
}
