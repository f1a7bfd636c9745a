//! The transport CA: P-256 certificates by which broker, portal and stations know each other (row P10).

use anyhow::Context as _;
use jiff::{Timestamp, ToSpan as _};
use model::{Secret, StationId};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertificateSigningRequestParams,
    CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair,
    KeyUsagePurpose, PublicKeyData as _, RevocationReason, RevokedCertParams, SerialNumber,
};
use vault::Vault;

use crate::{
    clock::Clock,
    config::Config,
    db::{Db, begin_write},
    stations::{self, CaKeyName},
};

const CA_YEARS: i16 = 10;
/// Long enough to forget, so it is written down at enrolment; short enough for one generation of machines.
const LEAF_YEARS: i16 = 3;

/// The time of a list without entries: 2020-01-01.
const CRL_BEGIN: i64 = 1_577_836_800;

/// The transport CA, loaded.
pub(crate) struct TransportCa {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate.
    pub ca_pem: String,
}

/// A station's request: a public key, and the proof that the station has its private half. Nothing else of it is used.
pub(crate) struct StationRequest(CertificateSigningRequestParams);

impl StationRequest {
    /// Reads a request and checks its signature.
    pub fn parse(pem: &str) -> Result<Self, rcgen::Error> {
        CertificateSigningRequestParams::from_pem(pem).map(Self)
    }

    /// The public key's bytes.
    pub fn public_key(&self) -> Vec<u8> {
        self.0.public_key.der_bytes().to_vec()
    }
}

/// A station's certificate.
pub(crate) struct StationCertificate {
    pub pem: String,
    /// Hex.
    pub serial: String,
}

/// A certificate with its private key.
pub(crate) struct Identity {
    pub certificate_pem: String,
    pub key_pem: Secret,
}

impl TransportCa {
    /// Makes the CA if there is none. True if it was made now.
    pub async fn create(db: &Db, vault: &Vault, config: &Config, clock: &Clock) -> anyhow::Result<bool> {
        if stations::ca_certificate(db, CaKeyName::Transport).await?.is_some() {
            return Ok(false);
        }
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, config.ca.organisation.clone());
        params
            .distinguished_name
            .push(DnType::CommonName, format!("{} transport CA", config.ca.organisation));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        validity(&mut params, clock.now(), CA_YEARS)?;
        let made = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = Secret::new(made.key().serialize_pem().into_bytes());
        let wrapped = stations::wrap_ca_key(vault, CaKeyName::Transport, key).await?;
        let mut tx = begin_write(db).await?;
        stations::store_ca_key(&mut tx, CaKeyName::Transport, &made.pem(), &wrapped, clock.now_ms()).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Loads the CA.
    ///
    /// # Errors
    /// Where `portal init` was not run, or the stored parts are damaged.
    pub async fn load(db: &Db, vault: &Vault) -> anyhow::Result<Self> {
        let stored = stations::open_ca_key(db, vault, CaKeyName::Transport).await?;
        let (ca_pem, key) = stored.context("the portal has no transport CA: run `portal init`")?;
        let key = std::str::from_utf8(key.expose()).context("the transport CA's key is damaged")?;
        let key = KeyPair::from_pem(key).context("the transport CA's key is damaged")?;
        let issuer =
            Issuer::from_ca_cert_pem(&ca_pem, key).context("the transport CA's certificate is damaged")?;
        Ok(Self { issuer, ca_pem })
    }

    /// The broker's certificate for these names and addresses.
    pub fn server(&self, names: Vec<String>, now: Timestamp) -> anyhow::Result<Identity> {
        let common = names.first().cloned().unwrap_or_default();
        let mut params = CertificateParams::new(names).context("broker.host is no host name")?;
        end_entity(&mut params, &common, ExtendedKeyUsagePurpose::ServerAuth, now)?;
        self.identity(&params)
    }

