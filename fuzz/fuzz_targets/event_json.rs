//! An upload's metadata: any text is read or refused, and what was read is sent again as DataKit reads it.
#![no_main]

use ingest_client::ProfileMetadata;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
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
});
