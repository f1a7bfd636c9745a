//! Classes, instructions, lengths, parameters; device info, label, random bytes.

use ukey::{DeviceInfo, ins};

use crate::testing::{Bench, FACTORY, big, little, odd};

#[test]
fn unknown_commands_and_wrong_classes_are_refused() {
    let (mut bench, app, _) = Bench::issued(big());
    for (bytes, status) in [
        (vec![0x80, 0x99, 0, 0], 0x6D00),
        (vec![0x00, 0xA4, 0, 0], 0x6E00),
        (vec![0xC0, 0x0A, 0, 0], 0x6E00),
        // Secure messaging is for 12, 16 and 1A, and for nothing else.
        (vec![0x84, 0x04, 0, 0], 0x6E00),
        (vec![0x80, 0x12, 0, 0], 0x6E00),
        // RSA and session keys are not on this chip.
        (vec![0x80, 0x52, 0, 0], 0x6D00),
        (vec![0x80, 0xA4, 0, 0], 0x6D00),
    ] {
        assert_eq!(bench.send(&bytes), (Vec::new(), status), "{bytes:02X?}");
    }
    assert_eq!(bench.status(ins::CLEAR_SECURE_STATE, 0, 0, &app), 0x9000);
}

#[test]
fn lengths_are_extended_and_exact() {
    let mut bench = Bench::new(big());
    for bytes in [
        &[][..],
        &[0x80, 0x04],
        &[0x80, 0x50, 0, 0, 8],
        &[0x80, 0x04, 0, 0, 0, 0, 2, 1],
        &[0x80, 0x10, 0, 0, 0, 0, 1, 1],
        &[0x80, 0x04, 0, 0, 0, 0, 1, 1, 0, 0],
    ] {
        assert_eq!(bench.send(bytes).1, 0x6700, "{bytes:02X?}");
    }
    let large = vec![0; 4097];
    assert_eq!(bench.status(ins::SET_LABEL, 0, 0, &large), 0x6700);
}

#[test]
fn parameters_without_meaning_must_be_zero() {
    let mut bench = Bench::new(big());
    assert_eq!(bench.command(ins::GET_DEV_INFO, 1, 0, &[], Some(0)).1, 0x6A86);
    assert_eq!(bench.command(ins::GEN_RANDOM, 0, 1, &[], Some(8)).1, 0x6A86);
    assert_eq!(bench.status(ins::DEV_AUTH, 0, 2, &[0; 16]), 0x6A86);
    assert_eq!(Bench::new(little()).status(ins::DEV_AUTH, 0, 0, &[0; 16]), 0x6A86);
}

#[test]
fn device_info_tells_who_the_key_is() {
    for dialect in [big(), little(), odd()] {
        let mut bench = Bench::new(dialect);
        let (data, status) = bench.command(ins::GET_DEV_INFO, 0, 0, &[], Some(288));
        assert_eq!(status, 0x9000);
        assert_eq!(&data[164..172], b"T0000001");
        let info = DeviceInfo::parse(&data, dialect.byte_order).unwrap();
        assert_eq!((info.manufacturer.as_str(), info.max_command_data), ("ukey-station", 4096));
    }
}

#[test]
fn the_expected_length_of_device_info_depends_on_the_dialect() {
    for (dialect, le, status) in [
        (big(), Some(0), 0x9000),
        (big(), Some(287), 0x6C00),
        (little(), Some(0), 0x6C00),
        (little(), None, 0x6C00),
        (little(), Some(288), 0x9000),
    ] {
        assert_eq!(Bench::new(dialect).command(ins::GET_DEV_INFO, 0, 0, &[], le).1, status, "{le:?}");
    }
}

#[test]
fn a_command_refused_for_its_expected_length_leaves_nothing() {
    let mut bench = Bench::new(big());
    bench.create();
    let before = bench.file();
    assert_eq!(bench.command(ins::OPEN_APPLICATION, 0, 0, b"Procurement", Some(9)).1, 0x6C00);
    assert_eq!(bench.status(ins::CLOSE_APPLICATION, 0, 0, &[0x10, 0]), 0x698A, "it must not be open");
    let app = bench.open();
    bench.verify(app, 1, "12345678");
    let data = [&app[..], b"seal"].concat();
    assert_eq!(bench.command(ins::CREATE_CONTAINER, 0, 0, &data, Some(1)).1, 0x6C00);
    assert_eq!(bench.file(), before);
}

#[test]
fn random_bytes_differ_and_have_the_length_asked_for() {
    let mut bench = Bench::new(big());
    assert_ne!(bench.challenge(16), bench.challenge(16));
    for le in [None, Some(0), Some(257)] {
        assert_eq!(bench.command(ins::GEN_RANDOM, 0, 0, &[], le).1, 0x6C00, "{le:?}");
    }
}

#[test]
fn the_label_is_written_after_the_factory_stage_only() {
    let mut bench = Bench::new(big());
    assert_eq!(bench.authenticate(FACTORY), 0x9000);
    assert_eq!(bench.status(ins::SET_LABEL, 0, 0, b"Seal 1"), 0x6986);
    bench.create();
    assert_eq!(bench.status(ins::SET_LABEL, 0, 0, b"Seal 1"), 0x9000);
    assert_eq!(bench.reread().label, "Seal 1");
    assert_eq!(bench.status(ins::SET_LABEL, 0, 0, &[b'x'; 32]), 0x6700);
    assert_eq!(bench.status(ins::SET_LABEL, 0, 0, b"a\nb"), 0x6A80);
    assert_eq!(bench.reread().label, "Seal 1");
}
