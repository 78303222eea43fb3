//! Objects that were allocated or are alive: counted in objects and in bytes, with their classes.

use jfr_analysis::{
    FlameOptions, FrameKind, Kind, Metrics, Period, StackCollector, StackSet, collapsed,
    flame_graph,
};
use jfr_reader::Recording;

use crate::chunk_builder::{ChunkBuilder, FieldSpec, field};

const BYTES: i64 = 1;
const STRING: i64 = 2;
const UNKNOWN_CLASS: i64 = 77;

/// One stack `Main.main` under key 1, and the classes of the objects.
fn builder() -> ChunkBuilder {
    let mut builder = ChunkBuilder::with_stacks(true);
    builder.add_method(9, "Main", "main", "()V");
    builder.add_text("jdk.types.FrameType", 1, "JIT compiled");
    builder.add_stack(1, false, &[(9, 1)]);
    for (key, name) in [(BYTES, "[B"), (STRING, "java/lang/String")] {
        builder.add_text("jdk.types.Symbol", key, name);
        builder.add_constant("java.lang.Class", key, |values| {
            values.long(key).int(1);
        });
    }
    builder
}

/// An event type of objects: stack and class, then these fields.
fn add_type(builder: &mut ChunkBuilder, name: &str, fields: &[FieldSpec]) {
    let head = [
        field("stackTrace", "jdk.types.StackTrace").pooled(),
        field("objectClass", "java.lang.Class").pooled(),
    ];
    builder.add_event_type(name, [&head, fields].concat());
}

fn long(name: &str) -> FieldSpec {
    field(name, "long")
}

fn read(builder: &ChunkBuilder, kind: Kind) -> StackSet {
    let bytes = builder.build();
    StackSet::collect(&Recording::parse(&bytes).expect("a recording"), kind)
}

fn lines(stacks: &StackSet) -> Vec<String> {
    let mut out = Vec::new();
    collapsed(stacks, false, &mut out).expect("writing to memory");
    let text = String::from_utf8(out).expect("UTF-8");
    text.lines().map(str::to_owned).collect()
}

#[track_caller]
fn assert_lines(builder: &ChunkBuilder, kind: Kind, unit: &str, expected: &[&str]) {
    let stacks = read(builder, kind);
    assert_eq!(stacks.unit, unit, "{kind}");
    assert_eq!(lines(&stacks), expected, "{kind}");
}

/// Samples of ours in the DataKit dialect.
fn datakit(name: &str, samples: &[(i64, i64, f32)]) -> ChunkBuilder {
    let mut builder = builder();
    let size = long("size").annotated("jdk.jfr.DataAmount", "BYTES");
    add_type(&mut builder, name, &[size, field("weight", "float")]);
    for &(class, size, weight) in samples {
        builder.add_event(name, |values| {
            values.long(1).long(class).long(size).float(weight);
        });
    }
    builder
}

#[test]
fn the_class_is_the_last_frame() {
    let builder = datakit(
        "datadog.ObjectSample",
        &[
            (BYTES, 1_000, 2.5),
            (STRING, 24, 100.0),
            (BYTES, 1_000, 2.5),
            (UNKNOWN_CLASS, 8, 1.0),
        ],
    );
    let stacks = read(&builder, Kind::Alloc);
    assert_eq!(stacks.events, 4);
    let last = |stack: &jfr_analysis::Stack| {
        let frame = &stacks.frames[*stack.frames.last().expect("frames") as usize];
        (frame.name.clone(), frame.kind)
    };
    let ends: Vec<_> = stacks.stacks.iter().map(last).collect();
    assert_eq!(
        ends,
        [
            ("byte[]".to_owned(), FrameKind::Class),
            ("java.lang.String".to_owned(), FrameKind::Class),
            ("Main.main".to_owned(), FrameKind::Jit),
        ]
    );
    assert_lines(
        &builder,
        Kind::Alloc,
        "objects",
        &[
            "Main.main 1",
            "Main.main;byte[] 5",
            "Main.main;java.lang.String 100",
        ],
    );
    assert_lines(
        &builder,
        Kind::AllocBytes,
        "bytes",
        &[
            "Main.main 8",
            "Main.main;byte[] 5000",
            "Main.main;java.lang.String 2400",
        ],
    );
}

