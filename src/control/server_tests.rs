//! Both sides of the local socket together.

use super::*;
use crate::control::client::{Answer, Client, ClientError};
use crate::control::{Access, Behalf, ClusterSource, FailureKind, Gone};
use crate::fsm::command::{self, Command};
use crate::log::Lang;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use proptest::prelude::*;
use std::cell::Cell;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream as StdStream;
use tokio::task::LocalSet;

/// Sends attachments back, answers follow requests without end, others with one text.
#[derive(Default)]
struct Echo {
    gone: Cell<bool>,
}

impl Backend for Echo {
    async fn handle(&self, call: Call) -> i32 {
        match call.request {
            Request::ClusterConfig { .. } => {
                call.sink.attach(&call.attachment).await.unwrap();
                3
            }
            Request::ClusterState => {
                call.sink.closed().await;
                self.gone.set(true);
                0
            }
            Request::CmdLog { .. } => {
                while call.sink.send(Reply::Text("x".repeat(60_000))).await != Err(Gone) {}
                self.gone.set(true);
                0
            }
            request => {
                let text = format!("{} {request:?}", call.caller.name());
                call.sink.send(Reply::Text(text)).await.unwrap();
                0
            }
        }
    }
}

fn caller(allowed: bool) -> Caller {
    Caller {
        uid: 1000,
        gid: 1000,
        pid: 42,
        user_name: "op".to_owned(),
        allowed,
        access: Access::Admin,
        remote: None,
        lang: Lang::En,
    }
}

fn pair() -> (StdStream, UnixStream) {
    let (near, far) = StdStream::pair().unwrap();
    far.set_nonblocking(true).unwrap();
    (near, UnixStream::from_std(far).unwrap())
}

/// Serves one connection while `user` works at the other end in a thread.
async fn with<T: Send + 'static>(allowed: bool, user: impl FnOnce(StdStream) -> T + Send + 'static) -> T {
    let (near, far) = pair();
    let attachments = Arc::new(Semaphore::new(1));
    let user = tokio::task::spawn_blocking(move || user(near));
    LocalSet::new().run_until(converse(far, caller(allowed), &Echo::default(), attachments)).await;
    user.await.unwrap()
}

fn all(mut answer: Answer) -> (Vec<Reply>, i32, Vec<u8>) {
    let mut replies = Vec::new();
    while let Some(reply) = answer.next_reply().unwrap() {
        replies.push(reply);
    }
    (replies, answer.code().unwrap(), answer.into_attachment())
}

fn ask(stream: StdStream, request: &Request, attachment: Option<&[u8]>) -> (Vec<Reply>, i32, Vec<u8>) {
    all(Client::from(stream).call(request, attachment).unwrap())
}

#[tokio::test]
async fn attachments_go_both_ways() {
    let sent: Vec<u8> = (0..3_000_000u32).map(|i| i as u8).collect();
    let expected = sent.clone();
    let request = Request::ClusterConfig { source: ClusterSource::Zip, lock: None, if_signature: None };
    let (replies, code, back) = with(true, move |s| ask(s, &request, Some(&sent))).await;
    assert_eq!((replies, code), (vec![], 3));
    assert!(back == expected);
}

#[tokio::test]
async fn the_unauthorised_are_refused_before_they_have_sent_all() {
    let request = Request::ClusterConfig { source: ClusterSource::Zip, lock: None, if_signature: None };
    let long = vec![0; 4 << 20];
    let (replies, code, _) = with(false, move |s| ask(s, &request, Some(&long))).await;
    let text = "permission denied: run as root or as a member of group safekit";
    assert_eq!((replies, code), (vec![Reply::error(FailureKind::Denied, text)], 1));
}

