use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::rc::Rc;

use jfr_analysis::{DEFAULT_MAX_BYTES, Period, load};
use jfr_reader::{Event, Recording, Value};

/// All that the tests ask a recording of ours. Reading is strict: damage of any kind fails the test.
#[derive(Debug, Default)]
pub(crate) struct Profile {
    pub(crate) chunks: Vec<ChunkTimes>,
    pub(crate) samples: Vec<Sample>,
    pub(crate) allocations: Vec<Allocation>,
    pub(crate) live: Vec<Live>,
    /// `datadog.HeapUsage` in bytes, and whether a collection has left that.
    pub(crate) heap_usages: Vec<(u64, bool)>,
    /// Number of events by type.
    pub(crate) events: BTreeMap<String, u64>,
    /// `jprof.Counter`, summed up over the chunks.
    pub(crate) counters: BTreeMap<String, u64>,
    /// Of `datadog.DatadogProfilerConfig`.
    pub(crate) interval_nanos: u64,
    pub(crate) engine: String,
    /// The most objects that are tracked at once.
    pub(crate) live_capacity: u64,
}

/// When a chunk begins and ends, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChunkTimes {
    pub(crate) start: u64,
    pub(crate) end: u64,
}

impl ChunkTimes {
    /// Start and end in the form of event.json's period.
    pub(crate) fn period(self) -> Period {
        Period {
            start_unix_nanos: self.start.cast_signed(),
            end_unix_nanos: self.end.cast_signed(),
        }
    }
}

/// A CPU sample.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) unix_nanos: u64,
    pub(crate) thread: Rc<str>,
    /// The thread's id in Java, none for the VM's own threads.
    pub(crate) java_id: Option<i64>,
    pub(crate) stack: Rc<Stack>,
    pub(crate) weight: u64,
}

/// A sampled object.
#[derive(Debug)]
pub(crate) struct Allocation {
    pub(crate) thread: Rc<str>,
    pub(crate) stack: Rc<Stack>,
    /// As `java/lang/String`.
    pub(crate) class: String,
    pub(crate) size: u64,
    /// Objects that it stands for.
    pub(crate) weight: f64,
}

/// An object that was alive at the end of a chunk.
#[derive(Debug)]
pub(crate) struct Live {
    /// The chunk's place in the recording.
    pub(crate) chunk: usize,
    /// Where it was allocated.
    pub(crate) stack: Rc<Stack>,
    /// As `java/lang/String`.
    pub(crate) class: String,
    /// Collections that it has survived.
    pub(crate) age: u64,
    pub(crate) size: u64,
    /// Objects that it stands for.
    pub(crate) weight: f64,
}

impl Live {
    /// The bytes that it stands for.
    pub(crate) fn bytes(&self) -> f64 {
        self.size as f64 * self.weight
    }
}

/// Frames as `java/lang/Thread.run`, the top first.
#[derive(Debug)]
pub(crate) struct Stack {
    pub(crate) frames: Vec<String>,
    /// The frames' types: `Interpreted`, `JIT compiled` and so on, without repetition.
    pub(crate) frame_types: BTreeSet<String>,
    pub(crate) truncated: bool,
}

/// Frames that say why there is no Java stack, or why it ends before the thread's first frame.
const ERROR_FRAMES: [&str; 21] = [
    "[no_class_load]",
    "[GC_active]",
    "[unknown_not_Java]",
    "[not_walkable_not_Java]",
    "[unknown_Java]",
    "[not_walkable_Java]",
    "[unknown_state]",
    "[thread_exit]",
    "[deoptimization]",
    "[safepoint]",
    "[unknown_code]",
    "[no_return_address]",
    "[out_of_stack]",
    "[broken_interpreted]",
    "[broken_compiled]",
    "[broken_entry]",
    "[no_Java_anchor]",
    "[fault_in_walk]",
    "[walk_too_long]",
    "[no_guard]",
    "[unknown_method]",
];

