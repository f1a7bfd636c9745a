//! Containers and what they hold, except the key operations: 40 to 4E.

use super::{ContainerId, InApplication, Session, User, argument};
use crate::{CardError, CardTransport, StatusWord, fields, ins};

/// Widest container name in bytes.
const MAX_NAME: usize = 34;

/// Which certificate of the pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CertKind {
    /// Signing (1).
    Sign,
    /// Encryption (0).
    Encryption,
}

/// Which key pair of the container; the same two words as for certificates.
pub type KeyKind = CertKind;

impl CertKind {
    /// The value sent: P1, or the type byte of ImportCertificate.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Sign => 1,
            Self::Encryption => 0,
        }
    }
}

/// What kind of keys a container holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerKind {
    /// None yet (0).
    Empty,
    /// RSA (1).
    Rsa,
    /// SM2 (2).
    Ecc,
    /// A value no source names.
    Other(u8),
}

impl ContainerKind {
    /// The kind that a byte stands for.
    #[must_use]
    pub fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Empty,
            1 => Self::Rsa,
            2 => Self::Ecc,
            other => Self::Other(other),
        }
    }
}

/// What GetContainerInfo answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContainerInfo {
    /// Kind of keys.
    pub kind: ContainerKind,
    /// Bits of the signing key, 0 = none.
    pub sign_bits: u32,
    /// Bits of the encryption key, 0 = none.
    pub encryption_bits: u32,
    /// Whether the signing certificate is there.
    pub sign_certificate: bool,
    /// Whether the encryption certificate is there.
    pub encryption_certificate: bool,
}

impl<T: CardTransport, L: InApplication> Session<T, L> {
    /// The names of the application's containers (INS 46).
    ///
    /// # Errors
    /// [`CardError`].
    pub fn enumerate_containers(&mut self) -> Result<Vec<String>, CardError> {
        let command = self.in_application(ins::ENUM_CONTAINER, 0, 0, &[]).expecting(0);
        let data = self.link.run(&command)?;
        Ok(fields::names(&data))
    }

    /// What a container holds (INS 4A).
    ///
    /// # Errors
    /// [`CardError`].
    pub fn container_info(&mut self, name: &str) -> Result<ContainerInfo, CardError> {
        let name = container_name(ins::GET_CONTAINER_INFO, name)?;
        let command = self.in_application(ins::GET_CONTAINER_INFO, 0, 0, name).expecting(11);
        self.link.run_parsed(&command, |from| {
            Some(ContainerInfo {
                kind: ContainerKind::from_code(from.u8()?),
                sign_bits: from.u32()?,
                encryption_bits: from.u32()?,
                sign_certificate: from.u8()? != 0,
                encryption_certificate: from.u8()? != 0,
            })
        })
    }

    /// Opens a container by name (INS 42).
    ///
    /// # Errors
    /// [`CardError`].
    pub fn open_container(&mut self, name: &str) -> Result<ContainerId, CardError> {
        let name = container_name(ins::OPEN_CONTAINER, name)?;
        let command = self.in_application(ins::OPEN_CONTAINER, 0, 0, name).expecting(2);
        self.link.run_parsed(&command, |from| from.array().map(ContainerId))
    }

    /// Closes a container (INS 44).
    ///
    /// # Errors
    /// [`CardError`].
    pub fn close_container(&mut self, id: ContainerId) -> Result<(), CardError> {
        let command = self.in_application(ins::CLOSE_CONTAINER, 0, 0, &id.0);
        self.link.run_silent(&command)
    }

    /// Reads a certificate as it lies on the key, DER; `None` when the container has none (INS 4E).
    ///
    /// # Errors
    /// [`CardError`].
    pub fn export_certificate(
        &mut self,
        id: ContainerId,
        kind: CertKind,
    ) -> Result<Option<Vec<u8>>, CardError> {
        let command = self.in_application(ins::EXPORT_CERTIFICATE, kind.code(), 0, &id.0).expecting(0);
        self.link.run_optional(&command, StatusWord::NoCertificate, |from| {
            let len = usize::try_from(from.u32()?).ok()?;
            from.bytes(len).map(<[u8]>::to_vec)
        })
    }
}

impl<T: CardTransport> Session<T, User> {
    /// Makes a container, name of 1 to 34 bytes (INS 40).
    ///
    /// # Errors
    /// [`CardError`].
    pub fn create_container(&mut self, name: &str) -> Result<ContainerId, CardError> {
        let name = container_name(ins::CREATE_CONTAINER, name)?;
        let command = self.in_application(ins::CREATE_CONTAINER, 0, 0, name).expecting(2);
        self.link.run_parsed(&command, |from| from.array().map(ContainerId))
    }

    /// Deletes a container with its keys and certificates (INS 48).
    ///
    /// # Errors
    /// [`CardError`].
    pub fn delete_container(&mut self, name: &str) -> Result<(), CardError> {
        let name = container_name(ins::DELETE_CONTAINER, name)?;
        let command = self.in_application(ins::DELETE_CONTAINER, 0, 0, name);
        self.link.run_silent(&command)
    }

    /// Writes a certificate, DER; its key pair must be there already (INS 4C).
    ///
    /// # Errors
    /// [`CardError`].
    pub fn import_certificate(
        &mut self,
        id: ContainerId,
        kind: CertKind,
        der: &[u8],
    ) -> Result<(), CardError> {
        let wrong = argument(ins::IMPORT_CERTIFICATE, "a certificate has 1 to 65000 bytes");
        let len = match u32::try_from(der.len()) {
            Ok(len @ 1..=65_000) => len,
            _ => return Err(wrong),
        };
        let data = self.link.fields().bytes(&id.0).u8(kind.code()).u32(len).bytes(der).finish();
        let command = self.in_application(ins::IMPORT_CERTIFICATE, 0, 0, &data);
        self.link.run_silent(&command)
    }
}

fn container_name(ins: u8, name: &str) -> Result<&[u8], CardError> {
    if name.is_empty() || name.len() > MAX_NAME || name.contains('\0') {
        return Err(argument(ins, "a container name has 1 to 34 bytes"));
    }
    Ok(name.as_bytes())
}
