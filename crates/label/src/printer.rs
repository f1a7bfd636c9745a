//! Where a label goes.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde::Deserialize;

use crate::data::is_waybill;

/// How long `lp` may take to hand a label to CUPS.
const LP_TIME: Duration = Duration::from_secs(30);
/// How much of what `lp` says is kept.
const WORDS_MAX: u64 = 4096;

/// A printer in a configuration file: `kind = "folder"` or `kind = "cups"`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum PrinterSettings {
    /// Files named `<waybill>.pdf`, for another program to pick up.
    Folder {
        /// The folder; made where it is missing.
        dir: PathBuf,
    },
    /// A queue of CUPS.
    Cups {
        /// The queue's name.
        queue: String,
        /// CUPS's client program.
        #[serde(default = "lp")]
        program: PathBuf,
    },
}

fn lp() -> PathBuf {
    PathBuf::from("lp")
}

/// What became of a label. Neither says that it lies on the table: only a scan of the printed waybill does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Printed {
    /// It is in this file, and on disk.
    File(PathBuf),
    /// CUPS has taken it; these are its words (`request id is …`).
    Queued(String),
}

/// A label that did not go out.
#[derive(Debug, thiserror::Error)]
pub enum PrintError {
    /// Not a waybill, so not a file name either.
    #[error("{0:?} is no waybill number: it has 10 to 20 capitals and digits")]
    Waybill(String),
    /// A queue name that CUPS cannot have.
    #[error("{0:?} is no CUPS queue: lpstat -a lists them")]
    Queue(String),
    /// The folder cannot be written.
    #[error("cannot write {}: look at the disk and the folder's rights", .path.display())]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// `lp` could not be run.
    #[error("cannot run {}: install cups-client", .program.display())]
    Program {
        /// The program.
        program: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// `lp` refused the label.
    #[error("CUPS refused the label for queue {queue}: {words}")]
    Refused {
        /// The queue.
        queue: String,
        /// What `lp` said.
        words: String,
    },
    /// `lp` did not end in time and was ended.
    #[error("CUPS did not take the label for queue {queue} within {} s: look at lpstat -p {queue}", LP_TIME.as_secs())]
    Timeout {
        /// The queue.
        queue: String,
    },
}

/// A way out for labels.
#[derive(Clone, Debug)]
pub struct Printer {
    settings: PrinterSettings,
    time: Duration,
}

impl Printer {
    /// Checks the settings; a missing folder is made.
    ///
    /// # Errors
    /// [`PrintError::Folder`], [`PrintError::Queue`].
    pub fn new(settings: PrinterSettings) -> Result<Self, PrintError> {
        match &settings {
            PrinterSettings::Folder { dir } => {
                fs::create_dir_all(dir).map_err(|source| PrintError::Folder { path: dir.clone(), source })?
            }
            PrinterSettings::Cups { queue, .. } => {
                // A name that begins with - would be read as an option.
                let legal = (1..=127).contains(&queue.len())
                    && !queue.starts_with('-')
                    && queue.bytes().all(|b| b.is_ascii_graphic() && !b"/#?'\"\\".contains(&b));
                if !legal {
                    return Err(PrintError::Queue(queue.chars().take(127).collect()));
                }
            }
        }
        Ok(Self { settings, time: LP_TIME })
    }

    /// Sends one label out. Blocks until the file is on disk, or until CUPS has taken or refused it (at most 30 s).
    ///
    /// # Errors
    /// [`PrintError`]; the label may then be sent again. After [`PrintError::Timeout`] it may still come out: look first.
    pub fn print(&self, waybill: &str, pdf: &[u8]) -> Result<Printed, PrintError> {
        if !is_waybill(waybill) {
            return Err(PrintError::Waybill(waybill.chars().take(64).collect()));
        }
        match &self.settings {
            PrinterSettings::Folder { dir } => {
                let path = dir.join(format!("{waybill}.pdf"));
                match put(dir, &path, pdf) {
                    Ok(()) => Ok(Printed::File(path)),
                    Err(source) => Err(PrintError::Folder { path, source }),
                }
            }
            PrinterSettings::Cups { queue, program } => self.queue(queue, program, waybill, pdf),
        }
    }

