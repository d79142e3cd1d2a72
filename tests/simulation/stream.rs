//! The data planes of both nodes: who holds which writes, and who waits for whom.

use crate::disk::{Content, Page};
use crate::store::{Link, Post};
use crate::world::{Happening, Planted, World};
use safekit::fsm::mirror::{Effect, Event, Stream};
use std::collections::{BTreeSet, VecDeque};

/// Operations that may wait for an answer.
const HELD_MOST: usize = 16;
/// Files, and pages of each.
const FILES: u64 = 6;
const PAGES: u64 = 4;

impl World {
    /// Both ends of one stream are whole, and it passes.
    fn attached(&self, primary: usize) -> bool {
        let (p, s) = (&self.nodes[primary], &self.nodes[1 - primary]);
        match (p.store.link, s.store.link) {
            (Link::Primary(n), Link::Second(m)) => {
                n == m && p.power && s.power && !p.frozen && !s.frozen && self.network.stream()
            }
            _ => false,
        }
    }

    /// The stream of x does not pass any more.
    pub fn find_broken(&mut self, x: usize) {
        let broken = match self.nodes[x].store.link {
            Link::Primary(_) => !self.attached(x),
            Link::Second(_) => !self.attached(1 - x),
            _ => false,
        };
        if broken {
            self.break_stream(x);
        }
    }

    /// x finds its end of the stream broken; the other end finds it in its own time.
    pub fn break_stream(&mut self, x: usize) {
        let store = &mut self.nodes[x].store;
        match store.link {
            Link::Primary(_) if self.profile.planted == Some(Planted::Release) => {
                store.link = Link::None;
                let held = std::mem::take(&mut store.held);
                self.check.answered(&held);
            }
            Link::Primary(_) | Link::Second(_) => store.link = Link::Broken,
            _ => {}
        }
    }

    /// What the data plane says, if it is news.
    pub fn say_stream(&mut self, x: usize) {
        let n = &self.nodes[x];
        let level = match n.store.link {
            Link::None => Stream::None,
            Link::Primary(n) | Link::Second(n) => Stream::InStep(n),
            Link::Broken => Stream::Broken,
        };
        if self.profile.data && n.up() && n.state.stream != level {
            self.feed(x, Event::Stream(level));
        }
    }

    /// Any page.
    pub fn page(&mut self) -> Page {
        (self.rng.range(0, FILES - 1), self.rng.range(0, PAGES - 1))
    }

    /// A client's write at x: answered when a secondary that is attached has it, too.
    pub fn write_at(&mut self, x: usize) {
        let attached = self.attached(x);
        let page = self.page();
        let [a, b] = &mut self.nodes;
        let (p, s) = if x == 0 { (&mut a.store, &mut b.store) } else { (&mut b.store, &mut a.store) };
        if !p.open() || p.held.len() >= HELD_MOST {
            return;
        }
        self.check.written += 1;
        let content = self.check.written;
        match (p.link, &mut s.queue) {
            (Link::None, _) => {
                p.write_alone(page, content);
                self.check.answered(&[(page, content)]);
            }
            (_, Some(queue)) if attached => {
                p.disk.write(page, content);
                queue.push_back((page, content));
                self.check.answered(&[(page, content)]);
            }
            _ => {
                p.disk.write(page, content);
                p.held.push((page, content));
            }
        }
    }

    /// Somebody changes a file while the module is stopped and its directories are not mounted.
    pub fn edit(&mut self, x: usize) {
        let page = self.page();
        self.check.written += 1;
        let content = self.check.written;
        let disk = &mut self.nodes[x].store.disk;
        disk.write(page, content);
        disk.sync();
        disk.touched.insert(page.0);
        self.say(|| format!("{} page {page:?} is changed by others", ["A", "B"][x]));
    }

    /// Carries out an order. None: not now.
    pub fn order_data(&mut self, x: usize, effect: &Effect) -> Option<Result<(), String>> {
        let whole = self.attached(x);
        let store = &mut self.nodes[x].store;
        match *effect {
            Effect::Writable(_, generation, full) => {
                store.writable(generation, full);
                self.check.opened(&store.disk);
            }
            Effect::ReadOnly(_) | Effect::Unmount(_) => store.read_only(whole),
            Effect::Drain(_) => return Some(store.drain()),
            Effect::MarkDirty(_) => store.mark_dirty(),
            Effect::Release(_, generation) => {
                let held = store.release(generation);
                self.check.answered(&held);
            }
            Effect::Reintegrate { session, .. } => return self.copy(x, session).then_some(Ok(())),
            _ => {}
        }
        Some(Ok(()))
    }

