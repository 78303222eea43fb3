//! How many bytes things take: most of a profile is samples.

use std::io::Cursor;

use jfr_writer::{
    ChunkWriter, ClassRef, Dialect, ExecutionMode, ExecutionSample, Frame, FrameKind, MethodRef,
    ThreadRef, ThreadState,
};

use crate::story::START;

/// Bytes that the chunk grows by when it takes one more sample of a known stack and thread.
fn bytes_of_a_sample(dialect: Dialect) -> u64 {
    let mut chunk =
        ChunkWriter::begin(Cursor::new(Vec::new()), START, dialect).expect("memory takes bytes");
    let thread = chunk.thread(&ThreadRef {
        os_id: 1,
        os_name: "",
        java_id: 0,
        java_name: None,
        group: None,
    });
    let stack = chunk.stack_trace(&[], false);
    let before = chunk.bytes();
    let sample = ExecutionSample {
        ticks: 60_000_000,
        span_ticks: 10_000,
        thread,
        stack,
        state: ThreadState::Runnable,
        mode: ExecutionMode::Java,
        weight: 1,
    };
    chunk.write(&sample).expect("memory takes bytes");
    chunk.bytes() - before
}

#[test]
fn a_sample_has_no_byte_too_many() {
    let (size, event, time, thread, stack, state) = (1, 3, 4, 1, 1, 1);
    let (mode, weight, spans) = (1, 1, 2);
    let common = size + event + time + thread + stack + state;
    assert_eq!(bytes_of_a_sample(Dialect::Jdk), common);
    assert_eq!(
        bytes_of_a_sample(Dialect::DataKit),
        common + mode + weight + spans
    );
}

#[test]
fn what_is_known_already_takes_nothing() {
    let mut chunk = ChunkWriter::begin(Cursor::new(Vec::new()), START, Dialect::Jdk)
        .expect("memory takes bytes");
    let mut tell = || {
        let class = chunk.class(&ClassRef {
            name: "com/shop/Cart",
            modifiers: 1,
        });
        let method = chunk.method(&MethodRef {
            class,
            name: "total",
            descriptor: "()J",
            modifiers: 1,
            hidden: false,
        });
        let frame = |line| Frame {
            method,
            line,
            bytecode_index: 3,
            kind: FrameKind::Jit,
        };
        let whole = chunk.stack_trace(&[frame(1), frame(2)], false);
        let cut = chunk.stack_trace(&[frame(1), frame(2)], true);
        let shorter = chunk.stack_trace(&[frame(2)], false);
        (class, method, [whole, cut, shorter], chunk.bytes())
    };
    let first = tell();
    assert_eq!(tell(), first);
    let [whole, cut, shorter] = first.2;
    assert!(whole != cut && cut != shorter && shorter != whole);
}
