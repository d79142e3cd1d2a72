//! Who starts when two nodes meet, and who goes on when two primaries meet (DESIGN 6, S6).

use super::generation::{Flag, Record, Relation};
use super::mirror::{Face, Posture};

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
        // It was ALONE in this generation: what it wrote after this node joined or left is not here.
        Relation::Equal if peer.flag == Flag::Up && mine.flag != Flag::Up => false,
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