/// Frames of time that was not sampled but reckoned.
const RECKONED: [&str; 3] = ["[jprof]", "[thread_end]", "[unsampled]"];

impl Stack {
    /// Whether a frame is that method of a harness program: `CpuShares.main`.
    pub(crate) fn has(&self, method: &str) -> bool {
        let found = |frame: &String| frame.strip_prefix("io/jprof/harness/") == Some(method);
        self.frames.iter().any(found)
    }

    /// Whether it is that one frame, which stands for a stack.
    pub(crate) fn is_only(&self, frame: &str) -> bool {
        matches!(self.frames.as_slice(), [one] if one == frame)
    }

    /// Whether it is a stack, not the reason why there is none.
    pub(crate) fn is_resolved(&self) -> bool {
        let failed = |frame: &String| ERROR_FRAMES.contains(&frame.as_str());
        !self.frames.is_empty() && !self.frames.iter().any(failed)
    }

    /// Whether a tick was taken for it.
    pub(crate) fn is_sampled(&self) -> bool {
        !RECKONED.iter().any(|frame| self.is_only(frame))
    }
}

impl Profile {
    /// Reads a file, plain or gzip.
    pub(crate) fn of_file(path: &Path) -> Profile {
        let loaded = load(path, DEFAULT_MAX_BYTES);
        let loaded = loaded.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut profile = Profile::default();
        profile.add(loaded.bytes());
        profile
    }

    /// Reads several files as one profile.
    pub(crate) fn of_files<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Profile {
        let mut profile = Profile::default();
        for path in paths {
            let loaded = load(path, DEFAULT_MAX_BYTES).expect("a recording");
            profile.add(loaded.bytes());
        }
        profile
    }

    fn add(&mut self, bytes: &[u8]) {
        let recording = Recording::parse(bytes).expect("a recording");
        assert_eq!(recording.damage(), [], "the recording is damaged");
        for chunk in recording.chunks() {
            let header = chunk.header();
            let start = header.start_unix_nanos.cast_unsigned();
            self.chunks.push(ChunkTimes {
                start,
                end: start + header.duration_nanos.cast_unsigned(),
            });
            let mut stacks = HashMap::new();
            let mut threads = HashMap::new();
            for event in chunk.events() {
                let event = event.expect("every event can be read");
                let count = self.events.entry(event.type_name().to_owned());
                *count.or_default() += 1;
                self.add_event(&event, &mut stacks, &mut threads);
            }
        }
    }

    fn add_event(
        &mut self,
        event: &Event<'_>,
        stacks: &mut HashMap<i64, Rc<Stack>>,
        threads: &mut HashMap<i64, Thread>,
    ) {
        let number = |name| event.i64(name).expect("a number").cast_unsigned();
        let weight = || {
            let weight = event.value("weight").and_then(|weight| weight.as_f64());
            weight.expect("a number")
        };
        let class = || {
            let class = event.text("objectClass.name.string");
            class.expect("a class").into_owned()
        };
        match event.type_name() {
            "datadog.ExecutionSample" => {
                let thread = thread_of(event, "eventThread", threads);
                self.samples.push(Sample {
                    weight: number("weight"),
                    unix_nanos: event.start_unix_nanos().expect("a time").cast_unsigned(),
                    stack: stack_of(event, stacks),
                    thread: thread.name,
                    java_id: thread.java_id,
                });
            }
            "jdk.ExecutionSample" => {
                let thread = thread_of(event, "sampledThread", threads);
                self.samples.push(Sample {
                    weight: 1,
                    unix_nanos: event.start_unix_nanos().expect("a time").cast_unsigned(),
                    stack: stack_of(event, stacks),
                    thread: thread.name,
                    java_id: thread.java_id,
                });
            }
            "datadog.ObjectSample" => self.allocations.push(Allocation {
                thread: thread_of(event, "eventThread", threads).name,
                stack: stack_of(event, stacks),
                class: class(),
                size: number("size"),
                weight: weight(),
            }),
            "datadog.HeapLiveObject" => self.live.push(Live {
                chunk: self.chunks.len() - 1,
                stack: stack_of(event, stacks),
                class: class(),
                age: number("age"),
                size: number("size"),
                weight: weight(),
            }),
            "datadog.HeapUsage" => {
                let is_live = matches!(event.value("isLive"), Some(Value::Boolean(true)));
                self.heap_usages.push((number("size"), is_live));
            }
            "datadog.DatadogProfilerConfig" => {
                self.interval_nanos = number("cpuInterval");
                self.engine = event.text("cpuEngine").expect("a name").into_owned();
                self.live_capacity = number("memleakCapacity");
            }
            "jprof.Counter" => {
                let name = event.text("name").expect("a name").into_owned();
                *self.counters.entry(name).or_default() += number("count");
            }
            _ => {}
        }
    }

