//! Network namespaces as threads: what a thread opens, starts or asks belongs to its namespace,
//! which goes away with it and with everything opened in it.

use safekit::net::addr::{self, Interface};
use safekit::net::vip::{VipAddr, VipPlan};
use std::net::IpAddr;
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Far above what anything here takes, also on a loaded machine.
pub const DEADLINE: Duration = Duration::from_secs(20);

type Job = Box<dyn FnOnce() + Send>;

/// A namespace with its loopback up.
pub struct Space {
    jobs: mpsc::Sender<Job>,
    /// Names the namespace for `ip link ... netns`.
    thread: i32,
}

impl Space {
    pub fn new() -> Self {
        let (jobs, queue) = mpsc::channel::<Job>();
        let (ready, started) = mpsc::channel();
        std::thread::spawn(move || {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).expect("these tests need root");
            ready.send(nix::unistd::gettid().as_raw()).unwrap();
            queue.into_iter().for_each(|job| job());
        });
        let space = Space { jobs, thread: started.recv().unwrap() };
        space.ip("link set lo up");
        space
    }

    /// Runs something inside and hands back its result.
    pub fn run<R: Send + 'static>(&self, work: impl FnOnce() -> R + Send + 'static) -> R {
        let (sender, result) = mpsc::channel();
        self.jobs.send(Box::new(move || sender.send(work()).unwrap())).unwrap();
        result.recv_timeout(3 * DEADLINE).expect("the work in the namespace ended")
    }

    /// As `run`, for what needs a tokio runtime, whose threads then are inside too.
    pub fn run_async<R: Send + 'static, F: Future<Output = R>>(
        &self,
        work: impl FnOnce() -> F + Send + 'static,
    ) -> R {
        self.run(move || actix::System::new().block_on(work()))
    }

    /// Runs `ip` with these words.
    pub fn ip(&self, words: &str) {
        let words: Vec<_> = words.split_whitespace().map(str::to_owned).collect();
        self.run(move || {
            let done = Command::new("ip").args(&words).output().unwrap();
            assert!(done.status.success(), "ip {words:?}: {}", String::from_utf8_lossy(&done.stderr));
        });
    }

    /// Writes a setting under `/proc/sys/net`.
    pub fn sysctl(&self, name: &str, value: &'static str) {
        let path = format!("/proc/sys/net/{name}");
        self.run(move || std::fs::write(path, value).unwrap());
    }

    /// Joins `name` here with `other_name` there by a cable; both ends are up.
    pub fn cable(&self, name: &str, other: &Space, other_name: &str) {
        self.ip(&format!("link add {name} type veth peer name {other_name} netns {}", other.thread));
        self.ip(&format!("link set {name} up"));
        other.ip(&format!("link set {other_name} up"));
    }

    /// Sets an address; in IPv6 usable at once.
    pub fn address(&self, name: &str, address: &str) {
        let more = if address.contains(':') { "nodad" } else { "" };
        self.ip(&format!("addr add {address} dev {name} {more}"));
    }

    /// An interface as it is now.
    pub fn interface(&self, name: &'static str) -> Interface {
        let all = self.run(|| addr::interfaces().unwrap());
        all.into_iter().find(|i| i.name == name).expect(name)
    }

    pub fn has(&self, address: &str) -> bool {
        let address = at(address);
        self.run(move || addr::is_local(address).unwrap())
    }
}

/// Two namespaces joined by `skt-a` and `skt-b`: 10.9.0.1 and 10.9.0.2, fd09::1 and fd09::2.
pub fn pair() -> (Space, Space) {
    let (a, b) = (Space::new(), Space::new());
    a.cable("skt-a", &b, "skt-b");
    for (space, name, end) in [(&a, "skt-a", 1), (&b, "skt-b", 2)] {
        space.address(name, &format!("10.9.0.{end}/24"));
        space.address(name, &format!("fd09::{end}/64"));
    }
    wait_for("both ends of the cable", || a.interface("skt-a").carrier && b.interface("skt-b").carrier);
    (a, b)
}

pub fn at(address: &str) -> IpAddr {
    address.parse().unwrap()
}

/// A virtual address with the defaults of the configuration.
pub fn vip(address: &str) -> VipAddr {
    VipAddr {
        addr: at(address),
        interface: None,
        prefix: None,
        arpreroute: false,
        arpinterval: Duration::from_secs(60),
        arpelapse: Duration::from_secs(1200),
        connections: false,
        vmac: None,
        shared: false,
    }
}

pub fn plan(addresses: &[&str]) -> VipPlan {
    VipPlan { tcpreset: true, addrs: addresses.iter().map(|a| vip(a)).collect() }
}

/// Looks again and again until it is true, and fails at the deadline.
pub fn wait_for(what: &str, mut true_now: impl FnMut() -> bool) {
    let until = Instant::now() + DEADLINE;
    while !true_now() {
        assert!(Instant::now() < until, "waited in vain for: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
