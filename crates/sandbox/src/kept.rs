//! What a double knows: a list, in memory and, where wanted, in a file.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

use crate::listener::SandboxError;

/// A list that outlives the process, if it has a file.
pub(crate) struct Kept<T> {
    path: Option<PathBuf>,
    items: Vec<T>,
}

impl<T: Serialize + DeserializeOwned> Kept<T> {
    /// What the file has; without a file, nothing, and that is forgotten with the process.
    ///
    /// # Errors
    /// [`SandboxError::State`].
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, SandboxError> {
        let items = match path.map(fs::read) {
            None => Ok(Vec::new()),
            Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Some(read) => read.and_then(|bytes| Ok(serde_json::from_slice(&bytes)?)),
        };
        let path = path.map(Path::to_owned);
        match items {
            Ok(items) => Ok(Self { path, items }),
            Err(source) => Err(SandboxError::State { path: path.unwrap_or_default(), source }),
        }
    }

    pub(crate) fn all(&self) -> &[T] {
        &self.items
    }

    /// Changes the list; it is on disk when this returns.
    ///
    /// # Errors
    /// The file cannot be written. The list is changed all the same.
    pub(crate) fn change<R>(&mut self, change: impl FnOnce(&mut Vec<T>) -> R) -> io::Result<R> {
        let changed = change(&mut self.items);
        if let Some(path) = &self.path {
            let partial = path.with_extension("partial");
            let mut file = fs::File::create(&partial)?;
            file.write_all(&serde_json::to_vec_pretty(&self.items)?)?;
            file.sync_all()?;
            fs::rename(&partial, path)?;
        }
        Ok(changed)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_restart_keeps_the_list_and_a_broken_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("list.json");
        let mut kept = Kept::open(Some(&path)).unwrap();
        kept.change(|list| list.push(7)).unwrap();
        assert_eq!(Kept::<i32>::open(Some(&path)).unwrap().all(), [7]);
        assert!(Kept::<i32>::open(None).unwrap().all().is_empty());
        fs::write(&path, "[{").unwrap();
        assert!(matches!(Kept::<i32>::open(Some(&path)), Err(SandboxError::State { .. })));
    }
}
