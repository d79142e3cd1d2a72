//! The 256 buckets into which a farm hashes its clients, and who owns them (NET-20, NET-22).

use super::membership::Node;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{BitAnd, BitOr, Sub};

/// Number of buckets, and of the most nodes that can own some.
pub const BUCKETS: usize = 256;

/// A set of buckets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Bitmap([u64; 4]);

impl Bitmap {
    /// None.
    pub const EMPTY: Bitmap = Bitmap([0; 4]);
    /// Each.
    pub const ALL: Bitmap = Bitmap([u64::MAX; 4]);

    /// Whether it has this bucket.
    pub fn contains(&self, bucket: u8) -> bool {
        self.0[usize::from(bucket / 64)] & (1 << (bucket % 64)) != 0
    }

    /// Adds a bucket.
    pub fn insert(&mut self, bucket: u8) {
        self.0[usize::from(bucket / 64)] |= 1 << (bucket % 64);
    }

    /// How many it has.
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        *self == Bitmap::EMPTY
    }

    /// Its buckets, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u8> + '_ {
        (0..=u8::MAX).filter(|bucket| self.contains(*bucket))
    }
}

impl FromIterator<u8> for Bitmap {
    fn from_iter<I: IntoIterator<Item = u8>>(buckets: I) -> Self {
        let mut map = Bitmap::EMPTY;
        buckets.into_iter().for_each(|bucket| map.insert(bucket));
        map
    }
}

impl BitAnd for Bitmap {
    type Output = Bitmap;

    fn bitand(self, other: Bitmap) -> Bitmap {
        Bitmap(std::array::from_fn(|n| self.0[n] & other.0[n]))
    }
}

impl BitOr for Bitmap {
    type Output = Bitmap;

    fn bitor(self, other: Bitmap) -> Bitmap {
        Bitmap(std::array::from_fn(|n| self.0[n] | other.0[n]))
    }
}

/// What is in the first and not in the second.
impl Sub for Bitmap {
    type Output = Bitmap;

    fn sub(self, other: Bitmap) -> Bitmap {
        Bitmap(std::array::from_fn(|n| self.0[n] & !other.0[n]))
    }
}

/// As `vip_if_ctrl -l` prints it: eight words, bucket 0 is the lowest bit of the last (NET-40).
impl fmt::Display for Bitmap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, word) in self.0.iter().rev().enumerate() {
            let colon = if n == 0 { "" } else { ":" };
            write!(f, "{colon}{:08x}:{:08x}", word >> 32, word & u64::from(u32::MAX))?;
        }
        Ok(())
    }
}

/// The owner of each bucket; nobody while no node with a weight is there.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "Vec<u8>", try_from = "Vec<u8>")]
pub struct Owners([u16; BUCKETS]);

/// In place of an owner.
const NOBODY: u16 = u16::MAX;

impl Owners {
    /// Nobody owns any.
    pub const NOBODY: Owners = Owners([NOBODY; BUCKETS]);

    /// From the owner of each bucket.
    pub fn new(owner: impl FnMut(u8) -> Option<Node>) -> Owners {
        let mut owners = Owners::NOBODY;
        for (place, owner) in owners.0.iter_mut().zip((0..=u8::MAX).map(owner)) {
            // No cluster is as large as not to fit.
            *place = owner.and_then(|node| u16::try_from(node).ok()).unwrap_or(NOBODY);
        }
        owners
    }

    /// Who owns a bucket.
    pub fn of(&self, bucket: u8) -> Option<Node> {
        Some(self.0[usize::from(bucket)]).filter(|owner| *owner != NOBODY).map(Node::from)
    }

    /// The buckets of a node.
    pub fn owned_by(&self, node: Node) -> Bitmap {
        (0..=u8::MAX).filter(|bucket| self.of(*bucket) == Some(node)).collect()
    }
}

/// What cannot be the owners of all buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} bytes do not name the owners of {BUCKETS} buckets")]
pub struct BadOwners(usize);

