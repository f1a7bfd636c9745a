//! The standards' own examples.
#![allow(clippy::unwrap_used)]

use gm::{GmError, PublicKey, Signature, SigningKey, sm3};
use model::Secret;

fn bytes<const N: usize>(hex: &str) -> [u8; N] {
    hex::decode(hex).unwrap().try_into().unwrap()
}

/// The private key of the examples in GM/T 0003.5.
fn key() -> SigningKey {
    let d: [u8; 32] = bytes("3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8");
    SigningKey::from_secret(&Secret::new(d.to_vec())).unwrap()
}

#[test]
fn sm3_of_abc() {
    // GM/T 0004 appendix A.1.
    assert_eq!(sm3(b"abc"), bytes("66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"));
}

#[test]
fn the_signature_example() {
    // GM/T 0003.5 appendix A: key, Z, e, r and s.
    let public = key().public_key();
    let xy = bytes(
        "09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13",
    );
    assert_eq!(public, PublicKey::from_xy(&xy).unwrap());
    assert_eq!(public.z(), bytes("B2E14C5C79C6DF5B85F4FE7ED8DB7A262B9DA7E07CCB0EA9F4747B8CCDA8A4F3"));
    let e = public.e(b"message digest");
    assert_eq!(e, bytes("F0B43E94BA45ACCAACE692ED534382EB17E6AB5A19CE7B31F4486FDFC0D28640"));
    let rs = bytes(
        "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA",
    );
    let signature = Signature::from_rs(&rs).unwrap();
    assert_eq!(public.verify(b"message digest", &signature), Ok(()));
    assert_eq!(public.verify(b"message digesu", &signature), Err(GmError::SignatureWrong));
}

#[test]
fn the_encryption_example() {
    // GM/T 0003.5 appendix C: C1, C3 and C2 of "encryption standard".
    let sealed = concat!(
        "307c022004ebfc718e8d179862043226",
        "8e77feb6415e2ede0e073c0f4f640ecd2e149a73022100e858f9d81e5430a57b36daab8f950a3c64e6ee6a63094d99283aff767e124df0",
        "042059983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd8766",
        "041321886ca989ca9c7d58087307ca93092d651efa",
    );
    assert_eq!(gm::open(&key(), &hex::decode(sealed).unwrap()).unwrap(), Secret::from("encryption standard"));
}

#[test]
fn private_keys_end_at_n_minus_2() {
    let n = "FFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D541";
    for (last, legal) in [("21", true), ("22", false), ("23", false), ("24", false)] {
        let d = Secret::new(hex::decode(format!("{n}{last}")).unwrap());
        assert_eq!(SigningKey::from_secret(&d).is_ok(), legal, "{last}");
    }
    for len in [0, 31, 33] {
        assert!(SigningKey::from_secret(&Secret::new(vec![1; len])).is_err());
    }
    assert!(SigningKey::from_secret(&Secret::new(vec![0; 32])).is_err());
}

#[test]
fn no_debug_shows_the_private_key() {
    let text = format!("{:?} {:?}", key(), key().to_secret());
    assert!(!text.to_uppercase().contains("3945208F"), "{text}");
}
