//! Which roles open which route: the one table. A route of operators that is not in it is open to nobody.

use serde_json::Value;

use crate::operators::Role::{self, Administrator, Auditor, Finance, Production, Reviewer, Stations};

/// Who reads orders.
const READERS: &[Role] = &[Reviewer, Production, Finance, Stations, Auditor];
/// Who looks after keys and stations.
const BENCH: &[Role] = &[Production, Stations];
/// Who sees stock and stations.
const WATCHERS: &[Role] = &[Production, Stations, Auditor];
/// Who decides about a refund: the second of two people.
const REFUNDERS: &[Role] = &[Finance, Administrator];

/// Who sees what went wrong with money, invoices and their mails.
pub(super) const MONEY_TROUBLES: &[Role] = &[Finance, Administrator, Auditor];
/// Who sees which customers were not told by SMS.
pub(super) const NEWS_TROUBLES: &[Role] = &[Reviewer, Administrator, Auditor];
/// Who sees what platforms were not told.
pub(super) const PLATFORM_TROUBLES: &[Role] = &[Administrator, Auditor];

/// Method, path as the router has it, roles of which one is enough.
const ROUTES: &[(&str, &str, &[Role])] = &[
    ("GET", "/start", &Role::ALL),
    ("GET", "/account", &Role::ALL),
    ("POST", "/account/password", &Role::ALL),
    ("POST", "/account/second-factor", &Role::ALL),
    ("GET", "/orders", READERS),
    ("POST", "/orders/find", READERS),
    ("GET", "/orders/{number}", READERS),
    ("POST", "/orders/{number}/approve", &[Reviewer]),
    ("POST", "/orders/{number}/reject", &[Reviewer]),
    ("GET", "/orders/{number}/pictures/{id}", &[Reviewer, Auditor]),
    ("GET", "/orders/{number}/letter.pdf", &[Reviewer]),
    ("POST", "/orders/{number}/paper", &[Reviewer]),
    ("GET", "/orders/{number}/invoice.pdf", &[Finance, Auditor]),
    ("POST", "/orders/{number}/invoice", &[Finance]),
    ("POST", "/orders/{number}/reveal", &[Reviewer, Production, Finance]),
    ("POST", "/orders/{number}/payment", &[Finance]),
    ("POST", "/orders/{number}/cancel", &[Reviewer, Finance]),
    ("POST", "/orders/{number}/refund", &[Finance]),
    ("POST", "/orders/{number}/refund/decision", REFUNDERS),
    ("POST", "/orders/{number}/delivered", &[Production]),
    ("GET", "/packing", &[Production]),
    ("POST", "/packing", &[Production]),
    ("GET", "/paper", &[Reviewer]),
    ("POST", "/paper", &[Reviewer]),
    ("GET", "/refunds", &[Finance, Administrator, Auditor]),
    ("GET", "/attention", &[Reviewer, Finance, Administrator, Auditor]),
    ("POST", "/attention/webhooks", &[Administrator]),
    ("POST", "/attention/payments/{number}", REFUNDERS),
    ("POST", "/attention/refunds/{number}", REFUNDERS),
    ("POST", "/attention/transfers/{number}", REFUNDERS),
    ("GET", "/review", &[Reviewer]),
    ("GET", "/review/{number}", &[Reviewer]),
    ("POST", "/review/{number}/approve", &[Reviewer]),
    ("POST", "/review/{number}/reject", &[Reviewer]),
    ("POST", "/jobs/{job}/release", BENCH),
    ("GET", "/programmes", &Role::ALL),
    ("GET", "/programmes/{id}", &Role::ALL),
    ("GET", "/stock", WATCHERS),
    ("POST", "/stock", BENCH),
    ("GET", "/stations", WATCHERS),
    ("GET", "/stations/live", WATCHERS),
    ("GET", "/users", &[Administrator, Auditor]),
    ("POST", "/users", &[Administrator]),
    ("POST", "/users/{name}", &[Administrator]),
    ("GET", "/audit", &[Auditor]),
    ("GET", "/api/orders", READERS),
    ("POST", "/api/orders", &[Reviewer]),
    ("GET", "/api/orders/{number}", READERS),
    ("PUT", "/api/orders/{number}", &[Reviewer]),
    ("POST", "/api/orders/{number}/approve", &[Reviewer]),
    ("POST", "/api/orders/{number}/reject", &[Reviewer]),
    ("POST", "/api/orders/{number}/payment", &[Finance]),
    ("POST", "/api/jobs/{job}/release", BENCH),
    ("GET", "/api/stations", WATCHERS),
];

/// The roles that open a route; `None` if it is not in the table.
pub(super) fn roles(method: &str, path: &str) -> Option<&'static [Role]> {
    ROUTES.iter().find(|(of, route, _)| *of == method && *route == path).map(|(_, _, roles)| *roles)
}

/// The roles that it takes to bring in orders, beside those of the route: an order that says it is paid records a payment.
pub(super) fn roles_to_bring(orders: &Value) -> Option<&'static [Role]> {
    let says_paid = |order: &Value| order.get("payment").is_some_and(|payment| !payment.is_null());
    let paid = orders.as_array().map_or_else(|| says_paid(orders), |orders| orders.iter().any(says_paid));
    if paid { roles("POST", "/api/orders/{number}/payment") } else { None }
}

/// Every route of operators with the roles that open it, for tests and documents.
pub fn operator_routes() -> impl Iterator<Item = (&'static str, &'static str, &'static [Role])> {
    ROUTES.iter().copied()
}

/// What an operator reaches whose account lacks something yet.
pub(super) fn is_account(path: &str) -> bool {
    path.starts_with("/account")
}
