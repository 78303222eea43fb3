//! Sampled allocations: named at once, written when their weights are known.

use std::time::Duration;

use jfr_writer::{ClassId, ObjectSample, StackTraceId, ThreadId};
use jprof_signal_safe::clock::monotonic_nanos;
use jprof_signal_safe::record::RecordView;
use jprof_signal_safe::threads::ThreadKey;
use rustc_hash::FxHashMap;

use super::Run;
use crate::allocation::{Calibration, ENOUGH, Engine, Estimate, Pacing, objects};
use crate::jvmti::Jvmti;
use crate::threads::Registry;

/// The allocation engine as a recording uses it.
#[derive(Debug)]
pub struct Allocations {
    engine: &'static Engine,
    jvmti: Jvmti,
    /// Whether events are written, or the samples only serve to find live objects.
    is_written: bool,
    /// `None` where the distance of samples was asked for.
    pacing: Option<Pacing>,
    paced_at: u64,
    paced_samples: u64,
    calibration: Calibration,
    /// What the engine had counted in earlier recordings.
    counted_before: (u64, u64),
    /// Samples of the present chunk whose weights are not known yet.
    waiting: Vec<Waiting>,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    ticks: u64,
    key: ThreadKey,
    thread: ThreadId,
    stack: StackTraceId,
    class: ClassId,
    size: u64,
    objects: f64,
    /// Its number among the live objects, or 0.
    live: u32,
}

impl Allocations {
    /// A recording of an engine that has been started, `paced` if it chooses its distance by itself.
    pub(crate) fn begin(
        engine: &'static Engine,
        jvmti: Jvmti,
        is_written: bool,
        paced: Option<Pacing>,
        registry: &Registry,
        now: u64,
    ) -> Self {
        Self {
            engine,
            jvmti,
            is_written,
            pacing: paced,
            paced_at: now,
            paced_samples: engine.counts().0,
            calibration: Calibration::new(registry.allocated()),
            counted_before: engine.counts(),
            waiting: Vec::new(),
        }
    }

    /// Samples, and those that were lost.
    pub(super) fn counters(&self) -> [(&'static str, u64); 2] {
        let (taken, dropped) = self.engine.counts();
        let (taken_before, dropped_before) = self.counted_before;
        [
            ("allocation_samples", taken - taken_before),
            ("allocation_samples_dropped", dropped - dropped_before),
        ]
    }

    /// Adapts the distance of samples to their rate.
    fn pace(&mut self, now: u64) {
        let Some(pacing) = &mut self.pacing else {
            return;
        };
        let (samples, _) = self.engine.counts();
        let elapsed = Duration::from_nanos(now.saturating_sub(self.paced_at));
        let new = samples.wrapping_sub(self.paced_samples);
        self.paced_at = now;
        self.paced_samples = samples;
        if let Some(interval) = pacing.after(elapsed, new)
            && let Err(error) = self.engine.set_interval(self.jvmti, interval)
        {
            log::debug!("the interval of allocation samples stays: {error}");
        }
    }

    fn estimates(&self) -> FxHashMap<ThreadKey, Estimate> {
        let mut estimates: FxHashMap<ThreadKey, Estimate> = FxHashMap::default();
        for sample in &self.waiting {
            let estimate = estimates.entry(sample.key).or_default();
            estimate.samples += 1;
            estimate.bytes += sample.objects * sample.size as f64;
        }
        estimates
    }
}

impl Run {
    /// A sampled object: its stack and class are named now.
    pub(super) fn meet_allocation(&mut self, record: &RecordView<'_>) {
        let head = record.head;
        let facts = self.facts_of(head.thread).at(head.nanos);
        let ticks = self.clock.ticks(head.nanos);
        let (Some(allocations), Some(chunk)) =
            (self.recorder.allocations.as_mut(), self.chunk.as_mut())
        else {
            return;
        };
        let thread = chunk.thread(head.thread, &facts);
        let stack = if record.frames().len() > 0 {
            self.naming.meet_record(head.nanos, monotonic_nanos);
            chunk.java_stack(record, None, &mut self.naming)
        } else {
            let reason = head.failure.label();
            chunk.label_stack(if reason.is_empty() { NO_FRAME } else { reason })
        };
        let number = head.weight;
        let name = allocations.engine.class_name(number);
        let class = chunk.class(number, &name);
        let size = head.program_counter;
        allocations.waiting.push(Waiting {
            ticks,
            key: head.thread,
            thread,
            stack,
            class,
            size,
            objects: objects(size, head.allocation_interval()),
            live: head.live_number(),
        });
        if head.live_number() != 0 {
            self.meet_live_object(record, &facts, &name);
        }
    }

    /// Adapts the distance of samples, and writes those that wait if there are enough.
    pub(super) fn keep_allocations(&mut self) {
        let Some(allocations) = self.recorder.allocations.as_mut() else {
            return;
        };
        allocations.pace(monotonic_nanos());
        if allocations.waiting.len() >= ENOUGH {
            self.write_allocations();
        }
    }

    /// Writes the samples that wait, with weights by which they stand for what the threads have allocated.
    pub(super) fn write_allocations(&mut self) {
        let Some(allocations) = self.recorder.allocations.as_mut() else {
            return;
        };
        let estimates = allocations.estimates();
        let now = self.recorder.registry.allocated();
        let factors = allocations.calibration.close(now, &estimates);
        let waiting = std::mem::take(&mut allocations.waiting);
        let is_written = allocations.is_written;
        let mut result = Ok(());
        for sample in &waiting {
            let objects = sample.objects * factors.of(sample.key);
            if let Some(live) = self.recorder.live.as_mut() {
                live.weigh(sample.live, objects);
            }
            let Some(chunk) = self.chunk.as_mut().filter(|_| is_written) else {
                continue;
            };
            let event = ObjectSample {
                ticks: sample.ticks,
                thread: sample.thread,
                stack: sample.stack,
                class: sample.class,
                size_bytes: sample.size,
                weight: objects as f32,
            };
            result = result.and_then(|()| chunk.write_counted(&event));
        }
        self.check(result);
    }
}

/// In place of the stack of a thread that runs no Java code: the JVM allocates as it starts and ends threads.
pub(super) const NO_FRAME: &str = "[no_Java_frame]";