    /// An order that does not work. What it did until then is done.
    pub fn order_fails(&mut self, x: usize, effect: &Effect) {
        if matches!(effect, Effect::Drain(_)) {
            self.nodes[x].store.drain_fails();
        }
    }

    /// A reintegration begins: some pages are copied, whatever becomes of the rest.
    pub fn begin_copy(&mut self, x: usize) {
        self.nodes[x].store.joins();
        if !self.may_copy(x) {
            return;
        }
        for page in self.differing(x) {
            if self.rng.percent(30) {
                let content = self.nodes[1 - x].store.disk.read(page);
                self.nodes[x].store.disk.write(page, content);
            }
        }
    }

    fn may_copy(&self, x: usize) -> bool {
        let p = &self.nodes[1 - x];
        p.power && !p.frozen && p.store.open() && p.store.link == Link::None && self.network.stream()
    }

    /// The pages that a reintegration of x looks at: all but those of which both nodes know that they
    /// are alike.
    fn differing(&self, x: usize) -> Vec<Page> {
        let (s, p) = (&self.nodes[x].store, &self.nodes[1 - x].store);
        let all: BTreeSet<Page> = s.disk.pages().into_iter().chain(p.disk.pages()).collect();
        let touched = |page: &Page| s.disk.touched.contains(&page.0) || p.disk.touched.contains(&page.0);
        let skips = |page: &Page| !touched(page) && p.may_skip(*page, s.joins_from);
        all.into_iter().filter(|page| !skips(page)).collect()
    }

    fn copy(&mut self, x: usize, session: u64) -> bool {
        if !self.may_copy(x) {
            return false;
        }
        for page in self.differing(x) {
            let content = self.nodes[1 - x].store.disk.read(page);
            self.nodes[x].store.disk.write(page, content);
        }
        let p = &mut self.nodes[1 - x].store;
        let Post::Writable { generation, .. } = p.post else { return false };
        p.begin_zones(generation);
        p.link = Link::Primary(session);
        p.disk.touched.clear();
        let s = &mut self.nodes[x].store;
        s.disk.sync();
        s.disk.touched.clear();
        (s.post, s.queue) = (Post::Following(generation), Some(VecDeque::new()));
        (s.link, s.mixed, s.joins_from) = (Link::Second(session), false, 0);
        self.check.reintegrations += 1;
        if self.unlike().is_some() {
            self.check.bad("I6: a reintegration leaves a difference");
        }
        true
    }

    /// A page that differs, of two nodes that have applied all.
    fn unlike(&self) -> Option<(Page, [Content; 2])> {
        let [a, b] = self.nodes.each_ref().map(|n| &n.store.disk);
        let mut pages = a.pages().into_iter().chain(b.pages());
        pages.find(|p| a.read(*p) != b.read(*p)).map(|p| (p, [a.read(p), b.read(p)]))
    }

    /// The stream of a whole pair passes, and what it brought is the same on both nodes.
    pub fn verify_same(&mut self) -> bool {
        let Some(primary) = (0..2).find(|&x| self.attached(x)) else { return !self.profile.data };
        self.nodes[1 - primary].store.apply(usize::MAX);
        if self.nodes[primary].store.held.is_empty()
            && let Some((page, contents)) = self.unlike()
        {
            self.check.bad(&format!("I6: the pair is in step and page {page:?} differs: {contents:?}"));
        }
        true
    }

    /// The power of x fails. What it loses is lost, unless the other node holds it; what the last
    /// primary loses its secondary has to save only by taking over.
    pub fn lose_power(&mut self, x: usize) {
        let primary = self.nodes[x].disk.primary;
        let mut held = self.check.holds(&self.nodes[x].store.disk);
        self.nodes[x].power_off(&mut self.rng);
        let other = &self.nodes[1 - x];
        if !primary || (other.power && other.store.open()) {
            held.retain(|(page, content)| other.store.received(*page) < *content);
        }
        self.check.lost(&held, &self.nodes[x].store.disk);
    }

    /// The disk of zones is full for a while.
    pub fn fill_zones(&mut self, x: usize) {
        self.nodes[x].store.flash.fill(true);
        let ms = self.rng.range(100, 4000);
        self.after(ms, Happening::ZonesRecover(x));
    }
}
