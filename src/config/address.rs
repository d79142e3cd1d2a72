//! Addresses written in configuration files: IPv4, IPv6 with or without brackets, or a name.

use crate::told::{Told, told};
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv6Addr, ToSocketAddrs};
use std::str::FromStr;

/// Longest host name (RFC 1035).
const LONGEST_NAME: usize = 253;

/// A literal address or a name to resolve.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Address {
    /// Literal address.
    Ip(IpAddr),
    /// Host name.
    Name(String),
}

impl Address {
    /// The address itself, asking the resolver for a name: blocks, so call it from a blocking thread.
    /// IPv4 is preferred. Fails as the resolver does.
    pub fn resolve(&self) -> io::Result<IpAddr> {
        match self {
            Address::Ip(ip) => Ok(*ip),
            Address::Name(name) => {
                let found: Vec<IpAddr> = (name.as_str(), 0).to_socket_addrs()?.map(|a| a.ip()).collect();
                let first = found.iter().find(|a| a.is_ipv4()).or(found.first()).copied();
                first.ok_or_else(|| {
                    io::Error::new(io::ErrorKind::NotFound, format!("\"{name}\" has no address"))
                })
            }
        }
    }

    /// The literal address, if it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Address::Ip(ip) => Some(*ip),
            Address::Name(_) => None,
        }
    }
}

impl FromStr for Address {
    type Err = Told;

    /// The error says what is allowed.
    fn from_str(s: &str) -> Result<Self, Told> {
        if let Some(inner) = s.strip_prefix('[').and_then(|s| s.strip_suffix(']')) {
            let v6: Result<Ipv6Addr, _> = inner.parse();
            return v6.map(|a| Address::Ip(a.into())).map_err(|_| {
                told!(
                    "between brackets write an IPv6 address such as [2001:db8::1]",
                    "entre crochets, écrivez une adresse IPv6 telle que [2001:db8::1]"
                )
            });
        }
        if let Ok(ip) = s.parse() {
            return Ok(Address::Ip(ip));
        }
        // Digits and dots only would be a mistyped IPv4 address, never a name.
        let number = s.chars().all(|c| c.is_ascii_digit() || c == '.');
        let label = |l: &str| {
            !l.is_empty()
                && !l.starts_with('-')
                && l.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        };
        if !number && s.len() <= LONGEST_NAME && s.split('.').all(label) {
            Ok(Address::Name(s.to_owned()))
        } else {
            Err(told!(
                "write an IPv4 address, an IPv6 address or a host name",
                "écrivez une adresse IPv4, une adresse IPv6 ou un nom de machine"
            ))
        }
    }
}

/// Without brackets.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Ip(ip) => ip.fmt(f),
            Address::Name(n) => n.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_an_address() {
        let ip = |s: &str| s.parse::<Address>().unwrap().ip();
        assert_eq!(ip("[2001::7334]"), Some("2001::7334".parse().unwrap()));
        assert_eq!(ip("2001::7334"), Some("2001::7334".parse().unwrap()));
        assert_eq!(ip("10.0.0.1"), Some("10.0.0.1".parse().unwrap()));
        assert_eq!("node1.example.com".parse(), Ok(Address::Name("node1.example.com".into())));
        for bad in ["", "10.0.0.256", "[10.0.0.1]", "a b", "-x", "a..b", "[::1", "%ADDR%"] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }
}
