//! safeguard as a process: it fences a module whose safeadmin is held up, and only then (S8).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use safekit::config::module::{Filter, Proto};
use safekit::farm::nft::Nft;
use safekit::farm::{Backend, FarmError, Layout, LayoutRule, LayoutVip};
use safekit::fsm::bucket::{Bitmap, Owners, Reach, Share};
use safekit::guard::boottime_ns;
use safekit::guard::cgroup::{AppGroup, BASE_VARIABLE};
use safekit::guard::client::{GuardClient, GuardError};
use safekit::guard::frame::{Refusal, Status, Target, Vip};
use safekit::ids::ModuleName;
use std::ffi::OsString;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, io, thread};

/// Heartbeat timeout of the tests.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The fence falls 0.8 x timeout after the newest echo.
const DEADLINE: Duration = Duration::from_millis(1600);
/// Set for the process that plays safeadmin: SAFEVAR/run of the test.
const FAKE_RUN: &str = "SAFEKIT_TEST_FAKE_RUN";

fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "{what} did not happen");
        thread::sleep(Duration::from_millis(2));
    }
}

fn module() -> ModuleName {
    "mirror".parse().unwrap()
}

/// A node: a SAFEVAR, its guard, and what runs on it. Everything ends with it.
struct Node {
    safevar: tempfile::TempDir,
    /// Value of SAFEKIT_CGROUP: where the module's control group is, or `none`.
    base: OsString,
    guard: Option<Child>,
    fake: Option<Child>,
}

impl Drop for Node {
    fn drop(&mut self) {
        for child in [&mut self.guard, &mut self.fake].into_iter().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = self.group().kill_until_empty(Instant::now() + Duration::from_secs(5));
        let _ = self.group().remove();
        if self.base != "none" {
            let _ = fs::remove_dir(&self.base);
        }
    }
}

impl Node {
    /// A node that finds its processes by their mark.
    fn start() -> Node {
        Node::with_base("none".into())
    }

    /// A node with control groups, none where they cannot be made.
    fn with_cgroups() -> Option<Node> {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let mount = mounts
            .lines()
            .map(|line| line.split(' ').collect::<Vec<_>>())
            .find(|line| line[2] == "cgroup2")?;
        let base = Path::new(mount[1]).join(format!("safekit-guard-test-{}", std::process::id()));
        let made = AppGroup::in_cgroup(&base, &module());
        if made.is_err() && !geteuid().is_root() {
            return None;
        }
        made.expect("root can make a control group");
        Some(Node::with_base(base.into()))
    }

    fn with_base(base: OsString) -> Node {
        let safevar = tempfile::tempdir().unwrap();
        fs::create_dir(safevar.path().join("run")).unwrap();
        let mut node = Node { safevar, base, guard: None, fake: None };
        node.start_guard();
        node
    }

    fn run(&self) -> PathBuf {
        self.safevar.path().join("run")
    }

    fn start_guard(&mut self) {
        let guard = Command::new(env!("CARGO_BIN_EXE_safeguard"))
            .env("SAFEVAR", self.safevar.path())
            .stdin(Stdio::null())
            .spawn();
        self.guard = Some(guard.unwrap());
        self.client();
    }

    fn kill_guard(&mut self) {
        let mut guard = self.guard.take().unwrap();
        guard.kill().unwrap();
        guard.wait().unwrap();
    }

    /// A connection of its own, as soon as the guard listens.
    fn client(&self) -> GuardClient {
        eventually("a connection", || GuardClient::connect(&self.run().join("safeguard.sock")).ok())
    }

    fn status(&self) -> Status {
        self.client().query(&module()).unwrap()
    }

    /// What the fake safeadmin finds as the application's group, too.
    fn group(&self) -> AppGroup {
        match self.base.to_str() {
            Some("none") => AppGroup::by_mark(&module(), &self.run()).unwrap(),
            _ => AppGroup::in_cgroup(Path::new(&self.base), &module()).unwrap(),
        }
    }

    /// Starts an application as a daemon in the module's group.
    fn start_application(&self) {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg("setsid nohup sleep 1000 >/dev/null 2>&1 &").stdin(Stdio::null());
        self.group().enter(&mut command).unwrap();
        assert!(command.status().unwrap().success());
        eventually("the application", || (!self.group().is_empty().unwrap()).then_some(()));
    }

