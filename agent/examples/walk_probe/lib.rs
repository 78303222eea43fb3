//! The native side of `tests/walk_probe`: the walker of Java stacks in a running JVM, with registers that mean nothing, and
//! beside what JVMTI says.
//!
//! # Safety
//!
//! The unsafe blocks are calls through JNI's and JVMTI's tables, made by the rules of both: on attached threads, with references
//! of the calling frame. Walks follow the rules of `HotspotWalker::walk_from`: the handlers of faults are in place.

#![allow(unsafe_code)]
#![allow(missing_docs, reason = "JNI gives the exported functions their names")]

mod hostile;
mod judge;
mod mutation;
mod places;
mod signal;
mod tally;

use std::ffi::{CStr, c_void};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::{mem, ptr};

use jni_sys::{JNI_OK, JNI_VERSION_1_8, JNIEnv, JavaVM, jboolean, jclass, jint, jlong, jobject};
use jprof::engine::FaultHandlers;
use jprof::hotspot::{JavaVersion, MethodResolver, SafeReader, VmStructs, vm_info, walk_layout};
use jprof::java::{JavaThreads, continuations};
use jprof::jvmti::{Jvmti, sys};
use jprof_signal_safe::walker::hotspot::HotspotWalker;

/// What is the same for all natives.
pub(crate) struct Probe {
    pub(crate) jvmti: *mut sys::jvmtiEnv,
    pub(crate) java: JavaThreads,
    pub(crate) reader: SafeReader,
    pub(crate) resolver: MethodResolver,
    pub(crate) walker: HotspotWalker,
    /// The `Method` of `Continuation.enterSpecial`, 0 where there is none.
    pub(crate) enter_special: usize,
    handlers: FaultHandlers,
    /// The actions of SIGSEGV and SIGBUS before the handlers were put in.
    before: [libc::sigaction; 2],
}

// SAFETY: a JVMTI environment may be used by every attached thread.
unsafe impl Send for Probe {}
// SAFETY: as above.
unsafe impl Sync for Probe {}

static PROBE: OnceLock<Probe> = OnceLock::new();
static VM: OnceLock<usize> = OnceLock::new();

pub(crate) fn probe() -> &'static Probe {
    PROBE.get().expect("prepare() was called")
}

impl Probe {
    /// The `JavaThread` of an environment.
    pub(crate) fn java_thread(&self, env: *mut JNIEnv) -> usize {
        env as usize - self.java.env_distance()
    }
}

#[unsafe(no_mangle)]
extern "system" fn JNI_OnLoad(vm: *mut JavaVM, _reserved: *mut c_void) -> jint {
    VM.get_or_init(|| vm as usize);
    JNI_VERSION_1_8
}

/// Learns what the walker must know and puts the handlers of faults in, as the agent does when it starts.
#[unsafe(no_mangle)]
extern "system" fn Java_WalkProbe_prepare(env: *mut JNIEnv, _class: jclass) {
    let vm = *VM.get().expect("JNI_OnLoad has run") as *mut JavaVM;
    let mut jvmti: *mut c_void = ptr::null_mut();
    // SAFETY: the JVM itself; GetEnv writes one pointer.
    let code = unsafe { ((**vm).v1_2.GetEnv)(vm, &raw mut jvmti, sys::JVMTI_VERSION_1_2 as jint) };
    assert_eq!(code, JNI_OK, "JVMTI");
    let jvmti: *mut sys::jvmtiEnv = jvmti.cast();
    let mut capabilities = sys::jvmtiCapabilities::default();
    capabilities.set_can_suspend(1);
    // SAFETY: see the file's head.
    let error = unsafe { ((**jvmti).AddCapabilities.unwrap())(jvmti, &raw const capabilities) };
    assert_eq!(error, 0, "capabilities");
    let structs = VmStructs::load().expect("the tables of libjvm");
    let reader = SafeReader::new().expect("a way to read");
    let release = vm_info::release(&structs, &reader).expect("a release");
    let version = JavaVersion::parse(&release).expect("a version");
    // SAFETY: the JVM runs, and the environment is the calling thread's own.
    let (java, enter_special, continuation_fields) = unsafe {
        let jvmti = Jvmti::new(vm).expect("JVMTI");
        let java = JavaThreads::learn(vm, jvmti, env).expect("Java threads");
        (java, java.enter_special(env), continuations::fields(env))
    };
    let enter_special =
        enter_special.map_or(0, |id| reader.read_u64(id as u64).expect("a live id")) as usize;
    let known = walk_layout::Known {
        version,
        jni_env: java.env_distance(),
        enter_special,
        continuation_fields,
    };
    let layout = walk_layout::read(&structs, &reader, known).expect("the walker's layout");
    let before = fault_actions();
    let handlers = FaultHandlers::install().expect("handlers of faults");
    let probe = Probe {
        jvmti,
        java,
        resolver: MethodResolver::new(&structs, version).expect("methods"),
        reader,
        walker: HotspotWalker::new(layout),
        enter_special,
        handlers,
        before,
    };
    assert!(PROBE.set(probe).is_ok(), "prepare() is called once");
}

