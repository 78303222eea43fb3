//! The recorder: a thread that reads the rings, names what it finds, writes chunks and seals them.
//!
//! Sampling never stops for it: a chunk's end is a point in time, and what was sampled after it
//! waits a moment and goes into the next chunk.

mod account;
mod chunk;
mod clock;
mod frame_names;
mod local_time;
mod output;
mod preamble;
mod rings;
mod roster;
mod stack_key;

use std::time::Duration;

use jfr_writer::{ChunkEnd, ChunkStart, Dialect, ThreadEnd, ThreadStart, WriteError};
use jni_sys::JNIEnv;
use jprof_signal_safe::clock::{cpu_nanos_of, monotonic_nanos, process_cpu_nanos};
use jprof_signal_safe::counters::Counter;
use jprof_signal_safe::record::{RecordKind, RecordView};
use jprof_signal_safe::threads::{ThreadKey, TickSource};
use jprof_signal_safe::tick::Sampler;
use rustc_hash::FxHashMap;

use account::CpuAccount;
use chunk::{OpenChunk, SampleFacts, mode_of};
use clock::ChunkClock;
pub use output::{Output, OutputError};
pub use preamble::{Preamble, Settings, VERSION};
use rings::RingReader;
use roster::{Roster, ThreadFacts};

use crate::host::{self, CpuLoadSampler, LibraryMap};
use crate::hotspot::memory::SafeReader;
use crate::hotspot::names::{MethodResolver, ResolveError};
use crate::hotspot::threads::ThreadReader;
use crate::java::JavaThreads;
use crate::limits;
use crate::threads::{Registry, ThreadEvent};

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
    /// The process's CPU clock when sampling began.
    pub start_cpu_nanos: u64,
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
    name_failures: [u64; ResolveError::ALL.len()],
    name_failures_seen: u64,
    names_without_layout: u64,
    chunks_failed: u64,
    next_scan: u64,
    /// Until then names are read in haste: classes are being unloaded.
    hurry_until: u64,
}

