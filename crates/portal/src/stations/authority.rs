//! The CA's keys in the database, each wrapped by the vault, and the CA in use.

use anyhow::Context as _;
use ca::{CaNames, EmbeddedCa};
use gm::{SigningKey, certificate::Certificate};
use model::Secret;
use sqlx::Row as _;
use vault::Vault;
use wire::{Chain, PortalHead, SignedHead};

use super::{
    refusal::{Refusal, blocking},
    rehearsal::Rehearsal,
};
use crate::{
    audit::Head,
    clock::Clock,
    config::Config,
    db::{Db, DbError, Sql, Transaction, begin_write},
};

/// Which key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaKeyName {
    /// The SM2 root.
    Root,
    /// The SM2 CA that issues to keys.
    Issuing,
    /// The P-256 CA of the broker, the portal and the stations.
    Transport,
}

impl CaKeyName {
    fn code(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Issuing => "issuing",
            Self::Transport => "transport",
        }
    }

    /// What the vault binds the wrapped key to: bytes moved to another row do not open.
    fn context(self) -> String {
        format!("ca:{}", self.code())
    }
}

/// The SM2 CA, loaded.
#[derive(Debug)]
pub struct Authority {
    pub(super) ca: EmbeddedCa,
    pub(super) rehearsal: Rehearsal,
    /// The issuing key once more: it signs heads of the audit, whose form no certificate and no list of revocations has.
    heads: SigningKey,
}

impl Authority {
    /// Makes the CA if there is none. True if it was made now.
    ///
    /// # Errors
    /// The vault's, the database's, or names that no certificate can carry.
    pub async fn create(db: &Db, vault: &Vault, config: &Config, clock: &Clock) -> anyhow::Result<bool> {
        if certificate(db, CaKeyName::Issuing).await?.is_some() {
            return Ok(false);
        }
        let names = CaNames {
            root: name(&config.ca.organisation, &config.ca.root_name),
            issuing: name(&config.ca.organisation, &config.ca.issuing_name),
        };
        let made = EmbeddedCa::create(&names, clock.now().into())?;
        let pem = |der: &[u8]| Certificate::from_der(der).and_then(|certificate| certificate.to_pem());
        let root = wrap(vault, CaKeyName::Root, made.root_key).await?;
        let issuing = wrap(vault, CaKeyName::Issuing, made.issuing_key).await?;
        let mut tx = begin_write(db).await?;
        let now = clock.now_ms();
        store(&mut tx, CaKeyName::Root, &pem(&made.root_der)?, &root, now).await?;
        store(&mut tx, CaKeyName::Issuing, &pem(&made.issuing_der)?, &issuing, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Loads the CA; the root key stays wrapped.
    ///
    /// # Errors
    /// Where `portal init` was not run, or the parts do not belong together.
    pub async fn load(db: &Db, vault: &Vault) -> anyhow::Result<Self> {
        let absent = "the portal has no CA: run `portal init`";
        let root = certificate(db, CaKeyName::Root).await?.context(absent)?;
        let (issuing, key) = open(db, vault, CaKeyName::Issuing).await?.context(absent)?;
        let (root, issuing) = (Certificate::from_pem(&root)?, Certificate::from_pem(&issuing)?);
        let ca = EmbeddedCa::load(root.der(), issuing.der(), &key)?;
        let heads = SigningKey::from_secret(&key)?;
        Ok(Self { rehearsal: Rehearsal::like(ca.issuing())?, ca, heads })
    }

    /// A head of the audit, signed for a station to keep. The head must be on disk.
    pub(super) async fn signed(&self, head: Head) -> Result<PortalHead, Refusal> {
        let key = self.heads.clone();
        blocking(move || {
            let signature = key.sign(&Chain::Portal.message(head.sequence, &head.head));
            let signature = signature.map_err(|error| Refusal::later(error.to_string()))?;
            let signed = SignedHead::new(head.sequence, &head.head, &signature);
            Ok::<_, Refusal>(PortalHead { signed, key: hex::encode(key.public_key().xy()) })
        })
        .await
    }

    /// The CA itself.
    #[must_use]
    pub fn ca(&self) -> &EmbeddedCa {
        &self.ca
    }
}

fn name(organisation: &str, common: &str) -> Vec<(String, String)> {
    [("C", "CN"), ("O", organisation), ("CN", common)].map(|(a, v)| (a.to_owned(), v.to_owned())).to_vec()
}

/// The certificate of a CA key, PEM, if the key was made.
pub(crate) async fn certificate(db: &Db, name: CaKeyName) -> Result<Option<String>, DbError> {
    let pem = sqlx::query_scalar::<Sql, String>("select certificate from ca_keys where name = $1");
    Ok(pem.bind(name.code()).fetch_optional(db).await?)
}

/// Certificate (PEM) and private key of a CA, if it was made.
pub(crate) async fn open(
    db: &Db,
    vault: &Vault,
    name: CaKeyName,
) -> anyhow::Result<Option<(String, Secret)>> {
    let row = sqlx::query::<Sql>("select certificate, wrapped_key from ca_keys where name = $1")
        .bind(name.code())
        .fetch_optional(db)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let wrapped: Vec<u8> = row.try_get("wrapped_key")?;
    let vault = vault.clone();
    let key = tokio::task::spawn_blocking(move || vault.unwrap(&wrapped, &name.context())).await??;
    Ok(Some((row.try_get("certificate")?, key)))
}

/// Wraps a CA's private key.
pub(crate) async fn wrap(vault: &Vault, name: CaKeyName, key: Secret) -> anyhow::Result<Vec<u8>> {
    let vault = vault.clone();
    Ok(tokio::task::spawn_blocking(move || vault.wrap(&key, &name.context())).await??)
}

/// Writes a CA's certificate and wrapped key. One that is there is never overwritten: two `portal init` at once make one CA.
pub(crate) async fn store(
    tx: &mut Transaction,
    name: CaKeyName,
    certificate_pem: &str,
    wrapped: &[u8],
    now: i64,
) -> Result<(), DbError> {
    sqlx::query::<Sql>(
        "insert into ca_keys (name, certificate, wrapped_key, created_ms) values ($1, $2, $3, $4)",
    )
    .bind(name.code())
    .bind(certificate_pem)
    .bind(wrapped)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
