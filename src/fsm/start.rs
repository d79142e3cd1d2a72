//! Who starts when two nodes meet, and who goes on when two primaries meet (DESIGN 6, S6).

use super::generation::{Flag, Record, Relation};
use super::mirror::{Face, Posture};
use serde::{Deserialize, Serialize};

/// May this node, in WAIT, claim the role of the primary from a peer in WAIT or STOP?
///
/// `data`: the module replicates directories; without, both nodes hold the same and only their rank
/// decides. A peer that its own rules hold back does not stand in the way of an equal.
pub fn may_claim(data: bool, me: u8, mine: &Record, peer: &Face) -> bool {
    if !data {
        return rank(me, mine) > peer_rank(me, peer) || !peer.able || peer.posture == Posture::Stopped;
    }
    let relation = mine.history.relation(&peer.history);
    let proven = mine.flag == Flag::Up || matches!(relation, Relation::Equal | Relation::Descendant);
    if mine.reintegrating || (peer.posture == Posture::Stopped && !proven) {
        return false;
    }
    if peer.reintegrating {
        return true;
    }
    match relation {
        // Nobody was ever synchronized: an operator has to say where the data is (ST-33).
        Relation::Equal if mine.history.current() == 0 => false,
        // It was ALONE in this generation: what it wrote after this node joined or left is not here. Or
        // it was PRIM, and has what this node received and may have lost with its power.
        Relation::Equal if peer.flag > mine.flag => false,
        Relation::Equal if peer.posture == Posture::Stopped => {
            mine.flag == Flag::Up || (rank(me, mine) > peer_rank(me, peer))
        }
        Relation::Equal => rank(me, mine) > peer_rank(me, peer) || !peer.able,
        Relation::Descendant => true,
        Relation::Ancestor => false,
        Relation::Diverged => (mine.term, me == 0) > (peer.term, me != 0),
    }
}

/// Two primaries: does this one go on? (S6; the tie of equal terms goes to the primary of the pair
/// that parted, which is the drawer of the last common generation.)
pub fn stays(me: u8, mine: &Record, peer: &Face) -> bool {
    match mine.history.relation(&peer.history) {
        Relation::Ancestor => false,
        Relation::Descendant => true,
        Relation::Equal => rank(me, mine) > peer_rank(me, peer),
        Relation::Diverged if mine.term != peer.term => mine.term > peer.term,
        Relation::Diverged => match mine.history.last_common(&peer.history) {
            Some(g) => g.by == me,
            None => me == 0,
        },
    }
}

/// Claim against claim: forced first, then the lower node index (S10). True if this one yields.
pub fn yields(me: u8, forced: bool, peer: &Face) -> bool {
    if forced == peer.forced { me != 0 } else { peer.forced }
}

/// The holder of the highest term starts, then the lower index.
fn rank(me: u8, r: &Record) -> (u64, bool, bool) {
    (r.term, r.holder, me == 0)
}

fn peer_rank(me: u8, f: &Face) -> (u64, bool, bool) {
    (f.term, f.holder, me != 0)
}

/// Why the data of a node that becomes secondary is kept before it is overwritten (S6).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Parting {
    /// Both nodes went on alone: a split brain, or a start by `prim` where the data was not the newest.
    Diverged,
    /// This node has all that the primary has and went on from it.
    Overruled,
}

/// A node may hold what nobody else has, and is to be made equal to the primary.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
pub struct Rescue {
    /// Why.
    pub why: Parting,
    /// Newest generation of this node.
    pub from: u64,
    /// Its term.
    pub from_term: u64,
    /// Newest generation of the primary.
    pub to: u64,
    /// Its term.
    pub to_term: u64,
}

/// Whether the data of this node, which becomes secondary of that peer, is kept first: only if the
/// peer did not go on from it. Of a peer that is not heard any more nothing is known: kept.
pub fn rescue(mine: &Record, peer: Option<&Face>) -> Option<Rescue> {
    let (why, to, to_term) = match peer {
        None => (Parting::Diverged, 0, 0),
        Some(peer) => {
            let why = match mine.history.relation(&peer.history) {
                Relation::Equal | Relation::Ancestor => return None,
                Relation::Diverged => Parting::Diverged,
                Relation::Descendant => Parting::Overruled,
            };
            (why, peer.history.current(), peer.term)
        }
    };
    Some(Rescue { why, from: mine.history.current(), from_term: mine.term, to, to_term })
}

#[cfg(test)]
mod tests {
    use super::super::generation::{Generation, History};
    use super::super::mirror::State;
    use super::*;

    fn record(ids: &[u64], term: u64) -> Record {
        let history = ids.iter().fold(History::default(), |h, &id| h.with(Generation { id, by: 0 }));
        Record { history, term, ..Record::first() }
    }

    #[test]
    fn only_what_nobody_else_may_have_is_rescued() {
        let face = |ids: &[u64]| State::stopped(record(ids, 5), true, 1).face();
        let why = |mine: &[u64], peer: &[u64]| rescue(&record(mine, 4), Some(&face(peer))).map(|r| r.why);
        assert_eq!(why(&[1, 2], &[1, 3]), Some(Parting::Diverged));
        assert_eq!(why(&[1, 2, 3], &[1, 2]), Some(Parting::Overruled));
        for (mine, peer) in [(&[1, 2][..], &[1, 2][..]), (&[1], &[1, 2]), (&[], &[7]), (&[], &[])] {
            assert_eq!(why(mine, peer), None, "{mine:?} {peer:?}");
        }
        let found = rescue(&record(&[1, 2], 4), Some(&face(&[1, 3])));
        let wanted = Rescue { why: Parting::Diverged, from: 2, from_term: 4, to: 3, to_term: 5 };
        assert_eq!(found, Some(wanted));
        assert_eq!(rescue(&record(&[1], 4), None).map(|r| r.to), Some(0), "of whom nothing is known");
    }
}
