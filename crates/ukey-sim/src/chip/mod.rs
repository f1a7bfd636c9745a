//! The chip: one command in, data and status word out. Every rule of the key is in this folder.
//!
//! A handler reads and changes the flash through the store and the session directly. [`Chip::run`] alone decides what
//! is kept: a command that answers 9000 has its changes written before the answer leaves, a wrong try (63Cx) its
//! count, every other refusal nothing.

mod application;
mod container;
mod device;
mod ecc;
mod fields;
mod file;
mod pin;
mod session;
mod source;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;

use profile::dialect::{ByteOrder, Dialect};
use ukey::{StatusWord, apdu::Command, ins};

use crate::store::Store;
use session::Session;
use source::Source;

/// What a command answers: data for 9000, or another status word.
type Answered = Result<Vec<u8>, StatusWord>;

/// The chip of one key: what lasts, and what a reset forgets.
#[derive(Debug)]
pub(crate) struct Chip {
    store: Store,
    session: Session,
    source: Source,
}

impl Chip {
    pub fn new(store: Store) -> Self {
        Self { store, session: Session::default(), source: Source::default() }
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Makes every challenge and every private key follow from `seed`.
    pub fn seed(&mut self, seed: u64) {
        self.source.seed(seed);
    }

    /// Power cut or reset: authentication, log-in, challenge and open handles are gone.
    pub fn reset(&mut self) {
        self.session = Session::default();
    }

    /// Carries out one command; the answer is data and status word.
    pub fn run(&mut self, apdu: &[u8]) -> Vec<u8> {
        let outcome = self.dispatch(apdu);
        let keep = matches!(outcome, Ok(_) | Err(StatusWord::VerificationFailed { .. }));
        if !keep {
            self.store.discard();
        } else if let Err(error) = self.store.commit() {
            tracing::error!(%error, "the virtual key cannot write its flash; it answers 6581");
            // Whatever the command won (a log-in, a handle) must not outlive the write that failed.
            self.reset();
            return StatusWord::WriteFailed.to_bytes().to_vec();
        }
        match outcome {
            Ok(mut data) => {
                data.extend_from_slice(&StatusWord::Success.to_bytes());
                data
            }
            Err(status) => status.to_bytes().to_vec(),
        }
    }

    fn dispatch(&mut self, apdu: &[u8]) -> Answered {
        if !matches!(apdu.first(), None | Some(&ins::CLA_PLAIN | &ins::CLA_SECURE)) {
            return Err(StatusWord::WrongClass);
        }
        let command = Command::parse(apdu).map_err(|_| StatusWord::WrongLength)?;
        if command.data.len() > usize::from(self.store.flash().limits.max_command_data) {
            return Err(StatusWord::WrongLength);
        }
        let handler = handler(command.ins).ok_or(StatusWord::WrongInstruction)?;
        let secure = matches!(command.ins, ins::CHANGE_DEV_AUTH_KEY | ins::CHANGE_PIN | ins::UNBLOCK_PIN);
        if secure != (command.cla == ins::CLA_SECURE) {
            return Err(StatusWord::WrongClass);
        }
        let before = self.session.clone();
        let data = handler(self, &command)?;
        // Le = 0 asks for as many as there are.
        if command.le.is_some_and(|le| le != 0 && usize::from(le) < data.len()) {
            self.session = before;
            return Err(StatusWord::WrongLe);
        }
        Ok(data)
    }

    fn dialect(&self) -> Dialect {
        self.store.flash().dialect
    }

    fn order(&self) -> ByteOrder {
        self.store.flash().dialect.byte_order
    }
}

type Handler = fn(&mut Chip, &Command) -> Answered;

fn handler(instruction: u8) -> Option<Handler> {
    Some(match instruction {
        ins::SET_LABEL => Chip::set_label,
        ins::GET_DEV_INFO => Chip::device_info,
        ins::DEV_AUTH => Chip::authenticate_device,
        ins::CHANGE_DEV_AUTH_KEY => Chip::change_device_key,
        ins::GET_PIN_INFO => Chip::pin_info,
        ins::CHANGE_PIN => Chip::change_pin,
        ins::VERIFY_PIN => Chip::verify_pin,
        ins::UNBLOCK_PIN => Chip::unblock_pin,
        ins::CLEAR_SECURE_STATE => Chip::clear_secure_state,
        ins::CREATE_APPLICATION => Chip::create_application,
        ins::ENUM_APPLICATION => Chip::enumerate_applications,
        ins::DELETE_APPLICATION => Chip::delete_application,
        ins::OPEN_APPLICATION => Chip::open_application,
        ins::CLOSE_APPLICATION => Chip::close_application,
        ins::CREATE_FILE => Chip::create_file,
        ins::DELETE_FILE => Chip::delete_file,
        ins::ENUM_FILES => Chip::enumerate_files,
        ins::GET_FILE_INFO => Chip::file_info,
        ins::READ_FILE => Chip::read_file,
        ins::WRITE_FILE => Chip::write_file,
        ins::CREATE_CONTAINER => Chip::create_container,
        ins::OPEN_CONTAINER => Chip::open_container,
        ins::CLOSE_CONTAINER => Chip::close_container,
        ins::ENUM_CONTAINER => Chip::enumerate_containers,
        ins::DELETE_CONTAINER => Chip::delete_container,
        ins::GET_CONTAINER_INFO => Chip::container_info,
        ins::IMPORT_CERTIFICATE => Chip::import_certificate,
        ins::EXPORT_CERTIFICATE => Chip::export_certificate,
        ins::GEN_RANDOM => Chip::random,
        ins::GEN_ECC_KEY_PAIR => Chip::generate_key_pair,
        ins::IMPORT_ECC_KEY_PAIR => Chip::import_key_pair,
        ins::ECC_SIGN_DATA => Chip::sign,
        ins::EXPORT_PUBLIC_KEY => Chip::export_public_key,
        _ => return None,
    })
}

/// P1 and P2 of commands that give them no meaning.
fn no_parameters(command: &Command) -> Result<(), StatusWord> {
    if (command.p1, command.p2) == (0, 0) { Ok(()) } else { Err(StatusWord::WrongParameters) }
}
