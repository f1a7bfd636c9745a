//! Secrets where they must not be: logs, journals, the portal's folder, labels.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;

use super::flash::Flash;

/// So many bytes are looked up at once; no secret is shorter.
const HEAD: usize = 8;

/// What to look for, by its first bytes.
#[derive(Default)]
pub(super) struct Needles(HashMap<[u8; HEAD], Vec<(Vec<u8>, String)>>);

impl Needles {
    /// Adds a secret in every form in which it could be written down.
    pub fn add(&mut self, secret: &[u8], whose: &str) -> Result<()> {
        ensure!(secret.len() >= HEAD, "a secret of {whose} is too short to be told from chance");
        for form in forms(secret) {
            let head: [u8; HEAD] =
                form.get(..HEAD).context("a form is shorter than its secret")?.try_into()?;
            self.0.entry(head).or_default().push((form, whose.to_owned()));
        }
        Ok(())
    }

    /// Whose secrets are in `bytes`.
    pub fn found_in<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = &'a str> {
        let heads = bytes.windows(HEAD).enumerate();
        heads.filter_map(|(at, head)| Some((at, self.0.get(head)?))).flat_map(move |(at, candidates)| {
            let here = candidates.iter().filter(move |(form, _)| bytes[at..].starts_with(form));
            here.map(|(_, whose)| whose.as_str())
        })
    }
}

/// As it is, as hex, as base64 at each of the three places where it can begin.
fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![secret.to_vec(), hex::encode(secret).into(), hex::encode_upper(secret).into()];
    for before in 0..3 {
        let padded = [&[0; 2][..before], secret].concat();
        let text = base64::engine::general_purpose::STANDARD_NO_PAD.encode(&padded);
        // Characters that other bytes have a part in are left out at both ends.
        let whole = text[(before * 8).div_ceil(6)..padded.len() * 8 / 6].to_owned();
        forms.push(whole.replace('+', "-").replace('/', "_").into_bytes());
        forms.push(whole.into_bytes());
    }
    forms.sort();
    forms.dedup();
    forms
}

/// File and whose secret is in it.
pub(super) fn find(stack: &Path, flashes: &[Flash]) -> Result<Vec<(PathBuf, String)>> {
    let mut secrets: BTreeMap<&[u8], String> = BTreeMap::new();
    secrets.insert(crate::stack::PASSWORD.as_bytes(), "the operator (pass phrase)".to_owned());
    for flash in flashes {
        for secret in &flash.secrets {
            secrets.entry(secret).or_insert_with(|| flash.id.clone());
        }
    }
    let mut needles = Needles::default();
    for (secret, whose) in &secrets {
        needles.add(secret, whose)?;
    }
    let mut leaks = Vec::new();
    // A portal's machine alone has no bench.
    let bench = ["station", "pcscd"].into_iter().filter(|place| stack.join(place).exists());
    for place in ["logs", "portal", "labels"].into_iter().chain(bench) {
        for file in files(&stack.join(place))? {
            let bytes = fs::read(&file).with_context(|| format!("{}", file.display()))?;
            let mut whose: Vec<&str> = needles.found_in(&bytes).collect();
            whose.dedup();
            leaks.extend(whose.into_iter().map(|whose| (file.clone(), whose.to_owned())));
        }
    }
    Ok(leaks)
}

fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| format!("{}", dir.display()))? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            found.extend(files(&path)?);
        } else if kind.is_file() {
            found.push(path);
        }
    }
    Ok(found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_every_form_and_wherever_it_begins() {
        let secret: Vec<u8> = (100..116).collect();
        let mut needles = Needles::default();
        needles.add(&secret, "V1").unwrap();
        for before in 0..5 {
            let around = [vec![b'x'; before], secret.clone(), vec![b'y'; 7]].concat();
            let texts: [Vec<u8>; 4] = [
                around.clone(),
                hex::encode(&around).into(),
                hex::encode_upper(&around).into(),
                base64::engine::general_purpose::STANDARD.encode(&around).into(),
            ];
            for text in texts {
                let text = [b"{\"v\":\"".to_vec(), text].concat();
                assert_eq!(needles.found_in(&text).collect::<Vec<_>>(), ["V1"], "{before}");
            }
        }
        assert_eq!(needles.found_in(&secret[1..]).count(), 0);
    }
}
