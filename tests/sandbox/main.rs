//! The sandbox itself: its network, its power switch, its supervision, and that nothing is left of it.
//! Needs root and iproute2.

mod console;
mod disk;
mod leftovers;
mod network;
mod power;
mod services;

use safekit::sandbox::{DEFAULT_DIR, Node, Options, Sandbox, State};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(10);

/// A sandbox that goes down with the test.
struct Cluster {
    sandbox: Sandbox,
    state: State,
}

impl Cluster {
    fn up(options: &Options) -> Cluster {
        Sandbox::down(&options.dir, &options.name).expect("take down what an earlier run has left");
        let sandbox = Sandbox::up(options).expect("bring the sandbox up");
        let (_, state) = Sandbox::open(&options.dir, &options.name).expect("open it");
        Cluster { sandbox, state }
    }

    fn new(test: &str) -> Cluster {
        Cluster::up(&options(test))
    }

    fn machine(&self, name: &str) -> Node {
        self.sandbox.machine(&self.state, name).expect("a machine of that name")
    }

    fn sh(&self, machine: &str, script: &str) -> Output {
        self.machine(machine).command(&self.state, "sh").args(["-c", script]).output().expect("run sh")
    }

    fn says(&self, machine: &str, script: &str) -> String {
        let output = self.sh(machine, script);
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let down = Sandbox::down(Path::new(DEFAULT_DIR), &self.state.name);
        assert!(std::thread::panicking() || down.is_ok(), "{down:?}");
    }
}

fn safekit() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_safekit"))
}

fn options(test: &str) -> Options {
    Options {
        name: format!("{test}-{}", std::process::id()),
        dir: PathBuf::from(DEFAULT_DIR),
        nodes: 2,
        clients: 1,
        lans: vec!["default".into(), "repli".into()],
        private: Vec::new(),
        disk: None,
        daemons: false,
        password: None,
        programs: safekit().parent().expect("it lies in a directory").to_path_buf(),
    }
}

/// `safekit sandbox ARGS --name NAME`.
fn command(name: &str, args: &[&str]) -> Command {
    let mut command = Command::new(safekit());
    command.arg("sandbox").args(args).args(["--name", name]);
    command
}

/// Waits for a condition, and fails the test when it does not come.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "not in time: {what}");
        std::thread::yield_now();
    }
}
