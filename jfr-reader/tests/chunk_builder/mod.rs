//! Builds chunks by hand for tests, right ones and wrong ones: it writes what it is told.
//!
//! Types come first (the order in which they are described is that of the ids), then events and
//! constants, whose values a closure writes in the order of the fields.
#![allow(dead_code)] // Each test binary that includes this module uses a part of it.

/// Writes values in the encoding of the chunk.
#[derive(Clone, Debug)]
pub(crate) struct Values {
    pub(crate) bytes: Vec<u8>,
    compressed: bool,
}

impl Values {
    pub(crate) fn new(compressed: bool) -> Self {
        Self {
            bytes: Vec::new(),
            compressed,
        }
    }

    pub(crate) fn long(&mut self, value: i64) -> &mut Self {
        if !self.compressed {
            self.bytes.extend(value.to_be_bytes());
            return self;
        }
        let mut rest = value.cast_unsigned();
        for _ in 0..8 {
            if rest < 0x80 {
                self.bytes.push(rest as u8);
                return self;
            }
            self.bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.bytes.push(rest as u8);
        self
    }

    pub(crate) fn int(&mut self, value: i32) -> &mut Self {
        if !self.compressed {
            self.bytes.extend(value.to_be_bytes());
            return self;
        }
        self.long(value.cast_unsigned().into())
    }

    pub(crate) fn short(&mut self, value: i16) -> &mut Self {
        if !self.compressed {
            self.bytes.extend(value.to_be_bytes());
            return self;
        }
        self.long(value.cast_unsigned().into())
    }

    pub(crate) fn byte(&mut self, value: u8) -> &mut Self {
        self.bytes.push(value);
        self
    }

    pub(crate) fn float(&mut self, value: f32) -> &mut Self {
        self.bytes.extend(value.to_be_bytes());
        self
    }

    pub(crate) fn double(&mut self, value: f64) -> &mut Self {
        self.bytes.extend(value.to_be_bytes());
        self
    }

    /// UTF-8 with its encoding and length.
    pub(crate) fn string(&mut self, text: &str) -> &mut Self {
        self.byte(3).int(text.len() as i32);
        self.bytes.extend(text.as_bytes());
        self
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend(bytes);
        self
    }
}

/// A field of a type.
#[derive(Clone, Debug)]
pub(crate) struct FieldSpec {
    pub(crate) name: String,
    pub(crate) type_name: String,
    pub(crate) constant_pool: bool,
    pub(crate) dimension: u32,
    /// Class and `value` of its annotation; without a value when that is empty.
    pub(crate) annotation: Option<(String, String)>,
}

/// A field that holds its value.
pub(crate) fn field(name: &str, type_name: &str) -> FieldSpec {
    FieldSpec {
        name: name.to_owned(),
        type_name: type_name.to_owned(),
        constant_pool: false,
        dimension: 0,
        annotation: None,
    }
}

impl FieldSpec {
    pub(crate) fn pooled(mut self) -> Self {
        self.constant_pool = true;
        self
    }

    pub(crate) fn array(mut self) -> Self {
        self.dimension = 1;
        self
    }

    pub(crate) fn annotated(mut self, class: &str, value: &str) -> Self {
        self.annotation = Some((class.to_owned(), value.to_owned()));
        self
    }
}

/// A chunk in the making.
#[derive(Clone, Debug)]
pub(crate) struct ChunkBuilder {
    pub(crate) compressed: bool,
    pub(crate) start_unix_nanos: i64,
    pub(crate) duration_nanos: i64,
    pub(crate) start_ticks: i64,
    pub(crate) ticks_per_second: i64,
    types: Vec<(String, String, Vec<FieldSpec>)>,
    /// One checkpoint each: type, key and value of its constants.
    checkpoints: Vec<Vec<(String, i64, Vec<u8>)>>,
    events: Vec<u8>,
}

const FIRST_ID: i64 = 100;
const PRIMITIVES: [&str; 9] = [
    "boolean",
    "byte",
    "char",
    "short",
    "int",
    "long",
    "float",
    "double",
    "java.lang.String",
];
const ANNOTATIONS: [&str; 5] = [
    "jdk.jfr.Timespan",
    "jdk.jfr.Timestamp",
    "jdk.jfr.DataAmount",
    "jdk.jfr.Unsigned",
    "jdk.jfr.Percentage",
];

impl ChunkBuilder {
    /// A chunk with the primitive types and the annotations of units, and nothing else.
    pub(crate) fn new(compressed: bool) -> Self {
        let mut builder = Self {
            compressed,
            start_unix_nanos: 1_700_000_000_000_000_000,
            duration_nanos: 10_000_000_000,
            start_ticks: 1_000,
            ticks_per_second: 1_000_000_000,
            types: Vec::new(),
            checkpoints: vec![Vec::new()],
            events: Vec::new(),
        };
        for name in PRIMITIVES {
            builder.add_type(name, "", vec![]);
        }
        for name in ANNOTATIONS {
            builder.add_type(name, "java.lang.annotation.Annotation", vec![]);
        }
        builder
    }

