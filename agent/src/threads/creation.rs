//! Announces every new thread before its first instruction: the import of `pthread_create` of each
//! loaded library is pointed at a wrapper. libjvm makes all of the JVM's threads through it: Java
//! threads, collectors, compilers (JDK 8's late ones, too).
//!
//! The import is a word in the library's global offset table; replacing it changes no code. Threads
//! of libraries loaded later are found by the registry's scan.
//!
//! # Safety
//! The dynamic section, symbol and relocation tables of a loaded library stay mapped while
//! `dl_iterate_phdr` holds the loader's lock. Words are written atomically, and both the old and
//! the new value are valid at any time. The wrapper keeps to `pthread_create`'s contract.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::slice;
use std::sync::atomic::{AtomicUsize, Ordering};

use once_cell::sync::OnceCell;

use crate::host::Protections;

/// Hears of threads, on the thread itself.
pub trait ThreadObserver: Sync {
    /// A thread is about to run its start routine.
    fn thread_starts(&self, tid: u32);
    /// A thread is about to end.
    fn thread_ends(&self, tid: u32);
}

type StartRoutine = unsafe extern "C-unwind" fn(*mut c_void) -> *mut c_void;
type PthreadCreate = unsafe extern "C" fn(
    *mut libc::pthread_t,
    *const libc::pthread_attr_t,
    StartRoutine,
    *mut c_void,
) -> c_int;

struct Hook {
    original: PthreadCreate,
    observer: &'static dyn ThreadObserver,
    key: libc::pthread_key_t,
    /// Set in a thread that is on its way through another's hook.
    in_other: libc::pthread_key_t,
    pid: u32,
}

/// The function that another profiler had put in place of `pthread_create` before us, 0 without one. Its library stays
/// loaded from then on.
static OTHER: AtomicUsize = AtomicUsize::new(0);

impl Hook {
    /// The hook, except in a forked child: there the observer's locks may have stayed locked for
    /// ever by threads that the child does not have.
    fn here() -> Option<&'static Self> {
        HOOK.get().filter(|hook| hook.pid == std::process::id())
    }

    /// Makes the observer hear of the calling thread's end.
    fn watch_current(&self) {
        // SAFETY: the key was made at installation. A value that is not null makes the destructor
        // run, also when the thread ends by pthread_exit.
        unsafe { libc::pthread_setspecific(self.key, ptr::from_ref(self).cast()) };
    }

    /// The observer must not unwind into the C library.
    fn tell(&self, news: impl FnOnce(&dyn ThreadObserver)) {
        if catch_unwind(AssertUnwindSafe(|| news(self.observer))).is_err() {
            log::error!("a fault of jprof at a thread's start or end; the application goes on");
        }
    }
}

static HOOK: OnceCell<Hook> = OnceCell::new();

/// What a new thread has to do.
struct Start {
    routine: StartRoutine,
    argument: *mut c_void,
}

/// The installed hook.
#[derive(Debug)]
pub struct CreationHook {
    patched: usize,
}

