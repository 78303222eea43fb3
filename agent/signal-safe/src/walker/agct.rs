//! The walker that asks the JVM.
//!
//! # Safety
//! `AsyncGetCallTrace` is called as HotSpot's `forte.cpp` asks: on the interrupted thread, with
//! that thread's own `JNIEnv*` and the handler's `ucontext`. The environment is one that the
//! thread itself has announced and will take back before the JVM frees it, so it is alive.
#![allow(unsafe_code)]

use core::ffi::c_void;

use super::{Failure, Frame, FrameType, Outcome, Position, Room, Walker};
use crate::threads::ThreadSlot;

/// The address of no method, for frames without an id.
pub(super) const UNKNOWN_METHOD: usize = usize::MAX;

/// AsyncGetCallTrace's bytecode index of a native method.
const NATIVE_METHOD: i32 = -3;

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
        room: &mut Room<'_>,
    ) -> Outcome {
        let frames = &mut *room.frames;
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
        for frame in frames.iter_mut().take(kept) {
            // SAFETY: AsyncGetCallTrace has written the frame.
            unsafe { from_jvm(frame) };
        }
        Outcome {
            frames: kept,
            truncated: found > kept,
            outside: false,
            searched: false,
            failure: Failure::None,
        }
    }
}

/// Turns a frame as the JVM writes it (bytecode index, `jmethodID`) into ours.
///
/// # Safety
/// The frame has just been written by AsyncGetCallTrace of a JVM up to 25: the id points to a
/// pointer to the method, and the method is on the stack, so its class is alive.
#[inline]
unsafe fn from_jvm(frame: &mut Frame) {
    let index = frame.position.to_bits().cast_signed();
    let frame_type = if index == NATIVE_METHOD {
        FrameType::Native
    } else {
        FrameType::Unknown
    };
    frame.position = Position::new(frame_type, index);
    // It has no id for methods of classes that nobody has asked about.
    frame.method = if frame.method == 0 {
        UNKNOWN_METHOD
    } else {
        // SAFETY: see above.
        unsafe { (frame.method as *const usize).read_volatile() }
    };
}
