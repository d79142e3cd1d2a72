//! Transactions with nftables, questions to it, and its refusals as an operator's sentences.

use super::PREFIX;
use super::message::{Change, Table, all_tables, bracket, read_comment};
use crate::farm::FarmError;
use crate::ids::ModuleName;
use crate::net::NetError;
use crate::net::netlink::{Body, Netlink, Refused};
use netlink_packet_core::{NLM_F_ACK, NlasIterator};
use netlink_packet_netfilter::NetfilterProtoFamily;
use netlink_sys::protocols::NETLINK_NETFILTER;
use std::collections::{BTreeMap, BTreeSet};

/// Length of the header of messages of netfilter, after that of netlink.
const HEADER: usize = 4;
const NETLINK_HEADER: usize = 16;

/// nftables, for one module.
pub(super) struct Kernel {
    netlink: Netlink,
    module: ModuleName,
}

impl Kernel {
    /// A connection, in the network namespace of the calling thread.
    pub fn open(module: &ModuleName) -> Result<Kernel, FarmError> {
        Ok(Kernel { netlink: open()?, module: module.clone() })
    }

    /// Carries out all or nothing.
    pub fn commit(&mut self, changes: Vec<Change>) -> Result<(), FarmError> {
        self.transact(changes, true)
    }

    /// Finds out whether all could be carried out.
    pub fn rehearse(&mut self, changes: Vec<Change>) -> Result<(), FarmError> {
        self.transact(changes, false)
    }

    fn transact(&mut self, mut changes: Vec<Change>, for_good: bool) -> Result<(), FarmError> {
        if let Some((_, flags)) = changes.last_mut() {
            *flags |= NLM_F_ACK;
        }
        changes.insert(0, bracket(true));
        if for_good {
            changes.push(bracket(false));
        }
        let what = "change the packet filter";
        let bodies: Vec<Body> = changes.iter().map(|(body, _)| body.clone()).collect();
        self.netlink.transact(what, changes).map_err(|refused| self.explain(&bodies, refused))
    }

    fn explain(&self, bodies: &[Body], refused: Refused) -> FarmError {
        /// `NFT_MSG_...`, below the number of nftables.
        const NEW_CHAIN: u16 = 3;
        const NEW_RULE: u16 = 6;
        const NEW_ELEMENT: u16 = 12;
        let Some(errno) = refused.error.errno() else { return refused.error.into() };
        let body = &bodies[refused.at.min(bodies.len() - 1)];
        let missing = |what: String| FarmError::Missing { what };
        let unknown = matches!(errno, libc::ENOENT | libc::EOPNOTSUPP | libc::EPROTONOSUPPORT);
        match body.kind & 0xff {
            _ if refused.at == 0 && unknown => missing("nftables".to_owned()),
            NEW_RULE if unknown => match refused.offset.and_then(|at| text_at(&body.bytes, at)) {
                Some(name) => missing(format!("the expression {name} of nftables")),
                None => refused.error.into(),
            },
            // The first message of most changes asks whether the table is there, and is not withdrawn.
            NEW_ELEMENT if refused.at == 1 && errno == libc::ENOENT => {
                FarmError::Gone { module: self.module.clone() }
            }
            NEW_ELEMENT if refused.at == 1 && errno == libc::EEXIST => {
                FarmError::Withdrawn { module: self.module.clone() }
            }
            NEW_CHAIN if unknown => {
                missing("a hook of nftables at the ingress or egress of interfaces".to_owned())
            }
            _ => refused.error.into(),
        }
    }

