//! Orders: how they come in, how they change state, how they are found.

mod cancel;
mod completion;
mod content;
mod corrections;
mod duties;
mod form;
mod idle;
mod intake;
mod jobs;
mod list;
mod marks;
mod regions;
mod sealed;
mod store;
mod transition;

pub(crate) use cancel::may_cancel;
pub use cancel::{CancelTerms, cancel, cancel_terms, is_of};
pub use completion::{complete, complete_overdue, packed_ms};
pub use content::{Handler, Invoice, Order, OrderContent, Payment, Person, Receiver, Unit};
pub use corrections::{Correction, corrections};
pub(crate) use duties::{has_approved, has_entered};
pub use form::{FieldError, OrderForm, Parties};
pub use idle::end_idle;
pub use intake::{Intake, Row, RowOutcome, accept, accept_all};
pub(crate) use intake::{free_number, store_new};
pub(crate) use jobs::not_in_work;
pub use jobs::{JobRow, jobs, leased as jobs_leased};
pub use list::{
    COUNTED, Cursor, OrderPage, OrderRow, Query, SEARCHED, StateCount, count_states, find_by_number, list,
    state_totals,
};
pub use marks::{Mark, sharing};
pub use regions::{City, Province, industries, province, provinces};
pub(crate) use sealed::delete_content;
pub use sealed::seal_all;
pub(crate) use store::add_history;
pub use store::{HistoryEntry, OrderError, Standing, history, known, known_in, load, load_in, standing};
pub use transition::{Actor, approve, change_state, correct, record_payment, reject};
pub(crate) use transition::{REASON_CHARS_MAX, certifiable, correct_in, pay_in};
