//! A key that answers by the book: each command must be the next line, and each line must be used.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::{collections::VecDeque, path::PathBuf};

use profile::Dialect;
use ukey::{Application, CardTransport, Open, Session, TransportError, User};

/// A command and its answer.
type Line = (Vec<u8>, Result<Vec<u8>, TransportError>);

/// What the key is to see and to say.
#[derive(Debug, Default)]
pub struct Script {
    lines: VecDeque<Line>,
}

impl Script {
    pub fn new() -> Self {
        Self::default()
    }

    /// Sees `command` (hex, blanks allowed), answers `reply` (hex, status word included).
    pub fn then(mut self, command: &str, reply: &str) -> Self {
        self.lines.push_back((bytes(command), Ok(bytes(reply))));
        self
    }

    /// Sees `command`, does not answer.
    pub fn then_fails(mut self, command: &str, error: TransportError) -> Self {
        self.lines.push_back((bytes(command), Err(error)));
        self
    }

    /// Opens the application `A` with id 1000.
    pub fn opening(self) -> Self {
        self.then("80260000 000001 41 000A", "00000010 04 08 0002 1000 9000")
    }

    /// The same where integers are little-endian.
    pub fn opening_little(self) -> Self {
        self.then("80260000 000001 41 000A", "10000000 04 08 0200 1000 9000")
    }

    /// Proves the user PIN 12345678 with random 01..08; `cryptogram` as the dialect has it.
    pub fn user(self, cryptogram: &str) -> Self {
        self.then("80140001 000002 1000 0003", "0A0A00 9000")
            .then("80500000 000008", "0102030405060708 9000")
            .then(&format!("80180001 000012 1000 {cryptogram}"), "9000")
    }

    /// Nothing may be left.
    pub fn used(&self) {
        assert!(self.lines.is_empty(), "never sent: {:02X?}", self.lines);
    }
}

impl CardTransport for Script {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        let (wanted, reply) = self
            .lines
            .pop_front()
            .unwrap_or_else(|| panic!("not in the script: {}", hex::encode_upper(command)));
        assert_eq!(hex::encode_upper(command), hex::encode_upper(wanted));
        reply
    }
}

pub fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text.split_whitespace().collect::<String>()).unwrap()
}

/// The dialect of a shipped profile.
pub fn dialect(name: &str) -> Dialect {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../firmware-profiles");
    profile::load_file(&folder.join(format!("{name}.toml"))).unwrap().dialect
}

/// VerifyPIN's cryptogram of 12345678 over 01..08, made with OpenSSL (`enc -sm4-ecb`, `dgst -sm3`, SHA-1).
pub const SM3_ZEROS: &str = "90a9798acac9b28666f77b4894817384";
/// The same with the marker block of GM3000.
pub const SM3_MARKER: &str = "4ab32d549340c9df37d27933a59bd497";
/// The same with SHA-1 of the padded PIN, AS568.
pub const SHA1_ZEROS: &str = "5b21f57370d6ade8b84ef018f616013e";

pub fn open(script: &mut Script) -> Session<&mut Script, Open> {
    Session::open(script, &dialect("ukey/virtual"))
}

/// In application `A`; the script begins with [`Script::opening`].
pub fn application(script: &mut Script) -> Session<&mut Script, Application> {
    open(script).open_application("A").expect("the script opens it")
}

/// With the user PIN proved; the script goes on with [`Script::user`].
pub fn user(script: &mut Script) -> Session<&mut Script, User> {
    application(script).verify_user_pin(&"12345678".into()).expect("the script accepts it")
}

/// The same in the dialect of AS568.
pub fn user_as568(script: &mut Script) -> Session<&mut Script, User> {
    let session = Session::open(script, &dialect("syno/as568"));
    let session = session.open_application("A").expect("the script opens it");
    session.verify_user_pin(&"12345678".into()).expect("the script accepts it")
}

/// X and Y of the SM2 base point: the public key of private key 1.
pub const G: &str = "32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7\
                     BC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0";
