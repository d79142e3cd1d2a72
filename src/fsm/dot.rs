//! The automata as graphs, from the same exploration as the tables.

use super::table::{Row, shown};
use std::collections::BTreeMap;
use std::fmt::Write;

/// A graph in the language of Graphviz: roles with their readiness, and the events between them.
pub fn graph(name: &str, rows: &[Row]) -> String {
    let mut edges: BTreeMap<(String, String), Vec<&String>> = BTreeMap::new();
    for row in rows.iter().filter(|row| leads_away(row)) {
        let labels = edges.entry((shown(row.from), shown(row.to))).or_default();
        if !labels.contains(&&row.event) {
            labels.push(&row.event);
        }
    }
    let mut text = format!(
        "digraph {name} {{\n  rankdir=LR;\n  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n  \
         edge [fontname=\"sans-serif\", fontsize=9];\n",
    );
    for ((from, to), labels) in edges {
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "  \"{from}\" -> \"{to}\" [label=\"{}\"];",
            labels.iter().map(|l| l.as_str()).collect::<Vec<_>>().join("\\n")
        );
    }
    text.push_str("}\n");
    text
}

/// An edge of the graph: what changes role or readiness and was not refused.
fn leads_away(row: &Row) -> bool {
    row.from != row.to && row.outcome == "taken"
}
