//! Reads `<check>`, and makes the checkers that `<vip>` asks for.

use super::check::{Check, RuleAction, When};
use super::vip::{Vip, Where};
use super::{Context, Mode};
use crate::config::address::Address;
use crate::config::extract::Tag;
use crate::config::units::{self, Unit};
use crate::config::xml::Element;
use crate::ids::ModuleName;
use crate::told::{Told, told};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::time::Duration;

/// Default time between two checks.
const INTERVAL: Duration = Duration::from_secs(10);
/// Default time for an answer.
const TIMEOUT: Duration = Duration::from_secs(5);
const TIMES: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(86_400);
/// Web service of a node without and with TLS (CFG-MOD-02).
const WEB_PORTS: (u16, u16) = (9010, 9453);

const WHENS: [(&str, When); 4] =
    [("pre", When::Pre), ("prim", When::Prim), ("second", When::Second), ("both", When::Both)];
const ACTIONS: [(&str, RuleAction); 4] = [
    ("stop", RuleAction::Stop),
    ("stopstart", RuleAction::StopStart),
    ("restart", RuleAction::Restart),
    ("wait", RuleAction::Wait),
];

/// Reads `<check>`. Identities are unique in each class.
pub(super) fn read<'a>(parent: &Tag<'a>, element: &'a Element, context: &Context<'_>) -> Vec<Check> {
    let kinds = ["tcp", "ping", "intf", "ip", "custom", "module", "splitbrain"];
    let tag = parent.open(element, &[], &kinds);
    tag.one("splitbrain");
    let mut seen = BTreeSet::new();
    let mut checks = Vec::new();
    for e in &element.children {
        let check = match e.name.as_str() {
            "tcp" => tcp(&tag, e, context.mode),
            "ping" => ping(&tag, e),
            "intf" => intf(&tag, e),
            "ip" => ip(&tag, e, context.mode),
            "custom" => custom(&tag, e, context.mode),
            "module" => module(&tag, e),
            "splitbrain" => splitbrain(&tag, e, context.mode),
            _ => None,
        };
        let Some(check) = check else { continue };
        if let Some(resource) = check.resource()
            && !seen.insert(resource.clone())
        {
            tag.fault_in(
                e,
                "ident",
                told!(
                    "another checker already has the resource {resource}",
                    "un autre checker a déjà la ressource {resource}"
                ),
            );
        }
        checks.push(check);
    }
    checks
}

fn time(tag: &Tag<'_>, name: &str, default: Duration) -> Duration {
    tag.or(name, default, units::duration(Unit::S, TIMES))
}

/// `when` of the checkers that only run before the application.
fn only_pre(tag: &Tag<'_>) {
    tag.get("when", units::one_of(&[("pre", ())]));
}

/// `when` of a checker of any window. Modules without roles are never PRIM or SECOND.
fn when(tag: &Tag<'_>, mode: Mode) -> Option<When> {
    let when = tag.need("when", units::one_of(&WHENS));
    if mode != Mode::Mirror && matches!(when, Some(When::Prim | When::Second)) {
        tag.fault_of(
            "when",
            told!(
                "prim and second are for mode mirror: write both, or pre",
                "prim et second sont pour le mode mirror : écrivez both, ou pre"
            ),
        );
    }
    when
}

fn tcp<'a>(parent: &Tag<'a>, element: &'a Element, mode: Mode) -> Option<Check> {
    let tag = parent.open(element, &["ident", "when", "action"], &["to"]);
    let (ident, when) = (tag.need("ident", units::name), when(&tag, mode));
    let action = tag.get("action", units::one_of(&ACTIONS));
    let to = tag.open(tag.one_needed("to")?, &["addr", "port", "interval", "timeout"], &[]);
    let (addr, port) = (to.need("addr", units::parsed), to.need("port", units::port));
    let (interval, timeout) = (time(&to, "interval", INTERVAL), time(&to, "timeout", TIMEOUT));
    let when = when?;
    // AMB-04: an application that does not answer is restarted; a service it needs is waited for.
    let default = if when == When::Pre { RuleAction::Wait } else { RuleAction::Restart };
    let action = action.unwrap_or(default);
    Some(Check::Tcp { ident: ident?, when, addr: addr?, port: port?, interval, timeout, action })
}

fn ping<'a>(parent: &Tag<'a>, element: &'a Element) -> Option<Check> {
    let tag = parent.open(element, &["ident", "when", "action"], &["to"]);
    only_pre(&tag);
    let ident = tag.need("ident", units::name);
    let action = tag.or("action", RuleAction::Wait, units::one_of(&ACTIONS));
    let to = tag.open(tag.one_needed("to")?, &["addr", "interval", "timeout"], &[]);
    let addr = to.need("addr", units::parsed);
    let (interval, timeout) = (time(&to, "interval", INTERVAL), time(&to, "timeout", TIMEOUT));
    Some(Check::Ping { ident: ident?, when: When::Pre, addr: addr?, interval, timeout, action })
}

