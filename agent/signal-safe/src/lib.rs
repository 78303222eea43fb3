//! Everything that a signal handler of jprof may touch: the tick handler, the stack walk, the
//! handler of faults that a walk meets, that of breakpoints, the rings that carry samples to the recorder, and the table
//! of threads.
//!
//! The crate is `no_std` without `alloc`, so that what must not happen in a handler does not
//! compile here: no allocation, no lock that blocks, no `thread_local!`, no formatting. All memory
//! is given to it at start and is never returned while a handler can run. No index is checked by a
//! panicking bounds check on the handler's path: look-ups return `Option`, rings mask.
//!
//! Calls made inside the handlers, all of them (see `docs/signals.md`):
//! `__errno_location`, `clock_gettime` (CLOCK_MONOTONIC; CLOCK_THREAD_CPUTIME_ID on ticks that are
//! not regular, and on one of sixteen that are), `ioctl` (`PERF_EVENT_IOC_PERIOD`, and
//! `PERF_EVENT_IOC_ID` for events that are no clock), `syscall` (`gettid` once per thread, or each tick
//! of the process's timer and each trap, `read` of an event that is no clock, `timer_settime`, `futex` wake, and
//! `getpid` and `tgkill` for a trap that is not ours), `sigaction` (a fault or a trap that is not ours,
//! where nobody had a handler before) and, with `walker=agct` or `both`, the JVM's
//! `AsyncGetCallTrace`. Beside them the handlers that had the signals before.
#![no_std]

#[cfg(test)]
extern crate std;

#[cfg(all(test, loom))]
mod interleavings;

pub mod arch;
pub mod clock;
pub mod countdown;
pub mod counters;
#[cfg(target_arch = "x86_64")]
pub mod guard;
pub mod levels;
pub mod previous;
pub mod record;
pub mod ring;
pub mod stripes;
pub mod sync;
pub mod threads;
pub mod tick;
#[cfg(target_arch = "x86_64")]
pub mod trap;
pub mod walker;
