use super::*;
use nix::sched::{CloneFlags, unshare};
use std::process::Command;
use std::thread;

fn ip(arguments: &str) -> String {
    let output = Command::new("ip").args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs `test` in a network of its own; false where the caller may not make one.
fn in_own_network(test: impl FnOnce() + Send + 'static) -> bool {
    let body = move || {
        let made = unshare(CloneFlags::CLONE_NEWNET);
        if made.is_err() && !nix::unistd::geteuid().is_root() {
            return false;
        }
        made.expect("root can make a network namespace");
        test();
        true
    };
    thread::spawn(body).join().expect("the test thread panicked")
}

#[test]
fn addresses_are_removed_and_no_others() {
    in_own_network(|| {
        for addr in ["10.9.8.7/32", "10.9.8.7/24", "10.9.8.6/32", "fd09::7/64", "fd09::6/64"] {
            ip(&format!("addr add {addr} dev lo"));
        }
        let mut addresses = Addresses::open().unwrap();
        let vip = |addr: &str, prefix| Vip { index: 1, addr: addr.parse().unwrap(), prefix };
        for vip in [vip("10.9.8.7", 24), vip("fd09::7", 64)] {
            addresses.remove(&vip).unwrap();
            addresses.remove(&vip).unwrap();
        }
        let left = ip("addr show dev lo");
        assert!(!left.contains("10.9.8.7/") && !left.contains("fd09::7/"), "{left}");
        assert!(left.contains("10.9.8.6/32") && left.contains("fd09::6/64"), "{left}");
    });
}

#[test]
fn a_missing_interface_has_no_address() {
    in_own_network(|| {
        let mut addresses = Addresses::open().unwrap();
        for addr in ["10.9.8.7", "fd09::7"] {
            addresses.remove(&Vip { index: 4242, addr: addr.parse().unwrap(), prefix: 32 }).unwrap();
        }
    });
}

#[test]
fn the_message_is_that_of_rtnetlink() {
    let vip = Vip { index: 2, addr: "10.0.0.9".parse().unwrap(), prefix: 24 };
    let (message, length) = delete_message(5, &vip);
    assert_eq!(length, 32);
    assert_eq!(message[..4], 32u32.to_ne_bytes());
    assert_eq!(message[4..6], 21u16.to_ne_bytes());
    assert_eq!(message[16..18], [2, 24]);
    assert_eq!(message[28..32], [10, 0, 0, 9]);
}

#[test]
fn answers_are_matched() {
    let mut answer = [0; 36];
    answer[4..6].copy_from_slice(&2u16.to_ne_bytes());
    answer[8..12].copy_from_slice(&7u32.to_ne_bytes());
    assert_eq!(read_answer(&answer, 7), Some(Ok(())));
    assert_eq!(read_answer(&answer, 8), None);
    answer[16..20].copy_from_slice(&(-libc::EPERM).to_ne_bytes());
    assert_eq!(read_answer(&answer, 7), Some(Err(Errno::EPERM)));
    assert_eq!(read_answer(&answer[..18], 7), None);
}
