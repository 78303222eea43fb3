//! The recorder's thread, and what it is given.
//!
//! # Safety
//! The JVM may be used from every thread; the thread attaches itself, and detaches before it ends.
#![allow(unsafe_code)]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam::channel::{self, Receiver, Sender};
use jni_sys::JavaVM;
use jprof_signal_safe::clock::monotonic_nanos;
use jprof_signal_safe::tick::{Sampler, Unit};

use super::understanding::HotSpot;
use crate::engine;
use crate::hotspot::JvmInfo;
use crate::java::{self, JavaThreads};
use crate::limits;
use crate::options::{Dialect, Parsed, Url};
use crate::recorder::{
    Allocations, CountedBefore, Interval, LiveObjects, Order, Output, Preamble, Recorder, Settings,
};
use crate::threads::{Registry, current_tid};

/// The thread of a recorder.
#[derive(Debug)]
pub(super) struct RecorderThread {
    /// The last chunk has been sealed.
    done: Receiver<()>,
    thread: JoinHandle<()>,
}

impl RecorderThread {
    /// Waits until the last chunk has been sealed. False when the deadline came first.
    pub(super) fn wait_for_last_chunk(&self, deadline: Instant) -> bool {
        self.done.recv_deadline(deadline).is_ok()
    }

    /// Whether it reads the rings no more.
    pub(super) fn is_over(&self) -> bool {
        self.thread.is_finished()
    }
}

pub(super) fn settings(parsed: &Parsed, cpu_engine: &'static str) -> Settings {
    let options = &parsed.options;
    let destination = match (&options.url, &options.file) {
        (Url::Base(url), _) => crate::options::mask_text(url).into_owned(),
        (Url::None, Some(file)) => file.as_str().to_owned(),
        (Url::None, None) => String::new(),
    };
    Settings {
        interval: match options.interval_in_units() {
            (Unit::CpuNanos, nanos) => Interval::CpuNanos(nanos),
            (Unit::Events, number) => Interval::Events {
                number,
                name: options.event.to_string(),
            },
        },
        cpu_engine,
        sample_event: match options.dialect {
            Dialect::DataKit => "datadog.ExecutionSample",
            Dialect::Jdk => "jdk.ExecutionSample",
        },
        options: parsed
            .settings()
            .into_iter()
            .map(|setting| (setting.name, setting.value))
            .collect(),
        start_unix_millis: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| {
                u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
            }),
        destination,
        period_millis: u64::try_from(options.period.as_millis()).unwrap_or(u64::MAX),
    }
}

/// What the recorder thread is given.
pub(super) struct RecorderStart {
    pub(super) sampler: &'static Sampler,
    pub(super) registry: &'static Registry,
    pub(super) hotspot: HotSpot,
    pub(super) java: Option<JavaThreads>,
    pub(super) vm: *mut JavaVM,
    pub(super) jvm: JvmInfo,
    pub(super) settings: Settings,
    pub(super) output: Output,
    pub(super) dialect: jfr_writer::Dialect,
    pub(super) period: Duration,
    pub(super) more_counters: Option<Arc<ingest_client::UploadCounters>>,
    pub(super) start_cpu_nanos: u64,
    pub(super) counted_before: CountedBefore,
    pub(super) allocations: Option<Allocations>,
    pub(super) live: Option<LiveObjects>,
    pub(super) fault_handlers: Option<engine::FaultHandlers>,
    pub(super) start_nanos: u64,
}

// SAFETY: the JVM may be used from every thread; all else is plain data or `Send`.
unsafe impl Send for RecorderStart {}

impl RecorderStart {
    pub(super) fn spawn(self, stopping: Arc<AtomicBool>) -> io::Result<RecorderThread> {
        let (done, is_done) = channel::bounded(1);
        let thread = engine::block_all_signals(|| {
            std::thread::Builder::new()
                .name("jprof recorder".to_owned())
                .stack_size(limits::RECORDER_STACK_BYTES)
                .spawn(move || {
                    self.registry.register_own(current_tid());
                    self.run(&stopping, done);
                })
        })?;
        Ok(RecorderThread {
            done: is_done,
            thread,
        })
    }

    fn run(self, stopping: &AtomicBool, done: Sender<()>) {
        let env = self
            .java
            .as_ref()
            .and_then(|java| java.attach_current(c"jprof recorder"));
        // SAFETY: the environment is this thread's own.
        let properties = env.map_or_else(Vec::new, |env| unsafe { java::system_properties(env) });
        let upload = self.more_counters;
        let recorder = Recorder {
            sampler: self.sampler,
            registry: self.registry,
            java: self.java,
            resolver: self.hotspot.resolver,
            thread_reader: self.hotspot.thread_reader,
            dialect: self.dialect,
            period: self.period,
            first_period: first_period(self.period),
            preamble: Preamble::new(self.settings, self.jvm, properties),
            output: self.output,
            more_counters: Box::new(move || {
                upload
                    .as_ref()
                    .map_or_else(Vec::new, |counters| counters.snapshot())
            }),
            start_cpu_nanos: self.start_cpu_nanos,
            fault_handlers: self.fault_handlers,
            counted_before: self.counted_before,
            allocations: self.allocations,
            live: self.live,
        };
        let order = || {
            if stopping.load(Ordering::Acquire) {
                Order::Stop
            } else {
                Order::Run
            }
        };
        // SAFETY: this is the only recorder of the sampler; the environment is this thread's own.
        unsafe { recorder.run(env, self.start_nanos, &order) };
        if env.is_some() {
            // The JVM's end waits 300 ms for a Java thread that is still in native code.
            java::detach_current(self.vm);
        }
        let _ = done.send(());
    }
}

/// A random 50 to 100 % of the period, so that the JVMs of a fleet that started together do not
/// upload together.
fn first_period(period: Duration) -> Duration {
    let mut seed = monotonic_nanos() ^ (u64::from(std::process::id()) << 32);
    seed ^= seed >> 33;
    seed = seed.wrapping_mul(0xff51_afd7_ed55_8ccd);
    seed ^= seed >> 33;
    let part = 0.5 + (seed >> 11) as f64 / (1_u64 << 53) as f64 / 2.0;
    period.mul_f64(part)
}

#[cfg(test)]
mod tests {
    use super::first_period;
    use std::time::Duration;

    #[test]
    fn the_first_period_is_between_half_and_all_of_it() {
        for _ in 0..1_000 {
            let first = first_period(Duration::from_secs(60));
            assert!((Duration::from_secs(30)..=Duration::from_secs(60)).contains(&first));
        }
    }
}
