//! Bounded reading of the primitive encodings: integers (compressed or fixed) and strings.

use std::borrow::Cow;

use crate::ReadError;

/// A position in a chunk that never passes its end.
///
/// Offsets count from the begin of the chunk, as they do inside the format.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    /// The chunk up to where reading may go.
    bytes: &'a [u8],
    at: usize,
    compressed: bool,
}

/// A string as it stands in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RawString<'a> {
    Null,
    Utf8(&'a [u8]),
    Latin1(&'a [u8]),
    /// So many UTF-16 units, each an integer of kind `char`, from that offset on.
    Chars {
        count: usize,
        at: usize,
    },
    /// An entry of the pool of `java.lang.String`.
    PoolReference(i64),
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(chunk: &'a [u8], at: usize, compressed: bool) -> Self {
        Self {
            bytes: chunk,
            at,
            compressed,
        }
    }

    pub(crate) fn offset(&self) -> usize {
        self.at
    }

    pub(crate) fn remaining(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }

    /// The same position with the end moved forward to `end`.
    pub(crate) fn ending_at(self, end: usize) -> Self {
        Self {
            bytes: &self.bytes[..end.min(self.bytes.len())],
            ..self
        }
    }

    fn end_error(&self, what: &'static str) -> ReadError {
        ReadError::UnexpectedEnd {
            what,
            offset: self.at as u64,
        }
    }

    pub(crate) fn take(&mut self, count: usize, what: &'static str) -> Result<&'a [u8], ReadError> {
        let bytes = self
            .at
            .checked_add(count)
            .and_then(|end| self.bytes.get(self.at..end))
            .ok_or_else(|| self.end_error(what))?;
        self.at += count;
        Ok(bytes)
    }

    pub(crate) fn skip(&mut self, count: usize, what: &'static str) -> Result<(), ReadError> {
        self.take(count, what).map(drop)
    }

    pub(crate) fn byte(&mut self, what: &'static str) -> Result<u8, ReadError> {
        let byte = *self
            .bytes
            .get(self.at)
            .ok_or_else(|| self.end_error(what))?;
        self.at += 1;
        Ok(byte)
    }

    /// LEB128 of at most nine bytes, the ninth with all its eight bits.
    fn varint(&mut self, what: &'static str) -> Result<u64, ReadError> {
        let first = self.byte(what)?;
        if first < 0x80 {
            return Ok(first.into());
        }
        let mut value = u64::from(first & 0x7f);
        for index in 1..8 {
            let byte = self.byte(what)?;
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Ok(value | u64::from(self.byte(what)?) << 56)
    }

    pub(crate) fn long(&mut self, what: &'static str) -> Result<i64, ReadError> {
        if self.compressed {
            return Ok(self.varint(what)?.cast_signed());
        }
        self.array(what).map(i64::from_be_bytes)
    }

    pub(crate) fn int(&mut self, what: &'static str) -> Result<i32, ReadError> {
        if self.compressed {
            // Writers disagree on whether a negative int is widened first; the low half is the same.
            return Ok((self.varint(what)? as u32).cast_signed());
        }
        self.array(what).map(i32::from_be_bytes)
    }

    pub(crate) fn short(&mut self, what: &'static str) -> Result<i16, ReadError> {
        self.char(what).map(u16::cast_signed)
    }

    pub(crate) fn char(&mut self, what: &'static str) -> Result<u16, ReadError> {
        if self.compressed {
            return Ok(self.varint(what)? as u16);
        }
        self.array(what).map(u16::from_be_bytes)
    }

    pub(crate) fn float(&mut self, what: &'static str) -> Result<f32, ReadError> {
        self.array(what).map(f32::from_be_bytes)
    }

    pub(crate) fn double(&mut self, what: &'static str) -> Result<f64, ReadError> {
        self.array(what).map(f64::from_be_bytes)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], ReadError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N, what)?);
        Ok(array)
    }

    /// A count of things of which each takes at least `least_bytes`, so it is bounded by what is left.
    ///
    /// Things without bytes are bounded as if they had one: no honest file counts more of them.
    pub(crate) fn count(
        &mut self,
        least_bytes: usize,
        what: &'static str,
    ) -> Result<usize, ReadError> {
        let offset = self.at as u64;
        let out_of_range = ReadError::OutOfRange { what, offset };
        let count = usize::try_from(self.int(what)?).map_err(|_| out_of_range.clone())?;
        match count.checked_mul(least_bytes.max(1)) {
            Some(bytes) if bytes <= self.remaining() => Ok(count),
            _ => Err(out_of_range),
        }
    }

    /// Passes over a string and says where its text lies.
    pub(crate) fn raw_string(&mut self) -> Result<RawString<'a>, ReadError> {
        const WHAT: &str = "a string";
        let offset = self.at as u64;
        match self.byte(WHAT)? {
            0 => Ok(RawString::Null),
            1 => Ok(RawString::Utf8(&[])),
            2 => self.long(WHAT).map(RawString::PoolReference),
            3 => {
                let length = self.count(1, WHAT)?;
                self.take(length, WHAT).map(RawString::Utf8)
            }
            4 => {
                let count = self.count(1, WHAT)?;
                let at = self.at;
                if self.compressed {
                    for _ in 0..count {
                        self.varint(WHAT)?;
                    }
                } else {
                    self.skip(2 * count, WHAT)?;
                }
                Ok(RawString::Chars { count, at })
            }
            5 => {
                let length = self.count(1, WHAT)?;
                self.take(length, WHAT).map(RawString::Latin1)
            }
            encoding => Err(ReadError::StringEncoding { encoding, offset }),
        }
    }

    /// The text of a string that [`Self::raw_string`] passed; `None` for null and for a pool reference.
    ///
    /// What is no valid UTF-8 or UTF-16 becomes U+FFFD.
    pub(crate) fn text(&self, raw: RawString<'a>) -> Option<Cow<'a, str>> {
        match raw {
            RawString::Null | RawString::PoolReference(_) => None,
            RawString::Utf8(bytes) => Some(String::from_utf8_lossy(bytes)),
            RawString::Latin1(bytes) => Some(match std::str::from_utf8(bytes) {
                Ok(text) if bytes.is_ascii() => Cow::Borrowed(text),
                _ => Cow::Owned(bytes.iter().copied().map(char::from).collect()),
            }),
            RawString::Chars { count, at } => {
                let mut cursor = Self { at, ..*self };
                let units = (0..count).map_while(|_| cursor.char("a string").ok());
                Some(Cow::Owned(
                    char::decode_utf16(units)
                        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
                        .collect(),
                ))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compressed(bytes: &[u8]) -> Cursor<'_> {
        Cursor::new(bytes, 0, true)
    }

    #[test]
    fn compressed_integers_end_at_nine_bytes() {
        assert_eq!(compressed(&[0x7f]).long(""), Ok(127));
        assert_eq!(compressed(&[0x80, 0x01]).long(""), Ok(128));
        assert_eq!(compressed(&[0xff; 9]).long(""), Ok(-1));
        assert_eq!(compressed(&[0xff, 0xff, 0xff, 0xff, 0x0f]).int(""), Ok(-1));
        assert_eq!(compressed(&[0xff; 9]).int(""), Ok(-1));
        assert_eq!(compressed(&[0xff; 9]).short(""), Ok(-1));
        assert_eq!(
            compressed(&[0xff; 8]).long("a count"),
            Err(ReadError::UnexpectedEnd {
                what: "a count",
                offset: 8
            })
        );
    }

    #[test]
    fn fixed_integers_are_big_endian() {
        let bytes = [0, 0, 0, 0, 0, 0, 1, 2];
        assert_eq!(Cursor::new(&bytes, 0, false).long(""), Ok(258));
        assert_eq!(Cursor::new(&bytes, 4, false).int(""), Ok(258));
        assert_eq!(Cursor::new(&bytes, 6, false).short(""), Ok(258));
        assert!(Cursor::new(&bytes, 7, false).short("").is_err());
    }

    #[test]
    fn each_string_encoding_is_read() {
        let cases: [(&[u8], Option<&str>); 7] = [
            (&[0], None),
            (&[1], Some("")),
            (&[2, 7], None),
            (&[3, 3, b'a', 0xc3, 0xa4], Some("aä")),
            (&[3, 2, b'a', 0xff], Some("a\u{fffd}")),
            (
                &[4, 3, b'a', 0xbd, 0xb0, 0x03, 0x80, 0xbc, 0x03],
                Some("a😀"),
            ),
            (&[5, 2, b'a', 0xe4], Some("aä")),
        ];
        for (bytes, expected) in cases {
            let mut cursor = compressed(bytes);
            let raw = cursor.raw_string().expect("a valid string");
            assert_eq!(cursor.text(raw).as_deref(), expected, "{bytes:?}");
            assert_eq!(cursor.remaining(), 0, "{bytes:?}");
        }
    }

    #[test]
    fn a_count_is_bounded_by_what_is_left() {
        assert_eq!(compressed(&[2, 0, 0]).count(1, ""), Ok(2));
        assert!(compressed(&[3, 0, 0]).count(1, "").is_err());
        assert!(compressed(&[2, 0, 0]).count(2, "").is_err());
        assert!(compressed(&[3, 0, 0]).count(0, "").is_err());
        assert!(compressed(&[0xff; 9]).count(1, "").is_err());
    }

    #[test]
    fn an_unknown_string_encoding_is_named() {
        assert_eq!(
            compressed(&[6]).raw_string(),
            Err(ReadError::StringEncoding {
                encoding: 6,
                offset: 0
            })
        );
    }
}
