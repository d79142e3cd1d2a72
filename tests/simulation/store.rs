//! What the data plane of a node does with its own disk: the marks and the zones of `rfs`, in the order
//! in which `rfs::service` keeps them (docs/adr/0007).

use crate::disk::{Content, Disk, Flash, Page};
use crate::rng::Rng;
use safekit::rfs::op::FileKey;
use safekit::rfs::zones::{Limits, Zones};
use std::collections::VecDeque;
use std::ops::Range;

/// A page is a zone.
const ZONE: u64 = 4096;

/// The end of a stream that a node holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Link {
    #[default]
    None,
    /// Primary: nothing is answered without this session.
    Primary(u64),
    /// Secondary, attached as this session.
    Second(u64),
    Broken,
}

/// What the directories are there for, and in which generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Post {
    Closed,
    Following(u64),
    Writable { generation: u64, full: bool },
}

/// Rules of the data plane that can be switched off.
#[derive(Clone, Copy, Debug, Default)]
pub struct Omits {
    /// S7: what was received is not applied.
    pub drain: bool,
    /// A directory that is opened stays settled.
    pub settled: bool,
    /// Zones are said to be complete though what was written before is not on the disk.
    pub synced: bool,
}

#[derive(Debug)]
pub struct Store {
    pub disk: Disk,
    pub flash: Flash,
    zones: Zones,
    // Durable.
    settled: Option<u64>,
    valid: Option<u64>,
    /// Half copied, or not all that was received could be applied: for the check.
    pub mixed: bool,
    // In memory.
    pub post: Post,
    pub link: Link,
    /// Primary: done here, unanswered.
    pub held: Vec<(Page, Content)>,
    /// Secondary: received and answered, not applied. None: nothing is received.
    pub queue: Option<VecDeque<(Page, Content)>>,
    /// Generation in which the zones began that are complete after the next sync.
    begun: Option<u64>,
    /// What this node was settled at when its reintegration began.
    pub joins_from: u64,
    omits: Omits,
}

fn zones(flash: &Flash) -> Zones {
    Zones::over(Box::new(flash.clone()), ZONE, Limits::default()).expect("memory can be read")
}

fn place((file, page): Page) -> (FileKey, Range<u64>) {
    (FileKey { ino: file, birth: 0 }, page * ZONE..(page + 1) * ZONE)
}

impl Store {
    pub fn new(omits: Omits) -> Store {
        let flash = Flash::default();
        Store {
            disk: Disk::default(),
            zones: zones(&flash),
            flash,
            settled: None,
            valid: None,
            mixed: false,
            post: Post::Closed,
            link: Link::None,
            held: Vec::new(),
            queue: None,
            begun: None,
            joins_from: 0,
            omits,
        }
    }

    pub fn open(&self) -> bool {
        matches!(self.post, Post::Writable { .. })
    }

    /// What is on the disk and in the log of zones remains, in whatever state.
    pub fn power_off(&mut self, rng: &mut Rng) {
        self.disk.power_off(rng);
        self.flash.power_off(rng);
        self.flash.fill(false);
        if rng.percent(5) {
            self.settled = None;
        }
        if rng.percent(5) {
            self.valid = None;
        }
        self.zones = zones(&self.flash);
        (self.post, self.link, self.queue, self.begun) = (Post::Closed, Link::None, None, None);
        self.held.clear();
    }

    /// Marked before it is written.
    pub fn write_alone(&mut self, page: Page, content: Content) {
        self.mark(page);
        self.disk.write(page, content);
    }

    /// Zones that cannot be marked are given up.
    fn mark(&self, page: Page) {
        let (file, range) = place(page);
        self.zones.mark(file, range).expect("a log in memory can be removed");
    }

    /// What a page holds once all that was received is applied.
    pub fn received(&self, page: Page) -> Content {
        let queued = self.queue.iter().flatten().rev().find(|(of, _)| *of == page);
        queued.map_or_else(|| self.disk.read(page), |(_, content)| *content)
    }

    /// Applies up to so many of what was received.
    pub fn apply(&mut self, most: usize) {
        let Some(queue) = &mut self.queue else { return };
        for (page, content) in queue.drain(..most.min(queue.len())) {
            self.disk.write(page, content);
        }
    }

