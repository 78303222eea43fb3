//! From the JVM's calls to a session: what the exported functions and the callbacks share.
//!
//! # Safety
//! The JVM's pointers stay valid for the life of the process; they are stored once.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char};

use jni_sys::{JNIEnv, JavaVM, jint};
use once_cell::sync::OnceCell;

use crate::hotspot::{self, VmStructs};
use crate::jvmti::{Jvmti, callbacks};
use crate::logging;
use crate::options::{self, Action, Parsed, Sources};
use crate::session::Session;

/// What loading leaves for the start.
struct Loaded {
    vm: *mut JavaVM,
    jvmti: Jvmti,
    parsed: Parsed,
}

// SAFETY: the JVM and its environments may be used on all attached threads.
unsafe impl Send for Loaded {}
// SAFETY: as above.
unsafe impl Sync for Loaded {}

static LOADED: OnceCell<Loaded> = OnceCell::new();
static SESSION: OnceCell<Session> = OnceCell::new();

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

/// The library is loaded. The result is the JVM's: anything but 0 stops its start (or, attached, is
/// reported to the one who attached).
///
/// # Safety
/// `vm` is the JVM; `options` is null or ends with a zero byte.
pub(crate) unsafe fn load(vm: *mut JavaVM, options: *const c_char, attached: bool) -> jint {
    // SAFETY: the JVM's own arguments.
    let (jvmti, text) = unsafe {
        let text = if options.is_null() {
            String::new()
        } else {
            CStr::from_ptr(options).to_string_lossy().into_owned()
        };
        match Jvmti::new(vm) {
            Ok(jvmti) => (jvmti, text),
            Err(error) => {
                eprintln!(
                    "[jprof] this JVM gives no JVMTI environment ({error}): nothing is profiled"
                );
                return jni_sys::JNI_OK;
            }
        }
    };
    let parsed = options::parse(&text, &ProcessSources(jvmti));
    logging::install(&parsed.options.log, parsed.options.log_level);
    for complaint in &parsed.complaints {
        log::warn!("{complaint}");
    }
    for setting in parsed.settings() {
        log::info!("{}={} ({})", setting.name, setting.value, setting.origin);
    }
    if parsed.refuses_start() {
        log::error!("strict: the start is refused because of the options");
        return jni_sys::JNI_ERR;
    }
    match parsed.options.action {
        Action::Start => {}
        Action::Stop => {
            stop();
            return jni_sys::JNI_OK;
        }
        Action::Status | Action::Nothing => return jni_sys::JNI_OK,
    }
    if let Err(reason) = check_jvm(jvmti) {
        log::warn!("{reason}; nothing is profiled");
        return jni_sys::JNI_OK;
    }
    if LOADED.set(Loaded { vm, jvmti, parsed }).is_err() {
        log::error!("jprof is loaded in this JVM already: this load changes nothing");
        return if attached {
            jni_sys::JNI_ERR
        } else {
            jni_sys::JNI_OK
        };
    }
    if let Err(error) = callbacks::enable(jvmti) {
        log::error!("the JVM refuses its events: {error}; nothing is profiled");
        return jni_sys::JNI_OK;
    }
    ask_for_debug_info();
    jni_sys::JNI_OK
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

/// The JVM is in its live phase: start.
///
/// # Safety
/// `env` is the calling thread's own.
pub(crate) unsafe fn start(env: *mut JNIEnv) {
    let Some(loaded) = LOADED.get() else { return };
    // SAFETY: once_cell lets one caller in, and the caller vouches for `env`.
    let started = SESSION.get_or_try_init(|| unsafe {
        Session::start(loaded.vm, loaded.jvmti, env, &loaded.parsed)
    });
    if let Err(reason) = started {
        log::error!("{reason}; nothing is profiled");
    }
}

/// Attached to a running JVM: start at once.
///
/// # Safety
/// `vm` is the JVM.
pub(crate) unsafe fn start_attached(vm: *mut JavaVM) {
    let mut env = std::ptr::null_mut();
    // SAFETY: the calling thread is the JVM's attach listener, a Java thread.
    unsafe {
        if ((**vm).v1_2.GetEnv)(vm, &raw mut env, jni_sys::JNI_VERSION_1_6) == jni_sys::JNI_OK {
            start(env.cast());
        }
    }
}

/// Stops the session.
pub(crate) fn stop() {
    if let Some(session) = SESSION.get() {
        session.stop();
    }
}
