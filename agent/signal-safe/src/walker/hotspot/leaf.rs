//! Where the thread was interrupted: code may be building or leaving its frame, or have none.

use super::code_cache::{Blob, Kind, Return};
use super::compiled::{Lookup, MOST_PUSHED_WORDS};
use super::walk::{Cursor, Flow, Walk};
use crate::arch::code::{Call, Epilogue, HandlerJump};
use crate::walker::{Failure, FrameType, Position};

const WORD: usize = 8;

/// Return addresses followed along frame pointers out of the VM.
const MOST_VM_FRAMES: usize = 64;

/// Words in which a stub's return address is looked for: more than all registers and vectors that stubs save.
const MOST_STUB_WORDS: usize = 384;

/// How much of a frame stands.
#[derive(Clone, Copy, Debug)]
enum Standing {
    /// All of it.
    Whole,
    /// The return address is this many bytes above the stack pointer; whether the caller's frame pointer lies below it.
    Part { above: usize, fp_saved: bool },
}

const ONLY_RETURN_ADDRESS: Standing = Standing::Part {
    above: 0,
    fp_saved: false,
};
const WITH_FRAME_POINTER: Standing = Standing::Part {
    above: WORD,
    fp_saved: true,
};

impl Walk<'_> {
    /// The first step.
    pub(super) fn interrupted(&mut self) -> Flow {
        let pc = self.registers.pc;
        if self.layout.interpreter.code.contains(pc) {
            return self.interrupted_interpreter();
        }
        match self.blob_of(pc) {
            Some(blob) if blob.kind != Kind::Stub => self.interrupted_compiled(&blob),
            Some(blob) => self.interrupted_stub(&blob),
            None if self.is_in_code_cache(pc) => Flow::Fail(Failure::UnknownCode),
            None => self.interrupted_outside(),
        }
    }

    fn is_in_code_cache(&self, pc: usize) -> bool {
        self.layout
            .code
            .heaps
            .iter()
            .any(|heap| pc >= heap.low && pc < self.memory.word(heap.high_at))
    }

    fn interrupted_compiled(&mut self, blob: &Blob) -> Flow {
        let pc = self.registers.pc;
        let layout = &self.layout.compiled;
        let place = |place| self.memory.place(blob.start, blob.code, place);
        let osr_entry = blob.start.wrapping_add(layout.osr_entry as usize);
        let entries = [place(layout.verified_entry), self.memory.word(osr_entry)];
        let is_entering = !self.is_frame_complete(blob) || pc <= entries[0];
        if blob.kind == Kind::NativeWrapper || !is_entering {
            self.name_compiled(blob, pc, self.registers.sp, Lookup::Behind);
        } else {
            // What is described there is code that has not begun.
            self.push(
                self.method_of(blob),
                Position::new(self.frame_type(blob), 0),
            );
        }
        let standing = match self.standing(blob, &entries) {
            None if is_entering => Some(ONLY_RETURN_ADDRESS),
            standing => standing,
        };
        if let Some(standing) = standing
            && let Some(flow) = self.caller_if(blob, standing)
        {
            self.leaf_in_motion = matches!(standing, Standing::Part { .. });
            return flow;
        }
        let sp = self.registers.sp;
        let whole = self.frame_words(blob).wrapping_sub(1).wrapping_mul(WORD);
        let pushed =
            (0..=MOST_PUSHED_WORDS).map(|words| sp.wrapping_add(whole).wrapping_add(words * WORD));
        if let Some(flow) = self.best_caller(blob, pushed) {
            return flow;
        }
        self.leaf_in_motion = true;
        [ONLY_RETURN_ADDRESS, WITH_FRAME_POINTER]
            .into_iter()
            .find_map(|standing| self.caller_if(blob, standing))
            .unwrap_or_else(|| self.search(sp, Failure::NoReturnAddress))
    }

    /// The caller of a method whose frame stands: the first place in which a return address lies that can be this method's,
    /// and whose frame ends with a return address, too; or else the first of the former. The caller's frame pointer lies below.
    pub(super) fn best_caller(
        &self,
        blob: &Blob,
        places: impl Iterator<Item = usize>,
    ) -> Option<Flow> {
        let mut second_best = None;
        for at in places {
            let (Some(pc), Some(fp)) =
                (self.stack_word(at), self.stack_word(at.wrapping_sub(WORD)))
            else {
                break;
            };
            // Java code calls methods directly; calls through pointers are those of the runtime, but for other compilers' code.
            let (can_be, is_usual) = match self.returns_to(pc) {
                None => (self.is_return_barrier(pc), true),
                Some(Return::ToInterpreter) => (fp > at && self.is_interpreted_frame(fp), true),
                Some(Return::ToEntryStub) => (fp > at, true),
                Some(Return::Behind(Call::Indirect, _)) => (true, false),
                Some(Return::Behind(Call::Direct(target), _)) => {
                    (self.can_lead_to(blob, target), true)
                }
            };
            if !can_be {
                continue;
            }
            let sp = at.wrapping_add(WORD);
            let flow = Flow::Go(Cursor { pc, sp, fp });
            if is_usual && (self.is_return_barrier(pc) || self.is_frame_behind(pc, at)) {
                return Some(flow);
            }
            second_best.get_or_insert(flow);
        }
        second_best
    }

    /// Whether a call of this address can have led to a method: to itself, to another version of it, by an adapter or a table
    /// of virtual methods, or by a stub that looks for the callee.
    fn can_lead_to(&self, method: &Blob, target: usize) -> bool {
        if self.blob_contains(method, target) {
            return true;
        }
        self.blob_of(target).is_some_and(|blob| {
            blob.kind != Kind::Stub
                || RESOLVING.iter().any(|&name| self.is_named(&blob, name))
                || ADAPTERS.iter().any(|&name| self.is_named(&blob, name))
        })
    }

    /// Whether the interrupted instruction lies where the blob says that its frame stands. False where it does not say.
    fn is_frame_complete(&self, blob: &Blob) -> bool {
        let offset = self
            .memory
            .signed(blob.start, self.layout.code.frame_complete);
        usize::try_from(offset)
            .is_ok_and(|offset| self.registers.pc >= blob.code.wrapping_add(offset))
    }

    /// How much of the frame stands, by the instructions since an entry, or by those up to the return.
    fn standing(&self, blob: &Blob, entries: &[usize]) -> Option<Standing> {
        let pc = self.registers.pc;
        let whole = self.frame_words(blob).wrapping_sub(1).wrapping_mul(WORD);
        let building = entries
            .iter()
            .filter(|&&entry| entry != 0 && pc >= entry)
            .find_map(|&entry| self.memory.prologue(entry, pc));
        if let Some(state) = building {
            return Some(if state.pushed == whole && state.fp_saved {
                Standing::Whole
            } else {
                Standing::Part {
                    above: state.pushed,
                    fp_saved: state.fp_saved,
                }
            });
        }
        match self.memory.epilogue(pc) {
            Epilogue::Frame => None,
            Epilogue::FramePointerLeft => Some(WITH_FRAME_POINTER),
            Epilogue::ReturnAddressLeft => Some(ONLY_RETURN_ADDRESS),
        }
    }

    /// The caller, if the frame stands so far: then the word where its return address should be is one.
    fn caller_if(&self, blob: &Blob, standing: Standing) -> Option<Flow> {
        let sp = self.registers.sp;
        let (at, fp_saved) = match standing {
            Standing::Whole => {
                let bytes = self.frame_words(blob).checked_sub(1)?.wrapping_mul(WORD);
                (sp.wrapping_add(bytes), true)
            }
            Standing::Part { above, fp_saved } => (sp.wrapping_add(above), fp_saved),
        };
        let pc = self.stack_word(at)?;
        if !self.is_return_address(pc) && !self.is_return_barrier(pc) {
            return None;
        }
        let fp = if fp_saved {
            self.stack_word(at.wrapping_sub(WORD))?
        } else {
            self.registers.fp
        };
        let sp = at.wrapping_add(WORD);
        Some(Flow::Go(Cursor { pc, sp, fp }))
    }

    /// Stubs have frames of every shape. What is known of a frame is tried first; then the return address is found by what it
    /// must be: right behind a call of this very stub, or else behind any call, in the places where stubs have it.
    fn interrupted_stub(&mut self, blob: &Blob) -> Flow {
        let words = self.frame_words(blob);
        // The VM and native methods use stubs, too. Those that have frames set the anchor themselves.
        if words == 0
            && let Some(flow) = self.by_anchor()
        {
            return flow;
        }
        self.below_stub = true;
        if let Some(flow) = self.going_on_at_handler() {
            return flow;
        }
        let standing = self
            .standing(blob, &[blob.code])
            .or_else(|| (words > 0 && self.is_frame_complete(blob)).then_some(Standing::Whole));
        if let Some(flow) = standing.and_then(|standing| self.caller_if(blob, standing)) {
            return flow;
        }
        let found = if ADAPTERS.iter().any(|&name| self.is_named(blob, name)) {
            self.above_adapter()
        } else {
            self.above_stub(blob, words)
                .or_else(|| self.in_entry_stub(blob))
        };
        found.unwrap_or_else(|| self.search(self.registers.sp, Failure::NoReturnAddress))
    }

    /// The stub by which the VM calls Java has the VM as its caller.
    fn in_entry_stub(&self, blob: &Blob) -> Option<Flow> {
        if !self.blob_contains(blob, self.layout.entry.return_address) {
            return None;
        }
        match self.entry_frame(self.registers.fp) {
            Flow::Fail(_) => None,
            flow => Some(flow),
        }
    }

    /// A stub for exceptions that has taken its frame down and goes on at the handler, where no call precedes.
    fn going_on_at_handler(&self) -> Option<Flow> {
        let registers = &self.registers;
        let (handler, sp) = match self.memory.handler_jump(registers.pc)? {
            HandlerJump::OnStack => (
                self.stack_word(registers.sp)?,
                registers.sp.wrapping_add(WORD),
            ),
            HandlerJump::InRegister => (registers.cx, registers.sp),
        };
        self.blob_of(handler)
            .filter(|blob| blob.kind == Kind::Compiled && handler > blob.code)?;
        Some(Flow::Go(Cursor {
            pc: handler,
            sp,
            fp: registers.fp,
        }))
    }

    fn above_stub(&self, blob: &Blob, words: usize) -> Option<Flow> {
        let (sp, fp) = (self.registers.sp, self.registers.fp);
        // Before the stub has pushed anything, or but for the caller's frame pointer.
        if let Some(flow) = [sp, sp.wrapping_add(WORD)]
            .into_iter()
            .find_map(|at| self.behind_call_of(blob, at, true))
        {
            return Some(flow);
        }
        // Most stubs set up a frame pointer; what they have called lies below it.
        let by_pointer = self.by_frame_pointer(fp, sp);
        let end = match by_pointer {
            Some(_) => fp,
            None => sp.wrapping_add(MOST_STUB_WORDS * WORD),
        };
        let mut at = sp;
        while at < end.min(sp.wrapping_add(MOST_STUB_WORDS * WORD)) && self.spend() {
            if let Some(flow) = self.behind_call_of(blob, at, false) {
                return Some(flow);
            }
            at = at.wrapping_add(WORD);
        }
        by_pointer
            .or_else(|| {
                [words.saturating_sub(1), 0, 1]
                    .into_iter()
                    .find_map(|word| self.behind_return_address(sp.wrapping_add(word * WORD)))
            })
            .or_else(|| self.in_exception_stub())
    }

    /// The frame that has called this very stub, or perhaps has through a pointer, if its return address lies there.
    fn behind_call_of(&self, blob: &Blob, at: usize, or_pointer: bool) -> Option<Flow> {
        let is_call = match self.returns_to(self.stack_word(at)?)? {
            Return::Behind(Call::Direct(target), _) => self.blob_contains(blob, target),
            Return::Behind(Call::Indirect, _) => or_pointer,
            Return::ToEntryStub | Return::ToInterpreter => false,
        };
        is_call.then(|| self.behind_return_address(at)).flatten()
    }

    /// Adapters and tables of virtual methods have no frame. Adapters hold the return address in a register while they move
    /// the arguments.
    fn above_adapter(&self) -> Option<Flow> {
        let registers = &self.registers;
        let (pc, sp) = (registers.ax, registers.sp);
        if let Some(flow) = self.behind_return_address(sp) {
            return Some(flow);
        }
        if !self.is_return_address(pc) {
            return None;
        }
        let sender = registers.r13;
        let caller = if sender > sp && self.stack.contains(sender) {
            sender
        } else {
            sp
        };
        let fp = self.frame_pointer_of(pc, sp.wrapping_sub(WORD))?;
        Some(Flow::Go(Cursor { pc, sp: caller, fp }))
    }

    /// Stubs that look for an exception's handler return to it, where no call precedes.
    fn in_exception_stub(&self) -> Option<Flow> {
        let fp = self.registers.fp;
        let at = fp.wrapping_add(WORD);
        let handler = self.stack_word(at).filter(|_| fp >= self.registers.sp)?;
        self.blob_of(handler)
            .filter(|blob| blob.kind == Kind::Compiled && handler > blob.code)?;
        Some(Flow::Go(Cursor {
            pc: handler,
            sp: at.wrapping_add(WORD),
            fp: self.stack_word(fp)?,
        }))
    }

    /// The caller of code that has set up a frame pointer.
    pub(super) fn by_frame_pointer(&self, fp: usize, sp: usize) -> Option<Flow> {
        if fp < sp {
            return None;
        }
        let at = fp.wrapping_add(WORD);
        let pc = self
            .stack_word(at)
            .filter(|&word| self.is_return_address(word))?;
        Some(Flow::Go(Cursor {
            pc,
            sp: at.wrapping_add(WORD),
            fp: self.stack_word(fp)?,
        }))
    }

    /// A stub that has called the VM or another stub.
    pub(super) fn stub_frame(&mut self, blob: &Blob, cursor: Cursor) -> Flow {
        if let Some(flow) = self.upcall_frame(blob, cursor) {
            return flow;
        }
        if self.is_return_barrier(cursor.pc) {
            return self.behind_barrier(cursor);
        }
        self.unpacking = self.is_named(blob, DEOPTIMIZATION) || self.is_named(blob, UNCOMMON_TRAP);
        if self.frame_words(blob) > 0
            && let Flow::Go(caller) = self.leave_whole_frame(blob, cursor.sp)
            && (self.is_return_address(caller.pc)
                || self.is_return_barrier(caller.pc)
                || self.is_in_method(caller.pc))
        {
            return Flow::Go(caller);
        }
        // One without a frame pointer of its own has at most an alignment between its caller's return address and the call.
        let has_pointer = self.is_named(blob, STUBS) || self.memory.sets_frame_pointer(blob.code);
        let right_here = [cursor.sp, cursor.sp.wrapping_add(WORD)]
            .into_iter()
            .filter(|_| !has_pointer)
            .find_map(|at| {
                let pc = self.stack_word(at)?;
                self.is_frame_behind(pc, at).then_some(Flow::Go(Cursor {
                    pc,
                    sp: at.wrapping_add(WORD),
                    fp: cursor.fp,
                }))
            });
        right_here
            .or_else(|| self.by_frame_pointer(cursor.fp, cursor.sp))
            .unwrap_or_else(|| self.search(cursor.sp, Failure::NoReturnAddress))
    }

    /// Whether an address lies in a compiled method. A safepoint's poll has called nothing, and goes on where it was.
    fn is_in_method(&self, pc: usize) -> bool {
        self.blob_of(pc)
            .is_some_and(|blob| blob.kind == Kind::Compiled && pc > blob.code)
    }

    /// Native code has called Java through the foreign function interface (`upcallLinker.cpp`).
    fn upcall_frame(&self, blob: &Blob, cursor: Cursor) -> Option<Flow> {
        let field = self.layout.entry.upcall_frame_data?;
        if !self.is_named(blob, UPCALL) {
            return None;
        }
        let offset = self.memory.i32(blob.start.wrapping_add(field as usize));
        let anchor = cursor.sp.wrapping_add_signed(offset as isize);
        // The frame's data begin with the anchor: stack pointer, pc, frame pointer.
        Some(
            match (
                self.stack_word(anchor),
                self.stack_word(anchor.wrapping_add(WORD)),
                self.stack_word(anchor.wrapping_add(2 * WORD)),
            ) {
                (Some(sp), Some(pc), Some(fp)) => self.anchored(sp, pc, fp),
                _ => Flow::Fail(Failure::BrokenEntry),
            },
        )
    }

    /// Whether a return address is that of the stub which fetches a continuation's next frames from the heap: the only one
    /// that is a stub's and stands behind no call.
    pub(super) fn is_return_barrier(&self, pc: usize) -> bool {
        self.layout.entry.enter_special != 0
            && self.blob_of(pc).is_some_and(|blob| {
                blob.kind == Kind::Stub && pc > blob.code && self.is_continuation_stubs(&blob)
            })
            && self.memory.call_before(pc).is_none()
    }

    /// The stubs of continuations are a blob of their own: "StubRoutines (continuation stubs)" (source: `stubRoutines.cpp`).
    fn is_continuation_stubs(&self, blob: &Blob) -> bool {
        let field = self.layout.code.name as usize;
        let name = self.memory.word(blob.start.wrapping_add(field));
        self.is_named(blob, STUBS)
            && self.memory.word(name.wrapping_add(STUBS_PREFIX)) == CONTINUATION
    }

    /// Whether the blob's name begins so.
    fn is_named(&self, blob: &Blob, beginning: usize) -> bool {
        let field = self.layout.code.name as usize;
        let name = self.memory.word(blob.start.wrapping_add(field));
        name != 0 && self.memory.u8(name) == beginning as u8 && self.memory.word(name) == beginning
    }

    /// Below the barrier lies the frame of `Continuation.enterSpecial`, and below that the carrier's.
    fn behind_barrier(&mut self, cursor: Cursor) -> Flow {
        let method = self.layout.entry.enter_special;
        let code = self
            .memory
            .word(method.wrapping_add(self.layout.method.code as usize));
        let Some(blob) = self.code_of(code) else {
            return Flow::Fail(Failure::BrokenCompiled);
        };
        // What the stub would have fetched.
        if !self.frozen_frames(cursor.sp) {
            self.push_frozen_mark();
        }
        self.push(method, Position::without_index(FrameType::Native));
        match self.leave_whole_frame(&blob, cursor.sp) {
            Flow::Go(caller) if self.is_return_address(caller.pc) => Flow::Go(caller),
            _ => self.search(cursor.sp, Failure::BrokenCompiled),
        }
    }

    /// The blob at an address that a method gives for its compiled code.
    fn code_of(&self, blob: usize) -> Option<Blob> {
        let header = self.layout.code.block_header;
        self.blob_of(blob.wrapping_sub(header))
            .or_else(|| self.blob_of(blob))
            .filter(|found| found.start == blob)
    }

    /// Where the thread has left Java, if it has.
    fn by_anchor(&self) -> Option<Flow> {
        let layout = &self.layout.thread;
        let field = |offset: u32| self.memory.word(self.thread.wrapping_add(offset as usize));
        let sp = field(layout.anchor_sp);
        (sp != 0).then(|| self.anchored(sp, field(layout.anchor_pc), field(layout.anchor_fp)))
    }

    /// In the VM, in a native method, in the kernel: the anchor says where Java was left.
    fn interrupted_outside(&mut self) -> Flow {
        self.note_outside();
        if let Some(flow) = self.by_anchor() {
            return flow;
        }
        let layout = &self.layout.thread;
        let state = self
            .memory
            .u32(self.thread.wrapping_add(layout.state as usize));
        if state != layout.state_in_java {
            // It starts, or ends, or is one of the compilers'.
            return Flow::Fail(Failure::NoJavaFrame);
        }
        // Java code has called a function of the VM that neither blocks nor looks at stacks.
        let (mut fp, mut below) = (self.registers.fp, self.registers.sp);
        for _ in 0..MOST_VM_FRAMES {
            if let Some(flow) = self.by_frame_pointer(fp, below) {
                return flow;
            }
            let Some(next) = self.stack_word(fp).filter(|&next| next > fp && fp >= below) else {
                break;
            };
            (below, fp) = (fp, next);
        }
        self.search(self.registers.sp, Failure::NoAnchor)
    }
}