    /// The keys in a set.
    pub fn keys(&mut self, table: &Table, set: &str) -> Result<Vec<u32>, FarmError> {
        const ELEMENTS: u16 = 3;
        /// Of an element, and of its key.
        const KEY: u16 = 1;
        const VALUE: u16 = 1;
        let answer = self.netlink.dump("read the packet filter", &table.elements(set));
        let bodies = answer.map_err(|error| match error.errno() {
            Some(libc::ENOENT) => FarmError::Gone { module: self.module.clone() },
            _ => error.into(),
        })?;
        let lists =
            bodies.iter().flat_map(|body| body.attributes(HEADER)).filter(|(kind, _)| *kind == ELEMENTS);
        let elements = lists.flat_map(|(_, list)| nested(&list));
        let keys = elements.filter_map(|(_, element)| inner(&inner(&element, KEY)?, VALUE));
        Ok(keys.filter_map(|key| key.try_into().ok().map(u32::from_ne_bytes)).collect())
    }

    /// What each module of ours has noted in its table.
    pub fn notes(&mut self) -> Result<BTreeMap<ModuleName, String>, FarmError> {
        const USERDATA: u16 = 6;
        let noted = |attributes: &[(u16, Vec<u8>)]| {
            let found = attributes.iter().find(|(kind, _)| *kind == USERDATA)?;
            read_comment(&found.1).map(str::to_owned)
        };
        let tables = tables(&mut self.netlink, NetfilterProtoFamily::NetDev)?;
        Ok(tables
            .into_iter()
            .filter_map(|(module, attributes)| Some((module, noted(&attributes)?)))
            .collect())
    }

    /// Modules that have a table.
    pub fn modules() -> Result<BTreeSet<ModuleName>, FarmError> {
        let mut netlink = open()?;
        let mut found = BTreeSet::new();
        for family in [NetfilterProtoFamily::NetDev, NetfilterProtoFamily::Inet] {
            found.extend(tables(&mut netlink, family)?.into_iter().map(|(module, _)| module));
        }
        Ok(found)
    }
}

fn open() -> Result<Netlink, FarmError> {
    Netlink::open(NETLINK_NETFILTER).map_err(|error| match error.errno() {
        Some(libc::EPROTONOSUPPORT) => FarmError::Missing { what: "nftables".to_owned() },
        _ => error.into(),
    })
}

type Attributes = Vec<(u16, Vec<u8>)>;

/// The tables of ours, with their attributes.
fn tables(
    netlink: &mut Netlink,
    family: NetfilterProtoFamily,
) -> Result<Vec<(ModuleName, Attributes)>, FarmError> {
    const NAME: u16 = 1;
    let answer = netlink.dump("list the packet filters", &all_tables(family)).map_err(missing_at_all)?;
    let module = |attributes: &Attributes| {
        let (_, name) = attributes.iter().find(|(kind, _)| *kind == NAME)?;
        std::str::from_utf8(name).ok()?.trim_end_matches('\0').strip_prefix(PREFIX)?.parse().ok()
    };
    let all = answer.iter().map(|body| body.attributes(HEADER).collect::<Attributes>());
    Ok(all.filter_map(|attributes| Some((module(&attributes)?, attributes))).collect())
}

fn missing_at_all(error: NetError) -> FarmError {
    match error.errno() {
        Some(libc::EOPNOTSUPP | libc::EINVAL) => FarmError::Missing { what: "nftables".to_owned() },
        _ => error.into(),
    }
}

fn nested(bytes: &[u8]) -> Attributes {
    NlasIterator::new(bytes).map_while(Result::ok).map(|nla| (nla.kind(), nla.value().to_vec())).collect()
}

fn inner(bytes: &[u8], wanted: u16) -> Option<Vec<u8>> {
    nested(bytes).into_iter().find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
}

/// The text of the attribute at `offset` of a message with its netlink header.
fn text_at(body: &[u8], offset: usize) -> Option<String> {
    let (_, value) = nested(body.get(offset.checked_sub(NETLINK_HEADER)?..)?).into_iter().next()?;
    let text = String::from_utf8(value).ok()?;
    let text = text.trim_end_matches('\0');
    (!text.is_empty() && text.chars().all(|c| c.is_ascii_graphic())).then(|| text.to_owned())
}
