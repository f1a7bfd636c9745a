//! One transport, one dialect, and what was heard about the device key: the part that every level shares.

use profile::Dialect;

use crate::{
    CardError, CardTransport, StatusWord,
    apdu::{Command, Reply},
    crypto::{self, Block16},
    fields::{Reader, Writer},
    ins,
};

#[derive(Debug)]
pub(super) struct Link<T> {
    pub(super) transport: T,
    pub(super) dialect: Dialect,
    /// Tries of the device key as last heard in 63Cx; no command reads them.
    pub(super) device_tries: Option<u8>,
}

impl<T: CardTransport> Link<T> {
    /// Sends a command, returns the data of a successful reply.
    pub(super) fn run(&mut self, command: &Command) -> Result<Vec<u8>, CardError> {
        let name = ins::name(command.ins);
        let bytes = command.encode().map_err(|_| CardError::Argument {
            command: name,
            why: "command data has at most 65535 bytes",
        })?;
        let answer = self.transport.transmit(&bytes)?;
        let reply = Reply::split(&answer)
            .ok_or(CardError::Malformed { command: name, why: "it has fewer than two bytes" })?;
        tracing::trace!(?command, status = %reply.status, reply_len = reply.data.len(), "apdu");
        if reply.status.is_success() {
            Ok(reply.data.to_vec())
        } else {
            Err(CardError::Status { command: name, status: reply.status })
        }
    }

    /// Sends a command whose reply has no data.
    pub(super) fn run_silent(&mut self, command: &Command) -> Result<(), CardError> {
        let data = self.run(command)?;
        if data.is_empty() { Ok(()) } else { Err(malformed(command.ins, "data came where none belongs")) }
    }

    /// Sends a command and reads its whole reply by `parse`.
    pub(super) fn run_parsed<R>(
        &mut self,
        command: &Command,
        parse: impl FnOnce(&mut Reader<'_>) -> Option<R>,
    ) -> Result<R, CardError> {
        let data = self.run(command)?;
        let mut from = Reader::new(&data, self.dialect.byte_order);
        let value = parse(&mut from).ok_or(malformed(command.ins, "it is too short or a field is wrong"))?;
        from.end().ok_or(malformed(command.ins, "it is too long"))?;
        Ok(value)
    }

    /// Like [`Link::run_parsed`], `None` where the key answers `absent`.
    pub(super) fn run_optional<R>(
        &mut self,
        command: &Command,
        absent: StatusWord,
        parse: impl FnOnce(&mut Reader<'_>) -> Option<R>,
    ) -> Result<Option<R>, CardError> {
        match self.run_parsed(command, parse) {
            Ok(value) => Ok(Some(value)),
            Err(CardError::Status { status, .. }) if status == absent => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `len` random bytes of the key, which it remembers as the challenge (INS 50).
    pub(super) fn random(&mut self, len: u16) -> Result<Vec<u8>, CardError> {
        let bytes = self.run(&Command::new(ins::GEN_RANDOM, 0, 0).expecting(len))?;
        if len > 0 && bytes.len() == usize::from(len) {
            Ok(bytes)
        } else {
            Err(malformed(ins::GEN_RANDOM, "it has not the number of bytes asked for"))
        }
    }

    /// The 8 random bytes of PIN blocks and of secure messaging.
    pub(super) fn challenge(&mut self) -> Result<[u8; 8], CardError> {
        let bytes = self.random(8)?;
        bytes
            .first_chunk()
            .copied()
            .ok_or(malformed(ins::GEN_RANDOM, "it has not the number of bytes asked for"))
    }

    /// Sends `command` under CLA 84 with the 4-byte code behind its data.
    pub(super) fn run_secured(&mut self, mut command: Command, key: &Block16) -> Result<(), CardError> {
        let random = self.challenge()?;
        command.cla = ins::CLA_SECURE;
        let form = &self.dialect.secure_messaging;
        let code = crypto::mac(form, key, &random, command.header(), &command.data);
        command.data.extend_from_slice(&code);
        self.run_silent(&command)
    }

    /// A writer in the dialect's byte order.
    pub(super) fn fields(&self) -> Writer {
        Writer::new(self.dialect.byte_order)
    }
}

/// A reply that is not what the dialect promises.
pub(super) fn malformed(ins: u8, why: &'static str) -> CardError {
    CardError::Malformed { command: ins::name(ins), why }
}

/// Data of ours that does not fit the command.
pub(super) fn argument(ins: u8, why: &'static str) -> CardError {
    CardError::Argument { command: ins::name(ins), why }
}
