//! The four certificate forms of the project (GB/T 20518, GM/T 0015; the strict reading of GmSSL): root CA, issuing CA, and the dual pair.

use std::time::{Duration, SystemTime};

use der::asn1::{ObjectIdentifier, OctetString, OctetStringRef, PrintableStringRef, Utf8StringRef};
use der::{Encode, flagset::FlagSet};
use serde::{Deserialize, Serialize};
use sm2::dsa::DerSignature;
use spki::SubjectPublicKeyInfoRef;
use x509_cert::TbsCertificate;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{Builder, CertificateBuilder};
use x509_cert::ext::ToExtension;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, KeyUsage, KeyUsages, SubjectKeyIdentifier,
};
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::{Time, Validity};

use super::{Certificate, WHAT};
use crate::name::Name;
use crate::signed::{CertificateSigner, public_key_info};
use crate::{GmError, PublicKey, SigningKey};

/// GmSSL refuses certificates valid for longer.
pub const MAX_VALIDITY_DAYS: u64 = 3653;
/// More extensions than any programme asks for.
const EXTENSIONS_LIMIT: usize = 16;
/// Longest extension value in bytes.
const EXTENSION_VALUE_LIMIT: usize = 512;

/// What a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Self-signed CA: keyCertSign and cRLSign.
    RootCa,
    /// CA under the root that issues to keys and nothing else (path length 0).
    IssuingCa,
    /// 签名证书: critical digitalSignature and nonRepudiation.
    Signing,
    /// 加密证书: critical keyEncipherment, dataEncipherment and keyAgreement.
    Encryption,
}

/// How an extension's text is wrapped inside its OCTET STRING. Readers in the field differ, so the programme says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// UTF8String.
    Utf8,
    /// PrintableString.
    Printable,
    /// A second OCTET STRING over the UTF-8 bytes.
    Octets,
}

/// One more extension, never critical, such as the credit code under 1.2.156.10260.4.1.4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// Dotted OID, outside 2.5.29 (those belong to the certificate's form).
    pub oid: String,
    /// The text, 1 to 512 bytes.
    pub value: String,
    /// Its wrapping.
    pub encoding: Encoding,
}

/// Everything a certificate says, before it is signed.
#[derive(Clone, Copy, Debug)]
pub struct Template<'a> {
    /// Which form.
    pub role: Role,
    /// Whom it certifies.
    pub subject: &'a Name,
    /// The certified key.
    pub public_key: &'a PublicKey,
    /// Serial number, from [`new_serial`].
    pub serial: [u8; 16],
    /// Valid from, whole seconds.
    pub not_before: SystemTime,
    /// Valid until, at most [`MAX_VALIDITY_DAYS`] later.
    pub not_after: SystemTime,
    /// Extensions of the programme.
    pub extensions: &'a [Extension],
}

/// A serial number: 126 random bits, positive, always 16 bytes long (GmSSL refuses fewer than 4).
///
/// # Errors
/// [`GmError::Random`].
pub fn new_serial() -> Result<[u8; 16], GmError> {
    let mut serial = [0; 16];
    getrandom::fill(&mut serial).map_err(|_| GmError::Random)?;
    serial[0] = serial[0] & 0x3F | 0x40;
    Ok(serial)
}

impl Template<'_> {
    /// A certificate signed with the certified key itself.
    ///
    /// # Errors
    /// [`GmError::Issuer`] if `key` is another key; else as [`Template::sign`].
    pub fn self_sign(&self, key: &SigningKey) -> Result<Certificate, GmError> {
        if key.public_key() != *self.public_key {
            return Err(GmError::Issuer("a root certificate is signed with its own key: give that one"));
        }
        self.build(self.subject.0.clone(), None, key)
    }

    /// A certificate signed by a CA.
    ///
    /// # Errors
    /// [`GmError::Issuer`] if `key` is not the CA's or the CA ends earlier; [`GmError::Validity`]; [`GmError::Extension`].
    pub fn sign(&self, issuer: &Certificate, key: &SigningKey) -> Result<Certificate, GmError> {
        if issuer.public_key() != key.public_key() {
            return Err(GmError::Issuer(
                "the private key is not the CA certificate's: load the pair that belongs together",
            ));
        }
        if self.not_after > issuer.not_after() || self.not_before < issuer.not_before() {
            return Err(GmError::Issuer(
                "the certificate would outlive its CA: ask for fewer years or make a new issuing CA",
            ));
        }
        let tbs = issuer.form().tbs_certificate();
        let identifier =
            tbs.get_extension::<SubjectKeyIdentifier>().map_err(|why| GmError::malformed(WHAT, why))?;
        self.build(tbs.subject().clone(), identifier.map(|(_, identifier)| identifier), key)
    }

    fn build(
        &self,
        issuer: x509_cert::name::Name,
        issuer_identifier: Option<SubjectKeyIdentifier>,
        key: &SigningKey,
    ) -> Result<Certificate, GmError> {
        let malformed = |why: x509_cert::builder::Error| GmError::malformed(WHAT, why);
        let serial = SerialNumber::new(&self.serial).map_err(|why| GmError::malformed(WHAT, why))?;
        let profile = Profile { role: self.role, subject: self.subject.0.clone(), issuer, issuer_identifier };
        let info = public_key_info(self.public_key)?;
        let mut builder =
            CertificateBuilder::new(profile, serial, self.validity()?, info).map_err(malformed)?;
        for extension in self.extensions()? {
            builder.add_extension(extension).map_err(|why| GmError::malformed(WHAT, why))?;
        }
        let form = builder.build::<_, DerSignature>(&CertificateSigner(key)).map_err(malformed)?;
        let der = form.to_der().map_err(|why| GmError::malformed(WHAT, why))?;
        let certificate = Certificate::from_der(&der)?;
        // What goes into a key for years is checked once before it leaves.
        certificate.verify_issued_by(&key.public_key())?;
        Ok(certificate)
    }

    fn validity(&self) -> Result<Validity, GmError> {
        let length = self.not_after.duration_since(self.not_before).unwrap_or(Duration::ZERO);
        if length.is_zero() {
            return Err(GmError::Validity("it ends before it begins: check the clock and the years"));
        }
        if length > Duration::from_secs(MAX_VALIDITY_DAYS * 86_400) {
            return Err(GmError::Validity(
                "longer than 3653 days, which strict verifiers refuse: ask for fewer years",
            ));
        }
        let time = |at: SystemTime| {
            Time::try_from(at).map_err(|_| GmError::Validity("before 1970 or after 9999: check the clock"))
        };
        Ok(Validity::new(time(self.not_before)?, time(self.not_after)?))
    }

    fn extensions(&self) -> Result<Vec<x509_cert::ext::Extension>, GmError> {
        if self.extensions.len() > EXTENSIONS_LIMIT {
            return Err(GmError::Length {
                what: "the extension list",
                len: self.extensions.len(),
                allowed: "at most 16",
            });
        }
        let mut made: Vec<x509_cert::ext::Extension> = Vec::new();
        for extension in self.extensions {
            let next = extension.form()?;
            if made.iter().any(|earlier| earlier.extn_id == next.extn_id) {
                return Err(extension.wrong("given twice: keep one"));
            }
            made.push(next);
        }
        Ok(made)
    }
}

