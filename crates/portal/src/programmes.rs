//! Programmes: one procurement platform's offer each, as data in `config/programmes/<id>.toml`. No programme's name stands in code.

mod check;
mod customers;
mod file;
mod template;

use std::{collections::BTreeMap, path::Path};

use model::{Fen, Secret};
use wire::CertificateKind;

pub use customers::{Agreement, Home, Retention, Review, SmsTemplates};
pub use file::{
    Carrier, Encoding, IdType, InvoiceDelivery, InvoiceKind, Offer, Payer, PaymentMethod, PictureKind,
    UnitKind, Verification,
};
pub use template::{CertificateSubject, Template};

use crate::toml_file::{Fault, Faults, Source};

/// Most programmes a portal serves.
const PROGRAMMES_MAX: usize = 1_000;

/// All programmes by id.
#[derive(Clone, Debug, Default)]
pub struct Programmes(BTreeMap<String, Programme>);

/// One programme, checked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Programme {
    /// The file's name without `.toml`.
    pub id: String,
    /// The title on pages and bench screens.
    pub title: String,
    /// The procurement platform it is for.
    pub platform: String,
    /// What can be ordered.
    pub products: Vec<Product>,
    /// How customers may pay; empty = the programme has no payment step (row S2.2).
    pub payment_methods: Vec<PaymentMethod>,
    /// 认证类型 that may be chosen; the first is the default.
    pub verifications: Vec<Verification>,
    /// Identity documents taken.
    pub id_types: Vec<IdType>,
    /// Kinds of unit taken.
    pub unit_kinds: Vec<UnitKind>,
    /// Whether the legal representative's data is asked for (row S3.4).
    pub legal_representative: bool,
    /// Pictures an order must bring, in this order on the form.
    pub pictures: Vec<PictureKind>,
    /// Whether the authorization letter carries the seal sampling sheet (row S3.5).
    pub seal_sampling: bool,
    /// What the customer must agree to.
    pub agreements: Vec<Agreement>,
    /// Kinds of invoice; the first is the default; empty = none is made.
    pub invoice_kinds: Vec<InvoiceKind>,
    /// How invoices reach the customer; `None` = none is made.
    pub invoice_delivery: Option<InvoiceDelivery>,
    /// Who carries parcels.
    pub carrier: Carrier,
    /// Who pays the carrier.
    pub payer: Payer,
    /// Days after the pack check after which an order is completed if nobody says otherwise.
    pub completed_after_days: u32,
    /// Working days from approval within which the keys are made and sent; `None` = none are promised.
    pub working_days: Option<u8>,
    /// What reviewers are offered.
    pub review: Review,
    /// The PIN a new key is given (row S3.8).
    pub initial_user_pin: Secret,
    /// Firmware profiles whose keys may be used, `vendor/model`; empty = any.
    pub key_profiles: Vec<String>,
    /// The subject of unit certificates, if a product makes them.
    pub unit_certificate: Option<Template>,
    /// The subject of personal certificates, if a product makes them.
    pub personal_certificate: Option<Template>,
    /// The templates of its messages.
    pub sms: SmsTemplates,
    /// Its home page.
    pub home: Home,
    /// How long its data is kept.
    pub retention: Retention,
}

/// Something to order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Product {
    /// The id in orders, unique in its programme.
    pub id: String,
    /// The title on pages.
    pub title: String,
    /// Whose certificate it is.
    pub holder: CertificateKind,
    /// Validities that may be chosen, in years.
    pub years: Vec<u8>,
    /// Price of one key for one year; 0 where the programme has no payment.
    pub price_per_year: Fen,
    /// Fewest keys of an order.
    pub quantity_min: u16,
    /// Most keys of an order.
    pub quantity_max: u16,
}

impl Product {
    /// What `quantity` keys for `years` cost. The file's limits keep this far from overflow.
    #[must_use]
    pub fn amount(&self, years: u8, quantity: u16) -> Fen {
        Fen(self.price_per_year.0 * u64::from(years) * u64::from(quantity))
    }
}

impl Programme {
    /// The product with this id.
    #[must_use]
    pub fn product(&self, id: &str) -> Option<&Product> {
        self.products.iter().find(|product| product.id == id)
    }

