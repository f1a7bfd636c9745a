//! The signature as SF computes it. Written apart from the client's on purpose: shared code would agree with itself even
//! where both are wrong. The vector SF prints holds both.

use base64::{Engine, engine::general_purpose::STANDARD};
use md5::{Digest, Md5};
use sm3::Sm3;

use super::SignMode;

pub(crate) fn digest(mode: SignMode, msg_data: &str, timestamp: &str, checkword: &[u8]) -> String {
    let mut text = format!("{msg_data}{timestamp}").into_bytes();
    text.extend_from_slice(checkword);
    match mode {
        SignMode::Standard => STANDARD.encode(Md5::digest(url_encode(&text))),
        SignMode::Simple => STANDARD.encode(Md5::digest(&text)),
        SignMode::Sm3 => STANDARD.encode(Sm3::digest(url_encode(&text))),
    }
}

/// Java's `URLEncoder.encode(text, "UTF-8")`.
fn url_encode(text: &[u8]) -> String {
    text.iter()
        .map(|&byte| match char::from(byte) {
            ' ' => "+".to_owned(),
            plain if plain.is_ascii_alphanumeric() || ".-*_".contains(plain) => plain.to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_of_sfs_page_is_met() {
        let data = r#"{"language":"zh-CN","orderId":"QIAO-20200618-004"}"#;
        let checkword = b"fjcg5PGKaNpPSHFAZ4QsCOkV71R3zVci";
        let of = |mode| digest(mode, data, "12312334453453", checkword);
        assert_eq!(of(SignMode::Standard), "IIKJtuLVzoFTu4kHI8M8vA==");
        assert_eq!(of(SignMode::Simple), "OwYXm3XG9fjHK7A+/t7Ckw==");
    }
}
