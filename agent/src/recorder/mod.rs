//! The recorder: a thread that reads the rings, names what it finds, writes chunks and seals them.
//!
//! Sampling never stops for it: a chunk's end is a point in time, and what was sampled after it
//! waits a moment and goes into the next chunk.

mod account;
mod allocations;
mod chunk;
mod clock;
mod frame_names;
mod kept;
mod live_objects;
mod local_time;
mod methods;
mod naming;
mod output;
mod preamble;
mod rings;
mod roster;
mod settle;
mod stack_key;
#[cfg(test)]
mod tests;
mod thread_news;
mod weights;

use std::sync::atomic::Ordering;
use std::time::Duration;

use jfr_writer::{ChunkEnd, ChunkStart, Dialect, WriteError};
use jni_sys::JNIEnv;
use jprof_signal_safe::clock::monotonic_nanos;
use jprof_signal_safe::record::{RecordKind, RecordView};
use jprof_signal_safe::tick::Sampler;
use rustc_hash::FxHashMap;

use account::CpuAccount;
pub use allocations::Allocations;
use chunk::{OpenChunk, SampleFacts, mode_of};
use clock::ChunkClock;
pub use live_objects::LiveObjects;
use naming::Naming;
pub use output::{Output, OutputError};
use preamble::SampledObjects;
pub use preamble::{Interval, Preamble, Settings, VERSION};
use rings::RingReader;
use roster::Roster;

use crate::engine::{self, FaultHandlers};
use crate::host::{CpuLoadSampler, LibraryMap};
use crate::hotspot::memory::SafeReader;
use crate::hotspot::names::MethodResolver;
use crate::hotspot::threads::ThreadReader;
use crate::java::JavaThreads;
use crate::limits;
use crate::threads::Registry;

