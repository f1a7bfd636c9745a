#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod path;
mod slots;
mod usb;

pub use path::{PathError, PortPath};
pub use slots::{Place, Slot, SlotConfig, SlotError, Slots};
pub use usb::{Hub, HubError, UsbAddress, UsbDevice, devices};
