//! The station side: leases, secrets, certificates, reports, parcels, over MQTT.
//!
//! [`Desk`] is the whole of it without a broker: bytes of a station in, replies out. [`serve`] puts it on the link.

mod authority;
mod board;
mod breakers;
mod certificates;
mod desk;
mod heard;
mod in_flight;
mod job;
mod keys;
mod lanes;
mod lease;
mod made;
mod mask;
mod overview;
mod parcels;
mod parked;
mod refusal;
mod registry;
mod rehearsal;
mod release;
mod reports;
mod service;
mod shared_board;

pub use authority::{Authority, CaKeyName};
pub(crate) use authority::{
    certificate as ca_certificate, open as open_ca_key, store as store_ca_key, wrap as wrap_ca_key,
};
pub use breakers::{OpenBreaker, open_breakers};
pub(crate) use certificates::revoked;
pub use desk::Desk;
pub use desk::open_vault;
pub(crate) use desk::{secret_file, vault_settings, whole_secret_file};
pub use heard::{Heard, keep_heard};
pub use made::{MadeKey, made, waybill};
pub use overview::{Figures, figures, waiting_jobs};
pub use parcels::forget_receivers;
pub use parked::{Parked, count as parked_count, newest as newest_parked};
pub(crate) use registry::{disable, enrol, public_key};
pub use rehearsal::Stage;
pub(crate) use rehearsal::{RehearsalError, subject};
pub use release::{KeyFate, Release, release};
pub use service::serve;
pub(crate) use shared_board::share_board;
pub use shared_board::{Shared as SharedBoard, follow_board};
