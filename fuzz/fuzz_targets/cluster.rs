//! cluster.xml: any text is read or refused; what is read is written and read again as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use safekit::config::cluster;

fuzz_target!(|text: &str| {
    match cluster::load(text, "cluster.xml") {
        Ok(mut config) => {
            config.source = config.render();
            assert_eq!(cluster::load(&config.source, "again").as_ref(), Ok(&config));
        }
        Err(errors) => assert!(!errors.0.is_empty() && !errors.to_string().is_empty()),
    }
});
