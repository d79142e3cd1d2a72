//! userconfig.xml: any text is read or refused with at least one fault; what is read is planned.
#![no_main]

use libfuzzer_sys::fuzz_target;
use safekit::config::{module, plan};

fuzz_target!(|text: &str| {
    let env = |name: &str| (name == "HOME").then(|| "/root".to_owned());
    match module::load(text, "userconfig.xml", &env, None) {
        Ok(config) => {
            let _ = config.unsupported();
            assert!(plan::changes(&config, &config).is_empty());
        }
        Err(errors) => assert!(!errors.0.is_empty() && !errors.to_string().is_empty()),
    }
});
