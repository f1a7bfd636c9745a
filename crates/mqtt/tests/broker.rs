//! Against a real mosquitto with mTLS and an ACL, started by the test on a free port.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    time::{Duration, Instant},
};

use mqtt::{Inbox, Incoming, Message, Publisher, Settings};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair,
};

const PATIENCE: Duration = Duration::from_secs(30);

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "test transport CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pair(&self, name: &str, usage: ExtendedKeyUsagePurpose) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params =
            CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![usage];
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }
}

/// A port that nobody listens on, below the range of outgoing connections; processes of tests look in places far from each other.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 100).unwrap() * 40;
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let mut ports = (0..2000).map(|_| 28_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 4000);
    ports.find(free).expect("a free port between 28000 and 32000")
}

struct Broker {
    dir: tempfile::TempDir,
    authority: Authority,
    port: u16,
    child: Option<Child>,
}

impl Broker {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        let (cert, key) = authority.pair("localhost", ExtendedKeyUsagePurpose::ServerAuth);
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write("ca.pem", &authority.0.pem());
        write("server.pem", &cert);
        write("server.key", &key);
        write(
            "acl",
            "user portal\ntopic readwrite ukey/v1/#\n\npattern write ukey/v1/%u/up\npattern read ukey/v1/%u/down\n",
        );
        let port = free_port();
        write("mosquitto.conf", &configuration(dir.path(), port));
        let mut broker = Self { dir, authority, port, child: None };
        broker.run();
        broker
    }

    fn run(&mut self) {
        let child = Command::new("/usr/sbin/mosquitto")
            .arg("-c")
            .arg(self.dir.path().join("mosquitto.conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto is installed");
        self.child = Some(child);
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(begun.elapsed() < PATIENCE, "mosquitto does not listen on port {}", self.port);
            std::thread::yield_now();
        }
    }

    /// As a power cut would: no goodbye, nothing saved.
    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    fn settings(&self, name: &str) -> Settings {
        let (cert_pem, key_pem) = self.authority.pair(name, ExtendedKeyUsagePurpose::ClientAuth);
        Settings {
            host: "localhost".to_owned(),
            port: self.port,
            client_id: name.to_owned(),
            ca_pem: self.authority.0.pem(),
            cert_pem,
            key_pem: key_pem.as_str().into(),
            keep_alive: Duration::from_secs(5),
            last_will: None,
        }
    }

    async fn client(&self, name: &str, filters: &[&str]) -> (Publisher, Inbox) {
        let filters = filters.iter().map(|&filter| filter.to_owned()).collect();
        let (publisher, mut inbox) = mqtt::connect(self.settings(name), filters).unwrap();
        assert_eq!(next(&mut inbox).await, Incoming::Online);
        (publisher, inbox)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}

fn configuration(dir: &Path, port: u16) -> String {
    let dir = dir.display();
    format!(
        "listener {port} 127.0.0.1\nuser root\ncafile {dir}/ca.pem\ncertfile {dir}/server.pem\nkeyfile {dir}/server.key\n\
         require_certificate true\nuse_identity_as_username true\nallow_anonymous false\nacl_file {dir}/acl\n\
         persistence false\n"
    )
}

async fn next(inbox: &mut Inbox) -> Incoming {
    tokio::time::timeout(PATIENCE, inbox.next()).await.expect("something arrives").expect("the link lives")
}

async fn message(inbox: &mut Inbox) -> Message {
    loop {
        if let Incoming::Message(message) = next(inbox).await {
            return message;
        }
    }
}

