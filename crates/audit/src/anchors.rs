//! Anchors: heads that were given to somebody else, signed by the station, while the work was done.
//!
//! A file of JSON lines, one an anchor:
//! `{"sequence":1234,"head":"<64 hex>","signature_hex":"<128 hex, r then s>","station_public_key_hex":"<128 hex, X then Y>"}`.
//! The signature is SM2 with SM3 and the usual id over [`message`].

use gm::{PublicKey, Signature};

use crate::{
    finding::{Finding, Kind},
    format::Hash,
    history::Piece,
    portal_heads::Keys,
};

/// One line of the file.
#[derive(Clone, Debug, serde::Deserialize, serde::Serialize)]
pub struct Anchor {
    /// How many links the chain had.
    pub sequence: u64,
    /// The head of the last of them.
    pub head: String,
    /// The station's signature.
    pub signature_hex: String,
    /// The station's key.
    pub station_public_key_hex: String,
}

/// What a station signs: `ukey journal head 1`, a zero byte, the sequence in 8 bytes big-endian, the head.
#[must_use]
pub fn message(sequence: u64, head: &[u8; 32]) -> Vec<u8> {
    [b"ukey journal head 1\0".as_slice(), &sequence.to_be_bytes(), head].concat()
}

/// Reads a file of anchors; empty lines are passed over.
///
/// # Errors
/// The first line that is not an anchor, by number, and why.
pub fn read(text: &str) -> Result<Vec<Anchor>, String> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let read = lines.map(|(at, line)| {
        serde_json::from_str(line).map_err(|e| format!("line {} is not an anchor: {e}", at + 1))
    });
    read.collect()
}

/// Head and key of an anchor whose signature is right.
fn opened(anchor: &Anchor) -> Result<(Hash, &str), &'static str> {
    let bytes = |hex: &str| hex::decode(hex).map_err(|_| "it is not hexadecimal");
    let head: Hash = bytes(&anchor.head)?.try_into().map_err(|_| "its head has not 32 bytes")?;
    let key: [u8; 64] =
        bytes(&anchor.station_public_key_hex)?.try_into().map_err(|_| "its key has not 64 bytes")?;
    let signature: [u8; 64] =
        bytes(&anchor.signature_hex)?.try_into().map_err(|_| "its signature has not 64 bytes")?;
    let key = PublicKey::from_xy(&key).map_err(|_| "its key is no point of the curve")?;
    let signature = Signature::from_rs(&signature).map_err(|_| "its signature is out of range")?;
    key.verify(&message(anchor.sequence, &head), &signature).map_err(|_| "its signature is wrong")?;
    Ok((head, &anchor.station_public_key_hex))
}

/// Holds the history against what others know of it. `keys`: the station's public keys in hex, as far as they are
/// known from elsewhere.
pub(crate) fn check(anchors: &[Anchor], keys: &[String], pieces: &[Piece], findings: &mut Vec<Finding>) {
    let end = pieces.last().map_or(0, |piece| piece.sequence);
    let mut keys = Keys::new(keys.iter());
    let mut sorted: Vec<&Anchor> = anchors.iter().collect();
    sorted.sort_by_key(|anchor| anchor.sequence);
    let mut good = 0;
    for anchor in sorted {
        let sequence = anchor.sequence;
        let (head, signer) = match opened(anchor) {
            Ok(opened) => opened,
            Err(why) => {
                findings.push(Finding::new(
                    Kind::Anchor,
                    sequence,
                    format!("its anchor proves nothing: {why}"),
                ));
                continue;
            }
        };
        if !keys.accept(signer) {
            let text = "its anchor was signed by another key: if the station was enrolled anew, name each of its keys";
            findings.push(Finding::new(Kind::Anchor, sequence, text));
            continue;
        }
        if sequence > end {
            findings.push(Finding::new(
                Kind::Cut,
                end + 1,
                format!("the journal ends at link {end}, an anchor knows link {sequence}"),
            ));
            continue;
        }
        let at = pieces.binary_search_by_key(&sequence, |piece| piece.sequence);
        match at.ok().and_then(|at| pieces.get(at)) {
            // A link that is missing was told as a gap.
            None if sequence > 0 => {}
            Some(piece) if piece.link.head != head => findings.push(Finding::new(
                Kind::Edit,
                sequence,
                format!(
                    "the anchor has another head: something in links {} to {sequence} was written anew",
                    good + 1
                ),
            )),
            _ => good = sequence,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn p8_no_text_panics(text: String, sequence: u64, fields in "[0-9a-f]{0,130}") {
            let _ = read(&text);
            let anchor = Anchor { sequence, head: fields.clone(), signature_hex: fields.clone(), station_public_key_hex: fields };
            let mut findings = Vec::new();
            check(&[anchor], &[], &[], &mut findings);
            prop_assert!(!findings.is_empty());
        }
    }
}
