//! x86-64.
//!
//! # Safety
//! Reads the signal's saved registers, the thread pointer, and memory that the caller vouches for;
//! writes nothing.
#![allow(unsafe_code)]

pub mod code;
pub mod displaced;
pub mod guarded_call;
pub mod tried_load;

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

/// The least size of an alternate signal stack on which a fault may be taken inside of a handler: two signal frames with all
/// vector registers (`AT_MINSIGSTKSZ`, some 3.4 KiB each with AVX-512), and the handlers.
const LEAST_SIGNAL_STACK: usize = 16 * 1024;

/// Whether a fault in the running handler would reach the handler of faults: it is not blocked, and there is room on the
/// stack for it.
///
/// # Safety
/// `ucontext` is the third argument of a running `SA_SIGINFO` handler.
#[inline]
#[must_use]
pub unsafe fn can_fault(ucontext: *const c_void) -> bool {
    let context = ucontext.cast::<libc::ucontext_t>();
    // SAFETY: the caller vouches for `ucontext`. The kernel's part of the set of signals is one word.
    let (blocked, stack) = unsafe {
        (
            (&raw const (*context).uc_sigmask).cast::<u64>().read(),
            (*context).uc_stack,
        )
    };
    let faults = (1 << (libc::SIGSEGV - 1)) | (1 << (libc::SIGBUS - 1));
    let here = (&raw const blocked) as usize;
    let is_on_it = here.wrapping_sub(stack.ss_sp as usize) < stack.ss_size;
    blocked & faults == 0 && (!is_on_it || stack.ss_size >= LEAST_SIGNAL_STACK)
}

/// The registers that a stack walk begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registers {
    /// `rip`.
    pub pc: usize,
    /// `rsp`.
    pub sp: usize,
    /// `rbp`: the frame pointer in the interpreter, any value elsewhere.
    pub fp: usize,
    /// `rax`: holds a return address while the interpreter and the adapters build a frame.
    pub ax: usize,
    /// `rcx`: holds the address of an exception's handler at the end of C1's stubs.
    pub cx: usize,
    /// `rbx`: holds the method while the interpreter enters it.
    pub bx: usize,
    /// `r13`: the interpreter's bytecode pointer; on entry the caller's stack pointer.
    pub r13: usize,
}

impl Registers {
    /// Those of the interrupted code.
    ///
    /// # Safety
    /// `ucontext` is the third argument of a running `SA_SIGINFO` handler.
    #[inline]
    #[must_use]
    pub unsafe fn of(ucontext: *const c_void) -> Self {
        // SAFETY: the caller vouches for `ucontext`; the kernel filled it in.
        let registers = unsafe { &(*ucontext.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
        let register = |name: libc::c_int| {
            let value = registers.get(name as usize).copied().unwrap_or(0);
            value.cast_unsigned() as usize
        };
        Self {
            pc: register(libc::REG_RIP),
            sp: register(libc::REG_RSP),
            fp: register(libc::REG_RBP),
            ax: register(libc::REG_RAX),
            cx: register(libc::REG_RCX),
            bx: register(libc::REG_RBX),
            r13: register(libc::REG_R13),
        }
    }
}

macro_rules! loads {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty = $instruction:literal, $register:ident;)+) => {
        $(
            $(#[doc = $doc])+
            ///
            /// Written in assembler, so that the compiler assumes nothing of an address that may
            /// be no object of ours and may not be mapped.
            ///
            /// # Safety
            /// The address is mapped, or the call happens under [`crate::guard::run`].
            #[inline]
            #[must_use]
            pub unsafe fn $name(address: usize) -> $type {
                let value: $type;
                // SAFETY: one load; the caller vouches for the address.
                unsafe {
                    core::arch::asm!(
                        $instruction,
                        $register = out(reg) value,
                        address = in(reg) address,
                        options(nostack, preserves_flags, readonly)
                    );
                }
                value
            }
        )+
    };
}

loads! {
    /// Eight bytes.
    load_usize: usize = "mov {value}, [{address}]", value;
    /// Four bytes.
    load_u32: u32 = "mov {value:e}, [{address}]", value;
    /// Two bytes.
    load_u16: u16 = "movzx {value:e}, word ptr [{address}]", value;
}

/// One byte.
///
/// # Safety
/// As [`load_usize`].
#[inline]
#[must_use]
pub unsafe fn load_u8(address: usize) -> u8 {
    let value: u32;
    // SAFETY: one load; the caller vouches for the address.
    unsafe {
        core::arch::asm!(
            "movzx {value:e}, byte ptr [{address}]",
            value = out(reg) value,
            address = in(reg) address,
            options(nostack, preserves_flags, readonly)
        );
    }
    value as u8
}
