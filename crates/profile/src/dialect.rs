//! How one family of keys speaks GM/T 0017: every point on which products were seen to differ (facts per field).

use serde::{Deserialize, Serialize};

/// Byte order of 32-bit and 16-bit integers inside command data. Coordinates, r, s and keys are big-endian everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ByteOrder {
    /// GM3000 and OSR keys.
    Big,
    /// AS568 and Sunyard keys.
    Little,
}

/// How a PIN becomes the 16-byte SM4 key of VerifyPIN, ChangePIN and UnblockPIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PinDigest {
    /// First 16 bytes of SHA-1 over the PIN padded with zeros to 16 bytes (AS568, Sunyard).
    Sha1Padded,
    /// First 16 bytes of SHA-1 over the PIN as typed (OSR).
    Sha1,
    /// First 16 bytes of SM3 over the PIN as typed (GM3000).
    Sm3,
}

/// The 16-byte plain block that VerifyPIN encrypts with SM4-ECB under the PIN's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PinBlock {
    /// 8 random bytes of GenRandom, 8 zeros (AS568, Sunyard).
    RandomZeros,
    /// `08 00`, 8 random bytes, `80`, 5 zeros (GM3000).
    LengthRandomMarker,
}

/// The cipher of device authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceAuthCipher {
    /// SM4-ECB.
    Sm4,
}

/// Device authentication (INS 10 and 12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DeviceAuth {
    /// The cipher.
    pub cipher: DeviceAuthCipher,
    /// P2 of DevAuth and ChangeDevAuthKey: 2 on AS568, 0 on OSR.
    pub p2: u8,
    /// How many random bytes are asked for and encrypted (8, then zeros to 16; or a full 16).
    pub random_len: u8,
    /// How many wrong tries the key allows before it locks for good.
    pub tries: u8,
}

/// Secure messaging on 12, 16 and 1A: SM4 CBC-MAC, IV = 8 random bytes and 8 zeros, first 4 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SecureMessaging {
    /// Transport bytes that AS568 puts in front of the MAC input (6 there, 0 elsewhere). They are zero.
    pub mac_prefix_len: u8,
    /// Whether one more padding block is added when the input is already aligned (AS568: true).
    pub pad_when_aligned: bool,
}

/// Which 32 bytes of the 64-byte encrypted private key the key uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Alignment {
    /// The last 32 bytes (AS568).
    Right,
    /// The first 32 bytes (Sunyard).
    Left,
}

/// The envelope of ImportECCKeyPair (INS 72).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Envelope {
    /// First 4-byte field: 1 as the version of GM/T 0016's blob; AS568 calls the field an algorithm id.
    pub version: u32,
    /// Length of the encrypted private key field: 64 (AS568) or 32 (Sunyard).
    pub private_key_len: u8,
    /// Where the private key sits in a field of 64.
    pub alignment: Alignment,
}

/// Algorithm ids sent in command data (GM/T 0006; products differ on SM2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AlgorithmIds {
    /// SGD_SM4_ECB, 0x401.
    pub sm4_ecb: u32,
    /// SGD_SM2_1 (signature): 0x20100 in older products, 0x20200 in newer ones.
    pub sm2_sign: u32,
    /// SGD_SM2_3 (encryption).
    pub sm2_encrypt: u32,
}

/// Whether ECC public keys in replies carry a 4-byte bit length in front of X and Y.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ReplyForms {
    /// GenECCKeyPair (INS 70): false on AS568 and Sunyard.
    pub key_pair_has_bits: bool,
    /// ExportPublicKey (INS 88): true wherever it was seen.
    pub public_key_has_bits: bool,
    /// ECCSignData (INS 74): 4 bytes stand before r and s.
    pub signature_has_prefix: bool,
}

/// A whole dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Dialect {
    /// Integers in command data.
    pub byte_order: ByteOrder,
    /// PIN to key.
    pub pin_digest: PinDigest,
    /// VerifyPIN's plain block.
    pub pin_block: PinBlock,
    /// Device authentication.
    pub device_auth: DeviceAuth,
    /// MAC quirks.
    pub secure_messaging: SecureMessaging,
    /// ImportECCKeyPair.
    pub envelope: Envelope,
    /// Algorithm ids.
    pub algorithm_ids: AlgorithmIds,
    /// Reply forms.
    pub replies: ReplyForms,
    /// Whether GetDevInfo must ask for exactly 288 bytes (AS568) instead of Le = 0.
    pub device_info_le_exact: bool,
    /// Whether the failed VerifyPIN's status word carries the true count (AS568: false; INS 14 is always asked first).
    pub pin_count_in_status: bool,
}
