//! PINs: read the counts (14), prove (18), replace (16), unblock (1A).
//!
//! No PIN is ever tried on a key that would be locked by a wrong one: the count is read first, each time.

use model::Secret;

use super::{Application, InApplication, Session, User, argument};
use crate::{
    CardError, CardTransport, Refused,
    crypto::{self, Block16},
    ins,
};

/// Which PIN: P2 of the PIN commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PinType {
    /// The admin's (0).
    Admin,
    /// The user's (1).
    User,
}

impl PinType {
    /// The value of P2.
    #[must_use]
    pub fn p2(self) -> u8 {
        match self {
            Self::Admin => 0,
            Self::User => 1,
        }
    }

    fn what(self) -> &'static str {
        match self {
            Self::Admin => "admin PIN",
            Self::User => "user PIN",
        }
    }
}

/// What GetPINInfo answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinInfo {
    /// Tries after a right PIN.
    pub max: u8,
    /// Tries left.
    pub left: u8,
    /// Whether it is the maker's default.
    pub is_default: bool,
}

impl<T: CardTransport, L: InApplication> Session<T, L> {
    /// Reads a PIN's counts (INS 14).
    ///
    /// # Errors
    /// [`CardError`].
    pub fn pin_info(&mut self, pin: PinType) -> Result<PinInfo, CardError> {
        let command = self.in_application(ins::GET_PIN_INFO, 0, pin.p2(), &[]).expecting(3);
        self.link.run_parsed(&command, |from| {
            Some(PinInfo { max: from.u8()?, left: from.u8()?, is_default: from.u8()? != 0 })
        })
    }

    /// Proves the admin PIN (INS 14, 50, 18); the right lasts until the secure state is cleared.
    ///
    /// # Errors
    /// [`CardError`]; [`CardError::TriesLeft`] when a wrong PIN would lock it, with nothing tried.
    pub fn verify_admin_pin(&mut self, pin: &Secret) -> Result<(), CardError> {
        self.verify(PinType::Admin, pin).map(|_| ())
    }

    /// Replaces a PIN (INS 14, 50, 18, 50, 16): the old one is proved first, as the keys demand.
    ///
    /// # Errors
    /// [`CardError`]; [`CardError::TriesLeft`] when a wrong PIN would lock it, with nothing tried.
    pub fn change_pin(&mut self, which: PinType, old: &Secret, new: &Secret) -> Result<(), CardError> {
        let new = padded(ins::CHANGE_PIN, new)?;
        let key = self.verify(which, old)?;
        let sealed = crypto::encrypt_block(&key, &new);
        let command = self.in_application(ins::CHANGE_PIN, 0, which.p2(), &sealed);
        self.link.run_secured(command, &key)
    }

    /// Gives the user a new PIN and full tries (INS 14, 50, 18 for the admin, then 50, 1A).
    ///
    /// # Errors
    /// [`CardError`]; [`CardError::TriesLeft`] when a wrong admin PIN would lock it, with nothing tried.
    pub fn unblock_pin(&mut self, admin: &Secret, new_user: &Secret) -> Result<(), CardError> {
        let new = padded(ins::UNBLOCK_PIN, new_user)?;
        let key = self.verify(PinType::Admin, admin)?;
        let sealed = crypto::encrypt_block(&key, &new);
        let command = self.in_application(ins::UNBLOCK_PIN, 0, 0, &sealed);
        self.link.run_secured(command, &key)
    }

    /// Reads the count, then proves a PIN; returns the key that stands for it.
    fn verify(&mut self, which: PinType, pin: &Secret) -> Result<Block16, CardError> {
        let dialect = self.link.dialect;
        let key = crypto::pin_key(dialect.pin_digest, pin)
            .ok_or(argument(ins::VERIFY_PIN, "a PIN has 1 to 16 bytes"))?;
        let PinInfo { left, .. } = self.pin_info(which)?;
        if left <= 1 {
            return Err(CardError::TriesLeft { what: which.what(), left });
        }
        let random = self.link.challenge()?;
        let cryptogram = crypto::pin_cryptogram(dialect.pin_block, &key, &random);
        let command = self.in_application(ins::VERIFY_PIN, 0, which.p2(), &cryptogram);
        self.link.run_silent(&command)?;
        Ok(key)
    }
}

impl<T: CardTransport> Session<T, Application> {
    /// Proves the user PIN (INS 14, 50, 18).
    ///
    /// # Errors
    /// The session as it was, with the [`CardError`]; [`CardError::TriesLeft`] when a wrong PIN would lock it, with
    /// nothing tried.
    pub fn verify_user_pin(mut self, pin: &Secret) -> Result<Session<T, User>, Refused<Self>> {
        let info = self.level.0;
        let outcome = self.verify(PinType::User, pin).map(|_| User(info));
        self.step(outcome)
    }
}

fn padded(ins: u8, pin: &Secret) -> Result<Block16, CardError> {
    crypto::padded_pin(pin).ok_or(argument(ins, "a PIN has 1 to 16 bytes"))
}
