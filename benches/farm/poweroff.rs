//! A node of a farm of three loses its power: how long new connections fail. Beside it the usual alternative:
//! keepalived holds the address on one node, HAProxy there spreads connections over all three.
//!
//! Two clients connect at a steady rate, each time from another port, so that the attempts are spread over all
//! buckets. A connection that is not served within [`PATIENCE`] has failed; it is not tried again, so the
//! repetition of a SYN by the kernel after a second does not hide anything.

use crate::attempts::Attempts;
use crate::cluster::{Cluster, MODULE, Node, VIP4, eventually, wait_shared};
use crate::helper::{self, PORT};
use crate::keepalived;
use crate::report::Report;
use safekit::sandbox::Options;
use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

const ROUNDS: usize = 6;
/// Between two heartbeats of the farm, whose `slost_count` is the default.
const PULSE: Duration = Duration::from_millis(100);
const SLOST_COUNT: u32 = 12;
/// What may be added to the silence after which a node counts as lost.
const MORE: Duration = Duration::from_millis(100);
/// The same silence for keepalived: three advertisements and the skew, 1.19 s.
const ADVERTISEMENT: Duration = Duration::from_millis(330);
/// And for HAProxy, which gives a server up at the third check that is not answered for so long, each begun so
/// long after the one before has ended.
const CHECK: Duration = Duration::from_millis(200);
/// Where the servers behind HAProxy listen.
const BEHIND: u16 = 8081;
/// The change is over when no connection has failed for so long.
const QUIET: Duration = Duration::from_millis(2500);

/// Measures.
pub fn run(report: &mut Report) {
    report.part("power failure of a node: until the last new connection that fails");
    let most = (SLOST_COUNT * PULSE + MORE).as_secs_f64() * 1000.0;
    for kind in ["vmac_directed", "vmac_invisible"] {
        report.promise(kind, most, "ms", &farm(kind));
    }
    if !keepalived::is_installed() || !crate::throughput::installed("haproxy") {
        return report.note("keepalived or HAProxy is not installed: nothing to compare with.".into());
    }
    let [holder, other] = balancers();
    report.compare("keepalived + HAProxy: the node that has the address", "ms", &holder);
    report.compare("keepalived + HAProxy: another node", "ms", &other);
}

fn machines(name: &str, daemons: bool) -> Cluster {
    let lans = vec!["default".to_owned()];
    Cluster::with(name, |options| Options { nodes: 3, clients: 2, lans, daemons, ..options })
}

/// Milliseconds of each round with a farm.
fn farm(kind: &str) -> Vec<f64> {
    let bed = machines(&format!("poweroff-{kind}"), true);
    let pid = "\"$SAFEUSERVAR/application.pid\"";
    let start = format!("{} serve </dev/null >/dev/null 2>&1 &\necho $! >{pid}", helper::itself());
    let stop = format!("read -r pid <{pid} && kill \"$pid\"; rm -f {pid}");
    bed.install(MODULE, &configuration(kind), &[("start_both", &start), ("stop_both", &stop)]);
    bed.nodes().iter().for_each(|node| drop(node.ok(&["start", "-m", MODULE])));
    let shared = || wait_shared(&bed.nodes().iter().collect::<Vec<_>>());
    shared();
    let attempts = Attempts::begin(bed.clients(), to());
    let round = |round: usize| {
        attempts.wait_quiet(Instant::now(), QUIET);
        // In vmac_directed the one that a client sends to is missed most.
        let victim = sent_to(&bed).filter(|_| kind == "vmac_directed").unwrap_or(bed.node(round % 3 + 1));
        let failed = power_failure(&bed, &attempts, victim);
        bed.poweron(victim);
        shared();
        failed
    };
    (0..ROUNDS).map(round).collect()
}

fn to() -> SocketAddr {
    SocketAddr::new(VIP4.parse().expect("an address"), PORT)
}

/// The node whose MAC address the first client has for the virtual address.
fn sent_to(bed: &Cluster) -> Option<&Node> {
    let known = bed.client().sh(&format!("ip neigh show {VIP4}")).stdout;
    let mac = |node: &&Node| node.sh("cat /sys/class/net/eth0/address").stdout.trim().to_owned();
    bed.nodes().iter().find(|node| known.contains(&mac(node)))
}

/// From the end of a node's power to the last connection that was begun and failed, in milliseconds.
fn power_failure(bed: &Cluster, attempts: &Attempts, victim: &Node) -> f64 {
    let off = Instant::now();
    bed.poweroff(victim);
    attempts.wait_quiet(off, QUIET);
    let last = attempts.last_failed(off).expect("a node that dies is missed");
    last.duration_since(off).as_secs_f64() * 1000.0
}

fn configuration(kind: &str) -> String {
    let pulse = PULSE.as_millis();
    format!(
        r#"<?xml version="1.0"?>
<safe>
  <service mode="farm" boot="auto">
    <farm pulse="{pulse}ms">
      <lan name="default"/>
    </farm>
    <vip>
      <interface_list>
        <interface check="off" arpreroute="on">
          <virtual_interface type="{kind}">
            <virtual_addr addr="{VIP4}" check="off"/>
          </virtual_interface>
        </interface>
      </interface_list>
      <loadbalancing_list>
        <group name="FarmProto"><rule port="{PORT}" proto="tcp" filter="on_port"/></group>
      </loadbalancing_list>
    </vip>
    <user/>
  </service>
</safe>
"#
    )
}

/// The same with keepalived and HAProxy: the node that has the address fails, and one that only serves.
fn balancers() -> [Vec<f64>; 2] {
    let bed = machines("poweroff-haproxy", false);
    bed.nodes().iter().for_each(|node| balancer(&bed, node));
    let attempts = Attempts::begin(bed.clients(), to());
    let round = |holds: bool| {
        let has_address = |node: &&Node| node.has_address(VIP4) == holds;
        attempts.wait_quiet(Instant::now(), QUIET);
        let victim = eventually("who has the address", || bed.nodes().iter().find(has_address));
        let failed = power_failure(&bed, &attempts, victim);
        bed.poweron(victim);
        balancer(&bed, victim);
        failed
    };
    [true, false].map(|holds| (0..ROUNDS).map(|_| round(holds)).collect())
}

/// Starts a server, HAProxy and keepalived on a node.
fn balancer(bed: &Cluster, node: &Node) {
    let dir = node.inside().dir();
    let file = dir.join("haproxy.conf");
    let (check, mut text) = (CHECK.as_millis(), String::new());
    // Writing to a string does not fail.
    let _ = write!(
        text,
        "global\n  maxconn 4000\ndefaults\n  mode tcp\n  option redispatch\n  timeout connect 1s\n  \
         timeout client 10s\n  timeout server 10s\nlisten web\n  bind :{PORT}\n  \
         default-server check inter {check}ms fall 3 rise 2\n"
    );
    for server in bed.nodes() {
        let _ = writeln!(text, "  server {} {}:{BEHIND}", server.name(), server.inside().address(1));
    }
    std::fs::write(&file, text).expect("write its configuration");
    let begin = |command: String| {
        assert_eq!(node.sh(&format!("setsid {command} </dev/null >/dev/null 2>&1 &")).code, 0);
    };
    begin(format!("{} serve {BEHIND}", helper::itself()));
    begin(format!("haproxy -db -f {}", file.display()));
    let vip: Ipv4Addr = VIP4.parse().expect("an address");
    keepalived::start(node, ADVERTISEMENT, &[vip]);
}
