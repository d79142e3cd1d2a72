//! What a round looks at, and in which order.

use super::super::beneath::{TreePath, gone, open_dir, stat_fd};
use super::super::meta::{Meta, Verdict};
use super::client::Changed;
use super::walk::{Jobs, Trust, Walk};
use super::{Plan, ResyncError};
use std::collections::BTreeMap;
use std::io;

impl Walk<'_> {
    /// One round.
    pub fn round(&mut self, jobs: &Jobs, changed: Changed) -> Result<(), ResyncError> {
        let retries = self.shared.take_retries();
        self.everything = changed.everything;
        self.plan = match self.round {
            0 => self.shared.plan,
            _ if changed.everything => Plan::Hash,
            _ => Plan::Zones,
        };
        self.round += 1;
        if changed.everything {
            let trust = if self.round == 1 { Trust::Yes } else { Trust::No };
            self.todo.push((TreePath::default(), trust));
            self.visit_all(jobs)?;
        }
        let others = retries.files.iter().flat_map(|key| self.links.names(*key));
        let again: Vec<TreePath> = others.chain(retries.paths).collect();
        // Outer directories first, whatever the reason: they create the inner ones.
        let mut paths: BTreeMap<_, _> = changed.dirs.into_iter().map(|d| (d, Trust::IfWalked)).collect();
        paths.extend(again.into_iter().map(|path| (path, Trust::No)));
        for (path, trust) in paths {
            match trust {
                Trust::No => self.examine(jobs, &path, None, trust)?,
                _ => self.todo.push((path, trust)),
            }
            self.visit_all(jobs)?;
        }
        for (id, path) in changed.files {
            self.examine(jobs, &path, Some(id), Trust::IfWalked)?;
            self.visit_all(jobs)?;
        }
        self.settle_missing(jobs)
    }

    /// Whether nothing is left to another round.
    pub fn is_settled(&self) -> bool {
        self.shared.is_settled() && self.owed.is_empty()
    }

    fn visit_all(&mut self, jobs: &Jobs) -> Result<(), ResyncError> {
        while let Some((path, trust)) = self.todo.pop() {
            if self.shared.is_over() {
                return Ok(());
            }
            self.visit(jobs, &path, trust).or_else(|e| self.late(&path, None, e))?;
        }
        Ok(())
    }

    /// What went away here while it was worked upon is left to the next round.
    pub(super) fn late(
        &self,
        path: &TreePath,
        there: Option<&Meta>,
        e: ResyncError,
    ) -> Result<(), ResyncError> {
        match e {
            ResyncError::Local { source, .. } if gone(&source) => {
                self.shared.retry(path, there);
                Ok(())
            }
            e => Err(e),
        }
    }

    /// Looks at one entry that changed; `id`: what the primary calls it.
    fn examine(
        &mut self,
        jobs: &Jobs,
        path: &TreePath,
        id: Option<u64>,
        trust: Trust,
    ) -> Result<(), ResyncError> {
        let Some((parent, xattrs, entry)) = self.client.stat(path, id)? else {
            // That the name is gone is seen when its directory is listed. The file may have others.
            self.owed.extend(id);
            return Ok(());
        };
        let Some((dir_path, name)) = path.split() else {
            self.dirs.insert(path.clone(), (entry.meta, entry.xattrs));
            if trust == Trust::No {
                self.todo.push((path.clone(), trust));
            }
            return Ok(());
        };
        if entry.name != name {
            return Err(ResyncError::Protocol(io::Error::other("another entry than asked for")));
        }
        let looked = open_dir(self.shared.root, &dir_path).and_then(|dir| {
            let ino = stat_fd(&dir)?.stx_ino;
            Ok((dir, ino))
        });
        let (dir, ino) = match looked {
            Err(e) if gone(&e) => return self.make_up(jobs, &dir_path),
            other => other.map_err(|e| self.shared.local(path, e))?,
        };
        if trust == Trust::No || entry.verdict == Verdict::HashAll {
            self.links.look_again(entry.meta.key());
        }
        let trusted = self.trusts(trust, &parent, ino);
        // What is done in it changes its date.
        self.dirs.insert(dir_path.clone(), (parent, xattrs));
        self.entry(jobs, &dir, &dir_path, entry, trusted)
    }

    /// The primary has this directory and this node has not. The outermost one that is missing is looked
    /// at: it is made, and all that is in it follows.
    pub(super) fn make_up(&mut self, jobs: &Jobs, path: &TreePath) -> Result<(), ResyncError> {
        let mut missing = path.clone();
        while let Some((parent, _)) = missing.split() {
            match open_dir(self.shared.root, &parent) {
                Err(e) if gone(&e) => missing = parent,
                other => {
                    other.map_err(|e| self.shared.local(&parent, e))?;
                    break;
                }
            }
        }
        self.examine(jobs, &missing, None, Trust::No)
    }
}
