//! The leader's half of the switch: it asks who is there and what each holds, plans, and settles.

use super::message::{Body, Division, Phase, Plan, Report, Term};
use super::switch::{Act, Switch, View, keeps_any};
use crate::fsm::balance::share;
use crate::fsm::bucket::Owners;
use crate::fsm::membership::{Destination, Node};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// One term of a leader.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Lead {
    pub term: Term,
    /// Until then it asks; so it knows all before it plans, even if some datagrams are lost.
    ask_until_ms: u64,
    /// The newest report of each member in this term.
    pub reports: BTreeMap<Node, Report>,
    /// Those of nodes that not all members know yet: nobody could pass packets on to them.
    newcomers: BTreeMap<Node, Report>,
    /// Who handed over and went.
    gone: BTreeSet<Node>,
    /// By load balancing group: the one node that may accept a bucket now, the plan's own members apart.
    holders: Vec<Owners>,
}

impl Lead {
    /// Every partner that is still there has carried out the plan.
    pub fn carried_out(&self, plan: &Plan) -> bool {
        self.reports.values().all(|report| has_done(report, plan.phase()))
    }

    /// Members that have not carried it out.
    fn lacking(&self, phase: Phase) -> impl Iterator<Item = Node> {
        self.reports.iter().filter(move |(_, report)| !has_done(report, phase)).map(|(node, _)| *node)
    }

    /// The plan rests on the reports of all members that serve, leave or are new, and on no other.
    fn rests_on(&self, plan: &Plan) -> bool {
        let known = |(node, report): (&Node, &Report)| plan.partners.get(node) == Some(&report.life);
        self.serving() == plan.members && self.reports.iter().all(known)
    }

    /// A member listens to no plan with a lower number than that of its own, which another leader made.
    fn outdone(&self, plan: &Plan) -> bool {
        let newest = self.reports.values().filter_map(|report| report.done).max();
        newest.is_some_and(|done| done.id > plan.id)
    }

    /// The newest report of a member.
    pub fn reported(&mut self, from: Node, report: Report) {
        let known = self.reports.contains_key(&from);
        let reports = if known { &mut self.reports } else { &mut self.newcomers };
        reports.insert(from, report);
    }

    fn forget(&mut self, members: &BTreeSet<Node>) {
        self.newcomers.retain(|node, _| members.contains(node));
        let gone = &mut self.gone;
        self.reports.retain(|node, report| {
            let there = members.contains(node);
            if there {
                gone.remove(node);
            } else if report.leaving {
                gone.insert(*node);
            }
            there
        });
    }

    fn serving(&self) -> BTreeSet<Node> {
        self.reports.iter().filter(|(_, report)| !report.leaving).map(|(node, _)| *node).collect()
    }

    /// Its connections may still live.
    fn lives(&self, node: Node) -> bool {
        self.reports.contains_key(&node) || self.gone.contains(&node)
    }

    /// Who says that it accepts this bucket.
    fn claimants(&self, group: usize, bucket: u8) -> impl Iterator<Item = Node> {
        self.reports
            .iter()
            .filter(move |(_, report)| report.holds[group].contains(bucket))
            .map(|(node, _)| *node)
    }

    fn keeper(&self, group: usize, bucket: u8) -> Option<Node> {
        self.reports.iter().find(|(_, report)| report.keeps[group].contains(bucket)).map(|(node, _)| *node)
    }
}

impl Switch {
    /// The leader looks at everything again.
    pub(super) fn conduct(&mut self, view: &View<'_>, acts: &mut Vec<Act>) {
        let term = self.begin_term(view.now_ms);
        let own = self.report();
        let me = self.config.me;
        let Some(lead) = &mut self.lead else { return };
        lead.forget(view.members);
        // Its own filter is changing: what it holds is not known.
        let Some(own) = own else { return };
        lead.reports.insert(me, own);
        if view.acquainted {
            lead.reports.append(&mut lead.newcomers);
        }
        // Who owns nothing takes nothing beside a node with other groups.
        if view.now_ms < lead.ask_until_ms || (view.strange && self.plan.is_none()) {
            return;
        }
        match self.plan.clone().filter(|plan| plan.id.term == term) {
            None if view.members.iter().all(|node| lead.reports.contains_key(node)) => self.make_plan(acts),
            None => {}
            Some(plan) if !lead.rests_on(&plan) || crashed(lead, &plan) || lead.outdone(&plan) => {
                self.make_plan(acts);
            }
            Some(plan) if !plan.settled && lead.carried_out(&plan) => self.settle(&plan, acts),
            Some(_) => {}
        }
    }

