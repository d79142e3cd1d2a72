//! Ping, with both kinds of socket.

use crate::support::{DEADLINE, Space, at, pair};
use safekit::net::icmp::ping;
use std::time::Duration;

fn answers(space: &Space, address: &'static str, wait: Duration) -> bool {
    space.run_async(move || ping(at(address), wait)).unwrap().is_some()
}

#[test]
fn ping_is_answered_with_either_kind_of_socket() {
    let (a, _b) = pair();
    // First nobody may use the unprivileged kind, then everybody.
    for range in ["1 0", "0 2147483647"] {
        a.sysctl("ipv4/ping_group_range", range);
        for address in ["10.9.0.2", "fd09::2", "127.0.0.1", "::1"] {
            assert!(answers(&a, address, DEADLINE), "{address} with group range {range}");
        }
    }
}

#[test]
fn ping_of_nobody_ends_without_answer() {
    let (a, b) = pair();
    let short = Duration::from_millis(300);
    for range in ["1 0", "0 2147483647"] {
        a.sysctl("ipv4/ping_group_range", range);
        for address in ["10.9.0.3", "fd09::3"] {
            assert!(!answers(&a, address, short), "{address} is not there");
        }
        for address in ["192.0.2.1", "2001:db8::1"] {
            assert!(!answers(&a, address, DEADLINE), "{address} has no route, which is known at once");
        }
    }
    b.sysctl("ipv4/icmp_echo_ignore_all", "1");
    assert!(!answers(&a, "10.9.0.2", short), "it hears and does not answer");
}

#[test]
fn many_pings_at_once_take_only_their_own_answers() {
    let (a, b) = pair();
    b.sysctl("ipv4/icmp_ratelimit", "0");
    a.sysctl("ipv4/ping_group_range", "1 0");
    let answered = a.run_async(|| async {
        let pings =
            (0..50).map(|i| ping(at(if i % 2 == 0 { "10.9.0.2" } else { "10.9.0.3" }), DEADLINE / 10));
        futures_util::future::join_all(pings).await
    });
    let answered: Vec<_> = answered.into_iter().map(|a| a.unwrap().is_some()).collect();
    assert!(answered.iter().enumerate().all(|(i, answered)| *answered == (i % 2 == 0)), "{answered:?}");
}
