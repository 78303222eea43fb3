//! The walker that reads HotSpot's own structures.
//!
//! It begins with the interrupted registers, and goes from frame to frame by what the JVM itself keeps for its collectors and
//! its debugger: the code cache's segment map, the size of a method's frame, the scopes that were inlined at an address, the
//! interpreter's frame slots, the anchor that a thread leaves when it calls out of Java. No function of the JVM is called, no
//! `jmethodID` is needed, nothing of the JVM is written. `docs/stack-walking.md` shows each kind of frame.
//!
//! # Safety
//! All loads happen under [`crate::guard::run`]. The thread is the calling one, so its frames stand still.
#![allow(unsafe_code)]

mod code_cache;
mod compiled;
mod frozen;
mod interpreted;
pub mod layout;
mod leaf;
mod memory;
mod walk;

use core::cell::Cell;
use core::ffi::c_void;

use code_cache::KnownNames;
pub use layout::Layout;
use layout::Range;
use memory::Memory;
use walk::{BUDGET, Walk};

use super::{Failure, Outcome, Room, Walker};
use crate::arch::{self, Registers};
use crate::guard::{self, Broken};
use crate::threads::ThreadSlot;

/// The walker.
#[derive(Debug)]
pub struct HotspotWalker {
    layout: Layout,
    names: KnownNames,
}

impl HotspotWalker {
    /// A walker of the JVM that this describes.
    #[must_use]
    pub fn new(layout: Layout) -> Self {
        Self {
            layout,
            names: KnownNames::default(),
        }
    }

    /// What it knows of the JVM.
    #[must_use]
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Walks the calling thread, which the JVM has called out to, from its last Java frame on.
    ///
    /// # Safety
    /// `env` is the calling thread's `JNIEnv*`; `guard::on_fault` handles SIGSEGV and SIGBUS.
    #[must_use]
    pub unsafe fn walk_outside(&self, env: usize, room: &mut Room<'_>) -> Outcome {
        let here = 0_usize;
        let registers = Registers {
            pc: run_walk as *const () as usize,
            sp: &raw const here as usize,
            ..Registers::default()
        };
        // SAFETY: handed on from the caller.
        unsafe { self.walk_from(self.java_thread(env), registers, room) }
    }

    /// Walks from given registers, whatever they hold.
    ///
    /// # Safety
    /// `java_thread` is the calling thread's `JavaThread`, or any address at which a load either succeeds or faults;
    /// `guard::on_fault` handles SIGSEGV and SIGBUS.
    #[must_use]
    pub unsafe fn walk_from(
        &self,
        java_thread: usize,
        registers: Registers,
        room: &mut Room<'_>,
    ) -> Outcome {
        // SAFETY: handed on from the caller.
        unsafe { self.walk_by(java_thread, registers, room, false).0 }
    }

    /// Walks as AsyncGetCallTrace would where the two are known to differ in naming; and whether the interrupted method was
    /// building or leaving its frame.
    ///
    /// # Safety
    /// As [`Walker::walk`].
    pub(super) unsafe fn walk_as_agct(
        &self,
        thread: &ThreadSlot,
        ucontext: *mut c_void,
        room: &mut Room<'_>,
    ) -> (Outcome, bool) {
        // SAFETY: handed on from the caller; the environment is that of the calling thread.
        unsafe {
            let java_thread = self.java_thread(thread.jni_env());
            self.walk_by(java_thread, Registers::of(ucontext), room, true)
        }
    }

    const fn java_thread(&self, env: usize) -> usize {
        env.wrapping_sub(self.layout.thread.jni_env)
    }

    unsafe fn walk_by(
        &self,
        java_thread: usize,
        registers: Registers,
        room: &mut Room<'_>,
        as_agct: bool,
    ) -> (Outcome, bool) {
        let most = room.frames.len();
        let mut walk = Walk {
            layout: &self.layout,
            names: &self.names,
            // SAFETY: it is used by `run` alone, which is called under the guard.
            memory: unsafe { Memory::under_guard() },
            registers,
            thread: java_thread,
            stack: Range::default(),
            frames: &mut *room.frames,
            cache: &mut *room.cache,
            count: 0,
            is_full: false,
            outside: false,
            leaf_in_motion: false,
            below_stub: false,
            unpacking: false,
            as_agct,
            searched: false,
            budget: Cell::new(BUDGET),
            failure: Failure::Fault,
        };
        // SAFETY: `run_walk` takes a walk, which outlives the call and needs no drop.
        match unsafe { guard::run(run_walk, (&raw mut walk).cast()) } {
            Ok(()) | Err(Broken::Fault) => {
                // The frame that names what is outside is one of those that are kept.
                let kept = most.saturating_sub(1 + usize::from(walk.outside));
                let kept = walk.count.min(kept);
                let truncated = walk.count > kept || walk.is_full;
                let outcome = Outcome {
                    frames: kept,
                    truncated,
                    outside: walk.outside,
                    searched: walk.searched,
                    failure: if truncated {
                        Failure::None
                    } else {
                        walk.failure
                    },
                };
                (outcome, walk.leaf_in_motion)
            }
            Err(Broken::NoSlot) => (Outcome::failed(Failure::NoGuard), false),
        }
    }
}

unsafe extern "C" fn run_walk(walk: *mut c_void) {
    // SAFETY: `walk_from` hands its walk over, and touches it again only after the call.
    let walk = unsafe { &mut *walk.cast::<Walk<'_>>() };
    walk.run();
}

impl Walker for HotspotWalker {
    #[allow(improper_ctypes_definitions)]
    unsafe extern "C" fn walk(
        &self,
        thread: &ThreadSlot,
        ucontext: *mut c_void,
        room: &mut Room<'_>,
    ) -> Outcome {
        let env = thread.jni_env();
        if env == 0 {
            return Outcome::failed(Failure::NoJavaFrame);
        }
        // SAFETY: the caller hands over the handler's context.
        if !unsafe { arch::can_fault(ucontext) } {
            return Outcome::failed(Failure::NoGuard);
        }
        // SAFETY: the caller hands over the handler's context on the thread of this environment, which is alive.
        unsafe { self.walk_from(self.java_thread(env), Registers::of(ucontext), room) }
    }
}
