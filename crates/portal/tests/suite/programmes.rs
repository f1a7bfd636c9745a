//! The shipped programmes and config pass; each mistake is refused with file, line, field and remedy.

use crate::bench::{programmes, shipped};
use portal::{
    config::Config,
    programmes::{InvoiceDelivery, Offer, PictureKind, Programme, Programmes},
    toml_file::{Faults, Source},
};
use proptest::prelude::*;

fn shipped_text(name: &str) -> String {
    std::fs::read_to_string(shipped(name)).unwrap()
}

#[test]
fn every_shipped_programme_loads_and_can_be_ordered() {
    let programmes = programmes();
    for id in ["luzhou-laojiao", "xiamen-jinlong", "yuncaidun"] {
        assert!(programmes.get(id).is_some(), "{id}");
    }
    for programme in programmes.iter() {
        for product in &programme.products {
            assert!(programme.template(product.holder).is_some(), "{} {}", programme.id, product.id);
        }
    }
}

/// One edit of a shipped file, the field that only this check refuses, and a word of what is said.
const BAD_PROGRAMMES: [(&str, &str, &str, &str); 43] = [
    ("title = \"泸州老窖采购管理系统云采盾数字证书\"", "title = \" \"", "title", "empty"),
    ("id = \"personal-first\"", "id = \"unit-first\"", "products[1].id", "already"),
    ("id = \"personal-first\"", "id = \"Personal\"", "products[1].id", "not an id"),
    ("years = [1, 2, 3]", "years = [0]", "products[0].years", "validities"),
    ("years = [1, 2, 3]", "years = [2, 2]", "products[0].years", "validities"),
    ("years = [1, 2, 3]", "years = [11]", "products[0].years", "validities"),
    ("price_fen_per_year = 40000 ", "price_fen_per_year = 0 ", "products[0].price_fen_per_year", "payment"),
    (
        "price_fen_per_year = 40000 ",
        "price_fen_per_year = 99999999 ",
        "products[0].price_fen_per_year",
        "100000.00",
    ),
    ("quantity = { min = 1, max = 100 }", "quantity = { min = 3, max = 2 }", "products[0].quantity", "range"),
    ("methods = [\"alipay\"]", "methods = []", "payment.methods", "empty"),
    ("kinds = [\"general\", \"special\"]", "kinds = []", "invoice.kinds", "empty"),
    ("verification = [\"basic\"]", "verification = []", "applicant.verification", "empty"),
    ("initial_user_pin = \"12345678\"", "initial_user_pin = \"1\"", "key.initial_user_pin", "PIN"),
    ("profiles = []", "profiles = [\"GM3000\"]", "key.profiles[0]", "profile"),
    ("attribute = \"CN\"", "attribute = \"XX\"", "certificate.unit.dn[2].attribute", "XX"),
    ("value = \"{unit.name}\"", "value = \"{unit.nmae}\"", "certificate.unit.dn[1].value", "{unit.nmae}"),
    ("value = \"{unit.name}\"", "value = \"{unit.name\"", "certificate.unit.dn[1].value", "no }"),
    ("value = \"{unit.name}\"", "value = \"{holder.name}\"", "certificate.unit.dn[1].value", "do not have"),
    ("1.2.156.10260.4.1.4", "2.5.29.15", "certificate.unit.extensions[0].oid", "2.5.29.15"),
    ("legal_representative = true", "legal_representative = \"yes\"", "", "expected a boolean"),
    ("seal_sampling = true", "seal_sampling = false", "pictures.seal_sampling", "asked for and not printed"),
    ("\"licence\"", "\"selfie\"", "", "selfie"),
    ("\"licence\"", "\"paper\"", "pictures.required", "operators"),
    ("\"licence\"", "\"id_back\"", "pictures.required", "twice"),
    ("id = \"privacy\"", "id = \"service\"", "agreements[1].id", "another"),
    ("title = \"隐私政策\"", "title = \"\"", "agreements[1].title", "empty"),
    ("version = \"2026-01\"", "version = \"一\"", "agreements[0].version", "no version"),
    ("delivery = \"mail\"", "delivery = \"pigeon\"", "", "pigeon"),
    ("sign_name = \"电子钥匙服务\"", "sign_name = \"\"", "sms.sign_name", "empty"),
    ("shipped = \"SMS_30000004\"", "shipped = \"\"", "sms.shipped", "template"),
    ("renewal = \"coming\"", "renewal = \"soon\"", "", "soon"),
    ("    \"收到证书后", "    \"\", \"收到证书后", "home.intro[3]", "empty"),
    ("\"收件地址不完整，请更正\"", "\"\"", "review.reasons[8]", "empty"),
    ("reasons = [", "reasons = [\"其他\",", "review.reasons", "10"),
    ("\"收件地址不完整，请更正\"", "\"经办人信息与身份证不一致，请更正\"", "review.reasons[8]", "twice"),
    ("reasons = [", "reason = [", "", "reason"),
    ("working_days = 3", "working_days = 0", "shipping.working_days", "promised"),
    ("working_days = 3", "working_days = \"3\"", "", "u8"),
    ("pictures_days = 180", "pictures_days = 0", "retention.pictures_days", "0"),
    ("drafts_days = 30", "drafts_days = 9999", "retention.drafts_days", "9999"),
    ("contents_days = 3650", "contents_day = 3650", "", "contents_day"),
    ("idle_days = 90", "idle_days = 0", "retention.idle_days", "0"),
    ("completed_after_days = 15", "completed_after_days = 0", "shipping.completed_after_days", "0"),
];