/// The actions of SIGSEGV and SIGBUS as they are.
fn fault_actions() -> [libc::sigaction; 2] {
    [libc::SIGSEGV, libc::SIGBUS].map(|signal| {
        // SAFETY: zero is a valid value; sigaction only fills in the present action.
        unsafe {
            let mut action = mem::zeroed();
            assert_eq!(
                libc::sigaction(signal, ptr::null(), &raw mut action),
                0,
                "sigaction"
            );
            action
        }
    })
}

/// Takes the handlers of faults out again. Whether those that were there before are back.
#[unsafe(no_mangle)]
extern "system" fn Java_WalkProbe_remove(_env: *mut JNIEnv, _class: jclass) -> jboolean {
    let same = |now: &libc::sigaction, before: &libc::sigaction| {
        now.sa_sigaction == before.sa_sigaction && now.sa_flags == before.sa_flags
    };
    let probe = probe();
    let were_ours = fault_actions()
        .iter()
        .zip(&probe.before)
        .all(|(now, before)| now.sa_sigaction != before.sa_sigaction);
    probe.handlers.remove();
    let are_back = fault_actions()
        .iter()
        .zip(&probe.before)
        .all(|(now, before)| same(now, before));
    were_ours && are_back
}

static JUDGED: Mutex<judge::Judged> = Mutex::new(judge::Judged::new());

/// Compares the two stacks of the calling thread. The number of frames, or -1 where they differ.
fn judge(env: *mut JNIEnv) -> jint {
    let mut judged = JUDGED.lock().unwrap_or_else(PoisonError::into_inner);
    judged.judge(env)
}

#[unsafe(no_mangle)]
extern "system" fn Java_WalkProbe_judge(env: *mut JNIEnv, _class: jclass) -> jint {
    judge(env)
}

#[unsafe(no_mangle)]
extern "system" fn Java_WalkProbe_judgeWithMany(
    env: *mut JNIEnv,
    _class: jclass,
    _: jlong,
    _: jobject,
    _: f64,
    _: jint,
    _: f32,
    _: jlong,
    _: jlong,
    _: jlong,
    _: jlong,
    _: jlong,
    _: jlong,
) -> jint {
    judge(env)
}

#[unsafe(no_mangle)]
extern "system" fn Java_WalkProbe_judgeLocked(env: *mut JNIEnv, _this: jobject) -> jint {
    judge(env)
}

/// Threads that may be suspended and asked: thread ids and `JavaThread`s.
static ENLISTED: Mutex<Vec<(i32, usize)>> = Mutex::new(Vec::new());

/// Enlists the calling thread; its number.
#[unsafe(no_mangle)]
extern "system" fn Java_WalkProbe_enlist(env: *mut JNIEnv, _class: jclass) -> jint {
    signal::install();
    let mut enlisted = ENLISTED.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: gettid takes nothing and cannot fail.
    enlisted.push((unsafe { libc::gettid() }, probe().java_thread(env)));
    enlisted.len() as jint - 1
}

#[unsafe(no_mangle)]
extern "system" fn Java_WalkProbe_judgeSuspended(
    _env: *mut JNIEnv,
    _class: jclass,
    thread: jobject,
    number: jint,
) {
    let enlisted = ENLISTED.lock().unwrap_or_else(PoisonError::into_inner);
    let mut judged = JUDGED.lock().unwrap_or_else(PoisonError::into_inner);
    judged.judge_suspended(thread, enlisted[number as usize]);
}

/// Calls `Runnable.run` as native code does.
#[unsafe(no_mangle)]
extern "system" fn Java_WalkProbe_callUp(env: *mut JNIEnv, _class: jclass, runnable: jobject) {
    // SAFETY: see the file's head; an exception goes on when the native method returns.
    unsafe {
        let functions = &(**env).v1_2;
        let class = (functions.GetObjectClass)(env, runnable);
        let method = (functions.GetMethodID)(env, class, c"run".as_ptr(), c"()V".as_ptr());
        (functions.CallVoidMethodA)(env, runnable, method, ptr::null());
    }
}

/// Prints what was compared since the last call, and whether all was equal.
#[unsafe(no_mangle)]
extern "system" fn Java_WalkProbe_judged(
    env: *mut JNIEnv,
    _class: jclass,
    label: jobject,
) -> jboolean {
    let mut judged = JUDGED.lock().unwrap_or_else(PoisonError::into_inner);
    judged.close(&string(env, label))
}

/// Walks from so many sets of registers. Whether each kept to its bounds.
#[unsafe(no_mangle)]
extern "system" fn Java_WalkProbe_hostile(
    env: *mut JNIEnv,
    class: jclass,
    sets: jlong,
    seed: jlong,
) -> jboolean {
    hostile::run(
        env,
        class,
        sets.cast_unsigned() as usize,
        seed.cast_unsigned(),
    )
}

fn string(env: *mut JNIEnv, text: jobject) -> String {
    // SAFETY: see the file's head; the characters are given back.
    unsafe {
        let functions = &(**env).v1_2;
        let characters = (functions.GetStringUTFChars)(env, text, ptr::null_mut());
        let owned = CStr::from_ptr(characters).to_string_lossy().into_owned();
        (functions.ReleaseStringUTFChars)(env, text, characters);
        owned
    }
}
