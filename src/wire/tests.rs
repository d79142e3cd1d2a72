use super::channel::{Channel, Reason, Received};
use super::codec::{HEADER, Kind, MAX_DATAGRAM, MAX_PAYLOAD, TAG, VERSION, WireError, decode, encode};
use proptest::prelude::*;
use std::collections::BTreeSet;

const KEY: [u8; 32] = [7; 32];
const CONTEXT: &str = "heartbeat mirror 1";

fn node(node: u8, life: u8) -> Channel {
    Channel::new(Kind::Heartbeat, node, Some(&KEY), CONTEXT, [life; 16])
}

/// Hands a datagram over and carries every reply until none comes back: the last verdict on each side.
fn deliver(from: &mut Channel, to: &mut Channel, datagram: &[u8], fresh: u8) -> Received {
    let mut verdict = to.receive(datagram, [fresh; 16]);
    if let Received::Reply(challenge) = &verdict
        && let Received::Reply(response) = from.receive(challenge, [fresh; 16])
    {
        verdict = to.receive(&response, [fresh; 16]);
    }
    verdict
}

/// Two nodes of which the second has accepted the first.
fn met() -> (Channel, Channel) {
    let (mut a, mut b) = (node(0, 1), node(1, 2));
    let hello = a.seal(b"hello").unwrap();
    assert_eq!(deliver(&mut a, &mut b, &hello, 3), Received::Met { from: 0, incarnation: a.incarnation() });
    (a, b)
}

fn payload(received: Received) -> Vec<u8> {
    let Received::Payload(opened) = received else { panic!("no payload: {received:?}") };
    opened.payload
}

fn dropped(received: Received) -> Reason {
    let Received::Dropped(reason) = received else { panic!("not dropped: {received:?}") };
    reason
}

#[test]
fn a_payload_arrives_after_the_handshake() {
    let (mut a, mut b) = met();
    let datagram = a.seal(b"state").unwrap();
    assert!(!datagram.windows(5).any(|w| w == b"state"), "a sealed payload is not readable");
    let Received::Payload(opened) = b.receive(&datagram, [9; 16]) else { panic!() };
    assert_eq!((opened.from, opened.incarnation, opened.sequence), (0, a.incarnation(), 3));
    assert_eq!(opened.payload, b"state");
}

#[test]
fn without_a_key_damage_and_strangers_are_found() {
    let open = |n, life| Channel::new(Kind::Heartbeat, n, None, CONTEXT, [life; 16]);
    let (mut a, mut b) = (open(0, 1), open(1, 2));
    let hello = a.seal(b"x").unwrap();
    assert!(matches!(deliver(&mut a, &mut b, &hello, 3), Received::Met { .. }));
    let mut datagram = a.seal(b"state").unwrap();
    datagram[HEADER] ^= 1;
    assert_eq!(dropped(b.receive(&datagram, [4; 16])), Reason::Seal);
    datagram[HEADER] ^= 1;
    assert_eq!(payload(b.receive(&datagram, [4; 16])), b"state");
    let sealed = node(0, 1).seal(b"state").unwrap();
    assert_eq!(dropped(b.receive(&sealed, [4; 16])), Reason::Seal);
}

#[test]
fn other_key_context_kind_and_number_are_refused() {
    let (_, mut b) = met();
    let other = |kind, n, key: &[u8; 32], context| {
        Channel::new(kind, n, Some(key), context, [1; 16]).seal(b"x").unwrap()
    };
    let mut verdict = |datagram: Vec<u8>| dropped(b.receive(&datagram, [4; 16]));
    assert_eq!(verdict(other(Kind::Heartbeat, 0, &[8; 32], CONTEXT)), Reason::Seal);
    assert_eq!(verdict(other(Kind::Heartbeat, 0, &KEY, "heartbeat mirror 2")), Reason::Seal);
    assert_eq!(verdict(other(Kind::Cluster, 0, &KEY, CONTEXT)), Reason::OtherKind);
    assert_eq!(verdict(other(Kind::Heartbeat, 1, &KEY, CONTEXT)), Reason::Own);
}

