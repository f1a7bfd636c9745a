//! A conversation with one key. What a level cannot do does not exist on its type.
//!
//! ```text
//! Open ──authenticate──► Authenticated        change the device key, create and delete applications
//!  └──── open_application ──┴──► Application  read everything, change and unblock PINs
//!                                    └── verify_user_pin ──► User   containers, keys, certificates, signing
//! ```

mod application;
mod container;
mod device;
mod ecc;
mod file;
mod link;
mod pin;

use profile::Dialect;

pub use application::{ApplicationInfo, NewApplication};
pub use container::{CertKind, ContainerInfo, ContainerKind, KeyKind};
pub use file::FileInfo;
pub use pin::{PinInfo, PinType};

use crate::{CardError, CardTransport, DeviceInfo, Refused, apdu::Command, fields, ins};
use link::{Link, argument, malformed};

/// Level: nothing proved, no application open.
#[derive(Debug)]
pub struct Open(());

/// Level: the device authentication key was proved.
#[derive(Debug)]
pub struct Authenticated(());

/// Level: an application is open.
#[derive(Debug)]
pub struct Application(ApplicationInfo);

/// Level: an application is open and the user PIN was proved.
#[derive(Debug)]
pub struct User(ApplicationInfo);

/// Levels at which an application is open. Sealed: [`Application`] and [`User`].
pub trait InApplication: sealed::Sealed {
    /// The open application.
    fn application(&self) -> &ApplicationInfo;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Application {}
    impl Sealed for super::User {}
}

impl InApplication for Application {
    fn application(&self) -> &ApplicationInfo {
        &self.0
    }
}

impl InApplication for User {
    fn application(&self) -> &ApplicationInfo {
        &self.0
    }
}

/// A container's id: two bytes of the key's own making, sent back as they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContainerId(pub [u8; 2]);

/// A conversation with one key at level `L`. `T` may be `&mut transport`.
#[derive(Debug)]
pub struct Session<T, L> {
    link: Link<T>,
    level: L,
}

impl<T: CardTransport> Session<T, Open> {
    /// Begins; sends nothing.
    pub fn open(transport: T, dialect: &Dialect) -> Self {
        Self { link: Link { transport, dialect: *dialect, device_tries: None }, level: Open(()) }
    }
}

impl<T: CardTransport, L> Session<T, L> {
    /// Reads the device info (INS 04).
    ///
    /// # Errors
    /// [`CardError`].
    pub fn device_info(&mut self) -> Result<DeviceInfo, CardError> {
        let le = if self.link.dialect.device_info_le_exact { 0x0120 } else { 0 };
        let data = self.link.run(&Command::new(ins::GET_DEV_INFO, 0, 0).expecting(le))?;
        DeviceInfo::parse(&data, self.link.dialect.byte_order)
            .ok_or(malformed(ins::GET_DEV_INFO, "the device info has 288 bytes"))
    }

    /// Writes the device label, 1 to 31 bytes (INS 02).
    ///
    /// # Errors
    /// [`CardError`].
    pub fn set_label(&mut self, label: &str) -> Result<(), CardError> {
        if label.is_empty() || label.len() > 31 || label.contains('\0') {
            return Err(argument(ins::SET_LABEL, "a label has 1 to 31 bytes"));
        }
        self.link.run_silent(&Command::new(ins::SET_LABEL, 0, 0).with_data(label.as_bytes().to_vec()))
    }

    /// The names of the key's applications; empty on a blank (INS 22).
    ///
    /// # Errors
    /// [`CardError`].
    pub fn enumerate_applications(&mut self) -> Result<Vec<String>, CardError> {
        let data = self.link.run(&Command::new(ins::ENUM_APPLICATION, 0, 0).expecting(0))?;
        Ok(fields::names(&data))
    }

    /// `len` random bytes, at least one (INS 50).
    ///
    /// # Errors
    /// [`CardError`].
    pub fn random(&mut self, len: u16) -> Result<Vec<u8>, CardError> {
        if len == 0 {
            return Err(argument(ins::GEN_RANDOM, "ask for at least one byte"));
        }
        self.link.random(len)
    }

    /// The tries that the device key was last heard to have; `None` = never heard.
    ///
    /// Keep it with the key's serial and hand it to the next session by [`Session::remember_device_tries`].
    pub fn device_tries(&self) -> Option<u8> {
        self.link.device_tries
    }

    /// Tells this session what an earlier one heard about the device key.
    pub fn remember_device_tries(&mut self, left: Option<u8>) {
        self.link.device_tries = left;
    }

    /// The dialect in use.
    pub fn dialect(&self) -> &Dialect {
        &self.link.dialect
    }

    /// Ends the conversation without a word to the key.
    pub fn into_transport(self) -> T {
        self.link.transport
    }

    /// The same conversation at another level.
    fn at<M>(self, level: M) -> Session<T, M> {
        Session { link: self.link, level }
    }

    /// The same conversation at another level, or as it was with the error.
    fn step<M>(self, outcome: Result<M, CardError>) -> Result<Session<T, M>, Refused<Self>> {
        match outcome {
            Ok(level) => Ok(self.at(level)),
            Err(error) => Err(Refused { session: self, error }),
        }
    }
}
