//! What a well-formed chunk says is what the reader gives, with either encoding of integers.

use jfr_reader::{Event, Recording, Unit, Value};

use crate::chunk_builder::{ChunkBuilder, field};

/// Runs the check on the chunk with compressed and with fixed-width integers.
fn with_each_encoding(make: impl Fn(&mut ChunkBuilder), check: impl Fn(&Recording<'_>)) {
    for compressed in [true, false] {
        let mut builder = ChunkBuilder::with_stacks(compressed);
        make(&mut builder);
        let bytes = builder.build();
        let recording = Recording::parse(&bytes).expect("a well-formed chunk");
        assert_eq!(recording.damage(), []);
        check(&recording);
    }
}

fn only_event<'r>(recording: &'r Recording<'_>) -> Event<'r> {
    let events: Vec<_> = recording.chunks()[0].events().collect();
    let [Ok(event)] = events.as_slice() else {
        panic!("one readable event, not {events:?}");
    };
    *event
}

#[test]
fn the_header_is_what_was_written() {
    with_each_encoding(
        |builder| builder.ticks_per_second = 2_000_000_000,
        |recording| {
            let header = recording.chunks()[0].header();
            assert_eq!((header.major, header.minor), (2, 0));
            assert_eq!(header.start_unix_nanos, 1_700_000_000_000_000_000);
            assert_eq!(header.duration_nanos, 10_000_000_000);
            assert_eq!(header.start_ticks, 1_000);
            assert_eq!(header.ticks_per_second, 2_000_000_000);
            assert_eq!(header.unix_nanos(3_000), 1_700_000_000_000_001_000);
            assert_eq!(header.span_nanos(-3), -1);
        },
    );
}

#[test]
fn every_primitive_is_read() {
    with_each_encoding(
        |builder| {
            let names = [
                "boolean",
                "byte",
                "short",
                "int",
                "long",
                "float",
                "double",
                "java.lang.String",
            ];
            let fields = names.iter().map(|name| field(name, name)).collect();
            builder.add_event_type("test.Primitives", fields);
            builder.add_event("test.Primitives", |values| {
                values.byte(1).byte(0xff).short(-2).int(-3).long(-4);
                values.float(1.5).double(-2.5).string("text ä");
            });
        },
        |recording| {
            let event = only_event(recording);
            assert!(matches!(event.value("boolean"), Some(Value::Boolean(true))));
            assert!(matches!(event.value("byte"), Some(Value::Byte(-1))));
            assert!(matches!(event.value("short"), Some(Value::Short(-2))));
            assert!(matches!(event.value("int"), Some(Value::Int(-3))));
            assert!(matches!(event.value("long"), Some(Value::Long(-4))));
            assert!(matches!(event.value("float"), Some(Value::Float(1.5))));
            assert!(matches!(event.value("double"), Some(Value::Double(-2.5))));
            assert_eq!(event.text("java.lang.String"), None, "a dot is a path");
            let last = event.fields().fields().last().expect("a field").1;
            assert_eq!(last.and_then(Value::into_text).as_deref(), Some("text ä"));
            assert!(event.value("other").is_none());
            assert!(event.value("int.other").is_none());
        },
    );
}

#[test]
fn a_path_leads_through_constant_pools() {
    with_each_encoding(
        |builder| {
            let fields = vec![
                field("eventThread", "java.lang.Thread").pooled(),
                field("absent", "java.lang.Thread").pooled(),
                field("frameType", "jdk.types.FrameType").pooled(),
            ];
            builder.add_event_type("test.Paths", fields);
            builder.add_thread(7, "main");
            builder.add_text("jdk.types.FrameType", 3, "Inlined");
            builder.add_event("test.Paths", |values| {
                values.long(7).long(8).long(3);
            });
        },
        |recording| {
            let event = only_event(recording);
            assert_eq!(event.text("eventThread.javaName").as_deref(), Some("main"));
            assert_eq!(event.i64("eventThread.osThreadId"), Some(4_007));
            assert_eq!(event.key("absent"), Some(8));
            assert!(event.value("absent").is_none());
            assert_eq!(event.text("frameType").as_deref(), Some("Inlined"));
            let thread = event.thread().expect("a thread");
            assert_eq!(thread.name().as_deref(), Some("main"));
            assert_eq!(thread.os_name().as_deref(), Some("os"));
            assert_eq!(thread.java_id(), Some(7));
        },
    );
}

#[test]
fn a_stack_has_its_frames_with_the_top_first() {
    with_each_encoding(
        |builder| {
            builder.add_event_type(
                "test.Stack",
                vec![field("stackTrace", "jdk.types.StackTrace").pooled()],
            );
            builder.add_method(1, "java/lang/String", "equals", "(Ljava/lang/Object;)Z");
            builder.add_method(2, "", "[GC]", "");
            builder.add_text("jdk.types.FrameType", 5, "JIT compiled");
            builder.add_stack(9, true, &[(1, 5), (2, 6)]);
            builder.add_event("test.Stack", |values| {
                values.long(9);
            });
        },
        |recording| {
            let stack = only_event(recording).stack_trace().expect("a stack");
            assert!(stack.truncated());
            let frames: Vec<_> = stack.frames().collect();
            assert_eq!(frames.len(), 2);
            assert_eq!(frames[0].class_name().as_deref(), Some("java/lang/String"));
            assert_eq!(frames[0].method_name().as_deref(), Some("equals"));
            assert_eq!(
                frames[0].descriptor().as_deref(),
                Some("(Ljava/lang/Object;)Z")
            );
            assert_eq!(frames[0].modifiers(), Some(9));
            assert_eq!(frames[0].line(), Some(10));
            assert_eq!(frames[0].bytecode_index(), Some(-1));
            assert_eq!(frames[0].kind().as_deref(), Some("JIT compiled"));
            assert_eq!(frames[1].class_name(), None);
            assert_eq!(frames[1].method_name().as_deref(), Some("[GC]"));
            assert_eq!(frames[1].kind(), None, "there is no such constant");
        },
    );
}

#[test]
fn arrays_and_structs_lie_inline() {
    with_each_encoding(
        |builder| {
            builder.add_type(
                "test.Pair",
                "",
                vec![field("left", "int"), field("right", "java.lang.String")],
            );
            builder.add_event_type(
                "test.Inline",
                vec![
                    field("longs", "long").array(),
                    field("pairs", "test.Pair").array(),
                    field("pair", "test.Pair"),
                    field("last", "byte"),
                ],
            );
            builder.add_event("test.Inline", |values| {
                values.int(3).long(1).long(-1).long(1 << 40);
                values.int(2).int(1).string("one").int(2).string("two");
                values.int(3).string("three").byte(4);
            });
        },
        |recording| {
            let event = only_event(recording);
            let array = |name| {
                let array = event.value(name).and_then(Value::into_array);
                array.expect("an array")
            };
            let longs: Vec<_> = array("longs")
                .iter()
                .map(|value| value.and_then(|value| value.as_i64()))
                .collect();
            assert_eq!(longs, [Some(1), Some(-1), Some(1 << 40)]);
            let rights: Vec<_> = array("pairs")
                .iter()
                .filter_map(|value| value?.into_struct()?.text("right"))
                .collect();
            assert_eq!(rights, ["one", "two"]);
            assert_eq!(event.i64("pair.left"), Some(3));
            assert_eq!(event.i64("last"), Some(4));
        },
    );
}

#[test]
fn times_are_read_in_their_units() {
    with_each_encoding(
        |builder| {
            builder.ticks_per_second = 1_000_000;
            builder.add_event_type(
                "test.Times",
                vec![
                    field("duration", "long").annotated("jdk.jfr.Timespan", "TICKS"),
                    field("millis", "long").annotated("jdk.jfr.Timespan", "MILLISECONDS"),
                    field("at", "long").annotated("jdk.jfr.Timestamp", "SECONDS_SINCE_EPOCH"),
                    field("bytes", "long").annotated("jdk.jfr.DataAmount", ""),
                    field("unnamed", "long").annotated("jdk.jfr.Timespan", ""),
                    field("unsigned", "int").annotated("jdk.jfr.Unsigned", ""),
                ],
            );
            builder.add_event("test.Times", |values| {
                values.long(3).long(4).long(5).long(6).long(7).int(8);
            });
        },
        |recording| {
            let event = only_event(recording);
            assert_eq!(event.start_unix_nanos(), Some(1_700_000_000_000_000_000));
            assert_eq!(event.duration_nanos(), Some(3_000));
            assert_eq!(event.nanos("millis"), Some(4_000_000));
            assert_eq!(event.nanos("at"), Some(5_000_000_000));
            assert_eq!(event.nanos("bytes"), None);
            assert_eq!(event.nanos("unnamed"), None);
            let unit = |name| event.ty().field(name).expect("a field").unit();
            assert_eq!(unit("bytes"), Unit::Bytes);
            assert_eq!(unit("unnamed"), Unit::None);
            assert!(event.ty().field("unsigned").expect("a field").is_unsigned());
        },
    );
}

#[test]
fn the_latest_checkpoint_has_the_last_word() {
    with_each_encoding(
        |builder| {
            builder.add_event_type(
                "test.Thread",
                vec![field("eventThread", "java.lang.Thread").pooled()],
            );
            builder.add_thread(1, "old name");
            builder.add_thread(2, "other");
            builder.next_checkpoint();
            builder.add_thread(1, "new name");
            builder.add_event("test.Thread", |values| {
                values.long(1);
            });
        },
        |recording| {
            let event = only_event(recording);
            assert_eq!(
                event.text("eventThread.javaName").as_deref(),
                Some("new name")
            );
            let keys: Vec<_> = recording.chunks()[0]
                .constants("java.lang.Thread")
                .map(|(key, _)| key)
                .collect();
            assert_eq!(keys, [1, 2]);
        },
    );
}

#[test]
fn a_string_may_refer_to_the_pool_of_strings() {
    with_each_encoding(
        |builder| {
            builder.add_event_type("test.Text", vec![field("text", "java.lang.String")]);
            builder.add_text("java.lang.String", 4, "pooled");
            builder.add_event("test.Text", |values| {
                values.byte(2).long(4);
            });
        },
        |recording| {
            assert_eq!(
                only_event(recording).text("text").as_deref(),
                Some("pooled")
            );
        },
    );
}

#[test]
fn chunks_stand_one_after_the_other() {
    let mut first = ChunkBuilder::new(true);
    first.add_event_type("test.A", vec![]);
    first.add_event("test.A", |_| {});
    let mut second = ChunkBuilder::new(false);
    second.add_event_type("test.B", vec![]);
    second.add_event("test.B", |_| {});
    second.add_event("test.B", |_| {});
    let (first, second) = (first.build(), second.build());
    let bytes = [first.as_slice(), &second].concat();
    let recording = Recording::parse(&bytes).expect("two chunks");
    let names: Vec<_> = recording
        .chunks()
        .iter()
        .flat_map(|chunk| chunk.events())
        .map(|event| event.expect("a readable event").type_name())
        .collect();
    assert_eq!(names, ["test.A", "test.B", "test.B"]);
    assert_eq!(recording.chunks()[1].offset(), first.len() as u64);
}
