//! Loads of any address in this process that cannot fault.
//!
//! The kernel does the load: process_vm_readv(2) on the own process, or, where a seccomp filter refuses that, pread(2) on
//! `/proc/self/mem`. An address that is not mapped is an error code. One call costs less than a microsecond.
//!
//! # Safety
//!
//! The unsafe blocks are those system calls. Remote addresses are numbers to the kernel, which checks them; local ones are
//! slices that outlive the call.

#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;

use super::Declined;

/// An address, or a run of them, that cannot be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{length} bytes at {address:#x} are not accessible")]
pub struct Inaccessible {
    /// Where it begins.
    pub address: u64,
    /// How many bytes were asked for.
    pub length: usize,
}

/// One of several loads that are done with one system call.
#[derive(Debug)]
pub struct Load<'a> {
    /// Where to load from.
    pub address: u64,
    /// Where to put it; its length says how much to load.
    pub into: &'a mut [u8],
}

/// Loads memory of this process without the danger of a fault. Not for signal handlers.
#[derive(Debug)]
pub struct SafeReader {
    way: Way,
}

#[derive(Debug)]
enum Way {
    /// By process_vm_readv and process_vm_writev on this process id.
    Vectored(libc::pid_t),
    /// Through `/proc/self/mem`.
    File(File),
}

impl SafeReader {
    /// The most loads that one system call takes (far below the kernel's IOV_MAX of 1024).
    const BATCH: usize = 16;

    /// Finds a way that is allowed here. It stays tied to this process: a forked child has to find its own.
    ///
    /// # Errors
    ///
    /// [`Declined::Memory`] where a filter or a missing `/proc` forbids both ways.
    pub fn new() -> Result<SafeReader, Declined> {
        let vectored = SafeReader {
            way: Way::Vectored(std::process::id() as libc::pid_t),
        };
        if vectored.works() {
            return Ok(vectored);
        }
        let file = SafeReader::by_file().map_err(|error| Declined::Memory(error.to_string()))?;
        if file.works() {
            return Ok(file);
        }
        Err(Declined::Memory("reading /proc/self/mem fails".into()))
    }

