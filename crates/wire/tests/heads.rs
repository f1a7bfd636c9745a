//! Signed heads: what is signed is fixed, and any change of any part is seen.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use gm::SigningKey;
use proptest::prelude::*;
use wire::{Chain, HeadError, PortalHead, SignedHead};

fn signed(chain: Chain, key: &SigningKey, sequence: u64, head: [u8; 32]) -> SignedHead {
    SignedHead::new(sequence, &head, &key.sign(&chain.message(sequence, &head)).unwrap())
}

#[test]
fn p8_what_is_signed_stays_what_it_is() {
    let journal = Chain::Journal.message(0x0102, &[0xab; 32]);
    let text = "756b6579206a6f75726e616c2068656164203100"; // "ukey journal head 1" and a zero byte
    assert_eq!(hex::encode(&journal), format!("{text}0000000000000102{}", "ab".repeat(32)));
    let portal = Chain::Portal.message(0x0102, &[0xab; 32]);
    let text = "756b657920706f7274616c2068656164203100"; // "ukey portal head 1" and a zero byte
    assert_eq!(hex::encode(portal), format!("{text}0000000000000102{}", "ab".repeat(32)));
}

#[test]
fn p8_a_head_counts_for_its_chain_sequence_head_and_key_alone() {
    let (key, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let right = signed(Chain::Journal, &key, 7, [1; 32]);
    assert_eq!(right.verified(Chain::Journal, &key.public_key()), Ok([1; 32]));
    assert_eq!(right.verified(Chain::Portal, &key.public_key()), Err(HeadError::Signature));
    assert_eq!(right.verified(Chain::Journal, &other.public_key()), Err(HeadError::Signature));
    let later = SignedHead { sequence: 8, ..right.clone() };
    assert_eq!(later.verified(Chain::Journal, &key.public_key()), Err(HeadError::Signature));
    let changed = SignedHead { head: "02".repeat(32), ..right.clone() };
    assert_eq!(changed.verified(Chain::Journal, &key.public_key()), Err(HeadError::Signature));
    let short = SignedHead { head: "02".repeat(31), ..right.clone() };
    assert_eq!(short.verified(Chain::Journal, &key.public_key()), Err(HeadError::Head));
    let zero = SignedHead { signature: "00".repeat(64), ..right };
    assert_eq!(zero.verified(Chain::Journal, &key.public_key()), Err(HeadError::Form));

    let signed = signed(Chain::Portal, &key, 7, [1; 32]);
    let head = PortalHead { signed, key: hex::encode(key.public_key().xy()) };
    assert_eq!(head.verified(), Ok([1; 32]));
    let foreign = PortalHead { key: hex::encode(other.public_key().xy()), ..head.clone() };
    assert_eq!(foreign.verified(), Err(HeadError::Signature));
    assert_eq!(PortalHead { key: "no point".to_owned(), ..head }.verified(), Err(HeadError::Signature));
}

proptest! {
    #[test]
    fn p8_no_text_panics_the_check(sequence: u64, head in "[0-9a-f]{0,70}|\\PC{0,9}", signature in "[0-9a-f]{0,130}", key in "[0-9a-f]{126,130}") {
        let told = PortalHead { signed: SignedHead { sequence, head, signature }, key };
        prop_assert!(told.verified().is_err());
    }
}
