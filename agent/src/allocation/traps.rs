//! Breakpoints on the functions by which the JVM reports allocated objects to its own recorder.
//!
//! # Safety
//! One byte of libjvm's code is written at a time: the first one of a function whose first instruction is known, and back
//! again. Who meets the breakpoint comes to `trap::on_trap`, which is installed before, and carries that instruction out.
#![allow(unsafe_code)]

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};

use jprof_signal_safe::arch::displaced::{BREAKPOINT, Displaced, MOST_BYTES};
use jprof_signal_safe::levels::BINS;
use jprof_signal_safe::threads::{ThreadKey, ThreadSlot};
use jprof_signal_safe::tick::{Lies, Sampler};
use jprof_signal_safe::trap::{self, Arguments, Function, NewTlabs};
use once_cell::sync::OnceCell;

use super::{Allocated, Need};
use crate::engine::trap_signal;
use crate::host::Protections;
use crate::hotspot::VmStructs;
use crate::hotspot::alloc_tracer::{Reporter, refill_fields, reserved_words, thread_fields};
use crate::hotspot::debug_symbols::{NotFound, Symbol};
use crate::session;
use crate::threads::Registry;

/// The traps of this process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traps(&'static Made);

#[derive(Debug)]
struct Made {
    traps: &'static trap::Traps,
    /// Each function's address, and its first byte.
    originals: Vec<(usize, u8)>,
}

impl Traps {
    /// Finds the functions. What was found once stays.
    ///
    /// # Errors
    /// In words: symbols are missing, or the functions are not as expected.
    pub(crate) fn find(
        need: Need,
        sampler: &'static Sampler,
        structs: &VmStructs,
        env_distance: usize,
        folders: &[PathBuf],
    ) -> Result<Self, String> {
        static MADE: OnceCell<Made> = OnceCell::new();
        let made = MADE.get_or_try_init(|| {
            let mut originals = Vec::new();
            let mut function = |reporter: Reporter| {
                let (symbol, arguments) = reporter
                    .find(structs, folders)
                    .map_err(|reason| explain(&reason))?;
                let (function, original) = read(symbol, arguments, structs)?;
                originals.push((function.address, original));
                Ok::<_, String>(function)
            };
            let outside = function(Reporter::Outside)?;
            let declined = |reason: crate::hotspot::Declined| reason.to_string();
            let new_tlabs = if need == Need::Only {
                let (refills, waste) = refill_fields(structs, env_distance).map_err(declined)?;
                Some(NewTlabs {
                    refills,
                    waste,
                    function: function(Reporter::NewTlab)?,
                    reserved_words: reserved_words(structs).map_err(declined)?.into(),
                    levels: session::level_counts()
                        .map_err(|error| format!("no memory for the samples: {error}"))?,
                })
            } else {
                None
            };
            let fields = thread_fields(structs, env_distance).map_err(declined)?;
            let traps = Box::leak(Box::new(trap::Traps::new(
                sampler, new_tlabs, outside, fields,
            )));
            Ok::<_, String>(Made { traps, originals })
        })?;
        Ok(Self(made))
    }

    /// Writes the breakpoints. From now on what the threads of the registry allocate is sampled, `interval` bytes apart.
    ///
    /// # Errors
    /// In words: the system does not let the code be written, or a thread could not take the signal.
    pub(crate) fn set(self, registry: &Registry, interval: u64) -> Result<(), String> {
        if let Some(tid) = registry
            .java_threads()
            .into_iter()
            .find(|&tid| blocks_traps(tid))
        {
            return Err(format!(
                "the Java thread {tid} blocks SIGTRAP, and would end the process at a breakpoint"
            ));
        }
        trap_signal::install().map_err(|error| format!("no handler of SIGTRAP: {error}"))?;
        let traps = self.0.traps;
        traps.interval.store(interval, Ordering::Relaxed);
        traps.publish();
        traps.is_on.store(true, Ordering::SeqCst);
        for &(address, original) in &self.0.originals {
            // SAFETY: the address is that of a function of libjvm, which stays mapped.
            if let Err(reason) = unsafe { exchange(address, original, BREAKPOINT) } {
                self.remove();
                return Err(reason);
            }
        }
        Ok(())
    }

    /// Puts the code back as it was.
    pub(crate) fn remove(self) {
        self.0.traps.is_on.store(false, Ordering::SeqCst);
        for &(address, original) in &self.0.originals {
            // SAFETY: as above.
            if let Err(reason) = unsafe { exchange(address, BREAKPOINT, original) } {
                log::debug!("a breakpoint stays in the JVM's code, and does nothing: {reason}");
            }
        }
    }

    /// Changes the distance of samples.
    pub(crate) fn set_interval(self, bytes: u64) {
        self.0.traps.interval.store(bytes, Ordering::Relaxed);
    }

    /// Samples taken, and those that were lost.
    pub(crate) fn counts(self) -> (u64, u64) {
        self.0.traps.counts()
    }

