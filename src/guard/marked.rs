//! A module's processes where no control group can be written: found by a mark in their environment.
//!
//! Limit: a process that cleared its environment is found only while the process that started it, or
//! the leader of its session, is still there and marked.

use super::cgroup::GroupError;
use crate::ids::ModuleName;
use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io, process};

/// Variable that carries the mark.
pub(super) const VARIABLE: &str = "SAFEKIT_MARK";

/// The mark of `module`, kept in `<run>/mark.<module>` so that a restarted safeadmin and the guard
/// search for the same one; the random part tells apart nodes that share one machine.
pub(super) fn open(module: &ModuleName, run: &Path) -> Result<String, GroupError> {
    let path = run.join(format!("mark.{module}"));
    match fs::read_to_string(&path) {
        Ok(mark) if mark.len() > module.as_str().len() + 1 => return Ok(mark),
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(GroupError::of("read", &path)(e)),
        _ => {}
    }
    let mut random = [0u8; 8];
    let no_random =
        |e: getrandom::Error| GroupError::of("draw a mark for", &path)(io::Error::other(e.to_string()));
    getrandom::fill(&mut random).map_err(no_random)?;
    let mark = format!("{module}:{:016x}", u64::from_le_bytes(random));
    let new = run.join(format!("mark.{module}.new"));
    fs::write(&new, &mark).map_err(GroupError::of("write", &new))?;
    fs::rename(&new, &path).map_err(GroupError::of("rename to", &path))?;
    Ok(mark)
}

struct Process {
    pid: i32,
    parent: i32,
    session: i32,
    marked: bool,
}

/// Living processes that carry `mark`, what descends from them, and the sessions that they lead.
pub(super) fn members(mark: &str) -> Result<Vec<i32>, GroupError> {
    let proc = Path::new("/proc");
    let entries = fs::read_dir(proc).map_err(GroupError::of("list", proc))?;
    let wanted = format!("{VARIABLE}={mark}");
    let me = process::id().cast_signed();
    let all: Vec<Process> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| *pid != me)
        .filter_map(|pid| look(pid, wanted.as_bytes()))
        .collect();
    let mut ours: BTreeSet<i32> = all.iter().filter(|p| p.marked).map(|p| p.pid).collect();
    loop {
        let before = ours.len();
        let found = all.iter().filter(|p| ours.contains(&p.parent) || ours.contains(&p.session));
        let found: Vec<i32> = found.map(|p| p.pid).collect();
        ours.extend(found);
        if ours.len() == before {
            return Ok(ours.into_iter().collect());
        }
    }
}

/// One process, none if it has ended meanwhile or is only waiting to be reaped.
fn look(pid: i32, wanted: &[u8]) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (state, parent, session) = parse_stat(&stat)?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let marked = environ.split(|b| *b == 0).any(|variable| variable == wanted);
    Some(Process { pid, parent, session, marked })
}

/// State, parent and session from /proc/PID/stat. The command's name, in parentheses, may itself
/// contain spaces and parentheses: fields count from the last closing one.
fn parse_stat(stat: &str) -> Option<(&str, i32, i32)> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    let session = fields.nth(1)?.parse().ok()?;
    Some((state, parent, session))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_with_a_hostile_name() {
        assert_eq!(parse_stat("7 (a) S 1 (b)) R 3 4 5 0"), Some(("R", 3, 5)));
        assert_eq!(parse_stat("7 (cut"), None);
        assert_eq!(parse_stat("7 (x) S 1"), None);
    }

    #[test]
    fn a_mark_is_kept() {
        let run = tempfile::tempdir().unwrap();
        let (one, two) = ("one".parse().unwrap(), "two".parse().unwrap());
        let mark = open(&one, run.path()).unwrap();
        assert!(mark.starts_with("one:"), "{mark}");
        assert_eq!(open(&one, run.path()).unwrap(), mark);
        assert_ne!(open(&two, run.path()).unwrap().split(':').nth(1), mark.split(':').nth(1));
    }
}
