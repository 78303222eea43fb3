use std::borrow::Cow;

use crate::chunk::Chunk;
use crate::cursor::Cursor;
use crate::layout::skip_field;
use crate::metadata::NONE;
use crate::value::{StructView, Value, constant};

/// A stack of frames.
#[derive(Clone, Copy, Debug)]
pub struct StackTraceView<'r>(StructView<'r>);

impl<'r> StackTraceView<'r> {
    pub(crate) fn new(fields: StructView<'r>) -> Self {
        Self(fields)
    }

    /// Whether frames at the root were cut off.
    pub fn truncated(&self) -> bool {
        matches!(self.0.value("truncated"), Some(Value::Boolean(true)))
    }

    /// The frames, the top of the stack first.
    pub fn frames(&self) -> Frames<'r> {
        let chunk = self.0.chunk;
        let array = self.0.value("frames").and_then(Value::into_array);
        let (cursor, left, type_index) = match array {
            Some(array) => match array.inline_values() {
                Some(cursor) => (cursor, array.len(), array.type_index()),
                None => (chunk.cursor(0), 0, NONE),
            },
            None => (chunk.cursor(0), 0, NONE),
        };
        let position = |name| chunk.metadata.field_position(type_index, name);
        Frames {
            chunk,
            cursor,
            left,
            type_index,
            method: position("method"),
            line: position("lineNumber"),
            bytecode_index: position("bytecodeIndex"),
            kind: position("type"),
        }
    }
}

/// The frames of a stack, the top first.
#[derive(Clone, Debug)]
pub struct Frames<'r> {
    chunk: &'r Chunk<'r>,
    cursor: Cursor<'r>,
    left: usize,
    type_index: u32,
    /// The positions of the fields within a frame.
    method: Option<usize>,
    line: Option<usize>,
    bytecode_index: Option<usize>,
    kind: Option<usize>,
}

impl<'r> Iterator for Frames<'r> {
    type Item = FrameView<'r>;

    fn next(&mut self) -> Option<FrameView<'r>> {
        self.left = self.left.checked_sub(1)?;
        let metadata = &self.chunk.metadata;
        let mut frame = FrameView {
            chunk: self.chunk,
            method_type: NONE,
            method_key: 0,
            kind_type: NONE,
            kind_key: 0,
            line: None,
            bytecode_index: None,
        };
        for (position, field) in metadata.fields_of(self.type_index).iter().enumerate() {
            let position = Some(position);
            let mut value = self.cursor;
            skip_field(metadata, field, &mut self.cursor, self.chunk.compressed()).ok()?;
            if field.dimension > 0 {
                continue;
            }
            if position == self.method && field.constant_pool {
                frame.method_type = field.type_index;
                frame.method_key = value.long("a frame's method").ok()?;
            } else if position == self.kind && field.constant_pool {
                frame.kind_type = field.type_index;
                frame.kind_key = value.long("a frame's type").ok()?;
            } else if position == self.line && !field.constant_pool {
                frame.line = value.int("a frame's line").ok();
            } else if position == self.bytecode_index && !field.constant_pool {
                frame.bytecode_index = value.int("a frame's bytecode index").ok();
            }
        }
        Some(frame)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.left))
    }
}

/// A frame of a stack.
#[derive(Clone, Copy, Debug)]
pub struct FrameView<'r> {
    chunk: &'r Chunk<'r>,
    method_type: u32,
    method_key: i64,
    kind_type: u32,
    kind_key: i64,
    line: Option<i32>,
    bytecode_index: Option<i32>,
}

impl<'r> FrameView<'r> {
    /// The method's key in its constant pool: equal keys are one method of this chunk.
    pub fn method_key(&self) -> i64 {
        self.method_key
    }

    /// The frame type's key in its constant pool.
    pub fn kind_key(&self) -> i64 {
        self.kind_key
    }

    /// All that the file says of the method.
    pub fn method(&self) -> Option<StructView<'r>> {
        constant(self.chunk, self.method_type, self.method_key)?.into_struct()
    }

    /// The class's name as the file has it, `java/lang/String`.
    pub fn class_name(&self) -> Option<Cow<'r, str>> {
        self.method()?.text("type.name")
    }

    /// The method's name.
    pub fn method_name(&self) -> Option<Cow<'r, str>> {
        self.method()?.text("name")
    }

    /// The method's descriptor, `(I)V`.
    pub fn descriptor(&self) -> Option<Cow<'r, str>> {
        self.method()?.text("descriptor")
    }

    /// The method's access flags.
    pub fn modifiers(&self) -> Option<i32> {
        self.method()?.i64("modifiers").map(|value| value as i32)
    }

    /// The frame type's description: `Interpreted`, `JIT compiled`, `Inlined`, `Native` …
    pub fn kind(&self) -> Option<Cow<'r, str>> {
        constant(self.chunk, self.kind_type, self.kind_key)?.into_text()
    }

    /// The line in the source; 0 or negative when it is not known.
    pub fn line(&self) -> Option<i32> {
        self.line
    }

    /// The index of the bytecode; negative when it is not known.
    pub fn bytecode_index(&self) -> Option<i32> {
        self.bytecode_index
    }
}
