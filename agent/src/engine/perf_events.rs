//! Perf events: one event per thread, opened once, never re-armed.
//!
//! # Safety
//! Plain system calls on descriptors that this module owns. The descriptor is registered in the
//! thread table before the event is enabled, so that the handler finds its thread.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, Read};
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};

use jprof_signal_safe::threads::{ThreadKey, ThreadTable, TickSource};
use perf_event_open_sys as perf;
use perf_event_open_sys::bindings::{self as sys, perf_event_attr};

use super::signal::tick_signal;
use super::tracepoints;
use crate::host::procfs::{Resource, resource_limit};
use crate::limits;
use crate::options::{Counted, PerfEvent};

/// `F_SETSIG` and `F_SETOWN_EX` of linux/fcntl.h; the libc crate lacks them for glibc.
const F_SETSIG: libc::c_int = 10;
const F_SETOWN_EX: libc::c_int = 15;
/// `F_OWNER_TID`: signals go to this thread.
const F_OWNER_TID: libc::c_int = 0;

/// Events that are open in this process.
static OPEN: AtomicU64 = AtomicU64::new(0);

#[repr(C)]
struct OwnerEx {
    kind: libc::c_int,
    pid: libc::pid_t,
}

/// Opens perf events of one kind.
#[derive(Debug)]
pub struct PerfEvents {
    what: What,
    period: u64,
    kernel: bool,
    allowed: u64,
    /// The least descriptor that an event is to have.
    floor: RawFd,
}

/// What an event counts, as perf_event_open(2) is told.
#[derive(Clone, Copy, Debug)]
struct What {
    kind: u32,
    config: u64,
    /// Address, length and kind of access.
    breakpoint: Option<(u64, u64, u32)>,
    is_clock: bool,
}

impl PerfEvents {
    /// The CPU clock, with or without ticks in kernel mode.
    #[must_use]
    pub fn cpu_clock(period_nanos: u64, kernel: bool) -> Self {
        Self::new(clock(sys::PERF_COUNT_SW_CPU_CLOCK), period_nanos, kernel)
    }

    /// A clock by the name that the option `event` takes.
    #[must_use]
    pub fn clock_by_name(name: &str, period_nanos: u64) -> Option<Self> {
        let number = match name {
            "cpu-clock" => sys::PERF_COUNT_SW_CPU_CLOCK,
            "task-clock" => sys::PERF_COUNT_SW_TASK_CLOCK,
            _ => return None,
        };
        Some(Self::new(clock(number), period_nanos, true))
    }

    /// An event that counts something other than time.
    ///
    /// # Errors
    /// In words: a tracepoint is not found.
    pub fn counting(event: &PerfEvent, period: u64, kernel: bool) -> Result<Self, String> {
        let (kind, config, breakpoint) = match &event.counted {
            Counted::Number { kind, config } => (*kind, *config, None),
            Counted::Tracepoint { group, name } => (
                sys::PERF_TYPE_TRACEPOINT,
                tracepoints::number(group, name)?,
                None,
            ),
            Counted::Breakpoint {
                address,
                length,
                access,
            } => (
                sys::PERF_TYPE_BREAKPOINT,
                0,
                Some((*address, *length, *access)),
            ),
        };
        let what = What {
            kind,
            config,
            breakpoint,
            is_clock: false,
        };
        Ok(Self::new(what, period, kernel))
    }

    fn new(what: What, period: u64, kernel: bool) -> Self {
        // 1,024 is what Linux begins with.
        let limit = resource_limit(Resource::OpenFiles).map_or(1_024, |limit| limit.soft);
        let allowed = limit / limits::FD_SHARE;
        Self {
            what,
            period,
            kernel,
            allowed,
            floor: RawFd::try_from(limit - allowed).map_or(limits::PERF_FD_FLOOR, |half| {
                half.min(limits::PERF_FD_FLOOR)
            }),
        }
    }

    /// Opens and closes an event on the calling thread.
    ///
    /// # Errors
    /// The kernel's.
    pub fn try_out(&self) -> io::Result<()> {
        self.event_of(0, self.period).map(drop)
    }

    pub(super) fn open(&self, table: &ThreadTable, key: ThreadKey, tid: u32) -> io::Result<()> {
        if OPEN.fetch_add(1, Ordering::Relaxed) >= self.allowed {
            OPEN.fetch_sub(1, Ordering::Relaxed);
            return Err(io::Error::from_raw_os_error(libc::EMFILE));
        }
        let result = self.open_counted(table, key, tid);
        if result.is_err() {
            OPEN.fetch_sub(1, Ordering::Relaxed);
        }
        result
    }

