//! Bad input: long, slow, malformed.

use crate::service::Service;
use reqwest::{Method, StatusCode};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

#[tokio::test]
async fn malformed_bodies_are_problems() {
    let service = Service::with_roles();
    let long = format!("{{\"user\":\"{}\",\"password\":\"x\"}}", "u".repeat(1 << 20));
    for (body, kind, status) in [
        ("{", "application/json", 400),
        ("[]", "application/json", 400),
        ("{\"user\":\"a\"}", "application/json", 400),
        ("{\"user\":\"a\",\"password\":\"b\",\"role\":\"Admin\"}", "application/json", 400),
        ("user=a&password=b", "application/x-www-form-urlencoded", 415),
        (&long, "application/json", 413),
    ] {
        let sent = service
            .request(Method::POST, "/api/v1/session")
            .header("Content-Type", kind)
            .body(body.to_owned());
        let answer = sent.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{}", &body[..body.len().min(60)]);
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
    }
}

#[tokio::test]
async fn names_that_would_spoil_a_log_are_wrong_users() {
    let service = Service::with_roles();
    for user in ["", "a\nb", "admin ", "\u{0}", "admin:x", "../admin"] {
        assert_eq!(service.log_in(user, "secret").await.status(), StatusCode::UNAUTHORIZED, "{user:?}");
    }
}

/// What a raw connection is answered until it is closed.
pub fn raw(service: &Service, text: &str) -> String {
    let mut stream = TcpStream::connect(service.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn who_never_ends_his_request_is_let_go() {
    let service = Service::with_roles();
    let answer = raw(&service, "GET / HTTP/1.1\r\nHost: x\r\n");
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    // Others are served meanwhile and afterwards.
    assert_eq!(service.get("/api/v1/session").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn what_is_not_http_is_refused() {
    let service = Service::with_roles();
    for text in [
        "\u{16}\u{3}\u{1}nonsense\r\n\r\n",
        "GET /\u{0} HTTP/1.1\r\n\r\n",
        "POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    ] {
        let answer = raw(&service, text);
        assert!(answer.starts_with("HTTP/1.1 400"), "{text:?}: {answer}");
    }
}
