//! The constant pools: what events share, written once per chunk. One file per pool.
//!
//! Key 0 is no entry, but among the types of frames, whose keys readers know; keys count from 1. Layouts are those of async-profiler's files (the JDK's without
//! the fields that came with later versions), since some readers know them by heart.

mod class;
mod entries;
mod enums;
mod method;
mod stack_trace;
mod symbol;
mod thread;

pub use class::ClassRef;
pub use enums::{ExecutionMode, FrameKind, ThreadState};
pub use method::MethodRef;
pub use stack_trace::Frame;
pub use thread::ThreadRef;

use std::io;

use crate::chunk::Sink;
use crate::dialect::Dialect;
use crate::encode::{long_len, put_long};
use crate::ids::{ChunkTag, ClassId, MethodId, StackTraceId, SymbolId, ThreadId};
use crate::metadata::{Structure, Type, TypeIds};
use entries::Entries;
use stack_trace::StackTraces;
use thread::Threads;

/// The definitions of all pools' types.
pub(crate) fn structures(dialect: Dialect) -> impl Iterator<Item = &'static Structure> {
    [
        &symbol::SYMBOL,
        &class::PACKAGE,
        &class::CLASS_LOADER,
        &class::CLASS,
        &method::METHOD,
        &stack_trace::STACK_FRAME,
        &stack_trace::STACK_TRACE,
        &thread::THREAD,
        &thread::THREAD_GROUP,
    ]
    .into_iter()
    .chain(enums::pools(dialect).map(|pool| &pool.structure))
}

/// A pool that grows with the chunk.
trait Pool {
    fn len(&self) -> u32;

    /// Bytes of all entries with their keys.
    fn encoded_len(&self) -> u64;

    /// Writes all entries with their keys.
    fn write(&self, out: &mut dyn Sink) -> io::Result<()>;
}

/// The pools of one chunk.
#[derive(Debug)]
pub(crate) struct Pools {
    chunk: ChunkTag,
    dialect: Dialect,
    symbols: Entries,
    packages: Entries,
    class_loaders: Entries,
    classes: Entries,
    methods: Entries,
    stack_traces: StackTraces,
    threads: Threads,
    thread_groups: Entries,
    /// Whether a frame is of a kind that only a walk of native stacks finds.
    native_stacks: bool,
}

/// Name of the loader of the JDK's own classes.
const BOOTSTRAP_LOADER: &str = "bootstrap";
/// Fill pools that would be empty: there are such a group and such a class in every JVM.
const ROOT_GROUP: &str = "system";
const PLACEHOLDER_CLASS: ClassRef<'static> = ClassRef {
    name: "java/lang/Object",
    modifiers: 0x21,
};

impl Pools {
    pub(crate) fn new(dialect: Dialect, chunk: ChunkTag) -> Self {
        let mut pools = Self {
            chunk,
            dialect,
            symbols: Entries::default(),
            packages: Entries::default(),
            class_loaders: Entries::default(),
            classes: Entries::default(),
            methods: Entries::default(),
            stack_traces: StackTraces::default(),
            threads: Threads::default(),
            thread_groups: Entries::default(),
            native_stacks: false,
        };
        let name = pools.symbol_key(BOOTSTRAP_LOADER);
        pools
            .class_loaders
            .intern(|out| class::put_class_loader(out, 0, name));
        pools
    }

    pub(crate) fn symbol(&mut self, text: &str) -> SymbolId {
        let key = self.symbols.intern(|out| symbol::put_symbol(out, text));
        SymbolId::new(key, self.chunk)
    }

    pub(crate) fn class(&mut self, class: &ClassRef<'_>) -> ClassId {
        let package = class::package_of(class.name).map_or(0, |package| {
            let name = self.symbol_key(package);
            self.packages.intern(|out| class::put_package(out, name))
        });
        let class_loader = 0;
        let keys = class::ClassKeys {
            class_loader,
            name: self.symbol_key(class.name),
            package,
        };
        let key = self
            .classes
            .intern(|out| class::put_class(out, keys, class.modifiers));
        ClassId::new(key, self.chunk)
    }

    pub(crate) fn method(&mut self, method: &MethodRef<'_>) -> MethodId {
        let keys = method::MethodKeys {
            class: method.class.index(self.chunk),
            name: self.symbol_key(method.name),
            descriptor: self.symbol_key(method.descriptor),
        };
        let key = self
            .methods
            .intern(|out| method::put_method(out, keys, method.modifiers, method.hidden));
        MethodId::new(key, self.chunk)
    }

