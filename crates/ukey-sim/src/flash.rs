//! What a key keeps without power, in the form in which it lies in the flash file.

use model::Secret;
use profile::{Dialect, Profile};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use zeroize::Zeroize;

use crate::SimError;

/// The version of the file form that this build reads and writes.
pub(crate) const VERSION: u32 = 1;

/// ATR of a profile that names none: T=1 without further claims.
const PLAIN_ATR: [u8; 4] = [0x3B, 0x80, 0x01, 0x81];

/// Bytes written as hex text.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct HexBytes(pub Vec<u8>);

impl Serialize for HexBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for HexBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        hex::decode(&text).map(Self).map_err(|_| D::Error::custom("hex digits are expected here"))
    }
}

/// A secret written as hex text: only into the flash file, which stands for the chip's own memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HexSecret(pub Secret);

impl Serialize for HexSecret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = hex::encode(self.0.expose());
        let done = serializer.serialize_str(&text);
        text.zeroize();
        done
    }
}

impl<'de> Deserialize<'de> for HexSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut text = String::deserialize(deserializer)?;
        let bytes = hex::decode(&text);
        text.zeroize();
        // The text is a secret: the error must not quote it.
        bytes.map(|b| Self(Secret::new(b))).map_err(|_| D::Error::custom("hex digits are expected here"))
    }
}

/// Limits of the chip, copied from the profile when the key was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChipLimits {
    pub max_command_data: u16,
    pub max_certificate: u16,
    pub max_applications: u8,
    pub max_containers: u8,
    pub min_pin: u8,
    pub max_pin: u8,
}

/// One PIN and its counter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pin {
    pub value: HexSecret,
    pub max: u8,
    pub left: u8,
    /// Still the value given when the application was created.
    pub is_default: bool,
}

/// One half of a container: a private key and the certificate for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyPair {
    pub private: HexSecret,
    /// X and Y.
    pub public: HexBytes,
    pub certificate: Option<HexBytes>,
}

/// A container.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Container {
    pub name: String,
    pub sign: Option<KeyPair>,
    pub encryption: Option<KeyPair>,
}

/// A file of an application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredFile {
    pub name: String,
    pub read_rights: u32,
    pub write_rights: u32,
    /// Always the size that was asked for at creation.
    pub data: HexBytes,
}

/// An application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Application {
    pub name: String,
    pub admin: Pin,
    pub user: Pin,
    pub create_rights: u32,
    pub max_containers: u8,
    pub max_certificates: u8,
    pub max_files: u16,
    pub containers: Vec<Container>,
    pub files: Vec<StoredFile>,
}

impl Application {
    pub fn container(&self, name: &str) -> Option<&Container> {
        self.containers.iter().find(|c| c.name == name)
    }

    /// About how much chip memory the application takes, in bytes.
    pub fn size(&self) -> usize {
        let half = |pair: &Option<KeyPair>| {
            pair.as_ref().map_or(0, |p| 96 + p.certificate.as_ref().map_or(0, |c| c.0.len()))
        };
        let containers = self.containers.iter().map(|c| 64 + half(&c.sign) + half(&c.encryption));
        let files = self.files.iter().map(|f| 64 + f.data.0.len());
        128 + containers.chain(files).sum::<usize>()
    }

    pub fn container_mut(&mut self, name: &str) -> Option<&mut Container> {
        self.containers.iter_mut().find(|c| c.name == name)
    }
}

/// The whole flash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Flash {
    pub version: u32,
    pub profile: String,
    pub maker: String,
    pub model: String,
    pub manufacturer: String,
    pub serial: String,
    pub label: String,
    pub atr: HexBytes,
    pub limits: ChipLimits,
    pub dialect: Dialect,
    pub device_key: HexSecret,
    pub device_tries_left: u8,
    pub applications: Vec<Application>,
}

impl Flash {
    /// A blank key as it leaves the maker.
    ///
    /// # Errors
    /// [`SimError::Value`] where serial or factory key cannot stand in a key.
    pub fn blank(profile: &Profile, serial: &str, factory_key: &Secret) -> Result<Self, SimError> {
        let printable = serial.bytes().all(|b| b.is_ascii_graphic()) && !serial.contains('/');
        if serial.is_empty() || serial.len() > 32 || !printable {
            return Err(SimError::Value {
                what: "serial",
                rule: "it has 1 to 32 printable ASCII characters without space and /",
            });
        }
        if factory_key.len() != 16 {
            return Err(SimError::Value { what: "factory device key", rule: "it has 16 bytes (SM4)" });
        }
        let matching = &profile.matching;
        Ok(Self {
            version: VERSION,
            profile: profile.name.clone(),
            maker: profile.maker.clone(),
            model: profile.model.clone(),
            manufacturer: matching.manufacturer.clone().unwrap_or_else(|| profile.maker.clone()),
            serial: serial.to_owned(),
            label: matching.label_prefix.clone().unwrap_or_default(),
            atr: HexBytes(matching.atr.clone().unwrap_or_else(|| PLAIN_ATR.to_vec())),
            limits: ChipLimits {
                max_command_data: profile.limits.max_command_data,
                max_certificate: profile.limits.max_certificate,
                max_applications: profile.limits.max_applications,
                max_containers: profile.limits.max_containers,
                min_pin: profile.pins.min_len,
                max_pin: profile.pins.max_len.min(16),
            },
            dialect: profile.dialect,
            device_key: HexSecret(factory_key.clone()),
            device_tries_left: profile.dialect.device_auth.tries,
            applications: Vec::new(),
        })
    }

    /// Before the first application exists only the device key may change and an application be created (GM/T 0016, 8).
    pub fn is_factory_stage(&self) -> bool {
        self.applications.is_empty()
    }
}
