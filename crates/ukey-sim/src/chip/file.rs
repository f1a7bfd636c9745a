//! Files of an application. 30 to 36 carry the application's id in P1 and P2, reading and writing in their data.

use ukey::{StatusWord, apdu::Command, fields::Writer};

use super::{
    Answered, Chip,
    fields::{Fields, listed, name},
    no_parameters,
    session::RIGHTS,
};
use crate::flash::{HexBytes, StoredFile};

/// Longest file name (FILEATTRIBUTE of GM/T 0016).
const MAX_NAME: usize = 32;
/// Largest file.
const MAX_SIZE: u32 = 16 * 1024;

impl Chip {
    pub(super) fn create_file(&mut self, command: &Command) -> Answered {
        let mut fields = Fields::new(&command.data, self.order());
        let name_field = fields.bytes(MAX_NAME)?;
        let (size, read_rights, write_rights) = (fields.u32()?, fields.u32()?, fields.u32()?);
        fields.end()?;
        let application = self.may_create(command)?;
        let name = name(name_field, MAX_NAME)?;
        if !RIGHTS.contains(&read_rights) || !RIGHTS.contains(&write_rights) || size == 0 {
            return Err(StatusWord::WrongData);
        }
        let target = self.application(&application)?;
        if target.files.iter().any(|f| f.name == name) {
            return Err(StatusWord::FileExists);
        }
        if target.files.len() >= usize::from(target.max_files) || size > MAX_SIZE {
            return Err(StatusWord::NoSpace);
        }
        let data = HexBytes(vec![0; usize::try_from(size).map_err(|_| StatusWord::NoSpace)?]);
        self.application_mut(&application)?.files.push(StoredFile { name, read_rights, write_rights, data });
        Ok(Vec::new())
    }

    pub(super) fn delete_file(&mut self, command: &Command) -> Answered {
        let application = self.may_create(command)?;
        let name = name(&command.data, MAX_NAME)?;
        self.file(&application, &name)?;
        self.application_mut(&application)?.files.retain(|f| f.name != name);
        Ok(Vec::new())
    }

    pub(super) fn enumerate_files(&mut self, command: &Command) -> Answered {
        Fields::new(&command.data, self.order()).end()?;
        let application = self.opened([command.p1, command.p2])?.name.clone();
        Ok(listed(self.application(&application)?.files.iter().map(|f| f.name.as_str())))
    }

    pub(super) fn file_info(&mut self, command: &Command) -> Answered {
        let name = name(&command.data, MAX_NAME)?;
        let application = self.opened([command.p1, command.p2])?.name.clone();
        let file = self.file(&application, &name)?;
        let size = u32::try_from(file.data.0.len()).map_err(|_| StatusWord::ReplyTooLong)?;
        let reply = Writer::new(self.order()).u32(size).u32(file.read_rights).u32(file.write_rights);
        Ok(reply.finish())
    }

    /// Le says how many bytes; fewer are answered where the file ends before.
    pub(super) fn read_file(&mut self, command: &Command) -> Answered {
        no_parameters(command)?;
        let mut fields = Fields::new(&command.data, self.order());
        let (id, offset, name) = place(&mut fields)?;
        fields.end()?;
        let application = self.opened(id)?.name.clone();
        let file = self.file(&application, &name)?;
        let (rights, data) = (file.read_rights, file.data.0.clone());
        if !self.opened(id)?.may(rights) {
            return Err(StatusWord::SecurityNotSatisfied);
        }
        let rest = data.get(offset..).filter(|rest| !rest.is_empty()).ok_or(StatusWord::WrongOffset)?;
        let wanted = match command.le.ok_or(StatusWord::WrongLe)? {
            0 => rest.len(),
            le => usize::from(le).min(rest.len()),
        };
        Ok(rest.iter().take(wanted).copied().collect())
    }

    pub(super) fn write_file(&mut self, command: &Command) -> Answered {
        no_parameters(command)?;
        let mut fields = Fields::new(&command.data, self.order());
        let (id, offset, name) = place(&mut fields)?;
        let length = usize::from(fields.u16()?);
        let data = fields.bytes(length)?;
        fields.end()?;
        let application = self.opened(id)?.name.clone();
        let rights = self.file(&application, &name)?.write_rights;
        if !self.opened(id)?.may(rights) {
            return Err(StatusWord::SecurityNotSatisfied);
        }
        let target = self.application_mut(&application)?.files.iter_mut().find(|f| f.name == name);
        let stored = &mut target.ok_or(StatusWord::FileMissing)?.data.0;
        stored.get_mut(offset..offset + length).ok_or(StatusWord::WrongOffset)?.copy_from_slice(data);
        Ok(Vec::new())
    }

    /// The open application of P1 and P2, where files may be made and deleted now.
    fn may_create(&mut self, command: &Command) -> Result<String, StatusWord> {
        let id = [command.p1, command.p2];
        let application = self.opened(id)?.name.clone();
        let rights = self.application(&application)?.create_rights;
        if self.opened(id)?.may(rights) { Ok(application) } else { Err(StatusWord::SecurityNotSatisfied) }
    }

    fn file(&self, application: &str, name: &str) -> Result<&StoredFile, StatusWord> {
        let found = self.application(application)?.files.iter().find(|f| f.name == name);
        found.ok_or(StatusWord::FileMissing)
    }
}

/// Application id, offset, length of the name, name.
fn place(fields: &mut Fields<'_>) -> Result<([u8; 2], usize, String), StatusWord> {
    let (id, offset) = (fields.array()?, usize::from(fields.u16()?));
    let length = usize::from(fields.u16()?);
    Ok((id, offset, name(fields.bytes(length)?, MAX_NAME)?))
}