impl CreationHook {
    /// Points the imports of all loaded libraries at the wrapper; called again, those of libraries loaded since as well. The
    /// first observer stays.
    ///
    /// # Errors
    /// In words: there is no `pthread_create`, or no thread-specific key is left.
    pub fn install(observer: &'static dyn ThreadObserver) -> Result<Self, &'static str> {
        HOOK.get_or_try_init(|| {
            // SAFETY: dlsym with a literal; pthread_key_create with a destructor of the right type.
            let (original, key, in_other) = unsafe {
                let original = libc::dlsym(libc::RTLD_DEFAULT, c"pthread_create".as_ptr());
                if original.is_null() {
                    return Err("pthread_create is not to be found");
                }
                let (mut key, mut in_other) = (0, 0);
                if libc::pthread_key_create(&raw mut key, Some(thread_ends)) != 0
                    || libc::pthread_key_create(&raw mut in_other, None) != 0
                {
                    return Err("no thread-specific key is left");
                }
                let original = mem::transmute::<*mut c_void, PthreadCreate>(original);
                (original, key, in_other)
            };
            Ok(Hook {
                original,
                observer,
                key,
                in_other,
                pid: std::process::id(),
            })
        })
        .map(|hook| Self {
            patched: patch_all(pthread_create as *const () as usize, hook),
        })
    }

    /// Imports that point at the wrapper.
    #[must_use]
    pub const fn patched(&self) -> usize {
        self.patched
    }
}

/// Stands in for `pthread_create`.
unsafe extern "C" fn pthread_create(
    thread: *mut libc::pthread_t,
    attributes: *const libc::pthread_attr_t,
    routine: StartRoutine,
    argument: *mut c_void,
) -> c_int {
    let Some(hook) = HOOK.get() else {
        return libc::EAGAIN;
    };
    // SAFETY: the key is the hook's; the arguments are the caller's; `run` takes the box over.
    unsafe {
        if !libc::pthread_getspecific(hook.in_other).is_null() {
            // The other hook was put in after ours, and calls what it has found: us.
            return (hook.original)(thread, attributes, routine, argument);
        }
        let start = Box::into_raw(Box::new(Start { routine, argument }));
        let other = OTHER.load(Ordering::Acquire);
        let result = if other == 0 {
            (hook.original)(thread, attributes, run, start.cast())
        } else {
            let other = mem::transmute::<usize, PthreadCreate>(other);
            libc::pthread_setspecific(hook.in_other, ptr::from_ref(hook).cast());
            let result = other(thread, attributes, run, start.cast());
            libc::pthread_setspecific(hook.in_other, ptr::null());
            result
        };
        if result != 0 {
            drop(Box::from_raw(start));
        }
        result
    }
}

unsafe extern "C-unwind" fn run(start: *mut c_void) -> *mut c_void {
    // SAFETY: `pthread_create` above made the box for this thread alone.
    let Start { routine, argument } = unsafe { begin(start) };
    // SAFETY: the routine and its argument belong together. The thread may unwind through this frame (pthread_exit,
    // cancellation): there is nothing to drop in it, nor to catch, so the system's unwinder never calls into this library,
    // which may have another one of its own.
    unsafe { routine(argument) }
}

/// Not inlined, for what it catches.
#[inline(never)]
unsafe fn begin(start: *mut c_void) -> Start {
    // SAFETY: handed on from `run`.
    let start = *unsafe { Box::from_raw(start.cast::<Start>()) };
    if let Some(hook) = Hook::here() {
        hook.watch_current();
        hook.tell(|observer| observer.thread_starts(current_tid()));
    }
    start
}

unsafe extern "C" fn thread_ends(_: *mut c_void) {
    if let Some(hook) = Hook::here() {
        hook.tell(|observer| observer.thread_ends(current_tid()));
    }
}

/// Makes the observer hear of the end of the calling thread, which no hook has seen begin.
pub fn watch_current() {
    if let Some(hook) = Hook::here() {
        hook.watch_current();
    }
}

/// The calling thread's id.
#[must_use]
pub fn current_tid() -> u32 {
    // SAFETY: gettid cannot fail.
    unsafe { libc::syscall(libc::SYS_gettid) as u32 }
}

/// The calling thread's name as the kernel knows it (at most 15 bytes).
#[must_use]
pub fn current_name() -> Option<String> {
    let mut name = [0_u8; 16];
    // SAFETY: PR_GET_NAME writes at most 16 bytes, prctl(2).
    let result = unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
    let end = name.iter().position(|&byte| byte == 0)?;
    (result == 0).then(|| String::from_utf8_lossy(&name[..end]).into_owned())
}

struct Patch {
    replacement: usize,
    own_base: usize,
    /// The C library's function.
    original: usize,
    protections: Protections,
    patched: usize,
    /// What another has put into a library's import.
    other: usize,
}

fn patch_all(replacement: usize, hook: &Hook) -> usize {
    let mut patch = Patch {
        replacement,
        own_base: base_of(replacement),
        original: hook.original as *const () as usize,
        protections: Protections::read(),
        patched: 0,
        other: 0,
    };
    // First what others have put in: no thread may be missed by them once an import is ours.
    for look_only in [true, false] {
        let mut pass = Pass {
            patch: &mut patch,
            look_only,
        };
        // SAFETY: the callback is called during the call only, with this `pass`.
        unsafe { libc::dl_iterate_phdr(Some(patch_library), (&raw mut pass).cast()) };
        if look_only && pass.patch.other != 0 && keep_loaded(pass.patch.other) {
            OTHER.store(pass.patch.other, Ordering::Release);
        }
    }
    patch.patched
}

struct Pass<'a> {
    patch: &'a mut Patch,
    look_only: bool,
}

