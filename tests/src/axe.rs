//! axe-core, which judges a page as a browser shows it by the rules of WCAG 2.1, levels A and AA: names of fields, contrast, languages, and the like.

use std::{fs, process::Command};

use anyhow::{Context as _, Result, ensure};

use crate::{browser::Browser, places::tree, process::run};

/// The judge.
pub struct Axe {
    script: String,
}

impl Axe {
    /// Fetches it, where it is not here yet.
    ///
    /// # Errors
    /// `scripts/axe` fails: there is no way to the package index.
    pub fn fetch() -> Result<Self> {
        let said = run("scripts/axe", &mut Command::new(tree().join("scripts/axe")), None)?;
        let path = said.lines().last().context("scripts/axe says no path")?;
        let axe = fs::read_to_string(path).with_context(|| path.to_owned())?;
        let judge = "return axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] }).then((found) => \
                     found.violations.flatMap((rule) => rule.nodes.map((node) => \
                     `${rule.id}: ${node.target.join(' ')}: ${node.failureSummary}`)));";
        Ok(Self { script: format!("{axe}\n{judge}") })
    }

    /// What is wrong with the page in the browser, a line each.
    ///
    /// # Errors
    /// The browser is gone, or the judge does not run.
    pub fn faults(&self, browser: &Browser) -> Result<Vec<String>> {
        let found = browser.script(&self.script)?;
        let found = found.as_array().context("axe gave no list")?;
        Ok(found.iter().filter_map(|fault| fault.as_str().map(str::to_owned)).collect())
    }

    /// Nothing is wrong with the page in the browser.
    ///
    /// # Errors
    /// What is, with the address.
    pub fn passes(&self, browser: &Browser) -> Result<()> {
        let faults = self.faults(browser)?;
        ensure!(faults.is_empty(), "{}:\n{}", browser.url()?, faults.join("\n"));
        Ok(())
    }
}
