//! The hash of the kernel's nftables (`jhash`, by Bob Jenkins), so that `safekit farm owner` knows who
//! answers a client without asking the kernel. A test compares the two.

use crate::config::module::Filter;
use std::net::{IpAddr, SocketAddr};

/// The same on all nodes and for ever: nodes of two versions must agree.
pub(crate) const SEED: u32 = 0x5afe_0001;

/// The bucket of a packet of `client`. `ip_id` is the identification in the packet's IP header, which counts
/// for [`Filter::OnIpid`] in IPv4 alone; IPv6 has none, and is hashed on the address.
///
/// All nodes of a cluster must be of the same byte order, as the kernel's hash depends on it.
pub fn bucket(filter: Filter, client: SocketAddr, ip_id: u16) -> u8 {
    let mut key = match client.ip() {
        IpAddr::V4(addr) => addr.octets().to_vec(),
        IpAddr::V6(addr) => addr.octets().to_vec(),
    };
    let second = match filter {
        Filter::OnAddr => None,
        Filter::OnPort => Some(client.port()),
        Filter::OnIpid => client.is_ipv4().then_some(ip_id),
    };
    // The kernel concatenates fields in registers of 32 bits.
    if let Some(second) = second {
        key.extend(second.to_be_bytes());
        key.extend([0, 0]);
    }
    // `modulo 256` there is a multiplication and a shift: the highest 8 bits.
    (jhash(&key, SEED) >> 24) as u8
}

/// `jhash` of include/linux/jhash.h.
fn jhash(mut key: &[u8], seed: u32) -> u32 {
    // Keys here have at most 20 bytes.
    let first = 0xdead_beef_u32.wrapping_add(key.len() as u32).wrapping_add(seed);
    let (mut a, mut b, mut c) = (first, first, first);
    while key.len() > 12
        && let Some((words, rest)) = key.split_first_chunk::<12>()
    {
        let word = |n: usize| u32::from_ne_bytes([words[n], words[n + 1], words[n + 2], words[n + 3]]);
        a = a.wrapping_add(word(0));
        b = b.wrapping_add(word(4));
        c = c.wrapping_add(word(8));
        (a, b, c) = mix(a, b, c);
        key = rest;
    }
    if key.is_empty() {
        return c;
    }
    let mut tail = [0; 12];
    tail[..key.len()].copy_from_slice(key);
    let word = |n: usize| u32::from_le_bytes([tail[n], tail[n + 1], tail[n + 2], tail[n + 3]]);
    last(a.wrapping_add(word(0)), b.wrapping_add(word(4)), c.wrapping_add(word(8)))
}

/// `__jhash_mix`.
fn mix(mut a: u32, mut b: u32, mut c: u32) -> (u32, u32, u32) {
    a = a.wrapping_sub(c) ^ c.rotate_left(4);
    c = c.wrapping_add(b);
    b = b.wrapping_sub(a) ^ a.rotate_left(6);
    a = a.wrapping_add(c);
    c = c.wrapping_sub(b) ^ b.rotate_left(8);
    b = b.wrapping_add(a);
    a = a.wrapping_sub(c) ^ c.rotate_left(16);
    c = c.wrapping_add(b);
    b = b.wrapping_sub(a) ^ a.rotate_left(19);
    a = a.wrapping_add(c);
    c = c.wrapping_sub(b) ^ b.rotate_left(4);
    b = b.wrapping_add(a);
    (a, b, c)
}

/// `__jhash_final`.
fn last(mut a: u32, mut b: u32, mut c: u32) -> u32 {
    c = (c ^ b).wrapping_sub(b.rotate_left(14));
    a = (a ^ c).wrapping_sub(c.rotate_left(11));
    b = (b ^ a).wrapping_sub(a.rotate_left(25));
    c = (c ^ b).wrapping_sub(b.rotate_left(16));
    a = (a ^ c).wrapping_sub(c.rotate_left(4));
    b = (b ^ a).wrapping_sub(a.rotate_left(14));
    (c ^ b).wrapping_sub(b.rotate_left(24))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the reference implementation of lookup3 (`hashlittle`), which jhash is but for its seed.
    #[test]
    fn the_hash_is_lookup3() {
        assert_eq!(jhash(b"", 0), 0xdead_beef);
        assert_eq!(jhash(b"Four score and seven years ago", 0), 0x1777_0551);
        assert_eq!(jhash(b"Four score and seven years ago", 1), 0xcd62_8161);
    }

    #[test]
    fn only_what_the_filter_names_counts() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        for (one, other) in [("10.1.2.3:1000", "10.1.2.3:1001"), ("[fd00::1]:1000", "[fd00::1]:1001")] {
            let ports =
                |filter| (1000..1200).map(move |p| bucket(filter, SocketAddr::new(at(one).ip(), p), 0));
            assert_eq!(bucket(Filter::OnAddr, at(one), 1), bucket(Filter::OnAddr, at(other), 2));
            assert!(ports(Filter::OnPort).collect::<std::collections::BTreeSet<_>>().len() > 100);
            assert_eq!(bucket(Filter::OnPort, at(one), 1), bucket(Filter::OnPort, at(one), 2));
            assert_eq!(bucket(Filter::OnIpid, at(one), 1), bucket(Filter::OnIpid, at(other), 1));
        }
        let v6 = at("[fd00::1]:1000");
        assert_eq!(bucket(Filter::OnIpid, v6, 1), bucket(Filter::OnAddr, v6, 0));
    }
}
