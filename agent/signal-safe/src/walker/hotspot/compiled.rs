//! Frames of compiled methods: which methods and bytecodes an address stands for.
//!
//! A compiled method carries a table of `PcDesc`s, sorted by address, each with the place in a stream where the scope that
//! holds there is described: method, bytecode index, and the scope into which it is inlined (source: `debugInfo.hpp`,
//! `scopeDesc.cpp`, `pcDesc.hpp`). Numbers in the stream are UNSIGNED5 (`compressedStream.hpp`).

use super::code_cache::{Blob, Kind};
use super::walk::{Cursor, Flow, Walk};
use crate::walker::{Failure, FrameType, Position};

/// `InvocationEntryBci`: what is added to a stored bytecode index.
const INDEX_BIAS: i32 = -1;
/// Inlining is bounded by the compilers (`MaxInlineLevel`, `MaxRecursiveInlineLevel`: tens).
const MOST_SCOPES: usize = 512;

/// Compiled code pushes a few words now and then: before C1 calls some of its stubs (`LIR_Assembler::
/// emit_typecheck_helper`), in copies of arrays, in comparisons of strings.
pub(super) const MOST_PUSHED_WORDS: usize = 6;

/// Which `PcDesc` describes an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lookup {
    /// A return address: the one at it.
    At,
    /// An interrupted instruction: the first behind it, since they stand at the ends of what they describe.
    Behind,
}