/// A sample of a large object stands for 1.02 of them: rounded one by one, two of a hundred are lost.
#[test]
fn fractions_of_many_stacks_add_up() {
    let mut builder = datakit("datadog.ObjectSample", &[]);
    for key in 100..200 {
        builder.add_method(key, "Site", &format!("m{key}"), "()V");
        builder.add_stack(key, false, &[(key, 1)]);
        builder.add_event("datadog.ObjectSample", |values| {
            values.long(key).long(BYTES).long(2 << 20).float(1.02);
        });
    }
    let stacks = read(&builder, Kind::Alloc);
    assert_eq!(stacks.stacks.len(), 100);
    assert_eq!(stacks.total(), 102);
}

#[test]
fn our_events_of_the_jdk_dialect_say_as_much() {
    let mut builder = builder();
    let name = "jdk.ObjectAllocationInNewTLAB";
    add_type(
        &mut builder,
        name,
        &[long("allocationSize"), long("tlabSize")],
    );
    builder.add_event_type("jprof.Counter", vec![]);
    for (bytes, size) in [(5_000, 1_000), (8_000_000, 8_000_000), (7, 0)] {
        builder.add_event(name, |values| {
            values.long(1).long(BYTES).long(size).long(bytes);
        });
    }
    assert_lines(&builder, Kind::Alloc, "objects", &["Main.main;byte[] 6"]);
    assert_lines(
        &builder,
        Kind::AllocBytes,
        "bytes",
        &["Main.main;byte[] 8005007"],
    );
}

#[test]
fn others_events_count_as_samples_where_they_do_not_say_how_many_objects() {
    let mut builder = builder();
    add_type(
        &mut builder,
        "jdk.ObjectAllocationSample",
        &[long("weight")],
    );
    for weight in [500, 700] {
        builder.add_event("jdk.ObjectAllocationSample", |values| {
            values.long(1).long(BYTES).long(weight);
        });
    }
    assert_lines(&builder, Kind::Alloc, "samples", &["Main.main;byte[] 2"]);
    assert_lines(
        &builder,
        Kind::AllocBytes,
        "bytes",
        &["Main.main;byte[] 1200"],
    );
    // With the pair beside it, the pair is what is counted.
    let sizes = [long("allocationSize"), long("tlabSize")];
    add_type(&mut builder, "jdk.ObjectAllocationInNewTLAB", &sizes);
    add_type(&mut builder, "jdk.ObjectAllocationOutsideTLAB", &sizes[..1]);
    builder.add_event("jdk.ObjectAllocationInNewTLAB", |values| {
        values.long(1).long(STRING).long(24).long(524_288);
    });
    builder.add_event("jdk.ObjectAllocationOutsideTLAB", |values| {
        values.long(1).long(BYTES).long(9_000_000);
    });
    let both = ["Main.main;byte[] 1", "Main.main;java.lang.String 1"];
    assert_lines(&builder, Kind::Alloc, "samples", &both);
    let both = [
        "Main.main;byte[] 9000000",
        "Main.main;java.lang.String 524288",
    ];
    assert_lines(&builder, Kind::AllocBytes, "bytes", &both);
}

#[test]
fn live_objects_are_those_of_the_last_chunk_that_tells_of_them() {
    let name = "datadog.HeapLiveObject";
    let first = datakit(name, &[(BYTES, 1_000, 50.0)]);
    let second = datakit(name, &[(BYTES, 1_000, 60.0), (STRING, 24, 2.0)]);
    let silent = datakit(name, &[]);
    let bytes = [&first, &second, &silent].map(ChunkBuilder::build).concat();
    let recording = Recording::parse(&bytes).expect("a recording");
    let stacks = StackSet::collect(&recording, Kind::Live);
    assert_eq!((&*stacks.unit, stacks.earlier_snapshots), ("objects", 1));
    assert_eq!(
        lines(&stacks),
        ["Main.main;byte[] 60", "Main.main;java.lang.String 2"]
    );
    let stacks = StackSet::collect(&recording, Kind::LiveBytes);
    assert_eq!((&*stacks.unit, stacks.total()), ("bytes", 60_048));
    let page = flame_graph(&stacks, &FlameOptions::default()).render();
    assert!(page.starts_with("<!DOCTYPE html>"));
    // Recordings of several JVMs are added up.
    let mut collector = StackCollector::new(Kind::Live);
    for builder in [&first, &second] {
        let bytes = builder.build();
        collector.add(&Recording::parse(&bytes).expect("a recording"));
    }
    let stacks = collector.finish();
    assert_eq!((stacks.total(), stacks.earlier_snapshots), (112, 0));
}

