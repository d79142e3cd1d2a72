//! What the processes of a node use.

use crate::cluster::Node;

/// Ticks of CPU time in a second (`USER_HZ`, 100 for every program on Linux).
const TICKS: f64 = 100.0;

/// What processes of a node have used up to now.
pub struct Usage {
    /// Seconds.
    pub cpu: f64,
    /// Resident, in MB of 10^6 bytes.
    pub memory: f64,
}

/// Of the programs of these names, `a|b`.
pub fn usage(node: &Node, programs: &str) -> Usage {
    // Fields 14 and 15 of proc_pid_stat(5), the 12th and 13th behind the name; kilobytes.
    let script = format!(
        r#"for pid in $(pgrep '^({programs})$'); do
            sed 's/.*) //' /proc/$pid/stat | cut -d' ' -f12,13
            sed -n 's/^VmRSS:[ \t]*\([0-9]*\) kB$/\1 kB/p' /proc/$pid/status
        done"#
    );
    let said = node.sh(&script);
    assert!(said.code == 0 && !said.stdout.is_empty(), "{programs} on {}: {said:?}", node.name());
    let (mut ticks, mut kilobytes) = (0.0, 0.0);
    for line in said.stdout.lines() {
        let number = |text: &str| text.parse::<f64>().expect("a number");
        match line.split_once(' ') {
            Some((memory, "kB")) => kilobytes += number(memory),
            Some((user, system)) => ticks += number(user) + number(system),
            None => panic!("{line}"),
        }
    }
    Usage { cpu: ticks / TICKS, memory: kilobytes * 1024.0 / 1e6 }
}
