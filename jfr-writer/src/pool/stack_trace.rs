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
        for place in self.neighbours_first() {
            let trace = self.traces.items[place as usize];
            frames.clear();
            let mut next = trace.leaf;
            while let Some(place) = next.checked_sub(1) {
                let node = self.tree.items[place as usize];
                frames.push(node.frame);
                next = node.caller;
            }
            let buffer = out.buffer();
            put_long(buffer, u64::from(place) + 1);
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

impl StackTraces {
    /// Places of the traces so that those which share callers stand together. Compressors look
    /// back some ten thousand bytes only: in this order a chunk takes a fifth less.
    fn neighbours_first(&self) -> Vec<u32> {
        let tree = &self.tree.items;
        // Of each node, by its place plus 1, the size of what hangs on it; 0 is above all outermost
        // frames. Callers have lower places than those that they call.
        let mut sizes = vec![1_u32; tree.len() + 1];
        for (place, node) in tree.iter().enumerate().rev() {
            sizes[node.caller as usize] += sizes[place + 1];
        }
        // Now the same places hold where, in a walk from the outermost frames, the next callee of
        // the node comes; when all are placed that is where the node's part of the tree ends.
        let mut ends = sizes;
        ends[0] = 1;
        for (place, node) in tree.iter().enumerate() {
            let start = ends[node.caller as usize];
            ends[node.caller as usize] += ends[place + 1];
            ends[place + 1] = start + 1;
        }
        let mut places: Vec<u32> = (0..self.len()).collect();
        places.sort_by_key(|&place| ends[self.traces.items[place as usize].leaf as usize]);
        places
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A trace whose frames are in methods of these numbers, leaf first.
    fn intern(traces: &mut StackTraces, methods: &[u32], truncated: bool) -> u32 {
        let chunk = ChunkTag::new(1);
        let frame = |&method| Frame {
            method: MethodId::new(method, chunk),
            line: 0,
            bytecode_index: 0,
            kind: FrameKind::Jit,
        };
        let frames: Vec<Frame> = methods.iter().map(frame).collect();
        traces.intern(&frames, truncated, chunk)
    }

    #[derive(Default)]
    struct Bytes(Vec<u8>);

    impl Sink for Bytes {
        fn buffer(&mut self) -> &mut Vec<u8> {
            &mut self.0
        }

        fn spill(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(traces: &StackTraces) -> Vec<u8> {
        let mut bytes = Bytes::default();
        traces.write(&mut bytes).expect("memory takes bytes");
        assert_eq!(bytes.0.len() as u64, traces.encoded_len());
        bytes.0
    }

    #[test]
    fn frames_are_written_leaf_first() {
        let mut traces = StackTraces::default();
        assert_eq!(intern(&mut traces, &[7, 8], true), 1);
        let jit = FrameKind::Jit.key();
        assert_eq!(written(&traces), [1, 1, 2, 7, 0, 0, jit, 8, 0, 0, jit]);
    }

    #[test]
    fn callers_are_kept_once() {
        let mut traces = StackTraces::default();
        for leaf in 100..200 {
            intern(&mut traces, &[leaf, 3, 2, 1], false);
        }
        intern(&mut traces, &[3, 2, 1], false);
        assert_eq!(traces.tree.items.len(), 3 + 100);
        assert_eq!(traces.frames.items.len(), 3 + 100);
        assert_eq!(traces.len(), 101);
    }

    #[test]
    fn traces_differ_by_frames_order_and_truncation() {
        let mut traces = StackTraces::default();
        let told: [(&[u32], bool); 6] = [
            (&[], false),
            (&[], true),
            (&[1], false),
            (&[1, 2], false),
            (&[2, 1], false),
            (&[1], true),
        ];
        for _ in 0..2 {
            let keys = told.map(|(methods, truncated)| intern(&mut traces, methods, truncated));
            assert_eq!(keys, [1, 2, 3, 4, 5, 6]);
        }
    }

    #[test]
    fn traces_of_the_same_callers_are_written_together() {
        let mut traces = StackTraces::default();
        // By their outermost methods: 1, 2, 1, 2 under 3, 1 under 4.
        for methods in [&[5, 1][..], &[5, 2], &[6, 1], &[5, 3, 2], &[7, 4, 1], &[]] {
            intern(&mut traces, methods, false);
        }
        let outermost = |place: &u32| match place {
            0 | 2 | 4 => 1,
            1 | 3 => 2,
            _ => 0,
        };
        let order = traces.neighbours_first();
        let mut groups: Vec<u32> = order.iter().map(outermost).collect();
        groups.dedup();
        groups.sort_unstable();
        assert_eq!(groups, [0, 1, 2], "each group stands together in {order:?}");
    }
}
