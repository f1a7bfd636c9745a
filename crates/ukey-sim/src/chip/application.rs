//! Applications: made with both PINs and their counts, opened by name, known by an opaque id while open.

use model::Secret;
use ukey::{StatusWord, apdu::Command, fields::Writer};

use super::{
    Answered, Chip,
    fields::{Fields, listed, name},
    no_parameters,
    session::{Opened, RIGHTS},
};
use crate::flash::{Application, HexSecret, Pin};

/// Files an application may ask for.
pub(super) const MAX_FILES: u16 = 32;
/// Longest application name (the field has 48 bytes, 32 are used).
const MAX_NAME: usize = 32;
/// Most tries a PIN may have: 63Cx counts to 15.
const MAX_TRIES: u32 = 15;

impl Chip {
    pub(super) fn create_application(&mut self, command: &Command) -> Answered {
        no_parameters(command)?;
        let application = self.new_application(command)?;
        self.require_device()?;
        let flash = self.store.flash();
        if flash.applications.iter().any(|a| a.name == application.name) {
            return Err(StatusWord::ApplicationExists);
        }
        if flash.applications.len() >= usize::from(flash.limits.max_applications) {
            return Err(StatusWord::SecondApplication);
        }
        self.store.edit().applications.push(application);
        Ok(Vec::new())
    }

    fn new_application(&self, command: &Command) -> Result<Application, StatusWord> {
        let mut fields = Fields::new(&command.data, self.order());
        let name_field = fields.bytes(48)?;
        let (admin_pin, admin_tries) = (fields.bytes(16)?, fields.u32()?);
        let (user_pin, user_tries) = (fields.bytes(16)?, fields.u32()?);
        let create_rights = fields.u32()?;
        let (max_containers, max_certificates, max_files) = (fields.u8()?, fields.u8()?, fields.u16()?);
        fields.end()?;
        let limit = self.store.flash().limits.max_containers;
        if !RIGHTS.contains(&create_rights) || max_containers == 0 || max_files > MAX_FILES {
            return Err(StatusWord::WrongData);
        }
        if max_containers > limit || max_certificates > limit.saturating_mul(2) {
            return Err(StatusWord::NoSpace);
        }
        Ok(Application {
            name: name(name_field, MAX_NAME)?,
            admin: self.new_pin(admin_pin, admin_tries)?,
            user: self.new_pin(user_pin, user_tries)?,
            create_rights,
            max_containers,
            max_certificates,
            max_files,
            containers: Vec::new(),
            files: Vec::new(),
        })
    }

    fn new_pin(&self, padded: &[u8], tries: u32) -> Result<Pin, StatusWord> {
        let value = self.pin_value(padded)?;
        let tries = u8::try_from(tries).ok().filter(|t| (1..=MAX_TRIES).contains(&u32::from(*t)));
        let max = tries.ok_or(StatusWord::WrongData)?;
        Ok(Pin { value: HexSecret(value), max, left: max, is_default: true })
    }

    /// A PIN out of its 16 zero-padded bytes, of a length that the key takes.
    pub(super) fn pin_value(&self, padded: &[u8]) -> Result<Secret, StatusWord> {
        let limits = &self.store.flash().limits;
        let used = padded.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
        let pin = padded.get(..used).ok_or(StatusWord::WrongData)?;
        let fits = (usize::from(limits.min_pin)..=usize::from(limits.max_pin)).contains(&used);
        if fits && !pin.contains(&0) { Ok(Secret::new(pin.to_vec())) } else { Err(StatusWord::WrongData) }
    }

    pub(super) fn enumerate_applications(&mut self, command: &Command) -> Answered {
        no_parameters(command)?;
        Fields::new(&command.data, self.order()).end()?;
        Ok(listed(self.store.flash().applications.iter().map(|a| a.name.as_str())))
    }

    pub(super) fn delete_application(&mut self, command: &Command) -> Answered {
        no_parameters(command)?;
        let name = name(&command.data, MAX_NAME)?;
        self.require_device()?;
        self.application(&name)?;
        self.store.edit().applications.retain(|a| a.name != name);
        if self.session.open.as_ref().is_some_and(|open| open.name == name) {
            self.session.open = None;
        }
        Ok(Vec::new())
    }

    /// Opens an application. The one that is open already may be opened again, which ends its log-in; a second one
    /// may not be opened beside it.
    pub(super) fn open_application(&mut self, command: &Command) -> Answered {
        no_parameters(command)?;
        let name = name(&command.data, MAX_NAME)?;
        let flash = self.store.flash();
        let at = flash.applications.iter().position(|a| a.name == name);
        let at = at.ok_or(StatusWord::ApplicationNameNotFound)?;
        if self.session.open.as_ref().is_some_and(|open| open.name != name) {
            return Err(StatusWord::ApplicationAlreadyOpen);
        }
        // The id looks like the one a GM3000 gave out: 10 00.
        let id = [0x10, u8::try_from(at).map_err(|_| StatusWord::ApplicationMissing)?];
        let application = self.application(&name)?;
        let reply = Writer::new(self.order())
            .u32(application.create_rights)
            .u8(application.max_containers)
            .u8(application.max_certificates)
            .u16(application.max_files)
            .bytes(&id);
        self.session.open = Some(Opened::new(id, name));
        Ok(reply.finish())
    }

    pub(super) fn close_application(&mut self, command: &Command) -> Answered {
        no_parameters(command)?;
        let id = self.application_id(command)?;
        self.opened(id)?;
        self.session.open = None;
        Ok(Vec::new())
    }

    pub(super) fn clear_secure_state(&mut self, command: &Command) -> Answered {
        no_parameters(command)?;
        let id = self.application_id(command)?;
        let open = self.opened(id)?;
        (open.user, open.admin) = (false, false);
        Ok(Vec::new())
    }

    /// Command data that is an application id and nothing else.
    pub(super) fn application_id(&self, command: &Command) -> Result<[u8; 2], StatusWord> {
        let mut fields = Fields::new(&command.data, self.order());
        let id = fields.array()?;
        fields.end()?;
        Ok(id)
    }
}
