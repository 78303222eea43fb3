//! From the JVM's calls to a session: what the exported functions and the callbacks share.
//!
//! # Safety
//! The JVM's pointers stay valid for the life of the process; they are stored once.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jni_sys::{JNIEnv, JavaVM, jint};
use once_cell::sync::OnceCell;

use crate::hotspot::{self, VmStructs};
use crate::jvmti::{Jvmti, JvmtiError, callbacks};
use crate::logging;
use crate::options::{self, Action, Parsed, Sources};
use crate::session::Session;

/// The JVM that the library is loaded into.
#[derive(Clone, Copy)]
struct Host {
    vm: *mut JavaVM,
    /// One for all loads: the JVM keeps each that it gives out.
    jvmti: Jvmti,
    pid: u32,
}

// SAFETY: the JVM and its environments may be used on all attached threads.
unsafe impl Send for Host {}
// SAFETY: as above.
unsafe impl Sync for Host {}

/// Longest time that an attach to a JVM which is starting waits for that. Nothing else waits for its listener.
const START_LIMIT: Duration = Duration::from_secs(5);

static HOST: OnceCell<Host> = OnceCell::new();

/// What one load after the other leaves behind.
struct Life {
    /// The options in force, or those of the start to come.
    given: Option<Given>,
    session: Option<Session>,
    /// The JVM ends: nothing starts any more.
    has_ended: bool,
}

struct Given {
    text: String,
    parsed: Parsed,
}

static LIFE: Mutex<Life> = Mutex::new(Life {
    given: None,
    session: None,
    has_ended: false,
});

/// What starts and stops does so one after the other.
fn life() -> MutexGuard<'static, Life> {
    LIFE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// System properties and environment of this process.
struct ProcessSources(Jvmti);

