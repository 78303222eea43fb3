//! What the walker of Java stacks must know of the JVM: [`Layout`], taken from the exported tables.
//!
//! What the tables do not have is named, and the walker is not used. The few numbers that no table has (the interpreter's
//! frame slots) are those of HotSpot's sources for the releases in [`JavaVersion::KNOWN`], and unchanged since 9.

use jprof_signal_safe::walker::hotspot::layout::{
    Base, CodeHeap, CodeLayout, CompiledLayout, ContinuationLayout, EntryLayout, InterpreterLayout,
    Layout, MethodLayout, Offset, Oops, Place, Range, Signed, ThreadLayout,
};

use super::flags::{FlagValue, Flags};
use super::memory::SafeReader;
use super::vm_structs::VmStructs;
use super::{Declined, JavaVersion};

/// What is not in the tables, but known to who asks.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// The JVM's version.
    pub version: JavaVersion,
    /// From a `JavaThread` to its `JNIEnv`.
    pub jni_env: usize,
    /// The `Method` of `jdk.internal.vm.Continuation.enterSpecial`; 0 where there are no continuations.
    pub enter_special: usize,
    /// The fields of continuations in the heap, where there are any.
    pub continuation_fields: Option<ContinuationFields>,
}

/// Offsets of fields in Java objects, as the JVM has told them.
#[derive(Clone, Copy, Debug)]
pub struct ContinuationFields {
    /// `jdk.internal.vm.Continuation.tail`.
    pub tail: u32,
    /// `jdk.internal.vm.StackChunk.parent`.
    pub parent: u32,
    /// `jdk.internal.vm.StackChunk.sp`.
    pub sp: u32,
    /// `jdk.internal.vm.StackChunk.bottom`.
    pub bottom: u32,
    /// `jdk.internal.vm.StackChunk.size`.
    pub size: u32,
    /// The address of the `java.lang.Class` object of `StackChunk` at the time.
    pub chunk_mirror: usize,
}

/// `ContinuationEntry::_cont` in product builds of 21 to 25 (`continuationEntry.hpp`; looked at in running JVMs).
const ENTRY_CONTINUATION: u32 = 16;

/// `frame::interpreter_frame_method_offset` and `…_bcp_offset` in words (`frame_x86.hpp`): 9 put the mirror between them.
const METHOD_SLOT: isize = -3;
const BCP_SLOT_OF_8: isize = -7;
const BCP_SLOT: isize = -8;
/// `frame::interpreter_frame_sender_sp_offset`.
const SENDER_SP_SLOT: isize = -1;

/// A codelet's description, where frames are built (source: `templateInterpreterGenerator.cpp`).
const ENTRY: &[u8] = b"method entry point";
/// Code for methods with and without profiles, and for all else: three heaps (`CodeBlobType`).
const MOST_HEAPS: u32 = 8;
/// The interpreter has some 300 codelets.
const MOST_CODELETS: usize = 4096;
/// Longer descriptions are cut.
const DESCRIPTION_BYTES: usize = 64;

/// Takes the layout from the tables of the running JVM, which must be in its live phase.
///
/// # Errors
///
/// [`Declined`] with the missing piece.
pub fn read(vm: &VmStructs, reader: &SafeReader, known: Known) -> Result<Layout, Declined> {
    let tables = Tables { vm, reader };
    Ok(Layout {
        thread: tables.thread(known.jni_env)?,
        code: tables.code()?,
        compiled: tables.compiled(known.version)?,
        interpreter: tables.interpreter(known.version)?,
        method: MethodLayout {
            const_method: tables.field("Method", "_constMethod")?,
            code: tables.field("Method", "_code")?,
            bytecodes: vm.type_size("ConstMethod")? as usize,
            code_size: tables.field("ConstMethod", "_code_size")?,
        },
        entry: EntryLayout {
            continuation: known
                .continuation_fields
                .filter(|_| known.version.is_known())
                .and_then(|fields| tables.continuation(&fields)),
            ..tables.entry(known.enter_special)?
        },
    })
}

struct Tables<'a> {
    vm: &'a VmStructs,
    reader: &'a SafeReader,
}

