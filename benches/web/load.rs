//! 200 health checks a second and 50 consoles against one node, turn by turn with a node that is left alone.

use crate::checks::{Checks, Connections, Outcome};
use crate::cluster::{Browser, Cluster, Node, Stream, UP_SCRIPTS, UPS};
use crate::support::capture::{Capture, What, now};
use crate::support::machine::{mirror, number, switch};
use crate::support::report::Report;
use crate::support::usage::{Usage, usage};
use nix::time::{ClockId, clock_gettime};
use safekit::sandbox::Options;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

const NAME: &str = "web";
const MODULE: &str = "m";
/// The module whose pages are open: it sends no heartbeats, which news of its resources would add to.
const PAGE: &str = "page";
const PASSWORD: &str = "pwd of the bench";
const VIP: Ipv4Addr = Ipv4Addr::new(10, 77, 1, 100);
const PULSE: Duration = Duration::from_millis(100);
const TIMEOUT: Duration = Duration::from_secs(30);
/// Port of the heartbeats of the first module.
const HEART: u16 = 8888;
/// Health checks in a second, on kept connections and as many on new ones.
const RATE: u32 = 100;
const CONSOLES: usize = 50;
/// Turns without and with the load.
const TURNS: usize = 3;
/// How long each lasts.
const WINDOW: Duration = Duration::from_secs(20);
/// Pause between two changes that consoles see, in all turns.
const NEWS: Duration = Duration::from_secs(1);
const PROGRAMS: [&str; 2] = ["safewebserver", "safeadmin"];

/// What was seen in the turns of one kind.
#[derive(Default)]
struct Seen {
    /// How late each heartbeat was, milliseconds.
    late: Vec<f64>,
    /// Shares of a core in percent, by program.
    cpu: [Vec<f64>; 2],
    memory: [Vec<f64>; 2],
}

/// Measures.
pub fn run(report: &mut Report) {
    report.part("200 health checks/s and 50 consoles");
    let bed = Cluster::with(NAME, |mut options: Options| {
        options.lans = vec!["default".to_owned()];
        options.password = Some(PASSWORD.to_owned());
        options
    });
    bed.install(MODULE, &mirror(VIP, PULSE, TIMEOUT), &[]);
    let light = UPS.iter().find(|up| up.mode == "light").expect("there is this mode");
    bed.install(PAGE, &light.xml(), &UP_SCRIPTS);
    bed.start_pair(MODULE);
    let capture = Capture::begin(&switch(NAME));
    let (mut alone, mut laden, mut checks) =
        (Seen::default(), Seen::default(), [(); 2].map(|()| Outcome::default()));
    let browser = Browser::log_in(bed.node(1), PASSWORD);
    for _ in 0..TURNS {
        turn(&bed, &capture, &mut alone);
        let consoles = open(&browser);
        let address = Ipv4Addr::new(10, 77, 1, number(bed.node(1)));
        let path = format!("/var/modules/{MODULE}/ready.txt");
        let begin = |how| Checks::begin(bed.client().inside(), address, &path, RATE, how);
        let running = [Connections::Kept, Connections::New].map(begin);
        turn(&bed, &capture, &mut laden);
        for (outcome, running) in checks.iter_mut().zip(running) {
            let Outcome { took, errors } = running.end();
            outcome.took.extend(took);
            outcome.errors += errors;
        }
        drop(consoles);
    }
    tell(report, &alone, &laden, &checks);
}

/// A page of each console: the cluster; every second one has a module's page open too, of one node or the
/// other, with its log.
fn open(browser: &Browser<'_>) -> Vec<Stream> {
    let mut streams = Vec::new();
    let mut open = |path: &str, event| streams.push((browser.stream(path), event));
    for console in 0..CONSOLES {
        open("/events", "node");
        if console % 2 == 0 {
            let page = format!("/nodes/{}/modules/{PAGE}", ["node1", "node2"][console / 2 % 2]);
            open(&format!("{page}/events"), "state");
            open(&format!("{page}/log/events"), "log");
        }
    }
    streams.iter().for_each(|(stream, event)| stream.until(event, |_| true));
    streams.into_iter().map(|(stream, _)| stream).collect()
}

