//! Which messages of a log somebody wants to see.

use super::{Lang, Level};
use serde::{Deserialize, Serialize};

/// Conditions of messages; without any it takes all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFilter {
    /// Only these levels; all if it is empty.
    pub levels: Vec<Level>,
    /// Only messages that have each word of it in their origin or text, whatever the case.
    pub text: String,
}

impl LogFilter {
    /// It takes every message.
    pub fn is_empty(&self) -> bool {
        self.levels.is_empty() && self.text.is_empty()
    }

    /// The letters of the levels to read; `all`: the verbose ones are among them (MSG-L-03).
    pub fn letters(&self, all: bool) -> String {
        let wanted = |level: &Level| {
            (all || level.is_main()) && (self.levels.is_empty() || self.levels.contains(level))
        };
        Level::ALL.iter().filter(|level| wanted(level)).map(ToString::to_string).collect()
    }

    /// Whether all words are in one of these.
    pub fn has_words(&self, origin: &str, text: &str) -> bool {
        if self.text.is_empty() {
            return true;
        }
        let shown = format!("{origin} {text}").to_lowercase();
        self.text.to_lowercase().split_whitespace().all(|word| shown.contains(word))
    }
}

/// What is read of a log: a page of it.
#[derive(Clone, Debug)]
pub struct LogPage {
    /// Only messages before the one with this id.
    pub before: i64,
    /// The newest so many of them.
    pub count: u32,
    /// Verbose ones too.
    pub all: bool,
    /// Which of them.
    pub filter: LogFilter,
    /// The language in which words are looked for.
    pub lang: Lang,
}
