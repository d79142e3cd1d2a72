//! The automaton against its reviewed table, graph and list of scripts (DESIGN 5a, 5b).
//! `SAFEKIT_UPDATE=1` writes them anew; the difference is then reviewed like code.
#![allow(missing_docs, reason = "a test")]

use safekit::fsm::{dot, table};
use std::fs;
use std::path::Path;

fn same(path: &str, now: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("SAFEKIT_UPDATE").is_some() {
        fs::write(&file, now).expect("a file that can be written");
        return;
    }
    let was = fs::read_to_string(&file).unwrap_or_default();
    let differs = was.lines().zip(now.lines()).enumerate().find(|(_, (a, b))| a != b);
    if let Some((n, (a, b))) = differs {
        panic!("{path}:{}\n  was {a}\n  now {b}\nrun with SAFEKIT_UPDATE=1 and review the difference", n + 1);
    }
    assert!(was == now, "{path} has {} lines, now {}", was.lines().count(), now.lines().count());
}

#[test]
fn the_table_is_as_reviewed() {
    same("tests/table/mirror.txt", &table::text());
}

#[test]
fn the_graph_is_as_drawn() {
    same("docs/automata/mirror.dot", &dot::mirror());
}

#[test]
fn the_scripts_are_as_documented() {
    same("docs/automata/scripts.md", &table::scripts());
}

/// Every pair is there, every event settles, and commands are never lost without a word.
#[test]
fn the_table_is_whole() {
    let rows = table::rows();
    let states: std::collections::BTreeSet<_> = rows.iter().map(|r| r.state).collect();
    let events: std::collections::BTreeSet<_> = rows.iter().map(|r| &r.event).collect();
    assert_eq!(rows.len(), states.len() * events.len());
    assert!(states.len() >= 16 && events.len() >= 40);
    for r in &rows {
        let swallowed = r.outcome == "taken" && r.event == "stop" && r.effects.is_empty();
        assert!(!swallowed || r.state.contains("leaves"), "{}: {} does nothing", r.state, r.event);
    }
}
