//! The life of a recording: starting, running, stopping. Owns everything below it.
//!
//! # Safety
//! A session starts in the JVM's live phase, on an attached thread, one at a time. What signal
//! handlers use is never freed: a late signal must find it.
#![allow(unsafe_code)]

mod memory;
mod process;
mod recording;
mod tags;
mod understanding;
mod upload;
mod walking;

#[cfg(target_arch = "x86_64")]
pub(crate) use memory::level_counts;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jni_sys::{JNIEnv, JavaVM};
use jprof_signal_safe::clock::{monotonic_nanos, process_cpu_nanos};
use jprof_signal_safe::tick::{Sampler, Tuning};

use crate::allocation::{LEAST_INTERVAL, Need, Pacing, Sources, Stacks, Traps};
use crate::engine;
use crate::hotspot::memory::SafeReader;
use crate::hotspot::threads::ThreadReader;
use crate::hotspot::{AllocatedBytes, VmStructs};
use crate::java;
use crate::jvmti::{Jvmti, callbacks};
use crate::limits;
use crate::options::{Alloc, Dialect, Live, Names, Origin, Parsed};
use crate::recorder::{self, Allocations, CountedBefore, LiveObjects, Output};
use crate::threads::{AllocationCounter, Registry};

use process::{COUNTERS, Process};
use recording::{RecorderStart, RecorderThread};
use understanding::HotSpot;
use upload::UploaderThread;

/// A running recording.
#[derive(Debug)]
pub struct Session {
    jvmti: Jvmti,
    process: &'static Process,
    fault_handlers: Option<engine::FaultHandlers>,
    stop_called: AtomicBool,
    /// Asks the recorder for the last seal.
    stopping: Arc<AtomicBool>,
    recorder: RecorderThread,
    uploader: Option<UploaderThread>,
    shutdown_flush: Duration,
    pid: u32,
}

/// Time beyond `shutdown_flush` that the last seal may take: the contract allows one second.
const SEAL_TIMEOUT: Duration = Duration::from_millis(800);

/// Longest time that a new recording waits for the end of the one before.
const OVERLAP: Duration = Duration::from_secs(2);