/// "StubRoutines (…)" begins so: no name of a blob with this first letter is shorter, but for "Shared Runtime …".
const STUBS: usize = usize::from_le_bytes(*b"StubRout");
/// Length of "StubRoutines (".
const STUBS_PREFIX: usize = 14;
const CONTINUATION: usize = usize::from_le_bytes(*b"continua");

/// The beginnings of the names of blobs with adapters and with tables of virtual methods: "I2C/C2I adapters", "vtable chunks",
/// "MethodHandles adapters", and "InlineCacheBuffer", by which calls go while their target changes (source:
/// `sharedRuntime.cpp`, `vtableStubs.cpp`, `methodHandles.cpp`, `icBuffer.cpp`).
const ADAPTERS: [usize; 4] = [
    usize::from_le_bytes(*b"I2C/C2I "),
    usize::from_le_bytes(*b"vtable c"),
    usize::from_le_bytes(*b"MethodHa"),
    usize::from_le_bytes(*b"InlineCa"),
];

/// The beginnings of the names of stubs that look for a callee (source: `sharedRuntime.cpp`): resolve_static_call and the like,
/// ic_miss_stub, wrong_method_stub, handle_wrong_method; from 24 on with "Shared Runtime" before them.
const RESOLVING: [usize; 5] = [
    usize::from_le_bytes(*b"resolve_"),
    usize::from_le_bytes(*b"ic_miss_"),
    usize::from_le_bytes(*b"wrong_me"),
    usize::from_le_bytes(*b"handle_w"),
    usize::from_le_bytes(*b"Shared R"),
];

/// "DeoptimizationBlob" and "UncommonTrapBlob" begin so (source: `codeBlob.cpp`).
const DEOPTIMIZATION: usize = usize::from_le_bytes(*b"Deoptimi");
const UNCOMMON_TRAP: usize = usize::from_le_bytes(*b"Uncommon");

/// "upcall_stub" begins so (source: `upcallLinker_x86_64.cpp`).
const UPCALL: usize = usize::from_le_bytes(*b"upcall_s");
