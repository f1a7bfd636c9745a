//! A disk of our own that can lose its power: an ext4 file system in a file, mounted by the loop driver.
//!
//! What the file has is what a disk would have after a power cut: a copy of it, taken while the programs that write are stopped, lacks all
//! that the kernel had not yet been made to write. The kernel's own cache and the file system's journal are real, the disk's cache is not
//! modelled.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::{Context as _, Result, bail, ensure};

/// A mounted file system image. Unmounted when dropped.
#[derive(Debug)]
pub struct Disk {
    image: PathBuf,
    place: PathBuf,
}

impl Disk {
    /// Makes an image of `mebibytes` in `folder`, which must be empty, and mounts it.
    ///
    /// # Errors
    /// Without root or loop devices, and says so: the caller's test has then failed, not passed.
    pub fn make(folder: &Path, mebibytes: u64) -> Result<Self> {
        let image = folder.join("image");
        let file = std::fs::File::create_new(&image).with_context(|| format!("{}", image.display()))?;
        file.set_len(mebibytes * 1024 * 1024)?;
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image))?;
        Self::mount_in(&image, folder)
    }

    fn mount_in(image: &Path, folder: &Path) -> Result<Self> {
        let place = folder.join("mounted");
        std::fs::create_dir(&place)?;
        Self::mount(image, &place)?;
        Ok(Self { image: image.to_owned(), place })
    }

    fn mount(image: &Path, place: &Path) -> Result<()> {
        run(Command::new("mount").args(["-o", "loop"]).arg(image).arg(place)).context(
            "a file system image cannot be mounted: power cuts are tried as root on a machine with loop devices (/dev/loop-control)",
        )
    }

    /// Makes all that was written so far be there after a power cut.
    ///
    /// # Errors
    /// What `sync` says.
    pub fn sync(&self) -> Result<()> {
        run(Command::new("sync").arg("-f").arg(&self.place))
    }

    /// Where it is mounted.
    #[must_use]
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// What would be left if the power failed now, mounted in `folder`, which must be empty. Stop what writes before: a copy takes time.
    ///
    /// # Errors
    /// What copying or mounting says.
    pub fn after_a_power_cut(&self, folder: &Path) -> Result<Self> {
        let copy = folder.join("image");
        self.copy(&copy)?;
        Self::mount_in(&copy, folder)
    }

    /// The power fails now and comes back: what is left is mounted in the same place. What writes is stopped before; `end` ends it, once
    /// what the disk has is taken.
    ///
    /// # Errors
    /// What copying, `end` or mounting says.
    pub fn cut(&mut self, end: impl FnOnce() -> Result<()>) -> Result<()> {
        let left = self.image.with_extension("left");
        self.copy(&left)?;
        end()?;
        run(Command::new("umount").arg(&self.place))?;
        Self::mount(&left, &self.place)?;
        std::fs::remove_file(std::mem::replace(&mut self.image, left))?;
        Ok(())
    }

    fn copy(&self, to: &Path) -> Result<()> {
        run(Command::new("cp").arg("--sparse=always").arg(&self.image).arg(to))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily, should a program still hold it: a test must not leave a mount behind.
        if run(Command::new("umount").arg(&self.place)).is_err() {
            let _left_behind = run(Command::new("umount").arg("-l").arg(&self.place));
        }
    }
}

fn run(command: &mut Command) -> Result<()> {
    let Output { status, stderr, .. } = command.output().with_context(|| format!("{command:?}"))?;
    if status.success() {
        return Ok(());
    }
    bail!("{command:?}: {status}: {}", String::from_utf8_lossy(&stderr).trim())
}

/// Stops every thread of a process, as a cut would, and returns when they have stopped.
///
/// # Errors
/// If it has ended, or goes on.
pub fn stop(process: u32) -> Result<()> {
    run(Command::new("kill").args(["-STOP", &process.to_string()]))?;
    for _ in 0..2000 {
        if threads(process)?.iter().all(|state| *state == 'T') {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    bail!("process {process} does not stop: {:?}", threads(process)?)
}

/// The state letter of each thread.
fn threads(process: u32) -> Result<Vec<char>> {
    let mut states = Vec::new();
    for task in std::fs::read_dir(format!("/proc/{process}/task"))? {
        let stat = std::fs::read_to_string(task?.path().join("stat"))?;
        let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        states.push(state.with_context(|| format!("no state in {stat}"))?);
    }
    ensure!(!states.is_empty(), "process {process} has no threads");
    Ok(states)
}
