//! A chunk's metadata event: a tree of elements that describes the types.

use std::borrow::Cow;

use crate::cursor::Cursor;
use crate::layout::{self, Layout};
use crate::{ReadError, Unit};

/// Stands for "no such index" where an `Option` would double the size.
pub(crate) const NONE: u32 = u32::MAX;
/// A JDK's metadata has some 4,000 strings; each costs 24 bytes here.
const MAX_STRINGS: usize = 1 << 20;
/// The JDK's widest event has 30 fields. Looking a field up is linear, so a bound keeps it cheap.
const MAX_FIELDS_OF_A_TYPE: usize = 1_000;
/// root, metadata, class, field, annotation: five levels; more are passed over, within reason.
const MAX_ELEMENT_DEPTH: usize = 16;
/// An element is at least its name and two counts.
const LEAST_ELEMENT_BYTES: usize = 3;

/// How a type's values are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Boolean,
    Byte,
    Char,
    Short,
    Int,
    Long,
    Float,
    Double,
    String,
    Struct,
}

#[derive(Debug)]
pub(crate) struct TypeDef {
    pub(crate) id: i64,
    /// Indices into the strings; [`NONE`] for no super type.
    name: u32,
    super_type: u32,
    /// A range of the fields.
    first_field: u32,
    end_field: u32,
    pub(crate) shape: Shape,
    pub(crate) layout: Result<Layout, &'static str>,
}

#[derive(Debug)]
pub(crate) struct FieldDef {
    name: u32,
    /// The type's index; [`NONE`] when the metadata lacks it.
    pub(crate) type_index: u32,
    pub(crate) type_id: i64,
    pub(crate) constant_pool: bool,
    pub(crate) dimension: u32,
    unit: Unit,
    unsigned: bool,
}

/// The types of a chunk.
#[derive(Debug)]
pub(crate) struct Metadata<'a> {
    strings: Vec<Cow<'a, str>>,
    /// Sorted by id.
    pub(crate) types: Vec<TypeDef>,
    fields: Vec<FieldDef>,
    pub(crate) string_type: u32,
}

impl<'a> Metadata<'a> {
    /// Reads the metadata event that begins at `offset` of the chunk.
    pub(crate) fn parse(chunk: &'a [u8], offset: u64, compressed: bool) -> Result<Self, ReadError> {
        let at = usize::try_from(offset)
            .ok()
            .filter(|&at| at < chunk.len())
            .ok_or(ReadError::Metadata("it does not begin inside the chunk"))?;
        let mut cursor = Cursor::new(chunk, at, compressed);
        let size = cursor.int("the metadata event's size")?;
        let end = usize::try_from(size)
            .ok()
            .and_then(|size| at.checked_add(size))
            .filter(|&end| end <= chunk.len())
            .ok_or(ReadError::Metadata("it runs over the chunk's end"))?;
        cursor = cursor.ending_at(end);
        if cursor.long("the metadata event's type")? != 0 {
            return Err(ReadError::Metadata("its event is of another type"));
        }
        cursor.long("the metadata event's start")?;
        cursor.long("the metadata event's duration")?;
        cursor.long("the metadata's id")?;
        let strings = read_strings(&mut cursor)?;
        let mut builder = Builder {
            strings,
            types: Vec::new(),
            fields: Vec::new(),
            annotations: Vec::new(),
        };
        let name = builder.string_index(&mut cursor)?;
        if builder.text(name) != "root" {
            return Err(ReadError::Metadata("its first element is not the root"));
        }
        builder.read_element(&mut cursor, Place::Root, 0)?;
        builder.finish(compressed)
    }

    pub(crate) fn text(&self, index: u32) -> &str {
        self.strings.get(index as usize).map_or("", |text| text)
    }

    /// The index of the type with that id.
    pub(crate) fn type_index(&self, id: i64) -> Option<u32> {
        index_of_type(&self.types, id)
    }

    pub(crate) fn type_named(&self, name: &str) -> Option<u32> {
        let index = self
            .types
            .iter()
            .position(|type_def| self.text(type_def.name) == name)?;
        Some(index as u32)
    }

    pub(crate) fn fields_of(&self, type_index: u32) -> &[FieldDef] {
        self.types
            .get(type_index as usize)
            .and_then(|def| {
                self.fields
                    .get(def.first_field as usize..def.end_field as usize)
            })
            .unwrap_or_default()
    }

    /// The position of a field within its type.
    pub(crate) fn field_position(&self, type_index: u32, name: &str) -> Option<usize> {
        self.fields_of(type_index)
            .iter()
            .position(|field| self.text(field.name) == name)
    }
}

fn index_of_type(types: &[TypeDef], id: i64) -> Option<u32> {
    let index = types.partition_point(|def| def.id < id);
    types
        .get(index)
        .filter(|def| def.id == id)
        .map(|_| index as u32)
}