impl Session {
    /// Starts to profile.
    ///
    /// # Errors
    /// In words for the log: what makes profiling impossible here.
    ///
    /// # Safety
    /// Called in the live phase, while no other session runs and the one before [`Session::is_over`]; `vm` is the JVM and
    /// `env` the calling thread's own.
    pub unsafe fn start(
        vm: *mut JavaVM,
        jvmti: Jvmti,
        env: *mut JNIEnv,
        parsed: &Parsed,
    ) -> Result<Self, String> {
        let options = &parsed.options;
        // SAFETY: the caller vouches for the pointers.
        let java = unsafe { process::java_threads(vm, jvmti, env) };
        let hotspot = HotSpot::learn(jvmti, options.names == Names::Raw);
        let version_text = jvmti.system_property("java.vm.version").unwrap_or_default();
        let walking = walking::choose(
            options.walker,
            &walking::Jvm {
                structs: hotspot.structs.as_ref(),
                version: hotspot.version,
                version_text: &version_text,
                java,
                env,
            },
            &COUNTERS,
        );
        log::info!("stacks are taken by walker={}", walking.name);
        let (unit, interval) = options.interval_in_units();
        // A late signal of the recording before may still read its own.
        let tuning: &'static Tuning = Box::leak(Box::new(Tuning {
            walker: walking.walker,
            unit,
            interval,
            base_period: engine::base_period(unit, interval),
            depth: options.stack_depth as usize + 1,
        }));
        let process = Process::with(tuning, java)?;
        let (sampler, registry) = (process.sampler, process.registry);
        registry.clear();
        // SAFETY: the only other recorder that there was is over.
        unsafe { recorder::discard_leftovers(sampler) };
        let choice = engine::choose(&options.event, tuning.base_period);
        let engine_name = choice.engine.as_ref().map_or("", engine::Engine::name);
        let level = if choice.second_best {
            log::Level::Warn
        } else {
            log::Level::Info
        };
        log::log!(level, "{}", choice.reason);
        if walking.needs_method_ids {
            make_method_ids(jvmti, env);
        }
        let undo = || {
            if let Some(handlers) = &walking.fault_handlers {
                handlers.remove();
            }
            process.allocation.stop(jvmti);
            process.allocation.live().stop(jvmti);
            callbacks::watch_threads(jvmti, false);
        };
        engine::install().map_err(|error| {
            undo();
            format!("the signal handler cannot be installed: {error}")
        })?;
        process.watch_new_threads();
        count_allocations(registry, java, hotspot.structs.as_ref());
        callbacks::watch_threads(jvmti, true);
        let counted_before = CountedBefore::now(sampler, registry);
        let start_nanos = monotonic_nanos();
        let start_cpu_nanos = process_cpu_nanos();
        sampler.armed.store(true, Ordering::Release);
        if let Err(error) = registry.begin(choice.engine) {
            log::warn!(
                "of the threads that run already only those of Java are sampled: /proc/self/task: {error}"
            );
        }
        if let (Some(java), Some(reader)) = (java, &hotspot.thread_reader) {
            // SAFETY: `env` is the calling thread's own.
            announce_existing(registry, unsafe { java.live_threads(env) }, reader);
        }
        registry.existing_java_done();
        // SAFETY: the caller vouches for `env`.
        let live = unsafe { start_live_heap(process, jvmti, env, &hotspot, parsed) };
        let allocations = start_allocations(
            process,
            jvmti,
            parsed,
            walking.stacks,
            &traps_of(&hotspot, java),
        );
        let jvm = hotspot.jvm_info();
        let session_tags = tags::of_session(options, &jvm, hotspot.version);
        let (spool, uploader) =
            upload::start_uploader(options, upload::service_of(&session_tags), registry);
        let stopping = Arc::new(AtomicBool::new(false));
        let more_counters = spool.as_ref().map(|(spool, _)| spool.counters());
        let start = RecorderStart {
            sampler,
            registry,
            hotspot,
            vm,
            jvm,
            settings: recording::settings(parsed, engine_name),
            output: Output::new(
                spool,
                options.file.clone(),
                session_tags,
                options.tags.clone(),
            ),
            dialect: match options.dialect {
                Dialect::DataKit => jfr_writer::Dialect::DataKit,
                Dialect::Jdk => jfr_writer::Dialect::Jdk,
            },
            period: options.period,
            more_counters,
            allocations,
            live,
            start_cpu_nanos,
            counted_before,
            fault_handlers: walking.fault_handlers,
            start_nanos,
            java: java.copied(),
        };
        let recorder = start.spawn(Arc::clone(&stopping)).map_err(|error| {
            stop_ticks(registry, sampler);
            undo();
            format!("the recorder cannot start: {error}")
        })?;
        Ok(Self {
            jvmti,
            process,
            fault_handlers: walking.fault_handlers,
            stop_called: AtomicBool::new(false),
            stopping,
            recorder,
            uploader,
            shutdown_flush: options.shutdown_flush,
            pid: std::process::id(),
        })
    }

    /// Stops: no more ticks, the last chunk sealed, and what the spool holds sent as far as
    /// `shutdown_flush` allows.
    pub fn stop(&self) {
        // A forked child has the session's memory, but none of its threads.
        if std::process::id() != self.pid || self.stop_called.swap(true, Ordering::AcqRel) {
            return;
        }
        let (sampler, registry) = (self.process.sampler, self.process.registry);
        let deadline = Instant::now() + self.shutdown_flush;
        self.process.allocation.stop(self.jvmti);
        self.process.allocation.live().stop(self.jvmti);
        stop_ticks(registry, sampler);
        if let Some(handlers) = &self.fault_handlers
            && sampler.in_flight.load(Ordering::SeqCst) == 0
        {
            handlers.remove();
        }
        // Only now: what is sampled after the last seal is lost.
        self.stopping.store(true, Ordering::Release);
        sampler.wake_recorder();
        if !self.recorder.wait_for_last_chunk(deadline + SEAL_TIMEOUT) {
            log::warn!("the last chunk could not be sealed in time; it is lost");
        }
        if let Some(uploader) = &self.uploader {
            uploader.flush(deadline);
        }
    }

    /// Whether it is being stopped, or has been.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stop_called.load(Ordering::Acquire)
    }

    /// Gives back, in a JVM that lives on, what a stopped session still has. False when it has not ended yet: then no other
    /// may begin.
    pub fn wind_up(&self) -> bool {
        let sampler = self.process.sampler;
        callbacks::watch_threads(self.jvmti, false);
        let give_up = Instant::now() + OVERLAP;
        let is_over = || self.recorder.is_over() && sampler.in_flight.load(Ordering::SeqCst) == 0;
        while !is_over() && Instant::now() < give_up {
            std::thread::sleep(Duration::from_millis(1));
        }
        if let Some(uploader) = &self.uploader {
            uploader.wait_for_end();
        }
        if !is_over() {
            return false;
        }
        self.process.registry.clear();
        true
    }
}

/// No handler walks a stack when this returns, unless one takes longer than the grace: the JVM may
/// be about to end.
fn stop_ticks(registry: &Registry, sampler: &Sampler) {
    registry.shut();
    sampler.armed.store(false, Ordering::SeqCst);
    let give_up = Instant::now() + limits::LAST_HANDLER_GRACE;
    while sampler.in_flight.load(Ordering::SeqCst) > 0 && Instant::now() < give_up {
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// AsyncGetCallTrace must not make `jmethodID`s itself: those of loaded classes are made here, those
/// of later ones when they are prepared.
fn make_method_ids(jvmti: Jvmti, env: *mut JNIEnv) {
    if let Err(error) = callbacks::watch_classes(jvmti) {
        log::warn!("the JVM does not tell of new classes: {error}");
    }
    for class in jvmti.loaded_classes().unwrap_or_default() {
        // SAFETY: the references are this thread's and are given back. A class that is not
        // prepared yet is refused here and comes with its ClassPrepare event.
        unsafe {
            let _ = jvmti.make_method_ids(class);
            ((**env).v1_2.DeleteLocalRef)(env, class);
        }
    }
}

/// Has it counted what threads have allocated when they end.
fn count_allocations(
    registry: &Registry,
    java: Option<&java::JavaThreads>,
    structs: Option<&VmStructs>,
) {
    let bytes = structs.map(AllocatedBytes::new);
    if let (Some(java), Some(Ok(bytes))) = (java, bytes) {
        registry.count_allocations(AllocationCounter {
            bytes,
            env_distance: java.env_distance(),
        });
    }
}

/// What is needed to find the traps, and why there are none.
struct TrapFinder<'a> {
    need: Need,
    structs: Option<&'a VmStructs>,
    env_distance: Option<usize>,
}

fn traps_of<'a>(hotspot: &'a HotSpot, java: Option<&java::JavaThreads>) -> TrapFinder<'a> {
    TrapFinder {
        need: hotspot.version.map_or(Need::None, Need::of),
        structs: hotspot.structs.as_ref(),
        env_distance: java.map(java::JavaThreads::env_distance),
    }
}

