//! Clusters of network namespaces on one machine, for trying, training and testing (DESIGN 11).
//!
//! A sandbox is a switch, the clients and the nodes. Each is a process that is the first of its pid, mount,
//! network, IPC and UTS namespaces ([`init`]): when it is killed, everything of the machine is gone. One
//! bridge per LAN joins them inside the switch's namespace, so this machine's own network is not touched.
//! What must outlive a command lies in the sandbox's directory ([`state`]); everything else is in the
//! kernel and vanishes with the processes.

mod bounded;
mod cgroup;
mod check;
pub mod console;
pub mod disk;
mod error;
mod exec;
mod files;
pub mod init;
mod network;
mod node;
mod root;
mod services;
mod state;
mod status;
mod users;
mod web;

pub use console::Console;
pub use error::{Result, SandboxError};
pub use exec::exec;
pub use files::cluster_xml;
pub use node::{Node, SERVICES, WEB};
pub use state::{Boot, Cut, State};
pub use status::{MachineStatus, Status};
pub use users::Account;

use bounded::{in_parallel, wait_until};
use error::During;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Parent of the sandboxes' directories, unless told otherwise.
pub const DEFAULT_DIR: &str = "/var/lib/safekit-sandbox";

/// Nodes are numbered from 1 in the last byte of their addresses, clients from here downwards.
const LAST_NUMBER: u8 = 254;

/// Clients: more would be no more of a test.
const MOST_CLIENTS: u8 = 9;

const CLIENT: &str = "client";
const SWITCH: &str = "switch";

/// Processes and cgroups of a sandbox that goes down are waited for this long.
const DOWN_PATIENCE: Duration = Duration::from_secs(10);

/// What [`Sandbox::up`] makes.
#[derive(Clone, Debug)]
pub struct Options {
    /// Name of the sandbox.
    pub name: String,
    /// Parent of its directory (absolute).
    pub dir: PathBuf,
    /// How many nodes.
    pub nodes: u8,
    /// How many clients: `client`, `client2`, ...
    pub clients: u8,
    /// Names of the LANs.
    pub lans: Vec<String>,
    /// Directories of which each node gets a private copy (absolute).
    pub private: Vec<PathBuf>,
    /// Size in bytes of each node's lossy disk ([`disk`]), on which SAFEVAR and the private directories
    /// then lie; none: they lie on the disk of this machine.
    pub disk: Option<u64>,
    /// Whether nodes run their programs ([`SERVICES`]).
    pub daemons: bool,
    /// Password of `admin` in the web console; none: one is made up.
    pub password: Option<String>,
    /// Directory of the programs.
    pub programs: PathBuf,
}

/// A sandbox, by its directory.
#[derive(Clone, Debug)]
pub struct Sandbox {
    dir: PathBuf,
}

impl Sandbox {
    /// Brings a new sandbox up. If that fails half-way, it is taken down again.
    pub fn up(options: &Options) -> Result<Sandbox> {
        check::options(options)?;
        let sandbox = Sandbox { dir: options.dir.join(&options.name) };
        let lock = state::lock(&sandbox.dir)?;
        if sandbox.dir.exists() {
            return Err(SandboxError::Exists { name: options.name.clone() });
        }
        let result = sandbox.build(options);
        drop(lock);
        if let Err(e) = result {
            // The first error is the one to report.
            let _ = Sandbox::down(&options.dir, &options.name);
            return Err(e);
        }
        Ok(sandbox)
    }

    fn build(&self, options: &Options) -> Result<()> {
        fs::create_dir_all(&self.dir).during(|| format!("make {}", self.dir.display()))?;
        let o = options.clone();
        let state = State {
            name: o.name,
            nodes: o.nodes,
            clients: o.clients,
            lans: o.lans,
            private: o.private,
            disk: o.disk,
            daemons: o.daemons,
            programs: o.programs,
            account: users::install(&self.dir)?,
            password: o.password.map_or_else(web::new_password, Ok)?,
            cuts: Vec::new(),
        };
        let machines = self.machines(&state);
        let switch = self.switch();
        let everything: Vec<_> = machines.iter().chain([&switch]).collect();
        for machine in &everything {
            fs::create_dir_all(machine.dir()).during(|| format!("make {}", machine.dir().display()))?;
        }
        state::write(&self.state_file(), &state)?;
        let consoles = console::wanted(&state);
        if consoles {
            console::launch(self, &state)?;
        }
        let key = random::<32>()?;
        let credentials = web::credentials(&state.password)?;
        in_parallel(everything, |machine| {
            if machine.is_node() {
                files::install(machine, &state, &key)?;
                web::install(machine, state.account, &credentials)?;
            }
            machine.power_on(&state)
        })?;
        network::install_switch(&switch, &state)?;
        in_parallel(machines.iter().collect(), |machine| self.go_live(machine, &state))?;
        if consoles { console::wait(self) } else { Ok(()) }
    }

