//! Which crate may know which. This table is the one place where the layers stand.

use super::{Finding, Package, Workspace};

/// A layer, lowest first. A crate may use any lower layer and nothing of its own or a higher one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Layer {
    /// Identifiers, states, outcomes.
    Words,
    /// What RustCrypto lacks.
    Cryptography,
    /// Files, messages and calls.
    Formats,
    /// What is said to a key.
    Protocol,
    /// The job on one side, the real things on the other, their doubles beside them: none sees another.
    Parts,
    /// What puts parts together.
    Programs,
    /// What tries everything, and the chores.
    Outside,
}

/// Every crate's layer.
const LAYERS: [(&str, Layer); 26] = [
    ("model", Layer::Words),
    ("gm", Layer::Cryptography),
    ("profile", Layer::Formats),
    ("wire", Layer::Formats),
    ("call", Layer::Formats),
    ("ukey", Layer::Protocol),
    ("workflow", Layer::Parts),
    ("journal", Layer::Parts),
    ("ukey-pcsc", Layer::Parts),
    ("hub", Layer::Parts),
    ("label", Layer::Parts),
    ("sf", Layer::Parts),
    ("sms", Layer::Parts),
    ("invoice", Layer::Parts),
    ("alipay", Layer::Parts),
    ("vault", Layer::Parts),
    ("ca", Layer::Parts),
    ("mqtt", Layer::Parts),
    ("listen", Layer::Parts),
    ("ukey-sim", Layer::Parts),
    ("sandbox", Layer::Parts),
    ("audit", Layer::Programs),
    ("portal", Layer::Programs),
    ("ukey-station", Layer::Programs),
    ("e2e", Layer::Outside),
    ("xtask", Layer::Outside),
];

/// Doubles: only tests of other crates and the outermost layer may use them. Mains choose the real thing.
const DOUBLES: [&str; 2] = ["ukey-sim", "sandbox"];

/// Each hardware or store crate, and the one crate that may name it.
const HOMES: [(&str, &str); 7] = [
    ("pcsc", "ukey-pcsc"),
    ("cryptoki", "vault"),
    ("rumqttc", "mqtt"),
    ("sled", "journal"),
    ("rusb", "hub"),
    ("printpdf", "label"),
    ("serialport", "hub"),
];

fn layer(name: &str) -> Option<Layer> {
    LAYERS.iter().find(|(known, _)| *known == name).map(|(_, layer)| *layer)
}

/// Dependency arrows point down.
pub fn arrows(workspace: &Workspace) -> Vec<Finding> {
    let ours = |name: &str| workspace.packages.iter().any(|package| package.name == name);
    let mut findings = Vec::new();
    for package in &workspace.packages {
        let Some(from) = layer(&package.name) else {
            findings.push(finding(
                package,
                "has no layer: give it one in crates/xtask/src/tidy/layers.rs".to_owned(),
            ));
            continue;
        };
        for dependency in package.dependencies.iter().filter(|dependency| ours(&dependency.name)) {
            let to = &dependency.name;
            let double = DOUBLES.contains(&to.as_str());
            let wrong = match layer(to) {
                // A crate without a layer has its own finding.
                None => continue,
                Some(_) if double && dependency.dev => continue,
                Some(_) if double && from < Layer::Outside => {
                    "is a double: only [dev-dependencies] may name it"
                }
                Some(layer) if layer > from => {
                    "lies higher: turn the arrow round, or move what is needed down"
                }
                Some(layer) if layer == from => {
                    "lies beside it: what both need belongs below, what joins them above"
                }
                Some(_) => continue,
            };
            findings.push(finding(package, format!("depends on {to}, which {wrong}")));
        }
    }
    findings
}

/// Each hardware or store crate stands in one manifest.
pub fn homes(workspace: &Workspace) -> Vec<Finding> {
    let strays = workspace.packages.iter().flat_map(|package| {
        let named = HOMES.iter().filter(|(name, home)| {
            *home != package.name && package.dependencies.iter().any(|dependency| dependency.name == *name)
        });
        named.map(|(name, home)| {
            finding(package, format!("names {name}, whose only home is {home}: use {home} instead"))
        })
    });
    strays.collect()
}

