//! What readers ask of a chunk beyond its being readable: DataKit's parser, the typed Go parsers,
//! the JDK's, and async-profiler's converter, which knows the pools' layouts by heart.

use std::collections::{BTreeMap, BTreeSet};

use jfr_reader::{Chunk, Field, Recording, Unit};
use jfr_writer::{Dialect, FrameKind};
use proptest::prelude::*;

use crate::chunks::{chunk_of, empty};
use crate::story::{Method, Stack, Story, Taste, stories};

const DIALECTS: [Dialect; 2] = [Dialect::DataKit, Dialect::Jdk];

fn with_chunk(bytes: &[u8], check: impl FnOnce(&Chunk<'_>)) {
    let recording = Recording::parse(bytes).expect("our chunks can be read");
    check(&recording.chunks()[0]);
}

fn with_empty_chunks(check: impl Fn(Dialect, &Chunk<'_>)) {
    for dialect in DIALECTS {
        with_chunk(&chunk_of(&empty(dialect)), |chunk| check(dialect, chunk));
    }
}

fn pools_that_lack_an_entry(chunk: &Chunk<'_>) -> Vec<String> {
    let types = chunk.types().flat_map(|ty| ty.fields().collect::<Vec<_>>());
    let pooled: BTreeSet<&str> = types
        .filter(Field::is_constant_pool)
        .map(|field| field.type_name())
        .collect();
    pooled
        .into_iter()
        .filter(|name| chunk.constants(name).next().is_none())
        .map(str::to_owned)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_type_that_has_a_pool_has_an_entry_in_it(story in stories(Taste::anything())) {
        with_chunk(&chunk_of(&story), |chunk| assert_eq!(pools_that_lack_an_entry(chunk), Vec::<String>::new()));
    }
}

#[test]
fn an_empty_chunk_has_an_entry_in_every_pool() {
    with_empty_chunks(|_, chunk| assert_eq!(pools_that_lack_an_entry(chunk), Vec::<String>::new()));
}

fn keys(chunk: &Chunk<'_>, ty: &str) -> Vec<i64> {
    chunk.constants(ty).map(|(key, _)| key).collect()
}

#[test]
fn keys_count_from_one() {
    with_empty_chunks(|_, chunk| {
        let types = chunk.types().map(|ty| ty.name());
        for ty in types.filter(|&ty| ty != FRAME_TYPE) {
            let keys = keys(chunk, ty);
            assert_eq!(keys, (1..=keys.len() as i64).collect::<Vec<_>>(), "{ty}");
        }
    });
}

/// A story with a stack of one frame.
fn with_a_frame(dialect: Dialect, kind: FrameKind) -> Story {
    let method = Method {
        class: "libc.so.6".into(),
        name: "read".into(),
        descriptor: "()L;".into(),
    };
    let stack = Stack {
        frames: vec![(0, 0, 0, kind)],
        truncated: false,
    };
    Story {
        methods: vec![method],
        stacks: vec![stack],
        ..empty(dialect)
    }
}

const FRAME_TYPE: &str = "jdk.types.FrameType";

/// async-profiler's converter knows the keys by heart: those of its own files, which begin like a JVM's.
#[test]
fn frame_types_have_the_keys_that_readers_know_by_heart() {
    with_empty_chunks(|dialect, chunk| {
        assert_eq!(keys(chunk, FRAME_TYPE), [0, 1, 2, 3, 6]);
        let native = chunk_of(&with_a_frame(dialect, FrameKind::Kernel));
        with_chunk(&native, |chunk| {
            let types = chunk.constants(FRAME_TYPE).map(|(key, ty)| {
                let text = ty.into_text().expect("a frame type is a text");
                format!("{key} {text}")
            });
            let expected = [
                "0 Interpreted",
                "1 JIT compiled",
                "2 Inlined",
                "3 Native",
                "4 C++",
                "5 Kernel",
                "6 C1 compiled",
            ];
            assert_eq!(types.collect::<Vec<_>>(), expected);
        });
    });
}

#[test]
fn the_types_that_strict_readers_look_for_are_defined() {
    with_empty_chunks(|_, chunk| {
        for name in [
            "boolean",
            "short",
            "int",
            "long",
            "float",
            "java.lang.String",
            "java.lang.Thread",
            "java.lang.Class",
            "jdk.types.FrameType",
            "jdk.types.ThreadState",
            "jdk.types.Method",
            "jdk.types.Package",
            "jdk.types.Symbol",
            "jdk.types.StackTrace",
            "jdk.types.StackFrame",
            "jdk.types.ClassLoader",
        ] {
            assert!(chunk.type_named(name).is_some(), "{name}");
        }
    });
}

/// `name:type`, with `*` for a key into a pool and `[]` for an array.
fn layout(chunk: &Chunk<'_>, ty: &str) -> Vec<String> {
    let ty = chunk.type_named(ty).expect("the type is defined");
    let fields = ty.fields().map(|field| {
        let pool = if field.is_constant_pool() { "*" } else { "" };
        let array = if field.is_array() { "[]" } else { "" };
        format!("{}:{}{pool}{array}", field.name(), field.type_name())
    });
    fields.collect()
}

#[test]
fn pools_have_the_layouts_that_readers_know_by_heart() {
    with_empty_chunks(|_, chunk| {
        for (ty, expected) in [
            (
                "java.lang.Thread",
                "osName:java.lang.String osThreadId:long javaName:java.lang.String javaThreadId:long group:jdk.types.ThreadGroup*",
            ),
            (
                "jdk.types.ThreadGroup",
                "parent:jdk.types.ThreadGroup* name:java.lang.String",
            ),
            (
                "java.lang.Class",
                "classLoader:jdk.types.ClassLoader* name:jdk.types.Symbol* package:jdk.types.Package* modifiers:int",
            ),
            (
                "jdk.types.ClassLoader",
                "type:java.lang.Class* name:jdk.types.Symbol*",
            ),
            ("jdk.types.Package", "name:jdk.types.Symbol*"),
            ("jdk.types.Symbol", "string:java.lang.String"),
            (
                "jdk.types.Method",
                "type:java.lang.Class* name:jdk.types.Symbol* descriptor:jdk.types.Symbol* modifiers:int hidden:boolean",
            ),
            (
                "jdk.types.StackTrace",
                "truncated:boolean frames:jdk.types.StackFrame[]",
            ),
            (
                "jdk.types.StackFrame",
                "method:jdk.types.Method* lineNumber:int bytecodeIndex:int type:jdk.types.FrameType*",
            ),
            ("jdk.types.FrameType", "description:java.lang.String"),
            ("jdk.types.ThreadState", "name:java.lang.String"),
        ] {
            assert_eq!(layout(chunk, ty).join(" "), expected, "{ty}");
        }
    });
}

#[test]
fn samples_have_the_fields_of_their_dialect() {
    with_empty_chunks(|dialect, chunk| {
        let head = "startTime:long eventThread:java.lang.Thread* stackTrace:jdk.types.StackTrace*";
        let of_object = format!("{head} objectClass:java.lang.Class*");
        let expected = match dialect {
            Dialect::DataKit => vec![
                (
                    "datadog.ExecutionSample",
                    format!(
                        "{head} state:jdk.types.ThreadState* mode:datadog.types.ExecutionMode* \
                         weight:long spanId:long localRootSpanId:long"
                    ),
                ),
                (
                    "datadog.ObjectSample",
                    format!("{of_object} size:long weight:float"),
                ),
                (
                    "datadog.HeapLiveObject",
                    format!("{of_object} age:long size:long weight:float"),
                ),
                (
                    "datadog.HeapUsage",
                    "startTime:long size:long isLive:boolean".to_owned(),
                ),
            ],
            Dialect::Jdk => vec![
                (
                    "jdk.ExecutionSample",
                    format!(
                        "{} state:jdk.types.ThreadState*",
                        head.replace("event", "sampled")
                    ),
                ),
                (
                    "jdk.ObjectAllocationInNewTLAB",
                    format!("{of_object} allocationSize:long tlabSize:long"),
                ),
                (
                    "profiler.LiveObject",
                    format!("{of_object} allocationSize:long allocationTime:long"),
                ),
            ],
        };
        for (ty, expected) in expected {
            assert_eq!(layout(chunk, ty).join(" "), expected, "{ty}");
        }
    });
}

/// Readers that know several events for one thing add them up.
#[test]
fn allocations_and_live_objects_have_one_event_each() {
    with_empty_chunks(|dialect, chunk| {
        let names: BTreeSet<&str> = chunk
            .types()
            .filter(|ty| ty.is_event())
            .map(|ty| ty.name())
            .collect();
        let of_one_thing = [
            vec![
                "datadog.ObjectSample",
                "jdk.ObjectAllocationSample",
                "jdk.ObjectAllocationInNewTLAB",
                "jdk.ObjectAllocationOutsideTLAB",
            ],
            vec![
                "datadog.HeapLiveObject",
                "profiler.LiveObject",
                "jdk.OldObjectSample",
            ],
        ];
        for thing in of_one_thing {
            let told = thing.iter().filter(|name| names.contains(*name));
            assert_eq!(told.count(), 1, "{thing:?} in {dialect:?}");
        }
    });
}

/// A reader of Guance's takes a float for a varint and finds nothing behind it.
#[test]
fn weights_of_objects_come_last() {
    with_empty_chunks(|_, chunk| {
        for ty in chunk.types().filter(|ty| ty.is_event()) {
            let fields: Vec<_> = ty.fields().collect();
            let weight = fields
                .iter()
                .position(|field| field.name() == "weight" && field.type_name() == "float");
            assert!(
                weight.is_none_or(|place| place + 1 == fields.len()),
                "{}",
                ty.name()
            );
        }
    });
}

#[test]
fn fields_are_of_types_that_every_reader_takes() {
    with_empty_chunks(|_, chunk| {
        for ty in chunk.types() {
            for field in ty.fields() {
                let place = format!("{}.{}", ty.name(), field.name());
                assert!(
                    !["short", "byte", "char", "double"].contains(&field.type_name()),
                    "{place}"
                );
                assert!(!(field.is_constant_pool() && field.is_array()), "{place}");
                assert!(!ty.is_event() || !field.is_array(), "{place}");
                let inline_struct =
                    !field.is_constant_pool() && field.type_name().contains("types.");
                assert_eq!(
                    inline_struct,
                    place == "jdk.types.StackTrace.frames",
                    "{place}"
                );
            }
        }
    });
}

#[test]
fn every_event_begins_with_its_time() {
    with_empty_chunks(|_, chunk| {
        for ty in chunk.types().filter(|ty| ty.is_event()) {
            let first = ty.fields().next().expect("events have fields");
            assert_eq!(
                (first.name(), first.unit()),
                ("startTime", Unit::TickTimestamp),
                "{}",
                ty.name()
            );
        }
    });
}

#[test]
fn quantities_have_units() {
    with_empty_chunks(|dialect, chunk| {
        let mut expected = BTreeMap::from([
            ("jdk.ActiveRecording.maxAge", Unit::Milliseconds),
            ("jdk.ActiveRecording.maxSize", Unit::Bytes),
            ("jdk.ActiveRecording.recordingDuration", Unit::Milliseconds),
            (
                "jdk.ActiveRecording.recordingStart",
                Unit::EpochMilliseconds,
            ),
            ("jdk.CPULoad.jvmSystem", Unit::Fraction),
            ("jdk.CPULoad.jvmUser", Unit::Fraction),
            ("jdk.CPULoad.machineTotal", Unit::Fraction),
            ("jdk.JVMInformation.jvmStartTime", Unit::EpochMilliseconds),
            ("jdk.NativeLibrary.baseAddress", Unit::Address),
            ("jdk.NativeLibrary.topAddress", Unit::Address),
        ]);
        match dialect {
            Dialect::Jdk => expected.extend([
                ("jdk.ObjectAllocationInNewTLAB.allocationSize", Unit::Bytes),
                ("jdk.ObjectAllocationInNewTLAB.tlabSize", Unit::Bytes),
                ("profiler.LiveObject.allocationSize", Unit::Bytes),
                ("profiler.LiveObject.allocationTime", Unit::TickTimestamp),
            ]),
            Dialect::DataKit => expected.extend([
                ("datadog.HeapLiveObject.size", Unit::Bytes),
                ("datadog.HeapUsage.size", Unit::Bytes),
                ("datadog.ObjectSample.size", Unit::Bytes),
                ("datadog.DatadogProfilerConfig.allocInterval", Unit::Bytes),
                (
                    "datadog.DatadogProfilerConfig.cpuInterval",
                    Unit::Nanoseconds,
                ),
                ("datadog.DatadogProfilerConfig.memleakInterval", Unit::Bytes),
                (
                    "datadog.DatadogProfilerConfig.wallInterval",
                    Unit::Nanoseconds,
                ),
            ]),
        }
        let mut actual = BTreeMap::new();
        for ty in chunk.types().filter(|ty| ty.is_event()) {
            for field in ty
                .fields()
                .skip(1)
                .filter(|field| field.unit() != Unit::None)
            {
                actual.insert(format!("{}.{}", ty.name(), field.name()), field.unit());
            }
        }
        let actual: BTreeMap<&str, Unit> = actual
            .iter()
            .map(|(place, unit)| (&place[..], *unit))
            .collect();
        assert_eq!(actual, expected);
    });
}

#[test]
fn type_ids_are_out_of_a_jvms_reach_and_fit_into_an_int() {
    with_empty_chunks(|_, chunk| {
        for ty in chunk.types() {
            assert!(
                (1_000_000..i64::from(i32::MAX)).contains(&ty.id()),
                "{} {}",
                ty.name(),
                ty.id()
            );
        }
    });
}

/// The JDK's reader answers from the chunk before when type id and key are the same.
#[test]
fn types_with_pools_have_other_ids_in_the_next_chunk_and_events_the_same() {
    let chunks = [
        chunk_of(&empty(Dialect::Jdk)),
        chunk_of(&empty(Dialect::Jdk)),
    ]
    .concat();
    let recording = Recording::parse(&chunks).expect("our chunks can be read");
    let [one, next] = recording.chunks() else {
        panic!("there are two chunks")
    };
    for ty in one.types() {
        let other = next
            .type_named(ty.name())
            .expect("both chunks define the same types");
        let has_pool = one.constants(ty.name()).next().is_some();
        assert_eq!(ty.id() != other.id(), has_pool, "{}", ty.name());
    }
}
