//! Certificates: reading and checking them here, making them by [`Template`].

use std::time::SystemTime;

use der::pem::LineEnding;
use der::{Decode, Document};
use x509_cert::ext::pkix::KeyUsage;

use crate::signed::{Signed, is_sm2_with_sm3, public_key};
use crate::{GmError, PublicKey};

mod template;

pub use template::{Encoding, Extension, MAX_VALIDITY_DAYS, Role, Template, new_serial};

/// The longest certificate that is read, in bytes.
pub const CERTIFICATE_LIMIT: usize = 16 * 1024;
const WHAT: &str = "certificate";
const LABEL: &str = "CERTIFICATE";

/// An SM2 certificate, kept in the very bytes it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    form: x509_cert::Certificate,
    public_key: PublicKey,
}

impl Certificate {
    /// Reads DER. The signature is not checked here: see [`Certificate::verify_issued_by`].
    ///
    /// # Errors
    /// [`GmError::Length`] above 16 KiB; [`GmError::Malformed`] or [`GmError::NotAPoint`] for anything but an SM2 key certified with SM2-with-SM3.
    pub fn from_der(der: &[u8]) -> Result<Self, GmError> {
        if der.len() > CERTIFICATE_LIMIT {
            return Err(GmError::Length { what: WHAT, len: der.len(), allowed: "at most 16384" });
        }
        Signed::from_der(WHAT, der)?;
        let form = x509_cert::Certificate::from_der(der).map_err(|why| GmError::malformed(WHAT, why))?;
        if !is_sm2_with_sm3(form.tbs_certificate().signature()) {
            return Err(GmError::malformed(WHAT, "its two algorithm fields differ"));
        }
        let public_key = public_key(WHAT, form.tbs_certificate().subject_public_key_info())?;
        Ok(Self { der: der.to_vec(), form, public_key })
    }

    /// Reads one PEM block `CERTIFICATE`.
    ///
    /// # Errors
    /// As [`Certificate::from_der`].
    pub fn from_pem(pem: &str) -> Result<Self, GmError> {
        if pem.len() > 2 * CERTIFICATE_LIMIT {
            return Err(GmError::Length {
                what: "PEM certificate",
                len: pem.len(),
                allowed: "at most 32768",
            });
        }
        match Document::from_pem(pem) {
            Ok((LABEL, document)) => Self::from_der(document.as_bytes()),
            Ok((label, _)) => Err(GmError::malformed(WHAT, format_args!("the PEM block is a {label}"))),
            Err(why) => Err(GmError::malformed(WHAT, why)),
        }
    }

    /// The certificate's bytes.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The certificate as a PEM block with a last newline.
    ///
    /// # Errors
    /// [`GmError::Malformed`], practically never.
    pub fn to_pem(&self) -> Result<String, GmError> {
        pem(LABEL, &self.der)
    }

    /// The serial number in upper-case hex without colons, whole bytes, as `openssl x509 -serial` prints it.
    #[must_use]
    pub fn serial_hex(&self) -> String {
        let bytes = self.form.tbs_certificate().serial_number().as_bytes();
        let significant = bytes.iter().position(|&b| b != 0).map_or(&[0][..], |first| &bytes[first..]);
        significant.iter().map(|byte| format!("{byte:02X}")).collect()
    }

    /// The certified key.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.public_key
    }

    /// Whom it certifies, by RFC 4514.
    #[must_use]
    pub fn subject(&self) -> String {
        self.form.tbs_certificate().subject().to_string()
    }

    /// Who issued it, by RFC 4514.
    #[must_use]
    pub fn issuer(&self) -> String {
        self.form.tbs_certificate().issuer().to_string()
    }

    /// From when it is valid.
    #[must_use]
    pub fn not_before(&self) -> SystemTime {
        self.form.tbs_certificate().validity().not_before.to_system_time()
    }

    /// Until when it is valid.
    #[must_use]
    pub fn not_after(&self) -> SystemTime {
        self.form.tbs_certificate().validity().not_after.to_system_time()
    }

    /// Whether the key usage allows signing data (the signing certificate of the pair does, the encryption certificate does not).
    #[must_use]
    pub fn is_for_signing(&self) -> bool {
        matches!(self.form.tbs_certificate().get_extension::<KeyUsage>(), Ok(Some((_, usage))) if usage.digital_signature())
    }

    /// Checks that `issuer`'s key signed these bytes. Names and dates are the caller's to compare.
    ///
    /// # Errors
    /// [`GmError::SignatureWrong`] or [`GmError::NotASignature`].
    pub fn verify_issued_by(&self, issuer: &PublicKey) -> Result<(), GmError> {
        Signed::from_der(WHAT, &self.der)?.verify(issuer)
    }

    pub(crate) fn form(&self) -> &x509_cert::Certificate {
        &self.form
    }
}

pub(crate) fn pem(label: &'static str, der: &[u8]) -> Result<String, GmError> {
    der::pem::encode_string(label, LineEnding::LF, der).map_err(|why| GmError::malformed("PEM", why))
}