/// Publishes until the other side has it: a subscription may be younger than the first try.
async fn until_heard(publisher: &Publisher, topic: &str, payload: &[u8], inbox: &mut Inbox) -> Message {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        publisher.publish(topic, false, payload.to_vec()).await.unwrap();
        if let Ok(heard) = tokio::time::timeout(Duration::from_millis(200), message(inbox)).await {
            return heard;
        }
    }
    panic!("nothing heard on {topic}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_passes_both_ways_even_a_large_one() {
    let broker = Broker::start();
    let (portal, mut portal_inbox) = broker.client("portal", &["ukey/v1/+/up"]).await;
    let (station, mut station_inbox) = broker.client("bench-1", &["ukey/v1/bench-1/down"]).await;

    let large = vec![7_u8; 200 * 1024];
    let heard = until_heard(&station, "ukey/v1/bench-1/up", &large, &mut portal_inbox).await;
    assert_eq!(heard, Message { topic: "ukey/v1/bench-1/up".to_owned(), payload: large });
    let heard = until_heard(&portal, "ukey/v1/bench-1/down", b"work", &mut station_inbox).await;
    assert_eq!(heard.payload, b"work");

    // More than the broker sends without acknowledgement: the inbox acknowledges what was taken.
    for number in 0..100_u32 {
        station.publish("ukey/v1/bench-1/up", false, number.to_be_bytes().to_vec()).await.unwrap();
    }
    for number in 0..100_u32 {
        let mut heard = message(&mut portal_inbox).await;
        while heard.payload.len() > 4 {
            heard = message(&mut portal_inbox).await;
        }
        assert_eq!(heard.payload, number.to_be_bytes());
    }

    let too_large = vec![0; mqtt::PAYLOAD_BYTES_MAX + 1];
    assert!(matches!(
        portal.publish("ukey/v1/bench-1/down", false, too_large).await,
        Err(mqtt::MqttError::TooLarge(_))
    ));
    station.close().await;
    assert!(matches!(
        station.publish("ukey/v1/bench-1/up", false, vec![1]).await,
        Err(mqtt::MqttError::Closed)
    ));
}

