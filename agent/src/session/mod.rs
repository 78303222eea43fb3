//! The life of a recording: starting, running, stopping. Owns everything below it.
//!
//! # Safety
//! The session starts once, in the JVM's live phase, on an attached thread. What signal handlers
//! use is leaked on purpose: a late signal must find it.
#![allow(unsafe_code)]

mod memory;
mod tags;
mod walking;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam::channel::{self, Receiver, Sender};
use crossbeam::utils::CachePadded;
use ingest_client::{Command, Endpoint, Spool, SpoolLimits, Uploader, UploaderConfig};
use jni_sys::{JNIEnv, JavaVM};
use jprof_signal_safe::clock::{monotonic_nanos, process_cpu_nanos};
use jprof_signal_safe::counters::Counters;
use jprof_signal_safe::tick::{self, Sampler};
use jprof_signal_safe::walker::Walker;

use crate::engine;
use crate::hotspot::memory::SafeReader;
use crate::hotspot::names::MethodResolver;
use crate::hotspot::threads::ThreadReader;
use crate::hotspot::{JavaVersion, JvmInfo, VmStructs};
use crate::java::{self, JavaThreads};
use crate::jvmti::{Jvmti, callbacks};
use crate::limits;
use crate::options::{Dialect, Names, Options, Parsed, Url};
use crate::recorder::{Order, Output, Preamble, Recorder, Settings};
use crate::threads::{CreationHook, Registry, current_tid};

static COUNTERS: Counters = Counters::new();

/// A running recording.
#[derive(Debug)]
pub struct Session {
    registry: &'static Registry,
    sampler: &'static Sampler,
    fault_handlers: Option<engine::FaultHandlers>,
    stop_called: AtomicBool,
    /// Asks the recorder for the last seal.
    stopping: &'static AtomicBool,
    recorder_done: Receiver<()>,
    uploader: Option<UploaderThread>,
    shutdown_flush: Duration,
    pid: u32,
}

#[derive(Debug)]
struct UploaderThread {
    commands: Sender<Command>,
    _thread: JoinHandle<()>,
}

/// Time beyond `shutdown_flush` that the last seal may take: the contract allows one second.
const SEAL_TIMEOUT: Duration = Duration::from_millis(800);

/// Orders on their way to the uploader; a wake-up that finds the queue full is not needed.
const UPLOADER_ORDERS: usize = 16;

