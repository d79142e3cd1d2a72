#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| safekit_fuzz::tunnel(data));
