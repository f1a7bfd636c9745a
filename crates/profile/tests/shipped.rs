//! The profiles that are shipped, and the broken ones that show what each check is for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{collections::BTreeSet, fs, path::PathBuf};

use profile::{Profile, ProfileError, Redo, StepKind, Transport, check_names, load_dir, load_file, parse};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../firmware-profiles")
}

fn shipped() -> Vec<Profile> {
    load_dir(&folder()).unwrap_or_else(|error| panic!("{error}"))
}

fn named(name: &str) -> Profile {
    shipped().into_iter().find(|profile| profile.name == name).unwrap_or_else(|| panic!("no {name}"))
}

fn virtual_text() -> String {
    fs::read_to_string(folder().join("ukey/virtual.toml")).unwrap()
}

fn refusal(text: &str) -> ProfileError {
    parse(text, "some.toml".as_ref()).expect_err("it must be refused")
}

#[test]
fn every_shipped_profile_loads() {
    let names: Vec<_> = shipped().into_iter().map(|profile| profile.name).collect();
    let wanted =
        ["longmai/gm3000", "syno/as568", "ukey/virtual", "ukey/virtual-as568", "ukey/virtual-gm3000"];
    assert_eq!(names, wanted);
}

#[test]
fn each_check_has_one_bad_file_that_it_alone_refuses() {
    let mut seen = BTreeSet::new();
    for entry in fs::read_dir(folder().join("bad")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let error = load_file(&path).expect_err(&name);
        let checks: BTreeSet<_> = error.findings().iter().map(|finding| finding.check).collect();
        assert_eq!(checks, BTreeSet::from([name.as_str()]), "{error}");
        seen.insert(name);
    }
    assert_eq!(seen, check_names().map(str::to_owned).collect());
}

#[test]
fn every_bad_file_is_refused_with_line_field_and_remedy() {
    for entry in fs::read_dir(folder().join("bad")).unwrap() {
        let path = entry.unwrap().path();
        let error = load_file(&path).expect_err("bad");
        for finding in error.findings() {
            assert!(finding.line.is_some() || finding.check == "recognition", "{error}");
            assert!(
                !finding.field.is_empty() && !finding.what.is_empty() && !finding.remedy.is_empty(),
                "{error}"
            );
        }
        assert!(error.to_string().starts_with(path.to_str().unwrap()), "{error}");
    }
}

#[test]
fn a_refusal_reads_like_a_compilers() {
    let text = virtual_text().replace("user-tries = 10", "user-tries = 2");
    let line = 1 + text.lines().position(|line| line == "user-tries = 2").unwrap();
    assert_eq!(
        refusal(&text).to_string(),
        format!(
            "some.toml:{line}: pins.user-tries: 2 tries cannot be worked with; use 3 to 15 (check pin-tries)"
        )
    );
}

#[test]
fn every_mistake_is_named_at_once() {
    let text =
        virtual_text().replace("random-len = 16", "random-len = 9").replace("min-len = 6", "min-len = 0");
    let error = refusal(&text);
    let checks: Vec<_> = error.findings().iter().map(|finding| finding.check).collect();
    assert_eq!(checks, ["device-auth-random", "pin-lengths"]);
}

#[test]
fn an_unknown_field_is_refused_in_every_table() {
    let text = virtual_text();
    let headers: BTreeSet<_> =
        text.lines().filter(|line| line.starts_with('[') && *line != "[sources]").collect();
    assert_eq!(headers.len(), 12, "{headers:?}");
    for header in headers {
        let changed = text.replacen(header, &format!("{header}\nsurprise = 1"), 1);
        assert!(refusal(&changed).to_string().contains("surprise"), "{header}");
    }
    assert!(refusal(&format!("surprise = 1\n{text}")).to_string().contains("surprise"));
}

#[test]
fn a_missing_field_is_refused_in_every_table() {
    let text = virtual_text();
    for line in text.lines().take_while(|line| *line != "[sources]").filter(|line| line.contains(" = ")) {
        let changed = text.replacen(&format!("{line}\n"), "", 1);
        assert!(parse(&changed, "some.toml".as_ref()).is_err(), "without {line}");
    }
}

#[test]
fn the_virtual_keys_speak_the_dialects_they_are_named_after() {
    assert_eq!(named("ukey/virtual-gm3000").dialect, named("longmai/gm3000").dialect);
    assert_eq!(named("ukey/virtual-as568").dialect, named("syno/as568").dialect);
    let dialects =
        ["ukey/virtual", "ukey/virtual-gm3000", "ukey/virtual-as568"].map(|name| named(name).dialect);
    assert!(dialects[0] != dialects[1] && dialects[1] != dialects[2] && dialects[0] != dialects[2]);
}

