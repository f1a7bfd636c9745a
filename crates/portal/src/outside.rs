//! The services outside that the portal calls: those that the config names.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    config::{Alipay, Config, Invoice},
    mail::Mailer,
    programmes::{PaymentMethod, Programmes},
    stations::{secret_file, whole_secret_file},
};

/// Where Alipay sends notices, below the public address.
pub const ALIPAY_NOTIFY_PATH: &str = "/pay/alipay/notify";

/// The longest one call of Alipay may take.
const ALIPAY_TIMEOUT: Duration = Duration::from_secs(10);

/// Calls to one service at once; each holds a thread for as long as the service is slow.
const CALLS_MAX: usize = 8;
/// The longest one call to the SMS service may take: a customer waits for a code.
const SMS_TIMEOUT: Duration = Duration::from_secs(8);
/// The longest one call to the invoice provider may take.
const INVOICE_TIMEOUT: Duration = Duration::from_secs(15);

/// The services. One that is not configured is not there.
#[derive(Default)]
pub struct Outside {
    /// Alipay.
    pub alipay: Option<Port<alipay::Client>>,
    /// Short messages.
    pub sms: Option<SmsService>,
    /// E-invoices.
    pub invoice: Option<InvoiceService>,
    /// Mails.
    pub mail: Option<Mailer>,
}

impl Outside {
    /// Builds the clients of the services that the config names.
    ///
    /// # Errors
    /// A secret's file that cannot be read, a setting that cannot work.
    pub fn open(config: &Config) -> anyhow::Result<Self> {
        let mut outside = Self::default();
        if let Some(sms) = &config.sms {
            let client = sms::Client::new(sms::Settings {
                endpoint: sms.endpoint.clone(),
                access_key_id: sms.access_key_id.clone(),
                access_key_secret: secret_file(&sms.access_key_secret_file)?,
                timeout: SMS_TIMEOUT,
            })?;
            outside.sms = Some(SmsService {
                port: Port::new(client),
                sign_name: sms.sign_name.clone(),
                code_template: sms.code_template.clone(),
                day_budget: sms.day_budget,
            });
        }
        if let Some(invoice) = &config.invoice {
            outside.invoice = Some(invoice_service(invoice)?);
        }
        outside.mail = config.mail.clone();
        if let Some(alipay) = &config.alipay {
            outside.alipay = Some(Port::new(alipay_client(config, alipay)?));
        }
        Ok(outside)
    }

    /// With this client of Alipay.
    #[must_use]
    pub fn with_alipay(mut self, client: alipay::Client) -> Self {
        self.alipay = Some(Port::new(client));
        self
    }

    /// Whether every programme has the services it needs.
    ///
    /// # Errors
    /// The first programme that has not.
    pub fn check(&self, programmes: &Programmes) -> anyhow::Result<()> {
        for programme in programmes.iter() {
            let id = &programme.id;
            anyhow::ensure!(
                self.alipay.is_some() || !programme.payment_methods.contains(&PaymentMethod::Alipay),
                "programme {id} is paid by Alipay and the config has no [alipay]: config/portal.toml explains it"
            );
        }
        Ok(())
    }
}

/// The SMS service and what codes need of it.
pub struct SmsService {
    /// The client.
    pub port: Port<sms::Client>,
    /// The sign name of codes.
    pub sign_name: String,
    /// The template of codes; its parameter is `code`.
    pub code_template: String,
    /// Codes a day, for everybody together.
    pub day_budget: u32,
}

/// The invoice provider, and what every invoice says.
pub struct InvoiceService {
    /// The client.
    pub port: Port<invoice::Client>,
    /// Where the access token is read anew for each call: providers let it run out after a day or so.
    pub access_token_file: Option<PathBuf>,
    /// 开票人.
    pub clerk: String,
    /// What is sold.
    pub goods_name: String,
    /// 商品和服务税收分类编码.
    pub goods_code: String,
    /// 税率, in percent.
    pub tax_rate_percent: u8,
}

