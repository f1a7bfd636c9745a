#![doc = include_str!("../README.md")]

mod derive;
mod error;
mod initialise;
mod keys;
mod module;
mod session;
mod settings;
mod vault;

pub use error::VaultError;
pub use initialise::Initialised;
pub use keys::{ADMIN_PIN_KEY, DEVICE_KEY, WRAP_KEY};
pub use settings::Settings;
pub use vault::{MAX_WRAPPED_BYTES, Vault};
