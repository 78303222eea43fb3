//! Streams and callers that fail.

use std::cell::RefCell;
use std::io::{self, Cursor, Seek, SeekFrom, Write};
use std::rc::Rc;

use jfr_writer::{
    ChunkStart, ChunkWriter, Counter, Dialect, ExecutionMode, ExecutionSample, MAX_SAMPLE_COPIES,
    StackTraceId, ThreadId, ThreadState, WriteError,
};

use crate::story::{END, START};

/// A disk with room for so many bytes.
#[derive(Clone)]
struct SmallDisk {
    content: Rc<RefCell<Cursor<Vec<u8>>>>,
    room: usize,
}

impl SmallDisk {
    fn new(room: usize) -> Self {
        Self {
            content: Rc::default(),
            room,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        self.content.borrow().get_ref().clone()
    }
}

impl Write for SmallDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut content = self.content.borrow_mut();
        if content.position() as usize + bytes.len() > self.room {
            return Err(io::ErrorKind::StorageFull.into());
        }
        content.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for SmallDisk {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.content.borrow_mut().seek(to)
    }
}

const COUNTER: Counter<'static> = Counter {
    ticks: 2_000,
    name: "samples.written",
    count: 1,
};

fn is_full(outcome: &Result<(), WriteError>) -> bool {
    matches!(outcome, Err(WriteError::Io(error)) if error.kind() == io::ErrorKind::StorageFull)
}

#[test]
fn a_writer_that_failed_keeps_failing() {
    let mut chunk = ChunkWriter::begin(SmallDisk::new(100_000), START, Dialect::Jdk)
        .expect("the metadata fits");
    let first = (0..100_000)
        .map(|_| chunk.write(&COUNTER))
        .find(Result::is_err);
    assert!(is_full(&first.expect("the disk gets full")));
    assert!(matches!(chunk.write(&COUNTER), Err(WriteError::Failed)));
    assert!(matches!(
        chunk.finish(END).map(drop),
        Err(WriteError::Failed)
    ));
}

#[test]
fn a_disk_that_fills_up_at_the_end_leaves_no_header() {
    let disk = SmallDisk::new(150_000);
    let mut chunk =
        ChunkWriter::begin(disk.clone(), START, Dialect::Jdk).expect("the metadata fits");
    while chunk.bytes() <= 150_000 {
        chunk
            .write(&COUNTER)
            .expect("the rest still waits in memory");
    }
    assert!(is_full(&chunk.finish(END).map(drop)));
    assert_eq!(disk.bytes()[..68], [0; 68]);
}

#[test]
fn an_abandoned_chunk_has_no_header() {
    let disk = SmallDisk::new(1 << 20);
    let mut chunk =
        ChunkWriter::begin(disk.clone(), START, Dialect::DataKit).expect("the metadata fits");
    while chunk.bytes() < 200_000 {
        chunk.write(&COUNTER).expect("the disk is large");
    }
    chunk.abandon();
    let bytes = disk.bytes();
    assert!(
        bytes.len() > 100_000,
        "{} bytes were handed on",
        bytes.len()
    );
    assert_eq!(bytes[..68], [0; 68]);
}

#[test]
fn a_clock_that_stands_still_is_refused() {
    let start = ChunkStart {
        ticks_per_second: 0,
        ..START
    };
    let outcome = ChunkWriter::begin(Cursor::new(Vec::new()), start, Dialect::Jdk).map(drop);
    assert!(matches!(outcome, Err(WriteError::StoppedClock)));
}

#[test]
fn a_sample_that_would_fill_the_disk_is_refused_and_the_chunk_goes_on() {
    let mut chunk = ChunkWriter::begin(Cursor::new(Vec::new()), START, Dialect::Jdk)
        .expect("memory takes bytes");
    let before = chunk.bytes();
    let sample = ExecutionSample {
        ticks: 2_000,
        span_ticks: 1_000,
        thread: ThreadId::NULL,
        stack: StackTraceId::NULL,
        state: ThreadState::Runnable,
        mode: ExecutionMode::Unknown,
        weight: MAX_SAMPLE_COPIES + 1,
    };
    let weight = sample.weight;
    assert!(
        matches!(chunk.write(&sample), Err(WriteError::TooManyCopies { weight: refused }) if refused == weight)
    );
    assert_eq!(chunk.bytes(), before);
    chunk.write(&COUNTER).expect("memory takes bytes");
    chunk.finish(END).expect("memory takes bytes");
}

#[cfg(debug_assertions)]
#[test]
#[should_panic(expected = "was used in another chunk")]
fn an_id_of_another_chunk_is_noticed() {
    let begin = || {
        ChunkWriter::begin(Cursor::new(Vec::new()), START, Dialect::Jdk)
            .expect("memory takes bytes")
    };
    let (mut one, mut other) = (begin(), begin());
    let stack = one.stack_trace(&[], false);
    let sample = ExecutionSample {
        ticks: 2_000,
        span_ticks: 0,
        thread: ThreadId::NULL,
        stack,
        state: ThreadState::Runnable,
        mode: ExecutionMode::Unknown,
        weight: 1,
    };
    let _ = other.write(&sample);
}
