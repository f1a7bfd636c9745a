//! What a key holds, as people may see it: never a PIN, never a private or device key.

use std::{fmt, path::Path};

use crate::{
    SimError,
    flash::{Application, Container, Flash, KeyPair, Pin},
};

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// `vendor/model`.
    pub profile: String,
    /// Serial.
    pub serial: String,
    /// Device label.
    pub label: String,
    /// Whether no application exists: the key is blank.
    pub factory_stage: bool,
    /// Tries left for the device authentication key, and how many there are at most.
    pub device_tries: (u8, u8),
    /// Applications in the order in which they were created.
    pub applications: Vec<ApplicationSummary>,
}

/// An application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplicationSummary {
    /// Name.
    pub name: String,
    /// The admin PIN's counter.
    pub admin_pin: PinSummary,
    /// The user PIN's counter.
    pub user_pin: PinSummary,
    /// Containers.
    pub containers: Vec<ContainerSummary>,
    /// Names and sizes of files.
    pub files: Vec<(String, usize)>,
}

/// A PIN's counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinSummary {
    /// Tries left.
    pub left: u8,
    /// Tries at most.
    pub max: u8,
    /// Still the PIN given when the application was created.
    pub is_default: bool,
}

/// A container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerSummary {
    /// Name.
    pub name: String,
    /// The signing half.
    pub sign: Option<HalfSummary>,
    /// The encryption half.
    pub encryption: Option<HalfSummary>,
}

/// A key pair and its certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HalfSummary {
    /// X and Y.
    pub public_key: Vec<u8>,
    /// The certificate as it was written, DER.
    pub certificate: Option<Vec<u8>>,
}

impl Summary {
    /// Reads a flash file without taking the key in hand: it may sit in a reader meanwhile.
    ///
    /// # Errors
    /// [`SimError`] where the file is missing or damaged.
    pub fn read(path: &Path) -> Result<Self, SimError> {
        Ok(Self::of(&crate::store::read(path)?))
    }

    pub(crate) fn of(flash: &Flash) -> Self {
        Self {
            profile: flash.profile.clone(),
            serial: flash.serial.clone(),
            label: flash.label.clone(),
            factory_stage: flash.is_factory_stage(),
            device_tries: (flash.device_tries_left, flash.dialect.device_auth.tries),
            applications: flash.applications.iter().map(ApplicationSummary::of).collect(),
        }
    }
}

impl ApplicationSummary {
    fn of(application: &Application) -> Self {
        let pin = |pin: &Pin| PinSummary { left: pin.left, max: pin.max, is_default: pin.is_default };
        Self {
            name: application.name.clone(),
            admin_pin: pin(&application.admin),
            user_pin: pin(&application.user),
            containers: application.containers.iter().map(ContainerSummary::of).collect(),
            files: application.files.iter().map(|f| (f.name.clone(), f.data.0.len())).collect(),
        }
    }
}

impl ContainerSummary {
    fn of(container: &Container) -> Self {
        let half = |pair: &Option<KeyPair>| {
            pair.as_ref().map(|pair| HalfSummary {
                public_key: pair.public.0.clone(),
                certificate: pair.certificate.as_ref().map(|der| der.0.clone()),
            })
        };
        Self {
            name: container.name.clone(),
            sign: half(&container.sign),
            encryption: half(&container.encryption),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = if self.factory_stage { "blank (factory stage)" } else { "issued" };
        writeln!(f, "{} · {} · {stage}", self.serial, self.profile)?;
        writeln!(f, "  label: {}", if self.label.is_empty() { "none" } else { &self.label })?;
        writeln!(f, "  device key: {} of {} tries left", self.device_tries.0, self.device_tries.1)?;
        self.applications.iter().try_for_each(|application| application.fmt(f))
    }
}

impl ApplicationSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  application {}", self.name)?;
        for (name, pin) in [("admin PIN", self.admin_pin), ("user PIN", self.user_pin)] {
            let changed = if pin.is_default { "as created" } else { "changed since" };
            writeln!(f, "    {name}: {} of {} tries left, {changed}", pin.left, pin.max)?;
        }
        for container in &self.containers {
            writeln!(f, "    container {}", container.name)?;
            half(f, "signing", container.sign.as_ref())?;
            half(f, "encryption", container.encryption.as_ref())?;
        }
        self.files.iter().try_for_each(|(name, size)| writeln!(f, "    file {name}, {size} bytes"))
    }
}

fn half(f: &mut fmt::Formatter<'_>, what: &str, half: Option<&HalfSummary>) -> fmt::Result {
    let Some(half) = half else { return writeln!(f, "      {what}: no key pair") };
    let Some(der) = &half.certificate else {
        return writeln!(f, "      {what}: key pair without certificate");
    };
    match gm::certificate::Certificate::from_der(der) {
        Ok(certificate) => {
            writeln!(f, "      {what}: certificate {} of {}", certificate.serial_hex(), certificate.subject())
        }
        Err(_) => writeln!(f, "      {what}: {} bytes that are no certificate", der.len()),
    }
}
