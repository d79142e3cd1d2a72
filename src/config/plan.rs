//! What a new configuration changes, and what of it cannot be applied to a running module (column
//! Dyn of spec/config.md, CFG-GEN-04).

use crate::config::module::{ModuleConfig, Rfs, Service};
use std::fmt;

/// One difference between two configurations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Name of the tag.
    pub tag: &'static str,
    /// Name of the attribute or inner tag; none: the tag as a whole.
    pub attribute: Option<&'static str>,
    /// Only a stopped module can take it over.
    pub needs_stop: bool,
}

/// `<service> mode`.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.tag)?;
        match self.attribute {
            Some(a) => write!(f, " {a}"),
            None => Ok(()),
        }
    }
}

/// Everything that differs, in the order of userconfig.xml.
pub fn changes(old: &ModuleConfig, new: &ModuleConfig) -> Vec<Change> {
    let mut found = service(&old.service, &new.service);
    let whole =
        |tag, changed: bool, needs_stop| changed.then_some(Change { tag, attribute: None, needs_stop });
    found.extend(whole("heart", old.heart != new.heart, false));
    found.extend(whole("farm", old.farm != new.farm, true));
    found.extend(match (&old.rfs, &new.rfs) {
        (Some(old), Some(new)) => rfs(old, new),
        (old, new) => whole("rfs", old.is_some() != new.is_some(), true).into_iter().collect(),
    });
    found.extend(whole("vip", old.vip != new.vip, true));
    found.extend(whole("user", old.user != new.user, false));
    found.extend(whole("vhost", old.vhost != new.vhost, true));
    found.extend(whole("errd", old.errd != new.errd, false));
    found.extend(whole("check", old.checks != new.checks, false));
    found.extend(whole("failover", old.failover != new.failover, true));
    found
}

/// The differences that forbid a dynamic configuration; empty: it may be applied.
pub fn forbidden_changes(old: &ModuleConfig, new: &ModuleConfig) -> Vec<Change> {
    changes(old, new).into_iter().filter(|c| c.needs_stop).collect()
}

fn attributes<const N: usize>(tag: &'static str, all: [(&'static str, bool, bool); N]) -> Vec<Change> {
    let changed = all.into_iter().filter(|(_, changed, _)| *changed);
    changed.map(|(name, _, needs_stop)| Change { tag, attribute: Some(name), needs_stop }).collect()
}

fn service(old: &Service, new: &Service) -> Vec<Change> {
    attributes(
        "service",
        [
            ("mode", old.mode != new.mode, true),
            ("boot", old.boot != new.boot, false),
            ("boot_delay", old.boot_delay != new.boot_delay, true),
            ("failover", old.failover != new.failover, true),
            ("defaultprim", old.defaultprim != new.defaultprim, true),
            ("maxloop", old.maxloop != new.maxloop, false),
            ("loop_interval", old.loop_interval != new.loop_interval, false),
            ("automatic_reboot", old.automatic_reboot != new.automatic_reboot, false),
        ],
    )
}

fn rfs(old: &Rfs, new: &Rfs) -> Vec<Change> {
    attributes(
        "rfs",
        [
            ("mountoversuffix", old.mountoversuffix != new.mountoversuffix, true),
            ("acl", old.acl != new.acl, true),
            ("async", old.async_ != new.async_, false),
            ("packetsize", old.packetsize != new.packetsize, true),
            ("reipacketsize", old.reipacketsize != new.reipacketsize, true),
            ("ruzone_blocksize", old.ruzone_blocksize != new.ruzone_blocksize, true),
            ("locktimeout", old.locktimeout != new.locktimeout, true),
            ("sendtimeout", old.sendtimeout != new.sendtimeout, true),
            ("nbrei", old.nbrei != new.nbrei, false),
            ("namespacepolicy", old.namespacepolicy != new.namespacepolicy, true),
            ("reitimeout", old.reitimeout != new.reitimeout, false),
            ("reicommit", old.reicommit != new.reicommit, true),
            ("reidetail", old.reidetail != new.reidetail, false),
            ("nbremconn", old.nbremconn != new.nbremconn, true),
            ("checktime", old.checktime != new.checktime, true),
            ("checkintv", old.checkintv != new.checkintv, true),
            ("scripts", old.scripts != new.scripts, true),
            ("reiallowedbw", old.reiallowedbw != new.reiallowedbw, true),
            ("syncdelta", old.syncdelta != new.syncdelta, true),
            ("syncat", old.syncat != new.syncat, true),
            ("flow", old.flow != new.flow, false),
            ("replicated", old.replicated != new.replicated, true),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::module::load;

    const BASE: &str =
        "<safe><service mode='mirror' maxloop='3' failover='on'><heart><heartbeat name='a'/></heart>
        <rfs async='second' acl='off'><replicated dir='/d'/></rfs><user/><check/></service></safe>";

    fn read(text: &str) -> ModuleConfig {
        load(text, "u", &|_| None, None).unwrap()
    }

    /// D-9.6a: what may change in ALONE and WAIT, and what may not.
    #[test]
    fn the_column_dyn() {
        let base = read(BASE);
        assert_eq!(changes(&base, &base), []);
        let vip = "<vip><interface_list><interface check='off'><real_interface><virtual_addr check='off' addr='10.0.0.9'/>
                   </real_interface></interface></interface_list></vip><check/>";
        for (from, to, name, needs_stop) in [
            ("maxloop='3'", "maxloop='4'", "<service> maxloop", false),
            ("maxloop='3'", "boot='on'", "<service> boot", false),
            ("failover='on'", "failover='off'", "<service> failover", true),
            ("failover='on'", "defaultprim='lastprim'", "<service> defaultprim", true),
            ("<heart>", "<heart timeout='20s'>", "<heart>", false),
            ("async='second'", "async='none'", "<rfs> async", false),
            ("acl='off'", "acl='on'", "<rfs> acl", true),
            ("dir='/d'", "dir='/e'", "<rfs> replicated", true),
            ("<user/>", "", "<user>", false),
            ("<user/>", "<user/><errd/>", "<errd>", false),
            ("<user/>", "<vhost><virtualhostname name='v' envfile='e'/></vhost><user/>", "<vhost>", true),
            ("<check/>", "<check><ping ident='p'><to addr='h'/></ping></check>", "<check>", false),
            ("<check/>", vip, "<vip>", true),
            ("<check/>", "<failover extends='no'/>", "<failover>", true),
            ("<rfs async='second' acl='off'><replicated dir='/d'/></rfs>", "", "<rfs>", true),
        ] {
            assert!(BASE.contains(from), "{from}");
            let new = read(&BASE.replace(from, to));
            let found: Vec<(String, bool)> =
                changes(&base, &new).into_iter().map(|c| (c.to_string(), c.needs_stop)).collect();
            assert_eq!(found, [(name.to_owned(), needs_stop)], "{to}");
            assert_eq!(forbidden_changes(&base, &new).len(), usize::from(needs_stop));
        }
    }
}
