use super::generation::Record;
use super::mirror::{Event, Face, State};
use super::peer::{Beat, Report, Watch};
use super::resource::{ResourceName, Resources, Value};

const TIMEOUT: u64 = 1000;
const PULSE: u64 = 100;
const START: u64 = 50_000;

fn face(term: u64) -> Face {
    State::stopped(Record { term, ..Record::first() }, true, 1).face()
}

fn resources(value: Value) -> Resources {
    [(ResourceName::new("custom", "app"), value)].into()
}

/// Two nodes with a clock; node 1 is the peer.
struct Pair {
    nodes: [Watch; 2],
    now: u64,
}

impl Pair {
    fn new() -> Pair {
        let mut nodes = [1, 2].map(|life| Watch::new(&[TIMEOUT, TIMEOUT], life, START));
        nodes.iter_mut().for_each(|n| assert!(n.show(&face(1))));
        Pair { nodes, now: START }
    }

    fn send(&mut self, from: usize) -> Beat {
        self.nodes[from].beat(self.now).unwrap().0
    }

    /// One pulse: both send, both receive on link 0; what node 0 reports.
    fn pulse(&mut self) -> Vec<Report> {
        self.now += PULSE;
        let mut out = self.nodes[0].tick(self.now);
        self.nodes[1].tick(self.now);
        let (mine, theirs) = (self.send(0), self.send(1));
        self.nodes[1].received(0, mine, self.now);
        out.extend(self.nodes[0].received(0, theirs, self.now).0);
        out
    }

    fn settle(&mut self) {
        (0..4).for_each(|_| drop(self.pulse()));
        assert_eq!(self.pulse(), [], "nothing new is nothing said");
    }

    /// Node 0 alone for so long: it sends and looks at its clock, and hears nothing.
    fn alone(&mut self, ms: u64) -> Vec<Report> {
        let mut out = Vec::new();
        for _ in 0..ms / PULSE {
            self.now += PULSE;
            out.extend(self.nodes[0].tick(self.now));
            out.extend(self.nodes[0].beat(self.now).unwrap().1);
        }
        out
    }
}

fn mirror(reports: &[Report]) -> Vec<&Event> {
    reports.iter().filter_map(|r| if let Report::Mirror(e) = r { Some(e) } else { None }).collect()
}

fn counts(reports: &[Report]) -> Option<bool> {
    reports.iter().rev().find_map(|r| match r {
        Report::Mirror(Event::Peer { counts, .. }) => Some(*counts),
        _ => None,
    })
}

#[test]
fn links_go_up_and_down_once() {
    let mut p = Pair::new();
    let first = p.pulse();
    assert!(first.contains(&Report::Link(0, true)));
    p.settle();
    let out = p.alone(TIMEOUT);
    let links: Vec<_> = out.iter().filter(|r| matches!(r, Report::Link(..))).collect();
    assert_eq!(links, [&Report::Link(1, false), &Report::Link(0, false)]);
    assert_eq!(p.alone(2 * TIMEOUT), []);
    assert!(p.pulse().contains(&Report::Link(0, true)));
}

#[test]
fn silence_is_said_once_and_takes_the_resources_away() {
    let mut p = Pair::new();
    p.settle();
    assert_eq!(mirror(&p.alone(TIMEOUT - PULSE)), Vec::<&Event>::new());
    let out = p.alone(TIMEOUT);
    assert_eq!(mirror(&out), [&Event::PeerSilent]);
    assert_eq!(out.iter().filter(|r| **r == Report::Resources(None)).count(), 1);
    assert_eq!(p.alone(5 * TIMEOUT), []);
    assert!(counts(&p.pulse()).is_some(), "and it is news when the peer is back");
}

#[test]
fn one_link_is_enough() {
    let mut p = Pair::new();
    p.settle();
    let out: Vec<Report> = (0..30).flat_map(|_| p.pulse()).collect();
    assert_eq!(out, [Report::Link(1, false)], "link 0 carries");
    assert_eq!(p.nodes[0].links().collect::<Vec<_>>()[0], Some(true));
}

#[test]
fn a_peer_heard_elsewhere_is_quiet_not_silent() {
    let mut p = Pair::new();
    p.settle();
    let mut out = Vec::new();
    for _ in 0..30 {
        p.nodes[0].heard_elsewhere(p.now);
        out.extend(p.alone(PULSE));
    }
    assert_eq!(mirror(&out), [&Event::HeartbeatsSilent]);
    assert_eq!(mirror(&p.alone(2 * TIMEOUT)), [&Event::PeerSilent], "until it is silent there too");
}

/// Two nodes that boot before the cluster has formed, with module keys that differ, must not both start.
#[test]
fn who_was_silent_everywhere_and_is_heard_elsewhere_lives() {
    let mut p = Pair::new();
    assert_eq!(mirror(&p.alone(2 * TIMEOUT)), [&Event::PeerSilent]);
    p.nodes[0].heard_elsewhere(p.now);
    assert_eq!(mirror(&p.alone(PULSE)), [&Event::HeartbeatsSilent]);
    assert!(!p.nodes[0].is_silent());
}

