//! A walk through a JVM that the input makes up: its thread, stack, code cache, methods and debug information.
//!
//! The first byte chooses among the forms that structures have. Then follow pieces of ten bytes: where in the JVM's memory a
//! word goes, and the word. A word whose upper half-word is [`TAG`] stands for an address in that memory.
//!
//! # Safety
//! Loads leave the made-up memory, too: they succeed or fault, and the handler of faults is in place.
#![allow(unsafe_code)]

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use jprof::engine::FaultHandlers;
use jprof_signal_safe::arch::Registers;
use jprof_signal_safe::walker::hotspot::HotspotWalker;
use jprof_signal_safe::walker::hotspot::layout::{
    Base, CodeHeap, CodeLayout, CompiledLayout, ContinuationLayout, EntryLayout, InterpreterLayout,
    Layout, MethodLayout, Offset, Oops, Place, Range, Signed, ThreadLayout,
};
use jprof_signal_safe::walker::{CachedFrame, Failure, Frame, Outcome, Room};

/// Bytes of the JVM's memory, at a multiple of as many.
const MEMORY: usize = 1 << 16;
const TAG: usize = 0x6a70;

// Where things lie in it.
const THREAD: usize = 0x100;
const REGISTERS: usize = 0x200;
const HIGH: usize = 0x300;
const NAMES: usize = 0x400;
const METHODS: usize = 0x800;
const SEGMENT_MAP: usize = 0x1000;
const CODE: usize = 0x4000;
const CODE_END: usize = 0x8000;
const INTERPRETER: usize = 0x8000;
const ENTRY_RETURN: usize = 0x9000;
const STACK: usize = 0xa000;
const STACK_BASE: usize = 0xc000;
const CHUNKS: usize = 0xc000;

// Offsets in structures.
const STATE_IN_JAVA: u32 = 8;
const BLOCK_HEADER: usize = 16;

/// No walk of such a memory takes as long, also with all checks of a fuzzer.
const LONGEST: Duration = Duration::from_secs(1);

/// See the head.
pub(crate) fn walk(bytes: &[u8]) {
    static HANDLERS: OnceLock<FaultHandlers> = OnceLock::new();
    HANDLERS.get_or_init(|| FaultHandlers::install().expect("handlers of faults"));
    let Some((&form, pieces)) = bytes.split_first() else {
        return;
    };
    let mut memory = Memory::new();
    for piece in pieces.chunks_exact(10) {
        let (place, word) = piece.split_at(2);
        let place = usize::from(u16::from_le_bytes(place.try_into().expect("two bytes")));
        memory.put(
            place,
            usize::from_le_bytes(word.try_into().expect("eight bytes")),
        );
    }
    let walker = HotspotWalker::new(memory.layout(form));
    let depth = [64, 2049, 33, 2, 1, 0][usize::from(form >> 4) % 6];
    let mut cache = vec![CachedFrame::EMPTY; 64];
    let (cold, cold_frames) = one(&walker, &memory, depth, &mut cache);
    let (warm, warm_frames) = one(&walker, &memory, depth, &mut cache);
    // A cached frame costs less of what a walk may take, so only walks that were not cut can be compared.
    if cold.failure != Failure::TooLong {
        assert_eq!(cold_frames, warm_frames, "what is cached is what was found");
        assert_eq!(
            (cold.failure, cold.truncated),
            (warm.failure, warm.truncated)
        );
    }
}

fn one(
    walker: &HotspotWalker,
    memory: &Memory,
    depth: usize,
    cache: &mut [CachedFrame],
) -> (Outcome, Vec<Frame>) {
    let mut frames = vec![Frame::default(); depth];
    let began = Instant::now();
    let mut room = Room {
        frames: &mut frames,
        cache,
    };
    // SAFETY: loads at the thread's address succeed; the handlers of faults are in place.
    let outcome =
        unsafe { walker.walk_from(memory.address(THREAD), memory.registers(), &mut room) };
    assert!(began.elapsed() < LONGEST, "{:?}", began.elapsed());
    assert!(outcome.frames <= depth.saturating_sub(1));
    frames.truncate(outcome.frames);
    (outcome, frames)
}

/// The memory of the JVM: one for all, since new pages cost more than a walk.
struct Memory {
    bytes: MutexGuard<'static, Box<Bytes>>,
}

#[repr(align(65536))]
struct Bytes([u8; MEMORY]);

impl Memory {
    fn new() -> Self {
        static BYTES: OnceLock<Mutex<Box<Bytes>>> = OnceLock::new();
        let bytes = BYTES.get_or_init(|| Mutex::new(Box::new(Bytes([0; MEMORY]))));
        let mut bytes = bytes.lock().unwrap_or_else(PoisonError::into_inner);
        bytes.0.fill(0);
        Self { bytes }
    }

    fn address(&self, place: usize) -> usize {
        self.bytes.0.as_ptr() as usize + place
    }

