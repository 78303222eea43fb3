use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jfr_reader::{Chunk, Event, Recording, StackTraceView};

use crate::counted::Counted;
use crate::frame::{FrameName, NO_STACK, TRUNCATED};
use crate::kind::{FAMILIES, Kind, SOURCES, Source};

/// The name of a thread that the file does not name.
const UNKNOWN_THREAD: &str = "unknown thread";

/// One distinct stack of one thread in one state, with the sum of its samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// Indices into [`StackSet::frames`], root first; never empty. Equal stacks share one slice.
    pub frames: Arc<[u32]>,
    /// Index into [`StackSet::threads`].
    pub thread: u32,
    /// Index into [`StackSet::states`].
    pub state: u32,
    /// Sum over the samples, in [`StackSet::unit`].
    pub value: u64,
}

/// The stacks of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackSet {
    /// Every distinct frame.
    pub frames: Vec<FrameName>,
    /// Every distinct thread name.
    pub threads: Vec<String>,
    /// Every distinct thread state, as the file names it; empty when it names none.
    pub states: Vec<String>,
    /// The distinct stacks, in the order in which they were first met.
    pub stacks: Vec<Stack>,
    /// What the values count: `samples`, `objects`, `bytes` or `ns`; or, where something other than time was sampled, that
    /// event by its name.
    pub unit: Cow<'static, str>,
    /// The event that was sampled instead of time, as `page-faults`.
    pub event: Option<String>,
    /// How many times the recordings tell what was alive before the last time, which is what the
    /// stacks are of; 0 for what is no such snapshot.
    pub earlier_snapshots: u64,
    /// How many events the stacks stand for.
    pub events: u64,
    /// How many events of any type could not be read.
    pub unreadable_events: u64,
}

impl StackSet {
    /// Takes the stacks of `kind` out of a recording.
    pub fn collect(recording: &Recording<'_>, kind: Kind) -> StackSet {
        let mut collector = StackCollector::new(kind);
        collector.add(recording);
        collector.finish()
    }

    /// The sum of all values.
    pub fn total(&self) -> u64 {
        self.stacks
            .iter()
            .fold(0, |total, stack| total.saturating_add(stack.value))
    }

    /// Every distinct stack with the thread that is its root, if wanted, and the sum of its values;
    /// states, and without `threads` threads, are summed up.
    pub(crate) fn merged(&self, threads: bool) -> Vec<MergedStack<'_>> {
        let mut sums = Vec::<MergedStack<'_>>::new();
        let mut index_of = HashMap::new();
        for stack in &self.stacks {
            let thread = threads.then_some(stack.thread);
            // Equal stacks share one slice, so its address tells them apart.
            let index = *index_of
                .entry((thread, stack.frames.as_ptr()))
                .or_insert_with(|| {
                    sums.push(MergedStack {
                        thread,
                        frames: &stack.frames,
                        value: 0,
                    });
                    sums.len() - 1
                });
            sums[index].value = sums[index].value.saturating_add(stack.value);
        }
        sums
    }

    /// A thread's name as a root frame.
    pub(crate) fn thread_frame(&self, thread: u32) -> String {
        format!("[{}]", self.threads[thread as usize])
    }
}

/// A distinct stack, whatever the states and, unless it is given, the thread.
pub(crate) struct MergedStack<'s> {
    pub(crate) thread: Option<u32>,
    pub(crate) frames: &'s [u32],
    pub(crate) value: u64,
}

/// How many events of each kind a recording has; kinds without one are left out. An event may be of
/// several kinds: the objects that it counts, and their bytes.
pub fn kinds(recording: &Recording<'_>) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::new();
    for chunk in recording.chunks() {
        let sources = Sources::of(chunk, |_| true);
        for event in chunk.events().flatten() {
            for source in sources.of_event(&event) {
                *counts.entry(source.kind.name()).or_default() += 1;
            }
        }
    }
    counts
}

