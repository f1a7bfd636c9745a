//! The flash file: read once, replaced whole by every command that changes it, held by one key at a time.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use crate::{
    SimError,
    flash::{Flash, VERSION},
};

/// Largest flash file that is read: a full key has a few dozen KiB.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// The flash in memory, its file, and what the running command has changed so far.
#[derive(Debug)]
pub(crate) struct Store {
    path: PathBuf,
    temp: PathBuf,
    /// Locked as long as the key is open: two open copies would overwrite one another's writes.
    held: File,
    written: Flash,
    pending: Option<Flash>,
}

impl Store {
    /// Writes a new key's flash; an existing file is never touched.
    pub fn create(path: &Path, flash: &Flash) -> Result<(), SimError> {
        if path.exists() {
            return Err(SimError::Exists(path.to_owned()));
        }
        let temp = temp_path(path);
        write_new(&temp, flash)?;
        // hard_link refuses an existing target, rename would replace it: two makers cannot make one key.
        let linked = fs::hard_link(&temp, path);
        let removed = fs::remove_file(&temp);
        linked.map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => SimError::Exists(path.to_owned()),
            _ => SimError::io(path, "writing")(error),
        })?;
        removed.map_err(SimError::io(&temp, "removing"))
    }

    /// Opens and locks a key's flash.
    pub fn open(path: &Path) -> Result<Self, SimError> {
        let held = OpenOptions::new().read(true).open(path).map_err(SimError::io(path, "opening"))?;
        lock(&held, path)?;
        let same = fs::metadata(path).map_err(SimError::io(path, "reading"))?.ino()
            == held.metadata().map_err(SimError::io(path, "reading"))?.ino();
        if !same {
            // The holder replaced the file between our open and our lock: it is in use after all.
            return Err(SimError::InUse(path.to_owned()));
        }
        let written = parse(path, &held)?;
        Ok(Self { path: path.to_owned(), temp: temp_path(path), held, written, pending: None })
    }

    /// The flash as the running command sees it.
    pub fn flash(&self) -> &Flash {
        self.pending.as_ref().unwrap_or(&self.written)
    }

    /// The flash, to be changed; nothing reaches the file before [`Store::commit`].
    pub fn edit(&mut self) -> &mut Flash {
        self.pending.get_or_insert_with(|| self.written.clone())
    }

    /// Forgets what the running command changed.
    pub fn discard(&mut self) {
        self.pending = None;
    }

    /// Writes what the running command changed, if anything: afterwards the file has all of it, or on error none.
    pub fn commit(&mut self) -> Result<(), SimError> {
        let Some(next) = self.pending.take() else { return Ok(()) };
        if next == self.written {
            return Ok(());
        }
        let file = write_new(&self.temp, &next)?;
        lock(&file, &self.temp)?;
        fs::rename(&self.temp, &self.path).map_err(SimError::io(&self.path, "replacing"))?;
        self.held = file;
        self.written = next;
        Ok(())
    }

    /// The flash file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Reads a flash without holding it, for looking only.
pub(crate) fn read(path: &Path) -> Result<Flash, SimError> {
    parse(path, &File::open(path).map_err(SimError::io(path, "opening"))?)
}

fn lock(file: &File, path: &Path) -> Result<(), SimError> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => SimError::InUse(path.to_owned()),
        TryLockError::Error(source) => SimError::io(path, "locking")(source),
    })
}

fn temp_path(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".new");
    path.with_file_name(name)
}

fn parse(path: &Path, file: &File) -> Result<Flash, SimError> {
    let format = |why: String| SimError::Format { path: path.to_owned(), why };
    let mut text = Zeroizing::new(Vec::new());
    file.take(MAX_FILE + 1).read_to_end(&mut text).map_err(SimError::io(path, "reading"))?;
    if text.len() as u64 > MAX_FILE {
        return Err(format("the file is too large".to_owned()));
    }
    let flash: Flash = serde_json::from_slice(&text).map_err(|e| format(e.to_string()))?;
    if flash.version != VERSION {
        return Err(format(format!("it has version {}, this build reads {VERSION}", flash.version)));
    }
    Ok(flash)
}

fn write_new(path: &Path, flash: &Flash) -> Result<File, SimError> {
    let text = serde_json::to_vec_pretty(flash)
        .map_err(|e| SimError::Format { path: path.to_owned(), why: e.to_string() })?;
    let text = Zeroizing::new(text);
    // A left-over of a killed process: its content was never part of the key.
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(SimError::io(path, "removing")(error));
        }
        _ => {}
    }
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(SimError::io(path, "creating"))?;
    file.write_all(&text).map_err(SimError::io(path, "writing"))?;
    Ok(file)
}
