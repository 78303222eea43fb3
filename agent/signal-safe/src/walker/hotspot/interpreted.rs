//! Frames of the interpreter, also while they are built and left.
//!
//! The frame (source: `frame_x86.hpp`; words from the frame pointer): return address +1, caller's frame pointer 0, caller's
//! stack pointer -1, last stack pointer -2, method -3, then mirror (from 9 on), profile, constant pool cache, locals, bytecode
//! pointer. On entry `rbx` holds the method and `r13` the caller's stack pointer (`templateInterpreterGenerator_x86.cpp`).

use super::walk::{Cursor, Flow, Walk};
use crate::arch::code::InterpreterExit;
use crate::walker::{Failure, FrameType, Position};

const WORD: usize = 8;

/// While a full collection of JDK 8 runs, frames hold the index of a bytecode where else its pointer stands
/// (`frame::gc_prologue`); a method has at most 65,535 bytes of code.
const HIGHEST_INDEX: usize = 65_535;

/// A method as the interpreter sees it.
#[derive(Clone, Copy, Debug)]
struct Interpreted {
    method: usize,
    bytecodes: usize,
    length: usize,
}

impl Interpreted {
    fn index_of(&self, bcp: usize) -> Option<usize> {
        let index = bcp.wrapping_sub(self.bytecodes);
        (index < self.length).then_some(index)
    }

    /// At a bytecode pointer, or somewhere when that is none of this method's.
    fn position(&self, bcp: usize) -> Position {
        if self.length == 0 {
            return Position::without_index(FrameType::Native);
        }
        match self.index_of(bcp) {
            Some(index) => Position::new(FrameType::Interpreted, index as i32),
            None => Position::without_index(FrameType::Interpreted),
        }
    }
}

