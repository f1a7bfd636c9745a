//! Certificate revocation lists (RFC 5280 clause 5), version 2.

use std::time::SystemTime;

use der::Encode;
use der::asn1::Uint;
use der::referenced::OwnedToRef;
use x509_cert::certificate::Rfc5280;
use x509_cert::crl::{RevokedCert, TbsCertList};
use x509_cert::ext::ToExtension;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, CrlNumber, CrlReason, SubjectKeyIdentifier};
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::Time;

use crate::certificate::{Certificate, pem};
use crate::signed::{Signed, algorithm, public_key_info};
use crate::{GmError, SigningKey};

const WHAT: &str = "revocation list";

/// Why a certificate was revoked (RFC 5280 clause 5.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No reason is given; the entry then carries none.
    Unspecified,
    /// The key was lost or is in strange hands.
    KeyCompromise,
    /// The holder's name or unit changed.
    AffiliationChanged,
    /// Another certificate took its place.
    Superseded,
    /// The holder stopped using it.
    CessationOfOperation,
}

/// One revoked certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// Its serial number as [`Certificate::serial_hex`] prints it.
    pub serial_hex: String,
    /// When it was revoked.
    pub at: SystemTime,
    /// Why.
    pub reason: Reason,
}

/// What a list says.
#[derive(Clone, Copy, Debug)]
pub struct List<'a> {
    /// Grows with every list of this CA.
    pub number: u64,
    /// When it was made.
    pub this_update: SystemTime,
    /// When the next one comes at the latest.
    pub next_update: SystemTime,
    /// All revoked certificates that have not expired; may be none.
    pub revoked: &'a [Revoked],
}

/// A signed list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crl {
    der: Vec<u8>,
}

impl List<'_> {
    /// Signs the list with the CA's key.
    ///
    /// # Errors
    /// [`GmError::Issuer`] if `key` is not `issuer`'s; [`GmError::Malformed`] for a serial number that is not hex of 1 to 20 bytes
    /// or a time that certificates cannot carry.
    pub fn sign(&self, issuer: &Certificate, key: &SigningKey) -> Result<Crl, GmError> {
        if issuer.public_key() != key.public_key() {
            return Err(GmError::Issuer(
                "the private key is not the CA certificate's: load the pair that belongs together",
            ));
        }
        let body = self.body(issuer)?;
        let signature = key.sign(&body)?;
        Ok(Crl { der: Signed::assemble(WHAT, &body, &signature)? })
    }

    fn body(&self, issuer: &Certificate) -> Result<Vec<u8>, GmError> {
        let revoked = self.revoked.iter().map(Revoked::form).collect::<Result<Vec<_>, _>>()?;
        let encode = || -> der::Result<Vec<u8>> {
            let subject = issuer.form().tbs_certificate().subject();
            let number = CrlNumber(Uint::new(&self.number.to_be_bytes())?);
            let authority =
                AuthorityKeyIdentifier { key_identifier: Some(identifier(issuer)?.0), ..Default::default() };
            TbsCertList::<Rfc5280> {
                version: x509_cert::Version::V2,
                signature: algorithm(),
                issuer: subject.clone(),
                this_update: Time::try_from(self.this_update)?,
                next_update: Some(Time::try_from(self.next_update)?),
                // RFC 5280 clause 5.1.2.6: absent when empty, never an empty list.
                revoked_certificates: (!revoked.is_empty()).then_some(revoked),
                crl_extensions: Some(vec![
                    authority.to_extension(subject, &[])?,
                    number.to_extension(subject, &[])?,
                ]),
            }
            .to_der()
        };
        encode().map_err(|why| GmError::malformed(WHAT, why))
    }
}

fn identifier(issuer: &Certificate) -> der::Result<SubjectKeyIdentifier> {
    if let Some((_, identifier)) = issuer.form().tbs_certificate().get_extension()? {
        return Ok(identifier);
    }
    let info = public_key_info(&issuer.public_key()).map_err(|_| der::ErrorKind::Failed)?;
    SubjectKeyIdentifier::try_from(info.owned_to_ref())
}

impl Revoked {
    fn form(&self) -> Result<RevokedCert<Rfc5280>, GmError> {
        let wrong = || GmError::malformed("revoked serial number", "it is hex of 1 to 20 bytes");
        let bytes = unhex(&self.serial_hex).ok_or_else(wrong)?;
        let serial_number = SerialNumber::new(&bytes).map_err(|_| wrong())?;
        let malformed = |why: der::Error| GmError::malformed(WHAT, why);
        let reason = match self.reason {
            Reason::Unspecified => None,
            Reason::KeyCompromise => Some(CrlReason::KeyCompromise),
            Reason::AffiliationChanged => Some(CrlReason::AffiliationChanged),
            Reason::Superseded => Some(CrlReason::Superseded),
            Reason::CessationOfOperation => Some(CrlReason::CessationOfOperation),
        };
        let nobody = x509_cert::name::Name::default();
        let reason = reason.map(|reason| reason.to_extension(&nobody, &[])).transpose().map_err(malformed)?;
        Ok(RevokedCert {
            serial_number,
            revocation_date: Time::try_from(self.at).map_err(malformed)?,
            crl_entry_extensions: reason.map(|reason| vec![reason]),
        })
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    let digits = digits.filter(|digits| !digits.is_empty() && digits.len() % 2 == 0)?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

impl Crl {
    /// The list's bytes.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The list as a PEM block `X509 CRL`.
    ///
    /// # Errors
    /// [`GmError::Malformed`], practically never.
    pub fn to_pem(&self) -> Result<String, GmError> {
        pem("X509 CRL", &self.der)
    }
}
