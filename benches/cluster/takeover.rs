//! The primary's machine loses its power: how long until its address and its application are on the other.
//!
//! The silence begins with the last datagram of the dead node that the switch has delivered to the survivor;
//! it ends `timeout` later. What the product adds to that is measured, and keepalived beside it, whose
//! silence lasts three advertisements and the skew of its priority.

use crate::cluster::{Cluster, Node, eventually};
use crate::keepalived;
use crate::support::capture::{Capture, Seen, What, now};
use crate::support::client::Client;
use crate::support::machine::{application, cluster, number, switch};
use crate::support::report::{Report, median};
use std::net::Ipv4Addr;
use std::time::Duration;

/// The virtual address.
pub const VIP: Ipv4Addr = Ipv4Addr::new(10, 77, 1, 100);
/// Number of the client.
const CLIENT: u8 = 254;
const ROUNDS: usize = 10;
const PULSE: Duration = Duration::from_millis(100);
const TIMEOUT: Duration = Duration::from_millis(500);
const MODULE: &str = "m";
const NAME: &str = "takeover";

/// A takeover as the capture shows it, in milliseconds.
struct Takeover {
    /// From the end of the timeout to the first announcement.
    announced: f64,
    /// From there to the first answer of the application.
    answered: f64,
}

/// Measures.
pub fn run(report: &mut Report) {
    report.part("takeover at a power failure");
    let ours = safekit();
    let announced: Vec<_> = ours.iter().map(|round| round.announced).collect();
    let answered: Vec<_> = ours.iter().map(|round| round.answered).collect();
    report.promise("end of the timeout to the first gratuitous ARP", 20.0, "ms", &announced);
    report.promise("end of the timeout to the first answer of the application", 100.0, "ms", &answered);
    let Some(theirs) = theirs() else {
        return report.note("keepalived is not installed: nothing to compare with.".into());
    };
    report.compare("keepalived: end of its timeout to the first gratuitous ARP", "ms", &theirs);
    let ratio = median(&announced) / median(&theirs).max(0.1);
    report.note(format!("The address is announced after {ratio:.1} times the time that keepalived takes."));
}

/// Milliseconds from `from` to `to`; negative if it came before.
pub fn ms(from: Duration, to: Duration) -> f64 {
    (to.as_secs_f64() - from.as_secs_f64()) * 1000.0
}

/// The first frame to the client that is `what`, after `from`.
pub fn first(frames: &[Seen], from: Duration, what: impl Fn(&What) -> bool) -> Option<Duration> {
    let mut fitting = frames.iter().filter(|seen| seen.to_machine == CLIENT && seen.at > from);
    fitting.find(|seen| what(&seen.what)).map(|seen| seen.at)
}

/// An answer of the application on the node of this number.
pub fn answer_of(node: u8) -> impl Fn(&What) -> bool {
    move |what| matches!(what, What::Data { from: VIP, first } if *first == b'0' + node)
}

fn announcement(what: &What) -> bool {
    *what == What::Announcement(VIP)
}

/// When the switch has delivered the last frame of `dead` to `survivor`.
fn last(frames: &[Seen], survivor: u8, of: impl Fn(&What) -> bool) -> Option<Duration> {
    frames.iter().rev().find(|seen| seen.to_machine == survivor && of(&seen.what)).map(|seen| seen.at)
}

fn datagram_of(node: u8) -> impl Fn(&What) -> bool {
    move |what| matches!(what, What::Datagram { from, .. } if from.octets()[3] == node)
}

fn safekit() -> Vec<Takeover> {
    let bed = cluster(NAME, &["default", "repli"], true);
    let (xml, scripts) = application(VIP, PULSE, TIMEOUT);
    let scripts: Vec<_> = scripts.iter().map(|(name, body)| (*name, body.as_str())).collect();
    bed.install(MODULE, &xml, &scripts);
    bed.start_pair(MODULE);
    let capture = Capture::begin(&switch(NAME));
    let _client = Client::begin(bed.client().inside(), VIP);
    (0..ROUNDS).map(|_| round(&bed, &capture)).collect()
}

fn round(bed: &Cluster, capture: &Capture) -> Takeover {
    let (prim, second) = bed.wait_pair(MODULE);
    let (dead, survivor) = (number(prim), number(second));
    capture.clear();
    answers(capture, dead);
    let all = || capture.since(Duration::ZERO);
    eventually("a heartbeat", || last(&all(), survivor, datagram_of(dead)));
    let off = now();
    bed.poweroff(prim);
    let answered = answers(capture, survivor);
    let frames = capture.since(off - TIMEOUT);
    let silent = last(&frames, survivor, datagram_of(dead)).expect("the dead node was heard") + TIMEOUT;
    // The dead one may have announced the address just before it died.
    let announced = first(&frames, silent - TIMEOUT / 2, announcement).expect("the address is announced");
    bed.poweron(prim);
    Takeover { announced: ms(silent, announced), answered: ms(silent, answered) }
}

/// Waits until the application answers on the node of this number.
fn answers(capture: &Capture, node: u8) -> Duration {
    eventually("an answer of the application", || {
        first(&capture.since(Duration::ZERO), Duration::ZERO, answer_of(node))
    })
}

/// The same with keepalived, whose address alone moves; none if it is not installed.
fn theirs() -> Option<Vec<f64>> {
    const NAME: &str = "takeover-keepalived";
    if !keepalived::is_installed() {
        return None;
    }
    let bed = cluster(NAME, &["default"], false);
    let capture = Capture::begin(&switch(NAME));
    bed.nodes().iter().for_each(|node| keepalived::start(node, PULSE, &[VIP]));
    let holder = |node: &&Node| node.has_address(&VIP.to_string());
    let round = |_| {
        let master = eventually("a master", || bed.nodes().iter().find(holder));
        let backup = bed.nodes().iter().find(|node| node.name() != master.name()).expect("there are two");
        let of_master =
            |what: &What| matches!(what, What::Advertisement(from) if from.octets()[3] == number(master));
        capture.clear();
        eventually("an advertisement", || last(&capture.since(Duration::ZERO), number(backup), of_master));
        let off = now();
        bed.poweroff(master);
        let announced = eventually("its announcement", || {
            let frames = capture.since(off - PULSE);
            let silent = last(&frames, number(backup), of_master)? + keepalived::timeout(PULSE);
            Some(ms(silent, first(&frames, silent - PULSE, announcement)?))
        });
        bed.poweron(master);
        keepalived::start(master, PULSE, &[VIP]);
        announced
    };
    Some((0..ROUNDS).map(round).collect())
}
