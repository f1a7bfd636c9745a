//! Who is in the slot: profile, identity, and whether it is a blank.

use model::KeyId;
use profile::{Profile, Transport};
use ukey::{CardError, CardTransport, DeviceInfo, Session, TransportError};
use wire::RefusalReason;

/// A recognised key.
#[derive(Clone, Debug)]
pub struct Identified<'p> {
    /// Its profile.
    pub profile: &'p Profile,
    /// Its identity.
    pub key: KeyId,
    /// Applications on it; a blank has none.
    pub applications: Vec<String>,
}

/// A key that was not recognised or cannot be taken.
#[derive(Debug)]
pub struct NotTaken {
    /// Why.
    pub reason: RefusalReason,
    /// For people.
    pub detail: String,
}

/// What looking at a key gave.
#[derive(Debug)]
pub enum Look<'p> {
    /// Recognised.
    Known(Identified<'p>),
    /// Not taken.
    NotTaken(NotTaken),
    /// Pulled, or the link broke, while it was looked at.
    Interrupted(TransportError),
}

/// Reads the key in the slot and finds its profile among those reached `via` this link: ATR first, then device info,
/// which every dialect answers alike but for byte order.
pub fn identify<'p, T: CardTransport>(
    transport: &mut T,
    via: Transport,
    profiles: &'p [Profile],
) -> Look<'p> {
    let atr = transport.atr().map(<[u8]>::to_vec);
    let mut heard = String::new();
    for profile in
        profiles.iter().filter(|profile| profile.transport == via && fits_atr(profile, atr.as_deref()))
    {
        let mut session = Session::open(&mut *transport, &profile.dialect);
        let info = match session.device_info() {
            Ok(info) => info,
            Err(CardError::Transport(error)) => return Look::Interrupted(error),
            Err(error) => {
                heard = error.to_string();
                continue;
            }
        };
        if !profile.matches_device_info(&info.manufacturer, &info.label, &info.serial) {
            heard = format!("{} {}", info.manufacturer, info.label);
            continue;
        }
        return known(profile, &info, &mut session);
    }
    let atr = atr.map_or_else(|| "无 ATR".to_owned(), hex::encode_upper);
    not_taken(
        RefusalReason::UnknownModel,
        format!(
            "没有固件配置与此钥匙相符（ATR {atr}{}{heard}），请取出 (no profile fits this key)",
            if heard.is_empty() { "" } else { "；" }
        ),
    )
}

/// A profile without an ATR is told by its device info alone.
fn fits_atr(profile: &Profile, atr: Option<&[u8]>) -> bool {
    profile.matching.atr.is_none() || atr.is_some_and(|atr| profile.matches_atr(atr))
}

fn known<'p, T: CardTransport>(
    profile: &'p Profile,
    info: &DeviceInfo,
    session: &mut Session<T, ukey::Open>,
) -> Look<'p> {
    let key = match KeyId::new(&profile.maker, &profile.model, &info.serial) {
        Ok(key) => key,
        Err(error) => {
            return not_taken(
                RefusalReason::Unreadable,
                format!("序列号不可用：{error} (the serial cannot be used)"),
            );
        }
    };
    match session.enumerate_applications() {
        Ok(applications) => Look::Known(Identified { profile, key, applications }),
        Err(CardError::Transport(error)) => Look::Interrupted(error),
        Err(error) => not_taken(
            RefusalReason::Unreadable,
            format!("读不出应用列表：{error} (its applications cannot be read)"),
        ),
    }
}

fn not_taken<'p>(reason: RefusalReason, detail: String) -> Look<'p> {
    Look::NotTaken(NotTaken { reason, detail })
}
