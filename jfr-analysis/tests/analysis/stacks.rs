//! Stacks of samples made by hand: what they are called, summed up and written.

use jfr_analysis::{
    FlameOptions, FrameKind, FrameName, Kind, StackCollector, StackSet, collapsed, flame_graph,
    kinds,
};
use jfr_reader::Recording;

use crate::chunk_builder::{ChunkBuilder, field, sized};

const CPU: &str = "datadog.ExecutionSample";

/// Methods 1 to 4, frame types 1 to 3, threads 1 and 2, states 1 and 2, and samples with weights.
fn builder() -> ChunkBuilder {
    let mut builder = ChunkBuilder::with_stacks(true);
    builder.add_event_type(
        CPU,
        vec![
            field("eventThread", "java.lang.Thread").pooled(),
            field("stackTrace", "jdk.types.StackTrace").pooled(),
            field("state", "jdk.types.ThreadState").pooled(),
            field("weight", "long"),
        ],
    );
    builder.add_method(1, "java/lang/Thread", "run", "()V");
    builder.add_method(2, "shop/Cart", "total", "()J");
    builder.add_method(3, "", "libjvm.so", "");
    builder.add_method(4, "", "[GC]", "");
    for (key, text) in [(1, "Interpreted"), (2, "JIT compiled"), (3, "Native")] {
        builder.add_text("jdk.types.FrameType", key, text);
    }
    builder.add_text("jdk.types.ThreadState", 1, "RUNNABLE");
    builder.add_text("jdk.types.ThreadState", 2, "PARKED");
    builder.add_thread(1, "main");
    builder.add_thread(2, "worker;\n1");
    builder.add_stack(1, false, &[(2, 2), (1, 1)]);
    builder.add_stack(2, false, &[(3, 3)]);
    builder
}

fn sample(builder: &mut ChunkBuilder, thread: i64, stack: i64, state: i64, weight: i64) {
    builder.add_event(CPU, |values| {
        values.long(thread).long(stack).long(state).long(weight);
    });
}

fn collect(builder: &ChunkBuilder, kind: Kind) -> StackSet {
    let bytes = builder.build();
    StackSet::collect(&Recording::parse(&bytes).expect("a recording"), kind)
}

