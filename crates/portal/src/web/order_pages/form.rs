//! The order form: shown empty, opened as a draft, saved, and sent on its way.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    extract::{Multipart, Path, Query, State},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use model::OrderState;
use serde::Deserialize;

use super::{
    posted::{self, Posted},
    view::{Form, InputKind, Mistakes, Phone, Section},
    visitor::{Visitor, with_cookie},
};
use crate::{
    app::AppState,
    clock::china_text,
    drafts::{self, Draft, DraftError, FormFields},
    letters::{self, LetterFacts},
    orders::{self, FieldError, Parties},
    papers::PapersError,
    pictures::{self, PictureError},
    programmes::{Agreement, PictureKind, Product, Programme},
    web::{
        lang::Lang,
        pages::page,
        shop::{OwnOrder, ShopFrame, no_such_page, our_trouble},
    },
};

#[derive(Template)]
#[template(path = "shop/order_form.html")]
struct FormPage<'a> {
    frame: ShopFrame,
    programme: &'a Programme,
    product: &'a Product,
    /// The draft's number; a form that was never saved has none.
    number: Option<String>,
    /// The word of an empty form: sent twice it opens one draft.
    form: String,
    saved: String,
    correction: bool,
    /// Why the order that is corrected was refused.
    reason: String,
    sections: Vec<Section>,
    fields: &'a FormFields,
    mistakes: Mistakes,
    /// Mistakes to list above: the input's id and what to do.
    summary: Vec<(String, String)>,
    amount: model::Fen,
}

impl FormPage<'_> {
    fn action(&self) -> String {
        match &self.number {
            Some(number) => format!("/p/{}/order/{number}", self.programme.id),
            None => format!("/p/{}/order?product={}&form={}", self.programme.id, self.product.id, self.form),
        }
    }

    fn ticked(&self, agreement: &Agreement) -> bool {
        self.fields.agreed(&agreement.id) == agreement.version
    }

    fn unticked(&self, agreement: &Agreement) -> String {
        self.mistakes.of(&format!("agree.{}", agreement.id))
    }
}

/// What a form is shown with besides the draft.
#[derive(Default)]
pub(super) struct Shown {
    pub(super) errors: Vec<FieldError>,
    /// The picture for which a phone's way in was asked.
    pub(super) phone: Option<PictureKind>,
}

#[derive(Deserialize)]
pub(super) struct Ordered {
    #[serde(default)]
    product: String,
    #[serde(default)]
    form: String,
}

/// An empty form; the draft begins when it is first sent.
pub(super) async fn blank(
    State(state): State<AppState>,
    mut visitor: Visitor,
    Path(programme): Path<String>,
    Query(ordered): Query<Ordered>,
) -> Response {
    let Some((programme, product)) = ordered_product(&state, &programme, &ordered) else {
        return no_such_page(visitor.lang);
    };
    // Known from here on, so that a form that is sent twice at once comes from one browser.
    let (cookie, word) = match visitor.recognise(&state).and_then(|cookie| Ok((cookie, drafts::new_form()?)))
    {
        Ok(new) => new,
        Err(error) => return visitor.trouble(error),
    };
    let fields = FormFields::default();
    let (mistakes, pictures) = (Mistakes::default(), BTreeMap::new());
    let form = Form {
        lang: visitor.lang,
        programme,
        product,
        fields: &fields,
        mistakes: &mistakes,
        pictures: &pictures,
        correction: false,
    };
    let (sections, amount) = (form.sections(), form.amount());
    let blank = page(
        StatusCode::OK,
        &FormPage {
            frame: visitor.frame(),
            programme,
            product,
            number: None,
            form: word,
            saved: String::new(),
            correction: false,
            reason: String::new(),
            sections,
            fields: &fields,
            mistakes: Mistakes::default(),
            summary: Vec::new(),
            amount,
        },
    );
    with_cookie(blank, cookie)
}

/// The product that an address names; without a name, the only one.
fn ordered_product<'a>(
    state: &'a AppState,
    programme: &str,
    ordered: &Ordered,
) -> Option<(&'a Programme, &'a Product)> {
    let programme = state.programmes.get(programme)?;
    let product = match ordered.product.as_str() {
        "" if programme.products.len() == 1 => programme.products.first(),
        id => programme.product(id),
    };
    Some((programme, product?))
}

/// The first time a form is sent: a draft is opened, and saved with what came.
pub(super) async fn open(
    State(state): State<AppState>,
    mut visitor: Visitor,
    Path(programme): Path<String>,
    Query(ordered): Query<Ordered>,
    form: Multipart,
) -> Response {
    let Some((programme, product)) = ordered_product(&state, &programme, &ordered) else {
        return no_such_page(visitor.lang);
    };
    let cookie = match visitor.recognise(&state) {
        Ok(cookie) => cookie,
        Err(error) => return visitor.trouble(error),
    };
    let word = if drafts::is_form(&ordered.form) { ordered.form.as_str() } else { "" };
    let opened = drafts::open(&state, &visitor.owner, &visitor.address, word, programme, product).await;
    let draft = match opened {
        Ok(draft) => draft,
        Err(error) => return visitor.trouble(error),
    };
    with_cookie(take(&state, &visitor, draft, programme, product, form, true).await, cookie)
}

