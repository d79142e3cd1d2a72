//! The walk of a round: lists directories on both nodes, removes and creates entries, and tells the
//! workers which files they have to see to.

use super::super::beneath::{OWN, TreePath, gone, list, open_dir, stat_at, stat_fd};
use super::super::meta::{Entry, Meta, Verdict, digest, xattrs};
use super::bring::attributes;
use super::client::{Client, Page};
use super::links::{Kin, Links, link};
use super::place::{create, discard, fits};
use super::shared::{Job, Shared, Work};
use super::trash::Trash;
use super::{Plan, ResyncError};
use crate::rfs::op::{FileKey, Name};
use crate::rfs::rescue::What;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;

/// Missing files that wait for the end of the walk, when the trash holds all that it will hold.
const MISSING_MOST: usize = 200_000;

/// Whether what is under a name here was made from what is under it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    Yes,
    No,
    /// If that directory was walked in this run.
    IfWalked,
}

pub(super) struct Walk<'a> {
    pub(super) shared: &'a Shared<'a>,
    pub client: Client,
    trash: Trash,
    pub(super) links: Links,
    /// Directories of the primary that are complete here, and which one here they are.
    walked: HashMap<FileKey, u64>,
    pub(super) todo: Vec<(TreePath, Trust)>,
    missing: Vec<(TreePath, Entry)>,
    /// Directories whose attributes are to be set at the end of the round.
    pub(super) dirs: BTreeMap<TreePath, (Meta, u128)>,
    /// What the primary calls files that changed and were not where it said.
    pub(super) owed: BTreeSet<u64>,
    pub(super) round: u32,
    /// What the files of this round are examined for.
    pub(super) plan: Plan,
    pub(super) everything: bool,
}

pub(super) type Jobs = SyncSender<Job>;

