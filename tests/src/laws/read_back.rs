//! Reads a finished key from the outside, by other code than the station's own read-back.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use gm::{PublicKey, certificate::Certificate};
use model::Secret;
use profile::Profile;
use ukey::Session;
use ukey_sim::{InProcess, Options, Summary, VirtualKey};
use wire::CertificatesReply;

use super::portal::{ADMIN_PIN, DEVICE_KEY, USER_PIN};

/// The key in `flash` holds exactly what was certified, its secrets are the derived ones, and it signs with its certificate.
/// `whole`: no try of the device key is missing either.
pub(super) fn proves_itself(
    flash: &Path,
    profile: &Profile,
    public: &PublicKey,
    issued: &CertificatesReply,
    whole: bool,
) -> Result<()> {
    let summary = Summary::read(flash)?;
    let (left, max) = summary.device_tries;
    ensure!(left == max || !whole && left + 1 == max, "the device key has {left} of {max} tries");
    holds(&summary, profile, public, issued)?;
    let mut link = InProcess::new(VirtualKey::open(flash, Options::default())?)?;
    let open = Session::open(&mut link, &profile.dialect);
    let mut application =
        open.open_application(&profile.names.application).map_err(|refused| refused.error)?;
    application.verify_admin_pin(&Secret::from(ADMIN_PIN)).context("admin PIN")?;
    application.clear_secure_state()?;
    let user = application.verify_user_pin(&Secret::from(USER_PIN));
    let mut user = user.map_err(|refused| refused.error).context("user PIN")?;
    let id = user.open_container(&profile.names.container)?;
    let digest = gm::sm3(b"a challenge of the laws");
    let signature = user.sign_digest(id, &digest)?;
    let certificate = Certificate::from_der(&issued.sign_certificate.0)?;
    certificate.public_key().verify_digest(&digest, &signature).context("the challenge")?;
    let open = user.close().map_err(|refused| refused.error)?;
    let authenticated = open.authenticate(&Secret::new(DEVICE_KEY.to_vec()));
    authenticated.map(|_| ()).map_err(|refused| refused.error).context("the derived device key")
}

fn holds(summary: &Summary, profile: &Profile, public: &PublicKey, issued: &CertificatesReply) -> Result<()> {
    let [application] = summary.applications.as_slice() else {
        anyhow::bail!("{} applications", summary.applications.len());
    };
    ensure!(application.name == profile.names.application, "application {}", application.name);
    for (pin, tries) in
        [(application.admin_pin, profile.pins.admin_tries), (application.user_pin, profile.pins.user_tries)]
    {
        ensure!((pin.left, pin.max) == (tries, tries), "{pin:?}, not {tries}");
    }
    let [container] = application.containers.as_slice() else {
        anyhow::bail!("{} containers", application.containers.len());
    };
    let sign = container.sign.as_ref().context("no signing key pair")?;
    let enc = container.encryption.as_ref().context("no encryption key pair")?;
    ensure!(sign.public_key == public.xy(), "another key pair than the one that was certified");
    ensure!(sign.certificate.as_ref() == Some(&issued.sign_certificate.0), "another signing certificate");
    ensure!(enc.certificate.as_ref() == Some(&issued.enc_certificate.0), "another encryption certificate");
    let certified = Certificate::from_der(&issued.enc_certificate.0)?.public_key();
    ensure!(enc.public_key == certified.xy(), "another encryption key pair");
    Ok(())
}
