//! The agent string: any text gives options in range, and complaints of one line each.
#![no_main]

use std::time::Duration;

use jprof::options::{NoSources, mask_arguments, mask_text, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let parsed = parse(text, &NoSources);
    let options = &parsed.options;
    assert!((Duration::from_secs(1)..=Duration::from_secs(3600)).contains(&options.period));
    assert!((Duration::from_micros(10)..=Duration::from_secs(10)).contains(&options.interval));
    assert!((1..=8192).contains(&options.stack_depth));
    for complaint in &parsed.complaints {
        assert!(!complaint.to_string().contains(['\n', '\r']));
    }
    parsed.settings();
    mask_text(text);
    mask_arguments(text.split(' '));
});
