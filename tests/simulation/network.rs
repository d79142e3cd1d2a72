//! Two links between two nodes: loss, delay, duplicates, reordering, and cuts per link and direction.

use crate::rng::Rng;

pub const LINKS: usize = 2;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Heartbeats of the module.
    Beat,
    /// Datagrams of the cluster channel: they only say that the node lives.
    Cluster,
}

pub struct Network {
    pub loss: u64,
    pub duplicates: u64,
    pub delay_most: u64,
    /// `cut[link][from]`.
    pub cut: [[bool; 2]; LINKS],
    /// Heartbeats are filtered though the nodes reach each other.
    pub beats_blocked: bool,
}

impl Network {
    pub fn new() -> Network {
        Network { loss: 0, duplicates: 0, delay_most: 3, cut: [[false; 2]; LINKS], beats_blocked: false }
    }

    /// The copies of a datagram that arrive: link and delay of each.
    pub fn send(&self, rng: &mut Rng, from: usize, kind: Kind) -> Vec<(usize, u64)> {
        let mut out = Vec::new();
        if kind == Kind::Beat && self.beats_blocked {
            return out;
        }
        for link in 0..LINKS {
            if self.cut[link][from] {
                continue;
            }
            let copies = 1 + u64::from(rng.percent(self.duplicates));
            for _ in 0..copies {
                if !rng.percent(self.loss) {
                    out.push((link, rng.range(1, self.delay_most)));
                }
            }
        }
        out
    }

    /// Cuts or joins; `only`: one direction.
    pub fn set(&mut self, link: usize, only: Option<usize>, cut: bool) {
        for from in 0..2 {
            if only.is_none_or(|o| o == from) {
                self.cut[link][from] = cut;
            }
        }
    }

    pub fn heal(&mut self) {
        for link in 0..LINKS {
            self.set(link, None, false);
        }
        self.beats_blocked = false;
    }

    /// In at least one direction no link is left.
    pub fn parted(&self) -> bool {
        (0..2).any(|from| (0..LINKS).all(|link| self.cut[link][from]))
    }

    /// A stream between the nodes gets through in both directions.
    pub fn stream(&self) -> bool {
        !self.parted()
    }

    pub fn any_cut(&self) -> bool {
        self.cut.iter().flatten().any(|c| *c) || self.beats_blocked
    }
}