#[test]
fn bad_frames_say_what_is_wrong() {
    let (mut a, mut b) = met();
    let good = a.seal(b"x").unwrap();
    let mut frame = |bytes: &[u8]| match dropped(b.receive(bytes, [4; 16])) {
        Reason::Frame(error) => error,
        other => panic!("{other:?}"),
    };
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    assert_eq!(frame(&[]), WireError::TooShort(0));
    assert_eq!(frame(&good[..HEADER + TAG - 1]), WireError::TooShort(HEADER + TAG - 1));
    assert_eq!(frame(&vec![0; MAX_DATAGRAM + 1]), WireError::TooLong(MAX_DATAGRAM + 1));
    assert_eq!(frame(&with(0, b'X')), WireError::NotOurs);
    assert_eq!(frame(&with(3, 9)), WireError::UnknownKind(9));
    let other = frame(&with(2, VERSION + 1));
    assert_eq!(other, WireError::OtherVersion(2));
    assert!(other.to_string().contains("version 2") && other.to_string().contains("version 1"), "{other}");
}

#[test]
fn the_longest_payload_fits_and_one_more_byte_does_not() {
    let (mut a, mut b) = met();
    let longest = a.seal(&vec![5; MAX_PAYLOAD]).unwrap();
    assert_eq!(longest.len(), MAX_DATAGRAM);
    assert_eq!(payload(b.receive(&longest, [4; 16])).len(), MAX_PAYLOAD);
    assert_eq!(a.seal(&vec![5; MAX_PAYLOAD + 1]), Err(WireError::TooLong(MAX_PAYLOAD + 1)));
}

#[test]
fn one_sequence_over_two_links() {
    let (mut a, mut b) = met();
    let (first, second) = (a.seal(b"1").unwrap(), a.seal(b"2").unwrap());
    assert_eq!(payload(b.receive(&second, [4; 16])), b"2");
    let Received::Late(late) = b.receive(&first, [4; 16]) else { panic!("the slow link is alive") };
    assert_eq!(late.payload, b"1");
    for again in [&first, &second] {
        assert_eq!(dropped(b.receive(again, [4; 16])), Reason::Duplicate);
    }
    let lost = a.seal(b"lost").unwrap();
    for _ in 0..63 {
        a.seal(b"also lost").unwrap();
    }
    let newest = a.seal(b"n").unwrap();
    assert_eq!(payload(b.receive(&newest, [4; 16])), b"n");
    assert_eq!(dropped(b.receive(&lost, [4; 16])), Reason::Stale);
}

#[test]
fn what_was_sent_before_the_handshake_counts_as_seen() {
    let (mut a, mut b) = (node(0, 1), node(1, 2));
    let recorded = a.seal(b"old").unwrap();
    let hello = a.seal(b"hello").unwrap();
    assert!(matches!(deliver(&mut a, &mut b, &hello, 3), Received::Met { .. }));
    assert_eq!(dropped(b.receive(&recorded, [4; 16])), Reason::Duplicate);
}

#[test]
fn a_restarted_sender_replaces_its_old_life_for_good() {
    let (mut a, mut b) = met();
    let of_old_life = a.seal(b"old").unwrap();
    let mut again = node(0, 11);
    let hello = again.seal(b"hello").unwrap();
    assert!(matches!(deliver(&mut again, &mut b, &hello, 5), Received::Met { .. }));
    assert_eq!(payload(b.receive(&again.seal(b"new").unwrap(), [6; 16])), b"new");
    assert_eq!(dropped(b.receive(&of_old_life, [6; 16])), Reason::Retired(0));
}

#[test]
fn until_the_new_life_has_proved_itself_the_old_one_goes_on() {
    let (mut a, mut b) = met();
    let mut again = node(0, 11);
    assert!(matches!(b.receive(&again.seal(b"x").unwrap(), [5; 16]), Received::Reply(_)));
    assert_eq!(payload(b.receive(&a.seal(b"still").unwrap(), [6; 16])), b"still");
}