    pub(crate) fn stack_trace(&mut self, frames: &[Frame], truncated: bool) -> StackTraceId {
        self.native_stacks |= frames.iter().any(|frame| frame.kind.is_of_native_stacks());
        StackTraceId::new(
            self.stack_traces.intern(frames, truncated, self.chunk),
            self.chunk,
        )
    }

    pub(crate) fn thread(&mut self, thread: &ThreadRef<'_>) -> ThreadId {
        let group = self.thread_group(thread);
        ThreadId::new(self.threads.add(thread, group), self.chunk)
    }

    pub(crate) fn rename_thread(&mut self, id: ThreadId, thread: &ThreadRef<'_>) {
        let group = self.thread_group(thread);
        self.threads.rename(id.index(self.chunk), thread, group);
    }

    fn thread_group(&mut self, thread: &ThreadRef<'_>) -> u32 {
        thread.group.map_or(0, |name| {
            self.thread_groups
                .intern(|out| thread::put_thread_group(out, name))
        })
    }

    pub(crate) fn close_thread(&mut self, id: ThreadId) {
        self.threads.close(id.index(self.chunk));
    }

    /// Gives each pool an entry: the JDK's reader refuses an empty pool, and DataKit's misreads
    /// every event that has a field of a type without a pool.
    pub(crate) fn fill_empty(&mut self) {
        if self.classes.len() == 0 || self.packages.len() == 0 {
            self.class(&PLACEHOLDER_CLASS);
        }
        if self.methods.len() == 0 {
            let class = self.class(&PLACEHOLDER_CLASS);
            self.method(&MethodRef {
                class,
                name: "<init>",
                descriptor: "()V",
                modifiers: 1,
                hidden: false,
            });
        }
        if self.stack_traces.len() == 0 {
            self.stack_trace(&[], false);
        }
        if self.threads.len() == 0 {
            self.thread(&ThreadRef {
                os_id: 0,
                os_name: "",
                java_id: 0,
                java_name: None,
                group: None,
            });
        }
        if self.thread_groups.len() == 0 {
            self.thread_groups
                .intern(|out| thread::put_thread_group(out, ROOT_GROUP));
        }
    }

    /// Bytes that [`Pools::write`] writes.
    pub(crate) fn encoded_len(&self, ids: TypeIds) -> u64 {
        let growing: u64 = self
            .growing()
            .iter()
            .map(|&(ty, pool)| {
                let head = long_len(ids.id(ty)) + long_len(pool.len().into());
                head as u64 + pool.encoded_len()
            })
            .sum();
        growing + self.fixed_len(ids)
    }

    /// The count of pools, then each pool: type, count, entries.
    pub(crate) fn write(&self, out: &mut dyn Sink, ids: TypeIds) -> io::Result<()> {
        let fixed = enums::pools(self.dialect);
        let growing = self.growing();
        put_long(out.buffer(), (fixed.len() + growing.len()) as u64);
        for pool in fixed {
            put_long(out.buffer(), ids.id(pool.structure.ty));
            pool.put(out.buffer(), self.native_stacks);
        }
        for (ty, pool) in growing {
            put_long(out.buffer(), ids.id(ty));
            put_long(out.buffer(), pool.len().into());
            pool.write(out)?;
        }
        Ok(())
    }

    fn symbol_key(&mut self, text: &str) -> u32 {
        self.symbol(text).index(self.chunk)
    }

    fn fixed_len(&self, ids: TypeIds) -> u64 {
        let pools = enums::pools(self.dialect);
        let count = long_len((pools.len() + self.growing().len()) as u64) as u64;
        count
            + pools
                .map(|pool| {
                    let head = long_len(ids.id(pool.structure.ty));
                    head as u64 + pool.encoded_len(self.native_stacks)
                })
                .sum::<u64>()
    }

    fn growing(&self) -> [(Type, &dyn Pool); 8] {
        [
            (Type::Symbol, &self.symbols),
            (Type::Package, &self.packages),
            (Type::ClassLoader, &self.class_loaders),
            (Type::Class, &self.classes),
            (Type::Method, &self.methods),
            (Type::StackTrace, &self.stack_traces),
            (Type::Thread, &self.threads),
            (Type::ThreadGroup, &self.thread_groups),
        ]
    }
}