    /// Sends the plan again to members that have not carried it out. To be called with each list.
    pub fn remind(&self, acts: &mut Vec<Act>) {
        let (Some(lead), Some(plan)) = (&self.lead, &self.plan) else { return };
        if plan.id.term != lead.term {
            return;
        }
        let others = lead.lacking(plan.phase()).filter(|node| *node != self.config.me);
        acts.extend(others.map(|node| Act::Send(Destination::Node(node), Body::Plan((**plan).clone()))));
    }

    fn begin_term(&mut self, now_ms: u64) -> Term {
        if let Some(lead) = &self.lead {
            return lead.term;
        }
        self.terms += 1;
        let term = Term { count: self.terms, life: self.life };
        self.lead = Some(Lead {
            term,
            ask_until_ms: now_ms.saturating_add(self.config.ask_ms),
            reports: BTreeMap::new(),
            newcomers: BTreeMap::new(),
            gone: BTreeSet::new(),
            holders: vec![Owners::NOBODY; self.config.powers.len()],
        });
        term
    }

    fn make_plan(&mut self, acts: &mut Vec<Act>) {
        let Some(mut lead) = self.lead.take() else { return };
        let serving = lead.serving();
        let divisions =
            (0..self.config.powers.len()).map(|group| self.divide(&mut lead, group, &serving)).collect();
        let partners = lead.reports.iter().map(|(node, report)| (*node, report.life)).collect();
        let term = lead.term;
        self.lead = Some(lead);
        let mut plan = Plan { id: self.next_id(term), settled: false, members: serving, partners, divisions };
        // Nobody gives anything away: there is nothing to wait for.
        plan.settled = !keeps_any(&plan);
        self.order_plan(plan, acts);
    }

    /// Shares one group anew.
    fn divide(&self, lead: &mut Lead, group: usize, serving: &BTreeSet<Node>) -> Division {
        let holders = &lead.holders[group];
        let held = Owners::new(|bucket| {
            let holder = holders.of(bucket).filter(|node| lead.reports.contains_key(node));
            holder.or_else(|| lead.claimants(group, bucket).next())
        });
        let powers: Vec<u32> = self.config.powers[group]
            .iter()
            .enumerate()
            .map(|(node, power)| if serving.contains(&node) { *power } else { 0 })
            .collect();
        let owners = share(&held, &powers);
        let kept = |bucket| self.plan.as_ref().and_then(|plan| plan.divisions[group].previous.of(bucket));
        let previous = Owners::new(|bucket| {
            let other = |node: &Node| owners.of(bucket) != Some(*node);
            // After a partition several nodes hold it: one of them can keep its connections.
            let claimed = || lead.claimants(group, bucket).find(other);
            let kept = || kept(bucket).filter(|node| lead.lives(*node)).or(lead.keeper(group, bucket));
            held.of(bucket).filter(other).or_else(claimed).or_else(|| kept().filter(other))
        });
        // What nobody held its new owner may accept at once.
        lead.holders[group] = Owners::new(|bucket| held.of(bucket).or(owners.of(bucket)));
        Division { owners, previous }
    }

    fn settle(&mut self, plan: &Plan, acts: &mut Vec<Act>) {
        self.order_plan(Plan { settled: true, ..plan.clone() }, acts);
    }

    fn order_plan(&mut self, plan: Plan, acts: &mut Vec<Act>) {
        if let Some(lead) = self.lead.as_mut().filter(|_| plan.settled) {
            lead.holders = plan.divisions.iter().map(|division| division.owners.clone()).collect();
        }
        acts.push(Act::Send(Destination::All, Body::Plan(plan.clone())));
        self.carry_out(Rc::new(plan), acts);
    }
}

fn has_done(report: &Report, phase: Phase) -> bool {
    report.done.is_some_and(|done| done.id == phase.id && done >= phase)
}

/// Connections are kept for a node that died.
fn crashed(lead: &Lead, plan: &Plan) -> bool {
    plan.divisions.iter().any(|division| {
        (0..=u8::MAX).filter_map(|bucket| division.previous.of(bucket)).any(|node| !lead.lives(node))
    })
}
