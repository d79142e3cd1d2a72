//! Rules of the sources that no compiler checks: the automata are pure, files stay short, nothing
//! is left undone.
#![allow(missing_docs, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};

/// Lines that a source file may have.
const LINES_MOST: usize = 500;

/// What an automaton must not touch: clocks, input and output, runtimes, chance, logs.
const IMPURE: [&str; 21] = [
    "std::time",
    "std::fs",
    "std::net",
    "std::io",
    "std::process",
    "std::thread",
    "std::env",
    "std::sync",
    "SystemTime",
    "Instant::",
    "tokio",
    "actix",
    "tracing",
    "rand::",
    "getrandom",
    "libc",
    "nix::",
    "rusqlite",
    "socket2",
    "println!",
    "HashMap",
];

/// What a source file must not hold, split so that this file does not hold it either.
fn unfinished() -> Vec<String> {
    [("todo", "!("), ("unimplemented", "!("), ("#[ign", "ore]"), ("crates", ".io"), ("npmjs", ".org")]
        .into_iter()
        .map(|(a, b)| format!("{a}{b}"))
        .collect()
}

/// The code of a line: no comment, and a grouped import of `std` spelt out.
fn code(line: &str) -> &str {
    line.split_once("//").map_or(line, |(code, _)| code)
}

/// Whether `word` stands in `text` on its own, not as the end of a longer name.
fn holds(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        let part = |c: char| c.is_alphanumeric() || c == '_';
        !before.is_some_and(part) && (word.ends_with(|c: char| !part(c)) || !after.is_some_and(part))
    })
}

/// Lines of an automaton that are not pure. What follows a test module's attribute is not looked at.
fn impure(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (i, line) in text.lines().enumerate() {
        if line.trim() == "mod tests {" {
            break;
        }
        let code = code(line);
        let grouped = ["time", "fs", "net", "io", "process", "thread", "env", "sync"]
            .iter()
            .filter(|_| code.contains("std::{"))
            .find(|m| holds(code.split_once("std::{").map_or("", |c| c.1), m));
        let pure_log = ["crate::log::Message", "crate::log::Lang"].iter().any(|pure| code.contains(pure));
        let crate_log = holds(code, "log::") && !pure_log;
        if let Some(word) = IMPURE.iter().find(|w| holds(code, w)) {
            found.push((i + 1, (*word).to_owned()));
        } else if let Some(module) = grouped {
            found.push((i + 1, format!("std::{module}")));
        } else if crate_log {
            found.push((i + 1, "log::".to_owned()));
        }
    }
    found
}

/// What is wrong with the text of any source file.
fn untidy(text: &str) -> Vec<String> {
    let lines = text.lines().count();
    let long = (lines > LINES_MOST).then(|| format!("{lines} lines, {LINES_MOST} at most"));
    let left = unfinished().into_iter().filter(|w| text.contains(w.as_str())).map(|w| format!("holds {w}"));
    long.into_iter().chain(left).collect()
}

fn sources(under: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(under).expect("a directory of sources").flatten() {
        let path = entry.path();
        if path.is_dir() && path.file_name().is_some_and(|n| n != "target") {
            sources(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

fn all(dirs: &[&str]) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    for dir in dirs.iter().map(|d| root.join(d)).filter(|d| d.is_dir()) {
        sources(&dir, &mut paths);
    }
    paths.sort();
    let text = |p: &PathBuf| fs::read_to_string(p).expect("a source in UTF-8");
    paths.iter().map(|p| (p.strip_prefix(root).unwrap_or(p).to_owned(), text(p))).collect()
}

#[test]
fn the_automata_are_pure() {
    let files = all(&["src/fsm"]);
    assert!(files.len() > 20, "the automata were not found");
    let found: Vec<String> = files
        .iter()
        .filter(|(p, _)| !p.to_string_lossy().ends_with("tests.rs"))
        .flat_map(|(p, text)| impure(text).into_iter().map(move |(n, w)| format!("{}:{n}: {w}", p.display())))
        .collect();
    assert!(found.is_empty(), "src/fsm must not use:\n{}", found.join("\n"));
}

#[test]
fn every_source_is_short_and_finished() {
    let files = all(&["src", "tests", "fuzz", "benches"]);
    assert!(files.len() > 100, "the sources were not found");
    let found: Vec<String> = files
        .iter()
        .flat_map(|(p, text)| untidy(text).into_iter().map(move |w| format!("{}: {w}", p.display())))
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn impure_code_is_found() {
    for bad in [
        "use std::time::Duration;",
        "use std::{collections::BTreeMap, fs};",
        "    let t = Instant::now();",
        "    tracing::info!(\"x\");",
        "use tokio::sync::mpsc;",
        "    let mut m = HashMap::new();",
        "    log::info!(\"x\");",
        "use crate::log::Journal;",
        "    let id = rand::random::<u64>(); // chance",
    ] {
        assert_eq!(impure(bad).len(), 1, "{bad}");
    }
    for good in [
        "//! Nothing here looks at std::time.",
        "use crate::log::Message;",
        "use crate::log::Lang;",
        "use std::collections::{BTreeMap, VecDeque};",
        "    let operand::Kind = x;",
        "use std::{fmt, iter};",
        "    instant: u64, // no Instant::now()",
        "mod tests {\n    use std::time::Duration;\n}",
    ] {
        assert_eq!(impure(good), [], "{good}");
    }
}

#[test]
fn untidy_code_is_found() {
    assert_eq!(untidy(&"x\n".repeat(LINES_MOST)), Vec::<String>::new());
    assert_eq!(untidy(&"x\n".repeat(LINES_MOST + 1)).len(), 1);
    for word in unfinished() {
        assert_eq!(untidy(&format!("    {word} )")).len(), 1, "{word}");
    }
    let reason = format!("#[ign{}", "ore = \"needs root\"]");
    assert_eq!(untidy(&reason), Vec::<String>::new(), "with a reason it is allowed");
}
