//! Both ends of the tunnel over HTTP, with a `safeadmin` made up for the test.

use super::*;
use crate::control::async_client::Finished;
use crate::control::server::{Backend, Call};
use crate::control::{FailureKind, InstallSource, server};
use crate::web::remote::channel::{Channel, Offer};
use crate::web::remote::client::Client;
use crate::web::remote::error::RemoteError;
use crate::web::remote::target::{Service, Target};
use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer};
use std::io::{Read, Write};
use std::rc::Rc;
use tempfile::TempDir;

/// Answers with what it was asked; `Wait` never ends.
struct Echo;

impl Backend for Echo {
    async fn handle(&self, call: Call) -> i32 {
        let _ =
            call.sink.send(Reply::Text(format!("{} asks {}", call.caller.name(), call.request.name()))).await;
        if matches!(call.request, Request::Wait { .. }) {
            call.sink.closed().await;
        }
        let _ = call.sink.attach(&call.attachment).await;
        7
    }
}

struct Node {
    root: TempDir,
    paths: Paths,
    target: Target,
    secret: Secret,
    remote: Data<Remote>,
    web: ServerHandle,
}

/// A node whose web service listens on a free port.
async fn node() -> Node {
    let root = tempfile::tempdir().unwrap();
    let paths = Paths::new(root.path().join("safe"), root.path().join("var"));
    let secret = Secret::random().unwrap();
    secret.store(&paths, None).unwrap();
    std::fs::create_dir_all(paths.run()).unwrap();
    let listener = server::bind(&paths.admin_socket()).unwrap();
    actix_web::rt::spawn(server::serve(listener, Rc::new(Echo)));
    let asker = Asker::new(&paths, Service { https: false, port: 9010 });
    let remote = Data::new(Remote::new(paths.clone(), asker.clone(), Hub::new(&asker)));
    let shared = remote.clone();
    let server = HttpServer::new(move || App::new().app_data(shared.clone()).configure(routes))
        .h1_allow_half_closed(false)
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", 0))
        .unwrap();
    let port = server.addrs()[0].port();
    let running = server.run();
    let web = running.handle();
    actix_web::rt::spawn(running);
    let target = Target { name: "node1".to_owned(), https: false, host: "127.0.0.1".to_owned(), port };
    Node { root, paths, target, secret, remote, web }
}

fn install() -> Request {
    let (module, source) = ("m".parse().unwrap(), InstallSource::Attachment);
    Request::ModuleInstall { module, id: None, reinstall: false, source, if_signature: None, keep_key: false }
}

impl Node {
    async fn call(&self, secret: &Secret, request: &Request, bytes: Vec<u8>) -> Result<Answer, RemoteError> {
        let behalf =
            Behalf { user: "root@node9".to_owned(), access: Access::Admin, lang: crate::log::Lang::En };
        let client = Client::new(&self.paths);
        client.call(&self.target, secret, Some(behalf), request, bytes).await
    }

    async fn post(&self, path: &str, body: Vec<u8>) -> (u16, Vec<u8>) {
        let url = format!("{}{PATH}{path}", self.target.url());
        let response = http().post(url).body(body).send().await.unwrap();
        (response.status().as_u16(), response.bytes().await.unwrap().to_vec())
    }

    /// A channel of a client that does not behave as ours does.
    async fn channel(&self) -> (Channel, String) {
        let (offer, first) = Offer::new(&self.secret).unwrap();
        let (status, second) = self.post("", first).await;
        assert_eq!(status, 200);
        let (channel, greeting) = offer.accept(&second).unwrap();
        (channel, format!("/{}", greeting.channel.unwrap()))
    }
}

fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap()
}

fn sealed(channel: &mut Channel, request: &Request) -> Vec<u8> {
    let mut text = frame::encode_json(&Hello::ours()).unwrap();
    text.extend(frame::encode_json(request).unwrap());
    channel.sealer.seal(&text).unwrap()
}

#[actix_web::test]
async fn a_request_and_its_attachment_go_both_ways() {
    let node = node().await;
    let file: Vec<u8> = (0..3_000_000u32).map(|n| (n / 7) as u8).collect();
    let Finished { replies, attachment, code } =
        node.call(&node.secret, &install(), file.clone()).await.unwrap().finish().await.unwrap();
    assert_eq!(replies, [Reply::Text("root@node9 asks module install".to_owned())]);
    assert!(attachment == file);
    assert_eq!(code, 7);
    node.web.stop(false).await;
}

