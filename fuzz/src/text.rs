//! Texts that people write, and tables of the JVM's, whose parsers are public.

use std::time::Duration;

use ingest_client::ProfileMetadata;
use jprof::hotspot::line_numbers::{LineNumbers, Unsigned5};
use jprof::options::{NoSources, mask_arguments, mask_text, parse};

/// The agent string: any text gives options in range, and complaints of one line each.
pub(crate) fn options(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
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
}

/// An upload's metadata: any text is read or refused, and what was read is sent again as DataKit reads it.
pub(crate) fn event_json(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    let Ok(read) = ProfileMetadata::from_event_json(text) else {
        return;
    };
    let sent = read.to_event_json();
    let again = ProfileMetadata::from_event_json(&sent).expect("our own text is read");
    assert_eq!(again.start_unix_nanos, read.start_unix_nanos);
    assert_eq!(again.end_unix_nanos, read.end_unix_nanos);
    assert_eq!(again.to_event_json(), sent);
    let tags = again.tags.iter().chain(&again.custom_tags);
    for (name, value) in tags {
        assert!(!name.is_empty() && !name.contains([',', ':']));
        assert!(!value.is_empty() && !value.contains(','));
    }
}

/// A compressed table of line numbers: the line of each bytecode is one of the table.
pub(crate) fn line_numbers(bytes: &[u8]) {
    for numbers in [Unsigned5::WithZeros, Unsigned5::WithoutZeros] {
        let Some(table) = LineNumbers::decode(bytes, numbers) else {
            continue;
        };
        let entries = table.entries();
        assert!(entries.len() < bytes.len());
        for &(bci, _) in entries.iter().take(64) {
            for bci in [i32::from(bci), i32::from(bci) + 1] {
                let line = table.line(bci).expect("an entry is at or before it");
                assert!(entries.iter().any(|&(_, known)| known == line));
            }
        }
        assert_eq!(table.line(-1), None);
    }
}
