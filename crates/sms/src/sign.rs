//! The signature V3 of Alibaba Cloud's interfaces: `ACS3-HMAC-SHA256`.

use model::Secret;
use ring::{digest, hmac};

const ALGORITHM: &str = "ACS3-HMAC-SHA256";

/// A call, before it is signed. Every call is a POST without a body; its parameters stand in the query.
pub(crate) struct Call<'a> {
    /// `Host`.
    pub host: &'a str,
    /// The path.
    pub path: &'a str,
    /// The query, as [`query`] makes it.
    pub query: &'a str,
    /// The action, such as `SendSms`.
    pub action: &'a str,
    /// The interface's version.
    pub version: &'a str,
    /// The time, `yyyy-MM-ddTHH:mm:ssZ`.
    pub date: &'a str,
    /// Used once.
    pub nonce: &'a str,
}

impl Call<'_> {
    /// The headers that are signed, in the order of their names.
    pub(crate) fn headers(&self) -> [(&'static str, String); 6] {
        [
            ("host", self.host.to_owned()),
            ("x-acs-action", self.action.to_owned()),
            ("x-acs-content-sha256", hex_sha256(b"")),
            ("x-acs-date", self.date.to_owned()),
            ("x-acs-signature-nonce", self.nonce.to_owned()),
            ("x-acs-version", self.version.to_owned()),
        ]
    }

    /// The `Authorization` header.
    pub(crate) fn authorization(&self, key_id: &str, secret: &Secret) -> String {
        let headers = self.headers();
        let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let canonical = format!("POST\n{}\n{}\n{lines}\n{names}\n{}", self.path, self.query, hex_sha256(b""));
        let text = format!("{ALGORITHM}\n{}", hex_sha256(canonical.as_bytes()));
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose());
        let signature = hex::encode(hmac::sign(&key, text.as_bytes()));
        format!("{ALGORITHM} Credential={key_id},SignedHeaders={names},Signature={signature}")
    }
}

/// The parameters as a query: sorted by name, every byte escaped that RFC 3986 does not call unreserved.
pub(crate) fn query(parameters: &[(&str, &str)]) -> String {
    let mut sorted = parameters.to_vec();
    sorted.sort_unstable();
    let pairs = sorted.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn hex_sha256(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the service's page on V3 signatures.
    #[test]
    fn the_vector_of_the_service_s_page_is_met() {
        let query = query(&[
            ("RegionId", "cn-shanghai"),
            ("ImageId", "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"),
        ]);
        let call = Call {
            host: "ecs.cn-shanghai.aliyuncs.com",
            path: "/",
            query: &query,
            action: "RunInstances",
            version: "2014-05-26",
            date: "2023-10-26T10:22:32Z",
            nonce: "3156853299f313e23d1673dc12e1703d",
        };
        assert_eq!(
            call.authorization("YourAccessKeyId", &Secret::from("YourAccessKeySecret")),
            "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;\
             x-acs-signature-nonce;x-acs-version,Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
        );
    }

    #[test]
    fn a_query_is_sorted_and_escaped() {
        assert_eq!(query(&[("b", "a b*~"), ("a", "{\"码\":1}")]), "a=%7B%22%E7%A0%81%22%3A1%7D&b=a%20b%2A~");
    }
}
