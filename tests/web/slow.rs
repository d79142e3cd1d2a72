//! Clients that send or read slowly, or not at all: they are let go, and nobody waits for them.

use crate::double::{Double, overview};
use crate::input::raw;
use crate::service::{Browser, Service};
use crate::{PATIENCE, until};
use reqwest::StatusCode;
use safekit::control::Request;
use safekit::fsm::state::{Readiness, Role};
use socket2::{Domain, Socket, Type};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Between two bytes of somebody slow.
const STEP: Duration = Duration::from_millis(100);

/// Sends byte by byte until it is answered or let go; what it is answered.
fn trickle(service: &Service, head: &str, bytes: &mut dyn Iterator<Item = u8>) -> String {
    let mut stream = TcpStream::connect(service.address).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream.set_read_timeout(Some(STEP)).unwrap();
    let (mut answer, mut part) = (Vec::new(), [0; 4096]);
    let end = Instant::now() + PATIENCE;
    for byte in bytes {
        assert!(Instant::now() < end, "nobody lets it go: {}", String::from_utf8_lossy(&answer));
        let written = stream.write_all(&[byte]);
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(count) => answer.extend(&part[..count]),
            Err(_) if written.is_err() => break,
            Err(_) => {}
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn heads_and_bodies_that_come_byte_by_byte_are_cut() {
    let service = Service::with_roles();
    let browser = service.browser("admin").await;
    std::thread::scope(|scope| {
        let head = scope.spawn(|| {
            let begin = "GET /api/v1/session HTTP/1.1\r\nHost: x\r\nX-Long: ";
            trickle(&service, begin, &mut std::iter::repeat(b'a'))
        });
        let body = scope.spawn(|| {
            let Browser { cookie, csrf } = &browser;
            let begin = format!(
                "POST /api/v1/cluster/check HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\nX-SafeKit-CSRF: {csrf}\r\n\
                 Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n{{\"xml\":\""
            );
            trickle(&service, &begin, &mut std::iter::repeat(b'a'))
        });
        let chunks = scope.spawn(|| {
            let begin = "POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                 Transfer-Encoding: chunked\r\n\r\n";
            trickle(&service, begin, &mut b"1\r\n \r\n".iter().copied().cycle())
        });
        // Meanwhile others are served.
        let others = scope.spawn(|| {
            while !(head.is_finished() && body.is_finished() && chunks.is_finished()) {
                let answer =
                    raw(&service, "GET /api/v1/session HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
                assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
                std::thread::sleep(STEP);
            }
            (head.join().unwrap(), body.join().unwrap(), chunks.join().unwrap())
        });
        let (head, body, chunks) = others.join().unwrap();
        assert!(head.starts_with("HTTP/1.1 408"), "{head}");
        for answer in [body, chunks] {
            assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("problem+json"), "{answer}");
        }
    });
}

/// A connection that has asked, and will take little.
fn asked(service: &Service, browser: &Browser, path: &str) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&service.address.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    let cookie = &browser.cookie;
    write!(stream, "GET /api/v1{path} HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\n\r\n").unwrap();
    stream
}

/// Whether the connection was given up by the other end, which nobody hears who sends nothing: an empty line
/// between requests is allowed.
fn cut(mut stream: &TcpStream) -> bool {
    stream.write_all(b"\n").is_err() || stream.take_error().unwrap().is_some()
}

#[tokio::test]
async fn who_never_reads_an_archive_gives_its_room_back() {
    let service = Service::with_roles();
    let double = Double::start(&service.socket(), overview(Role::Stop, Readiness::NotReady, 1));
    let browser = service.browser("admin").await;
    double.archive(24 << 20);
    let stalled: Vec<TcpStream> =
        (0..4).map(|_| asked(&service, &browser, "/modules/mirror/archive")).collect();
    let get = || {
        let asked = service.request(reqwest::Method::GET, "/api/v1/modules/mirror/archive");
        asked.header("Cookie", &browser.cookie).send()
    };
    let packed = || double.asked().iter().filter(|(_, r)| matches!(r, Request::ModulePackage { .. })).count();
    until("all have asked", async || packed() == 4).await;
    until("all rooms are taken", async || {
        let answer = get().await.unwrap();
        answer.status() == StatusCode::TOO_MANY_REQUESTS && answer.headers().contains_key("retry-after")
    })
    .await;
    assert_eq!(packed(), 4, "no more of them are in memory");
    until("those who do not read are cut", async || stalled.iter().all(cut)).await;
    until("there is room again", async || get().await.unwrap().status() == StatusCode::OK).await;
    let whole = get().await.unwrap();
    assert_eq!(whole.bytes().await.unwrap().len(), 24 << 20);
}

#[tokio::test]
async fn who_never_reads_a_log_keeps_nobody_from_the_api() {
    let service = Service::with_roles();
    let double = Double::start(&service.socket(), overview(Role::Stop, Readiness::NotReady, 1));
    let browser = service.browser("operator1").await;
    // More than the kernel keeps for a connection.
    double.padding(2 << 10);
    let path = "/modules/mirror/log.txt";
    // As many as there is room for all short requests.
    let _stalled: Vec<TcpStream> = (0..24).map(|_| asked(&service, &browser, path)).collect();
    let get = |path: &str| {
        let asked = service.request(reqwest::Method::GET, &format!("/api/v1{path}"));
        asked.header("Cookie", &browser.cookie).send()
    };
    until("there is no room for another log", async || {
        let answer = get(path).await.unwrap();
        answer.status() == StatusCode::SERVICE_UNAVAILABLE && answer.headers().contains_key("retry-after")
    })
    .await;
    for path in ["/nodes", "/commands", "/modules/mirror/userlogs", "/modules/mirror/log?count=2"] {
        assert_eq!(get(path).await.unwrap().status(), StatusCode::OK, "{path}");
    }
    let few = get("/modules/mirror/log.txt?count=2").await.unwrap();
    assert_eq!(few.text().await.unwrap().lines().count(), 2, "a part of a log is none of those");
}

#[tokio::test]
async fn who_never_reads_events_is_cut_and_nobody_waits_for_him() {
    let service = Service::with_roles();
    let mut shown = overview(Role::Stop, Readiness::NotReady, 1);
    // An overview that fills what the kernel keeps for a connection soon.
    shown.modules[0].reason = Some("x".repeat(256 << 10));
    let double = Double::start(&service.socket(), shown.clone());
    let browser = service.browser("operator1").await;
    let slow = asked(&service, &browser, "/events");
    let mut quick = service
        .request(reqwest::Method::GET, "/api/v1/events")
        .header("Cookie", &browser.cookie)
        .send()
        .await
        .unwrap();
    let end = Instant::now() + PATIENCE;
    let (mut number, mut seen) = (0u64, Vec::new());
    while !cut(&slow) {
        assert!(Instant::now() < end, "who does not read is not cut");
        number += 1;
        shown.time = i64::try_from(number).unwrap();
        let marked = format!("\"time\":{number},");
        double.show(shown.clone());
        // The quick one sees each state before the slow one is cut, whatever that does.
        seen.clear();
        while !String::from_utf8_lossy(&seen).contains(&marked) {
            let chunk = tokio::time::timeout(PATIENCE, quick.chunk()).await;
            seen.extend(chunk.expect("the quick one is not kept waiting").unwrap().expect("it goes on"));
        }
        tokio::time::sleep(STEP).await;
    }
    assert!(number > 10, "{number}");
}
