use super::{Cluster, PATIENCE};
use std::net::UdpSocket;

fn socket(cluster: &Cluster, machine: &str, lan: usize) -> UdpSocket {
    let machine = cluster.machine(machine);
    let address = format!("{}:7000", machine.address(lan));
    let socket = machine.in_network(|| UdpSocket::bind(address)).expect("enter its network").expect("bind");
    socket.set_read_timeout(Some(PATIENCE)).expect("set a deadline");
    socket
}

fn receive(socket: &UdpSocket) -> String {
    let mut buffer = [0; 64];
    let length = socket.recv(&mut buffer).expect("a datagram before the deadline");
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

#[test]
fn every_machine_reaches_every_other_on_every_lan() {
    let cluster = Cluster::new("reach");
    for lan in 1..=2 {
        for (from, to) in [("node1", "node2"), ("node2", "node1"), ("client", "node1"), ("node2", "client")] {
            let (sender, receiver) = (socket(&cluster, from, lan), socket(&cluster, to, lan));
            sender.send_to(from.as_bytes(), receiver.local_addr().expect("its address")).expect("send");
            assert_eq!(receive(&receiver), from, "from {from} to {to} on lan {lan}");
        }
    }
    let to = format!("[{}]:7001", cluster.machine("node2").address6(2));
    let receiver =
        cluster.machine("node2").in_network(|| UdpSocket::bind(&to)).expect("enter").expect("bind");
    receiver.set_read_timeout(Some(PATIENCE)).expect("set a deadline");
    let sent = cluster.machine("node1").in_network(|| UdpSocket::bind("[::]:0")?.send_to(b"six", &to));
    sent.expect("enter").expect("send");
    assert_eq!(receive(&receiver), "six");
}

#[test]
fn a_cut_is_silent_and_leaves_the_other_lan_alone() {
    let cluster = Cluster::new("cut");
    let ends = |lan| (socket(&cluster, "node1", lan), socket(&cluster, "node2", lan));
    let ((sender1, receiver1), (sender2, receiver2)) = (ends(1), ends(2));
    let send = |sender: &UdpSocket, receiver: &UdpSocket, text: &str| {
        sender.send_to(text.as_bytes(), receiver.local_addr().expect("its address")).expect("send");
    };
    // Both know each other's hardware address, so that a frame leaves at once.
    send(&sender1, &receiver1, "hello");
    assert_eq!(receive(&receiver1), "hello");

    cluster.sandbox.cut("node1", Some("default"), false).expect("cut");
    assert_eq!(cluster.says("node1", "cat /sys/class/net/eth0/carrier"), "1");
    send(&sender1, &receiver1, "lost");
    send(&sender2, &receiver2, "after it");
    assert_eq!(receive(&receiver2), "after it");

    cluster.sandbox.heal("node1", Some("default")).expect("heal");
    send(&sender1, &receiver1, "back");
    assert_eq!(receive(&receiver1), "back", "what was sent during the cut must not arrive");
}

#[test]
fn a_pulled_cable_takes_the_carrier_down() {
    let cluster = Cluster::new("carrier");
    let carrier = |lan: usize| {
        let lan = lan - 1;
        cluster.says("node2", &format!("cat /sys/class/net/eth{lan}/carrier"))
    };
    cluster.sandbox.cut("node2", None, true).expect("cut");
    super::eventually("no carrier on both", || carrier(1) == "0" && carrier(2) == "0");
    cluster.sandbox.heal("node2", Some("repli")).expect("heal one");
    super::eventually("carrier on the healed lan", || carrier(2) == "1");
    assert_eq!(carrier(1), "0");
    let status = cluster.sandbox.status().expect("status");
    assert_eq!(status.machines[1].cut, ["default"]);
}

#[test]
fn a_cut_survives_a_power_failure() {
    let cluster = Cluster::new("cutpower");
    cluster.sandbox.cut("node1", Some("default"), true).expect("cut");
    cluster.sandbox.poweroff("node1").expect("power off");
    cluster.sandbox.poweron("node1").expect("power on");
    assert_eq!(cluster.says("node1", "cat /sys/class/net/eth0/carrier"), "0");
    cluster.sandbox.heal("node1", None).expect("heal");
    super::eventually("carrier", || cluster.says("node1", "cat /sys/class/net/eth0/carrier") == "1");
}
