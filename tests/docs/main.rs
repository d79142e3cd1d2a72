//! The documents say what the program does: log lines, command lines, configuration files, links.

// A test may fail where it stands.
#![allow(clippy::unwrap_used)]

mod samples;

use regex::Regex;
use safekit::cli::{Context, parse};
use safekit::config::{cluster, module};
use safekit::fsm::command::Command;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every document with its text.
fn documents() -> Vec<(PathBuf, String)> {
    let mut dirs = vec![root().join("docs")];
    let mut files: Vec<PathBuf> =
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"]
            .map(|name| root().join(name))
            .to_vec();
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|e| e == "md") {
                files.push(path);
            }
        }
    }
    files.sort();
    files.into_iter().map(|f| (f.clone(), fs::read_to_string(&f).unwrap())).collect()
}

/// The fenced blocks of one language, each with the number of its first line.
fn blocks(text: &str, language: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut open: Option<(bool, usize, String)> = None;
    for (i, line) in text.lines().enumerate() {
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (None, Some(word)) => open = Some((word.trim() == language, i + 2, String::new())),
            (Some(_), Some(_)) => {
                let (wanted, at, body) = open.take().unwrap();
                if wanted {
                    found.push((at, body));
                }
            }
            (Some((_, _, body)), None) => *body += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a code block is not closed");
    found
}

/// A quoted log line as a pattern: `<word>` stands for any text. None: it quotes nothing.
fn pattern(line: &str) -> Option<Regex> {
    let placeholder = Regex::new("<[a-z ]+>").unwrap();
    let fixed: Vec<&str> = placeholder.split(line.trim()).collect();
    if fixed.iter().map(|f| f.trim().len()).sum::<usize>() < 8 {
        return None;
    }
    let escaped: Vec<String> = fixed.into_iter().map(regex::escape).collect();
    Some(Regex::new(&format!("^{}$", escaped.join(".+"))).unwrap())
}

fn is_logged(line: &str, samples: &[String]) -> bool {
    pattern(line).is_some_and(|p| samples.iter().any(|sample| p.is_match(sample)))
}

#[test]
fn quoted_log_lines_are_those_of_the_program() {
    let samples = samples::texts();
    let (mut wrong, mut quoted) = (Vec::new(), 0);
    for (file, text) in documents() {
        for (at, body) in blocks(&text, "log") {
            for (i, line) in body.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
                quoted += 1;
                if !is_logged(line, &samples) {
                    wrong.push(format!("{}:{}: {line}", file.display(), at + i));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "no message of the program reads:\n{}", wrong.join("\n"));
    assert!(quoted > 50, "only {quoted} quoted lines were found");
}

#[test]
fn a_line_that_is_not_of_the_program_is_found() {
    let samples = samples::texts();
    assert!(is_logged("Resource tcp.<ident> set to down by tcpcheck", &samples));
    assert!(is_logged("the virtual ip cannot be set: <reason>", &samples));
    for wrong in ["Resource tcp.<ident> set to down by tcpchecker", "<anything>", "<a> <b>", "End of stop."] {
        assert!(!is_logged(wrong, &samples), "{wrong}");
    }
}

/// The index of the failures names every page, and every quoted line of it is in that page.
#[test]
fn the_index_of_failures_is_complete() {
    let dir = root().join("docs/failures");
    let index = fs::read_to_string(dir.join("README.md")).unwrap();
    for entry in fs::read_dir(&dir).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name == "README.md" || index.contains(&format!("({name})")), "{name} is not in the index");
    }
    let row = Regex::new(r"^\| `([^`]+)` \| \[[^\]]+\]\(([a-z-]+\.md)\)").unwrap();
    let samples = samples::texts();
    let mut rows = 0;
    for row in index.lines().filter_map(|line| row.captures(line)) {
        rows += 1;
        assert!(is_logged(&row[1], &samples), "no message of the program reads: {}", &row[1]);
        let page = fs::read_to_string(dir.join(&row[2])).unwrap();
        assert!(page.contains(&row[1]), "{} does not quote: {}", &row[2], &row[1]);
    }
    assert!(rows > 20, "only {rows} lines of the index were read");
}

#[test]
fn quoted_commands_can_be_typed() {
    let (mut wrong, mut quoted) = (Vec::new(), 0);
    for (file, text) in documents() {
        for (at, body) in blocks(&text, "sh") {
            for (i, line) in body.lines().enumerate() {
                for command in line.split("&&").map(str::trim).filter(|c| c.starts_with("safekit ")) {
                    quoted += 1;
                    let command = command.split(" | ").next().unwrap_or_default();
                    let words = shlex::split(command).unwrap_or_default();
                    let words = words.into_iter().take_while(|w| !w.starts_with(['#', '>']));
                    let words: Vec<OsString> = words.map(OsString::from).collect();
                    if let Err(e) = parse(&words, &Context::default()) {
                        wrong.push(format!("{}:{}: {command}: {e}", file.display(), at + i));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(quoted > 50, "only {quoted} quoted commands were found");
}

#[test]
fn quoted_configurations_are_accepted() {
    let mut quoted = 0;
    for (file, text) in documents() {
        for (at, body) in blocks(&text, "xml") {
            let place = format!("{}:{at}", file.display());
            if !body.contains("<safe>") {
                cluster::load(&body, &place).unwrap_or_else(|e| panic!("{e}"));
            } else {
                let config = module::load(&body, &place, &|_| None, None).unwrap_or_else(|e| panic!("{e}"));
                assert_eq!(config.unsupported(), [], "{place}");
            }
            quoted += 1;
        }
    }
    assert!(quoted > 2, "only {quoted} quoted configurations were found");
}

#[test]
fn links_between_documents_lead_somewhere() {
    let link = Regex::new(r"\]\(([^)#\s]+)(#[^)]*)?\)").unwrap();
    let mut wrong = Vec::new();
    for (file, text) in documents() {
        for target in link.captures_iter(&text).map(|c| c[1].to_owned()).filter(|t| !t.contains("://")) {
            if !file.parent().unwrap_or(Path::new("/")).join(&target).exists() {
                wrong.push(format!("{}: {target}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn named_source_files_exist() {
    let name = Regex::new(r"`((?:[a-z_]+/)+[a-z_]+\.rs)`").unwrap();
    let (mut wrong, mut named) = (Vec::new(), 0);
    for (file, text) in documents() {
        for path in name.captures_iter(&text).map(|c| c[1].to_owned()) {
            named += 1;
            if !root().join(&path).exists() && !root().join("src").join(&path).exists() {
                wrong.push(format!("{}: {path}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(named > 20, "only {named} source files were found");
}

#[test]
fn the_console_knows_the_commands_that_a_node_offers() {
    let source = fs::read_to_string(root().join("console/src/state/effects.ts")).unwrap();
    let (_, rest) = source.split_once("export const COMMANDS = [").unwrap();
    let (list, _) = rest.split_once(']').unwrap();
    let known: Vec<&str> = list.split('\'').skip(1).step_by(2).collect();
    assert_eq!(known, Command::MENU.map(|command| command.known().name));
}

/// Every line of the table of faults names tests that there are.
#[test]
fn each_fault_of_replication_has_its_test() {
    let page = fs::read_to_string(root().join("docs/failures/replication-faults.md")).unwrap();
    let (mut sources, mut dirs) = (String::new(), vec![root().join("src"), root().join("tests")]);
    while let Some(dir) = dirs.pop() {
        for path in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                sources += &fs::read_to_string(path).unwrap();
            }
        }
    }
    let name = Regex::new("`([a-z0-9_]+)`").unwrap();
    let mut rows = 0;
    for row in page.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let cell = row.trim_end_matches([' ', '|']).rsplit(" | ").next().unwrap_or_default();
        let tests: Vec<_> = name.captures_iter(cell).map(|c| c[1].to_owned()).collect();
        assert!(!tests.is_empty(), "no test: {row}");
        for test in tests {
            let there = Regex::new(&format!(r"#\[test\]\s+fn {test}\(")).unwrap();
            assert!(there.is_match(&sources), "no such test: {test}");
        }
        rows += 1;
    }
    assert!(rows > 10, "only {rows} faults were read");
}