impl Walk<'_> {
    /// A frame that stands whole, whose method has called another.
    #[inline]
    pub(super) fn compiled_frame(&mut self, blob: &Blob, cursor: Cursor) -> Flow {
        let lookup = if self.as_agct && self.count == 0 {
            Lookup::Behind
        } else {
            Lookup::At
        };
        self.unpacking = false;
        self.name_compiled(blob, cursor.pc, cursor.sp, lookup);
        if core::mem::take(&mut self.below_stub) {
            return self.leave_below_stub(blob, cursor.sp);
        }
        self.leave_whole_frame(blob, cursor.sp)
    }

    /// The caller of a frame that has called the interrupted stub: arguments may lie between.
    fn leave_below_stub(&self, blob: &Blob, sp: usize) -> Flow {
        let whole = self.frame_words(blob).wrapping_sub(1).wrapping_mul(8);
        self.best_caller(
            blob,
            (0..=MOST_PUSHED_WORDS).map(|words| sp.wrapping_add(whole).wrapping_add(words * 8)),
        )
        .unwrap_or(Flow::Fail(Failure::BrokenCompiled))
    }

    /// The methods of a compiled frame, inlined ones first.
    #[inline]
    pub(super) fn name_compiled(&mut self, blob: &Blob, pc: usize, sp: usize, lookup: Lookup) {
        if blob.kind == Kind::NativeWrapper {
            self.push(
                self.method_of(blob),
                Position::without_index(FrameType::Native),
            );
            return;
        }
        let pc = if self.is_deopt_handler(blob, pc) {
            self.original_pc(blob, sp).unwrap_or(pc)
        } else {
            pc
        };
        let frame_type = self.frame_type(blob);
        if !self.scopes(blob, pc, lookup, frame_type) {
            self.push(self.method_of(blob), Position::without_index(frame_type));
        }
    }

    #[inline]
    pub(super) fn method_of(&self, blob: &Blob) -> usize {
        let field = self.layout.compiled.method as usize;
        self.memory.word(blob.start.wrapping_add(field))
    }

    pub(super) fn frame_type(&self, blob: &Blob) -> FrameType {
        let field = self.layout.compiled.level as usize;
        // CompLevel_simple, _limited_profile, _full_profile are C1's.
        match self.memory.u8(blob.start.wrapping_add(field)) {
            1..=3 => FrameType::C1,
            _ => FrameType::C2,
        }
    }

    /// Return addresses into a method that is deoptimised are replaced.
    #[inline]
    pub(super) fn is_deopt_handler(&self, blob: &Blob, pc: usize) -> bool {
        let compiled = &self.layout.compiled;
        pc == self
            .memory
            .place(blob.start, blob.code, compiled.deopt_handler)
            || compiled
                .deopt_mh_handler
                .is_some_and(|handler| pc == self.memory.place(blob.start, blob.code, handler))
    }

    fn original_pc(&self, blob: &Blob, sp: usize) -> Option<usize> {
        let field = self.layout.compiled.orig_pc as usize;
        let offset = self.memory.i32(blob.start.wrapping_add(field));
        self.memory
            .try_word(sp.wrapping_add_signed(offset as isize))
    }

    /// Adds the scopes at an address. False when the method does not say.
    fn scopes(&mut self, blob: &Blob, pc: usize, lookup: Lookup, frame_type: FrameType) -> bool {
        let memory = self.memory;
        let layout = &self.layout.compiled;
        let place = |place| memory.place(blob.start, blob.code, place);
        let offset = pc.wrapping_sub(blob.code) as i32;
        let wanted = match lookup {
            Lookup::At => offset,
            Lookup::Behind => offset.wrapping_add(1),
        };
        let (begin, end) = (place(layout.pcs_begin), place(layout.pcs_end));
        let count = end
            .wrapping_sub(begin)
            .checked_div(layout.pc_size)
            .unwrap_or(0);
        let entry = |index: usize| begin.wrapping_add(index.wrapping_mul(layout.pc_size));
        // The first at or behind the wanted offset. The first and the last of all are sentinels: behind the last but one that
        // one is the nearest.
        let (mut from, mut to) = (0, count);
        while from < to {
            let middle = from + (to - from) / 2;
            if memory.i32(entry(middle).wrapping_add(layout.pc_offset as usize)) < wanted {
                from = middle + 1;
            } else {
                to = middle;
            }
        }
        from = from.min(count.saturating_sub(2));
        let mut scope = memory.i32(entry(from).wrapping_add(layout.pc_scope as usize));
        if scope <= 0 {
            return false;
        }
        let stream = place(layout.scopes_begin);
        let metadata = place(layout.metadata_begin);
        for _ in 0..MOST_SCOPES {
            let mut at = stream.wrapping_add(scope as usize);
            let outer = self.number(&mut at);
            let method = self.number(&mut at);
            let index = self.number(&mut at).wrapping_add(INDEX_BIAS);
            if method <= 0 {
                return false;
            }
            let method = memory.word(metadata.wrapping_add((method as usize - 1) * 8));
            let is_outermost = outer <= 0;
            let frame_type = if is_outermost {
                frame_type
            } else {
                FrameType::Inlined
            };
            self.push(method, Position::new(frame_type, index));
            if is_outermost {
                return true;
            }
            scope = outer;
        }
        true
    }

    /// The next number of a stream.
    #[inline]
    fn number(&self, at: &mut usize) -> i32 {
        let bias = u32::from(self.layout.compiled.excludes_zero);
        let mut number = 0_u32;
        let mut shift = 0;
        loop {
            let byte = u32::from(self.memory.u8(*at));
            *at = at.wrapping_add(1);
            number = number.wrapping_add(byte.wrapping_sub(bias) << shift);
            shift += 6;
            if byte < 192 || shift >= 30 {
                return number.cast_signed();
            }
        }
    }

    /// To the caller of a frame of fixed size: the return address is its last word, the caller's frame pointer the one before.
    #[inline]
    pub(super) fn leave_whole_frame(&self, blob: &Blob, sp: usize) -> Flow {
        self.leave_frame_of(sp, self.frame_words(blob).wrapping_mul(8))
    }

    #[inline]
    pub(super) fn leave_frame_of(&self, sp: usize, bytes: usize) -> Flow {
        let sender = sp.wrapping_add(bytes);
        match (
            self.stack_word(sender.wrapping_sub(8)),
            self.stack_word(sender.wrapping_sub(16)),
        ) {
            (Some(pc), Some(fp)) => Flow::Go(Cursor { pc, sp: sender, fp }),
            _ => Flow::Fail(Failure::OutOfStack),
        }
    }
}
