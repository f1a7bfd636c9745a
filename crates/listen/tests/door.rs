//! A door in front of a real router: those who are slow or too many do not keep the others out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use axum::{
    Router,
    extract::ConnectInfo,
    response::sse::{Event, KeepAlive, Sse},
    routing::{get, post},
    serve::ListenerExt as _,
};
use listen::{Door, Limits};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// Longer than a busy machine stops, so that no good stream is taken for a silent one.
const SILENCE: Duration = Duration::from_secs(5);
/// Far below what a test sends, far above one byte each tenth of a silence.
const RATE: u32 = 1_000;
/// Longer than any silence here: only a door that is broken makes a test wait for it.
const PATIENCE: Duration = Duration::from_secs(40);

async fn served(connections: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stream = || async {
        // It never says anything: only keep-alives are sent.
        let never = futures_util::stream::pending::<Result<Event, Infallible>>();
        Sse::new(never).keep_alive(KeepAlive::new().interval(SILENCE / 4))
    };
    let app = Router::new()
        .route("/", get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() }))
        .route("/live", get(stream))
        .route("/body", post(|body: String| async move { body.len().to_string() }));
    let door = Door::new(listener, Limits { connections, silence: SILENCE, rate: RATE }).tap_io(|_| ());
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(door, app).await });
    address
}

async fn ask(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    until_closed(&mut stream).await
}

async fn until_closed(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset is an end too.
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("it is closed");
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn whoever_asks_is_answered_and_known_by_address() {
    let address = served(1).await;
    for _ in 0..3 {
        assert!(ask(address).await.ends_with("127.0.0.1"), "one place, one after the other");
    }
}

#[tokio::test]
async fn a_head_or_a_body_that_comes_by_drops_is_cut_off() {
    let address = served(8).await;
    for head in
        ["GET / HTTP/1.1\r\nx-slow: ", "POST /body HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n", ""]
    {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let (mut read, mut write) = stream.into_split();
        let dripping = tokio::spawn(async move {
            // Each drop comes well within the silence.
            while !head.is_empty() && write.write_all(b"x").await.is_ok() {
                tokio::time::sleep(SILENCE / 10).await;
            }
            write
        });
        let mut bytes = Vec::new();
        let _ = tokio::time::timeout(PATIENCE, read.read_to_end(&mut bytes)).await.expect("it is cut off");
        assert!(!String::from_utf8_lossy(&bytes).contains("200 OK"), "{head}");
        dripping.await.unwrap();
    }
}

#[tokio::test]
async fn a_body_that_takes_longer_than_a_silence_arrives_if_it_keeps_coming() {
    let address = served(8).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let (parts, part) = (30, [b'x'; 4_000]);
    let length = parts * part.len();
    let head =
        format!("POST /body HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    // Three silences long.
    for _ in 0..parts {
        tokio::time::sleep(SILENCE / 10).await;
        stream.write_all(&part).await.unwrap();
    }
    assert!(until_closed(&mut stream).await.ends_with("120000"));
}

#[tokio::test]
async fn bytes_that_came_fast_buy_no_more_than_one_silence() {
    let address = served(1).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = b"POST /body HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n";
    stream.write_all(head).await.unwrap();
    stream.write_all(&[b'x'; 900_000]).await.unwrap();
    // At the least rate they would last a quarter of an hour.
    assert!(!until_closed(&mut stream).await.contains("200 OK"));
}

#[tokio::test]
async fn a_live_stream_stays_as_long_as_it_is_written_to() {
    let address = served(1).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /live HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let (mut kept, mut bytes) = (0, [0; 1024]);
    while kept < 12 {
        let count = tokio::time::timeout(PATIENCE, stream.read(&mut bytes)).await.unwrap().unwrap();
        assert!(count > 0, "it was ended after {kept} keep-alives, three silences long at 12");
        kept += String::from_utf8_lossy(&bytes[..count]).matches(":\n").count();
    }
}

#[tokio::test]
async fn those_who_are_too_many_wait_and_are_served_when_the_slow_ones_are_gone() {
    let address = served(4).await;
    let mut slow = Vec::new();
    for _ in 0..4 {
        slow.push(TcpStream::connect(address).await.unwrap());
    }
    assert!(ask(address).await.ends_with("127.0.0.1"));
    for stream in &mut slow {
        assert_eq!(until_closed(stream).await, "", "they took the places and said nothing");
    }
}
