//! SM2 keys: make (70), bring in (72), sign (74), read the public half (88).

use gm::{PublicKey, Signature, envelope::EnvelopeFields};
use profile::dialect::Alignment;

use super::{ContainerId, InApplication, KeyKind, Session, User, argument, malformed};
use crate::{CardError, CardTransport, StatusWord, fields::Reader, ins};

/// Bits of an SM2 key.
const BITS: u32 = 256;

impl<T: CardTransport, L: InApplication> Session<T, L> {
    /// Reads a public key; `None` when the container has no such pair (INS 88).
    ///
    /// # Errors
    /// [`CardError`]; [`CardError::Malformed`] when the reply is no point of the curve.
    pub fn export_public_key(
        &mut self,
        id: ContainerId,
        kind: KeyKind,
    ) -> Result<Option<PublicKey>, CardError> {
        let has_bits = self.link.dialect.replies.public_key_has_bits;
        let command = self.in_application(ins::EXPORT_PUBLIC_KEY, kind.code(), 0, &id.0).expecting(0);
        let xy =
            self.link.run_optional(&command, StatusWord::NoKeyPair, |from| public_key(from, has_bits))?;
        xy.map(|xy| on_curve(ins::EXPORT_PUBLIC_KEY, &xy)).transpose()
    }
}

impl<T: CardTransport> Session<T, User> {
    /// Makes the SM2 signing key pair on the key (INS 70). A pair that is there already is replaced and lost.
    ///
    /// # Errors
    /// [`CardError`]; [`CardError::Malformed`] when the reply is no point of the curve.
    pub fn generate_key_pair(&mut self, id: ContainerId) -> Result<PublicKey, CardError> {
        let has_bits = self.link.dialect.replies.key_pair_has_bits;
        let data = self.link.fields().bytes(&id.0).u32(BITS).finish();
        let command = self.in_application(ins::GEN_ECC_KEY_PAIR, 0, 0, &data).expecting(0);
        let xy = self.link.run_parsed(&command, |from| public_key(from, has_bits))?;
        on_curve(ins::GEN_ECC_KEY_PAIR, &xy)
    }

    /// Brings the encryption key pair in (INS 72); the key opens the envelope with its signing private key.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn import_key_pair(&mut self, id: ContainerId, envelope: &EnvelopeFields) -> Result<(), CardError> {
        let dialect = self.link.dialect;
        let private = private_key_field(&dialect.envelope, &envelope.encrypted_private)
            .ok_or(argument(ins::IMPORT_ECC_KEY_PAIR, "the profile's envelope has 32 or 64 bytes"))?;
        let data = self
            .link
            .fields()
            .bytes(&id.0)
            .u32(dialect.envelope.version)
            .u32(dialect.algorithm_ids.sm4_ecb)
            .u32(BITS)
            .u32(u32::from(dialect.envelope.private_key_len))
            .bytes(&private)
            .bytes(&envelope.public_key.xy())
            .u32(BITS)
            .bytes(&envelope.c1)
            .bytes(&envelope.c3)
            .u32(16)
            .bytes(&envelope.c2)
            .finish();
        let command = self.in_application(ins::IMPORT_ECC_KEY_PAIR, 0, 0, &data);
        self.link.run_silent(&command)
    }

    /// Signs a digest e = SM3(Z‖message) that was made here (INS 74, P1 = 2).
    ///
    /// Verify what it returns before using it: a key may sign with another pair than the caller thinks.
    ///
    /// # Errors
    /// [`CardError`]; [`CardError::Malformed`] when r or s is out of range.
    pub fn sign_digest(&mut self, id: ContainerId, digest: &[u8; 32]) -> Result<Signature, CardError> {
        let data = self.link.fields().bytes(&id.0).bytes(digest).finish();
        self.sign(2, &data)
    }

    /// Signs a message with the key doing Z and SM3 itself (INS 74, P1 = 1). One source only has this form.
    ///
    /// # Errors
    /// [`CardError`]; [`CardError::Malformed`] when r or s is out of range.
    pub fn sign_message(
        &mut self,
        id: ContainerId,
        signer: &[u8],
        message: &[u8],
    ) -> Result<Signature, CardError> {
        let len = u32::try_from(signer.len())
            .map_err(|_| argument(ins::ECC_SIGN_DATA, "the signer's id is too long"))?;
        let data = self.link.fields().bytes(&id.0).u32(len).bytes(signer).bytes(message).finish();
        self.sign(1, &data)
    }

    fn sign(&mut self, p1: u8, data: &[u8]) -> Result<Signature, CardError> {
        let has_prefix = self.link.dialect.replies.signature_has_prefix;
        let command = self.in_application(ins::ECC_SIGN_DATA, p1, 0, data).expecting(0);
        let rs = self.link.run_parsed(&command, |from| {
            if has_prefix {
                from.u32()?;
            }
            from.array::<64>()
        })?;
        Signature::from_rs(&rs).map_err(|_| malformed(ins::ECC_SIGN_DATA, "r or s is out of range"))
    }
}

/// X and Y, behind the bit length where the dialect has it there.
fn public_key(from: &mut Reader<'_>, has_bits: bool) -> Option<[u8; 64]> {
    if has_bits && from.u32()? != BITS {
        return None;
    }
    from.array()
}

fn on_curve(ins: u8, xy: &[u8; 64]) -> Result<PublicKey, CardError> {
    PublicKey::from_xy(xy).map_err(|_| malformed(ins, "it is no point of the SM2 curve"))
}

/// The encrypted private key as the dialect wants it: alone, or with 32 zeros on the side the key does not use.
///
/// Zeros are harmless under ECB: a key that decrypts all 64 bytes keeps only its own half.
fn private_key_field(form: &profile::dialect::Envelope, encrypted: &[u8; 32]) -> Option<Vec<u8>> {
    match (form.private_key_len, form.alignment) {
        (32, _) => Some(encrypted.to_vec()),
        (64, Alignment::Right) => Some([[0; 32], *encrypted].concat()),
        (64, Alignment::Left) => Some([*encrypted, [0; 32]].concat()),
        _ => None,
    }
}
