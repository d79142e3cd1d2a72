//! Health checks at a steady pace, as load balancers send them.

use safekit::sandbox;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const PORT: u16 = 9010;
const PATIENCE: Duration = Duration::from_secs(5);

/// How the connections are made.
#[derive(Clone, Copy)]
pub enum Connections {
    /// One for all checks.
    Kept,
    /// One for each.
    New,
}

/// What came of the checks.
#[derive(Default)]
pub struct Outcome {
    /// How long each took from the moment at which it was due, milliseconds.
    pub took: Vec<f64>,
    /// Those that were not answered by `200`.
    pub errors: usize,
}

/// Checks until it is ended.
pub struct Checks {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Outcome>,
}

impl Checks {
    /// Begins, from the machine `from`, with so many in a second.
    pub fn begin(from: &sandbox::Node, to: Ipv4Addr, path: &str, rate: u32, how: Connections) -> Checks {
        let stop = Arc::new(AtomicBool::new(false));
        let (ended, from, to) = (stop.clone(), from.clone(), SocketAddr::from((to, PORT)));
        let request = format!("GET {path} HTTP/1.1\r\nHost: {to}\r\n\r\n");
        let run = move || {
            let every = Duration::from_secs(1) / rate;
            from.in_network(|| check(to, &request, every, how, &ended)).expect("enter")
        };
        Checks { stop, thread: std::thread::spawn(run) }
    }

    /// Ends.
    pub fn end(self) -> Outcome {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the checks have not panicked")
    }
}

fn check(to: SocketAddr, request: &str, every: Duration, how: Connections, stop: &AtomicBool) -> Outcome {
    let mut outcome = Outcome::default();
    let mut kept: Option<BufReader<TcpStream>> = None;
    let mut due = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        match ask(kept.take(), to, request) {
            Ok(connection) => {
                outcome.took.push(due.elapsed().as_secs_f64() * 1000.0);
                kept = Some(connection).filter(|_| matches!(how, Connections::Kept));
            }
            Err(_) => outcome.errors += 1,
        }
        due += every;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    outcome
}

/// Asks once; gives the connection back.
fn ask(
    kept: Option<BufReader<TcpStream>>,
    to: SocketAddr,
    request: &str,
) -> std::io::Result<BufReader<TcpStream>> {
    let mut connection = match kept {
        Some(connection) => connection,
        None => {
            let stream = TcpStream::connect_timeout(&to, PATIENCE)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            BufReader::new(stream)
        }
    };
    connection.get_mut().write_all(request.as_bytes())?;
    let mut status = String::new();
    connection.read_line(&mut status)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        connection.read_line(&mut line)?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.parse().map_err(std::io::Error::other)?;
            }
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body)?;
    let good = status.starts_with("HTTP/1.1 200 ") && body == b"OK";
    if good { Ok(connection) } else { Err(std::io::Error::other(status)) }
}