    /// The types that stacks need, with one field more than the reader looks at in each.
    pub(crate) fn with_stacks(compressed: bool) -> Self {
        let mut builder = Self::new(compressed);
        let symbol = |name| field(name, "jdk.types.Symbol").pooled();
        builder.add_type(
            "jdk.types.Symbol",
            "",
            vec![field("string", "java.lang.String")],
        );
        builder.add_type(
            "java.lang.Class",
            "",
            vec![symbol("name"), field("modifiers", "int")],
        );
        builder.add_type(
            "jdk.types.Method",
            "",
            vec![
                field("type", "java.lang.Class").pooled(),
                symbol("name"),
                symbol("descriptor"),
                field("modifiers", "int"),
                field("hidden", "boolean"),
            ],
        );
        builder.add_type(
            "jdk.types.FrameType",
            "",
            vec![field("description", "java.lang.String")],
        );
        builder.add_type(
            "jdk.types.ThreadState",
            "",
            vec![field("name", "java.lang.String")],
        );
        builder.add_type(
            "jdk.types.StackFrame",
            "",
            vec![
                field("method", "jdk.types.Method").pooled(),
                field("lineNumber", "int"),
                field("bytecodeIndex", "int"),
                field("type", "jdk.types.FrameType").pooled(),
            ],
        );
        builder.add_type(
            "jdk.types.StackTrace",
            "",
            vec![
                field("truncated", "boolean"),
                field("frames", "jdk.types.StackFrame").array(),
            ],
        );
        builder.add_type(
            "java.lang.Thread",
            "",
            vec![
                field("osName", "java.lang.String"),
                field("osThreadId", "long"),
                field("javaName", "java.lang.String"),
                field("javaThreadId", "long"),
            ],
        );
        builder
    }

    pub(crate) fn add_type(&mut self, name: &str, super_type: &str, fields: Vec<FieldSpec>) -> i64 {
        self.types
            .push((name.to_owned(), super_type.to_owned(), fields));
        FIRST_ID + self.types.len() as i64 - 1
    }

    /// A type of events: `startTime` in ticks, then these fields.
    pub(crate) fn add_event_type(&mut self, name: &str, fields: Vec<FieldSpec>) -> i64 {
        let start = field("startTime", "long").annotated("jdk.jfr.Timestamp", "TICKS");
        let fields = [vec![start], fields].concat();
        self.add_type(name, "jdk.jfr.Event", fields)
    }

    /// The id of a type; one that no type has when there is none of that name.
    pub(crate) fn id(&self, name: &str) -> i64 {
        let index = self.types.iter().position(|(known, _, _)| known == name);
        index.map_or(99_999, |index| FIRST_ID + index as i64)
    }

    /// What is added later goes into a new checkpoint, which names the one before.
    pub(crate) fn next_checkpoint(&mut self) {
        self.checkpoints.push(Vec::new());
    }

    pub(crate) fn add_constant(
        &mut self,
        type_name: &str,
        key: i64,
        write: impl FnOnce(&mut Values),
    ) {
        let mut values = Values::new(self.compressed);
        write(&mut values);
        let entry = (type_name.to_owned(), key, values.bytes);
        self.checkpoints
            .last_mut()
            .expect("one is there")
            .push(entry);
    }

    /// A method `class.name` and all that it needs, under one key; `""` is a null class.
    pub(crate) fn add_method(&mut self, key: i64, class: &str, name: &str, descriptor: &str) {
        let symbol = |part| 10 * key + part;
        for (part, text) in [(1, class), (2, name), (3, descriptor)] {
            self.add_constant("jdk.types.Symbol", symbol(part), |values| {
                values.string(text);
            });
        }
        self.add_constant("java.lang.Class", key, |values| {
            values.long(symbol(1)).int(1);
        });
        let class_key = if class.is_empty() { 0 } else { key };
        self.add_constant("jdk.types.Method", key, |values| {
            values
                .long(class_key)
                .long(symbol(2))
                .long(symbol(3))
                .int(9)
                .byte(0);
        });
    }

    /// A stack of methods, the top first, each with the key of its frame type.
    pub(crate) fn add_stack(&mut self, key: i64, truncated: bool, frames: &[(i64, i64)]) {
        self.add_constant("jdk.types.StackTrace", key, |values| {
            values.byte(truncated.into()).int(frames.len() as i32);
            for (index, (method, kind)) in frames.iter().enumerate() {
                values
                    .long(*method)
                    .int(10 + index as i32)
                    .int(-1)
                    .long(*kind);
            }
        });
    }

    pub(crate) fn add_text(&mut self, type_name: &str, key: i64, text: &str) {
        self.add_constant(type_name, key, |values| {
            values.string(text);
        });
    }

    pub(crate) fn add_thread(&mut self, key: i64, java_name: &str) {
        self.add_constant("java.lang.Thread", key, |values| {
            values
                .string("os")
                .long(4_000 + key)
                .string(java_name)
                .long(key);
        });
    }

