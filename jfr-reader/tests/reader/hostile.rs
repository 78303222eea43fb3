//! Files that lie: each lie is an error in its place, and costs neither the stack nor the memory.

use jfr_reader::{ReadError, Recording};

use crate::chunk_builder::{ChunkBuilder, Values, field, sized};

fn chunk() -> ChunkBuilder {
    let mut builder = ChunkBuilder::new(true);
    builder.add_event_type("test.Event", vec![field("value", "long")]);
    builder.add_event("test.Event", |values| {
        values.long(1);
    });
    builder
}

fn error_of(bytes: &[u8]) -> ReadError {
    Recording::parse(bytes).expect_err("no readable chunk")
}

/// How many events of the one chunk can be read, and the errors of the others.
fn events(bytes: &[u8]) -> (usize, Vec<ReadError>) {
    let recording = Recording::parse(bytes).expect("a readable chunk");
    let events = recording.chunks()[0].events();
    let (good, bad): (Vec<_>, Vec<_>) = events.partition(|event| event.is_ok());
    let errors = bad.into_iter().filter_map(Result::err).collect();
    (good.len(), errors)
}

fn set_long(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_be_bytes());
}

#[test]
fn what_is_no_recording_is_said_to_be_none() {
    assert_eq!(error_of(b""), ReadError::Empty);
    assert_eq!(error_of(b"PK\x03\x04"), ReadError::NotJfr);
    assert_eq!(
        error_of(b"FLR"),
        ReadError::Truncated {
            size: 0,
            available: 3
        }
    );
}

#[test]
fn a_cut_chunk_leaves_those_before_it_readable() {
    let whole = chunk().build();
    for cut in 1..whole.len() {
        let bytes = [whole.as_slice(), &whole[..cut]].concat();
        let recording = Recording::parse(&bytes).expect("the first chunk");
        assert_eq!(recording.chunks().len(), 1);
        let [damage] = recording.damage() else {
            panic!("one damage, not {:?}", recording.damage());
        };
        assert_eq!((damage.chunk, damage.offset), (1, whole.len() as u64));
        assert!(
            matches!(damage.error, ReadError::Truncated { available, .. } if available == cut as u64),
            "cut at {cut}: {damage}"
        );
    }
}

#[test]
fn a_broken_chunk_leaves_those_around_it_readable() {
    let good = chunk().build();
    let mut bad = good.clone();
    set_long(&mut bad, 24, 1 << 40);
    let bytes = [good.as_slice(), &bad, &good].concat();
    let recording = Recording::parse(&bytes).expect("two chunks");
    assert_eq!(recording.chunks().len(), 2);
    assert_eq!(
        recording.damage()[0].to_string(),
        format!(
            "chunk 2 at byte {}: the metadata is wrong: it does not begin inside the chunk",
            good.len()
        )
    );
}

#[test]
fn a_header_that_cannot_be_is_refused() {
    let refused = |at: usize, value: u64| {
        let mut bytes = chunk().build();
        set_long(&mut bytes, at, value);
        error_of(&bytes)
    };
    assert_eq!(
        refused(8, 0),
        ReadError::Header("its size is 0, it was never finished")
    );
    assert_eq!(
        refused(8, 67),
        ReadError::Header("its size is smaller than the header")
    );
    assert_eq!(
        refused(56, 0),
        ReadError::Header("its ticks have no frequency")
    );
    let mut old = chunk().build();
    old[5] = 0;
    old[7] = 9;
    assert_eq!(
        error_of(&old),
        ReadError::UnsupportedVersion { major: 0, minor: 9 }
    );
}

