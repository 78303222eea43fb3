//! Writes a small but complete recording, with every event that its dialect has:
//! `sample_chunk PATH [datakit|jdk] [CHUNKS]`.

use std::env;
use std::error::Error;
use std::fs::File;
use std::io::{Seek, Write};

use jfr_writer::{
    ActiveRecording, ActiveSetting, ChunkEnd, ChunkStart, ChunkWriter, ClassRef, Counter,
    CpuInformation, CpuLoad, Dialect, ExecutionMode, ExecutionSample, Frame, FrameKind, HeapUsage,
    InitialSystemProperty, JvmInformation, LiveObject, MethodId, MethodRef, NativeLibrary,
    ObjectSample, OsInformation, ProfilerConfig, StackTraceId, ThreadEnd, ThreadId, ThreadRef,
    ThreadStart, ThreadState, WriteError,
};

const START_UNIX_NANOS: u64 = 1_760_000_000_000_000_000;
const START_TICKS: u64 = 5_000_000_000_000;
const TICKS_PER_SECOND: u64 = 1_000_000_000;
const CHUNK_TICKS: u64 = 10 * TICKS_PER_SECOND;
const INTERVAL_TICKS: u64 = 10_000_000;
const ALLOC_INTERVAL_BYTES: u64 = 512 << 10;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let path = args
        .next()
        .ok_or("usage: sample_chunk PATH [datakit|jdk] [CHUNKS]")?;
    let dialect = match args.next().as_deref() {
        None | Some("datakit") => Dialect::DataKit,
        Some("jdk") => Dialect::Jdk,
        Some(other) => return Err(format!("no dialect is called {other}").into()),
    };
    let chunks: u64 = args.next().map_or(Ok(1), |count| count.parse())?;
    let mut file = File::create(path)?;
    for nth in 0..chunks {
        file = write_chunk(file, dialect, nth * CHUNK_TICKS)?;
    }
    Ok(())
}

/// One chunk of ten seconds that begins `offset_ticks` after the first one.
fn write_chunk(out: File, dialect: Dialect, offset_ticks: u64) -> Result<File, WriteError> {
    let ticks = START_TICKS + offset_ticks;
    let unix_nanos = START_UNIX_NANOS + offset_ticks;
    let start = ChunkStart {
        unix_nanos,
        ticks,
        ticks_per_second: TICKS_PER_SECOND,
    };
    let mut chunk = ChunkWriter::begin(out, start, dialect)?;
    write_process(&mut chunk, ticks)?;
    write_settings(&mut chunk, ticks)?;
    let main = chunk.thread(&ThreadRef {
        os_id: 4712,
        os_name: "java",
        java_id: 1,
        java_name: Some("main"),
        group: Some("main"),
    });
    let worker = chunk.thread(&ThreadRef {
        os_id: 4720,
        os_name: "pool-1-thread-1",
        java_id: 31,
        java_name: Some("pool-1-thread-1 <script>alert(1)</script> 线程"),
        group: Some("workers"),
    });
    let compiler = chunk.thread(&ThreadRef {
        os_id: 4715,
        os_name: "C2 CompilerThre",
        java_id: 0,
        java_name: None,
        group: None,
    });
    let stacks = Stacks::new(&mut chunk);
    chunk.write(&ThreadStart {
        ticks: ticks + INTERVAL_TICKS,
        event_thread: main,
        stack: stacks.main[0],
        thread: worker,
        parent_thread: main,
    })?;
    write_samples(&mut chunk, ticks, [main, worker, compiler], &stacks)?;
    let end_ticks = ticks + CHUNK_TICKS;
    write_objects(&mut chunk, [ticks, end_ticks], [main, worker], &stacks)?;
    chunk.write(&ThreadEnd {
        ticks: end_ticks - INTERVAL_TICKS,
        thread: worker,
    })?;
    chunk.write(&CpuLoad {
        ticks: end_ticks,
        jvm_user: 0.25,
        jvm_system: 0.03125,
        machine_total: 0.5,
    })?;
    for (name, count) in [("samples.written", 2_000), ("samples.dropped.ring_full", 3)] {
        chunk.write(&Counter {
            ticks: end_ticks,
            name,
            count,
        })?;
    }
    chunk.finish(ChunkEnd {
        unix_nanos: unix_nanos + CHUNK_TICKS,
        ticks: end_ticks,
    })
}

