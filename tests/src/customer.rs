//! A customer who does what the manuals say, in a browser: form, pictures, letter, confirmation, payment.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use fantoccini::key::Key;
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    browser::{Browser, Screen},
    office::Office,
    pictures,
    process::wait_for,
};

/// Fields that the form gets first, so that what depends on them is there.
const PLACES: [&str; 3] = ["receiver.province", "receiver.city", "receiver.county"];

/// How long a change of state may take; how often a code is asked for, and how long a message is waited for each time: a number gets one a minute.
const PATIENCE: Duration = Duration::from_secs(60);
const CODE_TRIES: u32 = 25;
const CODE_PAUSE: Duration = Duration::from_secs(5);

/// Somebody who orders.
pub struct Customer<'a> {
    office: &'a Office,
    /// The browser at the desk.
    pub desk: Browser,
    /// What is ordered, as the API would take it.
    pub order: Value,
    folder: TempDir,
}

impl<'a> Customer<'a> {
    /// A customer at the office's portal, with the answers for the form.
    ///
    /// # Errors
    /// No browser.
    pub fn new(office: &'a Office, order: Value) -> Result<Self> {
        Ok(Self { office, desk: Browser::open(Screen::Desk)?, order, folder: tempfile::tempdir()? })
    }

    fn word(&self, field: &str) -> &str {
        self.order[field].as_str().unwrap_or_default()
    }

    /// The handler's mobile, which is the customer's log-in.
    #[must_use]
    pub fn mobile(&self) -> &str {
        self.order["handler"]["mobile"].as_str().unwrap_or_default()
    }

    fn page(&self, path: &str) -> String {
        format!("{}{path}", self.office.portal_url)
    }

    /// Opens the programme's page and goes to the product's form.
    ///
    /// # Errors
    /// The page has no such product.
    pub fn opens_the_form(&self) -> Result<()> {
        let (programme, product) = (self.word("programme"), self.word("product"));
        self.desk.go(&self.page(&format!("/p/{programme}")))?;
        self.desk.click_at(&format!("a[href='/p/{programme}/order?product={product}']"))?;
        self.desk.arrives("/order?product=")
    }

    /// Types every answer into the form.
    ///
    /// # Errors
    /// The form has no such field.
    pub fn fills_in(&self) -> Result<()> {
        for place in PLACES {
            let answer = self.order.pointer(&format!("/{}", place.replace('.', "/")));
            self.enters_place(place, answer.and_then(Value::as_str).unwrap_or_default())?;
        }
        for (field, answer) in answers(&self.order) {
            self.desk.enter(&field, &answer)?;
        }
        Ok(())
    }

    /// A city without counties has the form drawn anew: only then is the next field the right one.
    fn enters_place(&self, place: &str, answer: &str) -> Result<()> {
        if !answer.is_empty() {
            return self.desk.enter(place, answer);
        }
        self.desk.waits_for(&format!("input[name='{place}']"))
    }

    /// Types one answer.
    ///
    /// # Errors
    /// The form has no such field.
    pub fn enters(&self, field: &str, answer: &str) -> Result<()> {
        self.desk.enter(field, answer)
    }

    /// Ticks every agreement that is shown.
    ///
    /// # Errors
    /// There is none.
    pub fn agrees(&self) -> Result<()> {
        for agreement in ["agree.service", "agree.privacy"] {
            self.desk.tick(agreement)?;
        }
        Ok(())
    }

    /// Saves the draft.
    ///
    /// # Errors
    /// The form does not say that it was saved.
    pub fn saves(&self) -> Result<()> {
        self.desk.click_at(".finish button[value='save']")?;
        self.desk.sees("已保存于")
    }

    /// Saves a draft that has mistakes in it: they are told, and the draft is kept.
    ///
    /// # Errors
    /// There is no such button.
    pub fn saves_with_mistakes(&self) -> Result<()> {
        self.submits()?;
        self.desk.sees("请更正以下内容")
    }

    /// Presses 提交.
    ///
    /// # Errors
    /// There is no such button.
    pub fn submits(&self) -> Result<()> {
        self.desk.click_at(".finish button[value='submit']")
    }