#[test]
fn virtual_keys_are_told_apart_by_readable_atrs() {
    let profiles = shipped();
    let virtual_keys: Vec<_> = profiles.iter().filter(|profile| profile.maker == "ukey").collect();
    for profile in &virtual_keys {
        assert_eq!(profile.transport, Transport::Pcsc);
        let atr = profile.matching.atr.as_deref().unwrap();
        let text = atr[3..atr.len() - 1].iter().all(u8::is_ascii_graphic);
        assert!(text, "{} {atr:02X?}", profile.name);
        let fits: Vec<_> = profiles.iter().filter(|other| other.matches_atr(atr)).collect();
        assert_eq!(fits, [*profile]);
        assert!(
            profile.matches_device_info("ukey ", "", "V1")
                && !profile.matches_device_info("Longmai", "", "V1")
        );
    }
    assert!(named("longmai/gm3000").matches_usb(0x055c, 0xe618));
    assert!(!named("longmai/gm3000").matches_usb(0x055c, 0xe619));
    assert!(!named("ukey/virtual").matches_usb(0x055c, 0xe618));
    assert!(!named("longmai/gm3000").matches_atr(&[]));
}

#[test]
fn steps_say_what_may_be_done_in_doubt() {
    for profile in shipped() {
        for step in &profile.steps {
            let wanted = match step.kind {
                StepKind::RequestCertificates | StepKind::SetLabel | StepKind::Verify => Redo::Repeat,
                _ => Redo::Inspect,
            };
            assert_eq!(step.redo, wanted, "{} {:?}", profile.name, step.kind);
        }
    }
}

#[test]
fn step_names_are_those_of_the_file() {
    let text = virtual_text();
    for kind in StepKind::ALL {
        assert!(text.contains(&format!("kind = \"{}\"", kind.name())), "{kind:?}");
    }
}

#[test]
fn the_digest_follows_every_byte_of_the_file() {
    let first = parse(&virtual_text(), "a.toml".as_ref()).unwrap();
    let second = parse(&format!("{}\n", virtual_text()), "a.toml".as_ref()).unwrap();
    assert_eq!(first.digest.len(), 64);
    assert_ne!(first.digest, second.digest);
    assert_eq!(first.digest, named("ukey/virtual").digest);
}

#[test]
fn sources_keep_unconfirmed_apart() {
    let profile = named("longmai/gm3000");
    let from =
        |field: &str| profile.sources.iter().find(|source| source.field == field).unwrap().from.clone();
    assert_eq!(from("dialect.device-auth.p2"), None);
    assert!(from("dialect.byte-order").is_some());
}

#[test]
fn a_profile_in_the_wrong_place_and_two_for_one_key_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("ukey")).unwrap();
    fs::write(dir.path().join("README.md"), "not a profile").unwrap();
    fs::write(dir.path().join("ukey/other.toml"), virtual_text()).unwrap();
    assert!(
        matches!(load_dir(dir.path()), Err(ProfileError::Misplaced { name, .. }) if name == "ukey/virtual")
    );

    let twin = virtual_text().replace("model = \"virtual\"", "model = \"other\"");
    fs::write(dir.path().join("ukey/other.toml"), twin).unwrap();
    assert_eq!(load_dir(dir.path()).unwrap().len(), 1);
    fs::write(dir.path().join("ukey/virtual.toml"), virtual_text()).unwrap();
    assert!(matches!(load_dir(dir.path()), Err(ProfileError::Ambiguous { what: "ATR", .. })));

    assert!(matches!(load_dir(&dir.path().join("none")), Err(ProfileError::Read { .. })));
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        let _ = parse(&text, "some.toml".as_ref());
    }

    #[test]
    fn no_change_of_a_shipped_profile_panics(at in 0usize..4000, with in "[ -~\\n]{0,6}") {
        let mut chars: Vec<char> = virtual_text().chars().collect();
        let at = at.min(chars.len() - 1);
        chars.splice(at..=at, with.chars());
        let _ = parse(&chars.into_iter().collect::<String>(), "some.toml".as_ref());
    }
}

#[test]
fn size_and_depth_are_bounded() {
    let long = format!("{}{}", virtual_text(), "#\n".repeat(40_000));
    assert!(refusal(&long).to_string().contains("65536 bytes"), "{}", refusal(&long));
    for (open, close) in [("[", "]"), ("{a=", "}")] {
        let deep = format!("x = {}1{}", open.repeat(9_000), close.repeat(9_000));
        assert_eq!(refusal(&deep).findings()[0].check, "schema");
    }
}
