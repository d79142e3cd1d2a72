//! What must hold: after every event (I1, S9, I2), after a partition (I5), at the end (I4).

use crate::disk::{Content, Disk, Page};
use crate::node::Node;
use crate::world::{Profile, World};
use safekit::fsm::generation::Flag;
use safekit::fsm::mirror::{At, Change, Move, Order, Peer, Step, Todo};
use safekit::fsm::state::{Readiness, Role};
use std::collections::BTreeMap;

#[derive(Default)]
pub struct Check {
    /// What was found first.
    pub violation: Option<String>,
    pub written: Content,
    /// What clients were told last of each page: a takeover must hold it, or what came later.
    acked: BTreeMap<Page, Content>,
    /// The same without what a primary lost with its power, which only its secondary can save.
    firm: BTreeMap<Page, Content>,
    /// Two primaries are no violation until then.
    pub exempt_until: u64,
    /// An operator forced a start that the peer could not be told of: lost writes are his.
    pub blind: bool,
    /// When the network healed under two primaries.
    pub split_at: Option<u64>,
    /// When each control plane got a heartbeat last.
    pub heard: [u64; 2],
    /// How often each thing happened, to see that a run meant something.
    pub takeovers: u64,
    pub splits: u64,
    pub reintegrations: u64,
}

impl Check {
    pub fn bad(&mut self, what: &str) {
        if self.violation.is_none() {
            self.violation = Some(what.to_owned());
        }
    }

    /// I2, at the moment a promotion is decided: the record to be stored says *up* anew.
    pub fn promotion(&mut self, profile: Profile, nodes: &mut [Node; 2], x: usize, out: &Step, now: u64) {
        let At::Moving(m) = &out.state.at else { return };
        let Some((id, Some(record))) = &m.awaited else { return };
        let promoting = m.todo(profile.data).get(usize::from(m.at)) == Some(&Todo::Store(Change::Promoted));
        if !promoting || record.flag != Flag::Up || nodes[x].awaits(*id) {
            return;
        }
        self.takeovers += 1;
        let store = &mut nodes[x].store;
        let ordered = out.state.order == Some(Order::Prim);
        if ordered && out.state.peer == Peer::Silent {
            self.blind = true;
            self.exempt_until = now + 60_000;
        }
        // `primforce` is the operator's word that it is whole.
        store.mixed &= !(ordered && out.state.fullsync);
        if store.mixed {
            self.bad("I2: a node becomes primary with data that is not whole");
        }
        let needed = if m.mv == Move::Takeover { &self.acked } else { &self.firm };
        let missing = needed.iter().any(|(page, content)| store.disk.read(*page) < *content);
        if missing && profile.data && !profile.partitions && !self.blind && !ordered {
            self.bad("I2: a node becomes primary by itself without every acknowledged write");
        }
    }

    /// Clients were told that these are done.
    pub fn answered(&mut self, writes: &[(Page, Content)]) {
        for map in [&mut self.acked, &mut self.firm] {
            for (page, content) in writes {
                let last = map.entry(*page).or_insert(0);
                *last = (*last).max(*content);
            }
        }
    }

    /// This is what clients see from now on.
    pub fn opened(&mut self, disk: &Disk) {
        for (page, content) in &mut self.acked {
            *content = disk.read(*page).min(*content);
        }
        self.firm = self.acked.clone();
    }

    /// The pages of which this disk has what clients were told last.
    pub fn holds(&self, disk: &Disk) -> Vec<(Page, Content)> {
        let held = |(page, content): &(&Page, &Content)| disk.read(**page) >= **content;
        self.firm.iter().filter(held).map(|(page, content)| (*page, *content)).collect()
    }

    /// Of these pages this disk lost what it had, and nobody else has to keep it.
    pub fn lost(&mut self, held: &[(Page, Content)], disk: &Disk) {
        for (page, _) in held {
            if let Some(content) = self.firm.get_mut(page) {
                *content = disk.read(*page).min(*content);
            }
        }
    }
}

impl World {
    /// Time in which a pair comes to rest: scripts and disks included.
    pub fn bound(&self) -> u64 {
        if self.profile.heavy { 45_000 } else { 12_000 }
    }

    /// After every event.
    pub fn verify(&mut self) {
        let [a, b] = &self.nodes;
        for n in &self.nodes {
            if n.power && !n.state.running() && (n.vip || n.app) {
                let what = if n.vip { "the virtual ip is set" } else { "the application runs" };
                let text = format!("S9: {what} on node {} that says it does not run", n.cfg.me);
                self.check.bad(&text);
                return;
            }
        }
        if self.profile.partitions && self.network.parted() {
            self.check.exempt_until = self.now + self.bound();
        }
        let vips = a.serves() && b.serves();
        let apps = a.power && b.power && !a.frozen && !b.frozen && a.app && b.app;
        if (vips || apps) && self.now > self.check.exempt_until {
            self.check.bad(if vips { "I1: two virtual ips" } else { "I1: two applications" });
        }
        self.verify_split();
    }

    /// I5: of two primaries that meet, one steps down in time and the other does not.
    fn verify_split(&mut self) {
        let Some(at) = self.check.split_at else { return };
        let yields =
            |n: &Node| matches!(&n.state.at, At::Moving(m) if m.mv == Move::Halt && m.store.is_some());
        if self.nodes.iter().all(yields) {
            self.check.bad("I5: both primaries step down after the partition");
        }
        match self.nodes.iter().filter(|n| n.serves()).count() {
            2 if self.now > at + self.bound() => {
                self.check.bad("I5: no primary steps down after the partition")
            }
            2 => {}
            _ => {
                self.check.split_at = None;
                self.check.splits += 1;
            }
        }
    }

    /// The pair is whole and both hold the same.
    pub fn whole(&mut self) -> bool {
        let shown = self.nodes.each_ref().map(|n| n.state.shown());
        let prim = (Role::Prim, Readiness::Ready);
        let second = (Role::Second, Readiness::Ready);
        let whole = shown == [prim, second] || shown == [second, prim];
        whole && self.verify_same()
    }

    /// Runs to the end; what was violated, if anything.
    pub fn run(&mut self, fault_ms: u64) -> Option<String> {
        while self.check.violation.is_none() && self.next(fault_ms) {
            self.verify();
        }
        if self.check.violation.is_none() {
            self.recover();
        }
        let end = self.now + 2 * self.bound();
        let mut at = fault_ms.max(self.now);
        while self.check.violation.is_none() && at < end {
            at += 500;
            while self.check.violation.is_none() && self.next(at) {
                self.verify();
            }
            self.tend();
            if self.whole() {
                return self.check.violation.clone();
            }
        }
        self.check.bad("I4: the pair does not come back to PRIM and SECOND");
        self.check.violation.clone()
    }
}