    /// A picture of nothing real, of its own colour for each kind.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn picture(&self, kind: &str) -> Result<PathBuf> {
        let tint = match kind {
            "id_front" => [120, 190, 230],
            "id_back" => [230, 170, 160],
            "legal_id_front" => [150, 210, 170],
            "legal_id_back" => [220, 190, 140],
            _ => [235, 220, 150],
        };
        pictures::card(&self.folder.path().join(format!("{kind}.jpg")), tint)
    }

    /// Chooses a file for each picture; they are sent with the form.
    ///
    /// # Errors
    /// The form does not ask for one of them.
    pub fn attaches(&self, kinds: &[&str]) -> Result<()> {
        for kind in kinds {
            self.desk.attach(&format!("pictures.{kind}"), &self.picture(kind)?)?;
        }
        Ok(())
    }

    /// Asks for the phone's code, opens its address on a phone, takes the picture there, and sees it come up at the desk.
    ///
    /// # Errors
    /// The phone's page does not take it, or the desk's does not show it.
    pub fn takes_by_phone(&self, kind: &str, screens: &str) -> Result<()> {
        self.desk.click_at(&format!("button[value='phone:{kind}']"))?;
        let address = self.desk.attribute(".phone a", "href")?;
        if !screens.is_empty() {
            self.desk.scroll_to(".phone")?;
            self.desk.shoot(&format!("{screens}-qr"))?;
        }
        let phone = Browser::open(Screen::Phone)?;
        phone.go(&address)?;
        phone.attach("picture", &self.picture(kind)?)?;
        if !screens.is_empty() {
            phone.shoot(&format!("{screens}-phone"))?;
        }
        phone.click("上传")?;
        phone.sees("已上传")?;
        self.desk.waits_for(&format!("[data-picture='{kind}'] img[alt^='已上传']"))
    }

    /// Downloads the authorization letter, which says what was typed; the PDF.
    ///
    /// # Errors
    /// It does not come, or says something else.
    pub fn downloads_the_letter(&self) -> Result<PathBuf> {
        self.desk.click_at("button[value='letter-file']")?;
        let letter = self.desk.downloaded(".pdf")?;
        // Lines are broken where they are full.
        let said: String = pictures::words(&letter)?.split_whitespace().collect();
        for (section, field) in [("unit", "name"), ("unit", "credit_code"), ("handler", "name")] {
            let answer = self.order[section][field].as_str().context("no answer")?;
            ensure!(said.contains(answer), "the letter does not say {answer}: {said}");
        }
        Ok(letter)
    }

    /// Prints a page of the letter, stamps it, and gives the photo to the form.
    ///
    /// # Errors
    /// The page cannot be drawn.
    pub fn brings_stamped(&self, letter: &Path, page: u32, kind: &str) -> Result<()> {
        let stamps: &[(f32, f32)] = match kind {
            "seal_sheet" => &[(0.22, 0.5), (0.5, 0.5), (0.78, 0.5), (0.22, 0.7), (0.5, 0.7), (0.78, 0.7)],
            _ => &[(0.7, 0.8)],
        };
        let photo = pictures::stamped(letter, page, stamps, &self.folder.path().join(format!("{kind}.jpg")))?;
        self.desk.attach(&format!("pictures.{kind}"), &photo)
    }

    /// The whole form with all pictures, the letter included, up to the confirmation.
    ///
    /// # Errors
    /// A step does not go on.
    pub fn brings_everything(&self, pictures: &[&str]) -> Result<()> {
        self.opens_the_form()?;
        self.fills_in()?;
        self.attaches(pictures)?;
        self.agrees()?;
        self.saves()?;
        let letter = self.downloads_the_letter()?;
        self.brings_stamped(&letter, 1, "letter")?;
        self.submits()?;
        self.desk.arrives("/confirm")
    }

    /// Ticks the agreements of the confirmation, gets the code by SMS, gives it, and submits; the order's number.
    ///
    /// # Errors
    /// No code comes, or it is not taken.
    pub fn confirms_by_sms(&self) -> Result<String> {
        self.agrees()?;
        self.desk.click("确定")?;
        self.desk.sees("短信验证")?;
        let code = self.gets_a_code(&self.desk, "button[value='send']")?;
        self.gives(&code)
    }

    /// As [`Self::confirms_by_sms`], and a code that was guessed is refused before.
    ///
    /// # Errors
    /// No code comes, the wrong one is taken, or the right one is not.
    pub fn confirms_by_sms_after_a_wrong_code(&self) -> Result<String> {
        self.agrees()?;
        self.desk.click("确定")?;
        self.desk.sees("短信验证")?;
        let code = self.gets_a_code(&self.desk, "button[value='send']")?;
        self.desk.shoot("code")?;
        let wrong = if code == "000000" { "000001" } else { "000000" };
        self.desk.enter("code", wrong)?;
        self.desk.click_at("button.main[value='submit']")?;
        self.desk.sees("验证码有误")?;
        self.gives(&code)
    }

    /// As most people do, by Enter.
    fn gives(&self, code: &str) -> Result<String> {
        self.desk.enter("code", code)?;
        self.desk.press(&Key::Enter)?;
        self.desk.arrives("/my/orders/")?;
        number_in(&self.desk.url()?)
    }

    /// Presses the button that sends a code, and again later where the portal says to wait; the code in the message.
    ///
    /// # Errors
    /// No message comes.
    pub fn gets_a_code(&self, browser: &Browser, button: &str) -> Result<String> {
        let before = self.office.messages_to(self.mobile())?.len();
        for _ in 0..CODE_TRIES {
            // One that came late is the one that holds: asked again, the portal makes it void.
            if self.office.messages_to(self.mobile())?.len() == before {
                browser.click_at(&format!("{button}:not([disabled])"))?;
            }
            let arrived = wait_for("a message", CODE_PAUSE, || {
                Ok(self.office.messages_to(self.mobile())?.into_iter().skip(before).last())
            });
            if let Ok(message) = arrived {
                let code = message["parameters"]["code"].as_str();
                return Ok(code.with_context(|| format!("a message without a code: {message}"))?.to_owned());
            }
        }
        bail!("no code came; the page says:\n{}", browser.text()?)
    }

    /// Logs in by mobile and code, in a browser of the customer's.
    ///
    /// # Errors
    /// The code is not taken.
    pub fn logs_in(&self, browser: &Browser) -> Result<()> {
        browser.go(&self.page("/my/login"))?;
        browser.enter("mobile", self.mobile())?;
        let code = self.gets_a_code(browser, "button[value='send']")?;
        browser.enter("code", &code)?;
        browser.click_at("button[value='login']")?;
        browser.arrives("/my/orders")
    }

    /// Pays on Alipay's page, as it opens on this computer, and comes back to the order.
    ///
    /// # Errors
    /// There is nothing to pay, or the order does not go on.
    pub fn pays(&self) -> Result<()> {
        self.desk.click("在电脑上支付")?;
        self.desk.arrives("/alipay/pay/")?;
        self.desk.click("支付")?;
        self.desk.arrives("/my/orders/")?;
        let number = number_in(&self.desk.url()?)?;
        self.sees_state(&number, "待审核")
    }

    /// Confirms receipt of the parcel, waits for the invoice and takes it.
    ///
    /// # Errors
    /// The order is not completed, or no invoice comes.
    pub fn receives(&self, number: &str) -> Result<Vec<u8>> {
        let page = self.page(&format!("/my/orders/{number}"));
        self.desk.go(&page)?;
        self.desk.click("确认收货")?;
        self.sees_state(number, "已完成")?;
        wait_for("the invoice", PATIENCE, || {
            self.desk.go(&page)?;
            Ok(self.desk.has(&format!("a[href='/my/orders/{number}/invoice.pdf']"))?.then_some(()))
        })?;
        let cookies = self.desk.cookies()?;
        let mut answer = ureq::get(format!("{page}/invoice.pdf")).header("cookie", cookies).call()?;
        Ok(answer.body_mut().read_to_vec()?)
    }

    /// Looks at an order until it has this state: what others do to it takes a moment.
    ///
    /// # Errors
    /// It has not.
    pub fn sees_state(&self, number: &str, state: &str) -> Result<()> {
        let page = self.page(&format!("/my/orders/{number}"));
        wait_for(state, PATIENCE, || {
            self.desk.go(&page)?;
            let shown = self.desk.attribute(".head .state", "textContent")?;
            Ok((shown == state).then_some(()))
        })
    }
}

/// The number in an address of an order.
fn number_in(url: &str) -> Result<String> {
    let number = url.split(['/', '?', '#']).find(|part| part.starts_with("SAAS1"));
    Ok(number.with_context(|| format!("no order in {url}"))?.to_owned())
}

/// Every answer of an order with the name of its field; places, and what no customer types, left out.
fn answers(order: &Value) -> Vec<(String, String)> {
    let mut answers = Vec::new();
    for (name, value) in order.as_object().into_iter().flatten() {
        match value {
            Value::Object(section) if name != "payment" => {
                for (field, answer) in section {
                    answers.push((format!("{name}.{field}"), answer.as_str().unwrap_or_default().to_owned()));
                }
            }
            Value::Number(number) => answers.push((name.clone(), number.to_string())),
            _ => {}
        }
    }
    answers.retain(|(field, _)| !PLACES.contains(&field.as_str()));
    answers
}
