//! Stack traces, kept as a tree: traces share their callers, so that a chunk's traces take a
//! fraction of the memory that they take in the file.

use std::hash::{BuildHasher, Hash};
use std::io;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use rustc_hash::FxBuildHasher;

use super::{FrameKind, Pool};
use crate::chunk::Sink;
use crate::encode::{int_len, long_len, put_boolean, put_int, put_long};
use crate::ids::{ChunkTag, MethodId};
use crate::metadata::{Member, Structure, Type};

/// A frame of a stack trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Frame {
    /// Where it is.
    pub method: MethodId,
    /// Line in the source file; 0: not known.
    pub line: u32,
    /// Index of the bytecode; negative: not known.
    pub bytecode_index: i32,
    /// How it runs.
    pub kind: FrameKind,
}

pub(crate) const STACK_FRAME: Structure = Structure {
    label: None,
    ..Structure::new(
        Type::StackFrame,
        "jdk.types.StackFrame",
        "",
        &[
            Member::new("method", "Java Method", Type::Method),
            Member::new("lineNumber", "Line Number", Type::Int),
            Member::new("bytecodeIndex", "Bytecode Index", Type::Int),
            Member::new("type", "Frame Type", Type::FrameKind),
        ],
    )
};

pub(crate) const STACK_TRACE: Structure = Structure::new(
    Type::StackTrace,
    "jdk.types.StackTrace",
    "Stacktrace",
    &[
        Member::new("truncated", "Truncated", Type::Boolean),
        Member::new("frames", "Stack Frames", Type::StackFrame).array(),
    ],
);

/// A frame without the mark of its chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct PlainFrame {
    method: u32,
    line: u32,
    bytecode_index: i32,
    kind: FrameKind,
}

impl PlainFrame {
    fn encoded_len(self) -> usize {
        let kind = 1;
        long_len(self.method.into())
            + int_len(self.line as i32)
            + int_len(self.bytecode_index)
            + kind
    }

    fn put(self, out: &mut Vec<u8>) {
        put_long(out, self.method.into());
        put_int(out, self.line as i32);
        put_int(out, self.bytecode_index);
        out.push(self.kind.key());
    }
}

/// A frame below its callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Node {
    /// Place of the caller in the tree, plus 1; 0: this is the outermost frame.
    caller: u32,
    /// Place among the frames.
    frame: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Trace {
    /// Place of the leaf in the tree, plus 1; 0: a trace without frames.
    leaf: u32,
    truncated: bool,
}

/// Every trace of the chunk.
#[derive(Debug, Default)]
pub(crate) struct StackTraces {
    frames: Distinct<PlainFrame>,
    tree: Distinct<Node>,
    traces: Distinct<Trace>,
    encoded_len: u64,
}

impl StackTraces {
    /// The key of the trace with these frames, leaf first.
    pub(crate) fn intern(&mut self, frames: &[Frame], truncated: bool, chunk: ChunkTag) -> u32 {
        let mut leaf = 0;
        let mut frames_len = 0;
        for frame in frames.iter().rev() {
            let frame = PlainFrame {
                method: frame.method.index(chunk),
                line: frame.line,
                bytecode_index: frame.bytecode_index,
                kind: frame.kind,
            };
            frames_len += frame.encoded_len();
            let frame = self.frames.intern(frame).place;
            leaf = self
                .tree
                .intern(Node {
                    caller: leaf,
                    frame,
                })
                .place
                + 1;
        }
        let trace = self.traces.intern(Trace { leaf, truncated });
        let key = trace.place + 1;
        if trace.is_new {
            let flag = 1;
            let len = long_len(key.into()) + flag + long_len(frames.len() as u64) + frames_len;
            self.encoded_len += len as u64;
        }
        key
    }
}

impl Pool for StackTraces {
    fn len(&self) -> u32 {
        self.traces.items.len() as u32
    }

    fn encoded_len(&self) -> u64 {
        self.encoded_len
    }

    fn write(&self, out: &mut dyn Sink) -> io::Result<()> {
        let mut frames = Vec::new();
        for (key, trace) in (1..).zip(&self.traces.items) {
            frames.clear();
            let mut next = trace.leaf;
            while let Some(place) = next.checked_sub(1) {
                let node = self.tree.items[place as usize];
                frames.push(node.frame);
                next = node.caller;
            }
            let buffer = out.buffer();
            put_long(buffer, key);
            put_boolean(buffer, trace.truncated);
            put_long(buffer, frames.len() as u64);
            for &frame in &frames {
                self.frames.items[frame as usize].put(buffer);
            }
            out.spill()?;
        }
        Ok(())
    }
}

/// Items, each kept once, found by what they are.
#[derive(Debug)]
struct Distinct<T> {
    items: Vec<T>,
    places: HashTable<u32>,
}

impl<T> Default for Distinct<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            places: HashTable::new(),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Interned {
    place: u32,
    is_new: bool,
}

impl<T: Copy + Eq + Hash> Distinct<T> {
    fn intern(&mut self, item: T) -> Interned {
        let items = &mut self.items;
        let entry = self.places.entry(
            FxBuildHasher.hash_one(item),
            |&place| items[place as usize] == item,
            |&place| FxBuildHasher.hash_one(items[place as usize]),
        );
        match entry {
            Entry::Occupied(entry) => Interned {
                place: *entry.get(),
                is_new: false,
            },
            Entry::Vacant(entry) => {
                let place = items.len() as u32;
                entry.insert(place);
                items.push(item);
                Interned {
                    place,
                    is_new: true,
                }
            }
        }
    }
}
