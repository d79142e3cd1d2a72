//! The two-phase switch, as each member carries it out: what the leader plans is first prepared, that is,
//! nobody accepts any more what it gives away; when all have said so it is settled.
//!
//! Nothing here rests on time but what is bounded by it: how long connections are kept, how long a new
//! leader asks. That no bucket has two owners follows from the order of orders and reports alone.

use super::lead::Lead;
use super::message::{Body, Phase, Plan, PlanId, Reason, Report, Term};
use crate::fsm::bucket::{Bitmap, Owners, Reach, Share};
use crate::fsm::membership::{Destination, Node};
use std::collections::BTreeSet;
use std::rc::Rc;

/// What a switch has to know of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// This node.
    pub me: Node,
    /// By load balancing group: the power of each node.
    pub powers: Vec<Vec<u32>>,
    /// How long moved connections are kept, ms.
    pub grace_ms: u64,
    /// How long a new leader asks who is there before it plans, ms.
    pub ask_ms: u64,
    /// After which time a filter that failed is tried again, ms.
    pub retry_ms: u64,
}

/// What is known of the members at some moment.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Whom this node follows, or itself.
    pub leader: Option<Node>,
    /// Who is there, by the leader's own knowledge; of no interest on other nodes.
    pub members: &'a BTreeSet<Node>,
    /// Monotonic time.
    pub now_ms: u64,
    /// All members know what each says of itself: where its packets go.
    pub acquainted: bool,
    /// A node with other load balancing groups is heard.
    pub strange: bool,
}

/// What a switch asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// On all lans.
    Send(Destination, Body),
    /// As [`super::Effect::Install`].
    Install(u64, Vec<Share>),
    /// As [`super::Effect::Changed`].
    Changed(BTreeSet<Node>, Vec<usize>),
    /// As [`super::Effect::Fewer`].
    Fewer,
    /// As [`super::Effect::Joined`].
    Joined,
    /// As [`super::Effect::Left`].
    Left,
}

/// The packet filter, as far as this automaton knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Filter {
    /// It carries out the newest order.
    Busy,
    /// It has carried out all orders.
    Done,
    /// The newest order failed; tried again then.
    Failed(u64),
}

/// The switch of one node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Switch {
    pub(super) config: Config,
    pub(super) life: u64,
    /// Terms that this node led.
    pub(super) terms: u64,
    /// The newest plan that was ordered.
    pub(super) plan: Option<Rc<Plan>>,
    /// The highest number of a plan that was seen.
    pub(super) number: u64,
    /// What the filter accepts without a plan: what a former life left there.
    adopted: Vec<Bitmap>,
    pub(super) filter: Filter,
    /// Number of the newest order.
    order: u64,
    /// When connections are kept no more.
    grace_end_ms: Option<u64>,
    /// The leader, and its term by its newest list.
    following: Option<(Node, Term)>,
    pub(super) lead: Option<Lead>,
    leaving: bool,
    /// Nothing more is done.
    left: bool,
    joined: bool,
    told: Option<(BTreeSet<Node>, Vec<usize>)>,
}

impl Switch {
    /// A node that starts. `adopted`: what its filter accepts already, by load balancing group.
    pub fn new(config: Config, life: u64, adopted: Vec<Bitmap>) -> Switch {
        Switch {
            config,
            life,
            terms: 0,
            plan: None,
            number: 0,
            adopted,
            filter: Filter::Done,
            order: 0,
            grace_end_ms: None,
            following: None,
            lead: None,
            leaving: false,
            left: false,
            joined: false,
            told: None,
        }
    }

    /// What was ordered last; none since the start.
    pub fn phase(&self) -> Option<Phase> {
        self.plan.as_ref().map(|plan| plan.phase())
    }

    /// The plan itself.
    pub fn plan(&self) -> Option<&Plan> {
        self.plan.as_deref()
    }

    /// The filter has carried out every order.
    pub fn idle(&self) -> bool {
        self.filter == Filter::Done
    }

    /// This node has handed over.
    pub fn has_left(&self) -> bool {
        self.left
    }

    /// The term of this node, if it leads.
    pub fn term(&self) -> Option<Term> {
        self.lead.as_ref().map(|lead| lead.term)
    }

    /// The leader's list came in.
    pub fn listed(&mut self, leader: Node, term: Term) {
        let overtaken = self
            .following
            .is_some_and(|(node, old)| node == leader && old.life == term.life && old.count > term.count);
        if !overtaken {
            self.following = Some((leader, term));
        }
    }

