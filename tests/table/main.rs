//! The automaton against its reviewed table, graph and list of scripts (DESIGN 5a, 5b).
//! `SAFEKIT_UPDATE=1` writes them anew; the difference is then reviewed like code.
#![allow(missing_docs, reason = "a test")]

use safekit::fsm::{dot, table};
use std::fs;
use std::path::Path;
use std::process::Command;

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
    let svg = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/automata/mirror.svg");
    let mark = format!("<!-- of mirror.dot {} -->", blake3::hash(dot::mirror().as_bytes()).to_hex());
    if std::env::var_os("SAFEKIT_UPDATE").is_some() {
        draw(&svg, &mark);
    }
    let drawn = fs::read_to_string(&svg).unwrap_or_default();
    assert!(drawn.contains(&mark), "mirror.svg is of another mirror.dot: SAFEKIT_UPDATE=1, with graphviz");
}

/// Draws the picture with graphviz, and marks which graph it is of: drawings differ with the version
/// of graphviz, so the picture itself is not compared.
fn draw(svg: &Path, mark: &str) {
    let dot = svg.with_extension("dot");
    let out = Command::new("dot").arg("-Tsvg").arg(dot).output().expect("graphviz is installed");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).expect("SVG is text");
    fs::write(svg, format!("{text}{mark}\n")).expect("a file that can be written");
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
