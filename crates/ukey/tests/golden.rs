//! The bytes of every command, and what is made of its reply. Layouts: GM/T 0017 as the key families were seen to speak it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod scripted;

use gm::{PublicKey, envelope::EnvelopeFields};
use profile::dialect::Alignment;
use scripted::{
    G, SHA1_ZEROS, SM3_MARKER, SM3_ZEROS, Script, application, bytes, dialect, open, user, user_as568,
};
use ukey::{
    CertKind, ContainerId, ContainerInfo, ContainerKind, DeviceInfo, FileInfo, NewApplication, PinInfo,
    PinType, Session,
};

const OLD: &str = "000102030405060708090a0b0c0d0e0f";
const NEW: &str = "101112131415161718191a1b1c1d1e1f";
const K: ContainerId = ContainerId([0x30, 0x01]);

fn secret(text: &str) -> model::Secret {
    model::Secret::new(bytes(text))
}

fn point() -> PublicKey {
    PublicKey::from_xy(&bytes(G).try_into().unwrap()).unwrap()
}

#[test]
fn device_info_asks_for_all_or_for_288_bytes() {
    let info = DeviceInfo { manufacturer: "ukey".into(), serial: "V0000001".into(), ..DeviceInfo::default() };
    let reply = |order| hex::encode(info.encode(order).unwrap()) + "9000";
    let mut script = Script::new().then("80040000 000000", &reply(profile::dialect::ByteOrder::Big));
    assert_eq!(open(&mut script).device_info().unwrap(), info);
    script.used();
    let mut script = Script::new().then("80040000 000120", &reply(profile::dialect::ByteOrder::Little));
    let mut session = Session::open(&mut script, &dialect("syno/as568"));
    assert_eq!(session.device_info().unwrap(), info);
}

#[test]
fn label_random_and_applications() {
    let mut script = Script::new()
        .then("80020000 000004 554B4559", "9000")
        .then("80500000 000004", "01020304 9000")
        .then("80220000 000000", "9000")
        .then("80220000 000000", "4100 424A4300 9000");
    let mut session = open(&mut script);
    session.set_label("UKEY").unwrap();
    assert_eq!(session.random(4).unwrap(), [1, 2, 3, 4]);
    assert!(session.enumerate_applications().unwrap().is_empty());
    assert_eq!(session.enumerate_applications().unwrap(), ["A", "BJC"]);
    script.used();
}

#[test]
fn device_key_is_proved_and_replaced_with_8_random_bytes_and_the_transport_prefix() {
    let mut script = Script::new()
        .then("80500000 000008", "0102030405060708 9000")
        .then("80100002 000010 25ab278e048890547bde0340e72a586c", "9000")
        .then("80500000 000008", "0102030405060708 9000")
        .then("84120002 000014 a73851aa4341e968c71dd8a3a0c8497c 17fb66f1", "9000");
    let session = Session::open(&mut script, &dialect("syno/as568"));
    let mut session = session.authenticate(&secret(OLD)).unwrap();
    session.change_device_key(&secret(OLD), &secret(NEW)).unwrap();
    script.used();
}

#[test]
fn device_key_is_proved_and_replaced_with_16_random_bytes() {
    let mut script = Script::new()
        .then("80500000 000010", "0102030405060708090a0b0c0d0e0f10 9000")
        .then("80100000 000010 8df1e69889e467e3f7977d6bc7727df9", "9000")
        .then("80500000 000008", "0102030405060708 9000")
        .then("84120000 000014 a73851aa4341e968c71dd8a3a0c8497c 9395bbb2", "9000");
    let mut session = open(&mut script).authenticate(&secret(OLD)).unwrap();
    session.change_device_key(&secret(OLD), &secret(NEW)).unwrap();
    script.used();
}

