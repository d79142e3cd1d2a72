//! A client that connects to the application all the time. What it is answered is seen by the capture.

use super::helper::PORT;
use safekit::sandbox;
use socket2::{Domain, Socket, Type};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Between two connections: the resolution of what is measured.
const EVERY: Duration = Duration::from_millis(4);
/// A connection without answer is given up after this time.
const PATIENCE: Duration = Duration::from_millis(500);

/// Connects until it is dropped.
pub struct Client {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    /// Begins, from the machine `from`.
    pub fn begin(from: &sandbox::Node, to: Ipv4Addr) -> Client {
        let stop = Arc::new(AtomicBool::new(false));
        let (ended, from) = (stop.clone(), from.clone());
        let connect = move || from.in_network(|| ask(SocketAddr::from((to, PORT)), &ended)).expect("enter");
        Client { stop, thread: Some(std::thread::spawn(connect)) }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || matches!(ended, Some(Ok(()))), "the client broke off");
    }
}

fn ask(server: SocketAddr, stop: &AtomicBool) {
    let mut open: VecDeque<(Instant, Socket)> = VecDeque::new();
    let mut next = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("open a socket");
        socket.set_nonblocking(true).expect("a socket can be so");
        // An answer, a refusal or nothing: it is looked at below.
        let _ = socket.connect(&server.into());
        open.push_back((Instant::now(), socket));
        open.retain_mut(|(since, socket)| {
            let answer = socket.read(&mut [0; 8]);
            let pending =
                |e: &std::io::Error| matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected);
            answer.is_err_and(|e| pending(&e)) && since.elapsed() < PATIENCE
        });
        next += EVERY;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}