    /// Σ weight over the samples that `wanted` takes.
    pub(crate) fn weight(&self, wanted: impl Fn(&Sample) -> bool) -> u64 {
        let wanted = self.samples.iter().filter(|sample| wanted(sample));
        wanted.map(|sample| sample.weight).sum()
    }

    /// Σ weight × interval.
    pub(crate) fn cpu_nanos(&self, wanted: impl Fn(&Sample) -> bool) -> u64 {
        assert_ne!(self.interval_nanos, 0, "the recording names no interval");
        self.weight(wanted) * self.interval_nanos
    }

    /// A counter, 0 when the recording has none of that name.
    pub(crate) fn counter(&self, name: &str) -> u64 {
        self.counters.get(name).copied().unwrap_or(0)
    }

    /// The counters whose names begin so.
    pub(crate) fn counters_like(&self, prefix: &str) -> impl Iterator<Item = (&str, u64)> {
        let named = self
            .counters
            .iter()
            .map(|(name, &count)| (name.as_str(), count));
        named.filter(move |(name, _)| name.starts_with(prefix))
    }

    /// From the first chunk's start to the last one's end, in nanoseconds since 1970.
    pub(crate) fn span(&self) -> (u64, u64) {
        let first = self.chunks.first().expect("a chunk");
        let last = self.chunks.last().expect("a chunk");
        (first.start, last.end)
    }
}

fn stack_of(event: &Event<'_>, stacks: &mut HashMap<i64, Rc<Stack>>) -> Rc<Stack> {
    let key = event.key("stackTrace").expect("a stack trace's key");
    let stack = stacks.entry(key).or_insert_with(|| {
        let view = event.stack_trace().expect("every sample has a stack");
        let frames = view.frames().map(|frame| {
            let class = frame.class_name().filter(|class| !class.is_empty());
            let method = frame.method_name().expect("every frame has a name");
            match class {
                Some(class) => format!("{class}.{method}"),
                None => method.into_owned(),
            }
        });
        let frame_types = view.frames().map(|frame| {
            let frame_type = frame.kind().expect("every frame has a type");
            frame_type.into_owned()
        });
        Rc::new(Stack {
            frames: frames.collect(),
            frame_types: frame_types.collect(),
            truncated: view.truncated(),
        })
    });
    Rc::clone(stack)
}

/// Who ran.
#[derive(Clone)]
struct Thread {
    name: Rc<str>,
    java_id: Option<i64>,
}

fn thread_of(event: &Event<'_>, field: &str, threads: &mut HashMap<i64, Thread>) -> Thread {
    let key = event.key(field).expect("a thread's key");
    let thread = threads.entry(key).or_insert_with(|| {
        let view = event.thread().expect("every sample has a thread");
        let name = view.name();
        let name = name.unwrap_or_else(|| {
            let top = event.stack_trace().and_then(|stack| stack.frames().next());
            let top = top.and_then(|frame| frame.method_name());
            panic!("thread {:?} has no name, in {top:?}", view.os_id())
        });
        Thread {
            name: Rc::from(name.as_ref()),
            java_id: view.java_id().filter(|&id| id > 0),
        }
    });
    thread.clone()
}
