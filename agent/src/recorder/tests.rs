//! What the chunk makes of records: stacks of methods in memory of our own.
//!
//! # Safety
//! Each ring has the test as its only producer and consumer.
#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::io::{Read, Seek, SeekFrom};

use jfr_reader::Recording;
use jfr_writer::{ChunkEnd, ChunkStart, Dialect, ExecutionMode};
use jprof_signal_safe::record::{self, RecordHead, RecordKind, RecordView};
use jprof_signal_safe::ring::Ring;
use jprof_signal_safe::threads::ThreadKey;
use jprof_signal_safe::walker::{Failure, Frame, FrameType, Position};

use super::chunk::{OpenChunk, SampleFacts, mode_of};
use super::naming::Naming;
use super::stack_key::StackKey;
use crate::hotspot::names::fake::{FakeMethod, Told};

const HEAD: RecordHead = RecordHead {
    kind: RecordKind::Cpu,
    nanos: 5,
    thread: ThreadKey::from_bits(1),
    weight: 1,
    program_counter: 0x4000,
    span_nanos: 0,
    truncated: false,
    outside: false,
    failure: Failure::None,
};

/// The words of a record, as they come out of a ring.
fn words(head: RecordHead, frames: &[Frame]) -> Vec<u64> {
    let memory = (0..128).map(|_| UnsafeCell::new(0)).collect::<Vec<_>>();
    let ring = Ring::new(memory.leak()).expect("a power of two");
    let length = record::length_in_words(frames.len() as u32);
    // SAFETY: see the file's head.
    let room = unsafe { ring.reserve(length) }.expect("an empty ring");
    record::write(room, &head, frames);
    let mut words = Vec::new();
    // SAFETY: see the file's head.
    assert!(unsafe { ring.take(|word| words.push(word)) });
    words
}

fn frame(method: &FakeMethod, frame_type: FrameType, index: i32) -> Frame {
    Frame {
        position: Position::new(frame_type, index),
        method: method.address(),
    }
}

struct Chunk {
    open: OpenChunk,
    naming: Naming,
}

impl Chunk {
    fn new(dialect: Dialect) -> Chunk {
        let start = ChunkStart {
            unix_nanos: 1,
            ticks: 1,
            ticks_per_second: 1_000_000,
        };
        let file = tempfile::tempfile().expect("a file");
        let mut naming = Naming::new(Some(FakeMethod::resolver()), false);
        naming.begin_drain(1);
        Chunk {
            open: OpenChunk::begin(file, dialect, start).expect("a chunk"),
            naming,
        }
    }

    fn sample(&mut self, head: RecordHead, library: Option<&str>, frames: &[Frame]) {
        let words = words(head, frames);
        let record = RecordView::parse(&words).expect("a record");
        let stack = self.open.java_stack(&record, library, &mut self.naming);
        let facts = SampleFacts {
            ticks: 2,
            span_ticks: 0,
            thread: self.open.ended_threads(),
            mode: mode_of(&record, library),
            weight: 1,
        };
        self.open.sample(&facts, stack).expect("a sample");
    }

    /// The samples' stacks, each frame as `kind class.method:line`.
    fn stacks(self) -> Vec<Vec<String>> {
        let end = ChunkEnd {
            unix_nanos: 2,
            ticks: 3,
        };
        let mut file = self.open.finish(end).expect("a file");
        file.seek(SeekFrom::Start(0)).expect("a file");
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).expect("a file");
        let recording = Recording::parse(&bytes).expect("a recording");
        let mut stacks = Vec::new();
        for event in recording.chunks()[0].events() {
            let event = event.expect("an event");
            if let Some(stack) = event.stack_trace() {
                let text = |frame: jfr_reader::FrameView<'_>| {
                    format!(
                        "{} {}.{}:{}",
                        frame.kind().unwrap_or_default(),
                        frame.class_name().unwrap_or_default(),
                        frame.method_name().unwrap_or_default(),
                        frame.line().unwrap_or_default()
                    )
                };
                stacks.push(stack.frames().map(text).collect());
            }
        }
        stacks
    }
}

const A: Told<'_> = Told {
    class_name: "shop/A",
    name: "a",
    line: 3,
};
const B: Told<'_> = Told {
    class_name: "shop/B",
    name: "b",
    line: 4,
};

