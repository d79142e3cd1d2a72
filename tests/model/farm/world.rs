//! Nodes of a farm that run the real switch. Time is not modelled: who leads and who is a member changes
//! in any order that the membership allows, messages are lost, delayed and overtaken as they like.

use super::Fault;
use safekit::fsm::bucket::{Bitmap, Owners, Reach, Share};
use safekit::fsm::group::switch::{Act, Config, Switch, View};
use safekit::fsm::group::{Body, Destination};
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

/// Messages under way; what is more is lost.
const MOST_FLYING: usize = 4;
/// While a leader asks, and after that.
const ASKING: u64 = 0;
const ASKED: u64 = 10;

#[derive(Clone, Hash)]
pub struct Machine {
    /// None without power.
    pub switch: Option<Switch>,
    pub filter: Rc<Vec<Share>>,
    /// The order that the filter has not carried out.
    order: Option<(u64, Rc<Vec<Share>>)>,
    /// Whom it follows, or itself.
    pub leader: Option<usize>,
    members: BTreeSet<usize>,
    asked: bool,
    /// It stands still.
    pub hung: bool,
    /// The guard has withdrawn it.
    fenced: bool,
    leaving: bool,
}

#[derive(Clone, Hash)]
pub struct World {
    pub n: Vec<Machine>,
    flying: BTreeSet<(usize, usize, u64)>,
    /// Node 0 is separated from all others.
    pub cut: bool,
    /// Two nodes may hold the same.
    pub parted: bool,
    /// Faults and orders that may still happen.
    pub left: u8,
}

/// Contents of messages, by their hash: worlds share them.
pub type Bodies = std::collections::HashMap<u64, Rc<Body>>;

pub fn first(nodes: usize, left: u8) -> World {
    let machine = |me| Machine {
        switch: Some(fresh(me, nodes, 1, Bitmap::EMPTY)),
        filter: nothing(),
        order: None,
        leader: None,
        members: BTreeSet::from([me]),
        asked: false,
        hung: false,
        fenced: false,
        leaving: false,
    };
    World { n: (0..nodes).map(machine).collect(), flying: BTreeSet::new(), cut: false, parted: false, left }
}

fn nothing() -> Rc<Vec<Share>> {
    Rc::new(vec![Share::settled(Owners::NOBODY)])
}

fn fresh(me: usize, nodes: usize, life: u64, adopted: Bitmap) -> Switch {
    let config =
        Config { me, powers: vec![vec![1; nodes]], grace_ms: u64::MAX, ask_ms: ASKED, retry_ms: u64::MAX };
    Switch::new(config, life * 10 + me as u64, vec![adopted])
}

impl World {
    pub fn print(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }

    pub fn accepts(&self, x: usize) -> Bitmap {
        self.n[x].filter[0].own(x, Reach::Every)
    }

    pub fn exclusive(&self) -> bool {
        let mut seen = Bitmap::EMPTY;
        (0..self.n.len()).all(|x| {
            let free = (seen & self.accepts(x)).is_empty();
            seen = seen | self.accepts(x);
            free
        })
    }

    fn separated(&self, x: usize, y: usize) -> bool {
        self.cut && (x == 0) != (y == 0)
    }

    fn runs(&self, x: usize) -> bool {
        self.n[x].switch.as_ref().is_some_and(|switch| !switch.has_left()) && !self.n[x].hung
    }

    fn leads(&self, x: usize) -> bool {
        self.n[x].leader == Some(x) && self.n[x].switch.as_ref().is_some_and(|switch| !switch.has_left())
    }

    /// Those that serve carry out one settled plan, which gives each bucket to one of them.
    pub fn stable(&self) -> bool {
        let serving: BTreeSet<usize> =
            (0..self.n.len()).filter(|x| self.runs(*x) && !self.n[*x].leaving).collect();
        let all = (0..self.n.len()).fold(Bitmap::EMPTY, |all, x| all | self.accepts(x));
        let plans: BTreeSet<_> =
            serving.iter().map(|x| self.n[*x].switch.as_ref().and_then(Switch::phase)).collect();
        let agreed = plans.len() == 1 && plans.iter().all(|phase| phase.is_some_and(|phase| phase.settled));
        let idle = serving.iter().all(|x| self.n[*x].order.is_none());
        serving.is_empty() || (agreed && idle && self.exclusive() && all == Bitmap::ALL)
    }

