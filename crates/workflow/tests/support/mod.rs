//! A portal, a journal and a screen made of memory, and virtual keys in process.

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use gm::{
    PublicKey, SigningKey,
    certificate::{Certificate, Role, Template, new_serial},
    envelope::EnvelopedKey,
    name::Name,
    request,
};
use model::{JobId, KeyId, Secret};
use profile::{Profile, StepKind};
use ukey_sim::{Faults, InProcess, Options, SharedKey, VirtualKey};
use wire::{Bytes, CertificateKind, CertificatesReply, JobOrder, KeySecrets, Refused};
use workflow::{
    Begun, Clock, Driver, Ended, InWork, Interruption, Issuer, IssuerError, Look, Observer, Proceed, Record,
    Recorder, RecorderError, Settled, State, identify, next, replay,
};

pub const DEVICE_KEY: &str = "00112233445566778899aabbccddeeff";
pub const ADMIN_PIN: &str = "Adm1nPinOfTest";
pub const USER_PIN: &str = "12345678";

/// Every shipped profile; a virtual key can be made of each.
pub fn profiles() -> Vec<Profile> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../firmware-profiles");
    profile::load_dir(&dir).unwrap()
}

/// A portal of memory: one CA, the same secrets for every key, the same answer to the same request.
pub struct Portal {
    ca_key: SigningKey,
    ca: Certificate,
    issued: Vec<(Vec<u8>, CertificatesReply)>,
    pub refuse: Option<Refused>,
    pub refuse_certificates: Option<Refused>,
    pub answers: bool,
    pub wrong_key: bool,
    pub factory_key: [u8; 16],
}

impl Portal {
    pub fn new() -> Self {
        let ca_key = SigningKey::generate().unwrap();
        let name = Name::new(&[("CN", "test CA")]).unwrap();
        let ca = template(Role::RootCa, &name, &ca_key.public_key()).self_sign(&ca_key).unwrap();
        let factory_key = ukey_sim::FACTORY_DEVICE_KEY;
        Self {
            ca_key,
            ca,
            issued: Vec::new(),
            refuse: None,
            refuse_certificates: None,
            answers: true,
            wrong_key: false,
            factory_key,
        }
    }

    pub fn requests(&self) -> usize {
        self.issued.len()
    }
}

fn template<'a>(role: Role, subject: &'a Name, key: &'a PublicKey) -> Template<'a> {
    Template {
        role,
        subject,
        public_key: key,
        serial: new_serial().unwrap(),
        not_before: SystemTime::now() - Duration::from_secs(300),
        not_after: SystemTime::now()
            + Duration::from_secs(if role == Role::RootCa { 172_800 } else { 86_400 }),
        extensions: &[],
    }
}

impl Issuer for Portal {
    fn secrets(&mut self, _: &JobId, key: &KeyId, _: &str, _: &str) -> Result<KeySecrets, IssuerError> {
        if !self.answers {
            return Err(IssuerError::Unreachable("silent".to_owned()));
        }
        if let Some(refused) = &self.refuse {
            return Err(IssuerError::Refused(refused.clone()));
        }
        Ok(KeySecrets {
            key: key.clone(),
            factory_device_key: hex::encode(self.factory_key),
            device_key: DEVICE_KEY.to_owned(),
            admin_pin: ADMIN_PIN.to_owned(),
            user_pin: USER_PIN.to_owned(),
        })
    }

    fn certificates(
        &mut self,
        job: &JobId,
        key: &KeyId,
        der: &[u8],
    ) -> Result<CertificatesReply, IssuerError> {
        if let Some(refused) = &self.refuse_certificates {
            return Err(IssuerError::Refused(refused.clone()));
        }
        let request = request::parse(der).unwrap();
        let xy = request.public_key.xy().to_vec();
        if let Some((_, reply)) = self.issued.iter().find(|(seen, _)| *seen == xy) {
            return Ok(reply.clone());
        }
        let name = Name::new(&[("CN", "测试单位")]).unwrap();
        let enc = SigningKey::generate().unwrap();
        let stranger = SigningKey::generate().unwrap().public_key();
        let public = if self.wrong_key { stranger } else { request.public_key };
        let issue = |role, key: &PublicKey| {
            let certificate = template(role, &name, key).sign(&self.ca, &self.ca_key).unwrap();
            Bytes(certificate.der().to_vec())
        };
        let enveloped = EnvelopedKey::seal(&enc.to_secret(), &request.public_key).unwrap();
        let reply = CertificatesReply {
            job: job.clone(),
            key: key.clone(),
            sign_certificate: issue(Role::Signing, &public),
            enc_certificate: issue(Role::Encryption, &enc.public_key()),
            enveloped_key: Bytes(enveloped.to_der().unwrap()),
        };
        self.issued.push((xy, reply.clone()));
        Ok(reply)
    }
}

/// A journal of memory.
#[derive(Default)]
pub struct Journal {
    pub records: Vec<Record>,
    /// After how many records writing fails.
    pub fails_at: Option<usize>,
}

