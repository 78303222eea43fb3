//! Frames of a mounted virtual thread that are still in the heap.
//!
//! When a virtual thread goes on, only its topmost frames are copied back onto the carrier's stack; the others follow one by
//! one as they are returned to. Until then they lie in `StackChunk` objects, as copies of the stack's words: compiled frames
//! as they are, interpreted ones with offsets in the place of pointers (source: `continuationFreezeThaw.cpp`,
//! `stackChunkFrameStream_x86.inline.hpp`).
//!
//! A collector may move the chunk at the same time. Loads that fail, and frames that are none, end the look; what lies
//! below on the stack is walked all the same.

use super::code_cache::Kind;
use super::compiled::Lookup;
use super::layout::{ContinuationLayout, Oops};
use super::walk::Walk;
use crate::walker::{FrameType, Position};

const WORD: usize = 8;

/// A thread's frames are spread over a few chunks.
const MOST_CHUNKS: usize = 64;

impl Walk<'_> {
    /// Adds the frames in the heap of the continuation whose entry lies at this address. False when they are not, or not all,
    /// understood.
    pub(super) fn frozen_frames(&mut self, entry: usize) -> bool {
        let Some(layout) = self.layout.entry.continuation else {
            return false;
        };
        self.frozen_frames_by(&layout, entry).is_some()
    }

    fn frozen_frames_by(&mut self, layout: &ContinuationLayout, entry: usize) -> Option<()> {
        let continuation =
            self.stack_word(entry.wrapping_add(layout.entry_continuation as usize))?;
        let mut chunk = self.load_oop(layout, continuation, layout.tail)?;
        for _ in 0..MOST_CHUNKS {
            if chunk == 0 {
                return Some(());
            }
            let number = |field: u32| {
                let word = self.memory.try_word(chunk.wrapping_add(field as usize))?;
                usize::try_from((word as u32).cast_signed()).ok()
            };
            let (sp, bottom, size) = (
                number(layout.sp)?,
                number(layout.bottom)?,
                number(layout.size)?,
            );
            if sp > bottom || bottom > size {
                return None;
            }
            let stack = chunk.wrapping_add(layout.stack as usize);
            let place = |index: usize| stack.wrapping_add(index.wrapping_mul(WORD));
            self.frames_of_chunk(place(sp), place(bottom))?;
            if self.is_full {
                return Some(());
            }
            chunk = self.load_oop(layout, chunk, layout.parent)?;
        }
        None
    }

    /// The frames between two addresses in a chunk. A frame's return address lies below it, and below that, where it is
    /// interpreted, the way to its frame pointer.
    fn frames_of_chunk(&mut self, start: usize, end: usize) -> Option<()> {
        // The second is the stack pointer before the callee's arguments were added.
        let (mut sp, mut unextended_sp) = (start, start);
        while sp < end && !self.is_full {
            // A stub adds no frame, and is to count as one all the same.
            if !self.spend() {
                return None;
            }
            let pc = self.memory.try_word(sp.wrapping_sub(WORD))?;
            let next = if self.layout.interpreter.code.contains(pc) {
                self.frozen_interpreted(sp, end)?
            } else {
                let blob = self.blob_of(pc)?;
                if blob.kind != Kind::Stub {
                    self.name_compiled(&blob, pc, unextended_sp, Lookup::At);
                }
                let bytes = self.frame_words(&blob).wrapping_mul(WORD);
                [unextended_sp.wrapping_add(bytes); 2]
            };
            if next[0] <= sp || next[0] > end.wrapping_add(MOST_ARGUMENTS * WORD) {
                return None;
            }
            [sp, unextended_sp] = next;
        }
        Some(())
    }

    /// An interpreted frame: the next one's two stack pointers. Pointers into the stack are kept as offsets in words.
    fn frozen_interpreted(&mut self, sp: usize, end: usize) -> Option<[usize; 2]> {
        let slots = &self.layout.interpreter;
        let at = |from: usize, words: isize| from.wrapping_add_signed(words * WORD as isize);
        let memory = self.memory;
        let relative = |address: usize| {
            let words = memory.try_word(address)?.cast_signed();
            Some(words).filter(|words| words.unsigned_abs() < MOST_FRAME_WORDS)
        };
        let link = at(sp, -2);
        let fp = at(link, relative(link)?);
        let method = self.memory.try_word(at(fp, slots.method_slot))?;
        let bcp = self.memory.try_word(at(fp, slots.bcp_slot))?;
        // The slot above the bytecode pointer's leads to the first local variable, the highest word of the frame.
        let locals = at(fp, relative(at(fp, slots.bcp_slot + 1))?);
        self.push_interpreted(method, bcp)?;
        if locals.wrapping_add(WORD) >= end {
            return Some([end; 2]);
        }
        let next = at(fp, 2);
        // The bottom frame has no caller here.
        let unextended_sp =
            relative(at(fp, slots.sender_sp_slot)).map_or(next, |words| at(fp, words));
        Some([next, unextended_sp])
    }

    /// A reference in a field of an object.
    fn load_oop(&self, layout: &ContinuationLayout, object: usize, field: u32) -> Option<usize> {
        let word = self.memory.try_word(object.wrapping_add(field as usize))?;
        Some(match layout.oops {
            Oops::Narrow { base, shift } => match word as u32 {
                0 => 0,
                narrow => base.wrapping_add((narrow as usize) << shift),
            },
            Oops::Wide => word,
            Oops::Coloured { shift_at } => {
                let shift = self.memory.try_word(shift_at)?;
                word.checked_shr(u32::try_from(shift).ok()?)?
            }
        })
    }

    /// Adds what a thread's frames in the heap stand for when they cannot be told.
    pub(super) fn push_frozen_mark(&mut self) {
        self.push(0, Position::without_index(FrameType::Unknown));
    }
}

/// An interpreted frame's parts: no method has more than 65,535 locals and as many words on its expression stack.
const MOST_FRAME_WORDS: usize = 1 << 18;
/// A frame's arguments may reach beyond the chunk's bottom.
const MOST_ARGUMENTS: usize = 256;
