//! Writes a recording whose names try to be markup, script, or other names:
//! `hostile_recording OUT.jfr`. Names of threads, classes and methods belong to whoever wrote the
//! program that was profiled.

use std::error::Error;
use std::fs::File;

use jfr_writer::{
    ChunkEnd, ChunkStart, ChunkWriter, ClassRef, Counter, Dialect, ExecutionMode, ExecutionSample,
    Frame, FrameKind, MethodRef, ProfilerConfig, ThreadRef, ThreadState,
};

const NAMES: [&str; 6] = [
    "</script><script>alert('script')</script>",
    "<img src=x onerror=alert('img')>",
    "\"onmouseover=alert('attribute') x=\"",
    "a\u{202e}gnp.b\u{2066}\u{200b}c",
    "{{script}}<!--",
    "'; alert('quote'); //",
];
const START_UNIX_NANOS: u64 = 1_760_000_000_000_000_000;
const SECOND: u64 = 1_000_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args()
        .nth(1)
        .ok_or("usage: hostile_recording OUT.jfr")?;
    let start = ChunkStart {
        unix_nanos: START_UNIX_NANOS,
        ticks: 0,
        ticks_per_second: SECOND,
    };
    let mut chunk = ChunkWriter::begin(File::create(path)?, start, Dialect::DataKit)?;
    chunk.write(&ProfilerConfig {
        ticks: 0,
        cpu_interval_nanos: SECOND / 100,
        wall_interval_nanos: 0,
        alloc_interval_bytes: 0,
        memleak_interval_bytes: 0,
        memleak_capacity: 0,
        mode_mask: 1,
        version: NAMES[0],
        cpu_engine: NAMES[1],
    })?;
    let long = "x".repeat(60_000);
    for (number, name) in NAMES.iter().copied().chain([long.as_str()]).enumerate() {
        let number = number as u64;
        let class = chunk.class(&ClassRef { name, modifiers: 1 });
        let method = chunk.method(&MethodRef {
            class,
            name,
            descriptor: "()V",
            modifiers: 1,
            hidden: false,
        });
        let frame = Frame {
            method,
            line: 1,
            bytecode_index: 0,
            kind: FrameKind::Jit,
        };
        let stack = chunk.stack_trace(&[frame, frame], false);
        let thread = chunk.thread(&ThreadRef {
            os_id: 100 + number,
            os_name: name,
            java_id: 1 + number,
            java_name: Some(name),
            group: Some(name),
        });
        chunk.write(&ExecutionSample {
            ticks: (1 + number) * SECOND,
            span_ticks: SECOND / 100,
            thread,
            stack,
            state: ThreadState::Runnable,
            mode: ExecutionMode::Java,
            weight: 1 + number,
        })?;
        chunk.write(&Counter {
            ticks: 20 * SECOND,
            name,
            count: 1,
        })?;
    }
    chunk.finish(ChunkEnd {
        unix_nanos: START_UNIX_NANOS + 60 * SECOND,
        ticks: 60 * SECOND,
    })?;
    Ok(())
}
