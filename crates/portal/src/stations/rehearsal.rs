//! Would this order be certified? Asked at approval and before a key is bound, so that an impossible order costs no key.
//!
//! The CA's own way is gone to its end, by a CA of the same age whose keys are forgotten: no certificate of the real CA exists unrecorded.

use std::time::{Duration, SystemTime};

use ca::{CaError, CaNames, EmbeddedCa, IssueRequest, MemoryLedger};
use gm::{SigningKey, certificate::Certificate};

use crate::{
    orders::OrderContent,
    programmes::{CertificateSubject, Encoding, Programmes},
};

/// A CA begins this long before it is made.
const BACKDATED: Duration = Duration::from_secs(5 * 60);

/// The CA of the rehearsal.
#[derive(Debug)]
pub(crate) struct Rehearsal(EmbeddedCa);

/// Why an order cannot be certified.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RehearsalError {
    /// The order or its programme must be corrected.
    #[error("{0}")]
    Order(String),
    /// Something else is wrong (the clock, say); the order may be right.
    #[error("{0}")]
    Other(String),
}

impl From<CaError> for RehearsalError {
    fn from(error: CaError) -> Self {
        match error {
            CaError::Order(_) | CaError::Years(_) => Self::Order(error.to_string()),
            other => Self::Other(other.to_string()),
        }
    }
}

impl Rehearsal {
    /// A CA that begins and ends with `issuing`.
    pub(crate) fn like(issuing: &Certificate) -> Result<Self, CaError> {
        Self::from(issuing.not_before() + BACKDATED)
    }

    /// A CA made at a time.
    pub(crate) fn from(made: SystemTime) -> Result<Self, CaError> {
        let name = |common: &str| vec![("CN".to_owned(), common.to_owned())];
        let names = CaNames { root: name("rehearsal root"), issuing: name("rehearsal") };
        let made = EmbeddedCa::create(&names, made)?;
        EmbeddedCa::load(&made.root_der, &made.issuing_der, &made.issuing_key).map(Self)
    }

    /// Certifies a key that is forgotten.
    pub(crate) async fn certify(&self, subject: ca::Subject, now: SystemTime) -> Result<(), RehearsalError> {
        let key = SigningKey::generate().map_err(CaError::Sign)?;
        let csr = gm::request::build("CN=rehearsal", &key.public_key(), |e| key.sign_digest(e));
        let csr = csr.map_err(|error| RehearsalError::Other(error.to_string()))?;
        let request = IssueRequest { request_id: "rehearsal".to_owned(), csr, subject, now };
        self.0.issue(&request, &MemoryLedger::default()).await?;
        Ok(())
    }
}

/// The subject that an order's programme gives its certificates.
pub(crate) fn subject(
    programmes: &Programmes,
    content: &OrderContent,
) -> Result<ca::Subject, RehearsalError> {
    let template = programmes.get(&content.programme).and_then(|p| p.template(content.holder_kind));
    let template = template.ok_or_else(|| {
        RehearsalError::Order(format!(
            "项目 {0} 没有证书模板 (programme {0} has no certificate template for this order: correct its file)",
            content.programme
        ))
    })?;
    Ok(of_ca(template.fill(content)))
}

fn of_ca(subject: CertificateSubject) -> ca::Subject {
    let encoding = |encoding| match encoding {
        Encoding::Utf8 => ca::Encoding::Utf8,
        Encoding::Printable => ca::Encoding::Printable,
    };
    let extension = |(oid, value, how)| ca::Extension { oid, value, encoding: encoding(how) };
    ca::Subject {
        dn: subject.dn,
        extensions: subject.extensions.into_iter().map(extension).collect(),
        years: subject.years,
    }
}
