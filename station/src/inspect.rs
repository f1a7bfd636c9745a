//! `slots` and `inspect`: looking without touching.

use std::fmt::Write as _;

use anyhow::{Context as _, bail};
use gm::certificate::Certificate;
use hub::{Hub, Slots};
use profile::{Profile, Transport};
use ukey::{CardTransport, CertKind, PinType, Session};
use ukey_pcsc::Reader;
use workflow::{Look, identify};

use crate::{config::Config, socket::Socket as _};

/// Readers and USB ports, and which slot each is.
///
/// # Errors
/// Where pcscd or USB cannot be asked.
pub fn slots(config: &Config) -> anyhow::Result<String> {
    let hub = Hub::new(Slots::from_config(&config.slots)?);
    let mut text = String::from("readers:\n");
    for name in ukey_pcsc::readers()? {
        let transport = Reader::new(&name).and_then(|mut reader| reader.connect()).ok();
        let at = transport.as_ref().and_then(Reader::usb_address);
        let slot = hub
            .resolve(&name, at)?
            .map_or_else(|| "not configured".to_owned(), |slot| format!("slot {slot}"));
        let key = if transport.is_some() { "a key is in" } else { "empty or in use" };
        writeln!(text, "  {name}: {slot}, {key}")?;
    }
    writeln!(text, "USB devices:")?;
    for device in hub::devices()?.into_iter().filter(|device| !device.is_hub) {
        let path = device.path.map_or_else(|| "?".to_owned(), |path| path.to_string());
        writeln!(text, "  {path}: {:04x}:{:04x}", device.vendor, device.product)?;
    }
    Ok(text)
}

/// What a key holds.
///
/// # Errors
/// Where it cannot be read.
pub fn inspect(config: &Config, reader: &str) -> anyhow::Result<String> {
    let profiles = profile::load_dir(&config.station.profiles)?;
    let mut transport = Reader::new(reader)?.connect().with_context(|| format!("no key in {reader}"))?;
    match identify(&mut transport, Transport::Pcsc, &profiles) {
        Look::Known(found) => {
            let mut text =
                format!("key {}\nprofile {} ({})\n", found.key, found.profile.name, found.profile.title);
            if found.applications.is_empty() {
                text.push_str("blank: no application\n");
            }
            for application in &found.applications {
                describe(&mut text, &mut transport, found.profile, application)?;
            }
            Ok(text)
        }
        Look::NotTaken(not) => bail!("{}", not.detail),
        Look::Interrupted(error) => bail!("{error}"),
    }
}

fn describe<T: CardTransport>(
    text: &mut String,
    transport: &mut T,
    profile: &Profile,
    name: &str,
) -> anyhow::Result<()> {
    writeln!(text, "application {name}")?;
    let session = Session::open(&mut *transport, &profile.dialect);
    let mut application = session.open_application(name).map_err(|refused| refused.error)?;
    for pin in [PinType::Admin, PinType::User] {
        let info = application.pin_info(pin)?;
        writeln!(text, "  {pin:?} PIN: {} of {} tries left", info.left, info.max)?;
    }
    for container in application.enumerate_containers()? {
        let id = application.open_container(&container)?;
        writeln!(text, "  container {container}")?;
        for (kind, word) in [(CertKind::Sign, "signing"), (CertKind::Encryption, "encryption")] {
            if let Some(der) = application.export_certificate(id, kind)? {
                let certificate = Certificate::from_der(&der)?;
                writeln!(
                    text,
                    "    {word} certificate {} of {}",
                    certificate.serial_hex(),
                    certificate.subject()
                )?;
            }
        }
    }
    application.close().map_err(|refused| refused.error)?;
    Ok(())
}
