//! What to do with the bytes of a file that is on both nodes.

use super::super::beneath::{TreePath, stat_fd};
use super::super::meta::{Entry, Meta, Verdict};
use super::Plan;
use super::shared::Work;
use super::walk::Walk;
use std::io;
use std::os::fd::OwnedFd;

impl Walk<'_> {
    /// `trusted`: what is here was made from what is there.
    pub(super) fn work(&self, path: &TreePath, entry: &Entry, own: &Meta, trusted: bool) -> Work {
        let same = own.same_data(&entry.meta);
        match self.plan {
            // Neither zones nor dates say anything of a node that went its own way.
            Plan::Since(_) | Plan::Zones if self.round == 1 && self.shared.keeps() => Work::Hash,
            Plan::Full if self.shared.was_copied(path, entry) => Work::Hash,
            Plan::Full => Work::Copy,
            Plan::Since(date) if entry.meta.mtime.0 > date => Work::Copy,
            Plan::Since(_) if same => Work::Keep,
            Plan::Zones if trusted => self.zones(entry, own, same),
            Plan::Hash | Plan::Since(_) | Plan::Zones => Work::Hash,
        }
    }

    /// Whether a file here was changed behind the mount, as far as the first round can tell: later ones
    /// meet what this run has changed.
    fn touched(&self, own: &Meta) -> bool {
        self.round == 1 && self.shared.options.settled_at.is_some_and(|at| own.touched_since(at))
    }

    /// Whether a directory may have been moved to its name behind the mount. Both it and the one that
    /// it is in are changed by that.
    pub(super) fn moved_here(&self, dir: &OwnedFd, own: &Meta) -> io::Result<bool> {
        let Some(at) = self.shared.options.settled_at.filter(|_| self.round == 1) else { return Ok(false) };
        Ok(own.ctime >= at && Meta::of(&stat_fd(dir)?).ctime >= at)
    }

    /// What both nodes' zones say together.
    fn zones(&self, entry: &Entry, own: &Meta, same: bool) -> Work {
        let mine = match self.shared.options.own.as_ref().filter(|_| self.round == 1) {
            Some(zones) => Verdict::of(zones, own.key()),
            None => Verdict::Clean,
        };
        match (&entry.verdict, mine) {
            (Verdict::CopyAll, _) => Work::Copy,
            _ if self.touched(own) => Work::Hash,
            (Verdict::HashAll, _) | (_, Verdict::HashAll | Verdict::CopyAll) => Work::Hash,
            (Verdict::Clean, Verdict::Clean) if same => Work::Keep,
            // Neither side knows why they differ.
            (Verdict::Clean, Verdict::Clean) => Work::Hash,
            (Verdict::Clean, Verdict::Zones(zones)) => Work::Zones(zones),
            (Verdict::Zones(zones), Verdict::Clean) => Work::Zones(zones.clone()),
            (Verdict::Zones(zones), Verdict::Zones(mine)) => Work::Zones([zones.clone(), mine].concat()),
        }
    }
}