/// Keeps the library of an address from being unloaded. False when the address is in none, or in the C library.
fn keep_loaded(address: usize) -> bool {
    // SAFETY: dladdr fills in the structure; the name is looked up among the loaded libraries only, and the handle is kept
    // on purpose.
    unsafe {
        let mut info: libc::Dl_info = mem::zeroed();
        let flags = libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE;
        libc::dladdr(address as *const c_void, &raw mut info) != 0
            && !is_runtime(info.dli_fname)
            && !libc::dlopen(info.dli_fname, flags).is_null()
    }
}

fn base_of(address: usize) -> usize {
    // SAFETY: dladdr fills in the structure for an address of this library.
    unsafe {
        let mut info: libc::Dl_info = mem::zeroed();
        if libc::dladdr(address as *const c_void, &raw mut info) == 0 {
            0
        } else {
            info.dli_fbase as usize
        }
    }
}

unsafe extern "C" fn patch_library(
    info: *mut libc::dl_phdr_info,
    _: usize,
    data: *mut c_void,
) -> c_int {
    // SAFETY: see the module; `data` is the `Pass` of `patch_all`.
    unsafe {
        let info = &*info;
        let pass = &mut *data.cast::<Pass<'_>>();
        let patch = &*pass.patch;
        // Our own threads are not the application's, and the C library and the loader call
        // themselves without imports.
        if info.dlpi_addr as usize != patch.own_base && !is_runtime(info.dlpi_name) {
            let headers = slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum));
            patch_imports(info.dlpi_addr as usize, headers, pass);
        }
    }
    0
}

unsafe fn is_runtime(name: *const c_char) -> bool {
    if name.is_null() {
        return false;
    }
    // SAFETY: the loader's names end with a zero byte.
    let name = unsafe { CStr::from_ptr(name) }.to_bytes();
    let base = name.rsplit(|&byte| byte == b'/').next().unwrap_or(name);
    [
        &b"libc."[..],
        b"libpthread",
        b"ld-linux",
        b"linux-vdso",
        b"libasan",
        b"libtsan",
    ]
    .iter()
    .any(|prefix| base.starts_with(prefix))
}

#[derive(Default)]
struct Dynamic {
    symbols: usize,
    strings: usize,
    tables: [(usize, usize); 2],
}

unsafe fn read_dynamic(base: usize, header: &libc::Elf64_Phdr) -> Dynamic {
    // Values of <elf.h>.
    const DT_NULL: i64 = 0;
    const DT_PLTRELSZ: i64 = 2;
    const DT_STRTAB: i64 = 5;
    const DT_SYMTAB: i64 = 6;
    const DT_RELA: i64 = 7;
    const DT_RELASZ: i64 = 8;
    const DT_JMPREL: i64 = 23;
    let mut dynamic = Dynamic::default();
    let mut entry = (base + header.p_vaddr as usize) as *const [i64; 2];
    let absolute = |value: i64| {
        // glibc relocates these addresses in place, but not in read-only dynamic sections.
        let value = value as usize;
        if value < base { base + value } else { value }
    };
    loop {
        // SAFETY: the dynamic section ends with DT_NULL and is mapped.
        let [tag, value] = unsafe { entry.read() };
        match tag {
            DT_NULL => return dynamic,
            DT_SYMTAB => dynamic.symbols = absolute(value),
            DT_STRTAB => dynamic.strings = absolute(value),
            DT_JMPREL => dynamic.tables[0].0 = absolute(value),
            DT_PLTRELSZ => dynamic.tables[0].1 = value as usize,
            DT_RELA => dynamic.tables[1].0 = absolute(value),
            DT_RELASZ => dynamic.tables[1].1 = value as usize,
            _ => {}
        }
        entry = entry.wrapping_add(1);
    }
}

/// `Elf64_Rela`.
#[repr(C)]
struct Relocation {
    offset: u64,
    info: u64,
    addend: i64,
}

