#![doc = include_str!("../README.md")]

use std::time::Duration;

use model::Endpoint;
use ureq::{Agent, Body, http::Response};

/// Calls one service. Calls block; share it between threads.
#[derive(Clone, Debug)]
pub struct Caller {
    agent: Agent,
    local: bool,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP's status.
    pub status: u16,
    /// The whole body.
    pub body: Vec<u8>,
}

/// Why nothing came back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// No byte of the request can have reached the service.
    #[error("{0}")]
    NotSent(String),
    /// The service may have done what was asked.
    #[error("{0}")]
    Lost(String),
}

impl Answer {
    /// The body of an answer with status 200.
    ///
    /// # Errors
    /// [`CallError::Lost`] for any other.
    pub fn ok(self) -> Result<Vec<u8>, CallError> {
        if self.status == 200 {
            Ok(self.body)
        } else {
            Err(CallError::Lost(format!("it was answered HTTP {}", self.status)))
        }
    }
}

impl Caller {
    /// For the service at this address; `timeout` is for a whole call. Nothing is sent yet.
    #[must_use]
    pub fn new(service: &Endpoint, timeout: Duration) -> Self {
        let mut config = Agent::config_builder()
            .timeout_global(Some(timeout))
            .http_status_as_error(false)
            .max_redirects(0);
        if service.is_local() {
            config = config.proxy(None);
        }
        Self { agent: config.build().new_agent(), local: service.is_local() }
    }

    /// Posts a body. Not more than `answer_max` bytes of an answer are read.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn post(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        answer_max: u64,
    ) -> Result<Answer, CallError> {
        let mut request = self.agent.post(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request.send(body), answer_max)
    }

    /// Fetches what lies at an address that the service named.
    ///
    /// # Errors
    /// [`CallError`]; an address that is not gone to is [`CallError::NotSent`].
    pub fn fetch(&self, url: &str, answer_max: u64) -> Result<Answer, CallError> {
        let refuse = |error: String| CallError::NotSent(error);
        let place = Endpoint::new(url.split('?').next().unwrap_or_default());
        let place = place.map_err(|error| refuse(error.to_string()))?;
        // The service's word is not enough to be sent to this machine's own services.
        if place.is_local() && !self.local {
            return Err(refuse("it is said to lie on this machine".to_owned()));
        }
        answer(self.agent.get(url).call(), answer_max)
    }
}

fn answer(sent: Result<Response<Body>, ureq::Error>, max: u64) -> Result<Answer, CallError> {
    let response = sent.map_err(|error| match never_left(&error) {
        true => CallError::NotSent(error.to_string()),
        false => CallError::Lost(error.to_string()),
    })?;
    let status = response.status().as_u16();
    match response.into_body().into_with_config().limit(max).read_to_vec() {
        Ok(body) => Ok(Answer { status, body }),
        Err(error) => Err(CallError::Lost(format!("the answer broke off: {error}"))),
    }
}

/// Whether no byte of the request can have reached the service.
fn never_left(error: &ureq::Error) -> bool {
    use std::io::ErrorKind::ConnectionRefused;
    match error {
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed | ureq::Error::BadUri(_) => true,
        ureq::Error::Io(io) => io.kind() == ConnectionRefused,
        ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => true,
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
    };

    use super::*;

    /// A service that answers one call with these bytes.
    fn service(bytes: &'static str) -> (Caller, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/a", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]);
            stream.write_all(bytes.as_bytes()).unwrap();
        });
        (Caller::new(&Endpoint::new(&url).unwrap(), Duration::from_secs(5)), url)
    }

    #[test]
    fn an_answer_of_any_status_is_one_and_a_redirect_is_not_followed() {
        let (caller, url) =
            service("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 2\r\n\r\nno");
        let answer = caller.post(&url, &[("content-type", "text/plain")], b"x", 10).unwrap();
        assert_eq!(answer, Answer { status: 302, body: b"no".to_vec() });
        assert!(matches!(answer.ok(), Err(CallError::Lost(_))));
    }

    #[test]
    fn what_is_too_long_or_breaks_off_is_lost() {
        let (caller, url) = service("HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\nhello world");
        assert!(matches!(caller.post(&url, &[], b"", 10), Err(CallError::Lost(_))));
        let (caller, url) = service("HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\nhello");
        assert!(matches!(caller.fetch(&url, 100), Err(CallError::Lost(_))));
    }

    #[test]
    fn what_did_not_leave_is_known_as_such() {
        let (caller, url) = service("");
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let nobody = format!("http://{free}/");
        assert!(matches!(caller.post(&nobody, &[], b"", 10), Err(CallError::NotSent(_))));
        assert!(matches!(caller.post(&url, &[], b"", 10), Err(CallError::Lost(_))), "it was heard");
    }

    #[test]
    fn a_service_elsewhere_sends_nobody_to_this_machine() {
        let far = Caller::new(&Endpoint::new("https://a.example/").unwrap(), Duration::from_secs(5));
        for address in
            ["http://127.0.0.1:9/x?y=z", "https://localhost/", "http://a.example/", "file:///etc/passwd", ""]
        {
            assert!(matches!(far.fetch(address, 10), Err(CallError::NotSent(_))), "{address}");
        }
    }
}
