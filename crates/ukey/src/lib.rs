#![doc = include_str!("../README.md")]

pub mod apdu;
pub mod crypto;
mod device_info;
mod error;
pub mod fields;
pub mod ins;
pub mod session;
mod status;
mod transport;

pub use device_info::DeviceInfo;
pub use error::{CardError, Refused};
pub use session::{
    Application, ApplicationInfo, Authenticated, CertKind, ContainerId, ContainerInfo, ContainerKind,
    FileInfo, InApplication, KeyKind, NewApplication, Open, PinInfo, PinType, Session, User,
};
pub use status::StatusWord;
pub use transport::{CardTransport, TransportError};
