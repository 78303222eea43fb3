//! Random recordings, as a list of what is done to a writer.

use jfr_writer::{ChunkEnd, ChunkStart, Dialect, FrameKind, ThreadState};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// A thread's entry.
#[derive(Debug, Clone)]
pub(crate) struct Thread {
    pub(crate) os_id: u64,
    pub(crate) os_name: String,
    pub(crate) java_id: u64,
    pub(crate) java_name: Option<String>,
    pub(crate) group: Option<String>,
}

/// A method by its class's name, its own, and its descriptor.
#[derive(Debug, Clone)]
pub(crate) struct Method {
    pub(crate) class: String,
    pub(crate) name: String,
    pub(crate) descriptor: String,
}

/// Frames point to methods by their place, modulo the number of methods.
#[derive(Debug, Clone)]
pub(crate) struct Stack {
    pub(crate) frames: Vec<(usize, u32, i32, FrameKind)>,
    pub(crate) truncated: bool,
}

/// Numbers that stand for threads, stacks and classes are places, modulo how many there are.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Sample {
        ticks: u64,
        span: u64,
        thread: usize,
        stack: usize,
        state: ThreadState,
        weight: u64,
    },
    Setting {
        ticks: u64,
        name: String,
        value: String,
    },
    Property {
        ticks: u64,
        key: String,
        value: String,
    },
    Library {
        ticks: u64,
        name: String,
        base: u64,
        top: u64,
    },
    Load {
        ticks: u64,
        user: f32,
        system: f32,
        total: f32,
    },
    Start {
        ticks: u64,
        thread: usize,
        stack: usize,
    },
    End {
        ticks: u64,
        thread: usize,
    },
    Count {
        ticks: u64,
        name: String,
        count: u64,
    },
    Allocation {
        ticks: u64,
        thread: usize,
        stack: usize,
        class: usize,
        size: u64,
        weight: f32,
    },
    Live {
        ticks: u64,
        thread: usize,
        stack: usize,
        class: usize,
        size: u64,
        weight: f32,
        age: u64,
        allocated: u64,
    },
    Heap {
        ticks: u64,
        size: u64,
        is_live: bool,
    },
    Rename {
        thread: usize,
        to: Thread,
    },
    Close {
        thread: usize,
    },
}

/// A whole recording.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub(crate) dialect: Dialect,
    pub(crate) threads: Vec<Thread>,
    pub(crate) methods: Vec<Method>,
    /// Names of classes that objects are of.
    pub(crate) classes: Vec<String>,
    pub(crate) stacks: Vec<Stack>,
    pub(crate) steps: Vec<Step>,
}

pub(crate) const START: ChunkStart = ChunkStart {
    unix_nanos: 1_760_000_000_000_000_000,
    ticks: 1_000,
    ticks_per_second: 1_000_000_000,
};
pub(crate) const END: ChunkEnd = ChunkEnd {
    unix_nanos: START.unix_nanos + 60_000_000_000,
    ticks: START.ticks + 60_000_000_000,
};

/// What a story may be made of.
#[derive(Debug, Clone)]
pub(crate) struct Taste {
    texts: BoxedStrategy<String>,
    times: BoxedStrategy<u64>,
}

impl Taste {
    /// Texts with every kind of character, empty ones, and some beyond the longest that is kept;
    /// times before, in and after the chunk.
    pub(crate) fn anything() -> Self {
        let texts = prop_oneof![
            60 => any::<String>(),
            6 => Just(String::new()),
            1 => ("\\PC", 16_000..17_000_usize).prop_map(|(piece, times)| piece.repeat(times)),
        ];
        let times = prop_oneof![9 => START.ticks..END.ticks, 1 => any::<u64>()];
        Self {
            texts: texts.boxed(),
            times: times.boxed(),
        }
    }

    /// Texts without control characters and times in the chunk: the JDK's tool prints these as they are.
    pub(crate) fn printable() -> Self {
        let times = (START.ticks..END.ticks).boxed();
        Self {
            texts: "\\PC{0,12}".boxed(),
            times,
        }
    }
}

pub(crate) fn stories(taste: Taste) -> impl Strategy<Value = Story> {
    let dialect = prop_oneof![Just(Dialect::DataKit), Just(Dialect::Jdk)];
    let threads = vec(threads(&taste), 0..6);
    let methods = vec(methods(&taste), 0..12);
    (
        dialect,
        threads,
        methods,
        vec(classes(&taste), 0..6),
        vec(stacks(), 0..12),
        vec(steps(taste), 0..40),
    )
        .prop_map(
            |(dialect, threads, methods, classes, stacks, steps)| Story {
                dialect,
                threads,
                methods,
                classes,
                stacks,
                steps,
            },
        )
}

