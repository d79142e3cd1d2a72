//! .safe archives: what is unpacked lies inside its directory and can be signed and packed again;
//! a refusal leaves nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use safekit::config::{archive, signature};

fuzz_target!(|bytes: &[u8]| {
    let Ok(dir) = tempfile::tempdir() else { return };
    let dest = dir.path().join("module");
    let limits = archive::Limits { entries: 50, unpacked: 1 << 16, ..archive::Limits::default() };
    let done = archive::unpack(bytes, &dest, &limits).is_ok();
    let left = std::fs::read_dir(dir.path()).map_or(0, |entries| entries.count());
    assert_eq!(left, usize::from(done));
    if done {
        assert!(signature::of_module(&dest).is_ok());
        assert!(archive::bytes(&dest).is_ok());
    }
});
