//! Requests of the client, and what came back.

use crate::serve::source;
use crate::support::{DEADLINE, Space};
use crate::world::{PORT, World};
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

/// As many at once as sockets may be open.
const AT_ONCE: usize = 100;

/// Where requests come from.
#[derive(Clone, Copy)]
pub enum From {
    /// The client's own address, always other ports.
    OnePlace,
    /// So many addresses.
    Places(usize),
}

impl From {
    fn addr(self, vip: IpAddr, i: usize) -> SocketAddr {
        let own = if vip.is_ipv4() { "10.9.0.200" } else { "fd09::200" };
        match self {
            From::OnePlace => SocketAddr::new(own.parse().unwrap(), 0),
            From::Places(many) => SocketAddr::new(source(vip, i % many + 1), 0),
        }
    }
}

/// Who answered each of `count` datagrams of `size` bytes, each from a socket of its own.
pub fn datagrams(client: &Space, vip: IpAddr, from: From, count: usize, size: usize) -> Vec<u8> {
    client.run(move || {
        let mut answers = Vec::new();
        for first in (0..count).step_by(AT_ONCE) {
            let some = first..(first + AT_ONCE).min(count);
            let sockets: Vec<UdpSocket> = some.map(|i| open(vip, from.addr(vip, i))).collect();
            for socket in &sockets {
                socket.send(&vec![7; size]).unwrap();
            }
            answers.extend(sockets.iter().map(one_answer));
        }
        answers
    })
}

/// A socket of the client that talks to the virtual address.
pub fn open(vip: IpAddr, from: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind(from).unwrap();
    socket.connect((vip, PORT)).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    socket
}

/// The number of the node that answered.
pub fn one_answer(socket: &UdpSocket) -> u8 {
    let mut buffer = [0; 16];
    let length = socket.recv(&mut buffer).expect("an answer");
    assert!(length > 0);
    buffer[0]
}

/// Who answered each of `count` connections, one after the other.
pub fn connections(client: &Space, vip: IpAddr, from: From, count: usize) -> Vec<u8> {
    client.run(move || (0..count).map(|i| ask(&mut connect(vip, from.addr(vip, i)))).collect())
}

/// A connection of the client.
pub fn connect(vip: IpAddr, from: SocketAddr) -> TcpStream {
    let domain = socket2::Domain::for_address(from);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None).unwrap();
    socket.bind(&from.into()).unwrap();
    socket.connect_timeout(&SocketAddr::new(vip, PORT).into(), DEADLINE).expect("a connection");
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// One question and its answer.
pub fn ask(stream: &mut TcpStream) -> u8 {
    let mut answer = [0];
    stream.write_all(b"?").and_then(|()| stream.read_exact(&mut answer)).expect("an answer");
    answer[0]
}

/// Waits until every node has dealt with what came in before: its own address answers, which is served by the
/// same thread.
pub fn settle(world: &World) {
    world.client.run(|| {
        for own in ["10.9.0.1", "10.9.0.2", "10.9.0.3"] {
            let socket = open(own.parse().unwrap(), "10.9.0.200:0".parse().unwrap());
            socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
            let mut buffer = [0; 16];
            let answered = (0..20).any(|_| {
                socket.send(b"!").unwrap();
                socket.recv(&mut buffer).is_ok()
            });
            assert!(answered, "{own} does not answer");
        }
    });
}
