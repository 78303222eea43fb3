//! Where HotSpot keeps what a walk reads: filled by the agent from the JVM's exported tables.

/// An address that is computed from a code blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// What the offset counts from.
    pub base: Base,
    /// What is added.
    pub offset: Offset,
}

/// Where a [`Place`] begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// The blob itself.
    Blob,
    /// The first instruction.
    Code,
    /// The address in this field of the blob.
    Pointer(u32),
}

/// What is added to the beginning of a [`Place`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offset {
    /// Nothing.
    None,
    /// The signed number of four bytes in this field of the blob.
    Field32(u32),
    /// The number of two bytes in this field of the blob.
    Field16(u32),
}

/// A number in a blob that is signed and has two or four bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signed {
    /// Four bytes.
    Field32(u32),
    /// Two bytes.
    Field16(u32),
}

/// A run of addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// The first.
    pub start: usize,
    /// The one after the last.
    pub end: usize,
}

impl Range {
    /// Whether an address lies in it.
    #[inline]
    #[must_use]
    pub const fn contains(&self, address: usize) -> bool {
        address >= self.start && address < self.end
    }
}

/// Offsets in `JavaThread`.
#[derive(Clone, Copy, Debug)]
pub struct ThreadLayout {
    /// From the thread to its `JNIEnv`.
    pub jni_env: usize,
    /// `_thread_state`.
    pub state: u32,
    /// The state `_thread_in_Java`.
    pub state_in_java: u32,
    /// `_stack_base`: the end of the stack with the highest address.
    pub stack_base: u32,
    /// `_anchor._last_Java_sp`.
    pub anchor_sp: u32,
    /// `_anchor._last_Java_fp`.
    pub anchor_fp: u32,
    /// `_anchor._last_Java_pc`.
    pub anchor_pc: u32,
}

/// A part of the code cache. The structure lives as long as the JVM; its committed part grows.
#[derive(Clone, Copy, Debug)]
pub struct CodeHeap {
    /// Where its first segment is.
    pub low: usize,
    /// The address of the word that holds the end of the committed part.
    pub high_at: usize,
    /// The segment map: a byte per segment.
    pub segment_map: usize,
    /// Binary logarithm of a segment's size.
    pub log2_segment: u32,
}

/// The code cache and its blobs.
#[derive(Clone, Copy, Debug)]
pub struct CodeLayout {
    /// The code heaps: one on 8, up to three later.
    pub heaps: &'static [CodeHeap],
    /// `HeapBlock`'s size: the blob follows it.
    pub block_header: usize,
    /// `HeapBlock::Header::_used`.
    pub block_used: u32,
    /// `CodeBlob::_name`.
    pub name: u32,
    /// `CodeBlob::_size`.
    pub size: u32,
    /// `CodeBlob::_frame_size`: words of a frame.
    pub frame_size: u32,
    /// `CodeBlob::_frame_complete_offset`: from the first instruction.
    pub frame_complete: Signed,
    /// The first instruction.
    pub code_begin: Place,
}

/// `nmethod`, `PcDesc` and the streams behind them.
#[derive(Clone, Copy, Debug)]
pub struct CompiledLayout {
    /// `_method`.
    pub method: u32,
    /// `_compile_id`.
    pub compile_id: u32,
    /// `_comp_level`; its lowest byte is enough.
    pub level: u32,
    /// The entry after the check of the receiver's class.
    pub verified_entry: Place,
    /// `_osr_entry_point`.
    pub osr_entry: u32,
    /// What replaces return addresses to a method that is deoptimised.
    pub deopt_handler: Place,
    /// The same at calls of method handles, where it is told apart.
    pub deopt_mh_handler: Option<Place>,
    /// `_orig_pc_offset`: where in its frame the replaced address is kept.
    pub orig_pc: u32,
    /// The first `PcDesc`.
    pub pcs_begin: Place,
    /// The end of the `PcDesc`s.
    pub pcs_end: Place,
    /// Size of a `PcDesc`.
    pub pc_size: usize,
    /// `PcDesc::_pc_offset`.
    pub pc_offset: u32,
    /// `PcDesc::_scope_decode_offset`.
    pub pc_scope: u32,
    /// The stream of scopes.
    pub scopes_begin: Place,
    /// The pointers that the streams number from 1.
    pub metadata_begin: Place,
    /// Whether compressed numbers have no zero bytes (JDK-8292758: from 20 on).
    pub excludes_zero: bool,
}

