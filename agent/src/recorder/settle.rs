//! The end of a chunk: CPU time that no sample stands for, and the counters.

use std::sync::atomic::Ordering;

use jprof_signal_safe::clock::{cpu_nanos_of, process_cpu_nanos};
use jprof_signal_safe::counters::Counter;
use jprof_signal_safe::record::{RecordKind, RecordView};
use jprof_signal_safe::threads::{ThreadKey, TickSource};
use jprof_signal_safe::tick::Sampler;

use super::chunk::SampleFacts;
use super::{Run, frame_names, preamble};
use crate::limits;
use crate::threads::Registry;

impl Run {
    /// Makes the samples add up to the process's CPU time: see `account`. Samples of events add up to these by themselves, and
    /// say nothing of CPU time.
    pub(super) fn settle_cpu_time(&mut self, boundary: u64, last: bool) {
        if !self.recorder.sampler.samples_cpu_time() {
            return;
        }
        let interval = self.recorder.sampler.interval();
        let ticks = self.clock.ticks(boundary.saturating_sub(1));
        let mut unclaimed = 0_i64;
        for (key, tid, own) in self.recorder.registry.threads() {
            let Some(slot) = self.recorder.sampler.threads.get(key) else {
                continue;
            };
            let Some(cpu) = cpu_nanos_of(tid) else {
                continue;
            };
            let label = if own {
                Some(frame_names::OWN_THREAD)
            } else if last {
                Some(frame_names::THREAD_END)
            } else if slot.source() == TickSource::None
                || slot.unclaimed_nanos(cpu) > unsampled_after_nanos(interval, slot.period())
            {
                Some(frame_names::UNSAMPLED)
            } else {
                None
            };
            if let Some(label) = label {
                let weight = slot.claim_whole_intervals(cpu, interval);
                if weight > 0 {
                    self.write_label(key, label, ticks, weight);
                }
            }
            unclaimed += slot.unclaimed_nanos(cpu);
        }
        if last {
            // What the living have left over is less than an interval each; together it counts.
            unclaimed = 0;
        }
        let process = process_cpu_nanos();
        // Records that came in the meantime count as claimed.
        self.drain(if last { u64::MAX } else { boundary });
        let pending: u64 = self
            .later
            .iter()
            .filter_map(|words| RecordView::parse(words))
            .filter(|record| record.head.kind != RecordKind::Allocation)
            .map(|record| u64::from(record.head.weight) * interval)
            .sum();
        let weight = self
            .account
            .unattributed(process, unclaimed + pending.cast_signed());
        if weight > 0 {
            self.account.claim(weight);
            let Some(chunk) = self.chunk.as_mut() else {
                return;
            };
            let thread = chunk.ended_threads();
            let stack = chunk.label_stack(frame_names::THREAD_END);
            let mode = jfr_writer::ExecutionMode::Unknown;
            let result = chunk.sample(
                &SampleFacts {
                    ticks,
                    span_ticks: 0,
                    thread,
                    mode,
                    weight,
                },
                stack,
            );
            self.check(result);
        }
    }

    fn write_label(&mut self, key: ThreadKey, label: &str, ticks: u64, weight: u64) {
        self.account.claim(weight);
        let facts = self.facts_of(key).at(u64::MAX);
        let Some(chunk) = self.chunk.as_mut() else {
            return;
        };
        let thread = chunk.thread(key, &facts);
        let stack = chunk.label_stack(label);
        let mode = jfr_writer::ExecutionMode::Unknown;
        let result = chunk.sample(
            &SampleFacts {
                ticks,
                span_ticks: 0,
                thread,
                mode,
                weight,
            },
            stack,
        );
        self.check(result);
    }

    pub(super) fn write_counters(&mut self, boundary: u64) {
        let mut values: Vec<(&'static str, u64)> =
            process_counters(self.recorder.sampler, self.recorder.registry).collect();
        values.push(("chunks_failed", self.chunks_failed));
        if let Some(allocations) = &self.recorder.allocations {
            values.extend(allocations.counters());
        }
        values.extend(self.naming.counters());
        values.extend((self.recorder.more_counters)());
        let ticks = self.clock.ticks(boundary.saturating_sub(1));
        let load = self.cpu_load.sample();
        let Some(chunk) = self.chunk.as_mut() else {
            return;
        };
        let mut result = load.map_or(Ok(()), |load| {
            chunk.write(&preamble::cpu_load_event(ticks, &load))
        });
        for (name, value) in values {
            let written = self.counters_written.insert(name, value).unwrap_or(0);
            // What the spool holds is a level, all else a sum since the start.
            let is_level = name.starts_with("spool_");
            let count = if is_level {
                value
            } else {
                value.saturating_sub(written)
            };
            // A zero says that there was no such loss: the counters that must add up are always there.
            let always = matches!(name, "ticks" | "samples_taken") || name.starts_with("drop_");
            if count > 0 || always {
                result =
                    result.and_then(|()| chunk.write(&jfr_writer::Counter { ticks, name, count }));
            }
        }
        self.check(result);
    }
}

/// The counters that go on from one recording of the process to the next.
pub(super) fn process_counters(
    sampler: &Sampler,
    registry: &Registry,
) -> impl Iterator<Item = (&'static str, u64)> {
    let ticks = Counter::ALL
        .iter()
        .map(|&counter| (counter.name(), sampler.total(counter)));
    let threads = &registry.counters;
    let threads = [
        ("thread_events_lost", &threads.events_lost),
        ("threads_without_ticks", &threads.threads_without_ticks),
        ("threads_without_slot", &threads.threads_without_slot),
        ("threads_found_by_scan", &threads.threads_found_by_scan),
    ];
    ticks.chain(threads.map(|(name, count)| (name, count.load(Ordering::Relaxed))))
}

/// The unclaimed CPU time from which on a thread that ought to tick is taken for one that does not
/// get its signals.
fn unsampled_after_nanos(interval: u64, period: u64) -> i64 {
    let tick = interval.max(period).max(limits::KERNEL_TICK_NANOS);
    i64::try_from(tick.saturating_mul(limits::UNSAMPLED_AFTER_TICKS)).unwrap_or(i64::MAX)
}
