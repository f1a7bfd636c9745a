//! The embedded CA: made once, loaded at every start.

use std::time::{Duration, SystemTime};

use gm::certificate::{Certificate, Extension, Role, Template, new_serial};
use gm::crl::{Crl, List, Revoked};
use gm::name::Name;
use gm::{GmError, PublicKey, SigningKey};
use model::Secret;

use crate::CaError;
use crate::dates::{self, Period};

/// A revocation list says that the next one comes within a week.
const CRL_INTERVAL: Duration = Duration::from_secs(7 * 86_400);

/// The names of the two CAs, as ordered (attribute, value) pairs (see [`gm::name::Name::new`]). They must differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaNames {
    /// The root.
    pub root: Vec<(String, String)>,
    /// The issuing CA.
    pub issuing: Vec<(String, String)>,
}

/// What a new CA consists of. The keys are to be wrapped by the vault before they are stored; the root key belongs off line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaMaterial {
    /// Root private key, 32 bytes.
    pub root_key: Secret,
    /// Root certificate, DER.
    pub root_der: Vec<u8>,
    /// Issuing private key, 32 bytes.
    pub issuing_key: Secret,
    /// Issuing certificate, DER.
    pub issuing_der: Vec<u8>,
}

/// The CA inside the portal. It holds the issuing key, never the root key.
#[derive(Debug)]
pub struct EmbeddedCa {
    root: Certificate,
    issuing: Certificate,
    key: SigningKey,
}

impl EmbeddedCa {
    /// Makes keys and certificates of a new CA, valid for 3653 days from `now`.
    ///
    /// # Errors
    /// [`CaError::Order`] for names that cannot be (or are equal), [`CaError::Clock`], [`CaError::Sign`].
    pub fn create(names: &CaNames, now: SystemTime) -> Result<CaMaterial, CaError> {
        let (root_name, issuing_name) = (name(&names.root)?, name(&names.issuing)?);
        if root_name == issuing_name {
            let why =
                "root and issuing CA have the same name, which verifiers take for one CA: give two names";
            return Err(CaError::Order(GmError::Name { attribute: "CN".to_owned(), why }));
        }
        let period = dates::for_ca(now)?;
        let root_key = SigningKey::generate().map_err(CaError::Sign)?;
        let issuing_key = SigningKey::generate().map_err(CaError::Sign)?;
        let (root_public, issuing_public) = (root_key.public_key(), issuing_key.public_key());
        let root = template(Role::RootCa, &root_name, &root_public, period, &[])?;
        let root = root.self_sign(&root_key).map_err(CaError::Sign)?;
        let issuing = template(Role::IssuingCa, &issuing_name, &issuing_public, period, &[])?;
        let issuing = issuing.sign(&root, &root_key).map_err(CaError::Sign)?;
        Ok(CaMaterial {
            root_key: root_key.to_secret(),
            root_der: root.der().to_vec(),
            issuing_key: issuing_key.to_secret(),
            issuing_der: issuing.der().to_vec(),
        })
    }

    /// Takes up a CA made before.
    ///
    /// # Errors
    /// [`CaError::Parts`] unless the root signed itself and the issuing certificate, and the key is the issuing certificate's.
    pub fn load(root_der: &[u8], issuing_der: &[u8], issuing_key: &Secret) -> Result<Self, CaError> {
        let part = |what| move |source| CaError::Parts { what, source };
        let root = Certificate::from_der(root_der).map_err(part("root certificate"))?;
        root.verify_issued_by(&root.public_key()).map_err(part("root certificate"))?;
        let issuing = Certificate::from_der(issuing_der).map_err(part("issuing certificate"))?;
        issuing.verify_issued_by(&root.public_key()).map_err(part("issuing certificate and root"))?;
        let key = SigningKey::from_secret(issuing_key).map_err(part("issuing key"))?;
        if key.public_key() != issuing.public_key() {
            let source = GmError::Issuer("the private key is another one");
            return Err(CaError::Parts { what: "issuing key and issuing certificate", source });
        }
        Ok(Self { root, issuing, key })
    }

    /// The root certificate.
    #[must_use]
    pub fn root(&self) -> &Certificate {
        &self.root
    }

    /// The issuing certificate.
    #[must_use]
    pub fn issuing(&self) -> &Certificate {
        &self.issuing
    }

    /// A revocation list of the issuing CA: all of `revoked`, which may be none. `number` grows with every list.
    ///
    /// # Errors
    /// [`CaError::Sign`] for a serial number that is not hex, or a time that lists cannot carry; [`CaError::Clock`].
    pub fn crl(&self, revoked: &[Revoked], number: u64, now: SystemTime) -> Result<Crl, CaError> {
        let next_update = now.checked_add(CRL_INTERVAL).ok_or(CaError::Clock)?;
        let list = List { number, this_update: now, next_update, revoked };
        list.sign(&self.issuing, &self.key).map_err(CaError::Sign)
    }

    /// One certificate of a key, signed by the issuing CA.
    pub(crate) fn certify(
        &self,
        role: Role,
        subject: &Name,
        public: &PublicKey,
        period: Period,
        extensions: &[Extension],
    ) -> Result<Certificate, CaError> {
        let signed = template(role, subject, public, period, extensions)?.sign(&self.issuing, &self.key);
        signed.map_err(|why| match why {
            GmError::Extension { .. } | GmError::Length { .. } | GmError::Issuer(_) => CaError::Order(why),
            other => CaError::Sign(other),
        })
    }
}

pub(crate) fn name(parts: &[(String, String)]) -> Result<Name, CaError> {
    Name::new(parts).map_err(CaError::Order)
}

fn template<'a>(
    role: Role,
    subject: &'a Name,
    public_key: &'a PublicKey,
    period: Period,
    extensions: &'a [Extension],
) -> Result<Template<'a>, CaError> {
    let Period { not_before, not_after } = period;
    let serial = new_serial().map_err(CaError::Sign)?;
    Ok(Template { role, subject, public_key, serial, not_before, not_after, extensions })
}
