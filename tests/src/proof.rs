//! Proofs over finished keys, by other people's programs wherever there is one: openssl for certificates and signatures,
//! zbarimg for labels.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail, ensure};
use gm::{Signature, certificate::Certificate};
use model::Secret;
use profile::{Profile, Transport};
use ukey::{CardError, CertKind, Session, StatusWord};
use ukey_sim::{InProcess, Options, VirtualKey};

use crate::process::{output, run};

/// The user PIN that every customer gets.
const USER_PIN: &str = "12345678";

/// What was read from a finished key.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Its serial.
    pub serial: String,
    /// `vendor/model`.
    pub profile: String,
    /// Signing certificate.
    pub sign: Certificate,
    /// Encryption certificate.
    pub enc: Certificate,
}

/// Reads a finished key from its flash and proves: the user PIN opens, a signed challenge verifies by openssl with the
/// certificate read from the key, the factory device key is refused.
///
/// # Errors
/// Says what does not hold.
pub fn finished_key(flash: &Path, profiles: &[Profile], scratch: &Path) -> Result<Finished> {
    read_finished(flash, profiles, |certificate, message, signature| {
        openssl_verifies(certificate, message, &signature.to_der(), scratch)
    })
}

/// As [`finished_key`], with another judge of the signature.
///
/// # Errors
/// Says what does not hold.
pub fn read_finished(
    flash: &Path,
    profiles: &[Profile],
    verifies: impl FnOnce(&Certificate, &[u8], &Signature) -> Result<()>,
) -> Result<Finished> {
    let key = VirtualKey::open(flash, Options::default())?;
    let mut transport = InProcess::new(key)?;
    let workflow::Look::Known(found) = workflow::identify(&mut transport, Transport::Pcsc, profiles) else {
        bail!("{}: no profile fits", flash.display());
    };
    let (profile, serial) = (found.profile, found.key.serial().to_owned());
    let session = Session::open(&mut transport, &profile.dialect);
    let application =
        session.open_application(&profile.names.application).map_err(|refused| refused.error)?;
    let mut user = application.verify_user_pin(&Secret::from(USER_PIN)).map_err(|refused| refused.error)?;
    let id = user.open_container(&profile.names.container)?;
    let read = |der: Option<Vec<u8>>| {
        Ok::<_, anyhow::Error>(Certificate::from_der(&der.context("no certificate")?)?)
    };
    let sign = read(user.export_certificate(id, CertKind::Sign)?)?;
    let enc = read(user.export_certificate(id, CertKind::Encryption)?)?;
    let challenge = format!("challenge for {serial}");
    let e = sign.public_key().e(challenge.as_bytes());
    let signature = user.sign_digest(id, &e)?;
    verifies(&sign, challenge.as_bytes(), &signature).with_context(|| format!("{serial}: the challenge"))?;
    let open = user.close().map_err(|refused| refused.error)?;
    match open.authenticate(&Secret::new(ukey_sim::FACTORY_DEVICE_KEY.to_vec())) {
        Err(refused) if is_refusal(&refused.error) => {}
        Err(refused) => bail!("{serial}: {}", refused.error),
        Ok(_) => bail!("{serial}: the factory device key still works"),
    }
    Ok(Finished { serial, profile: profile.name.clone(), sign, enc })
}

fn is_refusal(error: &CardError) -> bool {
    matches!(error.status(), Some(StatusWord::VerificationFailed { .. }))
}

fn openssl_verifies(
    certificate: &Certificate,
    message: &[u8],
    signature: &[u8],
    scratch: &Path,
) -> Result<()> {
    let file = |name: &str| scratch.join(format!("{}-{name}", certificate.serial_hex()));
    let (pem, public, text, sig) = (file("cert.pem"), file("pub.pem"), file("message"), file("signature"));
    fs::write(&pem, certificate.to_pem()?)?;
    fs::write(&text, message)?;
    fs::write(&sig, signature)?;
    let key = run("openssl x509", openssl().args(["x509", "-noout", "-pubkey", "-in"]).arg(&pem), None)?;
    fs::write(&public, key)?;
    let mut verify = openssl();
    verify.args(["pkeyutl", "-verify", "-pubin", "-inkey"]).arg(&public);
    verify.args(["-rawin", "-digest", "sm3", "-pkeyopt", "distid:1234567812345678", "-in"]).arg(&text);
    verify.arg("-sigfile").arg(&sig);
    run("openssl pkeyutl -verify", &mut verify, None)?;
    for path in [pem, public, text, sig] {
        fs::remove_file(path)?;
    }
    Ok(())
}

fn openssl() -> Command {
    Command::new("openssl")
}

/// openssl accepts `certificate` under `authority` alone: one level at a time, because OpenSSL 3.0 gives the id to the leaf only.
///
/// # Errors
/// What openssl says.
pub fn openssl_accepts(authority: &Path, certificate: &Path) -> Result<()> {
    let mut verify = openssl();
    verify.args(["verify", "-vfyopt", "distid:1234567812345678", "-partial_chain", "-CAfile"]);
    run("openssl verify", verify.arg(authority).arg(certificate), None)?;
    Ok(())
}

/// Renders a label (PDF) to PNG at 203 dpi and reads its codes back.
///
/// # Errors
/// pdftoppm or zbarimg fails, or no code is found.
pub fn label_codes(pdf: &Path, png: &Path) -> Result<Vec<String>> {
    let stem: PathBuf = png.with_extension("");
    let mut render = Command::new("pdftoppm");
    render.args(["-r", "203", "-png", "-singlefile"]).arg(pdf).arg(&stem);
    run("pdftoppm", &mut render, None)?;
    let read = output("zbarimg", Command::new("zbarimg").args(["--quiet", "--raw"]).arg(png), None)?;
    let codes: Vec<String> = String::from_utf8_lossy(&read.stdout).lines().map(str::to_owned).collect();
    ensure!(!codes.is_empty(), "{}: no code can be read", png.display());
    Ok(codes)
}