    /// For the present leader; none while the filter is not known.
    pub fn report(&self) -> Option<Report> {
        let term = self.term().or(self.following.map(|(_, term)| term))?;
        if self.filter != Filter::Done {
            return None;
        }
        let me = self.config.me;
        let (holds, keeps) = match &self.plan {
            Some(plan) => (
                plan.shares().iter().map(|share| share.own(me, Reach::Every)).collect(),
                plan.divisions.iter().map(|division| division.previous.owned_by(me)).collect(),
            ),
            None => (self.adopted.clone(), vec![Bitmap::EMPTY; self.adopted.len()]),
        };
        Some(Report {
            term,
            life: self.short_life(),
            done: self.phase(),
            holds,
            keeps,
            leaving: self.leaving,
        })
    }

    /// A member's report came in.
    ///
    /// # Errors
    /// It changes nothing.
    pub fn reported(&mut self, from: Node, report: Report) -> Result<(), Reason> {
        let groups = self.config.powers.len();
        if report.holds.len() != groups || report.keeps.len() != groups {
            return Err(Reason::Unfit);
        }
        let lead = self.lead.as_mut().filter(|lead| lead.term == report.term).ok_or(Reason::Outdated)?;
        lead.reported(from, report);
        Ok(())
    }

    /// A plan came in.
    ///
    /// # Errors
    /// It changes nothing.
    pub fn planned(&mut self, from: Node, plan: Plan, acts: &mut Vec<Act>) -> Result<(), Reason> {
        let fits = |division: &super::Division| {
            let known = |owners: &Owners| {
                (0..=u8::MAX).all(|bucket| owners.of(bucket).is_none_or(|owner| owner < self.nodes()))
            };
            known(&division.owners) && known(&division.previous)
        };
        if plan.divisions.len() != self.config.powers.len() || !plan.divisions.iter().all(fits) {
            return Err(Reason::Unfit);
        }
        if self.following != Some((from, plan.id.term)) {
            return Err(Reason::NotLeader);
        }
        let alive = plan.partners.get(&self.config.me) == Some(&self.short_life());
        if self.left || !alive || self.phase().is_some_and(|phase| phase >= plan.phase()) {
            return Err(Reason::Outdated);
        }
        self.carry_out(Rc::new(plan), acts);
        Ok(())
    }

    /// Enough to tell the lives of one node apart.
    fn short_life(&self) -> u32 {
        (self.life & u64::from(u32::MAX)) as u32
    }

    /// Nodes of the cluster; 0 without a group, when no plan names any.
    fn nodes(&self) -> usize {
        self.config.powers.first().map_or(0, Vec::len)
    }

    /// Orders a plan.
    pub(super) fn carry_out(&mut self, plan: Rc<Plan>, acts: &mut Vec<Act>) {
        self.number = self.number.max(plan.id.number);
        self.grace_end_ms = None;
        self.plan = Some(plan);
        self.install(acts);
    }

    fn install(&mut self, acts: &mut Vec<Act>) {
        let shares = match &self.plan {
            Some(plan) => plan.shares(),
            None => vec![Share::settled(Owners::NOBODY); self.config.powers.len()],
        };
        self.order += 1;
        self.filter = Filter::Busy;
        acts.push(Act::Install(self.order, shares));
    }

    /// An order was carried out, or not.
    pub fn installed(&mut self, order: u64, done: bool, now_ms: u64, acts: &mut Vec<Act>) {
        if order != self.order || self.filter == Filter::Done {
            return;
        }
        if !done {
            self.filter = Filter::Failed(now_ms.saturating_add(self.config.retry_ms));
            return;
        }
        self.filter = Filter::Done;
        if self.plan.as_ref().is_some_and(|plan| plan.settled && keeps_any(plan)) {
            self.grace_end_ms = Some(now_ms.saturating_add(self.config.grace_ms));
        }
        self.tell_leader(acts);
    }

    /// A report out of turn.
    fn tell_leader(&self, acts: &mut Vec<Act>) {
        if let (None, Some((leader, _)), Some(report)) = (&self.lead, self.following, self.report()) {
            acts.push(Act::Send(Destination::Node(leader), Body::Report(report)));
        }
    }

    /// This node hands over and goes.
    pub fn leave(&mut self, acts: &mut Vec<Act>) {
        if !self.leaving {
            self.leaving = true;
            self.tell_leader(acts);
        }
    }