impl Walk<'_> {
    /// What a word says of a method, if it can be the address of one.
    fn method_at(&self, method: usize) -> Option<Interpreted> {
        let layout = &self.layout.method;
        if !self.is_metadata(method) || !self.spend() {
            return None;
        }
        let const_method = self
            .memory
            .try_word(method.wrapping_add(layout.const_method as usize))?;
        if !self.is_metadata(const_method) {
            return None;
        }
        let length = self
            .memory
            .try_word(const_method.wrapping_add(layout.code_size as usize))?;
        Some(Interpreted {
            method,
            bytecodes: const_method.wrapping_add(layout.bytecodes),
            length: length & 0xffff,
        })
    }

    /// Metaspace is aligned, and neither on this stack nor in the first page.
    fn is_metadata(&self, address: usize) -> bool {
        address.is_multiple_of(WORD)
            && (4096..1 << 47).contains(&address)
            && !self.stack.contains(address)
    }

    /// Adds the frame of a method. None when it is no method.
    pub(super) fn push_interpreted(&mut self, method: usize, bcp: usize) -> Option<()> {
        let method = self.method_at(method)?;
        self.push(method.method, method.position(bcp));
        Some(())
    }

    fn frame_slot(&self, fp: usize, slot: isize) -> Option<usize> {
        self.stack_word(fp.wrapping_add_signed(slot * WORD as isize))
    }

    fn method_of_frame(&self, fp: usize) -> Option<Interpreted> {
        self.method_at(self.frame_slot(fp, self.layout.interpreter.method_slot)?)
    }

    /// The bytecode pointer that a frame of this method holds.
    fn stored_bcp(&self, fp: usize, method: &Interpreted) -> Option<usize> {
        let word = self.frame_slot(fp, self.layout.interpreter.bcp_slot)?;
        let is_index = self.layout.interpreter.slot_may_hold_index && word <= HIGHEST_INDEX;
        Some(if is_index {
            method.bytecodes.wrapping_add(word)
        } else {
            word
        })
    }

    /// Whether an interpreted frame stands at a frame pointer: with a method, and a bytecode pointer into it.
    pub(super) fn is_interpreted_frame(&self, fp: usize) -> bool {
        let Some(method) = self.method_of_frame(fp) else {
            return false;
        };
        method.length == 0
            || self
                .stored_bcp(fp, &method)
                .is_some_and(|bcp| method.index_of(bcp).is_some())
    }

    /// A whole frame whose method has called another.
    pub(super) fn interpreted_frame(&mut self, cursor: Cursor) -> Flow {
        let fp = cursor.fp;
        let method = self.method_of_frame(fp);
        let bcp = method.and_then(|method| self.stored_bcp(fp, &method));
        match (method, bcp) {
            (Some(method), Some(bcp)) if fp >= cursor.sp => {
                self.unpacking = false;
                self.push(method.method, method.position(bcp));
                self.leave_interpreted(fp)
            }
            // The frames of a method that is deoptimised are laid out before they are filled.
            _ if self.unpacking => self.leave_interpreted(fp),
            _ => Flow::Fail(Failure::BrokenInterpreted),
        }
    }

    fn leave_interpreted(&self, fp: usize) -> Flow {
        let sender = self.frame_slot(fp, self.layout.interpreter.sender_sp_slot);
        match (
            self.frame_slot(fp, 1),
            self.frame_slot(fp, 0),
            sender.filter(|&sp| sp > fp && self.stack.contains(sp)),
        ) {
            (Some(pc), Some(caller_fp), Some(sp)) => Flow::Go(Cursor {
                pc,
                sp,
                fp: caller_fp,
            }),
            _ => Flow::Fail(Failure::BrokenInterpreted),
        }
    }

    /// The thread was interrupted in the interpreter.
    pub(super) fn interrupted_interpreter(&mut self) -> Flow {
        let entering = self
            .layout
            .interpreter
            .entries
            .iter()
            .any(|entry| entry.contains(self.registers.pc));
        if entering && let Some(flow) = self.entering_interpreted() {
            return flow;
        }
        if let Some(flow) = self.leaving_interpreted() {
            return flow;
        }
        let registers = self.registers;
        let fp = registers.fp;
        if fp >= registers.sp
            && let Some(method) = self.method_of_frame(fp)
            && let Some(stored) = self.stored_bcp(fp, &method)
        {
            // The register is ahead of the frame, which is written at calls only.
            let bcp = match method.index_of(registers.r13) {
                Some(_) => registers.r13,
                None => stored,
            };
            self.push(method.method, method.position(bcp));
            return self.leave_interpreted(fp);
        }
        // Entries that build no frame: mathematics, accessors.
        self.behind_return_address(registers.sp)
            .unwrap_or_else(|| self.search(registers.sp, Failure::BrokenInterpreted))
    }

    /// The method in `rbx` is being entered: nothing, a part, or all of its frame stands.
    fn entering_interpreted(&mut self) -> Option<Flow> {
        let registers = self.registers;
        let (sp, fp, sender) = (registers.sp, registers.fp, registers.r13);
        let method = self.method_at(registers.bx)?;
        let start = if method.length == 0 {
            Position::without_index(FrameType::Native)
        } else {
            Position::new(FrameType::Interpreted, 0)
        };
        if !self.stack.contains(sender) || sender < sp {
            // r13 is the bytecode pointer already: the frame pointer stands, the method's slot perhaps not.
            let slot = fp.wrapping_add_signed(self.layout.interpreter.method_slot * WORD as isize);
            if fp < sp || slot >= sp {
                return None;
            }
            self.leaf_in_motion = true;
            self.push(method.method, start);
            return Some(self.leave_interpreted(fp));
        }
        let has_frame = fp == sp
            || (fp > sp
                && self.frame_slot(fp, self.layout.interpreter.sender_sp_slot) == Some(sender));
        let (pc, caller_fp) = if has_frame {
            (self.frame_slot(fp, 1)?, self.frame_slot(fp, 0)?)
        } else {
            let at = |address| {
                self.stack_word(address)
                    .filter(|&word| self.is_return_address(word))
            };
            let pc = at(sp)
                .or_else(|| at(sp.wrapping_add(WORD)).filter(|_| self.stack_word(sp) == Some(fp)))
                // It is popped while room is made for the locals.
                .or_else(|| Some(registers.ax).filter(|&word| self.is_return_address(word)))?;
            (pc, fp)
        };
        self.leaf_in_motion = true;
        self.push(method.method, start);
        Some(Flow::Go(Cursor {
            pc,
            sp: sender.max(sp.wrapping_add(WORD)),
            fp: caller_fp,
        }))
    }

    /// The frame has just been taken down: `rbx` holds the caller's stack pointer.
    fn leaving_interpreted(&mut self) -> Option<Flow> {
        let registers = self.registers;
        let sender = registers.bx;
        let (pc, sp) = match self.memory.interpreter_exit(registers.pc)? {
            InterpreterExit::ReturnAddressOnStack => {
                // What is left of the frame lies out of reach of the signal (red zone).
                let method = self.method_of_frame(registers.sp.wrapping_sub(WORD));
                if let Some(method) = method
                    .filter(|method| method.length == 0 || method.index_of(registers.r13).is_some())
                {
                    self.push(method.method, method.position(registers.r13));
                }
                (self.stack_word(registers.sp)?, sender)
            }
            InterpreterExit::ReturnAddressInRegister => (registers.r13, sender),
            InterpreterExit::AtJump => (registers.r13, registers.sp),
        };
        self.leaf_in_motion = true;
        Some(Flow::Go(Cursor {
            pc,
            sp,
            fp: registers.fp,
        }))
    }
}
