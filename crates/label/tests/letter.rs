//! Authorization letters, judged by other people's programs: poppler draws them and reads their text, zbar reads their codes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{fs, path::Path, process::Command};

use label::{LabelError, LetterData, LetterMaker};

const FONT: &str = "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc";
/// The simplified Chinese face of the collection.
const SC: u32 = 2;

fn maker() -> LetterMaker {
    LetterMaker::new(Path::new(FONT), SC).expect("fonts-noto-cjk is installed by scripts/setup")
}

fn data() -> LetterData {
    LetterData {
        number: "SAAS120261122093000000001".to_owned(),
        code: "UKEYLETTER:SAAS120261122093000000001:0123456789abcdef01234567".to_owned(),
        unit: "示例客车零部件有限公司".to_owned(),
        credit_code: "91000000MA0000001X".to_owned(),
        product: "企业UKEY证书-证书初购".to_owned(),
        platform: "示例招采平台".to_owned(),
        handler: "陈测试".to_owned(),
        mobile: "13800000001".to_owned(),
        mail: "chen@example.com".to_owned(),
        legal_representative: None,
        holder: None,
        sheet_code: None,
    }
}

fn with_sheet() -> LetterData {
    LetterData {
        legal_representative: Some("王代表".to_owned()),
        sheet_code: Some("UKEYSEAL:SAAS120261122093000000001:0123456789abcdef01234567".to_owned()),
        ..data()
    }
}

/// What poppler and zbar make of a letter, page by page.
struct Seen {
    codes: Vec<String>,
    texts: Vec<String>,
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}: run scripts/setup"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn look(name: &str, pdf: &[u8]) -> Seen {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("letter.pdf");
    fs::write(&path, pdf).unwrap();
    let info = run(Command::new("pdfinfo").arg(&path));
    assert!(info.contains("595.276 x 841.89 pts (A4)"), "{info}");
    let pages = info.lines().find_map(|line| line.strip_prefix("Pages:")).unwrap().trim().parse().unwrap();
    let (mut codes, mut texts) = (Vec::new(), Vec::new());
    for page in 1..=pages {
        let page = u32::to_string(&page);
        let png = dir.path().join(format!("letter-{page}"));
        // As coarse as a hasty photo: 100 dots an inch.
        let pages = ["-f", &page, "-l", &page];
        run(Command::new("pdftoppm")
            .args(["-r", "100", "-png", "-singlefile"])
            .args(pages)
            .arg(&path)
            .arg(&png));
        let png = png.with_extension("png");
        codes
            .push(run(Command::new("zbarimg").args(["-q", "--nodbus", "--raw"]).arg(&png)).trim().to_owned());
        let text =
            run(Command::new("pdftotext").args(pages).args(["-layout", "-enc", "UTF-8"]).arg(&path).arg("-"));
        texts.push(text.split_whitespace().collect());
        if let Some(keep) = std::env::var_os("LABEL_KEEP") {
            fs::copy(&png, Path::new(&keep).join(format!("{name}-{page}.png"))).unwrap();
        }
    }
    Seen { codes, texts }
}

#[test]
fn s1_4_the_letter_says_who_asks_for_what_and_its_code_reads_back() {
    let data = data();
    let seen = look("letter", &maker().render(&data).unwrap());
    assert_eq!(seen.codes, [data.code]);
    for shown in [
        "数字证书办理授权书",
        "申请编号SAAS120261122093000000001",
        "单位名称示例客车零部件有限公司",
        "统一社会信用代码91000000MA0000001X",
        "证书产品企业UKEY证书-证书初购",
        "使用平台示例招采平台",
        "经办人姓名陈测试",
        "经办人手机13800000001",
        "电子邮箱chen@example.com",
        "单位公章",
        "日期：年月日",
        "第1页共1页",
    ] {
        assert!(seen.texts[0].contains(shown), "{shown} in {}", seen.texts[0]);
    }
    assert!(!seen.texts[0].contains("法定代表人"), "nobody is asked for who is not wanted");
    assert!(!seen.texts[0].contains("持有人"), "nor named");
}

