//! What the directory said last of those who are logged in. In memory, bounded.

use crate::control::Access;
use crate::lock::lock;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Most users that are remembered: more than there are sessions. Who is forgotten is searched again.
const MOST: usize = 2048;

/// The role of a user, if he has one; `None` if he is not in the directory.
type Answer = Option<Option<Access>>;

/// What was said of a user.
#[derive(Clone, Copy, Debug)]
struct Last {
    at: Instant,
    /// None: nothing yet.
    answer: Option<Answer>,
}

/// Users by their names.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<HashMap<String, Last>>);

impl Seen {
    /// What was said last, if anything was.
    pub(super) fn find(&self, user: &str) -> Option<Answer> {
        self.all().get(user)?.answer
    }

    /// Whether to search a user now: the last time is `again` ago. Others are told no meanwhile.
    pub(super) fn begin(&self, user: &str, again: Duration) -> bool {
        let mut all = self.all();
        if all.get(user).is_some_and(|last| last.at.elapsed() < again) {
            return false;
        }
        let answer = all.get(user).and_then(|last| last.answer);
        keep(&mut all, user, answer);
        true
    }

    /// Remembers what was said.
    pub(super) fn put(&self, user: &str, answer: Answer) {
        keep(&mut self.all(), user, Some(answer));
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Last>> {
        lock(&self.0)
    }
}

fn keep(all: &mut HashMap<String, Last>, user: &str, answer: Option<Answer>) {
    if all.len() >= MOST && !all.contains_key(user) {
        let oldest = all.iter().min_by_key(|(_, last)| last.at).map(|(user, _)| user.clone());
        oldest.map(|user| all.remove(&user));
    }
    all.insert(user.to_owned(), Last { at: Instant::now(), answer });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_searched_once_at_a_time_and_their_number_is_bounded() {
        let seen = Seen::default();
        let day = Duration::from_secs(86_400);
        assert_eq!(seen.find("boss"), None);
        assert!(seen.begin("boss", day) && !seen.begin("boss", day), "one asks for all");
        assert_eq!(seen.find("boss"), None, "nothing was said yet");
        seen.put("boss", None);
        assert_eq!(seen.find("boss"), Some(None));
        assert!(seen.begin("boss", Duration::ZERO));
        assert_eq!(seen.find("boss"), Some(None), "the last word counts until there is another");
        for n in 0..2 * MOST {
            seen.put(&n.to_string(), Some(Some(Access::Monitor)));
        }
        assert_eq!(seen.all().len(), MOST);
        assert!(seen.begin("boss", day), "who is forgotten is searched again");
    }
}
