//! The walk itself: from frame to frame until the VM's first call into Java.
//!
//! # Safety
//! Frames are written to a slice that the caller owns; they are written as volatile, since a fault may end the walk at any
//! load, and what was found before it must be there.
#![allow(unsafe_code)]

use core::cell::Cell;
use core::ptr;

use super::code_cache::{Blob, Kind, KnownNames};
use super::layout::{Layout, Range};
use super::memory::Memory;
use crate::arch::Registers;
use crate::walker::cache::{self, CachedFrame, MOST_METHODS};
use crate::walker::{Failure, Frame, Position};

const WORD: usize = 8;

/// Below the stack pointer the System V ABI leaves 128 bytes in peace.
const RED_ZONE: usize = 128;

/// Frames on the stack that bring no Java frame (stubs, entry frames), beyond one for each Java frame.
const MOST_OTHER_FRAMES: usize = 4096;

/// Words of the stack that are looked through for a frame.
const MOST_WORDS_SEARCHED: usize = 1024;

/// A frame whose method has called another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// Where it goes on.
    pub(super) pc: usize,
    /// Its stack pointer after the call has returned.
    pub(super) sp: usize,
    /// The frame pointer register then.
    pub(super) fp: usize,
}

/// What a step leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// The next frame.
    Go(Cursor),
    /// There is no more.
    End,
    /// It cannot be told.
    Fail(Failure),
}

/// A walk under way.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    pub(super) layout: &'a Layout,
    pub(super) names: &'a KnownNames,
    pub(super) memory: Memory,
    pub(super) registers: Registers,
    /// The JVM's thread.
    pub(super) thread: usize,
    /// The part of the thread's stack that is in use.
    pub(super) stack: Range,
    pub(super) frames: &'a mut [Frame],
    pub(super) cache: &'a mut [CachedFrame],
    pub(super) count: usize,
    /// More frames than fit.
    pub(super) is_full: bool,
    pub(super) outside: bool,
    /// The interrupted method was building or leaving its frame.
    pub(super) leaf_in_motion: bool,
    /// The next frame has called the interrupted stub.
    pub(super) below_stub: bool,
    /// The VM turns a compiled frame into interpreted ones.
    pub(super) unpacking: bool,
    /// Name a method that has called a stub or the VM as AsyncGetCallTrace does, by the instruction behind the call.
    pub(super) as_agct: bool,
    /// The last resort was needed.
    pub(super) searched: bool,
    /// What is left of the work that a walk may be.
    pub(super) budget: Cell<u32>,
    pub(super) failure: Failure,
}

/// Steps of a walk that are not bounded by its frames: words searched, hops over the segment map, loads that were tried. Each
/// takes some ten nanoseconds, caches being cold, so the longest walks take a few milliseconds; ordinary ones need a hundred.
pub(super) const BUDGET: u32 = 50_000;