impl Session {
    /// Starts to profile.
    ///
    /// # Errors
    /// In words for the log: what makes profiling impossible here.
    ///
    /// # Safety
    /// Called once, in the live phase; `vm` is the JVM and `env` the calling thread's own.
    pub unsafe fn start(
        vm: *mut JavaVM,
        jvmti: Jvmti,
        env: *mut JNIEnv,
        parsed: &Parsed,
    ) -> Result<Self, String> {
        let options = &parsed.options;
        // SAFETY: the caller vouches for the pointers.
        let java = unsafe { JavaThreads::learn(vm, jvmti, env) }
            .inspect_err(|reason| log::warn!("Java threads are not told apart: {reason}"))
            .ok();
        let hotspot = HotSpot::learn(jvmti, options.names == Names::Raw);
        let version_text = jvmti.system_property("java.vm.version").unwrap_or_default();
        let walking = walking::choose(
            options.walker,
            &walking::Jvm {
                structs: hotspot.structs.as_ref(),
                version: hotspot.version,
                version_text: &version_text,
                java: java.as_ref(),
                env,
            },
            &COUNTERS,
        );
        log::info!("stacks are taken by walker={}", walking.name);
        let sampler = new_sampler(options, walking.walker)?;
        tick::publish(sampler);
        let choice = engine::choose(&options.event, sampler.base_period_nanos);
        let engine_name = choice.engine.as_ref().map_or("", engine::Engine::name);
        let level = if choice.second_best {
            log::Level::Warn
        } else {
            log::Level::Info
        };
        log::log!(level, "{}", choice.reason);
        let registry: &'static Registry =
            Box::leak(Box::new(Registry::new(sampler, choice.engine)));
        if walking.needs_method_ids {
            make_method_ids(jvmti, env);
        }
        engine::install()
            .inspect_err(|_| {
                if let Some(handlers) = &walking.fault_handlers {
                    handlers.remove();
                }
            })
            .map_err(|error| format!("the signal handler cannot be installed: {error}"))?;
        match CreationHook::install(registry) {
            Ok(hook) => log::debug!("{} imports of pthread_create watched", hook.patched()),
            Err(reason) => {
                log::warn!("new threads are found by a scan once a second only: {reason}")
            }
        }
        callbacks::announce_to(registry, java);
        let start_nanos = monotonic_nanos();
        let start_cpu_nanos = process_cpu_nanos();
        sampler.armed.store(true, Ordering::Release);
        if let Err(error) = registry.begin() {
            log::warn!("threads that run already are not sampled: /proc/self/task: {error}");
        }
        if let (Some(java), Some(reader)) = (&java, &hotspot.thread_reader) {
            // SAFETY: `env` is the calling thread's own.
            announce_existing(registry, unsafe { java.live_threads(env) }, reader);
        }
        registry.existing_java_done();
        let jvm = hotspot.jvm_info();
        let session_tags = tags::of_session(options, &jvm, hotspot.version);
        let (spool, uploader) = start_uploader(options, service_of(&session_tags), registry);
        let stopping: &'static AtomicBool = Box::leak(Box::new(AtomicBool::new(false)));
        let more_counters = spool.as_ref().map(|(spool, _)| spool.counters());
        let start = RecorderStart {
            sampler,
            registry,
            hotspot,
            vm,
            jvm,
            settings: settings(parsed, engine_name),
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
            start_cpu_nanos,
            fault_handlers: walking.fault_handlers,
            start_nanos,
            java,
        };
        let recorder_done = start.spawn(stopping).map_err(|error| {
            stop_ticks(registry, sampler);
            format!("the recorder cannot start: {error}")
        })?;
        Ok(Self {
            registry,
            sampler,
            fault_handlers: walking.fault_handlers,
            stop_called: AtomicBool::new(false),
            stopping,
            recorder_done,
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
        let deadline = Instant::now() + self.shutdown_flush;
        stop_ticks(self.registry, self.sampler);
        if let Some(handlers) = &self.fault_handlers
            && self.sampler.in_flight.load(Ordering::SeqCst) == 0
        {
            handlers.remove();
        }
        // Only now: what is sampled after the last seal is lost.
        self.stopping.store(true, Ordering::Release);
        self.sampler.wake_recorder();
        if self
            .recorder_done
            .recv_deadline(deadline + SEAL_TIMEOUT)
            .is_err()
        {
            log::warn!("the last chunk could not be sealed in time; it is lost");
        }
        let Some(uploader) = &self.uploader else {
            return;
        };
        let (done, report) = channel::bounded(1);
        if uploader
            .commands
            .send_timeout(Command::Flush { deadline, done }, SEAL_TIMEOUT)
            .is_ok()
        {
            match report.recv_deadline(deadline) {
                Ok(report) if report.left == 0 => {
                    log::debug!("{} profiles sent at the end", report.sent)
                }
                Ok(report) => log::info!(
                    "{} profiles wait in the spool for the next start",
                    report.left
                ),
                Err(_) => log::info!("the last profiles wait in the spool for the next start"),
            }
        }
        // It ends by itself; the JVM's end does not wait for it.
        let _ = uploader.commands.try_send(Command::Stop);
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

/// What is understood of this JVM.
#[derive(Debug)]
struct HotSpot {
    version: Option<JavaVersion>,
    structs: Option<VmStructs>,
    reader: Option<SafeReader>,
    resolver: Option<MethodResolver>,
    thread_reader: Option<(ThreadReader, SafeReader)>,
}

impl HotSpot {
    fn learn(jvmti: Jvmti, raw_names: bool) -> Self {
        let structs = VmStructs::load()
            .inspect_err(|reason| log::warn!("method names cannot be read: {reason}"))
            .ok();
        let version = jvmti
            .system_property("java.vm.version")
            .and_then(|text| JavaVersion::parse(&text));
        let resolver = structs
            .as_ref()
            .zip(version)
            .and_then(|(structs, version)| {
                MethodResolver::new(structs, version)
                    .map(|resolver| resolver.with_raw_names(raw_names))
                    .inspect_err(|reason| log::warn!("method names cannot be read: {reason}"))
                    .ok()
            });
        let thread_reader = structs.as_ref().and_then(|structs| {
            ThreadReader::new(structs)
                .and_then(|threads| Ok((threads, SafeReader::new()?)))
                .ok()
        });
        Self {
            version,
            structs,
            reader: SafeReader::new().ok(),
            resolver,
            thread_reader,
        }
    }

    fn jvm_info(&self) -> JvmInfo {
        match (&self.structs, &self.reader) {
            (Some(structs), Some(reader)) => JvmInfo::read(structs, reader),
            _ => JvmInfo::from_proc(),
        }
    }
}

fn new_sampler(options: &Options, walker: &'static dyn Walker) -> Result<&'static Sampler, String> {
    let no_memory = |error: io::Error| format!("no memory for the samples: {error}");
    let interval_nanos = u64::try_from(options.interval.as_nanos())
        .unwrap_or(u64::MAX)
        .max(1);
    let previous =
        engine::current().map_err(|error| format!("SIGPROF's handler cannot be read: {error}"))?;
    Ok(Box::leak(Box::new(Sampler {
        counters: &COUNTERS,
        threads: memory::thread_table().map_err(no_memory)?,
        // One frame more than is kept tells a deeper stack from one that just fits.
        stripes: memory::stripes(options.stack_depth as usize + 1).map_err(no_memory)?,
        walker,
        interval_nanos,
        base_period_nanos: engine::base_period_nanos(interval_nanos),
        previous: previous.previous(),
        armed: AtomicBool::new(false),
        in_flight: CachePadded::new(AtomicU32::new(0)),
        wake: CachePadded::new(AtomicU32::new(0)),
    })))
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

type SpoolAndOrders = (Arc<Spool>, Sender<Command>);

fn service_of(tags: &[(String, String)]) -> String {
    tags.iter()
        .find(|(name, _)| name == "service")
        .map_or_else(String::new, |(_, value)| value.clone())
}

fn start_uploader(
    options: &Options,
    service: String,
    registry: &'static Registry,
) -> (Option<SpoolAndOrders>, Option<UploaderThread>) {
    let Url::Base(url) = &options.url else {
        if options.file.is_none() {
            log::warn!("no profile is kept: url=none, and no file is set");
        }
        return (None, None);
    };
    let endpoint = match Endpoint::parse(url) {
        Ok(endpoint) => endpoint,
        Err(error) => {
            log::error!("no upload: url={url}: {error}");
            return (None, None);
        }
    };
    let root = options.spool.clone().unwrap_or_else(Spool::default_root);
    let spool = match Spool::open(&root, SpoolLimits::default()) {
        Ok(spool) => Arc::new(spool),
        Err(error) => {
            log::error!("no upload: {error}");
            return (None, None);
        }
    };
    let (commands, orders) = channel::bounded(UPLOADER_ORDERS);
    let uploader = Uploader::new(Arc::clone(&spool), endpoint, uploader_config(service));
    let spawned = engine::block_all_signals(|| {
        std::thread::Builder::new()
            .name("jprof uploader".to_owned())
            .stack_size(ingest_client::UPLOADER_STACK_BYTES)
            .spawn(move || {
                registry.register_own(current_tid());
                uploader.run(orders);
            })
    });
    match spawned {
        Ok(thread) => (
            Some((spool, commands.clone())),
            Some(UploaderThread {
                commands,
                _thread: thread,
            }),
        ),
        Err(error) => {
            log::error!("no upload: the uploader cannot start: {error}");
            (None, None)
        }
    }
}

fn uploader_config(service: String) -> UploaderConfig {
    let mut config = UploaderConfig::default();
    config.service = service;
    // OpenSSL's variable for certificates of one's own, as a private DataKit has one.
    config.trusted_certificates = std::env::var_os("SSL_CERT_FILE").map(std::path::PathBuf::from);
    config
}

fn settings(parsed: &Parsed, cpu_engine: &'static str) -> Settings {
    let options = &parsed.options;
    let destination = match (&options.url, &options.file) {
        (Url::Base(url), _) => crate::options::mask_text(url).into_owned(),
        (Url::None, Some(file)) => file.as_str().to_owned(),
        (Url::None, None) => String::new(),
    };
    Settings {
        cpu_interval_nanos: u64::try_from(options.interval.as_nanos()).unwrap_or(u64::MAX),
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
struct RecorderStart {
    sampler: &'static Sampler,
    registry: &'static Registry,
    hotspot: HotSpot,
    java: Option<JavaThreads>,
    vm: *mut JavaVM,
    jvm: JvmInfo,
    settings: Settings,
    output: Output,
    dialect: jfr_writer::Dialect,
    period: Duration,
    more_counters: Option<Arc<ingest_client::UploadCounters>>,
    start_cpu_nanos: u64,
    fault_handlers: Option<engine::FaultHandlers>,
    start_nanos: u64,
}

// SAFETY: the JVM may be used from every thread; all else is plain data or `Send`.
unsafe impl Send for RecorderStart {}

impl RecorderStart {
    fn spawn(self, stopping: &'static AtomicBool) -> io::Result<Receiver<()>> {
        let (done, recorder_done) = channel::bounded(1);
        engine::block_all_signals(|| {
            std::thread::Builder::new()
                .name("jprof recorder".to_owned())
                .stack_size(limits::RECORDER_STACK_BYTES)
                .spawn(move || {
                    self.registry.register_own(current_tid());
                    self.run(stopping, done);
                })
        })?;
        Ok(recorder_done)
    }

    fn run(self, stopping: &'static AtomicBool, done: Sender<()>) {
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
