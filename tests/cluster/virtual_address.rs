//! Options of the virtual address as a client sees them (spec/acceptance.md V-13.5b).

use crate::support::{Cluster, MODULE, Mirror, Node, SCRIPTS, VIP, eventually};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

const ETH_P_ARP: u16 = 0x0806;
const PATIENCE: Duration = Duration::from_secs(20);

/// A gratuitous ARP of the virtual address: when it came and which MAC address it names.
#[derive(Debug)]
struct Announcement {
    at: Instant,
    mac: String,
}

/// All ARP frames that reach the client from now on.
fn listen(cluster: &Cluster) -> Socket {
    let open = || Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(i32::from(ETH_P_ARP.to_be()))));
    let socket =
        cluster.client().inside().in_network(open).expect("the client is on").expect("open a socket");
    socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a plain option");
    socket
}

/// Announcements from the first one on, for `span` after it.
fn announcements(mut socket: Socket, span: Duration) -> Vec<Announcement> {
    let vip: Ipv4Addr = VIP.parse().expect("an address");
    let begun = Instant::now();
    let mut found: Vec<Announcement> = Vec::new();
    loop {
        let end = found.first().map_or(begun + PATIENCE, |first| first.at + span);
        if Instant::now() >= end {
            return found;
        }
        let mut frame = [0; 64];
        match socket.read(&mut frame) {
            // Ethernet, then ARP: who sends (MAC, IP) says that it is at the address it asks for.
            Ok(42..) if frame[28..32] == vip.octets() && frame[38..42] == vip.octets() => {
                let mac =
                    frame[22..28].iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":");
                found.push(Announcement { at: Instant::now(), mac });
            }
            Ok(_) => {}
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(e) => panic!("cannot read frames: {e}"),
        }
    }
}

#[test]
fn v_13_5b_gratuitous_arp() {
    let interface = r#"check="off" arpreroute="on" arpinterval="1500ms" arpelapse="4s""#;
    let cluster = Cluster::pair("v_13_5b_arp", &Mirror { interface, ..Mirror::default() }, &[]);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let socket = listen(&cluster);
    let found = thread::scope(|scope| {
        let capture = scope.spawn(|| announcements(socket, Duration::from_millis(5500)));
        node1.ok(&["swap", "-m", MODULE]);
        node2.wait_state(MODULE, "PRIM");
        capture.join().expect("it ends")
    });
    let mac = node2.sh("cat /sys/class/net/eth0/address").stdout.trim().to_owned();
    // Until then node 1 has it, which may still announce it.
    let found: Vec<_> = found.into_iter().skip_while(|f| f.mac != mac).collect();
    let first = found.first().expect("an announcement of node 2").at;
    let offsets: Vec<u128> = found.iter().map(|f| f.at.duration_since(first).as_millis()).collect();
    for wanted in [0, 1500, 3000] {
        let near = offsets.iter().any(|offset| offset.abs_diff(wanted) < 400);
        assert!(near, "none after {wanted} ms: {offsets:?}");
    }
    assert!(offsets.iter().all(|offset| *offset < 4400), "longer than arpelapse: {offsets:?}");
    assert!(found.iter().all(|f| f.mac == mac), "not {mac}: {found:?}");
}

/// A connection of the client to the virtual address on node 1, with its other end. What listens there is
/// no part of the application: its end resets nothing.
struct Connection {
    client: TcpStream,
    _server: (TcpListener, TcpStream),
}

fn connect(cluster: &Cluster, port: u16) -> Connection {
    let to: SocketAddr = format!("{VIP}:{port}").parse().expect("an address");
    let bind = || TcpListener::bind(("0.0.0.0", port));
    let listener = cluster.node(1).inside().in_network(bind).expect("node 1 is on").expect("a free port");
    let open = || TcpStream::connect_timeout(&to, PATIENCE);
    let client = cluster.client().inside().in_network(open).expect("the client is on").expect("connect");
    let (server, _) = listener.accept().expect("the connection");
    Connection { client, _server: (listener, server) }
}

