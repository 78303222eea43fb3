//! What is made once in a process and serves one recording after the other: a late signal must find it.
//!
//! # Safety
//! Calls into the JVM with the calling thread's own environment.
#![allow(unsafe_code)]

use std::io;

use jni_sys::{JNIEnv, JavaVM};
use jprof_signal_safe::counters::Counters;
use jprof_signal_safe::tick::{self, Sampler, Tuning};
use once_cell::sync::OnceCell;

use super::memory;
use crate::allocation;
use crate::java::JavaThreads;
use crate::jvmti::{Jvmti, callbacks};
use crate::options;
use crate::threads::{CreationHook, Registry};

pub(super) static COUNTERS: Counters = Counters::new();

/// The parts of a session that outlive it.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) sampler: &'static Sampler,
    pub(super) registry: &'static Registry,
    pub(super) allocation: &'static allocation::Engine,
}

static PROCESS: OnceCell<Process> = OnceCell::new();

/// The JVM's side of threads, from the first call on.
///
/// # Safety
/// `vm` is the JVM, in its live phase, and `env` the calling thread's own.
pub(super) unsafe fn java_threads(
    vm: *mut JavaVM,
    jvmti: Jvmti,
    env: *mut JNIEnv,
) -> Option<&'static JavaThreads> {
    static JAVA: OnceCell<JavaThreads> = OnceCell::new();
    // SAFETY: the caller vouches for the pointers.
    JAVA.get_or_try_init(|| unsafe { JavaThreads::learn(vm, jvmti, env) })
        .inspect_err(|reason| log::warn!("Java threads are not told apart: {reason}"))
        .ok()
}

impl Process {
    /// This process's. No ticks are taken when it is asked for, and none is under way.
    pub(super) fn with(
        tuning: &'static Tuning,
        java: Option<&JavaThreads>,
    ) -> Result<&'static Self, String> {
        let process = PROCESS.get_or_try_init(|| {
            let no_memory = |error: io::Error| format!("no memory for the samples: {error}");
            // One frame more than is kept tells a deeper stack from one that just fits.
            let most_frames = options::DEEPEST_STACK as usize + 1;
            let sampler: &'static Sampler = Box::leak(Box::new(Sampler::new(
                &COUNTERS,
                memory::thread_table().map_err(no_memory)?,
                memory::stripes(most_frames).map_err(no_memory)?,
                tuning,
            )));
            let registry: &'static Registry = Box::leak(Box::new(Registry::new(sampler)));
            let allocation: &'static allocation::Engine =
                Box::leak(Box::new(allocation::Engine::new(sampler, registry)));
            callbacks::announce_to(registry, java.copied(), allocation);
            Ok::<_, String>(Self {
                sampler,
                registry,
                allocation,
            })
        })?;
        process.sampler.tune(tuning);
        tick::publish(process.sampler);
        Ok(process)
    }

    /// Announces new threads from now on, those of libraries loaded since the last recording too.
    pub(super) fn watch_new_threads(&self) {
        match CreationHook::install(self.registry) {
            Ok(hook) => log::debug!("{} imports of pthread_create watched", hook.patched()),
            Err(reason) => {
                log::warn!("new threads are found by a scan once a second only: {reason}");
            }
        }
    }
}
