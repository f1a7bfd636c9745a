//! Key pairs, envelopes, signatures.

use gm::{PublicKey, Signature, SigningKey, envelope::EnvelopedKey};
use profile::dialect::{Alignment, Dialect};
use ukey::{fields::Reader, ins};

use crate::testing::{Bench, USER, USER_PIN, big, little, odd};

fn public(bench: &mut Bench, app: [u8; 2], id: [u8; 2], half: u8) -> PublicKey {
    let reply = bench.ok(ins::EXPORT_PUBLIC_KEY, half, 0, &[app, id].concat());
    let mut from = Reader::new(&reply, bench.dialect.byte_order);
    if bench.dialect.replies.public_key_has_bits {
        assert_eq!(from.u32(), Some(256));
    }
    PublicKey::from_xy(from.rest().try_into().unwrap()).unwrap()
}

fn signature(reply: &[u8], dialect: &Dialect) -> Signature {
    let mut from = Reader::new(reply, dialect.byte_order);
    if dialect.replies.signature_has_prefix {
        assert_eq!(from.u32(), Some(256));
    }
    Signature::from_rs(from.rest().try_into().unwrap()).unwrap()
}

fn import(bench: &Bench, app: [u8; 2], id: [u8; 2], envelope: &EnvelopedKey) -> Vec<u8> {
    let (fields, dialect) = (envelope.fields(), &bench.dialect);
    let private = match dialect.envelope.alignment {
        Alignment::Right => [[0; 32], fields.encrypted_private].concat(),
        Alignment::Left => [fields.encrypted_private, [0; 32]].concat(),
    };
    bench
        .ids(app, id)
        .u32(dialect.envelope.version)
        .u32(0x401)
        .u32(256)
        .u32(64)
        .bytes(&private)
        .bytes(&fields.public_key.xy())
        .u32(256)
        .bytes(&fields.c1)
        .bytes(&fields.c3)
        .u32(16)
        .bytes(&fields.c2)
        .finish()
}

#[test]
fn both_ways_of_signing_verify_with_the_public_key() {
    for dialect in [big(), little(), odd()] {
        let (mut bench, app, id) = Bench::issued(dialect);
        let key = public(&mut bench, app, id, 1);
        let message = b"tender 7";
        let data = bench.ids(app, id).bytes(&key.e(message)).finish();
        let reply = bench.ok(ins::ECC_SIGN_DATA, 2, 0, &data);
        key.verify(message, &signature(&reply, &dialect)).unwrap();
        let data = bench.ids(app, id).u32(16).bytes(gm::DEFAULT_ID).bytes(message).finish();
        let reply = bench.ok(ins::ECC_SIGN_DATA, 1, 0, &data);
        key.verify(message, &signature(&reply, &dialect)).unwrap();
    }
}

#[test]
fn what_cannot_be_signed_is_refused() {
    let (mut bench, app, id) = Bench::issued(big());
    let ids = [app, id].concat();
    assert_eq!(bench.status(ins::ECC_SIGN_DATA, 2, 0, &[&ids[..], &[1; 31]].concat()), 0x6700);
    assert_eq!(bench.status(ins::ECC_SIGN_DATA, 2, 0, &[&ids[..], &[1; 33]].concat()), 0x6700);
    assert_eq!(bench.status(ins::ECC_SIGN_DATA, 3, 0, &[&ids[..], &[1; 32]].concat()), 0x6A86);
    let other = bench.ids(app, id).u32(3).bytes(b"bob").bytes(b"message").finish();
    assert_eq!(bench.status(ins::ECC_SIGN_DATA, 1, 0, &other), 0x6A81, "only the usual signer id");
    let too_long = bench.ids(app, id).u32(u32::MAX).bytes(b"bob").finish();
    assert_eq!(bench.status(ins::ECC_SIGN_DATA, 1, 0, &too_long), 0x6700);
}

#[test]
fn signing_wants_a_key_pair() {
    let mut bench = Bench::new(big());
    bench.create();
    let (app, id) = bench.container();
    let ids = [app, id].concat();
    assert_eq!(bench.status(ins::ECC_SIGN_DATA, 2, 0, &[&ids[..], &[1; 32]].concat()), 0x6A95);
    assert_eq!(bench.status(ins::EXPORT_PUBLIC_KEY, 1, 0, &ids), 0x6A95);
    assert_eq!(bench.status(ins::GEN_ECC_KEY_PAIR, 0, 0, &bench.ids(app, id).u32(2048).finish()), 0x6A80);
}

#[test]
fn a_new_key_pair_replaces_key_and_certificate() {
    let (mut bench, app, id) = Bench::issued(big());
    let first = public(&mut bench, app, id, 1);
    let data = bench.certificate(app, id, 1, b"der");
    bench.ok(ins::IMPORT_CERTIFICATE, 0, 0, &data);
    bench.ok(ins::GEN_ECC_KEY_PAIR, 0, 0, &bench.ids(app, id).u32(256).finish());
    assert_ne!(public(&mut bench, app, id, 1), first);
    assert_eq!(bench.status(ins::EXPORT_CERTIFICATE, 1, 0, &[app, id].concat()), 0x6A96);
}

