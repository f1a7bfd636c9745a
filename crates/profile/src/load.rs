//! From text and folders to trusted profiles: the only door.

use std::{
    collections::BTreeMap,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    time::Duration,
};

use sm3::{Digest, Sm3};

use crate::{
    checks::{CHECKS, SCHEMA, Subject},
    error::{Finding, ProfileError},
    file::{ProfileFile, hex_bytes, usb_id},
    locate::Located,
    trusted::{Limits, Match, Names, PinPolicy, Profile, Secrets, Source, Step},
};

/// The text that stands for "no source says so".
const UNCONFIRMED: &str = "unconfirmed";

/// Larger files are refused before they are parsed; the shipped ones have some 4 KiB.
const FILE_BYTES_MAX: usize = 64 * 1024;

/// Reads one profile.
///
/// # Errors
/// [`ProfileError::Read`] or [`ProfileError::Refused`] with everything that is wrong.
pub fn load_file(path: &Path) -> Result<Profile, ProfileError> {
    let read = || -> std::io::Result<String> {
        let mut text = String::new();
        // One byte more than allowed tells a file that is too large, whatever its size.
        fs::File::open(path)?.take(FILE_BYTES_MAX as u64 + 1).read_to_string(&mut text)?;
        Ok(text)
    };
    let text = read().map_err(|source| ProfileError::Read { file: path.to_owned(), source })?;
    parse(&text, path)
}

/// Reads every `<vendor>/<model>.toml` under `dir`, in the order of their names; `bad/` and everything that is no
/// `.toml` is left out.
///
/// # Errors
/// [`ProfileError`] of the first profile that is wrong, lies in the wrong place, or fits the same keys as another.
pub fn load_dir(dir: &Path) -> Result<Vec<Profile>, ProfileError> {
    let mut profiles = Vec::new();
    for vendor in entries(dir)? {
        if !vendor.is_dir() || vendor.file_name().is_some_and(|name| name == "bad") {
            continue;
        }
        for file in entries(&vendor)? {
            if file.extension().is_none_or(|extension| extension != "toml") {
                continue;
            }
            let profile = load_file(&file)?;
            if file != dir.join(format!("{}.toml", profile.name)) {
                return Err(ProfileError::Misplaced { file, name: profile.name });
            }
            profiles.push(profile);
        }
    }
    profiles.sort_by(|a: &Profile, b| a.name.cmp(&b.name));
    refuse_ambiguous(&profiles)?;
    Ok(profiles)
}

/// Reads a profile from text; `file` is only named in errors.
///
/// # Errors
/// [`ProfileError::Refused`] with everything that is wrong.
pub fn parse(text: &str, file: &Path) -> Result<Profile, ProfileError> {
    let refused = |findings| ProfileError::Refused { file: file.to_owned(), findings };
    if text.len() > FILE_BYTES_MAX {
        return Err(refused(vec![too_large()]));
    }
    let located = Located::new(text);
    let form: ProfileFile =
        toml::from_str(text).map_err(|error| refused(vec![schema(&error, &located, text)]))?;
    let findings = validate(&form, &located);
    if findings.is_empty() { Ok(trusted(form, text)) } else { Err(refused(findings)) }
}

/// The names of all checks, in the order in which they run.
pub fn check_names() -> impl Iterator<Item = &'static str> {
    std::iter::once(SCHEMA).chain(CHECKS.iter().map(|(name, _)| *name))
}

fn validate(form: &ProfileFile, located: &Located<'_>) -> Vec<Finding> {
    let to_source = [located.leaves("dialect"), located.leaves("match")].concat();
    let tables = ["limits", "names", "pins", "secrets"];
    let mut others = located.top();
    others.extend(tables.iter().flat_map(|table| located.leaves(table)));
    let subject = Subject { file: form, to_source: &to_source, others: &others };
    let mut findings = Vec::new();
    for (check, run) in CHECKS {
        for problem in run(&subject) {
            let line = located.line(&problem.field);
            let (field, what, remedy) = (problem.field, problem.what, problem.remedy);
            findings.push(Finding { check, line, field, what, remedy });
        }
    }
    findings
}

