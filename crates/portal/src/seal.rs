//! Encryption of personal data at rest, object by object, under data keys that the vault wraps.
//!
//! Form of what is sealed: `1`, the data key's number (4 bytes, big-endian), a salt (16), AES-256-GCM ciphertext and tag. Each object has a key
//! of its own: HKDF-SHA256 of the data key with that salt and the object's context, so the nonce may be zero. The context (what it is and
//! whose) is authenticated: a sealed picture moved to another row does not open.

use std::{collections::BTreeMap, sync::Arc};

use model::Secret;
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf, hmac,
};
use sqlx::Row as _;
use vault::{Vault, VaultError};

use crate::db::{Db, DbError, Sql, begin_write, damaged};

const FORM: u8 = 1;
const SALT_BYTES: usize = 16;
const HEADER_BYTES: usize = 1 + 4 + SALT_BYTES;
const TAG_BYTES: usize = 16;

/// Why something was not sealed or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// It is not what was sealed under this context, or the key is not here.
    #[error("stored personal data does not open ({0}): was the database or the vault restored alone?")]
    Sealed(&'static str),
    /// The machine gives no random bytes, or the cipher refused.
    #[error("personal data could not be encrypted: {0}")]
    Cipher(&'static str),
    /// The vault.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<sqlx::Error> for SealError {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error.into())
    }
}

/// Seals and opens personal data. Clones share the keys.
#[derive(Clone)]
pub struct Sealer(Arc<BTreeMap<u32, DataKey>>);

struct DataKey {
    sealing: hkdf::Prk,
    digest: hmac::Key,
}

impl DataKey {
    fn new(secret: &Secret) -> Option<Self> {
        let (sealing, digest) = secret.expose().split_at_checked(32)?;
        (digest.len() == 32).then(|| Self {
            sealing: hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, sealing),
            digest: hmac::Key::new(hmac::HMAC_SHA256, digest),
        })
    }
}

impl Sealer {
    /// Unwraps the data keys; the first is made if there is none.
    ///
    /// # Errors
    /// [`SealError`].
    pub async fn open(db: &Db, vault: &Vault, now_ms: i64) -> Result<Self, SealError> {
        let mut tx = begin_write(db).await?;
        let count: i64 = sqlx::query_scalar("select count(*) from data_keys").fetch_one(&mut *tx).await?;
        if count == 0 {
            let wrapped =
                in_vault(vault, |vault| vault.wrap(&new_key()?, &context(1)).map_err(Into::into)).await?;
            sqlx::query::<Sql>("insert into data_keys (number, wrapped, created_ms) values (1, $1, $2)")
                .bind(wrapped)
                .bind(now_ms)
                .execute(&mut *tx)
                .await?;
        }
        let rows =
            sqlx::query("select number, wrapped from data_keys order by number").fetch_all(&mut *tx).await?;
        tx.commit().await?;
        let mut keys = BTreeMap::new();
        for row in &rows {
            let number = u32::try_from(row.try_get::<i64, _>("number")?)
                .map_err(|_| damaged("a data key's number"))?;
            let wrapped: Vec<u8> = row.try_get("wrapped")?;
            let secret =
                in_vault(vault, move |vault| vault.unwrap(&wrapped, &context(number)).map_err(Into::into))
                    .await?;
            keys.insert(
                number,
                DataKey::new(&secret).ok_or(SealError::Sealed("a data key of another length"))?,
            );
        }
        Ok(Self(Arc::new(keys)))
    }

    /// A sealer with one key of 64 bytes that no vault keeps: for tests.
    ///
    /// # Errors
    /// [`SealError::Sealed`] for another length.
    pub fn with_key(key: &Secret) -> Result<Self, SealError> {
        let key = DataKey::new(key).ok_or(SealError::Sealed("a data key of another length"))?;
        Ok(Self(Arc::new(BTreeMap::from([(1, key)]))))
    }

