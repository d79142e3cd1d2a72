//! The peer as its heartbeats show it: links, silence, echoes and the own pause (S4, S10).
//!
//! One [`Watch`] per module takes what arrives on every link, what the cluster channel hears, and
//! the time; it gives the mirror automaton edges only: a new face, silence once, a pause once.

use super::mirror::{Event, Face};
use super::resource::Resources;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// What a heartbeat carries (RES-50). `life` is random for each life of the sending process, the
/// other numbers grow in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// Identity of the sender's life.
    pub life: u64,
    /// Number of this heartbeat.
    pub no: u64,
    /// Number of the face: raised at each change.
    pub face_no: u64,
    /// What the sender shows.
    pub face: Face,
    /// Number of its resources: raised at each change.
    pub resources_no: u64,
    /// Its resources, until the peer echoes their number.
    pub resources: Option<Resources>,
    /// The newest heartbeat of the receiver that the sender has got.
    pub echo: Option<Echo>,
}

/// What a sender has got from the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Echo {
    /// The receiver's life.
    pub life: u64,
    /// Number of its newest heartbeat.
    pub no: u64,
    /// Number of its newest face.
    pub face_no: u64,
    /// Number of its newest resources.
    pub resources_no: u64,
}

/// What the watch reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// A link is up or down (RES-13).
    Link(usize, bool),
    /// For the mirror automaton.
    Mirror(Event),
    /// Resources of the peer; none once it is silent (RES-51).
    Resources(Option<Resources>),
}

/// Times are milliseconds of a monotonic clock that also counts suspension.
#[derive(Clone, Debug)]
pub struct Watch {
    timeout: u64,
    links: Vec<Link>,
    /// Newest authenticated datagram of the peer on the cluster channel.
    elsewhere: u64,
    elsewhere_counts: bool,
    said: Said,
    life: u64,
    beats: u64,
    face: Option<(u64, Face)>,
    resources: (u64, Resources),
    /// Own heartbeats not echoed yet, with the times of their sending.
    sent: VecDeque<(u64, u64)>,
    last_sent: Option<u64>,
    last_tick: Option<u64>,
    /// Time of sending of the newest own heartbeat that the peer echoed.
    echoed: Option<u64>,
    old_echo_said: bool,
    peer: Option<Heard>,
    peer_resources_no: Option<(u64, u64)>,
}

#[derive(Clone, Debug)]
struct Link {
    heard: u64,
    up: Option<bool>,
    timeout: u64,
}

#[derive(Clone, Debug)]
struct Heard {
    echo: Echo,
    face: Face,
    counts: bool,
    resources_no: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Nothing,
    Heard,
    Quiet,
    Silent,
}

/// Own heartbeats remembered for their echoes; older ones count as never echoed.
const SENT_MOST: usize = 1024;

impl Watch {
    /// A watch over links of these timeouts, begun at `now` with the random identity of this life.
    pub fn new(timeouts_ms: &[u64], life: u64, now: u64) -> Watch {
        let links = timeouts_ms.iter().map(|&timeout| Link { heard: now, up: None, timeout }).collect();
        Watch {
            timeout: timeouts_ms.iter().copied().max().unwrap_or(1),
            links,
            elsewhere: now,
            elsewhere_counts: true,
            said: Said::Nothing,
            life,
            beats: 0,
            face: None,
            resources: (0, Resources::new()),
            sent: VecDeque::new(),
            last_sent: None,
            last_tick: None,
            echoed: None,
            old_echo_said: false,
            peer: None,
            peer_resources_no: None,
        }
    }

    /// What this node shows from now on. True if it changed and should be sent at once.
    pub fn show(&mut self, face: &Face) -> bool {
        let same = self.face.as_ref().is_some_and(|(_, old)| old == face);
        !same && self.show_as(self.face_no() + 1, face)
    }

    /// The same with a number that the automaton's side gives, which grows with each change: only so
    /// can it tell an echo of an earlier face that was reported before this one came here (S10).
    pub fn show_as(&mut self, no: u64, face: &Face) -> bool {
        if no <= self.face_no() {
            return false;
        }
        self.face = Some((no, face.clone()));
        // The automaton lets the peer's word count no more; its next echo is news again.
        if let Some(p) = &mut self.peer {
            p.counts = false;
        }
        true
    }