    fn queue(&self, queue: &str, program: &Path, waybill: &str, pdf: &[u8]) -> Result<Printed, PrintError> {
        let failed = |source| PrintError::Program { program: program.to_owned(), source };
        let mut child = Command::new(program)
            // Without a file name lp prints its input.
            .args(["-d", queue, "-t", waybill])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let stdin = child.stdin.take();
        let pdf = pdf.to_vec();
        // Each pipe has its own thread: a program that talks before it reads must not block both sides. A program that
        // ends without reading breaks the pipe; its exit status then says why.
        let feed = thread::spawn(move || stdin.map(|mut pipe| pipe.write_all(&pdf)));
        let said = child.stdout.take().map(listen);
        let complained = child.stderr.take().map(listen);
        let status = wait(&mut child, self.time).map_err(failed)?;
        let Some(status) = status else {
            // Its threads end with its pipes, which a program it started may hold: they are not waited for.
            return Err(PrintError::Timeout { queue: queue.to_owned() });
        };
        let fed = feed.join().ok().flatten().is_some_and(|result| result.is_ok());
        let words = |listener: Option<thread::JoinHandle<String>>| {
            listener.and_then(|thread| thread.join().ok()).unwrap_or_default()
        };
        let (said, complained) = (words(said), words(complained));
        if status.success() && fed {
            return Ok(Printed::Queued(said));
        }
        let words = if complained.is_empty() { format!("lp ended with {status}") } else { complained };
        Err(PrintError::Refused { queue: queue.to_owned(), words })
    }
}

fn listen(pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What cannot be read is not heard; the exit status decides.
        let _ = pipe.take(WORDS_MAX).read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).trim().to_owned()
    })
}

/// Waits until the child ends; after `time` it is killed and `None` returned.
fn wait(child: &mut Child, time: Duration) -> io::Result<Option<std::process::ExitStatus>> {
    let deadline = Instant::now() + time;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Under its name there is a whole label or none, after a power cut too.
fn put(dir: &Path, path: &Path, pdf: &[u8]) -> io::Result<()> {
    let partial = path.with_extension("pdf.partial");
    let mut file = File::create(&partial)?;
    file.write_all(pdf)?;
    file.sync_all()?;
    fs::rename(&partial, path)?;
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const WAYBILL: &str = "SF7444471039325";

    /// A stand-in for `lp`.
    fn program(dir: &Path, script: &str) -> PathBuf {
        let path = dir.join("lp");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn cups(dir: &Path, script: &str) -> Printer {
        let program = program(dir, script);
        Printer::new(PrinterSettings::Cups { queue: "label".to_owned(), program }).unwrap()
    }

    #[test]
    fn a_folder_gets_whole_files_only_and_no_path_of_ours_leaves_it() {
        let dir = tempfile::tempdir().unwrap();
        let labels = dir.path().join("a/labels");
        let printer = Printer::new(PrinterSettings::Folder { dir: labels.clone() }).unwrap();
        for content in [&b"first"[..], b"second"] {
            let printed = printer.print(WAYBILL, content).unwrap();
            assert_eq!(printed, Printed::File(labels.join("SF7444471039325.pdf")));
            assert_eq!(fs::read(labels.join("SF7444471039325.pdf")).unwrap(), content);
        }
        assert_eq!(fs::read_dir(&labels).unwrap().count(), 1);
        assert!(matches!(printer.print("../../etc/x", b""), Err(PrintError::Waybill(_))));
    }

    #[test]
    fn cups_gets_the_label_on_its_input_under_the_waybills_name() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let script = format!("echo \"$@\" >{0}.args; cat >{0}; echo request id is label-7", out.display());
        let big = vec![7; 300_000];
        let printed = cups(dir.path(), &script).print(WAYBILL, &big).unwrap();
        assert_eq!(printed, Printed::Queued("request id is label-7".to_owned()));
        assert_eq!(fs::read(&out).unwrap(), big);
        let args = fs::read_to_string(out.with_extension("args")).unwrap();
        assert_eq!(args.trim(), "-d label -t SF7444471039325");
    }

    #[test]
    fn a_refusal_gives_the_words_of_cups() {
        let dir = tempfile::tempdir().unwrap();
        let printer = cups(dir.path(), "echo 'lp: The printer or class does not exist.' >&2; exit 1");
        let error = printer.print(WAYBILL, b"pdf").unwrap_err();
        assert!(
            matches!(&error, PrintError::Refused { words, .. } if words.contains("does not exist")),
            "{error}"
        );
    }

    #[test]
    fn an_lp_that_hangs_is_ended() {
        let dir = tempfile::tempdir().unwrap();
        let mut printer = cups(dir.path(), "exec sleep 600");
        printer.time = Duration::from_millis(50);
        assert!(matches!(printer.print(WAYBILL, b"pdf"), Err(PrintError::Timeout { .. })));
    }

    #[test]
    fn a_queue_name_is_never_an_option() {
        for queue in ["", "-o", "a b", "a/b"] {
            let settings = PrinterSettings::Cups { queue: queue.to_owned(), program: lp() };
            assert!(matches!(Printer::new(settings), Err(PrintError::Queue(_))), "{queue}");
        }
    }
}
