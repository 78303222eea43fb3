//! A function's first instruction, carried out in the place of the breakpoint that stands there.
//!
//! # Safety
//! Changes the saved registers of a thread that is stopped at the breakpoint, and the word below its stack pointer: what the
//! instruction itself would have changed. The kernel leaves 128 bytes below the stack pointer in peace (System V ABI).
#![allow(unsafe_code)]

use core::ffi::c_void;

/// The breakpoint: `int3`, of one byte.
pub const BREAKPOINT: u8 = 0xcc;

/// Bytes of a function that are enough to know its first instruction.
pub const MOST_BYTES: usize = 8;

/// What the first instruction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    /// Nothing: `endbr64`, `nop`.
    None,
    /// `push` of the register of this number.
    Push(u8),
    /// `sub rsp, bytes`. The flags that it leaves nobody looks at behind a function's first instruction.
    Reserve(u32),
}

/// A first instruction that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Displaced {
    effect: Effect,
    length: u8,
}

impl Displaced {
    /// Reads the first instruction of a function. `None` when it is none of those that functions begin with.
    #[must_use]
    pub fn of(code: &[u8; MOST_BYTES]) -> Option<Self> {
        let (effect, length) = match *code {
            [0xf3, 0x0f, 0x1e, 0xfa, ..] => (Effect::None, 4),
            [0x90, ..] => (Effect::None, 1),
            [0x0f, 0x1f, 0x44, 0x00, _, ..] => (Effect::None, 5),
            [byte @ 0x50..=0x57, ..] => (Effect::Push(byte & 7), 1),
            [0x41, byte @ 0x50..=0x57, ..] => (Effect::Push(8 + (byte & 7)), 2),
            [0x48, 0x83, 0xec, bytes @ 0..=0x7f, ..] => (Effect::Reserve(u32::from(bytes)), 4),
            [0x48, 0x81, 0xec, a, b, c, d @ 0..=0x7f, ..] => {
                (Effect::Reserve(u32::from_le_bytes([a, b, c, d])), 7)
            }
            _ => return None,
        };
        Some(Self { effect, length })
    }

    /// Carries it out on a thread that has met the breakpoint, which then goes on behind it.
    ///
    /// # Safety
    /// `ucontext` is that of a handler of SIGTRAP whose thread is at the breakpoint in this instruction's place, at `address`.
    #[inline]
    pub unsafe fn carry_out(self, ucontext: *mut c_void, address: usize) {
        // SAFETY: the caller vouches for `ucontext`.
        let registers = unsafe { &mut (*ucontext.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
        let sp = registers[libc::REG_RSP as usize];
        match self.effect {
            Effect::None => {}
            Effect::Push(number) => {
                let value = number_of(number).map_or(0, |name| registers[name as usize]);
                let sp = sp.wrapping_sub(8);
                // SAFETY: the thread was about to write this very word.
                unsafe { (sp as *mut libc::greg_t).write_volatile(value) };
                registers[libc::REG_RSP as usize] = sp;
            }
            Effect::Reserve(bytes) => {
                registers[libc::REG_RSP as usize] = sp.wrapping_sub(i64::from(bytes));
            }
        }
        registers[libc::REG_RIP as usize] =
            address.wrapping_add(usize::from(self.length)) as libc::greg_t;
    }
}

/// The saved register of a number in an instruction.
#[inline]
fn number_of(number: u8) -> Option<libc::c_int> {
    const NAMES: [libc::c_int; 16] = [
        libc::REG_RAX,
        libc::REG_RCX,
        libc::REG_RDX,
        libc::REG_RBX,
        libc::REG_RSP,
        libc::REG_RBP,
        libc::REG_RSI,
        libc::REG_RDI,
        libc::REG_R8,
        libc::REG_R9,
        libc::REG_R10,
        libc::REG_R11,
        libc::REG_R12,
        libc::REG_R13,
        libc::REG_R14,
        libc::REG_R15,
    ];
    NAMES.get(usize::from(number)).copied()
}

/// The first six arguments of a function that has just been entered: the System V ABI's registers for integers.
///
/// # Safety
/// `ucontext` is the third argument of a running `SA_SIGINFO` handler.
#[inline]
#[must_use]
pub unsafe fn arguments(ucontext: *const c_void) -> [u64; 6] {
    // SAFETY: the caller vouches for `ucontext`; the kernel filled it in.
    let registers = unsafe { &(*ucontext.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    [
        libc::REG_RDI,
        libc::REG_RSI,
        libc::REG_RDX,
        libc::REG_RCX,
        libc::REG_R8,
        libc::REG_R9,
    ]
    .map(|name| registers[name as usize].cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> Option<Displaced> {
        let mut code = [0xcc; MOST_BYTES];
        code[..bytes.len()].copy_from_slice(bytes);
        Displaced::of(&code)
    }

    /// Carries an instruction out on a context with a stack of its own: what has become of pc, sp and the word at the top.
    fn carried_out(bytes: &[u8], rbp: i64, r15: i64) -> (usize, i64, i64) {
        let mut stack = [11_i64; 64];
        // SAFETY: zero is a valid value of this plain C structure.
        let mut context: libc::ucontext_t = unsafe { core::mem::zeroed() };
        let top = &raw mut stack[32] as i64;
        context.uc_mcontext.gregs[libc::REG_RSP as usize] = top;
        context.uc_mcontext.gregs[libc::REG_RBP as usize] = rbp;
        context.uc_mcontext.gregs[libc::REG_R15 as usize] = r15;
        let known = of(bytes).expect("known");
        // SAFETY: the context is the one above, whose stack pointer points into an array.
        unsafe { known.carry_out((&raw mut context).cast(), 0x1000) };
        let registers = &context.uc_mcontext.gregs;
        let sp = registers[libc::REG_RSP as usize];
        let moved = sp - top;
        let word = stack[(32 + moved / 8) as usize];
        (registers[libc::REG_RIP as usize] as usize, moved, word)
    }

    #[test]
    fn instructions_do_what_the_processor_would() {
        assert_eq!(
            carried_out(&[0xf3, 0x0f, 0x1e, 0xfa], 1, 2),
            (0x1004, 0, 11)
        );
        assert_eq!(
            carried_out(&[0x0f, 0x1f, 0x44, 0, 0], 1, 2),
            (0x1005, 0, 11)
        );
        assert_eq!(carried_out(&[0x55], 77, 2), (0x1001, -8, 77));
        assert_eq!(carried_out(&[0x41, 0x57], 1, 78), (0x1002, -8, 78));
        assert_eq!(
            carried_out(&[0x48, 0x83, 0xec, 0x58], 1, 2),
            (0x1004, -88, 11)
        );
        assert_eq!(
            carried_out(&[0x48, 0x81, 0xec, 0x80, 0, 0, 0], 1, 2),
            (0x1007, -128, 11)
        );
    }

    #[test]
    fn what_is_not_known_is_left_alone() {
        // Another's breakpoint, a jump, a move, a `sub` that would grow the stack downwards by a negative number.
        for bytes in [
            &[0xcc][..],
            &[0xe9, 1, 2, 3, 4],
            &[0x48, 0x89, 0xe5],
            &[0x48, 0x83, 0xec, 0x80],
            &[0x48, 0x81, 0xec, 0, 0, 0, 0xff],
        ] {
            assert_eq!(of(bytes), None, "{bytes:x?}");
        }
    }
}