    /// Number of the face that is shown: what `counts` in a report refers to.
    pub fn face_no(&self) -> u64 {
        self.face.as_ref().map_or(0, |f| f.0)
    }

    /// The resources that the peer may see.
    pub fn publish(&mut self, resources: &Resources) {
        if self.resources.1 != *resources {
            self.resources = (self.resources.0 + 1, resources.clone());
        }
    }

    /// The next heartbeat, sent on all links at `now`. None before the first face.
    pub fn beat(&mut self, now: u64) -> Option<(Beat, Vec<Report>)> {
        let (face_no, face) = self.face.clone()?;
        let reports = self.slept(self.last_sent.map_or(0, |t| now.saturating_sub(t)), now);
        self.last_sent = Some(now);
        self.beats += 1;
        self.sent.push_back((self.beats, now));
        if self.sent.len() > SENT_MOST {
            self.sent.pop_front();
        }
        let known = self.peer_resources_no == Some((self.life, self.resources.0));
        let beat = Beat {
            life: self.life,
            no: self.beats,
            face_no,
            face,
            resources_no: self.resources.0,
            resources: (!known).then(|| self.resources.1.clone()),
            echo: self.peer.as_ref().map(|p| p.echo),
        };
        Some((beat, reports))
    }

    /// A heartbeat that was authenticated and is newer than all before it, on any link. The second
    /// value is true if the peer should get an echo at once.
    pub fn received(&mut self, link: usize, beat: Beat, now: u64) -> (Vec<Report>, bool) {
        let mut out = self.link_heard(link, now);
        let old = self.peer.take();
        let same_life = old.as_ref().is_some_and(|h| h.echo.life == beat.life);
        if same_life && old.as_ref().is_some_and(|h| h.echo.no >= beat.no) {
            self.peer = old;
            return (out, false);
        }
        let mine = beat.echo.filter(|e| e.life == self.life);
        let face_no = self.face_no();
        let counts = mine.is_some_and(|e| e.face_no == face_no);
        self.peer_resources_no = mine.map(|e| (e.life, e.resources_no));
        if let Some(e) = mine {
            self.echoed(e.no);
        }
        let resources_no = match (&beat.resources, &old) {
            (Some(_), _) => beat.resources_no,
            (None, Some(h)) if same_life => h.resources_no,
            _ => 0,
        };
        let echo = Echo { life: beat.life, no: beat.no, face_no: beat.face_no, resources_no };
        let news = old.as_ref().is_none_or(|h| h.face != beat.face || h.counts != counts || !same_life);
        let answer = old
            .as_ref()
            .is_none_or(|h| !same_life || h.echo.face_no != echo.face_no || h.resources_no != resources_no);
        if let Some(r) = beat.resources
            && old.as_ref().is_none_or(|h| !same_life || h.resources_no != resources_no)
        {
            out.push(Report::Resources(Some(r)));
        }
        if news || self.said != Said::Heard {
            self.said = Said::Heard;
            out.push(Report::Mirror(Event::Peer { face: Box::new(beat.face.clone()), counts }));
        }
        self.peer = Some(Heard { echo, face: beat.face, counts, resources_no });
        out.extend(self.old_echo(now));
        (out, answer)
    }

    /// The peer was heard on the cluster channel.
    pub fn heard_elsewhere(&mut self, now: u64) {
        self.elsewhere = self.elsewhere.max(now);
    }

    /// The peer says elsewhere whether it holds this module. If not, its heartbeats will not come,
    /// and being heard there means nothing for this module.
    pub fn held_elsewhere(&mut self, holds: bool) {
        self.elsewhere_counts = holds;
    }