/// What serde says, with the line and the key it speaks of.
fn schema(error: &toml::de::Error, located: &Located<'_>, text: &str) -> Finding {
    let line = error.span().map(|span| located.line_at(span.start));
    let written = line.and_then(|line| text.lines().nth(line - 1)).unwrap_or("the file");
    let field = written.split('=').next().unwrap_or(written).trim();
    Finding {
        check: SCHEMA,
        line,
        field: field.chars().take(64).collect(),
        what: error.message().replace('\n', " "),
        remedy: "firmware-profiles/README.md shows every field".to_owned(),
    }
}

fn too_large() -> Finding {
    Finding {
        check: SCHEMA,
        line: None,
        field: "the file".to_owned(),
        what: format!("it has more than {FILE_BYTES_MAX} bytes"),
        remedy: "a profile has some four thousand: give the right file".to_owned(),
    }
}

fn trusted(form: ProfileFile, text: &str) -> Profile {
    let step = |step: &crate::file::StepFile| Step {
        kind: step.kind,
        redo: step.redo,
        budget: Duration::from_millis(u64::from(step.budget_ms)),
    };
    let source = |(field, text): (String, String)| {
        let from = (text != UNCONFIRMED).then_some(text);
        Source { field, from }
    };
    Profile {
        name: format!("{}/{}", form.maker, form.model),
        maker: form.maker,
        model: form.model,
        title: form.title,
        digest: hex::encode(Sm3::digest(text.as_bytes())),
        transport: form.transport,
        matching: Match {
            atr: form.matching.atr.as_deref().and_then(hex_bytes),
            usb: form.matching.usb.as_deref().and_then(usb_id),
            manufacturer: form.matching.manufacturer,
            label_prefix: form.matching.label_prefix,
            serial_prefix: form.matching.serial_prefix,
        },
        dialect: form.dialect,
        limits: Limits {
            max_command_data: form.limits.max_command_data,
            max_certificate: form.limits.max_certificate,
            max_applications: form.limits.max_applications,
            max_containers: form.limits.max_containers,
        },
        names: Names {
            application: form.names.application,
            container: form.names.container,
            label: form.names.label,
        },
        pins: PinPolicy {
            min_len: form.pins.min_len,
            max_len: form.pins.max_len,
            admin_tries: form.pins.admin_tries,
            user_tries: form.pins.user_tries,
        },
        secrets: Secrets { factory_device_key: form.secrets.factory_device_key },
        job_budget: Duration::from_secs(u64::from(form.job_budget_seconds)),
        steps: form.steps.iter().map(step).collect(),
        sources: form.sources.into_iter().map(source).collect(),
    }
}

fn refuse_ambiguous(profiles: &[Profile]) -> Result<(), ProfileError> {
    let mut atrs = BTreeMap::new();
    for profile in profiles {
        let Some(atr) = &profile.matching.atr else { continue };
        if let Some(first) = atrs.insert(atr, &profile.name) {
            let (first, second) = (first.clone(), profile.name.clone());
            return Err(ProfileError::Ambiguous { first, second, what: "ATR" });
        }
    }
    let mut ids = BTreeMap::new();
    for profile in profiles {
        let Some(usb) = profile.matching.usb else { continue };
        if let Some(first) = ids.insert(usb, &profile.name) {
            let (first, second) = (first.clone(), profile.name.clone());
            return Err(ProfileError::Ambiguous { first, second, what: "USB id" });
        }
    }
    Ok(())
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>, ProfileError> {
    let read = || -> std::io::Result<Vec<PathBuf>> {
        fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.path())).collect()
    };
    let mut paths = read().map_err(|source| ProfileError::Read { file: dir.to_owned(), source })?;
    paths.sort();
    Ok(paths)
}