/// Reads counters that others keep.
pub type MoreCounters = Box<dyn Fn() -> Vec<(&'static str, u64)> + Send>;

/// Everything that the recorder works with.
pub struct Recorder {
    /// The rings, the table, the counters.
    pub sampler: &'static Sampler,
    /// The threads.
    pub registry: &'static Registry,
    /// The JVM's threads, where understood.
    pub java: Option<JavaThreads>,
    /// Method names, where understood.
    pub resolver: Option<MethodResolver>,
    /// Kernel ids of Java threads, where understood.
    pub thread_reader: Option<(ThreadReader, SafeReader)>,
    /// Names of events.
    pub dialect: Dialect,
    /// Length of a chunk.
    pub period: Duration,
    /// Part of `period` after which the first chunk ends.
    pub first_period: Duration,
    /// What every chunk says of the JVM and the machine.
    pub preamble: Preamble,
    /// Where sealed chunks go.
    pub output: Output,
    /// Counters of others, to be written into every chunk.
    pub more_counters: MoreCounters,
    /// The handlers of faults, where walks need them.
    pub fault_handlers: Option<FaultHandlers>,
    /// The allocation engine, if it runs.
    pub allocations: Option<Allocations>,
    /// The live heap, if it is watched.
    pub live: Option<LiveObjects>,
    /// The process's CPU clock when sampling began.
    pub start_cpu_nanos: u64,
    /// What had been counted before that, by earlier recordings of the process.
    pub counted_before: CountedBefore,
}

/// Throws away what an earlier recording has left in the rings.
///
/// # Safety
/// No recorder reads them.
#[allow(unsafe_code)]
pub unsafe fn discard_leftovers(sampler: &Sampler) {
    // SAFETY: the caller vouches for it.
    unsafe { RingReader::new(sampler.stripes) }.discard_all();
}

/// Counts by name.
#[derive(Debug)]
pub struct CountedBefore(FxHashMap<&'static str, u64>);

impl CountedBefore {
    /// As it stands now.
    #[must_use]
    pub fn now(sampler: &Sampler, registry: &Registry) -> Self {
        Self(settle::process_counters(sampler, registry).collect())
    }
}

/// What the recorder does when it is woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Go on.
    Run,
    /// Seal the last chunk and end.
    Stop,
}

/// The running state.
struct Run {
    recorder: Recorder,
    rings: RingReader,
    env: Option<*mut JNIEnv>,
    clock: ChunkClock,
    chunk: Option<OpenChunk>,
    roster: Roster,
    libraries: LibraryMap,
    cpu_load: CpuLoadSampler,
    account: CpuAccount,
    /// Records of the next chunk, as words.
    later: Vec<Vec<u64>>,
    words: Vec<u64>,
    counters_written: FxHashMap<&'static str, u64>,
    naming: Naming,
    signs_of_haste: u64,
    chunks_failed: u64,
    /// Why the last chunk was lost, unless one was kept since.
    last_loss: String,
    next_scan: u64,
    /// Until then names are read in haste: classes are being unloaded.
    hurry_until: u64,
    told_of_refusal: bool,
}

impl Recorder {
    /// The thread's body. `order` is asked after each wake-up. `env` is the calling thread's own.
    ///
    /// # Safety
    /// Called once per sampler, and nothing else reads its rings. `env` is valid on this thread.
    #[allow(unsafe_code)]
    pub unsafe fn run(
        mut self,
        env: Option<*mut JNIEnv>,
        start_nanos: u64,
        order: &dyn Fn() -> Order,
    ) {
        let interval = self.sampler.interval();
        let account = CpuAccount::new(self.start_cpu_nanos, interval);
        let clock = ChunkClock::start(clock::origin(start_nanos), start_nanos);
        let mut run = Run {
            // SAFETY: the caller vouches for it.
            rings: unsafe { RingReader::new(self.sampler.stripes) },
            env,
            clock,
            chunk: None,
            roster: Roster::default(),
            libraries: LibraryMap::read(),
            cpu_load: CpuLoadSampler::start(),
            account,
            later: Vec::new(),
            words: Vec::new(),
            counters_written: std::mem::take(&mut self.counted_before.0),
            naming: Naming::new(self.resolver.take(), self.live.is_some()),
            signs_of_haste: 0,
            chunks_failed: 0,
            last_loss: String::new(),
            next_scan: start_nanos + nanos(limits::SCAN_EVERY),
            hurry_until: 0,
            told_of_refusal: false,
            recorder: self,
        };
        run.meet_existing_threads();
        run.open_chunk();
        let mut boundary = start_nanos + nanos(run.recorder.first_period);
        loop {
            let now = monotonic_nanos();
            let stopping = order() == Order::Stop;
            if stopping {
                run.seal(now, true);
                if let (Some(live), Some(env)) = (&run.recorder.live, run.env) {
                    live.end(env);
                }
                return;
            }
            if now >= boundary {
                run.seal(boundary, false);
                boundary += nanos(run.recorder.period);
                // A machine that slept, or a stall of several periods: no empty chunks for them.
                boundary = boundary.max(monotonic_nanos() + 1);
            } else {
                run.drain(boundary);
                if run.chunk.as_ref().is_some_and(is_full) {
                    run.seal(monotonic_nanos().min(boundary), false);
                }
            }
            if now >= run.next_scan {
                run.recorder.registry.scan();
                run.keep_handlers();
                run.tell_of_threads_without_ticks();
                run.next_scan = now + nanos(limits::SCAN_EVERY);
            }
            let drain_every = if now < run.hurry_until {
                limits::DRAIN_EVERY_IN_HASTE
            } else {
                limits::DRAIN_EVERY
            };
            let wait = boundary
                .saturating_sub(monotonic_nanos())
                .min(nanos(drain_every));
            clock::sleep_until_woken(&run.recorder.sampler.wake, wait);
        }
    }
}

fn is_full(chunk: &OpenChunk) -> bool {
    chunk.bytes() >= limits::MAX_CHUNK_BYTES
        || chunk.distinct_stacks() >= limits::MAX_STACKS_PER_CHUNK
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 4)
}