    /// An event of that type at the chunk's start.
    pub(crate) fn add_event(&mut self, type_name: &str, write: impl FnOnce(&mut Values)) {
        let mut values = Values::new(self.compressed);
        values.long(self.start_ticks);
        write(&mut values);
        let id = self.id(type_name);
        let event = sized(self.compressed, id, &values.bytes);
        self.events.extend(event);
    }

    /// Bytes in the place of an event.
    pub(crate) fn add_raw_event(&mut self, bytes: &[u8]) {
        self.events.extend(bytes);
    }

    /// The chunk: header, events, checkpoints, metadata.
    pub(crate) fn build(&self) -> Vec<u8> {
        let mut chunk = vec![0; 68];
        chunk.extend(&self.events);
        let mut last = 0;
        for constants in &self.checkpoints {
            let at = chunk.len();
            let delta = if last == 0 {
                0
            } else {
                last as i64 - at as i64
            };
            chunk.extend(self.checkpoint(delta, constants));
            last = at;
        }
        let metadata_at = chunk.len();
        chunk.extend(self.metadata());
        let size = chunk.len() as u64;
        chunk[..4].copy_from_slice(b"FLR\0");
        chunk[5] = 2;
        let longs = [
            size,
            last as u64,
            metadata_at as u64,
            self.start_unix_nanos.cast_unsigned(),
            self.duration_nanos.cast_unsigned(),
            self.start_ticks.cast_unsigned(),
            self.ticks_per_second.cast_unsigned(),
        ];
        for (index, long) in longs.into_iter().enumerate() {
            chunk[8 + 8 * index..16 + 8 * index].copy_from_slice(&long.to_be_bytes());
        }
        chunk[67] = self.compressed.into();
        chunk
    }

    fn checkpoint(&self, delta: i64, constants: &[(String, i64, Vec<u8>)]) -> Vec<u8> {
        let mut values = Values::new(self.compressed);
        values.long(0).long(0).long(delta).byte(1);
        values.int(constants.len() as i32);
        for (type_name, key, value) in constants {
            // A pool of its own for each: several of one type are allowed.
            values.long(self.id(type_name)).int(1).long(*key).raw(value);
        }
        sized(self.compressed, 1, &values.bytes)
    }

    fn metadata(&self) -> Vec<u8> {
        let mut tree = Tree::new(self.compressed);
        tree.open("root", &[], 1);
        tree.open("metadata", &[], self.types.len());
        for (name, super_type, fields) in &self.types {
            let id = self.id(name).to_string();
            let mut attributes = vec![("id", id.as_str()), ("name", name)];
            if !super_type.is_empty() {
                attributes.push(("superType", super_type));
            }
            tree.open("class", &attributes, fields.len());
            for field in fields {
                let class = self.id(&field.type_name).to_string();
                let dimension = field.dimension.to_string();
                let mut attributes = vec![("name", field.name.as_str()), ("class", &class)];
                if field.constant_pool {
                    attributes.push(("constantPool", "true"));
                }
                if field.dimension > 0 {
                    attributes.push(("dimension", &dimension));
                }
                tree.open("field", &attributes, field.annotation.iter().count());
                if let Some((class, value)) = &field.annotation {
                    let class = self.id(class).to_string();
                    let mut attributes = vec![("class", class.as_str())];
                    if !value.is_empty() {
                        attributes.push(("value", value));
                    }
                    tree.open("annotation", &attributes, 0);
                }
            }
        }
        let mut values = Values::new(self.compressed);
        values
            .long(0)
            .long(0)
            .long(7)
            .int(tree.strings.len() as i32);
        for text in &tree.strings {
            values.string(text);
        }
        values.raw(&tree.values.bytes);
        sized(self.compressed, 0, &values.bytes)
    }
}

/// An event with its size in front.
pub(crate) fn sized(compressed: bool, type_id: i64, payload: &[u8]) -> Vec<u8> {
    let mut body = Values::new(compressed);
    body.long(type_id).raw(payload);
    let mut event = Values::new(compressed);
    let size = body.bytes.len() + 4;
    if compressed {
        // Four bytes, as JVMs pad it.
        for shift in [0, 7, 14, 21] {
            let more = if shift < 21 { 0x80 } else { 0 };
            event.byte((size >> shift) as u8 & 0x7f | more);
        }
    } else {
        event.int(size as i32);
    }
    event.raw(&body.bytes);
    event.bytes
}

/// The elements of a metadata event and their strings.
struct Tree {
    strings: Vec<String>,
    values: Values,
}

impl Tree {
    fn new(compressed: bool) -> Self {
        Self {
            strings: Vec::new(),
            values: Values::new(compressed),
        }
    }

    fn string(&mut self, text: &str) {
        let known = self.strings.iter().position(|known| known == text);
        let index = known.unwrap_or_else(|| {
            self.strings.push(text.to_owned());
            self.strings.len() - 1
        });
        self.values.int(index as i32);
    }

    fn open(&mut self, name: &str, attributes: &[(&str, &str)], children: usize) {
        self.string(name);
        self.values.int(attributes.len() as i32);
        for (key, value) in attributes {
            self.string(key);
            self.string(value);
        }
        self.values.int(children as i32);
    }
}
