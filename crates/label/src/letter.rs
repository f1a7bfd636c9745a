//! The authorization letter (授权书) and the seal sampling sheet (电子签章采样表), A4.

use crate::{
    LabelError,
    code::qr_code,
    drawing::{Area, Drawing, Style},
    font::Typeface,
    sheet::Sheet,
    text::{LEADING, fit, fit_line},
};

/// A4 in dots: 210 × 297 mm.
const WIDTH: u32 = 1680;
const HEIGHT: u32 = 2376;
/// White at every edge: 20 mm.
const MARGIN: u32 = 160;
const INNER: u32 = WIDTH - 2 * MARGIN;
/// Thickness of a rule.
const RULE: u32 = 3;
/// The side of the QR code's place: 34 mm, so that a photo of the whole sheet still shows it.
const CODE: u32 = 272;
/// Type of running text, and the smallest it may shrink to.
const BODY: (u32, u32) = (32, 24);
const SMALL: u32 = 28;
/// The first column of a table.
const LABELS: u32 = 330;
const ROW: u32 = 64;
/// Three boxes and two gaps make a row.
const GAP: u32 = 20;
const BOX: u32 = (INNER - 2 * GAP) / 3;

const TITLE: &str = "数字证书办理授权书";
const SHEET_TITLE: &str = "电子签章采样表";
const SCAN: &str = "上传识别码";
const INTRODUCTION: &str = "为在上述平台使用数字证书，本单位委托下列经办人提交申请材料、接收短信验证码并安排签收电子钥匙，同时声明：";
const STATEMENTS: [&str; 4] = [
    "一、申请中填写的内容和上传的图片均取自真实有效的原件；如有不实，后果由本单位承担。",
    "二、经办人为本次申请所做的操作即为本单位的操作；证书签发后，由本单位保管电子钥匙并对使用证书的行为负责。",
    "三、本单位及经办人同意证书服务方为核验身份、签发证书和依法留档而处理本申请中的单位信息与个人信息。",
    "四、本授权书只用于上列编号的申请；申请内容改动后，须重新打印并盖章。",
];
const STAMP_HERE: &str = "单位公章";
const SIGN_HERE: &str = "法定代表人签字或盖章";
const DATE: &str = "日期：            年        月        日";
const LETTER_NOTE: &str = "请用实物公章盖在方框内，再拍摄或扫描整页上传，须为彩色且右上角识别码完整清晰。涂改、黑白件或印章图片无效。";
const SHEET_NOTES: [&str; 4] = [
    "1. 印章上的名称须与本表的单位名称一致。",
    "2. 把纸放在平整的桌面上，蘸匀印泥，每格盖一次，印迹不压框线、不相互重叠。",
    "3. 三次采样都应清楚完整；有缺损或模糊时，请重新打印本表后再盖。",
    "4. 只办理单位证书时采集公章；办理法定代表人证书时，还须采集其印章或签字。",
];
const SEALS: [&str; 3] = ["公章 第一次", "公章 第二次", "公章 第三次"];
const SIGNATURES: [&str; 3] = ["法定代表人 第一次", "法定代表人 第二次", "法定代表人 第三次"];
const LABELS_LEFT: [&str; 11] = [
    "申请编号",
    "单位名称",
    "统一社会信用代码",
    "证书产品",
    "使用平台",
    "经办人姓名",
    "经办人手机",
    "电子邮箱",
    "法定代表人",
    "证书持有人",
    "持有人证件号码",
];
const SIGNATURE_HINT: &str = "（法定代表人：印章或手写签字）";

/// Everything that a letter says by itself, to be looked for in a font before there is a customer.
pub(crate) fn own_words() -> String {
    let single = [
        TITLE,
        SHEET_TITLE,
        SCAN,
        INTRODUCTION,
        STAMP_HERE,
        SIGN_HERE,
        DATE,
        LETTER_NOTE,
        SIGNATURE_HINT,
        "第页共12",
    ];
    let lists = [&STATEMENTS[..], &SHEET_NOTES, &SEALS, &SIGNATURES, &LABELS_LEFT];
    single.iter().chain(lists.into_iter().flatten()).copied().collect()
}

