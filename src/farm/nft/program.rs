//! The chains and rules of one table, in the order in which they must be made.

use super::expression::{Hash, Header, Rule, Then};
use super::message::{At, Change, Table};
use super::sets::row;
use crate::config::module::Proto;
use crate::farm::{Layout, LayoutRule};

/// Chains and rules.
pub(super) struct Program<'a> {
    table: &'a Table,
    chains: Vec<Change>,
    rules: Vec<Change>,
}

impl<'a> Program<'a> {
    /// Of a table that has none.
    pub fn new(table: &'a Table) -> Program<'a> {
        Program { table, chains: Vec::new(), rules: Vec::new() }
    }

    /// A chain more.
    pub fn chain(&mut self, name: &str, at: At<'_>) {
        self.chains.push(self.table.chain(name, at));
    }

    /// A rule more, the last of its chain so far.
    pub fn rule(&mut self, chain: &str, rule: Rule) {
        self.rules.push(self.table.rule(chain, rule));
    }

    /// All of it: the chains first, since rules lead from one to another.
    pub fn changes(self) -> Vec<Change> {
        [self.chains, self.rules].concat()
    }
}

/// Makes a chain for each load balancing rule of the virtual address at place `i`, and leads there from
/// `from` what the rule is for. Returns the chains, which end by accepting or dropping, with what they hash.
pub(super) fn balanced<'l>(
    program: &mut Program<'_>,
    layout: &'l Layout,
    i: usize,
    from: &str,
) -> Vec<(String, &'l LayoutRule, Hash)> {
    let vip = &layout.vips[i];
    let mut chains = Vec::new();
    for (n, rule) in layout.rules.iter().enumerate().filter(|(_, rule)| rule.concerns(vip)) {
        let number = match rule.proto {
            Proto::Tcp => libc::IPPROTO_TCP as u8,
            Proto::Udp => libc::IPPROTO_UDP as u8,
            Proto::Arp => continue,
        };
        let chain = format!("vip{i}-rule{n}");
        program.chain(&chain, At::Called);
        let mut fits = Rule::new().protocol(number);
        if let Some(port) = rule.port {
            fits = fits.field(Header::Transport, 2, &port.to_be_bytes());
        }
        program.rule(from, fits.then(Then::Goto(&chain)));
        chains.push((chain, rule, Hash::of(vip.addr, rule.filter, row(rule.group, vip.reach))));
    }
    chains
}
