//! The libjvm that runs in this process: where it lies and what it exports.
//!
//! # Safety
//!
//! The unsafe blocks call the dynamic linker and load from libjvm's own segments after a check that the load lies inside
//! one. libjvm is never unloaded, so what is found in its read-only data lives as long as the process.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_int, c_void};
use std::ops::Range;

use super::Declined;

/// libjvm as it is mapped.
#[derive(Clone, Debug)]
pub struct Libjvm {
    path: CString,
    /// What is to be added to an address in the file.
    base: u64,
    /// The readable segments, by rising address.
    segments: Vec<Range<u64>>,
    /// The segments of notes.
    notes: Vec<Range<u64>>,
}

impl Libjvm {
    /// Finds it among the loaded libraries. A launcher may load it without making its symbols global, so that looking
    /// in the global scope is not enough.
    ///
    /// # Errors
    ///
    /// [`Declined::NoLibjvm`].
    pub fn find() -> Result<Libjvm, Declined> {
        unsafe extern "C" fn visit(
            info: *mut libc::dl_phdr_info,
            _size: usize,
            found: *mut c_void,
        ) -> c_int {
            // SAFETY: the linker hands a valid description; `found` is the local below.
            let (info, found) = unsafe { (&*info, &mut *found.cast::<Option<Libjvm>>()) };
            if info.dlpi_name.is_null() {
                return 0;
            }
            // SAFETY: a C string that the linker owns.
            let path = unsafe { CStr::from_ptr(info.dlpi_name) };
            if !path.to_bytes().ends_with(b"/libjvm.so") {
                return 0;
            }
            // SAFETY: the program headers of a loaded library are mapped.
            let headers =
                unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
            let of_type = |wanted: u32| {
                let readable = headers.iter().filter(move |header| {
                    header.p_type == wanted && header.p_flags & libc::PF_R != 0
                });
                readable.map(|header| {
                    let start = info.dlpi_addr + header.p_vaddr;
                    start..start + header.p_memsz
                })
            };
            let mut segments: Vec<Range<u64>> = of_type(libc::PT_LOAD).collect();
            segments.sort_by_key(|segment| segment.start);
            *found = Some(Libjvm {
                path: path.to_owned(),
                base: info.dlpi_addr,
                segments,
                notes: of_type(libc::PT_NOTE).collect(),
            });
            1
        }

        let mut found: Option<Libjvm> = None;
        // SAFETY: the callback is called during this call only, with the pointer to `found`.
        unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut found).cast()) };
        found.ok_or(Declined::NoLibjvm)
    }

    /// The path that the linker knows it by.
    pub fn path(&self) -> &CStr {
        &self.path
    }

    /// What is to be added to an address in the file.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// What tells this build from all others (the ELF note `NT_GNU_BUILD_ID`), of the library as it is mapped; `None` where it
    /// was built without.
    pub fn build_id(&self) -> Option<Vec<u8>> {
        const NT_GNU_BUILD_ID: i32 = 3;
        const GNU: i32 = i32::from_le_bytes(*b"GNU\0");
        for notes in &self.notes {
            let mut at = notes.start;
            while notes.contains(&at) {
                let name_length = u64::from(self.load_i32(at)?.cast_unsigned());
                let length = u64::from(self.load_i32(at + 4)?.cast_unsigned());
                let content = at + 12 + name_length.next_multiple_of(4);
                if self.load_i32(at + 8)? == NT_GNU_BUILD_ID
                    && name_length == 4
                    && self.load_i32(at + 12)? == GNU
                {
                    return self.bytes(content, length);
                }
                at = content + length.next_multiple_of(4);
            }
        }
        None
    }

    /// A copy of the library's own memory; `None` when it does not lie there.
    pub fn bytes(&self, address: u64, length: u64) -> Option<Vec<u8>> {
        (0..length)
            .map(|offset| self.load::<u8>(address.checked_add(offset)?))
            .collect()
    }

    /// The address of an exported symbol.
    ///
    /// # Errors
    ///
    /// [`Declined::Symbol`] when it is not exported.
    pub fn symbol(&self, name: &CStr) -> Result<u64, Declined> {
        // SAFETY: both names are C strings. NOLOAD only finds what is loaded; the count that it raises is lowered again.
        let address = unsafe {
            let handle = libc::dlopen(self.path.as_ptr(), libc::RTLD_LAZY | libc::RTLD_NOLOAD);
            if handle.is_null() {
                return Err(Declined::NoLibjvm);
            }
            let address = libc::dlsym(handle, name.as_ptr());
            libc::dlclose(handle);
            address
        };
        if address.is_null() {
            Err(Declined::Symbol(name.to_string_lossy().into_owned()))
        } else {
            Ok(address as u64)
        }
    }

    fn segment_of(&self, address: u64, length: u64) -> Option<&Range<u64>> {
        self.segments
            .iter()
            .find(|segment| segment.contains(&address) && length <= segment.end - address)
    }

    /// Whether `length` bytes at `address` lie in the library's own memory.
    pub fn contains(&self, address: u64, length: u64) -> bool {
        self.segment_of(address, length).is_some()
    }

    /// Loads eight bytes of the library's own memory; `None` when they do not lie there.
    pub fn load_u64(&self, address: u64) -> Option<u64> {
        self.load(address)
    }

    /// Loads four bytes of the library's own memory; `None` when they do not lie there.
    pub fn load_i32(&self, address: u64) -> Option<i32> {
        self.load(address)
    }

    fn load<T: Copy>(&self, address: u64) -> Option<T> {
        self.segment_of(address, size_of::<T>() as u64)?;
        // SAFETY: the bytes lie in a readable segment of a library that stays mapped. `T` is an integer, for which any bytes
        // are a value. Volatile, since the JVM may write them meanwhile.
        Some(unsafe { std::ptr::read_volatile(address as *const Unaligned<T>) }.0)
    }

    /// A C string in the library's own memory; `None` when it does not lie there whole or is no ASCII.
    pub fn text(&self, address: u64) -> Option<&'static str> {
        let segment = self.segment_of(address, 1)?;
        // SAFETY: readable up to the segment's end, and constant: the names in the tables lie in read-only data.
        let bytes = unsafe {
            std::slice::from_raw_parts(address as *const u8, (segment.end - address) as usize)
        };
        let end = bytes.iter().position(|&byte| byte == 0)?;
        std::str::from_utf8(&bytes[..end]).ok()
    }
}

/// Loads need no alignment.
#[derive(Clone, Copy)]
#[repr(C, packed)]
struct Unaligned<T>(T);
