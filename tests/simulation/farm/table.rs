//! What membership and switch cost, by the number of nodes.

use super::world::{LANS, Setup, World};
use crate::rng::Rng;
use safekit::fsm::group::Group;

/// Milliseconds.
pub const PULSE: u64 = 100;

/// Of one size of farm; times in ms until all agree and each bucket is accepted by its owner.
#[derive(Debug)]
pub struct Row {
    pub nodes: usize,
    /// Datagrams per second of all nodes, when nothing happens.
    pub messages: f64,
    /// Bytes per second of all nodes, when nothing happens.
    pub bytes: f64,
    /// All nodes start.
    pub start: u64,
    /// The last node loses its power.
    pub follower: u64,
    /// It comes back.
    pub back: u64,
    /// It leaves.
    pub leave: u64,
    /// The leader loses its power.
    pub leader: u64,
    /// Datagrams that the change after the return took, beyond those that flow anyway.
    pub switch: u64,
}

/// Farms of these sizes with a pulse of 100 ms and two lans.
pub fn rows(sizes: &[usize]) -> Vec<Row> {
    sizes.iter().map(|nodes| row(*nodes)).collect()
}

fn row(nodes: usize) -> Row {
    let setup = Setup { powers: vec![vec![1; nodes]], pulse: PULSE, loss_percent: 0, planted: None };
    let mut w = World::new(setup, Rng::new(nodes as u64).draw());
    let most = 60_000;
    let stable = |w: &mut World| w.until_stable(most).unwrap_or_else(|e| panic!("{nodes} nodes: {e}"));
    (0..nodes).for_each(|node| w.start(node));
    let start = stable(&mut w);
    let last = nodes - 1;
    w.run(5_000).unwrap();
    let (datagrams, bytes) = (w.datagrams, w.bytes);
    w.run(10_000).unwrap();
    let (messages, bytes) = ((w.datagrams - datagrams) as f64 / 10.0, (w.bytes - bytes) as f64 / 10.0);
    w.power_off(last);
    let follower = stable(&mut w);
    w.run(3_000).unwrap();
    let before = w.datagrams;
    w.start(last);
    let back = stable(&mut w);
    let switch = (w.datagrams - before).saturating_sub((messages * back as f64 / 1000.0) as u64);
    w.run(3_000).unwrap();
    w.leave(last);
    let began = w.now;
    while !w.nodes[last].group.as_ref().is_some_and(Group::has_left) {
        w.run(1).unwrap();
    }
    let leave = stable(&mut w) + w.now - began;
    w.run(3_000).unwrap();
    // With two nodes the leader is alone now.
    if nodes == 2 {
        w.power_off(last);
        w.start(last);
        stable(&mut w);
        w.run(3_000).unwrap();
    }
    w.power_off(0);
    let leader = stable(&mut w);
    Row { nodes, messages, bytes, start, follower, back, leave, leader, switch }
}

/// The table as it is printed.
pub fn print(rows: &[Row]) -> String {
    let mut text = format!(
        "| nodes | datagrams/s of all | per node and lan | kB/s of all | start | follower lost | leader lost | node comes | node leaves | datagrams of a switch |\n|{}\n",
        "---|".repeat(10)
    );
    for row in rows {
        text += &format!(
            "| {} | {:.0} | {:.1} | {:.1} | {} ms | {} ms | {} ms | {} ms | {} ms | {} |\n",
            row.nodes,
            row.messages,
            row.messages / (row.nodes * LANS) as f64,
            row.bytes / 1000.0,
            row.start,
            row.follower,
            row.leader,
            row.back,
            row.leave,
            row.switch
        );
    }
    text
}
