//! More connections to the web service of a node than it has room for.

use crate::support::{Cluster, Node, eventually};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use safekit::sandbox::WEB;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const ADDRESS: &str = "127.0.0.1:9010";
const PASSWORD: &str = "pwd of the test";
/// Event streams that are wanted, and that there may be.
const WANTED: usize = 10_000;
const MOST: usize = 1000;
/// The whole service with all its consoles, KiB.
const MEMORY: u64 = 100 << 10;

fn cluster(test: &str) -> Cluster {
    let cluster = Cluster::with(test, |options| safekit::sandbox::Options {
        nodes: 1,
        password: Some(PASSWORD.to_owned()),
        ..options
    });
    eventually("the web service answers", || (level(cluster.node(1)) == 200).then_some(()));
    cluster
}

fn curl(node: &Node, options: &str, path: &str) -> (u16, String) {
    let said =
        node.sh(&format!("curl -s -m 20 -w '\\n%{{http_code}}' {options} 'http://{ADDRESS}{path}'")).stdout;
    let (body, status) = said.trim_end().rsplit_once('\n').unwrap_or(("", said.trim()));
    (status.parse().unwrap_or(0), body.to_owned())
}

fn level(node: &Node) -> u16 {
    curl(node, &format!("-u 'admin:{PASSWORD}'"), "/api/v1/level").0
}

fn token(node: &Node) -> String {
    let wanted = json!({ "name": "streams", "role": "Monitor", "days": 1 });
    let options = format!("-u 'admin:{PASSWORD}' -H 'Content-Type: application/json' -d '{wanted}'");
    let made: Value = serde_json::from_str(&curl(node, &options, "/api/v1/tokens").1).expect("a token");
    made["token"].as_str().expect("a token").to_owned()
}

fn pid(node: &Node) -> i32 {
    let services = node.inside().services().expect("the machine answers");
    services.into_iter().find(|service| service.name == WEB).and_then(|service| service.pid).expect("it runs")
}

/// Memory of the web service, KiB.
fn memory(node: &Node) -> u64 {
    let said = node.sh(&format!("sed -n 's/^VmRSS:[^0-9]*\\([0-9]*\\) kB/\\1/p' /proc/{}/status", pid(node)));
    said.stdout.trim().parse().unwrap_or_else(|e| panic!("{e}: {said:?}"))
}

/// Asks for the events of the cluster; nothing is read yet.
fn ask(token: &str) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(ADDRESS)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(stream, "GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n")?;
    Ok(stream)
}

/// Whether a stream was taken in; one that was not is told so, and its connection is closed.
fn taken_in(stream: &mut TcpStream) -> bool {
    let (mut answer, mut part) = (Vec::new(), [0; 1024]);
    while !answer.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        let count = stream.read(&mut part).expect("it is answered");
        assert!(count > 0, "closed without an answer: {}", String::from_utf8_lossy(&answer));
        answer.extend(&part[..count]);
    }
    if answer.starts_with(b"HTTP/1.1 200") {
        return true;
    }
    stream.read_to_end(&mut answer).expect("the connection is closed");
    let answer = String::from_utf8_lossy(&answer).to_lowercase();
    for part in ["http/1.1 503", "retry-after: ", "application/problem+json", "event streams are open"] {
        assert!(answer.contains(part), "{part}: {answer}");
    }
    false
}

#[test]
fn ten_thousand_event_streams() {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("it has one");
    setrlimit(Resource::RLIMIT_NOFILE, most, most).expect("as high as it may");
    let cluster = cluster("streams");
    let node = cluster.node(1);
    let token = token(node);
    let inside =
        |task: &(dyn Fn() -> Vec<TcpStream> + Sync)| node.inside().in_network(task).expect("its network");
    let mut open: Vec<TcpStream> = Vec::new();
    let mut refused = 0;
    while open.len() + refused < WANTED {
        let batch = inside(&|| (0..500).map(|_| ask(&token).expect("it is accepted")).collect());
        for mut stream in batch {
            if taken_in(&mut stream) { open.push(stream) } else { refused += 1 }
        }
    }
    assert_eq!((open.len(), refused), (MOST, WANTED - MOST));
    assert_eq!(level(node), 200);
    assert_eq!(curl(node, "", "/var/modules/m/ready.txt"), (404, "NOT FOUND".to_owned()));
    let used = memory(node);
    assert!(used < MEMORY, "{used} KiB with {MOST} streams");
    // Those who leave make room.
    open.truncate(MOST / 2);
    let room = || {
        let mut stream = inside(&|| vec![ask(&token).expect("it is accepted")]).pop()?;
        taken_in(&mut stream).then_some(stream)
    };
    for _ in 0..MOST / 2 {
        open.push(eventually("there is room again", room));
    }
    assert!(room().is_none(), "no more than before");
    assert!(memory(node) < MEMORY);
}

/// Time of the processor that a process has used, in clock ticks.
fn ticks(node: &Node, pid: i32) -> u64 {
    let stat = node.sh(&format!("cat /proc/{pid}/stat")).stdout;
    let fields = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect::<Vec<_>>());
    let fields = fields.unwrap_or_else(|| panic!("{stat}"));
    fields[11].parse::<u64>().expect("a number") + fields[12].parse::<u64>().expect("a number")
}

/// Bounds the descriptors of a process of the user safekit, as that user.
fn limit(node: &Node, pid: i32, descriptors: &str) -> i32 {
    let user = "setpriv --reuid safekit --regid safekit --clear-groups";
    node.sh(&format!("{user} prlimit --pid {pid} --nofile={descriptors}:")).code
}

#[test]
fn without_descriptors_it_waits_and_recovers() {
    let cluster = cluster("descriptors");
    let node = cluster.node(1);
    let pid = pid(node);
    assert_eq!(limit(node, pid, "64"), 0);
    let held = node.inside().in_network(|| {
        let connect = |_| TcpStream::connect(ADDRESS).ok();
        (0..300).filter_map(connect).collect::<Vec<TcpStream>>()
    });
    let held = held.expect("its network");
    assert!(held.len() > 64, "the kernel takes them: {}", held.len());
    // Nobody is answered; meanwhile the service must not run in circles.
    let (before, begun) = (ticks(node, pid), Instant::now());
    for _ in 0..3 {
        assert_eq!(curl(node, "-m 1", "/api/v1/session").0, 0);
    }
    let (used, passed) = (ticks(node, pid) - before, begun.elapsed());
    // A hundred ticks a second: a tenth of a core.
    assert!(u128::from(used) * 10 < passed.as_millis() / 10, "{used} ticks in {passed:?}");
    drop(held);
    eventually("it answers again", || (curl(node, "", "/api/v1/session").0 == 200).then_some(()));
    assert_eq!(limit(node, pid, "1024"), 0);
    eventually("it serves as before", || (level(node) == 200).then_some(()));
    assert_eq!(self::pid(node), pid, "it has never ended");
}
