//! Link-layer addresses of Ethernet.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A 48-bit MAC address, printed as `52:54:00:0a:0b:0c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MacAddr(pub [u8; 6]);

/// What is wrong with a MAC address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a MAC address: write six bytes in hexadecimal, like 52:54:00:0a:0b:0c")]
pub struct BadMac(pub String);

impl MacAddr {
    /// Everybody on the link.
    pub const BROADCAST: MacAddr = MacAddr([0xff; 6]);

    /// A MAC address from the bytes that the kernel gives; none for a link of another kind, or
    /// for an interface that has no address (all zero, as on the loopback).
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().filter(|b| *b != [0; 6]).map(MacAddr)
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl FromStr for MacAddr {
    type Err = BadMac;

    fn from_str(s: &str) -> Result<Self, BadMac> {
        let bad = || BadMac(s.chars().take(40).collect());
        let byte = |part: &str| match part.len() {
            1 | 2 if part.chars().all(|c| c.is_ascii_hexdigit()) => u8::from_str_radix(part, 16).ok(),
            _ => None,
        };
        let bytes = s.split([':', '-']).map(byte).collect::<Option<Vec<u8>>>().ok_or_else(bad)?;
        bytes.try_into().map(MacAddr).map_err(|_| bad())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_that_is_no_mac_address_is_refused() {
        for text in ["", "1:2:3:4:5", "1:2:3:4:5:6:7", "1:2:3:4:5:+6", "001:2:3:4:5:6", "g:2:3:4:5:6"] {
            assert!(text.parse::<MacAddr>().is_err(), "{text}");
        }
        assert_eq!("5A-FE-c0-a8-38-14".parse(), Ok(MacAddr([0x5a, 0xfe, 0xc0, 0xa8, 0x38, 0x14])));
    }

    #[test]
    fn no_address_is_none() {
        assert_eq!(MacAddr::from_bytes(&[0; 6]), None);
        assert_eq!(MacAddr::from_bytes(&[1; 4]), None);
        assert_eq!(MacAddr::from_bytes(&[1; 6]), Some(MacAddr([1; 6])));
    }

    proptest! {
        #[test]
        fn printed_and_read_again_is_the_same(bytes: [u8; 6]) {
            prop_assert_eq!(MacAddr(bytes).to_string().parse(), Ok(MacAddr(bytes)));
        }

        #[test]
        fn any_text_is_read_without_panic(text in ".{0,60}") {
            let _ = text.parse::<MacAddr>();
        }
    }
}
