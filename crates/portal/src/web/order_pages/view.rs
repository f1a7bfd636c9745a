//! What the order form shows: its sections as in the manuals, each input with its text, its choices and its mistake.

use std::collections::BTreeMap;

use wire::CertificateKind;

use super::places;
use crate::{
    drafts::{Draft, FormFields},
    orders::{FieldError, industries},
    programmes::{InvoiceDelivery, PictureKind, Product, Programme},
    web::lang::Lang,
};

/// A section of the form.
pub(super) struct Section {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    /// Whom or what it is about, where its inputs stand without it.
    pub(super) whose: &'static str,
    pub(super) note: &'static str,
    pub(super) pictures: Vec<PictureInput>,
    pub(super) inputs: Vec<Input>,
}

impl Section {
    /// An input's label where the section's title is not beside it: "经办人 姓名". What names the section already stays as it is.
    pub(super) fn label(&self, label: &str) -> String {
        let named = label.to_lowercase().contains(&self.whose.to_lowercase());
        if named { label.to_owned() } else { format!("{} {label}", self.whose) }
    }
}

/// One input.
pub(super) struct Input {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) hint: &'static str,
    pub(super) value: String,
    pub(super) error: String,
    pub(super) required: bool,
    pub(super) kind: InputKind,
}

impl Input {
    /// Whether nothing was chosen where something must be.
    fn is_unchosen(&self) -> bool {
        let choices = matches!(self.kind, InputKind::Select(_) | InputKind::Radio(_));
        choices && self.value.is_empty() && !self.error.is_empty()
    }
}

/// What an input is.
pub(super) enum InputKind {
    /// A line of text: its type, what browsers may fill in, its bound.
    Text(&'static str, &'static str, usize),
    /// A whole number in a range.
    Number(u16, u16),
    /// One of a list.
    Select(Vec<Choice>),
    /// One of a few.
    Radio(Vec<Choice>),
}

/// Something to choose.
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) text: String,
    pub(super) chosen: bool,
}

/// A picture to bring.
pub(super) struct PictureInput {
    pub(super) kind: PictureKind,
    pub(super) label: &'static str,
    pub(super) error: String,
    /// When the one that is there came, in milliseconds: its address changes with it.
    pub(super) there: Option<i64>,
    /// The phone's way in, if it was asked for just now.
    pub(super) phone: Option<Phone>,
}

/// A code that a phone scans.
pub(super) struct Phone {
    pub(super) qr: String,
    pub(super) url: String,
    pub(super) token: String,
}

/// Mistakes by input.
#[derive(Default)]
pub(super) struct Mistakes(BTreeMap<String, String>);

impl Mistakes {
    pub(super) fn new(lang: Lang, errors: Vec<FieldError>) -> Self {
        let mut mistakes = BTreeMap::new();
        for error in errors {
            // A correction may not change what was paid for: that is said where the amount comes from.
            let field = if error.field == "payment" { "quantity".to_owned() } else { error.field };
            mistakes.entry(field).or_insert_with(|| lang.told(&error.message));
        }
        Self(mistakes)
    }

    pub(super) fn of(&self, name: &str) -> String {
        self.0.get(name).cloned().unwrap_or_default()
    }
}

/// Everything that the sections are made of.
pub(super) struct Form<'a> {
    pub(super) lang: Lang,
    pub(super) programme: &'a Programme,
    pub(super) product: &'a Product,
    pub(super) fields: &'a FormFields,
    pub(super) mistakes: &'a Mistakes,
    /// When each picture that is there came.
    pub(super) pictures: &'a BTreeMap<PictureKind, i64>,
    /// Whether a rejected order is corrected: what it costs stays.
    pub(super) correction: bool,
}

