//! Whole labels, judged by other people's programs: poppler draws them and reads their text, zbar reads their codes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use label::{LabelData, LabelError, LabelMaker, Party, Payment};

const FONT: &str = "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc";
/// The simplified Chinese face of the collection.
const SC: u32 = 2;

fn maker() -> LabelMaker {
    LabelMaker::new(Path::new(FONT), SC).expect("fonts-noto-cjk is installed by scripts/setup")
}

fn data() -> LabelData {
    LabelData {
        order_number: "SAAS120261122093000000001".to_owned(),
        waybill: "SF7444471039325".to_owned(),
        dest_route_label: "592W-592AQ-006".to_owned(),
        coding_mapping: "K35".to_owned(),
        product: "顺丰标快".to_owned(),
        two_dimension_code:
            "MMM={'k1':'592W','k2':'592AQ','k3':'006','k4':'T4','k5':'SF7444471039325','k6':'','k7':'dfa46974'}"
                .to_owned(),
        payment: Payment::Collect,
        receiver: Party {
            name: "王甲乙".to_owned(),
            phone: "138****0000".to_owned(),
            company: Some("测试（厦门）汽车零部件有限公司".to_owned()),
            address: "福建省厦门市集美区测试南路 99 号 3 号楼 1203 室".to_owned(),
        },
        sender: Party {
            name: "制证中心".to_owned(),
            phone: "010-****0000".to_owned(),
            company: Some("测试电子认证服务有限公司".to_owned()),
            address: "北京市海淀区测试路 1 号院 2 号楼".to_owned(),
        },
        goods: "电子钥匙 UKEY".to_owned(),
        quantity: 5,
        key_serials: (1..=5).map(|n| format!("V{n:07}")).collect(),
        printed_at: "2026-11-22 09:30:00".to_owned(),
        print_count: 1,
    }
}

/// What poppler and zbar make of a label.
struct Seen {
    codes: BTreeSet<String>,
    text: String,
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}: run scripts/setup"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn look(name: &str, pdf: &[u8]) -> Seen {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("label.pdf");
    fs::write(&path, pdf).unwrap();
    run(Command::new("pdftoppm")
        .args(["-r", "203", "-png", "-singlefile"])
        .arg(&path)
        .arg(dir.path().join("label")));
    let png = dir.path().join("label.png");
    if let Some(keep) = std::env::var_os("LABEL_KEEP") {
        let keep = Path::new(&keep);
        fs::copy(&png, keep.join(format!("{name}.png"))).unwrap();
        fs::copy(&path, keep.join(format!("{name}.pdf"))).unwrap();
    }
    let codes = run(Command::new("zbarimg").args(["-q", "--nodbus"]).arg(&png));
    let text = run(Command::new("pdftotext").args(["-layout", "-enc", "UTF-8"]).arg(&path).arg("-"));
    Seen { codes: codes.lines().map(str::to_owned).collect(), text }
}

/// What zbar says of this label's codes.
fn codes(data: &LabelData) -> BTreeSet<String> {
    BTreeSet::from([format!("CODE-128:{}", data.waybill), format!("QR-Code:{}", data.two_dimension_code)])
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect()
}

#[test]
fn s1_5_the_label_shows_freight_collect_and_both_codes_read_back() {
    let data = data();
    let pdf = maker().render(&data).unwrap();
    assert!(pdf.len() <= 30_000, "{} bytes", pdf.len());
    let seen = look("usual", &pdf);
    assert_eq!(seen.codes, codes(&data));
    let text = squeezed(&seen.text);
    for shown in [
        "到付",
        "SF7444471039325",
        "592W-592AQ-006",
        "K35",
        "顺丰标快",
        "王甲乙138****0000",
        "测试（厦门）汽车零部件有限公司",
        "集美区测试南路99号3号楼1203室",
        "测试电子认证服务有限公司",
        "托寄物电子钥匙UKEY",
        "数量5",
        "订单号SAAS120261122093000000001",
        "V0000001V0000002V0000003V0000004V0000005",
        "打印时间2026-11-2209:30:00",
        "第1次打印",
    ] {
        assert!(text.contains(shown), "{shown} in {text}");
    }
}

#[test]
fn the_page_is_100_by_150_millimetres() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("label.pdf");
    fs::write(&path, maker().render(&data()).unwrap()).unwrap();
    let info = run(Command::new("pdfinfo").arg(&path));
    assert!(info.contains("Pages:           1"), "{info}");
    assert!(info.contains("283.465 x 425.197 pts"), "{info}");
    let fonts = run(Command::new("pdffonts").arg(&path));
    assert!(fonts.lines().nth(2).is_some_and(|line| line.contains("Identity-H       yes")), "{fonts}");
}

