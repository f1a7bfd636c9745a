//! The messages. Field names here are the names on the wire; `docs/asyncapi.json` and `tests/golden/` hold them still.

use model::{JobId, KeyId, OrderNumber};
use serde::{Deserialize, Serialize};

use crate::report::{Ack, Report};

/// Bytes as base64 text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use base64::Engine as _;
        serializer.serialize_str(&base64::engine::general_purpose::STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use base64::Engine as _;
        let text = String::deserialize(deserializer)?;
        base64::engine::general_purpose::STANDARD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}

/// Station to portal. Each is idempotent: sent twice it gets the same answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "body", rename_all = "snake_case")]
pub enum Up {
    /// Asks for work.
    Pull(Pull),
    /// Keeps leases alive.
    Renew(Renew),
    /// Binds a key to a job and asks for that key's secrets.
    Secrets(SecretsRequest),
    /// Asks for both certificates.
    Certificates(CertificatesRequest),
    /// Asks for the parcel of an order of which every key is made.
    Parcel(ParcelRequest),
    /// Says what happened.
    Report(Report),
}

/// Portal to station. A reply carries the id of its request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "body", rename_all = "snake_case")]
pub enum Down {
    /// Answer to `Pull`.
    Lease(Lease),
    /// Answer to `Renew`.
    Renewed(Renewed),
    /// Answer to `Secrets`.
    Secrets(SecretsReply),
    /// Answer to `Certificates`.
    Certificates(CertificatesReply),
    /// Answer to `Parcel`.
    Parcel(Parcel),
    /// The report is on the portal's disk; the outbox may let it go.
    Ack(Ack),
    /// The request cannot be granted.
    Refused(Refused),
}

/// Asks for at most `capacity` more jobs for keys of these profiles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pull {
    /// How many jobs the station can take on now.
    pub capacity: u16,
    /// Profiles of the keys it can make, `vendor/model`.
    pub profiles: Vec<String>,
    /// Jobs it holds already.
    pub holding: Vec<JobId>,
}

/// Jobs leased to the station. An order is always leased whole, so that its parcel is packed in one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The jobs, in the order in which they should be made.
    pub jobs: Vec<JobOrder>,
    /// How long the lease holds, in seconds from now.
    pub seconds: u32,
}

/// What the station must know to make one key. No personal data beyond what is printed on the bench screen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobOrder {
    /// The job.
    pub job: JobId,
    /// How many keys the order has.
    pub quantity: u16,
    /// The programme's id.
    pub programme: String,
    /// The programme's title, for the screen.
    pub programme_title: String,
    /// Whose key it is, for the screen.
    pub holder: String,
    /// Whether the certificate is a unit's or a person's.
    pub certificate: CertificateKind,
    /// Profiles of keys that may be used for it; empty = any.
    pub profiles: Vec<String>,
}

/// Unit or personal certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateKind {
    /// 单位证书.
    Unit,
    /// 个人证书.
    Personal,
}

/// Keeps the leases of these jobs alive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renew {
    /// The jobs held.
    pub jobs: Vec<JobId>,
}

/// Which leases still hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewed {
    /// Still leased to this station.
    pub kept: Vec<JobId>,
    /// No longer: do not begin these, report what was begun.
    pub lost: Vec<JobId>,
    /// How long the kept leases hold, in seconds from now.
    pub seconds: u32,
}

/// Binds `key` to `job`. The portal refuses a key that served another job and a job that has another key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretsRequest {
    /// The job.
    pub job: JobId,
    /// The blank in the slot.
    pub key: KeyId,
    /// Its profile.
    pub profile: String,
    /// Label of the factory device key, from the profile.
    pub factory_device_key: String,
    /// The station's name of this attempt, such as `job/<job>/A01/1763770000000`: 1 to 200 bytes, the same in every repetition, never used again.
    /// Its `JobEnded` report has the id `ended:<attempt>`; once that is stored, a late copy of this request binds nothing.
    /// Empty only in a message of a program that did not know it; the portal refuses that.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub attempt: String,
}

