//! The JVMTI callbacks. Each catches panics, and does nothing before a session runs.
//!
//! # Safety
//! The JVM calls these with valid pointers and references of the calling thread.
#![allow(unsafe_code)]

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

use jni_sys::{JNIEnv, jclass, jlong, jobject};
use jprof_signal_safe::clock::monotonic_nanos;
use once_cell::sync::OnceCell;

use super::{Jvmti, JvmtiError, sys};
use crate::allocation;
use crate::engine;
use crate::java::JavaThreads;
use crate::lifecycle;
use crate::threads::{Registry, ThreadEvent, current_tid, watch_current};

/// Whom Java threads are announced to.
struct Audience {
    registry: &'static Registry,
    java: Option<JavaThreads>,
    allocation: &'static allocation::Engine,
}

static AUDIENCE: OnceCell<Audience> = OnceCell::new();

/// From now on Java threads that begin and end are announced to the registry. To be called before
/// it begins and the existing ones are listed, so that none is missed in between and no `JNIEnv*`
/// is kept beyond its thread's end.
pub(crate) fn announce_to(
    registry: &'static Registry,
    java: Option<JavaThreads>,
    allocation: &'static allocation::Engine,
) {
    // There is one registry per process.
    let _ = AUDIENCE.set(Audience {
        registry,
        java,
        allocation,
    });
}

/// Sets the callbacks, and switches on the events of the JVM's start and end.
///
/// # Errors
/// The JVM's.
pub(crate) fn enable(jvmti: Jvmti) -> Result<(), JvmtiError> {
    // SAFETY: zero is a valid value: no callback.
    let mut callbacks: sys::jvmtiEventCallbacks = unsafe { mem::zeroed() };
    callbacks.VMInit = Some(vm_init);
    callbacks.VMDeath = Some(vm_death);
    callbacks.ThreadStart = Some(thread_start);
    callbacks.ThreadEnd = Some(thread_end);
    // JVMs before 11 leave it out.
    callbacks.SampledObjectAlloc = Some(sampled_object_alloc);
    callbacks.GarbageCollectionStart = Some(garbage_collection_start);
    callbacks.GarbageCollectionFinish = Some(garbage_collection_finish);
    callbacks.ClassLoad = Some(class_load);
    callbacks.ClassPrepare = Some(class_prepare);
    jvmti.set_callbacks(&callbacks)?;
    [sys::JVMTI_EVENT_VM_INIT, sys::JVMTI_EVENT_VM_DEATH]
        .into_iter()
        .try_for_each(|event| jvmti.notify(event, true))
}

/// Switches the events of threads on for a recording, and all of a recording's events off after it.
pub(crate) fn watch_threads(jvmti: Jvmti, on: bool) {
    let threads = [sys::JVMTI_EVENT_THREAD_START, sys::JVMTI_EVENT_THREAD_END];
    let classes = [sys::JVMTI_EVENT_CLASS_LOAD, sys::JVMTI_EVENT_CLASS_PREPARE];
    let others = if on { &[][..] } else { &classes };
    for &event in threads.iter().chain(others) {
        if let Err(error) = jvmti.notify(event, on) {
            log::warn!("the JVM refuses an event of threads or classes: {error}");
        }
    }
}

/// Switches on the events that AsyncGetCallTrace needs: it answers -1 unless somebody listens to ClassLoad, and the ids of a
/// class's methods are made when it is prepared.
///
/// # Errors
/// The JVM's.
pub(crate) fn watch_classes(jvmti: Jvmti) -> Result<(), JvmtiError> {
    [sys::JVMTI_EVENT_CLASS_LOAD, sys::JVMTI_EVENT_CLASS_PREPARE]
        .into_iter()
        .try_for_each(|event| jvmti.notify(event, true))
}

fn guarded(what: &str, body: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(body)).is_err() {
        log::error!("a fault of jprof in {what}; the application goes on");
    }
}

unsafe extern "C" fn vm_init(_: *mut sys::jvmtiEnv, env: *mut JNIEnv, _: jobject) {
    // SAFETY: the live phase has begun, and `env` is this thread's.
    guarded("VMInit", || unsafe { lifecycle::start(env) });
}

