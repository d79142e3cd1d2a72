//! Descriptors that outlive the process which gave them (DESIGN 3): a new `rfsbox` goes on with the
//! mounts of one that was killed.

use super::frame::{Answer, Keep, MAX_NAME, Refusal};
use super::table::MAX_MODULES;
use crate::ids::ModuleName;
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

/// Most descriptors of one module: two of each replicated directory, and one of each open file that
/// has no name any more.
pub const MAX_OF_MODULE: usize = 1024;
/// Most descriptors at once. The guard raises its limit of open files to hold them.
pub const MAX_KEPT: usize = 16 * MAX_OF_MODULE;

/// What is kept, by module and name.
#[derive(Debug, Default)]
pub(super) struct Kept {
    modules: BTreeMap<ModuleName, BTreeMap<String, OwnedFd>>,
    total: usize,
}

/// What became of a wish. Descriptors are closed elsewhere: that may take long.
pub(super) struct Outcome {
    /// The answer.
    pub answer: Answer,
    /// Goes with it.
    pub send: Option<OwnedFd>,
    /// Nobody needs these any more.
    pub close: Vec<OwnedFd>,
}

impl From<Answer> for Outcome {
    fn from(answer: Answer) -> Outcome {
        Outcome { answer, send: None, close: Vec::new() }
    }
}

impl Kept {
    /// Carries out a wish of `module`; `fd` came with it.
    pub fn carry_out(&mut self, module: &ModuleName, keep: Keep, fd: Option<OwnedFd>) -> Outcome {
        match (keep, fd) {
            (Keep::Give(name), Some(fd)) => self.give(module, name, fd),
            (Keep::Give(_), None) => Answer::Refused(Refusal::Malformed).into(),
            (Keep::Take(name), fd) => {
                let found = self.modules.get(module).and_then(|kept| kept.get(&name));
                let copy = found.and_then(|found| found.try_clone().ok());
                let answer = if copy.is_some() { Answer::Here } else { Answer::Refused(Refusal::Nothing) };
                Outcome { answer, send: copy, close: fd.into_iter().collect() }
            }
            (Keep::Drop(beginning), fd) => {
                let mut close = self.forget(module, &beginning);
                close.extend(fd);
                Outcome { answer: self.count(module), send: None, close }
            }
            (Keep::Count, fd) => {
                Outcome { answer: self.count(module), send: None, close: fd.into_iter().collect() }
            }
        }
    }

    fn give(&mut self, module: &ModuleName, name: String, fd: OwnedFd) -> Outcome {
        let kept = self.modules.get(module);
        let known = kept.is_some_and(|kept| kept.contains_key(&name));
        let room = kept.map_or(self.modules.len() < MAX_MODULES, |kept| kept.len() < MAX_OF_MODULE)
            && self.total < MAX_KEPT;
        if name.is_empty() || name.len() > MAX_NAME || !(known || room) {
            let answer = Answer::Refused(Refusal::Laden);
            return Outcome { answer, send: None, close: vec![fd] };
        }
        let old = self.modules.entry(module.clone()).or_default().insert(name, fd);
        self.total += usize::from(old.is_none());
        Outcome { answer: self.count(module), send: None, close: old.into_iter().collect() }
    }

    /// Takes out those of a module whose name begins so.
    pub fn forget(&mut self, module: &ModuleName, beginning: &str) -> Vec<OwnedFd> {
        let Some(kept) = self.modules.get_mut(module) else { return Vec::new() };
        let gone: BTreeMap<_, _> = kept.extract_if(.., |name, _| name.starts_with(beginning)).collect();
        if kept.is_empty() {
            self.modules.remove(module);
        }
        self.total -= gone.len();
        gone.into_values().collect()
    }

    fn count(&self, module: &ModuleName) -> Answer {
        let count = self.modules.get(module).map_or(0, BTreeMap::len);
        Answer::Kept(u32::try_from(count).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::resource::{Resource, getrlimit, setrlimit};

    fn fd() -> OwnedFd {
        std::fs::File::open("/dev/null").unwrap().into()
    }

    fn name(module: &str) -> ModuleName {
        module.parse().unwrap()
    }

    fn give(kept: &mut Kept, module: &str, what: &str) -> Answer {
        kept.carry_out(&name(module), Keep::Give(what.to_owned()), Some(fd())).answer
    }

    #[test]
    fn what_is_given_can_be_taken_until_it_is_dropped() {
        let mut kept = Kept::default();
        assert_eq!(give(&mut kept, "a", "0.fuse"), Answer::Kept(1));
        assert_eq!(give(&mut kept, "a", "0.nodes"), Answer::Kept(2));
        assert_eq!(give(&mut kept, "b", "0.fuse"), Answer::Kept(1));
        let again = kept.carry_out(&name("a"), Keep::Give("0.fuse".to_owned()), Some(fd()));
        assert_eq!((again.answer, again.close.len()), (Answer::Kept(2), 1), "the older one is closed");
        for _ in 0..2 {
            let taken = kept.carry_out(&name("a"), Keep::Take("0.fuse".to_owned()), None);
            assert!(taken.answer == Answer::Here && taken.send.is_some());
        }
        let other = kept.carry_out(&name("b"), Keep::Take("0.nodes".to_owned()), None);
        assert_eq!(other.answer, Answer::Refused(Refusal::Nothing));
        let dropped = kept.carry_out(&name("a"), Keep::Drop("0.".to_owned()), None);
        assert_eq!((dropped.answer, dropped.close.len()), (Answer::Kept(0), 2));
        assert_eq!(kept.carry_out(&name("b"), Keep::Count, None).answer, Answer::Kept(1));
    }

    #[test]
    fn number_and_names_are_bounded() {
        let mut kept = Kept::default();
        let laden = Answer::Refused(Refusal::Laden);
        assert_eq!(give(&mut kept, "a", ""), laden);
        assert_eq!(give(&mut kept, "a", &"x".repeat(MAX_NAME + 1)), laden);
        let no_fd = kept.carry_out(&name("a"), Keep::Give("x".to_owned()), None);
        assert_eq!(no_fd.answer, Answer::Refused(Refusal::Malformed));
        let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
        for n in 0..MAX_OF_MODULE {
            assert_eq!(give(&mut kept, "a", &n.to_string()), Answer::Kept(n as u32 + 1));
        }
        assert_eq!(give(&mut kept, "a", "more"), laden);
        assert_eq!(give(&mut kept, "a", "7"), Answer::Kept(MAX_OF_MODULE as u32), "a known one");
        assert_eq!(give(&mut kept, "b", "other"), Answer::Kept(1));
    }
}