impl Form<'_> {
    /// All sections of the form, in the manuals' order.
    pub(super) fn sections(&self) -> Vec<Section> {
        let mut sections = vec![self.product_section(), self.handler_section()];
        if self.programme.legal_representative {
            sections.push(self.legal_section());
        }
        if self.product.holder == CertificateKind::Personal {
            sections.push(self.holder_section());
        }
        sections.push(self.unit_section());
        sections.push(self.letter_section());
        sections.push(self.receiver_section());
        sections.extend(self.invoice_section());
        for input in sections.iter_mut().flat_map(|section| &mut section.inputs) {
            if input.is_unchosen() {
                self.t("请选择", "choose one").clone_into(&mut input.error);
            }
        }
        sections
    }

    fn t(&self, zh: &'static str, en: &'static str) -> &'static str {
        self.lang.t(zh, en)
    }

    fn input(&self, name: &'static str, label: &'static str, kind: InputKind) -> Input {
        Input {
            name,
            label,
            hint: "",
            value: self.fields.get(name).to_owned(),
            error: self.mistakes.of(name),
            required: true,
            kind,
        }
    }

    fn text(&self, name: &'static str, label: &'static str, max: usize) -> Input {
        self.input(name, label, InputKind::Text("text", "off", max))
    }

    /// A choice out of words; the first stands if nothing was chosen.
    fn words<T: Copy>(
        &self,
        name: &'static str,
        label: &'static str,
        words: &[T],
        of: fn(T) -> (&'static str, &'static str, &'static str),
    ) -> (Input, Vec<Choice>) {
        let given = self.fields.get(name);
        let choice = |(index, word): (usize, &T)| {
            let (code, zh, en) = of(*word);
            let chosen = given == code || (given.is_empty() && index == 0);
            Choice { value: code.to_owned(), text: self.t(zh, en).to_owned(), chosen }
        };
        let choices = words.iter().enumerate().map(choice).collect();
        (self.input(name, label, InputKind::Select(Vec::new())), choices)
    }

    fn select<T: Copy>(
        &self,
        name: &'static str,
        label: &'static str,
        words: &[T],
        of: fn(T) -> (&'static str, &'static str, &'static str),
    ) -> Input {
        let (input, choices) = self.words(name, label, words, of);
        Input { kind: InputKind::Select(choices), ..input }
    }

    fn picture(&self, kind: PictureKind) -> Option<PictureInput> {
        self.programme.pictures.contains(&kind).then(|| PictureInput {
            kind,
            label: self.t(kind.zh(), kind.en()),
            error: self.mistakes.of(&format!("pictures.{}", kind.code())),
            there: self.pictures.get(&kind).copied(),
            phone: None,
        })
    }

    fn pictures(&self, kinds: &[PictureKind]) -> Vec<PictureInput> {
        kinds.iter().filter_map(|kind| self.picture(*kind)).collect()
    }

    fn product_section(&self) -> Section {
        let years = self.fields.get("years");
        let list = if self.correction {
            self.product.years.iter().filter(|y| y.to_string() == years).collect()
        } else {
            self.product.years.iter().collect::<Vec<_>>()
        };
        let choices = list.into_iter().enumerate().map(|(index, year)| Choice {
            value: year.to_string(),
            text: format!("{year} {}", self.t("年", if *year == 1 { "year" } else { "years" })),
            chosen: years == year.to_string() || (years.is_empty() && index == 0),
        });
        let (min, max) = (self.product.quantity_min, self.product.quantity_max);
        let mut quantity =
            self.input("quantity", self.t("购买数量", "Quantity"), InputKind::Number(min, max));
        if quantity.value.is_empty() {
            quantity.value = min.to_string();
        }
        if self.correction
            && let Ok(fixed) = quantity.value.parse()
        {
            quantity.kind = InputKind::Number(fixed, fixed);
        }
        if min == max {
            quantity.hint = self.t("每个单位仅限一份", "Only this many for each unit");
        }
        let years = self.input("years", self.t("证书期限", "Validity"), InputKind::Select(choices.collect()));
        let verification = self.select(
            "verification",
            self.t("认证类型", "Verification"),
            &self.programme.verifications,
            |word| (word.code(), word.zh(), word.en()),
        );
        Section {
            id: "product",
            whose: self.t("产品", "Product"),
            title: self.t("产品规格与认证类型", "Product and verification"),
            note: if self.correction {
                self.t(
                    "修改时不能更换产品、期限和数量。",
                    "A correction keeps product, validity and quantity.",
                )
            } else {
                ""
            },
            pictures: Vec::new(),
            inputs: vec![years, quantity, verification],
        }
    }

    /// Name, kind and number of a document.
    fn document(&self, names: [&'static str; 3]) -> [Input; 3] {
        let [name, id_type, id_number] = names;
        [
            self.text(name, self.t("姓名", "Name"), 64),
            self.select(id_type, self.t("证件类型", "Document"), &self.programme.id_types, |word| {
                (word.code(), word.zh(), word.en())
            }),
            self.text(id_number, self.t("证件号码", "Document number"), 32),
        ]
    }

    fn handler_section(&self) -> Section {
        let [mut name, mut id_type, id_number] =
            self.document(["handler.name", "handler.id_type", "handler.id_number"]);
        if self.programme.id_types.len() > 1 {
            id_type.hint = self.t(
                "护照等证件：人像面传资料页，国徽面传封面或签发页",
                "Of a passport: its data page for the portrait side, its cover for the emblem side",
            );
        }
        name.kind = InputKind::Text("text", "name", 64);
        let mut mobile = self.input(
            "handler.mobile",
            self.t("手机号", "Mobile"),
            InputKind::Text("tel", "tel-national", 20),
        );
        mobile.hint = self.t(
            "提交时向此号码发送验证码，之后凭它登录查询订单",
            "The code for submitting goes to this number; later you log in with it",
        );
        let mut mail =
            self.input("handler.mail", self.t("邮箱", "Mail"), InputKind::Text("email", "email", 254));
        if self.programme.invoice_delivery == Some(InvoiceDelivery::Mail) {
            mail.hint = self.t("电子发票将发送到此邮箱", "The invoice is sent to this address");
        }
        Section {
            id: "handler",
            whose: self.t("经办人", "Handler"),
            title: self.t("申请人/经办人信息", "Applicant (handler)"),
            note: "",
            pictures: self.pictures(&[PictureKind::IdFront, PictureKind::IdBack]),
            inputs: vec![name, id_type, id_number, mobile, mail],
        }
    }

    fn legal_section(&self) -> Section {
        let names =
            ["legal_representative.name", "legal_representative.id_type", "legal_representative.id_number"];
        Section {
            id: "legal_representative",
            whose: self.t("法定代表人", "Legal representative"),
            title: self.t("法定代表人信息", "Legal representative"),
            note: "",
            pictures: self.pictures(&[PictureKind::LegalIdFront, PictureKind::LegalIdBack]),
            inputs: self.document(names).into(),
        }
    }

    fn holder_section(&self) -> Section {
        Section {
            id: "holder",
            whose: self.t("证书持有人", "Holder"),
            title: self.t("证书持有人信息", "Holder of the certificate"),
            note: self.t("个人证书颁发给此人。", "The personal certificate is made out to this person."),
            pictures: Vec::new(),
            inputs: self.document(["holder.name", "holder.id_type", "holder.id_number"]).into(),
        }
    }

    fn unit_section(&self) -> Section {
        let mut name = self.input(
            "unit.name",
            self.t("单位名称", "Name of the unit"),
            InputKind::Text("text", "organization", 64),
        );
        name.hint = self.t("与营业执照上的名称一致", "As on the licence");
        let mut code =
            self.text("unit.credit_code", self.t("统一社会信用代码", "Unified social credit code"), 32);
        code.hint =
            self.t("非三证合一单位请填组织机构代码", "A unit without one gives its organisation code");
        let (kind, choices) = self.words(
            "unit.kind",
            self.t("单位类型", "Kind of unit"),
            &self.programme.unit_kinds,
            |word| (word.code(), word.zh(), word.en()),
        );
        let given = self.fields.get("unit.industry");
        let mut industries: Vec<Choice> = industries()
            .map(|name| Choice { value: name.to_owned(), text: name.to_owned(), chosen: name == given })
            .collect();
        if !given.is_empty() && !industries.iter().any(|choice| choice.chosen) {
            industries.push(Choice { value: given.to_owned(), text: given.to_owned(), chosen: true });
        }
        industries.insert(0, self.please_choose());
        Section {
            id: "unit",
            whose: self.t("单位", "Unit"),
            title: self.t("单位信息", "Unit"),
            note: "",
            pictures: self.pictures(&[PictureKind::Licence]),
            inputs: vec![
                name,
                code,
                Input { kind: InputKind::Radio(choices), ..kind },
                self.input("unit.industry", self.t("所属行业", "Industry"), InputKind::Select(industries)),
            ],
        }
    }

    fn please_choose(&self) -> Choice {
        Choice { value: String::new(), text: self.t("请选择", "Please choose").to_owned(), chosen: false }
    }

    fn letter_section(&self) -> Section {
        let note = if self.programme.seal_sampling {
            self.t(
                "填好以上信息后下载授权书，打印并加盖实体公章；采样表上公章、法定代表人章（或签字）各三次。再上传彩色图片，使用其他授权书无效。",
                "Fill in the above, download the letter, print it and stamp it; on the sampling sheet the seal three times, the legal representative's seal or signature three times. Then upload pictures in colour. No other letter is taken.",
            )
        } else {
            self.t(
                "填好以上信息后下载授权书，打印并加盖实体公章，再上传彩色图片；使用其他授权书无效。",
                "Fill in the above, download the letter, print it, stamp it and upload a picture in colour. No other letter is taken.",
            )
        };
        Section {
            id: "letter",
            whose: self.t("授权书", "Letter"),
            title: self.t("授权书", "Authorization letter"),
            note,
            pictures: self.pictures(&[PictureKind::Letter, PictureKind::SealSheet]),
            inputs: Vec::new(),
        }
    }

    fn receiver_section(&self) -> Section {
        let mut name = self.text("receiver.name", self.t("姓名", "Name"), 64);
        name.kind = InputKind::Text("text", "shipping name", 64);
        let mobile = self.input(
            "receiver.mobile",
            self.t("手机号", "Mobile"),
            InputKind::Text("tel", "shipping tel", 20),
        );
        let mut address = self.text("receiver.address", self.t("详细地址", "Street and number"), 200);
        address.kind = InputKind::Text("text", "shipping street-address", 200);
        let mut inputs = vec![name, mobile];
        inputs.extend(places::inputs(self));
        inputs.push(address);
        Section {
            id: "receiver",
            whose: self.t("收件人", "Receiver"),
            title: self.t("收件信息", "Receiver"),
            note: self.t("快递公司默认顺丰，运费到付。", "By SF Express, freight collect."),
            pictures: Vec::new(),
            inputs,
        }
    }

    fn invoice_section(&self) -> Option<Section> {
        let delivery = self.programme.invoice_delivery?;
        let kind = self.select(
            "invoice.kind",
            self.t("发票类型", "Kind of invoice"),
            &self.programme.invoice_kinds,
            |word| (word.code(), word.zh(), word.en()),
        );
        let mut title = self.text("invoice.title", self.t("发票抬头", "Made out to"), 100);
        title.required = false;
        title.hint = self.t("不填即为单位名称", "The unit, if left empty");
        let mut tax_number = self.text("invoice.tax_number", self.t("抬头税号", "Its tax number"), 18);
        tax_number.required = false;
        tax_number.hint = self.t(
            "抬头为其他单位时填写；抬头为个人、或即本单位时留空",
            "For another unit than the one above; empty for that unit, and for a person",
        );
        Some(Section {
            id: "invoice",
            whose: self.t("发票", "Invoice"),
            title: self.t("发票信息", "Invoice"),
            note: match delivery {
                InvoiceDelivery::Download => self.t(
                    "默认开具电子发票，订单完成后在“我的订单”下载。",
                    "An electronic invoice is made; download it under My orders once the order is completed.",
                ),
                InvoiceDelivery::Mail => self.t(
                    "默认开具电子发票，订单完成后发送到经办人邮箱。",
                    "An electronic invoice is made and sent to the handler's mail address once the order is completed.",
                ),
            },
            pictures: Vec::new(),
            inputs: vec![kind, title, tax_number],
        })
    }
}

impl Form<'_> {
    /// What the order costs as it is filled in; of nonsense, the least.
    pub(super) fn amount(&self) -> model::Fen {
        let years = self.fields.get("years").parse().ok().filter(|years| self.product.years.contains(years));
        let years = years.or(self.product.years.first().copied()).unwrap_or(1);
        let quantity = self.fields.get("quantity").parse().unwrap_or(self.product.quantity_min);
        let quantity = quantity.clamp(self.product.quantity_min, self.product.quantity_max);
        self.product.amount(years, quantity)
    }
}

/// A draft, in a line.
pub(super) fn line(lang: Lang, draft: &Draft) -> String {
    let unit = draft.fields.get("unit.name");
    let unit = if unit.is_empty() { lang.t("未填单位", "no unit yet") } else { unit };
    format!("{} · {unit}", draft.number)
}