    /// See [`trap::Traps::lies`].
    ///
    /// # Safety
    /// `slot` is the calling thread's, a living Java thread's.
    pub(crate) unsafe fn lies(self, slot: &ThreadSlot, size: u64) -> Lies {
        let traps = self.0.traps;
        if traps.is_on.load(Ordering::Relaxed) {
            // SAFETY: handed on from the caller.
            unsafe { traps.lies(slot, size) }
        } else {
            Lies::InTlab
        }
    }

    /// What was allocated outside of TLABs.
    pub(crate) fn outside(self, registry: &Registry) -> Allocated {
        Allocated {
            total: self.0.traps.outside_bytes(),
            threads: registry.outside_bytes(),
        }
    }

    /// See [`trap::Traps::levels`].
    pub(crate) fn levels(self, key: ThreadKey) -> Option<([[u32; BINS]; 2], u64)> {
        self.0.traps.levels(key)
    }

    /// Whether the JVM has no samples but these.
    pub(crate) fn are_all(self) -> bool {
        self.0.traps.new_tlabs.is_some()
    }
}

fn explain(reason: &NotFound) -> String {
    match reason {
        NotFound::Stripped => format!(
            "{reason}; on Debian and Ubuntu the package openjdk-8-dbg has it, elsewhere debugdir=PATH says where it lies"
        ),
        _ => reason.to_string(),
    }
}

fn read(
    symbol: Symbol,
    arguments: Arguments,
    structs: &VmStructs,
) -> Result<(Function, u8), String> {
    let code = structs.libjvm().bytes(symbol.address, MOST_BYTES as u64);
    let code: Option<[u8; MOST_BYTES]> = code.and_then(|code| code.try_into().ok());
    let known = code.and_then(|code| Some((Displaced::of(&code)?, code[0])));
    let Some((displaced, original)) = known else {
        return Err(format!(
            "a function of libjvm begins with an instruction that jprof does not know: {:02x?}",
            code.unwrap_or_default()
        ));
    };
    let function = Function {
        address: symbol.address as usize,
        displaced,
        arguments,
    };
    Ok((function, original))
}

/// Writes a byte of code in the place of the one that is there.
///
/// # Safety
/// The address is mapped, and executing either byte is sound.
unsafe fn exchange(address: usize, before: u8, after: u8) -> Result<(), String> {
    let protections = Protections::read();
    let refused = |what: &str| {
        let error = std::io::Error::last_os_error();
        format!("the system does not let jprof {what} (mprotect: {error})")
    };
    // SAFETY: sysconf has no preconditions.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
    let start = (address & !(page - 1)) as *mut libc::c_void;
    let protection = protections
        .of(address)
        .unwrap_or(libc::PROT_READ | libc::PROT_EXEC);
    // SAFETY: the page is mapped; it stays executable, since other threads run in it.
    let protect = |protection| unsafe { libc::mprotect(start, page, protection) } == 0;
    if !protect(protection | libc::PROT_WRITE) {
        return Err(refused("write the JVM's code"));
    }
    // SAFETY: the byte is mapped and writable now.
    let byte = unsafe { AtomicU8::from_ptr(address as *mut u8) };
    let exchanged = byte.compare_exchange(before, after, Ordering::SeqCst, Ordering::SeqCst);
    if !protect(protection) {
        log::debug!(
            "{}",
            refused("take back that the JVM's code can be written")
        );
    }
    match exchanged {
        Err(found) if found != after => Err(format!(
            "the JVM's code has a byte of somebody else's at {address:#x}: {found:#04x}"
        )),
        _ => Ok(()),
    }
}

/// Whether a thread blocks SIGTRAP (`SigBlk` of proc_pid_status(5)).
fn blocks_traps(tid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/self/task/{tid}/status")).unwrap_or_default();
    let blocked = status
        .lines()
        .find_map(|line| line.strip_prefix("SigBlk:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    blocked.is_some_and(|mask| mask & (1 << (libc::SIGTRAP - 1)) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_of_code_is_written_only_over_the_one_that_is_known() {
        #[inline(never)]
        extern "C" fn some_code(number: u64) -> u64 {
            std::hint::black_box(number) + 1
        }
        let address = some_code as *const () as usize;
        let before = Protections::read().of(address);
        // SAFETY: nothing runs in this function meanwhile.
        unsafe {
            let original = (address as *const u8).read_volatile();
            assert!(exchange(address, original.wrapping_add(1), BREAKPOINT).is_err());
            exchange(address, original, BREAKPOINT).expect("written");
            assert_eq!((address as *const u8).read_volatile(), BREAKPOINT);
            exchange(address, BREAKPOINT, original).expect("written");
            assert_eq!((address as *const u8).read_volatile(), original);
        }
        assert_eq!(some_code(1), 2);
        assert_eq!(Protections::read().of(address), before);
    }

    #[test]
    fn a_thread_that_blocks_the_signal_is_found() {
        let tid = crate::threads::current_tid();
        assert!(!blocks_traps(tid));
        // SAFETY: the sets are filled in before they are read, and the thread's own mask is put back.
        unsafe {
            let mut all: libc::sigset_t = std::mem::zeroed();
            let mut old: libc::sigset_t = std::mem::zeroed();
            libc::sigfillset(&raw mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut old);
            let blocks = blocks_traps(tid);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const old, std::ptr::null_mut());
            assert!(blocks);
        }
    }
}
