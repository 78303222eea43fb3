//! AArch64.
//!
//! # Safety
//! Reads the signal's saved registers and the thread pointer; writes nothing.
#![allow(unsafe_code)]

use core::ffi::c_void;

/// The interrupted program counter.
///
/// # Safety
/// `ucontext` is the third argument of a running `SA_SIGINFO` handler.
#[inline]
#[must_use]
pub unsafe fn program_counter(ucontext: *const c_void) -> u64 {
    let context = ucontext.cast::<libc::ucontext_t>();
    // SAFETY: the caller vouches for `ucontext`; the kernel filled it in.
    unsafe { (*context).uc_mcontext.pc }
}

/// The calling thread's thread pointer: differs between all living threads.
#[inline]
#[must_use]
pub fn thread_pointer() -> usize {
    let pointer: usize;
    // SAFETY: TPIDR_EL0 is readable in user mode and holds the thread pointer on Linux.
    unsafe {
        core::arch::asm!("mrs {}, tpidr_el0", out(reg) pointer, options(nomem, nostack, preserves_flags));
    }
    pointer
}
