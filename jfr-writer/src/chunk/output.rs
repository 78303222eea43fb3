//! The stream that a chunk goes to, with a buffer before it.

use std::io::{self, Seek, SeekFrom, Write};

use super::header::{HEADER_BYTES, Header};
use crate::limits::OUTPUT_BUFFER_BYTES;

/// Where encoded bytes go.
pub(crate) trait Sink {
    /// Bytes that wait: append to them, then [`Sink::spill`].
    fn buffer(&mut self) -> &mut Vec<u8>;

    /// Hands the waiting bytes on if there are many.
    fn spill(&mut self) -> io::Result<()>;
}

#[derive(Debug)]
pub(crate) struct Output<W> {
    stream: W,
    buffer: Vec<u8>,
    /// Where in the stream the chunk begins.
    start: u64,
    /// Bytes of the chunk that the stream has taken.
    handed_on: u64,
}

impl<W: Write + Seek> Output<W> {
    /// The chunk begins where the stream stands. Until [`Output::seal`], zeros stand in the header's place.
    pub(crate) fn begin(mut stream: W) -> io::Result<Self> {
        let start = stream.stream_position()?;
        let mut buffer = Vec::with_capacity(OUTPUT_BUFFER_BYTES + OUTPUT_BUFFER_BYTES / 4);
        buffer.resize(HEADER_BYTES, 0);
        Ok(Self {
            stream,
            buffer,
            start,
            handed_on: 0,
        })
    }

    /// Size of the chunk so far.
    pub(crate) fn len(&self) -> u64 {
        self.handed_on + self.buffer.len() as u64
    }

    /// Everything else first, the header last; the stream then stands behind the chunk.
    pub(crate) fn seal(mut self, header: &Header) -> io::Result<W> {
        self.hand_on()?;
        self.stream.seek(SeekFrom::Start(self.start))?;
        self.stream.write_all(&header.encode())?;
        self.stream
            .seek(SeekFrom::Start(self.start + self.handed_on))?;
        self.stream.flush()?;
        Ok(self.stream)
    }

    /// The stream as it is; what waits is lost.
    pub(crate) fn abandon(self) -> W {
        self.stream
    }

    fn hand_on(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.buffer)?;
        self.handed_on += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

impl<W: Write + Seek> Sink for Output<W> {
    fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    fn spill(&mut self) -> io::Result<()> {
        if self.buffer.len() >= OUTPUT_BUFFER_BYTES {
            self.hand_on()
        } else {
            Ok(())
        }
    }
}
