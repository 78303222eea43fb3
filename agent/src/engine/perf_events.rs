//! Perf events: a clock event per thread, opened once, never re-armed.
//!
//! # Safety
//! Plain system calls on descriptors that this module owns. The descriptor is registered in the
//! thread table before the event is enabled, so that the handler finds its thread.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};

use jprof_signal_safe::threads::{ThreadKey, ThreadTable, TickSource};
use perf_event::Builder;
use perf_event::events::{Event as PerfEvent, Hardware, Software};

use super::signal::TICK_SIGNAL;
use crate::limits;

/// `F_SETSIG` and `F_SETOWN_EX` of linux/fcntl.h; the libc crate lacks them for glibc.
const F_SETSIG: libc::c_int = 10;
const F_SETOWN_EX: libc::c_int = 15;
/// `F_OWNER_TID`: signals go to this thread.
const F_OWNER_TID: libc::c_int = 0;
/// `PERF_EVENT_IOC_ENABLE`: `_IO('$', 0)`, linux/perf_event.h.
const PERF_EVENT_IOC_ENABLE: libc::c_ulong = 0x2400;

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
    event: Software,
    period: u64,
    kernel: bool,
    allowed: u64,
}

impl PerfEvents {
    /// The CPU clock, with or without ticks in kernel mode.
    #[must_use]
    pub fn cpu_clock(period_nanos: u64, kernel: bool) -> Self {
        Self::new(Software::CPU_CLOCK, period_nanos, kernel)
    }

    /// A clock by the name that the option `event` takes.
    #[must_use]
    pub fn clock_by_name(name: &str, period_nanos: u64) -> Option<Self> {
        let event = match name {
            "cpu-clock" => Software::CPU_CLOCK,
            "task-clock" => Software::TASK_CLOCK,
            _ => return None,
        };
        Some(Self::new(event, period_nanos, true))
    }

    fn new(event: Software, period: u64, kernel: bool) -> Self {
        let allowed = open_file_limit() / limits::FD_SHARE;
        Self {
            event,
            period,
            kernel,
            allowed,
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
        let first = super::first_period_nanos(self.period);
        let event = self.event_of(tid, first)?;
        let fd = event.as_raw_fd();
        let owner = OwnerEx {
            kind: F_OWNER_TID,
            pid: tid.cast_signed(),
        };
        // SAFETY: fcntl on an own descriptor; F_SETOWN_EX reads the structure (fcntl(2)).
        unsafe {
            check(libc::fcntl(fd, F_SETOWN_EX, &raw const owner))?;
            check(libc::fcntl(fd, F_SETSIG, TICK_SIGNAL))?;
            check(libc::fcntl(
                fd,
                libc::F_SETFL,
                libc::O_ASYNC | libc::O_NONBLOCK,
            ))?;
        }
        if let Some(slot) = table.get(key) {
            slot.set_first_period_nanos(first);
        }
        if !table.set_source(key, TickSource::Perf(fd)) {
            return Err(io::Error::from_raw_os_error(libc::EMFILE));
        }
        // From here on the table owns the descriptor: whoever takes it out closes it.
        let fd = event.into_raw_fd();
        // SAFETY: the request takes no argument.
        let enabled = check(unsafe { libc::ioctl(fd, PERF_EVENT_IOC_ENABLE as _, 0) });
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

    pub(super) fn go_on(fd: RawFd) {
        // SAFETY: the request takes no argument; a descriptor that was closed in between has none to enable, or is another
        // thread's event that runs already.
        unsafe { libc::ioctl(fd, PERF_EVENT_IOC_ENABLE as _, 0) };
    }

    fn event_of(&self, tid: u32, period: u64) -> io::Result<OwnedFd> {
        let mut builder = Builder::new()
            .kind(PerfEvent::Software(self.event))
            .observe_pid(tid.cast_signed())
            .any_cpu();
        builder
            .sample_period(period)
            .wakeup_events(1)
            .exclude_kernel(!self.kernel)
            .exclude_hv(true);
        // SAFETY: `into_raw_fd` gives the descriptor away; it has no other owner.
        let event = unsafe { OwnedFd::from_raw_fd(builder.build()?.into_raw_fd()) };
        // SAFETY: fcntl on an own descriptor. The crate opens without PERF_FLAG_FD_CLOEXEC.
        check(unsafe { libc::fcntl(event.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) })?;
        Ok(event)
    }
}

/// Opens and closes a counter of the processor or the kernel by its name, to learn whether it is
/// there; `None` for a name that is not known.
pub(super) fn try_counter(name: &str) -> Option<io::Result<()>> {
    let event: PerfEvent = match name {
        "cycles" => Hardware::CPU_CYCLES.into(),
        "instructions" => Hardware::INSTRUCTIONS.into(),
        "cache-references" => Hardware::CACHE_REFERENCES.into(),
        "cache-misses" => Hardware::CACHE_MISSES.into(),
        "branch-instructions" => Hardware::BRANCH_INSTRUCTIONS.into(),
        "branch-misses" => Hardware::BRANCH_MISSES.into(),
        "bus-cycles" => Hardware::BUS_CYCLES.into(),
        "ref-cycles" => Hardware::REF_CPU_CYCLES.into(),
        "page-faults" => Software::PAGE_FAULTS.into(),
        "context-switches" => Software::CONTEXT_SWITCHES.into(),
        _ => return None,
    };
    Some(Builder::new().kind(event).build().map(drop))
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

fn open_file_limit() -> u64 {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: getrlimit fills in the structure.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    if result == 0 { limit.rlim_cur } else { 1024 }
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
