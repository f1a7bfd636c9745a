//! 我的发票: the customer's invoices, with their downloads.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};

use super::{Customer, ShopFrame, our_trouble};
use crate::{
    app::AppState,
    clock::china_text,
    invoices::{self, LISTED, ListedInvoice},
    web::{lang::Lang, pages::page},
};

#[derive(Template)]
#[template(path = "shop/my_invoices.html")]
struct MyInvoicesPage {
    frame: ShopFrame,
    invoices: Vec<ListedInvoice>,
}

impl MyInvoicesPage {
    fn time(&self, ms: &i64) -> String {
        china_text(*ms)
    }

    /// Whether older ones are left out.
    fn is_cut(&self) -> bool {
        i64::try_from(self.invoices.len()) == Ok(LISTED)
    }
}

pub(super) async fn my_invoices(
    State(state): State<AppState>,
    Customer(customer): Customer,
    lang: Lang,
) -> Response {
    match invoices::of_customer(&state.db, &customer.mobile_digest).await {
        Ok(invoices) => {
            let frame = ShopFrame::new(lang, Some(&customer), "invoices");
            page(StatusCode::OK, &MyInvoicesPage { frame, invoices })
        }
        Err(error) => our_trouble(lang, &error),
    }
}
