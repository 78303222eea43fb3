//! The allocation engine: objects that the JVM samples (JVMTI SampledObjectAlloc, JEP 331, from 11 on), and objects that
//! breakpoints in it meet (`traps`), with their stacks.
//!
//! The callback runs on the allocating thread, not in a signal: it names the class, walks the stack, and leaves a record in a
//! ring, where the recorder finds it beside the ticks.
//!
//! # Safety
//! The JVM calls back with valid pointers and references of the calling thread. `jmethodID`s are read as AsyncGetCallTrace's
//! are.
#![allow(unsafe_code)]

mod calibration;
mod classes;
mod levels;
mod need;
mod pacing;
#[cfg_attr(not(target_arch = "x86_64"), path = "no_traps.rs")]
mod traps;
mod weight;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jni_sys::{JNIEnv, jclass, jobject};
use jprof_signal_safe::tick::{Allocation, Lies, Sampler};
use jprof_signal_safe::walker::{Failure, Frame, FrameType, Outcome, Position, Room};
use once_cell::sync::OnceCell;

pub use calibration::Allocated;
pub(crate) use calibration::{Calibration, ENOUGH, Estimate};
pub(crate) use levels::{Chances, Levels};
pub(crate) use need::Need;
pub(crate) use pacing::{LEAST_INTERVAL, Pacing};
pub(crate) use traps::Traps;
pub(crate) use weight::objects;

use crate::hotspot::names::readable;
use crate::jvmti::{Jvmti, JvmtiError, sys};
use crate::live_heap::LiveHeap;
use crate::threads::{Registry, current_tid};
use classes::{Classes, name_of_signature};

#[cfg(target_arch = "x86_64")]
use jprof_signal_safe::walker::hotspot::HotspotWalker;

/// How often a thread that has been sampled looks for a free ring.
const TRIES: usize = 16;
/// Frames that are asked of the JVM where the own walker is not in force.
const MOST_FRAMES_OF_JVMTI: usize = 2048;

/// How a thread's stack is taken outside of signals.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stacks {
    /// By the own walker.
    #[cfg(target_arch = "x86_64")]
    Walked(&'static HotspotWalker),
    /// By JVMTI's GetStackTrace, of a JVM whose method ids point to its methods.
    Asked,
    /// Not at all.
    None,
}

/// The engine; there is one in a process.
#[derive(Debug)]
pub(crate) struct Engine {
    sampler: &'static Sampler,
    registry: &'static Registry,
    live: LiveHeap,
    classes: Classes,
    is_on: AtomicBool,
    /// The JVM samples; else only the traps.
    asks_jvm: AtomicBool,
    raw_names: AtomicBool,
    stacks: Mutex<Stacks>,
    /// Mean distance of samples in bytes.
    interval: AtomicU64,
    taken: AtomicU64,
    dropped: AtomicU64,
    /// Once a recording has used them.
    traps: OnceCell<Traps>,
}

/// Where samples come from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sources {
    /// The JVM samples.
    pub(crate) jvm: bool,
    pub(crate) traps: Option<Traps>,
}

impl Engine {
    pub(crate) fn new(sampler: &'static Sampler, registry: &'static Registry) -> Self {
        Self {
            sampler,
            registry,
            live: LiveHeap::new(),
            classes: Classes::default(),
            is_on: AtomicBool::new(false),
            asks_jvm: AtomicBool::new(false),
            raw_names: AtomicBool::new(false),
            stacks: Mutex::new(Stacks::None),
            // What the JVM begins with.
            interval: AtomicU64::new(pacing::LEAST_INTERVAL),
            taken: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            traps: OnceCell::new(),
        }
    }

