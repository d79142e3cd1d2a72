//! Messages to nftables: tables, chains, rules, sets and what is in them.

use super::expression::Rule;
use crate::net::netlink::Body;
use netlink_packet_core::{NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_netfilter::nftables::{
    ChainAttribute, ChainMessage, DataAttribute, DevHookNumber, Hook, HookNumber, InetHookNumber,
    ListAttribute, NfTablesMessage, RuleAttribute, RuleMessage, SetAttribute, SetDescription,
    SetElementAttribute, SetElementList, SetElementMessage, SetFlags, SetMessage, TableAttribute,
    TableMessage,
};
use netlink_packet_netfilter::none::ControlMessage;
use netlink_packet_netfilter::{
    NetfilterHeader, NetfilterMessage, NetfilterMessageInner, NetfilterProtoFamily,
};

/// Most elements in one message, whose attributes are limited to 64 KB.
const MOST_ELEMENTS: usize = 1024;

/// A message and the flags that it is sent with.
pub(super) type Change = (Body, u16);

/// An element of a set; in a map, with what it maps to.
pub(super) type Element = (Vec<u8>, Option<Vec<u8>>);

/// A table: a family and a name.
#[derive(Clone)]
pub(super) struct Table {
    pub family: NetfilterProtoFamily,
    pub name: String,
}

/// When a chain is gone through.
pub(super) enum At<'a> {
    /// When another one leads to it.
    Called,
    /// For what comes in on an interface.
    Ingress(&'a str),
    /// For what goes out on an interface.
    Egress(&'a str),
    /// For what goes to the IP stack, datagrams whole.
    Prerouting,
}

/// What a set holds.
#[derive(Clone, Copy)]
pub(super) enum Content {
    /// Keys of a hash.
    Keys,
    /// MAC addresses.
    Macs,
    /// A MAC address for each key of a hash.
    MacOfKey,
}

/// Types of nft, so that its listings are readable: an integer, a MAC address.
const TYPE_INTEGER: u32 = 4;
const TYPE_MAC: u32 = 9;
const KEY_LENGTH: u32 = 4;
const MAC_LENGTH: u32 = 6;

/// The message that begins or ends a transaction.
pub(super) fn bracket(begin: bool) -> Change {
    const NFTABLES: u16 = libc::NFNL_SUBSYS_NFTABLES as u16;
    let message = if begin { ControlMessage::BatchBegin } else { ControlMessage::BatchEnd };
    (body(NetfilterProtoFamily::Unspec, NFTABLES, message), 0)
}

/// The question for all tables of a family.
pub(super) fn all_tables(family: NetfilterProtoFamily) -> Body {
    body(family, 0, NfTablesMessage::GetTable(TableMessage { attributes: Vec::new() }))
}

fn body(family: NetfilterProtoFamily, resource: u16, message: impl Into<NetfilterMessageInner>) -> Body {
    let message = NetfilterMessage::new(NetfilterHeader::new(family, 0, resource), message);
    Body::new(netlink_packet_core::NetlinkSerializable::message_type(&message), &message)
}

impl Table {
    fn change(&self, message: NfTablesMessage, flags: u16) -> Change {
        (body(self.family, 0, message), flags)
    }

    /// Makes the table unless it is there; `note` is shown by nft as its comment.
    pub fn make(&self, note: Option<&str>) -> Change {
        let mut attributes = vec![TableAttribute::Name(self.name.clone())];
        attributes.extend(note.map(|note| TableAttribute::UserData(comment(note))));
        self.change(NfTablesMessage::NewTable(TableMessage { attributes }), NLM_F_CREATE)
    }

    /// Removes the table with all that is in it; it must be there.
    pub fn delete(&self) -> Change {
        let attributes = vec![TableAttribute::Name(self.name.clone())];
        self.change(NfTablesMessage::DeleteTable(TableMessage { attributes }), 0)
    }

    /// Makes a chain; fails when it is there.
    pub fn chain(&self, name: &str, at: At<'_>) -> Change {
        let mut attributes =
            vec![ChainAttribute::Table(self.name.clone()), ChainAttribute::Name(name.to_owned())];
        // Before everything else at ingress; in the stack after fragments and connections are known.
        let hook = match at {
            At::Called => None,
            At::Ingress(device) => Some((HookNumber::Dev(DevHookNumber::Ingress), -450, Some(device))),
            At::Egress(device) => Some((HookNumber::Dev(DevHookNumber::Egress), 0, Some(device))),
            At::Prerouting => Some((HookNumber::Inet(InetHookNumber::PreRouting), -150, None)),
        };
        if let Some((number, priority, device)) = hook {
            const ACCEPT: u32 = 1;
            let priority: i32 = priority;
            let mut hook = vec![Hook::Number(number), Hook::Priority(priority.cast_unsigned())];
            hook.extend(device.map(|device| Hook::NetDeviceName(device.to_owned())));
            attributes.extend([
                ChainAttribute::Hook(hook),
                ChainAttribute::Policy(ACCEPT),
                ChainAttribute::Type("filter".to_owned()),
            ]);
        }
        self.change(NfTablesMessage::NewChain(ChainMessage { attributes }), NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Adds a rule at the end of a chain.
    pub fn rule(&self, chain: &str, rule: Rule) -> Change {
        let attributes = vec![
            RuleAttribute::Table(self.name.clone()),
            RuleAttribute::Chain(chain.to_owned()),
            RuleAttribute::Expressions(rule.into_inner()),
        ];
        self.change(NfTablesMessage::NewRule(RuleMessage { attributes }), NLM_F_CREATE | NLM_F_APPEND)
    }

    /// Makes a set of at most `size` elements; `id` tells the sets of one transaction apart.
    pub fn set(&self, name: &str, id: u32, content: Content, size: usize) -> Change {
        let (key, length) = match content {
            Content::Macs => (TYPE_MAC, MAC_LENGTH),
            Content::Keys | Content::MacOfKey => (TYPE_INTEGER, KEY_LENGTH),
        };
        let mut attributes = vec![
            SetAttribute::Table(self.name.clone()),
            SetAttribute::Name(name.to_owned()),
            SetAttribute::KeyType(key),
            SetAttribute::KeyLen(length),
            SetAttribute::Id(id),
            // A set of known size is looked into faster. Nobody has so many groups that it does not fit.
            SetAttribute::Description(vec![SetDescription::Size(size as u32)]),
        ];
        if matches!(content, Content::MacOfKey) {
            attributes.extend([
                SetAttribute::Flags(SetFlags::Map),
                SetAttribute::DataType(TYPE_MAC),
                SetAttribute::DataLen(MAC_LENGTH),
            ]);
        }
        self.change(NfTablesMessage::NewSet(SetMessage { attributes }), NLM_F_CREATE)
    }

    /// Empties a set.
    pub fn empty(&self, set: &str) -> Change {
        let attributes = vec![SetElementList::Table(self.name.clone()), SetElementList::Set(set.to_owned())];
        self.change(NfTablesMessage::DeleteSetElement(SetElementMessage { attributes }), 0)
    }

    /// Adds elements, each with what it maps to in a map.
    pub fn fill(&self, set: &str, elements: &[Element]) -> Vec<Change> {
        let message =
            |some| self.change(NfTablesMessage::NewSetElement(self.some_elements(set, some)), NLM_F_CREATE);
        elements.chunks(MOST_ELEMENTS).map(message).collect()
    }

    /// Adds an element that must not be there.
    pub fn add(&self, set: &str, key: Vec<u8>) -> Change {
        let message = NfTablesMessage::NewSetElement(self.some_elements(set, &[(key, None)]));
        self.change(message, NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Removes an element that must be there.
    pub fn take_out(&self, set: &str, key: Vec<u8>) -> Change {
        self.change(NfTablesMessage::DeleteSetElement(self.some_elements(set, &[(key, None)])), 0)
    }

    fn some_elements(&self, set: &str, some: &[Element]) -> SetElementMessage {
        let element = |(key, data): &Element| {
            let mut attributes = vec![SetElementAttribute::Key(DataAttribute::Value(key.clone()))];
            let data = data.clone().map(DataAttribute::Value);
            attributes.extend(data.map(SetElementAttribute::Data));
            ListAttribute::Element(attributes)
        };
        let attributes = vec![
            SetElementList::Table(self.name.clone()),
            SetElementList::Set(set.to_owned()),
            SetElementList::Elements(some.iter().map(element).collect()),
        ];
        SetElementMessage { attributes }
    }

    /// The question for all elements of a set.
    pub fn elements(&self, set: &str) -> Body {
        let attributes = vec![SetElementList::Table(self.name.clone()), SetElementList::Set(set.to_owned())];
        body(self.family, 0, NfTablesMessage::GetSetElement(SetElementMessage { attributes }))
    }
}

/// Kind, length with the ending zero, text.
fn comment(text: &str) -> Vec<u8> {
    const COMMENT: u8 = 0;
    // Kept below 128 by who writes it.
    let mut bytes = vec![COMMENT, text.len() as u8 + 1];
    bytes.extend(text.as_bytes());
    bytes.push(0);
    bytes
}

/// The text of the comment that [`Table::make`] wrote; none when there is another or none.
pub(super) fn read_comment(userdata: &[u8]) -> Option<&str> {
    match userdata {
        [0, length, text @ ..] if usize::from(*length) == text.len() => {
            std::str::from_utf8(text).ok()?.strip_suffix('\0')
        }
        _ => None,
    }
}
