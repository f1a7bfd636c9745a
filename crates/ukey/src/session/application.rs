//! Applications: create (20), delete (24), open (26), close (28), clear the secure state (1C).

use model::Secret;

use super::{Application, Authenticated, InApplication, Open, Session, User, argument, link::Link};
use crate::{CardError, CardTransport, Refused, apdu::Command, crypto, ins};

/// Widest application name in bytes; the field has 48, the only firmware read uses 32.
const MAX_NAME: usize = 32;
/// Width of the name's field in CreateApplication.
const NAME_FIELD: usize = 48;

/// What CreateApplication sets. Both PINs travel in clear, as the standard has it.
#[derive(Clone, Debug)]
pub struct NewApplication {
    /// Name, 1 to 32 bytes.
    pub name: String,
    /// Admin PIN, 1 to 16 bytes.
    pub admin_pin: Secret,
    /// Tries of the admin PIN.
    pub admin_tries: u8,
    /// User PIN, 1 to 16 bytes.
    pub user_pin: Secret,
    /// Tries of the user PIN.
    pub user_tries: u8,
    /// Who may create files and containers: [`NewApplication::RIGHT_USER`] and its kin.
    pub rights: u32,
    /// Containers it will take.
    pub containers: u8,
    /// Certificates it will take.
    pub certificates: u8,
    /// Files it will take.
    pub files: u16,
}

impl NewApplication {
    /// Right: nobody.
    pub const RIGHT_NEVER: u32 = 0x00;
    /// Right: the admin.
    pub const RIGHT_ADMIN: u32 = 0x01;
    /// Right: the user.
    pub const RIGHT_USER: u32 = 0x10;
    /// Right: anyone.
    pub const RIGHT_ANYONE: u32 = 0xFF;
    /// Length of the command's data.
    pub const LEN: usize = 96;
}

/// What OpenApplication answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApplicationInfo {
    /// The application's id: two bytes of the key's own making, sent back as they came.
    pub id: [u8; 2],
    /// Who may create files and containers.
    pub rights: u32,
    /// Containers it takes.
    pub max_containers: u8,
    /// Certificates it takes.
    pub max_certificates: u8,
    /// Files it takes.
    pub max_files: u16,
}

impl<T: CardTransport> Session<T, Authenticated> {
    /// Makes an application with its PINs and counts (INS 20).
    ///
    /// # Errors
    /// [`CardError`].
    pub fn create_application(&mut self, new: &NewApplication) -> Result<(), CardError> {
        let wrong = argument(ins::CREATE_APPLICATION, "both PINs have 1 to 16 bytes");
        let (Some(admin), Some(user)) =
            (crypto::padded_pin(&new.admin_pin), crypto::padded_pin(&new.user_pin))
        else {
            return Err(wrong);
        };
        let name = application_name(ins::CREATE_APPLICATION, &new.name)?;
        let data = self
            .link
            .fields()
            .padded(name, NAME_FIELD)
            .ok_or(argument(ins::CREATE_APPLICATION, "an application name has 1 to 32 bytes"))?
            .bytes(admin.as_slice())
            .u32(u32::from(new.admin_tries))
            .bytes(user.as_slice())
            .u32(u32::from(new.user_tries))
            .u32(new.rights)
            .u8(new.containers)
            .u8(new.certificates)
            .u16(new.files)
            .finish();
        self.link.run_silent(&Command::new(ins::CREATE_APPLICATION, 0, 0).with_data(data))
    }

    /// Deletes an application with everything in it (INS 24).
    ///
    /// # Errors
    /// [`CardError`].
    pub fn delete_application(&mut self, name: &str) -> Result<(), CardError> {
        let name = application_name(ins::DELETE_APPLICATION, name)?;
        self.link.run_silent(&Command::new(ins::DELETE_APPLICATION, 0, 0).with_data(name.to_vec()))
    }

    /// Opens an application (INS 26); the proof of the device key is given up on this side.
    ///
    /// # Errors
    /// The session as it was, with the [`CardError`].
    pub fn open_application(mut self, name: &str) -> Result<Session<T, Application>, Refused<Self>> {
        let outcome = self.link.open_application(name).map(Application);
        self.step(outcome)
    }
}

impl<T: CardTransport> Session<T, Open> {
    /// Opens an application (INS 26).
    ///
    /// # Errors
    /// The session as it was, with the [`CardError`].
    pub fn open_application(mut self, name: &str) -> Result<Session<T, Application>, Refused<Self>> {
        let outcome = self.link.open_application(name).map(Application);
        self.step(outcome)
    }
}

impl<T: CardTransport, L: InApplication> Session<T, L> {
    /// What the key said of the open application.
    pub fn application(&self) -> &ApplicationInfo {
        self.level.application()
    }

    /// Closes the application (INS 28).
    ///
    /// # Errors
    /// The session as it was, with the [`CardError`].
    pub fn close(mut self) -> Result<Session<T, Open>, Refused<Self>> {
        let command = self.in_application(ins::CLOSE_APPLICATION, 0, 0, &[]);
        let outcome = self.link.run_silent(&command).map(Open);
        self.step(outcome)
    }

    /// A command whose data begins with the application's id.
    pub(super) fn in_application(&self, ins: u8, p1: u8, p2: u8, data: &[u8]) -> Command {
        let data = self.link.fields().bytes(&self.level.application().id).bytes(data).finish();
        Command::new(ins, p1, p2).with_data(data)
    }
}

impl<T: CardTransport> Session<T, Application> {
    /// Drops every right won in the application, such as the admin's (INS 1C).
    ///
    /// # Errors
    /// [`CardError`].
    pub fn clear_secure_state(&mut self) -> Result<(), CardError> {
        let command = self.in_application(ins::CLEAR_SECURE_STATE, 0, 0, &[]);
        self.link.run_silent(&command)
    }
}

impl<T: CardTransport> Session<T, User> {
    /// Drops every right won in the application, the user's too (INS 1C).
    ///
    /// # Errors
    /// The session as it was, with the [`CardError`].
    pub fn clear_secure_state(mut self) -> Result<Session<T, Application>, Refused<Self>> {
        let info = self.level.0;
        let command = self.in_application(ins::CLEAR_SECURE_STATE, 0, 0, &[]);
        let outcome = self.link.run_silent(&command).map(|()| Application(info));
        self.step(outcome)
    }
}

impl<T: CardTransport> Link<T> {
    fn open_application(&mut self, name: &str) -> Result<ApplicationInfo, CardError> {
        let name = application_name(ins::OPEN_APPLICATION, name)?;
        let command = Command::new(ins::OPEN_APPLICATION, 0, 0).with_data(name.to_vec()).expecting(10);
        self.run_parsed(&command, |from| {
            Some(ApplicationInfo {
                rights: from.u32()?,
                max_containers: from.u8()?,
                max_certificates: from.u8()?,
                max_files: from.u16()?,
                id: from.array()?,
            })
        })
    }
}

fn application_name(ins: u8, name: &str) -> Result<&[u8], CardError> {
    if name.is_empty() || name.len() > MAX_NAME || name.contains('\0') {
        return Err(argument(ins, "an application name has 1 to 32 bytes"));
    }
    Ok(name.as_bytes())
}
