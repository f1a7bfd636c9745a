//! The SM4 modes keys speak: ECB without padding, and CBC-MAC. The only place that calls the sm4 crate.

use sm4::Sm4;
use sm4::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};

use crate::GmError;

/// SM4-ECB of whole blocks, no padding.
///
/// # Errors
/// [`GmError::Length`] unless `data` is a multiple of 16 bytes.
pub fn ecb_encrypt(key: &[u8; 16], data: &[u8]) -> Result<Vec<u8>, GmError> {
    let cipher = cipher(key);
    ecb(data, |block| cipher.encrypt_block(block))
}

/// The reverse of [`ecb_encrypt`]. What it returns may be secret: the caller wraps it.
///
/// # Errors
/// [`GmError::Length`] unless `data` is a multiple of 16 bytes.
pub fn ecb_decrypt(key: &[u8; 16], data: &[u8]) -> Result<Vec<u8>, GmError> {
    let cipher = cipher(key);
    ecb(data, |block| cipher.decrypt_block(block))
}

/// The last block of SM4-CBC over data that the caller has padded already.
///
/// # Errors
/// [`GmError::Length`] unless `padded` is a multiple of 16 bytes and not empty.
pub fn cbc_mac(key: &[u8; 16], iv: &[u8; 16], padded: &[u8]) -> Result<[u8; 16], GmError> {
    if padded.is_empty() {
        return Err(GmError::Length {
            what: "SM4-CBC-MAC input",
            len: 0,
            allowed: "one block of 16 or more",
        });
    }
    let cipher = cipher(key);
    let mut state = *iv;
    for block in whole_blocks(padded)? {
        state.iter_mut().zip(block).for_each(|(s, b)| *s ^= b);
        let mut buffer = Array::from(state);
        cipher.encrypt_block(&mut buffer);
        state = buffer.into();
    }
    Ok(state)
}

type Block = Array<u8, sm4::cipher::consts::U16>;

fn cipher(key: &[u8; 16]) -> Sm4 {
    Sm4::new(&Array::from(*key))
}

fn whole_blocks(data: &[u8]) -> Result<&[[u8; 16]], GmError> {
    match data.as_chunks::<16>() {
        (blocks, []) => Ok(blocks),
        _ => Err(GmError::Length { what: "SM4 data", len: data.len(), allowed: "a multiple of 16" }),
    }
}

fn ecb(data: &[u8], step: impl Fn(&mut Block)) -> Result<Vec<u8>, GmError> {
    let mut out = Vec::with_capacity(data.len());
    for block in whole_blocks(data)? {
        let mut buffer = Array::from(*block);
        step(&mut buffer);
        out.extend_from_slice(&buffer);
    }
    Ok(out)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const KEY: [u8; 16] = *b"\x01\x23\x45\x67\x89\xab\xcd\xef\xfe\xdc\xba\x98\x76\x54\x32\x10";

    #[test]
    fn the_standards_vector_both_ways() {
        // GM/T 0002 appendix A.1: key and plaintext are the same bytes.
        let sealed = ecb_encrypt(&KEY, &KEY).unwrap();
        assert_eq!(hex::encode(&sealed), "681edf34d206965e86b3e94f536e4246");
        assert_eq!(ecb_decrypt(&KEY, &sealed).unwrap(), KEY);
    }

    #[test]
    fn blocks_are_independent_in_ecb_and_chained_in_the_mac() {
        let two = [KEY, KEY].concat();
        let sealed = ecb_encrypt(&KEY, &two).unwrap();
        assert_eq!(sealed[..16], sealed[16..]);
        let first: [u8; 16] = sealed[..16].try_into().unwrap();
        assert_eq!(cbc_mac(&KEY, &[0; 16], &KEY).unwrap(), first);
        assert_eq!(cbc_mac(&KEY, &[0; 16], &two).unwrap(), cbc_mac(&KEY, &first, &KEY).unwrap());
    }

    #[test]
    fn cut_blocks_are_refused() {
        for len in [1, 15, 17] {
            let data = vec![0; len];
            assert!(ecb_encrypt(&KEY, &data).is_err() && ecb_decrypt(&KEY, &data).is_err());
            assert!(cbc_mac(&KEY, &[0; 16], &data).is_err());
        }
        assert!(cbc_mac(&KEY, &[0; 16], &[]).is_err());
        assert!(ecb_encrypt(&KEY, &[]).unwrap().is_empty());
    }
}
