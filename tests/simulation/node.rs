//! A node: its control plane with the real automaton, watch, rules and loop counter, its guard, and
//! what its kernel and its disk hold.

use crate::rng::Rng;
use crate::store::{Omits, Store};
use crate::world::Happening;
use safekit::fsm::generation::{Generation, History, Record};
use safekit::fsm::maxloop::Loops;
use safekit::fsm::mirror::{At, Config, DefaultPrim, Effect, State, Window};
use safekit::fsm::peer::Watch;
use safekit::fsm::resource::{ResourceName, Resources, Value};
use safekit::fsm::rules::machine::Machine;
use safekit::fsm::rules::{Ruleset, Sources, UserText};
use safekit::fsm::scripts::{Script, Scripts};
use safekit::guard::deadline;
use std::collections::{BTreeSet, VecDeque};

pub const TIMEOUT: u64 = 2000;
pub const PULSE: u64 = 200;
pub const PERIOD: u64 = 500;
pub const HANDLE: u64 = 1200;

const RULES: &str = "
lan_down: if (intf.lan == down) then wait();
net_worse: if (custom.net == down && remote.custom.net == up) then swap();
app_down: if (custom.app == down) then restart();
base_down: if (tcp.base == down) then stopstart();
";

/// Resources and the window in which their checkers run.
pub const CHECKED: [(&str, &str, Window); 4] = [
    ("intf", "lan", Window::Pre),
    ("custom", "net", Window::Pre),
    ("custom", "app", Window::Prim),
    ("tcp", "base", Window::Prim),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plane {
    /// Does not run.
    Down,
    /// Runs, but gets no processor (SIGSTOP).
    Hung,
    Up,
}

/// Something the control plane does that takes time.
#[derive(Clone, Debug)]
pub enum Work {
    Store(Record),
    VipOn,
    VipOff,
    Kill,
    Arm,
    Disarm,
    /// Something for the data plane.
    Data(Effect),
}

pub struct Guard {
    pub deadline: deadline::Watch,
}

pub struct Node {
    pub cfg: Config,
    pub power: bool,
    /// The whole machine stands still: control plane, guard, scripts and application.
    pub frozen: bool,
    pub plane: Plane,
    /// Raised with each life of the control plane.
    pub life: u64,
    /// Raised with each boot.
    pub boot: u64,
    pub state: State,
    pub watch: Watch,
    pub machine: Machine,
    pub loops: Loops,
    pub remote: Option<Resources>,
    pub local: Resources,
    pub windows: BTreeSet<Window>,
    pub next_beat: u64,
    pub next_rules: u64,
    /// What arrived while the control plane hung, bounded as a socket buffer is.
    pub inbox: VecDeque<Happening>,
    pub works: Vec<(u64, Work)>,
    // Durable.
    pub disk: Record,
    pub failover: bool,
    pub disk_free: u64,
    pub disk_slow: bool,
    // Kernel.
    pub vip: bool,
    pub app: bool,
    pub script: Option<(u64, Script)>,
    pub guard: Option<Guard>,
    pub fenced: bool,
    pub store: Store,
    /// What the checkers would find.
    pub truth: [bool; CHECKED.len()],
    /// Millionths by which the clock runs fast.
    pub drift: u64,
}

impl Node {
    pub fn new(me: usize, data: bool, omits: Omits, rng: &mut Rng) -> Node {
        let first = data && me == 0;
        let record = Record {
            term: u64::from(first),
            holder: first,
            flag: if first { safekit::fsm::generation::Flag::Up } else { Default::default() },
            primary: first,
            history: if first {
                History::default().with(Generation { id: 77, by: 0 })
            } else {
                History::default()
            },
            ..Record::first()
        };
        let mut scripts = Scripts::default();
        for s in Script::ALL {
            if s == Script::StartPrim || rng.percent(60) {
                scripts = scripts.with(s);
            }
        }
        let default_prim = rng.pick(&[DefaultPrim::Alone, DefaultPrim::Node(1), DefaultPrim::Last]);
        let cfg = Config { me: me as u8, data, default_prim, scripts, automatic_reboot: false, alike: None };
        Node {
            cfg,
            power: true,
            frozen: false,
            plane: Plane::Down,
            life: 0,
            boot: 0,
            state: State::stopped(record.clone(), true, 1),
            watch: Watch::new(&[TIMEOUT; 2], 1, 0),
            machine: machine(),
            loops: Loops::default(),
            remote: None,
            local: Resources::new(),
            windows: BTreeSet::new(),
            next_beat: 0,
            next_rules: 0,
            inbox: VecDeque::new(),
            works: Vec::new(),
            disk: record,
            failover: true,
            disk_free: 0,
            disk_slow: false,
            vip: false,
            app: false,
            script: None,
            guard: None,
            fenced: false,
            store: Store::new(omits),
            truth: [true; CHECKED.len()],
            drift: rng.range(0, 10_000),
        }
    }

    /// The node's own monotonic clock.
    pub fn clock(&self, now: u64) -> u64 {
        1_000_000 + now + now * self.drift / 1_000_000
    }

    /// Time of the world that passes while the node's clock goes on by `ms`, rounded up.
    pub fn real(&self, ms: u64) -> u64 {
        ms * 1_000_000 / (1_000_000 + self.drift) + 1
    }

    pub fn up(&self) -> bool {
        self.power && self.plane == Plane::Up
    }

    pub fn awaits(&self, id: u64) -> bool {
        matches!(&self.state.at, At::Moving(m) if m.awaited.as_ref().is_some_and(|a| a.0 == id))
    }

    /// Clients are answered.
    pub fn serves(&self) -> bool {
        self.power && !self.frozen && self.vip
    }

    /// The guard's fence (S8): the virtual IP is removed, the application and the scripts are killed.
    pub fn fence(&mut self) {
        self.guard = None;
        self.fenced = true;
        self.vip = false;
        self.app = false;
    }

    pub fn power_off(&mut self, rng: &mut Rng) {
        self.power = false;
        self.frozen = false;
        self.plane = Plane::Down;
        self.life += 1;
        self.boot += 1;
        self.inbox.clear();
        self.works.clear();
        self.windows.clear();
        self.vip = false;
        self.app = false;
        self.script = None;
        self.guard = None;
        self.fenced = false;
        self.store.power_off(rng);
        self.disk_free = 0;
        self.state = State::stopped(self.disk.clone(), self.failover, 1);
    }

    /// What the checkers say now; outside their window nothing is known.
    pub fn check_resources(&mut self) {
        for (i, (class, id, window)) in CHECKED.iter().enumerate() {
            let value = match (self.windows.contains(window), self.truth[i]) {
                (false, _) => Value::Init,
                (true, true) => Value::Up,
                (true, false) => Value::Down,
            };
            self.local.insert(ResourceName::new(class, id), value);
        }
    }
}

pub fn machine() -> Machine {
    let late = CHECKED.iter().filter(|c| c.2 != Window::Pre).map(|c| ResourceName::new(c.0, c.1)).collect();
    let sources = Sources {
        extends: true,
        user: vec![UserText { text: RULES, base_line: 1 }],
        generated: Vec::new(),
        plug_ins: Vec::new(),
        late,
    };
    Machine::new(Ruleset::build(sources).expect("the rules are correct"), PERIOD, HANDLE)
}
