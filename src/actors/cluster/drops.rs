//! Datagrams that were dropped: counted by peer and reason, told once a minute.

use crate::log::Lang;
use crate::told::{Told, told};
use crate::wire::{Reason, WireError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// A warning is repeated after this time, ms.
const WARN_AGAIN_MS: u64 = 60_000;
/// What was dropped within this time tells how things are now, ms.
const RECENT_MS: u64 = 10_000;

/// Why datagrams were dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DropReason {
    /// Not a datagram of SafeKit.
    NotSafekit,
    /// Of another version of the protocol.
    OtherVersion,
    /// Truncated, or of no known kind.
    Damaged,
    /// The seal is broken: another key, another cluster configuration, or forged.
    OtherKey,
    /// Meant for another use, such as a heartbeat.
    OtherUse,
    /// Under the number of this node.
    OwnNumber,
    /// Authentic, but its content is not understood.
    Content,
    /// A copy, a replay, or overtaken: happens on every network now and then.
    Outdated,
    /// This node had no random number for the answer.
    NoRandom,
}

impl From<&Reason> for DropReason {
    fn from(reason: &Reason) -> Self {
        match reason {
            Reason::Frame(WireError::NotOurs | WireError::TooLong(_)) => DropReason::NotSafekit,
            Reason::Frame(WireError::OtherVersion(_)) => DropReason::OtherVersion,
            Reason::Frame(WireError::TooShort(_) | WireError::UnknownKind(_)) => DropReason::Damaged,
            Reason::Frame(WireError::Content(_) | WireError::Encode(_)) => DropReason::Content,
            Reason::OtherKind => DropReason::OtherUse,
            Reason::Own => DropReason::OwnNumber,
            Reason::Seal => DropReason::OtherKey,
            Reason::Retired(_) | Reason::Duplicate | Reason::Stale | Reason::Handshake => {
                DropReason::Outdated
            }
        }
    }
}

/// Whose port it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// That of the cluster.
    Cluster,
    /// That of the farm of a module.
    Farm,
}

/// Words about a port, in one language.
struct Words {
    /// Whose it is.
    whose: &'static str,
    /// Where it is configured.
    attribute: &'static str,
    /// What its nodes share.
    key: &'static str,
    /// How that is put right.
    again: &'static str,
}

impl Port {
    fn words(self, lang: Lang) -> Words {
        let [whose, attribute, key, again] = match (self, lang) {
            (Port::Cluster, Lang::En) => [
                "the cluster",
                "lans@port in cluster.xml",
                "cluster key or another cluster configuration",
                "deploy the configuration again with safekit -H \"*\" -G",
            ],
            (Port::Cluster, Lang::Fr) => [
                "du cluster",
                "lans@port dans cluster.xml",
                "clé de cluster ou une autre configuration de cluster",
                "déployez de nouveau la configuration par safekit -H \"*\" -G",
            ],
            (Port::Farm, Lang::En) => [
                "this farm",
                "farm@port in userconfig.xml",
                "key or another module of this number",
                "configure the module again on all nodes",
            ],
            (Port::Farm, Lang::Fr) => [
                "de cette ferme",
                "farm@port dans userconfig.xml",
                "clé ou un autre module de ce numéro",
                "configurez de nouveau le module sur tous les nœuds",
            ],
        };
        Words { whose, attribute, key, again }
    }
}

