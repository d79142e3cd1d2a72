//! The rules that see packets as they enter the IP stack (family inet): datagrams are whole there, and the
//! connection of a packet is known.

use super::expression::{Rule, Then};
use super::message::{At, Table};
use super::program::{Program, balanced};
use super::sets::{MOVED, OWN, SETTLED};
use crate::config::module::Proto;
use crate::farm::Layout;

const ENTRY: &str = "enter";
const KNOWN: &str = "known";

/// All of them.
pub(super) fn program<'a>(table: &'a Table, layout: &Layout) -> Program<'a> {
    let mut program = Program::new(table);
    program.chain(ENTRY, At::Prerouting);
    if layout.keep {
        // A bucket that moved: who has the connection goes on with it, everybody else is silent.
        program.chain(KNOWN, At::Called);
        program.rule(KNOWN, Rule::new().established().then(Then::Accept));
        program.rule(KNOWN, Rule::new().then(Then::Drop));
    } else {
        // Reassembly comes with connection tracking, and otherwise on demand.
        let unused = "reassembly";
        program.chain(unused, At::Called);
        program.rule(unused, Rule::new().reassemble());
    }
    for (i, vip) in layout.vips.iter().enumerate() {
        let all = format!("vip{i}");
        program.chain(&all, At::Called);
        let here = Rule::new().to(vip.addr).came_in_on(&vip.device);
        program.rule(ENTRY, here.then(Then::Goto(&all)));
        for (chain, rule, hash) in balanced(&mut program, layout, i, &all) {
            program.rule(&chain, Rule::new().hashed_in(hash, SETTLED).then(Then::Accept));
            if layout.keep && rule.proto == Proto::Tcp {
                let other = Rule::new().not_first_of_tcp().hashed_in(hash, MOVED);
                program.rule(&chain, other.then(Then::Goto(KNOWN)));
            }
            program.rule(&chain, Rule::new().hashed_in(hash, OWN).then(Then::Accept));
            program.rule(&chain, Rule::new().then(Then::Drop));
        }
    }
    program
}