/// A broker that was set up by an older portal lets a megabyte through. A link that breaks on it gets it again on the next connection,
/// for ever.
#[tokio::test(flavor = "multi_thread")]
async fn what_others_may_send_through_the_broker_never_breaks_the_link() {
    let broker = Broker::start();
    let (_portal, mut portal_inbox) = broker.client("portal", &["ukey/v1/+/up"]).await;
    let (station, _station_inbox) = broker.client("bench-1", &[]).await;
    until_heard(&station, "ukey/v1/bench-1/up", b"before", &mut portal_inbox).await;

    let other = broker.settings("bench-2");
    let file = |name: &str, bytes: &[u8]| {
        let path = broker.dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let sent = Command::new("mosquitto_pub")
        .args(["-q", "1", "-h", "localhost", "-p", &broker.port.to_string(), "-t", "ukey/v1/bench-2/up"])
        .arg("--cafile")
        .arg(file("ca", other.ca_pem.as_bytes()))
        .arg("--cert")
        .arg(file("cert", other.cert_pem.as_bytes()))
        .arg("--key")
        .arg(file("key", other.key_pem.expose()))
        .arg("-f")
        .arg(file("payload", &vec![b'x'; 1_040_000]))
        .status()
        .expect("mosquitto-clients is installed");
    assert!(sent.success());
    station.publish("ukey/v1/bench-1/up", false, b"after".to_vec()).await.unwrap();
    let mut heard = Vec::new();
    while heard.last() != Some(&5) {
        match next(&mut portal_inbox).await {
            Incoming::Message(message) if message.payload != b"before" => heard.push(message.payload.len()),
            Incoming::Offline => panic!("the link broke"),
            _ => {}
        }
    }
    assert_eq!(heard, [1_040_000, 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_link_comes_back_and_subscribes_again_when_the_broker_was_killed() {
    let mut broker = Broker::start();
    let (portal, mut portal_inbox) = broker.client("portal", &["ukey/v1/+/up"]).await;
    let (station, _station_inbox) = broker.client("bench-1", &[]).await;
    until_heard(&station, "ukey/v1/bench-1/up", b"before", &mut portal_inbox).await;

    broker.kill();
    while next(&mut portal_inbox).await != Incoming::Offline {}
    broker.run();
    while next(&mut portal_inbox).await != Incoming::Online {}
    // Without persistence the broker has forgotten the session: only a new subscription brings this.
    let heard = until_heard(&station, "ukey/v1/bench-1/up", b"after", &mut portal_inbox).await;
    assert_eq!(heard.payload, b"after");
    portal.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_will_is_published_when_a_client_vanishes_and_not_when_it_says_goodbye() {
    let broker = Broker::start();
    let (_portal, mut portal_inbox) = broker.client("portal", &["ukey/v1/+/up"]).await;
    let mut settings = broker.settings("bench-1");
    settings.keep_alive = Duration::from_secs(1);
    settings.last_will = Some(("ukey/v1/bench-1/up".to_owned(), b"gone".to_vec()));
    let (station, mut inbox) = mqtt::connect(settings.clone(), Vec::new()).unwrap();
    assert_eq!(next(&mut inbox).await, Incoming::Online);
    until_heard(&station, "ukey/v1/bench-1/up", b"here", &mut portal_inbox).await;
    station.close().await;

    let (_station, mut inbox) = mqtt::connect(settings, Vec::new()).unwrap();
    assert_eq!(next(&mut inbox).await, Incoming::Online);
    // The task ends with the inbox, without a goodbye.
    drop(inbox);
    let mut heard = message(&mut portal_inbox).await;
    while heard.payload == b"here" {
        heard = message(&mut portal_inbox).await;
    }
    assert_eq!(heard.payload, b"gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn p10_a_client_without_the_right_certificate_is_refused() {
    let broker = Broker::start();
    let stranger = Authority::new();
    let (cert_pem, key_pem) = stranger.pair("bench-1", ExtendedKeyUsagePurpose::ClientAuth);
    let settings = Settings { cert_pem, key_pem: key_pem.as_str().into(), ..broker.settings("bench-1") };
    let (_publisher, mut inbox) = mqtt::connect(settings, Vec::new()).unwrap();

    // A client of another authority never gets online; one of ours, tried at the same time, does.
    let ours = broker.client("bench-2", &[]);
    tokio::select! {
        event = inbox.next() => panic!("the stranger got {event:?}"),
        _ = ours => {}
    }
    // And without any certificate the handshake ends with an alert: openssl is an independent client.
    let answer = Command::new("openssl")
        .args(["s_client", "-connect", &format!("127.0.0.1:{}", broker.port), "-CAfile"])
        .arg(broker.dir.path().join("ca.pem"))
        .args(["-tls1_2", "-brief"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&answer.stderr).into_owned();
    assert!(text.contains("handshake failure") || text.contains("certificate required"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn p10_a_station_cannot_hear_or_speak_for_another_station() {
    let broker = Broker::start();
    let (portal, mut portal_inbox) = broker.client("portal", &["ukey/v1/+/up"]).await;
    let (first, mut first_inbox) = broker.client("bench-1", &["ukey/v1/bench-1/down"]).await;
    let (second, mut second_inbox) =
        broker.client("bench-2", &["ukey/v1/bench-1/down", "ukey/v1/#", "ukey/v1/bench-2/down"]).await;

    // The second listens for certain: it hears its own topic.
    until_heard(&portal, "ukey/v1/bench-2/down", b"second", &mut second_inbox).await;
    until_heard(&portal, "ukey/v1/bench-1/down", b"secret", &mut first_inbox).await;
    portal.publish("ukey/v1/bench-2/down", false, b"last".to_vec()).await.unwrap();
    loop {
        // The broker keeps the order of one publisher, so "secret" would be here before "last".
        let heard = message(&mut second_inbox).await;
        assert_eq!(heard.topic, "ukey/v1/bench-2/down");
        if heard.payload == b"last" {
            break;
        }
    }

    second.publish("ukey/v1/bench-1/up", false, b"forged".to_vec()).await.unwrap();
    second.publish("ukey/v1/bench-2/up", false, b"own".to_vec()).await.unwrap();
    assert_eq!(message(&mut portal_inbox).await.payload, b"own");
    first.publish("ukey/v1/bench-1/up", false, b"own".to_vec()).await.unwrap();
    assert_eq!(message(&mut portal_inbox).await.topic, "ukey/v1/bench-1/up");
}

#[tokio::test]
async fn settings_that_cannot_work_are_an_error_and_never_a_crash() {
    let authority = Authority::new();
    let (cert_pem, key_pem) = authority.pair("bench-1", ExtendedKeyUsagePurpose::ClientAuth);
    let good = Settings {
        host: "localhost".to_owned(),
        port: 1,
        client_id: "bench-1".to_owned(),
        ca_pem: authority.0.pem(),
        cert_pem,
        key_pem: key_pem.as_str().into(),
        keep_alive: Duration::from_secs(5),
        last_will: None,
    };
    let broken = [
        Settings { client_id: " bench".to_owned(), ..good.clone() },
        Settings { keep_alive: Duration::from_millis(10), ..good.clone() },
        Settings { ca_pem: "nothing".to_owned(), ..good.clone() },
        Settings { key_pem: "nothing".into(), ..good.clone() },
    ];
    for settings in broken {
        assert!(mqtt::connect(settings, Vec::new()).is_err());
    }
    assert!(mqtt::connect(good.clone(), vec!["ukey/#/up".to_owned()]).is_err());
    assert!(mqtt::connect(good, Vec::new()).is_ok());
}
