//! Good files with bytes changed by chance: whatever the reader makes of them, it comes to an end.

use jfr_reader::{Recording, StructView, Value};
use proptest::prelude::*;

use crate::chunk_builder::{ChunkBuilder, field};

/// A small chunk with every kind of value that the format has.
fn seed(compressed: bool) -> Vec<u8> {
    let mut builder = ChunkBuilder::with_stacks(compressed);
    builder.add_event_type(
        "test.Sample",
        vec![
            field("eventThread", "java.lang.Thread").pooled(),
            field("stackTrace", "jdk.types.StackTrace").pooled(),
            field("duration", "long").annotated("jdk.jfr.Timespan", "TICKS"),
            field("ratio", "float"),
            field("text", "java.lang.String"),
            field("numbers", "short").array(),
        ],
    );
    builder.add_thread(1, "main");
    builder.add_method(1, "java/lang/String", "equals", "()Z");
    builder.add_method(2, "", "[GC]", "");
    builder.add_text("jdk.types.FrameType", 1, "Inlined");
    builder.add_stack(1, false, &[(1, 1), (2, 1), (1, 2)]);
    builder.next_checkpoint();
    builder.add_stack(2, true, &[(2, 1)]);
    builder.add_text("java.lang.String", 1, "pooled");
    for index in 0..4 {
        builder.add_event("test.Sample", |values| {
            values.long(1).long(1 + index % 2).long(5).float(0.5);
            match index {
                0 => values.byte(2).long(1),
                _ => values.string("text"),
            };
            values.int(2).short(1).short(-1);
        });
    }
    builder.build()
}

/// Reads all that can be asked for, to a bounded depth.
fn read_all(bytes: &[u8]) {
    let Ok(recording) = Recording::parse(bytes) else {
        return;
    };
    for chunk in recording.chunks() {
        for ty in chunk.types() {
            let _ = (ty.name(), ty.super_type(), ty.fields().len());
        }
        for event in chunk.events().flatten() {
            let _ = (event.start_unix_nanos(), event.duration_nanos());
            if let Some(stack) = event.stack_trace() {
                for frame in stack.frames() {
                    let _ = (frame.class_name(), frame.method_name(), frame.kind());
                }
            }
            if let Some(thread) = event.thread() {
                let _ = (thread.name(), thread.os_id());
            }
            read_struct(event.fields(), 3);
        }
        for (_, value) in chunk.constants("jdk.types.StackTrace") {
            read_value(value, 3);
        }
    }
}

fn read_struct(view: StructView<'_>, depth: usize) {
    for (_, value) in view.fields() {
        if let Some(value) = value {
            read_value(value, depth);
        }
    }
}

fn read_value(value: Value<'_>, depth: usize) {
    if depth == 0 {
        return;
    }
    match value {
        Value::Struct(view) => read_struct(view, depth - 1),
        Value::Array(array) => {
            for value in array.iter().flatten() {
                read_value(value, depth - 1);
            }
        }
        _ => {}
    }
}

#[test]
fn the_seeds_themselves_are_readable() {
    for compressed in [true, false] {
        let bytes = seed(compressed);
        let recording = Recording::parse(&bytes).expect("a chunk");
        assert_eq!(recording.chunks()[0].events().flatten().count(), 4);
        read_all(&bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn changed_bytes_do_no_harm(
        compressed: bool,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = seed(compressed);
        for (index, value) in changes {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        read_all(&bytes);
    }

    #[test]
    fn cut_files_do_no_harm(compressed: bool, end in any::<prop::sample::Index>()) {
        let bytes = seed(compressed);
        let mut cut = bytes[..end.index(bytes.len())].to_vec();
        read_all(&cut);
        // And with the size made to fit, so that the cut lies inside a chunk that seems whole.
        if cut.len() >= 16 {
            let size = cut.len() as u64;
            cut[8..16].copy_from_slice(&size.to_be_bytes());
            read_all(&cut);
        }
    }

    #[test]
    fn moved_ranges_do_no_harm(
        compressed: bool,
        from in any::<prop::sample::Index>(),
        to in any::<prop::sample::Index>(),
        length in 1..200_usize,
    ) {
        let mut bytes = seed(compressed);
        let from = from.index(bytes.len());
        let to = to.index(bytes.len());
        let length = length.min(bytes.len() - from.max(to));
        bytes.copy_within(from..from + length, to);
        read_all(&bytes);
    }

    #[test]
    fn bytes_of_no_sense_do_no_harm(tail in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut bytes = b"FLR\0\0\x02\0\0".to_vec();
        bytes.extend(tail);
        read_all(&bytes);
    }
}
