//! The handler of the faults that a stack walk may meet.
//!
//! # Safety
//! sigaction(2) and dl_iterate_phdr(3) with structures filled in here.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};
use std::io;
use std::mem;
use std::ptr;

use jprof_signal_safe::guard;

/// What a load of memory that is not there raises.
const FAULTS: [c_int; 2] = [libc::SIGSEGV, libc::SIGBUS];

/// The handlers of SIGSEGV and SIGBUS that were there before.
#[derive(Clone, Copy)]
pub struct FaultHandlers {
    previous: [libc::sigaction; 2],
}

impl std::fmt::Debug for FaultHandlers {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("FaultHandlers")
            .finish_non_exhaustive()
    }
}

impl FaultHandlers {
    /// Puts jprof's handler before those that are there (the JVM's), with their flags and masks. Faults of other code than
    /// this library's go on to them unchanged. The library stays loaded from now on.
    ///
    /// # Errors
    /// sigaction(2)'s; or that the library's own code is not found.
    pub fn install() -> io::Result<Self> {
        let (start, end) = own_code().ok_or(io::ErrorKind::NotFound)?;
        guard::set_code(start, end);
        super::signal::keep_library_loaded();
        // SAFETY: zero is a valid value of the structures; the handler is the one made for this.
        unsafe {
            let mut previous: [libc::sigaction; 2] = mem::zeroed();
            for (signal, old) in FAULTS.into_iter().zip(&mut previous) {
                if libc::sigaction(signal, ptr::null(), old) == -1 {
                    return Err(io::Error::last_os_error());
                }
                // An earlier recording's, which could not be taken away: another handler lay before it then.
                if !is_ours(old) {
                    put_before(signal, old)?;
                }
            }
            Ok(Self { previous })
        }
    }

    /// Looks whether somebody has put another handler in since, and goes before it: a walk's fault would look like a crash to
    /// it. Says whether somebody had.
    #[must_use]
    pub fn renew(&self) -> bool {
        let mut found = false;
        for signal in FAULTS {
            if let Some(now) = current(signal)
                && !is_ours(&now)
            {
                found |= put_before(signal, &now).is_ok();
            }
        }
        found
    }

    /// Puts the earlier handlers back, unless somebody else has put theirs in since: those may call ours.
    pub fn remove(&self) {
        for (signal, old) in FAULTS.into_iter().zip(&self.previous) {
            if current(signal).is_some_and(|now| is_ours(&now)) && !is_ours(old) {
                // SAFETY: the action is one that sigaction gave.
                unsafe { libc::sigaction(signal, old, ptr::null_mut()) };
            }
        }
    }
}

/// Installs our handler before one that is there.
fn put_before(signal: c_int, old: &libc::sigaction) -> io::Result<()> {
    guard::chain(signal).come_before(super::signal::handler_of(old));
    let mut action = *old;
    action.sa_sigaction = guard::on_fault as *const () as usize;
    action.sa_flags |= libc::SA_SIGINFO;
    // SAFETY: the action is one that sigaction gave, with the handler made for this.
    if unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) } == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn current(signal: c_int) -> Option<libc::sigaction> {
    // SAFETY: zero is a valid value; sigaction only fills in the present action.
    unsafe {
        let mut now: libc::sigaction = mem::zeroed();
        (libc::sigaction(signal, ptr::null(), &raw mut now) == 0).then_some(now)
    }
}

fn is_ours(action: &libc::sigaction) -> bool {
    action.sa_sigaction == guard::on_fault as *const () as usize
}

/// The executable part of the object that holds this code: first address, and the one after the last.
fn own_code() -> Option<(usize, usize)> {
    unsafe extern "C" fn visit(
        info: *mut libc::dl_phdr_info,
        _: usize,
        found: *mut c_void,
    ) -> c_int {
        // SAFETY: the linker hands a valid description with its mapped program headers; `found` is the local below.
        let (base, headers, found) = unsafe {
            let info = &*info;
            (
                info.dlpi_addr as usize,
                std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)),
                &mut *found.cast::<Option<(usize, usize)>>(),
            )
        };
        let own = guard::on_fault as *const () as usize;
        *found = headers
            .iter()
            .filter(|header| header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_X != 0)
            .map(|header| {
                let start = base + header.p_vaddr as usize;
                (start, start + header.p_memsz as usize)
            })
            .find(|&(start, end)| (start..end).contains(&own));
        c_int::from(found.is_some())
    }

    let mut found: Option<(usize, usize)> = None;
    // SAFETY: the callback is called during this call only, with the pointer to `found`.
    unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut found).cast()) };
    found
}
