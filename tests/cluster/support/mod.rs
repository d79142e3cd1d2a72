//! Harness of the cluster tests: a small sandbox per test, and what its nodes are asked and expected to say.
//! It goes down with the test; a test that fails shows first what its nodes have said.

mod ask;
mod authority;
mod crowd;
mod farm;
mod module;
mod node;
mod process;
mod streams;
mod wait;

pub use ask::Watch;
pub use authority::{Authority, VALID, set_https};
pub use crowd::{Answers, Seen, connect, connect_from, send, with_crowd};
pub use farm::{Farm, GROUP, PORT, PORT2, VIP4, VIP6, bitmaps, bits, target, wait_shared};
pub use module::{FARM, MODULE, Mirror, SCRIPTS, TIMEOUT, UP_SCRIPTS, UPS, Up, VIP};
pub use node::Node;
pub use process::Output;
pub use streams::{Browser, Stream};
pub use wait::eventually;

use safekit::sandbox::{self, DEFAULT_DIR, Options, Sandbox, State};
use std::path::{Path, PathBuf};

/// A cluster that lives as long as the test.
pub struct Cluster {
    sandbox: Sandbox,
    nodes: Vec<Node>,
    clients: Vec<Node>,
    modules: std::cell::RefCell<Vec<String>>,
}

impl Cluster {
    /// Two nodes on the LANs `default` and `repli`; returns when `safeadmin` answers on both.
    pub fn new(test: &str) -> Cluster {
        Cluster::with(test, |options| options)
    }

    /// A pair running the module [`MODULE`]: node 1 PRIM, node 2 SECOND.
    pub fn pair(test: &str, mirror: &Mirror, more_scripts: &[(&str, &str)]) -> Cluster {
        let cluster = Cluster::new(test);
        cluster.install(MODULE, &mirror.xml(), &[&SCRIPTS, more_scripts].concat());
        cluster.start_pair(MODULE);
        cluster
    }

    /// Node 1 ALONE with the module [`MODULE`], which is stopped on node 2.
    pub fn alone(test: &str, mirror: &Mirror, more_scripts: &[(&str, &str)]) -> Cluster {
        let cluster = Cluster::new(test);
        cluster.install(MODULE, &mirror.xml(), &[&SCRIPTS, more_scripts].concat());
        cluster.node(1).ok(&["prim", "-m", MODULE]);
        cluster.node(1).wait_state(MODULE, "ALONE");
        cluster
    }

    /// A cluster without module, with changed options.
    pub fn with(test: &str, change: impl FnOnce(Options) -> Options) -> Cluster {
        let programs = Path::new(env!("CARGO_BIN_EXE_safekit")).parent().expect("it lies in a directory");
        let options = change(Options {
            name: format!("{test}-{}", std::process::id()),
            dir: PathBuf::from(DEFAULT_DIR),
            nodes: 2,
            clients: 1,
            lans: vec!["default".into(), "repli".into()],
            private: Vec::new(),
            disk: None,
            daemons: true,
            password: None,
            programs: programs.to_path_buf(),
        });
        sweep(&options.dir);
        let sandbox = Sandbox::up(&options).unwrap_or_else(|e| panic!("{e}"));
        let (_, state) = Sandbox::open(&options.dir, &options.name).expect("open the new sandbox");
        let cluster = Cluster::around(sandbox, &state);
        if options.daemons {
            cluster.nodes.iter().for_each(Node::wait_admin);
        }
        cluster
    }

    fn around(sandbox: Sandbox, state: &State) -> Cluster {
        let all = sandbox.machines(state).into_iter();
        let (nodes, clients) =
            all.map(|machine| Node::new(machine, state.clone())).partition(|node| node.inside().is_node());
        Cluster { sandbox, nodes, clients, modules: Vec::default().into() }
    }

    /// Its directory, which every node can write to.
    pub fn dir(&self) -> &Path {
        self.sandbox.dir()
    }

    /// Node `number`, counted from 1.
    pub fn node(&self, number: usize) -> &Node {
        &self.nodes[number - 1]
    }

    /// All nodes.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The machine outside of the cluster; the first of several.
    pub fn client(&self) -> &Node {
        &self.clients[0]
    }

    /// All machines outside of the cluster.
    pub fn clients(&self) -> &[Node] {
        &self.clients
    }

    /// Installs and configures a module on every node. Modules get the ids 1, 2, ... in this order.
    pub fn install(&self, module: &str, userconfig: &str, scripts: &[(&str, &str)]) {
        self.install_on(&self.nodes, module, userconfig, scripts);
    }

    /// The same on some nodes.
    pub fn install_on(&self, nodes: &[Node], module: &str, userconfig: &str, scripts: &[(&str, &str)]) {
        let mut modules = self.modules.borrow_mut();
        modules.push(module.to_owned());
        for node in nodes {
            node.install(module, modules.len(), userconfig, scripts);
        }
    }

