//! The shape of a record in a ring, written by the handler and read by the recorder.
//!
//! | word | content |
//! | --- | --- |
//! | 0 | length in words (32 bits), kind (8), flags (8), failure (8, signed) |
//! | 1 | CLOCK_MONOTONIC nanoseconds |
//! | 2 | thread key |
//! | 3 | weight (32 bits, intervals), frame count (32); of an allocation, the class's number; of a trapped one, the number of objects that it stands for, as an `f32` |
//! | 4 | program counter; of an allocation, the object's size in bytes |
//! | 5 | nanoseconds since the thread's previous sample; of an allocation, the interval in bytes (32 bits), and its number among the live objects or 0 (32); of a trapped one, the address of its class |
//! | 6 … | a method per frame, leaf first, then the positions in them, two a word |

use crate::ring::Reservation;
use crate::threads::ThreadKey;
use crate::walker::{Failure, Frame, Position};

/// Words before the frames.
pub const HEADER_WORDS: u64 = 6;

/// What a record stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RecordKind {
    /// A tick of the CPU engine.
    Cpu = 0,
    /// The CPU time of a thread, or its events, between its last tick and its end.
    ThreadEnd = 1,
    /// A sampled object.
    Allocation = 2,
    /// The CPU time of an ended thread that had no ticks.
    Unsampled = 3,
    /// An object that has begun a new TLAB.
    AllocationInNewTlab = 4,
    /// An object that was allocated outside of a TLAB.
    AllocationOutside = 5,
}

/// The fixed part of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHead {
    /// What it stands for.
    pub kind: RecordKind,
    /// CLOCK_MONOTONIC nanoseconds of the tick.
    pub nanos: u64,
    /// The thread.
    pub thread: ThreadKey,
    /// Intervals of CPU time.
    pub weight: u32,
    /// The interrupted program counter, 0 where there is none.
    pub program_counter: u64,
    /// Nanoseconds since the thread's previous sample.
    pub span_nanos: u64,
    /// Whether frames were cut.
    pub truncated: bool,
    /// Whether the thread was outside of Java code; of an allocation, whether the JVM's sampler does not take such objects evenly,
    /// so that it is no sample of what is allocated; of a trapped one, whether it is among the counts of what was left of TLABs.
    pub outside: bool,
    /// Why there are no Java frames, or why they are not all.
    pub failure: Failure,
}

const TRUNCATED: u64 = 1 << 40;
const OUTSIDE: u64 = 1 << 41;

/// Word 5 of an allocation.
#[inline]
#[must_use]
pub const fn allocation_word(interval: u32, live: u32) -> u64 {
    interval as u64 | ((live as u64) << 32)
}

impl RecordHead {
    /// Of an allocation: the mean distance of samples in bytes that was in force.
    #[must_use]
    pub const fn allocation_interval(&self) -> u64 {
        self.span_nanos & u32::MAX as u64
    }

    /// Of an allocation: its number among the live objects; 0 when it is not watched.
    #[must_use]
    pub const fn live_number(&self) -> u32 {
        (self.span_nanos >> 32) as u32
    }
}

/// Words of a record with `frames` frames.
#[inline]
#[must_use]
pub const fn length_in_words(frames: u32) -> u64 {
    HEADER_WORDS + frames as u64 + frames.div_ceil(2) as u64
}

/// Writes a record into reserved room.
#[inline]
pub fn write(mut room: Reservation<'_>, head: &RecordHead, frames: &[Frame]) {
    let count = frames.len() as u32;
    let flags = if head.truncated { TRUNCATED } else { 0 } | if head.outside { OUTSIDE } else { 0 };
    room.push(
        length_in_words(count)
            | ((head.kind as u64) << 32)
            | flags
            | (u64::from((head.failure as i8).cast_unsigned()) << 48),
    );
    room.push(head.nanos);
    room.push(head.thread.to_bits());
    room.push(u64::from(head.weight) | (u64::from(count) << 32));
    room.push(head.program_counter);
    room.push(head.span_nanos);
    for frame in frames {
        room.push(frame.method as u64);
    }
    let mut pairs = frames.chunks_exact(2);
    for pair in &mut pairs {
        if let [low, high] = pair {
            room.push(pack(low.position, high.position));
        }
    }
    if let [last] = pairs.remainder() {
        room.push(pack(last.position, Position::default()));
    }
    room.commit();
}

#[inline]
const fn pack(low: Position, high: Position) -> u64 {
    low.to_bits() as u64 | ((high.to_bits() as u64) << 32)
}

/// A record as the recorder reads it.
#[derive(Clone, Copy, Debug)]
pub struct RecordView<'a> {
    /// The fixed part.
    pub head: RecordHead,
    methods: &'a [u64],
    positions: &'a [u64],
}

impl<'a> RecordView<'a> {
    /// Reads the words of one record; `None` when they are not a record.
    #[must_use]
    pub fn parse(words: &'a [u64]) -> Option<Self> {
        let (head, frames) = words.split_at_checked(HEADER_WORDS as usize)?;
        let &[first, nanos, thread, counts, program_counter, span_nanos] = head else {
            return None;
        };
        let count = (counts >> 32) as usize;
        let (methods, positions) = frames.split_at_checked(count)?;
        let positions = positions.get(..count.div_ceil(2))?;
        let kind = match (first >> 32) as u8 {
            0 => RecordKind::Cpu,
            1 => RecordKind::ThreadEnd,
            2 => RecordKind::Allocation,
            3 => RecordKind::Unsampled,
            4 => RecordKind::AllocationInNewTlab,
            5 => RecordKind::AllocationOutside,
            _ => return None,
        };
        let head = RecordHead {
            kind,
            nanos,
            thread: ThreadKey::from_bits(thread),
            weight: counts as u32,
            program_counter,
            span_nanos,
            truncated: first & TRUNCATED != 0,
            outside: first & OUTSIDE != 0,
            failure: Failure::from_code(((first >> 48) as u8).cast_signed()),
        };
        Some(Self {
            head,
            methods,
            positions,
        })
    }

    /// The frames, leaf first.
    pub fn frames(&self) -> impl ExactSizeIterator<Item = Frame> + use<'a> {
        let positions = self.positions;
        self.methods
            .iter()
            .enumerate()
            .map(move |(place, &method)| {
                let pair = positions.get(place / 2).copied().unwrap_or(0);
                let half = if place % 2 == 0 { pair } else { pair >> 32 };
                Frame {
                    position: Position::from_bits(half as u32),
                    method: method as usize,
                }
            })
    }

    /// The words that identify the stack: equal words, equal stack.
    #[must_use]
    pub fn stack_words(&self) -> (&'a [u64], &'a [u64]) {
        (self.methods, self.positions)
    }
}