#[test]
fn each_mistake_in_a_programme_is_told_with_line_field_and_remedy() {
    let text = shipped_text("programmes/luzhou-laojiao.toml");
    for (right, wrong, field, word) in BAD_PROGRAMMES {
        let line = text.lines().position(|line| line.contains(right)).unwrap() + 1;
        let bad = text.replacen(right, wrong, 1);
        let Err(Faults(faults)) = Programme::from_source("luzhou-laojiao", &Source::new("l.toml", &bad))
        else {
            panic!("{wrong} was taken");
        };
        let told = faults.iter().find(|fault| fault.field == field && fault.what.contains(word));
        let told = told.unwrap_or_else(|| panic!("{wrong}: {faults:?}"));
        assert_eq!((told.file.as_str(), told.line), ("l.toml", line), "{wrong}: {told}");
        assert!(!told.fix.is_empty());
        let others =
            faults.iter().filter(|fault| fault.field != field && !fault.field.ends_with(".dn")).count();
        assert_eq!(others, 0, "{wrong}: {faults:?}");
    }
}

#[test]
fn a_programme_without_payment_has_no_price_and_every_kind_its_template() {
    let text = shipped_text("programmes/yuncaidun.toml");
    let faults = |bad: &str| Programme::from_source("x", &Source::new("y.toml", bad)).unwrap_err().0;
    let priced = faults(&text.replacen("years = [1] ", "price_fen_per_year = 1\nyears = [1] ", 1));
    assert_eq!(priced[0].field, "products[0].price_fen_per_year");
    let personal = faults(&text.replacen("holder = \"unit\"", "holder = \"personal\"", 1));
    assert_eq!(personal[0].field, "products[0].holder");
    let unknown = faults(&text.replacen("[shipping]", "[shiping]", 1));
    assert!(unknown[0].what.contains("shiping") && unknown[0].line > 0, "{unknown:?}");
    let name = Programme::from_source("Ü", &Source::new("y.toml", &text)).unwrap_err().0;
    assert!(name[0].what.contains("file's name"), "{name:?}");
}

#[test]
fn the_shipped_programmes_say_what_their_manuals_say() {
    let programmes = programmes();
    let [bus, simple, liquor] =
        ["xiamen-jinlong", "yuncaidun", "luzhou-laojiao"].map(|id| programmes.get(id).unwrap());
    for programme in [bus, simple, liquor] {
        let pictures = [PictureKind::IdFront, PictureKind::IdBack, PictureKind::Licence, PictureKind::Letter];
        assert!(programme.pictures.starts_with(&pictures), "{}", programme.id);
        assert!(!programme.agreements.is_empty() && !programme.home.intro.is_empty(), "{}", programme.id);
    }
    assert_eq!((bus.seal_sampling, simple.seal_sampling, liquor.seal_sampling), (false, false, true));
    assert!(liquor.pictures.contains(&PictureKind::SealSheet));
    let delivery = [bus, simple, liquor].map(|programme| programme.invoice_delivery);
    assert_eq!(delivery, [Some(InvoiceDelivery::Download), None, Some(InvoiceDelivery::Mail)]);
    assert_eq!([bus, simple, liquor].map(|programme| programme.working_days), [Some(3), None, Some(3)]);
    let about = |programme: &Programme, word: &str| {
        programme.review.reasons.iter().any(|reason| reason.contains(word))
    };
    assert!(about(liquor, "采样表") && about(liquor, "法定代表人"), "{:?}", liquor.review);
    assert!(!about(bus, "采样表") && !about(simple, "法定代表人"), "what is not asked for is not refused");
    assert_eq!((liquor.home.renewal, bus.home.unlock), (Offer::Coming, Offer::None));
}

