//! Pools of fixed content: their keys are the places of the values.

use crate::dialect::{Dialect, PerDialect};
use crate::encode::{put_long, put_text};
use crate::metadata::{Member, Structure, Type};

/// How a frame's code runs.
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
    pub(crate) texts: &'static [&'static str],
}

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
    texts: &[
        "Interpreted",
        "JIT compiled",
        "Inlined",
        "Native",
        "C++",
        "Kernel",
        "C1 compiled",
    ],
};

const EXECUTION_MODES: EnumPool = EnumPool {
    structure: Structure::simple(
        Type::ExecutionMode,
        "datadog.types.ExecutionMode",
        "Execution Mode",
        NAME,
    ),
    texts: &["JAVA", "NATIVE", "JVM", "UNKNOWN"],
};

const POOLS: PerDialect<&[EnumPool]> = PerDialect {
    datakit: &[
        FRAME_TYPES,
        EnumPool {
            structure: THREAD_STATE,
            texts: &[
                "RUNNABLE",
                "CONTENDED",
                "PARKED",
                "WAITING",
                "SLEEPING",
                "SYSCALL",
            ],
        },
        EXECUTION_MODES,
    ],
    jdk: &[
        FRAME_TYPES,
        EnumPool {
            structure: THREAD_STATE,
            texts: &[
                "STATE_RUNNABLE",
                "STATE_CONTENDED",
                "STATE_PARKED",
                "STATE_WAITING",
                "STATE_SLEEPING",
                "STATE_SYSCALL",
            ],
        },
    ],
};

/// The pools of fixed content that a dialect has.
pub(crate) fn pools(dialect: Dialect) -> std::slice::Iter<'static, EnumPool> {
    POOLS.get(dialect).iter()
}

impl EnumPool {
    /// Bytes that [`EnumPool::put`] writes.
    pub(crate) fn encoded_len(&self) -> u64 {
        let key_encoding_and_length = 3;
        self.texts
            .iter()
            .map(|text| key_encoding_and_length + text.len() as u64)
            .sum::<u64>()
            + 1
    }

    /// Count and entries.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        put_long(out, self.texts.len() as u64);
        for (key, text) in (1..).zip(self.texts) {
            put_long(out, key);
            put_text(out, Some(text));
        }
    }
}

impl FrameKind {
    /// Readers take a frame's type as one byte.
    pub(crate) const fn key(self) -> u8 {
        self as u8 + 1
    }
}

impl ThreadState {
    pub(crate) const fn key(self) -> u64 {
        self as u64 + 1
    }
}

impl ExecutionMode {
    pub(crate) const fn key(self) -> u64 {
        self as u64 + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(dialect: Dialect, ty: Type) -> &'static [&'static str] {
        pools(dialect)
            .find(|pool| pool.structure.ty == ty)
            .map_or(&[], |pool| pool.texts)
    }

    #[test]
    fn values_and_texts_agree() {
        let both = [Dialect::DataKit, Dialect::Jdk];
        for dialect in both {
            let frames = texts(dialect, Type::FrameKind);
            assert_eq!(
                frames[FrameKind::Interpreted.key() as usize - 1],
                "Interpreted"
            );
            assert_eq!(frames[FrameKind::Jit.key() as usize - 1], "JIT compiled");
            assert_eq!(frames[FrameKind::C1.key() as usize - 1], "C1 compiled");
            assert_eq!(frames.len(), FrameKind::C1.key() as usize);
        }
        let [datakit, jdk] = both.map(|dialect| texts(dialect, Type::ThreadState));
        assert_eq!(datakit[ThreadState::Syscall.key() as usize - 1], "SYSCALL");
        assert_eq!(
            jdk[ThreadState::Syscall.key() as usize - 1],
            "STATE_SYSCALL"
        );
        assert_eq!(datakit.len(), jdk.len());
        let modes = texts(Dialect::DataKit, Type::ExecutionMode);
        assert_eq!(modes[ExecutionMode::Vm.key() as usize - 1], "JVM");
        assert_eq!(modes.len(), ExecutionMode::Unknown.key() as usize);
        assert!(texts(Dialect::Jdk, Type::ExecutionMode).is_empty());
    }
}