    /// The certificate template for a kind of holder.
    #[must_use]
    pub fn template(&self, holder: CertificateKind) -> Option<&Template> {
        match holder {
            CertificateKind::Unit => self.unit_certificate.as_ref(),
            CertificateKind::Personal => self.personal_certificate.as_ref(),
        }
    }

    /// Reads and checks one programme's text; `id` is its file's name without `.toml`.
    ///
    /// # Errors
    /// Every mistake at once.
    pub fn from_source(id: &str, source: &Source) -> Result<Self, Faults> {
        check::validate(id, source.parse()?, source)
    }
}

impl Programmes {
    /// Reads every `*.toml` of a folder.
    ///
    /// # Errors
    /// The mistakes of all files at once, or that the folder holds no programme.
    pub fn load(folder: &Path) -> Result<Self, Faults> {
        let mut faults = Vec::new();
        let mut programmes = BTreeMap::new();
        for path in toml_files(folder)? {
            let id = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            match Source::open(&path).and_then(|source| Programme::from_source(&id, &source)) {
                Ok(programme) => {
                    programmes.insert(id, programme);
                }
                Err(Faults(more)) => faults.extend(more),
            }
        }
        if faults.is_empty() { Ok(Self(programmes)) } else { Err(Faults(faults)) }
    }

    /// Checks that every firmware profile that a programme names is there. `folder` holds the programmes' files, `profiles` the profiles'.
    ///
    /// # Errors
    /// Every name that is not, with file, line, field and remedy; or the profile that cannot be read.
    pub fn check_profiles(&self, folder: &Path, profiles: &Path) -> Result<(), Faults> {
        let known = profile::load_dir(profiles).map_err(|error| {
            let what = format!("the firmware profiles cannot be read: {error}");
            whole(profiles, what, "correct the profile, or profiles_dir in the config")
        })?;
        let known: Vec<&str> = known.iter().map(|profile| profile.name.as_str()).collect();
        let mut faults = Vec::new();
        for programme in self.iter() {
            let missing = programme.key_profiles.iter().enumerate();
            let missing: Vec<_> = missing.filter(|(_, name)| !known.contains(&name.as_str())).collect();
            if missing.is_empty() {
                continue;
            }
            let source = Source::open(&folder.join(format!("{}.toml", programme.id)))?;
            for (index, name) in missing {
                let what = format!("there is no firmware profile {name} in {}", profiles.display());
                let fix = format!("add its file, or name one of: {}", known.join(", "));
                faults.push(source.fault(&format!("key.profiles[{index}]"), what, fix));
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(Faults(faults)) }
    }

    /// These programmes.
    #[must_use]
    pub fn new(programmes: Vec<Programme>) -> Self {
        Self(programmes.into_iter().map(|programme| (programme.id.clone(), programme)).collect())
    }

    /// A programme's title; its id, if its file is gone.
    #[must_use]
    pub fn title(&self, id: &str) -> String {
        self.get(id).map_or_else(|| id.to_owned(), |programme| programme.title.clone())
    }

    /// The programme with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Programme> {
        self.0.get(id)
    }

    /// All, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Programme> {
        self.0.values()
    }
}

/// A fault of a folder as a whole.
fn whole(folder: &Path, what: String, fix: &str) -> Faults {
    Faults(vec![Fault {
        file: folder.display().to_string(),
        line: 0,
        field: String::new(),
        what,
        fix: fix.to_owned(),
    }])
}

fn toml_files(folder: &Path) -> Result<Vec<std::path::PathBuf>, Faults> {
    let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>).map_err(
        |error| {
            whole(folder, format!("the folder cannot be read: {error}"), "check programmes_dir in the config")
        },
    )?;
    let mut files: Vec<_> = entries.into_iter().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    if files.is_empty() || files.len() > PROGRAMMES_MAX {
        let what = format!("it holds {} programme files", files.len());
        return Err(whole(
            folder,
            what,
            "put 1 to 1000 files <id>.toml there; config/programmes/ shows three",
        ));
    }
    Ok(files)
}