#[test]
fn each_frame_says_how_it_runs_in_both_dialects() {
    for dialect in [Dialect::DataKit, Dialect::Jdk] {
        let method = FakeMethod::new(A);
        let mut chunk = Chunk::new(dialect);
        let kinds = [
            (FrameType::Inlined, "Inlined"),
            (FrameType::C2, "JIT compiled"),
            (FrameType::C1, "C1 compiled"),
            (FrameType::Interpreted, "Interpreted"),
            (FrameType::Native, "Native"),
        ];
        let frames = kinds.map(|(frame_type, _)| frame(&method, frame_type, 0));
        chunk.sample(HEAD, None, &frames);
        let expected = kinds.map(|(_, kind)| format!("{kind} shop/A.a:3"));
        assert_eq!(chunk.stacks(), [expected]);
    }
}

#[test]
fn a_frame_without_an_index_has_no_line() {
    let method = FakeMethod::new(A);
    let mut chunk = Chunk::new(Dialect::Jdk);
    chunk.sample(HEAD, None, &[frame(&method, FrameType::C1, -1)]);
    assert_eq!(chunk.stacks(), [["C1 compiled shop/A.a:0"]]);
}

#[test]
fn a_walker_that_cannot_tell_is_helped_by_what_is_compiled() {
    let mut method = FakeMethod::new(A);
    let unknown = [frame(&method, FrameType::Unknown, 0)];
    let mut chunk = Chunk::new(Dialect::Jdk);
    chunk.sample(HEAD, None, &unknown);
    method.compile();
    chunk.naming.begin_drain(2);
    // Another stack: that of before keeps what it was taken for.
    chunk.sample(HEAD, None, &[unknown[0], unknown[0]]);
    let (interpreted, compiled) = ("Interpreted shop/A.a:3", "JIT compiled shop/A.a:3");
    assert_eq!(
        chunk.stacks(),
        [vec![interpreted], vec![compiled, compiled]]
    );
}

#[test]
fn the_library_is_on_top_and_the_reason_at_the_bottom() {
    let method = FakeMethod::new(A);
    let frames = [frame(&method, FrameType::C2, 0)];
    let mut chunk = Chunk::new(Dialect::Jdk);
    let outside = RecordHead {
        outside: true,
        ..HEAD
    };
    let failed = RecordHead {
        failure: Failure::BrokenEntry,
        ..outside
    };
    for _ in 0..2 {
        chunk.sample(HEAD, None, &frames);
        chunk.sample(outside, Some("libc.so.6"), &frames);
        chunk.sample(failed, Some("libjvm.so"), &frames);
    }
    let java = "JIT compiled shop/A.a:3";
    let expected = [
        vec![java],
        vec!["Native .libc.so.6:0", java],
        vec!["Native .libjvm.so:0", java, "Native .[broken_entry]:0"],
    ];
    assert_eq!(chunk.stacks(), [expected.clone(), expected].concat());
}

#[test]
fn the_mode_is_that_of_the_leaf() {
    let method = FakeMethod::new(A);
    let java = [frame(&method, FrameType::C2, 0)];
    let native = [frame(&method, FrameType::Native, -1), java[0]];
    for (failure, frames, library, mode) in [
        (Failure::None, &java[..], None, ExecutionMode::Java),
        (Failure::OutOfStack, &java, None, ExecutionMode::Java),
        (Failure::None, &native, None, ExecutionMode::Native),
        (
            Failure::None,
            &java,
            Some("libc.so.6"),
            ExecutionMode::Native,
        ),
        (Failure::None, &java, Some("libjvm.so"), ExecutionMode::Vm),
        (Failure::NoJavaFrame, &[], None, ExecutionMode::Native),
        (Failure::GcActive, &[], None, ExecutionMode::Vm),
        (Failure::UnknownCode, &[], None, ExecutionMode::Unknown),
    ] {
        let words = words(RecordHead { failure, ..HEAD }, frames);
        let record = RecordView::parse(&words).expect("a record");
        assert_eq!(mode_of(&record, library), mode, "{failure:?} {library:?}");
    }
}

#[test]
fn the_labels_are_part_of_a_stack_s_key() {
    let method = FakeMethod::new(A);
    let words = words(HEAD, &[frame(&method, FrameType::C2, 0)]);
    let record = RecordView::parse(&words).expect("a record");
    let keys = [
        ("", ""),
        ("x", ""),
        ("", "x"),
        ("x", "x"),
        ("xx", ""),
        ("a longer one", ""),
    ]
    .map(|(top, bottom)| StackKey::of_record(&record, top, bottom));
    for (place, key) in keys.iter().enumerate() {
        assert!(!keys[place + 1..].contains(key));
    }
}

