//! Row P7: nothing is green before it was read back and proved.

use gm::certificate::Certificate;
use ukey::{CardTransport, CertKind, KeyKind, PinType, Session, StatusWord};

use crate::{
    end::Stop,
    key_at_work::KeyAtWork,
    record::Output,
    state::InWork,
    steps::{certificates, enveloped_key, public_key},
};

fn unlike(what: &str) -> Stop {
    Stop::fail(format!("回读校验不符：{what}，请取出并隔离 (read-back differs: set the key aside)"))
}

/// Reads everything back from a session in which nothing is proved, then proves both PINs and both device keys.
pub(crate) fn read_back<T: CardTransport>(key: &mut KeyAtWork<'_, T>, work: &InWork) -> Result<Output, Stop> {
    let profile = key.profile;
    let issued = certificates(work)?;
    let sign_key = public_key(work)?;
    let enc_key = enveloped_key(work)?.fields().public_key;

    // Both certificates and both public keys, without any right.
    let mut application = key.take_open()?.open_application(&profile.names.application)?;
    for (pin, tries) in [(PinType::Admin, profile.pins.admin_tries), (PinType::User, profile.pins.user_tries)]
    {
        let info = application.pin_info(pin)?;
        if info.max != tries || info.left != tries {
            return Err(unlike(&format!("{pin:?} PIN has {} of {} tries, not {tries}", info.left, info.max)));
        }
    }
    let id = application.open_container(&profile.names.container)?;
    let sign = application.export_certificate(id, CertKind::Sign)?.ok_or_else(|| unlike("无签名证书"))?;
    let enc =
        application.export_certificate(id, CertKind::Encryption)?.ok_or_else(|| unlike("无加密证书"))?;
    if sign != issued.sign.0 || enc != issued.enc.0 {
        return Err(unlike("证书与签发的不一致"));
    }
    if application.export_public_key(id, KeyKind::Sign)? != Some(sign_key)
        || application.export_public_key(id, KeyKind::Encryption)? != Some(enc_key)
    {
        return Err(unlike("公钥与证书不一致"));
    }
    let sign = Certificate::from_der(&sign).map_err(|_| unlike("签名证书读不出"))?;
    let enc = Certificate::from_der(&enc).map_err(|_| unlike("加密证书读不出"))?;

    // The admin PIN opens, the user PIN opens, and the private key belongs to the certificate.
    application.verify_admin_pin(&key.secrets.admin_pin)?;
    application.clear_secure_state()?;
    let mut user = application.verify_user_pin(&key.secrets.user_pin)?;
    let mut challenge = [0u8; 32];
    getrandom::fill(&mut challenge).map_err(|error| Stop::error(format!("no randomness: {error}")))?;
    let signature = user.sign_digest(id, &challenge)?;
    sign.public_key().verify_digest(&challenge, &signature).map_err(|_| unlike("挑战签名验证不通过"))?;

    // The new device key opens and sets the counter back; only then a try is spent on the factory key, which must be
    // refused, and the new key makes that good.
    let open = user.clear_secure_state()?.close()?;
    let proved = open.authenticate(&key.secrets.device_key)?;
    let open = Session::open(proved.into_transport(), &profile.dialect);
    let open = match open.authenticate(&key.secrets.factory_device_key) {
        Ok(_) => return Err(unlike("出厂设备认证密钥仍然有效")),
        Err(refused) if matches!(refused.error.status(), Some(StatusWord::VerificationFailed { .. })) => {
            refused.session
        }
        Err(refused) => return Err(refused.error.into()),
    };
    key.put_authenticated(open.authenticate(&key.secrets.device_key)?);
    Ok(Output::Verified { sign_cert_serial: sign.serial_hex(), enc_cert_serial: enc.serial_hex() })
}