fn new_application() -> NewApplication {
    NewApplication {
        name: "A".into(),
        admin_pin: "Admin-PIN-000001".into(),
        admin_tries: 10,
        user_pin: "12345678".into(),
        user_tries: 6,
        rights: NewApplication::RIGHT_USER,
        containers: 4,
        certificates: 8,
        files: 2,
    }
}

#[test]
fn an_application_is_made_of_96_bytes_in_the_dialects_byte_order() {
    let name = format!("41 {}", "00".repeat(47));
    let pins = ("41646d696e2d50494e2d303030303031", "31323334353637380000000000000000");
    let big = format!("80200000 000060 {name} {} 0000000A {} 00000006 00000010 04 08 0002", pins.0, pins.1);
    let little =
        format!("80200000 000060 {name} {} 0A000000 {} 06000000 10000000 04 08 0200", pins.0, pins.1);
    for (profile, auth, proof, command) in [
        ("ukey/virtual", "80500000 000010", "80100000 000010 8df1e69889e467e3f7977d6bc7727df9", big),
        ("syno/as568", "80500000 000008", "80100002 000010 25ab278e048890547bde0340e72a586c", little),
    ] {
        let random =
            if auth.ends_with("10") { "0102030405060708090a0b0c0d0e0f10" } else { "0102030405060708" };
        let mut script = Script::new()
            .then(auth, &format!("{random} 9000"))
            .then(proof, "9000")
            .then(&command, "9000")
            .then("80240000 000001 41", "9000");
        let mut session = Session::open(&mut script, &dialect(profile)).authenticate(&secret(OLD)).unwrap();
        session.create_application(&new_application()).unwrap();
        session.delete_application("A").unwrap();
        script.used();
    }
}

#[test]
fn an_application_is_opened_cleared_and_closed() {
    let mut script = Script::new()
        .opening_little()
        .user(SHA1_ZEROS)
        .then("801C0000 000002 1000", "9000")
        .then("801C0000 000002 1000", "9000")
        .then("80280000 000002 1000", "9000");
    let session = user_as568(&mut script);
    let info = *session.application();
    assert_eq!((info.id, info.rights, info.max_containers), ([0x10, 0], 0x10, 4));
    assert_eq!((info.max_certificates, info.max_files), (8, 2));
    let mut session = session.clear_secure_state().unwrap();
    session.clear_secure_state().unwrap();
    session.close().unwrap();
    script.used();
}

#[test]
fn pin_state_and_the_pin_blocks_of_all_three_dialects() {
    for (profile, cryptogram) in
        [("ukey/virtual", SM3_ZEROS), ("longmai/gm3000", SM3_MARKER), ("syno/as568", SHA1_ZEROS)]
    {
        let mut script = Script::new().opening().user(cryptogram);
        let session = Session::open(&mut script, &dialect(profile)).open_application("A").unwrap();
        session.verify_user_pin(&"12345678".into()).unwrap();
        script.used();
    }
    let mut script = Script::new().opening().then("80140000 000002 1000 0003", "0A0901 9000");
    let info = application(&mut script).pin_info(PinType::Admin).unwrap();
    assert_eq!(info, PinInfo { max: 10, left: 9, is_default: true });
}

#[test]
fn a_pin_is_replaced_under_secure_messaging() {
    let mut script = Script::new()
        .opening()
        .user(SM3_ZEROS)
        .then("80500000 000008", "0102030405060708 9000")
        .then("84160001 000016 1000 ce1651210c0379756f8319e29b42c325 41888ed7", "9000");
    let mut session = application(&mut script);
    session.change_pin(PinType::User, &"12345678".into(), &"87654321".into()).unwrap();
    script.used();

    let mut script = Script::new()
        .opening_little()
        .user(SHA1_ZEROS)
        .then("80500000 000008", "0102030405060708 9000")
        .then("84160001 000016 1000 f57f188f8986af91fd6408b567500f11 9f64a40a", "9000");
    let mut session = Session::open(&mut script, &dialect("syno/as568")).open_application("A").unwrap();
    session.change_pin(PinType::User, &"12345678".into(), &"87654321".into()).unwrap();
    script.used();
}

