//! Clients that open a new connection again and again, and what becomes of each.

use crate::cluster::{Node, eventually};
use socket2::{Domain, Socket, Type};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Between two attempts of a client.
const EVERY: Duration = Duration::from_millis(5);
/// An attempt that is not answered within this time has failed.
const PATIENCE: Duration = Duration::from_millis(200);

/// When attempts were begun.
#[derive(Default)]
struct Begun {
    /// The latest that was served.
    served: Option<Instant>,
    /// All that failed.
    failed: Vec<Instant>,
}

/// Connects until it is dropped.
pub struct Attempts {
    stop: Arc<AtomicBool>,
    begun: Vec<Arc<Mutex<Begun>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Attempts {
    /// Begins on these machines.
    pub fn begin(clients: &[Node], to: SocketAddr) -> Attempts {
        let stop = Arc::new(AtomicBool::new(false));
        let begun: Vec<Arc<Mutex<Begun>>> = clients.iter().map(|_| Arc::default()).collect();
        let start = |(client, begun): (&Node, &Arc<Mutex<Begun>>)| {
            let (stop, begun, machine) = (stop.clone(), begun.clone(), client.inside().clone());
            std::thread::spawn(move || machine.in_network(|| ask(to, &stop, &begun)).expect("enter"))
        };
        let threads = clients.iter().zip(&begun).map(start).collect();
        Attempts { stop, begun, threads }
    }

    fn each<R>(&self, look: impl Fn(&Begun) -> R) -> Vec<R> {
        self.begun.iter().map(|begun| look(&begun.lock().expect("no client panics"))).collect()
    }

    /// The last attempt of any client that was begun since `from` and failed.
    pub fn last_failed(&self, from: Instant) -> Option<Instant> {
        let last = self.each(|begun| begun.failed.iter().copied().filter(|at| *at >= from).max());
        last.into_iter().flatten().max()
    }

    /// Waits until, since `from`, every client was served for so long without a failure.
    pub fn wait_quiet(&self, from: Instant, quiet: Duration) {
        eventually("no connection fails", || {
            let since = self.last_failed(from).unwrap_or(from) + quiet;
            self.each(|begun| begun.served).into_iter().all(|at| at > Some(since)).then_some(())
        });
    }
}

impl Drop for Attempts {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let ended = thread.join();
            assert!(std::thread::panicking() || ended.is_ok(), "a client broke off");
        }
    }
}

fn ask(server: SocketAddr, stop: &AtomicBool, begun: &Mutex<Begun>) {
    let mut open: VecDeque<(Instant, Socket)> = VecDeque::new();
    let mut next = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("open a socket");
        socket.set_nonblocking(true).expect("a socket can be so");
        // An answer, a refusal or nothing: it is looked at below.
        let _ = socket.connect(&server.into());
        open.push_back((Instant::now(), socket));
        let mut begun = begun.lock().expect("no reader panics");
        open.retain_mut(|(since, socket)| {
            let answer = socket.read(&mut [0; 8]);
            let pending =
                |e: &std::io::Error| matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected);
            match answer {
                Ok(1..) => begun.served = begun.served.max(Some(*since)),
                Err(e) if pending(&e) && since.elapsed() < PATIENCE => return true,
                Ok(0) | Err(_) => begun.failed.push(*since),
            }
            false
        });
        drop(begun);
        // Late because others needed the core: the rate is not made up for.
        next = (next + EVERY).max(Instant::now());
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}