/// One letter. Runs of white space count as one space.
#[derive(Clone, PartialEq, Eq)]
pub struct LetterData {
    /// The draft's or order's number.
    pub number: String,
    /// What identifies the letter when it comes back: its QR code's text.
    pub code: String,
    /// The unit.
    pub unit: String,
    /// Its unified social credit code.
    pub credit_code: String,
    /// What is ordered.
    pub product: String,
    /// The procurement platform.
    pub platform: String,
    /// Who handles it: name.
    pub handler: String,
    /// Mobile.
    pub mobile: String,
    /// Mail address.
    pub mail: String,
    /// The legal representative's name, where the programme asks for it; then there is a place for the signature.
    pub legal_representative: Option<String>,
    /// The holder of a personal certificate: name and document number.
    pub holder: Option<(String, String)>,
    /// The code of the sampling sheet, where the programme wants one: it is the second page.
    pub sheet_code: Option<String>,
}

/// Names and mobiles do not belong in a log.
impl std::fmt::Debug for LetterData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LetterData({})", self.number)
    }
}

/// Lays the letter's pages out.
pub(crate) fn lay_out(data: &LetterData, font: &Typeface<'_>) -> Result<Vec<Drawing>, LabelError> {
    let pages = if data.sheet_code.is_some() { 2 } else { 1 };
    let mut drawings = vec![letter(data, font, pages)?];
    if let Some(code) = &data.sheet_code {
        drawings.push(sampling_sheet(data, code, font)?);
    }
    Ok(drawings)
}

fn letter(data: &LetterData, font: &Typeface<'_>, pages: u32) -> Result<Drawing, LabelError> {
    let mut page = Page { sheet: Sheet::new(font, WIDTH, HEIGHT), y: MARGIN };
    page.head(TITLE, &data.code)?;
    page.row("number", "申请编号", &data.number)?;
    page.row("unit.name", "单位名称", &data.unit)?;
    page.row("unit.credit_code", "统一社会信用代码", &data.credit_code)?;
    page.row("product", "证书产品", &data.product)?;
    page.row("platform", "使用平台", &data.platform)?;
    if let Some((name, number)) = &data.holder {
        page.row("holder.name", "证书持有人", name)?;
        page.row("holder.id_number", "持有人证件号码", number)?;
    }
    page.y += 44;
    page.paragraph(INTRODUCTION)?;
    for statement in STATEMENTS {
        page.paragraph(statement)?;
    }
    page.y += 30;
    page.sheet.rule(MARGIN, page.y, INNER, RULE);
    page.row("handler.name", "经办人姓名", &data.handler)?;
    page.row("handler.mobile", "经办人手机", &data.mobile)?;
    page.row("handler.mail", "电子邮箱", &data.mail)?;
    if let Some(name) = &data.legal_representative {
        page.row("legal_representative.name", "法定代表人", name)?;
    }
    page.y += 40;
    page.signatures(data.legal_representative.is_some());
    let y = page.y;
    page.notes(&[LETTER_NOTE], y)?;
    page.foot(1, pages);
    Ok(page.sheet.drawing)
}

fn sampling_sheet(data: &LetterData, code: &str, font: &Typeface<'_>) -> Result<Drawing, LabelError> {
    let mut page = Page { sheet: Sheet::new(font, WIDTH, HEIGHT), y: MARGIN };
    page.head(SHEET_TITLE, code)?;
    page.row("number", "申请编号", &data.number)?;
    page.row("unit.name", "单位名称", &data.unit)?;
    if let Some(name) = &data.legal_representative {
        page.row("legal_representative.name", "法定代表人", name)?;
    }
    page.y += 40;
    let y = page.y;
    page.notes(&SHEET_NOTES, y)?;
    page.y += 40;
    page.boxes(SEALS, BOX);
    page.boxes(SIGNATURES, BOX * 3 / 5);
    let hint = Area::new(MARGIN, page.y, INNER, 50);
    page.sheet.centred(hint, SMALL, SIGNATURE_HINT, Style::Plain);
    page.foot(2, 2);
    Ok(page.sheet.drawing)
}

/// A page that is filled from the top.
struct Page<'a> {
    sheet: Sheet<'a>,
    y: u32,
}

