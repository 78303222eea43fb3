//! A load that says whether it succeeded.
//!
//! # Safety
//! The function written here loads one word. A fault handler that finds the thread at the load sends it on to the other way
//! out ([`go_on`]).
#![allow(unsafe_code)]

use core::ffi::c_void;

#[repr(C)]
struct Loaded {
    value: usize,
    succeeded: usize,
}

core::arch::global_asm!(
    ".pushsection .text.jprof_tried_load,\"ax\",@progbits",
    ".balign 16",
    ".hidden jprof_tried_load",
    ".globl jprof_tried_load",
    ".type jprof_tried_load,@function",
    ".hidden jprof_tried_load_failed",
    ".globl jprof_tried_load_failed",
    // The load is the function's first instruction: its address is the function's.
    "jprof_tried_load:",
    "mov rax, [rdi]",
    "mov edx, 1",
    "ret",
    "jprof_tried_load_failed:",
    "xor eax, eax",
    "xor edx, edx",
    "ret",
    ".size jprof_tried_load, . - jprof_tried_load",
    ".popsection",
);

unsafe extern "C" {
    fn jprof_tried_load(address: usize) -> Loaded;
    fn jprof_tried_load_failed();
}

/// Eight bytes; none where they are not mapped.
///
/// # Safety
/// The address is mapped, or `guard::on_fault` handles SIGSEGV and SIGBUS.
#[inline]
#[must_use]
pub unsafe fn load(address: usize) -> Option<usize> {
    // SAFETY: the caller vouches for the handler.
    let loaded = unsafe { jprof_tried_load(address) };
    (loaded.succeeded != 0).then_some(loaded.value)
}

/// Makes a thread that has faulted at the load go on. False when it has not.
///
/// # Safety
/// `ucontext` is that of a handler of a fault.
pub unsafe fn go_on(ucontext: *mut c_void) -> bool {
    // SAFETY: the caller vouches for it.
    let registers = unsafe { &mut (*ucontext.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    let here = jprof_tried_load as *const () as usize;
    if registers[libc::REG_RIP as usize] as usize != here {
        return false;
    }
    registers[libc::REG_RIP as usize] =
        jprof_tried_load_failed as *const () as usize as libc::greg_t;
    true
}
