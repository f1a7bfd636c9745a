//! An operator who reviews orders in a browser, by keyboard.

use anyhow::Result;
use fantoccini::key::Key;

use crate::{
    browser::{Browser, Screen},
    office::{OPERATOR, Office, PASSWORD},
};

/// Somebody at the review queue.
pub struct Reviewer {
    /// The operator's browser.
    pub desk: Browser,
    portal: String,
}

impl Reviewer {
    /// Logs in.
    ///
    /// # Errors
    /// The portal refuses.
    pub fn log_in(office: &Office) -> Result<Self> {
        Ok(Self { desk: log_in_as(office, OPERATOR)?, portal: office.portal_url.clone() })
    }

    /// Opens the queue, which shows this order.
    ///
    /// # Errors
    /// It shows another, or none.
    pub fn takes_up(&self, number: &str) -> Result<()> {
        self.desk.go(&format!("{}/review", self.portal))?;
        self.desk.sees(number)?;
        self.desk.sees("机器检查")
    }

    /// Approves what is on the screen: A, then Enter.
    ///
    /// # Errors
    /// The order does not go on.
    pub fn approves(&self) -> Result<()> {
        self.desk.press("a")?;
        self.desk.waits_for("dialog[open]")?;
        self.desk.press(&Key::Enter)?;
        self.desk.waits_for_no("dialog[open]")
    }

    /// Refuses what is on the screen: the digit of a reason, R, Enter.
    ///
    /// # Errors
    /// There is no such reason.
    pub fn refuses(&self, digit: &str) -> Result<()> {
        self.desk.press(digit)?;
        self.desk.press("r")?;
        self.desk.press(&Key::Enter)
    }
}

/// A browser in which an operator has logged in.
pub(crate) fn log_in_as(office: &Office, name: &str) -> Result<Browser> {
    let desk = Browser::open(Screen::Desk)?;
    desk.go(&format!("{}/login", office.portal_url))?;
    desk.enter("name", name)?;
    desk.enter("password", PASSWORD)?;
    desk.press(&Key::Enter)?;
    desk.sees("退出")?;
    Ok(desk)
}
