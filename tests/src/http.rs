//! A small HTTP client that keeps the operator's cookie, as a browser would.

use std::{sync::Mutex, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

/// The portal, seen by an operator.
pub struct Operator {
    base: String,
    agent: ureq::Agent,
    cookie: Mutex<String>,
}

impl Operator {
    /// Logs in.
    ///
    /// # Errors
    /// The portal does not answer or refuses.
    pub fn log_in(base: &str, name: &str, password: &str) -> Result<Self> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(30)))
            .build()
            .into();
        let operator = Self { base: base.to_owned(), agent, cookie: Mutex::default() };
        let response = operator
            .agent
            .post(format!("{base}/api/login"))
            .header("origin", base)
            .send_json(json!({"name": name, "password": password}))
            .context("the portal does not answer")?;
        ensure!(response.status().is_success(), "log-in refused: {}", response.status());
        let cookie = response
            .headers()
            .get("set-cookie")
            .and_then(|value| value.to_str().ok()?.split(';').next().map(str::to_owned))
            .context("the log-in gave no cookie")?;
        *operator.cookie.lock().map_err(|_| anyhow::anyhow!("poisoned"))? = cookie;
        Ok(operator)
    }

    fn cookie(&self) -> String {
        self.cookie.lock().map(|cookie| cookie.clone()).unwrap_or_default()
    }

    /// Fetches JSON.
    ///
    /// # Errors
    /// Any answer but success.
    pub fn get(&self, path: &str) -> Result<Value> {
        let response =
            self.agent.get(format!("{}{path}", self.base)).header("cookie", self.cookie()).call()?;
        body(path, response)
    }

    /// Posts JSON.
    ///
    /// # Errors
    /// Any answer but success.
    pub fn post(&self, path: &str, value: &Value) -> Result<Value> {
        let response = self
            .agent
            .post(format!("{}{path}", self.base))
            .header("cookie", self.cookie())
            .header("origin", &self.base)
            .send_json(value)?;
        body(path, response)
    }
}

fn body(path: &str, mut response: ureq::http::Response<ureq::Body>) -> Result<Value> {
    let status = response.status();
    let text = response.body_mut().read_to_string()?;
    if !status.is_success() {
        bail!("{path}: {status}: {text}");
    }
    if text.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(&text).with_context(|| format!("{path}: not JSON: {text}"))
}

/// Fetches JSON from a page that needs no log-in.
///
/// # Errors
/// Nobody answers there.
pub fn get_json(url: &str) -> Result<Value> {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(30))).build().into();
    Ok(agent.get(url).call()?.body_mut().read_json()?)
}