/// On the wire: a byte for each bucket, or, if that is shorter, its length less 1 and a byte for each run
/// of equal owners. The number of a node on the wire is below 255, which stands for nobody.
impl From<Owners> for Vec<u8> {
    fn from(owners: Owners) -> Vec<u8> {
        let byte = |owner: u16| u8::try_from(owner).unwrap_or(u8::MAX);
        let runs: Vec<u8> = owners
            .0
            .chunk_by(|a, b| a == b)
            // A run has 1 to 256 buckets.
            .flat_map(|run| [(run.len() - 1) as u8, byte(run[0])])
            .collect();
        if runs.len() < BUCKETS { runs } else { owners.0.map(byte).to_vec() }
    }
}

impl TryFrom<Vec<u8>> for Owners {
    type Error = BadOwners;

    fn try_from(bytes: Vec<u8>) -> Result<Owners, BadOwners> {
        let bad = BadOwners(bytes.len());
        let all: Vec<u8> = if bytes.len() == BUCKETS {
            bytes
        } else {
            let (runs, rest) = bytes.as_chunks::<2>();
            let length: usize = runs.iter().map(|[length, _]| usize::from(*length) + 1).sum();
            if length != BUCKETS || !rest.is_empty() {
                return Err(bad);
            }
            runs.iter()
                .flat_map(|[length, owner]| std::iter::repeat_n(*owner, usize::from(*length) + 1))
                .collect()
        };
        Ok(Owners::new(|b| Some(all[usize::from(b)]).filter(|owner| *owner != u8::MAX).map(Node::from)))
    }
}

/// By run of equal owners: a list of 256 says little.
impl fmt::Debug for Owners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for run in self.0.chunk_by(|a, b| a == b).scan(0, |at, run| {
            *at += run.len();
            Some((*at - run.len(), run))
        }) {
            let owner = run.1[0];
            map.entry(&run.0, &if owner == NOBODY { -1 } else { i32::from(owner) });
        }
        map.finish()
    }
}

/// How packets reach the nodes of a farm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// Each packet reaches every node (`vmac_invisible`): while owners change, who is not sure is silent.
    Every,
    /// Each packet reaches one node, which passes it on (`vmac_directed`): while owners change, the old
    /// and the new owner both accept what is passed on to them.
    One,
}

/// Who owns the clients of one load balancing group, during a change as well (the two-phase switch).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Share {
    /// The owners, the new ones during a change.
    pub owners: Owners,
    /// Owner before, of buckets that moved less than the grace time ago from a node that lives; nobody
    /// of all others. Their established connections stay where they are.
    pub previous: Owners,
    /// Not all nodes know of the change yet.
    pub changing: bool,
}

impl Share {
    /// A share that has not changed of late.
    pub fn settled(owners: Owners) -> Share {
        Share { owners, previous: Owners::NOBODY, changing: false }
    }

    /// Buckets of which `me` accepts every packet.
    pub fn own(&self, me: Node, reach: Reach) -> Bitmap {
        let accepts = |bucket: &u8| {
            let (new, old) = (self.owners.of(*bucket) == Some(me), self.previous.of(*bucket));
            match (self.changing, reach) {
                (false, _) => new,
                (true, Reach::Every) => new && old.is_none_or(|old| old == me),
                (true, Reach::One) => new || old == Some(me),
            }
        };
        (0..=u8::MAX).filter(accepts).collect()
    }

    /// Buckets of which `me` takes the packets that come from clients, not from another node.
    pub fn taken(&self, me: Node, reach: Reach) -> Bitmap {
        match reach {
            Reach::Every => self.own(me, reach),
            Reach::One => (0..=u8::MAX).filter(|bucket| self.server(*bucket) == Some(me)).collect(),
        }
    }

    /// To whom the first packets of a connection are passed on. While not all nodes know of a change, this
    /// is the old owner: the new one would have connections that the old one does not know to be silent
    /// about.
    pub fn server(&self, bucket: u8) -> Option<Node> {
        self.previous.of(bucket).filter(|_| self.changing).or(self.owners.of(bucket))
    }

