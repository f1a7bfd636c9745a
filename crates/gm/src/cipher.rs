//! SM2 encryption in the DER form of GM/T 0009 (SM2Cipher).

use der::Decode;
use model::Secret;
use sm2::elliptic_curve::common::getrandom::SysRng;
use sm2::pke::{Cipher, DecryptingKey, EncryptingKey};
use zeroize::Zeroizing;

use crate::{GmError, PublicKey, SigningKey};

/// The most bytes [`seal`] takes: 64 KiB.
pub const SEALED_PLAIN_LIMIT: usize = 64 * 1024;

/// SM2Cipher adds two INTEGERs, a digest and headers: never more than this.
const SEALED_OVERHEAD: usize = 128;

/// Encrypts `plain` (1 byte to 64 KiB) to `recipient`: DER SM2Cipher, SEQUENCE { x, y, C3, C2 }. Every call gives other bytes.
///
/// # Errors
/// [`GmError::Length`] for nothing or too much, [`GmError::Random`].
pub fn seal(recipient: &PublicKey, plain: &Secret) -> Result<Vec<u8>, GmError> {
    if !(1..=SEALED_PLAIN_LIMIT).contains(&plain.len()) {
        return Err(GmError::Length {
            what: "what is to be sealed",
            len: plain.len(),
            allowed: "1 to 65536",
        });
    }
    EncryptingKey::new(recipient.0).encrypt_der(&mut SysRng, plain.expose()).map_err(|_| GmError::Random)
}

/// Decrypts what [`seal`] made.
///
/// # Errors
/// [`GmError::Length`], [`GmError::Malformed`], or [`GmError::NotOpened`] when C3 does not fit.
pub fn open(key: &SigningKey, sealed: &[u8]) -> Result<Secret, GmError> {
    let parts = Parts::from_der(sealed)?;
    // Into a buffer of ours: on a wrong C3 the sm2 crate leaves what it decrypted in there.
    let mut plain = Zeroizing::new(vec![0; parts.0.c2().len()]);
    DecryptingKey::from_nonzero_scalar(key.secret.to_nonzero_scalar())
        .and_then(|key| key.decrypt_cipher_with_buf(&parts.0, &mut plain))
        .map_err(|_| GmError::NotOpened)?;
    Ok(Secret::new(std::mem::take(&mut plain)))
}

/// A parsed SM2Cipher: C1 is a point of the curve, C2 not empty.
pub(crate) struct Parts<'a>(pub(crate) Cipher<'a>);

impl<'a> Parts<'a> {
    pub(crate) fn from_der(sealed: &'a [u8]) -> Result<Self, GmError> {
        if sealed.len() > SEALED_PLAIN_LIMIT + SEALED_OVERHEAD {
            return Err(GmError::Length { what: "SM2Cipher", len: sealed.len(), allowed: "at most 65664" });
        }
        let cipher = Cipher::from_der(sealed).map_err(|why| GmError::malformed("SM2Cipher", why))?;
        if cipher.c2().is_empty() {
            return Err(GmError::malformed("SM2Cipher", "C2 is empty"));
        }
        Ok(Self(cipher))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_sealed_opens_with_the_right_key_alone() {
        let (key, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        for len in [1, 16, 31, 32, 33, 4096, SEALED_PLAIN_LIMIT] {
            let plain = Secret::new(vec![0xA5; len]);
            let sealed = seal(&key.public_key(), &plain).unwrap();
            assert!(sealed.len() <= len + SEALED_OVERHEAD);
            assert_eq!(open(&key, &sealed).unwrap(), plain);
            assert_eq!(open(&other, &sealed), Err(GmError::NotOpened));
        }
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        let key = SigningKey::generate().unwrap();
        for len in [0, SEALED_PLAIN_LIMIT + 1] {
            assert!(matches!(
                seal(&key.public_key(), &Secret::new(vec![0; len])),
                Err(GmError::Length { .. })
            ));
        }
    }

    #[test]
    fn every_changed_bit_is_noticed() {
        let key = SigningKey::generate().unwrap();
        let sealed = seal(&key.public_key(), &Secret::from("0123456789abcdef")).unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&key, &changed).is_err(), "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic_open(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let key = SigningKey::from_secret(&Secret::new(vec![7; 32])).unwrap();
            prop_assert!(open(&key, &bytes).is_err());
        }
    }
}