    /// The pair of nodes that are PRIM and SECOND, once the module is so.
    pub fn wait_pair(&self, module: &str) -> (&Node, &Node) {
        let find = |state| self.nodes.iter().find(|node| node.state(module) == state);
        eventually("PRIM and SECOND", || Some((find("PRIM")?, find("SECOND")?)));
        let (prim, second) = (find("PRIM").expect("still PRIM"), find("SECOND").expect("still SECOND"));
        prim.wait_state(module, "PRIM");
        second.wait_state(module, "SECOND");
        (prim, second)
    }

    /// Starts the module on node 1 by `prim`, then on node 2 by `second`: node 1 PRIM, node 2 SECOND.
    pub fn start_pair(&self, module: &str) {
        self.node(1).ok(&["prim", "-m", module]);
        self.node(1).wait_state(module, "ALONE");
        self.node(2).ok(&["second", "-m", module]);
        self.node(2).wait_state(module, "SECOND");
        self.node(1).wait_state(module, "PRIM");
    }

    /// Gives a stopped module a key on all nodes: what they say to each other is encrypted.
    pub fn encrypt(&self, module: &str) {
        self.node(1).ok(&["module", "genkey", "-m", module]);
        let file = |node: &Node| node.inside().safe().join("modules").join(module).join("conf/modulekey.dat");
        for node in &self.nodes {
            if node.name() != self.node(1).name() {
                std::fs::copy(file(self.node(1)), file(node)).unwrap_or_else(|e| panic!("copy the key: {e}"));
            }
            node.ok(&["config", "-m", module]);
        }
    }

    /// Unplugs a node from a LAN, or from all, without its seeing it.
    pub fn cut(&self, node: &Node, lan: Option<&str>) {
        self.sandbox.cut(node.name(), lan, false).unwrap_or_else(|e| panic!("{e}"));
    }

    /// Pulls the cable: the node loses its carrier.
    pub fn pull(&self, node: &Node, lan: Option<&str>) {
        self.sandbox.cut(node.name(), lan, true).unwrap_or_else(|e| panic!("{e}"));
    }

    /// Plugs a node in again.
    pub fn heal(&self, node: &Node, lan: Option<&str>) {
        self.sandbox.heal(node.name(), lan).unwrap_or_else(|e| panic!("{e}"));
    }

    /// Everything of the node dies at once.
    pub fn poweroff(&self, node: &Node) {
        self.sandbox.poweroff(node.name()).unwrap_or_else(|e| panic!("{e}"));
    }

    /// The same, but a random part of what its lossy disk has not flushed survives.
    pub fn poweroff_scattered(&self, node: &Node, seed: u64) {
        self.sandbox.poweroff_scattered(node.name(), seed).unwrap_or_else(|e| panic!("{e}"));
    }

    /// Boots it; returns when its `safeadmin` answers.
    pub fn poweron(&self, node: &Node) {
        self.sandbox.poweron(node.name()).unwrap_or_else(|e| panic!("{e}"));
        if node.has_daemons() {
            node.wait_admin();
        }
    }

    fn show(&self) {
        for node in &self.nodes {
            for module in self.modules.borrow().iter() {
                let log = node.safekit(&["log", "-A", "-m", module]);
                eprintln!("=== log of {module} on {}\n{}{}", node.name(), log.stdout, log.stderr);
            }
            for program in sandbox::SERVICES {
                let said = std::fs::read_to_string(node.inside().output_of(program)).unwrap_or_default();
                let lines: Vec<_> = said.lines().collect();
                let last = &lines[lines.len().saturating_sub(200)..];
                eprintln!("=== output of {program} on {}\n{}", node.name(), last.join("\n"));
            }
        }
    }
}

/// Takes down what tests that were killed have left. The number in a name is that of the test's process.
fn sweep(dir: &Path) {
    let names = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.file_name());
    for name in names.filter_map(|name| name.into_string().ok()) {
        let owner = name.rsplit_once('-').and_then(|(_, pid)| pid.parse::<u32>().ok());
        if owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            // What a disk holds up does not go at once; the next test tries again.
            if let Err(e) = Sandbox::down(dir, &name) {
                eprintln!("{name} stays: {e}");
            }
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let failed = std::thread::panicking();
        if failed {
            self.show();
        }
        let dir = self.sandbox.dir();
        let (parent, name) = (dir.parent(), dir.file_name().and_then(|name| name.to_str()));
        let down = Sandbox::down(parent.expect("it has a parent"), name.expect("it has a name"));
        // A second panic would abort the process, and with it the report of the first.
        assert!(failed || down.is_ok(), "{down:?}");
    }
}
