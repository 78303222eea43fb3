//! What tells a method from another one that has come to lie at its address.
//!
//! A class that is unloaded, or redefined, gives its memory back, and the next class of the same shape is likely to get it: then
//! even the addresses of its parts and of its names are the same. So the names themselves and the table of lines belong to it.

use std::hash::Hasher;

use rustc_hash::FxHasher;

use super::layout::Layout;
use super::{Load, MethodResolver, Structure, load};

/// Where the parts of a method lay, and a hash of what they said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
    pub(super) const_method: u64,
    pub(super) header: Header,
    pub(super) holder: u64,
    /// Of the class, the name, the descriptor.
    pub(super) symbols: [u64; 3],
    /// Their bytes.
    pub(super) symbol_bytes: [u16; 3],
    /// Bytes of the tables that were read; 0 where there are no lines.
    pub(super) table_bytes: u32,
    /// Of the symbols' and the tables' bytes.
    pub(super) hash: u64,
}

/// What a `ConstMethod`'s head says, as far as it never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) pool: u64,
    /// All of it: the structure, the bytecodes, and the tables behind them.
    pub(super) bytes: u64,
    pub(super) code_bytes: u16,
    pub(super) has_line_numbers: bool,
    pub(super) name_index: u16,
    pub(super) signature_index: u16,
}

impl Header {
    pub(super) fn of(layout: &Layout, const_method: &Structure) -> Header {
        let short = |offset| const_method.number(offset, 2) as u16;
        let flags = const_method.number(layout.const_method_flags, layout.const_method_flags_size);
        Header {
            pool: const_method.number(layout.const_method_constants, 8),
            bytes: const_method.number(layout.const_method_words, 4) * 8,
            code_bytes: short(layout.const_method_code_size),
            has_line_numbers: flags as u32 & layout.has_line_numbers != 0,
            name_index: short(layout.const_method_name_index),
            signature_index: short(layout.const_method_signature_index),
        }
    }

    /// Where the tables begin: behind the structure and the bytecodes.
    pub(super) fn tables(&self, layout: &Layout) -> u64 {
        layout.const_method_size + u64::from(self.code_bytes)
    }
}

pub(super) fn hash<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> u64 {
    let mut hasher = FxHasher::default();
    for piece in pieces {
        hasher.write_usize(piece.len());
        hasher.write(piece);
    }
    hasher.finish()
}

impl MethodResolver {
    /// Whether the method that left the footprint is still the one at that address. Costs one system call, a microsecond.
    ///
    /// `false` in doubt: also when the same method says of itself what it did not say before.
    pub fn still_is(&self, address: u64, footprint: &Footprint) -> bool {
        let layout = &self.layout;
        let Footprint {
            const_method,
            header,
            holder,
            symbols,
            ..
        } = *footprint;
        let mut texts = footprint
            .symbol_bytes
            .map(|length| vec![0; usize::from(length)]);
        let mut tables = vec![0; footprint.table_bytes as usize];
        let mut head = Structure::empty();
        let (mut const_method_now, mut holder_now) = ([0; 8], [0; 8]);
        let mut symbols_now = [[0; 8]; 3];
        let mut lengths = [[0; 4]; 3];
        let slot = |index: u16| layout.pool_slot(header.pool, index);
        let places = [
            holder + layout.klass_name,
            slot(header.name_index),
            slot(header.signature_index),
        ];
        let mut loads: Vec<Load<'_>> = Vec::with_capacity(13);
        loads.push(load(
            address.wrapping_add(layout.method_const_method),
            &mut const_method_now,
        ));
        loads.push(load(
            const_method,
            &mut head.bytes[..layout.const_method_size as usize],
        ));
        loads.push(load(header.pool + layout.pool_holder, &mut holder_now));
        loads.push(load(const_method + header.tables(layout), &mut tables));
        for (place, now) in places.into_iter().zip(&mut symbols_now) {
            loads.push(load(place, now));
        }
        for ((symbol, length), text) in symbols.into_iter().zip(&mut lengths).zip(&mut texts) {
            let length = &mut length[..layout.symbol_length_size as usize];
            loads.push(load(symbol + layout.symbol_length, length));
            loads.push(load(symbol + layout.symbol_body, text));
        }
        self.reader.read_batch(&mut loads).is_ok()
            && u64::from_le_bytes(const_method_now) == const_method
            && Header::of(layout, &head) == header
            && u64::from_le_bytes(holder_now) == holder
            && symbols_now.map(u64::from_le_bytes) == symbols
            && lengths.map(|length| layout.symbol_bytes(length))
                == footprint.symbol_bytes.map(u32::from)
            && hash(texts.iter().chain([&tables]).map(Vec::as_slice)) == footprint.hash
    }
}

#[cfg(test)]
mod tests {
    use super::hash;

    #[test]
    fn pieces_do_not_run_into_each_other() {
        let hashes = [
            hash([&b"ab"[..], b"c"]),
            hash([&b"a"[..], b"bc"]),
            hash([&b"abc"[..]]),
            hash([&b"abc"[..], b""]),
        ];
        for (place, one) in hashes.iter().enumerate() {
            assert!(!hashes[place + 1..].contains(one));
        }
    }
}
