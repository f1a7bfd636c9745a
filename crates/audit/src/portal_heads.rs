//! Heads of the portal's audit that stations kept in their journals, in streams `heads/<hour>`.
//!
//! A record is `{"sequence":1234,"head":"<64 hex>","signature":"<128 hex, r then s>","key":"<128 hex, X then Y>"}`, signed by the portal: SM2
//! with SM3 and the usual id over [`message`].

use std::collections::BTreeMap;

use gm::{PublicKey, Signature};

use crate::{format::Hash, show::each, verify::Evidence};

/// Streams of such heads begin so.
const STREAMS: &[u8] = b"heads/";

/// What the portal signs: `ukey portal head 1`, a zero byte, the sequence in 8 bytes big-endian, the head.
#[must_use]
pub fn message(sequence: u64, head: &[u8; 32]) -> Vec<u8> {
    [b"ukey portal head 1\0".as_slice(), &sequence.to_be_bytes(), head].concat()
}

/// A head as a station kept it.
#[derive(Clone, Debug)]
pub struct KnownHead {
    /// Where it was found, for people.
    pub(crate) origin: String,
    record: Option<Record>,
}

#[derive(Clone, Debug, serde::Deserialize)]
struct Record {
    sequence: u64,
    head: String,
    signature: String,
    key: String,
}

impl KnownHead {
    /// A record of a journal, whatever it holds.
    #[must_use]
    pub fn new(origin: String, record: Vec<u8>) -> Self {
        Self { origin, record: serde_json::from_slice(&record).ok() }
    }

    /// What it says of itself, true or not.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.record.as_ref().map_or(0, |record| record.sequence)
    }

    /// Sequence and head, if the signature is right and by one of `keys`.
    pub(crate) fn opened(&self, keys: &mut Keys) -> Result<(u64, Hash), &'static str> {
        let record = self.record.as_ref().ok_or("it cannot be read")?;
        let head: Hash = bytes(&record.head).ok_or("its head is not 64 hex digits")?;
        let key: [u8; 64] = bytes(&record.key).ok_or("its key is not 128 hex digits")?;
        let signature: [u8; 64] = bytes(&record.signature).ok_or("its signature is not 128 hex digits")?;
        let signer = PublicKey::from_xy(&key).map_err(|_| "its key is no point of the curve")?;
        let signature = Signature::from_rs(&signature).map_err(|_| "its signature is out of range")?;
        signer.verify(&message(record.sequence, &head), &signature).map_err(|_| "its signature is wrong")?;
        if keys.accept(&record.key) {
            Ok((record.sequence, head))
        } else {
            Err("it was signed by another key")
        }
    }
}

fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}

/// The keys whose signatures count. If none is known from elsewhere the first that is met is believed, and no other.
pub(crate) struct Keys(Vec<String>);

impl Keys {
    pub(crate) fn new<'a>(known: impl Iterator<Item = &'a String>) -> Self {
        Self(known.map(|key| key.to_ascii_lowercase()).collect())
    }

    pub(crate) fn accept(&mut self, key: &str) -> bool {
        let key = key.to_ascii_lowercase();
        if self.0.is_empty() {
            self.0.push(key);
            return true;
        }
        self.0.contains(&key)
    }

    pub(crate) fn first(&self) -> Option<String> {
        self.0.first().cloned()
    }
}

/// All heads that a journal holds, from store and archive; `journal` names it for people. It proves nothing of the journal:
/// [`crate::verify`] does.
#[must_use]
pub fn portal_heads(evidence: &Evidence, journal: &str) -> Vec<KnownHead> {
    let mut records = BTreeMap::new();
    each(evidence, |stream, number, record| {
        if stream.starts_with(STREAMS) {
            records.insert((stream.to_vec(), number), record.to_vec());
        }
    });
    let known = |((stream, number), record): ((Vec<u8>, u64), Vec<u8>)| {
        KnownHead::new(format!("record {number} of {} in {journal}", stream.escape_ascii()), record)
    };
    records.into_iter().map(known).collect()
}
