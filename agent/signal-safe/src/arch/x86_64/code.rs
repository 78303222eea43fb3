//! Reading machine code: what stands before a return address, and how far a method is in building or leaving its frame.
//!
//! Only the few instructions are known that HotSpot's compilers emit there (`MacroAssembler::verified_entry`,
//! `C1_MacroAssembler::build_frame` and their counterparts at the end); encodings: Intel SDM volume 2.
//!
//! # Safety
//! Bytes are read by [`super::load_u8`]; each function hands its conditions on to the caller.
#![allow(unsafe_code)]

use super::{load_u8, load_u32};

/// The call instruction before a return address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Of this address.
    Direct(usize),
    /// Through a register or through memory.
    Indirect,
}

/// What kind of call the instruction before `address` is; none when it is not a call.
///
/// # Safety
/// The seven bytes before the address are mapped, or the call happens under [`crate::guard::run`].
#[inline]
#[must_use]
pub unsafe fn call_before(address: usize) -> Option<Call> {
    // SAFETY: handed on.
    unsafe {
        let byte = |distance: usize| load_u8(address.wrapping_sub(distance));
        if byte(5) == 0xe8 {
            let distance = load_u32(address.wrapping_sub(4)).cast_signed();
            return Some(Call::Direct(address.wrapping_add_signed(distance as isize)));
        }
        // ff /2: the middle three bits of the byte after it are 010. With 0 to 5 more bytes of address.
        let through = |distance: usize| byte(distance) == 0xff && byte(distance - 1) & 0x38 == 0x10;
        (through(2) || through(3) || through(6) || through(7) || through(4))
            .then_some(Call::Indirect)
    }
}

/// How much of its frame a method has built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prologue {
    /// Bytes below the return address.
    pub pushed: usize,
    /// Whether the caller's frame pointer lies right below the return address.
    pub fp_saved: bool,
}

/// The most instructions that a prologue is followed.
const MOST_INSTRUCTIONS: usize = 12;

/// Follows a method from its entry to `pc`. None when an unknown instruction comes before.
///
/// # Safety
/// The code from `entry` to `pc` and 16 bytes more are mapped, or the call happens under [`crate::guard::run`].
#[must_use]
pub unsafe fn prologue(entry: usize, pc: usize) -> Option<Prologue> {
    let mut at = entry;
    let mut state = Prologue {
        pushed: 0,
        fp_saved: false,
    };
    for _ in 0..MOST_INSTRUCTIONS {
        if at >= pc {
            return (at == pc).then_some(state);
        }
        // SAFETY: handed on.
        let byte = |distance: usize| unsafe { load_u8(at.wrapping_add(distance)) };
        // SAFETY: handed on.
        let number = |distance: usize| unsafe { load_u32(at.wrapping_add(distance)) };
        at = at.wrapping_add(match (byte(0), byte(1), byte(2)) {
            // push rbp
            (0x55, _, _) => {
                state.fp_saved = state.pushed == 0;
                state.pushed += 8;
                1
            }
            // mov rbp, rsp (two encodings)
            (0x48, 0x8b, 0xec) | (0x48, 0x89, 0xe5) => 3,
            // sub rsp, imm8; imm32
            (0x48, 0x83, 0xec) => {
                state.pushed += usize::from(byte(3));
                4
            }
            (0x48, 0x81, 0xec) => {
                state.pushed = state.pushed.wrapping_add(number(3) as usize);
                7
            }
            // mov [rsp + disp8], rbp; [rsp + disp32]
            (0x48, 0x89, 0x6c) if byte(3) == 0x24 => {
                state.fp_saved |= usize::from(byte(4)) + 8 == state.pushed;
                5
            }
            (0x48, 0x89, 0xac) if byte(3) == 0x24 => {
                state.fp_saved |= number(4) as usize + 8 == state.pushed;
                8
            }
            // The stack bang: mov [rsp - disp32], eax
            (0x89, 0x84, 0x24) => 7,
            // nop, of one to nine bytes
            (0x90, _, _) => 1,
            (0x66, 0x90, _) => 2,
            (0x0f, 0x1f, modrm) => nop_length(modrm, 3)?,
            (0x66, 0x0f, 0x1f) => 1 + nop_length(byte(3), 3)?,
            _ => return None,
        });
    }
    None
}