impl Walk<'_> {
    /// Walks. What it finds is in the fields, also after a fault.
    pub(super) fn run(&mut self) {
        let layout = self.layout;
        let base = self
            .memory
            .word(self.thread.wrapping_add(layout.thread.stack_base as usize));
        let anchor_sp = self
            .memory
            .word(self.thread.wrapping_add(layout.thread.anchor_sp as usize));
        // A signal handler of others may run on a stack of its own: then the Java frames end where the anchor says.
        let own_stack = self.registers.sp < base && self.registers.sp.is_multiple_of(WORD);
        let sp = if own_stack {
            self.registers.sp
        } else {
            anchor_sp
        };
        self.stack = Range {
            start: sp.saturating_sub(RED_ZONE),
            end: base,
        };
        if sp == 0 || sp >= base || !sp.is_multiple_of(WORD) {
            self.finish(Failure::OutOfStack);
            return;
        }
        let mut flow = self.interrupted();
        let mut last_sp = sp;
        for _ in 0..self.frames.len().saturating_add(MOST_OTHER_FRAMES) {
            if self.is_full {
                self.finish(Failure::None);
                return;
            }
            match flow {
                Flow::Go(cursor) if cursor.sp < last_sp || !self.stack.contains(cursor.sp) => {
                    self.finish(Failure::OutOfStack);
                    return;
                }
                Flow::Go(cursor) => {
                    last_sp = cursor.sp.saturating_add(1);
                    flow = self.frame(cursor);
                }
                Flow::End => {
                    self.finish(Failure::None);
                    return;
                }
                Flow::Fail(failure) => {
                    self.finish(failure);
                    return;
                }
            }
        }
        self.finish(Failure::TooLong);
    }

    /// Takes one step from the budget. False when none is left.
    #[inline]
    pub(super) fn spend(&self) -> bool {
        let left = self.budget.get();
        self.budget.set(left.saturating_sub(1));
        left > 0
    }

    /// The thread was not in Java code.
    pub(super) fn note_outside(&mut self) {
        // SAFETY: a field of ours; volatile as the head says.
        unsafe { ptr::write_volatile(&raw mut self.outside, true) };
    }

    fn finish(&mut self, failure: Failure) {
        let failure = if self.budget.get() == 0 && failure != Failure::None {
            Failure::TooLong
        } else {
            failure
        };
        // SAFETY: a field of ours; volatile as the head says.
        unsafe { ptr::write_volatile(&raw mut self.failure, failure) };
    }

    /// Adds a frame, or notes that there are more than fit.
    #[inline]
    pub(super) fn push(&mut self, method: usize, position: Position) {
        match self.frames.get_mut(self.count) {
            Some(place) => {
                // SAFETY: both are places of ours; volatile as the head says.
                unsafe {
                    ptr::write_volatile(place, Frame { position, method });
                    ptr::write_volatile(&raw mut self.count, self.count + 1);
                }
            }
            None => self.is_full = true,
        }
    }

    /// A word of the stack, none outside of it.
    #[inline]
    pub(super) fn stack_word(&self, address: usize) -> Option<usize> {
        (address >= self.stack.start
            && address <= self.stack.end.wrapping_sub(WORD)
            && address.is_multiple_of(WORD))
        .then(|| self.memory.word(address))
    }

    #[inline]
    fn frame(&mut self, cursor: Cursor) -> Flow {
        if self.layout.interpreter.code.contains(cursor.pc) {
            return self.interpreted_frame(cursor);
        }
        if cursor.pc == self.layout.entry.return_address {
            return self.entry_frame(cursor.fp);
        }
        // Where a stub was interrupted, its caller needs a closer look.
        let cacheable = self.count > 0 && !self.below_stub;
        if cacheable && let Some(flow) = self.known_frame(cursor) {
            return flow;
        }
        match self.blob_of(cursor.pc) {
            Some(blob) if blob.kind != Kind::Stub => {
                let first = self.count;
                let flow = self.compiled_frame(&blob, cursor);
                if cacheable {
                    self.remember(&blob, cursor.pc, first);
                }
                flow
            }
            Some(blob) => self.stub_frame(&blob, cursor),
            None => Flow::Fail(if self.count == 0 {
                Failure::UnknownCode
            } else {
                Failure::BrokenCompiled
            }),
        }
    }

    /// A frame whose return address an earlier walk has met, in the same compiled method.
    #[inline]
    fn known_frame(&mut self, cursor: Cursor) -> Option<Flow> {
        let place = cache::place_of(cursor.pc, self.cache.len());
        let known = self
            .cache
            .get(place)
            .filter(|known| known.pc == cursor.pc)?;
        let compile_id = known
            .blob
            .wrapping_add(self.layout.compiled.compile_id as usize);
        let code = &self.layout.code;
        let block = known.blob.wrapping_sub(code.block_header);
        // A freed method's memory is given out from its end, so its head may stand while its code is another's.
        let is_used = self.memory.u8(block.wrapping_add(code.block_used as usize)) != 0;
        if !is_used || self.memory.u32(compile_id) != known.compile_id {
            return None;
        }
        let known = *known;
        for frame in known.frames.iter().take(known.count as usize) {
            self.push(frame.method, frame.position);
        }
        Some(self.leave_frame_of(cursor.sp, known.frame_bytes as usize))
    }

    /// Keeps what a return address stands for.
    fn remember(&mut self, blob: &Blob, pc: usize, first: usize) {
        let found = self.frames.get(first..self.count).unwrap_or(&[]);
        if found.len() > MOST_METHODS || self.is_full || self.is_deopt_handler(blob, pc) {
            return;
        }
        let field = self.layout.compiled.compile_id as usize;
        let place = cache::place_of(pc, self.cache.len());
        let frame_bytes = self.frame_words(blob).wrapping_mul(WORD) as u32;
        let compile_id = self.memory.u32(blob.start.wrapping_add(field));
        // No load from here on, so no fault leaves the entry half written.
        let Some(known) = self.cache.get_mut(place) else {
            return;
        };
        *known = CachedFrame {
            pc,
            blob: blob.start,
            compile_id,
            frame_bytes,
            count: found.len() as u32,
            ..CachedFrame::EMPTY
        };
        for (kept, &frame) in known.frames.iter_mut().zip(found) {
            *kept = frame;
        }
    }

    /// The VM has called Java: its `JavaCallWrapper` keeps where the Java frames below end.
    pub(super) fn entry_frame(&self, fp: usize) -> Flow {
        let entry = &self.layout.entry;
        let slot = fp.wrapping_add_signed(entry.wrapper_slot * WORD as isize);
        let Some(wrapper) = self.stack_word(slot).filter(|&at| at > fp) else {
            return Flow::Fail(Failure::BrokenEntry);
        };
        let field = |offset: u32| self.stack_word(wrapper.wrapping_add(offset as usize));
        match (
            field(entry.anchor_sp),
            field(entry.anchor_pc),
            field(entry.anchor_fp),
        ) {
            (Some(sp), Some(pc), Some(fp)) => self.anchored(sp, pc, fp),
            _ => Flow::Fail(Failure::BrokenEntry),
        }
    }

    /// What a `JavaFrameAnchor` says. Where it has no pc, the call has left it below the stack pointer.
    pub(super) fn anchored(&self, sp: usize, pc: usize, fp: usize) -> Flow {
        if sp == 0 {
            return Flow::End;
        }
        let pc = if pc == 0 {
            self.stack_word(sp.wrapping_sub(WORD))
        } else {
            Some(pc)
        };
        match pc {
            Some(pc) => Flow::Go(Cursor { pc, sp, fp }),
            None => Flow::Fail(Failure::OutOfStack),
        }
    }

    /// A frame at the return address in this word of the stack, if it is one.
    pub(super) fn behind_return_address(&self, at: usize) -> Option<Flow> {
        let pc = self
            .stack_word(at)
            .filter(|&word| self.is_return_address(word))?;
        let sp = at.wrapping_add(WORD);
        Some(Flow::Go(Cursor {
            pc,
            sp,
            fp: self.frame_pointer_of(pc, at)?,
        }))
    }

    /// The frame pointer that goes with a return address: the register as it is, or as the callee has saved it below the
    /// address. None when the frame needs one and neither fits.
    pub(super) fn frame_pointer_of(&self, pc: usize, at: usize) -> Option<usize> {
        let saved = self.stack_word(at.wrapping_sub(WORD)).unwrap_or(0);
        let both = [self.registers.fp, saved];
        if self.layout.interpreter.code.contains(pc) {
            return both
                .into_iter()
                .find(|&fp| fp > at && self.is_interpreted_frame(fp));
        }
        if pc == self.layout.entry.return_address {
            return both
                .into_iter()
                .find(|&fp| fp > at && !matches!(self.entry_frame(fp), Flow::Fail(_)));
        }
        Some(self.registers.fp)
    }

    /// The last resort: the lowest word of the stack that is a return address and whose frame ends with another one.
    pub(super) fn search(&mut self, from: usize, failure: Failure) -> Flow {
        self.searched = true;
        let mut at = from;
        for _ in 0..MOST_WORDS_SEARCHED {
            let Some(word) = self.stack_word(at).filter(|_| self.spend()) else {
                break;
            };
            if self.is_frame_behind(word, at)
                && let Some(flow) = self.behind_return_address(at)
            {
                return flow;
            }
            at = at.wrapping_add(WORD);
        }
        Flow::Fail(failure)
    }

    /// Whether a word is a return address, and the frame that it returns to ends with one, too.
    pub(super) fn is_frame_behind(&self, word: usize, at: usize) -> bool {
        use super::code_cache::Return;
        match self.returns_to(word) {
            None => false,
            // Their frame pointers are checked.
            Some(Return::ToEntryStub | Return::ToInterpreter) => true,
            Some(Return::Behind(_, blob)) => {
                let words = self.frame_words(&blob);
                let end = at.wrapping_add(words.wrapping_mul(WORD));
                words > 0
                    && self
                        .stack_word(end)
                        .is_some_and(|word| self.is_return_address(word))
            }
        }
    }
}
