//! Timers on a thread's CPU clock.
//!
//! They ride on the kernel's tick (4 ms at HZ=250), so below that interval a signal stands for
//! several; weights come from the thread's CPU clock and stay right.
//!
//! # Safety
//! Plain system calls. `syscall` instead of glibc's wrappers, which lie in librt before 2.34 and
//! hide the kernel's timer id.
#![allow(unsafe_code)]

use std::io;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

use jprof_signal_safe::clock::thread_clock_id;
use jprof_signal_safe::threads::{ThreadKey, ThreadTable, TickSource};

use super::signal::tick_signal;
use crate::host::procfs::{Resource, resource_limit};
use crate::limits;

/// Timers that are there in this process.
static OPEN: AtomicU64 = AtomicU64::new(0);

/// Makes CPU timers of one period.
#[derive(Debug)]
pub struct CpuTimers {
    period_nanos: u64,
    /// How many there may be: each takes one of the user's pending signals.
    allowed: u64,
}

impl CpuTimers {
    /// Timers of this period.
    #[must_use]
    pub fn new(period_nanos: u64) -> Self {
        let pending = resource_limit(Resource::PendingSignals);
        Self {
            period_nanos,
            allowed: pending.map_or(u64::MAX, |limit| limit.soft / limits::PENDING_SIGNAL_SHARE),
        }
    }

    /// Makes and deletes a timer on the calling thread.
    ///
    /// # Errors
    /// The kernel's.
    pub fn try_out(&self) -> io::Result<()> {
        // SAFETY: gettid cannot fail.
        let tid = unsafe { libc::syscall(libc::SYS_gettid) } as u32;
        self.create(tid, 0).map(Self::close)
    }

    pub(super) fn open(&self, table: &ThreadTable, key: ThreadKey, tid: u32) -> io::Result<()> {
        let id = self.create(tid, ThreadTable::timer_value(key))?;
        if let Some(slot) = table.get(key) {
            slot.set_period(self.period_nanos);
        }
        if !table.set_source(key, TickSource::Timer(id)) {
            Self::close(id);
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        let setting = libc::itimerspec {
            it_interval: timespec(self.period_nanos),
            it_value: timespec(super::first_period_nanos(self.period_nanos)),
        };
        // SAFETY: timer_settime(2) reads the setting and is asked for no old value.
        let result = unsafe {
            libc::syscall(
                libc::SYS_timer_settime,
                id,
                0,
                &raw const setting,
                ptr::null_mut::<libc::itimerspec>(),
            )
        };
        if result == -1 {
            let error = io::Error::last_os_error();
            if table.take_source(key) == TickSource::Timer(id) {
                Self::close(id);
            }
            return Err(error);
        }
        Ok(())
    }

    pub(super) fn close(id: i32) {
        // SAFETY: timer_delete(2) on an own timer.
        unsafe { libc::syscall(libc::SYS_timer_delete, id) };
        OPEN.fetch_sub(1, Ordering::Relaxed);
    }

    fn create(&self, tid: u32, value: usize) -> io::Result<i32> {
        let refused = |error| {
            OPEN.fetch_sub(1, Ordering::Relaxed);
            error
        };
        if OPEN.fetch_add(1, Ordering::Relaxed) >= self.allowed {
            // What the kernel says when none is left at all.
            return Err(refused(io::Error::from_raw_os_error(libc::EAGAIN)));
        }
        create(tid, value).map_err(refused)
    }
}

fn timespec(nanos: u64) -> libc::timespec {
    libc::timespec {
        tv_sec: (nanos / 1_000_000_000) as libc::time_t,
        tv_nsec: (nanos % 1_000_000_000) as libc::c_long,
    }
}

fn create(tid: u32, value: usize) -> io::Result<i32> {
    // SAFETY: zero is a valid value of this plain C structure.
    let mut event: libc::sigevent = unsafe { mem::zeroed() };
    event.sigev_notify = libc::SIGEV_THREAD_ID;
    event.sigev_signo = tick_signal();
    event.sigev_value = libc::sigval {
        sival_ptr: value as *mut libc::c_void,
    };
    event.sigev_notify_thread_id = tid.cast_signed();
    let mut id: i32 = 0;
    // SAFETY: timer_create(2) reads the event and writes the kernel's timer id, an int.
    let result = unsafe {
        libc::syscall(
            libc::SYS_timer_create,
            thread_clock_id(tid),
            &raw const event,
            &raw mut id,
        )
    };
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(id)
    }
}
