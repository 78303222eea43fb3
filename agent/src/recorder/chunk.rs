//! The chunk that is being written: interns what samples refer to, once per chunk.

use std::fs::File;
use std::io::BufWriter;

use jfr_writer::{
    ChunkEnd, ChunkStart, ChunkWriter, ClassRef, Dialect, Event, ExecutionMode, ExecutionSample,
    Frame, FrameKind, MethodId, MethodRef, StackTraceId, ThreadId, ThreadRef, ThreadState,
    WriteError,
};
use jprof_signal_safe::record::RecordView;
use jprof_signal_safe::threads::ThreadKey;
use jprof_signal_safe::walker::Failure;
use rustc_hash::FxHashMap;

use super::roster::ThreadFacts;
use super::stack_key::StackKey;
use crate::hotspot::line_numbers::LineNumbers;
use crate::hotspot::names::{MethodResolver, ResolveError};

/// AGCT's bytecode index of a native method's frame.
const NATIVE_METHOD: i32 = -3;

/// A method that the chunk refers to.
struct KnownMethod {
    id: MethodId,
    kind: FrameKind,
    /// The drain in which `kind` was looked up.
    looked_up: u64,
    lines: Option<LineNumbers>,
}

/// What a sample needs besides its stack.
#[derive(Clone, Copy, Debug)]
pub(super) struct SampleFacts {
    pub(super) ticks: u64,
    pub(super) span_ticks: u64,
    pub(super) thread: ThreadId,
    pub(super) mode: ExecutionMode,
    pub(super) weight: u64,
}

/// A chunk under construction.
pub(super) struct OpenChunk {
    writer: ChunkWriter<BufWriter<File>>,
    pub(super) start_unix_nanos: u64,
    stacks: FxHashMap<StackKey, StackTraceId>,
    methods: FxHashMap<usize, KnownMethod>,
    labels: FxHashMap<Box<str>, MethodId>,
    /// By native thread and Java thread id.
    threads: FxHashMap<(ThreadKey, u64), ThreadId>,
    ended_threads: Option<ThreadId>,
    frames: Vec<Frame>,
    samples: u64,
    drains: u64,
}

impl OpenChunk {
    pub(super) fn begin(
        file: File,
        dialect: Dialect,
        start: ChunkStart,
    ) -> Result<Self, WriteError> {
        Ok(Self {
            start_unix_nanos: start.unix_nanos,
            // The writer buffers; this one only serves its patching of headers.
            writer: ChunkWriter::begin(BufWriter::with_capacity(512, file), start, dialect)?,
            stacks: FxHashMap::default(),
            methods: FxHashMap::default(),
            labels: FxHashMap::default(),
            threads: FxHashMap::default(),
            ended_threads: None,
            frames: Vec::new(),
            samples: 0,
            drains: 0,
        })
    }

    /// A drain begins: methods may have been compiled since the last one.
    pub(super) const fn begin_drain(&mut self) {
        self.drains += 1;
    }

    /// Events that make the chunk worth keeping.
    pub(super) const fn samples(&self) -> u64 {
        self.samples
    }

    pub(super) fn bytes(&self) -> u64 {
        self.writer.bytes()
    }

    pub(super) fn distinct_stacks(&self) -> usize {
        self.stacks.len()
    }

    pub(super) fn write<E: Event>(&mut self, event: &E) -> Result<(), WriteError> {
        self.writer.write(event)
    }

    /// Counts an event other than a sample as worth an upload.
    pub(super) fn write_counted<E: Event>(&mut self, event: &E) -> Result<(), WriteError> {
        self.samples += 1;
        self.writer.write(event)
    }

    /// The chunk's id of a thread.
    pub(super) fn thread(&mut self, key: ThreadKey, facts: &ThreadFacts) -> ThreadId {
        *self
            .threads
            .entry((key, facts.java_id()))
            .or_insert_with(|| self.writer.thread(&facts.as_ref()))
    }

    /// The pseudo-thread of CPU time that no living thread can be asked about.
    pub(super) fn ended_threads(&mut self) -> ThreadId {
        *self.ended_threads.get_or_insert_with(|| {
            self.writer.thread(&ThreadRef {
                os_id: 0,
                os_name: "[ended threads]",
                java_id: 0,
                java_name: None,
            })
        })
    }

    /// The native threads that the chunk refers to.
    pub(super) fn thread_keys(&self) -> Vec<ThreadKey> {
        self.threads.keys().map(|&(key, _)| key).collect()
    }

    /// Gives a thread the names it has now.
    pub(super) fn rename_thread(&mut self, key: ThreadKey, facts: &ThreadFacts) {
        if let Some(&id) = self.threads.get(&(key, facts.java_id())) {
            self.writer.rename_thread(id, &facts.as_ref());
        }
    }

