//! For the tests of this crate: a host that speaks raw APDUs, and keys of three dialects made without profile files.

use std::path::PathBuf;

use model::Secret;
use profile::dialect::{
    AlgorithmIds, Alignment, ByteOrder, DeviceAuth, DeviceAuthCipher, Dialect, Envelope, PinBlock, PinDigest,
    ReplyForms, SecureMessaging,
};
use tempfile::TempDir;
use ukey::{apdu::Command, crypto, fields::Writer, ins};

use crate::{
    Options, Summary, VirtualKey,
    flash::{ChipLimits, Flash, HexBytes, HexSecret, VERSION},
    key::Answer,
    store::Store,
};

pub const FACTORY: [u8; 16] = *b"0123456789abcdef";
pub const ADMIN_PIN: &str = "admin-98765";
pub const USER_PIN: &str = "12345678";
pub const APPLICATION: &str = "Procurement";
pub const CONTAINER: &str = "seal";
pub const ADMIN: u8 = 0;
pub const USER: u8 = 1;

/// Big-endian with every field in the reply: what a GM3000 was seen to do.
pub fn big() -> Dialect {
    Dialect {
        byte_order: ByteOrder::Big,
        pin_digest: PinDigest::Sm3,
        pin_block: PinBlock::LengthRandomMarker,
        device_auth: DeviceAuth { cipher: DeviceAuthCipher::Sm4, p2: 0, random_len: 8, tries: 5 },
        secure_messaging: SecureMessaging { mac_prefix_len: 0, pad_when_aligned: false },
        envelope: Envelope { version: 1, private_key_len: 64, alignment: Alignment::Right },
        algorithm_ids: AlgorithmIds { sm4_ecb: 0x401, sm2_sign: 0x2_0200, sm2_encrypt: 0x2_0800 },
        replies: ReplyForms {
            key_pair_has_bits: true,
            public_key_has_bits: true,
            signature_has_prefix: true,
        },
        device_info_le_exact: false,
        pin_count_in_status: true,
    }
}

/// Little-endian with the quirks of AS568.
pub fn little() -> Dialect {
    Dialect {
        byte_order: ByteOrder::Little,
        pin_digest: PinDigest::Sha1Padded,
        pin_block: PinBlock::RandomZeros,
        device_auth: DeviceAuth { cipher: DeviceAuthCipher::Sm4, p2: 2, random_len: 8, tries: 5 },
        secure_messaging: SecureMessaging { mac_prefix_len: 6, pad_when_aligned: true },
        envelope: Envelope { version: 0x2_0100, private_key_len: 64, alignment: Alignment::Right },
        algorithm_ids: AlgorithmIds { sm4_ecb: 0x401, sm2_sign: 0x2_0100, sm2_encrypt: 0x2_0400 },
        replies: ReplyForms {
            key_pair_has_bits: false,
            public_key_has_bits: true,
            signature_has_prefix: true,
        },
        device_info_le_exact: true,
        pin_count_in_status: false,
    }
}

/// What neither of the two has: 16 random bytes, a short envelope, a left-aligned key, no prefix.
pub fn odd() -> Dialect {
    Dialect {
        pin_digest: PinDigest::Sha1,
        device_auth: DeviceAuth { cipher: DeviceAuthCipher::Sm4, p2: 0, random_len: 16, tries: 3 },
        envelope: Envelope { version: 1, private_key_len: 64, alignment: Alignment::Left },
        replies: ReplyForms {
            key_pair_has_bits: false,
            public_key_has_bits: false,
            signature_has_prefix: false,
        },
        ..big()
    }
}

pub fn blank_flash(dialect: Dialect) -> Flash {
    Flash {
        version: VERSION,
        profile: "ukey/test".to_owned(),
        maker: "ukey".to_owned(),
        model: "test".to_owned(),
        manufacturer: "ukey-station".to_owned(),
        serial: "T0000001".to_owned(),
        label: String::new(),
        atr: HexBytes(vec![0x3B, 0x80, 0x01, 0x81]),
        limits: ChipLimits {
            max_command_data: 4096,
            max_certificate: 2048,
            max_applications: 1,
            max_containers: 2,
            min_pin: 6,
            max_pin: 16,
        },
        dialect,
        device_key: HexSecret(Secret::new(FACTORY.to_vec())),
        device_tries_left: dialect.device_auth.tries,
        applications: Vec::new(),
    }
}

/// A key in its own folder, and the host's side of the conversation.
pub struct Bench {
    pub key: VirtualKey,
    pub dialect: Dialect,
    pub path: PathBuf,
    _folder: TempDir,
}

/// Data and status word of an answer.
pub type Heard = (Vec<u8>, u16);

impl Bench {
    pub fn new(dialect: Dialect) -> Self {
        Self::with(blank_flash(dialect))
    }

