//! For the tests of the virtual key: the shipped profiles, a small CA, and one whole issuing run.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use gm::{
    PublicKey, SigningKey,
    certificate::{Certificate, Role, Template, new_serial},
    envelope::EnvelopedKey,
    name::Name,
};
use model::Secret;
use profile::Profile;
use serde_json::Value;
use ukey::{CardError, CardTransport, CertKind, NewApplication, Session};
use ukey_sim::{FACTORY_DEVICE_KEY, Faults, Latency, Options, VirtualKey};

/// The device key that the run writes.
pub const DEVICE_KEY: [u8; 16] = *b"derived per key!";
pub const ADMIN_PIN: &str = "Adm1n-per-key";
pub const USER_PIN: &str = "12345678";

pub fn profiles() -> Vec<Profile> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../firmware-profiles");
    profile::load_dir(&folder).unwrap()
}

pub fn virtual_profile() -> Profile {
    profiles().into_iter().find(|p| p.name == "ukey/virtual").unwrap()
}

pub fn factory_key() -> Secret {
    Secret::new(FACTORY_DEVICE_KEY.to_vec())
}

/// A new blank in `folder`.
pub fn blank(folder: &Path, profile: &Profile, serial: &str) -> PathBuf {
    let path = folder.join(format!("{serial}.json"));
    VirtualKey::make(&path, profile, serial, &factory_key()).unwrap();
    path
}

pub fn open(path: &Path, faults: Faults) -> VirtualKey {
    VirtualKey::open(path, Options { latency: Latency::none(), faults }).unwrap()
}

/// The flash file without what differs from run to run: generated keys and the certificates for them.
pub fn shape(path: &Path) -> Value {
    let mut flash: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    blur(&mut flash);
    flash
}

fn blur(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                if ["private", "public", "certificate"].contains(&name.as_str()) && !field.is_null() {
                    *field = "set".into();
                }
                blur(field);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(blur),
        _ => {}
    }
}

/// A CA of one level.
pub struct Ca {
    key: SigningKey,
    pub certificate: Certificate,
}

fn time(days: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000 + days * 86_400)
}

impl Ca {
    pub fn new() -> Self {
        let key = SigningKey::generate().unwrap();
        let template = Template {
            role: Role::RootCa,
            subject: &Name::from_rfc4514("CN=Test CA,C=CN").unwrap(),
            public_key: &key.public_key(),
            serial: new_serial().unwrap(),
            not_before: time(0),
            not_after: time(3650),
            extensions: &[],
        };
        let certificate = template.self_sign(&key).unwrap();
        Self { key, certificate }
    }

    fn issue(&self, role: Role, public_key: &PublicKey) -> Vec<u8> {
        let subject = Name::from_rfc4514("CN=测试单位,O=测试单位,C=CN").unwrap();
        let (serial, extensions) = (new_serial().unwrap(), &[]);
        let (not_before, not_after) = (time(1), time(366));
        let template =
            Template { role, subject: &subject, public_key, serial, not_before, not_after, extensions };
        template.sign(&self.certificate, &self.key).unwrap().der().to_vec()
    }
}

/// What a run has read back.
pub struct Issued {
    pub sign: Certificate,
    pub encryption: Certificate,
    pub sign_key: PublicKey,
}

/// From blank to verified key, as a station does it.
pub fn issue(link: &mut impl CardTransport, profile: &Profile, ca: &Ca) -> Result<Issued, CardError> {
    let mut session = Session::open(link, &profile.dialect);
    session.device_info()?;
    let new_key = Secret::new(DEVICE_KEY.to_vec());
    let mut session = session.authenticate(&factory_key())?;
    session.change_device_key(&factory_key(), &new_key)?;
    session.create_application(&application(profile))?;
    let session = session.open_application(&profile.names.application)?;
    let mut session = session.verify_user_pin(&Secret::from(USER_PIN))?;
    let id = session.create_container(&profile.names.container)?;
    let sign_key = session.generate_key_pair(id)?;
    let request = gm::request::build("CN=request", &sign_key, |e| session.sign_digest(id, e));
    let request = request.map_err(|error| match error {
        gm::request::BuildError::Sign(error) => error,
        gm::request::BuildError::Gm(error) => panic!("the request cannot be built: {error}"),
    })?;
    assert_eq!(gm::request::parse(&request).unwrap().public_key, sign_key);

    let pair = SigningKey::generate().unwrap();
    let sign_der = ca.issue(Role::Signing, &sign_key);
    let encryption_der = ca.issue(Role::Encryption, &pair.public_key());
    let envelope = EnvelopedKey::seal(&pair.to_secret(), &sign_key).unwrap();
    session.import_certificate(id, CertKind::Sign, &sign_der)?;
    session.import_key_pair(id, &envelope.fields())?;
    session.import_certificate(id, CertKind::Encryption, &encryption_der)?;
    session.set_label(&profile.names.label)?;

    assert_eq!(session.export_certificate(id, CertKind::Sign)?.unwrap(), sign_der);
    assert_eq!(session.export_certificate(id, CertKind::Encryption)?.unwrap(), encryption_der);
    assert_eq!(session.export_public_key(id, CertKind::Encryption)?.unwrap(), pair.public_key());
    let signature = session.sign_message(id, gm::DEFAULT_ID, b"challenge")?;
    sign_key.verify(b"challenge", &signature).unwrap();
    let info = session.container_info(&profile.names.container)?;
    assert!(info.sign_certificate && info.encryption_certificate);
    session.clear_secure_state()?.close()?;
    let sign = Certificate::from_der(&sign_der).unwrap();
    Ok(Issued { sign, encryption: Certificate::from_der(&encryption_der).unwrap(), sign_key })
}

fn application(profile: &Profile) -> NewApplication {
    NewApplication {
        name: profile.names.application.clone(),
        admin_pin: Secret::from(ADMIN_PIN),
        admin_tries: profile.pins.admin_tries,
        user_pin: Secret::from(USER_PIN),
        user_tries: profile.pins.user_tries,
        rights: NewApplication::RIGHT_USER,
        containers: 1,
        certificates: 2,
        files: 0,
    }
}