fn read_strings<'a>(cursor: &mut Cursor<'a>) -> Result<Vec<Cow<'a, str>>, ReadError> {
    let count = cursor.count(1, "the number of metadata strings")?;
    if count > MAX_STRINGS {
        return Err(ReadError::Metadata("it has more than a million strings"));
    }
    let mut strings = Vec::with_capacity(count);
    for _ in 0..count {
        let raw = cursor.raw_string()?;
        strings.push(cursor.text(raw).unwrap_or_default());
    }
    Ok(strings)
}

/// What an element is, by its parents; what is not known is passed over.
#[derive(Clone, Copy)]
enum Place {
    Root,
    Metadata,
    Class,
    /// A field, by index.
    Field(usize),
    /// A field's annotation, by index.
    Annotation(usize),
    Other,
}

/// An annotation of a field; what its class is called may be known only later.
struct Annotation {
    field: usize,
    class: i64,
    value: u32,
}

struct Builder<'a> {
    strings: Vec<Cow<'a, str>>,
    types: Vec<TypeDef>,
    fields: Vec<FieldDef>,
    annotations: Vec<Annotation>,
}

impl Builder<'_> {
    fn text(&self, index: u32) -> &str {
        self.strings.get(index as usize).map_or("", |text| text)
    }

    fn string_index(&self, cursor: &mut Cursor<'_>) -> Result<u32, ReadError> {
        u32::try_from(cursor.int("a metadata string's index")?)
            .ok()
            .filter(|&index| (index as usize) < self.strings.len())
            .ok_or(ReadError::Metadata(
                "it names a string that it does not have",
            ))
    }

    fn number(&self, index: u32) -> Result<i64, ReadError> {
        self.text(index)
            .parse()
            .map_err(|_| ReadError::Metadata("an id is no number"))
    }

    /// Reads what follows an element's name: attributes, then children.
    fn read_element(
        &mut self,
        cursor: &mut Cursor<'_>,
        place: Place,
        depth: usize,
    ) -> Result<(), ReadError> {
        if depth > MAX_ELEMENT_DEPTH {
            return Err(ReadError::Metadata("its elements nest too deep"));
        }
        let attributes = cursor.count(2, "the number of an element's attributes")?;
        for _ in 0..attributes {
            let key = self.string_index(cursor)?;
            let value = self.string_index(cursor)?;
            self.set_attribute(place, key, value)?;
        }
        let children = cursor.count(LEAST_ELEMENT_BYTES, "the number of an element's children")?;
        for _ in 0..children {
            let name = self.string_index(cursor)?;
            let child = self.begin_child(place, name)?;
            self.read_element(cursor, child, depth + 1)?;
            if matches!(child, Place::Class) {
                self.end_class()?;
            }
        }
        Ok(())
    }

    fn begin_child(&mut self, parent: Place, name: u32) -> Result<Place, ReadError> {
        Ok(match (parent, self.text(name)) {
            (Place::Root, "metadata") => Place::Metadata,
            (Place::Metadata, "class") => {
                let first_field = self.fields.len() as u32;
                self.types.push(TypeDef {
                    id: 0,
                    name: NONE,
                    super_type: NONE,
                    first_field,
                    end_field: first_field,
                    shape: Shape::Struct,
                    layout: Err("it was not looked at"),
                });
                Place::Class
            }
            (Place::Class, "field") => {
                self.fields.push(FieldDef {
                    name: NONE,
                    type_index: NONE,
                    type_id: -1,
                    constant_pool: false,
                    dimension: 0,
                    unit: Unit::None,
                    unsigned: false,
                });
                Place::Field(self.fields.len() - 1)
            }
            (Place::Field(field), "annotation") => {
                self.annotations.push(Annotation {
                    field,
                    class: -1,
                    value: NONE,
                });
                Place::Annotation(self.annotations.len() - 1)
            }
            _ => Place::Other,
        })
    }

    fn set_attribute(&mut self, place: Place, key: u32, value: u32) -> Result<(), ReadError> {
        match place {
            Place::Class => {
                let id = (self.text(key) == "id")
                    .then(|| self.number(value))
                    .transpose()?;
                let is_name = self.text(key) == "name";
                let is_super_type = self.text(key) == "superType";
                if let Some(def) = self.types.last_mut() {
                    def.id = id.unwrap_or(def.id);
                    if is_name {
                        def.name = value;
                    } else if is_super_type {
                        def.super_type = value;
                    }
                }
            }
            Place::Field(index) => match self.text(key) {
                "name" => self.fields[index].name = value,
                "class" => self.fields[index].type_id = self.number(value)?,
                "constantPool" => self.fields[index].constant_pool = self.text(value) == "true",
                "dimension" => {
                    self.fields[index].dimension = self
                        .text(value)
                        .parse()
                        .map_err(|_| ReadError::Metadata("a dimension is no number"))?;
                }
                _ => {}
            },
            Place::Annotation(index) => match self.text(key) {
                "class" => self.annotations[index].class = self.number(value)?,
                "value" => self.annotations[index].value = value,
                _ => {}
            },
            Place::Root | Place::Metadata | Place::Other => {}
        }
        Ok(())
    }

    fn end_class(&mut self) -> Result<(), ReadError> {
        let end_field = self.fields.len() as u32;
        let Some(def) = self.types.last_mut() else {
            return Ok(());
        };
        def.end_field = end_field;
        if (def.end_field - def.first_field) as usize > MAX_FIELDS_OF_A_TYPE {
            return Err(ReadError::Metadata("a type has more than 1,000 fields"));
        }
        let name = def.name;
        let shape = match self.text(name) {
            "boolean" => Shape::Boolean,
            "byte" => Shape::Byte,
            "char" => Shape::Char,
            "short" => Shape::Short,
            "int" => Shape::Int,
            "long" => Shape::Long,
            "float" => Shape::Float,
            "double" => Shape::Double,
            "java.lang.String" => Shape::String,
            _ => Shape::Struct,
        };
        if let Some(def) = self.types.last_mut() {
            def.shape = shape;
        }
        Ok(())
    }
}