#[test]
fn live_objects_of_other_writers() {
    let mut builder = builder();
    let name = "profiler.LiveObject";
    let sizes = [long("allocationSize"), long("allocationTime")];
    add_type(&mut builder, name, &sizes);
    builder.add_event(name, |values| {
        values.long(1).long(BYTES).long(4_096).long(5);
    });
    assert_lines(&builder, Kind::Live, "samples", &["Main.main;byte[] 1"]);
    assert_lines(
        &builder,
        Kind::LiveBytes,
        "bytes",
        &["Main.main;byte[] 4096"],
    );
}

/// The JDK's event names an object, which lies in a pool and has a class; older ones have no size.
#[test]
fn old_objects_of_the_jdk() {
    for has_size in [false, true] {
        let mut builder = builder();
        builder.add_type(
            "jdk.types.OldObject",
            "",
            vec![
                long("address"),
                field("type", "java.lang.Class").pooled(),
                field("description", "java.lang.String"),
            ],
        );
        for (key, class) in [(1, BYTES), (2, STRING), (3, BYTES)] {
            builder.add_constant("jdk.types.OldObject", key, |values| {
                values.long(4_096).long(class).byte(0);
            });
        }
        let mut fields = vec![
            field("stackTrace", "jdk.types.StackTrace").pooled(),
            field("object", "jdk.types.OldObject").pooled(),
        ];
        if has_size {
            fields.push(long("objectSize"));
        }
        builder.add_event_type("jdk.OldObjectSample", fields);
        for object in 1..=3 {
            builder.add_event("jdk.OldObjectSample", |values| {
                values.long(1).long(object);
                if has_size {
                    values.long(100);
                }
            });
        }
        let samples = ["Main.main;byte[] 2", "Main.main;java.lang.String 1"];
        assert_lines(&builder, Kind::Live, "samples", &samples);
        let bytes = read(&builder, Kind::LiveBytes);
        assert_eq!(bytes.total(), if has_size { 300 } else { 0 });
        assert_eq!(bytes.events, if has_size { 3 } else { 0 });
    }
}

#[test]
fn what_is_alive_stands_beside_the_number_of_its_samples() {
    let name = "datadog.HeapLiveObject";
    let chunks = [
        datakit(name, &[(BYTES, 1_000, 50.0)]),
        datakit(name, &[(BYTES, 1_000, 60.0), (STRING, 24, 2.5)]),
    ];
    let bytes = chunks.each_ref().map(ChunkBuilder::build).concat();
    let recording = Recording::parse(&bytes).expect("a recording");
    let period = Period {
        start_unix_nanos: 0,
        end_unix_nanos: 10_000_000_000,
    };
    let metrics = Metrics::derive(&recording, period);
    let live = metrics.live_estimate().expect("there are live objects");
    assert_eq!((live.objects, live.bytes), (62.5, 60_060.0));
    let table = metrics.to_table();
    let line = table
        .lines()
        .find(|line| line.starts_with("prof_jvm_lifetime_heap_objects "))
        .expect("the metric is there");
    assert!(
        line.contains(" 3  objects (samples; they stand for 62 objects of 60060 bytes)"),
        "{line}"
    );
    assert_eq!(
        Metrics::derive(
            &Recording::parse(&builder().build()).expect("a recording"),
            period
        )
        .live_estimate(),
        None
    );
}
