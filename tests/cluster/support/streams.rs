//! Event streams of a web service, as consoles read them.

use super::Node;
use super::wait::{PATIENCE, eventually};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

const PORT: u16 = 9010;

/// A user who is logged in to the web service of a node.
pub struct Browser<'a> {
    node: &'a Node,
    cookie: String,
}

impl Browser<'_> {
    /// `admin`, once the web service answers.
    pub fn log_in<'a>(node: &'a Node, password: &str) -> Browser<'a> {
        let body = json!({ "user": "admin", "password": password });
        let script = format!(
            "curl -s -i -m 20 -H 'Content-Type: application/json' -d '{body}' http://127.0.0.1:{PORT}/api/v1/session"
        );
        let cookie = eventually(&format!("a login on {}", node.name()), || {
            let said = node.sh(&script).stdout;
            let line = said.lines().find_map(|line| line.strip_prefix("set-cookie: "))?;
            Some(line.split(';').next().unwrap_or_default().to_owned())
        });
        Browser { node, cookie }
    }

    /// Opens the event stream at a path below `/api/v1`.
    pub fn stream(&self, path: &str) -> Stream {
        let request = format!(
            "GET /api/v1{path} HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\n\r\n",
            self.node.name(),
            self.cookie
        );
        let open = || -> std::io::Result<TcpStream> {
            let to = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
            let mut socket = TcpStream::connect_timeout(&to, PATIENCE)?;
            socket.write_all(request.as_bytes())?;
            Ok(socket)
        };
        let opened = self.node.inside().in_network(open).expect("the node is on");
        Stream::read(
            path.to_owned(),
            opened.unwrap_or_else(|e| panic!("{path} on {}: {e}", self.node.name())),
        )
    }
}

/// An event.
#[derive(Clone, Debug)]
pub struct Told {
    /// Its name.
    pub event: String,
    /// Its data.
    pub data: Value,
}

/// A stream; it is left when dropped.
pub struct Stream {
    path: String,
    socket: TcpStream,
    said: Arc<Mutex<Said>>,
    reader: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Said {
    told: Vec<Told>,
    status: String,
    ended: bool,
}

impl Stream {
    fn read(path: String, socket: TcpStream) -> Stream {
        let said = Arc::<Mutex<Said>>::default();
        let (to, from) = (said.clone(), socket.try_clone().expect("a descriptor"));
        let reader = std::thread::spawn(move || {
            let change = |change: &mut dyn FnMut(&mut Said)| {
                change(&mut to.lock().unwrap_or_else(PoisonError::into_inner));
            };
            let mut event = String::new();
            // Every event is a chunk of its own, so lines are whole; what is between them says nothing.
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                if let Some(name) = line.strip_prefix("event: ") {
                    name.clone_into(&mut event);
                } else if let Some(data) = line.strip_prefix("data: ") {
                    let data = serde_json::from_str(data).unwrap_or(Value::Null);
                    change(&mut |said| said.told.push(Told { event: event.clone(), data: data.clone() }));
                } else if line.starts_with("HTTP/") {
                    change(&mut |said| said.status.clone_from(&line));
                }
            }
            change(&mut |said| said.ended = true);
        });
        Stream { path, socket, said, reader: Some(reader) }
    }

    /// Waits for an event of this name, now or before, that `look` wants.
    #[track_caller]
    pub fn until(&self, event: &str, look: impl Fn(&Value) -> bool) {
        let seen = || {
            let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            let found = said.told.iter().any(|told| told.event == event && look(&told.data));
            assert!(found || !said.ended, "{} has ended: {said:?}", self.path);
            found.then_some(())
        };
        eventually(&format!("{event} of {}", self.path), seen);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // It may be closed already.
        let _ = self.socket.shutdown(Shutdown::Both);
        let _ended = self.reader.take().map(JoinHandle::join);
    }
}
