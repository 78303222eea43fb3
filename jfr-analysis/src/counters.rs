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

/// What the profiler itself says it lost, in one sentence; none for a recording without losses. The
/// names of counters of losses begin with `drop_`, `name_` or `chunks_failed`, or speak of something
/// lost, dropped, rejected or without.
pub fn losses(counters: &BTreeMap<String, i64>) -> Option<String> {
    let is_loss = |name: &str| {
        ["drop_", "name_", "chunks_failed"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
            || ["_lost", "_dropped", "_rejected", "_without"]
                .iter()
                .any(|part| name.contains(part))
    };
    let lost: Vec<String> = counters
        .iter()
        .filter(|(name, count)| **count > 0 && is_loss(name))
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    (!lost.is_empty()).then(|| format!("Lost while profiling: {}", lost.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_told_in_one_sentence() {
        let counters = |pairs: &[(&str, i64)]| -> BTreeMap<String, i64> {
            pairs
                .iter()
                .map(|&(name, count)| (name.to_owned(), count))
                .collect()
        };
        let some = counters(&[
            ("drop_ring_full", 3),
            ("drop_too_early", 0),
            ("thread_events_lost", 2),
            ("threads_without_ticks", 1),
            ("upload_dropped_age", 4),
            ("ticks", 9),
            ("walk_ok", 9),
        ]);
        assert_eq!(
            losses(&some).as_deref(),
            Some(
                "Lost while profiling: drop_ring_full 3, thread_events_lost 2, threads_without_ticks 1, \
                 upload_dropped_age 4"
            )
        );
        assert_eq!(losses(&counters(&[("ticks", 9), ("upload_sent", 1)])), None);
    }
}
