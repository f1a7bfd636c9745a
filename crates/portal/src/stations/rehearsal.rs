//! Would this order be certified? Asked at approval and before a key is bound, so that an impossible order costs no key.
//!
//! The CA's own way is gone to its end, by a CA of the same age whose keys are forgotten: no certificate of the real CA exists unrecorded.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use ca::{CaError, CaNames, EmbeddedCa, IssueRequest, MemoryLedger};
use gm::{SigningKey, certificate::Certificate, request::BuildError};
use model::OrderNumber;

use crate::{
    orders::OrderContent,
    programmes::{CertificateSubject, Encoding, Programmes},
};

/// A CA begins this long before it is made.
const BACKDATED: Duration = Duration::from_secs(5 * 60);

/// How long one CA serves for orders under review: keys and signatures cost more than the rest of the page.
const SERVES: Duration = Duration::from_secs(3600);

/// The CA of the rehearsal, and the request of a key that nobody has.
#[derive(Debug)]
pub(crate) struct Rehearsal {
    ca: EmbeddedCa,
    csr: Vec<u8>,
}

/// Orders that are known to pass are forgotten when there are so many.
const PASSED_MAX: usize = 10_000;

/// An order as it stands: its content changes with its state alone, and each change has its time.
type Standing = (OrderNumber, i64);

/// Where orders under review are rehearsed. What passed is not rehearsed again at the next look, and at the approval after it.
#[derive(Default)]
pub struct Stage(Mutex<Option<Hour>>);

struct Hour {
    began: SystemTime,
    rehearsal: Arc<Rehearsal>,
    passed: BTreeSet<Standing>,
}

impl Stage {
    /// Rehearses the certificates of an order that was changed last at `changed_ms`.
    pub(crate) async fn rehearse(
        &self,
        order: Standing,
        subject: ca::Subject,
        now: SystemTime,
    ) -> Result<(), RehearsalError> {
        let (rehearsal, passed) = {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let current = |hour: &Hour| now.duration_since(hour.began).is_ok_and(|age| age < SERVES);
            let hour = match kept.take().filter(current) {
                Some(hour) => hour,
                None => {
                    Hour { began: now, rehearsal: Arc::new(Rehearsal::from(now)?), passed: BTreeSet::new() }
                }
            };
            let hour = kept.insert(hour);
            (Arc::clone(&hour.rehearsal), hour.passed.contains(&order))
        };
        if passed {
            return Ok(());
        }
        rehearsal.certify(subject, now).await?;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(hour) = kept.as_mut() {
            if hour.passed.len() >= PASSED_MAX {
                hour.passed.clear();
            }
            hour.passed.insert(order);
        }
        Ok(())
    }
}

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
        let ca = EmbeddedCa::load(&made.root_der, &made.issuing_der, &made.issuing_key)?;
        let key = SigningKey::generate().map_err(CaError::Sign)?;
        let csr = gm::request::build("CN=rehearsal", &key.public_key(), |e| key.sign_digest(e));
        let csr = csr.map_err(|error| match error {
            BuildError::Gm(error) => CaError::Request(error),
            BuildError::Sign(error) => CaError::Sign(error),
        })?;
        Ok(Self { ca, csr })
    }

    /// Certifies the key that is forgotten.
    pub(crate) async fn certify(&self, subject: ca::Subject, now: SystemTime) -> Result<(), RehearsalError> {
        let request =
            IssueRequest { request_id: "rehearsal".to_owned(), csr: self.csr.clone(), subject, now };
        self.ca.issue(&request, &MemoryLedger::default()).await?;
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::SystemTime;

    use super::{RehearsalError, SERVES, Stage};

    fn subject(years: u8) -> ca::Subject {
        ca::Subject { dn: vec![("CN".to_owned(), "示例公司".to_owned())], extensions: Vec::new(), years }
    }

    #[tokio::test]
    async fn what_passed_is_rehearsed_again_when_it_changed_or_its_hour_is_over() {
        let (stage, now) = (Stage::default(), SystemTime::now());
        let rehearse = |changed_ms, years, now| {
            let order = ("SAAS120261122093000000001".parse().unwrap(), changed_ms);
            stage.rehearse(order, subject(years), now)
        };
        // No certificate holds for eleven years: whoever looks sees it.
        let refused = |result| matches!(result, Err(RehearsalError::Order(_)));
        assert!(refused(rehearse(1, 11, now).await) && refused(rehearse(1, 11, now).await));
        rehearse(1, 1, now).await.unwrap();
        rehearse(1, 11, now).await.unwrap();
        assert!(refused(rehearse(2, 11, now).await));
        rehearse(1, 11, now + SERVES / 2).await.unwrap();
        assert!(refused(rehearse(1, 11, now + SERVES).await));
    }
}
