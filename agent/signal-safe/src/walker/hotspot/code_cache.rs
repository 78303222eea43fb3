//! From an address in the code cache to the code that it belongs to.

use core::sync::atomic::{AtomicUsize, Ordering};

use super::walk::Walk;
use crate::arch::code::Call;

/// What a blob is to a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A method that a compiler has compiled.
    Compiled,
    /// The wrapper of a native method, or a method handle's intrinsic.
    NativeWrapper,
    /// Anything else.
    Stub,
}

/// A piece of code.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blob {
    /// The address of the JVM's `CodeBlob`.
    pub(super) start: usize,
    pub(super) kind: Kind,
    /// Its first instruction.
    pub(super) code: usize,
}

/// The addresses of the two names that methods' blobs have: to compare addresses is cheaper than text. 0 while not met.
#[derive(Debug, Default)]
pub(super) struct KnownNames {
    compiled: AtomicUsize,
    native: AtomicUsize,
}

/// The name of a compiled method's blob (source: `nmethod.cpp`), with its zero.
const COMPILED: usize = usize::from_le_bytes(*b"nmethod\0");
/// The beginning of a native method's: "native nmethod".
const NATIVE: usize = usize::from_le_bytes(*b"native n");

/// A hop over segments covers at most 254 of 64 bytes or more; no blob is larger than 4 MiB.
const MOST_HOPS: usize = 256;
/// The segment map's mark of free segments (source: `heap.hpp`).
const FREE: u8 = 0xff;

impl Walk<'_> {
    /// The segment map leads from any segment of a block to its first: each byte says how far to go back.
    #[inline]
    pub(super) fn blob_of(&self, pc: usize) -> Option<Blob> {
        let code = &self.layout.code;
        let memory = self.memory;
        let heap = code
            .heaps
            .iter()
            .find(|heap| pc >= heap.low && pc < memory.word(heap.high_at))?;
        let mut segment = pc.wrapping_sub(heap.low) >> heap.log2_segment;
        let mut hop = memory.u8(heap.segment_map.wrapping_add(segment));
        if hop == FREE {
            return None;
        }
        for _ in 0..MOST_HOPS {
            if hop == 0 || !self.spend() {
                break;
            }
            segment = segment.checked_sub(usize::from(hop))?;
            hop = memory.u8(heap.segment_map.wrapping_add(segment));
        }
        let block = heap.low.wrapping_add(segment << heap.log2_segment);
        if hop != 0 || memory.u8(block.wrapping_add(code.block_used as usize)) == 0 {
            return None;
        }
        let start = block.wrapping_add(code.block_header);
        Some(Blob {
            start,
            kind: self.kind_of(memory.word(start.wrapping_add(code.name as usize))),
            code: memory.place(start, 0, code.code_begin),
        })
    }

    #[inline]
    fn kind_of(&self, name: usize) -> Kind {
        if name == self.names.compiled.load(Ordering::Relaxed) {
            return Kind::Compiled;
        }
        if name == self.names.native.load(Ordering::Relaxed) {
            return Kind::NativeWrapper;
        }
        // The first byte alone first: other names may be shorter than a word.
        if name == 0 || self.memory.u8(name) != b'n' {
            return Kind::Stub;
        }
        match self.memory.word(name) {
            COMPILED => {
                self.names.compiled.store(name, Ordering::Relaxed);
                Kind::Compiled
            }
            NATIVE => {
                self.names.native.store(name, Ordering::Relaxed);
                Kind::NativeWrapper
            }
            _ => Kind::Stub,
        }
    }

    /// Whether a word from the stack is an address to which Java code or a stub returns.
    #[inline]
    pub(super) fn is_return_address(&self, address: usize) -> bool {
        self.returns_to(address).is_some()
    }

    /// The same, with the call that was returned from, as far as it is one.
    pub(super) fn returns_to(&self, address: usize) -> Option<Return> {
        if address == self.layout.entry.return_address {
            return Some(Return::ToEntryStub);
        }
        // The interpreter pushes addresses from its tables, which no call precedes.
        if self.layout.interpreter.code.contains(address) {
            return Some(Return::ToInterpreter);
        }
        let blob = self.blob_of(address)?;
        if address <= blob.code {
            return None;
        }
        if let Some(call) = self.memory.call_before(address) {
            return Some(Return::Behind(call, blob));
        }
        (blob.kind == Kind::Compiled && self.is_deopt_handler(&blob, address))
            .then_some(Return::Behind(Call::Indirect, blob))
    }

    /// Words of a blob's frame, the return address included.
    #[inline]
    pub(super) fn frame_words(&self, blob: &Blob) -> usize {
        let words = self.memory.i32(
            blob.start
                .wrapping_add(self.layout.code.frame_size as usize),
        );
        usize::try_from(words).unwrap_or(0)
    }

    /// Whether an address lies in a blob.
    pub(super) fn blob_contains(&self, blob: &Blob, address: usize) -> bool {
        let size = self
            .memory
            .i32(blob.start.wrapping_add(self.layout.code.size as usize));
        address >= blob.start && address < blob.start.wrapping_add_signed(size as isize)
    }
}

/// What a return address returns to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Return {
    ToEntryStub,
    ToInterpreter,
    Behind(Call, Blob),
}