#[test]
fn long_and_rare_text_wraps_and_shrinks_and_is_all_there() {
    let mut data = data();
    data.receiver.company = Some("测试䶮𬭊㛃㙍新能源客车零部件采购与供应链管理有限责任公司".to_owned());
    data.receiver.address =
        "内蒙古自治区呼伦贝尔市莫力达瓦达斡尔族自治旗尼尔基镇测试大街与创业路交叉口东北角测试科技园区研发大楼甲座十八层一八零一室前台代收".to_owned();
    assert!(data.receiver.address.chars().count() >= 60);
    data.receiver.name = "阿卜杜拉·买买提江·测试".to_owned();
    data.sender.address.clone_from(&data.receiver.address);
    data.sender.company.clone_from(&data.receiver.company);
    data.goods =
        "电子钥匙及其说明书、合格证、发票联、授权书回执等随附文件一套请轻拿轻放请勿折叠受潮".to_owned();
    data.key_serials = (1..=200).map(|n| format!("V{n:07}")).collect();
    data.quantity = 200;
    let pdf = maker().render(&data).unwrap();
    // Each different character costs about 110 bytes; a label has seldom as many as this one.
    assert!(pdf.len() <= 33_000, "{} bytes", pdf.len());
    let seen = look("long", &pdf);
    assert_eq!(seen.codes, codes(&data));
    let text = squeezed(&seen.text);
    for shown in ["䶮𬭊㛃㙍", "阿卜杜拉·买买提江·测试", "前台代收", "…共200把", "V0000001"]
    {
        assert!(text.contains(shown), "{shown} in {text}");
    }
    assert!(text.contains("合格证、发票联、授…数量200"), "goods are cut with an ellipsis: {text}");
}

#[test]
fn what_cannot_fit_is_refused_by_name() {
    let refused = |change: fn(&mut LabelData)| {
        let mut data = data();
        change(&mut data);
        match maker().render(&data) {
            Err(LabelError::TooLong { field }) => field,
            other => panic!("{:?}", other.map(|pdf| pdf.len())),
        }
    };
    assert_eq!(refused(|d| d.receiver.address = "路".repeat(300)), "receiver.address");
    assert_eq!(refused(|d| d.receiver.name = "名".repeat(60)), "receiver.name");
    assert_eq!(refused(|d| d.sender.company = Some("司".repeat(300))), "sender.address");
    assert_eq!(refused(|d| d.dest_route_label = "W".repeat(80)), "dest_route_label");
    assert_eq!(refused(|d| d.two_dimension_code.push_str(&"x".repeat(600))), "two_dimension_code");
}

#[test]
fn a_phone_number_that_is_not_masked_is_refused_wherever_it_stands() {
    let refused = |change: fn(&mut LabelData)| {
        let mut data = data();
        change(&mut data);
        match maker().render(&data) {
            Err(LabelError::Unmasked { field }) => field,
            other => panic!("{:?}", other.map(|pdf| pdf.len())),
        }
    };
    assert_eq!(refused(|d| d.receiver.phone = "13800000000".to_owned()), "receiver.phone");
    assert_eq!(refused(|d| d.receiver.phone = "+86 138 0000 0000".to_owned()), "receiver.phone");
    assert_eq!(refused(|d| d.sender.phone = "010-00000000".to_owned()), "sender.phone");
    assert_eq!(refused(|d| d.receiver.address.push_str("（电话13800000000）")), "receiver.address");
    assert_eq!(refused(|d| d.sender.name = "１３８００００００００".to_owned()), "sender.name");
}

#[test]
fn a_character_the_font_lacks_is_refused_by_name() {
    let mut data = data();
    data.receiver.address.push('ก');
    let error = maker().render(&data).unwrap_err();
    assert!(matches!(error, LabelError::MissingGlyph { field: "receiver.address", character: 'ก' }));
    assert!(
        error.to_string().contains("U+0E01") && error.to_string().contains("receiver.address"),
        "{error}"
    );
    // Invisible characters would be printed as nothing at all.
    data = self::data();
    data.sender.name.push('\u{200B}');
    assert!(matches!(
        maker().render(&data),
        Err(LabelError::MissingGlyph { field: "sender.name", character: '\u{200B}' })
    ));
}

#[test]
fn a_code_of_another_waybill_is_refused() {
    let mut data = data();
    data.waybill = "SF7444471039326".to_owned();
    assert!(matches!(maker().render(&data), Err(LabelError::Field { field: "two_dimension_code", .. })));
}

#[test]
fn a_font_that_is_none_is_refused_by_name() {
    let missing = LabelMaker::new(Path::new("/nowhere.ttc"), 0).unwrap_err().to_string();
    assert!(missing.contains("/nowhere.ttc") && missing.contains("fonts-noto-cjk"), "{missing}");
    assert!(matches!(LabelMaker::new(Path::new(FONT), 99), Err(LabelError::Font { index: 99, .. })));
    let not_a_font = tempfile::NamedTempFile::new().unwrap();
    assert!(matches!(LabelMaker::new(not_a_font.path(), 0), Err(LabelError::Font { .. })));
}

#[test]
fn one_maker_serves_many_threads() {
    let maker = maker();
    let length = maker.render(&data()).unwrap().len();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(maker.render(&data()).unwrap().len(), length));
        }
    });
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]
    #[test]
    fn no_text_panics_the_maker(text in "\\PC{0,80}", han in "[一-龥a-z0-9 ，（）]{0,250}", count in 0..400u16) {
        let mut data = data();
        data.receiver.address = han.clone();
        data.sender.company = Some(han);
        data.goods = text.clone();
        data.product = text;
        data.key_serials = (0..count).map(|n| format!("V{n:07}")).collect();
        let _ = MAKER.with(|maker| maker.render(&data));
    }
}

thread_local! {
    static MAKER: LabelMaker = maker();
}
