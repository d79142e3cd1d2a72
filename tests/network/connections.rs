//! Counting and resetting the connections of a virtual address (RES-41, NET-04).

use crate::support::{DEADLINE, Space, at, pair, plan, wait_for};
use safekit::net::arp::Announcer;
use safekit::net::sockets;
use safekit::net::vip::{set_all, unset_all};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

/// A connection from the client's namespace: its own end and the server's.
fn connect(client: &Space, server: &TcpListener, address: &str) -> (TcpStream, TcpStream) {
    let target = SocketAddr::new(at(address), server.local_addr().unwrap().port());
    let stream = client.run(move || TcpStream::connect_timeout(&target, DEADLINE).unwrap());
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    (stream, server.accept().unwrap().0)
}

fn count(space: &Space, address: &'static str) -> u32 {
    space.run(move || sockets::count(at(address)).unwrap())
}

#[test]
fn removing_the_address_resets_its_connections_and_no_others() {
    let (a, b) = pair();
    let addresses = ["10.9.0.77", "fd09::77"];
    a.run(move || set_all(&plan(&addresses), &Announcer::open().unwrap()).unwrap());
    // A listener of IPv6 that also serves IPv4, as most servers are.
    let server = a.run(|| TcpListener::bind("[::]:0").unwrap());
    let v4_server = a.run(|| TcpListener::bind("0.0.0.0:0").unwrap());
    let mut clients = Vec::new();
    for (server, address) in [(&server, "10.9.0.77"), (&server, "fd09::77"), (&v4_server, "10.9.0.77")] {
        clients.push(connect(&b, server, address));
    }
    let mut own = [connect(&b, &server, "10.9.0.1"), connect(&b, &server, "fd09::1")];
    assert_eq!(addresses.map(|address| count(&a, address)), [2, 1]);
    a.run(move || unset_all(&plan(&addresses)).unwrap());
    for (client, _server) in &mut clients {
        let error = client.read(&mut [0; 1]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "the client gets a RST");
    }
    assert_eq!(addresses.map(|address| count(&a, address)), [0, 0]);
    for (client, server) in &mut own {
        server.write_all(b"x").unwrap();
        assert_eq!(client.read(&mut [0; 1]).unwrap(), 1, "another address's connection lives");
    }
    assert_eq!(b.run(|| sockets::reset(at("10.9.0.77")).unwrap()), 0);
    connect(&b, &server, "10.9.0.1");
}

#[test]
fn with_tcpreset_off_a_connection_survives_the_removal() {
    let (a, b) = pair();
    let mut plan = plan(&["10.9.0.77"]);
    plan.tcpreset = false;
    let (again, removed) = (plan.clone(), plan.clone());
    a.run(move || set_all(&plan, &Announcer::open().unwrap()).unwrap());
    let server = a.run(|| TcpListener::bind("0.0.0.0:0").unwrap());
    let (mut client, mut accepted) = connect(&b, &server, "10.9.0.77");
    a.run(move || unset_all(&removed).unwrap());
    assert_eq!(count(&a, "10.9.0.77"), 1);
    a.run(move || set_all(&again, &Announcer::open().unwrap()).unwrap());
    accepted.write_all(b"x").unwrap();
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 1);
}

#[test]
fn the_count_follows_the_clients() {
    let (a, b) = pair();
    let server = a.run(|| TcpListener::bind("0.0.0.0:0").unwrap());
    assert_eq!(count(&a, "10.9.0.1"), 0, "a listener is no connection");
    let mut clients: Vec<_> = (0..20).map(|_| connect(&b, &server, "10.9.0.1")).collect();
    assert_eq!(count(&a, "10.9.0.1"), 20);
    assert_eq!(count(&b, "10.9.0.2"), 20);
    clients.truncate(5);
    wait_for("the closed connections to end", || count(&a, "10.9.0.1") == 5);
}
