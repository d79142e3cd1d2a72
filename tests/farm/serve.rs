//! What a node serves: whoever asks hears who answers.

use crate::support::{Space, at};
use crate::world::{PORT, VIPS};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{setsockopt, sockopt};
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// Serves TCP and UDP on the virtual addresses and the node's own until it is dropped.
pub struct Server {
    count: Arc<AtomicUsize>,
    ended: Arc<AtomicBool>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

impl Server {
    /// Of node number `n`.
    pub fn start(space: &Space, n: usize) -> Server {
        let (listener, sockets) = space.run(move || {
            let own = [format!("10.9.0.{}", n + 1), format!("fd09::{}", n + 1)];
            let addrs = VIPS.iter().copied().chain(own.iter().map(String::as_str));
            let sockets: Vec<UdpSocket> = addrs.map(|a| UdpSocket::bind((at(a), PORT)).unwrap()).collect();
            for socket in &sockets {
                setsockopt(socket, sockopt::RcvBufForce, &(64 << 20)).unwrap();
                socket.set_nonblocking(true).unwrap();
            }
            let any: SocketAddr = "[::]:7000".parse().unwrap();
            (TcpListener::bind(any).unwrap(), sockets)
        });
        let server = Server { count: Arc::default(), ended: Arc::default() };
        let (count, ended) = (server.count.clone(), server.ended.clone());
        thread::spawn(move || serve_datagrams(n, &sockets, &count, &ended));
        let (count, ended) = (server.count.clone(), server.ended.clone());
        thread::spawn(move || accept(n, &listener, &count, &ended));
        server
    }

    /// Requests so far, which are forgotten by this.
    pub fn take_count(&self) -> usize {
        self.count.swap(0, Ordering::Relaxed)
    }
}

/// Answers a datagram by the number of the node and what was in it, up to 8 bytes.
fn serve_datagrams(n: usize, sockets: &[UdpSocket], count: &AtomicUsize, ended: &AtomicBool) {
    let mut buffer = vec![0; 65536];
    while !ended.load(Ordering::Relaxed) {
        let mut ready: Vec<PollFd> =
            sockets.iter().map(|s| PollFd::new(s.as_fd(), PollFlags::POLLIN)).collect();
        let _ = poll(&mut ready, PollTimeout::from(100u8));
        for (socket, own) in sockets.iter().zip([false, false, true, true]) {
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                if !own {
                    count.fetch_add(1, Ordering::Relaxed);
                }
                let answer = [&[n as u8], &buffer[..length.min(8)]].concat();
                let _ = socket.send_to(&answer, from);
            }
        }
    }
}

/// Answers each byte of a connection by the number of the node.
fn accept(n: usize, listener: &TcpListener, count: &Arc<AtomicUsize>, ended: &AtomicBool) {
    listener.set_nonblocking(true).unwrap();
    while !ended.load(Ordering::Relaxed) {
        let mut ready = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
        let _ = poll(&mut ready, PollTimeout::from(100u8));
        while let Ok((connection, _)) = listener.accept() {
            count.fetch_add(1, Ordering::Relaxed);
            thread::spawn(move || answer(n, connection));
        }
    }
}

fn answer(n: usize, mut connection: TcpStream) {
    let mut buffer = [0; 64];
    connection.set_nonblocking(false).unwrap();
    while let Ok(length @ 1..) = connection.read(&mut buffer) {
        if connection.write_all(&vec![n as u8; length]).is_err() {
            return;
        }
    }
}

/// The address at which the client is, of the family of `vip`, number `i` of many.
pub fn source(vip: IpAddr, i: usize) -> IpAddr {
    match vip {
        IpAddr::V4(_) => IpAddr::from([10, 10, (i >> 8) as u8, i as u8]),
        IpAddr::V6(_) => IpAddr::from([0xfd10, 0, 0, 0, 0, 0, 0, i as u16]),
    }
}