/// Length of `0f 1f /0` by its ModRM byte.
const fn nop_length(modrm: u8, opcode_and_modrm: usize) -> Option<usize> {
    let sib = (modrm & 7 == 4) as usize;
    match modrm >> 6 {
        0 => Some(opcode_and_modrm + sib),
        1 => Some(opcode_and_modrm + sib + 1),
        2 => Some(opcode_and_modrm + sib + 4),
        _ => None,
    }
}

/// Where a method stands that may be leaving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Epilogue {
    /// Its frame stands, as far as can be told.
    Frame,
    /// The frame is gone but for the caller's frame pointer.
    FramePointerLeft,
    /// Only the return address is left.
    ReturnAddressLeft,
}

/// Looks whether the next instructions are those with which compiled methods return.
///
/// # Safety
/// The 32 bytes from `pc` on are mapped, or the call happens under [`crate::guard::run`].
#[must_use]
pub unsafe fn epilogue(pc: usize) -> Epilogue {
    let mut at = pc;
    for _ in 0..5 {
        // SAFETY: handed on.
        let byte = |distance: usize| unsafe { load_u8(at.wrapping_add(distance)) };
        at = at.wrapping_add(match (byte(0), byte(1), byte(2)) {
            // pop rbp: nothing but an end has it.
            (0x5d, _, _) => return Epilogue::FramePointerLeft,
            // ret; ret imm16
            (0xc3 | 0xc2, _, _) => return Epilogue::ReturnAddressLeft,
            // The poll: test eax, [rip + disp32]
            (0x85, 0x05, _) => 6,
            // test [r10], eax and the like
            (0x41, 0x85, modrm) if modrm >> 6 == 0 && modrm & 7 != 4 && modrm & 7 != 5 => 3,
            // mov r10, [r15 + disp8]; [r15 + disp32]
            (0x4d, 0x8b, modrm) if modrm & 0xc7 == 0x47 => 4,
            (0x4d, 0x8b, modrm) if modrm & 0xc7 == 0x87 => 7,
            // cmp rsp, [r15 + disp8]; [r15 + disp32]; the operands the other way round
            (0x49, 0x3b | 0x39, 0x67) => 4,
            (0x49, 0x3b | 0x39, 0xa7) => 7,
            // ja, jb rel32; rel8
            (0x0f, 0x87 | 0x82, _) => 6,
            (0x77 | 0x72, _, _) => 2,
            _ => return Epilogue::Frame,
        });
    }
    Epilogue::Frame
}

/// Whether code begins by setting up a frame pointer: `push rbp; mov rbp, rsp`.
///
/// # Safety
/// Four bytes from the address on are mapped, or the call happens under [`crate::guard::run`].
#[must_use]
pub unsafe fn sets_frame_pointer(entry: usize) -> bool {
    // SAFETY: handed on.
    let bytes = unsafe { load_u32(entry) }.to_le_bytes();
    matches!(bytes, [0x55, 0x48, 0x8b, 0xec] | [0x55, 0x48, 0x89, 0xe5])
}

/// Where a stub stands that goes on at an exception's handler: its frame is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandlerJump {
    /// The handler's address is on the stack: `pop rcx` comes.
    OnStack,
    /// It is in `rcx`: `jmp rcx` comes.
    InRegister,
}

/// Looks whether the next instructions are those with which C1's stubs for exceptions end (`Runtime1::
/// generate_handle_exception`): `pop rcx; jmp rcx`.
///
/// # Safety
/// Three bytes from `pc` on are mapped, or the call happens under [`crate::guard::run`].
#[must_use]
pub unsafe fn handler_jump(pc: usize) -> Option<HandlerJump> {
    // SAFETY: handed on.
    match unsafe { [load_u8(pc), load_u8(pc + 1), load_u8(pc + 2)] } {
        [0x59, 0xff, 0xe1] => Some(HandlerJump::OnStack),
        [0xff, 0xe1, _] => Some(HandlerJump::InRegister),
        _ => None,
    }
}