fn lines(stacks: &StackSet, threads: bool) -> Vec<String> {
    let mut out = Vec::new();
    collapsed(stacks, threads, &mut out).expect("writing to memory");
    let text = String::from_utf8(out).expect("UTF-8");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn weights_are_summed_by_stack() {
    let mut builder = builder();
    sample(&mut builder, 1, 1, 1, 3);
    sample(&mut builder, 2, 1, 2, 4);
    sample(&mut builder, 1, 2, 1, 1);
    sample(&mut builder, 1, 1, 1, 5);
    let stacks = collect(&builder, Kind::Cpu);
    assert_eq!(stacks.unit, "samples");
    assert_eq!((stacks.events, stacks.total()), (4, 13));
    assert_eq!(stacks.threads, ["main", "worker;\n1"]);
    assert_eq!(stacks.states, ["RUNNABLE", "PARKED"]);
    assert_eq!(stacks.stacks.len(), 3);
    assert_eq!(
        lines(&stacks, false),
        ["java/lang/Thread.run;shop/Cart.total 12", "libjvm.so 1"]
    );
    assert_eq!(
        lines(&stacks, true),
        [
            "[main];java/lang/Thread.run;shop/Cart.total 8",
            "[main];libjvm.so 1",
            "[worker__1];java/lang/Thread.run;shop/Cart.total 4",
        ]
    );
}

#[test]
fn frames_have_names_and_kinds() {
    let mut builder = builder();
    builder.add_method(5, "libc.so.6", "read", "()L;");
    builder.add_method(6, "vmlinux", "vfs_read", "(Lk;)L;");
    builder.add_method(7, "", "", "");
    for (key, text) in [
        (4, "C1 compiled"),
        (5, "Inlined"),
        (6, "C++"),
        (7, "Kernel"),
    ] {
        builder.add_text("jdk.types.FrameType", key, text);
    }
    let frames = [
        (1, 1),
        (2, 2),
        (1, 4),
        (1, 5),
        (1, 3),
        (3, 3),
        (5, 6),
        (6, 7),
        (4, 3),
        (7, 2),
        (99, 98),
        (1, 98),
    ];
    builder.add_stack(3, false, &frames);
    sample(&mut builder, 1, 3, 1, 1);
    let stacks = collect(&builder, Kind::Cpu);
    let expected = [
        ("java/lang/Thread.run", FrameKind::Interpreted),
        ("shop/Cart.total", FrameKind::Jit),
        ("java/lang/Thread.run", FrameKind::C1),
        ("java/lang/Thread.run", FrameKind::Inlined),
        ("java/lang/Thread.run", FrameKind::Native),
        ("libjvm.so", FrameKind::Native),
        ("read", FrameKind::Cpp),
        ("vfs_read", FrameKind::Kernel),
        ("[GC]", FrameKind::Vm),
        ("[unknown]", FrameKind::Vm),
        ("[unknown]", FrameKind::Vm),
        ("java/lang/Thread.run", FrameKind::Jit),
    ];
    let top_first: Vec<&FrameName> = stacks.stacks[0]
        .frames
        .iter()
        .rev()
        .map(|&frame| &stacks.frames[frame as usize])
        .collect();
    let found: Vec<_> = top_first
        .iter()
        .map(|frame| (frame.name.as_str(), frame.kind))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn lines_of_one_text_are_one_line_in_the_order_of_bytes() {
    let mut builder = builder();
    builder.add_method(5, "a", "b", "");
    builder.add_method(6, "a", "b$1", "");
    builder.add_method(7, "a", "b<", "");
    for (key, frames) in [
        (3, [(5, 1)].as_slice()),
        (4, &[(5, 2)]),
        (5, &[(6, 1)]),
        (6, &[(7, 1)]),
        (7, &[(6, 1), (5, 1)]),
    ] {
        builder.add_stack(key, false, frames);
        sample(&mut builder, 1, key, 1, 1);
    }
    let lines = lines(&collect(&builder, Kind::Cpu), false);
    assert_eq!(lines, ["a.b 2", "a.b$1 1", "a.b;a.b$1 1", "a.b< 1"]);
    assert!(lines.is_sorted());
}

#[test]
fn what_is_cut_or_missing_has_a_frame_that_says_so() {
    let mut builder = builder();
    builder.add_stack(3, true, &[(2, 2)]);
    builder.add_stack(4, false, &[]);
    sample(&mut builder, 1, 3, 1, 1);
    sample(&mut builder, 1, 4, 1, 2);
    sample(&mut builder, 3, 77, 9, 4);
    let stacks = collect(&builder, Kind::Cpu);
    assert_eq!(
        lines(&stacks, true),
        [
            "[main];[no_stack] 2",
            "[main];[truncated];shop/Cart.total 1",
            "[unknown thread];[no_stack] 4",
        ]
    );
}

#[test]
fn of_two_families_only_the_first_is_counted() {
    let mut builder = builder();
    let fields = vec![
        field("sampledThread", "java.lang.Thread").pooled(),
        field("stackTrace", "jdk.types.StackTrace").pooled(),
    ];
    for name in ["jdk.ExecutionSample", "jdk.NativeMethodSample"] {
        builder.add_event_type(name, fields.clone());
        builder.add_event(name, |values| {
            values.long(2).long(2);
        });
    }
    assert_eq!(
        lines(&collect(&builder, Kind::Cpu), true),
        ["[worker__1];libjvm.so 2"]
    );
    sample(&mut builder, 1, 1, 1, 7);
    let stacks = collect(&builder, Kind::Cpu);
    assert_eq!((stacks.total(), stacks.events), (7, 1));
}

#[test]
fn each_kind_has_its_own_measure() {
    let mut builder = builder();
    let stack = field("stackTrace", "jdk.types.StackTrace").pooled();
    let duration = field("duration", "long").annotated("jdk.jfr.Timespan", "TICKS");
    let long = |name| field(name, "long");
    for (name, fields) in [
        (
            "jdk.ObjectAllocationInNewTLAB",
            vec![long("allocationSize"), long("tlabSize")],
        ),
        (
            "jdk.ObjectAllocationOutsideTLAB",
            vec![long("allocationSize"), long("unused")],
        ),
        (
            "jdk.JavaMonitorEnter",
            vec![duration.clone(), long("unused")],
        ),
        ("jdk.ThreadPark", vec![duration, long("unused")]),
        (
            "profiler.WallClockSample",
            vec![long("samples"), long("unused")],
        ),
    ] {
        let fields = [vec![stack.clone()], fields].concat();
        builder.add_event_type(name, fields);
        builder.add_event(name, |values| {
            values.long(1).long(16).long(1_024);
        });
    }
    let total = |kind| {
        let stacks = collect(&builder, kind);
        format!("{} {}", stacks.total(), stacks.unit)
    };
    assert_eq!(total(Kind::AllocBytes), "1040 bytes");
    assert_eq!(total(Kind::Alloc), "2 samples");
    assert_eq!(total(Kind::Lock), "32 ns");
    assert_eq!(total(Kind::Wall), "16 samples");
    assert_eq!(total(Kind::Cpu), "0 samples");
    let bytes = builder.build();
    let counts: Vec<_> = kinds(&Recording::parse(&bytes).expect("a recording"))
        .into_iter()
        .collect();
    assert_eq!(
        counts,
        [("alloc", 2), ("alloc-bytes", 2), ("lock", 2), ("wall", 1)]
    );
}

#[test]
fn samples_of_something_other_than_time_are_called_by_its_name() {
    let recording = |settings: &[(&str, &str)]| {
        let mut builder = builder();
        let text = |name| field(name, "java.lang.String");
        builder.add_event_type("jdk.ActiveSetting", vec![text("name"), text("value")]);
        for (name, value) in settings {
            builder.add_event("jdk.ActiveSetting", |values| {
                values.string(name).string(value);
            });
        }
        sample(&mut builder, 1, 1, 1, 3);
        builder.build()
    };
    let told = |recordings: &[&[(&str, &str)]]| {
        let mut collector = StackCollector::new(Kind::Cpu);
        for settings in recordings {
            let bytes = recording(settings);
            collector.add(&Recording::parse(&bytes).expect("a recording"));
        }
        let stacks = collector.finish();
        format!("{} of {:?}", stacks.unit, stacks.event)
    };
    let faults = &[("event", "page-faults"), ("interval", "1")][..];
    assert_eq!(told(&[faults]), "page-faults of Some(\"page-faults\")");
    assert_eq!(told(&[faults, faults]), told(&[faults]));
    // async-profiler's 0 is the event's own default.
    assert_eq!(
        told(&[&[("interval", "0"), ("event", "cycles")]]),
        "samples of cycles of Some(\"cycles\")"
    );
    assert_eq!(
        told(&[&[("event", "cycles"), ("interval", "5000")]]),
        "samples of 5000 cycles of Some(\"cycles\")"
    );
    for time in [
        &[&[("event", "cpu"), ("interval", "10ms")][..]][..],
        &[&[("event", "itimer")]],
        &[&[]],
        &[faults, &[("event", "cycles")]],
        &[faults, &[]],
    ] {
        assert_eq!(told(time), "samples of None", "{time:?}");
    }
}

#[test]
fn sampled_objects_are_size_times_weight_and_what_is_no_number_is_nothing() {
    let mut builder = builder();
    builder.add_event_type(
        "datadog.ObjectSample",
        vec![field("size", "long"), field("weight", "float")],
    );
    for (size, weight) in [(16, 2.5), (10, f32::NAN), (10, -1.0), (1, f32::INFINITY)] {
        builder.add_event("datadog.ObjectSample", |values| {
            values.long(size).float(weight);
        });
    }
    let stacks = collect(&builder, Kind::AllocBytes);
    assert_eq!(stacks.total(), u64::MAX, "it saturates");
    let negative_weight = |weight| {
        let mut builder = self::builder();
        sample(&mut builder, 1, 1, 1, weight);
        collect(&builder, Kind::Cpu).total()
    };
    assert_eq!(negative_weight(-5), 0);
}

#[test]
fn several_recordings_are_added_up() {
    let mut first = builder();
    sample(&mut first, 1, 1, 1, 1);
    let mut second = ChunkBuilder::with_stacks(false);
    let fields = vec![
        field("stackTrace", "jdk.types.StackTrace").pooled(),
        field("weight", "int"),
    ];
    second.add_event_type(CPU, fields);
    second.add_method(9, "shop/Cart", "total", "()J");
    second.add_method(8, "java/lang/Thread", "run", "()V");
    second.add_text("jdk.types.FrameType", 5, "JIT compiled");
    second.add_text("jdk.types.FrameType", 6, "Interpreted");
    second.add_stack(4, false, &[(9, 5), (8, 6)]);
    second.add_event(CPU, |values| {
        values.long(4).int(2);
    });
    let mut collector = StackCollector::new(Kind::Cpu);
    for builder in [&first, &second] {
        let bytes = builder.build();
        collector.add(&Recording::parse(&bytes).expect("a recording"));
    }
    let stacks = collector.finish();
    assert_eq!(
        stacks.frames.len(),
        2,
        "frames are one, whatever their keys"
    );
    assert_eq!(
        lines(&stacks, false),
        ["java/lang/Thread.run;shop/Cart.total 3"]
    );
}

#[test]
fn the_flame_graph_has_what_the_stacks_have() {
    let mut builder = builder();
    sample(&mut builder, 1, 1, 1, 3);
    sample(&mut builder, 2, 1, 1, 4);
    sample(&mut builder, 2, 2, 1, 5);
    builder.add_raw_event(&sized(true, 77_777, b"?"));
    let stacks = collect(&builder, Kind::Cpu);
    assert_eq!(stacks.unreadable_events, 1);
    let options = |threads| FlameOptions {
        title: "title".to_owned(),
        threads,
        notes: Vec::new(),
    };
    let graph = flame_graph(&stacks, &options(false));
    assert_eq!(graph.total(), 12);
    let nodes = graph.nodes();
    let with_threads = flame_graph(&stacks, &options(true));
    assert_eq!(with_threads.total(), 12);
    // Two threads; main has one stack of two frames, the worker that and one of one frame.
    assert_eq!(with_threads.nodes() - nodes, (2 + 2 + 3) - 3);
}
