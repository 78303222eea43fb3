use std::borrow::Cow;

use crate::chunk::Chunk;
use crate::cursor::{Cursor, RawString};
use crate::layout::skip_field;
use crate::metadata::{FieldDef, NONE, Shape, Type};
use crate::{Field, ReadError};

/// A value of a field, read from the file when it is asked for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Value<'r> {
    /// A `boolean`.
    Boolean(bool),
    /// A `byte`.
    Byte(i8),
    /// A `char`: a UTF-16 unit.
    Char(u16),
    /// A `short`.
    Short(i16),
    /// An `int`.
    Int(i32),
    /// A `long`.
    Long(i64),
    /// A `float`.
    Float(f32),
    /// A `double`.
    Double(f64),
    /// A `java.lang.String`; what is no valid Unicode in it is U+FFFD.
    String(Cow<'r, str>),
    /// A value with fields, inline or an entry of a constant pool.
    Struct(StructView<'r>),
    /// Many values.
    Array(ArrayView<'r>),
}

impl<'r> Value<'r> {
    /// A whole number of any width; `None` for what is none.
    pub fn as_i64(&self) -> Option<i64> {
        match *self {
            Self::Byte(value) => Some(value.into()),
            Self::Char(value) => Some(value.into()),
            Self::Short(value) => Some(value.into()),
            Self::Int(value) => Some(value.into()),
            Self::Long(value) => Some(value),
            _ => None,
        }
    }

    /// Any number, rounded where it has to be.
    pub fn as_f64(&self) -> Option<f64> {
        match *self {
            Self::Float(value) => Some(value.into()),
            Self::Double(value) => Some(value),
            _ => self.as_i64().map(|value| value as f64),
        }
    }

    /// The text of a string, or of a struct that only wraps one, as a symbol does.
    pub fn into_text(self) -> Option<Cow<'r, str>> {
        match self {
            Self::String(text) => Some(text),
            Self::Struct(view) => match view.field_at(0)? {
                Value::String(text) if view.ty().fields().len() == 1 => Some(text),
                _ => None,
            },
            _ => None,
        }
    }

    /// The value with fields.
    pub fn into_struct(self) -> Option<StructView<'r>> {
        match self {
            Self::Struct(view) => Some(view),
            _ => None,
        }
    }

    /// The values of an array.
    pub fn into_array(self) -> Option<ArrayView<'r>> {
        match self {
            Self::Array(view) => Some(view),
            _ => None,
        }
    }
}

/// A value with fields.
#[derive(Clone, Copy, Debug)]
pub struct StructView<'r> {
    pub(crate) chunk: &'r Chunk<'r>,
    pub(crate) type_index: u32,
    /// Where the first field lies in the chunk.
    pub(crate) at: usize,
}

impl<'r> StructView<'r> {
    /// Its type.
    pub fn ty(&self) -> Type<'r> {
        Type::new(&self.chunk.metadata, self.type_index)
    }

    /// The value of a field, or of a field's field: `eventThread.javaName`. `None` when there is no
    /// such field, when it is null, or when a constant pool lacks the entry.
    pub fn value(&self, path: &str) -> Option<Value<'r>> {
        let mut view = *self;
        let mut names = path.split('.');
        let mut name = names.next()?;
        loop {
            let position = view.chunk.metadata.field_position(view.type_index, name)?;
            let value = view.field_at(position)?;
            match names.next() {
                None => return Some(value),
                Some(next) => {
                    view = value.into_struct()?;
                    name = next;
                }
            }
        }
    }

    /// The whole number at a path.
    pub fn i64(&self, path: &str) -> Option<i64> {
        self.value(path)?.as_i64()
    }

    /// The text at a path; the string in a symbol counts as the symbol's text.
    pub fn text(&self, path: &str) -> Option<Cow<'r, str>> {
        self.value(path)?.into_text()
    }

    /// The constant pool's key that a field holds, whether or not there is such an entry.
    pub fn key(&self, name: &str) -> Option<i64> {
        let position = self.chunk.metadata.field_position(self.type_index, name)?;
        let (mut cursor, field) = self.seek(position)?;
        (field.constant_pool && field.dimension == 0)
            .then(|| cursor.long("a key").ok())
            .flatten()
    }

    /// Every field with its value; `None` for null.
    pub fn fields(&self) -> impl Iterator<Item = (Field<'r>, Option<Value<'r>>)> + use<'r> {
        let chunk = self.chunk;
        let mut cursor = chunk.cursor(self.at);
        let defs = chunk.metadata.fields_of(self.type_index);
        self.ty().fields().zip(defs).map(move |(field, def)| {
            let value = read_field(chunk, def, cursor);
            // A value that was passed over when the chunk was read can be passed over again.
            let _ = skip_field(&chunk.metadata, def, &mut cursor, chunk.compressed());
            (field, value)
        })
    }

    pub(crate) fn field_at(&self, position: usize) -> Option<Value<'r>> {
        let (cursor, field) = self.seek(position)?;
        read_field(self.chunk, field, cursor)
    }

    fn seek(&self, position: usize) -> Option<(Cursor<'r>, &'r FieldDef)> {
        let fields = self.chunk.metadata.fields_of(self.type_index);
        let field = fields.get(position)?;
        let mut cursor = self.chunk.cursor(self.at);
        for before in &fields[..position] {
            skip_field(
                &self.chunk.metadata,
                before,
                &mut cursor,
                self.chunk.compressed(),
            )
            .ok()?;
        }
        Some((cursor, field))
    }
}