fn write_process<W: Write + Seek>(
    chunk: &mut ChunkWriter<W>,
    ticks: u64,
) -> Result<(), WriteError> {
    chunk.write(&JvmInformation {
        ticks,
        jvm_name: "OpenJDK 64-Bit Server VM",
        jvm_version: "OpenJDK 64-Bit Server VM (17.0.15+6) for linux-amd64 JRE (17.0.15+6)",
        jvm_arguments: Some("-Xmx256m -agentpath:libjprof.so=service=shop"),
        jvm_flags: None,
        java_arguments: Some("com.shop.Main --port 8080"),
        jvm_start_unix_millis: START_UNIX_NANOS / 1_000_000 - 5_000,
        pid: 4711,
    })?;
    chunk.write(&OsInformation {
        ticks,
        os_version: "Debian GNU/Linux 12 (bookworm), Linux 6.1",
    })?;
    chunk.write(&CpuInformation {
        ticks,
        cpu: "Example x86_64",
        description: "sse4_2 avx2",
        sockets: 1,
        cores: 2,
        hw_threads: 4,
    })?;
    for (key, value) in [
        ("java.version", "17.0.15"),
        ("user.language", ""),
        ("shop.password", "***"),
    ] {
        chunk.write(&InitialSystemProperty { ticks, key, value })?;
    }
    chunk.write(&NativeLibrary {
        ticks,
        name: "/usr/lib/jvm/java-17/lib/server/libjvm.so",
        base_address: 0x7f12_3400_0000,
        top_address: 0x7f12_3540_0000,
    })
}

fn write_settings<W: Write + Seek>(
    chunk: &mut ChunkWriter<W>,
    ticks: u64,
) -> Result<(), WriteError> {
    chunk.write(&ActiveRecording {
        ticks,
        id: 1,
        name: "jprof",
        destination: None,
        max_age_millis: 0,
        max_size_bytes: 16 << 20,
        start_unix_millis: START_UNIX_NANOS / 1_000_000,
        duration_millis: 0,
    })?;
    chunk.write(&ProfilerConfig {
        ticks,
        cpu_interval_nanos: INTERVAL_TICKS,
        wall_interval_nanos: 0,
        alloc_interval_bytes: ALLOC_INTERVAL_BYTES,
        memleak_interval_bytes: ALLOC_INTERVAL_BYTES,
        memleak_capacity: 1_024,
        mode_mask: 3,
        version: "0.1.0",
        cpu_engine: "perf_events",
    })?;
    let sample = match chunk.dialect() {
        Dialect::DataKit => "datadog.ExecutionSample",
        Dialect::Jdk => "jdk.ExecutionSample",
    };
    for (event, name, value) in [
        ("jdk.ActiveRecording", "event", "cpu"),
        (sample, "enabled", "true"),
        (sample, "interval", "10ms"),
    ] {
        chunk.write(&ActiveSetting {
            ticks,
            event,
            name,
            value,
        })?;
    }
    Ok(())
}

/// Stacks of the three threads.
struct Stacks {
    main: Vec<StackTraceId>,
    worker: Vec<StackTraceId>,
    compiler: StackTraceId,
}

impl Stacks {
    fn new<W: Write + Seek>(chunk: &mut ChunkWriter<W>) -> Self {
        let java = |method, line, kind| Frame {
            method,
            line,
            bytecode_index: line as i32 / 2,
            kind,
        };
        let native = |method, kind| Frame {
            method,
            line: 0,
            bytecode_index: -1,
            kind,
        };
        let main = method(chunk, "com/shop/Main", "main", "([Ljava/lang/String;)V");
        let serve = method(chunk, "com/shop/Main", "serve", "()V");
        let total = method(chunk, "com/shop/Cart", "total", "()J");
        let hash = method(chunk, "java/util/HashMap", "hash", "(Ljava/lang/Object;)I");
        let lambda = method(
            chunk,
            "com/shop/Cart$$Lambda$14/0x0000000800c03000",
            "accept",
            "(Ljava/lang/Object;)V",
        );
        let run = method(chunk, "java/lang/Thread", "run", "()V");
        let read = method(chunk, "libc.so.6", "read", "()L;");
        let kernel = method(chunk, "", "vfs_read", "(Lk;)L;");
        let compile = method(
            chunk,
            "libjvm.so",
            "PhaseIdealLoop::build_and_optimize",
            "()L;",
        );
        let start = method(chunk, "libc.so.6", "start_thread", "()L;");
        let base = [
            java(serve, 25, FrameKind::Jit),
            java(main, 12, FrameKind::Interpreted),
        ];
        let with = |leaves: &[Frame]| [leaves, &base].concat();
        let main = [
            with(&[]),
            with(&[java(total, 88, FrameKind::C1)]),
            with(&[
                java(hash, 338, FrameKind::Inlined),
                java(total, 90, FrameKind::Jit),
            ]),
            with(&[
                native(kernel, FrameKind::Kernel),
                native(read, FrameKind::Native),
            ]),
        ];
        let deep: Vec<Frame> = (0..200)
            .map(|depth| java(total, 100 + depth % 3, FrameKind::Jit))
            .collect();
        let worker = [
            vec![
                java(lambda, 7, FrameKind::Jit),
                java(run, 840, FrameKind::Interpreted),
            ],
            [&deep[..], &[java(run, 840, FrameKind::Interpreted)]].concat(),
        ];
        let compiler = [
            native(compile, FrameKind::Cpp),
            native(start, FrameKind::Native),
        ];
        let mut worker: Vec<_> = worker
            .iter()
            .map(|frames| chunk.stack_trace(frames, false))
            .collect();
        worker.push(chunk.stack_trace(&deep, true));
        Self {
            main: main
                .iter()
                .map(|frames| chunk.stack_trace(frames, false))
                .collect(),
            worker,
            compiler: chunk.stack_trace(&compiler, false),
        }
    }
}

