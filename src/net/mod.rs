//! Addresses, ARP and neighbour discovery, ICMP, socket reset: the network of the node.
//!
//! Everything here talks to the kernel of the calling thread's network namespace, at once and
//! synchronously (well under a millisecond) unless a function is `async` or takes a timeout.
//! - [`addr`]: interfaces and their addresses; [`neighbour`]: permanent neighbour entries;
//!   [`link`]: the state of links, and a watch on everything that changes.
//! - [`arp`]: announcing an address (gratuitous ARP, unsolicited NA) and asking who holds it.
//! - [`sockets`]: counting and resetting the TCP connections of an address.
//! - [`vip`]: virtual addresses, all or none, out of the pieces above.
//! - [`icmp`], [`tcp`]: the probes of checkers.
//! - [`tls`]: why HTTPS with another machine fails.

pub mod addr;
pub mod arp;
mod frame;
pub mod icmp;
pub mod link;
mod mac;
pub mod neighbour;
pub(crate) mod netlink;
pub mod sockets;
pub mod tcp;
pub mod tls;
pub mod vip;

pub use mac::MacAddr;

use crate::told::Tell;
use std::io;
use std::net::IpAddr;

/// Why something about the network failed; the text is the operator's sentence.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// No interface is in the network of an address (NET-05).
    #[error(
        "no interface holds the network of {addr}: give an interface an address in that network, or force \
         one with the name attribute of <interface>; networks here: {networks}"
    )]
    NoInterface {
        /// The address without a network.
        addr: IpAddr,
        /// The networks that this node has, for the operator.
        networks: String,
    },
    /// The interface that the configuration forces is not there.
    #[error(
        "there is no interface {name}: correct the name attribute of <interface>; interfaces here: {known}"
    )]
    UnknownInterface {
        /// Name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A forced interface has no address that tells the prefix length.
    #[error(
        "interface {name} has no address in the network of {addr}: give the netmask attribute of <virtual_addr>"
    )]
    NoPrefix {
        /// Name of the interface.
        name: String,
        /// The address to be set.
        addr: IpAddr,
    },
    /// A prefix length that the address family does not have.
    #[error("prefix length {prefix} is too long for {addr}: correct the netmask of <virtual_addr>")]
    BadPrefix {
        /// The address to be set.
        addr: IpAddr,
        /// The refused prefix length.
        prefix: u8,
    },
    /// An address is still there after it was removed.
    #[error(
        "{addr} is still set on {interface} after it was removed: something else on this node sets it again"
    )]
    StillThere {
        /// The address.
        addr: IpAddr,
        /// Where it was found.
        interface: String,
    },
    /// The kernel refuses for lack of privilege.
    #[error("cannot {what}: permission denied, root (CAP_NET_ADMIN and CAP_NET_RAW) is needed")]
    Permission {
        /// What was tried.
        what: String,
    },
    /// The kernel refused, with its own text where it gives one.
    #[error("cannot {what}: {text}")]
    Kernel {
        /// What was tried.
        what: String,
        /// Error of the system, with the kernel's explanation.
        text: String,
        /// The error itself, for those who decide on its kind.
        source: io::Error,
    },
    /// An answer of the kernel that does not follow its format.
    #[error("cannot {what}: the kernel's answer is not understood: {detail}")]
    Malformed {
        /// What was tried.
        what: String,
        /// What is wrong with it.
        detail: String,
    },
    /// This kernel was built without `CONFIG_INET_DIAG_DESTROY`.
    #[error(
        "this kernel cannot reset TCP connections (CONFIG_INET_DIAG_DESTROY is not set): clients of {addr} \
         notice the failover only when they send; set tcpreset=\"off\" to silence this"
    )]
    NoReset {
        /// The virtual address.
        addr: IpAddr,
    },
}

impl Tell for NetError {
    fn french(&self) -> String {
        use NetError as E;
        match self {
            E::NoInterface { addr, networks } => format!(
                "aucune interface n'a le réseau de {addr} : donnez à une interface une adresse dans ce réseau, ou imposez-en \
                 une par l'attribut name de <interface> ; réseaux présents ici : {networks}"
            ),
            E::UnknownInterface { name, known } => format!(
                "il n'y a pas d'interface {name} : corrigez l'attribut name de <interface> ; interfaces présentes ici : \
                 {known}"
            ),
            E::NoPrefix { name, addr } => format!(
                "l'interface {name} n'a pas d'adresse dans le réseau de {addr} : donnez l'attribut netmask de \
                 <virtual_addr>"
            ),
            E::BadPrefix { addr, prefix } => format!(
                "la longueur de préfixe {prefix} est trop grande pour {addr} : corrigez le netmask de <virtual_addr>"
            ),
            E::StillThere { addr, interface } => format!(
                "{addr} est toujours configurée sur {interface} après sa suppression : autre chose sur ce nœud la \
                 configure de nouveau"
            ),
            // What was tried is called as in the log.
            E::Permission { what } => {
                format!("échec ({what}) : permission refusée, il faut root (CAP_NET_ADMIN et CAP_NET_RAW)")
            }
            E::Kernel { what, text, .. } => format!("échec ({what}) : {text}"),
            E::Malformed { what, detail } => {
                format!("échec ({what}) : la réponse du noyau n'est pas comprise : {detail}")
            }
            E::NoReset { addr } => format!(
                "ce noyau ne peut pas rompre les connexions TCP (CONFIG_INET_DIAG_DESTROY n'est pas activé) : les clients \
                 de {addr} ne remarquent le basculement qu'à leur prochain envoi ; définissez tcpreset=\"off\" pour ne \
                 plus voir cet avertissement"
            ),
        }
    }
}

impl NetError {
    /// An error of the system while trying `what`.
    pub(crate) fn system(what: impl Into<String>, source: io::Error) -> Self {
        match source.raw_os_error() {
            // Not EACCES: the kernel says it of things that are switched off, e.g. IPv6 on a link.
            Some(libc::EPERM) => NetError::Permission { what: what.into() },
            _ => NetError::Kernel { what: what.into(), text: source.to_string(), source },
        }
    }

    /// The error number of the system, when there is one.
    pub(crate) fn errno(&self) -> Option<i32> {
        match self {
            NetError::Kernel { source, .. } => source.raw_os_error(),
            _ => None,
        }
    }
}