#[actix_web::test]
async fn without_a_user_rcmdadmin_asks() {
    let node = node().await;
    let (mut channel, path) = node.channel().await;
    let (status, body) = node.post(&path, sealed(&mut channel, &Request::Ping)).await;
    let mut text = Vec::new();
    channel.opener.open(&body, &mut text).unwrap();
    assert_eq!(status, 200);
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(text.contains("rcmdadmin@127.0.0.1 asks ping"), "{text}");
    node.web.stop(false).await;
}

#[actix_web::test]
async fn who_hangs_up_ends_the_request() {
    let node = node().await;
    let wait = Request::Wait { module: "m".parse().unwrap(), until: crate::control::Until::Stop };
    let mut answer = node.call(&node.secret, &wait, Vec::new()).await.unwrap();
    assert!(matches!(answer.next().await.unwrap(), Some(Piece::Reply(Reply::Text(_)))));
    assert!(!node.remote.table().is_idle());
    drop(answer);
    while !node.remote.table().is_idle() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    node.web.stop(false).await;
}

#[actix_web::test]
async fn all_that_is_wrong_looks_the_same() {
    let node = node().await;
    let mut answers = Vec::new();
    // Another secret, no handshake at all, one that is too long.
    let (_, other) = Offer::new(&Secret::random().unwrap()).unwrap();
    let (_, good) = Offer::new(&node.secret).unwrap();
    let mut bent = good.clone();
    bent[20] ^= 1;
    for first in [other, Vec::new(), b"GET / HTTP/1.1".to_vec(), vec![0; MOST_HANDSHAKE + 1], bent] {
        answers.push(node.post("", first).await);
    }
    // No such channel, a channel of another form, the same request again, a broken one, a cut one.
    answers.push(node.post(&format!("/{}", "0".repeat(32)), vec![1]).await);
    answers.push(node.post("/0", vec![1]).await);
    let (mut channel, path) = node.channel().await;
    let request = sealed(&mut channel, &Request::Ping);
    assert_eq!(node.post(&path, request.clone()).await.0, 200);
    answers.push(node.post(&path, request.clone()).await);
    let (_, path) = node.channel().await;
    answers.push(node.post(&path, request).await);
    assert!(answers.iter().all(|(status, _)| *status == 403), "{answers:?}");
    assert!(answers.windows(2).all(|two| two[0].1 == two[1].1), "{answers:?}");
    node.web.stop(false).await;
}

#[actix_web::test]
async fn a_request_that_is_cut_or_mixed_up_is_not_carried_out() {
    let node = node().await;
    let (mut channel, path) = node.channel().await;
    let request = sealed(&mut channel, &install());
    // The attachment is missing.
    assert_eq!(node.post(&path, request).await.0, 403);
    let (mut channel, path) = node.channel().await;
    let (one, two) = (channel.sealer.seal(b"one").unwrap(), channel.sealer.seal(b"two").unwrap());
    assert_eq!(node.post(&path, [two, one].concat()).await.0, 403);
    // Who knows the secret is told what is wrong with the request.
    let (mut channel, path) = node.channel().await;
    let mut text =
        frame::encode_json(&Hello { protocol: 99, release: "9.9.9".into(), behalf: None }).unwrap();
    text.extend(frame::encode(Kind::Alive, &[]).unwrap());
    let bytes = channel.sealer.seal(&text).unwrap();
    let (status, body) = node.post(&path, bytes).await;
    let mut told = Vec::new();
    channel.opener.open(&body, &mut told).unwrap();
    let told = String::from_utf8_lossy(&told).into_owned();
    assert!(status == 200 && told.contains("9.9.9 speaks version 99"), "{told}");
    node.web.stop(false).await;
}

#[actix_web::test]
async fn failures_of_an_address_are_limited() {
    let node = node().await;
    let wrong = Secret::random().unwrap();
    let mut last = String::new();
    for _ in 0..20 {
        last = node.call(&wrong, &Request::Ping, Vec::new()).await.unwrap_err().to_string();
        if !last.contains("refuses the password") {
            break;
        }
        assert!(last.starts_with("node1 (127.0.0.1:") && last.contains("-rcmdpasswd"), "{last}");
    }
    assert!(last.contains("too many handshakes"), "{last}");
    node.web.stop(false).await;
}

#[actix_web::test]
async fn a_handshake_that_was_recorded_opens_nothing() {
    let node = node().await;
    let (_, first) = Offer::new(&node.secret).unwrap();
    assert_eq!(node.post("", first.clone()).await.0, 200);
    let mut answers = Vec::new();
    for _ in 0..11 {
        answers.push(node.post("", first.clone()).await.0);
    }
    assert_eq!(answers[..10], [403; 10]);
    assert_eq!(answers[10], 429, "it counts as a failure");
    node.web.stop(false).await;
}