    fn by_file() -> io::Result<SafeReader> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open("/proc/self/mem")?;
        Ok(SafeReader {
            way: Way::File(file),
        })
    }

    fn works(&self) -> bool {
        let probe = std::hint::black_box(0x6a70_726f_665f_2121_u64);
        self.read_u64(&raw const probe as u64) == Ok(probe)
    }

    /// Loads as many bytes as `into` holds.
    ///
    /// # Errors
    ///
    /// When not all of them are mapped and readable; `into` may then hold a part.
    pub fn read_bytes(&self, address: u64, into: &mut [u8]) -> Result<(), Inaccessible> {
        let length = into.len();
        if self.transfer(&mut [Load { address, into }]) {
            Ok(())
        } else {
            Err(Inaccessible { address, length })
        }
    }

    /// Does several loads, with one system call for each sixteen of them.
    ///
    /// # Errors
    ///
    /// The first load that fails; those after it may not have been done.
    pub fn read_batch(&self, loads: &mut [Load<'_>]) -> Result<(), Inaccessible> {
        for batch in loads.chunks_mut(Self::BATCH) {
            if !self.transfer(batch) {
                // Which one it was shows when each goes alone.
                for load in batch {
                    self.read_bytes(load.address, load.into)?;
                }
            }
        }
        Ok(())
    }

    fn transfer(&self, loads: &mut [Load<'_>]) -> bool {
        match &self.way {
            Way::Vectored(pid) => {
                const NONE: libc::iovec = libc::iovec {
                    iov_base: std::ptr::null_mut(),
                    iov_len: 0,
                };
                let mut local = [NONE; Self::BATCH];
                let mut remote = [NONE; Self::BATCH];
                let mut wanted = 0;
                for (load, (local, remote)) in
                    loads.iter_mut().zip(local.iter_mut().zip(&mut remote))
                {
                    local.iov_base = load.into.as_mut_ptr().cast();
                    local.iov_len = load.into.len();
                    remote.iov_base = load.address as *mut libc::c_void;
                    remote.iov_len = load.into.len();
                    wanted += load.into.len();
                }
                let count = loads.len() as libc::c_ulong;
                // SAFETY: the local parts are slices borrowed for the call, the remote ones are checked by the kernel.
                let done = unsafe {
                    libc::process_vm_readv(*pid, local.as_ptr(), count, remote.as_ptr(), count, 0)
                };
                usize::try_from(done) == Ok(wanted)
            }
            Way::File(file) => loads
                .iter_mut()
                .all(|load| file.read_exact_at(load.into, load.address).is_ok()),
        }
    }

    /// Loads a byte.
    ///
    /// # Errors
    ///
    /// When it is not mapped and readable; the same holds for the wider loads.
    pub fn read_u8(&self, address: u64) -> Result<u8, Inaccessible> {
        self.read_array(address).map(u8::from_ne_bytes)
    }

    /// Loads two bytes.
    ///
    /// # Errors
    ///
    /// See [`SafeReader::read_u8`].
    pub fn read_u16(&self, address: u64) -> Result<u16, Inaccessible> {
        self.read_array(address).map(u16::from_ne_bytes)
    }

    /// Loads four bytes.
    ///
    /// # Errors
    ///
    /// See [`SafeReader::read_u8`].
    pub fn read_u32(&self, address: u64) -> Result<u32, Inaccessible> {
        self.read_array(address).map(u32::from_ne_bytes)
    }

    /// Loads eight bytes.
    ///
    /// # Errors
    ///
    /// See [`SafeReader::read_u8`].
    pub fn read_u64(&self, address: u64) -> Result<u64, Inaccessible> {
        self.read_array(address).map(u64::from_ne_bytes)
    }

    fn read_array<const N: usize>(&self, address: u64) -> Result<[u8; N], Inaccessible> {
        let mut bytes = [0; N];
        self.read_bytes(address, &mut bytes)?;
        Ok(bytes)
    }

    /// Loads a C string without its zero, at most `limit` bytes of it.
    ///
    /// # Errors
    ///
    /// When memory ends before the string does.
    pub fn read_c_string(&self, address: u64, limit: usize) -> Result<Vec<u8>, Inaccessible> {
        // A piece never crosses a page, so that a string at the end of a mapping is read whole.
        const PAGE: u64 = 4096;
        let mut bytes = Vec::new();
        while bytes.len() < limit {
            let from = address.wrapping_add(bytes.len() as u64);
            let piece = (PAGE - from % PAGE)
                .min(256)
                .min((limit - bytes.len()) as u64) as usize;
            let start = bytes.len();
            bytes.resize(start + piece, 0);
            self.read_bytes(from, &mut bytes[start..])?;
            if let Some(end) = bytes[start..].iter().position(|&byte| byte == 0) {
                bytes.truncate(start + end);
                break;
            }
        }
        Ok(bytes)
    }

    /// Stores bytes. The caller answers for the address being one whose change means what it intends.
    ///
    /// # Errors
    ///
    /// When they are not mapped and writable; some may then have been stored.
    pub(super) fn write_bytes(&self, address: u64, bytes: &[u8]) -> Result<(), Inaccessible> {
        let stored = match &self.way {
            Way::Vectored(pid) => {
                let local = libc::iovec {
                    iov_base: bytes.as_ptr().cast_mut().cast(),
                    iov_len: bytes.len(),
                };
                let remote = libc::iovec {
                    iov_base: address as *mut libc::c_void,
                    iov_len: bytes.len(),
                };
                // SAFETY: the local part is only read from; the remote one is checked by the kernel.
                let done = unsafe { libc::process_vm_writev(*pid, &local, 1, &remote, 1, 0) };
                usize::try_from(done) == Ok(bytes.len())
            }
            Way::File(file) => file.write_all_at(bytes, address).is_ok(),
        };
        if stored {
            Ok(())
        } else {
            Err(Inaccessible {
                address,
                length: bytes.len(),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two pages, of which the second lies behind the end of its file: nothing can be read there, by no means.
    struct Pages(*mut u8);

    impl Pages {
        fn new() -> Pages {
            // SAFETY: a fresh mapping of a fresh file, which the mapping keeps.
            unsafe {
                let file = libc::memfd_create(c"pages".as_ptr(), libc::MFD_CLOEXEC);
                assert_eq!(libc::ftruncate(file, 4096), 0);
                let rights = libc::PROT_READ | libc::PROT_WRITE;
                let start = libc::mmap(
                    std::ptr::null_mut(),
                    8192,
                    rights,
                    libc::MAP_SHARED,
                    file,
                    0,
                );
                assert_ne!(start, libc::MAP_FAILED);
                libc::close(file);
                Pages(start.cast())
            }
        }

        fn end(&self) -> u64 {
            self.0 as u64 + 4096
        }

        fn fill_from(&self, address: u64, bytes: &[u8]) {
            // SAFETY: the tests write inside the first page only.
            unsafe {
                std::ptr::copy_nonoverlapping(bytes.as_ptr(), address as *mut u8, bytes.len())
            };
        }
    }

    impl Drop for Pages {
        fn drop(&mut self) {
            // SAFETY: mapped in `new`, unmapped once.
            unsafe { libc::munmap(self.0.cast(), 8192) };
        }
    }

    fn both_ways() -> [SafeReader; 2] {
        let readers = [SafeReader::new().unwrap(), SafeReader::by_file().unwrap()];
        assert!(matches!(readers[0].way, Way::Vectored(_)));
        assert!(matches!(readers[1].way, Way::File(_)));
        readers
    }

    #[test]
    fn loads_of_each_width_are_exact() {
        let value = std::hint::black_box(0x8877_6655_4433_2211_u64);
        let address = &raw const value as u64;
        for reader in both_ways() {
            assert_eq!(reader.read_u64(address), Ok(value));
            assert_eq!(reader.read_u32(address + 4), Ok(0x8877_6655));
            assert_eq!(reader.read_u16(address + 1), Ok(0x3322));
            assert_eq!(reader.read_u8(address + 7), Ok(0x88));
        }
    }

    #[test]
    fn no_address_faults() {
        let pages = Pages::new();
        for reader in both_ways() {
            for address in [
                0,
                55,
                pages.end(),
                pages.end() - 4,
                1 << 47,
                1 << 63,
                u64::MAX - 2,
                u64::MAX,
            ] {
                assert_eq!(
                    reader.read_u64(address),
                    Err(Inaccessible { address, length: 8 }),
                    "{address:#x}"
                );
            }
        }
    }

    #[test]
    fn a_batch_names_the_load_that_fails() {
        let pages = Pages::new();
        let words: [u64; 40] = std::hint::black_box(std::array::from_fn(|index| index as u64 * 3));
        for reader in both_ways() {
            let mut loaded = [[0u8; 8]; 40];
            let addresses = words.each_ref().map(|word| word as *const u64 as u64);
            let mut loads: Vec<Load<'_>> = loaded
                .iter_mut()
                .zip(addresses)
                .map(|(into, address)| Load { address, into })
                .collect();
            assert_eq!(reader.read_batch(&mut loads), Ok(()));
            loads[33].address = pages.end();
            assert_eq!(
                reader.read_batch(&mut loads),
                Err(Inaccessible {
                    address: pages.end(),
                    length: 8
                })
            );
            assert_eq!(loaded.map(u64::from_ne_bytes), words);
            assert_eq!(reader.read_batch(&mut []), Ok(()));
        }
    }

    #[test]
    fn a_string_is_read_up_to_its_zero_or_the_limit_and_never_past_its_page() {
        let pages = Pages::new();
        let address = pages.end() - 5;
        pages.fill_from(address, b"java\0");
        for reader in both_ways() {
            assert_eq!(
                reader.read_c_string(address, 1000).as_deref(),
                Ok(&b"java"[..])
            );
            assert_eq!(reader.read_c_string(address, 2).as_deref(), Ok(&b"ja"[..]));
            assert_eq!(reader.read_c_string(address, 0).as_deref(), Ok(&b""[..]));
        }
        pages.fill_from(pages.end() - 1, b"!");
        for reader in both_ways() {
            assert!(reader.read_c_string(address, 1000).is_err());
        }
    }

    #[test]
    fn a_store_is_seen_and_a_refused_one_is_an_error() {
        let pages = Pages::new();
        for (value, reader) in [7u8, 9].into_iter().zip(both_ways()) {
            assert_eq!(reader.write_bytes(pages.end() - 1, &[value]), Ok(()));
            assert_eq!(reader.read_u8(pages.end() - 1), Ok(value));
            assert!(reader.write_bytes(16, &[1]).is_err());
        }
    }
}
