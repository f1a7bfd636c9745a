//! The handle the portal holds.

use std::sync::Arc;

use cryptoki::{
    context::Function,
    error::{Error, RvError},
    mechanism::{Mechanism, aead::GcmParams},
    object::{Attribute, AttributeType, ObjectClass, ObjectHandle},
    session::Session,
    types::Ulong,
};
use model::{KeyId, Secret};

use crate::{
    derive,
    error::VaultError,
    initialise::{Initialised, initialise},
    keys::{self, ADMIN_PIN_KEY, DEVICE_KEY, Failure, MASTER_KEYS, WRAP_KEY},
    session::{Line, absent},
    settings::Settings,
};

/// Most bytes that [`Vault::wrap`] takes.
pub const MAX_WRAPPED_BYTES: usize = 64 * 1024;

/// First byte of what [`Vault::wrap`] gives: AES-256-GCM under `ukey-wrap-v1`, 12 bytes IV, ciphertext, 16 bytes tag.
const FORM: u8 = 1;
const IV_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
/// Marks our data objects in a token that others may use too.
const APPLICATION: &str = "ukey-station";

/// The open vault. Cheap to clone, Send and Sync; calls block (milliseconds in SoftHSM, more in an HSM on a network) and take turns.
#[derive(Clone)]
pub struct Vault(Arc<Line>);

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault")
    }
}

impl Vault {
    /// Opens the token, logs in and checks that every master key is there and cannot leave.
    ///
    /// # Errors
    /// [`VaultError`]: module, token, PIN, or a master key that is absent, double or unprotected.
    pub fn open(settings: &Settings) -> Result<Self, VaultError> {
        let line = Line::new(settings)?;
        line.run(|session| MASTER_KEYS.into_iter().try_for_each(|label| master(session, label).map(|_| ())))?;
        Ok(Self(Arc::new(line)))
    }

    /// Makes what is absent: the token (in a slot with a blank one), its user PIN, the master keys. What is there is never touched, so
    /// a second call does nothing. Not for two processes at once.
    ///
    /// # Errors
    /// [`VaultError`]: module, no blank token, a PIN that an existing token refuses.
    pub fn initialise(settings: &Settings, so_pin: &Secret) -> Result<Initialised, VaultError> {
        initialise(settings, so_pin)
    }

    /// Whether the token works now: it derives something that is thrown away. Other calls are not waited for. Blocks as they do.
    ///
    /// # Errors
    /// As [`Vault::device_key`].
    pub fn check(&self) -> Result<(), VaultError> {
        self.0.aside(|session| mac(session, DEVICE_KEY, b"check").map(|_| ()))
    }

    /// The device authentication key of one key: 16 bytes, the same for the same maker, model and serial.
    /// First half of HMAC-SHA-256 in the HSM under [`DEVICE_KEY`].
    ///
    /// # Errors
    /// [`VaultError::Absent`] without master key, [`VaultError::Token`].
    pub fn device_key(&self, key: &KeyId) -> Result<Secret, VaultError> {
        let input = derive::input(DEVICE_KEY, key, &[]);
        let mac = self.0.run(|session| mac(session, DEVICE_KEY, &input))?;
        Ok(Secret::new(mac.expose().iter().take(16).copied().collect()))
    }

    /// The admin PIN of one key: `len` (6 to 16) characters out of digits and letters without 0 O 1 I l, the same for the same maker,
    /// model, serial and length. From HMAC-SHA-256 blocks in the HSM under [`ADMIN_PIN_KEY`], each character equally likely.
    ///
    /// # Errors
    /// [`VaultError::Argument`] for another length, [`VaultError::Absent`] without master key, [`VaultError::Token`].
    pub fn admin_pin(&self, key: &KeyId, len: u8) -> Result<Secret, VaultError> {
        if !(6..=16).contains(&len) {
            return Err(VaultError::Argument {
                what: "the admin PIN's length",
                rule: "it has 6 to 16 characters",
            });
        }
        let pin = self.0.run(|session| {
            derive::pin(len, |number| {
                let input = derive::input(ADMIN_PIN_KEY, key, &[&[len], &number.to_be_bytes()]);
                mac(session, ADMIN_PIN_KEY, &input)
            })
        })?;
        pin.ok_or(VaultError::Argument { what: "the token's HMAC", rule: "it gives random bytes" })
    }

