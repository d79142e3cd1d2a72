//! Clients of a farm: what they ask its application, who answers them, and what goes wrong.

use super::{Node, eventually};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Longest a client waits: much longer than a change of owners takes.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two questions of a client.
const PACE: Duration = Duration::from_millis(40);
/// How long a datagram is waited for.
const DATAGRAM: Duration = Duration::from_secs(2);

/// Who answers how often.
pub type Answers = BTreeMap<String, usize>;

/// One connection with the application (scripts/demo/farm/bin/answer.py).
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn open(to: SocketAddr) -> std::io::Result<Connection> {
        let stream = TcpStream::connect_timeout(&to, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Connection(BufReader::new(stream)))
    }

    /// Who answers, and whether he asks to go elsewhere.
    fn ask(&mut self) -> std::io::Result<(String, bool)> {
        self.0.get_mut().write_all(b"who\n")?;
        let mut line = String::new();
        if self.0.read_line(&mut line)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let name = line.trim();
        Ok(name.strip_prefix("close ").map_or((name.to_owned(), false), |name| (name.to_owned(), true)))
    }
}

/// The answers to so many connections, one after the other, of a client.
pub fn connect(client: &Node, to: SocketAddr, times: usize) -> Answers {
    let mut answers = Answers::new();
    let asked = client.inside().in_network(|| {
        for _ in 0..times {
            let (name, _) = Connection::open(to)?.ask()?;
            *answers.entry(name).or_default() += 1;
        }
        std::io::Result::Ok(())
    });
    asked.expect("the client is on").unwrap_or_else(|e| panic!("a connection to {to}: {e}"));
    answers
}

/// The same from a port of the client; a port that was used of late is none to try.
pub fn connect_from(client: &Node, from: SocketAddr, to: SocketAddr) -> String {
    use socket2::{Domain, Socket, Type};
    let asked = client.inside().in_network(|| {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&from.into())?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.connect(&to.into())?;
        Connection(BufReader::new(socket.into())).ask()
    });
    asked.expect("the client is on").unwrap_or_else(|e| panic!("a connection from {from} to {to}: {e}")).0
}

/// The answers to so many datagrams from one port of a client. One that is lost is asked again.
pub fn send(client: &Node, to: SocketAddr, times: usize) -> Answers {
    let mut answers = Answers::new();
    let asked = client.inside().in_network(|| {
        let any: IpAddr = if to.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
        let socket = UdpSocket::bind((any, 0))?;
        socket.set_read_timeout(Some(DATAGRAM))?;
        socket.connect(to)?;
        let mut buffer = [0; 64];
        while answers.values().sum::<usize>() < times {
            socket.send(b"who\n")?;
            match socket.recv(&mut buffer) {
                Ok(length) => {
                    let name = String::from_utf8_lossy(&buffer[..length]).trim().to_owned();
                    *answers.entry(name).or_default() += 1;
                }
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    });
    asked.expect("the client is on").unwrap_or_else(|e| panic!("datagrams to {to}: {e}"));
    answers
}

/// What a crowd has seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Answers on connections that last.
    pub lasting: usize,
    /// Answers on connections of their own.
    pub short: usize,
    /// Established connections that broke.
    pub broken: Vec<String>,
    /// New connections that failed.
    pub refused: Vec<String>,
}

/// Clients that ask until they are told to go, some on connections that last, some on new ones.
pub struct Crowd {
    go: AtomicBool,
    seen: Mutex<Seen>,
}

impl Crowd {
    fn note(&self, note: impl FnOnce(&mut Seen)) {
        note(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What was seen so far.
    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until each kind of client has been answered some times more.
    pub fn wait_answers(&self) {
        let before = self.seen();
        eventually("answers to the clients", || {
            let now = self.seen();
            (now.lasting >= before.lasting + 30 && now.short >= before.short + 10).then_some(())
        });
    }

    fn lasting(&self, to: SocketAddr) {
        while !self.go.load(Ordering::Relaxed) {
            let mut connection = match Connection::open(to) {
                Ok(connection) => connection,
                Err(e) => {
                    self.note(|seen| seen.refused.push(e.to_string()));
                    continue;
                }
            };
            while !self.go.load(Ordering::Relaxed) {
                thread::sleep(PACE);
                match connection.ask() {
                    Ok((_, leave)) => {
                        self.note(|seen| seen.lasting += 1);
                        if leave {
                            break;
                        }
                    }
                    Err(e) => {
                        self.note(|seen| seen.broken.push(e.to_string()));
                        break;
                    }
                }
            }
        }
    }

    fn short(&self, to: SocketAddr) {
        while !self.go.load(Ordering::Relaxed) {
            thread::sleep(PACE);
            match Connection::open(to).and_then(|mut connection| connection.ask()) {
                Ok(_) => self.note(|seen| seen.short += 1),
                Err(e) => self.note(|seen| seen.refused.push(e.to_string())),
            }
        }
    }
}

/// Runs `scene` while each client holds so many lasting connections to `to` and asks on new ones as well.
pub fn with_crowd(clients: &[Node], to: SocketAddr, lasting: usize, scene: impl FnOnce(&Crowd)) -> Seen {
    let crowd = Crowd { go: AtomicBool::new(false), seen: Mutex::default() };
    thread::scope(|scope| {
        for client in clients {
            let crowd = &crowd;
            scope.spawn(move || {
                let inside = client.inside().in_network(|| {
                    thread::scope(|asking| {
                        // A thread is in the network of the one that starts it.
                        for _ in 0..lasting {
                            asking.spawn(|| crowd.lasting(to));
                        }
                        asking.spawn(|| crowd.short(to));
                    });
                });
                inside.expect("the client is on");
            });
        }
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| scene(&crowd)));
        crowd.go.store(true, Ordering::Relaxed);
        if let Err(panic) = done {
            std::panic::resume_unwind(panic);
        }
    });
    crowd.seen()
}