    /// The wait for the others is over: new clients are refused, connections kept.
    pub fn leave_now(&mut self, acts: &mut Vec<Act>) {
        if self.left {
            return;
        }
        if let Some(plan) = &self.plan {
            let mut alone = Plan { settled: true, members: BTreeSet::new(), ..(**plan).clone() };
            for (division, share) in alone.divisions.iter_mut().zip(plan.shares()) {
                let held = share.own(self.config.me, Reach::One) | division.previous.owned_by(self.config.me);
                division.previous = Owners::new(|b| held.contains(b).then_some(self.config.me));
                division.owners = Owners::NOBODY;
            }
            self.plan = Some(Rc::new(alone));
        }
        self.install(acts);
        self.leaving = true;
        self.left = true;
        acts.push(Act::Left);
    }

    /// This node was given up, or may have been: it accepts nothing before it is told anew, in a new life.
    pub fn withdraw(&mut self, life: u64, acts: &mut Vec<Act>) {
        self.life = life;
        (self.plan, self.grace_end_ms, self.following, self.lead) = (None, None, None, None);
        self.adopted = vec![Bitmap::EMPTY; self.config.powers.len()];
        self.install(acts);
        let nothing = (BTreeSet::from([self.config.me]), vec![0; self.config.powers.len()]);
        if self.told.as_ref().is_some_and(|told| *told != nothing) {
            acts.push(Act::Changed(nothing.0.clone(), nothing.1.clone()));
            self.told = Some(nothing);
        }
    }

    /// Looks at everything again. To be called after each event.
    pub fn look(&mut self, view: &View<'_>, acts: &mut Vec<Act>) {
        if self.left {
            return;
        }
        if view.leader == Some(self.config.me) {
            self.following = None;
            self.conduct(view, acts);
        } else {
            self.lead = None;
            self.following = self.following.filter(|(leader, _)| view.leader == Some(*leader));
        }
        self.pass_time(view.now_ms, acts);
        self.tell(acts);
    }

    fn pass_time(&mut self, now_ms: u64, acts: &mut Vec<Act>) {
        if matches!(self.filter, Filter::Failed(again_ms) if now_ms >= again_ms) {
            self.install(acts);
        }
        if self.grace_end_ms.is_some_and(|end_ms| now_ms >= end_ms) {
            self.grace_end_ms = None;
            if let Some(plan) = &self.plan {
                let mut plan = (**plan).clone();
                plan.divisions.iter_mut().for_each(|division| division.previous = Owners::NOBODY);
                self.plan = Some(Rc::new(plan));
                self.install(acts);
            }
        }
    }

    fn tell(&mut self, acts: &mut Vec<Act>) {
        let (Some(plan), Filter::Done) = (&self.plan, self.filter) else { return };
        if !plan.settled {
            return;
        }
        let me = self.config.me;
        if plan.members.contains(&me) {
            let loads = plan.divisions.iter().map(|division| division.owners.owned_by(me).len()).collect();
            let now = (plan.members.clone(), loads);
            if self.told.as_ref() != Some(&now) {
                acts.push(Act::Changed(now.0.clone(), now.1.clone()));
                if self.told.as_ref().is_some_and(|told| now.0.len() < told.0.len()) {
                    acts.push(Act::Fewer);
                }
                self.told = Some(now);
            }
            if !std::mem::replace(&mut self.joined, true) {
                acts.push(Act::Joined);
            }
        } else if self.leaving && self.handed_over(plan) {
            self.left = true;
            acts.push(Act::Left);
        }
    }

    /// The others hold what this node held: the leader sees to it; a leader that goes must wait for all.
    fn handed_over(&self, plan: &Plan) -> bool {
        match &self.lead {
            Some(lead) => plan.id.term == lead.term && lead.carried_out(plan),
            None => self.following.is_some_and(|(_, term)| term == plan.id.term),
        }
    }

    /// A number for the next plan.
    pub(super) fn next_id(&self, term: Term) -> PlanId {
        let reports = self.lead.iter().flat_map(|lead| lead.reports.values());
        let seen = reports.filter_map(|report| report.done).map(|phase| phase.id.number).max();
        PlanId { number: seen.unwrap_or(0).max(self.number).saturating_add(1), term }
    }
}

/// Connections are kept somewhere.
pub(super) fn keeps_any(plan: &Plan) -> bool {
    plan.divisions.iter().any(|division| division.previous != Owners::NOBODY)
}