    /// What the threads of the data plane do meanwhile.
    pub fn goes_on(&mut self, rng: &mut Rng) {
        self.apply(rng.range(0, 8) as usize);
        if rng.percent(4) {
            self.disk.sync();
        }
        if rng.percent(20)
            && let Some(from) = self.begun.take()
            && self.zones.base() == Some(from)
            && self.open()
            && self.link == Link::None
        {
            self.validate();
        }
    }

    /// All that was written before the zones began is on the disk: they say everything.
    fn validate(&mut self) {
        let Some(base) = self.zones.base() else { return };
        if !self.omits.synced {
            self.disk.sync();
        }
        self.valid = Some(base);
    }

    /// The zones begin anew, for a peer that holds what this node holds now.
    pub fn begin_zones(&mut self, generation: u64) {
        self.valid = None;
        self.zones.begin(generation).expect("memory can be written");
    }

    /// The directories take modifications.
    pub fn writable(&mut self, generation: u64, full: bool) {
        if let Post::Following(from) = self.post {
            self.begin_zones(from);
            self.validate();
        }
        if !self.omits.settled {
            self.settled = None;
        }
        (self.link, self.queue, self.mixed) = (Link::None, None, false);
        self.post = Post::Writable { generation, full };
    }

    /// Every modification is refused. `whole`: the stream was in step to the end.
    pub fn read_only(&mut self, whole: bool) {
        match self.post {
            Post::Closed => {}
            Post::Following(generation) => {
                if self.queue.is_some() {
                    self.apply(usize::MAX);
                    self.disk.sync();
                    self.settled = Some(generation);
                }
            }
            Post::Writable { generation, .. } => {
                let refused = std::mem::take(&mut self.held);
                refused.iter().for_each(|(page, _)| self.mark(*page));
                if whole && refused.is_empty() {
                    self.disk.sync();
                    self.validate();
                    self.settled = Some(generation);
                }
            }
        }
        (self.post, self.link, self.queue, self.begun) = (Post::Closed, Link::None, None, None);
    }

    /// S7. Err: this node does not follow.
    pub fn drain(&mut self) -> Result<(), String> {
        if self.omits.drain {
            self.queue = self.queue.take().map(|_| VecDeque::new());
        }
        if self.queue.is_none() {
            return Err("it does not follow the primary any more".to_owned());
        }
        self.apply(usize::MAX);
        self.disk.sync();
        (self.queue, self.link) = (None, Link::None);
        Ok(())
    }

    /// Something of what was received cannot be applied.
    pub fn drain_fails(&mut self) {
        self.mixed |= self.queue.take().is_some_and(|q| !q.is_empty());
    }

    pub fn mark_dirty(&mut self) {
        if matches!(self.link, Link::Primary(_)) {
            self.link = Link::Broken;
        }
        self.held.iter().for_each(|(page, _)| self.mark(*page));
    }

    /// S3: what is answered now.
    pub fn release(&mut self, generation: u64) -> Vec<(Page, Content)> {
        self.mark_dirty();
        if let Post::Writable { generation: from, full } = self.post {
            self.begun = Some(from);
            self.post = Post::Writable { generation, full };
        }
        self.link = Link::None;
        std::mem::take(&mut self.held)
    }

    /// A reintegration begins: nothing that was known of this directory holds.
    pub fn joins(&mut self) {
        self.joins_from = self.settled.take().unwrap_or(0);
        self.valid = None;
        self.zones.invalidate().expect("memory can be written");
        (self.post, self.queue, self.mixed) = (Post::Closed, None, true);
    }

    /// Primary: whether this page need not be looked at for a secondary settled at `settled`.
    pub fn may_skip(&self, page: Page, settled: u64) -> bool {
        let full = matches!(self.post, Post::Writable { full: true, .. });
        let known = settled != 0 && self.valid == Some(settled) && self.zones.base() == Some(settled);
        let (file, range) = place(page);
        let zones = range.start / ZONE..range.end / ZONE;
        known && !full && !self.zones.dirty(file).covers(&zones)
    }
}
