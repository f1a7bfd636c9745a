//! SM2 on the chip: key pairs, the envelope, signing. A signing private key is born here and never leaves.

use gm::{
    PublicKey, SigningKey,
    envelope::{EnvelopeFields, EnvelopedKey},
};
use profile::dialect::Alignment;
use ukey::{StatusWord, apdu::Command, fields::Writer};

use super::{Answered, Chip, container::SM2_BITS, fields::Fields, no_parameters};
use crate::flash::{Container, HexBytes, HexSecret, KeyPair};

/// Length of the SM4 key in an envelope.
const SM4_KEY_LEN: u32 = 16;

/// What ImportECCKeyPair carries.
struct Import {
    app: [u8; 2],
    id: [u8; 2],
    version: u32,
    cipher: u32,
    encrypted_private: [u8; 32],
    public: [u8; 64],
    c1: [u8; 64],
    c3: [u8; 32],
    c2: [u8; 16],
}

impl Chip {
    /// A new signing key pair replaces an old one, and the certificate of the old one goes with it.
    pub(super) fn generate_key_pair(&mut self, command: &Command) -> Answered {
        no_parameters(command)?;
        let mut fields = Fields::new(&command.data, self.order());
        let (app, id, bits) = (fields.array()?, fields.array()?, fields.u32()?);
        fields.end()?;
        self.user_container(app, id)?;
        if bits != SM2_BITS {
            return Err(StatusWord::WrongData);
        }
        let key = self.source.signing_key().ok_or(StatusWord::KeyGenerationFailed)?;
        let public = key.public_key().xy();
        self.container_mut(app, id)?.sign = Some(pair(&key));
        Ok(self.with_bits(self.dialect().replies.key_pair_has_bits).bytes(&public).finish())
    }

    /// The encryption key pair, in an envelope that the signing private key opens; replaces an old one.
    pub(super) fn import_key_pair(&mut self, command: &Command) -> Answered {
        no_parameters(command)?;
        let import = self.envelope(command)?;
        let dialect = self.dialect();
        let sign = sign_key(self.user_container(import.app, import.id)?)?;
        if import.version != dialect.envelope.version {
            return Err(StatusWord::Unsupported);
        }
        if import.cipher != dialect.algorithm_ids.sm4_ecb {
            return Err(StatusWord::UnsupportedCipher);
        }
        let fields = EnvelopeFields {
            public_key: PublicKey::from_xy(&import.public).map_err(|_| StatusWord::DataError)?,
            encrypted_private: import.encrypted_private,
            c1: import.c1,
            c3: import.c3,
            c2: import.c2,
        };
        let envelope = EnvelopedKey::from_fields(fields).map_err(|_| StatusWord::DataError)?;
        // Fails too where the private key does not belong to the public key: such a pair decrypts nothing, ever.
        let private = envelope.open(&sign).map_err(|_| StatusWord::DecryptFailed)?;
        let key = SigningKey::from_secret(&private).map_err(|_| StatusWord::DecryptFailed)?;
        self.container_mut(import.app, import.id)?.encryption = Some(pair(&key));
        Ok(Vec::new())
    }

    fn envelope(&self, command: &Command) -> Result<Import, StatusWord> {
        let form = self.dialect().envelope;
        let mut fields = Fields::new(&command.data, self.order());
        let (app, id) = (fields.array()?, fields.array()?);
        let (version, cipher, bits) = (fields.u32()?, fields.u32()?, fields.u32()?);
        let private_len = fields.len()?;
        if private_len != usize::from(form.private_key_len) {
            return Err(StatusWord::WrongLength);
        }
        let private = fields.bytes(private_len)?;
        let public = fields.array()?;
        let c1_bits = fields.u32()?;
        let (c1, c3) = (fields.array()?, fields.array()?);
        let c2_len = fields.u32()?;
        if c2_len != SM4_KEY_LEN {
            return Err(StatusWord::WrongLength);
        }
        let c2 = fields.array()?;
        fields.end()?;
        if bits != SM2_BITS || c1_bits != SM2_BITS {
            return Err(StatusWord::WrongData);
        }
        // ECB blocks stand alone, so the half that counts may be cut out before it is decrypted.
        let half = match form.alignment {
            Alignment::Left => private.first_chunk(),
            Alignment::Right => private.last_chunk(),
        };
        let encrypted_private = *half.ok_or(StatusWord::WrongLength)?;
        Ok(Import { app, id, version, cipher, encrypted_private, public, c1, c3, c2 })
    }

    /// P1 = 1: the chip computes Z and SM3; P1 = 2: the host did.
    pub(super) fn sign(&mut self, command: &Command) -> Answered {
        let mut fields = Fields::new(&command.data, self.order());
        let (app, id) = (fields.array()?, fields.array()?);
        let signature = match (command.p1, command.p2) {
            (1, 0) => {
                let id_len = fields.len()?;
                let signer = fields.bytes(id_len)?;
                let message = fields.rest();
                let key = sign_key(self.user_container(app, id)?)?;
                if signer != gm::DEFAULT_ID {
                    return Err(StatusWord::Unsupported);
                }
                key.sign(message)
            }
            (2, 0) => {
                let digest = fields.array()?;
                fields.end()?;
                sign_key(self.user_container(app, id)?)?.sign_digest(&digest)
            }
            _ => return Err(StatusWord::WrongParameters),
        };
        let signature = signature.map_err(|_| StatusWord::SignFailed)?;
        Ok(self.with_bits(self.dialect().replies.signature_has_prefix).bytes(&signature.rs()).finish())
    }

    pub(super) fn export_public_key(&mut self, command: &Command) -> Answered {
        let (half, app, id) = self.half(command)?;
        let pair = half.in_container(self.container(app, id)?);
        let public = pair.ok_or(StatusWord::NoKeyPair)?.public.0.clone();
        Ok(self.with_bits(self.dialect().replies.public_key_has_bits).bytes(&public).finish())
    }

    /// A reply that begins with the bit length where the dialect has one.
    fn with_bits(&self, has: bool) -> Writer {
        let reply = Writer::new(self.order());
        if has { reply.u32(SM2_BITS) } else { reply }
    }
}

fn pair(key: &SigningKey) -> KeyPair {
    KeyPair {
        private: HexSecret(key.to_secret()),
        public: HexBytes(key.public_key().xy().to_vec()),
        certificate: None,
    }
}

fn sign_key(container: &Container) -> Result<SigningKey, StatusWord> {
    let pair = container.sign.as_ref().ok_or(StatusWord::NoKeyPair)?;
    SigningKey::from_secret(&pair.private.0).map_err(|_| StatusWord::ReferenceDataInvalid)
}