    fn put(&mut self, place: usize, word: usize) {
        let word = if word >> 48 == TAG {
            self.address(word % MEMORY)
        } else {
            word
        };
        let place = place.min(MEMORY - 8);
        self.bytes.0[place..place + 8].copy_from_slice(&word.to_ne_bytes());
    }

    fn registers(&self) -> Registers {
        let (words, _) = self.bytes.0[REGISTERS..].as_chunks::<8>();
        let register = |number: usize| usize::from_ne_bytes(words[number]);
        Registers {
            pc: register(0),
            sp: register(1),
            fp: register(2),
            ax: register(3),
            cx: register(4),
            bx: register(5),
            r13: register(6),
        }
    }

    fn layout(&self, form: u8) -> Layout {
        let range = |start, end| Range {
            start: self.address(start),
            end: self.address(end),
        };
        let field = |base, field| Place {
            base,
            offset: Offset::Field32(field),
        };
        static HEAPS: OnceLock<[CodeHeap; 1]> = OnceLock::new();
        static ENTRIES: OnceLock<[Range; 1]> = OnceLock::new();
        let old = form & 1 != 0;
        let heap = || CodeHeap {
            low: self.address(CODE),
            high_at: self.address(HIGH),
            segment_map: self.address(SEGMENT_MAP),
            log2_segment: 6,
        };
        Layout {
            thread: ThreadLayout {
                jni_env: 0,
                state: 0,
                state_in_java: STATE_IN_JAVA,
                stack_base: 8,
                anchor_sp: 16,
                anchor_fp: 24,
                anchor_pc: 32,
            },
            code: CodeLayout {
                heaps: HEAPS.get_or_init(|| [heap()]),
                block_header: BLOCK_HEADER,
                block_used: 8,
                name: 0,
                size: 8,
                frame_size: 12,
                frame_complete: if old {
                    Signed::Field32(16)
                } else {
                    Signed::Field16(16)
                },
                code_begin: field(Base::Blob, 20),
            },
            compiled: CompiledLayout {
                method: 24,
                compile_id: 32,
                level: 36,
                verified_entry: if old {
                    Place {
                        base: Base::Pointer(40),
                        offset: Offset::None,
                    }
                } else {
                    Place {
                        base: Base::Code,
                        offset: Offset::Field16(40),
                    }
                },
                osr_entry: 48,
                deopt_handler: field(Base::Code, 56),
                deopt_mh_handler: old.then_some(field(Base::Blob, 60)),
                orig_pc: 64,
                pcs_begin: field(Base::Blob, 68),
                pcs_end: field(Base::Blob, 72),
                pc_size: 8,
                pc_offset: 0,
                pc_scope: 4,
                scopes_begin: field(Base::Blob, 76),
                metadata_begin: field(Base::Blob, 80),
                excludes_zero: !old,
            },
            interpreter: InterpreterLayout {
                code: range(INTERPRETER, ENTRY_RETURN),
                method_slot: -3,
                bcp_slot: -7,
                slot_may_hold_index: old,
                sender_sp_slot: -1,
                entries: ENTRIES.get_or_init(|| [range(INTERPRETER, INTERPRETER + 0x100)]),
            },
            method: MethodLayout {
                const_method: 8,
                code: 16,
                bytecodes: 32,
                code_size: 8,
            },
            entry: EntryLayout {
                return_address: self.address(ENTRY_RETURN),
                wrapper_slot: -2,
                anchor_sp: 16,
                anchor_fp: 24,
                anchor_pc: 32,
                upcall_frame_data: (form & 2 != 0).then_some(24),
                enter_special: self.address(METHODS),
                continuation: Some(ContinuationLayout {
                    entry_continuation: 8,
                    tail: 8,
                    parent: 16,
                    sp: 24,
                    bottom: 28,
                    size: 32,
                    stack: 40,
                    oops: match form >> 2 & 3 {
                        0 => Oops::Wide,
                        1 => Oops::Narrow {
                            base: self.address(0),
                            shift: 3,
                        },
                        _ => Oops::Coloured {
                            shift_at: self.address(HIGH + 8),
                        },
                    },
                }),
            },
        }
    }
}

/// JVMs whose stacks are whole.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    [0, 1, 2, 5, 8, 0x10, 0x30].into_iter().map(seed).collect()
}