    fn open_counted(&self, table: &ThreadTable, key: ThreadKey, tid: u32) -> io::Result<()> {
        // The handler sets the full period at the first tick.
        let first = if self.what.is_clock {
            super::first_period_nanos(self.period)
        } else {
            super::first_count(self.period)
        };
        let event = self.event_of(tid, first)?;
        let fd = event.as_raw_fd();
        let owner = OwnerEx {
            kind: F_OWNER_TID,
            pid: tid.cast_signed(),
        };
        // SAFETY: fcntl on an own descriptor; F_SETOWN_EX reads the structure (fcntl(2)).
        unsafe {
            check(libc::fcntl(fd, F_SETOWN_EX, &raw const owner))?;
            check(libc::fcntl(fd, F_SETSIG, tick_signal()))?;
            check(libc::fcntl(
                fd,
                libc::F_SETFL,
                libc::O_ASYNC | libc::O_NONBLOCK,
            ))?;
        }
        if let Some(slot) = table.get(key) {
            if first == self.period {
                slot.set_period(first);
            } else {
                slot.set_first_period(first);
            }
        }
        if !table.set_source(key, TickSource::Perf(fd)) {
            return Err(io::Error::from_raw_os_error(libc::EMFILE));
        }
        // From here on the table owns the descriptor: whoever takes it out closes it.
        let fd = event.into_raw_fd();
        // SAFETY: the request takes no argument.
        let enabled = check(unsafe { perf::ioctls::ENABLE(fd, 0) });
        if enabled.is_err() && table.take_source(key) == TickSource::Perf(fd) {
            // SAFETY: taken out of the table just now, and closed once.
            drop(unsafe { OwnedFd::from_raw_fd(fd) });
            return enabled;
        }
        // Enabled, or the end of sampling has closed it already.
        Ok(())
    }

    pub(super) fn close(fd: RawFd) {
        // SAFETY: the descriptor was left to the table by `open`, which gives it out once.
        drop(unsafe { OwnedFd::from_raw_fd(fd) });
        OPEN.fetch_sub(1, Ordering::Relaxed);
    }

    /// What an event has counted: nanoseconds, if it is a clock.
    pub(super) fn count(fd: RawFd) -> io::Result<u64> {
        let mut count = [0; size_of::<u64>()];
        // SAFETY: the descriptor was taken out of the table and is not closed yet: it is borrowed for one read.
        let read = ManuallyDrop::new(unsafe { File::from_raw_fd(fd) }).read(&mut count)?;
        if read == count.len() {
            Ok(u64::from_ne_bytes(count))
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }

    pub(super) fn go_on(fd: RawFd) {
        // SAFETY: the request takes no argument; a descriptor that was closed in between has none to enable, or is another
        // thread's event that runs already.
        unsafe { perf::ioctls::ENABLE(fd, 0) };
    }

    fn event_of(&self, tid: u32, period: u64) -> io::Result<OwnedFd> {
        let mut attributes = perf_event_attr {
            type_: self.what.kind,
            size: size_of::<perf_event_attr>() as u32,
            config: self.what.config,
            ..perf_event_attr::default()
        };
        if let Some((address, length, access)) = self.what.breakpoint {
            attributes.bp_type = access;
            attributes.bp_addr = address;
            attributes.bp_len = length;
        }
        attributes.sample_period = period;
        attributes.set_disabled(1);
        attributes.set_exclude_kernel(u64::from(!self.kernel));
        attributes.set_exclude_hv(1);
        let flags = libc::c_ulong::from(sys::PERF_FLAG_FD_CLOEXEC);
        // SAFETY: perf_event_open(2) reads the attributes; a descriptor that it gives has no other owner.
        let event = unsafe {
            let fd = perf::perf_event_open(&raw mut attributes, tid.cast_signed(), -1, -1, flags);
            check(fd)?;
            OwnedFd::from_raw_fd(fd)
        };
        Ok(self.lift(event))
    }

    /// Gives the low number back, which the application may need for select(2); the event keeps it where no higher one can
    /// be had.
    fn lift(&self, event: OwnedFd) -> OwnedFd {
        // SAFETY: fcntl on an own descriptor; the new one has no other owner.
        unsafe {
            match libc::fcntl(event.as_raw_fd(), libc::F_DUPFD_CLOEXEC, self.floor) {
                -1 => event,
                higher => OwnedFd::from_raw_fd(higher),
            }
        }
    }
}

const fn clock(number: u32) -> What {
    What {
        kind: sys::PERF_TYPE_SOFTWARE,
        config: number as u64,
        breakpoint: None,
        is_clock: true,
    }
}

/// An error of perf_event_open(2) in words that help.
pub(super) fn explain(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EACCES | libc::EPERM) => format!(
            "{error}; sysctl kernel.perf_event_paranoid=1, or CAP_PERFMON, or a seccomp profile that allows perf_event_open, would permit it"
        ),
        Some(libc::ENOENT | libc::ENODEV | libc::EOPNOTSUPP) => {
            format!("{error}; this machine has no such counter")
        }
        Some(libc::ENOSYS) => {
            format!("{error}; the kernel or its seccomp filter has no perf_event_open")
        }
        _ => error.to_string(),
    }
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static WRITTEN: AtomicU64 = AtomicU64::new(0);

    #[test]
    fn an_event_counts_what_it_is_asked_to_by_a_high_descriptor() {
        let address = &raw const WRITTEN as usize;
        for (name, expected) in [
            (format!("mem:{address:#x}/8:w"), 10),
            (format!("mem:{address:#x}/8:rw"), 20),
        ] {
            let event = PerfEvent::named(&name).expect("known");
            let events = PerfEvents::counting(&event, 1_000, false).expect("no tracepoint");
            let opened = match events.event_of(0, 1_000) {
                Ok(opened) => opened,
                Err(error) => {
                    eprintln!("skipped: breakpoints are refused here: {error}");
                    return;
                }
            };
            let fd = opened.as_raw_fd();
            assert!(fd >= events.floor && events.floor > 2, "{fd}");
            PerfEvents::go_on(fd);
            for number in 0..10 {
                WRITTEN.store(number, Ordering::SeqCst);
                assert_eq!(WRITTEN.load(Ordering::SeqCst), number);
            }
            assert_eq!(PerfEvents::count(fd).expect("a count"), expected, "{name}");
        }
    }
}