impl Run {
    fn open_chunk(&mut self) {
        let start = ChunkStart {
            unix_nanos: self.clock.unix_nanos(),
            ticks: self.clock.ticks(self.clock.boundary()),
            ticks_per_second: clock::TICKS_PER_SECOND,
        };
        let opened = self.recorder.output.new_part().and_then(|file| {
            OpenChunk::begin(file, self.recorder.dialect, start).map_err(OutputError::from)
        });
        let objects = match &self.recorder.allocations {
            Some(allocations) => allocations.sampled(self.recorder.live.is_some()),
            None => SampledObjects::default(),
        };
        self.chunk = match opened {
            Ok(mut chunk) => match self
                .recorder
                .preamble
                .write(&mut chunk, start.ticks, objects)
            {
                Ok(()) => Some(chunk),
                Err(error) => {
                    self.lose_chunk(&error.into());
                    None
                }
            },
            Err(error) => {
                self.lose_chunk(&error);
                None
            }
        };
    }

    /// Says that there is no chunk and counts it. Sampling goes on; the next period tries again.
    fn lose_chunk(&mut self, error: &OutputError) {
        self.chunks_failed += 1;
        self.chunk = None;
        self.recorder.output.discard();
        // That there is nowhere to write to was said at the start; and what is so for hours is said once.
        let reason = error.to_string();
        if !matches!(error, OutputError::Nowhere) && reason != self.last_loss {
            log::warn!("this period's profile is lost: {reason}");
        }
        self.last_loss = reason;
    }

    /// Reads all rings. Records from `boundary` on are kept for the next chunk.
    fn drain(&mut self, boundary: u64) {
        self.naming.begin_drain(monotonic_nanos());
        self.read_thread_events();
        let mut words = std::mem::take(&mut self.words);
        for place in 0..self.rings.len() {
            while self.rings.take(place, &mut words) {
                self.accept(&words, boundary);
            }
        }
        self.words = words;
        self.keep_allocations();
        if let (Some(live), Some(env)) = (&self.recorder.live, self.env) {
            live.look(env);
        }
        let signs = self.naming.signs_of_haste();
        if signs > self.signs_of_haste {
            self.signs_of_haste = signs;
            self.hurry_until = monotonic_nanos() + nanos(limits::HASTE);
        }
        if self.later.is_empty() {
            self.roster.forget_ended();
        }
    }

    fn accept(&mut self, words: &[u64], boundary: u64) {
        match RecordView::parse(words) {
            Some(record) if record.head.nanos >= boundary => self.later.push(words.to_vec()),
            Some(record) => self.write_record(&record),
            None => {}
        }
    }

    fn write_record(&mut self, record: &RecordView<'_>) {
        let head = record.head;
        let rest = match head.kind {
            RecordKind::Allocation
            | RecordKind::AllocationInNewTlab
            | RecordKind::AllocationOutside => return self.meet_allocation(record),
            RecordKind::Cpu => None,
            RecordKind::ThreadEnd => Some(frame_names::THREAD_END),
            RecordKind::Unsampled => Some(frame_names::UNSAMPLED),
        };
        let weight = u64::from(head.weight);
        self.account.claim(weight);
        let key = head.thread;
        let facts = self.facts_of(key).at(head.nanos);
        let Some(chunk) = self.chunk.as_mut() else {
            return;
        };
        let thread = chunk.thread(key, &facts);
        let has_frames = record.frames().len() > 0;
        let library = (has_frames && head.outside)
            .then(|| library_name(&mut self.libraries, head.program_counter));
        let mut mode = mode_of(record, library);
        let reason = head.failure.label();
        let stack = if let Some(label) = rest {
            chunk.label_stack(label)
        } else if has_frames {
            self.naming.meet_record(head.nanos, monotonic_nanos);
            chunk.java_stack(record, library, &mut self.naming)
        } else if !reason.is_empty() {
            chunk.label_stack(reason)
        } else {
            match frame_names::of_vm_thread(&facts.native_name).filter(|_| facts.java.is_none()) {
                Some(label) => {
                    mode = jfr_writer::ExecutionMode::Vm;
                    chunk.label_stack(label)
                }
                None => chunk.label_stack(library_name(&mut self.libraries, head.program_counter)),
            }
        };
        let ticks = self.clock.ticks(head.nanos);
        let facts = SampleFacts {
            ticks,
            span_ticks: self.clock.span_ticks(head.span_nanos),
            thread,
            mode,
            weight,
        };
        let result = chunk.sample(&facts, stack);
        self.check(result);
    }

