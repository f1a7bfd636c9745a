//! The services outside, as doubles.

use std::time::Duration;

use model::Secret;
use portal::outside::{InvoiceService, Port, SmsService};
use sandbox::{invoice, sms};

pub fn sms(day_budget: u32) -> (sms::Handle, SmsService) {
    let double = sms::spawn(sms::Options::default()).unwrap();
    let client = ::sms::Client::new(::sms::Settings {
        endpoint: double.endpoint(),
        access_key_id: sms::ACCESS_KEY_ID.to_owned(),
        access_key_secret: Secret::from(sms::ACCESS_KEY_SECRET),
        timeout: Duration::from_secs(20),
    });
    let service = SmsService {
        port: Port::new(client.unwrap()),
        sign_name: "示例".to_owned(),
        code_template: "SMS_1".to_owned(),
        day_budget,
    };
    (double, service)
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
        clerk: "李测试".to_owned(),
        goods_name: "电子钥匙".to_owned(),
        goods_code: "3040203000000000000".to_owned(),
        tax_rate_percent: 6,
    };
    (double, service)
}
