//! Stacks that outlive the chunk in which they were named: their methods by name instead of by number, each held once.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use jfr_writer::{ClassRef, Frame, FrameKind, MethodRef, StackTraceId};
use rustc_hash::FxBuildHasher;

use super::methods::Writer;

/// A method by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct MethodText {
    pub(super) class: Box<str>,
    pub(super) name: Box<str>,
    pub(super) descriptor: Box<str>,
    pub(super) modifiers: u32,
}

/// A frame that says itself what it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct KeptFrame {
    pub(super) method: Arc<MethodText>,
    pub(super) line: u32,
    pub(super) bytecode_index: i32,
    pub(super) kind: FrameKind,
}

/// Frames, leaf first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct KeptStack {
    pub(super) frames: Box<[KeptFrame]>,
    pub(super) truncated: bool,
}

impl KeptStack {
    /// The stack in a chunk.
    pub(super) fn write(&self, writer: &mut Writer) -> StackTraceId {
        let frames: Vec<Frame> = self
            .frames
            .iter()
            .map(|frame| {
                let class = writer.class(&ClassRef {
                    name: &frame.method.class,
                    modifiers: 0,
                });
                Frame {
                    method: writer.method(&MethodRef {
                        class,
                        name: &frame.method.name,
                        descriptor: &frame.method.descriptor,
                        modifiers: frame.method.modifiers,
                        hidden: false,
                    }),
                    line: frame.line,
                    bytecode_index: frame.bytecode_index,
                    kind: frame.kind,
                }
            })
            .collect();
        writer.stack_trace(&frames, self.truncated)
    }
}

/// What is held in many places, and once in memory.
#[derive(Debug)]
pub(super) struct Shared<T> {
    known: HashSet<Arc<T>, FxBuildHasher>,
}

impl<T: Eq + Hash> Default for Shared<T> {
    fn default() -> Self {
        Self {
            known: HashSet::default(),
        }
    }
}

impl<T: Eq + Hash> Shared<T> {
    /// The one that is known already, or from now on.
    pub(super) fn share(&mut self, value: Arc<T>) -> Arc<T> {
        if let Some(known) = self.known.get(&value) {
            return Arc::clone(known);
        }
        self.known.insert(Arc::clone(&value));
        value
    }

    /// Forgets what nobody holds any more.
    pub(super) fn forget_unused(&mut self) {
        self.known.retain(|value| Arc::strong_count(value) > 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_equal_is_held_once_and_forgotten_with_its_last_holder() {
        let mut shared = Shared::default();
        let first = shared.share(Arc::new("a".to_owned()));
        let second = shared.share(Arc::new("a".to_owned()));
        assert!(Arc::ptr_eq(&first, &second));
        drop(first);
        shared.forget_unused();
        assert_eq!(shared.known.len(), 1);
        drop(second);
        shared.forget_unused();
        assert!(shared.known.is_empty());
    }
}