/// The sources that a chunk's metadata describes, by the ids that they have there.
struct Sources(Vec<(i64, &'static Source)>);

impl Sources {
    fn of(chunk: &Chunk<'_>, wanted: impl Fn(&Source) -> bool) -> Self {
        let mut found = Vec::<(i64, &Source)>::new();
        for source in SOURCES.iter().filter(|source| wanted(source)) {
            let Some(ty) = chunk.type_named(source.event) else {
                continue;
            };
            let is_known =
                |&(id, known): &(i64, &Source)| id == ty.id() && known.kind == source.kind;
            if source.fits(ty, chunk) && !found.iter().any(is_known) {
                found.push((ty.id(), source));
            }
        }
        Self(found)
    }

    /// One for each kind that the event is of.
    fn of_event(&self, event: &Event<'_>) -> impl Iterator<Item = &'static Source> {
        let id = event.ty().id();
        self.0
            .iter()
            .filter(move |(source_id, _)| *source_id == id)
            .map(|(_, source)| *source)
    }
}

/// Gathers the stacks of one kind out of several recordings.
#[derive(Debug)]
pub struct StackCollector {
    kind: Kind,
    frames: Interner<FrameName>,
    threads: Interner<String>,
    states: Interner<String>,
    traces: Interner<Arc<[u32]>>,
    /// Trace and the frame of a class to the trace that ends with it.
    object_traces: HashMap<(u32, u32), u32>,
    /// By family; trace, thread and state to what they sum up to.
    sums: [Sums; FAMILIES],
    earlier_snapshots: u64,
    unreadable_events: u64,
    /// What execution samples stand for in each recording.
    counted: Vec<Option<Counted>>,
}

#[derive(Debug, Default)]
struct Sums {
    index_of: HashMap<SampleKey, usize>,
    values: Vec<(SampleKey, f64)>,
    unit: Option<&'static str>,
    events: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct SampleKey {
    trace: u32,
    thread: u32,
    state: u32,
}

/// What was found in a chunk under the keys of its constant pools.
#[derive(Default)]
struct ChunkCaches {
    frames: HashMap<(i64, i64), u32>,
    traces: HashMap<i64, u32>,
    threads: HashMap<Option<i64>, u32>,
    states: HashMap<Option<i64>, u32>,
    /// Frames of classes; those that have no name are `None`.
    classes: HashMap<(&'static str, i64), Option<u32>>,
}

impl StackCollector {
    /// Nothing gathered yet.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            frames: Interner::default(),
            threads: Interner::default(),
            states: Interner::default(),
            traces: Interner::default(),
            object_traces: HashMap::new(),
            sums: Default::default(),
            earlier_snapshots: 0,
            unreadable_events: 0,
            counted: Vec::new(),
        }
    }

    /// Adds the stacks of a recording; of what is alive, those of the last chunk that tells of it.
    pub fn add(&mut self, recording: &Recording<'_>) {
        if self.kind == Kind::Cpu {
            self.counted.push(Counted::of(recording));
        }
        let mut chunks = recording.chunks();
        if self.kind.is_snapshot() {
            let tell = |chunk: &&Chunk<'_>| self.is_told_by(chunk);
            let telling: Vec<&Chunk<'_>> = chunks.iter().filter(tell).collect();
            self.earlier_snapshots += telling.len().saturating_sub(1) as u64;
            chunks = telling
                .last()
                .map_or(&[], |last| std::slice::from_ref(*last));
        }
        for chunk in chunks {
            self.add_chunk(chunk);
        }
    }

    fn is_told_by(&self, chunk: &Chunk<'_>) -> bool {
        let sources = self.sources(chunk);
        let mut events = chunk.events().flatten();
        events.any(|event| sources.of_event(&event).next().is_some())
    }

    fn sources(&self, chunk: &Chunk<'_>) -> Sources {
        Sources::of(chunk, |source| source.kind == self.kind)
    }

    fn add_chunk(&mut self, chunk: &Chunk<'_>) {
        let sources = self.sources(chunk);
        let mut caches = ChunkCaches::default();
        for event in chunk.events() {
            let Ok(event) = event else {
                self.unreadable_events += 1;
                continue;
            };
            for source in sources.of_event(&event) {
                self.add_event(&event, source, &mut caches);
            }
        }
    }

    fn add_event(&mut self, event: &Event<'_>, source: &Source, caches: &mut ChunkCaches) {
        let key = SampleKey {
            trace: self.object_trace(event, source, caches),
            thread: self.thread(event, caches),
            state: self.state(event, caches),
        };
        let value = source.value(event);
        let sums = &mut self.sums[source.family];
        let index = *sums.index_of.entry(key).or_insert_with(|| {
            sums.values.push((key, 0.0));
            sums.values.len() - 1
        });
        sums.values[index].1 += value;
        sums.unit = Some(source.unit);
        sums.events += 1;
    }

    /// The stack, with the class at its end if the event tells of an object.
    fn object_trace(
        &mut self,
        event: &Event<'_>,
        source: &Source,
        caches: &mut ChunkCaches,
    ) -> u32 {
        let trace = self.trace(event, caches);
        let class = source
            .class
            .and_then(|path| self.class_frame(event, path, caches));
        let Some(class) = class else { return trace };
        if let Some(known) = self.object_traces.get(&(trace, class)) {
            return *known;
        }
        let frames = &self.traces.values[trace as usize];
        let frames: Arc<[u32]> = frames.iter().copied().chain([class]).collect();
        let with_class = self.traces.intern(frames);
        self.object_traces.insert((trace, class), with_class);
        with_class
    }

    /// The frame of the class that lies at the path, of which the first field is in a constant pool.
    fn class_frame(
        &mut self,
        event: &Event<'_>,
        path: &'static str,
        caches: &mut ChunkCaches,
    ) -> Option<u32> {
        let field = path.split_once('.').map_or(path, |(field, _)| field);
        let key = (path, event.key(field)?);
        *caches.classes.entry(key).or_insert_with(|| {
            let class = event.value(path)?.into_struct()?;
            let name = class.text("name").filter(|name| !name.is_empty())?;
            Some(self.frames.intern(FrameName::of_class(&name)))
        })
    }

    fn trace(&mut self, event: &Event<'_>, caches: &mut ChunkCaches) -> u32 {
        let key = event.key("stackTrace");
        if let Some(trace) = key.and_then(|key| caches.traces.get(&key)) {
            return *trace;
        }
        let frames = self.trace_frames(event.stack_trace(), caches);
        let trace = self.traces.intern(frames);
        if let Some(key) = key {
            caches.traces.insert(key, trace);
        }
        trace
    }

    /// The frames of a stack, root first.
    fn trace_frames(
        &mut self,
        stack: Option<StackTraceView<'_>>,
        caches: &mut ChunkCaches,
    ) -> Arc<[u32]> {
        let mut frames = Vec::new();
        if let Some(stack) = stack {
            for frame in stack.frames() {
                let keys = (frame.method_key(), frame.kind_key());
                let index = *caches
                    .frames
                    .entry(keys)
                    .or_insert_with(|| self.frames.intern(FrameName::of(&frame)));
                frames.push(index);
            }
            if stack.truncated() {
                frames.push(self.frames.intern(FrameName::stand_in(TRUNCATED)));
            }
        }
        if frames.is_empty() {
            frames.push(self.frames.intern(FrameName::stand_in(NO_STACK)));
        }
        frames.reverse();
        frames.into()
    }

    fn thread(&mut self, event: &Event<'_>, caches: &mut ChunkCaches) -> u32 {
        let key = event
            .key("eventThread")
            .or_else(|| event.key("sampledThread"));
        *caches.threads.entry(key).or_insert_with(|| {
            let name = event.thread().and_then(|thread| thread.name());
            let name = name.map_or_else(|| UNKNOWN_THREAD.to_owned(), |name| name.into_owned());
            self.threads.intern(name)
        })
    }

    fn state(&mut self, event: &Event<'_>, caches: &mut ChunkCaches) -> u32 {
        let key = event.key("state");
        *caches.states.entry(key).or_insert_with(|| {
            let state = event.text("state").unwrap_or_default();
            self.states.intern(state.into_owned())
        })
    }

    /// The stacks that were gathered.
    pub fn finish(self) -> StackSet {
        // Recordings of different events add up to nothing but samples.
        let counted = match self.counted.split_first() {
            Some((Some(first), rest)) if rest.iter().all(|other| other.as_ref() == Some(first)) => {
                Some(first)
            }
            _ => None,
        };
        let event = counted.map(|counted| counted.event.clone());
        let sums = self
            .sums
            .into_iter()
            .find(|sums| sums.events > 0)
            .unwrap_or_default();
        let traces = self.traces.values;
        // What rounding leaves goes on to the next stack, so that the total is right.
        let mut left = 0.0;
        let mut whole = |value: f64| {
            let rounded = (value + left).round() as u64;
            left += value - rounded as f64;
            rounded
        };
        let unit = counted.map_or(
            Cow::Borrowed(sums.unit.unwrap_or(self.kind.unit())),
            |counted| Cow::Owned(counted.unit()),
        );
        StackSet {
            frames: self.frames.values,
            threads: self.threads.values,
            states: self.states.values,
            stacks: sums
                .values
                .into_iter()
                .map(|(key, value)| Stack {
                    frames: Arc::clone(&traces[key.trace as usize]),
                    thread: key.thread,
                    state: key.state,
                    value: whole(value),
                })
                .collect(),
            unit,
            event,
            earlier_snapshots: self.earlier_snapshots,
            events: sums.events,
            unreadable_events: self.unreadable_events,
        }
    }
}

/// Gives each distinct value an index.
///
/// The standard hash, since the values are the file's: one that can be foreseen invites a file whose
/// values all collide.
#[derive(Debug)]
struct Interner<T> {
    index_of: HashMap<T, u32>,
    values: Vec<T>,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self {
            index_of: HashMap::new(),
            values: Vec::new(),
        }
    }
}

impl<T: Clone + Eq + std::hash::Hash> Interner<T> {
    fn intern(&mut self, value: T) -> u32 {
        if let Some(index) = self.index_of.get(&value) {
            return *index;
        }
        let index = self.values.len() as u32;
        self.values.push(value.clone());
        self.index_of.insert(value, index);
        index
    }
}