    fn check(&mut self, result: Result<(), WriteError>) {
        if let Err(error) = result {
            self.lose_chunk(&error.into());
        }
    }

    /// Ends the chunk at `boundary` and, unless it is the last one, begins the next there.
    fn seal(&mut self, boundary: u64, last: bool) {
        self.wait_for_handlers();
        self.drain(if last { u64::MAX } else { boundary });
        self.settle_cpu_time(boundary, last);
        self.write_allocations();
        self.write_live_objects(boundary);
        self.refresh_names();
        self.write_counters(boundary);
        let from = (self.clock.boundary(), self.clock.unix_nanos());
        self.clock.advance(boundary);
        let end = ChunkEnd {
            unix_nanos: self.clock.unix_nanos(),
            ticks: self.clock.ticks(boundary),
        };
        if let Some(chunk) = self.chunk.take() {
            if chunk.samples() == 0 {
                self.recorder.output.discard();
            } else {
                match self.recorder.output.keep(chunk, end) {
                    Ok(()) => self.last_loss.clear(),
                    Err(error) => self.lose_chunk(&error),
                }
            }
        }
        log::debug!(
            "chunk of {} ms sealed",
            boundary.saturating_sub(from.0) / 1_000_000
        );
        if !last {
            self.clock.resume_from_wall();
            self.open_chunk();
            for words in std::mem::take(&mut self.later) {
                self.accept(&words, u64::MAX);
            }
            self.roster.forget_ended();
            let threads = &self.recorder.sampler.threads;
            self.roster.sweep(|key| threads.get(key).is_some());
        }
    }

    /// A library that is loaded later may have put its own handler in.
    fn keep_handlers(&self) {
        if !self.recorder.sampler.armed.load(Ordering::Relaxed) {
            return;
        }
        if let Some(handlers) = self.recorder.fault_handlers
            && handlers.renew()
        {
            log::info!(
                "another handler of SIGSEGV or SIGBUS was installed; jprof's is before it again"
            );
        }
        if engine::trap_signal::renew() {
            log::info!("another handler of SIGTRAP was installed; jprof's is before it again");
        }
        if engine::renew() {
            self.recorder.registry.keep_ticking();
            log::warn!(
                "another handler of SIGPROF was installed, by another profiler perhaps; jprof's is before it again, and passes on what is not its own"
            );
        }
    }

    /// Once in a recording: the counter and `[unsampled]` tell the rest.
    fn tell_of_threads_without_ticks(&mut self) {
        if engine::ProcessTimer::was_taken() {
            log::warn!(
                "the process's profiling timer (ITIMER_PROF) was set by somebody else; no more samples are taken by it"
            );
        }
        if let Some(error) = self.recorder.registry.take_refusal()
            && !std::mem::replace(&mut self.told_of_refusal, true)
        {
            log::warn!("{}", engine::explain_shortage(&error));
        }
    }

    /// A handler that took its time before the boundary may still be writing.
    fn wait_for_handlers(&self) {
        let give_up = monotonic_nanos() + nanos(limits::HANDLER_GRACE);
        while self.rings.any_writer() && monotonic_nanos() < give_up {
            std::thread::sleep(Duration::from_micros(200));
        }
    }
}

/// The library of a program counter; libraries loaded since the last look are looked up once.
fn library_name(libraries: &mut LibraryMap, program_counter: u64) -> &str {
    if libraries.name(program_counter).is_none() {
        libraries.refresh();
    }
    libraries
        .name(program_counter)
        .unwrap_or("[unknown_library]")
}