fn threads(taste: &Taste) -> impl Strategy<Value = Thread> + use<> {
    let Taste { texts, .. } = taste.clone();
    (
        any::<u64>(),
        texts.clone(),
        any::<u64>(),
        option::of(texts.clone()),
        option::of(texts),
    )
        .prop_map(|(os_id, os_name, java_id, java_name, group)| Thread {
            os_id,
            os_name,
            java_id,
            java_name,
            group,
        })
}

fn methods(taste: &Taste) -> impl Strategy<Value = Method> + use<> {
    let Taste { texts, .. } = taste.clone();
    (texts.clone(), texts.clone(), texts).prop_map(|(class, name, descriptor)| Method {
        class,
        name,
        descriptor,
    })
}

/// Classes as a JVM names them, of arrays and of hidden classes too, and any other text.
fn classes(taste: &Taste) -> impl Strategy<Value = String> + use<> {
    let known = proptest::sample::select(vec![
        "java/lang/String",
        "[B",
        "[[J",
        "[Ljava/lang/String;",
        "Main",
        "com/shop/Cart$$Lambda$14/0x0000000800c03000",
        "com/shop/Cart$$Lambda+0x00007f1c",
    ]);
    prop_oneof![3 => known.prop_map(str::to_owned), 1 => taste.texts.clone()]
}

fn kinds() -> impl Strategy<Value = FrameKind> {
    proptest::sample::select(vec![
        FrameKind::Interpreted,
        FrameKind::Jit,
        FrameKind::Inlined,
        FrameKind::Native,
        FrameKind::Cpp,
        FrameKind::Kernel,
        FrameKind::C1,
    ])
}

fn stacks() -> impl Strategy<Value = Stack> {
    (
        vec((any::<usize>(), any::<u32>(), any::<i32>(), kinds()), 0..40),
        any::<bool>(),
    )
        .prop_map(|(frames, truncated)| Stack { frames, truncated })
}

fn states() -> impl Strategy<Value = ThreadState> {
    proptest::sample::select(vec![
        ThreadState::Runnable,
        ThreadState::Contended,
        ThreadState::Parked,
        ThreadState::Waiting,
        ThreadState::Sleeping,
        ThreadState::Syscall,
    ])
}

/// Any that the JDK's tools show alike: 11 and 17 show those with the top bit as negative.
fn addresses() -> impl Strategy<Value = u64> {
    0..=i64::MAX as u64
}

fn steps(taste: Taste) -> impl Strategy<Value = Step> {
    let threads = threads(&taste);
    let times = || taste.times.clone();
    let texts = || taste.texts.clone();
    let place = any::<usize>;
    let objects = || (place(), place(), place(), 0..=(8_u64 << 20), 0.0..1e6_f32);
    let weights = prop_oneof![9 => 0..5_u64, 1 => 5..200_u64];
    prop_oneof![
        6 => (times(), any::<u64>(), place(), place(), states(), weights).prop_map(
            |(ticks, span, thread, stack, state, weight)| Step::Sample { ticks, span, thread, stack, state, weight }
        ),
        1 => (times(), texts(), texts()).prop_map(|(ticks, name, value)| Step::Setting { ticks, name, value }),
        1 => (times(), texts(), texts()).prop_map(|(ticks, key, value)| Step::Property { ticks, key, value }),
        1 => (times(), texts(), addresses(), addresses())
            .prop_map(|(ticks, name, base, top)| Step::Library { ticks, name, base, top }),
        1 => (times(), any::<f32>(), any::<f32>(), any::<f32>())
            .prop_map(|(ticks, user, system, total)| Step::Load { ticks, user, system, total }),
        1 => (times(), place(), place()).prop_map(|(ticks, thread, stack)| Step::Start { ticks, thread, stack }),
        1 => (times(), place()).prop_map(|(ticks, thread)| Step::End { ticks, thread }),
        1 => (times(), texts(), any::<u64>()).prop_map(|(ticks, name, count)| Step::Count { ticks, name, count }),
        2 => (times(), objects()).prop_map(|(ticks, (thread, stack, class, size, weight))| {
            Step::Allocation { ticks, thread, stack, class, size, weight }
        }),
        2 => (times(), objects(), any::<u32>(), times()).prop_map(
            |(ticks, (thread, stack, class, size, weight), age, allocated)| {
                Step::Live { ticks, thread, stack, class, size, weight, age: age.into(), allocated }
            }
        ),
        1 => (times(), addresses(), any::<bool>())
            .prop_map(|(ticks, size, is_live)| Step::Heap { ticks, size, is_live }),
        1 => (place(), threads).prop_map(|(thread, to)| Step::Rename { thread, to }),
        1 => place().prop_map(|thread| Step::Close { thread }),
    ]
}