    /// Encrypts `secret` for storage: AES-256-GCM in the HSM under [`WRAP_KEY`], random IV, bound to `context` (say what and whose it
    /// is: only the same words open it).
    ///
    /// # Errors
    /// [`VaultError::Argument`] over [`MAX_WRAPPED_BYTES`] or without context, [`VaultError::Absent`], [`VaultError::Token`].
    pub fn wrap(&self, secret: &Secret, context: &str) -> Result<Vec<u8>, VaultError> {
        let aad = aad(context)?;
        if secret.len() > MAX_WRAPPED_BYTES {
            return Err(VaultError::Argument {
                what: "the secret to wrap",
                rule: "it has at most 65536 bytes",
            });
        }
        self.0.run(|session| seal(session, secret, &aad))
    }

    /// Decrypts what [`Vault::wrap`] gave for the same `context`.
    ///
    /// # Errors
    /// [`VaultError::Sealed`] if it is not exactly that, [`VaultError::Absent`], [`VaultError::Token`].
    pub fn unwrap(&self, wrapped: &[u8], context: &str) -> Result<Secret, VaultError> {
        let aad = aad(context)?;
        self.0.run(|session| open(session, wrapped, &aad, context))
    }

    /// Stores a maker's factory key under the label that a profile names; one that is there is replaced. It lies in the token as a
    /// private object (only the logged-in user sees it) and wrapped, bound to its label.
    ///
    /// # Errors
    /// [`VaultError::Argument`] for a label that is not 1 to 64 visible ASCII characters, an empty key or one over 1024 bytes;
    /// [`VaultError::Token`].
    pub fn set_factory_key(&self, label: &str, key: &Secret) -> Result<(), VaultError> {
        let (name, context) = factory_name(label)?;
        if !(1..=1024).contains(&key.len()) {
            return Err(VaultError::Argument { what: "the factory key", rule: "it has 1 to 1024 bytes" });
        }
        let aad = aad(&context)?;
        self.0.run(|session| {
            let value = Attribute::Value(seal(session, key, &aad)?);
            // SoftHSM does not let a value be changed in place. New before old: a cut in between loses nothing, and is told as Ambiguous.
            let before = session.find_objects(&factory_template(&name))?;
            let mut template = factory_template(&name);
            template.extend([Attribute::Private(true), Attribute::Modifiable(false), value]);
            session.create_object(&template)?;
            for object in before {
                session.destroy_object(object)?;
            }
            Ok(())
        })
    }

    /// The factory key stored under `label`.
    ///
    /// # Errors
    /// [`VaultError::Absent`] if none is, [`VaultError::Sealed`] if the token's wrapping key is another one, [`VaultError::Token`].
    pub fn factory_key(&self, label: &str) -> Result<Secret, VaultError> {
        let (name, context) = factory_name(label)?;
        let aad = aad(&context)?;
        self.0.run(|session| {
            let remedy =
                "store it by `portal factory-key LABEL`, or correct the label in the firmware profile";
            let error = || VaultError::Absent { what: "factory key", label: label.to_owned(), remedy };
            let object = find_factory(session, &name)?.ok_or_else(|| absent(session, error()))?;
            match session.get_attributes(object, &[AttributeType::Value])?.as_slice() {
                [Attribute::Value(wrapped)] => open(session, wrapped, &aad, &context),
                _ => Err(VaultError::Sealed { context: context.clone() }.into()),
            }
        })
    }
}

fn master(session: &Session, label: &'static str) -> Result<ObjectHandle, Failure> {
    let remedy = "run `portal init`; if keys were made with it before, restore the token's backup instead";
    match keys::find(session, label)? {
        Some(key) => Ok(key),
        None => {
            Err(absent(session, VaultError::Absent { what: "master key", label: label.to_owned(), remedy }))
        }
    }
}

fn mac(session: &Session, label: &'static str, input: &[u8]) -> Result<Secret, Failure> {
    Ok(Secret::new(session.sign(&Mechanism::Sha256Hmac, master(session, label)?, input)?))
}

