//! Rules from outside: the parser never panics, and what it accepts survives printing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use safekit::fsm::rules::parse::{Author, parse};

fuzz_target!(|text: &str| {
    let Ok(rules) = parse(text, 1, Author::Product) else { return };
    let printed: String = rules.iter().map(|parsed| format!("{}\n", parsed.rule)).collect();
    let again = parse(&printed, 1, Author::Product).expect("a printed rule is a rule");
    let bare = |list: &[safekit::fsm::rules::parse::Parsed]| -> Vec<_> {
        list.iter().map(|parsed| parsed.rule.clone()).collect()
    };
    assert_eq!(bare(&rules), bare(&again));
});
