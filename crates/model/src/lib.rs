#![doc = include_str!("../README.md")]

mod endpoint;
mod identity;
mod ids;
mod money;
mod outcome;
mod secret;
mod state;

pub use endpoint::{Endpoint, EndpointError};
pub use identity::{
    IdentityError, check_credit_code, check_id_number, check_mobile, check_organisation_code, mask_mobile,
};
pub use ids::{IdError, JobId, KeyId, OrderNumber, SlotName, StationId};
pub use money::Fen;
pub use outcome::Outcome;
pub use secret::Secret;
pub use state::{IllegalOrderState, OrderState};