#[test]
fn the_reply_of_key_generation_is_the_public_key() {
    for dialect in [big(), little()] {
        let (mut bench, app, id) = Bench::issued(dialect);
        let reply = bench.ok(ins::GEN_ECC_KEY_PAIR, 0, 0, &bench.ids(app, id).u32(256).finish());
        let xy = if dialect.replies.key_pair_has_bits { &reply[4..] } else { &reply[..] };
        assert_eq!(xy, public(&mut bench, app, id, 1).xy());
    }
}

#[test]
fn an_envelope_to_the_signing_key_brings_the_encryption_pair() {
    for dialect in [big(), little(), odd()] {
        let (mut bench, app, id) = Bench::issued(dialect);
        let pair = SigningKey::generate().unwrap();
        let sign = public(&mut bench, app, id, 1);
        let envelope = EnvelopedKey::seal(&pair.to_secret(), &sign).unwrap();
        let data = import(&bench, app, id, &envelope);
        assert_eq!(data.len(), 268);
        bench.ok(ins::IMPORT_ECC_KEY_PAIR, 0, 0, &data);
        assert_eq!(public(&mut bench, app, id, 0), pair.public_key());
        assert_eq!(public(&mut bench, app, id, 1), sign, "the signing pair stays");
        // The private half is the one that was sealed.
        let flash = crate::store::read(&bench.path).unwrap();
        let stored = flash.applications[0].containers[0].encryption.as_ref().unwrap();
        assert_eq!(stored.private.0, pair.to_secret());
        let data = bench.certificate(app, id, 0, b"der");
        bench.ok(ins::IMPORT_CERTIFICATE, 0, 0, &data);
    }
}

#[test]
fn an_envelope_that_does_not_fit_is_refused() {
    let (mut bench, app, id) = Bench::issued(big());
    let (pair, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let sign = public(&mut bench, app, id, 1);
    let good = EnvelopedKey::seal(&pair.to_secret(), &sign).unwrap();
    let before = bench.file();
    let refused = |bench: &mut Bench, data: &[u8]| bench.status(ins::IMPORT_ECC_KEY_PAIR, 0, 0, data);

    let to_other = EnvelopedKey::seal(&pair.to_secret(), &other.public_key()).unwrap();
    let data = import(&bench, app, id, &to_other);
    assert_eq!(refused(&mut bench, &data), 0x6A9B, "sealed to another key");

    let mut fields = good.fields();
    fields.public_key = other.public_key();
    let data = import(&bench, app, id, &EnvelopedKey::from_fields(fields).unwrap());
    assert_eq!(refused(&mut bench, &data), 0x6A9B, "d*G is not the public key");

    let mut fields = good.fields();
    fields.c3[0] ^= 1;
    let data = import(&bench, app, id, &EnvelopedKey::from_fields(fields).unwrap());
    assert_eq!(refused(&mut bench, &data), 0x6A9B, "C3 is wrong");

    let good = import(&bench, app, id, &good);
    let with = |at: usize, bytes: &[u8]| {
        let mut data = good.clone();
        data[at..at + bytes.len()].copy_from_slice(bytes);
        data
    };
    for (what, data, status) in [
        ("another version", with(4, &[0, 0, 0, 9]), 0x6A81),
        ("another cipher", with(8, &[0, 0, 1, 1]), 0x6A99),
        ("other bits", with(12, &[0, 0, 0, 1]), 0x6A80),
        ("a private key of 32", with(16, &[0, 0, 0, 32]), 0x6700),
        ("no point", with(84, &[0xFF; 64]), 0x6A8D),
        ("C1 no point", with(152, &[0xFF; 64]), 0x6A8D),
        ("an SM4 key of 32", with(248, &[0, 0, 0, 32]), 0x6700),
        ("one byte less", good[..267].to_vec(), 0x6700),
    ] {
        assert_eq!(refused(&mut bench, &data), status, "{what}");
    }
    assert_eq!(bench.file(), before);
    assert_eq!(refused(&mut bench, &good), 0x9000);
}

#[test]
fn an_envelope_wants_the_signing_pair_first() {
    let mut bench = Bench::new(big());
    bench.create();
    let (app, id) = bench.container();
    let (pair, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let envelope = EnvelopedKey::seal(&pair.to_secret(), &other.public_key()).unwrap();
    let data = import(&bench, app, id, &envelope);
    assert_eq!(bench.status(ins::IMPORT_ECC_KEY_PAIR, 0, 0, &data), 0x6A95);
    bench.ok(ins::CLEAR_SECURE_STATE, 0, 0, &app);
    assert_eq!(bench.status(ins::IMPORT_ECC_KEY_PAIR, 0, 0, &data), 0x6982);
    assert_eq!(bench.verify(app, USER, USER_PIN), 0x9000);
}