/// The secrets of one key, sealed to the station's SM2 key: DER SM2Cipher over the JSON of [`KeySecrets`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretsReply {
    /// The job.
    pub job: JobId,
    /// The key.
    pub key: KeyId,
    /// The sealed secrets.
    pub sealed: Bytes,
    /// The lot of blanks that the key was delivered in, if it is registered: failures are counted by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lot: Option<String>,
}

/// What is inside `sealed`. Lives in memory for the job only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySecrets {
    /// The key these belong to: a reply opened for another key is refused.
    pub key: KeyId,
    /// Factory device authentication key, 16 bytes, hex.
    pub factory_device_key: String,
    /// New device authentication key, 16 bytes, hex.
    pub device_key: String,
    /// Admin PIN, as typed.
    pub admin_pin: String,
    /// Initial user PIN, as typed.
    pub user_pin: String,
}

impl Drop for KeySecrets {
    fn drop(&mut self) {
        use zeroize::Zeroize as _;
        self.factory_device_key.zeroize();
        self.device_key.zeroize();
        self.admin_pin.zeroize();
        self.user_pin.zeroize();
    }
}

impl std::fmt::Debug for KeySecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeySecrets({}, redacted)", self.key)
    }
}

/// Asks for certificates. The request id is made of job, key and public key digest, so the same request gets the same certificates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificatesRequest {
    /// The job.
    pub job: JobId,
    /// The key.
    pub key: KeyId,
    /// PKCS#10, DER, signed on the key.
    pub request: Bytes,
}

/// Both certificates and the encryption key pair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificatesReply {
    /// The job.
    pub job: JobId,
    /// The key.
    pub key: KeyId,
    /// Signing certificate, DER.
    pub sign_certificate: Bytes,
    /// Encryption certificate, DER.
    pub enc_certificate: Bytes,
    /// GM/T 0009 SM2EnvelopedKey, DER: the encryption private key for the signing key.
    pub enveloped_key: Bytes,
}

/// Asks for the parcel of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParcelRequest {
    /// The order.
    pub order: OrderNumber,
}

/// A waybill and what the label shows. Names and numbers are masked here already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parcel {
    /// The order.
    pub order: OrderNumber,
    /// SF's number.
    pub waybill: String,
    /// SF's `destRouteLabel`, printed whole.
    pub dest_route_label: String,
    /// SF's `codingMapping`.
    pub coding_mapping: String,
    /// SF's `proName`.
    pub product: String,
    /// SF's `twoDimensionCode`, printed verbatim.
    pub two_dimension_code: String,
    /// 付款方式: 到付.
    pub payment: String,
    /// The customer's side.
    pub receiver: Party,
    /// Our side.
    pub sender: Party,
    /// 托寄物.
    pub goods: String,
    /// How many keys are inside.
    pub quantity: u16,
    /// The serials of the keys inside, for the pack check.
    pub key_serials: Vec<String>,
}

/// One side of a parcel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// Name, masked for the receiver.
    pub name: String,
    /// Mobile, masked.
    pub mobile: String,
    /// Company, if any.
    pub company: String,
    /// Province, city, county and street in one line.
    pub address: String,
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Which rule.
    pub code: RefusedCode,
    /// For people: what and what to do.
    pub detail: String,
}

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusedCode {
    /// Not leased to this station.
    NotLeased,
    /// The key serves or served another job.
    KeyUsed,
    /// The job has another key.
    JobHasKey,
    /// The request is wrong: repeating it will not help.
    Invalid,
    /// The order cannot be certified as it stands: it must be corrected at the portal. No key was bound; the job is stuck there.
    OrderWrong,
    /// The station is not enrolled or is disabled: nothing is wrong with the request, ask again later.
    NotActive,
    /// The key does not stand in the portal's stock of blanks.
    NotRegistered,
    /// Not now (SF, the HSM or the database does not answer): ask again later.
    Later,
}
