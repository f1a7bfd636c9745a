//! The three master keys: how they are made, found and checked.

use cryptoki::{
    mechanism::Mechanism,
    object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle},
    session::Session,
    types::Ulong,
};

use crate::error::VaultError;

/// Label of the master key from which device authentication keys are derived.
pub const DEVICE_KEY: &str = "ukey-device-key-v1";
/// Label of the master key from which admin PINs are derived.
pub const ADMIN_PIN_KEY: &str = "ukey-admin-pin-v1";
/// Label of the AES-256 key that wraps.
pub const WRAP_KEY: &str = "ukey-wrap-v1";

/// All master keys.
pub(crate) const MASTER_KEYS: [&str; 3] = [DEVICE_KEY, ADMIN_PIN_KEY, WRAP_KEY];

/// Why something inside a session did not work: the token's answer, or our own verdict.
pub(crate) enum Failure {
    Token(cryptoki::error::Error),
    Verdict(VaultError),
}

impl From<cryptoki::error::Error> for Failure {
    fn from(error: cryptoki::error::Error) -> Self {
        Self::Token(error)
    }
}

impl From<VaultError> for Failure {
    fn from(error: VaultError) -> Self {
        Self::Verdict(error)
    }
}

/// The secret key labelled `label`, if there is exactly one and it cannot leave the token.
pub(crate) fn find(session: &Session, label: &str) -> Result<Option<ObjectHandle>, Failure> {
    let template =
        [Attribute::Class(ObjectClass::SECRET_KEY), Attribute::Token(true), Attribute::Label(label.into())];
    let found = session.find_objects(&template)?;
    match found.as_slice() {
        [] => Ok(None),
        [key] => {
            check(session, *key, label)?;
            Ok(Some(*key))
        }
        many => {
            let remedy = "remove by hand the one that no key was made with; a guess could ruin keys";
            Err(VaultError::Ambiguous { label: label.to_owned(), count: many.len(), remedy }.into())
        }
    }
}

/// Refuses a master key that can leave the token, or could at any time since it was made.
fn check(session: &Session, key: ObjectHandle, label: &str) -> Result<(), Failure> {
    let wanted = [
        (AttributeType::Sensitive, Attribute::Sensitive(true), "it is not sensitive"),
        (AttributeType::AlwaysSensitive, Attribute::AlwaysSensitive(true), "it was not always sensitive"),
        (AttributeType::Extractable, Attribute::Extractable(false), "it is extractable"),
        (AttributeType::NeverExtractable, Attribute::NeverExtractable(true), "it was extractable once"),
        (AttributeType::Local, Attribute::Local(true), "it was not made inside the token"),
    ];
    for (kind, attribute, why) in wanted {
        if session.get_attributes(key, &[kind])? != [attribute] {
            return Err(VaultError::Unprotected { label: label.to_owned(), why }.into());
        }
    }
    Ok(())
}

/// Makes a master key inside the token.
pub(crate) fn generate(session: &Session, label: &str) -> Result<(), Failure> {
    let mut template = vec![
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Modifiable(false),
        Attribute::Copyable(false),
        Attribute::Label(label.into()),
        Attribute::ValueLen(Ulong::new(32)),
        Attribute::Wrap(false),
        Attribute::Unwrap(false),
        Attribute::Derive(false),
    ];
    let wraps = label == WRAP_KEY;
    for usage in [
        Attribute::Encrypt(wraps),
        Attribute::Decrypt(wraps),
        Attribute::Sign(!wraps),
        Attribute::Verify(false),
    ] {
        template.push(usage);
    }
    let mechanism = if wraps {
        template.push(Attribute::KeyType(KeyType::AES));
        Mechanism::AesKeyGen
    } else {
        template.push(Attribute::KeyType(KeyType::GENERIC_SECRET));
        Mechanism::GenericSecretKeyGen
    };
    session.generate_key(&mechanism, &template)?;
    Ok(())
}