#[test]
fn a_whole_recorded_life_with_its_handshake_is_never_accepted() {
    let (mut a, mut b) = (node(0, 1), node(1, 2));
    let mut tape = vec![a.seal(b"first").unwrap()];
    let Received::Reply(challenge) = b.receive(&tape[0], [3; 16]) else { panic!() };
    let Received::Reply(response) = a.receive(&challenge, [3; 16]) else { panic!() };
    assert!(matches!(b.receive(&response, [3; 16]), Received::Met { .. }));
    tape.extend([response, a.seal(b"state").unwrap()]);
    payload(b.receive(&tape[2], [3; 16]));

    // To the node that heard it, to its next life, and to one that meanwhile met the sender's next life.
    let mut reborn = node(1, 22);
    let mut next = node(0, 11);
    let mut knows_next = node(1, 23);
    let hello = next.seal(b"hello").unwrap();
    assert!(matches!(deliver(&mut next, &mut knows_next, &hello, 5), Received::Met { .. }));
    for (n, target) in [&mut b, &mut reborn, &mut knows_next].into_iter().enumerate() {
        for (m, datagram) in tape.iter().enumerate() {
            let fresh = [100 + (n * 10 + m) as u8; 16];
            match target.receive(datagram, fresh) {
                // The new life of the sender does not answer for the old one.
                Received::Reply(challenge) => {
                    assert_eq!(dropped(next.receive(&challenge, [5; 16])), Reason::Handshake);
                }
                verdict => {
                    dropped(verdict);
                }
            }
        }
    }
}

#[test]
fn a_delayed_answer_of_an_old_life_comes_too_late() {
    let (mut old, mut new, mut b) = (node(0, 1), node(0, 11), node(1, 2));
    let Received::Reply(to_old) = b.receive(&old.seal(b"x").unwrap(), [3; 16]) else { panic!() };
    let Received::Reply(delayed) = old.receive(&to_old, [3; 16]) else { panic!() };
    let hello = new.seal(b"x").unwrap();
    assert!(matches!(deliver(&mut new, &mut b, &hello, 4), Received::Met { .. }));
    assert_eq!(dropped(b.receive(&delayed, [5; 16])), Reason::Handshake);
    assert_eq!(payload(b.receive(&new.seal(b"new").unwrap(), [5; 16])), b"new");
}

#[test]
fn both_sides_restart_at_once() {
    let (mut a, mut b) = (node(0, 1), node(1, 2));
    let (to_b, to_a) = (a.seal(b"x").unwrap(), b.seal(b"y").unwrap());
    let Received::Reply(for_a) = b.receive(&to_b, [3; 16]) else { panic!() };
    let Received::Reply(for_b) = a.receive(&to_a, [4; 16]) else { panic!() };
    let Received::Reply(to_b) = a.receive(&for_a, [5; 16]) else { panic!() };
    let Received::Reply(to_a) = b.receive(&for_b, [6; 16]) else { panic!() };
    assert!(matches!(b.receive(&to_b, [7; 16]), Received::Met { from: 0, .. }));
    assert!(matches!(a.receive(&to_a, [8; 16]), Received::Met { from: 1, .. }));
    assert_eq!(payload(b.receive(&a.seal(b"a").unwrap(), [9; 16])), b"a");
    assert_eq!(payload(a.receive(&b.seal(b"b").unwrap(), [9; 16])), b"b");
}

#[test]
fn values_come_back_and_left_over_bytes_are_refused() {
    let value = (7u64, "PRIM".to_owned(), vec![1u8, 2]);
    let mut bytes = encode(&value).unwrap();
    assert_eq!(decode::<(u64, String, Vec<u8>)>(&bytes), Ok(value));
    bytes.push(0);
    assert!(matches!(decode::<(u64, String, Vec<u8>)>(&bytes), Err(WireError::Content(_))));
    assert!(matches!(encode(&vec![0u8; MAX_PAYLOAD]), Err(WireError::TooLong(_))));
}

/// What happens to the oldest datagram under way, or to a node.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Deliver,
    Lose,
    Duplicate,
    Delay,
    Beat(usize),
    Restart(usize),
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => Just(Fate::Deliver),
        2 => Just(Fate::Lose),
        2 => Just(Fate::Duplicate),
        2 => Just(Fate::Delay),
        5 => (0..2usize).prop_map(Fate::Beat),
        1 => (0..2usize).prop_map(Fate::Restart),
    ]
}

/// Two nodes and the datagrams under way between them: (receiver, bytes).
struct World {
    nodes: [Channel; 2],
    under_way: Vec<(usize, Vec<u8>)>,
    drawn: u8,
    accepted: [BTreeSet<(u64, u64)>; 2],
    newest: [(u64, u64); 2],
    ended: [BTreeSet<u64>; 2],
}

