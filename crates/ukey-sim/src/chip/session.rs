//! What a reset forgets: authentication, log-in, challenge, open handles; and the checks that rest on them.

use ukey::{StatusWord, crypto::Block16};
use zeroize::Zeroizing;

use super::Chip;
use crate::flash::{Application, Container};

/// Rights of files and of creating them (GM/T 0016): never, admin, user, anyone.
pub(super) const RIGHTS: [u32; 4] = [0, 1, 0x10, 0xFF];

/// State without power: none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Session {
    /// The bytes of the last GenRandom, until a command uses them.
    pub challenge: Option<Zeroizing<Vec<u8>>>,
    pub device_authenticated: bool,
    pub open: Option<Opened>,
}

/// The open application. Its id and those of its containers mean something until it is closed.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    pub id: [u8; 2],
    pub name: String,
    pub user: bool,
    pub admin: bool,
    containers: Vec<([u8; 2], String)>,
    opened: u8,
}

impl Opened {
    pub fn new(id: [u8; 2], name: String) -> Self {
        Self { id, name, user: false, admin: false, containers: Vec::new(), opened: 0 }
    }

    /// The id of a container that is opened now; one that is open already keeps its id.
    pub fn container_id(&mut self, name: &str) -> [u8; 2] {
        if let Some((id, _)) = self.containers.iter().find(|(_, open)| open == name) {
            return *id;
        }
        // Ids look like those a GM3000 gave out: 30 01, 30 02, …
        loop {
            self.opened = self.opened.wrapping_add(1);
            let id = [0x30, self.opened];
            if !self.containers.iter().any(|(taken, _)| *taken == id) {
                self.containers.push((id, name.to_owned()));
                return id;
            }
        }
    }

    pub fn close_container(&mut self, id: [u8; 2]) -> Result<(), StatusWord> {
        let at =
            self.containers.iter().position(|(open, _)| *open == id).ok_or(StatusWord::ContainerMissing)?;
        self.containers.remove(at);
        Ok(())
    }

    pub fn forget_container(&mut self, name: &str) {
        self.containers.retain(|(_, open)| open != name);
    }

    fn container_name(&self, id: [u8; 2]) -> Result<&str, StatusWord> {
        let found = self.containers.iter().find(|(open, _)| *open == id);
        found.map(|(_, name)| name.as_str()).ok_or(StatusWord::ContainerMissing)
    }

    /// Whether what has `rights` may be done now.
    pub fn may(&self, rights: u32) -> bool {
        match rights {
            1 => self.admin,
            0x10 => self.user,
            0xFF => true,
            _ => false,
        }
    }
}

impl Chip {
    /// Uses up the challenge, whatever becomes of the command.
    pub(super) fn take_challenge(&mut self) -> Result<Zeroizing<Vec<u8>>, StatusWord> {
        self.session.challenge.take().ok_or(StatusWord::ReferenceDataInvalid)
    }

    /// Uses up the challenge and gives its first 8 bytes.
    pub(super) fn take_challenge8(&mut self) -> Result<[u8; 8], StatusWord> {
        let challenge = self.take_challenge()?;
        challenge.first_chunk().copied().ok_or(StatusWord::ReferenceDataInvalid)
    }

    /// Checks the code of secure messaging; uses up the challenge.
    pub(super) fn check_mac(
        &mut self,
        key: &Block16,
        header: [u8; 4],
        data: &[u8],
        code: [u8; 4],
    ) -> Result<(), StatusWord> {
        let random = self.take_challenge8()?;
        let form = self.dialect().secure_messaging;
        if ukey::crypto::mac(&form, key, &random, header, data) == code {
            Ok(())
        } else {
            Err(StatusWord::BadSecureMessaging)
        }
    }

    /// The open application of this id.
    pub(super) fn opened(&mut self, id: [u8; 2]) -> Result<&mut Opened, StatusWord> {
        self.session.open.as_mut().filter(|open| open.id == id).ok_or(StatusWord::ApplicationNotOpen)
    }

    /// The name of the open application of this id, once the user is logged in.
    pub(super) fn as_user(&mut self, id: [u8; 2]) -> Result<String, StatusWord> {
        let open = self.opened(id)?;
        if open.user { Ok(open.name.clone()) } else { Err(StatusWord::SecurityNotSatisfied) }
    }

    pub(super) fn application(&self, name: &str) -> Result<&Application, StatusWord> {
        let found = self.store.flash().applications.iter().find(|a| a.name == name);
        found.ok_or(StatusWord::ApplicationMissing)
    }

    pub(super) fn application_mut(&mut self, name: &str) -> Result<&mut Application, StatusWord> {
        let found = self.store.edit().applications.iter_mut().find(|a| a.name == name);
        found.ok_or(StatusWord::ApplicationMissing)
    }

    /// The open container of these ids, whoever asks.
    pub(super) fn container(&mut self, app: [u8; 2], id: [u8; 2]) -> Result<&Container, StatusWord> {
        let open = self.opened(app)?;
        let (app, name) = (open.name.clone(), open.container_name(id)?.to_owned());
        self.application(&app)?.container(&name).ok_or(StatusWord::ContainerMissing)
    }

    /// The open container of these ids, to be read with the user's right.
    pub(super) fn user_container(&mut self, app: [u8; 2], id: [u8; 2]) -> Result<&Container, StatusWord> {
        self.as_user(app)?;
        self.container(app, id)
    }

    /// The open container of these ids, to be changed with the user's right.
    pub(super) fn container_mut(&mut self, app: [u8; 2], id: [u8; 2]) -> Result<&mut Container, StatusWord> {
        let application = self.as_user(app)?;
        let name = self.opened(app)?.container_name(id)?.to_owned();
        self.application_mut(&application)?.container_mut(&name).ok_or(StatusWord::ContainerMissing)
    }
}