    /// Has objects sampled from now on, `interval` bytes apart. Says which of the sources there are: the traps may be refused
    /// where the JVM samples, too.
    ///
    /// # Errors
    /// In words: the JVM refuses, or the traps are refused where there is nothing else.
    pub(crate) fn start(
        &self,
        jvmti: Jvmti,
        stacks: Stacks,
        raw_names: bool,
        interval: u64,
        wanted: Sources,
    ) -> Result<Sources, String> {
        *self.stacks.lock().unwrap_or_else(PoisonError::into_inner) = stacks;
        self.raw_names.store(raw_names, Ordering::Relaxed);
        self.interval.store(interval, Ordering::Release);
        self.asks_jvm.store(wanted.jvm, Ordering::Relaxed);
        if wanted.jvm {
            self.start_jvm(jvmti, interval)?;
        }
        let mut sources = wanted;
        if let Some(traps) = wanted.traps {
            match traps.set(self.registry, interval) {
                Ok(()) => {
                    let _ = self.traps.set(traps);
                }
                Err(reason) if wanted.jvm => {
                    log::info!("{}: {reason}", Need::UNEVEN);
                    sources.traps = None;
                }
                Err(reason) => return Err(reason),
            }
        }
        self.is_on.store(true, Ordering::Release);
        Ok(sources)
    }

    fn start_jvm(&self, jvmti: Jvmti, interval: u64) -> Result<(), String> {
        let refused = |error: JvmtiError| {
            if error == JvmtiError::NOT_AVAILABLE {
                "the JVM does not give its samples; one agent can have them at a time".to_owned()
            } else {
                error.to_string()
            }
        };
        jvmti.sample_allocations(true).map_err(refused)?;
        let started = jvmti
            .set_allocation_interval(interval)
            .and_then(|()| jvmti.notify(sys::JVMTI_EVENT_SAMPLED_OBJECT_ALLOC, true));
        started.map_err(|error| {
            // Nothing can be done where it is not taken back.
            let _ = jvmti.sample_allocations(false);
            refused(error)
        })
    }

    /// Changes the distance.
    ///
    /// # Errors
    /// The JVM's.
    pub(crate) fn set_interval(
        &self,
        jvmti: Jvmti,
        interval: u64,
        sources: Sources,
    ) -> Result<(), JvmtiError> {
        if sources.jvm {
            jvmti.set_allocation_interval(interval)?;
        }
        if let Some(traps) = sources.traps {
            traps.set_interval(interval);
        }
        self.interval.store(interval, Ordering::Release);
        Ok(())
    }

    /// Ends it, and lets another agent have the samples.
    pub(crate) fn stop(&self, jvmti: Jvmti) {
        if self.is_on.swap(false, Ordering::AcqRel) {
            if let Some(traps) = self.traps.get() {
                traps.remove();
            }
            let ended = jvmti
                .notify(sys::JVMTI_EVENT_SAMPLED_OBJECT_ALLOC, false)
                .and_then(|()| jvmti.sample_allocations(false));
            if let Err(error) = ended
                && self.asks_jvm.load(Ordering::Relaxed)
            {
                log::debug!("the JVM keeps sampling allocations: {error}");
            }
        }
    }

    /// The mean distance of samples in bytes.
    pub(crate) fn interval(&self) -> u64 {
        self.interval.load(Ordering::Relaxed)
    }

    /// The sampled objects that are alive.
    pub(crate) const fn live(&self) -> &LiveHeap {
        &self.live
    }

