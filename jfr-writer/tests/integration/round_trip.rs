//! What is written is what is read.

use std::io::{Cursor, Seek, SeekFrom, Write};

use jfr_reader::Recording;
use jfr_writer::ChunkWriter;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::chunks::chunk_of;
use crate::story::{END, START, Story, Taste, stories};
use crate::text;

/// All events of all chunks.
fn read(bytes: &[u8]) -> Vec<String> {
    let recording = Recording::parse(bytes).expect("our chunks can be read");
    assert!(recording.damage().is_empty(), "{:?}", recording.damage());
    let chunks = recording.chunks().iter();
    chunks
        .flat_map(|chunk| {
            chunk
                .events()
                .map(|event| text::event(&event.expect("our events can be read")))
        })
        .collect()
}

proptest! {
    // Each case is a recording of a hundred events.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_event_is_read_as_it_was_written(story in stories(Taste::anything())) {
        prop_assert_eq!(read(&chunk_of(&story)), story.told());
    }

    #[test]
    fn chunks_read_one_behind_the_other(told in vec(stories(Taste::anything()), 1..4)) {
        let mut file = Cursor::new(Vec::new());
        for story in &told {
            let mut chunk = ChunkWriter::begin(file, START, story.dialect).expect("memory takes bytes");
            story.write(&mut chunk).expect("memory takes bytes");
            file = chunk.finish(END).expect("memory takes bytes");
        }
        let expected: Vec<String> = told.iter().flat_map(Story::told).collect();
        prop_assert_eq!(read(&file.into_inner()), expected);
    }

    #[test]
    fn the_size_is_known_before_the_end(story in stories(Taste::anything())) {
        let mut chunk = ChunkWriter::begin(Cursor::new(Vec::new()), START, story.dialect).expect("memory takes bytes");
        story.write(&mut chunk).expect("memory takes bytes");
        let foretold = chunk.bytes();
        let actual = chunk.finish(END).expect("memory takes bytes").into_inner().len() as u64;
        let end_ticks_and_placeholders = 128;
        prop_assert!(actual >= foretold && actual - foretold <= end_ticks_and_placeholders, "{foretold} {actual}");
    }
}

#[test]
fn a_chunk_may_begin_in_the_middle_of_a_stream() {
    let mut file = Cursor::new(b"something else".to_vec());
    file.seek(SeekFrom::End(0)).expect("memory can be sought");
    let chunk =
        ChunkWriter::begin(file, START, jfr_writer::Dialect::Jdk).expect("memory takes bytes");
    let mut file = chunk.finish(END).expect("memory takes bytes");
    assert_eq!(
        file.position(),
        file.get_ref().len() as u64,
        "the stream stands behind the chunk"
    );
    file.write_all(b"more").expect("memory takes bytes");
    let bytes = file.into_inner();
    let chunk = bytes
        .strip_prefix(b"something else")
        .and_then(|bytes| bytes.strip_suffix(b"more"));
    assert_eq!(
        read(chunk.expect("what stood around the chunk is still there")),
        Vec::<String>::new()
    );
}

#[test]
fn the_header_says_when_and_how_long() {
    let bytes = chunk_of(&crate::chunks::empty(jfr_writer::Dialect::DataKit));
    let recording = Recording::parse(&bytes).expect("our chunks can be read");
    let header = recording.chunks()[0].header();
    assert_eq!(header.size, bytes.len() as u64);
    assert_eq!(header.start_unix_nanos, 1_760_000_000_000_000_000);
    assert_eq!(header.duration_nanos, 60_000_000_000);
    assert_eq!(
        (header.start_ticks, header.ticks_per_second),
        (1_000, 1_000_000_000)
    );
    assert!(header.compressed_integers);
}

#[test]
fn a_clock_that_was_set_back_makes_a_chunk_of_no_length() {
    let chunk = ChunkWriter::begin(Cursor::new(Vec::new()), START, jfr_writer::Dialect::Jdk)
        .expect("memory takes bytes");
    let end = jfr_writer::ChunkEnd {
        unix_nanos: START.unix_nanos - 1,
        ticks: START.ticks,
    };
    let bytes = chunk.finish(end).expect("memory takes bytes").into_inner();
    let recording = Recording::parse(&bytes).expect("our chunks can be read");
    assert_eq!(recording.chunks()[0].header().duration_nanos, 0);
}
