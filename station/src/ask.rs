//! Commands that speak with the running station, at the address of its screen.

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::config::Config;

/// How long the running station may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The running station.
pub struct Running {
    base: String,
    agent: ureq::Agent,
}

impl Running {
    /// The station of this configuration.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        Self { base: format!("http://{}", config.kiosk.listen), agent }
    }

    /// What is stopped and which reports are parked.
    ///
    /// # Errors
    /// No station runs there.
    pub fn attention(&self) -> anyhow::Result<Value> {
        self.get("/attention.json")
    }

    /// The running shift and the last one.
    ///
    /// # Errors
    /// No station runs there.
    pub fn shift(&self) -> anyhow::Result<Value> {
        self.get("/shift.json")
    }

    fn get(&self, path: &str) -> anyhow::Result<Value> {
        let request = self.agent.get(format!("{}{path}", self.base)).header("accept", "application/json");
        self.read(request.call())
    }

    /// Does what the screen's form at `path` does.
    ///
    /// # Errors
    /// The station refuses, in its words; or none runs there.
    pub fn post(&self, path: &str, fields: &[(&str, &str)]) -> anyhow::Result<()> {
        let request = self.agent.post(format!("{}{path}", self.base)).header("accept", "application/json");
        self.read(request.send_form(fields.iter().copied())).map(|_| ())
    }

    fn read(&self, answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> anyhow::Result<Value> {
        let none = || format!("no station answers at {}: start it with `ukey-station run`", self.base);
        let mut answer = answer.with_context(none)?;
        let status = answer.status();
        let text = answer.body_mut().read_to_string().with_context(none)?;
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        match value["why"].as_str() {
            Some(why) => bail!("{why}"),
            None if status.is_success() => Ok(value),
            None => bail!("the station answers {status}: {text}"),
        }
    }
}

/// What is stopped, a line each.
#[must_use]
pub fn stopped(attention: &Value) -> String {
    lines(&attention["stopped"], "nothing is stopped", |one| {
        format!("{}  {}  {}", text(&one["scope"]), text(&one["at"]), text(&one["text"]))
    })
}

/// The parked reports, a line each.
#[must_use]
pub fn parked(attention: &Value) -> String {
    lines(&attention["parked"], "no report is parked", |one| {
        format!(
            "{}  {}  {}  {}",
            text(&one["report"]),
            text(&one["at"]),
            text(&one["what"]),
            text(&one["why"])
        )
    })
}

/// The running shift and the last one.
#[must_use]
pub fn shift(view: &Value) -> String {
    let mut told = Vec::new();
    let running = &view["running"];
    if running.is_null() {
        told.push("no shift is open".to_owned());
    } else {
        told.push(format!(
            "shift open since {}: brought {} + carried in {} - made {} - set aside {} - in work {} = blanks left {}",
            text(&running["opened"]),
            running["brought"],
            running["carried_in"],
            running["made"],
            running["set_aside"],
            running["in_work"].as_array().map_or(0, Vec::len),
            running["expected_left"]
        ));
        for one in running["aside"].as_array().into_iter().flatten() {
            told.push(format!("  {} {}: {}", text(&one[0]), one[1], serials(&one[2])));
        }
    }
    let last = &view["last"];
    if !last.is_null() {
        told.push(format!(
            "last shift, closed {}: brought {} + carried in {} - made {} - set aside {} - carried out {} - left {} = difference {} {}",
            text(&last["closed"]),
            last["brought"],
            last["carried_in"],
            last["made"],
            last["set_aside"],
            last["carried_out"],
            last["left"],
            view["difference"],
            text(&last["reason"])
        ));
        told.push(format!("  set aside or in work: {}", serials(&last["keys"])));
    }
    told.join("\n")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn serials(value: &Value) -> String {
    let serials: Vec<&str> = value.as_array().into_iter().flatten().map(text).collect();
    if serials.is_empty() { "none".to_owned() } else { serials.join(" ") }
}

fn lines(list: &Value, none: &str, line: impl Fn(&Value) -> String) -> String {
    let lines: Vec<String> = list.as_array().into_iter().flatten().map(line).collect();
    if lines.is_empty() { none.to_owned() } else { lines.join("\n") }
}