#[test]
fn who_slept_suspects_itself_and_begins_the_silence_anew() {
    let mut p = Pair::new();
    p.settle();
    p.now += 3 * TIMEOUT;
    let out = p.nodes[0].tick(p.now);
    assert_eq!(mirror(&out), [&Event::OwnPause(3 * TIMEOUT)]);
    assert!(!out.contains(&Report::Link(0, false)), "the links were not watched");
    assert_eq!(mirror(&p.alone(TIMEOUT - PULSE)), Vec::<&Event>::new());
    assert_eq!(mirror(&p.alone(PULSE)), [&Event::PeerSilent]);
}

#[test]
fn a_heartbeat_late_by_half_a_timeout_is_a_pause_too() {
    let mut p = Pair::new();
    p.settle();
    p.now += TIMEOUT / 2;
    let (_, reports) = p.nodes[0].beat(p.now).unwrap();
    assert_eq!(mirror(&reports), [&Event::OwnPause(TIMEOUT / 2)]);
    assert_eq!(p.nodes[0].tick(p.now), [], "and is said once");
}

#[test]
fn the_word_of_a_peer_counts_once_it_echoes_the_face_shown_now() {
    let mut p = Pair::new();
    p.settle();
    let before = p.send(1);
    assert!(p.nodes[0].show(&face(2)) && !p.nodes[0].show(&face(2)));
    let (reports, _) = p.nodes[0].received(0, before, p.now);
    assert_ne!(counts(&reports), Some(true), "it was sent before");
    let mine = p.send(0);
    assert!(p.nodes[1].received(0, mine, p.now).1, "a new face is echoed at once");
    let echo = p.send(1);
    assert_eq!(counts(&p.nodes[0].received(0, echo, p.now).0), Some(true));
}

/// The next heartbeat may already echo the new face: there is none in between that does not.
#[test]
fn the_first_echo_of_a_new_face_is_news() {
    let mut p = Pair::new();
    p.settle();
    p.nodes[0].show(&face(2));
    let mine = p.send(0);
    p.nodes[1].received(0, mine, p.now);
    let echo = p.send(1);
    assert_eq!(counts(&p.nodes[0].received(0, echo, p.now).0), Some(true));
}

#[test]
fn a_peer_in_a_new_life_has_heard_nothing() {
    let mut p = Pair::new();
    p.nodes[1].publish(&resources(Value::Up));
    p.settle();
    p.nodes[1] = Watch::new(&[TIMEOUT, TIMEOUT], 3, p.now);
    p.nodes[1].show(&face(1));
    let first = p.send(1);
    let (reports, answer) = p.nodes[0].received(0, first, p.now);
    assert_eq!(counts(&reports), Some(false));
    assert!(answer && reports.contains(&Report::Resources(Some(Resources::new()))));
    assert_eq!(counts(&p.pulse()).or_else(|| counts(&p.pulse())), Some(true));
}

#[test]
fn old_heartbeats_and_duplicates_change_nothing() {
    let mut p = Pair::new();
    p.settle();
    p.now += PULSE;
    let old = p.send(1);
    p.nodes[1].show(&face(9));
    let new = p.send(1);
    assert!(counts(&p.nodes[0].received(0, new.clone(), p.now).0).is_some());
    assert_eq!(p.nodes[0].received(0, new, p.now), (Vec::new(), false));
    assert_eq!(p.nodes[0].received(0, old, p.now), (Vec::new(), false));
}

#[test]
fn resources_are_sent_until_they_are_echoed() {
    let mut p = Pair::new();
    p.settle();
    p.nodes[1].publish(&resources(Value::Down));
    let lost = p.send(1);
    assert!(lost.resources.is_some());
    let again = p.send(1);
    assert_eq!(again.resources, Some(resources(Value::Down)));
    let (reports, answer) = p.nodes[0].received(0, again, p.now);
    assert!(answer && reports.contains(&Report::Resources(Some(resources(Value::Down)))));
    let echo = p.send(0);
    p.nodes[1].received(0, echo, p.now);
    assert_eq!(p.send(1).resources, None);
}

#[test]
fn an_old_echo_is_an_own_pause() {
    let mut p = Pair::new();
    p.settle();
    let mut out = Vec::new();
    // What node 0 sends is lost; it hears the peer all the time.
    for _ in 0..TIMEOUT / PULSE {
        p.now += PULSE;
        out.extend(p.nodes[0].tick(p.now));
        p.nodes[0].beat(p.now);
        let theirs = p.send(1);
        out.extend(p.nodes[0].received(0, theirs, p.now).0);
    }
    let pauses: Vec<_> = mirror(&out).into_iter().filter(|e| matches!(e, Event::OwnPause(_))).collect();
    assert_eq!(pauses, [&Event::OwnPause(TIMEOUT / 2)]);
    assert_eq!(counts(&out), Some(true), "the next echo is news again");
}

#[test]
fn the_guard_learns_when_the_newest_echoed_heartbeat_was_sent() {
    let mut p = Pair::new();
    assert_eq!(p.nodes[0].newest_echoed(), None);
    p.settle();
    let echoed = p.nodes[0].newest_echoed();
    assert!(echoed.is_some_and(|at| p.now - at <= PULSE));
    p.alone(2 * TIMEOUT);
    assert_eq!(p.nodes[0].newest_echoed(), echoed);
}