impl World {
    fn new() -> Self {
        let nodes = [node(0, 1), node(1, 2)];
        let drawn = 2;
        World {
            nodes,
            under_way: vec![],
            drawn,
            accepted: Default::default(),
            newest: [(0, 0); 2],
            ended: Default::default(),
        }
    }

    fn draw(&mut self) -> u8 {
        self.drawn = self.drawn.checked_add(1).unwrap();
        self.drawn
    }

    fn beat(&mut self, n: usize) {
        let bytes = self.nodes[n].seal(b"beat").unwrap();
        self.under_way.push((1 - n, bytes));
    }

    fn deliver(&mut self, to: usize, bytes: &[u8], fresh: [u8; 16]) {
        match self.nodes[to].receive(bytes, fresh) {
            Received::Reply(reply) => self.under_way.push((1 - to, reply)),
            Received::Payload(p) => {
                assert!(self.accepted[to].insert((p.incarnation, p.sequence)), "accepted twice");
                let (life, newest) = self.newest[to];
                if life == p.incarnation {
                    assert!(p.sequence > newest, "not newer");
                } else {
                    assert!(!self.ended[to].contains(&p.incarnation), "an ended life came back");
                    self.ended[to].insert(life);
                }
                self.newest[to] = (p.incarnation, p.sequence);
            }
            Received::Late(p) => {
                assert!(self.accepted[to].insert((p.incarnation, p.sequence)), "accepted twice");
            }
            Received::Met { .. } | Received::Dropped(_) => {}
        }
    }

    fn step(&mut self, fate: Fate, number: usize) {
        let mut fresh = [0; 16];
        fresh[..8].copy_from_slice(&number.to_le_bytes());
        match fate {
            Fate::Beat(n) => self.beat(n),
            Fate::Restart(n) => {
                let life = self.draw();
                self.nodes[n] = node(n as u8, life);
                self.accepted[n].clear();
                self.newest[n] = (0, 0);
                self.ended[n].clear();
            }
            _ if self.under_way.is_empty() => {}
            Fate::Lose => drop(self.under_way.remove(0)),
            Fate::Delay => self.under_way.rotate_left(1),
            Fate::Deliver => {
                let (to, bytes) = self.under_way.remove(0);
                self.deliver(to, &bytes, fresh);
            }
            Fate::Duplicate => {
                let (to, bytes) = self.under_way[0].clone();
                self.deliver(to, &bytes, fresh);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_bad_network_never_deceives_and_a_good_one_always_connects(
        fates in prop::collection::vec(fate(), 0..200),
    ) {
        let mut world = World::new();
        for (number, fate) in fates.iter().enumerate() {
            world.step(*fate, number);
        }
        // The network is good again: what is under way arrives, and a few beats settle the rest.
        let mut number = fates.len();
        for _ in 0..3 {
            world.beat(0);
            world.beat(1);
            while !world.under_way.is_empty() {
                number += 1;
                world.step(Fate::Deliver, number);
            }
        }
        for n in 0..2 {
            prop_assert_eq!(world.newest[n].0, world.nodes[1 - n].incarnation());
        }
    }

    #[test]
    fn any_changed_byte_is_refused(at in any::<prop::sample::Index>(), flip in 1..=255u8, sealed in any::<bool>()) {
        let key = sealed.then_some(&KEY);
        let mut a = Channel::new(Kind::Heartbeat, 0, key, CONTEXT, [1; 16]);
        let mut b = Channel::new(Kind::Heartbeat, 1, key, CONTEXT, [2; 16]);
        let hello = a.seal(b"x").unwrap();
        deliver(&mut a, &mut b, &hello, 3);
        let mut datagram = a.seal(b"some state").unwrap();
        let at = at.index(datagram.len());
        datagram[at] ^= flip;
        dropped(b.receive(&datagram, [4; 16]));
        datagram[at] ^= flip;
        prop_assert_eq!(payload(b.receive(&datagram, [4; 16])), b"some state");
    }

    #[test]
    fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), framed in any::<bool>()) {
        let (_, mut b) = met();
        let mut datagram = bytes;
        if framed {
            datagram.splice(0..datagram.len().min(4), [b'S', b'K', VERSION, 1]);
        }
        dropped(b.receive(&datagram, [4; 16]));
        let _ = decode::<(u64, String, Vec<Option<u32>>)>(&datagram);
    }
}