    pub fn with(flash: Flash) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("T0000001.json");
        Store::create(&path, &flash).unwrap();
        let key = VirtualKey::open(&path, Options::default()).unwrap();
        Self { key, dialect: flash.dialect, path, _folder: folder }
    }

    /// A key with application, container and signing key pair; the user is logged in.
    pub fn issued(dialect: Dialect) -> (Self, [u8; 2], [u8; 2]) {
        let mut bench = Self::new(dialect);
        bench.create();
        let (app, id) = bench.container();
        bench.ok(ins::GEN_ECC_KEY_PAIR, 0, 0, &bench.ids(app, id).u32(256).finish());
        (bench, app, id)
    }

    pub fn send(&mut self, bytes: &[u8]) -> Heard {
        let Answer::Reply(mut reply) = self.key.process(bytes) else { panic!("no answer") };
        let status = reply.split_off(reply.len() - 2);
        (reply, u16::from_be_bytes([status[0], status[1]]))
    }

    pub fn command(&mut self, ins: u8, p1: u8, p2: u8, data: &[u8], le: Option<u16>) -> Heard {
        let mut command = Command::new(ins, p1, p2).with_data(data.to_vec());
        command.le = le;
        self.send(&command.encode().unwrap())
    }

    /// The status word alone.
    pub fn status(&mut self, ins: u8, p1: u8, p2: u8, data: &[u8]) -> u16 {
        self.command(ins, p1, p2, data, None).1
    }

    /// The data of a command that must succeed.
    pub fn ok(&mut self, ins: u8, p1: u8, p2: u8, data: &[u8]) -> Vec<u8> {
        let (reply, status) = self.command(ins, p1, p2, data, None);
        assert_eq!(status, 0x9000, "INS {ins:02X}");
        reply
    }

    pub fn challenge(&mut self, len: u16) -> Vec<u8> {
        let (random, status) = self.command(ins::GEN_RANDOM, 0, 0, &[], Some(len));
        assert_eq!((random.len(), status), (usize::from(len), 0x9000));
        random
    }

    pub fn authenticate(&mut self, key: [u8; 16]) -> u16 {
        let random = self.challenge(self.dialect.device_auth.random_len.into());
        let proof = crypto::device_auth_cryptogram(&key.into(), &random);
        self.status(ins::DEV_AUTH, 0, self.dialect.device_auth.p2, &proof)
    }

    /// Sends `data` with the code of secure messaging behind it.
    pub fn secured(&mut self, ins: u8, p2: u8, key: &crypto::Block16, data: &[u8]) -> u16 {
        let random = self.challenge(8).first_chunk().copied().unwrap();
        let header = [0x84, ins, 0, p2];
        let code = crypto::mac(&self.dialect.secure_messaging, key, &random, header, data);
        let mut command = Command::new(ins, 0, p2).with_data([data, &code].concat());
        command.cla = 0x84;
        self.send(&command.encode().unwrap()).1
    }

    pub fn change_device_key(&mut self, old: [u8; 16], new: [u8; 16]) -> u16 {
        let sealed = crypto::encrypt_block(&old.into(), &new);
        self.secured(ins::CHANGE_DEV_AUTH_KEY, self.dialect.device_auth.p2, &old.into(), &sealed)
    }

    pub fn application_data(&self, name: &str) -> Vec<u8> {
        let pin = |text: &str| *crypto::padded_pin(&Secret::from(text)).unwrap();
        Writer::new(self.dialect.byte_order)
            .padded(name.as_bytes(), 48)
            .unwrap()
            .bytes(&pin(ADMIN_PIN))
            .u32(8)
            .bytes(&pin(USER_PIN))
            .u32(6)
            .u32(0x10)
            .u8(2)
            .u8(4)
            .u16(3)
            .finish()
    }

    /// Authenticates with the factory key and creates the application.
    pub fn create(&mut self) {
        assert_eq!(self.authenticate(FACTORY), 0x9000);
        let data = self.application_data(APPLICATION);
        self.ok(ins::CREATE_APPLICATION, 0, 0, &data);
    }

    pub fn open(&mut self) -> [u8; 2] {
        let reply = self.ok(ins::OPEN_APPLICATION, 0, 0, APPLICATION.as_bytes());
        assert_eq!(reply.len(), 10);
        [reply[8], reply[9]]
    }

    pub fn verify(&mut self, app: [u8; 2], which: u8, pin: &str) -> u16 {
        let random = self.challenge(8).first_chunk().copied().unwrap();
        let proof = crypto::pin_cryptogram(self.dialect.pin_block, &self.pin_key(pin), &random);
        self.status(ins::VERIFY_PIN, 0, which, &[&app[..], &proof].concat())
    }

    pub fn pin_key(&self, pin: &str) -> crypto::Block16 {
        crypto::pin_key(self.dialect.pin_digest, &Secret::from(pin)).unwrap()
    }

    pub fn pin_info(&mut self, app: [u8; 2], which: u8) -> [u8; 3] {
        self.ok(ins::GET_PIN_INFO, 0, which, &app).try_into().unwrap()
    }

    /// Opens the application, logs the user in, creates the container.
    pub fn container(&mut self) -> ([u8; 2], [u8; 2]) {
        let app = self.open();
        assert_eq!(self.verify(app, USER, USER_PIN), 0x9000);
        let id = self.ok(ins::CREATE_CONTAINER, 0, 0, &[&app[..], CONTAINER.as_bytes()].concat());
        (app, id.try_into().unwrap())
    }

    pub fn ids(&self, app: [u8; 2], id: [u8; 2]) -> Writer {
        Writer::new(self.dialect.byte_order).bytes(&app).bytes(&id)
    }

    pub fn certificate(&self, app: [u8; 2], id: [u8; 2], half: u8, der: &[u8]) -> Vec<u8> {
        self.ids(app, id).u8(half).u32(der.len() as u32).bytes(der).finish()
    }

    /// The flash file's bytes.
    pub fn file(&self) -> Vec<u8> {
        std::fs::read(&self.path).unwrap()
    }

    /// What a fresh reader of the file finds.
    pub fn reread(&self) -> Summary {
        Summary::read(&self.path).unwrap()
    }
}
