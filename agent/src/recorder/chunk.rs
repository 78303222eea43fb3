//! The chunk that is being written: interns what samples refer to, once per chunk.

use std::fs::File;
use std::io::BufWriter;
use std::sync::Arc;

use jfr_writer::{
    ChunkEnd, ChunkStart, ClassId, ClassRef, Dialect, Event, ExecutionMode, ExecutionSample, Frame,
    StackTraceId, ThreadId, ThreadRef, ThreadState, WriteError,
};
use jprof_signal_safe::record::RecordView;
use jprof_signal_safe::threads::ThreadKey;
use jprof_signal_safe::walker::{Failure, FrameType};
use rustc_hash::FxHashMap;

use super::kept::{KeptFrame, KeptStack};
use super::methods::{self, Methods, Writer};
use super::naming::{Epoch, Naming};
use super::roster::ThreadFacts;
use super::stack_key::StackKey;

/// A stack that the chunk has.
#[derive(Clone, Copy, Debug)]
struct KnownStack {
    id: StackTraceId,
    /// The epoch in which its methods were named.
    named: Epoch,
    /// The last epoch in which its methods were found to be the same as then.
    checked: Epoch,
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
    writer: Writer,
    pub(super) start_unix_nanos: u64,
    stacks: FxHashMap<StackKey, KnownStack>,
    label_stacks: FxHashMap<Box<str>, StackTraceId>,
    methods: Methods,
    /// By native thread and Java thread id.
    threads: FxHashMap<(ThreadKey, u64), ThreadId>,
    ended_threads: Option<ThreadId>,
    /// The classes of sampled objects, by the allocation engine's numbers.
    classes: FxHashMap<u32, ClassId>,
    kept_stacks: FxHashMap<*const KeptStack, StackTraceId>,
    frames: Vec<Frame>,
    samples: u64,
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
            writer: Writer::begin(BufWriter::with_capacity(512, file), start, dialect)?,
            stacks: FxHashMap::default(),
            label_stacks: FxHashMap::default(),
            methods: Methods::default(),
            threads: FxHashMap::default(),
            ended_threads: None,
            classes: FxHashMap::default(),
            kept_stacks: FxHashMap::default(),
            frames: Vec::new(),
            samples: 0,
        })
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

    /// The chunk's id of a class that the allocation engine knows by a number.
    pub(super) fn class(&mut self, number: u32, name: &str) -> ClassId {
        *self
            .classes
            .entry(number)
            .or_insert_with(|| self.writer.class(&class_ref(name)))
    }

    /// The chunk's id of a class.
    pub(super) fn class_named(&mut self, name: &str) -> ClassId {
        self.writer.class(&class_ref(name))
    }

    /// The frames of a record in words, above the reason that kept the walk from those below.
    pub(super) fn kept_frames(
        &mut self,
        record: &RecordView<'_>,
        naming: &mut Naming,
    ) -> Vec<KeptFrame> {
        let (methods, writer) = (&mut self.methods, &mut self.writer);
        let mut frames: Vec<_> = record
            .frames()
            .map(|frame| methods.kept_frame(frame, naming, writer))
            .collect();
        let reason = record.head.failure.label();
        if !reason.is_empty() {
            frames.push(methods::kept_label(reason));
        }
        frames
    }

    /// The chunk's id of a stack that is kept. The stack lives as long as the chunk is open.
    pub(super) fn kept_stack(&mut self, stack: &Arc<KeptStack>) -> StackTraceId {
        *self
            .kept_stacks
            .entry(Arc::as_ptr(stack))
            .or_insert_with(|| stack.write(&mut self.writer))
    }

    /// The pseudo-thread of CPU time that no living thread can be asked about.
    pub(super) fn ended_threads(&mut self) -> ThreadId {
        *self.ended_threads.get_or_insert_with(|| {
            self.writer.thread(&ThreadRef {
                os_id: 0,
                os_name: "[ended threads]",
                java_id: 0,
                java_name: None,
                group: None,
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

    /// The stack of a record with Java frames, under the library that they have called, if the thread was in one, and above the
    /// reason that kept the walk from the frames below, if there is one.
    pub(super) fn java_stack(
        &mut self,
        record: &RecordView<'_>,
        library: Option<&str>,
        naming: &mut Naming,
    ) -> StackTraceId {
        let reason = record.head.failure.label();
        let key = StackKey::of_record(record, library.unwrap_or(""), reason);
        if let Some(id) = self.known_stack(&key, record, naming) {
            return id;
        }
        let mut frames = std::mem::take(&mut self.frames);
        frames.clear();
        let (methods, writer) = (&mut self.methods, &mut self.writer);
        frames.extend(library.map(|library| methods.label(library, writer)));
        frames.extend(
            record
                .frames()
                .map(|frame| methods.frame(frame, naming, writer)),
        );
        if !reason.is_empty() {
            frames.push(methods.label(reason, writer));
        }
        let id = writer.stack_trace(&frames, record.head.truncated);
        self.frames = frames;
        let epoch = naming.epoch();
        let known = KnownStack {
            id,
            named: epoch,
            checked: epoch,
        };
        self.stacks.insert(key, known);
        id
    }

    /// The stack of that key, if its addresses stand for the methods that they stood for when it was named.
    fn known_stack(
        &mut self,
        key: &StackKey,
        record: &RecordView<'_>,
        naming: &mut Naming,
    ) -> Option<StackTraceId> {
        let known = self.stacks.get_mut(key)?;
        if known.checked != naming.epoch() {
            let (methods, writer) = (&mut self.methods, &mut self.writer);
            let mut frames = record.frames();
            if !frames.all(|frame| methods.same_since(known.named, frame.method, naming, writer)) {
                return None;
            }
            known.checked = naming.epoch();
        }
        Some(known.id)
    }

    /// The stack of one frame that is no Java method: a reason, a VM thread or a library.
    pub(super) fn label_stack(&mut self, label: &str) -> StackTraceId {
        if let Some(&id) = self.label_stacks.get(label) {
            return id;
        }
        let frame = self.methods.label(label, &mut self.writer);
        let id = self.writer.stack_trace(&[frame], false);
        self.label_stacks.insert(label.into(), id);
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

const fn class_ref(name: &str) -> ClassRef<'_> {
    ClassRef { name, modifiers: 0 }
}

/// Where the thread was, as far as the walk tells. `library`: the one that the Java frames have called.
pub(super) fn mode_of(record: &RecordView<'_>, library: Option<&str>) -> ExecutionMode {
    match (record.frames().next(), library) {
        (Some(_), Some("libjvm.so")) => ExecutionMode::Vm,
        (Some(_), Some(_)) => ExecutionMode::Native,
        (Some(leaf), None) if leaf.position.frame_type() == FrameType::Native => {
            ExecutionMode::Native
        }
        (Some(_), None) => ExecutionMode::Java,
        (None, _) => match record.head.failure {
            Failure::NoJavaFrame => ExecutionMode::Native,
            Failure::GcActive => ExecutionMode::Vm,
            _ => ExecutionMode::Unknown,
        },
    }
}