unsafe extern "C" fn vm_death(_: *mut sys::jvmtiEnv, _: *mut JNIEnv) {
    guarded("VMDeath", lifecycle::stop);
}

unsafe extern "C" fn thread_start(_: *mut sys::jvmtiEnv, env: *mut JNIEnv, thread: jobject) {
    guarded("ThreadStart", || {
        let Some(Audience { registry, java, .. }) = AUDIENCE.get() else {
            return;
        };
        engine::trap_signal::unblock();
        let Some(key) = registry.java_thread_starts(current_tid(), env as usize) else {
            return;
        };
        // A native thread that attached itself may be one whose birth no hook saw.
        watch_current();
        if registry.is_own(key) {
            return;
        }
        // SAFETY: the environment and the reference are this thread's.
        let identity = java
            .as_ref()
            .and_then(|java| unsafe { java.identity(env, thread) });
        if let Some(identity) = identity {
            let nanos = monotonic_nanos();
            registry.announce(ThreadEvent::Java {
                key,
                nanos,
                identity,
                begins: true,
                parent: None,
            });
        }
    });
}

unsafe extern "C" fn thread_end(_: *mut sys::jvmtiEnv, env: *mut JNIEnv, thread: jobject) {
    guarded("ThreadEnd", || {
        let Some(Audience { registry, java, .. }) = AUDIENCE.get() else {
            return;
        };
        if let Some(key) = registry.java_thread_ends(current_tid())
            && !registry.is_own(key)
        {
            // SAFETY: the environment and the reference are this thread's.
            let identity = java
                .as_ref()
                .and_then(|java| unsafe { java.identity(env, thread) });
            registry.announce(ThreadEvent::JavaEnd {
                key,
                nanos: monotonic_nanos(),
                identity,
            });
        }
    });
}

/// JVMs up to 17 reckon the size that they tell in 32 bits: of an array of 2 GiB or more it is any number. A large one is
/// asked for again.
const LEAST_DOUBTFUL_SIZE: u64 = 1 << 20;

unsafe extern "C" fn sampled_object_alloc(
    jvmti: *mut sys::jvmtiEnv,
    env: *mut JNIEnv,
    _: jobject,
    object: jobject,
    class: jclass,
    size: jlong,
) {
    guarded("SampledObjectAlloc", || {
        if let Some(Audience { allocation, .. }) = AUDIENCE.get() {
            // SAFETY: the environments are ours and this thread's, the object and its class are its references.
            unsafe {
                let jvmti = Jvmti::from_raw(jvmti);
                let size = match u64::try_from(size) {
                    Ok(size) if size < LEAST_DOUBTFUL_SIZE => Some(size),
                    _ => jvmti.object_size(object),
                };
                // Every object has one.
                if let Some(size) = size {
                    allocation.on_sample(jvmti, env, object, class, size);
                }
            }
        }
    });
}

unsafe extern "C" fn garbage_collection_start(_: *mut sys::jvmtiEnv) {
    guarded("GarbageCollectionStart", || {
        if let Some(Audience { allocation, .. }) = AUDIENCE.get() {
            allocation.live().on_pause_start();
        }
    });
}

unsafe extern "C" fn garbage_collection_finish(_: *mut sys::jvmtiEnv) {
    guarded("GarbageCollectionFinish", || {
        if let Some(Audience { allocation, .. }) = AUDIENCE.get() {
            allocation.live().on_pause_end();
        }
    });
}

unsafe extern "C" fn class_load(_: *mut sys::jvmtiEnv, _: *mut JNIEnv, _: jobject, _: jclass) {}

unsafe extern "C" fn class_prepare(
    jvmti: *mut sys::jvmtiEnv,
    _: *mut JNIEnv,
    _: jobject,
    class: jclass,
) {
    guarded("ClassPrepare", || {
        // SAFETY: the environment is ours and the class is this thread's reference. A class whose
        // ids cannot be made has frames without names, which are counted there.
        let _ = unsafe { Jvmti::from_raw(jvmti).make_method_ids(class) };
    });
}
