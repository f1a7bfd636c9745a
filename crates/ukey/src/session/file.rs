//! Files of an application: 30 to 3A.
//!
//! One source gives the numbers and another the layout of Read and Write; the data of CreateFile is GM/T 0016's
//! FILEATTRIBUTE. No product was seen to confirm them together.

use super::{InApplication, Session, argument};
use crate::{CardError, CardTransport, apdu::Command, fields, ins};

/// Widest file name in bytes.
const MAX_NAME: usize = 32;

/// A file's size and rights (rights as in [`super::NewApplication`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileInfo {
    /// Size in bytes.
    pub size: u32,
    /// Who may read.
    pub read_rights: u32,
    /// Who may write.
    pub write_rights: u32,
}

impl<T: CardTransport, L: InApplication> Session<T, L> {
    /// Makes a file (INS 30): name padded to 32, size, read rights, write rights.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn create_file(&mut self, name: &str, info: FileInfo) -> Result<(), CardError> {
        let data = self
            .link
            .fields()
            .padded(file_name(ins::CREATE_FILE, name)?, MAX_NAME)
            .ok_or(argument(ins::CREATE_FILE, "a file name has 1 to 32 bytes"))?
            .u32(info.size)
            .u32(info.read_rights)
            .u32(info.write_rights)
            .finish();
        let command = self.by_parameters(ins::CREATE_FILE).with_data(data);
        self.link.run_silent(&command)
    }

    /// Deletes a file (INS 32).
    ///
    /// # Errors
    /// [`CardError`].
    pub fn delete_file(&mut self, name: &str) -> Result<(), CardError> {
        let name = file_name(ins::DELETE_FILE, name)?.to_vec();
        let command = self.by_parameters(ins::DELETE_FILE).with_data(name);
        self.link.run_silent(&command)
    }

    /// The names of the application's files (INS 34).
    ///
    /// # Errors
    /// [`CardError`].
    pub fn enumerate_files(&mut self) -> Result<Vec<String>, CardError> {
        let command = self.by_parameters(ins::ENUM_FILES).expecting(0);
        let data = self.link.run(&command)?;
        Ok(fields::names(&data))
    }

    /// A file's size and rights (INS 36).
    ///
    /// # Errors
    /// [`CardError`].
    pub fn file_info(&mut self, name: &str) -> Result<FileInfo, CardError> {
        let name = file_name(ins::GET_FILE_INFO, name)?.to_vec();
        let command = self.by_parameters(ins::GET_FILE_INFO).with_data(name).expecting(12);
        self.link.run_parsed(&command, |from| {
            Some(FileInfo { size: from.u32()?, read_rights: from.u32()?, write_rights: from.u32()? })
        })
    }

    /// Reads up to `len` bytes from `offset` (INS 38).
    ///
    /// # Errors
    /// [`CardError`].
    pub fn read_file(&mut self, name: &str, offset: u16, len: u16) -> Result<Vec<u8>, CardError> {
        if len == 0 {
            return Err(argument(ins::READ_FILE, "ask for at least one byte"));
        }
        let place = self.place(ins::READ_FILE, name, offset)?;
        let command = self.in_application(ins::READ_FILE, 0, 0, &place).expecting(len);
        self.link.run_parsed(&command, |from| {
            let data = from.bytes(from.rest().len())?;
            (data.len() <= usize::from(len)).then(|| data.to_vec())
        })
    }

    /// Writes `data` at `offset` (INS 3A).
    ///
    /// # Errors
    /// [`CardError`].
    pub fn write_file(&mut self, name: &str, offset: u16, data: &[u8]) -> Result<(), CardError> {
        let len = u16::try_from(data.len())
            .map_err(|_| argument(ins::WRITE_FILE, "at most 65535 bytes are written at once"))?;
        let place = self.place(ins::WRITE_FILE, name, offset)?;
        let data = self.link.fields().bytes(&place).u16(len).bytes(data).finish();
        let command = self.in_application(ins::WRITE_FILE, 0, 0, &data);
        self.link.run_silent(&command)
    }

    /// A command that carries the application's id in P1 and P2.
    fn by_parameters(&self, ins: u8) -> Command {
        let [p1, p2] = self.level.application().id;
        Command::new(ins, p1, p2)
    }

    /// `offset 2, name length 2, name`.
    fn place(&self, ins: u8, name: &str, offset: u16) -> Result<Vec<u8>, CardError> {
        let name = file_name(ins, name)?;
        let len = u16::try_from(name.len()).map_err(|_| argument(ins, "a file name has 1 to 32 bytes"))?;
        Ok(self.link.fields().u16(offset).u16(len).bytes(name).finish())
    }
}

fn file_name(ins: u8, name: &str) -> Result<&[u8], CardError> {
    if name.is_empty() || name.len() > MAX_NAME || name.contains('\0') {
        return Err(argument(ins, "a file name has 1 to 32 bytes"));
    }
    Ok(name.as_bytes())
}