impl DropReason {
    /// What is wrong with `who` and what to do.
    pub fn advice(self, who: &Told, port: Port) -> Told {
        let (words, mots) = (port.words(Lang::En), port.words(Lang::Fr));
        let Words { whose, attribute, key, again } = words;
        let Words { whose: de_qui, attribute: attribut, key: cle, again: de_nouveau } = mots;
        let (en, fr) = (who.of(Lang::En), who.of(Lang::Fr));
        match self {
            DropReason::NotSafekit => told!(
                "{en} sends what is no datagram of SafeKit: another program uses the port of {whose}: change the port \
                 of that program, or {attribute}",
                "{fr} envoie ce qui n'est pas un datagramme de SafeKit : un autre programme utilise le port {de_qui} : \
                 changez le port de ce programme, ou {attribut}"
            ),
            DropReason::OtherVersion => told!(
                "{en} runs another version of SafeKit: install the same version on all nodes",
                "{fr} exécute une autre version de SafeKit : installez la même version sur tous les nœuds"
            ),
            DropReason::Damaged => told!(
                "{en} sends datagrams that arrive truncated: check the network between the nodes: cables, MTU, firewalls",
                "{fr} envoie des datagrammes qui arrivent tronqués : vérifiez le réseau entre les nœuds : câbles, MTU, \
                 pare-feu"
            ),
            DropReason::OtherKey => {
                told!("{en} uses another {key}: {again}", "{fr} utilise une autre {cle} : {de_nouveau}")
            }
            DropReason::OtherUse => told!(
                "{en} sends datagrams of another use to the port of {whose}: give them or {attribute} another port",
                "{fr} envoie des datagrammes d'un autre usage au port {de_qui} : donnez-leur ou donnez à {attribut} un \
                 autre port"
            ),
            DropReason::OwnNumber => told!(
                "{en} uses the number of this node: two machines run as the same node: correct SAFEKIT_NODE or the \
                 addresses in cluster.xml",
                "{fr} utilise le numéro de ce nœud : deux machines s'exécutent comme le même nœud : corrigez SAFEKIT_NODE \
                 ou les adresses dans cluster.xml"
            ),
            DropReason::Content => told!(
                "{en} sends what is not understood: install the same version of SafeKit on all nodes",
                "{fr} envoie ce qui n'est pas compris : installez la même version de SafeKit sur tous les nœuds"
            ),
            DropReason::Outdated => told!(
                "{en} sends copies or outdated datagrams: nothing to do unless they are many: then check the network",
                "{fr} envoie des copies ou des datagrammes périmés : rien à faire sauf s'ils sont nombreux : vérifiez \
                 alors le réseau"
            ),
            DropReason::NoRandom => told!(
                "{en} cannot be answered: this system gives no random numbers: look at its kernel log",
                "{fr} ne peut pas recevoir de réponse : ce système ne donne pas de nombres aléatoires : regardez le \
                 journal de son noyau"
            ),
        }
    }
}

/// Datagrams of one peer that were dropped for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropCount {
    /// The node that has the source address in cluster.xml; none if it is nobody's.
    pub node: Option<usize>,
    /// Where the newest came from.
    pub source: SocketAddr,
    /// Why.
    pub reason: DropReason,
    /// How many.
    pub count: u64,
    /// Milliseconds since the newest.
    pub last_ms_ago: u64,
}

impl DropCount {
    /// It goes on, and something is wrong.
    pub fn matters(&self) -> bool {
        self.reason != DropReason::Outdated && self.last_ms_ago < RECENT_MS
    }
}

#[derive(Debug)]
struct Entry {
    source: SocketAddr,
    count: u64,
    last_ms: u64,
    warned_ms: Option<u64>,
}

/// All counters. Nodes and reasons are few, and all strangers share one node, so it is bounded.
#[derive(Debug, Default)]
pub struct Drops(BTreeMap<(Option<usize>, DropReason), Entry>);

impl Drops {
    /// Counts one. True when it is time to warn.
    pub fn count(
        &mut self,
        node: Option<usize>,
        source: SocketAddr,
        reason: DropReason,
        now_ms: u64,
    ) -> bool {
        let fresh = Entry { source, count: 0, last_ms: now_ms, warned_ms: None };
        let entry = self.0.entry((node, reason)).or_insert(fresh);
        entry.count = entry.count.saturating_add(1);
        (entry.source, entry.last_ms) = (source, now_ms);
        let quiet = entry.warned_ms.is_some_and(|at| now_ms.saturating_sub(at) < WARN_AGAIN_MS);
        if quiet || reason == DropReason::Outdated {
            return false;
        }
        entry.warned_ms = Some(now_ms);
        true
    }

    /// Every counter.
    pub fn all(&self, now_ms: u64) -> Vec<DropCount> {
        let row = |((node, reason), entry): (&(Option<usize>, DropReason), &Entry)| DropCount {
            node: *node,
            source: entry.source,
            reason: *reason,
            count: entry.count,
            last_ms_ago: now_ms.saturating_sub(entry.last_ms),
        };
        self.0.iter().map(row).collect()
    }
}