    /// Looks at the clock. Call it at [`Watch::deadline`] at the latest.
    pub fn tick(&mut self, now: u64) -> Vec<Report> {
        let mut out = self.slept(self.last_tick.map_or(0, |t| now.saturating_sub(t)), now);
        self.last_tick = Some(now);
        for (i, l) in self.links.iter_mut().enumerate() {
            if l.up != Some(false) && now.saturating_sub(l.heard) >= l.timeout {
                l.up = Some(false);
                out.push(Report::Link(i, false));
            }
        }
        if self.links.iter().all(|l| l.up == Some(false) && now.saturating_sub(l.heard) >= l.timeout) {
            out.extend(self.all_down(now));
        }
        out
    }

    fn all_down(&mut self, now: u64) -> Vec<Report> {
        let alive_elsewhere = self.elsewhere_counts && now.saturating_sub(self.elsewhere) < self.timeout;
        let (said, event) = if alive_elsewhere {
            (Said::Quiet, Event::HeartbeatsSilent)
        } else {
            (Said::Silent, Event::PeerSilent)
        };
        // Silence ends on the cluster channel too: who is heard there lives, and nobody starts as if alone.
        if self.said == said {
            return Vec::new();
        }
        let first = !matches!(self.said, Said::Quiet | Said::Silent);
        self.said = said;
        self.peer = None;
        self.peer_resources_no = None;
        let unknown = first.then_some(Report::Resources(None));
        unknown.into_iter().chain([Report::Mirror(event)]).collect()
    }

    /// When the next look at the clock is due: the end of the next timeout.
    pub fn deadline(&self) -> Option<u64> {
        let open = |l: &&Link| l.up != Some(false) || self.said == Said::Nothing;
        let links = self.links.iter().filter(open).map(|l| l.heard + l.timeout).min();
        let silent = (self.said != Said::Silent).then_some(self.elsewhere + self.timeout);
        links.or(silent)
    }

    /// Time of sending of the newest own heartbeat that the peer echoed, for the guard (S8).
    pub fn newest_echoed(&self) -> Option<u64> {
        self.echoed
    }

    /// The peer was silent on all channels for a full timeout, and was told so.
    pub fn is_silent(&self) -> bool {
        self.said == Said::Silent
    }

    /// Time of the last own heartbeat, for the check before a virtual IP is set (S4).
    pub fn last_sent(&self) -> Option<u64> {
        self.last_sent
    }

    /// Links as they are: up, down or not known yet.
    pub fn links(&self) -> impl Iterator<Item = Option<bool>> + '_ {
        self.links.iter().map(|l| l.up)
    }

    fn link_heard(&mut self, link: usize, now: u64) -> Vec<Report> {
        let Some(l) = self.links.get_mut(link) else { return Vec::new() };
        l.heard = now;
        if l.up == Some(true) {
            return Vec::new();
        }
        l.up = Some(true);
        vec![Report::Link(link, true)]
    }

    fn echoed(&mut self, no: u64) {
        while let Some(&(n, at)) = self.sent.front() {
            if n > no {
                break;
            }
            if n == no {
                self.echoed = Some(at);
            }
            self.sent.pop_front();
        }
    }

    /// Own sleep of half a timeout or more: what the peer did meanwhile is unknown, so its silence
    /// counts from now, and the node itself is not promotable (S4).
    fn slept(&mut self, gap: u64, now: u64) -> Vec<Report> {
        if gap * 2 < self.timeout {
            return Vec::new();
        }
        for l in &mut self.links {
            l.heard = now;
        }
        if matches!(self.said, Said::Quiet | Said::Silent) {
            self.said = Said::Nothing;
        }
        if let Some(p) = &mut self.peer {
            p.counts = false;
        }
        self.last_sent = Some(now);
        self.last_tick = Some(now);
        vec![Report::Mirror(Event::OwnPause(gap))]
    }

    /// The peer is heard, but what it got from here is half a timeout old (S4).
    fn old_echo(&mut self, now: u64) -> Option<Report> {
        let age = now.saturating_sub(self.echoed?);
        if age * 2 < self.timeout {
            self.old_echo_said = false;
            return None;
        }
        if self.old_echo_said {
            return None;
        }
        self.old_echo_said = true;
        // The automaton lets the peer's word count no more; its next echo is news again.
        if let Some(p) = &mut self.peer {
            p.counts = false;
        }
        Some(Report::Mirror(Event::OwnPause(age)))
    }
}
