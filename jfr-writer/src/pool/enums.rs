//! Pools of fixed content: their keys follow from the places of the values.

use std::ops::Range;

use crate::dialect::{Dialect, PerDialect};
use crate::encode::{put_long, put_text};
use crate::metadata::{Member, Structure, Type};

/// How a frame's code runs. In the order of their keys in JVMs' and async-profiler's files, which some
/// readers take for granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FrameKind {
    /// Bytecode in the interpreter.
    Interpreted,
    /// Code of the best compiler.
    Jit,
    /// Inlined into the frame below.
    Inlined,
    /// A C function, or a Java method that is native.
    Native,
    /// A C++ function.
    Cpp,
    /// Kernel code.
    Kernel,
    /// Code of the client compiler.
    C1,
}

/// What a thread was doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ThreadState {
    /// On a processor, or ready for one.
    Runnable,
    /// Waiting to enter a monitor.
    Contended,
    /// In `LockSupport.park`.
    Parked,
    /// In `Object.wait`.
    Waiting,
    /// In `Thread.sleep`.
    Sleeping,
    /// In a blocking system call.
    Syscall,
}

/// What kind of code ran. In the file only in the DataKit dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ExecutionMode {
    /// Java code.
    Java,
    /// A native method or a native thread.
    Native,
    /// The VM itself.
    Vm,
    /// Not known.
    Unknown,
}

/// The texts of a pool, in the order of the enum's values.
#[derive(Debug)]
pub(crate) struct EnumPool {
    pub(crate) structure: Structure,
    first_key: u64,
    texts: &'static [&'static str],
    /// Keys of entries that only a chunk with native stacks has.
    of_native_stacks: Range<u64>,
}

const FIRST_KEY: u64 = 1;
const NEVER: Range<u64> = 0..0;

const NAME: &[Member] = &[Member::new("name", "Name", Type::String)];
const THREAD_STATE: Structure = Structure::simple(
    Type::ThreadState,
    "jdk.types.ThreadState",
    "Java Thread State",
    NAME,
);

const FRAME_TYPES: EnumPool = EnumPool {
    structure: Structure::simple(
        Type::FrameKind,
        "jdk.types.FrameType",
        "Frame type",
        &[Member::new("description", "Description", Type::String)],
    ),
    first_key: 0,
    texts: &[
        "Interpreted",
        "JIT compiled",
        "Inlined",
        "Native",
        "C++",
        "Kernel",
        "C1 compiled",
    ],
    // Where a file knows kernel frames, async-profiler's converter takes a native frame for a C function and leaves the
    // class out; elsewhere for a native method.
    of_native_stacks: FrameKind::Cpp.key() as u64..FrameKind::Kernel.key() as u64 + 1,
};

const EXECUTION_MODES: EnumPool = EnumPool {
    structure: Structure::simple(
        Type::ExecutionMode,
        "datadog.types.ExecutionMode",
        "Execution Mode",
        NAME,
    ),
    first_key: FIRST_KEY,
    texts: &["JAVA", "NATIVE", "JVM", "UNKNOWN"],
    of_native_stacks: NEVER,
};

const POOLS: PerDialect<&[EnumPool]> = PerDialect {
    datakit: &[
        FRAME_TYPES,
        EnumPool {
            structure: THREAD_STATE,
            first_key: FIRST_KEY,
            texts: &[
                "RUNNABLE",
                "CONTENDED",
                "PARKED",
                "WAITING",
                "SLEEPING",
                "SYSCALL",
            ],
            of_native_stacks: NEVER,
        },
        EXECUTION_MODES,
    ],
    jdk: &[
        FRAME_TYPES,
        EnumPool {
            structure: THREAD_STATE,
            first_key: FIRST_KEY,
            texts: &[
                "STATE_RUNNABLE",
                "STATE_CONTENDED",
                "STATE_PARKED",
                "STATE_WAITING",
                "STATE_SLEEPING",
                "STATE_SYSCALL",
            ],
            of_native_stacks: NEVER,
        },
    ],
};

/// The pools of fixed content that a dialect has.
pub(crate) fn pools(dialect: Dialect) -> std::slice::Iter<'static, EnumPool> {
    POOLS.get(dialect).iter()
}