impl Sources for ProcessSources {
    fn property(&self, name: &str) -> Option<String> {
        self.0.system_property(name)
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

/// The library is loaded, for the first time or again. The result is the JVM's: anything but 0 stops its start (or,
/// attached, is reported to the one who attached).
///
/// # Safety
/// `vm` is the JVM; `options` is null or ends with a zero byte. `attached`: the calling thread is the JVM's attach listener.
pub(crate) unsafe fn load(vm: *mut JavaVM, options: *const c_char, attached: bool) -> jint {
    let text = if options.is_null() {
        String::new()
    } else {
        // SAFETY: the JVM's own argument.
        let text = unsafe { CStr::from_ptr(options) };
        text.to_string_lossy().into_owned()
    };
    // SAFETY: the JVM's own argument.
    let host = match HOST.get_or_try_init(|| unsafe { Host::meet(vm, attached) }) {
        Ok(host) => *host,
        Err(error) => {
            eprintln!("[jprof] this JVM gives no JVMTI environment ({error}): nothing is profiled");
            return jni_sys::JNI_OK;
        }
    };
    let parsed = options::parse(&text, &ProcessSources(host.jvmti));
    let mut life = life();
    let is_running = life.session.as_ref().is_some_and(|one| !one.is_stopped());
    let is_first = life.given.is_none();
    // A recording's log stays as it is while it is not known whether its options change.
    if is_first || attached && !is_running {
        logging::install(&parsed.options.log, parsed.options.log_level);
    }
    for complaint in &parsed.complaints {
        log::warn!("{complaint}");
    }
    if parsed.refuses_start() {
        log::error!("strict: the start is refused because of the options");
        return jni_sys::JNI_ERR;
    }
    match parsed.options.action {
        Action::Start => {}
        Action::Stop => {
            life.stop();
            return life.wind_up();
        }
        Action::Status | Action::Nothing => return jni_sys::JNI_OK,
    }
    if let Err(reason) = check_jvm(host.jvmti) {
        log::warn!("{reason}; nothing is profiled");
        return jni_sys::JNI_OK;
    }
    if !attached && !is_first {
        log::error!(
            "jprof is loaded in this JVM already, by an earlier -agentpath or JAVA_TOOL_OPTIONS, whose options hold: this load changes nothing"
        );
        return jni_sys::JNI_OK;
    }
    let given = match life.given.take() {
        // The recording of an earlier load goes on with what is changed by this one.
        Some(earlier) if life.session.is_none() || is_running => {
            let changed = earlier.changed_by(Given { text, parsed }, host.jvmti);
            if changed.parsed.options == earlier.parsed.options {
                log::info!("this load of jprof changes no option");
                life.given = Some(earlier);
                return jni_sys::JNI_OK;
            }
            log::info!("a second load of jprof changes its options");
            logging::install(
                &changed.parsed.options.log,
                changed.parsed.options.log_level,
            );
            changed
        }
        _ => Given { text, parsed },
    };
    for setting in given.parsed.settings() {
        log::info!("{}={} ({})", setting.name, setting.value, setting.origin);
    }
    life.given = Some(given);
    if is_first {
        ask_for_debug_info();
    }
    // The start comes with VMInit, or, in a JVM that runs, now.
    if !attached || !host.jvmti.is_live() {
        return jni_sys::JNI_OK;
    }
    // SAFETY: the calling thread is the JVM's attach listener, a Java thread.
    match unsafe { host.own_environment() } {
        // SAFETY: as above.
        Some(env) => unsafe { life.restart(host, env) },
        None => jni_sys::JNI_ERR,
    }
}

impl Host {
    /// # Safety
    /// `vm` is the JVM. `attached`: the calling thread is the JVM's attach listener.
    unsafe fn meet(vm: *mut JavaVM, attached: bool) -> Result<Self, JvmtiError> {
        let give_up = Instant::now() + START_LIMIT;
        let jvmti = loop {
            // SAFETY: the caller vouches for it.
            match unsafe { Jvmti::new(vm) } {
                // Up to 17 the listener works before the JVM has started in full, and environments are to be had after.
                Err(_) if attached && Instant::now() < give_up => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                result => break result?,
            }
        };
        callbacks::enable(jvmti)?;
        Ok(Self {
            vm,
            jvmti,
            pid: std::process::id(),
        })
    }

    /// The calling thread's environment.
    ///
    /// # Safety
    /// The JVM lives.
    unsafe fn own_environment(&self) -> Option<*mut JNIEnv> {
        let mut env = std::ptr::null_mut();
        // SAFETY: the caller vouches for the JVM.
        let code =
            unsafe { ((**self.vm).v1_2.GetEnv)(self.vm, &raw mut env, jni_sys::JNI_VERSION_1_6) };
        (code == jni_sys::JNI_OK).then_some(env.cast())
    }
}

impl Given {
    /// These options with those of a later load over them. A string of async-profiler's kind stands for itself.
    fn changed_by(&self, later: Given, jvmti: Jvmti) -> Given {
        if later.text.is_empty() {
            return Given {
                text: self.text.clone(),
                parsed: self.parsed.clone(),
            };
        }
        let own_rules = |given: &Given| !options::is_async_profilers(&given.text);
        if self.text.is_empty() || !own_rules(self) || !own_rules(&later) {
            return later;
        }
        let text = format!("{},{}", self.text, later.text);
        let parsed = options::parse(&text, &ProcessSources(jvmti));
        Given { text, parsed }
    }
}

impl Life {
    /// Starts, after the end of the recording that there is, if any.
    ///
    /// # Safety
    /// The JVM is in its live phase, `env` the calling thread's own.
    unsafe fn restart(&mut self, host: Host, env: *mut JNIEnv) -> jint {
        let given = self.given.take();
        self.stop();
        if self.has_ended || self.wind_up() != jni_sys::JNI_OK {
            return jni_sys::JNI_ERR;
        }
        self.given = given;
        // SAFETY: the caller vouches for the pointers; no session is left.
        unsafe { self.start(host, env) }
    }

    /// Lets go of a stopped session, in a JVM that lives on.
    fn wind_up(&mut self) -> jint {
        if self.session.as_ref().is_some_and(|one| !one.wind_up()) {
            log::error!("the recording before has not ended yet: try again in a moment");
            return jni_sys::JNI_ERR;
        }
        self.session = None;
        self.given = None;
        jni_sys::JNI_OK
    }

    /// # Safety
    /// As [`Life::restart`]; there is no session.
    unsafe fn start(&mut self, host: Host, env: *mut JNIEnv) -> jint {
        let Some(given) = &self.given else {
            return jni_sys::JNI_OK;
        };
        // SAFETY: the caller vouches for all.
        match unsafe { Session::start(host.vm, host.jvmti, env, &given.parsed) } {
            Ok(session) => self.session = Some(session),
            Err(reason) => {
                self.given = None;
                log::error!("{reason}; nothing is profiled");
            }
        }
        jni_sys::JNI_OK
    }

    fn stop(&self) {
        if let Some(session) = &self.session {
            session.stop();
        }
    }
}

/// What makes a JVM one that cannot be profiled.
fn check_jvm(jvmti: Jvmti) -> Result<(), String> {
    let name = jvmti.system_property("java.vm.name").unwrap_or_default();
    if !hotspot::version::is_hotspot(&name) {
        return Err(format!("the JVM is {name}, not HotSpot"));
    }
    let text = jvmti.system_property("java.vm.version").unwrap_or_default();
    match hotspot::JavaVersion::parse(&text) {
        Some(version) if version.is_known() => {}
        Some(version) if version.feature > *hotspot::JavaVersion::KNOWN.end() => {
            log::warn!(
                "Java {version} is newer than this version of jprof (8 to 25 are known): what its JVM does not describe stays out of the profile"
            );
        }
        Some(version) => return Err(format!("Java {version} is too old: 8 to 25 are known")),
        None => return Err(format!("the JVM's version {text} is not understood")),
    }
    Ok(())
}

/// Without `DebugNonSafepoints` compiled code knows its lines and inlined methods only at calls.
/// The flag serves the code compiled from now on.
fn ask_for_debug_info() {
    let outcome = VmStructs::load()
        .and_then(|structs| hotspot::flags::switch_on_debug_non_safepoints(&structs));
    log::debug!("DebugNonSafepoints: {outcome:?}");
}

/// The JVM has come to its live phase: start.
///
/// # Safety
/// `env` is the calling thread's own.
pub(crate) unsafe fn start(env: *mut JNIEnv) {
    let Some(host) = HOST.get() else { return };
    let mut life = life();
    if life.session.is_none() {
        // SAFETY: the caller vouches for `env`.
        unsafe { life.start(*host, env) };
    }
}

/// Stops a recording for good: the JVM ends.
pub(crate) fn stop() {
    // A forked child has this lock as some thread of its parent may have left it.
    if HOST
        .get()
        .is_some_and(|host| host.pid == std::process::id())
    {
        let mut life = life();
        life.has_ended = true;
        life.stop();
    }
}