fn method<W: Write + Seek>(
    chunk: &mut ChunkWriter<W>,
    class: &str,
    name: &str,
    descriptor: &str,
) -> MethodId {
    let class = chunk.class(&ClassRef {
        name: class,
        modifiers: 1,
    });
    chunk.method(&MethodRef {
        class,
        name,
        descriptor,
        modifiers: 1,
        hidden: false,
    })
}

fn write_samples<W: Write + Seek>(
    chunk: &mut ChunkWriter<W>,
    start_ticks: u64,
    [main, worker, compiler]: [ThreadId; 3],
    stacks: &Stacks,
) -> Result<(), WriteError> {
    for nth in 1..CHUNK_TICKS / INTERVAL_TICKS {
        let place = nth as usize;
        let ticks = start_ticks + nth * INTERVAL_TICKS;
        let in_kernel = place % stacks.main.len() == 3;
        let sample = ExecutionSample {
            ticks,
            span_ticks: INTERVAL_TICKS,
            thread: main,
            stack: stacks.main[place % stacks.main.len()],
            state: if in_kernel {
                ThreadState::Syscall
            } else {
                ThreadState::Runnable
            },
            mode: if in_kernel {
                ExecutionMode::Native
            } else {
                ExecutionMode::Java
            },
            weight: 1,
        };
        chunk.write(&sample)?;
        if nth % 2 == 0 {
            let span_ticks = 2 * INTERVAL_TICKS;
            let stack = stacks.worker[place / 2 % stacks.worker.len()];
            chunk.write(&ExecutionSample {
                thread: worker,
                stack,
                span_ticks,
                weight: 2,
                ..sample
            })?;
        }
        if nth % 10 == 0 {
            let stack = stacks.compiler;
            chunk.write(&ExecutionSample {
                thread: compiler,
                stack,
                mode: ExecutionMode::Vm,
                ..sample
            })?;
        }
    }
    Ok(())
}

/// Objects of classes that a JVM names in different ways, allocated all the time; some of them are
/// alive at the end.
fn write_objects<W: Write + Seek>(
    chunk: &mut ChunkWriter<W>,
    [start_ticks, end_ticks]: [u64; 2],
    [main, worker]: [ThreadId; 2],
    stacks: &Stacks,
) -> Result<(), WriteError> {
    let classes = [
        ("[B", 1_040_u64),
        ("java/lang/String", 24),
        ("[[J", 32),
        ("[Ljava/util/HashMap$Node;", 8 << 20),
        ("com/shop/Cart$$Lambda$14/0x0000000800c03000", 16),
    ];
    let classes = classes.map(|(name, size_bytes)| {
        let class = chunk.class(&ClassRef { name, modifiers: 1 });
        (class, size_bytes)
    });
    for place in 0..100 {
        let (class, size_bytes) = classes[place % classes.len()];
        let (thread, stack) = match place % 3 {
            0 => (worker, stacks.worker[0]),
            _ => (main, stacks.main[place % 3]),
        };
        let ticks = start_ticks + place as u64 * 9 * INTERVAL_TICKS;
        let weight = (ALLOC_INTERVAL_BYTES as f32 / size_bytes as f32).max(1.0) + 0.25;
        chunk.write(&ObjectSample {
            ticks,
            thread,
            stack,
            class,
            size_bytes,
            weight,
        })?;
        if place % 10 == 1 {
            chunk.write(&LiveObject {
                ticks: end_ticks,
                thread,
                stack,
                class,
                size_bytes,
                weight,
                age: place as u64 / 10,
                allocation_ticks: ticks,
            })?;
        }
    }
    chunk.write(&HeapUsage {
        ticks: end_ticks,
        size_bytes: 48 << 20,
        is_live: true,
    })
}