/// The interpreter.
#[derive(Clone, Copy, Debug)]
pub struct InterpreterLayout {
    /// All of its code.
    pub code: Range,
    /// Words from a frame's pointer to its method.
    pub method_slot: isize,
    /// Words from a frame's pointer to its bytecode pointer.
    pub bcp_slot: isize,
    /// Whether that holds the bytecode's index at times: on JDK 8.
    pub slot_may_hold_index: bool,
    /// Words from a frame's pointer to its caller's stack pointer.
    pub sender_sp_slot: isize,
    /// The entries of methods, where frames are built.
    pub entries: &'static [Range],
}

/// `Method` and `ConstMethod`.
#[derive(Clone, Copy, Debug)]
pub struct MethodLayout {
    /// `Method::_constMethod`.
    pub const_method: u32,
    /// `Method::_code`: the compiled method.
    pub code: u32,
    /// The first bytecode in a `ConstMethod`.
    pub bytecodes: usize,
    /// `ConstMethod::_code_size`.
    pub code_size: u32,
}

/// Calls from the VM into Java.
#[derive(Clone, Copy, Debug)]
pub struct EntryLayout {
    /// `StubRoutines::_call_stub_return_address`.
    pub return_address: usize,
    /// Words from an entry frame's pointer to its `JavaCallWrapper`.
    pub wrapper_slot: isize,
    /// `JavaCallWrapper::_anchor._last_Java_sp`.
    pub anchor_sp: u32,
    /// `JavaCallWrapper::_anchor._last_Java_fp`.
    pub anchor_fp: u32,
    /// `JavaCallWrapper::_anchor._last_Java_pc`.
    pub anchor_pc: u32,
    /// `UpcallStub::_frame_data_offset`, and in the data the anchor's fields (from 22 on).
    pub upcall_frame_data: Option<u32>,
    /// `Method` of `jdk.internal.vm.Continuation.enterSpecial`, 0 where there is none.
    pub enter_special: usize,
    /// Where continuations keep frames in the heap.
    pub continuation: Option<ContinuationLayout>,
}

/// How a field of an object holds a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oops {
    /// In four bytes, from a base, shifted.
    Narrow {
        /// `CompressedOops::_base`.
        base: usize,
        /// `CompressedOops::_shift`.
        shift: u32,
    },
    /// As the address.
    Wide,
    /// With bits of generational ZGC below the address.
    Coloured {
        /// The address of the word that says how many bits there are at present (`ZPointerLoadShift`).
        shift_at: usize,
    },
}

/// `ContinuationEntry`, `Continuation` and `StackChunk`: offsets in bytes.
#[derive(Clone, Copy, Debug)]
pub struct ContinuationLayout {
    /// `ContinuationEntry::_cont`.
    pub entry_continuation: u32,
    /// `Continuation.tail`.
    pub tail: u32,
    /// `StackChunk.parent`.
    pub parent: u32,
    /// `StackChunk.sp`, in words from the stack's first.
    pub sp: u32,
    /// `StackChunk.bottom`, likewise.
    pub bottom: u32,
    /// `StackChunk.size`, in words.
    pub size: u32,
    /// The first word of the stack.
    pub stack: u32,
    /// References.
    pub oops: Oops,
}

/// Everything.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// `JavaThread`.
    pub thread: ThreadLayout,
    /// The code cache.
    pub code: CodeLayout,
    /// Compiled methods.
    pub compiled: CompiledLayout,
    /// The interpreter.
    pub interpreter: InterpreterLayout,
    /// Methods.
    pub method: MethodLayout,
    /// Calls from the VM.
    pub entry: EntryLayout,
}
