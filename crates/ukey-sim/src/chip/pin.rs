//! PINs: counts, proof, change, unblocking. A locked PIN stays locked for the right value too.

use ukey::{StatusWord, apdu::Command, crypto};

use super::{Answered, Chip, fields::Fields};
use crate::flash::{Application, HexSecret, Pin};

/// Which PIN, as P2 says (GM/T 0016: ADMIN_TYPE 0, USER_TYPE 1).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Admin,
    User,
}

impl Which {
    fn of(command: &Command) -> Result<Self, StatusWord> {
        match (command.p1, command.p2) {
            (0, 0) => Ok(Self::Admin),
            (0, 1) => Ok(Self::User),
            _ => Err(StatusWord::WrongParameters),
        }
    }

    fn pin(self, application: &Application) -> &Pin {
        match self {
            Self::Admin => &application.admin,
            Self::User => &application.user,
        }
    }

    fn pin_mut(self, application: &mut Application) -> &mut Pin {
        match self {
            Self::Admin => &mut application.admin,
            Self::User => &mut application.user,
        }
    }
}

/// Data of 16 and 1A.
struct SealedPin {
    id: [u8; 2],
    sealed: [u8; 16],
    code: [u8; 4],
}

impl Chip {
    pub(super) fn pin_info(&mut self, command: &Command) -> Answered {
        let which = Which::of(command)?;
        let id = self.application_id(command)?;
        let application = self.opened(id)?.name.clone();
        let pin = which.pin(self.application(&application)?);
        Ok(vec![pin.max, pin.left, u8::from(pin.is_default)])
    }

    pub(super) fn verify_pin(&mut self, command: &Command) -> Answered {
        let which = Which::of(command)?;
        let mut fields = Fields::new(&command.data, self.order());
        let (id, cryptogram): ([u8; 2], [u8; 16]) = (fields.array()?, fields.array()?);
        fields.end()?;
        let application = self.opened(id)?.name.clone();
        let random = self.take_challenge8()?;
        self.set_login(id, which, false)?;
        let (max, left) = {
            let pin = which.pin(self.application(&application)?);
            (pin.max, pin.left)
        };
        if left == 0 {
            return Err(StatusWord::Locked);
        }
        let key = self.pin_key(which, &application)?;
        let dialect = self.dialect();
        if crypto::pin_cryptogram(dialect.pin_block, &key, &random) != cryptogram {
            which.pin_mut(self.application_mut(&application)?).left = left - 1;
            // AS568 shifts the count into the wrong byte: its status word always says 63C0.
            let said = if dialect.pin_count_in_status { left - 1 } else { 0 };
            return Err(StatusWord::VerificationFailed { left: said });
        }
        if left != max {
            which.pin_mut(self.application_mut(&application)?).left = max;
        }
        self.set_login(id, which, true)?;
        Ok(Vec::new())
    }

    /// GM/T 0016: the user's PIN changes with the user's right, the admin's with the admin's.
    pub(super) fn change_pin(&mut self, command: &Command) -> Answered {
        let which = Which::of(command)?;
        let new = self.sealed_pin(command)?;
        let application = self.logged_in(new.id, which)?;
        let old = self.pin_key(which, &application)?;
        let value = self.opened_pin(command, &old, &new)?;
        let pin = which.pin_mut(self.application_mut(&application)?);
        pin.value = HexSecret(value);
        pin.is_default = false;
        Ok(Vec::new())
    }

    /// The user's PIN anew and its count back to full, by the admin's right and under the admin PIN's key.
    pub(super) fn unblock_pin(&mut self, command: &Command) -> Answered {
        super::no_parameters(command)?;
        let new = self.sealed_pin(command)?;
        let application = self.logged_in(new.id, Which::Admin)?;
        let admin = self.pin_key(Which::Admin, &application)?;
        let value = self.opened_pin(command, &admin, &new)?;
        let pin = &mut self.application_mut(&application)?.user;
        *pin = Pin { value: HexSecret(value), max: pin.max, left: pin.max, is_default: false };
        self.set_login(new.id, Which::User, false)?;
        Ok(Vec::new())
    }

    fn sealed_pin(&self, command: &Command) -> Result<SealedPin, StatusWord> {
        let mut fields = Fields::new(&command.data, self.order());
        let new = SealedPin { id: fields.array()?, sealed: fields.array()?, code: fields.array()? };
        fields.end()?;
        Ok(new)
    }

    fn opened_pin(
        &mut self,
        command: &Command,
        key: &crypto::Block16,
        new: &SealedPin,
    ) -> Result<model::Secret, StatusWord> {
        let signed: Vec<u8> = new.id.into_iter().chain(new.sealed).collect();
        self.check_mac(key, command.header(), &signed, new.code)?;
        self.pin_value(crypto::decrypt_block(key, &new.sealed).as_slice())
    }

    fn logged_in(&mut self, id: [u8; 2], which: Which) -> Result<String, StatusWord> {
        let open = self.opened(id)?;
        let yes = match which {
            Which::Admin => open.admin,
            Which::User => open.user,
        };
        if yes { Ok(open.name.clone()) } else { Err(StatusWord::SecurityNotSatisfied) }
    }

    fn set_login(&mut self, id: [u8; 2], which: Which, value: bool) -> Result<(), StatusWord> {
        let open = self.opened(id)?;
        match which {
            Which::Admin => open.admin = value,
            Which::User => open.user = value,
        }
        Ok(())
    }

    fn pin_key(&self, which: Which, application: &str) -> Result<crypto::Block16, StatusWord> {
        let pin = which.pin(self.application(application)?);
        crypto::pin_key(self.dialect().pin_digest, &pin.value.0).ok_or(StatusWord::ReferenceDataInvalid)
    }
}
