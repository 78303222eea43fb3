//! Chunks of stories.

use std::io::Cursor;

use jfr_writer::ChunkWriter;

use crate::story::{END, START, Story};

/// The bytes of a story's chunk.
pub(crate) fn chunk_of(story: &Story) -> Vec<u8> {
    let mut chunk = ChunkWriter::begin(Cursor::new(Vec::new()), START, story.dialect)
        .expect("memory takes bytes");
    story.write(&mut chunk).expect("memory takes bytes");
    chunk.finish(END).expect("memory takes bytes").into_inner()
}

/// A story of nothing.
pub(crate) fn empty(dialect: jfr_writer::Dialect) -> Story {
    Story {
        dialect,
        threads: Vec::new(),
        methods: Vec::new(),
        classes: Vec::new(),
        stacks: Vec::new(),
        steps: Vec::new(),
    }
}