fn finding(package: &Package, text: String) -> Finding {
    Finding { place: format!("crate {}", package.name), text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::Dependency;

    fn package(name: &str, dependencies: &[&str], dev: &[&str]) -> Package {
        let kind = |dev| move |name: &&str| Dependency { name: (*name).to_owned(), dev };
        let dependencies = dependencies.iter().map(kind(false)).chain(dev.iter().map(kind(true))).collect();
        Package { name: name.to_owned(), dependencies, ..Package::default() }
    }

    fn workspace(packages: Vec<Package>) -> Workspace {
        Workspace { packages, ..Workspace::default() }
    }

    fn texts(findings: &[Finding]) -> String {
        findings.iter().map(|finding| format!("{}: {}\n", finding.place, finding.text)).collect()
    }

    #[test]
    fn right_arrows_are_left_alone() {
        let packages = vec![
            package("model", &["serde"], &["proptest"]),
            package("gm", &["model"], &[]),
            package("profile", &["model"], &[]),
            package("ukey", &["model", "gm", "profile"], &[]),
            package("ukey-sim", &["ukey"], &[]),
            package("sandbox", &["model"], &[]),
            package("workflow", &["ukey", "profile"], &["ukey-sim"]),
            package("ukey-station", &["workflow", "ukey"], &["ukey-sim", "sandbox"]),
            package("e2e", &["ukey-sim", "workflow"], &[]),
        ];
        assert_eq!(texts(&arrows(&workspace(packages))), "");
    }

    #[test]
    fn an_arrow_that_points_up_is_found() {
        let packages = vec![package("model", &["gm"], &[]), package("gm", &[], &[])];
        let found = texts(&arrows(&workspace(packages)));
        assert!(found.contains("crate model: depends on gm, which lies higher"), "{found}");
    }

    #[test]
    fn workflow_and_adapters_never_see_each_other() {
        for (from, to) in
            [("workflow", "ukey-pcsc"), ("journal", "workflow"), ("workflow", "journal"), ("ca", "vault")]
        {
            let found = texts(&arrows(&workspace(vec![package(from, &[to], &[]), package(to, &[], &[])])));
            assert!(found.contains("lies beside it"), "{from} -> {to}: {found}");
        }
        let in_tests = workspace(vec![package("workflow", &[], &["journal"]), package("journal", &[], &[])]);
        assert_eq!(arrows(&in_tests).len(), 1, "tests see what code may see, and doubles");
    }

    #[test]
    fn a_double_is_for_tests_only() {
        for (from, to) in [("ukey-station", "ukey-sim"), ("portal", "sandbox"), ("workflow", "ukey-sim")] {
            let found = texts(&arrows(&workspace(vec![package(from, &[to], &[]), package(to, &[], &[])])));
            assert!(found.contains("is a double"), "{from} -> {to}: {found}");
        }
    }

    #[test]
    fn a_crate_without_a_layer_is_found() {
        let found = texts(&arrows(&workspace(vec![package("newcomer", &["model"], &[])])));
        assert!(found.contains("crate newcomer: has no layer"), "{found}");
    }

    #[test]
    fn a_hardware_crate_away_from_home_is_found() {
        let packages = vec![package("ukey-pcsc", &["pcsc"], &[]), package("e2e", &[], &["pcsc"])];
        let found = homes(&workspace(packages));
        assert_eq!(found.len(), 1);
        assert!(
            texts(&found).contains("crate e2e: names pcsc, whose only home is ukey-pcsc"),
            "{}",
            texts(&found)
        );
    }

    #[test]
    fn every_crate_stands_once_in_the_table() {
        for (at, (name, _)) in LAYERS.iter().enumerate() {
            assert!(!LAYERS[at + 1..].iter().any(|(other, _)| other == name), "{name} stands twice");
        }
    }
}