#[tokio::test]
async fn another_version_is_refused_by_name() {
    let answer = with(true, |mut s| {
        let hello = Hello { protocol: 7, release: "0.0.7".to_owned(), behalf: None };
        s.write_all(&frame::encode_json(&hello).unwrap()).unwrap();
        frame::read(&mut s).unwrap();
        frame::read(&mut s).unwrap().json::<Reply>().unwrap()
    })
    .await;
    assert!(
        matches!(&answer, Reply::Error(e) if e.text.contains("0.0.7 speaks version 7") && e.text.contains("version 2"))
    );
}

fn on_behalf(access: Access, user: &str) -> Hello {
    Hello::on_behalf(Some(Behalf { user: user.to_owned(), access, lang: Lang::En }))
}

/// What is answered to a request on behalf of a remote user.
async fn asked_on_behalf(hello: Hello, request: Request) -> Reply {
    with(true, move |mut s| {
        s.write_all(&frame::encode_json(&hello).unwrap()).unwrap();
        s.write_all(&frame::encode_json(&request).unwrap()).unwrap();
        frame::read(&mut s).unwrap();
        frame::read(&mut s).unwrap().json::<Reply>().unwrap()
    })
    .await
}

#[tokio::test]
async fn who_speaks_for_a_monitor_starts_nothing() {
    let start = || Request::Control {
        module: "m".parse().unwrap(),
        command: Command::Start,
        identity: None,
        user: None,
    };
    let refused = asked_on_behalf(on_behalf(Access::Monitor, "op@10.0.0.3"), start()).await;
    let text = "permission denied: start needs the role Control, op@10.0.0.3 has Monitor";
    assert_eq!(refused, Reply::error(FailureKind::Denied, text));
    let answered = asked_on_behalf(on_behalf(Access::Control, "op@10.0.0.3"), start()).await;
    assert!(matches!(&answered, Reply::Text(t) if t.starts_with("op@10.0.0.3 Control")), "{answered:?}");
    let refused = asked_on_behalf(on_behalf(Access::Admin, "op\n@10.0.0.3"), start()).await;
    assert!(matches!(&refused, Reply::Error(e) if e.text.contains("control characters")), "{refused:?}");
}

#[test]
fn the_module_log_names_the_remote_user() {
    let mut caller = caller(true);
    caller.speak_for(Behalf { user: "admin@10.0.0.3".to_owned(), access: Access::Monitor, lang: Lang::Fr });
    assert_eq!(caller.lang, Lang::Fr);
    assert_eq!(caller.access, Access::Monitor);
    let user = |name: &str| command::Caller::User(name.to_owned());
    assert_eq!(caller.label(None, None), user("admin@10.0.0.3"));
    assert_eq!(caller.label(None, Some("web@10.0.0.9")), user("admin@10.0.0.3"));
    assert_eq!(caller.label(Some("checker"), None), command::Caller::Identity("checker".to_owned()));
}

#[tokio::test]
async fn bad_texts_do_not_reach_the_backend() {
    let request = Request::Print {
        module: "m".parse().unwrap(),
        level: crate::control::PrintLevel::Info,
        text: "a\u{1b}[2J".to_owned(),
    };
    let (replies, code, _) = with(true, move |s| ask(s, &request, None)).await;
    assert!(matches!(&replies[..], [Reply::Error(e)] if e.text.contains("control characters")));
    assert_eq!(code, 1);
}

#[tokio::test(start_paused = true)]
async fn half_a_request_ends_with_its_time() {
    let (mut near, far) = pair();
    near.write_all(&[200, 0, 0]).unwrap();
    let attachments = Arc::new(Semaphore::new(1));
    LocalSet::new().run_until(converse(far, caller(true), &Echo::default(), attachments)).await;
    frame::read(&mut near).unwrap();
    let refusal: Reply = frame::read(&mut near).unwrap().json().unwrap();
    assert_eq!(refusal, Reply::error(FailureKind::Busy, "the request was not complete within 10 s"));
}