    /// Starts a process that arms and renews as safeadmin does, and waits until the guard knows it.
    fn start_fake(&mut self) {
        let fake = Command::new(env::current_exe().unwrap())
            .args(["fake_safeadmin", "--exact", "--ignored", "--nocapture"])
            .env(FAKE_RUN, self.run())
            .env(BASE_VARIABLE, &self.base)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        self.fake = Some(fake.unwrap());
        eventually("arming", || self.status().armed.then_some(()));
    }

    fn signal_fake(&self, signal: Signal) {
        let pid = self.fake.as_ref().unwrap().id();
        kill(Pid::from_raw(pid.cast_signed()), signal).unwrap();
    }

    fn marker(&self) -> PathBuf {
        self.run().join("fenced.mirror")
    }
}

/// Not a test: the part of safeadmin, in a process of its own. Its peer echoes at once. It ends when it
/// learns that it was fenced.
#[test]
#[ignore = "started by the other tests"]
fn fake_safeadmin() {
    let Some(run) = env::var_os(FAKE_RUN).map(PathBuf::from) else { return };
    let group = AppGroup::open(&module(), &run).unwrap();
    let mut guard = None;
    for renewals in 0.. {
        match renew(&run, &group, &mut guard) {
            Ok(Status { fenced: Some(_), .. }) => break,
            Ok(_) => fs::write(run.join("renewals"), renewals.to_string()).unwrap(),
            Err(_) => guard = None,
        }
        thread::sleep(TIMEOUT / 20);
    }
    fs::write(run.join("learned"), "").unwrap();
}

/// One renewal; connects and arms again when the guard does not know the module (any more).
fn renew(run: &Path, group: &AppGroup, guard: &mut Option<GuardClient>) -> Result<Status, GuardError> {
    let client = match guard {
        Some(client) => client,
        None => guard.insert(GuardClient::connect(&run.join("safeguard.sock"))?),
    };
    let status = client.renew(&module(), boottime_ns())?;
    if status != Status::default() {
        return Ok(status);
    }
    let target = Target { vips: Vec::new(), group: Some(group.clone()) };
    client.arm(&module(), TIMEOUT, boottime_ns(), target)
}

#[test]
fn a_stopped_safeadmin_is_fenced_in_time_and_learns_it() {
    stop_safeadmin(Node::start());
}

#[test]
fn a_stopped_safeadmin_is_fenced_by_its_cgroup() {
    if let Some(node) = Node::with_cgroups() {
        stop_safeadmin(node);
    }
}

fn stop_safeadmin(mut node: Node) {
    node.start_application();
    node.start_fake();
    // One and a half deadlines of renewals: nothing happens.
    eventually("renewing", || {
        assert!(node.status().armed && !node.group().is_empty().unwrap());
        let renewals: u32 = fs::read_to_string(node.run().join("renewals")).ok()?.parse().ok()?;
        (renewals >= 24).then_some(())
    });
    node.signal_fake(Signal::SIGSTOP);
    let stopped = Instant::now();
    eventually("the fence", || node.group().is_empty().unwrap().then_some(()));
    let took = stopped.elapsed();
    // The newest echo is up to one renewal (0.05 x timeout) old; the peer takes over at the timeout.
    assert!(took > DEADLINE - TIMEOUT / 10 && took < TIMEOUT, "fenced after {took:?}");
    eventually("the marker", || node.marker().exists().then_some(()));
    let fenced = node.status().fenced.unwrap();
    assert!(fenced.complete && fenced.at >= fenced.echoed_at + 8 * TIMEOUT.as_nanos() as u64 / 10);
    // Resumed, it learns from its next renewal.
    node.signal_fake(Signal::SIGCONT);
    eventually("learning", || node.run().join("learned").exists().then_some(()));
    assert_eq!(node.client().acknowledge(&module()).unwrap(), Status::default());
    eventually("removal of the marker", || (!node.marker().exists()).then_some(()));
}

#[test]
fn a_crash_loop_of_safeadmin_is_no_reason_but_its_end_is() {
    let mut node = Node::start();
    node.start_application();
    for _ in 0..3 {
        node.start_fake();
        let mut fake = node.fake.take().unwrap();
        fake.kill().unwrap();
        fake.wait().unwrap();
        assert!(node.status().armed, "a lost connection fences nothing");
    }
    let gone = Instant::now();
    eventually("the fence", || node.group().is_empty().unwrap().then_some(()));
    assert!(gone.elapsed() < TIMEOUT, "fenced after {:?}", gone.elapsed());
}