    /// One step of a switch, and what it asks for.
    fn act(&mut self, x: usize, bodies: &mut Bodies, step: impl FnOnce(&mut Switch, &mut Vec<Act>)) {
        let mut acts = Vec::new();
        let n = &mut self.n[x];
        let Some(switch) = &mut n.switch else { return };
        step(switch, &mut acts);
        let now_ms = if n.asked { ASKED } else { ASKING };
        switch.look(
            &View { leader: n.leader, members: &n.members, now_ms, acquainted: true, strange: false },
            &mut acts,
        );
        for act in acts {
            match act {
                Act::Install(order, shares) => self.n[x].order = Some((order, Rc::new(shares))),
                Act::Send(to, body) => self.send(x, to, body, bodies),
                Act::Changed(..) | Act::Fewer | Act::Joined | Act::Left => {}
            }
        }
    }

    fn send(&mut self, x: usize, to: Destination, body: Body, bodies: &mut Bodies) {
        let mut hasher = DefaultHasher::new();
        body.hash(&mut hasher);
        let name = hasher.finish();
        bodies.entry(name).or_insert_with(|| Rc::new(body));
        for y in
            (0..self.n.len()).filter(|y| *y != x && (to == Destination::All || to == Destination::Node(*y)))
        {
            if self.flying.len() < MOST_FLYING && !self.separated(x, y) {
                self.flying.insert((y, x, name));
            }
        }
    }

    /// Every world that can follow without a fault.
    pub fn goes_on(&self, bodies: &mut Bodies, out: &mut Vec<(String, World)>, fault: Option<Fault>) {
        for (y, x, name) in &self.flying {
            let mut w = self.clone();
            w.flying.remove(&(*y, *x, *name));
            if w.runs(*y) && !w.separated(*x, *y) {
                w.deliver(*y, *x, &bodies[name].clone(), bodies);
            }
            out.push((format!("{y} receives of {x}"), w));
        }
        for x in (0..self.n.len()).filter(|x| self.runs(*x)) {
            if self.n[x].order.is_some() {
                let mut w = self.clone();
                w.carry_out(x, bodies, fault);
                out.push((format!("{x} installs"), w));
            }
            self.elects(x, bodies, out);
            if self.leads(x) {
                self.manages(x, bodies, out);
            }
        }
        if self.parted && !self.cut && self.stable() {
            let mut w = self.clone();
            w.parted = false;
            out.push(("one farm again".to_owned(), w));
        }
    }

    fn deliver(&mut self, y: usize, x: usize, body: &Body, bodies: &mut Bodies) {
        self.act(y, bodies, |switch, acts| {
            let _refused = match body.clone() {
                Body::Plan(plan) => switch.planned(x, plan, acts),
                Body::Report(report) => switch.reported(x, report),
                Body::List(..) | Body::Answer(..) => Ok(()),
            };
        });
    }

    fn carry_out(&mut self, x: usize, bodies: &mut Bodies, fault: Option<Fault>) {
        let Some((order, shares)) = self.n[x].order.take() else { return };
        self.n[x].filter = match fault {
            Some(Fault::OnePhase) => {
                Rc::new(shares.iter().map(|share| Share { changing: false, ..share.clone() }).collect())
            }
            _ => shares,
        };
        // A node that was fenced and does not know of it: the order is the newest all the same.
        self.act(x, bodies, |switch, acts| switch.installed(order, true, 0, acts));
    }

    /// x leads, or follows a leader that it hears.
    fn elects(&self, x: usize, bodies: &mut Bodies, out: &mut Vec<(String, World)>) {
        let lower = |y: &usize| *y < x && self.leads(*y) && self.runs(*y) && !self.separated(x, *y);
        let lost = self.n[x].leader.is_none_or(|leader| {
            leader > x || !self.leads(leader) || self.separated(x, leader) || self.n[leader].fenced
        });
        if lost && !self.leads(x) && !(0..x).any(|y| lower(&y)) {
            let mut w = self.clone();
            (w.n[x].leader, w.n[x].members, w.n[x].asked) = (Some(x), BTreeSet::from([x]), false);
            w.act(x, bodies, |_, _| {});
            out.push((format!("{x} leads"), w));
        }
        for y in
            (0..self.n.len()).filter(|y| *y != x && self.leads(*y) && self.runs(*y) && !self.separated(x, *y))
        {
            let better =
                self.n[x].leader == Some(y) || (lost && !self.leads(x)) || y < self.n[x].leader.unwrap_or(x);
            let Some(term) = self.n[y].switch.as_ref().and_then(Switch::term).filter(|_| better) else {
                continue;
            };
            let mut w = self.clone();
            w.n[x].leader = Some(y);
            w.act(x, bodies, |switch, _| switch.listed(y, term));
            if let Some(report) = w.n[x].switch.as_ref().and_then(Switch::report) {
                w.send(x, Destination::Node(y), Body::Report(report), bodies);
            }
            w.n[y].members.insert(x);
            out.push((format!("{x} hears {y}"), w));
        }
    }

