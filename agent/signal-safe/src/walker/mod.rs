//! How a Java stack is taken inside a signal.
//!
//! Two walkers exist: [`hotspot`], which reads the JVM's own structures, and [`agct`], which asks the JVM.
//!
//! # Safety
//! Only the declaration of [`Walker::walk`] is unsafe here.
#![allow(unsafe_code)]

pub mod agct;
pub mod cache;
#[cfg(target_arch = "x86_64")]
pub mod hotspot;
#[cfg(target_arch = "x86_64")]
pub mod judge;

use core::ffi::c_void;

pub use agct::AgctWalker;
pub use cache::CachedFrame;

use crate::threads::ThreadSlot;

/// What runs a frame's method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameType {
    /// The walker cannot tell.
    Unknown = 0,
    /// The interpreter.
    Interpreted = 1,
    /// Code of C1.
    C1 = 2,
    /// Code of C2, or of another compiler of the highest level.
    C2 = 3,
    /// Inlined into the frame that follows.
    Inlined = 4,
    /// A native method: its wrapper or the interpreter's entry for it.
    Native = 5,
}

/// Where in its method a frame stands: frame type and bytecode index in one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Position(u32);

impl Position {
    /// Class files bound a method's code to 65,535 bytes.
    const INDEX: u32 = 0xffff;
    const HAS_INDEX: u32 = 1 << 16;

    /// At a bytecode of the method. An index that no method can have is none.
    #[inline]
    #[must_use]
    pub const fn new(frame_type: FrameType, bytecode_index: i32) -> Self {
        let index = bytecode_index.cast_unsigned();
        if index <= Self::INDEX {
            Self(((frame_type as u32) << 24) | Self::HAS_INDEX | index)
        } else {
            Self::without_index(frame_type)
        }
    }

    /// Somewhere in the method.
    #[inline]
    #[must_use]
    pub const fn without_index(frame_type: FrameType) -> Self {
        Self((frame_type as u32) << 24)
    }

    /// The frame type.
    #[must_use]
    pub const fn frame_type(self) -> FrameType {
        match self.0 >> 24 {
            1 => FrameType::Interpreted,
            2 => FrameType::C1,
            3 => FrameType::C2,
            4 => FrameType::Inlined,
            5 => FrameType::Native,
            _ => FrameType::Unknown,
        }
    }

    /// The bytecode index, where there is one.
    #[must_use]
    pub const fn bytecode_index(self) -> Option<u16> {
        if self.0 & Self::HAS_INDEX == 0 {
            None
        } else {
            Some((self.0 & Self::INDEX) as u16)
        }
    }

    /// As it stands in a record.
    #[inline]
    #[must_use]
    pub const fn to_bits(self) -> u32 {
        self.0
    }

    /// The inverse of `to_bits`.
    #[inline]
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }
}

/// A frame. Laid out as HotSpot's `ASGCT_CallFrame`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Frame {
    /// Where in the method.
    pub position: Position,
    /// The address of the JVM's `Method`; 0 stands for frames of a virtual thread that are still in the heap.
    pub method: usize,
}