#[test]
fn a_fence_outlives_the_guard() {
    let mut node = Node::start();
    let target = Target { vips: Vec::new(), group: Some(node.group()) };
    // The newest echo is old: due at the first missing renewal.
    node.client().arm(&module(), TIMEOUT, 0, target.clone()).unwrap();
    eventually("the marker", || node.marker().exists().then_some(()));
    node.kill_guard();
    node.start_guard();
    assert!(node.status().fenced.is_some());
    let status = node.client().arm(&module(), TIMEOUT, boottime_ns(), target).unwrap();
    assert!(!status.armed && status.fenced.is_some());
    assert_eq!(node.client().acknowledge(&module()).unwrap(), Status::default());
}

#[test]
fn a_killed_guard_is_noticed_and_armed_again() {
    let mut node = Node::start();
    node.start_application();
    node.start_fake();
    let mut old = node.client();
    node.kill_guard();
    assert!(matches!(old.query(&module()), Err(GuardError::Lost(_))));
    let path = node.run().join("safeguard.sock");
    assert!(matches!(GuardClient::connect(&path), Err(GuardError::Absent { .. })));
    node.start_guard();
    eventually("arming again", || node.status().armed.then_some(()));
    assert!(!node.group().is_empty().unwrap());
}

#[test]
fn a_hanging_guard_does_not_hold_up_its_caller() {
    let node = Node::start();
    let mut client = node.client();
    let guard = Pid::from_raw(node.guard.as_ref().unwrap().id().cast_signed());
    kill(guard, Signal::SIGSTOP).unwrap();
    let asked = Instant::now();
    let target = Target { vips: Vec::new(), group: None };
    let late = client.arm(&module(), TIMEOUT, boottime_ns(), target);
    assert!(matches!(late, Err(GuardError::Silent)), "{late:?}");
    assert!(asked.elapsed() < Duration::from_secs(1));
    kill(guard, Signal::SIGCONT).unwrap();
    // The late answer to the first call is not taken for that to the next.
    let other = "other".parse().unwrap();
    assert_eq!(eventually("an answer", || client.query(&other).ok()), Status::default());
    assert!(client.query(&module()).unwrap().armed, "the first call was heard");
}