fn asked(request: &Request) -> (StdStream, UnixStream) {
    let (mut near, far) = pair();
    near.write_all(&frame::encode_json(&Hello::ours()).unwrap()).unwrap();
    near.write_all(&frame::encode_json(request).unwrap()).unwrap();
    (near, far)
}

#[tokio::test(start_paused = true)]
async fn a_reader_who_does_not_read_is_dropped() {
    let (near, far) = asked(&Request::CmdLog { count: None, follow: false });
    let (echo, attachments) = (Echo::default(), Arc::new(Semaphore::new(1)));
    LocalSet::new().run_until(converse(far, caller(true), &echo, attachments)).await;
    assert!(echo.gone.get());
    drop(near);
}

#[tokio::test]
async fn a_backend_learns_that_its_user_is_gone() {
    let (near, far) = asked(&Request::ClusterState);
    drop(near);
    let (echo, attachments) = (Echo::default(), Arc::new(Semaphore::new(1)));
    LocalSet::new().run_until(converse(far, caller(true), &echo, attachments)).await;
    assert!(echo.gone.get());
}

#[tokio::test(start_paused = true)]
async fn a_long_command_gives_signs_of_life() {
    let (mut near, far) = asked(&Request::ClusterState);
    let attachments = Arc::new(Semaphore::new(1));
    LocalSet::new()
        .run_until(async {
            let echo = Echo::default();
            let wait = Duration::from_secs(60);
            let _ = timeout(wait, converse(far, caller(true), &echo, attachments)).await;
        })
        .await;
    frame::read(&mut near).unwrap().json::<Hello>().unwrap();
    let alive = std::iter::from_fn(|| frame::read(&mut near).ok()).filter(|f| f.kind == Kind::Alive);
    assert!(alive.count() >= 10);
}

#[tokio::test]
async fn a_real_socket_serves_and_has_a_limit() {
    // Both ends of all connections are of this process.
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.sock");
    let listener = bind(&path).unwrap();
    assert_eq!(bind(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    let user = {
        let path = path.clone();
        tokio::task::spawn_blocking(move || {
            let call = |request: &Request| {
                Client::connect(&path, Duration::ZERO, || ()).and_then(|c| c.call(request, None))
            };
            let waiting: Vec<Answer> =
                (0..CONNECTIONS).map(|_| call(&Request::ClusterState).unwrap()).collect();
            let full = all(call(&Request::Ping).unwrap());
            drop(waiting);
            // Room comes back as the daemon notices that the users are gone.
            let (mut again, until) = (full.clone(), std::time::Instant::now() + Duration::from_secs(20));
            while again.1 != 0 && std::time::Instant::now() < until {
                again = all(call(&Request::Ping).unwrap());
            }
            (full, again)
        })
    };
    let peers = Rc::new(Peers::trusting_own());
    let (full, again) = LocalSet::new()
        .run_until(async {
            tokio::select! {
                () = accept(listener, Rc::new(Echo::default()), peers) => panic!("the server ended"),
                answers = user => answers.unwrap(),
            }
        })
        .await;
    assert!(
        matches!(&full.0[..], [Reply::Error(e)] if e.text.starts_with(&format!("{CONNECTIONS} commands are under way")))
    );
    assert!(matches!(&again.0[..], [Reply::Text(t)] if t.ends_with("Ping")));
    // Nobody serves it any more: the stale socket is replaced.
    bind(&path).unwrap();
}

#[test]
fn a_daemon_that_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let gone = Client::connect(&path, Duration::ZERO, || ());
    assert!(matches!(gone, Err(ClientError::NotRunning)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn arbitrary_bytes_end_the_connection(
        hello in any::<bool>(),
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(with(true, move |mut s| {
            if hello {
                s.write_all(&frame::encode_json(&Hello::ours()).unwrap()).unwrap();
            }
            s.write_all(&bytes).unwrap();
            s.shutdown(std::net::Shutdown::Write).unwrap();
            let mut answer = Vec::new();
            let _ = s.read_to_end(&mut answer);
        }));
    }
}
