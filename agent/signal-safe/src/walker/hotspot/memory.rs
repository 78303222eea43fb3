//! Loads under the guard.
//!
//! # Safety
//! A [`Memory`] exists only where [`crate::guard::run`] runs the code (`under_guard` demands it), so its loads may fault:
//! the walk then ends.
#![allow(unsafe_code)]

use super::layout::{Base, Offset, Place, Signed};
use crate::arch;

/// The right to load from any address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory(());

impl Memory {
    /// # Safety
    /// It is used only within one call of [`crate::guard::run`], and needs no drop.
    pub(super) const unsafe fn under_guard() -> Self {
        Self(())
    }

    #[inline]
    pub(super) fn word(self, address: usize) -> usize {
        // SAFETY: under the guard, as all loads here.
        unsafe { arch::load_usize(address) }
    }

    #[inline]
    pub(super) fn u32(self, address: usize) -> u32 {
        // SAFETY: see above.
        unsafe { arch::load_u32(address) }
    }

    #[inline]
    pub(super) fn i32(self, address: usize) -> i32 {
        self.u32(address).cast_signed()
    }

    #[inline]
    pub(super) fn u16(self, address: usize) -> u16 {
        // SAFETY: see above.
        unsafe { arch::load_u16(address) }
    }

    #[inline]
    pub(super) fn u8(self, address: usize) -> u8 {
        // SAFETY: see above.
        unsafe { arch::load_u8(address) }
    }

    /// A word at an address that may be none.
    #[inline]
    pub(super) fn try_word(self, address: usize) -> Option<usize> {
        // SAFETY: where the guard is, the handler is.
        unsafe { arch::tried_load::load(address) }
    }

    #[inline]
    pub(super) fn call_before(self, address: usize) -> Option<arch::code::Call> {
        // SAFETY: see above.
        unsafe { arch::code::call_before(address) }
    }

    pub(super) fn prologue(self, entry: usize, pc: usize) -> Option<arch::code::Prologue> {
        // SAFETY: see above.
        unsafe { arch::code::prologue(entry, pc) }
    }

    pub(super) fn epilogue(self, pc: usize) -> arch::code::Epilogue {
        // SAFETY: see above.
        unsafe { arch::code::epilogue(pc) }
    }

    pub(super) fn sets_frame_pointer(self, entry: usize) -> bool {
        // SAFETY: see above.
        unsafe { arch::code::sets_frame_pointer(entry) }
    }

    pub(super) fn handler_jump(self, pc: usize) -> Option<arch::code::HandlerJump> {
        // SAFETY: see above.
        unsafe { arch::code::handler_jump(pc) }
    }

    pub(super) fn interpreter_exit(self, pc: usize) -> Option<arch::code::InterpreterExit> {
        // SAFETY: see above.
        unsafe { arch::code::interpreter_exit(pc) }
    }

    /// The number in a field of the structure at `structure`.
    #[inline]
    pub(super) fn signed(self, structure: usize, field: Signed) -> i32 {
        match field {
            Signed::Field32(offset) => self.i32(structure.wrapping_add(offset as usize)),
            Signed::Field16(offset) => i32::from(
                self.u16(structure.wrapping_add(offset as usize))
                    .cast_signed(),
            ),
        }
    }

    /// The address of a place of the blob whose first instruction is at `code`.
    #[inline]
    pub(super) fn place(self, blob: usize, code: usize, place: Place) -> usize {
        let base = match place.base {
            Base::Blob => blob,
            Base::Code => code,
            Base::Pointer(field) => self.word(blob.wrapping_add(field as usize)),
        };
        base.wrapping_add(match place.offset {
            Offset::None => 0,
            Offset::Field32(field) => self.i32(blob.wrapping_add(field as usize)) as isize as usize,
            Offset::Field16(field) => usize::from(self.u16(blob.wrapping_add(field as usize))),
        })
    }
}