    /// The portal's own certificate as a client of the broker.
    pub fn portal(&self, now: Timestamp) -> anyhow::Result<Identity> {
        let mut params = CertificateParams::default();
        end_entity(&mut params, "portal", ExtendedKeyUsagePurpose::ClientAuth, now)?;
        self.identity(&params)
    }

    /// A station's certificate. The common name is the one given here, never the request's.
    pub fn station(
        &self,
        request: StationRequest,
        name: &StationId,
        now: Timestamp,
    ) -> anyhow::Result<StationCertificate> {
        let mut params = CertificateParams::default();
        end_entity(&mut params, name.as_str(), ExtendedKeyUsagePurpose::ClientAuth, now)?;
        // By chance, not made of the key: a second certificate for the same key must not be revoked with the first.
        let mut serial = [0; 16];
        getrandom::fill(&mut serial)
            .map_err(|error| anyhow::anyhow!("the machine gives no random bytes: {error}"))?;
        serial[0] = serial[0] & 0x3f | 0x40;
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        let request = CertificateSigningRequestParams { params, public_key: request.0.public_key };
        Ok(StationCertificate { pem: request.signed_by(&self.issuer)?.pem(), serial: hex::encode(serial) })
    }

    /// The list of revoked certificates (serial in hex, milliseconds since 1970), PEM.
    ///
    /// Of two lists OpenSSL takes the one that says it is newer, to the second. So the list's time is made of what is in it: a day before the
    /// last revocation, and a second later for each entry. It is made to last, because with a list that ran out nobody is let in.
    pub fn crl(&self, revoked: &[(String, i64)]) -> anyhow::Result<String> {
        let seconds = |seconds: i64| {
            let since = std::time::Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
            rcgen::date_time_ymd(1970, 1, 1) + since
        };
        let mut certificates = Vec::new();
        for (serial, at_ms) in revoked {
            let serial = hex::decode(serial).context("the database holds a serial that is not hex")?;
            certificates.push(RevokedCertParams {
                serial_number: SerialNumber::from_slice(&serial),
                revocation_time: seconds(at_ms / 1000),
                reason_code: Some(RevocationReason::Superseded),
                invalidity_date: None,
            });
        }
        let count = i64::try_from(revoked.len())?;
        let newest = revoked.iter().map(|(_, at_ms)| at_ms / 1000).max();
        let list = CertificateRevocationListParams {
            this_update: seconds(newest.map_or(CRL_BEGIN, |newest| newest - 86_400 + count)),
            next_update: rcgen::date_time_ymd(2049, 12, 31),
            crl_number: SerialNumber::from_slice(&count.to_be_bytes()),
            issuing_distribution_point: None,
            revoked_certs: certificates,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(list.signed_by(&self.issuer)?.pem()?)
    }

    fn identity(&self, params: &CertificateParams) -> anyhow::Result<Identity> {
        let key = KeyPair::generate()?;
        let certificate_pem = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Identity { certificate_pem, key_pem: Secret::new(key.serialize_pem().into_bytes()) })
    }
}

fn end_entity(
    params: &mut CertificateParams,
    common: &str,
    usage: ExtendedKeyUsagePurpose,
    now: Timestamp,
) -> anyhow::Result<()> {
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    validity(params, now, LEAF_YEARS)
}

/// From yesterday (clocks of benches run behind) for whole years.
fn validity(params: &mut CertificateParams, now: Timestamp, years: i16) -> anyhow::Result<()> {
    let day = |date: jiff::civil::Date| {
        let month = u8::try_from(date.month()).unwrap_or(1);
        rcgen::date_time_ymd(i32::from(date.year()), month, u8::try_from(date.day()).unwrap_or(1))
    };
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let bounds = today.checked_sub(1.day()).and_then(|from| Ok((from, today.checked_add(years.years())?)));
    let (from, until) = bounds.context("the clock is beyond what certificates can carry: set it")?;
    params.not_before = day(from);
    params.not_after = day(until);
    Ok(())
}
