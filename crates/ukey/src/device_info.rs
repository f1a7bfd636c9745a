//! The 288 bytes of GetDevInfo (INS 04).

use profile::dialect::ByteOrder;

use crate::fields::{Reader, Writer, text};

/// What a key says of itself. Text fields are cut at the first NUL, see [`crate::fields::text`].
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct DeviceInfo {
    /// Version of this structure, major and minor.
    pub struct_version: [u8; 2],
    /// Version of the specification.
    pub spec_version: [u8; 2],
    /// Manufacturer, up to 64 bytes.
    pub manufacturer: String,
    /// Issuer, up to 64 bytes.
    pub issuer: String,
    /// Device label, up to 32 bytes.
    pub label: String,
    /// Serial, up to 32 bytes.
    pub serial: String,
    /// Hardware version.
    pub hardware_version: [u8; 2],
    /// Firmware version.
    pub firmware_version: [u8; 2],
    /// Symmetric algorithms, bit mask of GM/T 0006 ids.
    pub symmetric_algorithms: u32,
    /// Asymmetric algorithms.
    pub asymmetric_algorithms: u32,
    /// Hash algorithms.
    pub hash_algorithms: u32,
    /// Algorithm of device authentication.
    pub device_auth_algorithm: u32,
    /// Memory in bytes.
    pub total_space: u32,
    /// Free memory in bytes.
    pub free_space: u32,
    /// Largest command data in bytes.
    pub max_command_data: u16,
    /// How the user authenticates.
    pub user_auth_method: u16,
    /// Kind of device.
    pub device_type: u16,
    /// Containers an application takes.
    pub max_containers: u8,
    /// Certificates an application takes.
    pub max_certificates: u8,
    /// Files an application takes.
    pub max_files: u16,
}

/// Width of the fields before the reserved end.
const RESERVED: usize = 54;

impl DeviceInfo {
    /// Length of the reply.
    pub const LEN: usize = 288;

    /// Reads the reply's data; `None` unless it has exactly 288 bytes.
    #[must_use]
    pub fn parse(data: &[u8], order: ByteOrder) -> Option<Self> {
        let mut from = Reader::new(data, order);
        let info = Self {
            struct_version: from.array()?,
            spec_version: from.array()?,
            manufacturer: text(from.bytes(64)?),
            issuer: text(from.bytes(64)?),
            label: text(from.bytes(32)?),
            serial: text(from.bytes(32)?),
            hardware_version: from.array()?,
            firmware_version: from.array()?,
            symmetric_algorithms: from.u32()?,
            asymmetric_algorithms: from.u32()?,
            hash_algorithms: from.u32()?,
            device_auth_algorithm: from.u32()?,
            total_space: from.u32()?,
            free_space: from.u32()?,
            max_command_data: from.u16()?,
            user_auth_method: from.u16()?,
            device_type: from.u16()?,
            max_containers: from.u8()?,
            max_certificates: from.u8()?,
            max_files: from.u16()?,
        };
        from.bytes(RESERVED)?;
        from.end()?;
        Some(info)
    }

    /// The reply's data; `None` when a text is wider than its field.
    #[must_use]
    pub fn encode(&self, order: ByteOrder) -> Option<Vec<u8>> {
        let bytes = Writer::new(order)
            .bytes(&self.struct_version)
            .bytes(&self.spec_version)
            .padded(self.manufacturer.as_bytes(), 64)?
            .padded(self.issuer.as_bytes(), 64)?
            .padded(self.label.as_bytes(), 32)?
            .padded(self.serial.as_bytes(), 32)?
            .bytes(&self.hardware_version)
            .bytes(&self.firmware_version)
            .u32(self.symmetric_algorithms)
            .u32(self.asymmetric_algorithms)
            .u32(self.hash_algorithms)
            .u32(self.device_auth_algorithm)
            .u32(self.total_space)
            .u32(self.free_space)
            .u16(self.max_command_data)
            .u16(self.user_auth_method)
            .u16(self.device_type)
            .u8(self.max_containers)
            .u8(self.max_certificates)
            .u16(self.max_files)
            .zeros(RESERVED)
            .finish();
        Some(bytes)
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use profile::dialect::ByteOrder;
    use proptest::prelude::*;

    use super::DeviceInfo;

    #[test]
    fn the_serial_stands_at_164_and_the_whole_has_288_bytes() {
        let info = DeviceInfo { serial: "V0000001".into(), max_files: 0x0102, ..DeviceInfo::default() };
        for order in [ByteOrder::Big, ByteOrder::Little] {
            let bytes = info.encode(order).expect("it fits");
            assert_eq!(bytes.len(), DeviceInfo::LEN);
            assert_eq!(&bytes[164..172], b"V0000001");
            assert_eq!(DeviceInfo::parse(&bytes, order).as_ref(), Some(&info));
        }
        assert_eq!(info.encode(ByteOrder::Little).expect("it fits")[232..234], [2, 1]);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 280..296)) {
            prop_assert_eq!(DeviceInfo::parse(&bytes, ByteOrder::Big).is_some(), bytes.len() == 288);
        }
    }
}