#[test]
fn a_circle_of_checkpoints_is_found() {
    let mut builder = chunk();
    builder.next_checkpoint();
    let mut bytes = builder.build();
    // The last checkpoint's own delta, made to lead to itself and to the chunk's end.
    let at = usize::try_from(u64::from_be_bytes(
        bytes[16..24].try_into().expect("eight bytes"),
    ))
    .expect("an offset");
    let previous = 68 + sized(true, 102, &[0; 3]).len();
    let mut delta = Values::new(true);
    delta.long(previous as i64 - at as i64);
    let delta_at = at + 4 + 1 + 2;
    assert_eq!(bytes[delta_at..delta_at + delta.bytes.len()], delta.bytes);
    for wrong in [0x7f, 1, -1_i64] {
        let mut other = Values::new(true);
        other.long(wrong);
        let mut padded = other.bytes;
        if padded.len() < 9 {
            let last = padded.len() - 1;
            padded[last] |= 0x80;
            padded.resize(8, 0x80);
            padded.push(0);
        }
        bytes[delta_at..delta_at + 9].copy_from_slice(&padded);
        assert!(
            matches!(error_of(&bytes), ReadError::CheckpointChain { .. }),
            "{wrong}"
        );
    }
}

#[test]
fn a_checkpoint_that_reaches_into_the_next_is_refused() {
    let mut bytes = chunk().build();
    let at = u64::from_be_bytes(bytes[16..24].try_into().expect("eight bytes")) as usize;
    // Its size, four padded bytes: larger than the chunk.
    bytes[at..at + 4].copy_from_slice(&[0xff, 0xff, 0xff, 0x7f]);
    assert!(matches!(error_of(&bytes), ReadError::OutOfRange { .. }));
}

#[test]
fn types_that_hold_themselves_are_found() {
    for array in [false, true] {
        let mut builder = chunk();
        let own = |name: &str| {
            let inner = field("inner", name);
            if array { inner.array() } else { inner }
        };
        builder.add_event_type("test.Direct", vec![own("test.Direct")]);
        builder.add_type("test.Left", "", vec![own("test.Right")]);
        builder.add_type("test.Right", "", vec![own("test.Left")]);
        builder.add_event_type("test.Indirect", vec![own("test.Left")]);
        for name in ["test.Direct", "test.Indirect"] {
            builder.add_event(name, |values| {
                values.raw(&[1; 1_000]);
            });
        }
        let (good, errors) = events(&builder.build());
        assert_eq!(good, 1);
        for error in &errors {
            assert!(
                matches!(
                    error,
                    ReadError::UnreadableType {
                        reason: "it holds itself",
                        ..
                    }
                ),
                "{error}"
            );
        }
        assert_eq!(errors.len(), 2);
    }
}

#[test]
fn a_type_may_lead_back_to_itself_through_a_constant_pool() {
    let mut builder = chunk();
    let parent = field("parent", "test.Group").pooled();
    builder.add_type("test.Group", "", vec![parent, field("name", "int")]);
    builder.add_event_type("test.Of", vec![field("group", "test.Group").pooled()]);
    builder.add_constant("test.Group", 1, |values| {
        values.long(1).int(5);
    });
    builder.add_event("test.Of", |values| {
        values.long(1);
    });
    let bytes = builder.build();
    let recording = Recording::parse(&bytes).expect("a chunk");
    let event = recording.chunks()[0]
        .events()
        .flatten()
        .last()
        .expect("an event");
    assert_eq!(event.i64("group.parent.parent.parent.name"), Some(5));
}

#[test]
fn types_nest_to_a_bound_in_whatever_order_they_come() {
    for leaf_first in [true, false] {
        let mut builder = chunk();
        let depths: Vec<usize> = if leaf_first {
            (0..60).collect()
        } else {
            (0..60).rev().collect()
        };
        for depth in depths {
            let inner = match depth {
                0 => field("inner", "long"),
                _ => field("inner", &format!("test.Depth{}", depth - 1)),
            };
            builder.add_event_type(&format!("test.Depth{depth}"), vec![inner]);
        }
        for depth in [20, 59] {
            builder.add_event(&format!("test.Depth{depth}"), |values| {
                values.raw(&[1; 100]);
            });
        }
        let (good, errors) = events(&builder.build());
        assert_eq!(good, 2, "the chunk's own event, and that of depth 20");
        assert!(matches!(
            errors.as_slice(),
            [ReadError::UnreadableType {
                reason: "it nests too deep",
                ..
            }]
        ));
    }
}