#[test]
fn a_method_that_takes_another_s_place_has_a_name_of_its_own() {
    let mut method = FakeMethod::new(A);
    let other = FakeMethod::new(A);
    let frames = [
        frame(&method, FrameType::C2, 0),
        frame(&other, FrameType::C2, 0),
    ];
    let mut chunk = Chunk::new(Dialect::Jdk);
    chunk.sample(HEAD, None, &frames);
    // Freed: the sample was taken before.
    method.free();
    chunk.naming.begin_drain(2);
    chunk.sample(HEAD, None, &frames);
    method.tell(B);
    // The JVM is asked once a drain.
    chunk.sample(HEAD, None, &frames);
    chunk.naming.begin_drain(3);
    chunk.sample(HEAD, None, &frames);
    // And the same again, which is found in the cache.
    chunk.naming.begin_drain(4);
    chunk.sample(HEAD, None, &frames);
    assert_eq!(chunk.open.distinct_stacks(), 1);
    let a = "JIT compiled shop/A.a:3";
    let b = "JIT compiled shop/B.b:4";
    assert_eq!(chunk.stacks(), [[a, a], [a, a], [a, a], [b, a], [b, a]]);
}

#[test]
fn a_method_that_has_not_been_in_use_is_not_taken_for_one_that_came_and_went() {
    let mut method = FakeMethod::new(A);
    let frames = [frame(&method, FrameType::C2, 0)];
    let mut chunk = Chunk::new(Dialect::Jdk);
    chunk.sample(HEAD, None, &frames);
    chunk.naming.begin_drain(2);
    chunk.naming.begin_drain(3);
    assert_eq!(chunk.naming.signs_of_haste(), 0);
    method.free();
    chunk.sample(HEAD, None, &frames);
    assert!(chunk.naming.signs_of_haste() > 0);
    let expected = [
        "JIT compiled shop/A.a:3",
        "JIT compiled .[unknown_method]:0",
    ];
    assert_eq!(chunk.stacks(), expected.map(|frame| [frame]));
}

#[test]
fn what_was_never_a_method_is_asked_again() {
    let mut method = FakeMethod::new(A);
    method.free();
    let frames = [frame(&method, FrameType::C2, 0)];
    let mut chunk = Chunk::new(Dialect::Jdk);
    chunk.sample(HEAD, None, &frames);
    assert_eq!(chunk.naming.signs_of_haste(), 1);
    method.tell(B);
    chunk.naming.begin_drain(2);
    chunk.sample(HEAD, None, &frames);
    let expected = [
        "JIT compiled .[unknown_method]:0",
        "JIT compiled shop/B.b:4",
    ];
    assert_eq!(chunk.naming.signs_of_haste(), 1);
    assert_eq!(chunk.stacks(), expected.map(|frame| [frame]));
}

#[test]
fn frames_that_are_still_in_the_heap_are_one_label_and_no_failure() {
    let method = FakeMethod::new(A);
    let running = frame(&method, FrameType::C2, 0);
    let frozen = Frame {
        position: Position::new(FrameType::Unknown, 0),
        method: 0,
    };
    let mut chunk = Chunk::new(Dialect::Jdk);
    chunk.sample(HEAD, None, &[running, frozen]);
    chunk.naming.begin_drain(2);
    chunk.sample(HEAD, None, &[running, frozen]);
    chunk.sample(HEAD, None, &[running]);
    assert!(chunk.naming.counters().all(|(_, count)| count == 0));
    assert_eq!(chunk.naming.signs_of_haste(), 0);
    assert_eq!(chunk.open.distinct_stacks(), 2);
    let (a, heap) = ("JIT compiled shop/A.a:3", "Native .[frozen frames]:0");
    assert_eq!(chunk.stacks(), [vec![a, heap], vec![a, heap], vec![a]]);
}

#[test]
fn hidden_classes_of_one_lambda_are_one_method() {
    let lambdas = [
        "shop/A$$Lambda$1+0x0000000800c03000",
        "shop/A$$Lambda$1+0x0000000800c03400",
    ]
    .map(|class_name| FakeMethod::new(Told { class_name, ..A }));
    let mut chunk = Chunk::new(Dialect::Jdk);
    for lambda in &lambdas {
        chunk.sample(HEAD, None, &[frame(lambda, FrameType::C2, 0)]);
    }
    assert_eq!(chunk.open.distinct_stacks(), 2);
    assert_eq!(chunk.stacks(), [["JIT compiled shop/A$$Lambda.a:3"]; 2]);
}
