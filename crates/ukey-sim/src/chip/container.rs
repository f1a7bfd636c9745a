//! Containers and the certificates in them. The key looks into no certificate: its bytes are the host's business.

use ukey::{StatusWord, apdu::Command, fields::Writer};

use super::{
    Answered, Chip,
    fields::{Fields, listed, name},
    no_parameters,
};
use crate::flash::{Container, HexBytes, KeyPair};

/// Longest container name.
const MAX_NAME: usize = 34;
/// Container types of GM/T 0016.
const EMPTY: u8 = 0;
const ECC: u8 = 2;
/// Bits of an SM2 key.
pub(super) const SM2_BITS: u32 = 256;

/// Which half of a container, as P1 of the exporting commands and the type byte of ImportCertificate say.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    Encryption,
    Sign,
}

impl Half {
    pub fn of(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Encryption),
            1 => Some(Self::Sign),
            _ => None,
        }
    }

    pub fn in_container(self, container: &Container) -> Option<&KeyPair> {
        match self {
            Self::Encryption => container.encryption.as_ref(),
            Self::Sign => container.sign.as_ref(),
        }
    }
}

impl Chip {
    pub(super) fn create_container(&mut self, command: &Command) -> Answered {
        let (id, name) = self.named(command)?;
        let application = self.as_user(id)?;
        let target = self.application(&application)?;
        if target.container(&name).is_some() {
            return Err(StatusWord::ContainerExists);
        }
        if target.containers.len() >= usize::from(target.max_containers) {
            return Err(StatusWord::NoSpace);
        }
        let container = Container { name: name.clone(), ..Container::default() };
        self.application_mut(&application)?.containers.push(container);
        Ok(self.opened(id)?.container_id(&name).to_vec())
    }

    pub(super) fn open_container(&mut self, command: &Command) -> Answered {
        let (id, name) = self.named(command)?;
        self.named_container(id, &name)?;
        Ok(self.opened(id)?.container_id(&name).to_vec())
    }

    pub(super) fn close_container(&mut self, command: &Command) -> Answered {
        no_parameters(command)?;
        let mut fields = Fields::new(&command.data, self.order());
        let (app, id) = (fields.array()?, fields.array()?);
        fields.end()?;
        self.opened(app)?.close_container(id)?;
        Ok(Vec::new())
    }

    pub(super) fn enumerate_containers(&mut self, command: &Command) -> Answered {
        no_parameters(command)?;
        let id = self.application_id(command)?;
        let application = self.opened(id)?.name.clone();
        Ok(listed(self.application(&application)?.containers.iter().map(|c| c.name.as_str())))
    }

    pub(super) fn delete_container(&mut self, command: &Command) -> Answered {
        let (id, name) = self.named(command)?;
        let application = self.as_user(id)?;
        self.named_container(id, &name)?;
        self.application_mut(&application)?.containers.retain(|c| c.name != name);
        self.opened(id)?.forget_container(&name);
        Ok(Vec::new())
    }

    pub(super) fn container_info(&mut self, command: &Command) -> Answered {
        let (id, name) = self.named(command)?;
        let order = self.order();
        let container = self.named_container(id, &name)?;
        let bits = |half: &Option<KeyPair>| if half.is_some() { SM2_BITS } else { 0 };
        let certificate =
            |half: &Option<KeyPair>| u8::from(half.as_ref().is_some_and(|pair| pair.certificate.is_some()));
        let keys = container.sign.is_some() || container.encryption.is_some();
        let reply = Writer::new(order)
            .u8(if keys { ECC } else { EMPTY })
            .u32(bits(&container.sign))
            .u32(bits(&container.encryption))
            .u8(certificate(&container.sign))
            .u8(certificate(&container.encryption));
        Ok(reply.finish())
    }

    pub(super) fn import_certificate(&mut self, command: &Command) -> Answered {
        no_parameters(command)?;
        let mut fields = Fields::new(&command.data, self.order());
        let (app, id) = (fields.array()?, fields.array()?);
        let half = fields.u8()?;
        let length = fields.len()?;
        let der = fields.rest();
        if length != der.len() || der.is_empty() {
            return Err(StatusWord::WrongLength);
        }
        let half = Half::of(half).ok_or(StatusWord::WrongData)?;
        let limit = usize::from(self.store.flash().limits.max_certificate);
        let container = self.container_mut(app, id)?;
        let pair = match half {
            Half::Sign => container.sign.as_mut(),
            Half::Encryption => container.encryption.as_mut(),
        };
        let pair = pair.ok_or(StatusWord::NoKeyPair)?;
        if der.len() > limit {
            return Err(StatusWord::NoSpace);
        }
        pair.certificate = Some(HexBytes(der.to_vec()));
        Ok(Vec::new())
    }

    pub(super) fn export_certificate(&mut self, command: &Command) -> Answered {
        let (half, app, id) = self.half(command)?;
        let order = self.order();
        let pair = half.in_container(self.container(app, id)?);
        let der = pair.and_then(|p| p.certificate.as_ref()).ok_or(StatusWord::NoCertificate)?;
        let length = u32::try_from(der.0.len()).map_err(|_| StatusWord::ReplyTooLong)?;
        Ok(Writer::new(order).u32(length).bytes(&der.0).finish())
    }

    /// P1 says which half; the data are both ids.
    pub(super) fn half(&self, command: &Command) -> Result<(Half, [u8; 2], [u8; 2]), StatusWord> {
        let half = Half::of(command.p1).filter(|_| command.p2 == 0).ok_or(StatusWord::WrongParameters)?;
        let mut fields = Fields::new(&command.data, self.order());
        let (app, id) = (fields.array()?, fields.array()?);
        fields.end()?;
        Ok((half, app, id))
    }

    /// Command data that is an application id and a container's name.
    fn named(&self, command: &Command) -> Result<([u8; 2], String), StatusWord> {
        no_parameters(command)?;
        let mut fields = Fields::new(&command.data, self.order());
        let id = fields.array()?;
        Ok((id, name(fields.rest(), MAX_NAME)?))
    }

    fn named_container(&mut self, id: [u8; 2], name: &str) -> Result<&Container, StatusWord> {
        let application = self.opened(id)?.name.clone();
        self.application(&application)?.container(name).ok_or(StatusWord::ContainerNameMissing)
    }
}