#[test]
fn doubling_types_without_bytes_cost_nothing() {
    let mut builder = chunk();
    builder.add_type("test.Twice0", "", vec![]);
    for depth in 1..=30 {
        let inner = format!("test.Twice{}", depth - 1);
        let name = format!("test.Twice{depth}");
        builder.add_type(
            &name,
            "",
            vec![field("left", &inner), field("right", &inner)],
        );
    }
    builder.add_event_type("test.Huge", vec![field("inner", "test.Twice30")]);
    builder.add_event("test.Huge", |_| {});
    assert_eq!(events(&builder.build()), (2, vec![]));
}

#[test]
fn lengths_are_held_against_what_is_left() {
    let mut builder = chunk();
    builder.add_type("test.Empty", "", vec![]);
    for (name, element) in [
        ("test.Longs", "long"),
        ("test.Bytes", "byte"),
        ("test.Texts", "java.lang.String"),
        ("test.Nothings", "test.Empty"),
    ] {
        builder.add_event_type(name, vec![field("values", element).array()]);
        for count in [i32::MAX, -1, 100] {
            builder.add_event(name, |values| {
                values.int(count).byte(1);
            });
        }
    }
    builder.add_event_type("test.Text", vec![field("value", "java.lang.String")]);
    builder.add_event("test.Text", |values| {
        values.byte(3).int(i32::MAX);
    });
    let (good, errors) = events(&builder.build());
    assert_eq!(good, 1);
    assert_eq!(errors.len(), 13);
    for error in errors {
        assert!(matches!(error, ReadError::OutOfRange { .. }), "{error}");
    }
}

#[test]
fn an_event_of_a_wrong_size_ends_the_chunk_and_a_wrong_event_does_not() {
    let mut builder = chunk();
    builder.add_raw_event(&sized(true, 77_777, b"?"));
    builder.add_raw_event(&sized(true, builder.id("test.Event"), b"\x80"));
    builder.add_event("test.Event", |values| {
        values.long(2);
    });
    let (good, errors) = events(&builder.build());
    assert_eq!(good, 2);
    assert!(matches!(
        errors.as_slice(),
        [
            ReadError::UnknownType {
                type_id: 77_777,
                ..
            },
            ReadError::UnexpectedEnd { .. }
        ]
    ));

    builder.add_raw_event(&[0]);
    builder.add_event("test.Event", |values| {
        values.long(3);
    });
    let (good, errors) = events(&builder.build());
    assert_eq!(good, 2);
    assert!(matches!(
        errors.last(),
        Some(ReadError::OutOfRange {
            what: "an event's size",
            ..
        })
    ));
}

#[test]
fn strings_that_refer_to_each_other_are_null() {
    let mut builder = chunk();
    builder.add_event_type("test.Text", vec![field("value", "java.lang.String")]);
    builder.add_constant("java.lang.String", 1, |values| {
        values.byte(2).long(2);
    });
    builder.add_constant("java.lang.String", 2, |values| {
        values.byte(2).long(1);
    });
    builder.add_event("test.Text", |values| {
        values.byte(2).long(1);
    });
    let bytes = builder.build();
    let recording = Recording::parse(&bytes).expect("a chunk");
    let event = recording.chunks()[0]
        .events()
        .flatten()
        .last()
        .expect("an event");
    assert_eq!(event.text("value"), None);
}

#[test]
fn a_pool_of_an_unknown_type_is_named() {
    let mut builder = chunk();
    builder.add_constant("test.Unknown", 1, |_| {});
    assert!(matches!(
        error_of(&builder.build()),
        ReadError::UnknownType {
            type_id: 99_999,
            ..
        }
    ));
}