/// Where in the interpreter's last instructions a thread stands, when its frame is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterpreterExit {
    /// The return address is on the stack: `pop r13` comes.
    ReturnAddressOnStack,
    /// It is in `r13`, the stack pointer still the callee's: `mov rsp, rbx` comes.
    ReturnAddressInRegister,
    /// `jmp r13` comes.
    AtJump,
}

/// Looks whether the next instructions are those with which the interpreter returns (`InterpreterMacroAssembler::
/// remove_activation`, `TemplateTable::_return`): `pop r13; mov rsp, rbx; jmp r13`.
///
/// # Safety
/// The 16 bytes from `pc` on are mapped, or the call happens under [`crate::guard::run`].
#[must_use]
pub unsafe fn interpreter_exit(pc: usize) -> Option<InterpreterExit> {
    // SAFETY: handed on.
    let bytes = |at: usize| unsafe { [load_u8(at), load_u8(at + 1), load_u8(at + 2)] };
    let is_jump = |at: usize| bytes(at) == [0x41, 0xff, 0xe5];
    let is_move = |at: usize| matches!(bytes(at), [0x48, 0x8b, 0xe3] | [0x48, 0x89, 0xdc]);
    let pop = matches!(bytes(pc), [0x41, 0x5d, _]);
    if is_jump(pc) {
        Some(InterpreterExit::AtJump)
    } else if is_move(pc) && is_jump(pc + 3) {
        Some(InterpreterExit::ReturnAddressInRegister)
    } else if pop && is_move(pc + 2) && is_jump(pc + 5) {
        Some(InterpreterExit::ReturnAddressOnStack)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pad(bytes: &[u8]) -> [u8; 64] {
        let mut code = [0xcc; 64];
        code[8..8 + bytes.len()].copy_from_slice(bytes);
        code
    }

    fn call(bytes: &[u8]) -> Option<Call> {
        let code = pad(bytes);
        // SAFETY: inside of the array.
        unsafe { call_before(code.as_ptr() as usize + 8 + bytes.len()) }
    }

    #[test]
    fn calls_are_told_from_what_is_none() {
        assert_eq!(call(&[0xff, 0xd0]), Some(Call::Indirect)); // call rax
        assert_eq!(call(&[0x41, 0xff, 0xd2]), Some(Call::Indirect)); // call r10
        assert_eq!(call(&[0xff, 0x50, 0x18]), Some(Call::Indirect)); // call [rax + 24]
        assert_eq!(call(&[0xff, 0x90, 0, 1, 0, 0]), Some(Call::Indirect)); // call [rax + 256]
        assert_eq!(call(&[0xff, 0x15, 0, 1, 0, 0]), Some(Call::Indirect)); // call [rip + 256]
        assert_eq!(call(&[0xff, 0xe0]), None); // jmp rax
        assert_eq!(call(&[0x48, 0x89, 0xe5]), None); // mov rbp, rsp
        let code = pad(&[0xe8, 0xfb, 0xff, 0xff, 0xff]);
        let start = code.as_ptr() as usize + 8;
        // SAFETY: inside of the array.
        let found = unsafe { call_before(start + 5) };
        assert_eq!(found, Some(Call::Direct(start)));
    }

    #[test]
    fn a_prologue_is_followed_step_by_step() {
        // mov [rsp - 0x14000], eax; push rbp; sub rsp, 48
        let code = pad(&[
            0x89, 0x84, 0x24, 0x00, 0xc0, 0xfe, 0xff, 0x55, 0x48, 0x83, 0xec, 0x30, 0xc3,
        ]);
        let entry = code.as_ptr() as usize + 8;
        // SAFETY: inside of the array.
        let at = |distance| unsafe { prologue(entry, entry + distance) };
        let built = |pushed, fp_saved| Some(Prologue { pushed, fp_saved });
        assert_eq!(at(0), built(0, false));
        assert_eq!(at(7), built(0, false));
        assert_eq!(at(8), built(8, true));
        assert_eq!(at(12), built(56, true));
        assert_eq!(at(9), None, "inside of an instruction");
        assert_eq!(at(13), None, "behind an unknown one");
    }

    #[test]
    fn a_prologue_without_a_push_saves_the_frame_pointer_later() {
        // nop (5); sub rsp, 24; mov [rsp + 16], rbp
        let code = pad(&[
            0x0f, 0x1f, 0x44, 0x00, 0x00, 0x48, 0x81, 0xec, 24, 0, 0, 0, 0x48, 0x89, 0x6c, 0x24,
            0x10,
        ]);
        let entry = code.as_ptr() as usize + 8;
        // SAFETY: inside of the array.
        let at = |distance| unsafe { prologue(entry, entry + distance) };
        let built = |pushed, fp_saved| Some(Prologue { pushed, fp_saved });
        assert_eq!(at(5), built(0, false));
        assert_eq!(at(12), built(24, false));
        assert_eq!(at(17), built(24, true));
    }

    #[test]
    fn stubs_tell_how_they_begin_and_how_they_go_on_at_a_handler() {
        let with = pad(&[0x55, 0x48, 0x8b, 0xec]);
        let without = pad(&[0x55, 0x48, 0x83, 0xec]);
        let end = pad(&[0xc9, 0x59, 0xff, 0xe1]);
        let start = |code: &[u8; 64]| code.as_ptr() as usize + 8;
        // SAFETY: inside of the arrays.
        unsafe {
            assert!(sets_frame_pointer(start(&with)));
            assert!(!sets_frame_pointer(start(&without)));
            assert_eq!(handler_jump(start(&end)), None);
            assert_eq!(handler_jump(start(&end) + 1), Some(HandlerJump::OnStack));
            assert_eq!(handler_jump(start(&end) + 2), Some(HandlerJump::InRegister));
        }
    }

    #[test]
    fn the_interpreters_exit_is_told_step_by_step() {
        let code = pad(&[0xc9, 0x41, 0x5d, 0x48, 0x8b, 0xe3, 0x41, 0xff, 0xe5]);
        let start = code.as_ptr() as usize + 8;
        // SAFETY: inside of the array.
        let at = |distance| unsafe { interpreter_exit(start + distance) };
        assert_eq!(at(0), None, "the frame stands");
        assert_eq!(at(1), Some(InterpreterExit::ReturnAddressOnStack));
        assert_eq!(at(3), Some(InterpreterExit::ReturnAddressInRegister));
        assert_eq!(at(6), Some(InterpreterExit::AtJump));
    }

    #[test]
    fn an_end_is_recognised_with_every_kind_of_poll() {
        // SAFETY: inside of the array.
        let of = |bytes: &[u8]| unsafe { epilogue(pad(bytes).as_ptr() as usize + 8) };
        assert_eq!(of(&[0x5d, 0xc3]), Epilogue::FramePointerLeft);
        assert_eq!(of(&[0xc3]), Epilogue::ReturnAddressLeft);
        assert_eq!(
            of(&[0x85, 0x05, 1, 2, 3, 4, 0xc3]),
            Epilogue::ReturnAddressLeft
        );
        assert_eq!(
            of(&[0x4d, 0x8b, 0x97, 8, 1, 0, 0, 0x41, 0x85, 0x02, 0xc3]),
            Epilogue::ReturnAddressLeft
        );
        assert_eq!(
            of(&[
                0x49, 0x3b, 0xa7, 0x38, 4, 0, 0, 0x0f, 0x87, 1, 0, 0, 0, 0xc3
            ]),
            Epilogue::ReturnAddressLeft
        );
        // The poll of a loop: other code follows.
        assert_eq!(
            of(&[0x4d, 0x8b, 0x97, 8, 1, 0, 0, 0x41, 0x85, 0x02, 0x8b, 0xc1]),
            Epilogue::Frame
        );
        assert_eq!(of(&[0x48, 0x83, 0xc4, 0x30, 0x5d, 0xc3]), Epilogue::Frame);
    }
}
