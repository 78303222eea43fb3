//! Telling a story to a writer, and what a reader should then show.

use std::io::{Seek, Write};

use jfr_writer::{
    ActiveSetting, ChunkWriter, ClassId, ClassRef, Counter, CpuLoad, Dialect, ExecutionMode,
    ExecutionSample, Frame, HeapUsage, InitialSystemProperty, LiveObject, MethodRef, NativeLibrary,
    ObjectSample, StackTraceId, ThreadEnd, ThreadId, ThreadRef, ThreadStart, WriteError,
};

use crate::story::{Stack, Step, Story, Thread};
use crate::text;

impl Thread {
    fn as_ref(&self) -> ThreadRef<'_> {
        ThreadRef {
            os_id: self.os_id,
            os_name: &self.os_name,
            java_id: self.java_id,
            java_name: self.java_name.as_deref(),
            group: self.group.as_deref(),
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
        let classes: Vec<ClassId> = self
            .classes
            .iter()
            .map(|name| chunk.class(&ClassRef { name, modifiers: 1 }))
            .collect();
        let class_at = |place| *at(&classes, place).unwrap_or(&ClassId::NULL);
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
                Step::Allocation {
                    ticks,
                    thread,
                    stack,
                    class,
                    size,
                    weight,
                } => chunk.write(&ObjectSample {
                    ticks,
                    thread: thread_at(thread),
                    stack: stack_at(stack),
                    class: class_at(class),
                    size_bytes: size,
                    weight,
                })?,
                Step::Live {
                    ticks,
                    thread,
                    stack,
                    class,
                    size,
                    weight,
                    age,
                    allocated,
                } => chunk.write(&LiveObject {
                    ticks,
                    thread: thread_at(thread),
                    stack: stack_at(stack),
                    class: class_at(class),
                    size_bytes: size,
                    weight,
                    age,
                    allocation_ticks: allocated,
                })?,
                Step::Heap {
                    ticks,
                    size,
                    is_live,
                } => chunk.write(&HeapUsage {
                    ticks,
                    size_bytes: size,
                    is_live,
                })?,
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
        let class =
            |place| at(&self.classes, place).map_or(text::NULL.into(), |name| text::quote(name));
        let bytes = |size: u64, weight: f32| (size as f64 * f64::from(weight)).round() as u64;
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
                Step::Allocation { ticks, thread: of, stack: trace, class: object, size, weight } => {
                    let (ticks, thread, stack, class) = (*ticks as i64, thread(*of), stack(*trace), class(*object));
                    told.push(match self.dialect {
                        Dialect::DataKit => format!(
                            "datadog.ObjectSample startTime={ticks} eventThread={thread} stackTrace={stack} \
                             objectClass={class} size={size} weight={weight:?}",
                        ),
                        Dialect::Jdk => format!(
                            "jdk.ObjectAllocationInNewTLAB startTime={ticks} eventThread={thread} stackTrace={stack} \
                             objectClass={class} allocationSize={size} tlabSize={}",
                            bytes(*size, *weight),
                        ),
                    });
                }
                Step::Live { ticks, thread: of, stack: trace, class: object, size, weight, age, allocated } => {
                    let (ticks, thread, stack, class) = (*ticks as i64, thread(*of), stack(*trace), class(*object));
                    told.push(match self.dialect {
                        Dialect::DataKit => format!(
                            "datadog.HeapLiveObject startTime={ticks} eventThread={thread} stackTrace={stack} \
                             objectClass={class} age={age} size={size} weight={weight:?}",
                        ),
                        Dialect::Jdk => format!(
                            "profiler.LiveObject startTime={ticks} eventThread={thread} stackTrace={stack} \
                             objectClass={class} allocationSize={} allocationTime={}",
                            bytes(*size, *weight),
                            *allocated as i64,
                        ),
                    });
                }
                Step::Heap { ticks, size, is_live } => {
                    if self.dialect == Dialect::DataKit {
                        told.push(format!(
                            "datadog.HeapUsage startTime={} size={size} isLive={is_live}",
                            *ticks as i64,
                        ));
                    }
                }
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