#[test]
fn the_admin_unblocks_the_users_pin_under_secure_messaging() {
    let mut script = Script::new()
        .opening()
        .then("80140000 000002 1000 0003", "0A0A00 9000")
        .then("80500000 000008", "0102030405060708 9000")
        .then("80180000 000012 1000 e1ce966ba07ebc523479cf21f5526c3f", "9000")
        .then("80500000 000008", "0102030405060708 9000")
        .then("841A0000 000016 1000 6bacfd9023069fc0c13624201dbf3189 bf020fdd", "9000");
    application(&mut script).unblock_pin(&"Admin-PIN-000001".into(), &"87654321".into()).unwrap();
    script.used();
}

#[test]
fn containers_are_made_found_described_and_deleted() {
    let mut script = Script::new()
        .opening()
        .user(SM3_ZEROS)
        .then("80400000 000004 1000 5331 0002", "3001 9000")
        .then("80420000 000004 1000 5331 0002", "3001 9000")
        .then("80460000 000002 1000 0000", "5331 00 9000")
        .then("804A0000 000004 1000 5331 000B", "02 00000100 00000000 01 00 9000")
        .then("80440000 000004 1000 3001", "9000")
        .then("80480000 000004 1000 5331", "9000");
    let mut session = user(&mut script);
    assert_eq!(session.create_container("S1").unwrap(), K);
    assert_eq!(session.open_container("S1").unwrap(), K);
    assert_eq!(session.enumerate_containers().unwrap(), ["S1"]);
    let info = session.container_info("S1").unwrap();
    let wanted = ContainerInfo {
        kind: ContainerKind::Ecc,
        sign_bits: 256,
        encryption_bits: 0,
        sign_certificate: true,
        encryption_certificate: false,
    };
    assert_eq!(info, wanted);
    session.close_container(K).unwrap();
    session.delete_container("S1").unwrap();
    script.used();
}

#[test]
fn certificates_go_in_and_come_out() {
    let mut script = Script::new()
        .opening_little()
        .user(SHA1_ZEROS)
        .then("804C0000 00000C 1000 3001 01 03000000 300101", "9000")
        .then("804C0000 00000C 1000 3001 00 03000000 300102", "9000")
        .then("804E0100 000004 1000 3001 0000", "03000000 300101 9000")
        .then("804E0000 000004 1000 3001 0000", "6A96");
    let mut session = user_as568(&mut script);
    session.import_certificate(K, CertKind::Sign, &[0x30, 1, 1]).unwrap();
    session.import_certificate(K, CertKind::Encryption, &[0x30, 1, 2]).unwrap();
    assert_eq!(session.export_certificate(K, CertKind::Sign).unwrap(), Some(vec![0x30, 1, 1]));
    assert_eq!(session.export_certificate(K, CertKind::Encryption).unwrap(), None);
    script.used();
}

#[test]
fn a_key_pair_is_made_and_its_public_half_read() {
    let mut script = Script::new()
        .opening()
        .user(SM3_ZEROS)
        .then("80700000 000008 1000 3001 00000100 0000", &format!("{G} 9000"))
        .then("80880100 000004 1000 3001 0000", &format!("00000100 {G} 9000"))
        .then("80880000 000004 1000 3001 0000", "6A95");
    let mut session = user(&mut script);
    assert_eq!(session.generate_key_pair(K).unwrap(), point());
    assert_eq!(session.export_public_key(K, CertKind::Sign).unwrap(), Some(point()));
    assert_eq!(session.export_public_key(K, CertKind::Encryption).unwrap(), None);
    script.used();
}