    /// The stack of a record with Java frames. What cannot be named any more is counted by `lost`.
    pub(super) fn java_stack(
        &mut self,
        record: &RecordView<'_>,
        resolver: Option<&MethodResolver>,
        lost: &mut dyn FnMut(Option<ResolveError>),
    ) -> StackTraceId {
        let key = StackKey::of_record(record);
        if let Some(&id) = self.stacks.get(&key) {
            return id;
        }
        let mut frames = std::mem::take(&mut self.frames);
        frames.clear();
        for (method, bci) in record.frames() {
            frames.push(self.java_frame(method, bci, resolver, lost));
        }
        let id = self.writer.stack_trace(&frames, record.head.truncated);
        self.frames = frames;
        self.stacks.insert(key, id);
        id
    }

    fn java_frame(
        &mut self,
        method: usize,
        bci: i32,
        resolver: Option<&MethodResolver>,
        lost: &mut dyn FnMut(Option<ResolveError>),
    ) -> Frame {
        let mut known = match self.methods.remove(&method) {
            Some(known) => known,
            None => self.resolve(method, resolver, lost),
        };
        if known.kind == FrameKind::Interpreted && known.looked_up != self.drains {
            known.looked_up = self.drains;
            let compiled = resolver.and_then(|resolver| resolver.has_compiled_code(method as u64));
            if compiled == Some(true) {
                known.kind = FrameKind::Jit;
            }
        }
        let native = bci == NATIVE_METHOD;
        let frame = Frame {
            method: known.id,
            line: known
                .lines
                .as_ref()
                .and_then(|lines| lines.line(bci))
                .map_or(0, u32::from),
            bytecode_index: bci.max(0),
            kind: if native {
                FrameKind::Native
            } else {
                known.kind
            },
        };
        self.methods.insert(method, known);
        frame
    }

    fn resolve(
        &mut self,
        method: usize,
        resolver: Option<&MethodResolver>,
        lost: &mut dyn FnMut(Option<ResolveError>),
    ) -> KnownMethod {
        let described = resolver
            .ok_or(None)
            .and_then(|resolver| resolver.describe(method as u64).map_err(Some));
        match described {
            Ok(found) => {
                let class = self.writer.class(&ClassRef {
                    name: &found.class_name,
                    modifiers: 0,
                });
                let id = self.writer.method(&MethodRef {
                    class,
                    name: &found.name,
                    descriptor: &found.descriptor,
                    modifiers: found.modifiers,
                    hidden: false,
                });
                let kind = match (found.is_native, found.has_compiled_code) {
                    (true, _) => FrameKind::Native,
                    (false, true) => FrameKind::Jit,
                    (false, false) => FrameKind::Interpreted,
                };
                KnownMethod {
                    id,
                    kind,
                    looked_up: self.drains,
                    lines: Some(found.line_numbers),
                }
            }
            Err(reason) => {
                lost(reason);
                KnownMethod {
                    id: self.label("[unknown_method]"),
                    kind: FrameKind::Interpreted,
                    looked_up: u64::MAX,
                    lines: None,
                }
            }
        }
    }

    /// The stack of one frame that is no Java method: a reason, a VM thread or a library.
    pub(super) fn label_stack(&mut self, label: &str) -> StackTraceId {
        let key = StackKey::of_label(label);
        if let Some(&id) = self.stacks.get(&key) {
            return id;
        }
        let method = self.label(label);
        let frame = Frame {
            method,
            line: 0,
            bytecode_index: 0,
            kind: FrameKind::Native,
        };
        let id = self.writer.stack_trace(&[frame], false);
        self.stacks.insert(key, id);
        id
    }

    fn label(&mut self, label: &str) -> MethodId {
        if let Some(&id) = self.labels.get(label) {
            return id;
        }
        let class = self.writer.class(&ClassRef {
            name: "",
            modifiers: 0,
        });
        let id = self.writer.method(&MethodRef {
            class,
            name: label,
            descriptor: "()V",
            modifiers: 0x100,
            hidden: false,
        });
        self.labels.insert(label.into(), id);
        id
    }

    /// Writes a sample.
    pub(super) fn sample(
        &mut self,
        facts: &SampleFacts,
        stack: StackTraceId,
    ) -> Result<(), WriteError> {
        self.samples += 1;
        self.writer.write(&ExecutionSample {
            ticks: facts.ticks,
            span_ticks: facts.span_ticks,
            thread: facts.thread,
            stack,
            state: ThreadState::Runnable,
            mode: facts.mode,
            weight: facts.weight,
        })
    }

    pub(super) fn finish(self, end: ChunkEnd) -> Result<File, WriteError> {
        let buffered = self.writer.finish(end)?;
        buffered
            .into_inner()
            .map_err(|error| WriteError::from(error.into_error()))
    }
}

/// Where the thread was, as far as the walk tells.
pub(super) fn mode_of(record: &RecordView<'_>) -> ExecutionMode {
    match record.head.failure {
        Failure::None => match record.frames().next() {
            Some((_, NATIVE_METHOD)) => ExecutionMode::Native,
            _ => ExecutionMode::Java,
        },
        Failure::NoJavaFrame => ExecutionMode::Native,
        Failure::GcActive => ExecutionMode::Vm,
        _ => ExecutionMode::Unknown,
    }
}
