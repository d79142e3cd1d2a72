//! One round of questions to all nodes on all lans, for `cluster check`.

use super::drops::DropReason;
use super::setup::ClusterSetup;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tokio::sync::oneshot;

/// Unanswered questions are asked again after this time, ms.
const AGAIN_MS: u64 = 300;

/// The question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Question {
    /// Names the round.
    pub nonce: u64,
    /// When it was asked, on the asking node's monotonic clock.
    pub asked_ms: u64,
}

/// The answer; it is sent back on every lan, so that it comes even if a lan works in one direction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Answer {
    pub question: Question,
    /// The lan on which the question came.
    pub lan: usize,
    /// By lan: milliseconds since the asking node was heard there.
    pub heard_ms_ago: Vec<Option<u64>>,
    /// What is being dropped of what comes from the asking node's addresses.
    pub refused: Vec<(DropReason, u64)>,
}

/// One lan between this node and another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LanProbe {
    /// The other node.
    pub node: usize,
    /// The lan, by its place in cluster.xml.
    pub lan: usize,
    /// The other node heard this one there.
    pub there: bool,
    /// This node heard the other one there.
    pub back: bool,
    /// Time from question to answer, ms.
    pub round_trip_ms: Option<u64>,
}

/// Another node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerProbe {
    /// It answered, on any lan.
    pub answered: bool,
    /// How far its clock is ahead of this node's, in milliseconds; half the round trip is taken off.
    pub clock_ahead_ms: Option<i64>,
    /// What it drops now of what comes from this node's addresses, and how many.
    pub refused: Vec<(DropReason, u64)>,
}

/// What a round found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbeReport {
    /// Every lan to every other node on it.
    pub lans: Vec<LanProbe>,
    /// Every other node.
    pub peers: BTreeMap<usize, PeerProbe>,
}

/// A round that goes on.
pub(super) struct Round {
    pub nonce: u64,
    began_ms: u64,
    until_ms: u64,
    next_ms: u64,
    fastest_ms: BTreeMap<usize, u64>,
    report: ProbeReport,
    asker: oneshot::Sender<ProbeReport>,
}

impl Round {
    pub fn new(
        setup: &ClusterSetup,
        nonce: u64,
        now_ms: u64,
        wait_ms: u64,
        asker: oneshot::Sender<ProbeReport>,
    ) -> Self {
        let both_on = |lan: usize, node: usize| {
            let lan = &setup.lans[lan];
            node != setup.me && lan.addrs[node].is_some() && lan.local.is_some()
        };
        let mut report = ProbeReport::default();
        for node in (0..setup.nodes.len()).filter(|node| *node != setup.me) {
            report.peers.insert(node, PeerProbe::default());
            for lan in (0..setup.lans.len()).filter(|lan| both_on(*lan, node)) {
                report.lans.push(LanProbe { node, lan, there: false, back: false, round_trip_ms: None });
            }
        }
        let until_ms = now_ms.saturating_add(wait_ms);
        Round {
            nonce,
            began_ms: now_ms,
            until_ms,
            next_ms: now_ms,
            fastest_ms: BTreeMap::new(),
            report,
            asker,
        }
    }

    /// The question, when it is time to ask, and the lans and nodes that have not answered it.
    pub fn due(&mut self, now_ms: u64) -> Option<(Question, Vec<(usize, usize)>)> {
        if now_ms < self.next_ms {
            return None;
        }
        self.next_ms = now_ms.saturating_add(AGAIN_MS);
        let silent = self.report.lans.iter().filter(|lan| lan.round_trip_ms.is_none());
        let silent = silent.map(|lan| (lan.lan, lan.node)).collect();
        Some((Question { nonce: self.nonce, asked_ms: now_ms }, silent))
    }

    /// Notes an answer of `node` that came in now, sent when its clock was `ahead_ms` before ours.
    pub fn answered(&mut self, node: usize, answer: &Answer, ahead_ms: i64, now_ms: u64) {
        let Some(peer) = self.report.peers.get_mut(&node) else { return };
        let round_trip = now_ms.saturating_sub(answer.question.asked_ms);
        peer.answered = true;
        peer.refused.clone_from(&answer.refused);
        // The faster the answer, the less is unknown about the other clock.
        if self.fastest_ms.get(&node).is_none_or(|fastest| round_trip < *fastest) {
            self.fastest_ms.insert(node, round_trip);
            let half = i64::try_from(round_trip / 2).unwrap_or(i64::MAX);
            peer.clock_ahead_ms = Some(ahead_ms.saturating_add(half));
        }
        let since_begin = now_ms.saturating_sub(self.began_ms);
        for lan in self.report.lans.iter_mut().filter(|lan| lan.node == node) {
            let heard = answer.heard_ms_ago.get(lan.lan).copied().flatten();
            lan.there |= heard.is_some_and(|ago| ago <= since_begin);
            if lan.lan == answer.lan {
                lan.round_trip_ms.get_or_insert(round_trip);
            }
        }
    }

    /// Notes that `node` was heard on `lan`.
    pub fn heard(&mut self, node: usize, lan: usize) {
        for probe in self.report.lans.iter_mut().filter(|probe| probe.node == node && probe.lan == lan) {
            probe.back = true;
        }
    }

    /// Nothing is to be waited for any more.
    pub fn over(&self, now_ms: u64) -> bool {
        let good = |lan: &LanProbe| lan.there && lan.back;
        // Nobody waits for the report any more, or it is complete, or its time is over.
        self.asker.is_closed() || now_ms >= self.until_ms || self.report.lans.iter().all(good)
    }

    /// Gives the report to who asked for it.
    pub fn finish(self) {
        // Fails only if the asker has given up.
        let _gone = self.asker.send(self.report);
    }
}