#[test]
fn signing_takes_a_digest_or_an_id_and_a_message() {
    let digest = [0xD1; 32];
    let rs = format!("{}01{}02", "00".repeat(31), "00".repeat(31));
    let mut script = Script::new()
        .opening()
        .user(SM3_ZEROS)
        .then(
            &format!("80740200 000024 1000 3001 {} 0000", hex::encode(digest)),
            &format!("00000100 {rs} 9000"),
        )
        .then("80740100 00000D 1000 3001 00000002 4944 6D7367 0000", &format!("00000100 {rs} 9000"));
    let mut session = user(&mut script);
    assert_eq!(hex::encode(session.sign_digest(K, &digest).unwrap().rs()), rs);
    assert_eq!(hex::encode(session.sign_message(K, b"ID", b"msg").unwrap().rs()), rs);
    script.used();
}

fn envelope() -> EnvelopeFields {
    EnvelopeFields {
        public_key: point(),
        encrypted_private: [0xEE; 32],
        c1: [0xC1; 64],
        c3: [0xC3; 32],
        c2: [0xC2; 16],
    }
}

fn envelope_tail(bits: &str, sixteen: &str) -> String {
    format!("{G} {bits} {} {} {sixteen} {}", "C1".repeat(64), "C3".repeat(32), "C2".repeat(16))
}

#[test]
fn the_envelope_of_as568_has_268_bytes_with_the_key_at_the_right() {
    let key = format!("{}{}", "00".repeat(32), "EE".repeat(32));
    let tail = envelope_tail("00010000", "10000000");
    let command = format!("80720000 00010C 1000 3001 01000000 01040000 00010000 40000000 {key} {tail}");
    let mut script = Script::new().opening_little().user(SHA1_ZEROS).then(&command, "9000");
    user_as568(&mut script).import_key_pair(K, &envelope()).unwrap();
    script.used();
}

#[test]
fn the_envelope_of_other_dialects_is_left_aligned_or_short() {
    let tail = envelope_tail("00000100", "00000010");
    let left = format!("{}{}", "EE".repeat(32), "00".repeat(32));
    for (len, alignment, lc, field) in
        [(64, Alignment::Left, "00010C", left), (32, Alignment::Right, "0000EC", "EE".repeat(32))]
    {
        let mut form = dialect("ukey/virtual");
        (form.envelope.private_key_len, form.envelope.alignment) = (len, alignment);
        let command = format!("80720000 {lc} 1000 3001 00000001 00000401 00000100 {len:08X} {field} {tail}");
        let mut script = Script::new().opening().user(SM3_ZEROS).then(&command, "9000");
        let session = Session::open(&mut script, &form).open_application("A").unwrap();
        let mut session = session.verify_user_pin(&"12345678".into()).unwrap();
        session.import_key_pair(K, &envelope()).unwrap();
        script.used();
    }
}

#[test]
fn files_carry_the_application_in_p1_p2_or_in_the_data() {
    let name = format!("66{}", "00".repeat(31));
    let mut script = Script::new()
        .opening()
        .then(&format!("80301000 00002C {name} 00000040 000000FF 00000010"), "9000")
        .then("80341000 000000", "6600 9000")
        .then("80361000 000001 66 000C", "00000040 000000FF 00000010 9000")
        .then("803A0000 00000B 1000 0002 0001 66 0002 ABCD", "9000")
        .then("80380000 000007 1000 0002 0001 66 0002", "ABCD 9000")
        .then("80321000 000001 66", "9000");
    let mut session = application(&mut script);
    let info = FileInfo { size: 64, read_rights: 0xFF, write_rights: 0x10 };
    session.create_file("f", info).unwrap();
    assert_eq!(session.enumerate_files().unwrap(), ["f"]);
    assert_eq!(session.file_info("f").unwrap(), info);
    session.write_file("f", 2, &[0xAB, 0xCD]).unwrap();
    assert_eq!(session.read_file("f", 2, 2).unwrap(), [0xAB, 0xCD]);
    session.delete_file("f").unwrap();
    script.used();
}
