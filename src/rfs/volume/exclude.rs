//! What is not replicated (RFS-16).

use crate::rfs::op::Name;
use regex::bytes::{Regex, RegexBuilder};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// Why an exclusion cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ExcludeError {
    /// A path that is not one relative to the replicated directory.
    #[error("{0} is not a path relative to the replicated directory")]
    Path(PathBuf),
    /// A bad regular expression.
    #[error("bad regular expression {0}: {1}")]
    Regex(String, regex::Error),
}

/// Which entries are not replicated: relative paths with all that is below them; entries whose name
/// matches a regular expression, with all that is below them; with `!`, of all but directories only
/// those whose name matches one.
#[derive(Clone, Debug, Default)]
pub struct Exclude {
    paths: Vec<Vec<Name>>,
    not: Vec<Regex>,
    only: Vec<Regex>,
}

impl Exclude {
    /// Exclusions from the `path` and `regexpath` attributes of the configuration.
    pub fn new(paths: &[PathBuf], regexes: &[String]) -> Result<Exclude, ExcludeError> {
        let mut exclude = Exclude::default();
        for path in paths {
            exclude.paths.push(names(path).ok_or_else(|| ExcludeError::Path(path.clone()))?);
        }
        for text in regexes {
            let (list, pattern) = match text.strip_prefix('!') {
                Some(pattern) => (&mut exclude.only, pattern),
                None => (&mut exclude.not, text.as_str()),
            };
            let regex = RegexBuilder::new(pattern).unicode(false).build();
            list.push(regex.map_err(|e| ExcludeError::Regex(text.clone(), e))?);
        }
        Ok(exclude)
    }

    /// Is everything replicated?
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty() && self.not.is_empty() && self.only.is_empty()
    }

    /// Is the entry with this path from the root replicated? `directory`: it is one.
    pub fn replicated(&self, path: &[Name], directory: bool) -> bool {
        let below = self.paths.iter().any(|excluded| path.starts_with(excluded));
        let named = path.iter().any(|name| self.not.iter().any(|r| r.is_match(name.as_bytes())));
        let only = match path.last() {
            Some(name) if !directory && !self.only.is_empty() => {
                self.only.iter().any(|r| r.is_match(name.as_bytes()))
            }
            _ => true,
        };
        !below && !named && only
    }

    /// Is part of what is or would be below this path excluded by its path? Such a directory cannot be
    /// renamed: entries would change from replicated to not replicated.
    pub fn divides(&self, path: &[Name]) -> bool {
        self.paths.iter().any(|excluded| excluded.len() > path.len() && excluded.starts_with(path))
    }
}

fn names(path: &Path) -> Option<Vec<Name>> {
    let parts = path.components().filter(|c| *c != Component::CurDir);
    let names: Option<Vec<Name>> = parts
        .map(|c| match c {
            Component::Normal(n) => Name::new(n.as_bytes()),
            _ => None,
        })
        .collect();
    names.filter(|n| !n.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Vec<Name> {
        text.split('/').map(|n| Name::new(n.as_bytes()).unwrap()).collect()
    }

    fn replicated(e: &Exclude, text: &str) -> bool {
        e.replicated(&path(text), false)
    }

    #[test]
    fn rfs_16_paths_exclude_subtrees() {
        let e = Exclude::new(&["log".into(), "./a/b".into()], &[]).unwrap();
        assert!(!replicated(&e, "log") && !replicated(&e, "log/x") && !replicated(&e, "a/b/c"));
        assert!(replicated(&e, "logs") && replicated(&e, "x/log") && replicated(&e, "a"));
        assert!(e.divides(&path("a")) && !e.divides(&path("a/b")) && !e.divides(&path("x")));
    }

    #[test]
    fn rfs_16_regexes_match_entry_names() {
        let e = Exclude::new(&[], &[r".*\.tmp$".into()]).unwrap();
        assert!(!replicated(&e, "a.tmp") && !replicated(&e, "conf/a.tmp") && !replicated(&e, "d.tmp/x"));
        assert!(replicated(&e, "conf/config.tmp.swap"));
        assert!(!e.replicated(&[Name::new(b"\xff.tmp").unwrap()], false), "names are bytes");
    }

    #[test]
    fn rfs_16_only_those() {
        let e = Exclude::new(&[], &[r"!\.db$".into(), "!^keep$".into(), "x".into()]).unwrap();
        assert!(replicated(&e, "d/a.db") && replicated(&e, "keep") && e.replicated(&path("d"), true));
        assert!(!replicated(&e, "a.txt") && !replicated(&e, "x.db"));
    }

    #[test]
    fn bad_ones_are_refused() {
        assert!(Exclude::new(&["/abs".into()], &[]).is_err());
        assert!(Exclude::new(&["a/../b".into()], &[]).is_err());
        assert!(Exclude::new(&["".into()], &[]).is_err());
        assert!(Exclude::new(&[], &["(".into()]).is_err());
    }
}