#[test]
fn s3_2_the_letter_of_a_personal_certificate_names_its_holder() {
    let data = LetterData {
        holder: Some(("阿依古丽·测试".to_owned(), "000000199001010035".to_owned())),
        ..with_sheet()
    };
    let seen = look("personal", &maker().render(&data).unwrap());
    assert_eq!(seen.codes[0], data.code);
    for shown in
        ["证书持有人阿依古丽·测试", "持有人证件号码000000199001010035", "法定代表人王代表", "第1页共2页"]
    {
        assert!(seen.texts[0].contains(shown), "{shown} in {}", seen.texts[0]);
    }
}

#[test]
fn s3_5_the_sampling_sheet_has_three_places_for_each_seal_and_a_code_of_its_own() {
    let data = with_sheet();
    let seen = look("sheet", &maker().render(&data).unwrap());
    assert_eq!(seen.codes, [data.code, data.sheet_code.unwrap()]);
    assert!(seen.texts[0].contains("法定代表人王代表"), "{}", seen.texts[0]);
    assert!(seen.texts[0].contains("法定代表人签字或盖章"), "{}", seen.texts[0]);
    for shown in [
        "电子签章采样表",
        "SAAS120261122093000000001",
        "示例客车零部件有限公司",
        "公章第一次公章第二次公章第三次",
        "法定代表人第一次法定代表人第二次法定代表人第三次",
        "第2页共2页",
    ] {
        assert!(seen.texts[1].contains(shown), "{shown} in {}", seen.texts[1]);
    }
}

#[test]
fn s1_4_long_names_and_rare_characters_are_all_there() {
    let mut data = with_sheet();
    data.handler = "阿卜杜拉·买买提江·䶮𬭊".to_owned();
    data.unit = "测试䶮𬭊㛃㙍".to_owned() + &"超长名称".repeat(23) + "公司";
    assert_eq!(data.unit.chars().count(), 100);
    let seen = look("long", &maker().render(&data).unwrap());
    assert!(seen.texts[0].contains("阿卜杜拉·买买提江·䶮𬭊"), "{}", seen.texts[0]);
    for text in seen.texts {
        // The row's name stands between the lines of its value.
        let text = text.replace("单位名称", "");
        assert!(text.contains(&data.unit), "{text}");
    }
}

#[test]
fn s1_4_what_cannot_be_printed_is_refused_by_name() {
    let mut data = data();
    data.handler.push('ก');
    let error = maker().render(&data).unwrap_err();
    assert!(matches!(error, LabelError::MissingGlyph { field: "handler.name", character: 'ก' }), "{error}");
    data = with_sheet();
    data.unit = "长".repeat(300);
    assert!(matches!(maker().render(&data), Err(LabelError::TooLong { field: "unit.name" })));
    let missing = LetterMaker::new(Path::new("/nowhere.ttc"), 0).unwrap_err().to_string();
    assert!(missing.contains("/nowhere.ttc"), "{missing}");
}

#[test]
fn a_mask_covers_what_the_text_covers() {
    let mask = maker().mask("仅用于证书审核 li.shen 1", 40).unwrap();
    assert_eq!(mask.height, 40);
    assert_eq!(mask.coverage.len(), (mask.width * mask.height) as usize);
    let dark = mask.coverage.iter().filter(|coverage| **coverage > 127).count();
    let share = dark as f32 / mask.coverage.len() as f32;
    assert!((0.08..0.5).contains(&share), "{share}");
    assert!(matches!(maker().mask("ก", 40), Err(LabelError::MissingGlyph { .. })));
    assert!(matches!(maker().mask(&"长".repeat(200), 40), Err(LabelError::TooLong { .. })));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]
    #[test]
    fn no_text_panics_the_maker(text in "\\PC{0,80}", han in "[一-龥a-z0-9 ，（）]{0,150}", height in 0..300u32) {
        let data = LetterData { unit: han.clone(), handler: text.clone(), code: text.clone(), mail: han, ..with_sheet() };
        let maker = maker();
        let _ = maker.render(&data);
        let _ = maker.mask(&text, height);
    }
}