/// What a request is answered whose body breaks off: what comes is no chunk.
fn broken_off(port: u16, path: &str) -> String {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    let head = "Host: x\r\nTransfer-Encoding: chunked";
    write!(stream, "POST {PATH}{path} HTTP/1.1\r\n{head}\r\n\r\n1\r\nx\r\nno chunk\r\n").unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[actix_web::test]
async fn a_network_that_breaks_off_is_no_wrong_password() {
    let node = node().await;
    for _ in 0..12 {
        let (_, path) = node.channel().await;
        for path in [String::new(), path] {
            let port = node.target.port;
            let answer = web::block(move || broken_off(port, &path)).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
        }
        // Nobody has such a channel any more.
        assert_eq!(node.post(&format!("/{}", "0".repeat(32)), vec![1]).await.0, 403);
    }
    let answer = node.call(&node.secret, &Request::Ping, Vec::new()).await.unwrap();
    assert_eq!(answer.finish().await.unwrap().code, 7);
    node.web.stop(false).await;
}

#[actix_web::test]
async fn errors_say_which_node_and_what_to_do() {
    let node = node().await;
    std::fs::remove_file(node.root.path().join("safe/web/conf/rcmd.conf")).unwrap();
    let text = node.call(&node.secret, &Request::Ping, Vec::new()).await.unwrap_err().to_string();
    assert!(text.contains("not set up on this node") && text.contains("-rcmdpasswd"), "{text}");
    node.secret.store(&node.paths, None).unwrap();
    std::fs::remove_file(node.paths.admin_socket()).unwrap();
    let answer = node.call(&node.secret, &Request::Ping, Vec::new()).await.unwrap().finish().await.unwrap();
    assert_eq!(answer.code, 1);
    assert_eq!(
        answer.replies,
        [Reply::error(FailureKind::Busy, "safeadmin administrator daemon not running")]
    );
    let https = Target { https: true, ..node.target.clone() };
    let client = Client::new(&node.paths);
    let text =
        client.call(&https, &node.secret, None, &Request::Ping, Vec::new()).await.unwrap_err().to_string();
    assert!(text.contains("cacert.crt"), "{text}");
    node.web.stop(false).await;
    let text = node.call(&node.secret, &Request::Ping, Vec::new()).await.unwrap_err().to_string();
    assert!(text.contains("Connection refused") && text.contains("is its web service running"), "{text}");
}

#[actix_web::test]
async fn what_is_no_safekit_is_told() {
    let node = node().await;
    let strange = HttpServer::new(App::new).workers(1).disable_signals().bind(("127.0.0.1", 0)).unwrap();
    let target = Target { port: strange.addrs()[0].port(), ..node.target.clone() };
    let running = strange.run();
    let handle = running.handle();
    actix_web::rt::spawn(running);
    let client = Client::new(&node.paths);
    let text =
        client.call(&target, &node.secret, None, &Request::Ping, Vec::new()).await.unwrap_err().to_string();
    assert!(text.contains("is not the web service of a SafeKit node") && text.contains("404"), "{text}");
    handle.stop(false).await;
    node.web.stop(false).await;
}

/// A certification authority, and a certificate of it for 127.0.0.1, ready to serve.
fn authority() -> (String, rustls::ServerConfig) {
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let issuer = rcgen::CertifiedIssuer::self_signed(params, rcgen::KeyPair::generate().unwrap()).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let chain = vec![params.signed_by(&key, &issuer).unwrap().der().clone()];
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key.into())
        .unwrap();
    (issuer.pem(), config)
}

#[actix_web::test]
async fn with_https_the_certificate_must_be_of_our_authority() {
    let node = node().await;
    let (ours, config) = authority();
    let (another, _) = authority();
    let shared = node.remote.clone();
    let server = HttpServer::new(move || App::new().app_data(shared.clone()).configure(routes))
        .workers(1)
        .disable_signals()
        .bind_rustls_0_23(("127.0.0.1", 0), config)
        .unwrap();
    let target = Target { https: true, port: server.addrs()[0].port(), ..node.target.clone() };
    let running = server.run();
    let handle = running.handle();
    actix_web::rt::spawn(running);
    let file = node.root.path().join("safe/web/conf/cacert.crt");
    for (pem, good) in [(another, false), (ours, true)] {
        std::fs::write(&file, pem).unwrap();
        let client = Client::new(&node.paths);
        let asked = client.call(&target, &node.secret, None, &Request::Ping, Vec::new()).await;
        match asked {
            Ok(answer) => assert!(good && answer.finish().await.unwrap().code == 7),
            Err(error) => assert!(!good && error.to_string().contains("certificate"), "{error}"),
        }
    }
    handle.stop(false).await;
    node.web.stop(false).await;
}