#[derive(Deserialize)]
pub(super) struct Asked {
    /// Whether the mistakes are wanted: the confirmation sends back here.
    #[serde(default)]
    check: Option<String>,
}

/// The visitor's draft.
pub(super) async fn show(
    State(state): State<AppState>,
    visitor: Visitor,
    Path((programme, number)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Response {
    let (draft, programme, product) = match visitor.draft(&state, &programme, &number).await {
        Ok(found) => found,
        Err(response) => return response,
    };
    let errors = match asked.check {
        Some(_) => match mistakes(&state, programme, &draft).await {
            Ok(errors) => errors,
            Err(error) => return visitor.trouble(error),
        },
        None => Vec::new(),
    };
    form_page(&state, &visitor, &draft, programme, product, Shown { errors, phone: None }).await
}

/// A draft's form that was sent again. The browser's token lives on from now.
pub(super) async fn save(
    State(state): State<AppState>,
    mut visitor: Visitor,
    Path((programme, number)): Path<(String, String)>,
    form: Multipart,
) -> Response {
    let cookie = match visitor.recognise(&state) {
        Ok(cookie) => cookie,
        Err(error) => return visitor.trouble(error),
    };
    match visitor.draft(&state, &programme, &number).await {
        Ok((draft, programme, product)) => {
            with_cookie(take(&state, &visitor, draft, programme, product, form, false).await, cookie)
        }
        Err(response) => response,
    }
}

/// Saves what came, then does what the pressed button says. Of an empty form the page is then the draft's own: loaded again it opens no other.
async fn take(
    state: &AppState,
    visitor: &Visitor,
    mut draft: Draft,
    programme: &Programme,
    product: &Product,
    form: Multipart,
    first: bool,
) -> Response {
    let posted = match posted::read(state, visitor, &programme.pictures, &mut draft, form).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    match drafts::save(state, &visitor.owner, &mut draft).await {
        Ok(()) => {}
        // Handed in from another window, or refused no longer.
        Err(DraftError::Unknown) => return visitor.gone(programme, &draft.number),
        Err(error) => return visitor.trouble(error),
    }
    let here = place(programme, &draft);
    let Posted { action, refused } = posted;
    let errors = match action.as_str() {
        "submit" => match mistakes(state, programme, &draft).await {
            Ok(errors) if errors.is_empty() && refused.is_empty() => {
                return Redirect::to(&format!("{here}/confirm")).into_response();
            }
            Ok(_) if first && refused.is_empty() => {
                return Redirect::to(&format!("{here}?check=1#summary")).into_response();
            }
            Ok(errors) => refused.into_iter().chain(errors).collect(),
            Err(error) => return visitor.trouble(error),
        },
        "letter" | "letter-file" => match parties(&draft, programme, product) {
            Ok(_) if refused.is_empty() => {
                let query = if action == "letter" { "" } else { "?download=1" };
                return Redirect::to(&format!("{here}/letter.pdf{query}")).into_response();
            }
            Ok(_) => refused,
            Err(errors) => refused.into_iter().chain(errors).collect(),
        },
        _ => refused,
    };
    let phone = action.strip_prefix("phone:");
    let phone = phone.and_then(|code| programme.pictures.iter().copied().find(|kind| kind.code() == code));
    if errors.is_empty() && phone.is_none() {
        let place = if action == "region" { "#receiver" } else { "#saved" };
        return Redirect::to(&format!("{here}{place}")).into_response();
    }
    form_page(state, visitor, &draft, programme, product, Shown { errors, phone }).await
}

/// Where a draft is filled in.
fn place(programme: &Programme, draft: &Draft) -> String {
    format!("/p/{}/order/{}", programme.id, draft.number)
}

/// Everything that keeps a draft from being submitted.
async fn mistakes(
    state: &AppState,
    programme: &Programme,
    draft: &Draft,
) -> Result<Vec<FieldError>, DraftError> {
    let mut errors = match drafts::check(state, programme, draft).await {
        Ok(_) => Vec::new(),
        Err(DraftError::Content(errors)) => errors,
        Err(error) => return Err(error),
    };
    errors.extend(drafts::accepted(programme, &draft.fields));
    Ok(errors)
}

pub(super) async fn form_page(
    state: &AppState,
    visitor: &Visitor,
    draft: &Draft,
    programme: &Programme,
    product: &Product,
    shown: Shown,
) -> Response {
    let lang = visitor.lang;
    let drawn = async {
        let brought = pictures::list(&state.db, draft.number.as_str()).await?;
        let corrected = orders::load(state, &draft.number).await?;
        let phone = match shown.phone {
            Some(kind) => Some((kind, phone(state, draft, kind).await?)),
            None => None,
        };
        Ok::<_, DraftError>((brought, corrected, phone))
    };
    let (brought, corrected, phone) = match drawn.await {
        Ok(drawn) => drawn,
        Err(error) => return visitor.trouble(error),
    };
    let status = if shown.errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let here = place(programme, draft);
    let here = if shown.errors.is_empty() { here } else { format!("{here}?check=1") };
    let pictures = brought.iter().map(|picture| (picture.kind, picture.created_ms)).collect();
    let mistakes = Mistakes::new(lang, shown.errors);
    let form = Form {
        lang,
        programme,
        product,
        fields: &draft.fields,
        mistakes: &mistakes,
        pictures: &pictures,
        correction: corrected.is_some(),
    };
    // What is corrected costs what it cost.
    let amount = corrected.as_ref().map_or_else(|| form.amount(), |order| order.amount);
    let mut sections = form.sections();
    if let Some((kind, phone)) = phone {
        let mut inputs = sections.iter_mut().flat_map(|section| &mut section.pictures);
        if let Some(input) = inputs.find(|input| input.kind == kind) {
            input.phone = Some(phone);
        }
    }
    let summary = summary(lang, &sections, &mistakes, programme);
    page(
        status,
        &FormPage {
            frame: visitor.frame_at(here),
            programme,
            product,
            number: Some(draft.number.to_string()),
            form: String::new(),
            saved: china_text(draft.saved_ms),
            correction: corrected.is_some(),
            reason: corrected.and_then(|order| order.reject_reason).unwrap_or_default(),
            sections,
            fields: &draft.fields,
            mistakes,
            summary,
            amount,
        },
    )
}

async fn phone(state: &AppState, draft: &Draft, kind: PictureKind) -> Result<Phone, PictureError> {
    let link = pictures::links::create(state, draft.number.as_str(), kind).await?;
    Ok(Phone { qr: link.qr()?, url: link.url().to_owned(), token: link.token().to_owned() })
}

/// The mistakes in the order of the form, each with the input that it leads to.
fn summary(
    lang: Lang,
    sections: &[Section],
    mistakes: &Mistakes,
    programme: &Programme,
) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    let colon = lang.t("：", ": ");
    let mut add = |name: String, label: &str, error: &str| {
        if !error.is_empty() {
            lines.push((name, format!("{label}{colon}{error}")));
        }
    };
    for section in sections {
        for picture in &section.pictures {
            add(format!("pictures.{}", picture.kind.code()), &section.label(picture.label), &picture.error);
        }
        for input in &section.inputs {
            add(input.name.to_owned(), &section.label(input.label), &input.error);
        }
    }
    for agreement in &programme.agreements {
        let name = format!("agree.{}", agreement.id);
        let error = mistakes.of(&name);
        add(name, &agreement.title, &error);
    }
    lines
}

/// Whom the letter names, in the form that the order will have.
fn parties(draft: &Draft, programme: &Programme, product: &Product) -> Result<Parties, Vec<FieldError>> {
    Parties::read(&draft.fields.order(programme, product), programme, product)
}

/// The letter of what was saved; `None` while something it states is missing or wrong.
pub(super) async fn letter_pdf(
    state: &AppState,
    draft: &Draft,
    programme: &Programme,
    product: &Product,
) -> Result<Option<Vec<u8>>, PapersError> {
    let Ok(parties) = parties(draft, programme, product) else { return Ok(None) };
    let facts = LetterFacts::of_parties(draft.number.as_str(), &parties, programme, product);
    letters::pdf(state, &facts, programme.seal_sampling).await.map(Some)
}

/// Deletes the visitor's draft. One that is not there, or another's, is as one that was deleted before.
pub(super) async fn discard(
    State(state): State<AppState>,
    visitor: Visitor,
    Path((programme, number)): Path<(String, String)>,
) -> Response {
    let (Some(programme), Ok(number)) = (state.programmes.get(&programme), number.parse()) else {
        return no_such_page(visitor.lang);
    };
    match drafts::discard(&state, &number, &visitor.owner).await {
        Ok(()) | Err(DraftError::Unknown) => Redirect::to(&format!("/p/{}", programme.id)).into_response(),
        Err(error) => visitor.trouble(error),
    }
}

/// 立即修改 (row S1.13): a rejected order as a form again, with all that was typed and every picture.
pub(super) async fn modify(
    State(state): State<AppState>,
    OwnOrder { number, .. }: OwnOrder,
    mut visitor: Visitor,
) -> Response {
    let order = match orders::load(&state, &number).await {
        Ok(Some(order)) => order,
        Ok(None) => return no_such_page(visitor.lang),
        Err(error) => return our_trouble(visitor.lang, &error),
    };
    if order.state != OrderState::Rejected {
        return Redirect::to(&format!("/my/orders/{number}")).into_response();
    }
    let cookie = match visitor.recognise(&state) {
        Ok(cookie) => cookie,
        Err(error) => return visitor.trouble(error),
    };
    match drafts::open_correction(&state, &visitor.owner, &order).await {
        Ok(draft) => {
            let place = format!("/p/{}/order/{}", draft.programme, draft.number);
            with_cookie(Redirect::to(&place).into_response(), cookie)
        }
        Err(error) => visitor.trouble(error),
    }
}