#[test]
fn one_guard_per_node_and_for_root_only() {
    let node = Node::start();
    let mode = fs::metadata(node.run().join("safeguard.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let second =
        Command::new(env!("CARGO_BIN_EXE_safeguard")).env("SAFEVAR", node.safevar.path()).output().unwrap();
    assert!(!second.status.success());
    let text = String::from_utf8(second.stderr).unwrap();
    assert!(text.contains("another safeguard holds"), "{text}");
    assert_eq!(node.status(), Status::default(), "the first goes on");
}

/// Runs `ip` in the network of this thread.
fn ip(arguments: &str) -> String {
    let output = Command::new("ip").args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn virtual_addresses_are_removed_and_others_stay() {
    let body = || {
        if let Err(errno) = unshare(CloneFlags::CLONE_NEWNET) {
            assert!(!geteuid().is_root(), "root can make a network namespace: {errno}");
            return;
        }
        let own = "10.9.8.1/24";
        for addr in [own, "10.9.8.7/24", "fd09::7/64"] {
            ip(&format!("addr add {addr} dev lo"));
        }
        let node = Node::start();
        let vip = |addr: &str, prefix| Vip { index: 1, addr: addr.parse().unwrap(), prefix };
        let target = Target { vips: vec![vip("10.9.8.7", 24), vip("fd09::7", 64)], group: None };
        let armed = node.client().arm(&module(), TIMEOUT, boottime_ns(), target).unwrap();
        assert!(armed.armed && ip("addr show dev lo").contains("10.9.8.7"));
        eventually("the fence", || node.status().fenced.filter(|fenced| fenced.complete));
        let left = ip("addr show dev lo");
        assert!(left.contains(own) && !left.contains("10.9.8.7") && !left.contains("fd09::7"), "{left}");
    };
    thread::spawn(body).join().expect("see above");
}

#[test]
fn the_buckets_of_a_farm_are_withdrawn_and_stay_so() {
    let body = || {
        if let Err(errno) = unshare(CloneFlags::CLONE_NEWNET) {
            assert!(!geteuid().is_root(), "root can make a network namespace: {errno}");
            return;
        }
        let vip = LayoutVip {
            addr: "10.9.8.7".parse().unwrap(),
            device: "lo".to_owned(),
            reach: Reach::One,
            vmac: None,
        };
        let rule = LayoutRule { group: 0, vip: None, port: None, proto: Proto::Tcp, filter: Filter::OnAddr };
        let layout = Layout {
            module: module(),
            me: 0,
            vips: vec![vip],
            rules: vec![rule],
            peers: Vec::new(),
            keep: true,
        };
        let all = [Share::settled(Owners::new(|_| Some(0)))];
        let mut filter = Nft::new(&module());
        filter.load(&layout, &all).unwrap();
        assert_eq!(filter.shown(1).unwrap(), [Bitmap::ALL]);
        let node = Node::start();
        let target = Target { vips: Vec::new(), group: None };
        assert!(node.client().arm(&module(), TIMEOUT, boottime_ns(), target).unwrap().armed);
        eventually("the fence", || node.status().fenced.filter(|fenced| fenced.complete));
        // This is what safeadmin finds when it wakes up.
        assert_eq!(filter.shown(1).unwrap(), [Bitmap::EMPTY]);
        assert!(matches!(filter.switch(&all), Err(FarmError::Withdrawn { .. })));
        assert_eq!(filter.shown(1).unwrap(), [Bitmap::EMPTY]);
        filter.load(&layout, &all).expect("the module is started anew");
        assert_eq!(filter.shown(1).unwrap(), [Bitmap::ALL]);
    };
    thread::spawn(body).join().expect("see above");
}

#[test]
fn modules_are_fenced_each_for_itself() {
    let node = Node::start();
    node.start_application();
    let other: ModuleName = "other".parse().unwrap();
    let mut client = node.client();
    let target = |group| Target { vips: Vec::new(), group };
    client.arm(&other, TIMEOUT, boottime_ns(), target(None)).unwrap();
    client.arm(&module(), TIMEOUT, boottime_ns(), target(Some(node.group()))).unwrap();
    eventually("the fence", || {
        assert!(client.renew(&other, 0).unwrap().armed, "renewed, whatever the peer says");
        client.query(&module()).unwrap().fenced.filter(|fenced| fenced.complete)
    });
    assert!(node.group().is_empty().unwrap());
    assert!(client.query(&other).unwrap().armed);
}

#[test]
fn descriptors_outlive_who_gave_them_until_a_fence() {
    let mut node = Node::start();
    let path = node.run().join("given");
    fs::write(&path, "content").unwrap();
    let give = |node: &Node, name: &str| {
        let file = fs::File::open(&path).unwrap();
        node.client().give(&module(), name, file.as_fd()).unwrap()
    };
    let take = |node: &Node, name: &str| node.client().take(&module(), name);
    assert_eq!((give(&node, "0.a"), give(&node, "0.b"), give(&node, "1.a")), (1, 2, 3));
    for _ in 0..2 {
        let text = io::read_to_string(fs::File::from(take(&node, "0.a").unwrap())).unwrap();
        // One open file, whoever has descriptors of it.
        assert!(text == "content" || text.is_empty(), "{text}");
    }
    let nothing = |result| matches!(result, Err(GuardError::Refused(Refusal::Nothing)));
    assert!(nothing(take(&node, "0.c")));
    let other: ModuleName = "other".parse().unwrap();
    assert_eq!(node.client().count(&other).unwrap(), 0);
    assert_eq!(node.client().forget(&module(), "0.").unwrap(), 1);
    assert!(nothing(take(&node, "0.a")));
    // A new guard has nothing.
    node.kill_guard();
    node.start_guard();
    assert_eq!(node.client().count(&module()).unwrap(), 0);
    // A fence leaves nothing: who waits for a dead process must be killed.
    give(&node, "0.a");
    let target = Target { vips: Vec::new(), group: None };
    node.client().arm(&module(), TIMEOUT, 0, target).unwrap();
    eventually("the fence", || (node.client().count(&module()).unwrap() == 0).then_some(()));
    assert!(node.status().fenced.is_some());
}
