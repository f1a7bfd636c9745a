//! The whole way once: the files of `portal init` in a real mosquitto, the portal's service, stations with their certificates.

use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use mqtt::{Inbox, Incoming, Publisher};
use wire::{Direction, Down, Pull, Status, Topic, Up};

use crate::stations::desk::{PROFILE, Portal, Station, on_desk};

const PATIENCE: Duration = Duration::from_secs(30);

struct Mosquitto(Child);

impl Mosquitto {
    fn start(portal: &Portal) -> Self {
        let child = Command::new("/usr/sbin/mosquitto")
            .arg("-c")
            .arg(portal.config.broker_dir().join("mosquitto.conf"))
            .stderr(Stdio::inherit())
            .spawn()
            .expect("mosquitto is installed");
        Self(child)
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Link {
    publisher: Publisher,
    inbox: Inbox,
    station: Station,
}

impl Link {
    async fn connect(portal: &Portal, station: &Station, subscriptions: Vec<String>) -> Self {
        let status = Topic::new(station.name.clone(), Direction::Status).to_string();
        let settings = mqtt::Settings {
            host: "localhost".to_owned(),
            port: portal.config.broker.port,
            client_id: station.name.to_string(),
            ca_pem: station.ca_pem.clone(),
            cert_pem: station.certificate_pem.clone(),
            key_pem: station.tls_key_pem.as_str().into(),
            keep_alive: Duration::from_secs(1),
            last_will: Some((status, wire::encode("status", &state(false)).unwrap())),
        };
        let (publisher, inbox) = mqtt::connect(settings, subscriptions).unwrap();
        Self { publisher, inbox, station: station.clone() }
    }

    /// Asks until there is an answer, as a station does.
    async fn ask(&mut self, id: &str, request: &Up) -> Down {
        let topic = Topic::new(self.station.name.clone(), Direction::Up).to_string();
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            self.publisher.publish(&topic, false, wire::encode(id, request).unwrap()).await.unwrap();
            let waiting = tokio::time::timeout(Duration::from_secs(1), async {
                loop {
                    if let Some(Incoming::Message(message)) = self.inbox.next().await {
                        let (answered, answer) = wire::decode::<Down>(&message.payload).unwrap();
                        assert_eq!(message.topic, format!("ukey/v1/{}/down", self.station.name));
                        if answered == id {
                            return answer;
                        }
                    }
                }
            });
            if let Ok(answer) = waiting.await {
                return answer;
            }
        }
        panic!("no answer to {id}");
    }
}

fn state(online: bool) -> Status {
    Status { online, version: "test".to_owned(), slots: vec![], outbox: 0, waiting_jobs: 0 }
}

fn down(station: &Station) -> Vec<String> {
    vec![Topic::new(station.name.clone(), Direction::Down).to_string()]
}

fn pull(capacity: u16) -> Up {
    Up::Pull(Pull { capacity, profiles: vec![PROFILE.to_owned()], holding: vec![] })
}

async fn board_says(portal: &Portal, station: &Station, online: bool) {
    let mut board = portal.state.stations.subscribe();
    let said = board.wait_for(|board| board.get(&station.name).is_some_and(|status| status.online == online));
    tokio::time::timeout(PATIENCE, said).await.expect("the board changes").unwrap();
}

on_desk!(p10_stations_are_served_over_mtls_and_never_hear_each_other, |portal| {
    let order = portal.order(2);
    let other = portal.enrol("bench-2");
    let broker = Mosquitto::start(&portal);
    let desk = portal.desk.clone();
    portal.runtime.spawn(portal::stations::serve(desk));
    portal.runtime.block_on(async {
        let mut bench = Link::connect(&portal, &portal.bench, down(&portal.bench)).await;
        // It listens to everything; the broker lets it hear its own topic alone (`ask` checks every message it gets).
        let mut spy = Link::connect(&portal, &other, vec!["ukey/v1/#".to_owned()]).await;
        let Down::Lease(empty) = spy.ask("spy-0", &pull(0)).await else { panic!("no lease") };
        assert_eq!(empty.jobs, []);
        let Down::Lease(lease) = bench.ask("pull-1", &pull(9)).await else { panic!("no lease") };
        assert_eq!(lease.jobs.iter().map(|job| job.job.order()).collect::<Vec<_>>(), [&order, &order]);
        let Down::Lease(empty) = spy.ask("spy-1", &pull(9)).await else { panic!("no lease") };
        assert_eq!(empty.jobs, []);

        // A poisoned message does not stop the queue; nor does a forged topic arrive.
        let up = Topic::new(portal.bench.name.clone(), Direction::Up).to_string();
        bench.publisher.publish(&up, false, b"poison".to_vec()).await.unwrap();
        spy.publisher.publish(&up, false, b"forged".to_vec()).await.unwrap();
        let Down::Lease(again) = bench.ask("pull-2", &pull(9)).await else { panic!("no lease") };
        assert_eq!(again, lease);
        let Down::Lease(_) = spy.ask("spy-2", &pull(0)).await else { panic!("no lease") };
        // The queue did not wait until it was parked.
        let parked = || async {
            let parked = sqlx::query_scalar::<_, Vec<u8>>("select payload from parked");
            parked.fetch_all(&portal.state.db).await.unwrap()
        };
        let begun = Instant::now();
        while parked().await.is_empty() && begun.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(parked().await, [b"poison".to_vec()]);

        // Status: said, and left behind as a last will.
        let status = Topic::new(portal.bench.name.clone(), Direction::Status).to_string();
        bench.publisher.publish(&status, true, wire::encode("status", &state(true)).unwrap()).await.unwrap();
        board_says(&portal, &portal.bench, true).await;
        drop(bench);
        board_says(&portal, &portal.bench, false).await;

        // The broker is killed and comes back: the same stations are served again, with the same jobs.
        drop(broker);
        let _broker = Mosquitto::start(&portal);
        let mut bench = Link::connect(&portal, &portal.bench, down(&portal.bench)).await;
        let Down::Lease(again) = bench.ask("pull-3", &pull(9)).await else { panic!("no lease") };
        assert_eq!(again, lease);
    });
});

/// Whether the broker takes the station's certificate in a handshake of its own.
fn is_let_in(portal: &Portal, station: &Station) -> bool {
    let folder = portal.folder.path().join("handshake");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, text) in
        [("c.pem", &station.certificate_pem), ("k.pem", &station.tls_key_pem), ("ca.pem", &station.ca_pem)]
    {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let server = format!("localhost:{}", portal.config.broker.port);
    let arguments =
        ["-cert", "c.pem", "-key", "k.pem", "-CAfile", "ca.pem", "-tls1_2", "-verify_return_error"];
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &server]).args(arguments).current_dir(folder);
    let output = command.stdin(Stdio::null()).output().unwrap();
    output.status.success()
}

fn soon(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::yield_now();
    }
}

on_desk!(p10_an_old_certificate_is_not_let_in_after_its_station_was_enrolled_anew_or_disabled, |portal| {
    let _broker = Mosquitto::start(&portal);
    let old = portal.bench.clone();
    soon("the broker is up", || is_let_in(&portal, &old));
    let new = portal.enrol("bench-1");
    soon("the old certificate counts no more", || !is_let_in(&portal, &old));
    assert!(is_let_in(&portal, &new), "the new one does");
    assert_eq!(portal.number("select count(*) from revoked_stations"), 1);

    let other = portal.enrol("bench-2");
    assert!(is_let_in(&portal, &other));
    portal.runtime.block_on(portal::enrol::disable_station(&portal.config, &other.name)).unwrap();
    soon("a disabled station stays out", || !is_let_in(&portal, &other));
    assert!(is_let_in(&portal, &new));
});
