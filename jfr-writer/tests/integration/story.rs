//! Random recordings, as a list of what is done to a writer.

use std::io::{Seek, Write};

use jfr_writer::{
    ActiveSetting, ChunkEnd, ChunkStart, ChunkWriter, ClassRef, Counter, CpuLoad, Dialect,
    ExecutionMode, ExecutionSample, Frame, FrameKind, InitialSystemProperty, MethodRef,
    NativeLibrary, StackTraceId, ThreadEnd, ThreadId, ThreadRef, ThreadStart, ThreadState,
    WriteError,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::text;

/// A thread's entry.
#[derive(Debug, Clone)]
pub(crate) struct Thread {
    pub(crate) os_id: u64,
    pub(crate) os_name: String,
    pub(crate) java_id: u64,
    pub(crate) java_name: Option<String>,
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

/// Numbers that stand for threads and stacks are places, modulo how many there are.
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
        vec(stacks(), 0..12),
        vec(steps(taste), 0..40),
    )
        .prop_map(|(dialect, threads, methods, stacks, steps)| Story {
            dialect,
            threads,
            methods,
            stacks,
            steps,
        })
}

fn threads(taste: &Taste) -> impl Strategy<Value = Thread> + use<> {
    let Taste { texts, .. } = taste.clone();
    (any::<u64>(), texts.clone(), any::<u64>(), option::of(texts)).prop_map(
        |(os_id, os_name, java_id, java_name)| Thread {
            os_id,
            os_name,
            java_id,
            java_name,
        },
    )
}

fn methods(taste: &Taste) -> impl Strategy<Value = Method> + use<> {
    let Taste { texts, .. } = taste.clone();
    (texts.clone(), texts.clone(), texts).prop_map(|(class, name, descriptor)| Method {
        class,
        name,
        descriptor,
    })
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
        1 => (place(), threads).prop_map(|(thread, to)| Step::Rename { thread, to }),
        1 => place().prop_map(|thread| Step::Close { thread }),
    ]
}

impl Thread {
    fn as_ref(&self) -> ThreadRef<'_> {
        ThreadRef {
            os_id: self.os_id,
            os_name: &self.os_name,
            java_id: self.java_id,
            java_name: self.java_name.as_deref(),
        }
    }
}

impl Story {
    /// Tells the story to a writer.
    pub(crate) fn write<W: Write + Seek>(
        &self,
        chunk: &mut ChunkWriter<W>,
    ) -> Result<(), WriteError> {
        let threads: Vec<ThreadId> = self
            .threads
            .iter()
            .map(|thread| chunk.thread(&thread.as_ref()))
            .collect();
        let stacks = self.write_stacks(chunk);
        let thread_at = |place| *at(&threads, place).unwrap_or(&ThreadId::NULL);
        let stack_at = |place| *at(&stacks, place).unwrap_or(&StackTraceId::NULL);
        for step in &self.steps {
            match *step {
                Step::Sample {
                    ticks,
                    span,
                    thread,
                    stack,
                    state,
                    weight,
                } => {
                    chunk.write(&ExecutionSample {
                        ticks,
                        span_ticks: span,
                        thread: thread_at(thread),
                        stack: stack_at(stack),
                        state,
                        mode: ExecutionMode::Unknown,
                        weight,
                    })?;
                }
                Step::Setting {
                    ticks,
                    ref name,
                    ref value,
                } => {
                    chunk.write(&ActiveSetting {
                        ticks,
                        event: "jdk.CPULoad",
                        name,
                        value,
                    })?;
                }
                Step::Property {
                    ticks,
                    ref key,
                    ref value,
                } => {
                    chunk.write(&InitialSystemProperty { ticks, key, value })?;
                }
                Step::Library {
                    ticks,
                    ref name,
                    base,
                    top,
                } => {
                    chunk.write(&NativeLibrary {
                        ticks,
                        name,
                        base_address: base,
                        top_address: top,
                    })?;
                }
                Step::Load {
                    ticks,
                    user,
                    system,
                    total,
                } => {
                    chunk.write(&CpuLoad {
                        ticks,
                        jvm_user: user,
                        jvm_system: system,
                        machine_total: total,
                    })?;
                }
                Step::Start {
                    ticks,
                    thread,
                    stack,
                } => {
                    chunk.write(&ThreadStart {
                        ticks,
                        event_thread: ThreadId::NULL,
                        stack: stack_at(stack),
                        thread: thread_at(thread),
                        parent_thread: thread_at(thread.wrapping_add(1)),
                    })?;
                }
                Step::End { ticks, thread } => chunk.write(&ThreadEnd {
                    ticks,
                    thread: thread_at(thread),
                })?,
                Step::Count {
                    ticks,
                    ref name,
                    count,
                } => chunk.write(&Counter { ticks, name, count })?,
                Step::Rename { thread, ref to } => {
                    chunk.rename_thread(thread_at(thread), &to.as_ref())
                }
                Step::Close { thread } => chunk.close_thread(thread_at(thread)),
            }
        }
        Ok(())
    }