impl Extension {
    fn wrong(&self, why: &'static str) -> GmError {
        GmError::Extension { oid: self.oid.clone(), why }
    }

    fn form(&self) -> Result<x509_cert::ext::Extension, GmError> {
        let oid = ObjectIdentifier::new(&self.oid)
            .map_err(|_| self.wrong("not a dotted OID such as 1.2.156.10260.4.1.4"))?;
        if self.oid.starts_with("2.5.29.") {
            return Err(
                self.wrong("OIDs under 2.5.29 belong to the certificate's form: use the programme's own")
            );
        }
        if !(1..=EXTENSION_VALUE_LIMIT).contains(&self.value.len()) {
            return Err(self.wrong("its value has 1 to 512 bytes: give a text, or leave the extension out"));
        }
        let value = match self.encoding {
            Encoding::Utf8 => Utf8StringRef::new(&self.value).and_then(|v| v.to_der()),
            Encoding::Printable => PrintableStringRef::new(&self.value).and_then(|v| v.to_der()),
            Encoding::Octets => OctetStringRef::new(self.value.as_bytes()).and_then(|v| v.to_der()),
        };
        let value = value.and_then(OctetString::new);
        let value = value.map_err(|_| {
            self.wrong("has characters that PrintableString does not allow: use encoding utf8")
        })?;
        Ok(x509_cert::ext::Extension { extn_id: oid, critical: false, extn_value: value })
    }
}

struct Profile {
    role: Role,
    subject: x509_cert::name::Name,
    issuer: x509_cert::name::Name,
    issuer_identifier: Option<SubjectKeyIdentifier>,
}

impl Role {
    fn usage(self) -> FlagSet<KeyUsages> {
        match self {
            Self::RootCa | Self::IssuingCa => KeyUsages::KeyCertSign | KeyUsages::CRLSign,
            Self::Signing => KeyUsages::DigitalSignature | KeyUsages::NonRepudiation,
            Self::Encryption => {
                KeyUsages::KeyEncipherment | KeyUsages::DataEncipherment | KeyUsages::KeyAgreement
            }
        }
    }

    /// End entities get no BasicConstraints at all: GmSSL refuses the empty form that DER makes of CA:FALSE.
    fn constraints(self) -> Option<BasicConstraints> {
        match self {
            Self::RootCa => Some(BasicConstraints { ca: true, path_len_constraint: None }),
            Self::IssuingCa => Some(BasicConstraints { ca: true, path_len_constraint: Some(0) }),
            Self::Signing | Self::Encryption => None,
        }
    }
}

impl BuilderProfile for Profile {
    fn get_issuer(&self, _subject: &x509_cert::name::Name) -> x509_cert::name::Name {
        self.issuer.clone()
    }

    fn get_subject(&self) -> x509_cert::name::Name {
        self.subject.clone()
    }

    fn build_extensions(
        &self,
        spk: SubjectPublicKeyInfoRef<'_>,
        issuer_spk: SubjectPublicKeyInfoRef<'_>,
        tbs: &TbsCertificate,
    ) -> x509_cert::builder::Result<Vec<x509_cert::ext::Extension>> {
        // The CA's own identifier where its certificate names one: verifiers compare the two.
        let issuer = match &self.issuer_identifier {
            Some(identifier) => identifier.clone(),
            None => SubjectKeyIdentifier::try_from(issuer_spk)?,
        };
        let authority = AuthorityKeyIdentifier { key_identifier: Some(issuer.0), ..Default::default() };
        let mut made = vec![authority.to_extension(tbs.subject(), &[])?];
        made.push(SubjectKeyIdentifier::try_from(spk)?.to_extension(tbs.subject(), &made)?);
        if let Some(constraints) = self.role.constraints() {
            made.push(constraints.to_extension(tbs.subject(), &made)?);
        }
        made.push(KeyUsage(self.role.usage()).to_extension(tbs.subject(), &made)?);
        Ok(made)
    }
}
