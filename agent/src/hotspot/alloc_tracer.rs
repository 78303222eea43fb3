//! The functions by which HotSpot reports allocated objects to its own recorder (`AllocTracer`), and the fields of a thread
//! that say what it has allocated.

use std::path::PathBuf;

use jprof_signal_safe::trap::{Arguments, ThreadFields};

use super::debug_symbols::{self, NotFound, Symbol};
use super::{Declined, VmStructs};

/// A function's name in libjvm's symbols, and its arguments in that form of it.
type Form = (&'static str, Arguments);

const fn sizes(tlab_size: usize, size: usize) -> Arguments {
    Arguments { size, tlab_size }
}

/// Objects that begin a new TLAB, as JDK 8 reports them: with the object from 8u262 on.
const NEW_TLAB: &[Form] = &[
    (
        "_ZN11AllocTracer33send_allocation_in_new_tlab_eventE11KlassHandleP8HeapWordmmP6Thread",
        sizes(2, 3),
    ),
    (
        "_ZN11AllocTracer33send_allocation_in_new_tlab_eventE11KlassHandlemm",
        sizes(1, 2),
    ),
];

/// Objects outside of TLABs, as 8, 11, 15 and 17 report them.
const OUTSIDE: &[Form] = &[
    (
        "_ZN11AllocTracer34send_allocation_outside_tlab_eventE11KlassHandleP8HeapWordmP6Thread",
        sizes(0, 2),
    ),
    (
        "_ZN11AllocTracer34send_allocation_outside_tlab_eventE11KlassHandlem",
        sizes(0, 1),
    ),
    (
        "_ZN11AllocTracer28send_allocation_outside_tlabEP5KlassP8HeapWordmP6Thread",
        sizes(0, 2),
    ),
    (
        "_ZN11AllocTracer28send_allocation_outside_tlabEP5KlassPP12HeapWordImplmP6Thread",
        sizes(0, 2),
    ),
    (
        "_ZN11AllocTracer28send_allocation_outside_tlabEP5KlassPP12HeapWordImplmP10JavaThread",
        sizes(0, 2),
    ),
];

/// One of the functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reporter {
    /// That of objects that begin a new TLAB; JDK 8's.
    NewTlab,
    /// That of objects outside of TLABs.
    Outside,
}

impl Reporter {
    /// Finds it, with its arguments.
    ///
    /// # Errors
    /// [`NotFound`].
    pub fn find(
        self,
        vm: &VmStructs,
        folders: &[PathBuf],
    ) -> Result<(Symbol, Arguments), NotFound> {
        let forms = match self {
            Self::NewTlab => NEW_TLAB,
            Self::Outside => OUTSIDE,
        };
        let names: Vec<&str> = forms.iter().map(|&(name, _)| name).collect();
        let (place, symbol) = debug_symbols::find(vm.libjvm(), folders, &names)?;
        Ok((symbol, forms[place].1))
    }
}

/// The fields of a thread, which lies `env_distance` before its `JNIEnv*`.
///
/// # Errors
/// [`Declined`] with the field that is missing.
pub fn thread_fields(vm: &VmStructs, env_distance: usize) -> Result<ThreadFields, Declined> {
    let of_tlab = |field| of_tlab(vm, env_distance, field);
    let allocated = vm.field_offset("Thread", "_allocated_bytes")?;
    Ok(ThreadFields {
        allocated: from_env(allocated, env_distance),
        tlab_start: of_tlab("_start")?,
        tlab_top: of_tlab("_top")?,
        tlab_end: of_tlab("_end")?,
    })
}

/// The fields by which a thread of JDK 8 counts its new TLABs, and the words that were left of those before.
///
/// # Errors
/// [`Declined`] with the field that is missing.
pub fn refill_fields(vm: &VmStructs, env_distance: usize) -> Result<(isize, isize), Declined> {
    Ok((
        of_tlab(vm, env_distance, "_number_of_refills")?,
        of_tlab(vm, env_distance, "_slow_refill_waste")?,
    ))
}

fn of_tlab(vm: &VmStructs, env_distance: usize, field: &'static str) -> Result<isize, Declined> {
    let tlab = vm.field_offset("Thread", "_tlab")?;
    let offset = vm.field_offset("ThreadLocalAllocBuffer", field)?;
    Ok(from_env(tlab + offset, env_distance))
}

const fn from_env(offset: u64, env_distance: usize) -> isize {
    offset.wrapping_sub(env_distance as u64).cast_signed() as isize
}

/// Words that JDK 8 keeps free at the end of each TLAB: for what is prefetched there, or for the head of an array that fills
/// the rest (`ThreadLocalAllocBuffer::alignment_reserve`).
///
/// # Errors
/// [`Declined`] where the tables do not have it.
pub fn reserved_words(vm: &VmStructs) -> Result<u32, Declined> {
    const HEAD_OF_AN_ARRAY: u32 = 3;
    const FIELD: &str = "_reserve_for_allocation_prefetch";
    let address = vm.static_address("Abstract_VM_Version", FIELD)?;
    let words = vm.libjvm().load_i32(address);
    let words = words.ok_or(Declined::Field("Abstract_VM_Version", FIELD))?;
    Ok(u32::try_from(words).unwrap_or(0).max(HEAD_OF_AN_ARRAY))
}
