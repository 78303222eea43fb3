//! How to pass over a value of each type, worked out once per chunk.
//!
//! A layout is a list of steps each of which takes at least one byte, so the work of passing over
//! a value is bounded by its bytes, whatever the metadata says: fields of a fixed size are merged,
//! those without a byte vanish, and types that hold themselves have no layout.

use crate::ReadError;
use crate::cursor::Cursor;
use crate::metadata::{FieldDef, Metadata, Shape};

/// Structs within structs; the JDK nests two (GC heap spaces).
const MAX_NESTING: usize = 32;
const TOO_DEEP: &str = "it nests too deep";
const NOT_DESCRIBED: &str = "the metadata does not describe the type of a field";
const WHAT: &str = "a value";

/// How to pass over a value.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    steps: Box<[Step]>,
    /// How many structs deep a value goes, at most [`MAX_NESTING`].
    height: usize,
}

impl Layout {
    /// The size of every value, when they all have the same.
    fn fixed_bytes(&self) -> Option<u32> {
        match *self.steps {
            [] => Some(0),
            [Step::Bytes(count)] => Some(count),
            _ => None,
        }
    }

    /// Whether values have no bytes.
    pub(crate) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    /// So many bytes.
    Bytes(u32),
    Varint,
    String,
    /// A value of that type, whose size is not fixed.
    Struct(u32),
    /// A count, then so many of these.
    Array(Element),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Element {
    Bytes(u32),
    Varint,
    String,
    Struct(u32),
}

#[derive(Clone, Copy, PartialEq)]
enum Progress {
    New,
    Begun,
    Done,
}

/// Gives every type of the metadata its layout, or the reason why it has none.
pub(crate) fn assign(metadata: &mut Metadata<'_>, compressed: bool) {
    let mut progress = vec![Progress::New; metadata.types.len()];
    for index in 0..metadata.types.len() {
        assign_one(metadata, compressed, &mut progress, index as u32, 0);
    }
}

fn assign_one(
    metadata: &mut Metadata<'_>,
    compressed: bool,
    progress: &mut [Progress],
    index: u32,
    depth: usize,
) {
    if progress[index as usize] != Progress::New {
        return;
    }
    progress[index as usize] = Progress::Begun;
    let layout = make(metadata, compressed, progress, index, depth);
    metadata.types[index as usize].layout = layout;
    progress[index as usize] = Progress::Done;
}

fn make(
    metadata: &mut Metadata<'_>,
    compressed: bool,
    progress: &mut [Progress],
    index: u32,
    depth: usize,
) -> Result<Layout, &'static str> {
    let mut steps = Vec::new();
    let mut height = 0;
    let shape = metadata.types[index as usize].shape;
    if shape != Shape::Struct {
        steps.push(match element_of_primitive(shape, compressed) {
            Element::Bytes(count) => Step::Bytes(count),
            Element::Varint => Step::Varint,
            _ => Step::String,
        });
    } else {
        for position in 0..metadata.fields_of(index).len() {
            let field = &metadata.fields_of(index)[position];
            let (type_index, array) = (field.type_index, field.dimension > 0);
            if field.dimension > 1 {
                return Err("a field has more than one dimension");
            }
            let element = if field.constant_pool {
                reference(compressed)
            } else {
                match progress.get(type_index as usize) {
                    None => return Err(NOT_DESCRIBED),
                    Some(Progress::Begun) => return Err("it holds itself"),
                    Some(Progress::New | Progress::Done) => {}
                }
                if depth >= MAX_NESTING {
                    return Err(TOO_DEEP);
                }
                assign_one(metadata, compressed, progress, type_index, depth + 1);
                let element = element_of(metadata, type_index, compressed)?;
                if let Element::Struct(inner) = element {
                    height = height.max(1 + height_of(metadata, inner));
                }
                element
            };
            push(&mut steps, element, array)?;
        }
    }
    if height > MAX_NESTING {
        return Err(TOO_DEEP);
    }
    Ok(Layout {
        steps: steps.into(),
        height,
    })
}

fn height_of(metadata: &Metadata<'_>, type_index: u32) -> usize {
    let layout = &metadata.types[type_index as usize].layout;
    layout.as_ref().map_or(0, |layout| layout.height)
}

fn reference(compressed: bool) -> Element {
    element_of_primitive(Shape::Long, compressed)
}