/// What GCM authenticates beside the ciphertext: form, key and context, each behind its length.
fn aad(context: &str) -> Result<Vec<u8>, VaultError> {
    let length = u16::try_from(context.len()).ok().filter(|length| *length > 0);
    let length =
        length.ok_or(VaultError::Argument { what: "the context", rule: "it has 1 to 65535 bytes" })?;
    let name = WRAP_KEY.as_bytes();
    Ok([&[FORM], name, &[0], length.to_be_bytes().as_slice(), context.as_bytes()].concat())
}

fn seal(session: &Session, secret: &Secret, aad: &[u8]) -> Result<Vec<u8>, Failure> {
    let key = master(session, WRAP_KEY)?;
    let mut iv = [0; IV_BYTES];
    session.generate_random_slice(&mut iv)?;
    let mut used = iv;
    let params = GcmParams::new(&mut used, aad, Ulong::new(8 * TAG_BYTES as u64))?;
    let sealed = session.encrypt(&Mechanism::AesGcm(params), key, secret.expose())?;
    Ok([&[FORM], iv.as_slice(), &sealed].concat())
}

fn open(session: &Session, wrapped: &[u8], aad: &[u8], context: &str) -> Result<Secret, Failure> {
    let sealed = || Failure::Verdict(VaultError::Sealed { context: context.to_owned() });
    let body = wrapped.strip_prefix(&[FORM]).ok_or_else(sealed)?;
    let (iv, body) = body.split_at_checked(IV_BYTES).ok_or_else(sealed)?;
    if !(TAG_BYTES..=MAX_WRAPPED_BYTES + TAG_BYTES).contains(&body.len()) {
        return Err(sealed());
    }
    let key = master(session, WRAP_KEY)?;
    let mut iv = iv.to_vec();
    let params = GcmParams::new(&mut iv, aad, Ulong::new(8 * TAG_BYTES as u64))?;
    match session.decrypt(&Mechanism::AesGcm(params), key, body) {
        Ok(plain) => Ok(Secret::new(plain)),
        Err(Error::Pkcs11(RvError::EncryptedDataInvalid | RvError::EncryptedDataLenRange, _)) => {
            Err(sealed())
        }
        // SoftHSM says no more than this for a wrong tag. If the key opens what it has just sealed, the bytes are to blame, not the token.
        Err(Error::Pkcs11(RvError::GeneralError, Function::Decrypt)) if opens_its_own(session, key) => {
            Err(sealed())
        }
        Err(e) => Err(e.into()),
    }
}

/// Whether the wrapping key seals and opens in this session.
fn opens_its_own(session: &Session, key: ObjectHandle) -> bool {
    let aad = b"self-check";
    let Ok(wrapped) = seal(session, &Secret::new(aad.to_vec()), aad) else { return false };
    let Some((iv, body)) = wrapped.get(1..).and_then(|rest| rest.split_at_checked(IV_BYTES)) else {
        return false;
    };
    let mut iv = iv.to_vec();
    let Ok(params) = GcmParams::new(&mut iv, aad, Ulong::new(8 * TAG_BYTES as u64)) else { return false };
    session.decrypt(&Mechanism::AesGcm(params), key, body).is_ok_and(|plain| plain == aad)
}

/// The object's label and the wrapping context of a factory key.
fn factory_name(label: &str) -> Result<(String, String), VaultError> {
    if (1..=64).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_graphic()) {
        Ok((format!("ukey-factory-key/{label}"), format!("factory-key/{label}")))
    } else {
        let rule = "it has 1 to 64 visible ASCII characters";
        Err(VaultError::Argument { what: "the factory key's label", rule })
    }
}

fn factory_template(name: &str) -> Vec<Attribute> {
    vec![
        Attribute::Class(ObjectClass::DATA),
        Attribute::Token(true),
        Attribute::Application(APPLICATION.into()),
        Attribute::Label(name.into()),
    ]
}

fn find_factory(session: &Session, name: &str) -> Result<Option<ObjectHandle>, Failure> {
    match session.find_objects(&factory_template(name))?.as_slice() {
        [] => Ok(None),
        [object] => Ok(Some(*object)),
        many => {
            let remedy = "replacing it was cut short, store it again";
            Err(VaultError::Ambiguous { label: name.to_owned(), count: many.len(), remedy }.into())
        }
    }
}