    fn write_stacks<W: Write + Seek>(&self, chunk: &mut ChunkWriter<W>) -> Vec<StackTraceId> {
        let methods: Vec<_> = self
            .methods
            .iter()
            .map(|method| {
                let class = chunk.class(&ClassRef {
                    name: &method.class,
                    modifiers: 1,
                });
                let (name, descriptor) = (&method.name, &method.descriptor);
                chunk.method(&MethodRef {
                    class,
                    name,
                    descriptor,
                    modifiers: 9,
                    hidden: true,
                })
            })
            .collect();
        self.stacks
            .iter()
            .map(|stack| {
                let frames: Vec<Frame> = stack
                    .frames
                    .iter()
                    .filter_map(|&(method, line, bytecode_index, kind)| {
                        Some(Frame {
                            method: *at(&methods, method)?,
                            line,
                            bytecode_index,
                            kind,
                        })
                    })
                    .collect();
                chunk.stack_trace(&frames, stack.truncated)
            })
            .collect()
    }

    /// What a reader should show of the events, in the order of the file.
    pub(crate) fn told(&self) -> Vec<String> {
        let threads = self.final_threads();
        let thread = |place| at(&threads, place).map_or(text::NULL.into(), text::thread);
        let stack =
            |place| at(&self.stacks, place).map_or(text::NULL.into(), |stack| self.stack(stack));
        let mut told = Vec::new();
        for step in &self.steps {
            match step {
                Step::Sample { ticks, span, thread: of, stack: trace, state, weight } => {
                    let (thread, stack) = (thread(*of), stack(*trace));
                    match self.dialect {
                        Dialect::DataKit => told.push(format!(
                            "datadog.ExecutionSample startTime={ticks} eventThread={thread} stackTrace={stack} \
                             state={} mode=\"UNKNOWN\" weight={weight} spanId=0 localRootSpanId=0",
                            text::state(*state, ""),
                            ticks = *ticks as i64,
                        )),
                        Dialect::Jdk => told.extend((1..=*weight).map(|nth| {
                            format!(
                                "jdk.ExecutionSample startTime={} sampledThread={thread} stackTrace={stack} state={}",
                                spread(*ticks, *span, nth, *weight) as i64,
                                text::state(*state, "STATE_"),
                            )
                        })),
                    }
                }
                Step::Setting { ticks, name, value } => told.push(format!(
                    "jdk.ActiveSetting startTime={} id=1000011 name={} value={}",
                    *ticks as i64,
                    text::quote(name),
                    text::quote(value),
                )),
                Step::Property { ticks, key, value } => told.push(format!(
                    "jdk.InitialSystemProperty startTime={} key={} value={}",
                    *ticks as i64,
                    text::quote(key),
                    text::quote(value),
                )),
                Step::Library { ticks, name, base, top } => told.push(format!(
                    "jdk.NativeLibrary startTime={} name={} baseAddress={} topAddress={}",
                    *ticks as i64,
                    text::quote(name),
                    *base as i64,
                    *top as i64,
                )),
                Step::Load { ticks, user, system, total } => told.push(format!(
                    "jdk.CPULoad startTime={} jvmUser={user:?} jvmSystem={system:?} machineTotal={total:?}",
                    *ticks as i64,
                )),
                Step::Start { ticks, thread: of, stack: trace } => told.push(format!(
                    "jdk.ThreadStart startTime={} eventThread={} stackTrace={} thread={} parentThread={}",
                    *ticks as i64,
                    text::NULL,
                    stack(*trace),
                    thread(*of),
                    thread(of.wrapping_add(1)),
                )),
                Step::End { ticks, thread: of } => told.push(format!(
                    "jdk.ThreadEnd startTime={} eventThread={} thread={}",
                    *ticks as i64,
                    thread(*of),
                    thread(*of),
                )),
                Step::Count { ticks, name, count } => told.push(format!(
                    "jprof.Counter startTime={} name={} count={}",
                    *ticks as i64,
                    text::quote(name),
                    *count as i64,
                )),
                Step::Rename { .. } | Step::Close { .. } => {}
            }
        }
        told
    }

    /// Threads under the names that they have when the chunk ends.
    fn final_threads(&self) -> Vec<Thread> {
        let mut threads = self.threads.clone();
        let mut closed = vec![false; threads.len()];
        for step in &self.steps {
            match step {
                Step::Rename { thread, to } => {
                    if let Some(place) = thread
                        .checked_rem(threads.len())
                        .filter(|&place| !closed[place])
                    {
                        threads[place] = to.clone();
                    }
                }
                Step::Close { thread } => {
                    if let Some(place) = thread.checked_rem(threads.len()) {
                        closed[place] = true;
                    }
                }
                _ => {}
            }
        }
        threads
    }

    fn stack(&self, stack: &Stack) -> String {
        let frames = stack
            .frames
            .iter()
            .filter_map(|&(method, line, bytecode_index, kind)| {
                let method = at(&self.methods, method)?;
                Some(text::frame(method, line as i32, bytecode_index, kind))
            });
        text::stack(stack.truncated, frames)
    }
}

/// The `nth` of `count` times over the span that ends at `end`.
fn spread(end: u64, span: u64, nth: u64, count: u64) -> u64 {
    let span = span.min(end);
    end - span + (u128::from(span) * u128::from(nth) / u128::from(count)) as u64
}

fn at<T>(items: &[T], place: usize) -> Option<&T> {
    items.get(place.checked_rem(items.len())?)
}