    /// Encrypts `plain`; only the same `context` opens it.
    ///
    /// # Errors
    /// [`SealError::Cipher`].
    pub fn seal(&self, context: &str, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let (&number, key) = self.0.last_key_value().ok_or(SealError::Cipher("there is no data key"))?;
        let mut sealed = vec![FORM];
        sealed.extend(number.to_be_bytes());
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt).map_err(|_| SealError::Cipher("the machine gives no random bytes"))?;
        sealed.extend(salt);
        let mut text = plain.to_vec();
        let cipher = object_key(key, &salt, context)?;
        cipher
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key([0; NONCE_LEN]),
                Aad::from(context),
                &mut text,
            )
            .map_err(|_| SealError::Cipher("the cipher refused"))?;
        sealed.extend(text);
        Ok(sealed)
    }

    /// Decrypts what [`Sealer::seal`] gave for the same `context`.
    ///
    /// # Errors
    /// [`SealError::Sealed`] if it is not exactly that.
    pub fn open_sealed(&self, context: &str, sealed: &[u8]) -> Result<Secret, SealError> {
        let refuse = SealError::Sealed;
        if sealed.len() < HEADER_BYTES + TAG_BYTES || sealed[0] != FORM {
            return Err(refuse("another form"));
        }
        let (header, text) = sealed.split_at(HEADER_BYTES);
        let number = u32::from_be_bytes([header[1], header[2], header[3], header[4]]);
        let key = self.0.get(&number).ok_or(refuse("a data key that is not here"))?;
        let cipher = object_key(key, &header[5..], context)?;
        let mut text = text.to_vec();
        let plain = cipher
            .open_in_place(Nonce::assume_unique_for_key([0; NONCE_LEN]), Aad::from(context), &mut text)
            .map_err(|_| refuse("changed, or of another object"))?
            .len();
        text.truncate(plain);
        Ok(Secret::new(text))
    }

    /// A keyed digest (HMAC-SHA256, hex) by which a value is found without being readable. `purpose` keeps one kind from another.
    /// It is made with the first data key, so that it stays the same when keys are added.
    #[must_use]
    pub fn digest(&self, purpose: &str, text: &str) -> String {
        let Some((_, key)) = self.0.first_key_value() else { return String::new() };
        let tag = hmac::sign(&key.digest, format!("{purpose}:{text}").as_bytes());
        hex::encode(tag)
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer")
    }
}

fn context(number: u32) -> String {
    format!("data-key:{number}")
}

fn new_key() -> Result<Secret, SealError> {
    let mut bytes = vec![0; 64];
    getrandom::fill(&mut bytes).map_err(|_| SealError::Cipher("the machine gives no random bytes"))?;
    Ok(Secret::new(bytes))
}

fn object_key(key: &DataKey, salt: &[u8], context: &str) -> Result<LessSafeKey, SealError> {
    let info = [salt, context.as_bytes()];
    let okm = key
        .sealing
        .expand(&info, &AES_256_GCM)
        .map_err(|_| SealError::Cipher("the key derivation refused"))?;
    Ok(LessSafeKey::new(UnboundKey::from(okm)))
}

/// The vault waits for its device: not on an async thread.
async fn in_vault<T: Send + 'static>(
    vault: &Vault,
    work: impl FnOnce(&Vault) -> Result<T, SealError> + Send + 'static,
) -> Result<T, SealError> {
    let vault = vault.clone();
    tokio::task::spawn_blocking(move || work(&vault))
        .await
        .map_err(|_| SealError::Cipher("the vault's thread ended"))?
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use model::Secret;
    use proptest::prelude::*;

    use super::Sealer;

    fn sealer(byte: u8) -> Sealer {
        Sealer::with_key(&Secret::new(vec![byte; 64])).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_for_its_own_context_and_key_alone() {
        let (one, other) = (sealer(1), sealer(2));
        let sealed = one.seal("picture:1", b"face").unwrap();
        assert!(!sealed.windows(4).any(|part| part == b"face"));
        assert_eq!(one.open_sealed("picture:1", &sealed).unwrap().expose(), b"face");
        assert!(one.open_sealed("picture:2", &sealed).is_err());
        assert!(other.open_sealed("picture:1", &sealed).is_err());
        assert_ne!(sealed, one.seal("picture:1", b"face").unwrap(), "each object has its own key");
        assert_eq!(one.digest("mobile", "13800000000"), one.digest("mobile", "13800000000"));
        assert_ne!(one.digest("mobile", "13800000000"), one.digest("id", "13800000000"));
        assert_ne!(one.digest("mobile", "13800000000"), other.digest("mobile", "13800000000"));
    }

    proptest! {
        #[test]
        fn a_changed_byte_is_noticed(plain: Vec<u8>, at: prop::sample::Index, bit in 0u8..8) {
            let sealer = sealer(1);
            let mut sealed = sealer.seal("order:x", &plain).unwrap();
            let at = at.index(sealed.len());
            sealed[at] ^= 1 << bit;
            prop_assert!(sealer.open_sealed("order:x", &sealed).is_err());
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            prop_assert!(sealer(1).open_sealed("order:x", &bytes).is_err());
        }
    }
}
