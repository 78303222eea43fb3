//! x86-64.
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
    unsafe { (*context).uc_mcontext.gregs[libc::REG_RIP as usize].cast_unsigned() }
}

/// The calling thread's own address of its control block: differs between all living threads.
#[inline]
#[must_use]
pub fn thread_pointer() -> usize {
    let pointer: usize;
    // SAFETY: on x86-64 Linux the word at fs:0 holds the thread control block's own address
    // (System V ABI, "ELF Handling For Thread-Local Storage", section 3.4.6).
    unsafe {
        core::arch::asm!("mov {}, fs:0", out(reg) pointer, options(nostack, preserves_flags, readonly));
    }
    pointer
}