#[test]
fn no_legal_representative_no_picture_of_his_document() {
    let text = shipped_text("programmes/xiamen-jinlong.toml");
    let bad = text.replacen("\"letter\"]", "\"letter\", \"legal_id_front\"]", 1);
    let faults = Programme::from_source("x", &Source::new("x.toml", &bad)).unwrap_err().0;
    assert_eq!(faults[0].field, "pictures.required");
}

/// What ships: sources, templates, assets, migrations, profiles; not the tests, which order from real programmes.
fn product_files(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !["tests", "target", "fuzz"].contains(&name.as_str()) {
                product_files(&path, found);
            }
        } else {
            found.push(path);
        }
    }
}

#[test]
fn no_programme_s_name_stands_in_code() {
    let mut files = Vec::new();
    for folder in ["crates", "station", "firmware-profiles", "scripts"] {
        product_files(&shipped("..").join(folder), &mut files);
    }
    assert!(files.len() > 200, "{} files are looked at", files.len());
    let programmes = programmes();
    for path in files {
        let bytes = std::fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        for programme in programmes.iter() {
            for name in [&programme.id, &programme.title, &programme.platform] {
                assert!(!text.contains(name.as_str()), "{name} stands in {}", path.display());
            }
        }
    }
}

#[test]
fn the_mistakes_of_all_files_are_told_at_once_and_an_empty_folder_is_one() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Programmes::load(folder.path()).is_err());
    for name in ["a.toml", "b.toml"] {
        std::fs::write(folder.path().join(name), "title = 1\n").unwrap();
    }
    let Err(Faults(faults)) = Programmes::load(folder.path()) else { panic!("taken") };
    let files: Vec<bool> = ["a.toml:1", "b.toml:1"]
        .map(|name| faults.iter().any(|fault| fault.to_string().contains(name)))
        .to_vec();
    assert_eq!(files, [true, true], "{faults:?}");
}

#[test]
fn the_shipped_config_passes_and_its_paths_count_from_its_folder() {
    let config = Config::load(&shipped("portal.toml")).unwrap();
    assert_eq!(config.programmes_dir, shipped("").join("programmes"));
    assert!(config.vault.module.is_absolute());
    assert!(!config.http.is_https());
}

#[test]
fn each_mistake_in_the_config_is_told_with_line_field_and_remedy() {
    let text = shipped_text("portal.toml");
    for (right, wrong, field) in [
        ("session_hours = 10", "session_hours = 0", "operators.session_hours"),
        ("public_url = \"http://127.0.0.1:8080\"", "public_url = \"portal/\"", "http.public_url"),
        ("port = 8883", "port = 0", "broker.port"),
        ("root_name = \"ukey-station SM2 Root\"", "root_name = \"\"", "ca.root_name"),
        ("seconds = 900", "seconds = 1", "leases.seconds"),
        ("jobs_max = 64", "jobs_max = 0", "leases.jobs_max"),
        ("partner_id = \"UKEYSTATION\"", "partner_id = \"\"", "sf.partner_id"),
        ("express_type_id = 1", "express_type_id = 0", "sf.express_type_id"),
        ("listen = \"127.0.0.1:8080\"", "listen = \"8080\"", ""),
        ("jobs_max = 64", "jobs_maxx = 64", ""),
    ] {
        let bad = text.replacen(right, wrong, 1);
        let line = bad.lines().position(|line| line.starts_with(wrong)).unwrap() + 1;
        let source = Source::new("portal.toml", &bad);
        let Err(Faults(faults)) = Config::from_source(&source, std::path::Path::new("/etc")) else {
            panic!("{wrong} was taken");
        };
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert_eq!((faults[0].field.as_str(), faults[0].line), (field, line), "{}", faults[0]);
    }
}

proptest! {
    #[test]
    fn no_text_panics_the_readers(text in "\\PC{0,200}") {
        let source = Source::new("x.toml", &text);
        let _ = Programme::from_source("x", &source);
        let _ = Config::from_source(&source, std::path::Path::new("/"));
        let _ = source.fault(&text, "", "");
    }
}
