//! What goes wrong, and what operators and clients do.

use crate::node::{CHECKED, Node, Plane, TIMEOUT};
use crate::world::{Happening, World};
use safekit::fsm::command::Command;
use safekit::fsm::mirror::At;

const NAMES: [&str; 2] = ["A", "B"];

impl World {
    /// One fault, command or change; then the next after a while.
    pub fn fault(&mut self) {
        if self.quiet {
            return;
        }
        let most = if self.profile.heavy { 1500 } else { 8000 };
        let wait = self.rng.range(10, most);
        self.after(wait, Happening::Fault);
        if self.check.split_at.is_some() {
            return;
        }
        let x = self.rng.range(0, 1) as usize;
        match self.rng.range(0, 99) {
            0..8 => self.power_off(x),
            8..18 => self.crash(x),
            18..28 => self.hang(x),
            28..32 => self.freeze(x),
            32..42 => self.cut(),
            42..46 => {
                let ms = self.rng.range(100, 4000);
                self.nodes[x].disk_slow = true;
                self.after(ms, Happening::DiskRecovers(x));
            }
            46..50 => self.normal_network(),
            50..60 => self.toggle(x),
            60..65 => self.damage(x),
            _ => self.command(x),
        }
    }

    fn duration(&mut self) -> u64 {
        if self.rng.percent(50) {
            self.rng.range(10, TIMEOUT)
        } else {
            self.rng.range(TIMEOUT / 2, 4 * TIMEOUT)
        }
    }

    fn power_off(&mut self, x: usize) {
        if !self.nodes[x].power {
            return;
        }
        self.lose_power(x);
        self.say(|| format!("{} loses its power", NAMES[x]));
        let ms = self.rng.range(100, 10_000);
        self.after(ms, Happening::PowerOn(x));
    }

    /// The control plane dies. What was on its way to disk and kernel arrived there or not.
    fn crash(&mut self, x: usize) {
        if self.nodes[x].plane != Plane::Up {
            return;
        }
        let works = std::mem::take(&mut self.nodes[x].works);
        for (id, work) in works {
            if self.nodes[x].awaits(id) && self.rng.percent(50) {
                self.apply(x, &work);
            }
        }
        let n = &mut self.nodes[x];
        n.plane = Plane::Down;
        n.life += 1;
        n.inbox.clear();
        let life = n.life;
        self.say(|| format!("{} control plane is killed", NAMES[x]));
        let ms = self.duration();
        self.after(ms, Happening::Restart(x, life));
    }

    fn hang(&mut self, x: usize) {
        if !self.nodes[x].up() {
            return;
        }
        self.nodes[x].plane = Plane::Hung;
        let life = self.nodes[x].life;
        self.say(|| format!("{} control plane hangs", NAMES[x]));
        let ms = self.duration();
        self.after(ms, Happening::Resume(x, life));
    }

    fn freeze(&mut self, x: usize) {
        if !self.nodes[x].up() {
            return;
        }
        self.hang(x);
        self.nodes[x].frozen = true;
        self.say(|| format!("{} stands still", NAMES[x]));
    }

    /// One link, one direction or the heartbeats alone; all links only where the profile says so.
    fn cut(&mut self) {
        if self.network.any_cut() {
            return;
        }
        let only = if self.rng.percent(30) { Some(self.rng.range(0, 1) as usize) } else { None };
        let link = self.rng.range(0, 1) as usize;
        if self.profile.partitions && self.rng.percent(70) {
            self.network.set(link, only, true);
            self.network.set(1 - link, only, true);
        } else if self.rng.percent(20) {
            self.network.beats_blocked = true;
        } else {
            self.network.set(link, only, true);
        }
        self.say(|| "the network is cut".to_owned());
        let ms = self.duration();
        self.after(ms, Happening::Heal);
    }

    pub fn heal(&mut self) {
        let parted = self.network.parted();
        self.network.heal();
        self.say(|| "the network heals".to_owned());
        let both = |n: &Node| n.serves() && n.up() && n.state.at == At::Alone;
        if parted && !self.quiet && self.nodes.iter().all(both) {
            self.check.split_at = Some(self.now);
        }
    }

    /// The stream alone breaks, files are changed behind the module, or zones cannot be kept.
    fn damage(&mut self, x: usize) {
        let stopped = self.nodes[x].power && self.nodes[x].state.at == At::Stopped;
        match self.rng.range(0, 3) {
            _ if !self.profile.data => {}
            _ if stopped => self.edit(x),
            0 => self.fill_zones(x),
            _ => {
                self.break_stream(x);
                self.say(|| format!("the stream breaks at {}", NAMES[x]));
            }
        }
    }

    fn toggle(&mut self, x: usize) {
        let i = self.rng.range(0, CHECKED.len() as u64 - 1) as usize;
        let t = &mut self.nodes[x].truth[i];
        *t = !*t || self.rng.percent(30);
        let (t, (class, id, _)) = (*t, CHECKED[i]);
        self.say(|| format!("{} {class}.{id} is {}", NAMES[x], if t { "up" } else { "down" }));
    }

    fn command(&mut self, x: usize) {
        let on = self.rng.percent(70);
        let stopped = self.nodes[x].state.at == At::Stopped;
        let roll = self.rng.range(0, 19);
        let command = if stopped {
            match roll {
                0..=12 => Command::Start,
                13..=15 => Command::Prim { fullsync: false },
                16 => Command::PrimForce,
                _ => Command::Second { fullsync: false },
            }
        } else {
            match roll {
                0..=2 => Command::Stop,
                3 => Command::ForceStop,
                4..=6 => Command::Restart,
                7..=9 => Command::StopStart,
                10..=11 => Command::StopWait,
                12..=17 => Command::Swap { nosync: false },
                _ => Command::Failover(on),
            }
        };
        self.after(0, Happening::Order(x, command));
    }

    /// A client's write, to every node that answers it. PRIM answers when SECOND has it too.
    pub fn write(&mut self) {
        let ms = self.rng.range(60, 400);
        self.after(ms, Happening::Write);
        for x in 0..2 {
            if self.profile.data && self.nodes[x].serves() && self.nodes[x].state.running() {
                self.write_at(x);
            }
        }
    }

    /// All faults end: power, control planes, network, disks and checkers are well.
    pub fn recover(&mut self) {
        self.quiet = true;
        self.flaky = 0;
        self.network.loss = 0;
        self.network.delay_most = 5;
        self.check.split_at = None;
        self.heal();
        for x in 0..2 {
            let n = &mut self.nodes[x];
            n.truth = [true; CHECKED.len()];
            n.disk_slow = false;
            n.store.flash.fill(false);
            let life = n.life;
            match (n.power, n.plane) {
                (false, _) => self.boot(x),
                (_, Plane::Hung) => self.after(1, Happening::Resume(x, life)),
                (_, Plane::Down) => self.adopt(x),
                (_, Plane::Up) => {}
            }
        }
        self.say(|| "all faults end".to_owned());
    }

    /// Operators start what is stopped and switch failover on.
    pub fn tend(&mut self) {
        for x in 0..2 {
            let n = &self.nodes[x];
            if n.up() && n.state.at == At::Stopped {
                self.order(x, Command::Start);
            } else if n.up() && !n.state.failover {
                self.order(x, Command::Failover(true));
            }
        }
    }
}