    /// What follows the boot of a machine: its network, then its programs.
    fn go_live(&self, machine: &Node, state: &State) -> Result<()> {
        network::attach(&self.switch(), machine, state)?;
        if state.daemons && machine.is_node() {
            let built = |service: &&str| *service != WEB || console::wanted(state);
            let at_boot = |service: &&str| !machine.boot_setting(service).exists();
            for service in SERVICES.iter().copied().filter(built).filter(at_boot) {
                machine.start_service(service)?;
            }
        }
        Ok(())
    }

    /// The sandbox `name` in `dir`, and what it is like at present.
    pub fn open(dir: &Path, name: &str) -> Result<(Sandbox, State)> {
        state::check_name("sandbox", name)?;
        Sandbox::at(&dir.join(name))
    }

    /// The sandbox with this directory.
    pub(crate) fn at(dir: &Path) -> Result<(Sandbox, State)> {
        let sandbox = Sandbox { dir: dir.to_path_buf() };
        match state::read(&sandbox.state_file())? {
            Some(state) => Ok((sandbox, state)),
            None => Err(SandboxError::Unknown {
                name: dir.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                dir: dir.parent().unwrap_or(dir).to_path_buf(),
            }),
        }
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn state_file(&self) -> PathBuf {
        self.dir.join("sandbox.json")
    }

    fn node(&self, name: &str, number: u8) -> Node {
        Node { sandbox: self.dir.clone(), name: name.to_owned(), number }
    }

    fn switch(&self) -> Node {
        self.node(SWITCH, 0)
    }

    /// Its nodes, then the clients.
    pub fn machines(&self, state: &State) -> Vec<Node> {
        let nodes = (1..=state.nodes).map(|n| self.node(&format!("node{n}"), n));
        let name = |n| if n == 1 { CLIENT.to_owned() } else { format!("{CLIENT}{n}") };
        let clients = (1..=state.clients).map(|n| self.node(&name(n), LAST_NUMBER - (n - 1)));
        nodes.chain(clients).collect()
    }

    /// One of its machines.
    pub fn machine(&self, state: &State, name: &str) -> Result<Node> {
        let mut machines = self.machines(state);
        let known = machines.iter().map(Node::name).collect::<Vec<_>>().join(", ");
        let at = machines.iter().position(|m| m.name == name);
        let unknown = || SandboxError::NoSuch { what: "machine", name: name.to_owned(), known };
        at.map(|at| machines.swap_remove(at)).ok_or_else(unknown)
    }

    /// One of its machines, or the switch, which may be looked into but neither cut nor powered off.
    pub fn machine_or_switch(&self, state: &State, name: &str) -> Result<Node> {
        if name == SWITCH { Ok(self.switch()) } else { self.machine(state, name) }
    }

    /// Unplugs a machine from one LAN, or from all. The machine still sees a carrier, unless it is to
    /// lose that too.
    pub fn cut(&self, machine: &str, lan: Option<&str>, carrier: bool) -> Result<()> {
        self.plug(machine, lan, Some(carrier))
    }

    /// Undoes [`Sandbox::cut`].
    pub fn heal(&self, machine: &str, lan: Option<&str>) -> Result<()> {
        self.plug(machine, lan, None)
    }

    fn plug(&self, machine: &str, lan: Option<&str>, cut: Option<bool>) -> Result<()> {
        let (_lock, mut state) = self.locked()?;
        let machine = self.machine(&state, machine)?;
        let lans = match lan {
            None => (0..state.lans.len()).collect(),
            Some(name) => vec![lan_number(&state, name)?],
        };
        let on = machine.boot()?.is_some();
        for lan in lans {
            state.cuts.retain(|c| (c.machine.as_str(), c.lan) != (machine.name(), lan));
            let cut = cut.map(|carrier| Cut { machine: machine.name.clone(), lan, carrier });
            if on {
                network::replug(&self.switch(), &machine, lan, cut.as_ref())?;
            }
            state.cuts.extend(cut);
        }
        state::write(&self.state_file(), &state)
    }

    /// A power failure: the network goes first, then everything of the machine dies at once. Its cut
    /// cables stay as they are, and its files too; from a lossy disk all goes that was not flushed.
    pub fn poweroff(&self, machine: &str) -> Result<()> {
        self.fail_power(machine, None)
    }

    /// The same, but a random part, drawn from `seed`, of what a lossy disk has not flushed survives:
    /// a disk may write in any order.
    pub fn poweroff_scattered(&self, machine: &str, seed: u64) -> Result<()> {
        self.fail_power(machine, Some(seed))
    }

    fn fail_power(&self, machine: &str, seed: Option<u64>) -> Result<()> {
        let (_lock, state) = self.locked()?;
        let machine = self.machine(&state, machine)?;
        machine.running()?;
        network::detach(&self.switch(), &machine, &state)?;
        machine.power_off(&state, seed)?;
        network::remove_cables(&self.switch(), &machine, &state)
    }

    /// Boots a machine that is off.
    pub fn poweron(&self, machine: &str) -> Result<()> {
        let (_lock, state) = self.locked()?;
        let machine = self.machine(&state, machine)?;
        if machine.boot()?.is_some() {
            return Err(SandboxError::PoweredOn { machine: machine.name });
        }
        network::remove_cables(&self.switch(), &machine, &state)?;
        machine.power_on(&state)?;
        self.go_live(&machine, &state)
    }

    /// Where the nodes' consoles are on this machine. A process that has died is started again.
    pub fn consoles(&self) -> Result<Vec<Console>> {
        let (_lock, state) = self.locked()?;
        let known = console::list(self, &state)?;
        if !known.is_empty() || !console::wanted(&state) {
            return Ok(known);
        }
        console::launch(self, &state)?;
        console::wait(self)?;
        console::list(self, &state)
    }

    fn locked(&self) -> Result<(fs::File, State)> {
        // Without a sandbox there is nothing to lock, and a lock would be left behind.
        Sandbox::at(&self.dir)?;
        let lock = state::lock(&self.dir)?;
        let (_, state) = Sandbox::at(&self.dir)?;
        Ok((lock, state))
    }

    /// Takes a sandbox down and removes all of it, also what an aborted command has left. Nothing to do
    /// is no error.
    pub fn down(dir: &Path, name: &str) -> Result<()> {
        state::check_name("sandbox", name)?;
        let sandbox = dir.join(name);
        let _lock = state::lock(&sandbox)?;
        let gone = wait_until(DOWN_PATIENCE, || kill_first_processes(&sandbox) == 0);
        if let Some(cgroup) = cgroup::of_sandbox(name) {
            cgroup::kill(&cgroup)?;
            cgroup::remove(&cgroup)?;
        }
        if !gone {
            return Err(SandboxError::Timeout { what: format!("the end of {name}"), within: DOWN_PATIENCE });
        }
        let mut removed = Ok(());
        // What an aborted `up` had started may write a last file.
        wait_until(DOWN_PATIENCE, || {
            removed = if sandbox.exists() { files::remove(&sandbox) } else { Ok(()) };
            !matches!(&removed, Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty)
        });
        removed.during(|| format!("remove {}", sandbox.display()))?;
        let lock = sandbox.with_extension("lock");
        fs::remove_file(&lock).during(|| format!("remove {}", lock.display()))?;
        // The parent goes with its last sandbox; with others in it, it stays.
        let _ = fs::remove_dir(dir);
        Ok(())
    }
}

/// Kills the first processes of a sandbox's machines, the servers of its disks and the process of its
/// consoles, wherever they are, and says how many there still were.
fn kill_first_processes(sandbox: &Path) -> usize {
    let Ok(processes) = fs::read_dir("/proc") else { return 0 };
    let pids = processes.flatten().filter_map(|p| p.file_name().to_str()?.parse::<i32>().ok());
    let of_ours = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        let argv: Vec<_> = line.trim_end_matches('\0').split('\0').collect();
        init::is_first_process(&argv, sandbox)
            || disk::is_server(&argv, sandbox)
            || console::is_process(&argv, sandbox)
    };
    let kill =
        |pid| nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
    pids.filter(of_ours).filter(|pid| kill(*pid).is_ok()).count()
}

fn lan_number(state: &State, name: &str) -> Result<usize> {
    let at = state.lans.iter().position(|lan| lan == name);
    at.ok_or_else(|| SandboxError::NoSuch {
        what: "lan",
        name: name.to_owned(),
        known: state.lans.join(", "),
    })
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    let drawn = getrandom::fill(&mut bytes).map_err(|e| std::io::Error::other(e.to_string()));
    drawn.during(|| "draw random bytes".into())?;
    Ok(bytes)
}

/// A random id in the form of a boot id.
fn random_id() -> Result<String> {
    let hex = crate::hex::encode(&random::<16>()?);
    Ok(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]))
}
