//! `ukey-sim make`: a batch of blank keys with consecutive serials.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use model::Secret;
use ukey_sim::{FACTORY_DEVICE_KEY, VirtualKey};

/// What to make.
#[derive(clap::Args)]
pub struct Arguments {
    /// Folder of firmware profiles.
    #[arg(long, default_value = "firmware-profiles")]
    profiles: PathBuf,
    /// Profile, `vendor/model`.
    #[arg(long, default_value = "ukey/virtual")]
    profile: String,
    /// Folder for the flash files; made if it is missing.
    #[arg(long, default_value = "keys")]
    dir: PathBuf,
    /// How many keys.
    #[arg(long, default_value_t = 1)]
    count: u32,
    /// Serial of the first; the digits at its end count up.
    #[arg(long, default_value = "V0000001")]
    first: String,
    /// File with the maker's factory device key (32 hex digits), or `default` for the virtual maker's public one.
    #[arg(long, default_value = "default")]
    factory_key_file: String,
}

/// Makes the keys.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let profiles = profile::load_dir(&arguments.profiles)?;
    let profile = profiles.iter().find(|p| p.name == arguments.profile);
    let profile = profile
        .with_context(|| format!("{} has no profile {}", arguments.profiles.display(), arguments.profile))?;
    let factory_key = factory_key(&arguments.factory_key_file)?;
    fs::create_dir_all(&arguments.dir).with_context(|| format!("folder {}", arguments.dir.display()))?;
    for serial in serials(&arguments.first, arguments.count)? {
        let path = arguments.dir.join(format!("{serial}.json"));
        VirtualKey::make(&path, profile, &serial, &factory_key)?;
    }
    Ok(())
}

fn factory_key(file: &str) -> anyhow::Result<Secret> {
    if file == "default" {
        return Ok(Secret::new(FACTORY_DEVICE_KEY.to_vec()));
    }
    let text = fs::read_to_string(Path::new(file)).with_context(|| format!("factory key file {file}"))?;
    let key = Secret::new(hex::decode(text.trim()).unwrap_or_default());
    ensure!(key.len() == 16, "factory key file {file}: it holds 32 hex digits (16 bytes) and nothing else");
    Ok(key)
}

/// `count` serials from `first` on.
fn serials(first: &str, count: u32) -> anyhow::Result<Vec<String>> {
    let digits = first.bytes().rev().take_while(u8::is_ascii_digit).count();
    let (stem, number) = first.split_at(first.len() - digits);
    if digits == 0 || digits > 18 {
        bail!("--first {first}: a serial ends in 1 to 18 digits, which count up");
    }
    let number: u64 = number.parse().with_context(|| format!("--first {first}"))?;
    let serials = (number..number + u64::from(count)).map(|n| format!("{stem}{n:0digits$}"));
    let serials: Vec<String> = serials.collect();
    let fits = serials.last().is_none_or(|last| last.len() == first.len());
    ensure!(fits, "--first {first} --count {count}: the number at the end has too few digits");
    Ok(serials)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::serials;

    #[test]
    fn serials_count_up_and_keep_their_width() {
        assert_eq!(serials("V0000009", 3).unwrap(), ["V0000009", "V0000010", "V0000011"]);
        assert_eq!(serials("7", 1).unwrap(), ["7"]);
        for (first, count) in [("V", 1), ("V98", 3), ("", 1)] {
            assert!(serials(first, count).is_err(), "{first}");
        }
    }
}