impl Tables<'_> {
    fn field(&self, structure: &'static str, field: &'static str) -> Result<u32, Declined> {
        u32::try_from(self.vm.field_offset(structure, field)?)
            .map_err(|_| Declined::Field(structure, field))
    }

    /// The first of several structures that has the field: it moved from one to the other.
    fn field_in(&self, structures: &[&'static str], field: &'static str) -> Result<u32, Declined> {
        let mut last = Declined::Field("", field);
        for &structure in structures {
            match self.field(structure, field) {
                Ok(offset) => return Ok(offset),
                Err(declined) => last = declined,
            }
        }
        Err(last)
    }

    fn load(&self, address: u64) -> Result<u64, Declined> {
        self.reader
            .read_u64(address)
            .map_err(|_| Declined::NotSetUp("the code cache"))
    }

    fn load_static(&self, structure: &'static str, field: &'static str) -> Result<u64, Declined> {
        match self.load(self.vm.static_address(structure, field)?)? {
            0 => Err(Declined::NotSetUp(field)),
            value => Ok(value),
        }
    }

    fn thread(&self, jni_env: usize) -> Result<ThreadLayout, Declined> {
        let anchor = self.field("JavaThread", "_anchor")?;
        let state_in_java = self.vm.int_constant("_thread_in_Java")?;
        Ok(ThreadLayout {
            jni_env,
            state: self.field("JavaThread", "_thread_state")?,
            state_in_java: state_in_java.cast_unsigned(),
            stack_base: self.field_in(&["JavaThread", "Thread"], "_stack_base")?,
            anchor_sp: anchor + self.field("JavaFrameAnchor", "_last_Java_sp")?,
            anchor_fp: anchor + self.field("JavaFrameAnchor", "_last_Java_fp")?,
            anchor_pc: anchor + self.field("JavaFrameAnchor", "_last_Java_pc")?,
        })
    }

    fn code(&self) -> Result<CodeLayout, Declined> {
        let blob = |field| self.field("CodeBlob", field);
        let frame_complete = match self.vm.field_type("CodeBlob", "_frame_complete_offset")? {
            "int" => Signed::Field32(blob("_frame_complete_offset")?),
            "int16_t" => Signed::Field16(blob("_frame_complete_offset")?),
            other => {
                return Err(Declined::FieldType(
                    "CodeBlob",
                    "_frame_complete_offset",
                    other.to_owned(),
                ));
            }
        };
        Ok(CodeLayout {
            heaps: Vec::leak(self.heaps()?),
            block_header: self.vm.type_size("HeapBlock")? as usize,
            block_used: self.field("HeapBlock", "_header")?
                + self.field("HeapBlock::Header", "_used")?,
            name: blob("_name")?,
            size: blob("_size")?,
            frame_size: blob("_frame_size")?,
            frame_complete,
            code_begin: match blob("_code_begin") {
                Ok(field) => pointer(field),
                Err(_) => Place {
                    base: Base::Blob,
                    offset: Offset::Field32(blob("_code_offset")?),
                },
            },
        })
    }

    fn heaps(&self) -> Result<Vec<CodeHeap>, Declined> {
        if let Ok(heap) = self.load_static("CodeCache", "_heap") {
            return Ok(vec![self.heap(heap)?]);
        }
        let list = self.load_static("CodeCache", "_heaps")?;
        let count = self.field_in(&["GrowableArrayBase", "GenericGrowableArray"], "_len")?;
        let data = self.field("GrowableArray<int>", "_data")?;
        let count = self
            .reader
            .read_u32(list + u64::from(count))
            .map_err(|_| Declined::NotSetUp("CodeCache::_heaps"))?;
        let data = self.load(list + u64::from(data))?;
        if !(1..=MOST_HEAPS).contains(&count) {
            return Err(Declined::Table("CodeCache::_heaps"));
        }
        (0..u64::from(count))
            .map(|index| self.heap(self.load(data + index * 8)?))
            .collect()
    }

    fn heap(&self, heap: u64) -> Result<CodeHeap, Declined> {
        let memory = heap + u64::from(self.field("CodeHeap", "_memory")?);
        let map = heap + u64::from(self.field("CodeHeap", "_segmap")?);
        let low = u64::from(self.field("VirtualSpace", "_low")?);
        let high = u64::from(self.field("VirtualSpace", "_high")?);
        let log2 = heap + u64::from(self.field("CodeHeap", "_log2_segment_size")?);
        let log2_segment = self
            .reader
            .read_u32(log2)
            .map_err(|_| Declined::NotSetUp("CodeHeap"))?;
        // HotSpot has 64 or 128 bytes a segment (`CodeCacheSegmentSize`).
        if !(4..=16).contains(&log2_segment) {
            return Err(Declined::Field("CodeHeap", "_log2_segment_size"));
        }
        Ok(CodeHeap {
            low: self.load(memory + low)? as usize,
            high_at: (memory + high) as usize,
            segment_map: self.load(map + low)? as usize,
            log2_segment,
        })
    }

    fn compiled(&self, version: JavaVersion) -> Result<CompiledLayout, Declined> {
        let nmethod = |field| self.field("nmethod", field);
        // 9 put a class between, 23 took it out again.
        let moved = |field| self.field_in(&["CompiledMethod", "nmethod"], field);
        let in_blob = |field: u32| Place {
            base: Base::Blob,
            offset: Offset::Field32(field),
        };
        let data = |field| self.data(field);
        let verified_entry = match nmethod("_verified_entry_point") {
            Ok(field) => pointer(field),
            Err(_) => Place {
                base: Base::Code,
                offset: Offset::Field16(nmethod("_verified_entry_offset")?),
            },
        };
        let handler = |pointer_field, offset_fields: &[&'static str]| {
            moved(pointer_field).map(pointer).or_else(|_| {
                offset_fields
                    .iter()
                    .find_map(|field| nmethod(field).ok())
                    .map(in_blob)
                    .ok_or(Declined::Field("nmethod", pointer_field))
            })
        };
        let scopes_begin = match moved("_scopes_data_begin") {
            Ok(field) => pointer(field),
            Err(_) => data("_scopes_data_offset")?,
        };
        Ok(CompiledLayout {
            method: moved("_method")?,
            compile_id: nmethod("_compile_id")?,
            level: nmethod("_comp_level")?,
            verified_entry,
            osr_entry: nmethod("_osr_entry_point")?,
            deopt_handler: handler(
                "_deopt_handler_begin",
                // From 26 on where the handler is entered, which is what returns lead to (JDK-8365047 and its redo).
                &[
                    "_deoptimize_offset",
                    "_deopt_handler_offset",
                    "_deopt_handler_entry_offset",
                ],
            )?,
            deopt_mh_handler: handler(
                "_deopt_mh_handler_begin",
                &["_deoptimize_mh_offset", "_deopt_mh_handler_offset"],
            )
            .ok(),
            orig_pc: nmethod("_orig_pc_offset")?,
            pcs_begin: data("_scopes_pcs_offset")?,
            // What follows the table.
            pcs_end: data("_dependencies_offset")
                .ok()
                .filter(|_| nmethod("_immutable_data").is_err())
                .map_or_else(|| data("_scopes_data_offset"), Ok)?,
            pc_size: self.vm.type_size("PcDesc")? as usize,
            pc_offset: self.field("PcDesc", "_pc_offset")?,
            pc_scope: self.field("PcDesc", "_scope_decode_offset")?,
            scopes_begin,
            metadata_begin: self.metadata()?,
            // JDK-8292758.
            excludes_zero: version.feature >= 20,
        })
    }

    /// A table that lies in the method itself or, from 23 on, in memory beside it that does not change.
    fn data(&self, field: &'static str) -> Result<Place, Declined> {
        Ok(Place {
            base: match self.field("nmethod", "_immutable_data") {
                Ok(data) => Base::Pointer(data),
                Err(_) => Base::Blob,
            },
            offset: Offset::Field32(self.field("nmethod", field)?),
        })
    }

    /// Pointers to metadata: in the method; from 24 on behind the relocations in memory beside it that changes.
    fn metadata(&self) -> Result<Place, Declined> {
        if let Ok(data) = self.field("CodeBlob", "_mutable_data") {
            return Ok(Place {
                base: Base::Pointer(data),
                offset: Offset::Field32(self.field("CodeBlob", "_relocation_size")?),
            });
        }
        let field = self.field("nmethod", "_metadata_offset")?;
        if self.field("nmethod", "_immutable_data").is_err() {
            return Ok(Place {
                base: Base::Blob,
                offset: Offset::Field32(field),
            });
        }
        Err(Declined::Field("CodeBlob", "_mutable_data"))
    }

    fn interpreter(&self, version: JavaVersion) -> Result<InterpreterLayout, Declined> {
        let queue = self.load_static("AbstractInterpreter", "_code")?;
        let number = |field| {
            let offset = self.field("StubQueue", field)?;
            self.reader
                .read_u32(queue + u64::from(offset))
                .map_err(|_| Declined::NotSetUp("the interpreter"))
        };
        let buffer = self.load(queue + u64::from(self.field("StubQueue", "_stub_buffer")?))?;
        let (begin, end) = (number("_queue_begin")?, number("_queue_end")?);
        let limit = number("_buffer_limit")?;
        let code = Range {
            start: buffer as usize,
            end: buffer as usize + limit as usize,
        };
        Ok(InterpreterLayout {
            code,
            method_slot: METHOD_SLOT,
            slot_may_hold_index: version.feature < 9,
            bcp_slot: if version.feature < 9 {
                BCP_SLOT_OF_8
            } else {
                BCP_SLOT
            },
            sender_sp_slot: SENDER_SP_SLOT,
            entries: Vec::leak(self.codelets(
                buffer + u64::from(begin),
                buffer + u64::from(end.min(limit)),
            )?),
        })
    }

    /// The codelets in which methods are entered. They lie one behind the other.
    fn codelets(&self, start: u64, end: u64) -> Result<Vec<Range>, Declined> {
        let size = self.field("InterpreterCodelet", "_size")?;
        let description = self.field("InterpreterCodelet", "_description")?;
        let mut entries = Vec::new();
        let mut at = start;
        for _ in 0..MOST_CODELETS {
            if at >= end {
                return Ok(entries);
            }
            let bytes = self
                .reader
                .read_u32(at + u64::from(size))
                .map_err(|_| Declined::Table("AbstractInterpreter::_code"))?;
            let text = self.load(at + u64::from(description))?;
            let text = self
                .reader
                .read_c_string(text, DESCRIPTION_BYTES)
                .unwrap_or_default();
            if bytes == 0 {
                break;
            }
            let next = at + u64::from(bytes);
            if text.starts_with(ENTRY) {
                entries.push(Range {
                    start: at as usize,
                    end: next as usize,
                });
            }
            at = next;
        }
        Err(Declined::Table("AbstractInterpreter::_code"))
    }

    fn entry(&self, enter_special: usize) -> Result<EntryLayout, Declined> {
        let anchor = self.field("JavaCallWrapper", "_anchor")?;
        let wrapper_slot = self
            .vm
            .int_constant("frame::entry_frame_call_wrapper_offset")?;
        Ok(EntryLayout {
            return_address: self.load_static("StubRoutines", "_call_stub_return_address")? as usize,
            wrapper_slot: wrapper_slot as isize,
            anchor_sp: anchor + self.field("JavaFrameAnchor", "_last_Java_sp")?,
            anchor_fp: anchor + self.field("JavaFrameAnchor", "_last_Java_fp")?,
            anchor_pc: anchor + self.field("JavaFrameAnchor", "_last_Java_pc")?,
            upcall_frame_data: self.field("UpcallStub", "_frame_data_offset").ok(),
            enter_special,
            continuation: None,
        })
    }

    /// None where something is missing: frames in the heap are then shown as one mark.
    fn continuation(&self, fields: &ContinuationFields) -> Option<ContinuationLayout> {
        let read_u32 = |address: u64| self.reader.read_u32(address).ok();
        // A class's object holds its `Klass`, whose layout helper says how large its instances are; the stack lies behind.
        let klass_offset = read_u32(
            self.vm
                .static_address("java_lang_Class", "_klass_offset")
                .ok()?,
        )?;
        let klass = self
            .load(fields.chunk_mirror as u64 + u64::from(klass_offset))
            .ok()?;
        let helper = self.field("Klass", "_layout_helper").ok()?;
        let size = read_u32(klass + u64::from(helper))? & !7;
        let fits = |field: u32| field < size;
        let all = [fields.parent, fields.sp, fields.bottom, fields.size];
        if !(MOST_CHUNK_HEADER.contains(&size) && all.into_iter().all(fits)) {
            return None;
        }
        Some(ContinuationLayout {
            entry_continuation: ENTRY_CONTINUATION,
            tail: fields.tail,
            parent: fields.parent,
            sp: fields.sp,
            bottom: fields.bottom,
            size: fields.size,
            stack: size,
            oops: self.oops()?,
        })
    }

    fn oops(&self) -> Option<Oops> {
        let flags = Flags::new(self.vm).ok()?;
        let is_on = |name| match flags.get(name) {
            Some(flag) => flag.value == FlagValue::Bool(true),
            None => false,
        };
        if is_on("UseCompressedOops") {
            // 22 took the structure away.
            let field = |old, new| {
                let address = self.vm.static_address("CompressedOops", old);
                address
                    .or_else(|_| self.vm.static_address("CompressedOops", new))
                    .ok()
            };
            return Some(Oops::Narrow {
                base: self.load(field("_narrow_oop._base", "_base")?).ok()? as usize,
                shift: self
                    .reader
                    .read_u32(field("_narrow_oop._shift", "_shift")?)
                    .ok()?,
            });
        }
        let is_generational = is_on("ZGenerational") || flags.get("ZGenerational").is_none();
        if is_on("UseZGC") && is_generational {
            let globals = self
                .load_static("ZGlobalsForVMStructs", "_instance_p")
                .ok()?;
            let field = self
                .field("ZGlobalsForVMStructs", "_ZPointerLoadShift")
                .ok()?;
            return Some(Oops::Coloured {
                shift_at: self.load(globals + u64::from(field)).ok()? as usize,
            });
        }
        Some(Oops::Wide)
    }
}

/// Bytes of a `StackChunk` before its stack: a header and a dozen fields.
const MOST_CHUNK_HEADER: std::ops::Range<u32> = 24..257;

const fn pointer(field: u32) -> Place {
    Place {
        base: Base::Pointer(field),
        offset: Offset::None,
    }
}