impl<'a> Builder<'a> {
    /// Resolves what refers to types by id, now that all are known.
    fn finish(mut self, compressed: bool) -> Result<Metadata<'a>, ReadError> {
        // Stable, so that of two types with one id the first counts.
        self.types.sort_by_key(|def| def.id);
        for annotation in std::mem::take(&mut self.annotations) {
            let Some(class) = index_of_type(&self.types, annotation.class) else {
                continue;
            };
            let name = self.text(self.types[class as usize].name);
            if name == "jdk.jfr.Unsigned" {
                self.fields[annotation.field].unsigned = true;
            } else if let Some(unit) = Unit::of_annotation(name, self.text(annotation.value)) {
                self.fields[annotation.field].unit = unit;
            }
        }
        for field in &mut self.fields {
            field.type_index = index_of_type(&self.types, field.type_id).unwrap_or(NONE);
        }
        let mut metadata = Metadata {
            strings: self.strings,
            types: self.types,
            fields: self.fields,
            string_type: NONE,
        };
        metadata.string_type = metadata.type_named("java.lang.String").unwrap_or(NONE);
        layout::assign(&mut metadata, compressed);
        Ok(metadata)
    }
}

/// A type that a chunk's metadata describes.
#[derive(Clone, Copy, Debug)]
pub struct Type<'r> {
    metadata: &'r Metadata<'r>,
    index: u32,
}

impl<'r> Type<'r> {
    pub(crate) fn new(metadata: &'r Metadata<'r>, index: u32) -> Self {
        Self { metadata, index }
    }

    fn def(&self) -> &'r TypeDef {
        &self.metadata.types[self.index as usize]
    }

    /// The id, which means something in its chunk only.
    pub fn id(&self) -> i64 {
        self.def().id
    }

    /// The name, as `jdk.ExecutionSample`.
    pub fn name(&self) -> &'r str {
        self.metadata.text(self.def().name)
    }

    /// The super type's name, `jdk.jfr.Event` for events.
    pub fn super_type(&self) -> Option<&'r str> {
        let super_type = self.def().super_type;
        (super_type != NONE).then(|| self.metadata.text(super_type))
    }

    /// Whether values of it are events.
    pub fn is_event(&self) -> bool {
        self.super_type() == Some("jdk.jfr.Event")
    }

    /// The fields, in the order in which values hold them.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = Field<'r>> + use<'r> {
        let metadata = self.metadata;
        metadata
            .fields_of(self.index)
            .iter()
            .map(move |def| Field { metadata, def })
    }

    /// The field of that name.
    pub fn field(&self, name: &str) -> Option<Field<'r>> {
        self.fields().find(|field| field.name() == name)
    }
}

/// A field of a [`Type`].
#[derive(Clone, Copy, Debug)]
pub struct Field<'r> {
    metadata: &'r Metadata<'r>,
    def: &'r FieldDef,
}

impl<'r> Field<'r> {
    /// The name, as `eventThread`.
    pub fn name(&self) -> &'r str {
        self.metadata.text(self.def.name)
    }

    /// The type's id.
    pub fn type_id(&self) -> i64 {
        self.def.type_id
    }

    /// The type's name; empty when the metadata does not describe it.
    pub fn type_name(&self) -> &'r str {
        self.metadata
            .types
            .get(self.def.type_index as usize)
            .map_or("", |def| self.metadata.text(def.name))
    }

    /// Whether values hold the index of an entry of a constant pool.
    pub fn is_constant_pool(&self) -> bool {
        self.def.constant_pool
    }

    /// Whether values hold many.
    pub fn is_array(&self) -> bool {
        self.def.dimension > 0
    }

    /// What the numbers count.
    pub fn unit(&self) -> Unit {
        self.def.unit
    }

    /// Whether integers are meant without a sign.
    pub fn is_unsigned(&self) -> bool {
        self.def.unsigned
    }
}
