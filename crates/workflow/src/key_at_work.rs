//! The key under the driver's hands: the session at whatever level it has, and the way to the level a step needs.

use model::Secret;
use profile::Profile;
use ukey::{Authenticated, CardTransport, ContainerId, Open, Session, User};

use crate::{
    end::Stop,
    timed::{Budget, Timed},
};

/// The secrets of this key, for the length of the job.
pub(crate) struct JobSecrets {
    pub(crate) factory_device_key: Secret,
    pub(crate) device_key: Secret,
    pub(crate) admin_pin: Secret,
    pub(crate) user_pin: Secret,
}

impl JobSecrets {
    /// From the portal's words.
    pub(crate) fn new(secrets: &wire::KeySecrets) -> Result<Self, Stop> {
        let key = |text: &str| {
            hex::decode(text)
                .map(Secret::new)
                .map_err(|_| Stop::error("the portal sent a device key that is not hex"))
        };
        Ok(Self {
            factory_device_key: key(&secrets.factory_device_key)?,
            device_key: key(&secrets.device_key)?,
            admin_pin: Secret::from(secrets.admin_pin.as_str()),
            user_pin: Secret::from(secrets.user_pin.as_str()),
        })
    }
}

enum Level<T> {
    Open(Session<Timed<T>, Open>),
    Authenticated(Session<Timed<T>, Authenticated>),
    User(Session<Timed<T>, User>, Option<ContainerId>),
    /// A way up failed and took the session with it; the run ends with that error.
    Lost,
}

/// A key in work.
pub(crate) struct KeyAtWork<'p, T> {
    pub(crate) profile: &'p Profile,
    pub(crate) secrets: JobSecrets,
    budget: Budget,
    level: Level<T>,
}

fn lost() -> Stop {
    Stop::error("the session with the key was lost after an error")
}

impl<'p, T: CardTransport> KeyAtWork<'p, T> {
    pub(crate) fn new(
        transport: T,
        profile: &'p Profile,
        secrets: JobSecrets,
        device_tries: Option<u8>,
    ) -> Self {
        let budget = Budget::new(profile.job_budget);
        let timed = Timed { inner: transport, budget: budget.clone() };
        let mut session = Session::open(timed, &profile.dialect);
        session.remember_device_tries(device_tries);
        Self { profile, secrets, budget, level: Level::Open(session) }
    }

    /// Starts the time budget of a step.
    pub(crate) fn begin_step(&self, budget: std::time::Duration) {
        self.budget.begin_step(budget);
    }

    /// The session with nothing proved, if nothing was proved yet; used by the first step and by read-back.
    pub(crate) fn take_open(&mut self) -> Result<Session<Timed<T>, Open>, Stop> {
        match std::mem::replace(&mut self.level, Level::Lost) {
            Level::Open(session) => Ok(session),
            Level::User(session, _) => Ok(session.clear_secure_state()?.close()?),
            Level::Authenticated(_) | Level::Lost => Err(lost()),
        }
    }

    pub(crate) fn put_open(&mut self, session: Session<Timed<T>, Open>) {
        self.level = Level::Open(session);
    }

    pub(crate) fn put_authenticated(&mut self, session: Session<Timed<T>, Authenticated>) {
        self.level = Level::Authenticated(session);
    }

    /// With device rights, proved by the new device key unless they are there already.
    pub(crate) fn authenticated(&mut self) -> Result<&mut Session<Timed<T>, Authenticated>, Stop> {
        if !matches!(self.level, Level::Authenticated(_)) {
            let session = self.take_open()?;
            self.level = Level::Authenticated(session.authenticate(&self.secrets.device_key)?);
        }
        match &mut self.level {
            Level::Authenticated(session) => Ok(session),
            _ => Err(lost()),
        }
    }

    /// The names of the applications, at any level.
    pub(crate) fn applications(&mut self) -> Result<Vec<String>, Stop> {
        match &mut self.level {
            Level::Open(session) => Ok(session.enumerate_applications()?),
            Level::Authenticated(session) => Ok(session.enumerate_applications()?),
            Level::User(session, _) => Ok(session.enumerate_applications()?),
            Level::Lost => Err(lost()),
        }
    }

    /// In the application, with the user PIN proved.
    pub(crate) fn user(&mut self) -> Result<&mut Session<Timed<T>, User>, Stop> {
        if !matches!(self.level, Level::User(..)) {
            let name = &self.profile.names.application;
            let application = match std::mem::replace(&mut self.level, Level::Lost) {
                Level::Open(session) => session.open_application(name)?,
                Level::Authenticated(session) => session.open_application(name)?,
                Level::User(..) | Level::Lost => return Err(lost()),
            };
            let user = application.verify_user_pin(&self.secrets.user_pin)?;
            self.level = Level::User(user, None);
        }
        match &mut self.level {
            Level::User(session, _) => Ok(session),
            _ => Err(lost()),
        }
    }

    /// In the application, with the user PIN proved and the container open.
    pub(crate) fn container(&mut self) -> Result<(&mut Session<Timed<T>, User>, ContainerId), Stop> {
        let name = &self.profile.names.container;
        self.user()?;
        match &mut self.level {
            Level::User(session, Some(id)) => Ok((session, *id)),
            Level::User(session, open) => {
                let id = session.open_container(name)?;
                *open = Some(id);
                Ok((session, id))
            }
            _ => Err(lost()),
        }
    }

    /// Remembers the container that was just made.
    pub(crate) fn set_container(&mut self, id: ContainerId) {
        if let Level::User(_, open) = &mut self.level {
            *open = Some(id);
        }
    }
}
