//! The authorization letter of a draft or an order, and what becomes of it when it comes back stamped.

use label::LetterData;

use crate::{
    app::AppState,
    orders::{Handler, OrderContent, Parties, Person, Unit},
    papers::PapersError,
    pictures::{Picture, PictureKind},
    programmes::{Product, Programme},
};

/// How every code of ours begins.
pub(crate) const CODE_PREFIX: &str = "UKEY";
/// Hex digits of the digest in a code: 96 bits.
const DIGEST_CHARS: usize = 24;

/// What a letter states.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct LetterFacts<'a> {
    /// The draft's or order's number.
    pub number: &'a str,
    /// The procurement platform.
    pub platform: &'a str,
    /// The product's title.
    pub product: &'a str,
    /// The unit's name.
    pub unit: &'a str,
    /// Its unified social credit code.
    pub credit_code: &'a str,
    /// The handler's name.
    pub handler: &'a str,
    /// The handler's mobile.
    pub mobile: &'a str,
    /// The handler's mail address.
    pub mail: &'a str,
    /// The legal representative's name, where the programme asks for it.
    pub legal_representative: Option<&'a str>,
    /// The holder of a personal certificate: name and document number.
    pub holder: Option<(&'a str, &'a str)>,
}

impl<'a> LetterFacts<'a> {
    /// What the letter of this content states.
    #[must_use]
    pub fn of(number: &'a str, content: &'a OrderContent, programme: &'a Programme) -> Self {
        let product = programme.product(&content.product);
        let product = product.map_or(content.product.as_str(), |product| &product.title);
        let persons = (content.legal_representative.as_ref(), content.holder.as_ref());
        Self::stated(number, programme, product, &content.handler, &content.unit, persons)
    }

    /// What the letter of a form states that is not complete yet.
    #[must_use]
    pub fn of_parties(
        number: &'a str,
        parties: &'a Parties,
        programme: &'a Programme,
        product: &'a Product,
    ) -> Self {
        let persons = (parties.legal_representative.as_ref(), parties.holder.as_ref());
        Self::stated(number, programme, &product.title, &parties.handler, &parties.unit, persons)
    }

    /// One place for both: a letter printed from a form must be that of the order which the form becomes.
    fn stated(
        number: &'a str,
        programme: &'a Programme,
        product: &'a str,
        handler: &'a Handler,
        unit: &'a Unit,
        (legal_representative, holder): (Option<&'a Person>, Option<&'a Person>),
    ) -> Self {
        Self {
            number,
            platform: &programme.platform,
            product,
            unit: &unit.name,
            credit_code: &unit.credit_code,
            handler: &handler.name,
            mobile: &handler.mobile,
            mail: &handler.mail,
            legal_representative: legal_representative.map(|person| person.name.as_str()),
            holder: holder.map(named),
        }
    }

    /// The text of the QR code on the page of this kind: which sheet it is, and a keyed digest of what the letter states, so that a sheet
    /// printed before a correction is known.
    fn code(&self, state: &AppState, kind: PictureKind) -> String {
        let page = if kind == PictureKind::SealSheet { "SEAL" } else { "LETTER" };
        let mut stated = vec![
            page,
            self.number,
            self.platform,
            self.product,
            self.unit,
            self.credit_code,
            self.handler,
            self.mobile,
            self.mail,
            self.legal_representative.unwrap_or_default(),
        ];
        stated.extend(self.holder.into_iter().flat_map(|(name, number)| [name, number]));
        let digest: String =
            state.sealer.digest("letter", &stated.join("\n")).chars().take(DIGEST_CHARS).collect();
        format!("{CODE_PREFIX}{page}:{}:{digest}", self.number)
    }
}

fn named(person: &Person) -> (&str, &str) {
    (&person.name, &person.id_number)
}

/// The letter as PDF; with `seal_sheet` the sampling sheet is its second page.
///
/// # Errors
/// [`PapersError`] names what cannot be printed.
pub async fn pdf(
    state: &AppState,
    facts: &LetterFacts<'_>,
    seal_sheet: bool,
) -> Result<Vec<u8>, PapersError> {
    let data = LetterData {
        number: facts.number.to_owned(),
        code: facts.code(state, PictureKind::Letter),
        unit: facts.unit.to_owned(),
        credit_code: facts.credit_code.to_owned(),
        product: facts.product.to_owned(),
        platform: facts.platform.to_owned(),
        handler: facts.handler.to_owned(),
        mobile: facts.mobile.to_owned(),
        mail: facts.mail.to_owned(),
        legal_representative: facts.legal_representative.map(str::to_owned),
        holder: facts.holder.map(|(name, number)| (name.to_owned(), number.to_owned())),
        sheet_code: seal_sheet.then(|| facts.code(state, PictureKind::SealSheet)),
    };
    let maker = state.papers.letter_maker(&state.config).await?;
    let made = tokio::task::spawn_blocking(move || maker.render(&data)).await;
    Ok(made.map_err(|_| PapersError::CutOff)??)
}

/// What the machine makes of a letter or sheet that came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SheetCheck {
    /// It is this letter, and says what the order says.
    Matches,
    /// It is this letter, but what it states was changed after it was printed.
    Outdated,
    /// It is another letter, or another page of it.
    Other,
    /// No code could be read: a person must look.
    Unreadable,
}

impl SheetCheck {
    /// What operators and customers read.
    #[must_use]
    pub fn zh(self) -> &'static str {
        match self {
            Self::Matches => "识别码与本单一致",
            Self::Outdated => "打印后内容有改动，请核对或要求重新打印盖章",
            Self::Other => "识别码属于其他申请或其他页",
            Self::Unreadable => "未识别到识别码，请人工核对",
        }
    }

    /// The same in English.
    #[must_use]
    pub fn en(self) -> &'static str {
        match self {
            Self::Matches => "its code is this order's",
            Self::Outdated => "the data changed after it was printed: compare, or ask for a new one",
            Self::Other => "its code is of another application or another page",
            Self::Unreadable => "no code was read: look at it yourself",
        }
    }
}

/// Compares the code on a picture with what the letter would say today; `None` for a picture that carries no code.
#[must_use]
pub fn check(state: &AppState, facts: &LetterFacts<'_>, picture: &Picture) -> Option<SheetCheck> {
    let read = picture.sheet.as_deref()?;
    if read.is_empty() {
        return Some(SheetCheck::Unreadable);
    }
    let expected = facts.code(state, picture.kind);
    if expected == read {
        return Some(SheetCheck::Matches);
    }
    let begin = |code: &str| code.rsplit_once(':').map(|(begin, _)| begin.to_owned());
    Some(if begin(&expected) == begin(read) { SheetCheck::Outdated } else { SheetCheck::Other })
}