impl<'a> Walk<'a> {
    pub fn new(shared: &'a Shared<'a>, client: Client) -> Result<Walk<'a>, ResyncError> {
        let own = TreePath::default().join(OWN);
        Ok(Walk {
            shared,
            client,
            trash: Trash::open(&shared.own).map_err(|e| shared.local(&own, e))?,
            links: Links::default(),
            walked: HashMap::new(),
            todo: Vec::new(),
            missing: Vec::new(),
            dirs: BTreeMap::new(),
            owed: BTreeSet::new(),
            round: 0,
            plan: shared.plan,
            everything: true,
        })
    }

    /// Empties the trash after success; what remains goes with the next run.
    pub fn finish(&mut self) {
        if let Err(e) = self.trash.empty() {
            tracing::warn!("the trash of reintegration cannot be emptied: {e}");
        }
    }

    pub(super) fn visit(&mut self, jobs: &Jobs, path: &TreePath, trust: Trust) -> Result<(), ResyncError> {
        let local = |e| self.shared.local(path, e);
        let mut page = self.client.list(path)?;
        let dir = match open_dir(self.shared.root, path) {
            Err(e) if gone(&e) && page.is_some() => return self.make_up(jobs, path),
            Err(e) if gone(&e) => return Ok(()),
            other => other.map_err(local)?,
        };
        let ino = stat_fd(&dir).map_err(local)?.stx_ino;
        let is_root = path.split().is_none();
        let kept = |n: &Name| self.shared.replicated(&path.join(n.as_bytes()));
        let mut here: VecDeque<Name> = list(&dir, is_root).map_err(local)?.into_iter().filter(kept).collect();
        loop {
            let Some(Page { dir: meta, xattrs, entries, more }) = page else {
                self.shared.retry(path, None);
                return Ok(());
            };
            let trusted = self.trusts(trust, &meta, ino);
            for entry in entries {
                while here.front().is_some_and(|n| n.as_bytes() < entry.name.as_slice()) {
                    self.discard(&dir, path, here.pop_front())?;
                }
                let present = here.front().is_some_and(|n| n.as_bytes() == entry.name.as_slice());
                if present {
                    here.pop_front();
                }
                self.entry(jobs, &dir, path, entry, trusted)?;
            }
            if !more {
                while !here.is_empty() {
                    self.discard(&dir, path, here.pop_front())?;
                }
                self.walked.insert(meta.key(), ino);
                self.dirs.insert(path.clone(), (meta, xattrs));
                return Ok(());
            }
            page = self.client.more()?;
        }
    }

    pub(super) fn trusts(&self, trust: Trust, dir: &Meta, ino: u64) -> bool {
        match trust {
            Trust::Yes => true,
            Trust::No => false,
            Trust::IfWalked => self.walked.get(&dir.key()) == Some(&ino),
        }
    }

    fn discard(&mut self, dir: &OwnedFd, path: &TreePath, name: Option<Name>) -> Result<(), ResyncError> {
        let Some(name) = name else { return Ok(()) };
        let path = path.join(name.as_bytes());
        self.shared.progress.moved();
        self.take_away(dir, &path, What::OnlyHere)
    }

    fn take_away(&mut self, dir: &OwnedFd, path: &TreePath, what: What) -> Result<(), ResyncError> {
        self.shared.keep_tree(path, what)?;
        discard(self.shared, &mut self.trash, dir, path).map_err(|e| self.shared.local(path, e))
    }

    pub(super) fn entry(
        &mut self,
        jobs: &Jobs,
        dir: &OwnedFd,
        dir_path: &TreePath,
        entry: Entry,
        trusted: bool,
    ) -> Result<(), ResyncError> {
        let (path, there) = (dir_path.join(&entry.name), entry.meta.clone());
        let done = self.place(jobs, dir, &path, entry, trusted);
        done.or_else(|e| self.late(&path, Some(&there), e))
    }

    fn own(&self, dir: &OwnedFd, path: &TreePath, name: &[u8]) -> Result<Option<Meta>, ResyncError> {
        match stat_at(dir, name) {
            Ok(s) => Ok(Some(Meta::of(&s))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(self.shared.local(path, e)),
        }
    }

    fn place(
        &mut self,
        jobs: &Jobs,
        dir: &OwnedFd,
        path: &TreePath,
        entry: Entry,
        trusted: bool,
    ) -> Result<(), ResyncError> {
        let local = |e| self.shared.local(path, e);
        let mut own = self.own(dir, path, &entry.name)?;
        if let Some(meta) = &own {
            let keep = fits(dir, meta, &entry).map_err(local)?
                && (entry.meta.is_dir() || self.links.fits(entry.meta.key(), meta));
            if !keep {
                self.take_away(dir, path, What::Changed)?;
                own = None;
            }
        }
        if entry.meta.is_dir() {
            return self.directory(dir, path, &entry, own, trusted);
        }
        if entry.meta.is_file() {
            self.shared.progress.files_known.fetch_add(1, Ordering::Relaxed);
        }
        match self.links.kin(self.shared.root, path, &entry, own.as_ref(), self.round) {
            Kin::Known => return Ok(()),
            Kin::LinkTo(to) => return self.link(jobs, dir, path, entry, own.is_some(), &to),
            Kin::Own => {}
        }
        let Some(own) = own else {
            if entry.meta.is_file() {
                self.missing.push((path.clone(), entry));
                return if self.missing.len() < MISSING_MOST { Ok(()) } else { self.settle_missing(jobs) };
            }
            create(dir, &entry).map_err(local)?;
            self.register(dir, path, &entry)?;
            return self.send(jobs, Job { path: path.clone(), entry, work: Work::Keep });
        };
        self.links.is_now(path, &entry, &own, self.round);
        let work = if entry.meta.is_file() { self.work(path, &entry, &own, trusted) } else { Work::Keep };
        let same = own.same_attrs(&entry.meta)
            && digest(&xattrs(dir, &entry.name, self.shared.options.acl).map_err(local)?) == entry.xattrs;
        if work == Work::Keep && same {
            self.shared.file_done(0);
            return Ok(());
        }
        self.send(jobs, Job { path: path.clone(), entry, work })
    }

    fn send(&self, jobs: &Jobs, job: Job) -> Result<(), ResyncError> {
        if job.work != Work::Keep {
            self.shared.progress.left.fetch_add(job.entry.meta.size, Ordering::Relaxed);
        }
        jobs.send(job).map_err(|_| ResyncError::Cancelled)
    }

    fn directory(
        &mut self,
        dir: &OwnedFd,
        path: &TreePath,
        entry: &Entry,
        own: Option<Meta>,
        trusted: bool,
    ) -> Result<(), ResyncError> {
        let local = |e| self.shared.local(path, e);
        let Some(own) = own else {
            create(dir, entry).map_err(local)?;
            self.todo.push((path.clone(), Trust::No));
            return Ok(());
        };
        let first = self.round == 1;
        let walked = self.walked.get(&entry.meta.key()) == Some(&own.ino);
        let named_here =
            first && self.shared.options.own.as_ref().is_some_and(|z| !z.dirty(own.key()).is_empty());
        let trusted = trusted
            && (walked || first)
            && entry.verdict != Verdict::HashAll
            && !named_here
            && !self.moved_here(dir, &own).map_err(local)?;
        if self.everything || !trusted {
            let trust = if trusted { Trust::Yes } else { Trust::No };
            self.todo.push((path.clone(), trust));
        } else {
            self.dirs.insert(path.clone(), (entry.meta.clone(), entry.xattrs));
        }
        Ok(())
    }

    fn link(
        &mut self,
        jobs: &Jobs,
        dir: &OwnedFd,
        path: &TreePath,
        entry: Entry,
        replace: bool,
        to: &TreePath,
    ) -> Result<(), ResyncError> {
        let key = entry.meta.key();
        if replace {
            self.take_away(dir, path, What::Changed)?;
        }
        link(self.shared.root, to, dir, &entry.name).map_err(|e| self.shared.local(path, e))?;
        self.links.joined(path, key);
        if self.links.is_seen(key, self.round) {
            self.shared.file_done(0);
            return Ok(());
        }
        // It may have changed since its other names were looked at, and no other one may be in this round.
        self.place(jobs, dir, path, entry, false)
    }

    fn register(&mut self, dir: &OwnedFd, path: &TreePath, entry: &Entry) -> Result<(), ResyncError> {
        if let Some(own) = self.own(dir, path, &entry.name)? {
            self.links.is_now(path, entry, &own, self.round);
        }
        Ok(())
    }

    /// Files that are not here: from the trash if they were only renamed.
    pub(super) fn settle_missing(&mut self, jobs: &Jobs) -> Result<(), ResyncError> {
        for (path, entry) in std::mem::take(&mut self.missing) {
            if self.shared.is_over() {
                return Ok(());
            }
            let there = entry.meta.clone();
            self.bring_back(jobs, &path, entry).or_else(|e| self.late(&path, Some(&there), e))?;
        }
        Ok(())
    }

    fn bring_back(&mut self, jobs: &Jobs, path: &TreePath, entry: Entry) -> Result<(), ResyncError> {
        let local = |e| self.shared.local(path, e);
        let Some((parent, name)) = path.split() else { return Ok(()) };
        let dir = open_dir(self.shared.root, &parent).map_err(local)?;
        if self.own(&dir, path, name)?.is_some() {
            return Ok(());
        }
        if let Kin::LinkTo(to) = self.links.kin(self.shared.root, path, &entry, None, self.round) {
            return self.link(jobs, &dir, path, entry, false, &to);
        }
        let (links, key) = (&self.links, entry.meta.key());
        let found = self.trash.take(&entry.meta, |own| links.fits(key, own), &dir, name).map_err(local)?;
        if !found {
            create(&dir, &entry).map_err(local)?;
        }
        self.register(&dir, path, &entry)?;
        let work = if found { Work::Hash } else { Work::Copy };
        self.send(jobs, Job { path: path.clone(), entry, work })
    }

    /// Gives directories their attributes, now that nothing in them changes any more.
    pub fn attributes(&mut self) -> Result<(), ResyncError> {
        for (path, (meta, xattrs)) in std::mem::take(&mut self.dirs) {
            attributes(self.shared, &mut self.client, &path, &meta, xattrs)?;
        }
        Ok(())
    }
}
