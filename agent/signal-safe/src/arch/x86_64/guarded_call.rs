//! A call from which a fault handler can come back.
//!
//! # Safety
//! The function written here keeps the registers that the System V ABI (x86-64, section 3.2.1) gives to the caller: it saves
//! them on its own stack, and both ways out restore them. The way out after a fault finds the stack pointer that the handler
//! has put back.
#![allow(unsafe_code)]

use core::ffi::c_void;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Where to go on after a fault.
#[derive(Debug, Default)]
#[repr(C)]
pub struct WayBack {
    sp: AtomicUsize,
    pc: AtomicUsize,
}

impl WayBack {
    /// None yet.
    pub const fn new() -> Self {
        Self {
            sp: AtomicUsize::new(0),
            pc: AtomicUsize::new(0),
        }
    }

    /// The stack pointer of the call: of two calls of one thread the inner one's is the lower one.
    pub fn sp(&self) -> usize {
        self.sp.load(Ordering::Relaxed)
    }

    /// Makes the interrupted code go on behind the call.
    ///
    /// # Safety
    /// `ucontext` is that of a handler that interrupted a function called by [`call`] with this way back.
    pub unsafe fn take(&self, ucontext: *mut c_void) {
        // SAFETY: the caller vouches for it.
        let registers = unsafe { &mut (*ucontext.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
        registers[libc::REG_RSP as usize] = self.sp.load(Ordering::Relaxed) as libc::greg_t;
        registers[libc::REG_RIP as usize] = self.pc.load(Ordering::Relaxed) as libc::greg_t;
    }
}

core::arch::global_asm!(
    ".pushsection .text.jprof_guarded_call,\"ax\",@progbits",
    ".balign 16",
    ".hidden jprof_guarded_call",
    ".globl jprof_guarded_call",
    ".type jprof_guarded_call,@function",
    "jprof_guarded_call:",
    "push rbp",
    "push rbx",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "sub rsp, 8",
    "mov [rdx], rsp",
    "lea rax, [rip + 3f]",
    "mov [rdx + 8], rax",
    "mov rax, rdi",
    "mov rdi, rsi",
    "call rax",
    "xor eax, eax",
    "2:",
    "add rsp, 8",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop rbx",
    "pop rbp",
    "ret",
    "3:",
    "cld",
    "mov eax, 1",
    "jmp 2b",
    ".size jprof_guarded_call, . - jprof_guarded_call",
    ".popsection",
);

unsafe extern "C" {
    fn jprof_guarded_call(
        function: unsafe extern "C" fn(*mut c_void),
        argument: *mut c_void,
        way_back: *const WayBack,
    ) -> u32;
}

/// Calls `function` with `argument`. False when a fault handler took the way back.
///
/// # Safety
/// The function may be called with the argument, and may be left at any load: nothing that it holds needs to be dropped.
#[inline]
pub unsafe fn call(
    function: unsafe extern "C" fn(*mut c_void),
    argument: *mut c_void,
    way_back: &WayBack,
) -> bool {
    // SAFETY: the caller vouches for the function; the way back outlives the call.
    unsafe { jprof_guarded_call(function, argument, way_back) == 0 }
}
