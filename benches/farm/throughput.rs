//! What a virtual address of a farm costs its owner, against its own address without any rule, and HAProxy
//! beside it.
//!
//! All programs share one core, with real-time priority: what else runs on the machine does not disturb, and a
//! rate is the inverse of the processor time of clients, network and server together.

use crate::report::Report;
use crate::support::at;
use crate::world::{VIPS, World, rule, share};
use safekit::config::module::{Filter, Proto};
use safekit::farm::Backend;
use safekit::fsm::bucket::Reach;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: usize = 8;
const WEB: u16 = 8080;
const STREAM: u16 = 5201;
/// The owner's own address, and that of the node on which HAProxy runs.
const OWNER: &str = "10.9.0.1";
const BALANCER: &str = "10.9.0.2";

/// Name, unit and what measures it at an address.
type Measure = (&'static str, &'static str, fn(&World, &str) -> f64);

const MEASURES: [Measure; 3] = [
    ("requests over 16 connections", "/s", requests),
    ("connections", "/s", connections),
    ("one stream", "Gbit/s", stream),
];

/// A way to reach the owner.
struct Way {
    name: &'static str,
    target: Option<f64>,
    prepare: fn(&World),
    address: &'static str,
}

/// What is compared with the owner's own address when nothing is loaded.
const WAYS: [Way; 7] = [
    Way {
        name: "vmac_directed",
        target: Some(0.95),
        prepare: |w| filter(w, Reach::One, true),
        address: VIPS[0],
    },
    Way { name: "vmac_invisible", target: Some(0.9), prepare: |w| alone(w, true), address: VIPS[0] },
    Way {
        name: "vmac_directed, keepconnections off",
        target: None,
        prepare: |w| filter(w, Reach::One, false),
        address: VIPS[0],
    },
    Way {
        name: "vmac_invisible, keepconnections off",
        target: None,
        prepare: |w| alone(w, false),
        address: VIPS[0],
    },
    Way {
        name: "vmac_invisible, copies of others on these cores",
        target: None,
        prepare: |w| filter(w, Reach::Every, true),
        address: VIPS[0],
    },
    Way {
        name: "its own address, connections tracked",
        target: None,
        prepare: |w| filter(w, Reach::One, true),
        address: OWNER,
    },
    Way { name: "HAProxy in TCP mode", target: None, prepare: clear, address: BALANCER },
];

/// Measures.
pub fn run(report: &mut Report) {
    report.part("a virtual address at its owner, to the same without rules, more is better");
    if let Some(missing) =
        ["wrk", "iperf3", "nginx", "haproxy", "chrt", "taskset"].into_iter().find(|name| !installed(name))
    {
        report.note(format!("{missing} is not installed: throughput is not measured."));
        return;
    }
    let world = World::new();
    let _programs = Programs::start(&world);
    for (what, unit, measure) in MEASURES {
        let (mut plain, mut ratios) = (Vec::new(), WAYS.map(|_| Vec::new()));
        for _ in 0..ROUNDS {
            let without = || {
                clear(&world);
                measure(&world, OWNER)
            };
            let before = without();
            let rates = WAYS.map(|way| {
                (way.prepare)(&world);
                measure(&world, way.address)
            });
            // The machine may become slower or faster meanwhile.
            let mean = f64::midpoint(before, without());
            plain.push(mean);
            ratios.iter_mut().zip(rates).for_each(|(ratios, rate)| ratios.push(rate / mean));
        }
        for (way, ratios) in WAYS.iter().zip(&ratios) {
            let name = format!("{what}: {}", way.name);
            match way.target {
                Some(target) => report.at_least(&name, target, "x", ratios),
                None => report.compare(&name, "x", ratios),
            }
        }
        report.compare(&format!("- {what}, without rules"), unit, &plain);
    }
}