impl TrapFinder<'_> {
    /// Where samples are to come from. The JVM's code is changed only for those who have asked for samples.
    fn find(&self, process: &Process, parsed: &Parsed) -> Result<Sources, String> {
        let jvm = self.need != Need::Only;
        let is_asked = parsed.origin("alloc") != Origin::Default;
        if !jvm && !is_asked {
            return Err(Need::ONLY.to_owned());
        }
        let is_asked = is_asked || parsed.options.live != Live::Off;
        if self.need == Need::None || !is_asked {
            return Ok(Sources { jvm, traps: None });
        }
        let found = self
            .structs
            .zip(self.env_distance)
            .ok_or_else(|| "the JVM's threads are not understood".to_owned())
            .and_then(|(structs, env_distance)| {
                let folders = &parsed.options.debugdir;
                Traps::find(self.need, process.sampler, structs, env_distance, folders)
            });
        match found {
            Ok(traps) => Ok(Sources {
                jvm,
                traps: Some(traps),
            }),
            Err(reason) if jvm => {
                log::info!("{}: {reason}", Need::UNEVEN);
                Ok(Sources { jvm, traps: None })
            }
            Err(reason) => Err(reason),
        }
    }
}

fn start_allocations(
    process: &'static Process,
    jvmti: Jvmti,
    parsed: &Parsed,
    stacks: Stacks,
    finder: &TrapFinder<'_>,
) -> Option<Allocations> {
    let options = &parsed.options;
    let (interval, pacing) = match options.alloc {
        Alloc::Off if options.live == Live::Off || finder.need == Need::Only => return None,
        Alloc::Off | Alloc::Adaptive => (LEAST_INTERVAL, Some(Pacing::new(LEAST_INTERVAL))),
        Alloc::Every(bytes) => (bytes, None),
    };
    let raw_names = options.names == Names::Raw;
    let started = finder.find(process, parsed).and_then(|sources| {
        process
            .allocation
            .start(jvmti, stacks, raw_names, interval, sources)
    });
    let sources = match started {
        Ok(sources) => sources,
        Err(reason) => {
            let needs_jvm = finder.need != Need::Only && options.live != Live::Off;
            let what = match (options.alloc, needs_jvm) {
                (_, false) => "allocation samples",
                (Alloc::Off, true) => "live objects",
                _ => "allocation samples and no live objects",
            };
            // What nobody has asked for is no reason to write into the application's output.
            let level = if parsed.origin("alloc") != Origin::Default || needs_jvm {
                log::Level::Warn
            } else {
                log::Level::Info
            };
            log::log!(level, "no {what}: {reason}");
            return None;
        }
    };
    Some(Allocations::begin(
        process.allocation,
        jvmti,
        options.alloc != Alloc::Off,
        sources,
        pacing,
        process.registry,
        monotonic_nanos(),
    ))
}

/// # Safety
/// `env` is the calling thread's own.
unsafe fn start_live_heap(
    process: &'static Process,
    jvmti: Jvmti,
    env: *mut JNIEnv,
    hotspot: &HotSpot,
    parsed: &Parsed,
) -> Option<LiveObjects> {
    let with_young = match parsed.options.live {
        Live::Off => return None,
        Live::On => false,
        Live::All => true,
    };
    if hotspot.version.map(Need::of) == Some(Need::Only) {
        log::warn!(
            "no live objects: the JVM hands out no sampled objects before Java 11; how full the heap is, is written"
        );
    }
    let heap = process.allocation.live();
    // SAFETY: the caller vouches for `env`.
    let started = unsafe { heap.start(jvmti, env, hotspot.structs.as_ref()) };
    if let Err(reason) = started {
        log::warn!("no live objects: {reason}");
        return None;
    }
    Some(LiveObjects::begin(heap, with_young))
}

fn announce_existing(
    registry: &Registry,
    threads: Vec<java::LiveThread>,
    reader: &(ThreadReader, SafeReader),
) {
    for thread in threads {
        if let Ok(tid) = reader.0.os_thread_id(&reader.1, thread.java_thread as u64) {
            registry.announce_existing_java(tid.cast_unsigned(), thread.env, thread.identity);
        }
    }
}
