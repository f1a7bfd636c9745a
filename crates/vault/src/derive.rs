//! What goes into the master keys' MAC, and how a PIN comes out. Pure: the MAC is given.

use model::{KeyId, Secret};
use zeroize::Zeroizing;

/// Digits and letters without the look-alikes 0 O 1 I l.
const ALPHABET: &[u8] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
/// The largest multiple of the alphabet's length in a byte: bytes from here on are thrown away, so that each character is equally likely.
const FAIR: usize = 256 - 256 % ALPHABET.len();
/// More blocks than that are never needed: one block of 32 bytes has 28 fair ones on average.
const BLOCKS: u32 = 64;

/// The bytes a per-key secret is derived from: each part behind its length (u16 big-endian), so that no two keys share them.
pub(crate) fn input(label: &str, key: &KeyId, parts: &[&[u8]]) -> Vec<u8> {
    let identity = [label, key.maker(), key.model(), key.serial()].map(str::as_bytes);
    let mut bytes = Vec::new();
    for part in identity.iter().chain(parts) {
        // Labels are ours and an identity's parts have at most 64 bytes each.
        bytes.extend_from_slice(&u16::try_from(part.len()).unwrap_or(u16::MAX).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

/// A PIN of `len` characters from a stream of MAC blocks; `None` if the stream is not random at all.
pub(crate) fn pin<E>(len: u8, mut block: impl FnMut(u32) -> Result<Secret, E>) -> Result<Option<Secret>, E> {
    let mut pin = Zeroizing::new(Vec::with_capacity(usize::from(len)));
    for number in 0..BLOCKS {
        for byte in block(number)?.expose() {
            if pin.len() == usize::from(len) {
                break;
            }
            let value = usize::from(*byte);
            if value < FAIR
                && let Some(character) = ALPHABET.get(value % ALPHABET.len())
            {
                pin.push(*character);
            }
        }
        if pin.len() == usize::from(len) {
            return Ok(Some(Secret::new(std::mem::take(&mut *pin))));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use std::convert::Infallible;

    fn key(maker: &str, model: &str, serial: &str) -> KeyId {
        KeyId::new(maker, model, serial).unwrap()
    }

    /// If this fails, do not change the test: every key made so far would get other secrets.
    #[test]
    fn golden_input() {
        let bytes = input("ukey-device-key-v1", &key("virtual", "VK-1", "00A1"), &[]);
        assert_eq!(bytes, b"\0\x12ukey-device-key-v1\0\x07virtual\0\x04VK-1\0\x0400A1");
        let bytes =
            input("ukey-admin-pin-v1", &key("virtual", "VK-1", "00A1"), &[&[12], &7u32.to_be_bytes()]);
        assert_eq!(
            bytes,
            b"\0\x11ukey-admin-pin-v1\0\x07virtual\0\x04VK-1\0\x0400A1\0\x01\x0c\0\x04\0\0\0\x07"
        );
    }

    /// If this fails, do not change the test: see above.
    #[test]
    fn golden_pin() {
        let blocks = |number: u32| {
            let start = u8::try_from(number).unwrap() * 32;
            Ok::<_, Infallible>(Secret::new((0..32).map(|i| 250u8.wrapping_add(start + i)).collect()))
        };
        // 250 to 255 are thrown away, then 0, 1, 2 … give the alphabet in its order.
        let Ok(Some(pin)) = pin(30, blocks) else { unreachable!() };
        assert_eq!(pin.expose(), b"23456789ABCDEFGHJKLMNPQRSTUVWX");
    }

    #[test]
    fn the_alphabet_has_no_look_alikes_and_no_double() {
        assert!(!ALPHABET.iter().any(|c| b"0O1Il".contains(c)));
        let mut sorted = ALPHABET.to_vec();
        sorted.dedup();
        assert_eq!((sorted.len(), FAIR), (57, 228));
        assert!(sorted.is_sorted());
    }

    #[test]
    fn each_character_is_equally_likely() {
        let mut counts = [0; 57];
        for value in 0..=255u8 {
            if let Ok(Some(one)) = pin(1, |_| Ok::<_, Infallible>(Secret::new(vec![value]))) {
                let at = ALPHABET.iter().position(|c| c == one.expose().first().unwrap()).unwrap();
                counts[at] += 1;
            }
        }
        assert_eq!(counts, [4; 57]);
    }

    #[test]
    fn a_stream_without_a_fair_byte_ends() {
        assert_eq!(pin(6, |_| Ok::<_, Infallible>(Secret::new(vec![255; 32]))), Ok(None));
    }

    proptest! {
        #[test]
        fn different_keys_have_different_inputs(a in "[ -.0-~]{1,64}", b in "[ -.0-~]{1,64}", c in "[ -.0-~]{2,64}", cut in 1usize..64) {
            // The same text, cut at other places.
            let cut = cut.min(c.len() - 1);
            let one = key(&a, &b, &c);
            let moved = format!("{b}{}", &c[..cut]);
            prop_assume!(moved.len() <= 64);
            let other = key(&a, &moved, &c[cut..]);
            prop_assert_ne!(input("l", &one, &[]), input("l", &other, &[]));
        }
    }
}
