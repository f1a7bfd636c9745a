//! A customer with a browser without scripts: keeps cookies, sends forms with pictures, reads codes off a phone.

#![allow(dead_code)] // each test file uses its own part

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::atomic::Ordering, time::Duration};

use model::{OrderNumber, Secret};
use portal::{
    AppState, orders,
    outside::{Outside, Port, SmsService},
    programmes::Programmes,
};
use sandbox::sms as double;

use crate::bench::{Bench, credit_code, id_number};

const BOUNDARY: &str = "----the-boundary-of-a-test";

/// What the portal answered.
pub struct Answer {
    pub status: u16,
    location: Option<String>,
    /// The cookies that were set.
    pub cookies: Vec<String>,
    pub body: String,
}

impl Answer {
    /// The page of a request that was done.
    pub fn ok(self) -> String {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body
    }

    /// The page of a request that was not.
    pub fn refused(self) -> String {
        assert_eq!(self.status, 422, "{:?} {}", self.location, self.body);
        self.body
    }

    /// Where a request that was done leads.
    pub fn location(&self) -> String {
        assert_eq!(self.status, 303, "{}", self.body);
        self.location.clone().unwrap()
    }
}

/// The texts of a form, by input.
#[derive(Clone)]
pub struct Fields(BTreeMap<String, String>);

impl Fields {
    pub fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.to_owned());
    }

    pub fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    pub fn pairs(&self) -> Vec<(&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }
}