    /// Buckets of which a node looks whether it has the connection before it refuses or passes on. They may
    /// have moved more than once of late, so every node looks.
    pub fn moved(&self) -> Bitmap {
        (0..=u8::MAX).filter(|bucket| self.previous.of(*bucket).is_some()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bitmap_is_printed_as_the_guide_does() {
        let low: Bitmap = (0..128).collect();
        let high: Bitmap = (128..=255).collect();
        assert_eq!(
            low.to_string(),
            "00000000:00000000:00000000:00000000:ffffffff:ffffffff:ffffffff:ffffffff"
        );
        assert_eq!(
            high.to_string(),
            "ffffffff:ffffffff:ffffffff:ffffffff:00000000:00000000:00000000:00000000"
        );
        assert_eq!(Bitmap::from_iter([0, 32, 255]).to_string().matches(':').count(), 7);
        assert!(Bitmap::from_iter([0]).to_string().ends_with(":00000001"));
        assert!(Bitmap::from_iter([33]).to_string().ends_with(":00000002:00000000"));
        assert_eq!((low | high, low & high), (Bitmap::ALL, Bitmap::EMPTY));
        assert_eq!((low.len(), high.iter().next(), low.is_empty()), (128, Some(128), false));
    }

    #[test]
    fn owners_travel_in_256_bytes_at_most() {
        let all = [
            Owners::NOBODY,
            Owners::new(|b| Some(usize::from(b >= 128))),
            Owners::new(|b| (b % 3 > 0).then_some(usize::from(b % 5))),
            Owners::new(|b| Some(usize::from(b % 63))),
        ];
        let lengths = all.map(|owners| {
            let bytes = Vec::<u8>::from(owners.clone());
            let length = bytes.len();
            assert_eq!(Owners::try_from(bytes), Ok(owners));
            length
        });
        assert_eq!(lengths, [2, 4, 256, 256]);
        for bad in [vec![], vec![255], vec![254, 0], vec![255, 0, 0, 0], vec![255, 0, 7], vec![0; 255]] {
            assert_eq!(Owners::try_from(bad.clone()), Err(BadOwners(bad.len())));
        }
    }

    /// Bucket 0 stays at node 0, 1 moves from 0 to 1, 2 came to 1 from a dead node.
    fn share(changing: bool) -> Share {
        let owners = Owners::new(|b| (b < 3).then_some(usize::from(b > 0)));
        Share { owners, previous: Owners::new(|b| (b == 1).then_some(0)), changing }
    }

    #[test]
    fn nobody_answers_twice_where_packets_reach_all() {
        let own = |changing, me| share(changing).own(me, Reach::Every).iter().collect::<Vec<_>>();
        assert_eq!((own(true, 0), own(true, 1)), (vec![0], vec![2]));
        assert_eq!((own(false, 0), own(false, 1)), (vec![0], vec![1, 2]));
    }

    #[test]
    fn somebody_answers_always_where_packets_reach_one() {
        let own = |changing, me| share(changing).own(me, Reach::One).iter().collect::<Vec<_>>();
        assert_eq!((own(true, 0), own(true, 1)), (vec![0, 1], vec![1, 2]));
        assert_eq!((own(false, 0), own(false, 1)), (vec![0], vec![1, 2]));
    }

    #[test]
    fn connections_are_looked_for_where_they_can_be() {
        assert_eq!(share(false).moved().iter().collect::<Vec<_>>(), [1]);
        assert_eq!(Share::settled(share(false).owners).moved(), Bitmap::EMPTY);
    }

    #[test]
    fn clients_are_taken_by_one_node_in_each_phase() {
        for (changing, first) in [(true, vec![0, 1]), (false, vec![0])] {
            let taken = |me| share(changing).taken(me, Reach::One);
            assert_eq!(taken(0).iter().collect::<Vec<_>>(), first);
            assert_eq!((taken(0) & taken(1), taken(0) | taken(1)), (Bitmap::EMPTY, (0..3).collect()));
            assert_eq!(share(changing).taken(1, Reach::Every), share(changing).own(1, Reach::Every));
        }
    }
}