/// Whether a program is there that knows `-v`.
pub fn installed(program: &str) -> bool {
    Command::new(program).arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// Node 0 owns every client.
fn filter(world: &World, reach: Reach, keep: bool) {
    clear(world);
    let rules = vec![rule(Proto::Tcp, Filter::OnPort)];
    for me in 0..world.nodes.len() {
        let layout = world.layout(me, reach, rules.clone(), keep);
        world.filter(me, move |nft| nft.load(&layout, &[share([1, 0, 0])])).expect("the filter is loaded");
    }
}

/// The same in vmac_invisible, but the copies that the switch floods to the other machines do not reach them:
/// they would be received and dropped by the cores that serve here, which they are not elsewhere.
fn alone(world: &World, keep: bool) {
    filter(world, Reach::Every, keep);
    world.flood([true, false, false, false]);
}

fn clear(world: &World) {
    for me in 0..world.nodes.len() {
        world.filter(me, |nft| nft.remove()).expect("the filter goes");
    }
    world.flood([true; 4]);
    world.client.ip("neigh flush all");
}

/// A program on the core of all programs.
fn on_core(program: &str) -> Command {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut command = Command::new("taskset");
    command.args(["-c", &(cores - 1).to_string(), "chrt", "-r", "1", program]);
    command
}

/// What a program on the client prints.
fn said(world: &World, program: &'static str, arguments: Vec<String>) -> String {
    let output = world.client.run(move || on_core(program).args(&arguments).output());
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn wrk(world: &World, address: &str, more: &[&str]) -> f64 {
    let url = format!("http://{address}:{WEB}/");
    let words = ["-t1", "-c16", "-d1s"].iter().chain(more).map(|word| (*word).to_owned());
    let text = said(world, "wrk", words.chain([url]).collect());
    let rate = text.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
    rate.and_then(|rate| rate.trim().parse().ok()).unwrap_or_else(|| panic!("wrk says no rate: {text}"))
}

fn requests(world: &World, address: &str) -> f64 {
    wrk(world, address, &[])
}

fn connections(world: &World, address: &str) -> f64 {
    wrk(world, address, &["-H", "Connection: close"])
}

fn stream(world: &World, address: &str) -> f64 {
    let words = ["-c", address, "-p", &STREAM.to_string(), "-t", "1", "-J"];
    let text = said(world, "iperf3", words.iter().map(|word| (*word).to_owned()).collect());
    let all: serde_json::Value = serde_json::from_str(&text).expect("iperf3 answers in JSON");
    all["end"]["sum_received"]["bits_per_second"].as_f64().expect("iperf3 says its rate") / 1e9
}

/// nginx and iperf3 on the owner, HAProxy on another node.
struct Programs {
    running: Vec<Child>,
    dir: PathBuf,
}

impl Programs {
    fn start(world: &World) -> Programs {
        let dir = std::env::temp_dir().join(format!("safekit-bench-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("the directory of temporary files can be written");
        let file = |name: &str, text: String| {
            let path = dir.join(name);
            std::fs::write(&path, text).expect("the directory of temporary files can be written");
            path.to_string_lossy().into_owned()
        };
        let home = dir.to_string_lossy().into_owned();
        let nginx = file(
            "nginx",
            format!(
                "daemon off; pid {home}/pid; error_log {home}/error; worker_processes 1;
                 events {{ worker_connections 1024; }}
                 http {{ access_log off; keepalive_requests 1000000;
                         server {{ listen {WEB}; return 200 'ok'; }} }}"
            ),
        );
        let haproxy = file(
            "haproxy",
            format!(
                "global\n  maxconn 1000\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 30s\n  \
                 timeout server 30s\nlisten web\n  bind :{WEB}\n  server owner {OWNER}:{WEB}\nlisten stream\n  \
                 bind :{STREAM}\n  server owner {OWNER}:{STREAM}\n"
            ),
        );
        let start = |node: usize, program: &'static str, arguments: Vec<String>| {
            world.nodes[node].space.run(move || {
                let mut command = on_core(program);
                command.args(&arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
                command.spawn().unwrap_or_else(|error| panic!("{program}: {error}"))
            })
        };
        let running = vec![
            start(0, "nginx", vec!["-p".into(), home, "-c".into(), nginx]),
            start(0, "iperf3", vec!["-s".into(), "-p".into(), STREAM.to_string()]),
            start(1, "haproxy", vec!["-db".into(), "-f".into(), haproxy]),
        ];
        let programs = Programs { running, dir };
        for address in [OWNER, BALANCER] {
            programs.answers(world, address, WEB);
            programs.answers(world, address, STREAM);
        }
        programs
    }

    fn answers(&self, world: &World, address: &str, port: u16) {
        let to = std::net::SocketAddr::new(at(address), port);
        let end = Instant::now() + Duration::from_secs(20);
        while world.client.run(move || std::net::TcpStream::connect(to)).is_err() {
            assert!(Instant::now() < end, "nothing answers at {to}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        for program in &mut self.running {
            // nginx ends its workers when it is asked.
            let pid = nix::unistd::Pid::from_raw(program.id().cast_signed());
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
            let _ = program.wait();
        }
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
