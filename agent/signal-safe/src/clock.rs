//! Clocks that may be read in a signal handler.
//!
//! # Safety
//! `clock_gettime` is async-signal-safe (POSIX.1-2008, signal-safety(7)); it writes only the
//! `timespec` handed to it.
#![allow(unsafe_code)]

/// CLOCK_MONOTONIC in nanoseconds: the time base of all samples.
#[inline]
#[must_use]
pub fn monotonic_nanos() -> u64 {
    read(libc::CLOCK_MONOTONIC)
}

/// CPU time of the calling thread in nanoseconds, user and kernel. One system call.
#[inline]
#[must_use]
pub fn thread_cpu_nanos() -> u64 {
    read(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// CPU time of the whole process in nanoseconds, ended threads included.
#[must_use]
pub fn process_cpu_nanos() -> u64 {
    read(libc::CLOCK_PROCESS_CPUTIME_ID)
}

/// The clock id of another thread's CPU time: see `clock_getcpuclockid(3)` and the kernel's
/// `include/linux/posix-timers_types.h` (bits 0-1: CPUCLOCK_SCHED, bit 2: per thread).
#[must_use]
pub fn thread_clock_id(tid: u32) -> libc::clockid_t {
    (!tid.cast_signed() << 3) | 6
}

/// CPU time of the thread `tid` of this process; `None` when it has ended.
#[must_use]
pub fn cpu_nanos_of(tid: u32) -> Option<u64> {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: see the module.
    let result = unsafe { libc::clock_gettime(thread_clock_id(tid), &raw mut time) };
    (result == 0).then(|| nanos(&time))
}

#[inline]
fn read(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: see the module; the clocks read here exist on every Linux, so the call cannot fail.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    nanos(&time)
}

#[inline]
fn nanos(time: &libc::timespec) -> u64 {
    time.tv_sec
        .cast_unsigned()
        .wrapping_mul(1_000_000_000)
        .wrapping_add(time.tv_nsec.cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_id_of_another_thread_reads_that_threads_time() {
        // SAFETY: gettid has no preconditions.
        let tid = unsafe { libc::gettid() }.cast_unsigned();
        let before = thread_cpu_nanos();
        let by_id = cpu_nanos_of(tid).expect("the own thread lives");
        let after = thread_cpu_nanos();
        assert!(before <= by_id && by_id <= after);
        assert_eq!(cpu_nanos_of(u32::MAX >> 4), None);
    }
}
