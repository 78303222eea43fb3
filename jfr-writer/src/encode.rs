//! How numbers and texts lie in a chunk.
//!
//! Integers are compressed: seven bits a byte, lowest first, the top bit says that more follows;
//! a ninth byte holds eight bits. `int` is written as an unsigned 32-bit number, so that −1 takes
//! five bytes and not nine (readers that expect an `int` refuse more). Floats are big-endian.

use crate::limits::MAX_TEXT_BYTES;

/// Longest compressed integer.
pub(crate) const MAX_LONG_BYTES: usize = 9;

const NULL_TEXT: u8 = 0;
const EMPTY_TEXT: u8 = 1;
const UTF8_TEXT: u8 = 3;

pub(crate) fn put_long(out: &mut Vec<u8>, value: u64) {
    if value < 0x80 {
        out.push(value as u8);
        return;
    }
    let mut bytes = [0; MAX_LONG_BYTES];
    let mut rest = value;
    let mut length = 0;
    while rest >= 0x80 && length < MAX_LONG_BYTES - 1 {
        bytes[length] = rest as u8 | 0x80;
        rest >>= 7;
        length += 1;
    }
    bytes[length] = rest as u8;
    out.extend_from_slice(&bytes[..=length]);
}

/// Bytes that [`put_long`] writes.
pub(crate) const fn long_len(value: u64) -> usize {
    let bits = (u64::BITS - (value | 1).leading_zeros()) as usize;
    let groups = bits.div_ceil(7);
    if groups < MAX_LONG_BYTES {
        groups
    } else {
        MAX_LONG_BYTES
    }
}

pub(crate) fn put_int(out: &mut Vec<u8>, value: i32) {
    put_long(out, u64::from(value as u32));
}

/// Bytes that [`put_int`] writes.
pub(crate) const fn int_len(value: i32) -> usize {
    long_len(value as u32 as u64)
}

pub(crate) fn put_boolean(out: &mut Vec<u8>, value: bool) {
    out.push(u8::from(value));
}

pub(crate) fn put_float(out: &mut Vec<u8>, value: f32) {
    out.extend_from_slice(&value.to_be_bytes());
}

/// A text, cut at [`MAX_TEXT_BYTES`].
pub(crate) fn put_text(out: &mut Vec<u8>, text: Option<&str>) {
    match text {
        None => out.push(NULL_TEXT),
        Some("") => out.push(EMPTY_TEXT),
        Some(text) => put_utf8(out, text),
    }
}

/// A text that is UTF-8 in the file even when it is empty: async-profiler's converter takes
/// nothing else in the pool of symbols. Cut at [`MAX_TEXT_BYTES`].
pub(crate) fn put_utf8(out: &mut Vec<u8>, text: &str) {
    let text = &text[..text.floor_char_boundary(MAX_TEXT_BYTES)];
    out.push(UTF8_TEXT);
    put_long(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(value: u64) -> Vec<u8> {
        let mut out = Vec::new();
        put_long(&mut out, value);
        assert_eq!(out.len(), long_len(value), "length of {value:#x}");
        out
    }

    fn text(text: Option<&str>) -> Vec<u8> {
        let mut out = Vec::new();
        put_text(&mut out, text);
        out
    }

    #[test]
    fn longs_grow_by_seven_bits_and_end_with_eight() {
        assert_eq!(long(0), [0]);
        assert_eq!(long(0x7f), [0x7f]);
        assert_eq!(long(0x80), [0x80, 0x01]);
        assert_eq!(long(1_000_000), [0xc0, 0x84, 0x3d]);
        assert_eq!(
            long((1 << 56) - 1),
            [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]
        );
        assert_eq!(
            long(1 << 56),
            [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]
        );
        assert_eq!(long(u64::MAX), [0xff; 9]);
    }

    #[test]
    fn negative_ints_take_five_bytes() {
        let mut out = Vec::new();
        put_int(&mut out, -1);
        assert_eq!(out, [0xff, 0xff, 0xff, 0xff, 0x0f]);
        assert_eq!(int_len(-1), 5);
        assert_eq!(int_len(i32::MIN), 5);
        assert_eq!(int_len(127), 1);
        assert_eq!(int_len(128), 2);
    }

    #[test]
    fn floats_are_big_endian() {
        let mut out = Vec::new();
        put_float(&mut out, 1.0);
        assert_eq!(out, [0x3f, 0x80, 0, 0]);
    }

    #[test]
    fn null_empty_and_utf8_texts_differ() {
        assert_eq!(text(None), [0]);
        assert_eq!(text(Some("")), [1]);
        assert_eq!(text(Some("aé")), [3, 3, b'a', 0xc3, 0xa9]);
    }

    #[test]
    fn an_empty_symbol_is_utf8() {
        let mut out = Vec::new();
        put_utf8(&mut out, "");
        assert_eq!(out, [3, 0]);
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let encoded = text(Some(&"é".repeat(MAX_TEXT_BYTES)));
        let bytes = MAX_TEXT_BYTES - 1;
        assert_eq!(encoded.len(), 1 + 2 + bytes);
        assert_eq!(std::str::from_utf8(&encoded[3..]).map(str::len), Ok(bytes));
    }
}