/// An interrupted compiled method with one inlined into it, called by an interpreted one, called by the VM; a stub, a frame in
/// the heap, and the names of other blobs lie ready.
fn seed(form: u8) -> Vec<u8> {
    let mut pieces: Vec<(usize, usize)> = Vec::new();
    let at = |place: usize| TAG << 48 | place;
    let pair = |low: usize, high: usize| low | high << 32;
    let text = |text: &[u8; 8]| usize::from_le_bytes(*text);
    let bias = usize::from(form & 1 == 0);
    pieces.extend([
        (THREAD, STATE_IN_JAVA as usize),
        (THREAD + 8, at(STACK_BASE)),
    ]);
    // A compiled method in two segments, then a stub.
    pieces.extend([
        (HIGH, at(CODE_END)),
        (HIGH + 8, 0),
        (NAMES, text(b"nmethod\0")),
    ]);
    pieces.extend([
        (NAMES + 16, text(b"StubRout")),
        (NAMES + 24, text(b"ines (1)")),
    ]);
    pieces.push((SEGMENT_MAP, 0x0003_0201_0003_0201 << 8));
    let blob = CODE + BLOCK_HEADER;
    let code = blob + 0x60;
    let debug = blob + 0xa0;
    pieces.extend([(CODE + 8, 1), (blob, at(NAMES)), (blob + 8, pair(0xf0, 4))]);
    pieces.extend([(blob + 16, pair(0, 0x60)), (blob + 24, at(METHODS + 0x100))]);
    pieces.extend([
        (blob + 32, pair(7, 4)),
        (blob + 40, if form & 1 == 0 { 0 } else { at(code) }),
    ]);
    pieces.extend([(blob + 56, pair(0x30, 0x90)), (blob + 64, pair(16, 0xa0))]);
    pieces.extend([(blob + 72, pair(0xb8, 0xc0)), (blob + 80, 0xd0)]);
    // PcDescs, the scopes in two compressed streams, the methods.
    pieces.extend([
        (debug, pair(0xffff_ffff, 0)),
        (debug + 8, pair(0x25, 1)),
        (debug + 16, pair(0x7fff_ffff, 0)),
    ]);
    let scopes = [0, 5, 1, 4, 0, 0, 2, 9];
    let stream = scopes.map(|number| (number + bias) as u8);
    pieces.push((debug + 0x20, usize::from_le_bytes(stream)));
    pieces.extend([
        (debug + 0x30, at(METHODS + 0x180)),
        (debug + 0x38, at(METHODS + 0x100)),
    ]);
    let stub = CODE + 0x100;
    pieces.extend([
        (stub + 8, 1),
        (stub + 16, at(NAMES + 16)),
        (stub + 24, pair(0xf0, 0)),
    ]);
    pieces.extend([
        (stub + 32, pair(0, 0x60)),
        (stub + 0x70, 0x55 | 0xec8b48 << 8),
    ]);
    // A call before its return address.
    pieces.push((code + 0x20, 0xe8));
    // The method that the interpreter runs, and that which the compiler has compiled.
    for (method, const_method) in [(0x100, 0x200), (0x180, 0x240)] {
        let (method, const_method) = (METHODS + method, METHODS + const_method);
        pieces.extend([
            (method + 8, at(const_method)),
            (method + 16, at(blob)),
            (const_method + 8, 20),
        ]);
    }
    // The stack: the compiled frame, the interpreted one, the entry's.
    let (sp, fp, entry) = (STACK + 0x100, STACK + 0x200, STACK + 0x280);
    pieces.extend([(sp + 16, at(fp)), (sp + 24, at(INTERPRETER + 0x800))]);
    pieces.extend([
        (fp - 56, at(METHODS + 0x224)),
        (fp - 24, at(METHODS + 0x100)),
        (fp - 8, at(fp + 16)),
    ]);
    pieces.extend([
        (fp, at(entry)),
        (fp + 8, at(ENTRY_RETURN)),
        (entry - 16, at(entry + 0x40)),
    ]);
    // Frames in the heap.
    pieces.extend([
        (CHUNKS + 24, pair(2, 6)),
        (CHUNKS + 32, 8),
        (CHUNKS + 48, at(code + 0x25)),
    ]);
    let registers = [
        at(code + 0x25),
        at(sp),
        at(fp),
        0,
        0,
        at(METHODS + 0x100),
        at(METHODS + 0x224),
    ];
    pieces.extend(
        registers
            .iter()
            .enumerate()
            .map(|(number, &word)| (REGISTERS + number * 8, word)),
    );
    let mut bytes = vec![form];
    for (place, word) in pieces {
        bytes.extend((place as u16).to_le_bytes());
        bytes.extend(word.to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stacks_of_the_seeds_are_walked_to_their_ends() {
        walk(&seed(0));
        for form in [0, 1] {
            let bytes = seed(form);
            let mut memory = Memory::new();
            for piece in bytes[1..].chunks_exact(10) {
                let (place, word) = piece.split_at(2);
                let place = usize::from(u16::from_le_bytes(place.try_into().expect("two bytes")));
                memory.put(
                    place,
                    usize::from_le_bytes(word.try_into().expect("eight bytes")),
                );
            }
            let walker = HotspotWalker::new(memory.layout(form));
            let (outcome, frames) = one(&walker, &memory, 64, &mut []);
            let methods: Vec<usize> = frames.iter().map(|frame| frame.method).collect();
            let (outer, inlined) = (METHODS + 0x100, METHODS + 0x180);
            let expected = [inlined, outer, outer].map(|place| memory.address(place));
            assert_eq!(methods, expected, "{form}: {:?}", outcome.failure);
            assert_eq!(outcome.failure, Failure::None);
        }
    }
}