/// Looks at the heartbeats of node 1 for a while, with news now and then.
fn turn(bed: &Cluster, capture: &Capture, seen: &mut Seen) {
    let node = bed.node(1);
    let look = || PROGRAMS.map(|program| usage(node, program));
    capture.clear();
    let (begin, before) = (Instant::now(), look());
    for news in 0.. {
        if begin.elapsed() >= WINDOW {
            break;
        }
        node.ok(&["set", "-m", PAGE, "-r", "bench.news", "-v", &news.to_string()]);
        std::thread::sleep(NEWS);
    }
    let (took, after) = (begin.elapsed().as_secs_f64(), look());
    for (at, (before, after)) in before.iter().zip(after).enumerate() {
        let Usage { cpu, memory } = after;
        seen.cpu[at].push((cpu - before.cpu) / took * 100.0);
        seen.memory[at].push(memory);
    }
    seen.late.extend(late(capture, node));
}

/// How late the heartbeats were: each is due at a multiple of the pulse on the clock of the machine.
fn late(capture: &Capture, node: &Node) -> Vec<f64> {
    let boot = Duration::from(clock_gettime(ClockId::CLOCK_BOOTTIME).expect("there is this clock"));
    let booted = now() - boot;
    let beats = capture.since(Duration::ZERO).into_iter().filter(|seen| match seen.what {
        What::Datagram { from, port, .. } => from.octets()[3] == number(node) && port == HEART,
        _ => false,
    });
    let mut at: Vec<Duration> = beats.map(|seen| seen.at - booted).collect();
    at.sort();
    // Gaps of more than a pulse: what was due in between came late by as much.
    let gaps = at.windows(2).flat_map(|two| {
        let missing = ((two[1] - two[0]).as_millis() / PULSE.as_millis()).saturating_sub(1) as u32;
        (1..=missing).map(move |n| ms(PULSE * n))
    });
    let phase = |at: &Duration| ms(Duration::from_nanos((at.as_nanos() % PULSE.as_nanos()) as u64));
    at.iter().map(phase).chain(gaps).collect()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// The value below which are so many percent of all.
fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

fn tell(report: &mut Report, alone: &Seen, laden: &Seen, checks: &[Outcome; 2]) {
    report.compare("heartbeats late, without the load", "ms", &alone.late);
    report.compare("heartbeats late, with it", "ms", &laden.late);
    let p99 = [alone, laden].map(|seen| percentile(&seen.late, 99));
    report.compare("heartbeats late, 99 of 100, without", "ms", &[p99[0]]);
    report.compare("heartbeats late, 99 of 100, with", "ms", &[p99[1]]);
    let ratio = |percent| percentile(&laden.late, percent) / percentile(&alone.late, percent);
    report.promise("heartbeats late: with by without, median", 1.5, "", &[ratio(50)]);
    report.promise("heartbeats late: with by without, 99 of 100", 1.5, "", &[ratio(99)]);
    for (at, program) in PROGRAMS.iter().enumerate() {
        report.compare(&format!("{program}: memory, without"), "MB", &alone.memory[at]);
        report.promise(&format!("{program}: memory, with"), 100.0, "MB", &laden.memory[at]);
        report.compare(&format!("{program}: share of a core, without"), "%", &alone.cpu[at]);
        report.compare(&format!("{program}: share of a core, with"), "%", &laden.cpu[at]);
    }
    for (how, outcome) in ["kept", "new"].iter().zip(checks) {
        report.compare(&format!("health check, {how} connection"), "ms", &outcome.took);
        report.compare(
            &format!("health check, {how} connection, 99 of 100"),
            "ms",
            &[percentile(&outcome.took, 99)],
        );
    }
    let errors = checks.iter().map(|outcome| outcome.errors as f64).sum::<f64>();
    report.promise("health checks without the right answer", 0.0, "", &[errors]);
}
