//! The mathematics of access control. Public, because a virtual key verifies with the very functions that prove.

use cipher::{Block, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use model::Secret;
use profile::dialect::{PinBlock, PinDigest, SecureMessaging};
use sha1::Sha1;
use sm3::{Digest, Sm3};
use sm4::Sm4;
use zeroize::{Zeroize, Zeroizing};

/// A 16-byte key or padded PIN, overwritten when dropped.
pub type Block16 = Zeroizing<[u8; 16]>;

/// How long a PIN may be: CreateApplication gives it 16 bytes.
pub const MAX_PIN: usize = 16;

/// A secret as a 16-byte key; `None` when it has another length.
#[must_use]
pub fn key16(secret: &Secret) -> Option<Block16> {
    secret.expose().try_into().ok().map(Zeroizing::new)
}

/// A PIN padded with zeros to 16 bytes; `None` when it is empty or longer.
#[must_use]
pub fn padded_pin(pin: &Secret) -> Option<Block16> {
    if pin.is_empty() {
        return None;
    }
    let mut block = Zeroizing::new([0; 16]);
    block.get_mut(..pin.len())?.copy_from_slice(pin.expose());
    Some(block)
}

/// The SM4 key that stands for a PIN; `None` when the PIN is empty or longer than [`MAX_PIN`].
#[must_use]
pub fn pin_key(digest: PinDigest, pin: &Secret) -> Option<Block16> {
    let padded = padded_pin(pin)?;
    let mut hash = Zeroizing::new(Vec::with_capacity(32));
    match digest {
        PinDigest::Sha1Padded => hash.extend_from_slice(&Sha1::digest(padded.as_slice())),
        PinDigest::Sha1 => hash.extend_from_slice(&Sha1::digest(pin.expose())),
        PinDigest::Sm3 => hash.extend_from_slice(&Sm3::digest(pin.expose())),
    }
    hash.first_chunk().copied().map(Zeroizing::new)
}

/// The plain block of VerifyPIN around the key's 8 random bytes.
#[must_use]
pub fn pin_block(form: PinBlock, random: &[u8; 8]) -> [u8; 16] {
    let [a, b, c, d, e, f, g, h] = *random;
    match form {
        PinBlock::RandomZeros => [a, b, c, d, e, f, g, h, 0, 0, 0, 0, 0, 0, 0, 0],
        PinBlock::LengthRandomMarker => [8, 0, a, b, c, d, e, f, g, h, 0x80, 0, 0, 0, 0, 0],
    }
}

/// VerifyPIN's cryptogram: the plain block under the PIN's key.
#[must_use]
pub fn pin_cryptogram(form: PinBlock, pin_key: &Block16, random: &[u8; 8]) -> [u8; 16] {
    encrypt_block(pin_key, &pin_block(form, random))
}

/// DevAuth's cryptogram: the random bytes (at most 16 are used), zeros up to 16, under the device key.
#[must_use]
pub fn device_auth_cryptogram(device_key: &Block16, random: &[u8]) -> [u8; 16] {
    let mut block = [0; 16];
    for (to, from) in block.iter_mut().zip(random) {
        *to = *from;
    }
    encrypt_block(device_key, &block)
}

/// One block of SM4-ECB, encrypted: how new keys and new PINs travel in 12, 16 and 1A.
#[must_use]
pub fn encrypt_block(key: &Block16, plain: &[u8; 16]) -> [u8; 16] {
    let mut block = Block::<Sm4>::from(*plain);
    sm4(key).encrypt_block(&mut block);
    block.into()
}

/// One block of SM4-ECB, decrypted.
#[must_use]
pub fn decrypt_block(key: &Block16, sealed: &[u8; 16]) -> Block16 {
    let mut block = Block::<Sm4>::from(*sealed);
    sm4(key).decrypt_block(&mut block);
    Zeroizing::new(block.into())
}

/// The 4-byte code of secure messaging.
///
/// SM4 CBC-MAC with IV = `random` and 8 zeros over (transport bytes of the dialect, all zero) `header`, Lc as
/// `00 hi lo` with the code itself counted, and `data` (without the code); padded `80 00…`.
/// `key` is the old device key (12), the old PIN's key (16) or the admin PIN's key (1A).
#[must_use]
pub fn mac(form: &SecureMessaging, key: &Block16, random: &[u8; 8], header: [u8; 4], data: &[u8]) -> [u8; 4] {
    let lc = u16::try_from(data.len() + 4).unwrap_or(u16::MAX).to_be_bytes();
    let mut message = vec![0; usize::from(form.mac_prefix_len)];
    message.extend_from_slice(&header);
    message.push(0);
    message.extend_from_slice(&lc);
    message.extend_from_slice(data);
    if form.pad_when_aligned || !message.len().is_multiple_of(16) {
        message.push(0x80);
        message.resize(message.len().next_multiple_of(16), 0);
    }
    let mut state = pin_block(PinBlock::RandomZeros, random);
    for chunk in message.chunks_exact(16) {
        for (to, from) in state.iter_mut().zip(chunk) {
            *to ^= from;
        }
        state = encrypt_block(key, &state);
    }
    message.zeroize();
    let [a, b, c, d, ..] = state;
    [a, b, c, d]
}

fn sm4(key: &Block16) -> Sm4 {
    let key: &[u8; 16] = key;
    Sm4::new(key.into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use model::Secret;
    use profile::dialect::{PinDigest, SecureMessaging};
    use zeroize::Zeroizing;

    use super::{Block16, decrypt_block, encrypt_block, key16, mac, padded_pin, pin_key};

    const RANDOM: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

    fn key() -> Block16 {
        Zeroizing::new(std::array::from_fn(|at| u8::try_from(at).unwrap()))
    }

    // Expected values of this module were made with OpenSSL (`dgst -sm3`, `dgst -sha1`, `enc -sm4-cbc -nopad`).

    #[test]
    fn a_pin_becomes_a_key_in_three_ways() {
        let pin = Secret::from("12345678");
        for (digest, wanted) in [
            (PinDigest::Sha1Padded, "002fe525cb3afa592e4011157437c666"),
            (PinDigest::Sha1, "7c222fb2927d828af22f592134e89324"),
            (PinDigest::Sm3, "0fffff81e971fa3f09107abf77931463"),
        ] {
            assert_eq!(hex::encode(*pin_key(digest, &pin).unwrap()), wanted, "{digest:?}");
        }
    }

    #[test]
    fn an_aligned_message_is_padded_only_where_the_dialect_says_so() {
        let data: Vec<u8> = (0..9).collect();
        for (pad_when_aligned, wanted) in [(false, "dd18ec09"), (true, "a9df7d7a")] {
            let form = SecureMessaging { mac_prefix_len: 0, pad_when_aligned };
            assert_eq!(hex::encode(mac(&form, &key(), &RANDOM, [0x84, 0x12, 0, 0], &data)), wanted);
        }
    }

    #[test]
    fn secrets_of_the_wrong_length_are_no_keys() {
        assert!(key16(&Secret::new(vec![0; 15])).is_none() && key16(&Secret::new(vec![0; 17])).is_none());
        assert!(
            padded_pin(&Secret::new(vec![1; 17])).is_none() && padded_pin(&Secret::new(Vec::new())).is_none()
        );
        assert_eq!(*padded_pin(&Secret::from("1234")).unwrap(), *b"1234\0\0\0\0\0\0\0\0\0\0\0\0");
    }

    #[test]
    fn a_block_opens_to_what_was_sealed() {
        assert_eq!(*decrypt_block(&key(), &encrypt_block(&key(), &[9; 16])), [9; 16]);
    }
}