impl Recorder for Journal {
    fn record(&mut self, record: &Record) -> Result<(), RecorderError> {
        if self.fails_at == Some(self.records.len()) {
            return Err(RecorderError("disk full".to_owned()));
        }
        self.records.push(record.clone());
        Ok(())
    }
}

/// A screen that remembers what it said of steps that were cut off.
#[derive(Default)]
pub struct Screen {
    pub settled: Vec<(StepKind, Settled)>,
}

impl Observer for Screen {
    fn step(&mut self, _: StepKind, _: u8) -> Proceed {
        Proceed::GoOn
    }

    fn settled(&mut self, step: StepKind, how: Settled) {
        self.settled.push((step, how));
    }
}

pub struct TestClock;

impl Clock for TestClock {
    fn now(&self) -> String {
        "2026-11-22T09:30:00Z".to_owned()
    }
    fn monotonic_ms(&self) -> u64 {
        0
    }
}

/// One key, one job, one journal.
pub struct Bench {
    pub profiles: Vec<Profile>,
    pub name: String,
    pub flash: PathBuf,
    pub portal: Portal,
    pub journal: Journal,
    pub screen: Screen,
    _dir: tempfile::TempDir,
}

impl Bench {
    /// A blank of the profile `name`.
    pub fn new(name: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let profiles = profiles();
        let flash = dir.path().join("key.json");
        let profile = profiles.iter().find(|profile| profile.name == name).unwrap();
        VirtualKey::make(&flash, profile, "V0000001", &Secret::new(ukey_sim::FACTORY_DEVICE_KEY.to_vec()))
            .unwrap();
        Self {
            profiles,
            name: name.to_owned(),
            flash,
            portal: Portal::new(),
            journal: Journal::default(),
            screen: Screen::default(),
            _dir: dir,
        }
    }

    pub fn profile(&self) -> &Profile {
        self.profiles.iter().find(|profile| profile.name == self.name).unwrap()
    }

    /// Another blank in place of the one there is, of a model that differs.
    pub fn make_anew(&mut self, differs: impl FnOnce(&mut Profile)) {
        let profile = self.profiles.iter_mut().find(|profile| profile.name == self.name).unwrap();
        differs(profile);
        std::fs::remove_file(&self.flash).unwrap();
        let factory = Secret::new(ukey_sim::FACTORY_DEVICE_KEY.to_vec());
        VirtualKey::make(&self.flash, profile, "V0000001", &factory).unwrap();
    }

    /// The key in a reader.
    pub fn plug(&self, faults: Faults) -> InProcess {
        InProcess::new(VirtualKey::open(&self.flash, Options { faults, ..Options::default() }).unwrap())
            .unwrap()
    }

    /// Begins the job: who is it, then the first record.
    pub fn begin(&mut self) -> InWork {
        let mut transport = self.plug(Faults::none());
        let Look::Known(found) = identify(&mut transport, self.profile().transport, &self.profiles) else {
            panic!("not recognised")
        };
        assert!(found.applications.is_empty(), "a blank");
        let record = Record::Begun(Begun {
            order: JobOrder {
                job: "SAAS120261122093000000001-1".parse().unwrap(),
                quantity: 1,
                programme: "test".into(),
                programme_title: "测试".into(),
                holder: "测试单位".into(),
                certificate: CertificateKind::Unit,
                profiles: vec![],
            },
            key: found.key,
            slot: "A01".parse().unwrap(),
            profile: self.name.clone(),
            profile_digest: self.profile().digest.clone(),
            at: "2026-11-22T09:30:00Z".into(),
        });
        self.journal.record(&record).unwrap();
        let Ok(State::InWork(work)) = next(State::Fresh, &record) else { panic!("not begun") };
        *work
    }

    /// Where the journal says the job stands.
    pub fn replayed(&self) -> InWork {
        match replay(&self.journal.records).unwrap() {
            State::InWork(work) => *work,
            other => panic!("{other:?}"),
        }
    }

    /// Runs the driver over the key with `faults`, from `work` on.
    pub fn run(&mut self, work: InWork, faults: Faults) -> Result<Ended, Interruption> {
        let transport = self.plug(faults);
        self.run_on(transport, work)
    }

    /// How many commands a clean run takes, on a key of its own.
    pub fn commands_of_a_clean_run(name: &str) -> u64 {
        let mut bench = Self::new(name);
        let work = bench.begin();
        let key = SharedKey::from(VirtualKey::open(&bench.flash, Options::default()).unwrap());
        let ended = bench.run_on(InProcess::new(key.clone()).unwrap(), work).unwrap();
        assert_eq!(ended.outcome, model::Outcome::Pass);
        key.with(|key| key.faults().commands_seen())
    }

    fn run_on(&mut self, transport: InProcess, work: InWork) -> Result<Ended, Interruption> {
        let profile = self.profiles.iter().find(|profile| profile.name == self.name).unwrap();
        Driver {
            profile,
            recorder: &mut self.journal,
            issuer: &mut self.portal,
            observer: &mut self.screen,
            clock: &TestClock,
            device_tries: None,
        }
        .run(transport, work)
    }
}
