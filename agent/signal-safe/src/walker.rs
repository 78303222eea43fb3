//! How a Java stack is taken inside a signal, and the walker that asks the JVM.
//!
//! # Safety
//! `AsyncGetCallTrace` is called as HotSpot's `forte.cpp` asks: on the interrupted thread, with
//! that thread's own `JNIEnv*` and the handler's `ucontext`. The environment is one that the
//! thread itself has announced and will take back before the JVM frees it, so it is alive.
#![allow(unsafe_code)]

use core::ffi::c_void;

use crate::threads::ThreadSlot;

/// A frame, laid out as HotSpot's `ASGCT_CallFrame`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Frame {
    /// Bytecode index; -3 for a native method.
    pub bci: i32,
    /// The `jmethodID`.
    pub method: usize,
}

/// Why a walk gave no Java frames. The codes are AsyncGetCallTrace's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum Failure {
    /// It gave frames.
    None = 1,
    /// The thread has no Java frame.
    NoJavaFrame = 0,
    /// JVMTI ClassLoad events are off.
    NoClassLoad = -1,
    /// A collection runs.
    GcActive = -2,
    /// In VM or native code, the last Java frame not found.
    UnknownNotJava = -3,
    /// In VM or native code, the last Java frame not walkable.
    NotWalkableNotJava = -4,
    /// In Java code, the top frame not found.
    UnknownJava = -5,
    /// In Java code, not walkable.
    NotWalkableJava = -6,
    /// The thread is in no known state.
    UnknownState = -7,
    /// The thread is ending.
    ThreadExit = -8,
    /// The frame is being deoptimised.
    Deoptimization = -9,
    /// -10 and what later JVMs add.
    Other = -10,
}

impl Failure {
    /// From AsyncGetCallTrace's `num_frames`, or from a record.
    #[inline]
    #[must_use]
    pub const fn from_code(code: i8) -> Self {
        match code {
            1.. => Self::None,
            0 => Self::NoJavaFrame,
            -1 => Self::NoClassLoad,
            -2 => Self::GcActive,
            -3 => Self::UnknownNotJava,
            -4 => Self::NotWalkableNotJava,
            -5 => Self::UnknownJava,
            -6 => Self::NotWalkableJava,
            -7 => Self::UnknownState,
            -8 => Self::ThreadExit,
            -9 => Self::Deoptimization,
            _ => Self::Other,
        }
    }
}

/// What a walk gave.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Frames written, leaf first.
    pub frames: usize,
    /// Whether there were more than fit.
    pub truncated: bool,
    /// Why there are none.
    pub failure: Failure,
}

impl Outcome {
    /// No frames, for this reason.
    #[inline]
    #[must_use]
    pub const fn failed(failure: Failure) -> Self {
        Self {
            frames: 0,
            truncated: false,
            failure,
        }
    }
}

/// Takes the Java stack of the interrupted thread.
pub trait Walker: Sync {
    /// Fills `frames` from the leaf on. `frames` has one place more than is to be kept.
    ///
    /// `extern "C"` says that it does not unwind; both sides are of one compiler.
    ///
    /// # Safety
    /// Called in a signal handler on the thread of `thread`, with the handler's `ucontext`.
    #[allow(improper_ctypes_definitions)]
    unsafe extern "C" fn walk(
        &self,
        thread: &ThreadSlot,
        ucontext: *mut c_void,
        frames: &mut [Frame],
    ) -> Outcome;
}

#[repr(C)]
struct CallTrace {
    env: usize,
    frame_count: i32,
    frames: *mut Frame,
}

/// The signature of `AsyncGetCallTrace`, which libjvm exports for profilers (JDK's `forte.cpp`).
type AsyncGetCallTrace = unsafe extern "C" fn(*mut CallTrace, i32, *mut c_void);

/// The walker that asks the JVM.
#[derive(Debug)]
pub struct AgctWalker {
    function: AsyncGetCallTrace,
    /// From a `JNIEnv*` to its thread's `JavaFrameAnchor::_last_Java_sp`.
    last_java_sp: Option<isize>,
}

impl AgctWalker {
    /// A walker over the JVM's function. `last_java_sp` is the distance from a `JNIEnv*` to the
    /// same thread's `JavaFrameAnchor::_last_Java_sp`, where it is known: with it, threads without
    /// any Java frame are told from walks that failed.
    ///
    /// # Safety
    /// `function` is the address of the running JVM's `AsyncGetCallTrace`; the distance is right
    /// for it.
    #[must_use]
    pub unsafe fn new(function: *const c_void, last_java_sp: Option<isize>) -> Self {
        // SAFETY: the caller vouches for the address, and the type is the JVM's own.
        let function =
            unsafe { core::mem::transmute::<*const c_void, AsyncGetCallTrace>(function) };
        Self {
            function,
            last_java_sp,
        }
    }

    /// Whether the thread has Java frames below its VM or native ones; true where unknown.
    fn has_java_frames(&self, env: usize) -> bool {
        let Some(distance) = self.last_java_sp else {
            return true;
        };
        let field = (env as *const u8).wrapping_offset(distance).cast::<usize>();
        // SAFETY: the field lies in the JavaThread whose JNIEnv this is, which is alive (module).
        unsafe { field.read_volatile() != 0 }
    }
}

impl Walker for AgctWalker {
    #[allow(improper_ctypes_definitions)]
    unsafe extern "C" fn walk(
        &self,
        thread: &ThreadSlot,
        ucontext: *mut c_void,
        frames: &mut [Frame],
    ) -> Outcome {
        let env = thread.jni_env();
        if env == 0 {
            return Outcome::failed(Failure::NoJavaFrame);
        }
        let mut trace = CallTrace {
            env,
            frame_count: 0,
            frames: frames.as_mut_ptr(),
        };
        // SAFETY: see the module; `frames` holds `frames.len()` frames.
        unsafe { (self.function)(&raw mut trace, frames.len() as i32, ucontext) };
        if trace.frame_count <= 0 {
            let failure = Failure::from_code(trace.frame_count.clamp(-100, 0) as i8);
            // "Not Java" without an anchor is a thread without Java frames: it starts or ends.
            if failure == Failure::UnknownNotJava && !self.has_java_frames(env) {
                return Outcome::failed(Failure::NoJavaFrame);
            }
            return Outcome::failed(failure);
        }
        let found = (trace.frame_count as usize).min(frames.len());
        let kept = found.min(frames.len().saturating_sub(1));
        Outcome {
            frames: kept,
            truncated: found > kept,
            failure: Failure::None,
        }
    }
}