fn intf<'a>(parent: &Tag<'a>, element: &'a Element) -> Option<Check> {
    let tag = parent.open(element, &["ident", "when", "intf"], &["to"]);
    only_pre(&tag);
    let (ident, intf) = (tag.need("ident", units::name), tag.get("intf", units::text));
    let to = tag.open(tag.one_needed("to")?, &["local_addr"], &[]);
    let local_addr = to.need("local_addr", |text| match text.parse()? {
        Address::Name(_) => Err(told!(
            "write the IPv4 or IPv6 address of the interface",
            "écrivez l'adresse IPv4 ou IPv6 de l'interface"
        )),
        address => Ok(address),
    });
    Some(Check::Intf { ident: Some(ident?), when: When::Pre, intf, local_addr: local_addr? })
}

/// The application's addresses are checked while it runs (CFG-IP-01).
fn when_running(mode: Mode) -> When {
    if mode == Mode::Mirror { When::Prim } else { When::Both }
}

fn ip<'a>(parent: &Tag<'a>, element: &'a Element, mode: Mode) -> Option<Check> {
    let tag = parent.open(element, &["ident", "when"], &["to"]);
    let whens = [("prim", When::Prim), ("both", When::Both)];
    let (ident, when) =
        (tag.need("ident", units::name), tag.or("when", when_running(mode), units::one_of(&whens)));
    let to = tag.open(tag.one_needed("to")?, &["addr", "interval"], &[]);
    let addr = to.need("addr", units::parsed);
    Some(Check::Ip { ident: ident?, when, addr: addr?, interval: time(&to, "interval", INTERVAL) })
}

fn custom<'a>(parent: &Tag<'a>, element: &'a Element, mode: Mode) -> Option<Check> {
    let tag = parent.open(element, &["ident", "when", "exec", "arg", "action"], &[]);
    let (ident, when) = (tag.need("ident", units::name), when(&tag, mode));
    let exec = tag.need("exec", units::text);
    let args = tag.get("arg", |text| {
        shlex::split(text).ok_or_else(|| {
            told!(
                "a quote is not closed, or a \\ ends the text",
                "un guillemet n'est pas fermé, ou un \\ termine le texte"
            )
        })
    });
    let (none, some) = (("noaction", None), |(word, action)| (word, Some(action)));
    let [stop, stopstart, restart, wait] = ACTIONS.map(some);
    let action = match when {
        Some(When::Pre) => tag.or("action", None, units::one_of(&[wait, none])),
        _ => tag.or("action", None, units::one_of(&[stop, stopstart, restart, none])),
    };
    Some(Check::Custom { ident: ident?, when: when?, exec: exec?, args: args.unwrap_or_default(), action })
}

fn module<'a>(parent: &Tag<'a>, element: &'a Element) -> Option<Check> {
    let tag = parent.open(element, &["ident", "name"], &["to"]);
    let name: Option<ModuleName> = tag.need("name", units::parsed);
    let ident = tag.get("ident", units::name);
    let to = tag.one("to").map(|e| tag.open(e, &["addr", "port", "interval", "timeout", "secure"], &[]));
    let local = Address::Ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let (addr, port, secure, interval, timeout) = match &to {
        None => (Some(local), WEB_PORTS.0, false, INTERVAL, TIMEOUT),
        Some(to) => {
            let secure = to.or("secure", false, units::on_off);
            let port = to.or("port", if secure { WEB_PORTS.1 } else { WEB_PORTS.0 }, units::port);
            let addr = if to.has("addr") { to.get("addr", units::parsed) } else { Some(local) };
            (addr, port, secure, time(to, "interval", INTERVAL), time(to, "timeout", TIMEOUT))
        }
    };
    let (name, addr) = (name?, addr?);
    let ident = ident.unwrap_or_else(|| format!("{name}_{addr}"));
    Some(Check::Module { ident, name, addr, port, secure, interval, timeout })
}

fn splitbrain<'a>(parent: &Tag<'a>, element: &'a Element, mode: Mode) -> Option<Check> {
    let tag = parent.open(element, &["ident", "when", "exec", "arg"], &[]);
    tag.unsupported();
    only_pre(&tag);
    if mode != Mode::Mirror {
        tag.fault(told!("<splitbrain> is for mode mirror", "<splitbrain> est pour le mode mirror"));
    }
    tag.get("exec", units::one_of(&[("ping", ())]));
    let ident = tag.need("ident", units::name);
    let witnesses = tag.need("arg", |text| {
        let all: Result<Vec<Address>, Told> = text.split_ascii_whitespace().map(str::parse).collect();
        let all = all?;
        if all.is_empty() {
            Err(told!("write the address of a witness", "écrivez l'adresse d'un témoin"))
        } else {
            Ok(all)
        }
    });
    Some(Check::SplitBrain { ident: ident?, witnesses: witnesses? })
}

/// The checkers of `<vip>`: one `intf` for each interface, one `ip` for each address (CFG-VIP-02,
/// CFG-VIP-12). The network of an interface is not known before the module runs.
pub(super) fn generated(vip: &Vip) -> Vec<Check> {
    let mut checks = Vec::new();
    for interface in &vip.interfaces {
        if interface.check
            && let Some(first) = interface.addrs.first()
        {
            let (intf, local_addr) = (interface.name.clone(), first.addr.clone());
            checks.push(Check::Intf { ident: None, when: When::Pre, intf, local_addr });
        }
        for addr in interface.addrs.iter().filter(|a| a.check) {
            let when = if addr.where_ == Where::OneSideAlias { When::Prim } else { When::Both };
            let ident = addr.addr.to_string();
            checks.push(Check::Ip { ident, when, addr: addr.addr.clone(), interval: INTERVAL });
        }
    }
    checks
}
