//! Files of an application.

use ukey::{fields::Writer, ins};

use crate::testing::{ADMIN, ADMIN_PIN, Bench, USER, USER_PIN, big, little};

fn attributes(bench: &Bench, name: &str, size: u32, read: u32, write: u32) -> Vec<u8> {
    let fields = Writer::new(bench.dialect.byte_order).padded(name.as_bytes(), 32).unwrap();
    fields.u32(size).u32(read).u32(write).finish()
}

fn place(bench: &Bench, app: [u8; 2], name: &str, offset: u16) -> Writer {
    let fields = Writer::new(bench.dialect.byte_order).bytes(&app);
    fields.u16(offset).u16(name.len() as u16).bytes(name.as_bytes())
}

fn write(bench: &mut Bench, app: [u8; 2], name: &str, offset: u16, data: &[u8]) -> u16 {
    let data = place(bench, app, name, offset).u16(data.len() as u16).bytes(data).finish();
    bench.status(ins::WRITE_FILE, 0, 0, &data)
}

fn logged_in(dialect: profile::Dialect) -> (Bench, [u8; 2]) {
    let mut bench = Bench::new(dialect);
    bench.create();
    let app = bench.open();
    assert_eq!(bench.verify(app, USER, USER_PIN), 0x9000);
    (bench, app)
}

#[test]
fn files_are_made_written_read_listed_and_deleted() {
    for dialect in [big(), little()] {
        let (mut bench, app) = logged_in(dialect);
        let data = attributes(&bench, "seal.png", 10, 0xFF, 0x10);
        bench.ok(ins::CREATE_FILE, app[0], app[1], &data);
        assert_eq!(bench.status(ins::CREATE_FILE, app[0], app[1], &data), 0x6A92);
        assert_eq!(write(&mut bench, app, "seal.png", 2, b"abc"), 0x9000);
        let from = place(&bench, app, "seal.png", 1).finish();
        assert_eq!(bench.command(ins::READ_FILE, 0, 0, &from, Some(5)), (b"\0abc\0".to_vec(), 0x9000));
        assert_eq!(bench.command(ins::READ_FILE, 0, 0, &from, Some(0)).0.len(), 9, "all there is");
        assert_eq!(bench.command(ins::READ_FILE, 0, 0, &from, None).1, 0x6C00);
        assert_eq!(bench.ok(ins::ENUM_FILES, app[0], app[1], &[]), b"seal.png\0");
        let info = Writer::new(dialect.byte_order).u32(10).u32(0xFF).u32(0x10).finish();
        assert_eq!(bench.ok(ins::GET_FILE_INFO, app[0], app[1], b"seal.png"), info);
        bench.ok(ins::DELETE_FILE, app[0], app[1], b"seal.png");
        assert_eq!(bench.status(ins::DELETE_FILE, app[0], app[1], b"seal.png"), 0x6A93);
        assert_eq!(bench.status(ins::GET_FILE_INFO, app[0], app[1], b"seal.png"), 0x6A93);
    }
}

#[test]
fn files_keep_their_size_and_their_rights() {
    let (mut bench, app) = logged_in(big());
    for (name, read, write) in [("admins", 1, 1), ("nobodys", 0, 0)] {
        let data = attributes(&bench, name, 4, read, write);
        bench.ok(ins::CREATE_FILE, app[0], app[1], &data);
    }
    assert_eq!(write(&mut bench, app, "admins", 0, b"x"), 0x6982);
    assert_eq!(bench.verify(app, ADMIN, ADMIN_PIN), 0x9000);
    assert_eq!(write(&mut bench, app, "admins", 0, b"x"), 0x9000);
    assert_eq!(write(&mut bench, app, "admins", 1, b"wxyz"), 0x6B00, "past the end");
    assert_eq!(write(&mut bench, app, "nobodys", 0, b"x"), 0x6982);
    let from = place(&bench, app, "nobodys", 0).finish();
    assert_eq!(bench.command(ins::READ_FILE, 0, 0, &from, Some(1)).1, 0x6982);
    let past = place(&bench, app, "admins", 4).finish();
    assert_eq!(bench.command(ins::READ_FILE, 0, 0, &past, Some(1)).1, 0x6B00);
}

#[test]
fn files_have_limits() {
    let (mut bench, app) = logged_in(big());
    for (name, size, rights, status) in [
        ("empty", 0, 0xFF, 0x6A80),
        ("huge", 16 * 1024 + 1, 0xFF, 0x6A84),
        ("strange", 4, 2, 0x6A80),
        ("one", 4, 0xFF, 0x9000),
        ("two", 4, 0xFF, 0x9000),
        ("three", 4, 0xFF, 0x9000),
        ("four", 4, 0xFF, 0x6A84),
    ] {
        let data = attributes(&bench, name, size, rights, 0xFF);
        assert_eq!(bench.status(ins::CREATE_FILE, app[0], app[1], &data), status, "{name}");
    }
    assert_eq!(bench.status(ins::ENUM_FILES, 9, 9, &[]), 0x698A);
}
