//! The fuzz targets without a fuzzer: every file of their corpora, and mutations of them from a fixed seed,
//! so that corpora and targets stay true on any machine. `SAFEKIT_MUTATIONS` changes how many per target.

mod mutate;
#[path = "../../fuzz/src/lib.rs"]
mod targets;

use mutate::Mutator;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Mutations of each corpus.
const MUTATIONS: usize = 20_000;

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<_> =
        fs::read_dir(&dir).expect("a corpus").map(|entry| entry.expect("list").path()).collect();
    // The order of a directory is that of chance.
    files.sort();
    assert!(!files.is_empty(), "{} is empty", dir.display());
    files.iter().map(|file| fs::read(file).expect("read a file of the corpus")).collect()
}

fn replay(target: &str, check: impl Fn(&[u8])) {
    let count =
        std::env::var("SAFEKIT_MUTATIONS").ok().map(|text| text.parse().expect("a number of mutations"));
    let files = corpus(target);
    let mut mutator = Mutator::new(&files);
    let mutated = (0..count.unwrap_or(MUTATIONS)).map(|_| mutator.next());
    for (number, input) in files.iter().cloned().chain(mutated).enumerate() {
        let done = catch_unwind(AssertUnwindSafe(|| check(&input)));
        assert!(done.is_ok(), "{target}: input {number} is b\"{}\"", input.escape_ascii());
    }
}

/// As the fuzzer gives text: what is UTF-8.
fn text(check: fn(&str)) -> impl Fn(&[u8]) {
    move |bytes| check(&String::from_utf8_lossy(bytes))
}

#[test]
fn cluster() {
    replay("cluster", text(targets::cluster));
}

#[test]
fn userconfig() {
    replay("userconfig", text(targets::userconfig));
}

#[test]
fn rules() {
    replay("rules", text(targets::rules));
}

#[test]
fn replication_frame() {
    replay("replication_frame", targets::replication_frame);
}

#[test]
fn datagram() {
    replay("datagram", targets::datagram);
}

#[test]
fn safe_zip() {
    replay("safe_zip", targets::safe_zip);
}

#[test]
fn tunnel() {
    replay("tunnel", targets::tunnel);
}