impl Recorder {
    /// The thread's body. `order` is asked after each wake-up. `env` is the calling thread's own.
    ///
    /// # Safety
    /// Called once per sampler, and nothing else reads its rings. `env` is valid on this thread.
    #[allow(unsafe_code)]
    pub unsafe fn run(self, env: Option<*mut JNIEnv>, start_nanos: u64, order: &dyn Fn() -> Order) {
        let interval = self.sampler.interval_nanos;
        let account = CpuAccount::new(self.start_cpu_nanos, interval);
        let clock = ChunkClock::start(start_nanos);
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
            counters_written: FxHashMap::default(),
            name_failures: [0; ResolveError::ALL.len()],
            name_failures_seen: 0,
            names_without_layout: 0,
            chunks_failed: 0,
            next_scan: start_nanos + nanos(limits::SCAN_EVERY),
            hurry_until: 0,
            recorder: self,
        };
        run.open_chunk();
        let mut boundary = start_nanos + nanos(run.recorder.first_period);
        loop {
            let now = monotonic_nanos();
            let stopping = order() == Order::Stop;
            if stopping {
                run.seal(now, true);
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

/// The unclaimed CPU time from which on a thread that ought to tick is taken for one that does not
/// get its signals.
fn unsampled_after_nanos(interval: u64, period: u64) -> i64 {
    let tick = interval.max(period).max(limits::KERNEL_TICK_NANOS);
    i64::try_from(tick.saturating_mul(limits::UNSAMPLED_AFTER_TICKS)).unwrap_or(i64::MAX)
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
        self.chunk = match opened {
            Ok(mut chunk) => match self.recorder.preamble.write(&mut chunk, start.ticks) {
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
        // That there is nowhere to write to was said at the start.
        if !matches!(error, OutputError::Nowhere) {
            log::warn!("this period's profile is lost: {error}");
        }
    }

    /// Reads all rings. Records from `boundary` on are kept for the next chunk.
    fn drain(&mut self, boundary: u64) {
        if let Some(chunk) = &mut self.chunk {
            chunk.begin_drain();
        }
        self.read_thread_events();
        let mut words = std::mem::take(&mut self.words);
        for place in 0..self.rings.len() {
            while self.rings.take(place, &mut words) {
                self.accept(&words, boundary);
            }
        }
        self.words = words;
        let failures = self.name_failures.iter().sum();
        if failures > self.name_failures_seen {
            self.name_failures_seen = failures;
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
        let weight = u64::from(head.weight);
        self.account.claim(weight);
        let key = head.thread;
        let facts = self.facts_of(key).at(head.nanos);
        let Some(chunk) = self.chunk.as_mut() else {
            return;
        };
        let thread = chunk.thread(key, &facts);
        let mut mode = mode_of(record);
        let stack = if head.kind == RecordKind::ThreadEnd {
            chunk.label_stack(frame_names::THREAD_END)
        } else if record.frames().len() > 0 {
            let failures = &mut self.name_failures;
            let without = &mut self.names_without_layout;
            chunk.java_stack(
                record,
                self.recorder.resolver.as_ref(),
                &mut |reason| match reason {
                    Some(reason) => failures[reason.index()] += 1,
                    None => *without += 1,
                },
            )
        } else if let Some(label) = frame_names::of_failure(head.failure) {
            chunk.label_stack(label)
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

    /// Who a thread is. A thread that is not known yet, or that the system does not know any more,
    /// has announced itself before its records came: the announcement may only be unread.
    fn facts_of(&mut self, key: ThreadKey) -> &ThreadFacts {
        if self.roster.get(key).is_none() {
            self.read_thread_events();
        }
        let found = self
            .roster
            .get_or_find(key, || find_thread(&self.recorder, key));
        if found.is_nameless() {
            self.read_thread_events();
        }
        self.roster
            .get_or_find(key, || find_thread(&self.recorder, key))
    }

    fn check(&mut self, result: Result<(), WriteError>) {
        if let Err(error) = result {
            self.lose_chunk(&error.into());
        }
    }

    fn read_thread_events(&mut self) {
        while let Some(event) = self.recorder.registry.next_event() {
            match event {
                ThreadEvent::Java {
                    key,
                    nanos,
                    identity,
                    begins,
                    parent,
                } => {
                    let facts = self
                        .roster
                        .get_or_find(key, || find_thread(&self.recorder, key));
                    facts.becomes(nanos, identity);
                    if begins {
                        self.write_thread_start(key, nanos, parent);
                    }
                }
                ThreadEvent::JavaEnd {
                    key,
                    nanos,
                    identity,
                } => {
                    let facts = self
                        .roster
                        .get_or_find(key, || find_thread(&self.recorder, key));
                    if let Some(identity) = identity {
                        facts.becomes(nanos, identity);
                    }
                    self.write_thread_end(key, nanos);
                }
                ThreadEvent::End {
                    key,
                    tid,
                    native_name,
                } => {
                    let facts = self.roster.get_or_find(key, ThreadFacts::default);
                    facts.tid = tid;
                    if let Some(name) = native_name {
                        facts.native_name = name;
                    }
                    self.roster.ends(key);
                }
            }
        }
    }

    fn write_thread_start(&mut self, key: ThreadKey, nanos: u64, parent: Option<ThreadKey>) {
        let ticks = self.clock.ticks(nanos);
        let facts = self
            .roster
            .get(key)
            .map(|facts| facts.at(nanos))
            .unwrap_or_default();
        let parent = parent.and_then(|parent| {
            self.roster
                .get(parent)
                .map(|facts| (parent, facts.at(nanos)))
        });
        let Some(chunk) = self.chunk.as_mut() else {
            return;
        };
        let thread = chunk.thread(key, &facts);
        let parent = parent.map_or(jfr_writer::ThreadId::NULL, |(key, facts)| {
            chunk.thread(key, &facts)
        });
        let event = ThreadStart {
            ticks,
            event_thread: thread,
            stack: jfr_writer::StackTraceId::NULL,
            thread,
            parent_thread: parent,
        };
        let result = chunk.write_counted(&event);
        self.check(result);
    }

    fn write_thread_end(&mut self, key: ThreadKey, nanos: u64) {
        let ticks = self.clock.ticks(nanos);
        let facts = self
            .roster
            .get_or_find(key, || find_thread(&self.recorder, key))
            .at(nanos);
        let Some(chunk) = self.chunk.as_mut() else {
            return;
        };
        let thread = chunk.thread(key, &facts);
        // Its last name is that of the whole chunk, as for a thread that lives on.
        chunk.rename_thread(key, &facts);
        let result = chunk.write_counted(&ThreadEnd { ticks, thread });
        self.check(result);
    }

    /// Ends the chunk at `boundary` and, unless it is the last one, begins the next there.
    fn seal(&mut self, boundary: u64, last: bool) {
        self.wait_for_handlers();
        self.drain(if last { u64::MAX } else { boundary });
        self.settle_cpu_time(boundary, last);
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
            } else if let Err(error) = self.recorder.output.keep(chunk, end) {
                self.lose_chunk(&error);
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

    /// A handler that took its time before the boundary may still be writing.
    fn wait_for_handlers(&self) {
        let give_up = monotonic_nanos() + nanos(limits::HANDLER_GRACE);
        while self.rings.any_writer() && monotonic_nanos() < give_up {
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    /// Makes the samples add up to the process's CPU time: see `account`.
    fn settle_cpu_time(&mut self, boundary: u64, last: bool) {
        let interval = self.recorder.sampler.interval_nanos;
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
                || slot.unclaimed_nanos(cpu) > unsampled_after_nanos(interval, slot.period_nanos())
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

    /// Threads may have been renamed since they were first seen.
    fn refresh_names(&mut self) {
        if let (Some(java), Some(env), Some((reader, memory))) =
            (&self.recorder.java, self.env, &self.recorder.thread_reader)
        {
            for live in live_threads(java, env) {
                let Ok(tid) = reader.os_thread_id(memory, live.java_thread as u64) else {
                    continue;
                };
                if let Some(key) = self.recorder.registry.key_of(tid.cast_unsigned()) {
                    let facts = self
                        .roster
                        .get_or_find(key, || find_thread(&self.recorder, key));
                    facts.becomes(monotonic_nanos(), live.identity);
                }
            }
        }
        let Some(chunk) = self.chunk.as_mut() else {
            return;
        };
        for key in chunk.thread_keys() {
            let Some(slot) = self.recorder.sampler.threads.get(key) else {
                continue;
            };
            let facts = self
                .roster
                .get_or_find(key, || find_thread(&self.recorder, key));
            if facts.java.is_none()
                && let Some(name) = host::procfs::thread_name(slot.tid().cast_signed())
            {
                facts.native_name = name;
            }
            chunk.rename_thread(key, facts);
        }
    }

    fn write_counters(&mut self, boundary: u64) {
        let counters = self.recorder.sampler.counters;
        let mut values: Vec<(&'static str, u64)> = Counter::ALL
            .iter()
            .map(|&counter| (counter.name(), counters.get(counter)))
            .collect();
        let registry = &self.recorder.registry.counters;
        let load =
            |cell: &std::sync::atomic::AtomicU64| cell.load(std::sync::atomic::Ordering::Relaxed);
        values.extend([
            ("thread_events_lost", load(&registry.events_lost)),
            (
                "threads_without_ticks",
                load(&registry.threads_without_ticks),
            ),
            ("threads_without_slot", load(&registry.threads_without_slot)),
            (
                "threads_found_by_scan",
                load(&registry.threads_found_by_scan),
            ),
            ("names_without_layout", self.names_without_layout),
            ("chunks_failed", self.chunks_failed),
        ]);
        values.extend(
            ResolveError::ALL
                .iter()
                .map(|reason| (name_counter(*reason), self.name_failures[reason.index()])),
        );
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

#[allow(unsafe_code)]
fn live_threads(java: &JavaThreads, env: *mut JNIEnv) -> Vec<crate::java::LiveThread> {
    // SAFETY: `env` belongs to the recorder thread, on which all of this runs: see `Recorder::run`.
    unsafe { java.live_threads(env) }
}

fn name_counter(reason: ResolveError) -> &'static str {
    match reason {
        ResolveError::NullId => "name_null_id",
        ResolveError::MalformedId => "name_malformed_id",
        ResolveError::UnreadableId => "name_unreadable_id",
        ResolveError::Unloaded => "name_unloaded",
        ResolveError::MalformedMethod => "name_malformed_method",
        ResolveError::UnreadableMethod => "name_unreadable_method",
        ResolveError::BadConstMethod => "name_bad_const_method",
        ResolveError::BadConstantPool => "name_bad_constant_pool",
        ResolveError::BadClass => "name_bad_class",
        ResolveError::BadSymbol => "name_bad_symbol",
        ResolveError::BadLineNumbers => "name_bad_line_numbers",
        ResolveError::Changed => "name_changed",
    }
}

/// Asks the system about a thread that nobody announced.
fn find_thread(recorder: &Recorder, key: ThreadKey) -> ThreadFacts {
    let tid = recorder
        .sampler
        .threads
        .get(key)
        .map_or(0, jprof_signal_safe::threads::ThreadSlot::tid);
    let native_name = host::procfs::thread_name(tid.cast_signed()).unwrap_or_default();
    ThreadFacts::new(tid, native_name)
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