impl InvoiceService {
    /// One call; a provider that is too slow for all of them is as one that does not answer.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&invoice::Client) -> Result<T, invoice::InvoiceError> + Send + 'static,
    ) -> Result<T, invoice::InvoiceError> {
        let later = |cause: String| invoice::InvoiceError::Later(cause);
        let turn = self.port.turn().ok_or_else(|| later("too many calls wait for it".to_owned()))?;
        let file = self.access_token_file.clone();
        let call = move |client: &invoice::Client| {
            match file.as_deref().map(secret_file) {
                Some(Ok(token)) => client.set_access_token(token),
                // Half written, perhaps: the one that was read before may still hold.
                Some(Err(error)) => tracing::warn!("the invoice provider's access token: {error:#}"),
                None => {}
            }
            work(client)
        };
        turn.call(call).await.map_err(|error| later(error.to_string()))?
    }
}

fn invoice_service(config: &Invoice) -> anyhow::Result<InvoiceService> {
    let client = invoice::Client::new(invoice::Settings {
        endpoint: config.endpoint.clone(),
        app_key: config.app_key.clone(),
        app_secret: secret_file(&config.app_secret_file)?,
        access_token: secret_file(&config.access_token_file)?,
        tax_number: config.tax_number.clone(),
        timeout: INVOICE_TIMEOUT,
    })?;
    Ok(InvoiceService {
        port: Port::new(client),
        access_token_file: Some(config.access_token_file.clone()),
        clerk: config.clerk.clone(),
        goods_name: config.goods_name.clone(),
        goods_code: config.goods_code.clone(),
        tax_rate_percent: config.tax_rate_percent,
    })
}

/// A blocking client, and places for calls to it.
pub struct Port<C> {
    client: Arc<C>,
    turns: Arc<Semaphore>,
}

impl<C> Clone for Port<C> {
    fn clone(&self) -> Self {
        Self { client: Arc::clone(&self.client), turns: Arc::clone(&self.turns) }
    }
}

impl<C: Send + Sync + 'static> Port<C> {
    /// A port with a bounded number of places.
    pub fn new(client: C) -> Self {
        Self { client: Arc::new(client), turns: Arc::new(Semaphore::new(CALLS_MAX)) }
    }

    /// The client, for what calls nobody.
    #[must_use]
    pub fn client(&self) -> &C {
        &self.client
    }

    /// A place for one call; `None` while all are taken.
    #[must_use]
    pub fn turn(&self) -> Option<Turn<C>> {
        let permit = Arc::clone(&self.turns).try_acquire_owned().ok()?;
        Some(Turn { client: Arc::clone(&self.client), permit })
    }
}

/// A place for one call.
pub struct Turn<C> {
    client: Arc<C>,
    permit: OwnedSemaphorePermit,
}

impl<C: Send + Sync + 'static> Turn<C> {
    /// Makes the call on a thread where it may wait; it is made whole even if nobody waits for it any more.
    ///
    /// # Errors
    /// The thread ended without an answer.
    pub async fn call<T: Send + 'static>(
        self,
        work: impl FnOnce(&C) -> T + Send + 'static,
    ) -> Result<T, tokio::task::JoinError> {
        let Self { client, permit } = self;
        tokio::task::spawn_blocking(move || {
            let answer = work(&client);
            drop(permit);
            answer
        })
        .await
    }
}

fn alipay_client(config: &Config, section: &Alipay) -> anyhow::Result<alipay::Client> {
    let app_key = alipay::AppKey::read(&whole_secret_file(&section.private_key_file)?)
        .with_context(|| format!("alipay.private_key_file {}", section.private_key_file.display()))?;
    let file = &section.alipay_public_key_file;
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let alipay_key = alipay::PublicKey::read(&text)
        .with_context(|| format!("alipay.alipay_public_key_file {}", file.display()))?;
    let client = alipay::Client::new(alipay::Settings {
        endpoint: section.endpoint.clone(),
        app_id: section.app_id.clone(),
        seller_id: section.seller_id.clone(),
        app_key,
        alipay_key,
        notify_url: format!("{}{ALIPAY_NOTIFY_PATH}", config.http.public_url),
        timeout: ALIPAY_TIMEOUT,
    });
    client.context("[alipay] of the config")
}
