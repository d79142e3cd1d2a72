//! HTTP/2 by frames that no browser sends: who goes beyond the limits loses his connection, others notice nothing.

use crate::PATIENCE;
use crate::service::Service;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What cannot be written for so long may be on its way to nobody.
const FULL: Duration = Duration::from_millis(500);

type Tls = StreamOwned<ClientConnection, TcpStream>;

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// `:method: GET` and `:method: POST` of the static table (RFC 7541).
const GET: u8 = 0x82;
const POST: u8 = 0x83;
/// `accept-encoding: gzip, deflate`.
const ENCODING: u8 = 0x90;

fn connect(service: &Service, protocol: &str) -> Tls {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(service.paths.web_conf().join("cacert.crt")).unwrap()).unwrap();
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    let socket = TcpStream::connect(service.address).unwrap();
    socket.set_write_timeout(Some(FULL)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), socket)
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The headers of a request for `/api/v1/session`.
fn request(method: u8, more: &[u8]) -> Vec<u8> {
    let text = |index: u8, text: &str| {
        let length = u8::try_from(text.len()).unwrap();
        [&[index, length], text.as_bytes()].concat()
    };
    [&[method, 0x87], &*text(0x04, "/api/v1/session"), &*text(0x01, "localhost"), more].concat()
}

/// Sends this again and again, with the number of the next stream, until the connection is closed.
fn send_until_closed(service: &Service, settings: &[u8], what: &str, mut next: impl FnMut(u32) -> Vec<u8>) {
    let mut stream = connect(service, "h2");
    let begin = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &*frame(SETTINGS, 0, 0, settings)].concat();
    stream.write_all(&begin).unwrap();
    assert_eq!(stream.conn.alpn_protocol(), Some(&b"h2"[..]));
    let end = Instant::now() + PATIENCE;
    for number in (1..0x7fff_ffff).step_by(2) {
        assert!(Instant::now() < end, "{what}: nobody closes it");
        match stream.write_all(&next(number)) {
            // Who reads nothing learns of the end only by reading.
            Err(e) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&e.kind()) => {
                return read_to_the_end(&mut stream.sock, what);
            }
            Err(_) => return,
            Ok(()) => {}
        }
    }
}

fn read_to_the_end(socket: &mut TcpStream, what: &str) {
    let mut part = [0; 4096];
    loop {
        match socket.read(&mut part) {
            Ok(0) => return,
            Ok(_) => {}
            Err(e) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&e.kind()) => {
                panic!("{what}: it is neither read nor closed")
            }
            Err(_) => return,
        }
    }
}

/// Another client is served.
fn answers(service: &Service, what: &str) {
    let mut stream = connect(service, "http/1.1");
    stream
        .write_all(b"GET /api/v1/session HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(std::str::from_utf8(&answer), Ok("HTTP/1.1 200"), "{what}");
}

#[test]
fn who_floods_a_connection_loses_it() {
    let service = Service::https();
    let all = END_STREAM | END_HEADERS;

    // Reset at once (CVE-2023-44487): a limit of the library.
    let reset = |number| {
        let open = frame(HEADERS, all, number, &request(GET, &[]));
        [open, frame(RST_STREAM, 0, number, &8u32.to_be_bytes())].concat()
    };
    send_until_closed(&service, &[], "resets", reset);
    answers(&service, "resets");

    // Headers without end (CVE-2024-27316): a limit of the library.
    let endless = |number| match number {
        1 => frame(HEADERS, END_STREAM, 1, &request(GET, &[])),
        _ => frame(CONTINUATION, 0, 1, &[ENCODING]),
    };
    send_until_closed(&service, &[], "continuations", endless);
    answers(&service, "continuations");

    // Requests without end, of which no answer is taken: neither has a limit in the library.
    let no_window = [&4u16.to_be_bytes()[..], &0u32.to_be_bytes()].concat();
    let open = |number| frame(HEADERS, END_HEADERS, number, &request(POST, &[]));
    send_until_closed(&service, &no_window, "streams", open);
    answers(&service, "streams");

    // A byte on the way, a header in memory.
    let swollen = |number| frame(HEADERS, all, number, &request(GET, &[ENCODING; 8000]));
    send_until_closed(&service, &[], "headers", swollen);
    answers(&service, "headers");
}
