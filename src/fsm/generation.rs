//! Data history of a module on a node: generations, and the record that is durable (DESIGN 6).

use serde::{Deserialize, Serialize};

/// A period in which a node went on without its peer. Drawn at random, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Generation {
    /// Random identity.
    pub id: u64,
    /// Index of the node that drew it: the primary of that period.
    pub by: u8,
}

/// The generations that the data of a node went through, oldest first.
///
/// Only the newest [`History::MOST`] are kept: two nodes that have more between them look
/// diverged, which costs a full comparison but never data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct History(Vec<Generation>);

/// How one history stands to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// The same data, up to what is in flight.
    Equal,
    /// The other went on from here: this one is not up to date.
    Ancestor,
    /// This one went on from the other.
    Descendant,
    /// Both went on alone.
    Diverged,
}

impl History {
    /// Generations kept; a heartbeat carries them all.
    pub const MOST: usize = 16;

    /// Identity of the newest generation; 0 for a node that was never synchronized.
    pub fn current(&self) -> u64 {
        self.0.last().map_or(0, |g| g.id)
    }

    /// The same history with one more generation.
    #[must_use]
    pub fn with(&self, g: Generation) -> History {
        let skip = (self.0.len() + 1).saturating_sub(Self::MOST);
        History(self.0.iter().skip(skip).copied().chain([g]).collect())
    }

    /// How this history stands to `other`.
    pub fn relation(&self, other: &History) -> Relation {
        let holds = |h: &History, id: u64| id == 0 || h.0.iter().any(|g| g.id == id);
        if self.current() == other.current() {
            Relation::Equal
        } else if holds(other, self.current()) {
            Relation::Ancestor
        } else if holds(self, other.current()) {
            Relation::Descendant
        } else {
            Relation::Diverged
        }
    }

    /// The newest generation that both hold: its drawer was the primary when they parted.
    pub fn last_common(&self, other: &History) -> Option<Generation> {
        self.0.iter().rev().find(|g| other.0.contains(g)).copied()
    }

    /// Every generation, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = Generation> + '_ {
        self.0.iter().copied()
    }

    /// The history with each identity renamed: for the model, where only equality matters.
    #[must_use]
    pub fn renamed(&self, mut name: impl FnMut(u64) -> u64) -> History {
        History(self.0.iter().map(|g| Generation { id: name(g.id), by: g.by }).collect())
    }
}

/// What the record says of the node's own claim to be up to date (DESIGN 6, S1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Flag {
    /// Not up to date by itself.
    #[default]
    Down,
    /// PRIM of a pair in the current generation: unproven after a crash.
    Paired,
    /// Up to date by itself.
    Up,
}

/// The record of a module on a node: replaced atomically and fsynced before the step that needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Record {
    /// Raised by every promotion and by going alone.
    pub term: u64,
    /// This node drew `term` itself.
    pub holder: bool,
    /// Up to date by itself, unproven, or not.
    pub flag: Flag,
    /// A reintegration was begun and not ended: the data may be inconsistent (ST-41).
    pub reintegrating: bool,
    /// The module was stopped cleanly; false from its start on (MSG-O-03).
    pub clean: bool,
    /// The node was ALONE or PRIM last (ST-52, ST-57).
    pub primary: bool,
    /// The next secondary must be copied in full (ST-43, ST-45).
    pub fullsync: bool,
    /// The generations of the data.
    pub history: History,
}

impl Record {
    /// The record of a module that was just configured: it never ran, so it halted cleanly.
    pub fn first() -> Record {
        Record { clean: true, ..Record::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(ids: &[u64]) -> History {
        ids.iter().fold(History::default(), |h, &id| h.with(Generation { id, by: 0 }))
    }

    #[test]
    fn histories_compare_as_lines_of_descent() {
        assert_eq!(history(&[1, 2]).relation(&history(&[1, 2])), Relation::Equal);
        assert_eq!(history(&[1]).relation(&history(&[1, 2])), Relation::Ancestor);
        assert_eq!(history(&[1, 2]).relation(&history(&[1])), Relation::Descendant);
        assert_eq!(history(&[1, 2]).relation(&history(&[1, 3])), Relation::Diverged);
        assert_eq!(history(&[]).relation(&history(&[7])), Relation::Ancestor);
        assert_eq!(history(&[]).relation(&history(&[])), Relation::Equal);
    }

    #[test]
    fn a_history_is_bounded_and_keeps_the_newest() {
        let h = history(&(1..=100).collect::<Vec<_>>());
        assert_eq!(h.iter().count(), History::MOST);
        assert_eq!(h.current(), 100);
    }

    #[test]
    fn the_last_common_generation_names_the_primary_of_the_pair() {
        let pair = history(&[1]).with(Generation { id: 2, by: 1 });
        let a = pair.with(Generation { id: 3, by: 0 });
        let b = pair.with(Generation { id: 4, by: 1 });
        assert_eq!(a.last_common(&b), Some(Generation { id: 2, by: 1 }));
    }
}
