//! Sampled allocations: named at once, written when their weights are known.

use std::time::Duration;

use jfr_writer::{ClassId, ObjectSample, StackTraceId, ThreadId};
use jprof_signal_safe::clock::monotonic_nanos;
use jprof_signal_safe::record::{RecordKind, RecordView};

use super::Run;
use super::preamble::SampledObjects;
use super::weights::{Calibrated, Kind, Part};
use crate::allocation::{ENOUGH, Engine, Pacing, Sources, objects};
use crate::jvmti::Jvmti;
use crate::live_heap::CAPACITY;
use crate::threads::Registry;

/// The allocation engine as a recording uses it.
#[derive(Debug)]
pub struct Allocations {
    engine: &'static Engine,
    jvmti: Jvmti,
    /// Whether events are written, or the samples only serve to find live objects.
    is_written: bool,
    sources: Sources,
    /// `None` where the distance of samples was asked for.
    pacing: Option<Pacing>,
    paced_at: u64,
    paced_samples: u64,
    weights: Calibrated,
    /// What the engine had counted in earlier recordings.
    counted_before: (u64, u64),
    /// Samples of the present chunk whose weights are not known yet.
    waiting: Vec<Waiting>,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    ticks: u64,
    thread: ThreadId,
    stack: StackTraceId,
    class: ClassId,
    part: Part,
    /// Its number among the live objects, or 0.
    live: u32,
}

impl Allocations {
    /// A recording of an engine that has been started, `paced` if it chooses its distance by itself.
    pub(crate) fn begin(
        engine: &'static Engine,
        jvmti: Jvmti,
        is_written: bool,
        sources: Sources,
        paced: Option<Pacing>,
        registry: &Registry,
        now: u64,
    ) -> Self {
        Self {
            engine,
            jvmti,
            is_written,
            sources,
            pacing: paced,
            paced_at: now,
            paced_samples: engine.counts().0,
            weights: Calibrated::begin(sources.traps, registry),
            counted_before: engine.counts(),
            waiting: Vec::new(),
        }
    }

    /// How objects are sampled now, `with_live` if those that stay alive are written.
    pub(super) fn sampled(&self, with_live: bool) -> SampledObjects {
        let interval = self.engine.interval();
        let watched = if with_live && self.sources.jvm {
            (interval, CAPACITY as u64)
        } else {
            (0, 0)
        };
        SampledObjects {
            alloc_interval_bytes: if self.is_written { interval } else { 0 },
            live_interval_bytes: watched.0,
            live_capacity: watched.1,
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
            && let Err(error) = self.engine.set_interval(self.jvmti, interval, self.sources)
        {
            log::debug!("the interval of allocation samples stays: {error}");
        }
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
        let engine = allocations.engine;
        let (kind, number, taken) = match head.kind {
            RecordKind::AllocationInNewTlab => (Kind::InNewTlab, None, f32::from_bits(head.weight)),
            RecordKind::AllocationOutside => (Kind::Outside, None, f32::from_bits(head.weight)),
            _ if head.outside => (Kind::SampledOutside, Some(head.weight), 1.0),
            _ => (Kind::Sampled, Some(head.weight), 1.0),
        };
        let number = number.unwrap_or_else(|| {
            let name = self.naming.class_name(head.span_nanos);
            engine.class_number(name.as_deref().unwrap_or(NO_CLASS))
        });
        let name = engine.class_name(number);
        let class = chunk.class(number, &name);
        let size = head.program_counter;
        let objects = match kind {
            Kind::Sampled | Kind::SampledOutside => objects(size, head.allocation_interval()),
            Kind::InNewTlab | Kind::Outside => f64::from(taken),
        };
        allocations.waiting.push(Waiting {
            ticks,
            thread,
            stack,
            class,
            part: Part {
                thread: head.thread,
                kind,
                size,
                objects,
                is_counted: !kind.is_of_jvm() && head.outside,
            },
            live: if kind.is_of_jvm() {
                head.live_number()
            } else {
                0
            },
        });
        if kind.is_of_jvm() && head.live_number() != 0 {
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
        let waiting = std::mem::take(&mut allocations.waiting);
        let is_written = allocations.is_written;
        let parts: Vec<Part> = waiting.iter().map(|sample| sample.part).collect();
        let weights = allocations.weights.close(&parts, self.recorder.registry);
        let mut result = Ok(());
        for (sample, weight) in waiting.iter().zip(weights) {
            if let Some(live) = self.recorder.live.as_mut() {
                // Of those outside the traps have taken the events, and the JVM's own stand for themselves.
                let objects = match sample.part.kind {
                    Kind::SampledOutside => sample.part.objects,
                    _ => weight,
                };
                live.weigh(sample.live, objects);
            }
            let is_event = is_written && sample.part.kind != Kind::SampledOutside;
            let Some(chunk) = self.chunk.as_mut().filter(|_| is_event) else {
                continue;
            };
            let event = ObjectSample {
                ticks: sample.ticks,
                thread: sample.thread,
                stack: sample.stack,
                class: sample.class,
                size_bytes: sample.part.size,
                weight: weight as f32,
            };
            result = result.and_then(|()| chunk.write_counted(&event));
        }
        self.check(result);
    }
}

/// In place of the stack of a thread that runs no Java code: the JVM allocates as it starts and ends threads.
pub(super) const NO_FRAME: &str = "[no_Java_frame]";

/// In place of a class that was unloaded before it could be named.
const NO_CLASS: &str = "[unknown_class]";