/// GLOB_DAT and JUMP_SLOT of the processor's ELF supplement.
#[cfg(target_arch = "x86_64")]
const IMPORT_KINDS: [u32; 2] = [6, 7];
#[cfg(target_arch = "aarch64")]
const IMPORT_KINDS: [u32; 2] = [1025, 1026];

unsafe fn patch_imports(base: usize, headers: &[libc::Elf64_Phdr], pass: &mut Pass<'_>) {
    let Some(header) = headers
        .iter()
        .find(|header| header.p_type == libc::PT_DYNAMIC)
    else {
        return;
    };
    // SAFETY: see the module.
    unsafe {
        let dynamic = read_dynamic(base, header);
        if dynamic.symbols == 0 || dynamic.strings == 0 {
            return;
        }
        for (table, bytes) in dynamic.tables {
            if table == 0 {
                continue;
            }
            let count = bytes / mem::size_of::<Relocation>();
            for relocation in slice::from_raw_parts(table as *const Relocation, count) {
                let symbol = (relocation.info >> 32) as usize;
                if symbol == 0 || !IMPORT_KINDS.contains(&(relocation.info as u32)) {
                    continue;
                }
                let symbol = &*(dynamic.symbols as *const libc::Elf64_Sym).add(symbol);
                let name =
                    CStr::from_ptr((dynamic.strings + symbol.st_name as usize) as *const c_char);
                if name != c"pthread_create" {
                    continue;
                }
                let slot = base + relocation.offset as usize;
                let patch = &mut *pass.patch;
                if pass.look_only {
                    let now = (*(slot as *const AtomicUsize)).load(Ordering::Acquire);
                    // Before its first call an import points into its own library.
                    let is_another =
                        now != patch.replacement && now != patch.original && base_of(now) != base;
                    if is_another && patch.other == 0 {
                        patch.other = now;
                    }
                } else if write_slot(slot, &patch.protections, patch.replacement) {
                    patch.patched += 1;
                }
            }
        }
    }
}

/// Writes a word of a global offset table. False when its page cannot be made writable.
///
/// What the loader made read-only becomes so again. The mappings tell which pages these are: the
/// program header is no guide, since its end is rounded down to a page and since a library that is
/// being loaded at this moment is still writable, and must remain so.
unsafe fn write_slot(address: usize, protections: &Protections, value: usize) -> bool {
    let Some(protection) = protections.of(address) else {
        return false;
    };
    let read_only = protection & libc::PROT_WRITE == 0;
    // SAFETY: sysconf has no preconditions; the page of the slot is mapped.
    unsafe {
        let page = libc::sysconf(libc::_SC_PAGESIZE) as usize;
        let start = address & !(page - 1);
        let protect = |flags| libc::mprotect(start as *mut c_void, page, flags) == 0;
        if read_only && !protect(protection | libc::PROT_WRITE) {
            return false;
        }
        (*(address as *const AtomicUsize)).store(value, Ordering::Release);
        if read_only {
            protect(protection);
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_written_and_its_page_keeps_its_protection() {
        // SAFETY: sysconf has no preconditions.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
        // SAFETY: a new mapping of two pages; the second one becomes read-only.
        let memory = unsafe {
            let memory = libc::mmap(
                ptr::null_mut(),
                2 * page,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            );
            assert_ne!(memory, libc::MAP_FAILED);
            assert_eq!(
                libc::mprotect(memory.byte_add(page), page, libc::PROT_READ),
                0
            );
            memory as usize
        };
        let before = Protections::read();
        for address in [memory + 8, memory + page + 8] {
            // SAFETY: the word is mapped and nobody else's.
            assert!(unsafe { write_slot(address, &before, 42) });
            // SAFETY: as above.
            assert_eq!(unsafe { *(address as *const usize) }, 42);
        }
        let after = Protections::read();
        let read_write = libc::PROT_READ | libc::PROT_WRITE;
        assert_eq!(after.of(memory), Some(read_write));
        assert_eq!(after.of(memory + page), Some(libc::PROT_READ));
        // SAFETY: not written, since no mapping is known to hold it.
        assert!(!unsafe { write_slot(8, &before, 42) });
    }
}