/// A form without mistakes, of an invented unit.
pub fn filled() -> Fields {
    let (id_number, credit_code) = (id_number(1), credit_code(1));
    let pairs = [
        ("years", "1"),
        ("quantity", "1"),
        ("verification", "basic"),
        ("handler.name", "陈测试"),
        ("handler.id_type", "id_card"),
        ("handler.id_number", &id_number),
        ("handler.mobile", "13800000001"),
        ("handler.mail", "chen@example.com"),
        ("unit.name", "示例客车零部件有限公司"),
        ("unit.credit_code", &credit_code),
        ("unit.kind", "enterprise"),
        ("unit.industry", "制造业"),
        ("receiver.name", "林测试"),
        ("receiver.mobile", "13800000002"),
        ("receiver.province", "福建省"),
        ("receiver.city", "厦门市"),
        ("receiver.county", "集美区"),
        ("receiver.address", "示例路 8 号"),
        ("agree.service", "2026-01"),
        ("agree.privacy", "2026-01"),
    ];
    Fields(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
}

/// The same with a legal representative.
pub fn legal() -> Fields {
    let mut fields = filled();
    fields.set("legal_representative.name", "王代表");
    fields.set("legal_representative.id_type", "id_card");
    fields.set("legal_representative.id_number", &id_number(2));
    fields
}

/// A small picture in colour.
pub fn picture() -> Vec<u8> {
    tinted(90)
}

/// The same in another colour.
pub fn tinted(blue: u8) -> Vec<u8> {
    let pixels =
        image::RgbImage::from_fn(320, 200, |x, y| image::Rgb([(x % 256) as u8, (y % 256) as u8, blue]));
    let mut png = std::io::Cursor::new(Vec::new());
    pixels.write_to(&mut png, image::ImageFormat::Png).unwrap();
    png.into_inner()
}

/// The SMS service and its double.
fn messages() -> (SmsService, double::Handle) {
    let sms = double::spawn(double::Options::default()).unwrap();
    let client = sms::Client::new(sms::Settings {
        endpoint: sms.endpoint(),
        access_key_id: double::ACCESS_KEY_ID.to_owned(),
        access_key_secret: Secret::from(double::ACCESS_KEY_SECRET),
        timeout: Duration::from_secs(20),
    });
    let service = SmsService {
        port: Port::new(client.unwrap()),
        sign_name: "示例".to_owned(),
        code_template: "SMS_1".to_owned(),
        day_budget: 1_000,
    };
    (service, sms)
}

struct Portal {
    bench: Bench,
    sms: double::Handle,
}

/// One browser at one portal.
pub struct Shop {
    portal: Rc<Portal>,
    cookies: RefCell<BTreeMap<String, String>>,
    last: RefCell<String>,
}

impl Shop {
    pub fn new() -> Self {
        let (service, sms) = messages();
        let bench = Bench::with_outside(|_| Outside { sms: Some(service), ..Outside::default() });
        Self { portal: Rc::new(Portal { bench, sms }), cookies: RefCell::default(), last: RefCell::default() }
    }

    /// The same browser at a portal whose programmes are others now.
    pub fn after(&self, programmes: Programmes) -> Self {
        let (service, sms) = messages();
        let outside = Outside { sms: Some(service), ..Outside::default() };
        let bench = self.portal.bench.beside_with(programmes, outside);
        Self {
            portal: Rc::new(Portal { bench, sms }),
            cookies: self.cookies.clone(),
            last: RefCell::default(),
        }
    }

    /// The portal behind it.
    pub fn bench(&self) -> &Bench {
        &self.portal.bench
    }

    /// Logs the customer with this mobile in, as a right code would.
    pub fn log_in(&self, mobile: &str) {
        let token = self.block_on(async {
            let mut tx = portal::db::begin_write(&self.state().db).await.unwrap();
            let token = portal::customers::open_session(self.state(), &mut tx, mobile).await.unwrap();
            tx.commit().await.unwrap();
            token
        });
        self.cookies.borrow_mut().insert("ukey_customer".to_owned(), token.expose().to_owned());
    }

    /// Loses a cookie: its time is over.
    pub fn forgets(&self, name: &str) {
        assert!(self.cookies.borrow_mut().remove(name).is_some(), "there was no {name}");
    }

    /// The cookies, as they are sent.
    pub fn jar(&self) -> String {
        let cookies = self.cookies.borrow();
        cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }
    /// Another browser at the same portal.
    pub fn stranger(&self) -> Self {
        Self { portal: self.portal.clone(), cookies: RefCell::default(), last: RefCell::default() }
    }

    pub fn state(&self) -> &AppState {
        &self.portal.bench.state
    }

    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.portal.bench.runtime.block_on(work)
    }

    pub fn scalar<T>(&self, sql: &'static str) -> T
    where
        T: Send + Unpin + for<'r> sqlx::Decode<'r, sqlx::Any> + sqlx::Type<sqlx::Any>,
    {
        self.block_on(sqlx::query_scalar::<sqlx::Any, T>(sql).fetch_one(&self.state().db)).unwrap()
    }

    pub fn later(&self, ms: i64) {
        self.portal.bench.now_ms.fetch_add(ms, Ordering::SeqCst);
    }

    fn answer(&self, mut answer: ureq::http::Response<ureq::Body>) -> Answer {
        let set = answer.headers().get_all("set-cookie").iter().map(|line| line.to_str().unwrap().to_owned());
        let set: Vec<String> = set.collect();
        for line in &set {
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
        }
        let location = answer.headers().get("location").map(|place| place.to_str().unwrap().to_owned());
        if let Some(location) = &location {
            self.last.replace(location.clone());
        }
        let body = answer.body_mut().read_to_vec().unwrap();
        Answer {
            status: answer.status().as_u16(),
            location,
            cookies: set,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.portal.bench.url)
    }

    pub fn get(&self, path: &str) -> Answer {
        let request = self.portal.bench.agent().get(self.at(path)).header("cookie", self.jar());
        self.answer(request.call().unwrap())
    }

    /// Status, content type and bytes.
    pub fn bytes(&self, path: &str) -> (u16, String, Vec<u8>) {
        let request = self.portal.bench.agent().get(self.at(path)).header("cookie", self.jar());
        let mut answer = request.call().unwrap();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        (answer.status().as_u16(), kind, answer.body_mut().read_to_vec().unwrap())
    }

    /// Sends a form with pictures.
    pub fn send(&self, path: &str, fields: &[(&str, &str)], files: &[(&str, Vec<u8>)]) -> Answer {
        let mut body = Vec::new();
        for (name, value) in fields {
            let head =
                format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            body.extend(head.into_bytes());
        }
        for (name, bytes) in files {
            let head = format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"../../etc/x.png\"\r\n\
                 Content-Type: image/png\r\n\r\n"
            );
            body.extend(head.into_bytes());
            body.extend(bytes);
            body.extend(b"\r\n");
        }
        body.extend(format!("--{BOUNDARY}--\r\n").into_bytes());
        let request = self.portal.bench.agent().post(self.at(path)).header("cookie", self.jar());
        let request = request.header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"));
        self.answer(request.send(&body[..]).unwrap())
    }

    /// Sends a plain form.
    pub fn post(&self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        let request = self.portal.bench.agent().post(self.at(path)).header("cookie", self.jar());
        self.answer(request.send_form(pairs.iter().copied()).unwrap())
    }

    /// Sends a form as a page of another site does.
    pub fn post_from(&self, path: &str, origin: &str) -> Answer {
        let request = self.portal.bench.agent().post(self.at(path)).header("cookie", self.jar());
        self.answer(request.header("origin", origin).send_form([("action", "save")]).unwrap())
    }

    /// Opens a draft with what is typed so far; gives its address.
    pub fn open(&self, programme: &str, product: &str, fields: &[(&str, &str)]) -> String {
        let answer = self.send(&format!("{programme}/order?product={product}"), fields, &[]);
        answer.location().split('#').next().unwrap().to_owned()
    }

    /// Opens a draft with every picture that any programme asks for.
    pub fn ready(&self, programme: &str, product: &str, fields: &Fields) -> String {
        let draft = self.open(programme, product, &fields.pairs());
        let kinds = ["id_front", "id_back", "licence", "letter", "seal_sheet"];
        let names = kinds.map(|kind| format!("pictures.{kind}"));
        let files: Vec<_> = names.iter().map(|name| (name.as_str(), picture())).collect();
        let mut pairs = fields.pairs();
        pairs.push(("action", "save"));
        self.send(&draft, &pairs, &files).location();
        draft
    }

    /// Presses 提交 on the form.
    pub fn submit(&self, draft: &str, fields: &Fields) -> Answer {
        let mut pairs = fields.pairs();
        pairs.push(("action", "submit"));
        self.send(draft, &pairs, &[])
    }

    /// Ticks, asks for the code, types it.
    pub fn confirm(&self, draft: &str) -> OrderNumber {
        let confirm = format!("{draft}/confirm");
        let ticks = [("agree.service", "2026-01"), ("agree.privacy", "2026-01")];
        self.post(&confirm, &[&ticks[..], &[("action", "send")]].concat()).ok();
        let code = self.code();
        let pairs = [&ticks[..], &[("action", "submit"), ("code", &code)]].concat();
        self.post(&confirm, &pairs).location();
        draft.rsplit('/').next().unwrap().parse().unwrap()
    }

    /// From the empty form to an order.
    pub fn order(&self, programme: &str, product: &str, fields: &Fields) -> OrderNumber {
        let draft = self.ready(programme, product, fields);
        self.submit(&draft, fields).location();
        self.confirm(&draft)
    }

    /// The code that came last.
    pub fn code(&self) -> String {
        self.portal.sms.sent().last().unwrap().parameters["code"].as_str().unwrap().to_owned()
    }

    /// How many messages came.
    pub fn codes(&self) -> usize {
        self.portal.sms.sent().len()
    }

    /// Where the last request led.
    pub fn last_location(&self) -> String {
        self.last.borrow().clone()
    }

    /// The order as it is kept.
    pub fn stored(&self, number: &OrderNumber) -> orders::Order {
        self.block_on(orders::load(self.state(), number)).unwrap().unwrap()
    }
}
