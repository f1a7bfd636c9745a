//! Programs of the real stack killed at moments of chance, keys pulled meanwhile; and the whole machine's power cut.

#![allow(clippy::print_stderr, reason = "whoever looks at a failed run wants to know what was done to it")]

use anyhow::{Result, ensure};
use e2e::{
    cuts, invariants,
    kills::{self, Plan},
};

/// Printed, so that a run can be repeated: `UKEY_SEED=n`.
fn seed() -> Result<u64> {
    let seed = std::env::var("UKEY_SEED").map_or(Ok(20_261_125), |text| text.parse())?;
    eprintln!("seed {seed}");
    Ok(seed)
}

#[test]
fn p4_nothing_is_lost_or_doubled_when_everything_is_killed_in_turn() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let plan = Plan { seed: seed()?, station: 8, portal: 2, broker: 2, pcscd: 2, pulls: 6 };
    let outcome = kills::run(folder.path(), &plan, &mut |line| eprintln!("{line}"))?;
    ensure!(outcome.kills == 8, "{} kills", outcome.kills);
    outcome.verdict.ensure_whole()?;
    ensure!(outcome.verdict.orders == 24 && outcome.verdict.keys == 60, "{}", outcome.verdict);
    the_checker_sees(folder.path())
}

/// The evidence of a real run, spoiled in one place after the other: each is seen, so that silence means something.
fn the_checker_sees(stack: &std::path::Path) -> Result<()> {
    let mut seen = 0;
    let mut more = |what: &str| -> Result<()> {
        let found = invariants::check(stack)?.violations.len();
        ensure!(found > seen, "{what} is not seen");
        seen = found;
        Ok(())
    };
    let first = |folder: &str, extension: &str| -> Result<std::path::PathBuf> {
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(stack.join(folder))? {
            paths.push(entry?.path());
        }
        paths.retain(|path| path.extension().is_some_and(|there| there == extension));
        paths.sort();
        paths.into_iter().next().ok_or_else(|| anyhow::anyhow!("nothing in {folder}"))
    };
    std::fs::remove_file(first("labels", "pdf")?)?;
    more("a label that is missing")?;
    let key = first("keys", "json")?;
    std::fs::copy(&key, stack.join("keys/twin.json"))?;
    more("a second key with the same certificates")?;
    let flash: serde_json::Value = serde_json::from_slice(&std::fs::read(&key)?)?;
    std::fs::write(stack.join("logs/extra.log"), format!("key {}", flash["device_key"]))?;
    more("a secret in a log")?;
    std::fs::remove_file(stack.join("doubles/sf.json"))?;
    more("a waybill that SF does not know")
}

#[test]
fn n3_a_power_cut_of_the_whole_machine_loses_and_doubles_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    cuts::run(folder.path(), seed()?, &mut |line| eprintln!("{line}"))?.verdict.ensure_whole()
}
