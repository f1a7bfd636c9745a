//! Whatever comes in: no panic, and no write without 9000 (or a counted wrong try).

use proptest::prelude::*;
use ukey::{apdu::Command, ins};

use crate::testing::{Bench, big, little, odd};

/// Commands that get past the first checks: known instructions, and data that begins like the real ones.
fn command() -> impl Strategy<Value = Vec<u8>> {
    let ins = prop_oneof![
        4 => proptest::sample::select(vec![
            ins::SET_LABEL, ins::GET_DEV_INFO, ins::DEV_AUTH, ins::CHANGE_DEV_AUTH_KEY, ins::GET_PIN_INFO,
            ins::CHANGE_PIN, ins::VERIFY_PIN, ins::UNBLOCK_PIN, ins::CLEAR_SECURE_STATE, ins::CREATE_APPLICATION,
            ins::ENUM_APPLICATION, ins::DELETE_APPLICATION, ins::OPEN_APPLICATION, ins::CLOSE_APPLICATION,
            ins::CREATE_FILE, ins::DELETE_FILE, ins::ENUM_FILES, ins::GET_FILE_INFO, ins::READ_FILE,
            ins::WRITE_FILE, ins::CREATE_CONTAINER, ins::OPEN_CONTAINER, ins::CLOSE_CONTAINER,
            ins::ENUM_CONTAINER, ins::DELETE_CONTAINER, ins::GET_CONTAINER_INFO, ins::IMPORT_CERTIFICATE,
            ins::EXPORT_CERTIFICATE, ins::GEN_RANDOM, ins::GEN_ECC_KEY_PAIR, ins::IMPORT_ECC_KEY_PAIR,
            ins::ECC_SIGN_DATA, ins::EXPORT_PUBLIC_KEY,
        ]),
        1 => any::<u8>(),
    ];
    let start = proptest::sample::select(vec![
        &b""[..],
        &[0x10, 0],
        &[0x10, 0, 0x30, 1],
        b"Procurement",
        &[0x10, 0, b's', b'e', b'a', b'l'],
    ]);
    let length =
        prop_oneof![0..8_usize, Just(12), Just(14), Just(16), Just(18), Just(28), Just(32), 0..300_usize];
    let tail = length.prop_flat_map(|len| proptest::collection::vec(prop_oneof![Just(0), any::<u8>()], len));
    let small = prop_oneof![Just(0), Just(1), Just(2), Just(0x10), any::<u8>()];
    let le = prop_oneof![Just(None), Just(Some(0)), Just(Some(8)), any::<Option<u16>>()];
    (prop_oneof![Just(0x80), Just(0x84), any::<u8>()], ins, small.clone(), small, start, tail, le).prop_map(
        |(cla, ins, p1, p2, start, tail, le)| {
            let mut command = Command::new(ins, p1, p2).with_data([start, &tail].concat());
            (command.cla, command.le) = (cla, le);
            command.encode().expect("short").to_vec()
        },
    )
}

fn check(bench: &mut Bench, apdu: &[u8]) -> Result<(), TestCaseError> {
    let before = bench.file();
    let (_, status) = bench.send(apdu);
    if status != 0x9000 && status & 0xFFF0 != 0x63C0 {
        prop_assert_eq!(bench.file(), before, "{:02X?} answered {:04X} and wrote", apdu, status);
    }
    prop_assert_eq!(bench.key.summary(), bench.reread());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_bytes_panic_and_none_write_unless_they_succeed(
        dialect in proptest::sample::select(vec![big(), little(), odd()]),
        apdus in proptest::collection::vec(prop_oneof![
            4 => command(),
            1 => proptest::collection::vec(any::<u8>(), 0..80),
        ], 1..60),
    ) {
        let (mut bench, _, _) = Bench::issued(dialect);
        for apdu in &apdus {
            check(&mut bench, apdu)?;
        }
        let mut blank = Bench::new(dialect);
        for apdu in &apdus {
            check(&mut blank, apdu)?;
        }
    }
}