#[test]
fn v_13_5b_tcpreset_and_connections() {
    let address = r#"check="off" connections="on""#;
    let mirror = Mirror { address, tcpreset: r#"tcpreset="on""#, ..Mirror::default() };
    let cluster = Cluster::pair("v_13_5b_reset", &mirror, &[]);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let connections = [7000, 7001].map(|port| connect(&cluster, port));
    let resource = format!("connections.{VIP}");
    let is = |count: &str| (node1.resource(MODULE, &resource).as_deref() == Some(count)).then_some(());
    eventually("two connections are counted", || is("2"));
    node1.ok(&["swap", "-m", MODULE]);
    for mut connection in connections {
        connection.client.set_read_timeout(Some(PATIENCE)).expect("a plain option");
        let error = connection.client.read(&mut [0; 1]).expect_err("no data was sent");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "the client gets a RST");
    }
    node2.wait_state(MODULE, "PRIM");
    node1.wait_state(MODULE, "SECOND");
    eventually("none is counted", || is("0"));
}

#[test]
fn v_13_5b_no_tcpreset() {
    let mirror = Mirror { tcpreset: r#"tcpreset="off""#, ..Mirror::default() };
    let cluster = Cluster::pair("v_13_5b_no_reset", &mirror, &[]);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let mut connection = connect(&cluster, 7000);
    node1.ok(&["swap", "-m", MODULE]);
    node2.wait_state(MODULE, "PRIM");
    node1.wait_state(MODULE, "SECOND");
    assert!(!node1.has_address(VIP));
    // A reset would have been there before the address went.
    connection.client.set_nonblocking(true).expect("a plain option");
    let error = connection.client.read(&mut [0; 1]).expect_err("no data was sent");
    assert_eq!(error.kind(), ErrorKind::WouldBlock, "nothing has come");
}

/// NET-11, NET-16: clients learn one MAC address, whichever node is primary.
#[test]
fn net_16_a_mirror_answers_with_a_virtual_mac_address() {
    let xml = (Mirror::default().xml())
        .replace("<real_interface>", r#"<virtual_interface type="vmac_invisible">"#)
        .replace("</real_interface>", "</virtual_interface>");
    let cluster = Cluster::new("net_16");
    cluster.install(MODULE, &xml, &SCRIPTS);
    let (node1, node2, client) = (cluster.node(1), cluster.node(2), cluster.client());
    let setting = |node: &Node| {
        let files = "/proc/sys/net/ipv4/conf/eth0/arp_announce /sys/class/net/eth0/flags";
        node.sh(&format!("cat {files}")).stdout
    };
    let before = setting(node1);
    cluster.start_pair(MODULE);
    let reached = || {
        let answered = client.sh(&format!("ping -c 1 -W 5 {VIP}"));
        assert_eq!(answered.code, 0, "{answered:?}");
        let learnt = client.sh(&format!("ip neigh show {VIP}")).stdout;
        assert!(learnt.contains("lladdr 5a:fe:0a:4d:01:64"), "{learnt}");
    };
    reached();
    let promiscuous = |node: &Node| {
        let flags = setting(node)
            .lines()
            .nth(1)
            .and_then(|f| u32::from_str_radix(f.trim_start_matches("0x"), 16).ok());
        flags.is_some_and(|flags| flags & 0x100 != 0)
    };
    assert!(promiscuous(node1) && !promiscuous(node2));
    assert!(setting(node1).starts_with("2\n"), "{}", setting(node1));
    node1.ok(&["swap", "-m", MODULE]);
    node2.wait_state(MODULE, "PRIM");
    node1.wait_state(MODULE, "SECOND");
    reached();
    assert!(promiscuous(node2));
    assert_eq!(setting(node1), before, "all is put back");
}