/// The values of an array.
#[derive(Clone, Copy, Debug)]
pub struct ArrayView<'r> {
    chunk: &'r Chunk<'r>,
    field: &'r FieldDef,
    count: usize,
    /// Where the first value lies in the chunk.
    at: usize,
}

impl<'r> ArrayView<'r> {
    /// How many.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Each value; `None` for null.
    pub fn iter(&self) -> impl Iterator<Item = Option<Value<'r>>> + use<'r> {
        let Self {
            chunk,
            field,
            count,
            at,
        } = *self;
        let mut cursor = chunk.cursor(at);
        (0..count).map(move |_| {
            let value = read_element(chunk, field, cursor);
            skip_element(chunk, field, &mut cursor).ok()?;
            value
        })
    }

    pub(crate) fn type_index(&self) -> u32 {
        self.field.type_index
    }

    /// Where the values lie, when they lie in the array itself.
    pub(crate) fn inline_values(&self) -> Option<Cursor<'r>> {
        (!self.field.constant_pool).then(|| self.chunk.cursor(self.at))
    }
}

fn read_field<'r>(
    chunk: &'r Chunk<'r>,
    field: &'r FieldDef,
    mut cursor: Cursor<'r>,
) -> Option<Value<'r>> {
    if field.dimension == 0 {
        return read_element(chunk, field, cursor);
    }
    let count = cursor.count(1, "an array's length").ok()?;
    Some(Value::Array(ArrayView {
        chunk,
        field,
        count,
        at: cursor.offset(),
    }))
}

fn read_element<'r>(
    chunk: &'r Chunk<'r>,
    field: &FieldDef,
    mut cursor: Cursor<'r>,
) -> Option<Value<'r>> {
    if field.constant_pool {
        let key = cursor.long("a key").ok()?;
        return constant(chunk, field.type_index, key);
    }
    read_value(chunk, field.type_index, cursor)
}

fn skip_element(
    chunk: &Chunk<'_>,
    field: &FieldDef,
    cursor: &mut Cursor<'_>,
) -> Result<(), ReadError> {
    if field.constant_pool {
        return cursor.long("a key").map(drop);
    }
    crate::layout::skip_value(&chunk.metadata, field.type_index, cursor)
}

/// The entry of a constant pool.
pub(crate) fn constant<'r>(chunk: &'r Chunk<'r>, type_index: u32, key: i64) -> Option<Value<'r>> {
    let at = chunk.pools.offset(type_index, key)?;
    read_value(chunk, type_index, chunk.cursor(at))
}

fn read_value<'r>(
    chunk: &'r Chunk<'r>,
    type_index: u32,
    mut cursor: Cursor<'r>,
) -> Option<Value<'r>> {
    const WHAT: &str = "a value";
    let shape = chunk.metadata.types.get(type_index as usize)?.shape;
    Some(match shape {
        Shape::Boolean => Value::Boolean(cursor.byte(WHAT).ok()? != 0),
        Shape::Byte => Value::Byte(cursor.byte(WHAT).ok()?.cast_signed()),
        Shape::Char => Value::Char(cursor.char(WHAT).ok()?),
        Shape::Short => Value::Short(cursor.short(WHAT).ok()?),
        Shape::Int => Value::Int(cursor.int(WHAT).ok()?),
        Shape::Long => Value::Long(cursor.long(WHAT).ok()?),
        Shape::Float => Value::Float(cursor.float(WHAT).ok()?),
        Shape::Double => Value::Double(cursor.double(WHAT).ok()?),
        Shape::String => Value::String(read_string(chunk, cursor)?),
        Shape::Struct => Value::Struct(StructView {
            chunk,
            type_index,
            at: cursor.offset(),
        }),
    })
}

fn read_string<'r>(chunk: &'r Chunk<'r>, mut cursor: Cursor<'r>) -> Option<Cow<'r, str>> {
    let mut raw = cursor.raw_string().ok()?;
    if let RawString::PoolReference(key) = raw {
        let string_type = chunk.metadata.string_type;
        if string_type == NONE {
            return None;
        }
        cursor = chunk.cursor(chunk.pools.offset(string_type, key)?);
        // A reference to a reference is null: no writer makes one, and two could form a circle.
        raw = cursor.raw_string().ok()?;
    }
    cursor.text(raw)
}