    /// What a leader does by itself.
    fn manages(&self, x: usize, bodies: &mut Bodies, out: &mut Vec<(String, World)>) {
        let heard = |y: usize| self.n[x].members.contains(&y) || !self.alive(y) || self.separated(x, y);
        if !self.n[x].asked && (0..self.n.len()).all(heard) {
            let mut w = self.clone();
            w.n[x].asked = true;
            w.act(x, bodies, |_, _| {});
            out.push((format!("{x} has asked"), w));
        }
        for y in self.n[x].members.iter().copied().filter(|y| *y != x) {
            if !self.alive(y) || self.separated(x, y) {
                let mut w = self.clone();
                w.n[x].members.remove(&y);
                w.act(x, bodies, |_, _| {});
                out.push((format!("{x} gives up {y}"), w));
            }
        }
        let mut w = self.clone();
        w.act(x, bodies, |switch, acts| switch.remind(acts));
        out.push((format!("{x} reminds"), w));
    }

    /// It is heard, or will be: not even one that stands still is given up before the guard withdrew it.
    fn alive(&self, y: usize) -> bool {
        self.n[y].switch.as_ref().is_some_and(|switch| !switch.has_left()) && !self.n[y].fenced
    }

    /// Every world that can follow by a fault or an order.
    pub fn fails(
        &self,
        bodies: &mut Bodies,
        out: &mut Vec<(String, World)>,
        cuts: bool,
        fault: Option<Fault>,
    ) {
        for x in 0..self.n.len() {
            self.stands_still(x, bodies, out, fault);
            if self.left == 0 {
                continue;
            }
            let mut w = self.clone();
            w.left -= 1;
            let nodes = self.n.len();
            let life = 2 + u64::from(w.left);
            let n = &mut w.n[x];
            (n.order, n.leader, n.members, n.asked) = (None, None, BTreeSet::from([x]), false);
            (n.hung, n.fenced, n.leaving) = (false, false, false);
            let mut off = w.clone();
            if self.n[x].switch.is_some() {
                (off.n[x].switch, off.n[x].filter) = (None, nothing());
                out.push((format!("{x} loses its power"), off));
                w.n[x].switch = Some(fresh(x, nodes, life, self.accepts(x)));
                out.push((format!("{x} is killed and comes back"), w));
            } else {
                w.n[x].switch = Some(fresh(x, nodes, life, Bitmap::EMPTY));
                out.push((format!("{x} starts"), w));
            }
            if self.runs(x) && !self.n[x].leaving {
                let mut w = self.clone();
                w.left -= 1;
                w.n[x].leaving = true;
                w.act(x, bodies, |switch, acts| switch.leave(acts));
                out.push((format!("{x} leaves"), w));
                let mut w = self.clone();
                w.left -= 1;
                w.n[x].hung = true;
                out.push((format!("{x} stands still"), w));
            }
        }
        if cuts && (self.cut || self.left > 0) {
            let mut w = self.clone();
            w.left -= u8::from(!w.cut);
            (w.cut, w.parted) = (!w.cut, true);
            w.flying.retain(|(y, x, _)| !w.cut || (*x == 0) == (*y == 0));
            out.push((if w.cut { "cut" } else { "healed" }.to_owned(), w));
        }
    }

    /// A node that stands still is withdrawn by the guard, or goes on.
    fn stands_still(
        &self,
        x: usize,
        bodies: &mut Bodies,
        out: &mut Vec<(String, World)>,
        fault: Option<Fault>,
    ) {
        if !self.n[x].hung {
            return;
        }
        if !self.n[x].fenced {
            let mut w = self.clone();
            w.n[x].fenced = true;
            if fault != Some(Fault::NoGuard) {
                w.n[x].filter = nothing();
            }
            out.push((format!("the guard withdraws {x}"), w));
        }
        let mut w = self.clone();
        (w.n[x].hung, w.n[x].fenced) = (false, false);
        if self.n[x].fenced && fault != Some(Fault::NoSuspicion) {
            let n = &mut w.n[x];
            (n.leader, n.members, n.asked, n.order) = (None, BTreeSet::from([x]), false, None);
            let drawn = 1000 + u64::from(self.left) * 10 + x as u64;
            let life = if fault == Some(Fault::SameLife) { 10 + x as u64 } else { drawn };
            w.act(x, bodies, |switch, acts| switch.withdraw(life, acts));
        }
        out.push((format!("{x} goes on"), w));
    }
}