impl EnumPool {
    fn entries(&self, native_stacks: bool) -> impl Iterator<Item = (u64, &'static str)> {
        (self.first_key..)
            .zip(self.texts.iter().copied())
            .filter(move |(key, _)| native_stacks || !self.of_native_stacks.contains(key))
    }

    /// Bytes that [`EnumPool::put`] writes.
    pub(crate) fn encoded_len(&self, native_stacks: bool) -> u64 {
        let key_encoding_and_length = 3;
        self.entries(native_stacks)
            .map(|(_, text)| key_encoding_and_length + text.len() as u64)
            .sum::<u64>()
            + 1
    }

    /// Count and entries.
    pub(crate) fn put(&self, out: &mut Vec<u8>, native_stacks: bool) {
        put_long(out, self.entries(native_stacks).count() as u64);
        for (key, text) in self.entries(native_stacks) {
            put_long(out, key);
            put_text(out, Some(text));
        }
    }
}

impl FrameKind {
    /// Readers take a frame's type as one byte.
    pub(crate) const fn key(self) -> u8 {
        self as u8
    }

    /// Whether only a walk of native stacks finds such frames.
    pub(crate) const fn is_of_native_stacks(self) -> bool {
        matches!(self, Self::Cpp | Self::Kernel)
    }
}

impl ThreadState {
    pub(crate) const fn key(self) -> u64 {
        self as u64 + FIRST_KEY
    }
}

impl ExecutionMode {
    pub(crate) const fn key(self) -> u64 {
        self as u64 + FIRST_KEY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIALECTS: [Dialect; 2] = [Dialect::DataKit, Dialect::Jdk];

    fn entries(dialect: Dialect, ty: Type, native_stacks: bool) -> Vec<(u64, &'static str)> {
        pools(dialect)
            .find(|pool| pool.structure.ty == ty)
            .map_or(Vec::new(), |pool| pool.entries(native_stacks).collect())
    }

    fn text(dialect: Dialect, ty: Type, key: u64) -> Option<&'static str> {
        let entries = entries(dialect, ty, true);
        let found = entries.iter().find(|(entry, _)| *entry == key);
        found.map(|(_, text)| *text)
    }

    #[test]
    fn values_and_texts_agree() {
        for dialect in DIALECTS {
            for (kind, expected) in [
                (FrameKind::Interpreted, "Interpreted"),
                (FrameKind::Jit, "JIT compiled"),
                (FrameKind::Inlined, "Inlined"),
                (FrameKind::Native, "Native"),
                (FrameKind::Cpp, "C++"),
                (FrameKind::Kernel, "Kernel"),
                (FrameKind::C1, "C1 compiled"),
            ] {
                let found = text(dialect, Type::FrameKind, kind.key().into());
                assert_eq!(found, Some(expected));
            }
        }
        let [datakit, jdk] =
            DIALECTS.map(|dialect| text(dialect, Type::ThreadState, ThreadState::Syscall.key()));
        assert_eq!(datakit, Some("SYSCALL"));
        assert_eq!(jdk, Some("STATE_SYSCALL"));
        let mode = text(
            Dialect::DataKit,
            Type::ExecutionMode,
            ExecutionMode::Vm.key(),
        );
        assert_eq!(mode, Some("JVM"));
        assert!(entries(Dialect::Jdk, Type::ExecutionMode, true).is_empty());
    }

    #[test]
    fn frame_types_are_a_jvms_own_until_there_are_native_stacks() {
        for dialect in DIALECTS {
            let keys = |native_stacks| {
                let entries = entries(dialect, Type::FrameKind, native_stacks);
                entries.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
            };
            assert_eq!(keys(false), [0, 1, 2, 3, 6]);
            assert_eq!(keys(true), [0, 1, 2, 3, 4, 5, 6]);
        }
    }

    #[test]
    fn lengths_are_foretold() {
        for pool in DIALECTS.iter().flat_map(|&dialect| pools(dialect)) {
            for native_stacks in [false, true] {
                let mut out = Vec::new();
                pool.put(&mut out, native_stacks);
                assert_eq!(out.len() as u64, pool.encoded_len(native_stacks));
            }
        }
    }
}