fn element_of_primitive(shape: Shape, compressed: bool) -> Element {
    match shape {
        Shape::Boolean | Shape::Byte => Element::Bytes(1),
        Shape::Float => Element::Bytes(4),
        Shape::Double => Element::Bytes(8),
        Shape::String | Shape::Struct => Element::String,
        Shape::Char | Shape::Short | Shape::Int | Shape::Long if compressed => Element::Varint,
        Shape::Char | Shape::Short => Element::Bytes(2),
        Shape::Int => Element::Bytes(4),
        Shape::Long => Element::Bytes(8),
    }
}

fn element_of(
    metadata: &Metadata<'_>,
    type_index: u32,
    compressed: bool,
) -> Result<Element, &'static str> {
    let def = metadata
        .types
        .get(type_index as usize)
        .ok_or(NOT_DESCRIBED)?;
    if def.shape != Shape::Struct {
        return Ok(element_of_primitive(def.shape, compressed));
    }
    let layout = def.layout.as_ref().map_err(|reason| *reason)?;
    Ok(match layout.fixed_bytes() {
        Some(count) => Element::Bytes(count),
        None => Element::Struct(type_index),
    })
}

fn push(steps: &mut Vec<Step>, element: Element, array: bool) -> Result<(), &'static str> {
    if array {
        steps.push(Step::Array(element));
        return Ok(());
    }
    match (element, steps.last_mut()) {
        (Element::Bytes(0), _) => {}
        (Element::Bytes(more), Some(Step::Bytes(count))) => {
            *count = count.checked_add(more).ok_or("it is larger than 4 GiB")?;
        }
        (Element::Bytes(count), _) => steps.push(Step::Bytes(count)),
        (Element::Varint, _) => steps.push(Step::Varint),
        (Element::String, _) => steps.push(Step::String),
        (Element::Struct(index), _) => steps.push(Step::Struct(index)),
    }
    Ok(())
}

/// Passes over a value of that type.
pub(crate) fn skip_value(
    metadata: &Metadata<'_>,
    type_index: u32,
    cursor: &mut Cursor<'_>,
) -> Result<(), ReadError> {
    let def = &metadata.types[type_index as usize];
    let layout = def
        .layout
        .as_ref()
        .map_err(|&reason| ReadError::UnreadableType {
            type_id: def.id,
            offset: cursor.offset() as u64,
            reason,
        })?;
    for step in &layout.steps {
        match *step {
            Step::Bytes(count) => cursor.skip(count as usize, WHAT)?,
            Step::Varint => drop(cursor.long(WHAT)?),
            Step::String => drop(cursor.raw_string()?),
            Step::Struct(index) => skip_value(metadata, index, cursor)?,
            Step::Array(element) => skip_array(metadata, element, cursor)?,
        }
    }
    Ok(())
}

fn skip_array(
    metadata: &Metadata<'_>,
    element: Element,
    cursor: &mut Cursor<'_>,
) -> Result<(), ReadError> {
    const WHAT: &str = "an array's length";
    match element {
        Element::Bytes(size) => {
            let count = cursor.count(size as usize, WHAT)?;
            cursor.skip(count * size as usize, WHAT)?;
        }
        Element::Varint => {
            for _ in 0..cursor.count(1, WHAT)? {
                cursor.long(WHAT)?;
            }
        }
        Element::String => {
            for _ in 0..cursor.count(1, WHAT)? {
                cursor.raw_string()?;
            }
        }
        Element::Struct(index) => {
            for _ in 0..cursor.count(1, WHAT)? {
                skip_value(metadata, index, cursor)?;
            }
        }
    }
    Ok(())
}

/// Passes over one field of a value.
pub(crate) fn skip_field(
    metadata: &Metadata<'_>,
    field: &FieldDef,
    cursor: &mut Cursor<'_>,
    compressed: bool,
) -> Result<(), ReadError> {
    let element = if field.constant_pool {
        reference(compressed)
    } else {
        element_of(metadata, field.type_index, compressed).map_err(|reason| {
            ReadError::UnreadableType {
                type_id: field.type_id,
                offset: cursor.offset() as u64,
                reason,
            }
        })?
    };
    if field.dimension > 0 {
        return skip_array(metadata, element, cursor);
    }
    match element {
        Element::Bytes(count) => cursor.skip(count as usize, WHAT),
        Element::Varint => cursor.long(WHAT).map(drop),
        Element::String => cursor.raw_string().map(drop),
        Element::Struct(index) => skip_value(metadata, index, cursor),
    }
}
