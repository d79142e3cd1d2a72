use super::*;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

/// Answers one request after the other, each with the next of these texts; sends what it was asked.
fn server(answers: &[&str], tls: Option<Arc<ServerConfig>>) -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (asked, requests) = channel();
    let answers: Vec<String> = answers.iter().map(|a| (*a).to_owned()).collect();
    std::thread::spawn(move || {
        for answer in answers {
            let Ok((stream, _)) = listener.accept() else { return };
            let request = match &tls {
                Some(config) => {
                    let connection = ServerConnection::new(config.clone()).unwrap();
                    exchange(StreamOwned::new(connection, stream), &answer)
                }
                None => exchange(stream, &answer),
            };
            // A client that refuses the certificate asks nothing.
            let _ = asked.send(request.unwrap_or_default());
        }
    });
    (port, requests)
}

fn exchange(mut stream: impl Read + Write, answer: &str) -> io::Result<String> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        request.push(byte[0]);
    }
    stream.write_all(answer.as_bytes())?;
    stream.flush()?;
    Ok(String::from_utf8_lossy(&request).into_owned())
}

fn other(addr: &str, port: u16) -> Other {
    let second = Duration::from_secs(1);
    let (name, addr) = ("leader".parse().unwrap(), addr.parse().unwrap());
    Other { name, addr, port, cacert: None, interval: second, timeout: 5 * second }
}

const READY: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n";

#[tokio::test]
async fn ready_is_up_with_its_start_and_anything_else_is_down() {
    let ready = |start: &str| format!("{READY}SafeKit-Start: {start}\r\n\r\nOK");
    let (one, two) = (ready("node1-1"), ready("node1-2"));
    let plain = format!("{READY}\r\nOK");
    let missing = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let moved =
        "HTTP/1.1 307 Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let (port, requests) = server(&[&one, &one, &two, &plain, missing, moved], None);
    let probe = || other("127.0.0.1", port).probe();
    let Observation::Begun(first) = probe().await else { panic!("not up") };
    assert!(requests.recv().unwrap().starts_with("GET /var/modules/leader/ready.txt HTTP/1.1\r\n"));
    assert_eq!(probe().await, Observation::Begun(first));
    assert!(matches!(probe().await, Observation::Begun(second) if second != first));
    assert_eq!(probe().await, Observation::Found(Finding::Up));
    assert_eq!(probe().await, Observation::Found(Finding::Down), "not ready");
    assert_eq!(probe().await, Observation::Found(Finding::Down), "a redirection is no answer");
    assert_eq!(probe().await, Observation::Found(Finding::Down), "nobody listens");
}

#[tokio::test]
async fn who_does_not_answer_in_time_is_down() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let slow = Other { timeout: Duration::from_millis(100), ..other("127.0.0.1", port) };
    assert_eq!(slow.probe().await, Observation::Found(Finding::Down));
    assert!(TcpStream::connect(("127.0.0.1", port)).is_ok(), "it was there");
}

/// A certificate for an address, and the configuration of a server that has it.
fn certificate(addr: &str) -> (String, Arc<ServerConfig>) {
    let made = rcgen::generate_simple_self_signed([addr.to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    (made.cert.pem(), Arc::new(config))
}

#[tokio::test]
async fn https_counts_only_with_a_certificate_of_cacert() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        Some(path)
    };
    let (pem, config) = certificate("127.0.0.1");
    let (strange, _) = certificate("127.0.0.1");
    let ready = format!("{READY}SafeKit-Start: 1\r\n\r\nOK");
    let (port, _requests) = server(&[ready.as_str(); 3], Some(config));
    let secure = |cacert| Other { cacert, ..other("127.0.0.1", port) };
    let trusted = secure(file("cacert.crt", &format!("{strange}{pem}")));
    assert!(matches!(trusted.probe().await, Observation::Begun(_)));
    let because =
        |other: &Other, fault| Observation::Because(LogMessage::OtherDistrusted(other.origin(), fault));
    let untrusted = secure(file("strange", &strange));
    assert_eq!(untrusted.probe().await, because(&untrusted, TlsFault::Issuer));
    assert_eq!(other("127.0.0.1", port).probe().await, Observation::Found(Finding::Down), "HTTP to HTTPS");
    for bad in [file("empty", ""), Some(dir.path().join("none"))] {
        let name = bad.as_deref().unwrap().display().to_string();
        let Observation::Because(LogMessage::OtherDistrusted(_, TlsFault::Authority(why))) =
            secure(bad).probe().await
        else {
            panic!("{name}")
        };
        assert!(why.starts_with(&name), "{why}");
    }
}

#[test]
fn addresses_are_written_as_in_a_browser() {
    assert_eq!(other("::1", 9010).url(), "http://[::1]:9010/var/modules/leader/ready.txt");
    let secure = Other { cacert: Some("x".into()), ..other("node1", 9453) };
    assert_eq!(secure.url(), "https://node1:9453/var/modules/leader/ready.txt");
}