macro_rules! failures {
    ($($(#[doc = $doc:literal])+ $variant:ident = $code:literal => $label:literal,)+) => {
        /// Why a walk gave no Java frames, or ended before the last one.
        ///
        /// Codes of 0 to -10 are AsyncGetCallTrace's, those below are the own walker's.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(i8)]
        pub enum Failure {
            $($(#[doc = $doc])+ $variant = $code,)+
        }

        impl Failure {
            /// All of them.
            pub const ALL: &'static [Failure] = &[$(Failure::$variant,)+];

            /// From a record.
            #[must_use]
            pub const fn from_code(code: i8) -> Self {
                match code {
                    $($code => Self::$variant,)+
                    _ => Self::Other,
                }
            }

            /// The frame that shows it in a stack; empty where nothing failed.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self {
                    $(Self::$variant => $label,)+
                }
            }
        }
    };
}

failures! {
    /// Nothing failed.
    None = 1 => "",
    /// The thread has no Java frame.
    NoJavaFrame = 0 => "",
    /// JVMTI ClassLoad events are off.
    NoClassLoad = -1 => "[no_class_load]",
    /// A collection runs.
    GcActive = -2 => "[GC_active]",
    /// In VM or native code, the last Java frame not found.
    UnknownNotJava = -3 => "[unknown_not_Java]",
    /// In VM or native code, the last Java frame not walkable.
    NotWalkableNotJava = -4 => "[not_walkable_not_Java]",
    /// In Java code, the top frame not found.
    UnknownJava = -5 => "[unknown_Java]",
    /// In Java code, not walkable.
    NotWalkableJava = -6 => "[not_walkable_Java]",
    /// The thread is in no known state.
    UnknownState = -7 => "[unknown_state]",
    /// The thread is ending.
    ThreadExit = -8 => "[thread_exit]",
    /// The frame is being deoptimised.
    Deoptimization = -9 => "[deoptimization]",
    /// -10 and what later JVMs add.
    Other = -10 => "[safepoint]",
    /// An address in the code cache that belongs to no code.
    UnknownCode = -20 => "[unknown_code]",
    /// A stub, or a compiled method that is building or leaving its frame, whose caller is not found.
    NoReturnAddress = -21 => "[no_return_address]",
    /// A frame would lie outside of the thread's stack.
    OutOfStack = -22 => "[out_of_stack]",
    /// An interpreted frame that holds no method.
    BrokenInterpreted = -23 => "[broken_interpreted]",
    /// A compiled frame whose return address leads nowhere.
    BrokenCompiled = -24 => "[broken_compiled]",
    /// A frame by which the VM called Java, without what lies below it.
    BrokenEntry = -25 => "[broken_entry]",
    /// Java code has called a function outside, which has not said where it was called from.
    NoAnchor = -26 => "[no_Java_anchor]",
    /// The JVM's memory was not what it must be: a load failed.
    Fault = -27 => "[fault_in_walk]",
    /// More frames than a stack can have, or a walk of milliseconds.
    TooLong = -28 => "[walk_too_long]",
    /// A failing load could not be caught: too many walks at once, or the thread blocks SIGSEGV, or has a small signal stack.
    NoGuard = -29 => "[no_guard]",
    /// This JVM's stacks cannot be walked.
    NoWalker = -30 => "[no_walker]",
}

/// What a walk gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Frames written, leaf first.
    pub frames: usize,
    /// Whether there were more than fit.
    pub truncated: bool,
    /// The thread was not in Java code: in the VM, in a native method, in the kernel.
    pub outside: bool,
    /// A frame was found by a search of the stack: true in all likelihood, but not by construction.
    pub searched: bool,
    /// Why there are none, or why the last one is not the thread's first.
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
            outside: false,
            searched: false,
            failure,
        }
    }
}

/// What a walk works on.
#[derive(Debug)]
pub struct Room<'a> {
    /// Where the frames go, leaf first: one place more than is to be kept.
    pub frames: &'a mut [Frame],
    /// What earlier walks have found; its length is a power of two, or 0.
    pub cache: &'a mut [CachedFrame],
}

/// Takes the Java stack of the interrupted thread.
pub trait Walker: Sync {
    /// Fills the room's frames from the leaf on.
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
        room: &mut Room<'_>,
    ) -> Outcome;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_keeps_what_it_was_made_of() {
        for frame_type in [FrameType::Interpreted, FrameType::C2, FrameType::Native] {
            for index in [0, 1, 65_535] {
                let position = Position::from_bits(Position::new(frame_type, index).to_bits());
                assert_eq!(position.frame_type(), frame_type);
                assert_eq!(position.bytecode_index().map(i32::from), Some(index));
            }
            for no_index in [-1, -3, 65_536] {
                let position = Position::new(frame_type, no_index);
                assert_eq!(position.bytecode_index(), None);
                assert_eq!(position.frame_type(), frame_type);
            }
        }
    }

    #[test]
    fn every_failure_has_a_code_and_a_frame_of_its_own() {
        for (place, failure) in Failure::ALL.iter().enumerate() {
            assert_eq!(Failure::from_code(*failure as i8), *failure);
            assert!(
                failure.label().is_empty()
                    || Failure::ALL[place + 1..]
                        .iter()
                        .all(|other| other.label() != failure.label())
            );
        }
        assert_eq!(Failure::from_code(-99), Failure::Other);
    }
}
