//! Files of `portal init`. All but the list of revoked certificates are made once and never overwritten.

use std::{
    fs::{DirBuilder, OpenOptions},
    io::{ErrorKind, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

use anyhow::Context as _;
use model::Secret;

/// Makes a folder that belongs to the portal's user alone, unless it is there.
pub(super) fn make_folder(path: &Path) -> anyhow::Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.with_context(|| format!("the folder {} cannot be made", path.display()))
}

/// Writes a file unless there is one: whole or not at all, and on disk.
pub(super) fn write_once(path: &Path, mode: u32, bytes: &[u8]) -> anyhow::Result<bool> {
    if path.exists() {
        return Ok(false);
    }
    let new = path.with_extension("new");
    let written = || -> std::io::Result<bool> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        // A link refuses to replace a file that came in between; a rename would not.
        let linked = std::fs::hard_link(&new, path);
        std::fs::remove_file(&new)?;
        match linked {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            other => other.map(|()| true),
        }
    };
    written().with_context(|| format!("cannot write {}", path.display()))
}

/// Writes a file in place of the one that is there: whole or not at all, and on disk.
pub(super) fn replace(path: &Path, mode: u32, bytes: &[u8]) -> anyhow::Result<()> {
    let new = path.with_extension("new");
    let written = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&new, path)
    };
    written().with_context(|| format!("cannot write {}", path.display()))
}

/// Writes a secret's file, mode 600, unless there is one.
pub(super) fn write_secret_once(
    path: &Path,
    make: impl FnOnce() -> anyhow::Result<Secret>,
) -> anyhow::Result<bool> {
    if path.exists() {
        return Ok(false);
    }
    write_once(path, 0o600, make()?.expose())
}

/// Random text of digits and capitals that cannot be confused when read aloud (no I, L, O, U).
pub(crate) fn random_text(characters: usize) -> anyhow::Result<Secret> {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut bytes = vec![0; characters];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow::anyhow!("the machine gives no random bytes: {error}"))?;
    for byte in &mut bytes {
        *byte = ALPHABET[usize::from(*byte % 32)];
    }
    Ok(Secret::new(bytes))
}
