//! `msgDigest`: the three signatures a console application can be set to.

use base64::{Engine, engine::general_purpose::STANDARD};
use md5::Md5;
use model::Secret;
use serde::{Deserialize, Serialize};
use sm3::{Digest, Sm3};

/// How an application of SF's console signs. The wrong one is answered by A1006.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignMode {
    /// 标准 MD5: Base64(MD5(form-encoded(msgData + timestamp + checkword))).
    Standard,
    /// 简易 MD5: the same without the form encoding.
    Simple,
    /// SM3 in the place of MD5, with the form encoding.
    Sm3,
}

impl SignMode {
    /// The `msgDigest` of a call, in Base64. `msg_data` must be sent byte for byte as it is signed here.
    #[must_use]
    pub fn digest(self, msg_data: &str, timestamp: &str, checkword: &Secret) -> String {
        let parts = [msg_data.as_bytes(), timestamp.as_bytes(), checkword.expose()];
        match self {
            Self::Standard => hash::<Md5>(parts, true),
            Self::Simple => hash::<Md5>(parts, false),
            Self::Sm3 => hash::<Sm3>(parts, true),
        }
    }
}

/// Hashes part by part, so that no copy of the checkword is left on the heap.
fn hash<D: Digest>(parts: [&[u8]; 3], encoded: bool) -> String {
    let mut digest = D::new();
    for part in parts {
        if encoded {
            form_encode(part, |piece| digest.update(piece));
        } else {
            digest.update(part);
        }
    }
    STANDARD.encode(digest.finalize())
}

/// Form encoding as Java's `URLEncoder` does it, which is what SF computes: space is `+`, letters, digits and `.-*_`
/// stand for themselves, every other byte is `%XX`. (`!'()~` are escaped and `*` is not: unlike a browser's function.)
pub(crate) fn form_encode(bytes: &[u8], mut put: impl FnMut(&[u8])) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b'_' => put(&[byte]),
            b' ' => put(b"+"),
            _ => put(&[b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: &str = r#"{"language":"zh-CN","orderId":"QIAO-20200618-004"}"#;
    const TIME: &str = "12312334453453";

    /// The vector that SF's own page on authentication prints.
    #[test]
    fn the_vector_of_sfs_page_is_met() {
        let checkword = Secret::from("fjcg5PGKaNpPSHFAZ4QsCOkV71R3zVci");
        assert_eq!(SignMode::Standard.digest(DATA, TIME, &checkword), "IIKJtuLVzoFTu4kHI8M8vA==");
        assert_eq!(SignMode::Simple.digest(DATA, TIME, &checkword), "OwYXm3XG9fjHK7A+/t7Ckw==");
    }

    #[test]
    fn sm3_is_over_the_encoded_text() {
        // printf '%%7B1c' | openssl dgst -sm3 -binary | base64
        let expected = "SJrgFrd1z/08Epkr7YCzOgdD7gd8BtA7rXIv1HQdYlc=";
        assert_eq!(SignMode::Sm3.digest("{", "1", &Secret::from("c")), expected);
    }

    #[test]
    fn form_encoding_follows_java() {
        let mut out = Vec::new();
        form_encode("a b*!'()~-_.中".as_bytes(), |piece| out.extend_from_slice(piece));
        assert_eq!(String::from_utf8_lossy(&out), "a+b*%21%27%28%29%7E-_.%E4%B8%AD");
    }
}
