//! Promiscuous mode: frames to a virtual MAC address come in only with it. It must outlive this process, so
//! it is the interface's own switch, and what we switched on is noted in the comment of our table.

use super::kernel::Kernel;
use crate::farm::FarmError;
use crate::ids::ModuleName;
use crate::net::addr::{self, Interface};
use crate::net::link;
use crate::told::told;
use std::collections::BTreeSet;

/// Before the names of interfaces.
const NOTE: &str = "promiscuous:";
/// nft takes comments up to this.
const LONGEST: usize = 127;

/// What is to be switched.
pub(super) struct Claims {
    module: ModuleName,
    /// Switched on by us, and to be on.
    on: BTreeSet<String>,
    /// Switched on by us, and needed no more.
    off: BTreeSet<String>,
    here: Vec<Interface>,
}

/// Finds out who needs it where. An interface that an administrator switched on is never ours.
pub(super) fn claim(
    kernel: &mut Kernel,
    module: &ModuleName,
    wanted: &BTreeSet<&str>,
) -> Result<Claims, FarmError> {
    let notes = kernel.notes()?;
    let noted = |own: bool| -> BTreeSet<String> {
        let notes = notes.iter().filter(|(name, _)| (*name == module) == own);
        let names = notes.filter_map(|(_, note)| note.strip_prefix(NOTE));
        names.flat_map(str::split_whitespace).map(str::to_owned).collect()
    };
    let (ours, others, here) = (noted(true), noted(false), addr::interfaces()?);
    let is_off = |name: &str| here.iter().any(|i| i.name == name && !i.promiscuous);
    let on = wanted.iter().filter(|name| ours.contains(**name) || others.contains(**name) || is_off(name));
    let on: BTreeSet<String> = on.map(|name| (*name).to_owned()).collect();
    let off = ours.iter().filter(|name| !wanted.contains(name.as_str()) && !others.contains(*name));
    let off = off.cloned().collect();
    Ok(Claims { module: module.clone(), on, off, here })
}

impl Claims {
    /// What the table is to remember.
    pub fn note(&self) -> Result<Option<String>, FarmError> {
        if self.on.is_empty() {
            return Ok(None);
        }
        let names: Vec<&str> = self.on.iter().map(String::as_str).collect();
        let note = format!("{NOTE} {}", names.join(" "));
        if note.len() > LONGEST {
            let all = names.join(", ");
            let what = told!(
                "vmac_invisible on so many interfaces: {all}",
                "vmac_invisible sur tant d'interfaces : {all}"
            );
            return Err(FarmError::Layout { module: self.module.clone(), what });
        }
        Ok(Some(note))
    }

    /// Switches.
    pub fn carry_out(self) -> Result<(), FarmError> {
        for interface in &self.here {
            let (on, off) = (self.on.contains(&interface.name), self.off.contains(&interface.name));
            if (on && !interface.promiscuous) || (off && interface.promiscuous) {
                link::set_promiscuous(interface.index, on)?;
            }
        }
        Ok(())
    }
}
