//! The services outside, as doubles.

use std::time::Duration;

use model::Secret;
use portal::outside::{InvoiceService, Port, SmsService};
use sandbox::{invoice, sms};

pub fn sms(day_budget: u32) -> (sms::Handle, SmsService) {
    sms_with(sms::Options::default(), day_budget)
}

pub fn sms_with(options: sms::Options, day_budget: u32) -> (sms::Handle, SmsService) {
    let double = sms::spawn(options).unwrap();
    let service = sms_of(&double, day_budget);
    (double, service)
}

/// The service of a portal beside another, at the same double.
pub fn sms_of(double: &sms::Handle, day_budget: u32) -> SmsService {
    let client = ::sms::Client::new(::sms::Settings {
        endpoint: double.endpoint(),
        access_key_id: sms::ACCESS_KEY_ID.to_owned(),
        access_key_secret: Secret::from(sms::ACCESS_KEY_SECRET),
        timeout: Duration::from_secs(20),
    });
    SmsService {
        port: Port::new(client.unwrap()),
        sign_name: "示例".to_owned(),
        code_template: "SMS_1".to_owned(),
        day_budget,
    }
}

pub fn invoice() -> (invoice::Handle, InvoiceService) {
    let double = invoice::spawn(invoice::Options::default()).unwrap();
    let client = ::invoice::Client::new(::invoice::Settings {
        endpoint: double.endpoint(),
        app_key: invoice::APP_KEY.to_owned(),
        app_secret: Secret::from(invoice::APP_SECRET),
        access_token: Secret::from(invoice::ACCESS_TOKEN),
        tax_number: invoice::TAX_NUMBER.to_owned(),
        timeout: Duration::from_secs(20),
    });
    let service = InvoiceService {
        port: Port::new(client.unwrap()),
        access_token_file: None,
        clerk: "李测试".to_owned(),
        goods_name: "电子钥匙".to_owned(),
        goods_code: "3040203000000000000".to_owned(),
        tax_rate_percent: 6,
    };
    (double, service)
}
