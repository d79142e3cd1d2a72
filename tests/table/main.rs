//! The automata against their reviewed tables, graphs and lists of scripts (DESIGN 5a, 5b).
//! `SAFEKIT_UPDATE=1` writes them anew; the difference is then reviewed like code.
#![allow(missing_docs, reason = "a test")]

use safekit::fsm::table::Row;
use safekit::fsm::{dot, table};
use std::collections::BTreeSet;
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
fn the_tables_are_as_reviewed() {
    same("tests/table/mirror.txt", &table::text(&table::mirror::rows()));
    same("tests/table/farm.txt", &table::text(&table::farm::rows(true)));
    same("tests/table/light.txt", &table::text(&table::farm::rows(false)));
}

#[test]
fn the_graphs_are_as_drawn() {
    is_drawn("mirror", &table::mirror::rows());
    is_drawn("farm", &table::farm::rows(true));
}

fn is_drawn(name: &str, rows: &[Row]) {
    let graph = dot::graph(name, rows);
    same(&format!("docs/automata/{name}.dot"), &graph);
    let svg = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/automata/{name}.svg"));
    let mark = format!("<!-- of {name}.dot {} -->", blake3::hash(graph.as_bytes()).to_hex());
    if std::env::var_os("SAFEKIT_UPDATE").is_some() {
        draw(&svg, &mark);
    }
    let drawn = fs::read_to_string(&svg).unwrap_or_default();
    assert!(drawn.contains(&mark), "{name}.svg is of another {name}.dot: SAFEKIT_UPDATE=1, with graphviz");
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
    same("docs/automata/scripts.md", &table::scripts("mirror", &table::mirror::rows()));
    same("docs/automata/scripts-farm.md", &table::scripts("farm or light", &table::farm::rows(true)));
}

/// Every pair is there, every event settles, and commands are never lost without a word.
#[test]
fn the_mirror_table_is_whole() {
    let rows = table::mirror::rows();
    assert!(is_whole(&rows, 16, 40));
    for r in &rows {
        let swallowed = r.outcome == "taken" && r.event == "stop" && r.effects.is_empty();
        assert!(!swallowed || r.state.contains("leaves"), "{}: {} does nothing", r.state, r.event);
    }
}

/// The same; every stop ends in STOP, and what is refused changes nothing.
#[test]
fn the_farm_tables_are_whole() {
    for (farm, states) in [(true, 25), (false, 18)] {
        let rows = table::farm::rows(farm);
        assert!(is_whole(&rows, states, 20));
        for r in &rows {
            let stop = ["stop", "forcestop", "shutdown"].contains(&r.event.as_str());
            assert!(!stop || r.ends == "STOP NotReady", "{}: {} ends in {}", r.state, r.event, r.ends);
            let goes_on = r.state.contains(':');
            let refused = r.outcome.starts_with("refused");
            assert!(!refused || goes_on || r.effects.is_empty(), "{}: {}", r.state, r.event);
        }
    }
}

/// A row for each of at least so many states with each of at least so many events.
fn is_whole(rows: &[Row], least_states: usize, least_events: usize) -> bool {
    let states: BTreeSet<_> = rows.iter().map(|r| &r.state).collect();
    let events: BTreeSet<_> = rows.iter().map(|r| &r.event).collect();
    rows.len() == states.len() * events.len() && states.len() >= least_states && events.len() >= least_events
}