    /// Samples taken, and those that were lost.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let (taken, dropped) = self.traps.get().map_or((0, 0), |traps| traps.counts());
        (
            taken + self.taken.load(Ordering::Relaxed),
            dropped + self.dropped.load(Ordering::Relaxed),
        )
    }

    /// The number of a class by its name.
    pub(crate) fn class_number(&self, name: &str) -> u32 {
        self.classes.number(name)
    }

    /// The name of a class by the number that a record has.
    pub(crate) fn class_name(&self, number: u32) -> Arc<str> {
        self.classes.name(number)
    }

    /// The JVM has sampled an object of `size` bytes on the calling thread.
    ///
    /// # Safety
    /// `env` is the calling thread's own, `object` and its `class` are valid references of it.
    pub(crate) unsafe fn on_sample(
        &self,
        jvmti: Jvmti,
        env: *mut JNIEnv,
        object: jobject,
        class: jclass,
        size: u64,
    ) {
        if !self.is_on.load(Ordering::Acquire) {
            return;
        }
        let tid = current_tid();
        let slot = self
            .registry
            .key_of(tid)
            .and_then(|key| Some((key, self.sampler.threads.get(key)?)));
        let Some((thread, slot)) = slot else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let now = self.interval.load(Ordering::Acquire);
        let before = match slot.swap_allocation_interval(now) {
            // The thread's first: its distance was drawn when it began, or before the recording.
            0 => now,
            before => before,
        };
        // Before the JVM is asked for anything: a safepoint may take the thread's TLAB away.
        let traps = self.traps.get();
        // SAFETY: the slot is the calling thread's, which the JVM calls back on.
        let lies = traps.map_or(Lies::InTlab, |traps| unsafe { traps.lies(slot, size) });
        if lies == Lies::FirstOfTlab {
            return;
        }
        let is_outside = lies == Lies::Outside;
        // SAFETY: the caller vouches for the reference.
        let signature = unsafe { jvmti.class_signature(class) }.unwrap_or_default();
        let name = name_of_signature(&signature);
        let name = if self.raw_names.load(Ordering::Relaxed) {
            name
        } else {
            readable(name)
        };
        // SAFETY: the caller vouches for both.
        let live = unsafe { self.live.watch(env, object) };
        let allocation = Allocation {
            thread,
            tid,
            class: self.classes.number(name),
            size,
            interval: u32::try_from(before).unwrap_or(u32::MAX),
            live: live.unwrap_or(0),
            is_outside,
        };
        let stacks = *self.stacks.lock().unwrap_or_else(PoisonError::into_inner);
        // Before a ring is held: the JVM may make the thread wait.
        let asked = match stacks {
            Stacks::Asked => ask(jvmti),
            _ => Vec::new(),
        };
        let walk = |room: &mut Room<'_>| match stacks {
            // SAFETY: the caller vouches for `env`; the handlers of faults are there while the own walker is in force.
            #[cfg(target_arch = "x86_64")]
            Stacks::Walked(walker) => unsafe { walker.walk_outside(env as usize, room) },
            Stacks::Asked => fill(room, &asked),
            Stacks::None => Outcome::failed(Failure::NoWalker),
        };
        let stored = (0..TRIES).any(|_| {
            let stored = self.sampler.emit_allocation(&allocation, walk);
            if !stored {
                std::thread::yield_now();
            }
            stored
        });
        if let Some(id) = live.filter(|_| !stored) {
            // SAFETY: the caller vouches for the environment.
            unsafe { self.live.forget(env, id) };
        }
        // Of one outside the traps make the events.
        if !is_outside {
            let counter = if stored { &self.taken } else { &self.dropped };
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The calling thread's stack by the JVM's word.
fn ask(jvmti: Jvmti) -> Vec<Frame> {
    let mut found: Vec<sys::jvmtiFrameInfo> = Vec::new();
    // SAFETY: zero is a valid value of this plain C structure.
    found.resize_with(MOST_FRAMES_OF_JVMTI, || unsafe { std::mem::zeroed() });
    let count = jvmti.own_stack(&mut found);
    let frame = |info: &sys::jvmtiFrameInfo| {
        let id = info.method as *const usize;
        Frame {
            // SAFETY: up to 25 the id of a method on the own stack points to a pointer to it (JDK-8268406 changes it in 26).
            method: unsafe { id.as_ref() }.copied().unwrap_or(0),
            position: match i32::try_from(info.location) {
                Ok(index) if index >= 0 => Position::new(FrameType::Unknown, index),
                _ => Position::without_index(FrameType::Native),
            },
        }
    };
    found.iter().take(count).map(frame).collect()
}

fn fill(room: &mut Room<'_>, frames: &[Frame]) -> Outcome {
    let kept = frames.len().min(room.frames.len().saturating_sub(1));
    for (place, frame) in room.frames.iter_mut().zip(&frames[..kept]) {
        *place = *frame;
    }
    Outcome {
        frames: kept,
        truncated: frames.len() > kept || frames.len() == MOST_FRAMES_OF_JVMTI,
        outside: false,
        searched: false,
        failure: if kept > 0 {
            Failure::None
        } else {
            Failure::NoJavaFrame
        },
    }
}
