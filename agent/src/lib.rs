//! The agent: libjprof.so, loaded into the JVM.
//!
//! This file is the exported ABI only. No panic crosses it.
//!
//! # Safety
//! The JVM calls the exported functions with valid pointers (JVM Tool Interface, "Agent Start-Up").
#![allow(unsafe_code)]

pub mod allocation;
pub mod engine;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod host;
pub mod hotspot;
pub mod java;
pub mod jvmti;
mod lifecycle;
pub mod limits;
mod live_heap;
mod logging;
pub mod options;
pub mod recorder;
pub mod session;
pub mod threads;

use std::ffi::{c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use jni_sys::{JavaVM, jint};

/// `-agentpath`: called before the JVM starts.
///
/// # Safety
/// For the JVM to call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Agent_OnLoad(
    vm: *mut JavaVM,
    options: *mut c_char,
    _: *mut c_void,
) -> jint {
    // SAFETY: the JVM's own arguments.
    catching(|| unsafe { lifecycle::load(vm, options, false) })
}

/// Dynamic attach: called in a running JVM.
///
/// # Safety
/// For the JVM to call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Agent_OnAttach(
    vm: *mut JavaVM,
    options: *mut c_char,
    _: *mut c_void,
) -> jint {
    // SAFETY: the JVM's own arguments, on its attach listener's thread.
    catching(|| unsafe { lifecycle::load(vm, options, true) })
}

/// The JVM ends. Usually VMDeath came first and nothing is left to do.
///
/// # Safety
/// For the JVM to call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Agent_OnUnload(_: *mut JavaVM) {
    catching(|| {
        lifecycle::stop();
        jni_sys::JNI_OK
    });
}

fn catching(body: impl FnOnce() -> jint) -> jint {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| {
        eprintln!("[jprof] a fault of jprof; nothing is profiled, the application goes on");
        jni_sys::JNI_OK
    })
}
