//! `<vhost>`: virtual host names (CFG-VH).

use crate::config::address::Address;
use crate::config::extract::Tag;
use crate::config::units;
use crate::config::xml::Element;
use crate::told::told;
use std::path::PathBuf;

/// When the virtual name is returned (CFG-VH-03).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VhostWhen {
    /// On the primary.
    Prim,
    /// On the secondary.
    Second,
    /// On both.
    Both,
}

/// `<virtualhostname>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualHostname {
    /// The name (CFG-VH-01).
    pub name: String,
    /// Generated file, relative to SAFEUSERBIN (CFG-VH-02).
    pub envfile: PathBuf,
    /// When the name is returned.
    pub when: VhostWhen,
}

/// Reads `<vhost>`.
pub(super) fn read<'a>(parent: &Tag<'a>, element: &'a Element) -> Vec<VirtualHostname> {
    let vhost = parent.open(element, &[], &["virtualhostname"]);
    vhost.unsupported();
    let whens = [("prim", VhostWhen::Prim), ("second", VhostWhen::Second), ("both", VhostWhen::Both)];
    vhost.some("virtualhostname", |e| {
        let tag = vhost.open(e, &["name", "envfile", "when"], &[]);
        let name = tag.need("name", |text| match text.parse() {
            Ok(Address::Name(name)) => Ok(name),
            _ => Err(told!("write a host name", "écrivez un nom de machine")),
        });
        let envfile = tag.need("envfile", units::text);
        let when = tag.or("when", VhostWhen::Prim, units::one_of(&whens));
        Some(VirtualHostname { name: name?, envfile: envfile?.into(), when })
    })
}
