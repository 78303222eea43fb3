use std::collections::BTreeMap;

use jfr_reader::Recording;

/// The event in which a jprof recording tells its losses and costs, one per counter and chunk.
const COUNTER: &str = "jprof.Counter";

/// The totals of the `jprof.Counter` events over all chunks, by name.
pub fn counters(recording: &Recording<'_>) -> BTreeMap<String, i64> {
    let mut totals = BTreeMap::<String, i64>::new();
    for chunk in recording.chunks() {
        for event in chunk.events().flatten() {
            if event.type_name() != COUNTER {
                continue;
            }
            if let (Some(name), Some(count)) = (event.text("name"), event.i64("count")) {
                let total = totals.entry(name.into_owned()).or_default();
                *total = total.saturating_add(count);
            }
        }
    }
    totals
}
