#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| safekit_fuzz::cluster(text));
