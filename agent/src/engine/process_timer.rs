//! The process's profiling timer (setitimer, ITIMER_PROF): one for all threads.
//!
//! It runs while any thread does, and its signal goes to a thread that runs just then: which one is
//! known only in the handler. There is one in a process, so it is taken only where nobody else has it.
//!
//! # Safety
//! setitimer(2) and getitimer(2) with structures made here.
#![allow(unsafe_code)]

use std::io;
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jprof_signal_safe::threads::{ThreadKey, ThreadTable, TickSource};
use jprof_signal_safe::tick;

use crate::limits;

/// `ITIMER_PROF` of linux/time.h, which the libc crate lacks for glibc.
const ITIMER_PROF: libc::c_int = 2;

/// What is ours of the timer.
struct Ours {
    /// The threads that it ticks for: it is armed for the first, and disarmed after the last.
    threads: u64,
    /// Its interval in microseconds, as the kernel has it, while it is ours; else 0.
    micros: u64,
}

static OURS: Mutex<Ours> = Mutex::new(Ours {
    threads: 0,
    micros: 0,
});

fn ours() -> MutexGuard<'static, Ours> {
    OURS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets the process's timer tick for threads.
#[derive(Debug)]
pub struct ProcessTimer {
    period_nanos: u64,
}

impl ProcessTimer {
    /// The timer with this period, or the shortest that a walk of any length leaves the application half of: the handler
    /// cannot lengthen it for one thread.
    #[must_use]
    pub fn new(period_nanos: u64) -> Self {
        Self {
            period_nanos: period_nanos.max(limits::KERNEL_TICK_NANOS),
        }
    }

    /// Whether it is to be had.
    ///
    /// # Errors
    /// `EBUSY`: somebody else has armed it, or has a handler of its signal.
    pub fn try_out(&self) -> io::Result<()> {
        ours().try_out()
    }

    pub(super) fn open(&self, table: &ThreadTable, key: ThreadKey) -> io::Result<()> {
        if let Some(slot) = table.get(key) {
            slot.set_period(self.period_nanos);
        }
        let mut ours = ours();
        if ours.threads == 0 {
            ours.try_out()?;
            ours.arm(self.period_nanos)?;
        }
        if !table.set_source(key, TickSource::Process) {
            ours.disarm_if_unused();
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        ours.threads += 1;
        Ok(())
    }

    pub(super) fn close() {
        let mut ours = ours();
        ours.threads = ours.threads.saturating_sub(1);
        ours.disarm_if_unused();
    }

    /// Looks whether somebody else has set it since; then it is not ours any more. Says whether it was lost just now.
    #[must_use]
    pub fn was_taken() -> bool {
        let mut ours = ours();
        let taken = ours.micros != 0 && interval_micros() != ours.micros;
        if taken {
            ours.micros = 0;
            tick::expect_process_timer(false);
        }
        taken
    }
}

impl Ours {
    fn try_out(&self) -> io::Result<()> {
        let now = get();
        let is_armed = micros(now.it_value) != 0 || micros(now.it_interval) != 0;
        // Its signal is SIGPROF, whoever has a handler of that.
        if (is_armed && self.micros == 0) || !super::signal::has_no_other_owner() {
            return Err(io::Error::from_raw_os_error(libc::EBUSY));
        }
        Ok(())
    }

    fn arm(&mut self, period_nanos: u64) -> io::Result<()> {
        // Before its first signal.
        tick::expect_process_timer(true);
        set(period_nanos / 1_000).inspect_err(|_| tick::expect_process_timer(false))?;
        // Old kernels round it up to their tick.
        self.micros = interval_micros();
        Ok(())
    }

    fn disarm_if_unused(&mut self) {
        if self.threads == 0 && self.micros != 0 {
            if interval_micros() == self.micros {
                // It can only be refused for numbers that are no time.
                let _ = set(0);
            }
            self.micros = 0;
            tick::expect_process_timer(false);
        }
    }
}

const fn micros(time: libc::timeval) -> u64 {
    time.tv_sec.cast_unsigned() * 1_000_000 + time.tv_usec.cast_unsigned()
}

fn interval_micros() -> u64 {
    micros(get().it_interval)
}

fn get() -> libc::itimerval {
    const NOTHING: libc::timeval = libc::timeval {
        tv_sec: 0,
        tv_usec: 0,
    };
    let mut now = libc::itimerval {
        it_interval: NOTHING,
        it_value: NOTHING,
    };
    // SAFETY: getitimer(2) fills in the structure.
    unsafe { libc::syscall(libc::SYS_getitimer, ITIMER_PROF, &raw mut now) };
    now
}

fn set(micros: u64) -> io::Result<()> {
    let time = libc::timeval {
        tv_sec: (micros / 1_000_000).cast_signed(),
        tv_usec: (micros % 1_000_000).cast_signed(),
    };
    let value = libc::itimerval {
        it_interval: time,
        it_value: time,
    };
    // SAFETY: setitimer(2) reads the structure and is asked for no old value.
    let result = unsafe {
        libc::syscall(
            libc::SYS_setitimer,
            ITIMER_PROF,
            &raw const value,
            ptr::null_mut::<libc::itimerval>(),
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An hour of CPU time: it does not fire.
    const HOUR_NANOS: u64 = 3_600_000_000_000;

    /// One test, since there is one timer.
    #[test]
    fn it_is_taken_and_given_back_but_never_taken_away() {
        let timer = ProcessTimer::new(HOUR_NANOS);
        assert!(timer.try_out().is_ok());
        let mut mine = Ours {
            threads: 0,
            micros: 0,
        };
        mine.arm(HOUR_NANOS).expect("it is free");
        assert_eq!(interval_micros(), HOUR_NANOS / 1_000);
        // For whoever does not know that it is his.
        assert_eq!(
            timer.try_out().map_err(|error| error.raw_os_error()),
            Err(Some(libc::EBUSY))
        );
        mine.disarm_if_unused();
        assert_eq!(interval_micros(), 0);
        mine.arm(HOUR_NANOS).expect("it is free");
        // Somebody else sets it.
        set(7_200_000_000).expect("a time");
        mine.disarm_if_unused();
        assert_eq!(interval_micros(), 7_200_000_000);
        set(0).expect("a time");
    }
}