impl Page<'_> {
    /// Title, and the code that identifies the sheet, in the upper right corner.
    fn head(&mut self, title: &str, code: &str) -> Result<(), LabelError> {
        let place = Area::new(WIDTH - MARGIN - CODE, MARGIN - 60, CODE, CODE);
        self.sheet.drawing.boxes.extend(qr_code(code, place)?);
        let under = Area::new(place.x, place.y + CODE - 8, CODE, 40);
        self.sheet.centred(under, 26, SCAN, Style::Plain);
        let area = Area::new(MARGIN, MARGIN, INNER - CODE, 150);
        self.sheet.centred(area, 76, title, Style::Bold);
        self.y = place.y + CODE + 70;
        self.sheet.rule(MARGIN, self.y, INNER, RULE);
        Ok(())
    }

    /// A row of a table: what it is, and the value.
    fn row(&mut self, field: &'static str, label: &str, value: &str) -> Result<(), LabelError> {
        let value = self.sheet.field(field, value)?;
        let x = MARGIN + LABELS;
        let room = (INNER - LABELS - 20, 2 * ROW);
        let (size, lines) = match fit_line(self.sheet.font, &value, room.0, BODY.0, BODY.1) {
            Some(size) => (size, vec![value]),
            None => fit(self.sheet.font, &[&value], room, (BODY.1, BODY.1))
                .ok_or(LabelError::TooLong { field })?,
        };
        let step = (LEADING * size as f32).ceil() as u32;
        let height = ROW.max(lines.len() as u32 * step + 20);
        let top = self.y + (height - lines.len() as u32 * step) / 2;
        for (line, at) in lines.iter().zip(0u32..) {
            self.sheet.line(x as f32, (top + at * step) as f32, size, line, Style::Plain);
        }
        let label_top = self.y as f32 + (height as f32 - LEADING * 30.0) / 2.0;
        self.sheet.line((MARGIN + 16) as f32, label_top, 30, label, Style::Bold);
        for x in [MARGIN, MARGIN + LABELS - 16, MARGIN + INNER - RULE] {
            self.sheet.rule(x, self.y, RULE, height);
        }
        self.y += height;
        self.sheet.rule(MARGIN, self.y, INNER, RULE);
        Ok(())
    }

    /// Running text of our own.
    fn paragraph(&mut self, text: &str) -> Result<(), LabelError> {
        self.text(text, BODY.0, 14)
    }

    fn text(&mut self, text: &str, size: u32, after: u32) -> Result<(), LabelError> {
        let field = "the letter's own words";
        let text = self.sheet.field(field, text)?;
        let (_, lines) = fit(self.sheet.font, &[&text], (INNER, HEIGHT), (size, size))
            .ok_or(LabelError::TooLong { field })?;
        let step = (1.42 * size as f32) as u32;
        for line in &lines {
            self.sheet.line(MARGIN as f32, self.y as f32, size, line, Style::Plain);
            self.y += step;
        }
        self.y += after;
        Ok(())
    }

    /// Small print from `y` on.
    fn notes(&mut self, notes: &[&str], y: u32) -> Result<(), LabelError> {
        self.y = y;
        notes.iter().try_for_each(|note| self.text(note, SMALL + 2, 6))
    }

    fn frame(&mut self, area: Area) {
        let Area { x, y, width, height } = area;
        self.sheet.rule(x, y, width, RULE);
        self.sheet.rule(x, y + height - RULE, width, RULE);
        self.sheet.rule(x, y, RULE, height);
        self.sheet.rule(x + width - RULE, y, RULE, height);
    }

    /// Places for the stamp and, where it is wanted, the legal representative's signature; the date below.
    fn signatures(&mut self, legal_representative: bool) {
        let height = 380;
        let stamp = Area::new(WIDTH - MARGIN - 560, self.y, 560, height);
        self.frame(stamp);
        self.sheet.line((stamp.x + 16) as f32, (stamp.y + 12) as f32, SMALL, STAMP_HERE, Style::Plain);
        if legal_representative {
            let sign = Area::new(MARGIN, self.y, 560, height);
            self.frame(sign);
            self.sheet.line((sign.x + 16) as f32, (sign.y + 12) as f32, SMALL, SIGN_HERE, Style::Plain);
        }
        self.sheet.line(stamp.x as f32, (self.y + height + 24) as f32, 34, DATE, Style::Plain);
        self.y += height + 110;
    }

    /// Three boxes in a row, each under its name.
    fn boxes(&mut self, names: [&str; 3], height: u32) {
        for (name, at) in names.into_iter().zip(0u32..) {
            let x = MARGIN + at * (BOX + GAP);
            self.sheet.centred(Area::new(x, self.y, BOX, 54), 32, name, Style::Bold);
            self.frame(Area::new(x, self.y + 56, BOX, height));
        }
        self.y += 56 + height + 40;
    }

    fn foot(&mut self, page: u32, pages: u32) {
        let area = Area::new(MARGIN, HEIGHT - 110, INNER, 40);
        self.sheet.centred(area, 26, &format!("第 {page} 页 共 {pages} 页"), Style::Plain);
    }
}
