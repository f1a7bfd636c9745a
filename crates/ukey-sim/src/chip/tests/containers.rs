//! Containers and certificates.

use ukey::{fields::Reader, ins};

use crate::testing::{Bench, CONTAINER, USER, USER_PIN, big, little};

#[test]
fn containers_are_created_opened_listed_and_deleted() {
    let mut bench = Bench::new(big());
    bench.create();
    let (app, id) = bench.container();
    let named = |name: &[u8]| [&app[..], name].concat();
    assert_eq!(bench.status(ins::CREATE_CONTAINER, 0, 0, &named(b"seal")), 0x6E02);
    assert_eq!(bench.ok(ins::OPEN_CONTAINER, 0, 0, &named(b"seal")), id, "an open container keeps its id");
    assert_eq!(bench.status(ins::OPEN_CONTAINER, 0, 0, &named(b"none")), 0x6A91);
    let second = bench.ok(ins::CREATE_CONTAINER, 0, 0, &named(b"second"));
    assert_ne!(second, id);
    assert_eq!(
        bench.status(ins::CREATE_CONTAINER, 0, 0, &named(b"third")),
        0x6A84,
        "the application takes two"
    );
    assert_eq!(bench.ok(ins::ENUM_CONTAINER, 0, 0, &app), b"seal\0second\0");
    bench.ok(ins::DELETE_CONTAINER, 0, 0, &named(b"seal"));
    assert_eq!(bench.status(ins::DELETE_CONTAINER, 0, 0, &named(b"seal")), 0x6A91);
    assert_eq!(bench.status(ins::EXPORT_PUBLIC_KEY, 1, 0, &[app, id].concat()), 0x6A94);
    bench.ok(ins::CLOSE_CONTAINER, 0, 0, &[&app[..], &second].concat());
    assert_eq!(bench.status(ins::CLOSE_CONTAINER, 0, 0, &[&app[..], &second].concat()), 0x6A94);
}

#[test]
fn container_names_have_1_to_34_bytes() {
    let mut bench = Bench::new(big());
    bench.create();
    let app = bench.open();
    assert_eq!(bench.verify(app, USER, USER_PIN), 0x9000);
    for name in [&b""[..], &[b'n'; 35], b"a\tb", b"\xff\xfe"] {
        assert_eq!(bench.status(ins::CREATE_CONTAINER, 0, 0, &[&app[..], name].concat()), 0x6A80);
    }
    bench.ok(ins::CREATE_CONTAINER, 0, 0, &[&app[..], "合同专用章".as_bytes()].concat());
}

#[test]
fn user_commands_want_the_user() {
    let (mut bench, app, id) = Bench::issued(big());
    bench.ok(ins::CLEAR_SECURE_STATE, 0, 0, &app);
    let ids = [app, id].concat();
    let before = bench.file();
    for (ins, p1, data) in [
        (ins::CREATE_CONTAINER, 0, [&app[..], b"second"].concat()),
        (ins::DELETE_CONTAINER, 0, [&app[..], CONTAINER.as_bytes()].concat()),
        (ins::GEN_ECC_KEY_PAIR, 0, bench.ids(app, id).u32(256).finish()),
        (ins::ECC_SIGN_DATA, 2, [&ids[..], &[7; 32]].concat()),
        (ins::IMPORT_CERTIFICATE, 0, bench.certificate(app, id, 1, b"der")),
        (ins::CREATE_FILE, 0, Vec::new()),
    ] {
        let (p1, p2, data) = if ins == ins::CREATE_FILE {
            (app[0], app[1], bench.ids([b'f', 0], [0, 0]).zeros(28).u32(8).u32(0x10).u32(0x10).finish())
        } else {
            (p1, 0, data)
        };
        assert_eq!(bench.status(ins, p1, p2, &data), 0x6982, "INS {ins:02X}");
    }
    assert_eq!(bench.file(), before);
    // What is public stays readable.
    bench.ok(ins::EXPORT_PUBLIC_KEY, 1, 0, &ids);
    bench.ok(ins::ENUM_CONTAINER, 0, 0, &app);
}

#[test]
fn a_certificate_wants_its_key_pair() {
    for dialect in [big(), little()] {
        let mut bench = Bench::new(dialect);
        bench.create();
        let (app, id) = bench.container();
        let ids = [app, id].concat();
        let der = vec![0x30; 600];
        for half in [0, 1] {
            let data = bench.certificate(app, id, half, &der);
            assert_eq!(bench.status(ins::IMPORT_CERTIFICATE, 0, 0, &data), 0x6A95, "half {half}");
        }
        assert_eq!(bench.status(ins::EXPORT_CERTIFICATE, 1, 0, &ids), 0x6A96);
        bench.ok(ins::GEN_ECC_KEY_PAIR, 0, 0, &bench.ids(app, id).u32(256).finish());
        assert_eq!(bench.status(ins::EXPORT_CERTIFICATE, 1, 0, &ids), 0x6A96);
        let data = bench.certificate(app, id, 1, &der);
        bench.ok(ins::IMPORT_CERTIFICATE, 0, 0, &data);
        let data = bench.certificate(app, id, 0, &der);
        assert_eq!(bench.status(ins::IMPORT_CERTIFICATE, 0, 0, &data), 0x6A95, "there is no encryption pair");
        let reply = bench.ok(ins::EXPORT_CERTIFICATE, 1, 0, &ids);
        let mut from = Reader::new(&reply, dialect.byte_order);
        assert_eq!((from.u32(), from.rest()), (Some(600), &der[..]));
    }
}

#[test]
fn certificates_have_a_limit_and_tell_their_length() {
    let (mut bench, app, id) = Bench::issued(big());
    let largest = bench.certificate(app, id, 1, &[0x30; 2048]);
    bench.ok(ins::IMPORT_CERTIFICATE, 0, 0, &largest);
    let larger = bench.certificate(app, id, 1, &[0x30; 2049]);
    assert_eq!(bench.status(ins::IMPORT_CERTIFICATE, 0, 0, &larger), 0x6A84);
    assert_eq!(bench.status(ins::IMPORT_CERTIFICATE, 0, 0, &largest[..900]), 0x6700);
    let empty = bench.certificate(app, id, 1, &[]);
    assert_eq!(bench.status(ins::IMPORT_CERTIFICATE, 0, 0, &empty), 0x6700);
    let unknown = bench.certificate(app, id, 2, b"der");
    assert_eq!(bench.status(ins::IMPORT_CERTIFICATE, 0, 0, &unknown), 0x6A80);
    assert_eq!(bench.status(ins::EXPORT_CERTIFICATE, 2, 0, &[app, id].concat()), 0x6A86);
}

#[test]
fn container_info_follows_what_is_in_it() {
    let mut bench = Bench::new(big());
    bench.create();
    let (app, id) = bench.container();
    let named = [&app[..], CONTAINER.as_bytes()].concat();
    let info = |bench: &mut Bench| bench.ok(ins::GET_CONTAINER_INFO, 0, 0, &named);
    assert_eq!(info(&mut bench), [0; 11]);
    bench.ok(ins::GEN_ECC_KEY_PAIR, 0, 0, &bench.ids(app, id).u32(256).finish());
    assert_eq!(info(&mut bench), [2, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    let data = bench.certificate(app, id, 1, b"der");
    bench.ok(ins::IMPORT_CERTIFICATE, 0, 0, &data);
    assert_eq!(info(&mut bench), [2, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0]);
}
