//! A programme's home page (row S3.1), and the texts that its customers agree to.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};

use super::{view, visitor::Visitor};
use crate::{
    app::AppState,
    drafts,
    programmes::{Agreement, Offer, Product, Programme},
    web::{
        lang::Lang,
        pages::page,
        shop::{ShopFrame, no_such_page},
    },
};

#[derive(Template)]
#[template(path = "shop/programme.html")]
struct HomePage<'a> {
    frame: ShopFrame,
    programme: &'a Programme,
    /// Drafts that this visitor may go on with: number and what to call it.
    drafts: Vec<(String, String)>,
}

impl HomePage<'_> {
    fn price(&self, product: &Product) -> String {
        let lang = self.frame.lang;
        if product.price_per_year.0 == 0 {
            return lang.t("免费", "Free of charge").to_owned();
        }
        format!("¥ {} {}", product.price_per_year, lang.t("/ 年", "a year"))
    }

    fn years(&self, product: &Product) -> String {
        years(self.frame.lang, product)
    }

    /// What stands where a service will be.
    fn offer(&self, offer: &Offer) -> &'static str {
        self.frame.lang.t(offer.zh(), offer.en())
    }
}

fn years(lang: Lang, product: &Product) -> String {
    let list: Vec<String> = product.years.iter().map(ToString::to_string).collect();
    format!("{} {}", list.join(" / "), lang.t("年", "years"))
}

pub(super) async fn home(
    State(state): State<AppState>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Response {
    let Some(programme) = state.programmes.get(&id) else { return no_such_page(visitor.lang) };
    let drafts = match drafts::of_owner(&state, &visitor.owner).await {
        Ok(drafts) => drafts,
        Err(error) => return visitor.trouble(error),
    };
    let mine = drafts.iter().filter(|draft| draft.programme == programme.id);
    let drafts = mine.map(|draft| (draft.number.to_string(), view::line(visitor.lang, draft))).collect();
    page(StatusCode::OK, &HomePage { frame: visitor.frame(), programme, drafts })
}

#[derive(Template)]
#[template(path = "shop/agreement.html")]
struct AgreementPage<'a> {
    frame: ShopFrame,
    programme: &'a Programme,
    agreement: &'a Agreement,
}

pub(super) async fn agreement(
    State(state): State<AppState>,
    visitor: Visitor,
    Path((programme, id)): Path<(String, String)>,
) -> Response {
    let Some(programme) = state.programmes.get(&programme) else { return no_such_page(visitor.lang) };
    match programme.agreements.iter().find(|agreement| agreement.id == id) {
        Some(agreement) => {
            page(StatusCode::OK, &AgreementPage { frame: visitor.frame(), programme, agreement })
        }
        None => no_such_page(visitor.lang),
    }
}
